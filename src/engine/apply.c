/* SPDX-License-Identifier: MIT */
/* Carries a plan out: journal first, then the backend, then the ledger, undo and log. Invariant: no change of
 * a VM before its state as found is on disk; a journal that cannot be written stops the change. */
#include <stdio.h>
#include <string.h>

#include "priv.h"

enum { FAIL_HOLD_S = 10, FAIL_HOLD_MAX_S = 600 };

/* Lines of the journal, if there is one. What was found is in it before the way out begins, and an object
 * that is as found again is nobody's: a full disk must not keep vmtop from putting back. */
static int note(
	struct engine *en, enum journal_word word, const struct vm_record *r, int object, struct err *e)
{
	if (!en->journal || journal_note(en->journal, word, r, object, e) == 0)
		return 0;
	if (!en->leave_seq || word == JOURNAL_FOUND)
		return -1;
	log_event_once(en, LOG_ERROR, e->msg);
	return 0;
}

/* What follows a change cannot be refused any more: a journal that cannot be written is said, and the next
 * change will not be made. */
static void note_after(struct engine *en, enum journal_word word, const struct vm_record *r, int object)
{
	struct err e = ERR_INIT;
	if (note(en, word, r, object, &e) < 0)
		log_event_once(en, LOG_ERROR, e.msg);
}

void apply_forget(struct engine *en, struct vm_record *r, int object)
{
	if (object == JOURNAL_BALLOON)
		record_drop_balloon(r);
	else if (object == JOURNAL_PERIOD)
		kept_drop(&r->period);
	else if (object == JOURNAL_SHARES)
		kept_drop(&r->shares);
	else if (object == JOURNAL_VM)
		record_drop_all(r);
	else
		record_drop_vcpu(r, object);
	note_after(en, JOURNAL_FORGOT, r, object);
}

