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
static int note(
	struct changes *ch, enum journal_word word, const struct vm_record *r, int object, struct err *e)
{
	if (!ch->journal || journal_note(ch->journal, word, r, object, e) == 0)
		return 0;
	if (!ch->leaving || word == JOURNAL_FOUND)
		return -1;
	talk_once(ch->talk, LOG_ERROR, e->msg);
	return 0;
}

/* After a change it is too late to refuse it: when the journal cannot be written, the log says so, and the
 * next change will be refused. */
static void note_after(struct changes *ch, enum journal_word word, const struct vm_record *r, int object)
{
	struct err e = ERR_INIT;
	if (note(ch, word, r, object, &e) < 0)
		talk_once(ch->talk, LOG_ERROR, e.msg);
}

void apply_forget(struct changes *ch, struct vm_record *r, int object)
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
	note_after(ch, JOURNAL_FORGOT, r, object);
}

/* Without a journal of its own it has changed nothing; who borrows one leaves the marks to whom it belongs.
 */
static bool may_disown(const struct changes *ch)
{
	return ch->journal && ch->core->ops->disown && !ch->borrowed && !ch->cfg->dry_run &&
	       !ch->cfg->readonly && !ch->status->readonly;
}

int apply_disown(struct changes *ch, struct vm_record *r, int vcpu)
{
	if (may_disown(ch) && ch->core->ops->disown(ch->core, r->uuid, vcpu) < 0)
		return -1;
	apply_forget(ch, r, vcpu);
	return 0;
}

