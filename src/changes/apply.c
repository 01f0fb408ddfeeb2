/* SPDX-License-Identifier: MIT */
/* Carries a plan out: journal first, then the backend, then the ledger, undo and log. Invariant: no change of
 * a VM before its state as found is on disk; a journal that cannot be written stops the change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "vmtop/effect.h"
#include "vmtop/minmax.h"

enum { FAIL_HOLD_S = 10, FAIL_HOLD_MAX_S = 600 };

/* Writes a line to the journal, if one is open. On the way out only a line about what was found may stop a
 * change: all else is written for a later --restore, and a full disk must not keep vmtop from putting back.
 */
static int note(struct changes *changes, enum journal_word word, const struct vm_record *rec, int object,
	struct err *err)
{
	if (!changes->journal || journal_note(changes->journal, word, rec, object, err) == 0)
		return 0;
	if (!changes->leaving || word == JOURNAL_FOUND)
		return -1;
	talk_once(changes->talk, LOG_ERROR, err->msg);
	return 0;
}

/* After a change it is too late to refuse it: when the journal cannot be written, the log says so, and the
 * next change will be refused. */
static void note_after(
	struct changes *changes, enum journal_word word, const struct vm_record *rec, int object)
{
	struct err err = ERR_INIT;
	if (note(changes, word, rec, object, &err) < 0)
		talk_once(changes->talk, LOG_ERROR, err.msg);
}

void apply_forget(struct changes *changes, struct vm_record *rec, int object)
{
	if (object == JOURNAL_BALLOON)
		record_drop_balloon(rec);
	else if (object == JOURNAL_PERIOD)
		kept_drop(&rec->period);
	else if (object == JOURNAL_SHARES)
		kept_drop(&rec->shares);
	else if (object == JOURNAL_VM)
		record_drop_all(rec);
	else
		record_drop_vcpu(rec, object);
	note_after(changes, JOURNAL_FORGOT, rec, object);
}

/* Without a journal of its own it has changed nothing; who borrows one leaves the marks to whom it belongs.
 */
static bool may_disown(const struct changes *changes)
{
	return changes->journal && changes->core->ops->disown && !changes->borrowed &&
	       !changes->cfg->dry_run && !changes->cfg->readonly && !changes->status->readonly;
}

int apply_disown(struct changes *changes, struct vm_record *rec, int vcpu)
{
	if (may_disown(changes) && changes->core->ops->disown(changes->core, rec->uuid, vcpu) < 0)
		return -1;
	apply_forget(changes, rec, vcpu);
	return 0;
}

void apply_found_anew(struct changes *changes, const struct vm_record *rec)
{
	note_after(changes, JOURNAL_FOUND, rec, JOURNAL_BALLOON);
	note_after(changes, JOURNAL_WROTE, rec, JOURNAL_BALLOON);
}

/* Keeps the affinity as found: that before our first change, or before our first change after somebody else
 * pinned it. Their pins until now came before ours, so they do not count as a fight over the vCPU. */
static void pin_found(struct changes *changes, struct vcpu_record *vcpu, const struct action *action)
{
	const struct vcpu_sample *now =
		sample_vcpu(changes->sample, &changes->sample->vms[action->vm], action->vcpu);
	vcpu_found(vcpu, &action->from, action->from_pinned);
	if (now && vi64_has(now->foreign_pin_ns))
		vcpu->foreign_ns = now->foreign_pin_ns.v;
}

static int will_pin(struct changes *changes, struct vm_record *rec, const struct action *action, bool *found,
	struct err *err)
{
	struct cpuset online;
	struct vcpu_record *vcpu = record_vcpu(rec, action->vcpu);
	sample_online(changes->sample, &online);
	if (!vcpu || !vcpu_ours(vcpu, &action->from, &online)) {
		vcpu = record_vcpu_get(rec, action->vcpu);
		if (!vcpu)
			return err_set(err, ERR_NOMEM, "out of memory");
		pin_found(changes, vcpu, action);
		*found = true;
		if (note(changes, JOURNAL_FOUND, rec, action->vcpu, err) < 0)
			return -1;
	} else if (vcpu->unsure) { /* the sample tells whether the last change was made */
		vcpu_is(vcpu, &action->from);
		if (note(changes, JOURNAL_WROTE, rec, action->vcpu, err) < 0)
			return -1;
	}
	vcpu_will(vcpu, &action->to);
	return note(changes, JOURNAL_WILL, rec, action->vcpu, err);
}

