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

static void record_free(struct vm_record *rec)
{
	free(rec->vcpus);
	free(rec->fought);
}

void ledger_done(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n; i++)
		record_free(&ledger->vms[i]);
	free(ledger->vms);
	memset(ledger, 0, sizeof *ledger);
}

struct vm_record *ledger_find(const struct ledger *ledger, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, ledger->vms, ledger->n, struct vm_record);
}

struct vm_record *ledger_get(struct ledger *ledger, const uint8_t uuid[UUID_BYTES], const char *name)
{
	size_t i = UUID_PLACE(uuid, ledger->vms, ledger->n, struct vm_record);
	if (i < ledger->n && uuid_compare(ledger->vms[i].uuid, uuid) == 0)
		return &ledger->vms[i];
	if (!array_grow(&ledger->vms, &ledger->cap, ledger->n + 1, sizeof *ledger->vms))
		return NULL;
	memmove(&ledger->vms[i + 1], &ledger->vms[i], (ledger->n - i) * sizeof *ledger->vms);
	ledger->n++;
	struct vm_record *rec = &ledger->vms[i];
	memset(rec, 0, sizeof *rec);
	memcpy(rec->uuid, uuid, UUID_BYTES);
	snprintf(rec->name, sizeof rec->name, "%s", name);
	rec->life = -1;
	record_drop_all(rec);
	return rec;
}

struct vcpu_record *record_vcpu(const struct vm_record *rec, int id)
{
	for (size_t i = 0; i < rec->n_vcpus; i++)
		if (rec->vcpus[i].id == id)
			return &rec->vcpus[i];
	return NULL;
}

struct vcpu_record *record_vcpu_get(struct vm_record *rec, int id)
{
	struct vcpu_record *have = record_vcpu(rec, id);
	if (have)
		return have;
	struct vcpu_record *vcpu =
		array_more(&rec->vcpus, &rec->n_vcpus, &rec->cap_vcpus, SIZE_MAX, sizeof *vcpu);
	if (vcpu)
		vcpu->id = id;
	return vcpu;
}

struct vcpu_fights *record_fights(struct vm_record *rec, int id)
{
	for (size_t i = 0; i < rec->n_fought; i++)
		if (rec->fought[i].id == id)
			return &rec->fought[i];
	struct vcpu_fights *fights =
		array_more(&rec->fought, &rec->n_fought, &rec->cap_fought, SIZE_MAX, sizeof *fights);
	if (fights)
		fights->id = id;
	return fights;
}

void record_drop_vcpu(struct vm_record *rec, int id)
{
	struct vcpu_record *vcpu = record_vcpu(rec, id);
	if (vcpu)
		*vcpu = rec->vcpus[--rec->n_vcpus];
}

void record_drop_balloon(struct vm_record *rec)
{
	rec->found_kib = rec->wrote_kib = -1;
	rec->low_kib = rec->high_kib = 0;
}

void kept_drop(struct kept *kept)
{
	*kept = (struct kept){-1, -1, -1};
}

void record_drop_all(struct vm_record *rec)
{
	rec->n_vcpus = 0;
	kept_drop(&rec->period);
	kept_drop(&rec->shares);
	record_drop_balloon(rec);
}

int record_changes(const struct vm_record *rec)
{
	return (int)rec->n_vcpus + (rec->wrote_kib >= 0) + (rec->period.wrote >= 0) +
	       (rec->shares.wrote >= 0);
}

void vcpu_found(struct vcpu_record *vcpu, const struct cpuset *cpus, bool pinned)
{
	vcpu->found = vcpu->wrote = vcpu->before = *cpus;
	vcpu->found_pinned = pinned;
	vcpu->unsure = false;
}

void vcpu_will(struct vcpu_record *vcpu, const struct cpuset *to)
{
	vcpu->before = vcpu->wrote;
	vcpu->wrote = *to;
	vcpu->unsure = true;
	vcpu->lost = false;
}

void vcpu_is(struct vcpu_record *vcpu, const struct cpuset *now)
{
	vcpu->wrote = vcpu->before = *now;
	vcpu->unsure = false;
}

static bool same_online(const struct cpuset *a, const struct cpuset *b, const struct cpuset *online)
{
	struct cpuset x = *a, y = *b;
	cpuset_and(&x, online);
	cpuset_and(&y, online);
	return cpuset_equal(&x, &y);
}

bool vcpu_ours(const struct vcpu_record *vcpu, const struct cpuset *live, const struct cpuset *online)
{
	/* When its pCPUs went offline the kernel itself lets it run elsewhere. */
	if (!cpuset_intersects(&vcpu->wrote, online))
		return true;
	return same_online(live, &vcpu->wrote, online) ||
	       (vcpu->unsure && same_online(live, &vcpu->before, online));
}

bool vcpu_as_found(const struct vcpu_record *vcpu)
{
	return !vcpu->unsure && cpuset_equal(&vcpu->wrote, &vcpu->found);
}

void balloon_will(struct vm_record *rec, int64_t kib)
{
	if (rec->wrote_kib < 0)
		rec->low_kib = rec->high_kib = rec->found_kib;
	rec->wrote_kib = kib;
	rec->low_kib = min_of(kib, rec->low_kib);
	rec->high_kib = max_of(kib, rec->high_kib);
}

bool balloon_ours(const struct vm_record *rec, int64_t kib, bool same_life)
{
	if (rec->wrote_kib < 0)
		return false;
	int64_t low = same_life ? rec->low_kib : rec->wrote_kib,
		high = same_life ? rec->high_kib : rec->wrote_kib;
	return kib >= low - BALLOON_SLACK_KIB && kib <= high + BALLOON_SLACK_KIB;
}

