/* SPDX-License-Identifier: MIT */
/* Puts everything back as it was found, by the ledger. Invariant: only what is still as we wrote it; the rest
 * is counted as somebody else's, and forgotten. */
#include <string.h>

#include "changes.h"
#include "vmtop/text.h"

/* A vCPU that had never been pinned may run on pCPUs that came since, too. */
static struct cpuset as_found(const struct changes *ch, const struct vcpu_record *k)
{
	struct cpuset to = k->found, online;
	sample_online(ch->sample, &online);
	if (!k->found_pinned)
		cpuset_or(&to, &online);
	return to;
}

bool restore_named(const char *pattern, const struct vm_record *r)
{
	struct vm_sample vm;
	memset(&vm, 0, sizeof vm);
	memcpy(vm.uuid, r->uuid, UUID_BYTES);
	memcpy(vm.name, r->name, sizeof vm.name);
	return rules_match(pattern, &vm);
}

/* Says which entries of the journal cannot be put back, because this host lacks the vCPU or the pCPU. */
static bool cannot_be(struct changes *ch, const struct vm_record *r, const struct vm_sample *vm,
	const struct vcpu_record *k)
{
	struct cpuset present = {0};
	char name[128], list[64];
	for (size_t i = 0; i < ch->sample->host.n_pcpus; i++)
		cpuset_add(&present, ch->sample->host.pcpus[i].id);
	bool no_vcpu = !sample_vcpu(ch->sample, vm, k->id);
	if (!no_vcpu && (cpuset_empty(&present) || cpuset_intersects(&k->found, &present)))
		return false;
	text_escape(name, sizeof name, r->name);
	if (no_vcpu)
		talk_event(ch->talk, LOG_EVENT, "%s has no vCPU %d: nothing to put back there", name, k->id);
	else if (cpuset_format(&k->found, list, sizeof list) < sizeof list)
		talk_event(ch->talk, LOG_ERROR,
			"%s vCPU %d: found on pCPU %s, which this host does not have: its pin stays as it is",
			name, k->id, list);
	else
		talk_event(ch->talk, LOG_ERROR,
			"%s vCPU %d: found on pCPUs that this host does not have: its pin stays as it is",
			name, k->id);
	return true;
}

/* Whether our last call was to put it back as found and its answer was lost: then finding it so means that
 * the call worked, not that somebody else did it. */
static bool answer_was_lost(const struct vcpu_record *k, const struct cpuset *to)
{
	return k->unsure && cpuset_equal(&k->wrote, to);
}

static void settle_pins(
	struct changes *ch, struct vm_record *r, const struct vm_sample *vm, struct settled *s)
{
	struct cpuset online;
	sample_online(ch->sample, &online);
	for (size_t i = r->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(ch->sample, vm, k->id);
		struct cpuset to = as_found(ch, k), live;
		if (cannot_be(ch, r, vm, k)) {
			if (apply_disown(ch, r, k->id) < 0)
				apply_forget(ch, r, k->id);
			continue;
		}
		if (v && v->affinity_avail != AVAIL_OK)
			continue;
		live = v ? v->affinity : to;
		bool lost = answer_was_lost(k, &to);
		cpuset_and(&live, &online);
		cpuset_and(&to, &online);
		bool back = cpuset_equal(&live, &to), ours = v && vcpu_ours(k, &v->affinity, &online);
		if ((!back && ours) || apply_disown(ch, r, k->id) < 0)
			continue;
		s->foreign += !back;
		s->back += back && lost;
	}
}

static enum known known(struct changes *ch, const struct vm_record *r)
{
	return ch->core->ops->known ? ch->core->ops->known(ch->core, r->uuid) : KNOWN_UNSURE;
}

/* Forgets a VM that has ended, and its changes with it. One that may be saved to disk is kept: it comes back
 * with our pins. */
static void close_gone(struct changes *ch, struct vm_record *r)
{
	char name[128];
	if (known(ch, r) != KNOWN_ENDED)
		return;
	int n = record_changes(r);
	text_escape(name, sizeof name, r->name);
	talk_event(ch->talk, LOG_EVENT, "%s has ended, and its %d change%s with it: nothing to put back",
		name, n, text_s((size_t)n));
	apply_forget(ch, r, JOURNAL_VM);
}

