/* SPDX-License-Identifier: MIT */
/* A ring of points for graphs, each a byte a row. Invariant: rows run parallel to the VMs and vCPUs of the
 * snapshot fed last; what joined later has no levels before. What is not filled yet is never touched, so that
 * memory is used as time passes. */
#include "history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

void history_done(struct history *h)
{
	free(h->vms);
	free(h->levels);
	memset(h, 0, sizeof *h);
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

static bool same_shape(const struct history *h, const struct snapshot *s)
{
	if (!h->levels || h->n_vms != s->sample.n_vms || h->n_vcpus != s->sample.n_vcpus)
		return false;
	for (size_t i = 0; i < h->n_vms; i++)
		if (h->vms[i].n != s->sample.vms[i].n_vcpus ||
			uuid_compare(h->vms[i].uuid, s->sample.vms[i].uuid))
			return false;
	return true;
}

const struct history_vm *history_find(const struct history *h, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, h->vms, h->n_vms, struct history_vm);
}

static size_t row_of_vm(const struct history *h, const struct history_vm *vm)
{
	return HOST_ROWS + (size_t)(vm - h->vms) * VM_ROWS;
}

static size_t row_of_vcpu(const struct history *h, const struct history_vm *vm, size_t k)
{
	return HOST_ROWS + h->n_vms * VM_ROWS + (vm->first + k) * VCPU_ROWS;
}

static size_t filled(const struct history *h)
{
	return (size_t)(h->count - h->first);
}

