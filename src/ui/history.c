/* SPDX-License-Identifier: MIT */
/* A ring of points for graphs, each a byte a row. Invariant: rows run parallel to the VMs and vCPUs of the
 * snapshot fed last; what joined later has no levels before. What is not filled yet is never touched, so that
 * memory is used as time passes. */
#include "history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

void history_done(struct history *hist)
{
	free(hist->vms);
	free(hist->levels);
	memset(hist, 0, sizeof *hist);
}

static uint8_t level_up_to(struct vf64 x, double most)
{
	return vf64_has(x) ? (uint8_t)lround(fmin(fmax(x.v, 0), most)) : DRAW_NO_LEVEL;
}

static uint8_t level(struct vf64 x)
{
	return level_up_to(x, 100);
}

static uint8_t share(struct vi64 part, struct vi64 whole)
{
	if (!vi64_has(part) || !vi64_has(whole) || whole.v <= 0)
		return DRAW_NO_LEVEL;
	return level(vf64_ok(100.0 * (double)part.v / (double)whole.v));
}

/* What `all` has above `part`; where part is not known that is all of it. */
static uint8_t above(uint8_t all, uint8_t part)
{
	if (all == DRAW_NO_LEVEL || part == DRAW_NO_LEVEL)
		return all;
	return all > part ? (uint8_t)(all - part) : 0;
}

static bool same_shape(const struct history *hist, const struct snapshot *snap)
{
	if (!hist->levels || hist->n_vms != snap->sample.n_vms || hist->n_vcpus != snap->sample.n_vcpus)
		return false;
	for (size_t i = 0; i < hist->n_vms; i++)
		if (hist->vms[i].n != snap->sample.vms[i].n_vcpus ||
			uuid_compare(hist->vms[i].uuid, snap->sample.vms[i].uuid))
			return false;
	return true;
}

const struct history_vm *history_find(const struct history *hist, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, hist->vms, hist->n_vms, struct history_vm);
}

static size_t row_of_vm(const struct history *hist, const struct history_vm *vm)
{
	return HOST_ROWS + (size_t)(vm - hist->vms) * VM_ROWS;
}

static size_t row_of_vcpu(const struct history *hist, const struct history_vm *vm, size_t k)
{
	return HOST_ROWS + hist->n_vms * VM_ROWS + (vm->first + k) * VCPU_ROWS;
}

static size_t filled(const struct history *hist)
{
	return (size_t)(hist->count - hist->first);
}

static uint8_t *point(const struct history *hist, uint64_t i)
{
	return hist->levels + (size_t)(i % HISTORY_POINTS) * hist->n_rows;
}

/* What is known of a VM that is still there. */
static void carry_vm(const struct history *old, struct history *h, const struct history_vm *vm)
{
	const struct history_vm *o = history_find(old, vm->uuid);
	size_t n = o ? min_of(o->n, vm->n) : 0;
	for (uint64_t i = old->first; o && i < old->count; i++) {
		uint8_t *to = point(h, i);
		const uint8_t *from = point(old, i);
		memcpy(to + row_of_vm(h, vm), from + row_of_vm(old, o), VM_ROWS);
		memcpy(to + row_of_vcpu(h, vm, 0), from + row_of_vcpu(old, o, 0), n * VCPU_ROWS);
	}
}

static bool reshape(struct history *hist, const struct snapshot *snap)
{
	struct history *now = malloc(sizeof *now);
	if (!now)
		return false;
	*now = *hist;
	now->n_vms = snap->sample.n_vms;
	now->n_vcpus = snap->sample.n_vcpus;
	now->n_rows = HOST_ROWS + now->n_vms * VM_ROWS + now->n_vcpus * VCPU_ROWS;
	now->vms = calloc(max_of(now->n_vms, 1), sizeof *now->vms);
	now->levels = malloc(HISTORY_POINTS * now->n_rows);
	if (!now->vms || !now->levels) {
		free(now->vms);
		free(now->levels);
		free(now);
		return false;
	}
	for (uint64_t i = hist->first; i < hist->count; i++) {
		memset(point(now, i), DRAW_NO_LEVEL, now->n_rows);
		memcpy(point(now, i), point(hist, i), HOST_ROWS);
	}
	for (size_t i = 0; i < now->n_vms; i++) {
		const struct vm_sample *vm = &snap->sample.vms[i];
		memcpy(now->vms[i].uuid, vm->uuid, UUID_BYTES);
		now->vms[i].first = vm->first_vcpu;
		now->vms[i].n = vm->n_vcpus;
		carry_vm(hist, now, &now->vms[i]);
	}
	free(hist->vms);
	free(hist->levels);
	*hist = *now;
	free(now);
	return true;
}