static int will_balloon(struct changes *changes, struct vm_record *rec, const struct action *action,
	bool *found, struct err *err)
{
	if (rec->found_kib < 0) {
		const struct vm_memory *mem = &changes->sample->vms[action->vm].mem;
		rec->found_kib = vi64_has(mem->balloon_kib)
					 ? balloon_going(rec, mem, changes->sample->time_ns)
					 : action->from_kib;
		*found = true;
		if (note(changes, JOURNAL_FOUND, rec, JOURNAL_BALLOON, err) < 0)
			return -1;
	}
	balloon_will(rec, action->to_kib);
	return note(changes, JOURNAL_WILL, rec, JOURNAL_BALLOON, err);
}

/* The record and the journal's object of a change of a number. */
static struct kept *kept_of(struct vm_record *rec, enum action_kind kind, int *object)
{
	*object = kind == ACTION_SHARES ? JOURNAL_SHARES : JOURNAL_PERIOD;
	return kind == ACTION_SHARES ? &rec->shares : &rec->period;
}

static int will_keep(struct changes *changes, struct vm_record *rec, const struct action *action, bool *found,
	struct err *err)
{
	int object;
	struct kept *kept = kept_of(rec, action->kind, &object);
	if (kept->found < 0 || !kept_ours(kept, action->from_s)) {
		kept_drop(kept);
		kept->found = action->from_s;
		*found = true;
		if (note(changes, JOURNAL_FOUND, rec, object, err) < 0)
			return -1;
	}
	kept_will(kept, action->to_s);
	return note(changes, JOURNAL_WILL, rec, object, err);
}

typedef int (*will_fn)(
	struct changes *ch, struct vm_record *r, const struct action *a, bool *found, struct err *e);
static const will_fn wills[] = {[ACTION_PIN] = will_pin,
	[ACTION_BALLOON] = will_balloon,
	[ACTION_PERIOD] = will_keep,
	[ACTION_SHARES] = will_keep};

/* Reads the journal once more, now that it is locked: another vmtop may have written to it since our start,
 * and ended. */
static int load_again(struct changes *changes, struct err *err)
{
	ledger_drop_changes(&changes->ledger);
	if (changes_read_journal(changes, err) < 0)
		return -1;
	changes->watches = false;
	return journal_compact(changes->journal, &changes->ledger, true, err);
}

/* The simulator forgets everything at its end: nothing to journal there. */
int apply_journal(struct changes *changes, struct err *err)
{
	if (changes->journal || changes->borrowed || !changes->core->ops->lasting)
		return 0;
	changes->journal = journal_open(changes_host(changes), err);
	if (!changes->journal)
		return -1;
	if (load_again(changes, err) == 0)
		return 0;
	journal_close(changes->journal, false);
	changes->journal = NULL;
	return -1;
}

static int journal_first(struct changes *changes, size_t *begun, struct err *err)
{
	bool found = false;
	*begun = 0;
	if (apply_journal(changes, err) < 0)
		return -1;
	for (size_t i = 0; i < changes->plan->n; i++) {
		const struct action *action = &changes->plan->actions[i];
		const struct vm_sample *vm = &changes->sample->vms[action->vm];
		struct vm_record *rec = ledger_get(&changes->ledger, vm->uuid, vm->name);
		if (!rec)
			return err_set(err, ERR_NOMEM, "out of memory");
		*begun = i + 1;
		if (wills[action->kind](changes, rec, action, &found, err) < 0)
			return -1;
	}
	/* The guests of this machine go down with its power; those of another one stay as they were changed.
	 */
	return changes->journal && (found || !changes->sample->host.local)
		       ? journal_sync(changes->journal, err)
		       : 0;
}

static int object_of(const struct action *action)
{
	static const int objects[] = {[ACTION_BALLOON] = JOURNAL_BALLOON,
		[ACTION_PERIOD] = JOURNAL_PERIOD,
		[ACTION_SHARES] = JOURNAL_SHARES};
	return action->kind == ACTION_PIN ? action->vcpu : objects[action->kind];
}

/* Whether the object is as it was found again, so that the journal may forget it. A balloon that was put back
 * as far as the guest's use of memory allows counts as put back. */