void apply_found_anew(struct engine *en, const struct vm_record *r)
{
	note_after(en, JOURNAL_FOUND, r, JOURNAL_BALLOON);
	note_after(en, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

/* As found: what it was before our first change, or before the first one after somebody else's. Who pinned it
 * until then did so before it was ours, and is no rival. */
static void pin_found(struct engine *en, struct vcpu_record *v, const struct action *a)
{
	const struct vcpu_sample *now = sample_vcpu(&en->sample, &en->sample.vms[a->vm], a->vcpu);
	vcpu_found(v, &a->from, a->from_pinned);
	if (now && vi64_has(now->foreign_pin_ns))
		v->foreign_ns = now->foreign_pin_ns.v;
}

static int will_pin(
	struct engine *en, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	struct cpuset online;
	struct vcpu_record *v = record_vcpu(r, a->vcpu);
	sample_online(&en->sample, &online);
	if (!v || !vcpu_ours(v, &a->from, &online)) {
		v = record_vcpu_get(r, a->vcpu);
		if (!v)
			return err_set(e, ERR_NOMEM, "out of memory");
		pin_found(en, v, a);
		*found = true;
		if (note(en, JOURNAL_FOUND, r, a->vcpu, e) < 0)
			return -1;
	} else if (v->unsure) { /* by now it is known which of the two it was */
		vcpu_is(v, &a->from);
		if (note(en, JOURNAL_WROTE, r, a->vcpu, e) < 0)
			return -1;
	}
	vcpu_will(v, &a->to);
	return note(en, JOURNAL_WILL, r, a->vcpu, e);
}

static int will_balloon(
	struct engine *en, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	if (r->found_kib < 0) {
		const struct vm_memory *m = &en->sample.vms[a->vm].mem;
		r->found_kib =
			vi64_has(m->balloon_kib) ? balloon_going(r, m, en->sample.time_ns) : a->from_kib;
		*found = true;
		if (note(en, JOURNAL_FOUND, r, JOURNAL_BALLOON, e) < 0)
			return -1;
	}
	balloon_will(r, a->to_kib);
	return note(en, JOURNAL_WILL, r, JOURNAL_BALLOON, e);
}

/* The record and the journal's object of a change of a number. */
static struct kept *kept_of(struct vm_record *r, enum action_kind kind, int *object)
{
	*object = kind == ACTION_SHARES ? JOURNAL_SHARES : JOURNAL_PERIOD;
	return kind == ACTION_SHARES ? &r->shares : &r->period;
}

static int will_keep(
	struct engine *en, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	int object;
	struct kept *k = kept_of(r, a->kind, &object);
	if (k->found < 0 || !kept_ours(k, a->from_s)) {
		kept_drop(k);
		k->found = a->from_s;
		*found = true;
		if (note(en, JOURNAL_FOUND, r, object, e) < 0)
			return -1;
	}
	kept_will(k, a->to_s);
	return note(en, JOURNAL_WILL, r, object, e);
}

typedef int (*will_fn)(
	struct engine *en, struct vm_record *r, const struct action *a, bool *found, struct err *e);
static const will_fn wills[] = {[ACTION_PIN] = will_pin,
	[ACTION_BALLOON] = will_balloon,
	[ACTION_PERIOD] = will_keep,
	[ACTION_SHARES] = will_keep};

/* What was written down before this run may have been changed by a vmtop that ended in between. */
static int load_again(struct engine *en, struct err *e)
{
	ledger_drop_changes(&en->ledger);
	if (engine_read_journal(en, e) < 0)
		return -1;
	en->watches = false;
	return journal_compact(en->journal, &en->ledger, true, e);
}

/* The simulator forgets everything at its end: nothing to journal there. */
int apply_journal(struct engine *en, struct err *e)
{
	if (en->journal || en->borrowed || strcmp(en->core->ops->name, "libvirt") != 0)
		return 0;
	en->journal = journal_open(engine_host(en), e);
	if (!en->journal)
		return -1;
	if (load_again(en, e) == 0)
		return 0;
	journal_close(en->journal, false);
	en->journal = NULL;
	return -1;
}

static int journal_first(struct engine *en, size_t *begun, struct err *e)
{
	bool found = false;
	*begun = 0;
	if (apply_journal(en, e) < 0)
		return -1;
	for (size_t i = 0; i < en->plan.n; i++) {
		const struct action *a = &en->plan.actions[i];
		const struct vm_sample *vm = &en->sample.vms[a->vm];
		struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
		if (!r)
			return err_set(e, ERR_NOMEM, "out of memory");
		*begun = i + 1;
		if (wills[a->kind](en, r, a, &found, e) < 0)
			return -1;
	}
	/* The guests of this machine go down with its power; those of another one stay as they were changed.
	 */
	return en->journal && (found || !en->sample.host.local) ? journal_sync(en->journal, e) : 0;
}

static int object_of(const struct action *a)
{
	static const int objects[] = {[ACTION_BALLOON] = JOURNAL_BALLOON,
		[ACTION_PERIOD] = JOURNAL_PERIOD,
		[ACTION_SHARES] = JOURNAL_SHARES};
	return a->kind == ACTION_PIN ? a->vcpu : objects[a->kind];
}

/* An object that is as it was found again is nobody's business any more. A balloon that was put back as far
 * as the guest's need lets it counts too. */
static bool is_put_back(const struct vm_record *r, const struct action *a)
{
	const struct vcpu_record *v = record_vcpu(r, a->vcpu);
	switch (a->kind) {
	case ACTION_PIN:
		return a->why.code == REASON_RESTORE || (v && vcpu_as_found(v));
	case ACTION_BALLOON:
		return a->why.code == REASON_RESTORE || r->wrote_kib == r->found_kib;
	case ACTION_PERIOD:
		return r->period.wrote == r->period.found;
	case ACTION_SHARES:
		return r->shares.wrote == r->shares.found;
	}
	return false;
}

static void watch_asked(struct engine *en, struct vm_record *r, const struct action *a, bool unsure)
{
	const struct vi64 at = en->sample.vms[a->vm].mem.balloon_kib;
	balloon_watch_asked(&r->memo.balloon, vi64_has(at) ? at.v : 0, a->to_kib, en->sample.time_ns, unsure);
	r->astray_ns = 0;
}

/* It may be less than was asked for. */
static void balloon_done(struct engine *en, struct vm_record *r, const struct action *a)
{
	watch_asked(en, r, a, false);
	if (r->wrote_kib == a->to_kib)
		return;
	balloon_will(r, a->to_kib);
	note_after(en, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

static void record_done(struct engine *en, struct vm_record *r, const struct action *a)
{
	struct vcpu_record *v = record_vcpu(r, a->vcpu);
	r->fails = 0;
	if (v && a->kind == ACTION_PIN)
		vcpu_is(v, &a->to);
	if (a->kind == ACTION_PERIOD)
		kept_is(&r->period, a->to_s);
	if (a->kind == ACTION_SHARES)
		kept_is(&r->shares, a->to_shares);
	if (a->kind == ACTION_BALLOON)
		balloon_done(en, r, a);
	if (is_put_back(r, a))
		apply_forget(en, r, object_of(a));
	undo_push(en, a);
}

/* Without a target of ours nothing was ever changed. */
static void balloon_not_done(struct engine *en, struct vm_record *r)
{
	if (balloon_watch_asks(&r->memo.balloon))
		r->wrote_kib = r->memo.balloon.target_kib;
	if (!balloon_watch_asks(&r->memo.balloon) || r->wrote_kib == r->found_kib)
		apply_forget(en, r, JOURNAL_BALLOON);
	else
		note_after(en, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

static void kept_not_done(struct engine *en, struct vm_record *r, const struct action *a)
{
	int object;
	struct kept *k = kept_of(r, a->kind, &object);
	kept_is(k, a->from_s);
	if (k->found == a->from_s)
		apply_forget(en, r, object);
	else
		note_after(en, JOURNAL_WROTE, r, object);
}

/* It was not made: the object is as it was before. */
static void record_not_done(struct engine *en, struct vm_record *r, const struct action *a)
{
	struct vcpu_record *v = record_vcpu(r, a->vcpu);
	if (a->kind == ACTION_PIN) {
		if (!v)
			return;
		vcpu_is(v, &a->from);
		if (vcpu_as_found(v))
			apply_forget(en, r, a->vcpu);
		else
			note_after(en, JOURNAL_WROTE, r, a->vcpu);
	} else if (a->kind == ACTION_BALLOON) {
		balloon_not_done(en, r);
	} else {
		kept_not_done(en, r, a);
	}
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
	} else if (a->outcome == OUTCOME_UNKNOWN) { /* restore must reckon with both */
		r->unknown_ns = en->sample.time_ns;
		if (a->kind == ACTION_BALLOON)
			watch_asked(en, r, a, true);
		undo_push(en, a);
	} else {
		record_not_done(en, r, a);
		if (a->outcome == OUTCOME_FAILED)
			record_failed(en, r);
	}
}

/* Nothing was tried. What the ledger took up for the first `begun` of them goes again. */
static void refuse(struct engine *en, size_t begun, const char *why)
{
	log_event(en, LOG_ERROR, "nothing was changed: %s", why);
	notice_set(en, "nothing was changed: %.150s", why);
	for (size_t i = 0; i < en->plan.n; i++) {
		struct action *a = &en->plan.actions[i];
		struct vm_record *r = ledger_find(&en->ledger, a->uuid);
		a->outcome = OUTCOME_FAILED;
		snprintf(a->error, sizeof a->error, "%s", why);
		if (r && i < begun)
			record_not_done(en, r, a);
	}
}

/* A dry run plans the same every tick; it is logged when it changes. */
static bool dry_repeats(struct engine *en)
{
	bool same = plan_same(&en->plan, &en->last_dry);
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

static bool of_memory(enum action_kind k)
{
	return k == ACTION_BALLOON || k == ACTION_PERIOD;
}

static bool plan_has(const struct plan *p, bool memory)
{
	for (size_t i = 0; i < p->n; i++)
		if (of_memory(p->actions[i].kind) == memory)
			return true;
	return false;
}

static void carry_out(struct engine *en)
{
	struct err e = ERR_INIT;
	size_t begun;
	en->undo_group++;
	if (owner_take(en, &e) < 0) {
		refuse(en, 0, e.msg);
		return;
	}
	if (journal_first(en, &begun, &e) < 0) {
		refuse(en, begun, e.msg);
		auto_pause_all(en, PAUSE_JOURNAL, e.msg);
		return;
	}
	en->b->ops->apply(en->b, en->plan.actions, en->plan.n);
	for (size_t i = 0; i < en->plan.n; i++) {
		record_outcome(en, &en->plan.actions[i]);
		log_action(en, &en->plan.actions[i]);
	}
	if (en->journal && journal_compact(en->journal, &en->ledger, false, &e) < 0)
		log_event(en, LOG_ERROR, "%s", e.msg);
}

void apply_plan(struct engine *en, const struct round *cpu, const struct round *memory)
{
	if (!en->plan.n)
		return;
	if (en->cfg.dry_run) {
		apply_dry(en);
		return;
	}
	carry_out(en);
	if (cpu && plan_has(&en->plan, false)) {
		cpu_ctl_applied(en->cpu, cpu, &en->plan);
		shares_ctl_applied(en->shares, cpu, &en->plan);
	}
	if (memory && plan_has(&en->plan, true))
		mem_ctl_applied(en->mem, memory, &en->plan);
}