void apply_found_anew(struct changes *ch, const struct vm_record *r)
{
	note_after(ch, JOURNAL_FOUND, r, JOURNAL_BALLOON);
	note_after(ch, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

/* Keeps the affinity as found: that before our first change, or before our first change after somebody else
 * pinned it. Their pins until now came before ours, so they do not count as a fight over the vCPU. */
static void pin_found(struct changes *ch, struct vcpu_record *v, const struct action *a)
{
	const struct vcpu_sample *now = sample_vcpu(ch->sample, &ch->sample->vms[a->vm], a->vcpu);
	vcpu_found(v, &a->from, a->from_pinned);
	if (now && vi64_has(now->foreign_pin_ns))
		v->foreign_ns = now->foreign_pin_ns.v;
}

static int will_pin(
	struct changes *ch, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	struct cpuset online;
	struct vcpu_record *v = record_vcpu(r, a->vcpu);
	sample_online(ch->sample, &online);
	if (!v || !vcpu_ours(v, &a->from, &online)) {
		v = record_vcpu_get(r, a->vcpu);
		if (!v)
			return err_set(e, ERR_NOMEM, "out of memory");
		pin_found(ch, v, a);
		*found = true;
		if (note(ch, JOURNAL_FOUND, r, a->vcpu, e) < 0)
			return -1;
	} else if (v->unsure) { /* the sample tells whether the last change was made */
		vcpu_is(v, &a->from);
		if (note(ch, JOURNAL_WROTE, r, a->vcpu, e) < 0)
			return -1;
	}
	vcpu_will(v, &a->to);
	return note(ch, JOURNAL_WILL, r, a->vcpu, e);
}

static int will_balloon(
	struct changes *ch, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	if (r->found_kib < 0) {
		const struct vm_memory *m = &ch->sample->vms[a->vm].mem;
		r->found_kib =
			vi64_has(m->balloon_kib) ? balloon_going(r, m, ch->sample->time_ns) : a->from_kib;
		*found = true;
		if (note(ch, JOURNAL_FOUND, r, JOURNAL_BALLOON, e) < 0)
			return -1;
	}
	balloon_will(r, a->to_kib);
	return note(ch, JOURNAL_WILL, r, JOURNAL_BALLOON, e);
}

/* The record and the journal's object of a change of a number. */
static struct kept *kept_of(struct vm_record *r, enum action_kind kind, int *object)
{
	*object = kind == ACTION_SHARES ? JOURNAL_SHARES : JOURNAL_PERIOD;
	return kind == ACTION_SHARES ? &r->shares : &r->period;
}

static int will_keep(
	struct changes *ch, struct vm_record *r, const struct action *a, bool *found, struct err *e)
{
	int object;
	struct kept *k = kept_of(r, a->kind, &object);
	if (k->found < 0 || !kept_ours(k, a->from_s)) {
		kept_drop(k);
		k->found = a->from_s;
		*found = true;
		if (note(ch, JOURNAL_FOUND, r, object, e) < 0)
			return -1;
	}
	kept_will(k, a->to_s);
	return note(ch, JOURNAL_WILL, r, object, e);
}

typedef int (*will_fn)(
	struct changes *ch, struct vm_record *r, const struct action *a, bool *found, struct err *e);
static const will_fn wills[] = {[ACTION_PIN] = will_pin,
	[ACTION_BALLOON] = will_balloon,
	[ACTION_PERIOD] = will_keep,
	[ACTION_SHARES] = will_keep};

/* Reads the journal once more, now that it is locked: another vmtop may have written to it since our start,
 * and ended. */
static int load_again(struct changes *ch, struct err *e)
{
	ledger_drop_changes(&ch->ledger);
	if (changes_read_journal(ch, e) < 0)
		return -1;
	ch->watches = false;
	return journal_compact(ch->journal, &ch->ledger, true, e);
}

/* The simulator forgets everything at its end: nothing to journal there. */
int apply_journal(struct changes *ch, struct err *e)
{
	if (ch->journal || ch->borrowed || !ch->core->ops->lasting)
		return 0;
	ch->journal = journal_open(changes_host(ch), e);
	if (!ch->journal)
		return -1;
	if (load_again(ch, e) == 0)
		return 0;
	journal_close(ch->journal, false);
	ch->journal = NULL;
	return -1;
}

static int journal_first(struct changes *ch, size_t *begun, struct err *e)
{
	bool found = false;
	*begun = 0;
	if (apply_journal(ch, e) < 0)
		return -1;
	for (size_t i = 0; i < ch->plan->n; i++) {
		const struct action *a = &ch->plan->actions[i];
		const struct vm_sample *vm = &ch->sample->vms[a->vm];
		struct vm_record *r = ledger_get(&ch->ledger, vm->uuid, vm->name);
		if (!r)
			return err_set(e, ERR_NOMEM, "out of memory");
		*begun = i + 1;
		if (wills[a->kind](ch, r, a, &found, e) < 0)
			return -1;
	}
	/* The guests of this machine go down with its power; those of another one stay as they were changed.
	 */
	return ch->journal && (found || !ch->sample->host.local) ? journal_sync(ch->journal, e) : 0;
}

static int object_of(const struct action *a)
{
	static const int objects[] = {[ACTION_BALLOON] = JOURNAL_BALLOON,
		[ACTION_PERIOD] = JOURNAL_PERIOD,
		[ACTION_SHARES] = JOURNAL_SHARES};
	return a->kind == ACTION_PIN ? a->vcpu : objects[a->kind];
}

/* Whether the object is as it was found again, so that the journal may forget it. A balloon that was put back
 * as far as the guest's use of memory allows counts as put back. */
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

static void watch_asked(struct changes *ch, struct vm_record *r, const struct action *a, bool unsure)
{
	const struct vi64 at = ch->sample->vms[a->vm].mem.balloon_kib;
	balloon_watch_asked(&r->memo.balloon, vi64_or(at, 0), a->to_kib, ch->sample->time_ns, unsure);
	r->astray_ns = 0;
}

/* The target that was set may differ from the one that the journal has: a guest's need limits it. */
static void balloon_done(struct changes *ch, struct vm_record *r, const struct action *a)
{
	watch_asked(ch, r, a, false);
	if (r->wrote_kib == a->to_kib)
		return;
	balloon_will(r, a->to_kib);
	note_after(ch, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

/* A restore has taken the mark of its pin away itself. */
static void forget_done(struct changes *ch, struct vm_record *r, const struct action *a)
{
	if (a->kind == ACTION_PIN && a->why.code != REASON_RESTORE)
		apply_disown(ch, r, a->vcpu);
	else
		apply_forget(ch, r, object_of(a));
}

static void record_done(struct changes *ch, struct vm_record *r, const struct action *a)
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
		balloon_done(ch, r, a);
	if (is_put_back(r, a))
		forget_done(ch, r, a);
	undo_push(ch, a);
}

/* The call failed. When no earlier target of ours is in force, nothing of ours is left on this balloon. */
static void balloon_not_done(struct changes *ch, struct vm_record *r)
{
	if (balloon_watch_asks(&r->memo.balloon))
		r->wrote_kib = r->memo.balloon.target_kib;
	if (!balloon_watch_asks(&r->memo.balloon) || r->wrote_kib == r->found_kib)
		apply_forget(ch, r, JOURNAL_BALLOON);
	else
		note_after(ch, JOURNAL_WROTE, r, JOURNAL_BALLOON);
}

static void kept_not_done(struct changes *ch, struct vm_record *r, const struct action *a)
{
	int object;
	struct kept *k = kept_of(r, a->kind, &object);
	kept_is(k, a->from_s);
	if (k->found == a->from_s)
		apply_forget(ch, r, object);
	else
		note_after(ch, JOURNAL_WROTE, r, object);
}

/* The change was not made: the ledger and the journal go back to what was there before it. */
static void record_not_done(struct changes *ch, struct vm_record *r, const struct action *a)
{
	struct vcpu_record *v = record_vcpu(r, a->vcpu);
	if (a->kind == ACTION_PIN) {
		if (!v)
			return;
		vcpu_is(v, &a->from);
		if (vcpu_as_found(v))
			apply_disown(ch, r, a->vcpu);
		else
			note_after(ch, JOURNAL_WROTE, r, a->vcpu);
	} else if (a->kind == ACTION_BALLOON) {
		balloon_not_done(ch, r);
	} else {
		kept_not_done(ch, r, a);
	}
}

/* A change that failed is not tried again at once: 10 s, doubled with each failure in a row. */
static void record_failed(struct changes *ch, struct vm_record *r)
{
	int64_t hold = FAIL_HOLD_S;
	for (int i = 0; i < r->fails && hold < FAIL_HOLD_MAX_S; i++)
		hold *= 2;
	r->fails++;
	r->memo.fail_until_ns = ch->sample->time_ns + min_of(hold, FAIL_HOLD_MAX_S) * INT64_C(1000000000);
}

static void record_outcome(struct changes *ch, const struct action *a)
{
	const struct vm_sample *vm = &ch->sample->vms[a->vm];
	struct vm_record *r = ledger_get(&ch->ledger, vm->uuid, vm->name);
	if (!r)
		return;
	if (a->outcome == OUTCOME_DONE) {
		record_done(ch, r, a);
	} else if (a->outcome == OUTCOME_UNKNOWN) {
		/* It may have been made or not: restore allows for both. */
		r->unknown_ns = ch->sample->time_ns;
		if (a->kind == ACTION_BALLOON)
			watch_asked(ch, r, a, true);
		undo_push(ch, a);
	} else {
		record_not_done(ch, r, a);
		if (a->outcome == OUTCOME_FAILED)
			record_failed(ch, r);
	}
}

/* No call was made: each action fails with `why`, and what the ledger noted for the first `begun` of them is
 * dropped again. */
static void refuse(struct changes *ch, size_t begun, const char *why)
{
	talk_event(ch->talk, LOG_ERROR, "nothing was changed: %s", why);
	talk_notice(ch->talk, "nothing was changed: %.150s", why);
	for (size_t i = 0; i < ch->plan->n; i++) {
		struct action *a = &ch->plan->actions[i];
		struct vm_record *r = ledger_find(&ch->ledger, a->uuid);
		a->outcome = OUTCOME_FAILED;
		snprintf(a->error, sizeof a->error, "%s", why);
		if (r && i < begun)
			record_not_done(ch, r, a);
	}
}

static void log_action(struct changes *ch, const struct action *a, const char *more)
{
	const struct vm_sample *vm = sample_vm_by_uuid(ch->sample, a->uuid);
	const struct vm_record *r = ledger_find(&ch->ledger, a->uuid);
	const char *name = r ? r->name : "";
	talk_action(ch->talk, a, vm ? vm->name : name, more);
}

/* With what each pin would do, as the preview has it. */
static void log_planned(struct changes *ch)
{
	const struct suffer_look look = {ch->sample, ch->model->vcpus, ch->model->vms, ch->model->pcpus};
	const struct plan *p = ch->plan;
	struct effect *x = calloc(p->n + 1, sizeof *x);
	size_t n = x ? effects_of(&look, p->actions, p->n, x) : 0;
	for (size_t i = 0; i < p->n; i++) {
		char does[240] = "";
		for (size_t k = 0; k < n; k++)
			if (x[k].action == i)
				effect_text(&x[k], does, sizeof does);
		log_action(ch, &p->actions[i], does);
	}
	free(x);
}

/* A dry run plans the same at every tick; it is logged only when the plan has changed. */
static bool dry_repeats(struct changes *ch)
{
	bool same = plan_same(ch->plan, &ch->last_dry);
	plan_reset(&ch->last_dry);
	for (size_t i = 0; i < ch->plan->n; i++) {
		struct action *a = plan_add(&ch->last_dry, ch->plan->actions[i].kind);
		if (a)
			*a = ch->plan->actions[i];
	}
	return same;
}

void changes_dry(struct changes *ch)
{
	for (size_t i = 0; i < ch->plan->n; i++)
		ch->plan->actions[i].outcome = OUTCOME_PLANNED;
	if (!dry_repeats(ch))
		log_planned(ch);
}

enum carried changes_carry_out(struct changes *ch, struct steering *on, struct err *e)
{
	size_t begun;
	ch->undo_group++;
	if (owner_take(ch, on, e) < 0) {
		refuse(ch, 0, e->msg);
		return NOT_OURS;
	}
	if (journal_first(ch, &begun, e) < 0) {
		refuse(ch, begun, e->msg);
		return NO_JOURNAL;
	}
	ch->b->ops->apply(ch->b, ch->plan->actions, ch->plan->n);
	for (size_t i = 0; i < ch->plan->n; i++) {
		record_outcome(ch, &ch->plan->actions[i]);
		log_action(ch, &ch->plan->actions[i], ch->plan->actions[i].error);
	}
	if (ch->journal && journal_compact(ch->journal, &ch->ledger, false, e) < 0)
		talk_event(ch->talk, LOG_ERROR, "%s", e->msg);
	return CARRIED;
}