static bool is_put_back(const struct vm_record *rec, const struct action *action)
{
	const struct vcpu_record *vcpu = record_vcpu(rec, action->vcpu);
	switch (action->kind) {
	case ACTION_PIN:
		return action->why.code == REASON_RESTORE || (vcpu && vcpu_as_found(vcpu));
	case ACTION_BALLOON:
		return action->why.code == REASON_RESTORE || rec->wrote_kib == rec->found_kib;
	case ACTION_PERIOD:
		return rec->period.wrote == rec->period.found;
	case ACTION_SHARES:
		return rec->shares.wrote == rec->shares.found;
	}
	return false;
}

static void watch_asked(
	struct changes *changes, struct vm_record *rec, const struct action *action, bool unsure)
{
	const struct vi64 at = changes->sample->vms[action->vm].mem.balloon_kib;
	balloon_watch_asked(
		&rec->memo.balloon, vi64_or(at, 0), action->to_kib, changes->sample->time_ns, unsure);
	rec->astray_ns = 0;
}

/* The target that was set may differ from the one that the journal has: a guest's need limits it. */
static void balloon_done(struct changes *changes, struct vm_record *rec, const struct action *action)
{
	watch_asked(changes, rec, action, false);
	if (rec->wrote_kib == action->to_kib)
		return;
	balloon_will(rec, action->to_kib);
	note_after(changes, JOURNAL_WROTE, rec, JOURNAL_BALLOON);
}

/* A restore has taken the mark of its pin away itself. */
static void forget_done(struct changes *changes, struct vm_record *rec, const struct action *action)
{
	if (action->kind == ACTION_PIN && action->why.code != REASON_RESTORE)
		apply_disown(changes, rec, action->vcpu);
	else
		apply_forget(changes, rec, object_of(action));
}

static void record_done(struct changes *changes, struct vm_record *rec, const struct action *action)
{
	struct vcpu_record *vcpu = record_vcpu(rec, action->vcpu);
	rec->fails = 0;
	if (vcpu && action->kind == ACTION_PIN)
		vcpu_is(vcpu, &action->to);
	if (action->kind == ACTION_PERIOD)
		kept_is(&rec->period, action->to_s);
	if (action->kind == ACTION_SHARES)
		kept_is(&rec->shares, action->to_shares);
	if (action->kind == ACTION_BALLOON)
		balloon_done(changes, rec, action);
	if (is_put_back(rec, action))
		forget_done(changes, rec, action);
	undo_push(changes, action);
}

/* The call failed. When no earlier target of ours is in force, nothing of ours is left on this balloon. */
static void balloon_not_done(struct changes *changes, struct vm_record *rec)
{
	if (balloon_watch_asks(&rec->memo.balloon))
		rec->wrote_kib = rec->memo.balloon.target_kib;
	if (!balloon_watch_asks(&rec->memo.balloon) || rec->wrote_kib == rec->found_kib)
		apply_forget(changes, rec, JOURNAL_BALLOON);
	else
		note_after(changes, JOURNAL_WROTE, rec, JOURNAL_BALLOON);
}

static void kept_not_done(struct changes *changes, struct vm_record *rec, const struct action *action)
{
	int object;
	struct kept *kept = kept_of(rec, action->kind, &object);
	kept_is(kept, action->from_s);
	if (kept->found == action->from_s)
		apply_forget(changes, rec, object);
	else
		note_after(changes, JOURNAL_WROTE, rec, object);
}

/* The change was not made: the ledger and the journal go back to what was there before it. */
static void record_not_done(struct changes *changes, struct vm_record *rec, const struct action *action)
{
	struct vcpu_record *vcpu = record_vcpu(rec, action->vcpu);
	if (action->kind == ACTION_PIN) {
		if (!vcpu)
			return;
		vcpu_is(vcpu, &action->from);
		if (vcpu_as_found(vcpu))
			apply_disown(changes, rec, action->vcpu);
		else
			note_after(changes, JOURNAL_WROTE, rec, action->vcpu);
	} else if (action->kind == ACTION_BALLOON) {
		balloon_not_done(changes, rec);
	} else {
		kept_not_done(changes, rec, action);
	}
}

/* A change that failed is not tried again at once: 10 s, doubled with each failure in a row. */
static void record_failed(struct changes *changes, struct vm_record *rec)
{
	int64_t hold = FAIL_HOLD_S;
	for (int i = 0; i < rec->fails && hold < FAIL_HOLD_MAX_S; i++)
		hold *= 2;
	rec->fails++;
	rec->memo.fail_until_ns =
		changes->sample->time_ns + min_of(hold, FAIL_HOLD_MAX_S) * INT64_C(1000000000);
}

