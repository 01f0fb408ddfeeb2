/* SPDX-License-Identifier: MIT */
/* Changes asked for by hand: pins and balloons of one VM, undo, restore, statistics periods. Invariant:
 * nothing is put back over a change that somebody else made since; the VMs touched are held out of AUTO. */
#include <string.h>

#include "priv.h"
#include "vmtop/text.h"

static const struct vm_sample *running_vm(const struct engine *en, const uint8_t uuid[UUID_BYTES])
{
	const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, uuid);
	return vm && vm->id >= 0 && !vm->hung_since_ns ? vm : NULL;
}

static void hold(struct engine *en, const struct vm_sample *vm)
{
	struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
	if (r)
		r->memo.held = true;
}

static struct action *action_for(
	struct engine *en, enum action_kind kind, const struct vm_sample *vm, int vcpu, enum reason why)
{
	for (size_t i = 0; i < en->plan.n;
		i++) { /* act at most once per object and step: the last word counts */
		struct action *a = &en->plan.actions[i];
		if (a->kind == kind && a->vcpu == vcpu && uuid_compare(a->uuid, vm->uuid) == 0)
			return a;
	}
	struct action *a = plan_add(&en->plan, kind);
	if (!a)
		return NULL;
	memcpy(a->uuid, vm->uuid, UUID_BYTES);
	a->vm = (size_t)(vm - en->sample.vms);
	a->vcpu = vcpu;
	why_set(&a->why, why, NULL);
	return a;
}

static int add_pin(struct engine *en, const struct vm_sample *vm, const struct vcpu_sample *v,
	const struct cpuset *to, enum reason why)
{
	/* What is not known could not be put back. */
	if (v->affinity_avail != AVAIL_OK || cpuset_equal(&v->affinity, to))
		return 0;
	struct action *a = action_for(en, ACTION_PIN, vm, v->id, why);
	if (!a)
		return -1;
	a->from = v->affinity;
	a->from_pinned = v->pinned;
	a->to = *to;
	return 1;
}

static int64_t clamp_balloon(const struct engine *en, const struct vm_sample *vm, int64_t kib)
{
	size_t i = (size_t)(vm - en->sample.vms);
	int64_t floor = mem_floor_kib(
		&en->cfg, vm, i < en->rules.n_vms ? &en->rules.vms[i] : NULL, en->model.vms[i].used_kib);
	if (kib < floor)
		kib = floor;
	if (vi64_has(vm->mem.max_kib) && kib > vm->mem.max_kib.v)
		kib = vm->mem.max_kib.v;
	return kib;
}

/* A balloon of the right size may still be on its way to another target. */
static bool balloon_settled(const struct engine *en, const struct vm_sample *vm, int64_t to_kib)
{
	const struct vm_record *r = ledger_find(&en->ledger, vm->uuid);
	return vm->mem.balloon_kib.v == to_kib && (!r || r->wrote_kib < 0 || r->wrote_kib == to_kib);
}

static int add_balloon(struct engine *en, const struct vm_sample *vm, int64_t to_kib, enum reason why)
{
	int64_t to = clamp_balloon(en, vm, to_kib);
	if (!vi64_has(vm->mem.balloon_kib) || balloon_settled(en, vm, to))
		return 0;
	struct action *a = action_for(en, ACTION_BALLOON, vm, -1, why);
	if (!a)
		return -1;
	a->from_kib = vm->mem.balloon_kib.v;
	a->to_kib = to;
	if (to != to_kib) {
		char want[16], got[16];
		text_kib(want, sizeof want, to_kib);
		text_kib(got, sizeof got, to);
		why_set(&a->why, why, "%s; %s is outside its floor and maximum, so %s", reason_text(why),
			want, got);
	}
	return 1;
}

static int add_period(struct engine *en, const struct vm_sample *vm, int to_s, enum reason why)
{
	struct action *a = action_for(en, ACTION_PERIOD, vm, -1, why);
	if (!a)
		return -1;
	a->from_s = (int)vm->mem.period_s.v;
	a->to_s = to_s;
	return 1;
}

