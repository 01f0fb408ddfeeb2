/* SPDX-License-Identifier: MIT */
/* Carries a plan out: journal first, then the backend, then the ledger, undo and log. Invariant: no change of
 * a VM before its state as found is on disk; a journal that cannot be written stops the change. */
#include <stdio.h>
#include <string.h>

#include "priv.h"

enum { FAIL_HOLD_S = 10, FAIL_HOLD_MAX_S = 600 };

/* Writes down how the object was found, once. */
static int remember_found(struct engine *en, const struct action *a, bool *wrote, struct err *e)
{
	const struct vm_sample *vm = &en->sample.vms[a->vm];
	struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
	if (!r)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (a->kind == ACTION_PIN) {
		bool known = record_vcpu(r, a->vcpu) != NULL;
		struct vcpu_record *v = record_vcpu_get(r, a->vcpu);
		if (!v)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (known)
			return 0;
		v->found = v->wrote = a->from;
		v->found_pinned = a->from_pinned;
		*wrote = true;
		return en->journal ? journal_found_vcpu(en->journal, r, v, e) : 0;
	}
	bool first = a->kind == ACTION_BALLOON ? r->found_kib < 0 : r->period_found < 0;
	if (!first)
		return 0;
	if (a->kind == ACTION_BALLOON)
		r->found_kib = a->from_kib;
	else
		r->period_found = a->from_s;
	*wrote = true;
	return en->journal ? journal_found_vm(en->journal, r, e) : 0;
}

/* The simulator forgets everything at its end: nothing to journal there. */
int apply_journal(struct engine *en, struct err *e)
{
	if (en->journal || strcmp(en->core->ops->name, "libvirt") != 0)
		return 0;
	en->journal = journal_open(en->status.uri, e);
	return en->journal ? 0 : -1;
}

static int journal_first(struct engine *en, struct err *e)
{
	bool wrote = false;
	if (apply_journal(en, e) < 0)
		return -1;
	for (size_t i = 0; i < en->plan.n; i++)
		if (remember_found(en, &en->plan.actions[i], &wrote, e) < 0)
			return -1;
	return wrote && en->journal ? journal_sync(en->journal, e) : 0;
}

static void record_done(struct engine *en, struct vm_record *r, const struct action *a)
{
	r->fails = 0;
	if (a->kind == ACTION_PIN) {
		struct vcpu_record *v = record_vcpu(r, a->vcpu);
		if (!v)
			return;
		v->wrote = a->to;
		if (en->journal)
			journal_wrote_vcpu(en->journal, r, v);
	} else {
		if (a->kind == ACTION_BALLOON) {
			r->from_kib = en->sample.vms[a->vm].mem.balloon_kib.v;
			r->wrote_kib = r->memo.target_kib = a->to_kib;
			r->memo.target_ns = en->sample.time_ns;
		} else {
			r->period_wrote = a->to_s;
		}
		if (en->journal)
			journal_wrote_vm(en->journal, r);
	}
	undo_push(en, a);
}

/* A change that failed is not tried again at once: 10 s, doubled with each failure in a row. */
static void record_failed(struct engine *en, struct vm_record *r)
{
	int64_t hold = FAIL_HOLD_S;
	for (int i = 0; i < r->fails && hold < FAIL_HOLD_MAX_S; i++)
		hold *= 2;
	r->fails++;
	r->memo.fail_until_ns =
		en->sample.time_ns + (hold < FAIL_HOLD_MAX_S ? hold : FAIL_HOLD_MAX_S) * INT64_C(1000000000);
}

static void record_outcome(struct engine *en, const struct action *a)
{
	const struct vm_sample *vm = &en->sample.vms[a->vm];
	struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
	if (!r)
		return;
	if (a->outcome == OUTCOME_DONE) {
		record_done(en, r, a);
	} else if (a->outcome == OUTCOME_UNKNOWN) {
		r->memo.unknown = true;
		r->unknown_ns = en->sample.time_ns;
		record_done(en, r, a); /* it may have happened: restore must know it */
	} else if (a->outcome == OUTCOME_FAILED) {
		record_failed(en, r);
	}
}

static void refuse_all(struct engine *en, const char *why)
{
	for (size_t i = 0; i < en->plan.n; i++) {
		en->plan.actions[i].outcome = OUTCOME_FAILED;
		snprintf(en->plan.actions[i].error, sizeof en->plan.actions[i].error, "%s", why);
	}
	log_event(en, LOG_ERROR, "nothing was changed: %s", why);
	notice_set(en, "nothing was changed: %.150s", why);
	en->cfg.auto_cpu = en->cfg.auto_memory = en->stats_on = false;
}

/* A dry run plans the same every tick; it is logged when it changes. */
static bool dry_repeats(struct engine *en)
{
	bool same = en->plan.n == en->last_dry.n;
	for (size_t i = 0; same && i < en->plan.n; i++) {
		const struct action *a = &en->plan.actions[i], *b = &en->last_dry.actions[i];
		same = a->kind == b->kind && a->vcpu == b->vcpu && uuid_compare(a->uuid, b->uuid) == 0 &&
		       cpuset_equal(&a->to, &b->to) && a->to_kib == b->to_kib;
	}
	plan_reset(&en->last_dry);
	for (size_t i = 0; i < en->plan.n; i++) {
		struct action *a = plan_add(&en->last_dry, en->plan.actions[i].kind);
		if (a)
			*a = en->plan.actions[i];
	}
	return same;
}

static void apply_dry(struct engine *en)
{
	for (size_t i = 0; i < en->plan.n; i++)
		en->plan.actions[i].outcome = OUTCOME_PLANNED;
	if (dry_repeats(en))
		return;
	for (size_t i = 0; i < en->plan.n; i++)
		log_action(en, &en->plan.actions[i]);
}

static bool plan_has(const struct plan *p, bool pins)
{
	for (size_t i = 0; i < p->n; i++)
		if ((p->actions[i].kind == ACTION_PIN) == pins)
			return true;
	return false;
}

void apply_plan(struct engine *en, const struct round *cpu, const struct round *memory)
{
	struct err e = ERR_INIT;
	if (!en->plan.n)
		return;
	if (en->cfg.dry_run) {
		apply_dry(en);
		return;
	}
	en->undo_group++;
	if (journal_first(en, &e) < 0) {
		refuse_all(en, e.msg);
	} else {
		en->b->ops->apply(en->b, en->plan.actions, en->plan.n);
		for (size_t i = 0; i < en->plan.n; i++) {
			record_outcome(en, &en->plan.actions[i]);
			log_action(en, &en->plan.actions[i]);
		}
	}
	if (cpu && plan_has(&en->plan, true))
		cpu_ctl_applied(en->cpu, cpu, &en->plan);
	if (memory && plan_has(&en->plan, false))
		mem_ctl_applied(en->mem, memory, &en->plan);
}
