/* SPDX-License-Identifier: MIT */
/* Puts everything back as it was found, by the ledger. Invariant: only what is still as we wrote it; the rest
 * is counted as somebody else's, and forgotten. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

/* A vCPU that had never been pinned may run on pCPUs that came since, too. */
static struct cpuset as_found(const struct changes *changes, const struct vcpu_record *vcpu)
{
	struct cpuset to = vcpu->found, online;
	sample_online(changes->sample, &online);
	if (!vcpu->found_pinned)
		cpuset_or(&to, &online);
	return to;
}

bool restore_named(const char *pattern, const struct vm_record *rec)
{
	struct vm_sample vm;
	memset(&vm, 0, sizeof vm);
	memcpy(vm.uuid, rec->uuid, UUID_BYTES);
	memcpy(vm.name, rec->name, sizeof vm.name);
	return rules_match(pattern, &vm);
}

/* Says which entries of the journal cannot be put back, because this host lacks the vCPU or the pCPU. */
static bool cannot_be(struct changes *changes, const struct vm_record *rec, const struct vm_sample *vm,
	const struct vcpu_record *vcpu)
{
	struct cpuset present = {0};
	char name[128], list[64];
	for (size_t i = 0; i < changes->sample->host.n_pcpus; i++)
		cpuset_add(&present, changes->sample->host.pcpus[i].id);
	bool no_vcpu = !sample_vcpu(changes->sample, vm, vcpu->id);
	if (!no_vcpu && (cpuset_empty(&present) || cpuset_intersects(&vcpu->found, &present)))
		return false;
	text_escape(name, sizeof name, rec->name);
	if (no_vcpu)
		talk_event(changes->talk, LOG_EVENT, "%s has no vCPU %d: nothing to put back there", name,
			vcpu->id);
	else if (cpuset_format(&vcpu->found, list, sizeof list) < sizeof list)
		talk_event(changes->talk, LOG_ERROR,
			"%s vCPU %d: found on pCPU %s, which this host does not have: its pin stays as it is",
			name, vcpu->id, list);
	else
		talk_event(changes->talk, LOG_ERROR,
			"%s vCPU %d: found on pCPUs that this host does not have: its pin stays as it is",
			name, vcpu->id);
	return true;
}

/* Whether our last call was to put it back as found and its answer was lost: then finding it so means that
 * the call worked, not that somebody else did it. */
static bool answer_was_lost(const struct vcpu_record *vcpu, const struct cpuset *to)
{
	return vcpu->unsure && cpuset_equal(&vcpu->wrote, to);
}

static void settle_pins(
	struct changes *changes, struct vm_record *rec, const struct vm_sample *vm, struct settled *settled)
{
	struct cpuset online;
	sample_online(changes->sample, &online);
	for (size_t i = rec->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &rec->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(changes->sample, vm, k->id);
		struct cpuset to = as_found(changes, k), live;
		if (cannot_be(changes, rec, vm, k)) {
			if (apply_disown(changes, rec, k->id) < 0)
				apply_forget(changes, rec, k->id);
			continue;
		}
		if (v && v->affinity_avail != AVAIL_OK)
			continue;
		live = v ? v->affinity : to;
		bool lost = answer_was_lost(k, &to);
		cpuset_and(&live, &online);
		cpuset_and(&to, &online);
		bool back = cpuset_equal(&live, &to), ours = v && vcpu_ours(k, &v->affinity, &online);
		if ((!back && ours) || apply_disown(changes, rec, k->id) < 0)
			continue;
		settled->foreign += !back;
		settled->back += back && lost;
	}
}

static enum known known(struct changes *changes, const struct vm_record *rec)
{
	return changes->core->ops->known ? changes->core->ops->known(changes->core, rec->uuid) : KNOWN_UNSURE;
}

/* Forgets a VM that has ended, and its changes with it. One that may be saved to disk is kept: it comes back
 * with our pins. */
static void close_gone(struct changes *changes, struct vm_record *rec)
{
	char name[128];
	if (known(changes, rec) != KNOWN_ENDED)
		return;
	int n = record_changes(rec);
	text_escape(name, sizeof name, rec->name);
	talk_event(changes->talk, LOG_EVENT, "%s has ended, and its %d change%s with it: nothing to put back",
		name, n, text_s((size_t)n));
	apply_forget(changes, rec, JOURNAL_VM);
}