/* Not even by hand: VMs that were not named, that say so themselves, or that are on the move. */
static bool refused(struct engine *en, const struct vm_sample *vm, const char *what)
{
	enum reason why = rules_forbid(&en->cfg, vm);
	if (why == REASON_NONE && vm->flags & VM_FLAG_JOB)
		why = REASON_JOB;
	if (why == REASON_EXCLUDED)
		notice_set(en, "%s: this VM is not among those that may be steered", what);
	else if (why != REASON_NONE)
		notice_set(en, "%s: %s", what, reason_text(why));
	return why != REASON_NONE;
}

static int manual_pin(struct engine *en, const struct command *c)
{
	const struct vm_sample *vm = running_vm(en, c->uuid);
	const struct vcpu_sample *v = vm ? sample_vcpu(&en->sample, vm, c->vcpu) : NULL;
	struct cpuset online;
	sample_online(&en->sample, &online);
	if (!v) {
		notice_set(en,
			"not pinned: the VM or vCPU is not there any more, or its monitor does not answer");
		return 0;
	}
	if (refused(en, vm, "not pinned"))
		return 0;
	if (v->affinity_avail != AVAIL_OK) {
		notice_set(en, "not pinned: how it is pinned now is not known (%s)",
			avail_text(v->affinity_avail));
		return 0;
	}
	if (!cpuset_intersects(&c->cpus, &online) || !cpuset_subset(&c->cpus, &v->allowed)) {
		notice_set(en,
			"not pinned: the list must hold an online pCPU and stay inside the VM's allowed set");
		return 0;
	}
	hold(en, vm);
	return add_pin(en, vm, v, &c->cpus, REASON_USER);
}

static int manual_balloon(struct engine *en, const struct command *c)
{
	const struct vm_sample *vm = running_vm(en, c->uuid);
	const char *cannot = !vm                             ? "the VM is not there any more"
			     : !vm->mem.balloon_device       ? avail_text(AVAIL_NO_DEVICE)
			     : vi64_has(vm->mem.balloon_kib) ? NULL
							     : avail_text(vm->mem.balloon_kib.avail);
	if (cannot) {
		notice_set(en, "balloon not set: %s", cannot);
		return 0;
	}
	if (refused(en, vm, "balloon not set"))
		return 0;
	hold(en, vm);
	return add_balloon(en, vm, (int64_t)c->number, REASON_USER);
}

static int undo_one(struct engine *en, const struct undo_entry *u)
{
	const struct vm_sample *vm = running_vm(en, u->uuid);
	if (!vm)
		return 0;
	if (u->kind == ACTION_BALLOON) {
		const struct vm_record *r = ledger_find(&en->ledger, u->uuid);
		if (!r || r->memo.target_kib != u->after_kib)
			return 0;
		hold(en, vm);
		return add_balloon(en, vm, u->before_kib, REASON_UNDO);
	}
	const struct vcpu_sample *v = sample_vcpu(&en->sample, vm, u->vcpu);
	if (!v || v->affinity_avail != AVAIL_OK || !cpuset_equal(&v->affinity, &u->after))
		return 0;
	hold(en, vm);
	return add_pin(en, vm, v, &u->before, REASON_UNDO);
}

/* Takes back the last group of changes, newest first. */
static int undo_plan(struct engine *en)
{
	if (!en->undo_n) {
		notice_set(en, "nothing to undo");
		return 0;
	}
	uint64_t group = en->undo[(en->undo_first + en->undo_n - 1) % UNDO_MAX].group;
	int planned = 0, passed = 0;
	while (en->undo_n) {
		const struct undo_entry *u = &en->undo[(en->undo_first + en->undo_n - 1) % UNDO_MAX];
		if (u->group != group)
			break;
		int n = undo_one(en, u);
		if (n < 0)
			return -1;
		planned += n;
		passed += !n;
		en->undo_n--;
	}
	log_event(en, LOG_EVENT, "undo: %d changes put back%s", planned,
		passed ? "; some were changed by somebody else since, or their VM is gone, and stay" : "");
	return 0;
}

int undo_count(const struct engine *en)
{
	int n = 0;
	const struct undo_entry *last = &en->undo[(en->undo_first + en->undo_n + UNDO_MAX - 1) % UNDO_MAX];
	for (size_t i = 0; i < en->undo_n; i++)
		n += en->undo[(en->undo_first + i) % UNDO_MAX].group == last->group;
	return n;
}