void restore_close(struct changes *ch, const char *pattern, int64_t grace_ns)
{
	for (size_t i = 0; i < ch->ledger.n && !ch->borrowed && !ch->cfg->dry_run; i++) {
		struct vm_record *r = &ch->ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(ch->sample, r->uuid);
		if ((vm && vm->id >= 0) || !record_changes(r)) {
			r->gone_ns = 0;
			continue;
		}
		if (pattern && !restore_named(pattern, r))
			continue;
		if (!r->gone_ns)
			r->gone_ns = ch->sample->time_ns;
		if (ch->sample->time_ns - r->gone_ns < grace_ns || r->gone_ns < 0)
			continue;
		r->gone_ns = -1; /* libvirt is asked once each time that it goes away */
		close_gone(ch, r);
	}
}

/* A VM that was away for a week is taken for deleted or shut down, and nothing of ours is left on it then.
 * One of which libvirt holds a saved image is kept: it comes back with our pins. */
void restore_saved(struct changes *ch)
{
	const int64_t second = INT64_C(1000000000), over = LEDGER_GONE_S * second;
	bool answers = true;
	char name[128];
	for (struct vm_record *r; (r = ledger_overdue(&ch->ledger));) {
		enum known k = answers ? known(ch, r) : KNOWN_UNSURE;
		answers = k != KNOWN_UNSURE;
		if (k == KNOWN_UNSURE) {
			r->away_ns = over - 60 * second;
		} else if (k == KNOWN_SAVED) {
			r->away_ns = over - 24 * 3600 * second;
		} else {
			text_escape(name, sizeof name, r->name);
			talk_event(ch->talk, LOG_EVENT,
				"%s has not been on this host for a week: its changes are not kept any longer",
				name);
			apply_forget(ch, r, JOURNAL_VM);
		}
	}
}

static void settle_balloon(
	struct changes *ch, struct vm_record *r, const struct vm_sample *vm, struct settled *s)
{
	if (r->wrote_kib < 0 || !vi64_has(vm->mem.balloon_kib) ||
		balloon_ours_now(r, &vm->mem, ch->sample->time_ns))
		return;
	apply_forget(ch, r, JOURNAL_BALLOON);
	s->foreign++;
}

static void settle_period(
	struct changes *ch, struct vm_record *r, const struct vm_sample *vm, struct settled *s)
{
	int now = vi64_has(vm->mem.period_s) ? (int)vm->mem.period_s.v : r->period.wrote;
	bool back = now == r->period.found;
	if (r->period.wrote < 0 || (!back && kept_ours(&r->period, now)))
		return;
	s->foreign += !back;
	s->back += back && r->period.wrote == r->period.found;
	apply_forget(ch, r, JOURNAL_PERIOD);
}

/* CPU shares are not read at every tick, so a reading may be older than our last change: it counts once it
 * has come several times in a row. */
static void settle_shares(
	struct changes *ch, struct vm_record *r, const struct vm_sample *vm, struct settled *s)
{
	const struct vi64 *now = &vm->facts.cpu_shares;
	if (r->shares.wrote < 0 || !vi64_has(*now))
		return;
	bool back = now->v == r->shares.found, stays = r->shares_astray + 1 >= SHARES_ASTRAY;
	if (kept_ours(&r->shares, (int)now->v) ? r->shares.wrote != r->shares.found || !back : !stays)
		return;
	s->foreign += !back;
	s->back += back && r->shares.wrote == r->shares.found;
	apply_forget(ch, r, JOURNAL_SHARES);
}

