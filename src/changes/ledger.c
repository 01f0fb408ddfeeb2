/* SPDX-License-Identifier: MIT */
/* What is remembered of each VM. Invariant: sorted by UUID, one record per VM; `found` is written once and
 * never again, so that it stays the state before our first change. Does no I/O. */
#include "ledger.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A balloon that stands for ASTRAY_S where we did not send it was set by somebody else: one odd reading
 * proves nothing. A guest that reboots has all its memory until its balloon driver is back: it gets REBOOT_S.
 */
enum { BALLOON_SLACK_KIB = 16 << 10, ASTRAY_S = 2, REBOOT_S = 90 };

static void record_free(struct vm_record *r)
{
	free(r->vcpus);
	free(r->fought);
}

void ledger_done(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		record_free(&l->vms[i]);
	free(l->vms);
	memset(l, 0, sizeof *l);
}

struct vm_record *ledger_find(const struct ledger *l, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, l->vms, l->n, struct vm_record);
}

struct vm_record *ledger_get(struct ledger *l, const uint8_t uuid[UUID_BYTES], const char *name)
{
	size_t i = UUID_PLACE(uuid, l->vms, l->n, struct vm_record);
	if (i < l->n && uuid_compare(l->vms[i].uuid, uuid) == 0)
		return &l->vms[i];
	if (!array_grow(&l->vms, &l->cap, l->n + 1, sizeof *l->vms))
		return NULL;
	memmove(&l->vms[i + 1], &l->vms[i], (l->n - i) * sizeof *l->vms);
	l->n++;
	struct vm_record *r = &l->vms[i];
	memset(r, 0, sizeof *r);
	memcpy(r->uuid, uuid, UUID_BYTES);
	snprintf(r->name, sizeof r->name, "%s", name);
	r->life = -1;
	record_drop_all(r);
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
	struct vcpu_record *v = array_more(&r->vcpus, &r->n_vcpus, &r->cap_vcpus, SIZE_MAX, sizeof *v);
	if (v)
		v->id = id;
	return v;
}

struct vcpu_fights *record_fights(struct vm_record *r, int id)
{
	for (size_t i = 0; i < r->n_fought; i++)
		if (r->fought[i].id == id)
			return &r->fought[i];
	struct vcpu_fights *f = array_more(&r->fought, &r->n_fought, &r->cap_fought, SIZE_MAX, sizeof *f);
	if (f)
		f->id = id;
	return f;
}

void record_drop_vcpu(struct vm_record *r, int id)
{
	struct vcpu_record *v = record_vcpu(r, id);
	if (v)
		*v = r->vcpus[--r->n_vcpus];
}

void record_drop_balloon(struct vm_record *r)
{
	r->found_kib = r->wrote_kib = -1;
	r->low_kib = r->high_kib = 0;
}

void kept_drop(struct kept *k)
{
	*k = (struct kept){-1, -1, -1};
}

void record_drop_all(struct vm_record *r)
{
	r->n_vcpus = 0;
	kept_drop(&r->period);
	kept_drop(&r->shares);
	record_drop_balloon(r);
}

int record_changes(const struct vm_record *r)
{
	return (int)r->n_vcpus + (r->wrote_kib >= 0) + (r->period.wrote >= 0) + (r->shares.wrote >= 0);
}

void vcpu_found(struct vcpu_record *v, const struct cpuset *cpus, bool pinned)
{
	v->found = v->wrote = v->before = *cpus;
	v->found_pinned = pinned;
	v->unsure = false;
}

void vcpu_will(struct vcpu_record *v, const struct cpuset *to)
{
	v->before = v->wrote;
	v->wrote = *to;
	v->unsure = true;
	v->lost = false;
}

void vcpu_is(struct vcpu_record *v, const struct cpuset *now)
{
	v->wrote = v->before = *now;
	v->unsure = false;
}

static bool same_online(const struct cpuset *a, const struct cpuset *b, const struct cpuset *online)
{
	struct cpuset x = *a, y = *b;
	cpuset_and(&x, online);
	cpuset_and(&y, online);
	return cpuset_equal(&x, &y);
}

bool vcpu_ours(const struct vcpu_record *v, const struct cpuset *live, const struct cpuset *online)
{
	/* When its pCPUs went offline the kernel itself lets it run elsewhere. */
	if (!cpuset_intersects(&v->wrote, online))
		return true;
	return same_online(live, &v->wrote, online) || (v->unsure && same_online(live, &v->before, online));
}

bool vcpu_as_found(const struct vcpu_record *v)
{
	return !v->unsure && cpuset_equal(&v->wrote, &v->found);
}

void balloon_will(struct vm_record *r, int64_t kib)
{
	if (r->wrote_kib < 0)
		r->low_kib = r->high_kib = r->found_kib;
	r->wrote_kib = kib;
	r->low_kib = min_of(kib, r->low_kib);
	r->high_kib = max_of(kib, r->high_kib);
}

bool balloon_ours(const struct vm_record *r, int64_t kib, bool same_life)
{
	if (r->wrote_kib < 0)
		return false;
	int64_t low = same_life ? r->low_kib : r->wrote_kib, high = same_life ? r->high_kib : r->wrote_kib;
	return kib >= low - BALLOON_SLACK_KIB && kib <= high + BALLOON_SLACK_KIB;
}