static uint8_t *point(const struct history *h, uint64_t i)
{
	return h->levels + (size_t)(i % HISTORY_POINTS) * h->n_rows;
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

static bool reshape(struct history *h, const struct snapshot *s)
{
	struct history *now = malloc(sizeof *now);
	if (!now)
		return false;
	*now = *h;
	now->n_vms = s->sample.n_vms;
	now->n_vcpus = s->sample.n_vcpus;
	now->n_rows = HOST_ROWS + now->n_vms * VM_ROWS + now->n_vcpus * VCPU_ROWS;
	now->vms = calloc(now->n_vms ? now->n_vms : 1, sizeof *now->vms);
	now->levels = malloc(HISTORY_POINTS * now->n_rows);
	if (!now->vms || !now->levels) {
		free(now->vms);
		free(now->levels);
		free(now);
		return false;
	}
	for (uint64_t i = h->first; i < h->count; i++) {
		memset(point(now, i), DRAW_NO_LEVEL, now->n_rows);
		memcpy(point(now, i), point(h, i), HOST_ROWS);
	}
	for (size_t i = 0; i < now->n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		memcpy(now->vms[i].uuid, vm->uuid, UUID_BYTES);
		now->vms[i].first = vm->first_vcpu;
		now->vms[i].n = vm->n_vcpus;
		carry_vm(h, now, &now->vms[i]);
	}
	free(h->vms);
	free(h->levels);
	*h = *now;
	free(now);
	return true;
}

static void feed_host(uint8_t *to, const struct snapshot *s)
{
	const struct host_sample *host = &s->sample.host;
	struct cpuset online;
	struct vf64 wait = {0, AVAIL_NONE}, found = s->cpu.found_pct, deviation = s->cpu.stddev_pct;
	sample_online(&s->sample, &online);
	int n = cpuset_count(&online);
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (vf64_has(s->vm_rates[i].wait_pct))
			wait = vf64_ok(wait.v + s->vm_rates[i].wait_pct.v / (n > 0 ? n : 1));
	uint8_t used = share(host->available_kib, host->total_kib);
	to[HOST_BUSY] = level(s->busy_pct);
	to[HOST_WAIT] = level(wait);
	to[HOST_FOUND] = level_up_to(found, DEVIATION_MOST);
	to[HOST_EXCESS] = above(level_up_to(deviation, DEVIATION_MOST), to[HOST_FOUND]);
	to[HOST_USED] = used == DRAW_NO_LEVEL ? used : (uint8_t)(100 - used);
}

static void feed_vm(uint8_t *to, const struct snapshot *s, size_t vm)
{
	const struct vm_sample *m = &s->sample.vms[vm];
	const struct vm_rate *r = &s->vm_rates[vm];
	double n = m->n_vcpus ? (double)m->n_vcpus : 1;
	struct vf64 run = r->cpu_pct, wait = r->wait_pct;
	run.v /= n;
	wait.v /= n;
	to[VM_RUN] = level(run);
	to[VM_WAIT] = level(wait);
	to[VM_USED] = share(r->used_kib, m->mem.max_kib);
	to[VM_BALLOON] = above(share(m->mem.balloon_kib, m->mem.max_kib), to[VM_USED]);
}

/* A recording was wound back: what comes later there is not known yet. Or on: what was before is not what
 * came before. */
static void wind(struct history *h, const struct snapshot *s)
{
	double gap_s = (double)(s->sample.time_ns - h->time_ns) / 1e9;
	while (h->count > h->first && h->at_ns[(h->count - 1) % HISTORY_POINTS] >= s->sample.time_ns)
		h->count--;
	if (s->moment == MOMENT_PLAYED && gap_s > 60 && gap_s > 10 * s->delay_s)
		h->first = h->count;
}

void history_feed(struct history *h, const struct snapshot *s)
{
	if (s->first || s->sample.time_ns == h->time_ns)
		return;
	wind(h, s);
	if (!same_shape(h, s) && !reshape(h, s))
		return;
	h->time_ns = s->sample.time_ns;
	h->at_ns[h->count % HISTORY_POINTS] = h->time_ns;
	uint8_t *to = point(h, h->count++);
	h->first += filled(h) > HISTORY_POINTS;
	feed_host(to, s);
	for (size_t i = 0; i < h->n_vms; i++)
		feed_vm(to + row_of_vm(h, &h->vms[i]), s, i);
	to += HOST_ROWS + h->n_vms * VM_ROWS;
	for (size_t k = 0; k < h->n_vcpus; k++) {
		to[k * VCPU_ROWS + VCPU_RUN] = level(s->vcpu_rates[k].usage_pct);
		to[k * VCPU_ROWS + VCPU_WAIT] = level(s->vcpu_rates[k].wait_pct);
	}
}

static struct series series_of(const struct history *h, size_t row)
{
	uint64_t end = h->count - (h->back < filled(h) ? h->back : 0);
	return (struct series){
		h->levels + row, h->n_rows, HISTORY_POINTS, h->first, h->levels ? end : h->first};
}

struct series history_of_host(const struct history *h, enum history_host row)
{
	return series_of(h, (size_t)row);
}

struct series history_of_vm(const struct history *h, const struct history_vm *vm, enum history_vm_row row)
{
	return series_of(h, row_of_vm(h, vm) + (size_t)row);
}

struct series history_of_vcpu(
	const struct history *h, const struct history_vm *vm, size_t k, enum history_vcpu row)
{
	return series_of(h, row_of_vcpu(h, vm, k) + (size_t)row);
}

uint8_t history_now(const struct series *x)
{
	return x->end > x->first ? x->levels[(x->end - 1) % x->n * x->stride] : DRAW_NO_LEVEL;
}

double history_span_s(const struct history *h, size_t points, double delay_s)
{
	size_t have = filled(h) - (h->back < filled(h) ? h->back : 0);
	size_t known = min_of(points, have);
	if (known < 2)
		return (double)points * delay_s;
	uint64_t last = h->count - 1 - (h->back < filled(h) ? h->back : 0);
	int64_t from = h->at_ns[(last + 1 - known) % HISTORY_POINTS], to = h->at_ns[last % HISTORY_POINTS];
	return (double)(to - from) / 1e9 + (double)(points - known) * delay_s;
}