struct settled restore_settle(struct changes *ch, const char *pattern)
{
	struct settled s = {0};
	restore_close(ch, pattern, 0);
	for (size_t i = 0; i < ch->ledger.n; i++) {
		struct vm_record *r = &ch->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(ch, r->uuid);
		if (!vm || !record_changes(r) || (pattern && !restore_named(pattern, r)))
			continue;
		if (r->life < 0 || r->life == vm->id) /* else its pins are not known to be there yet */
			settle_pins(ch, r, vm, &s);
		settle_balloon(ch, r, vm, &s);
		settle_period(ch, r, vm, &s);
		settle_shares(ch, r, vm, &s);
	}
	return s;
}

static int restore_pins(struct changes *ch, const struct vm_sample *vm, const struct vm_record *r)
{
	struct cpuset online;
	int bad = 0;
	sample_online(ch->sample, &online);
	for (size_t i = 0; i < r->n_vcpus; i++) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(ch->sample, vm, k->id);
		struct cpuset to = as_found(ch, k);
		if (v && v->affinity_avail == AVAIL_OK && vcpu_ours(k, &v->affinity, &online))
			bad |= asked_pin(ch, vm, v, &to, REASON_RESTORE) < 0;
	}
	return bad ? -1 : 0;
}

/* Those of the last change, unless it is known that it was not made. */
static int shares_now(const struct vm_record *r, const struct vm_sample *vm)
{
	const struct vi64 *now = &vm->facts.cpu_shares;
	bool before = vi64_has(*now) && now->v == r->shares.before && now->v != r->shares.found;
	return before ? r->shares.before : r->shares.wrote;
}

static int restore_vm(
	struct changes *ch, const struct vm_sample *vm, struct vm_record *r, bool all, size_t *back)
{
	int bad = 0;
	if (vi64_has(vm->mem.period_s) && kept_ours(&r->period, (int)vm->mem.period_s.v))
		bad |= asked_period(ch, vm, r->period.found, REASON_STATS_OFF) < 0;
	if (!all)
		return bad ? -1 : 0;
	bad |= restore_pins(ch, vm, r) < 0;
	if (r->shares.wrote >= 0)
		bad |= asked_shares(ch, vm, shares_now(r, vm), r->shares.found, REASON_RESTORE) < 0;
	if (r->wrote_kib >= 0 && balloon_ours_now(r, &vm->mem, ch->sample->time_ns)) {
		int made = asked_balloon(ch, vm, r->found_kib, REASON_RESTORE);
		bad |= made < 0;
		if (made == 0) { /* as far back as the guest's need lets it */
			*back += r->wrote_kib == r->found_kib;
			apply_forget(ch, r, JOURNAL_BALLOON);
		}
	}
	return bad ? -1 : 0;
}

/* Everything that is still as we wrote it goes back to how it was found. */
int restore_plan(struct changes *ch, const char *pattern, bool pins_and_balloons, size_t *back)
{
	for (size_t i = 0; i < ch->ledger.n; i++) {
		struct vm_record *r = &ch->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(ch, r->uuid);
		if (vm && record_changes(r) && (!pattern || rules_match(pattern, vm)) &&
			restore_vm(ch, vm, r, pins_and_balloons, back) < 0)
			return -1;
	}
	return 0;
}

int restore_all(struct changes *ch)
{
	size_t before = ch->plan->n;
	struct settled s = restore_settle(ch, NULL);
	if (restore_plan(ch, NULL, true, &s.back) < 0)
		return -1;
	for (size_t i = before; i < ch->plan->n; i++)
		asked_hold(ch, &ch->sample->vms[ch->plan->actions[i].vm]);
	talk_event(ch->talk, LOG_EVENT, "restore: %zu change%s to put everything back as found%s",
		ch->plan->n - before, text_s(ch->plan->n - before),
		s.foreign ? "; what somebody else changed since stays" : "");
	return 0;
}

int restore_periods(struct changes *ch)
{
	size_t back = 0;
	for (size_t i = 0; i < ch->ledger.n; i++) {
		struct vm_record *r = &ch->ledger.vms[i];
		const struct vm_sample *vm = changes_vm(ch, r->uuid);
		if (vm && (r->period.wrote > 0 || r->period.before > 0) &&
			restore_vm(ch, vm, r, false, &back) < 0)
			return -1;
	}
	return 0;
}