static void feed_host(uint8_t *to, const struct snapshot *snap)
{
	const struct host_sample *host = &snap->sample.host;
	struct cpuset online;
	struct vf64 wait = {0, AVAIL_NONE}, found = snap->cpu.found_pct, deviation = snap->cpu.stddev_pct;
	sample_online(&snap->sample, &online);
	int n = cpuset_count(&online);
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (vf64_has(snap->vm_rates[i].wait_pct))
			wait = vf64_ok(wait.v + snap->vm_rates[i].wait_pct.v / max_of(n, 1));
	uint8_t used = share(host->available_kib, host->total_kib);
	to[HOST_BUSY] = level(snap->busy_pct);
	to[HOST_WAIT] = level(wait);
	to[HOST_FOUND] = level_up_to(found, DEVIATION_MOST);
	to[HOST_EXCESS] = above(level_up_to(deviation, DEVIATION_MOST), to[HOST_FOUND]);
	to[HOST_USED] = used == DRAW_NO_LEVEL ? used : (uint8_t)(100 - used);
}

static void feed_vm(uint8_t *to, const struct snapshot *snap, size_t vm)
{
	const struct vm_sample *m = &snap->sample.vms[vm];
	const struct vm_rate *rate = &snap->vm_rates[vm];
	double n = m->n_vcpus ? (double)m->n_vcpus : 1;
	struct vf64 run = rate->cpu_pct, wait = rate->wait_pct;
	run.v /= n;
	wait.v /= n;
	to[VM_RUN] = level(run);
	to[VM_WAIT] = level(wait);
	to[VM_USED] = share(rate->used_kib, m->mem.max_kib);
	to[VM_BALLOON] = above(share(m->mem.balloon_kib, m->mem.max_kib), to[VM_USED]);
}

/* A recording was wound back: what comes later there is not known yet. Or on: what was before is not what
 * came before. */
static void wind(struct history *hist, const struct snapshot *snap)
{
	double gap_s = (double)(snap->sample.time_ns - hist->time_ns) / 1e9;
	while (hist->count > hist->first &&
		hist->at_ns[(hist->count - 1) % HISTORY_POINTS] >= snap->sample.time_ns)
		hist->count--;
	if (snap->moment == MOMENT_PLAYED && gap_s > 60 && gap_s > 10 * snap->delay_s)
		hist->first = hist->count;
}

void history_feed(struct history *hist, const struct snapshot *snap)
{
	if (snap->first || snap->sample.time_ns == hist->time_ns)
		return;
	wind(hist, snap);
	if (!same_shape(hist, snap) && !reshape(hist, snap))
		return;
	hist->time_ns = snap->sample.time_ns;
	hist->at_ns[hist->count % HISTORY_POINTS] = hist->time_ns;
	uint8_t *to = point(hist, hist->count++);
	hist->first += filled(hist) > HISTORY_POINTS;
	feed_host(to, snap);
	for (size_t i = 0; i < hist->n_vms; i++)
		feed_vm(to + row_of_vm(hist, &hist->vms[i]), snap, i);
	to += HOST_ROWS + hist->n_vms * VM_ROWS;
	for (size_t k = 0; k < hist->n_vcpus; k++) {
		to[k * VCPU_ROWS + VCPU_RUN] = level(snap->vcpu_rates[k].usage_pct);
		to[k * VCPU_ROWS + VCPU_WAIT] = level(snap->vcpu_rates[k].wait_pct);
	}
}

static struct series series_of(const struct history *hist, size_t row)
{
	uint64_t end = hist->count - (hist->back < filled(hist) ? hist->back : 0);
	return (struct series){hist->levels + row, hist->n_rows, HISTORY_POINTS, hist->first,
		hist->levels ? end : hist->first};
}

struct series history_of_host(const struct history *hist, enum history_host row)
{
	return series_of(hist, (size_t)row);
}

struct series history_of_vm(const struct history *hist, const struct history_vm *vm, enum history_vm_row row)
{
	return series_of(hist, row_of_vm(hist, vm) + (size_t)row);
}

struct series history_of_vcpu(
	const struct history *hist, const struct history_vm *vm, size_t k, enum history_vcpu row)
{
	return series_of(hist, row_of_vcpu(hist, vm, k) + (size_t)row);
}

uint8_t history_now(const struct series *series)
{
	return series->end > series->first ? series->levels[(series->end - 1) % series->n * series->stride]
					   : DRAW_NO_LEVEL;
}

double history_span_s(const struct history *hist, size_t points, double delay_s)
{
	size_t have = filled(hist) - (hist->back < filled(hist) ? hist->back : 0);
	size_t known = min_of(points, have);
	if (known < 2)
		return (double)points * delay_s;
	uint64_t last = hist->count - 1 - (hist->back < filled(hist) ? hist->back : 0);
	int64_t from = hist->at_ns[(last + 1 - known) % HISTORY_POINTS],
		to = hist->at_ns[last % HISTORY_POINTS];
	return (double)(to - from) / 1e9 + (double)(points - known) * delay_s;
}
