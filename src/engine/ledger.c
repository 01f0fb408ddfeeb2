/* SPDX-License-Identifier: MIT */
/* What is remembered of each VM. Invariant: sorted by UUID, one record per VM; `found` is written once and
 * never again, so that it stays the state before our first change. Does no I/O. */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_AFTER_S = 3600, NEAR_KIB = 16 * 1024 };

void ledger_done(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->vms[i].vcpus);
	free(l->vms);
	memset(l, 0, sizeof *l);
}

/* Index of the first record not before uuid. */
static size_t lower_bound(const struct ledger *l, const uint8_t uuid[UUID_BYTES])
{
	size_t lo = 0, hi = l->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (uuid_compare(l->vms[mid].uuid, uuid) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct vm_record *ledger_find(const struct ledger *l, const uint8_t uuid[UUID_BYTES])
{
	size_t i = lower_bound(l, uuid);
	return i < l->n && uuid_compare(l->vms[i].uuid, uuid) == 0 ? &l->vms[i] : NULL;
}

struct vm_record *ledger_get(struct ledger *l, const uint8_t uuid[UUID_BYTES], const char *name)
{
	size_t i = lower_bound(l, uuid);
	if (i < l->n && uuid_compare(l->vms[i].uuid, uuid) == 0)
		return &l->vms[i];
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;
		struct vm_record *p = reallocarray(l->vms, cap, sizeof *p);
		if (!p)
			return NULL;
		l->vms = p;
		l->cap = cap;
	}
	memmove(&l->vms[i + 1], &l->vms[i], (l->n - i) * sizeof *l->vms);
	l->n++;
	struct vm_record *r = &l->vms[i];
	memset(r, 0, sizeof *r);
	memcpy(r->uuid, uuid, UUID_BYTES);
	snprintf(r->name, sizeof r->name, "%s", name);
	r->memo.target_kib = -1;
	r->found_kib = r->wrote_kib = -1;
	r->period_found = r->period_wrote = -1;
	return r;
}

struct vcpu_record *record_vcpu(const struct vm_record *r, int id)
{
	for (size_t i = 0; i < r->n_vcpus; i++)
		if (r->vcpus[i].id == id)
			return &r->vcpus[i];
	return NULL;
}

struct vcpu_record *record_vcpu_get(struct vm_record *r, int id)
{
	struct vcpu_record *have = record_vcpu(r, id);
	if (have)
		return have;
	if (r->n_vcpus == r->cap_vcpus) {
		size_t cap = r->cap_vcpus ? r->cap_vcpus * 2 : 4;
		struct vcpu_record *p = reallocarray(r->vcpus, cap, sizeof *p);
		if (!p)
			return NULL;
		r->vcpus = p;
		r->cap_vcpus = cap;
	}
	struct vcpu_record *v = &r->vcpus[r->n_vcpus++];
	memset(v, 0, sizeof *v);
	v->id = id;
	return v;
}

bool record_changed(const struct vm_record *r)
{
	return r->n_vcpus || r->wrote_kib >= 0 || r->period_wrote >= 0;
}

static bool between(int64_t a, int64_t x, int64_t b)
{
	int64_t lo = (a < b ? a : b) - NEAR_KIB, hi = (a < b ? b : a) + NEAR_KIB;
	return x > lo && x < hi;
}

bool record_balloon_ours(const struct vm_record *r, int64_t balloon_kib)
{
	int64_t from = r->from_kib > 0 ? r->from_kib : r->found_kib; /* an earlier run wrote it */
	return r->wrote_kib >= 0 && between(from, balloon_kib, r->wrote_kib);
}

void record_balloon_lost(struct vm_record *r)
{
	r->memo.target_kib = -1;
	r->found_kib = r->wrote_kib = -1;
}

static bool forget_life(struct vm_record *r, const struct vm_memory *m)
{
	bool balloon = r->wrote_kib >= 0 && !between(r->wrote_kib, m->balloon_kib.v, r->wrote_kib);
	bool period = r->period_wrote >= 0 && (!vi64_has(m->period_s) || m->period_s.v != r->period_wrote);
	if (balloon)
		record_balloon_lost(r);
	if (period)
		r->period_found = r->period_wrote = -1;
	return balloon || period;
}

bool record_seen(struct vm_record *r, const struct vm_sample *vm)
{
	const struct vm_memory *m = &vm->mem;
	if (vm->id >= 0 && r->id != vm->id) {
		r->reborn = r->id > 0;
		r->id = vm->id;
	}
	if (!r->reborn)
		return false;
	r->memo.target_kib = -1;
	/* Its size and period may come with a later sample. */
	r->reborn = !vi64_has(m->balloon_kib) || (m->balloon_device && !vi64_has(m->period_s));
	return !r->reborn && forget_life(r, m);
}

static bool worth_keeping(const struct vm_record *r, int64_t now_ns)
{
	if (r->here)
		return true;
	bool asked = r->memo.held || r->memo.exclude_cpu || r->memo.exclude_memory || r->memo.stay_on_node;
	return (asked || record_changed(r)) && now_ns - r->seen_ns < FORGET_AFTER_S * INT64_C(1000000000);
}

void ledger_forget(struct ledger *l, int64_t now_ns)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (worth_keeping(&l->vms[i], now_ns))
			l->vms[n++] = l->vms[i];
		else
			free(l->vms[i].vcpus);
	}
	l->n = n;
}