static bool may_reboot(const struct vm_memory *m)
{
	return vi64_has(m->max_kib) && m->balloon_kib.v >= m->max_kib.v - balloon_small_kib(m->max_kib.v);
}

static double astray_s(const struct vm_record *r, int64_t now_ns)
{
	return r->astray_ns ? (double)(now_ns - r->astray_ns) / 1e9 : 0;
}

static bool by_watch(const struct vm_record *r, const struct vm_memory *m)
{
	int64_t max = vi64_or(m->max_kib, 0);
	return balloon_watch_ours(&r->memo.balloon, m->balloon_kib.v, balloon_small_kib(max));
}

bool balloon_ours_now(const struct vm_record *r, const struct vm_memory *m, int64_t now_ns)
{
	if (!vi64_has(m->balloon_kib))
		return false;
	if (!balloon_watch_asks(&r->memo.balloon))
		return balloon_ours(r, m->balloon_kib.v, true);
	return by_watch(r, m) || (may_reboot(m) && astray_s(r, now_ns) < REBOOT_S);
}

bool balloon_plugged(struct vm_record *r, const struct vm_memory *m)
{
	if (!vi64_has(m->balloon_kib) || !vi64_has(m->max_kib))
		return false;
	int64_t by = r->seen_max_kib ? m->max_kib.v - r->seen_max_kib : 0;
	bool moved = balloon_watch_plugged(
		&r->memo.balloon, r->seen_kib, m->balloon_kib.v, by, balloon_small_kib(m->max_kib.v));
	r->seen_kib = m->balloon_kib.v;
	r->seen_max_kib = m->max_kib.v;
	if (!moved)
		return false;
	balloon_watch_shift(&r->memo.balloon, by);
	if (r->wrote_kib < 0 || r->found_kib + by <= 0 || r->wrote_kib + by <= 0)
		return false;
	r->found_kib += by;
	r->wrote_kib += by;
	r->low_kib += by;
	r->high_kib += by;
	return true;
}

bool balloon_look(struct vm_record *r, const struct vm_memory *m, int64_t now_ns)
{
	if (!balloon_watch_asks(&r->memo.balloon) || !vi64_has(m->balloon_kib))
		return true;
	if (by_watch(r, m)) {
		balloon_watch_seen(&r->memo.balloon, m->balloon_kib.v, now_ns);
		r->astray_ns = 0;
		return true;
	}
	if (!r->astray_ns)
		r->astray_ns = now_ns;
	return astray_s(r, now_ns) < (may_reboot(m) ? REBOOT_S : ASTRAY_S);
}

int64_t balloon_going(const struct vm_record *r, const struct vm_memory *m, int64_t now_ns)
{
	bool ours = balloon_watch_asks(&r->memo.balloon) && balloon_ours_now(r, m, now_ns);
	return ours ? r->memo.balloon.target_kib : m->balloon_kib.v;
}

void kept_will(struct kept *k, int to)
{
	k->before = k->wrote >= 0 ? k->wrote : k->found;
	k->wrote = to;
}

void kept_is(struct kept *k, int now)
{
	k->wrote = k->before = now;
}

bool kept_ours(const struct kept *k, int now)
{
	return k->wrote >= 0 && (now == k->wrote || now == k->before);
}

static bool asked_for(const struct vm_record *r)
{
	return r->memo.held || r->memo.exclude_cpu || r->memo.exclude_memory || r->memo.stay_on_node;
}

static bool is_overdue(const struct vm_record *r)
{
	return !r->here && r->away_ns >= LEDGER_GONE_S * INT64_C(1000000000);
}

struct vm_record *ledger_overdue(const struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_overdue(&l->vms[i]) && record_changes(&l->vms[i]))
			return &l->vms[i];
	return NULL;
}

void ledger_age(struct ledger *l, int64_t by_ns)
{
	for (size_t i = 0; i < l->n && by_ns > 0; i++)
		if (!l->vms[i].here && l->vms[i].away_ns < SAMPLE_NS_MOST - by_ns)
			l->vms[i].away_ns += by_ns;
}

static bool kept_while_gone(const struct vm_record *r)
{
	return (asked_for(r) || record_changes(r)) && !is_overdue(r);
}

/* How long a VM may have been away so that at most LEDGER_GONE_MAX of those that are away stay remembered. */
static int64_t longest_kept(const struct ledger *l)
{
	size_t gone = 0;
	int64_t longest = INT64_MAX, next;
	for (size_t i = 0; i < l->n; i++)
		gone += !l->vms[i].here;
	while (gone > LEDGER_GONE_MAX) { /* one time of leaving after another; there are few in a step */
		next = -1;
		for (size_t i = 0; i < l->n; i++)
			if (!l->vms[i].here && l->vms[i].away_ns < longest && l->vms[i].away_ns > next)
				next = l->vms[i].away_ns;
		for (size_t i = 0; i < l->n; i++)
			gone -= !l->vms[i].here && l->vms[i].away_ns == next;
		longest = next;
	}
	return longest;
}

void ledger_forget(struct ledger *l)
{
	int64_t longest = longest_kept(l);
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct vm_record *r = &l->vms[i];
		if (r->here || (kept_while_gone(r) && r->away_ns < longest))
			l->vms[n++] = l->vms[i];
		else
			record_free(&l->vms[i]);
	}
	l->n = n;
}

void ledger_drop_changes(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		record_drop_all(&l->vms[i]);
}