void restore_close(struct changes *changes, const char *pattern, int64_t grace_ns)
{
	for (size_t i = 0; i < changes->ledger.n && !changes->borrowed && !changes->cfg->dry_run; i++) {
		struct vm_record *rec = &changes->ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(changes->sample, rec->uuid);
		if ((vm && vm->id >= 0) || !record_changes(rec)) {
			rec->gone_ns = 0;
			continue;
		}
		if (pattern && !restore_named(pattern, rec))
			continue;
		if (!rec->gone_ns)
			rec->gone_ns = changes->sample->time_ns;
		if (changes->sample->time_ns - rec->gone_ns < grace_ns || rec->gone_ns < 0)
			continue;
		rec->gone_ns = -1; /* libvirt is asked once each time that it goes away */
		close_gone(changes, rec);
	}
}

/* A VM that was away for a week is taken for deleted or shut down, and nothing of ours is left on it then.
 * One of which libvirt holds a saved image is kept: it comes back with our pins. */
void restore_saved(struct changes *changes)
{
	const int64_t second = INT64_C(1000000000), over = LEDGER_GONE_S * second;
	bool answers = true;
	char name[128];
	for (struct vm_record *rec; (rec = ledger_overdue(&changes->ledger));) {
		enum known k = answers ? known(changes, rec) : KNOWN_UNSURE;
		answers = k != KNOWN_UNSURE;
		if (k == KNOWN_UNSURE) {
			rec->away_ns = over - 60 * second;
		} else if (k == KNOWN_SAVED) {
			rec->away_ns = over - 24 * 3600 * second;
		} else {
			text_escape(name, sizeof name, rec->name);
			talk_event(changes->talk, LOG_EVENT,
				"%s has not been on this host for a week: its changes are not kept any longer",
				name);
			apply_forget(changes, rec, JOURNAL_VM);
		}
	}
}

static void settle_balloon(
	struct changes *changes, struct vm_record *rec, const struct vm_sample *vm, struct settled *settled)
{
	if (rec->wrote_kib < 0 || !vi64_has(vm->mem.balloon_kib) ||
		balloon_ours_now(rec, &vm->mem, changes->sample->time_ns))
		return;
	apply_forget(changes, rec, JOURNAL_BALLOON);
	settled->foreign++;
}

static void settle_period(
	struct changes *changes, struct vm_record *rec, const struct vm_sample *vm, struct settled *settled)
{
	int now = vi64_has(vm->mem.period_s) ? (int)vm->mem.period_s.v : rec->period.wrote;
	bool back = now == rec->period.found;
	if (rec->period.wrote < 0 || (!back && kept_ours(&rec->period, now)))
		return;
	settled->foreign += !back;
	settled->back += back && rec->period.wrote == rec->period.found;
	apply_forget(changes, rec, JOURNAL_PERIOD);
}

/* CPU shares are not read at every tick, so a reading may be older than our last change: it counts once it
 * has come several times in a row. */
static void settle_shares(
	struct changes *changes, struct vm_record *rec, const struct vm_sample *vm, struct settled *settled)
{
	const struct vi64 *now = &vm->facts.cpu_shares;
	if (rec->shares.wrote < 0 || !vi64_has(*now))
		return;
	bool back = now->v == rec->shares.found, stays = rec->shares_astray + 1 >= SHARES_ASTRAY;
	if (kept_ours(&rec->shares, (int)now->v) ? rec->shares.wrote != rec->shares.found || !back : !stays)
		return;
	settled->foreign += !back;
	settled->back += back && rec->shares.wrote == rec->shares.found;
	apply_forget(changes, rec, JOURNAL_SHARES);
}