static bool may_reboot(const struct vm_memory *mem)
{
	return vi64_has(mem->max_kib) &&
	       mem->balloon_kib.v >= mem->max_kib.v - balloon_small_kib(mem->max_kib.v);
}

static double astray_s(const struct vm_record *rec, int64_t now_ns)
{
	return rec->astray_ns ? (double)(now_ns - rec->astray_ns) / 1e9 : 0;
}

static bool by_watch(const struct vm_record *rec, const struct vm_memory *mem)
{
	int64_t max = vi64_or(mem->max_kib, 0);
	return balloon_watch_ours(&rec->memo.balloon, mem->balloon_kib.v, balloon_small_kib(max));
}

bool balloon_ours_now(const struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns)
{
	if (!vi64_has(mem->balloon_kib))
		return false;
	if (!balloon_watch_asks(&rec->memo.balloon))
		return balloon_ours(rec, mem->balloon_kib.v, true);
	return by_watch(rec, mem) || (may_reboot(mem) && astray_s(rec, now_ns) < REBOOT_S);
}

bool balloon_plugged(struct vm_record *rec, const struct vm_memory *mem)
{
	if (!vi64_has(mem->balloon_kib) || !vi64_has(mem->max_kib))
		return false;
	int64_t by = rec->seen_max_kib ? mem->max_kib.v - rec->seen_max_kib : 0;
	bool moved = balloon_watch_plugged(
		&rec->memo.balloon, rec->seen_kib, mem->balloon_kib.v, by, balloon_small_kib(mem->max_kib.v));
	rec->seen_kib = mem->balloon_kib.v;
	rec->seen_max_kib = mem->max_kib.v;
	if (!moved)
		return false;
	balloon_watch_shift(&rec->memo.balloon, by);
	if (rec->wrote_kib < 0 || rec->found_kib + by <= 0 || rec->wrote_kib + by <= 0)
		return false;
	rec->found_kib += by;
	rec->wrote_kib += by;
	rec->low_kib += by;
	rec->high_kib += by;
	return true;
}

bool balloon_look(struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns)
{
	if (!balloon_watch_asks(&rec->memo.balloon) || !vi64_has(mem->balloon_kib))
		return true;
	if (by_watch(rec, mem)) {
		balloon_watch_seen(&rec->memo.balloon, mem->balloon_kib.v, now_ns);
		rec->astray_ns = 0;
		return true;
	}
	if (!rec->astray_ns)
		rec->astray_ns = now_ns;
	return astray_s(rec, now_ns) < (may_reboot(mem) ? REBOOT_S : ASTRAY_S);
}

int64_t balloon_going(const struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns)
{
	bool ours = balloon_watch_asks(&rec->memo.balloon) && balloon_ours_now(rec, mem, now_ns);
	return ours ? rec->memo.balloon.target_kib : mem->balloon_kib.v;
}

void kept_will(struct kept *kept, int to)
{
	kept->before = kept->wrote >= 0 ? kept->wrote : kept->found;
	kept->wrote = to;
}

void kept_is(struct kept *kept, int now)
{
	kept->wrote = kept->before = now;
}

bool kept_ours(const struct kept *kept, int now)
{
	return kept->wrote >= 0 && (now == kept->wrote || now == kept->before);
}

static bool asked_for(const struct vm_record *rec)
{
	return rec->memo.held || rec->memo.exclude_cpu || rec->memo.exclude_memory || rec->memo.stay_on_node;
}

static bool is_overdue(const struct vm_record *rec)
{
	return !rec->here && rec->away_ns >= LEDGER_GONE_S * INT64_C(1000000000);
}

struct vm_record *ledger_overdue(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (is_overdue(&ledger->vms[i]) && record_changes(&ledger->vms[i]))
			return &ledger->vms[i];
	return NULL;
}

void ledger_age(struct ledger *ledger, int64_t by_ns)
{
	for (size_t i = 0; i < ledger->n && by_ns > 0; i++)
		if (!ledger->vms[i].here && ledger->vms[i].away_ns < SAMPLE_NS_MOST - by_ns)
			ledger->vms[i].away_ns += by_ns;
}

static bool kept_while_gone(const struct vm_record *rec)
{
	return (asked_for(rec) || record_changes(rec)) && !is_overdue(rec);
}

/* How long a VM may have been away so that at most LEDGER_GONE_MAX of those that are away stay remembered. */
static int64_t longest_kept(const struct ledger *ledger)
{
	size_t gone = 0;
	int64_t longest = INT64_MAX, next;
	for (size_t i = 0; i < ledger->n; i++)
		gone += !ledger->vms[i].here;
	while (gone > LEDGER_GONE_MAX) { /* one time of leaving after another; there are few in a step */
		next = -1;
		for (size_t i = 0; i < ledger->n; i++)
			if (!ledger->vms[i].here && ledger->vms[i].away_ns < longest &&
				ledger->vms[i].away_ns > next)
				next = ledger->vms[i].away_ns;
		for (size_t i = 0; i < ledger->n; i++)
			gone -= !ledger->vms[i].here && ledger->vms[i].away_ns == next;
		longest = next;
	}
	return longest;
}

void ledger_forget(struct ledger *ledger)
{
	int64_t longest = longest_kept(ledger);
	size_t n = 0;
	for (size_t i = 0; i < ledger->n; i++) {
		const struct vm_record *rec = &ledger->vms[i];
		if (rec->here || (kept_while_gone(rec) && rec->away_ns < longest))
			ledger->vms[n++] = ledger->vms[i];
		else
			record_free(&ledger->vms[i]);
	}
	ledger->n = n;
}

void ledger_drop_changes(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n; i++)
		record_drop_all(&ledger->vms[i]);
}