void undo_push(struct engine *en, const struct action *a)
{
	if (a->kind == ACTION_PERIOD || a->why.code == REASON_UNDO || a->why.code == REASON_RESTORE)
		return;
	if (en->undo_n == UNDO_MAX) {
		en->undo_first = (en->undo_first + 1) % UNDO_MAX;
		en->undo_n--;
	}
	struct undo_entry *u = &en->undo[(en->undo_first + en->undo_n++) % UNDO_MAX];
	*u = (struct undo_entry){.group = en->undo_group,
		.kind = a->kind,
		.vcpu = a->vcpu,
		.before = a->from,
		.after = a->to,
		.before_kib = a->from_kib,
		.after_kib = a->to_kib};
	memcpy(u->uuid, a->uuid, UUID_BYTES);
}

/* A vCPU that had never been pinned may run on pCPUs that came since, too. */
static struct cpuset as_found(const struct engine *en, const struct vcpu_record *k)
{
	struct cpuset to = k->found, online;
	sample_online(&en->sample, &online);
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

static size_t settle_pins(struct engine *en, struct vm_record *r, const struct vm_sample *vm)
{
	struct cpuset online;
	size_t foreign = 0;
	sample_online(&en->sample, &online);
	for (size_t i = r->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(&en->sample, vm, k->id);
		struct cpuset to = as_found(en, k), live;
		if (v && v->affinity_avail != AVAIL_OK)
			continue;
		live = v ? v->affinity : to;
		cpuset_and(&live, &online);
		cpuset_and(&to, &online);
		bool back = cpuset_equal(&live, &to), ours = v && vcpu_ours(k, &v->affinity, &online);
		if (!back && ours)
			continue;
		foreign += !back;
		apply_forget(en, r, k->id);
	}
	return foreign;
}

size_t restore_settle(struct engine *en, const char *pattern)
{
	size_t foreign = 0;
	for (size_t i = 0; i < en->ledger.n; i++) {
		struct vm_record *r = &en->ledger.vms[i];
		const struct vm_sample *vm = running_vm(en, r->uuid);
		if (!vm || !record_changes(r) || (pattern && !restore_named(pattern, r)))
			continue;
		foreign += settle_pins(en, r, vm);
		if (r->wrote_kib >= 0 && vi64_has(vm->mem.balloon_kib) &&
			!balloon_ours(r, vm->mem.balloon_kib.v, true)) {
			apply_forget(en, r, JOURNAL_BALLOON);
			foreign++;
		}
		if (r->period_wrote >= 0 && vi64_has(vm->mem.period_s) &&
			vm->mem.period_s.v != r->period_wrote) {
			foreign += vm->mem.period_s.v != r->period_found;
			apply_forget(en, r, JOURNAL_PERIOD);
		}
	}
	return foreign;
}

static int restore_pins(struct engine *en, const struct vm_sample *vm, const struct vm_record *r)
{
	struct cpuset online;
	int bad = 0;
	sample_online(&en->sample, &online);
	for (size_t i = 0; i < r->n_vcpus; i++) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(&en->sample, vm, k->id);
		struct cpuset to = as_found(en, k);
		if (v && v->affinity_avail == AVAIL_OK && vcpu_ours(k, &v->affinity, &online))
			bad |= add_pin(en, vm, v, &to, REASON_RESTORE) < 0;
	}
	return bad ? -1 : 0;
}

static int restore_vm(struct engine *en, const struct vm_sample *vm, const struct vm_record *r, bool all)
{
	int bad = 0;
	if (r->period_wrote >= 0 && vi64_has(vm->mem.period_s) && vm->mem.period_s.v == r->period_wrote)
		bad |= add_period(en, vm, r->period_found, REASON_STATS_OFF) < 0;
	if (!all)
		return bad ? -1 : 0;
	bad |= restore_pins(en, vm, r) < 0;
	if (vi64_has(vm->mem.balloon_kib) && balloon_ours(r, vm->mem.balloon_kib.v, true))
		bad |= add_balloon(en, vm, r->found_kib, REASON_RESTORE) < 0;
	return bad ? -1 : 0;
}

/* Everything that is still as we wrote it goes back to how it was found. */
int restore_plan(struct engine *en, const char *pattern, bool pins_and_balloons)
{
	for (size_t i = 0; i < en->ledger.n; i++) {
		const struct vm_record *r = &en->ledger.vms[i];
		const struct vm_sample *vm = running_vm(en, r->uuid);
		if (vm && record_changes(r) && (!pattern || rules_match(pattern, vm)) &&
			restore_vm(en, vm, r, pins_and_balloons) < 0)
			return -1;
	}
	return 0;
}

