/* SPDX-License-Identifier: MIT */
/* Rings of levels for sparklines. Invariant: all rings share one position, and run parallel to the VMs and
 * vCPUs of the snapshot fed last; what joined later has no levels before. */
#include "history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void history_done(struct history *h)
{
	free(h->vms);
	free(h->lines);
	free(h->cpu);
	free(h->mem);
	memset(h, 0, sizeof *h);
}

static uint8_t level(struct vf64 x)
{
	return vf64_has(x) ? (uint8_t)lround(fmin(fmax(x.v, 0), 100)) : DRAW_NO_LEVEL;
}

static bool same_shape(const struct history *h, const struct snapshot *s)
{
	if (h->n_vms != s->sample.n_vms || h->n_lines != s->sample.n_vcpus)
		return false;
	for (size_t i = 0; i < h->n_vms; i++)
		if (h->vms[i].n != s->sample.vms[i].n_vcpus ||
			uuid_compare(h->vms[i].uuid, s->sample.vms[i].uuid))
			return false;
	return true;
}

static void *lines_new(size_t n)
{
	struct history_line *l = malloc((n ? n : 1) * sizeof *l);
	if (l)
		memset(l, DRAW_NO_LEVEL, (n ? n : 1) * sizeof *l);
	return l;
}

const struct history_vm *history_find(const struct history *h, const uint8_t uuid[UUID_BYTES])
{
	size_t lo = 0, hi = h->n_vms;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = uuid_compare(h->vms[mid].uuid, uuid);
		if (!c)
			return &h->vms[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Carries over what is known of VMs that are still there. */
static void carry(const struct history *old, struct history *h, size_t i)
{
	const struct history_vm *o = history_find(old, h->vms[i].uuid);
	if (!o)
		return;
	h->cpu[i] = old->cpu[o - old->vms];
	h->mem[i] = old->mem[o - old->vms];
	size_t n = o->n < h->vms[i].n ? o->n : h->vms[i].n;
	if (n)
		memcpy(&h->lines[h->vms[i].first], &old->lines[o->first], n * sizeof *h->lines);
}

static bool reshape(struct history *h, const struct snapshot *s)
{
	struct history now = *h;
	now.n_vms = s->sample.n_vms;
	now.n_lines = s->sample.n_vcpus;
	now.vms = calloc(now.n_vms ? now.n_vms : 1, sizeof *now.vms);
	now.lines = lines_new(now.n_lines);
	now.cpu = lines_new(now.n_vms);
	now.mem = lines_new(now.n_vms);
	if (!now.vms || !now.lines || !now.cpu || !now.mem) {
		history_done(&now);
		return false;
	}
	for (size_t i = 0; i < now.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		memcpy(now.vms[i].uuid, vm->uuid, UUID_BYTES);
		now.vms[i].first = vm->first_vcpu;
		now.vms[i].n = vm->n_vcpus;
		carry(h, &now, i);
	}
	history_done(h);
	*h = now;
	return true;
}

struct series history_series(const struct history *h, const struct history_line *l)
{
	return (struct series){l->at, HISTORY_POINTS, h->newest, h->count};
}

void history_feed(struct history *h, const struct snapshot *s)
{
	if (s->first || s->sample.time_ns == h->time_ns)
		return;
	bool begin = !h->time_ns;
	if (!same_shape(h, s) && !reshape(h, s))
		return;
	if (begin) {
		memset(&h->busy, DRAW_NO_LEVEL, sizeof h->busy);
		memset(&h->deviation, DRAW_NO_LEVEL, sizeof h->deviation);
	}
	h->time_ns = s->sample.time_ns;
	h->newest = (h->newest + 1) % HISTORY_POINTS;
	h->count++;
	h->busy.at[h->newest] = level(s->busy_pct);
	h->deviation.at[h->newest] = level(s->cpu.stddev_pct);
	for (size_t i = 0; i < h->n_lines; i++)
		h->lines[i].at[h->newest] = level(s->vcpu_rates[i].usage_pct);
	for (size_t i = 0; i < h->n_vms; i++) {
		struct vf64 cpu = s->vm_rates[i].cpu_pct, mem = {0, AVAIL_NONE};
		struct vi64 used = s->vm_rates[i].used_kib, max = s->sample.vms[i].mem.max_kib;
		cpu.v /= s->sample.vms[i].n_vcpus ? (double)s->sample.vms[i].n_vcpus : 1;
		if (vi64_has(used) && vi64_has(max) && max.v > 0)
			mem = vf64_ok(100.0 * (double)used.v / (double)max.v);
		h->cpu[i].at[h->newest] = level(cpu);
		h->mem[i].at[h->newest] = level(mem);
	}
}