struct settled restore_settle(struct changes *changes, const char *pattern)
{
	struct settled settled = {0};
	restore_close(changes, pattern, 0);
	for (size_t i = 0; i < changes->ledger.n; i++) {
		struct vm_record *rec = &changes->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(changes, rec->uuid);
		if (!vm || !record_changes(rec) || (pattern && !restore_named(pattern, rec)))
			continue;
		if (rec->life < 0 || rec->life == vm->id) /* else its pins are not known to be there yet */
			settle_pins(changes, rec, vm, &settled);
		settle_balloon(changes, rec, vm, &settled);
		settle_period(changes, rec, vm, &settled);
		settle_shares(changes, rec, vm, &settled);
	}
	return settled;
}

static int restore_pins(struct changes *changes, const struct vm_sample *vm, const struct vm_record *rec)
{
	struct cpuset online;
	int bad = 0;
	sample_online(changes->sample, &online);
	for (size_t i = 0; i < rec->n_vcpus; i++) {
		const struct vcpu_record *k = &rec->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(changes->sample, vm, k->id);
		struct cpuset to = as_found(changes, k);
		if (v && v->affinity_avail == AVAIL_OK && vcpu_ours(k, &v->affinity, &online))
			bad |= asked_pin(changes, vm, v, &to, REASON_RESTORE) < 0;
	}
	return bad ? -1 : 0;
}

/* Those of the last change, unless it is known that it was not made. */
static int shares_now(const struct vm_record *rec, const struct vm_sample *vm)
{
	const struct vi64 *now = &vm->facts.cpu_shares;
	bool before = vi64_has(*now) && now->v == rec->shares.before && now->v != rec->shares.found;
	return before ? rec->shares.before : rec->shares.wrote;
}

static int restore_vm(
	struct changes *changes, const struct vm_sample *vm, struct vm_record *rec, bool all, size_t *back)
{
	int bad = 0;
	if (vi64_has(vm->mem.period_s) && kept_ours(&rec->period, (int)vm->mem.period_s.v))
		bad |= asked_period(changes, vm, rec->period.found, REASON_STATS_OFF) < 0;
	if (!all)
		return bad ? -1 : 0;
	bad |= restore_pins(changes, vm, rec) < 0;
	if (rec->shares.wrote >= 0)
		bad |= asked_shares(changes, vm, shares_now(rec, vm), rec->shares.found, REASON_RESTORE) < 0;
	if (rec->wrote_kib >= 0 && balloon_ours_now(rec, &vm->mem, changes->sample->time_ns)) {
		int made = asked_balloon(changes, vm, rec->found_kib, REASON_RESTORE);
		bad |= made < 0;
		if (made == 0) { /* as far back as the guest's need lets it */
			*back += rec->wrote_kib == rec->found_kib;
			apply_forget(changes, rec, JOURNAL_BALLOON);
		}
	}
	return bad ? -1 : 0;
}

/* Everything that is still as we wrote it goes back to how it was found. */
int restore_plan(struct changes *changes, const char *pattern, bool pins_and_balloons, size_t *back)
{
	for (size_t i = 0; i < changes->ledger.n; i++) {
		struct vm_record *rec = &changes->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(changes, rec->uuid);
		if (vm && record_changes(rec) && (!pattern || rules_match(pattern, vm)) &&
			restore_vm(changes, vm, rec, pins_and_balloons, back) < 0)
			return -1;
	}
	return 0;
}

int restore_all(struct changes *changes)
{
	size_t before = changes->plan->n;
	struct settled settled = restore_settle(changes, NULL);
	if (restore_plan(changes, NULL, true, &settled.back) < 0)
		return -1;
	for (size_t i = before; i < changes->plan->n; i++)
		asked_hold(changes, &changes->sample->vms[changes->plan->actions[i].vm]);
	talk_event(changes->talk, LOG_EVENT, "restore: %zu change%s to put everything back as found%s",
		changes->plan->n - before, text_s(changes->plan->n - before),
		text_if(settled.foreign, "; what somebody else changed since stays"));
	return 0;
}

int restore_periods(struct changes *changes)
{
	size_t back = 0;
	for (size_t i = 0; i < changes->ledger.n; i++) {
		struct vm_record *rec = &changes->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(changes, rec->uuid);
		if (vm && (rec->period.wrote > 0 || rec->period.before > 0) &&
			restore_vm(changes, vm, rec, false, &back) < 0)
			return -1;
	}
	return 0;
}