static int restore_by_hand(struct engine *en)
{
	size_t before = en->plan.n, foreign = restore_settle(en, NULL);
	if (restore_plan(en, NULL, true) < 0)
		return -1;
	for (size_t i = before; i < en->plan.n; i++)
		hold(en, &en->sample.vms[en->plan.actions[i].vm]);
	log_event(en, LOG_EVENT, "restore: %zu change%s to put everything back as found%s",
		en->plan.n - before, en->plan.n - before == 1 ? "" : "s",
		foreign ? "; what somebody else changed since stays" : "");
	return 0;
}

/* Turns statistics on where they are off; never fights a period that somebody set, asks each VM once. */
static int periods_plan(struct engine *en)
{
	if ((!en->stats_on && !en->cfg.auto_memory) || en->cfg.readonly || en->status.readonly)
		return 0;
	int period = en->cfg.stats_period_s > 0 ? en->cfg.stats_period_s : 2;
	for (size_t i = 0; i < en->sample.n_vms; i++) {
		const struct vm_sample *vm = &en->sample.vms[i];
		if (en->rules.vms[i].memory != REASON_NONE || !vm->mem.balloon_device ||
			!vi64_has(vm->mem.period_s) || vm->mem.period_s.v != 0)
			continue;
		struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
		if (!r)
			return -1;
		if (r->period_wrote < 0 && add_period(en, vm, period, REASON_STATS_ON) < 0)
			return -1;
	}
	return 0;
}

static int periods_back(struct engine *en)
{
	for (size_t i = 0; i < en->ledger.n; i++) {
		struct vm_record *r = &en->ledger.vms[i];
		const struct vm_sample *vm = running_vm(en, r->uuid);
		if (vm && r->period_wrote > 0 && restore_vm(en, vm, r, false) < 0)
			return -1;
	}
	return 0;
}

static int manual_one(struct engine *en, const struct command *c)
{
	switch (c->kind) {
	case CMD_PIN:
		return manual_pin(en, c);
	case CMD_BALLOON:
		return manual_balloon(en, c);
	case CMD_UNDO:
		return undo_plan(en);
	case CMD_RESTORE:
		return restore_by_hand(en);
	case CMD_STATS_PERIOD:
		return c->on ? 0 : periods_back(en);
	default:
		return 0;
	}
}

int manual_plan(struct engine *en)
{
	int bad = 0;
	for (size_t i = 0; i < en->n_todo; i++)
		bad |= manual_one(en, &en->todo[i]) < 0;
	en->n_todo = 0;
	bad |= periods_plan(en) < 0;
	return bad ? -1 : 0;
}

/* The ghosts become actions if the world is still as it was when they were planned. */
static bool still_good(const struct engine *en, const struct action *p, const struct vm_sample *vm,
	const struct vcpu_sample *v)
{
	struct cpuset usable;
	sample_usable(&en->sample, &usable);
	return vm && v && v->affinity_avail == AVAIL_OK && cpuset_equal(&v->affinity, &p->from) &&
	       en->rules.vcpus[v - en->sample.vcpus].cpu == REASON_NONE && cpuset_subset(&p->to, &usable) &&
	       cpuset_subset(&p->to, &v->allowed);
}

int preview_apply(struct engine *en)
{
	size_t stale = 0;
	for (size_t i = 0; i < en->preview.n; i++) {
		const struct action *p = &en->preview.actions[i];
		const struct vm_sample *vm = running_vm(en, p->uuid);
		const struct vcpu_sample *v = vm ? sample_vcpu(&en->sample, vm, p->vcpu) : NULL;
		if (!still_good(en, p, vm, v)) {
			stale++;
			continue;
		}
		int n = add_pin(en, vm, v, &p->to, p->why.code);
		if (n < 0)
			return -1;
		if (n)
			en->plan.actions[en->plan.n - 1].why = p->why;
	}
	if (stale)
		log_event(en, LOG_EVENT, "preview: %zu of %zu moves left out, their vCPU changed since",
			stale, en->preview.n);
	plan_reset(&en->preview);
	en->previewing = false;
	return 0;
}