static void record_outcome(struct changes *changes, const struct action *action)
{
	const struct vm_sample *vm = &changes->sample->vms[action->vm];
	struct vm_record *rec = ledger_get(&changes->ledger, vm->uuid, vm->name);
	if (!rec)
		return;
	if (action->outcome == OUTCOME_DONE) {
		record_done(changes, rec, action);
	} else if (action->outcome == OUTCOME_UNKNOWN) {
		/* It may have been made or not: restore allows for both. */
		rec->unknown_ns = changes->sample->time_ns;
		if (action->kind == ACTION_BALLOON)
			watch_asked(changes, rec, action, true);
		undo_push(changes, action);
	} else {
		record_not_done(changes, rec, action);
		if (action->outcome == OUTCOME_FAILED)
			record_failed(changes, rec);
	}
}

/* No call was made: each action fails with `why`, and what the ledger noted for the first `begun` of them is
 * dropped again. */
static void refuse(struct changes *changes, size_t begun, const char *why)
{
	talk_event(changes->talk, LOG_ERROR, "nothing was changed: %s", why);
	talk_notice(changes->talk, "nothing was changed: %.150s", why);
	for (size_t i = 0; i < changes->plan->n; i++) {
		struct action *action = &changes->plan->actions[i];
		struct vm_record *rec = ledger_find(&changes->ledger, action->uuid);
		action->outcome = OUTCOME_FAILED;
		snprintf(action->error, sizeof action->error, "%s", why);
		if (rec && i < begun)
			record_not_done(changes, rec, action);
	}
}

static void log_action(struct changes *changes, const struct action *action, const char *more)
{
	const struct vm_sample *vm = sample_vm_by_uuid(changes->sample, action->uuid);
	const struct vm_record *rec = ledger_find(&changes->ledger, action->uuid);
	const char *name = rec ? rec->name : "";
	talk_action(changes->talk, action, vm ? vm->name : name, more);
}

/* With what each pin would do, as the preview has it. */
static void log_planned(struct changes *changes)
{
	const struct suffer_look look = {
		changes->sample, changes->model->vcpus, changes->model->vms, changes->model->pcpus};
	const struct plan *plan = changes->plan;
	struct effect *effect = calloc(plan->n + 1, sizeof *effect);
	size_t n = effect ? effects_of(&look, plan->actions, plan->n, effect) : 0;
	for (size_t i = 0; i < plan->n; i++) {
		char does[240] = "";
		for (size_t k = 0; k < n; k++)
			if (effect[k].action == i)
				effect_text(&effect[k], does, sizeof does);
		log_action(changes, &plan->actions[i], does);
	}
	free(effect);
}

/* A dry run plans the same at every tick; it is logged only when the plan has changed. */
static bool dry_repeats(struct changes *changes)
{
	bool same = plan_same(changes->plan, &changes->last_dry);
	plan_reset(&changes->last_dry);
	for (size_t i = 0; i < changes->plan->n; i++) {
		struct action *action = plan_add(&changes->last_dry, changes->plan->actions[i].kind);
		if (action)
			*action = changes->plan->actions[i];
	}
	return same;
}

void changes_dry(struct changes *changes)
{
	for (size_t i = 0; i < changes->plan->n; i++)
		changes->plan->actions[i].outcome = OUTCOME_PLANNED;
	if (!dry_repeats(changes))
		log_planned(changes);
}

enum carried changes_carry_out(struct changes *changes, struct steering *on, struct err *err)
{
	size_t begun;
	changes->undo_group++;
	if (owner_take(changes, on, err) < 0) {
		refuse(changes, 0, err->msg);
		return NOT_OURS;
	}
	if (journal_first(changes, &begun, err) < 0) {
		refuse(changes, begun, err->msg);
		return NO_JOURNAL;
	}
	changes->backend->ops->apply(changes->backend, changes->plan->actions, changes->plan->n);
	for (size_t i = 0; i < changes->plan->n; i++) {
		record_outcome(changes, &changes->plan->actions[i]);
		log_action(changes, &changes->plan->actions[i], changes->plan->actions[i].error);
	}
	if (changes->journal && journal_compact(changes->journal, &changes->ledger, false, err) < 0)
		talk_event(changes->talk, LOG_ERROR, "%s", err->msg);
	return CARRIED;
}
