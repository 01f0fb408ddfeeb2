/* SPDX-License-Identifier: MIT */
/* The orderly end, and the restore or release of what an earlier or a running vmtop changed. What fails is
 * tried again, over new connections too, until a deadline or until nobody waits any longer. Invariant: only
 * what is still as we wrote it is put back; what could not be is still in the journal afterwards, and is
 * said. */
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "vmtop/minmax.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

enum { AGAIN_MS = 500, TELL_S = 10, NAMED_MOST = 64 };

/* What became of the changes that were to be put back. */
struct farewell {
	const struct leave_hands *by;
	const char *pattern; /* of the VMs; NULL: all */
	bool all;            /* pins and balloons too, not the periods alone */
	FILE *out;           /* a line an object, as it is put back; NULL: none */
	size_t done;
	size_t planned; /* of a dry run */
	size_t foreign; /* objects that somebody else changed since: they stay */
	size_t left;    /* objects that are still to be put back */
	size_t stay;    /* objects that are to stay as we wrote them */
	size_t away;    /* VMs that are not here: the journal keeps them */
	char why[160];  /* the first reason why something is left */
	char told[160]; /* ... that was told last */
	int64_t until_ns, told_ns;
};

static void print_action(FILE *out, const struct changes *changes, const struct action *action)
{
	char name[256], to[256] = "";
	text_escape(name, sizeof name, changes->sample->vms[action->vm].name);
	fprintf(out, "%s: %s", name, action_kind_text(action->kind));
	if (action->kind == ACTION_PIN && cpuset_format(&action->to, to, sizeof to) >= sizeof to)
		snprintf(to, sizeof to, "%d pCPU%s", cpuset_count(&action->to),
			text_s((size_t)cpuset_count(&action->to)));
	if (action->kind == ACTION_BALLOON)
		text_kib(to, sizeof to, action->to_kib);
	if (action->kind == ACTION_PERIOD)
		snprintf(to, sizeof to, "%d s", action->to_s);
	if (action->kind == ACTION_SHARES)
		snprintf(to, sizeof to, "%d", action->to_shares);
	if (action->kind == ACTION_PIN)
		fprintf(out, " of vCPU %d", action->vcpu);
	fprintf(out, " back to %s, %s%s%s\n", to, outcome_text(action->outcome),
		text_if(*action->error, ": "), action->error);
}

/* ---- one try ---- */

/* Objects of one VM that this farewell is to put back. */
static size_t owed(const struct vm_record *rec, const struct farewell *farewell)
{
	if (farewell->pattern && !restore_named(farewell->pattern, rec))
		return 0;
	return farewell->all ? (size_t)record_changes(rec) : rec->period.wrote >= 0;
}

static size_t owed_all(const struct changes *changes, const struct farewell *farewell)
{
	size_t n = 0;
	for (size_t i = 0; i < changes->ledger.n; i++)
		n += owed(&changes->ledger.vms[i], farewell);
	return n;
}

static void count_left(const struct changes *changes, struct farewell *farewell)
{
	farewell->left = farewell->away = 0;
	for (size_t i = 0; i < changes->ledger.n; i++) {
		const struct vm_record *rec = &changes->ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(changes->sample, rec->uuid);
		size_t n = owed(rec, farewell);
		if (vm && vm->id >= 0)
			farewell->left += n;
		else
			farewell->away += n > 0;
		if (n && vm && vm->hung_since_ns && !farewell->why[0])
			snprintf(farewell->why, sizeof farewell->why, "its monitor does not answer");
	}
	if (farewell->left && !farewell->why[0])
		snprintf(farewell->why, sizeof farewell->why, "its present state is not known yet");
}

static void count_actions(const struct changes *changes, struct farewell *farewell)
{
	for (size_t i = 0; i < changes->plan->n; i++) {
		const struct action *action = &changes->plan->actions[i];
		farewell->done += action->outcome == OUTCOME_DONE;
		farewell->planned += action->outcome == OUTCOME_PLANNED;
		bool failed = action->outcome != OUTCOME_DONE && action->outcome != OUTCOME_PLANNED;
		if (failed && !farewell->why[0])
			snprintf(farewell->why, sizeof farewell->why, "%.159s", action->error);
		/* What is tried again is told when it is made; what is left is named at the end. */
		if (farewell->out && !failed)
			print_action(farewell->out, changes, action);
	}
}

/* What only puts back needs no claim, and nothing that steers has to wait for it. */
static void carry_out(struct changes *changes)
{
	struct steering none = {false, false, false};
	struct err err = ERR_INIT; /* is said, and on each action */
	if (changes->plan->n && changes->cfg->dry_run)
		changes_dry(changes);
	else if (changes->plan->n)
		changes_carry_out(changes, &none, &err);
}

static void put_back(struct changes *changes, struct farewell *farewell)
{
	plan_reset(changes->plan);
	struct settled settled = restore_settle(changes, farewell->pattern);
	if (restore_plan(changes, farewell->pattern, farewell->all, &settled.back) < 0)
		plan_reset(changes->plan); /* out of memory: the journal keeps it */
	farewell->foreign += settled.foreign;
	farewell->done += settled.back;
	carry_out(changes);
	backend_decided(changes->backend,
		&(struct decision){
			.leaving = true, .actions = changes->plan->actions, .n_actions = changes->plan->n});
	farewell->why[0] = '\0';
	count_actions(changes, farewell);
	if (!changes->cfg->dry_run)
		count_left(changes, farewell);
}

/* -1: nothing could be tried: no sample, no right, or no journal. *final: trying again would not help. */
static int try_once(struct changes *changes, struct farewell *farewell, bool *final, struct err *err)
{
	if (farewell->by->look(farewell->by->arg, err) < 0)
		return -1;
	if (changes->status->readonly)
		return err_set(err, ERR_DENIED, "the connection is read-only now");
	if (apply_journal(changes, err) < 0) {
		*final = true;
		return -1;
	}
	put_back(changes, farewell);
	return 0;
}

/* ---- and again ---- */

static bool rest(struct changes *changes, const struct farewell *farewell)
{
	int64_t next = changes->backend->ops->now(changes->backend) + AGAIN_MS * (SECOND / 1000);
	next = min_of(next, farewell->until_ns);
	/* An event ends the wait early; a moment passes all the same. */
	for (int64_t now; (now = changes->backend->ops->now(changes->backend)) < next;)
		if (farewell->by->hurried(farewell->by->arg) ||
			changes->backend->ops->wait(changes->backend, next, farewell->by->fd) == WAKE_END)
			return false;
	return !farewell->by->hurried(farewell->by->arg) &&
	       changes->backend->ops->now(changes->backend) < farewell->until_ns;
}

static void tell_progress(struct changes *changes, struct farewell *farewell, const struct err *err)
{
	int64_t now = changes->backend->ops->now(changes->backend);
	const char *why = err->code ? err->msg : farewell->why;
	bool news = strncmp(farewell->told, why, sizeof farewell->told - 1) != 0;
	if (farewell->told_ns && !(news && now - farewell->told_ns > SECOND) &&
		now - farewell->told_ns < TELL_S * SECOND)
		return;
	snprintf(farewell->told, sizeof farewell->told, "%.159s", why);
	farewell->told_ns = now;
	talk_event(changes->talk, LOG_EVENT,
		"end: %zu change%s still to be put back: %.200s; trying for %.0f s more, Ctrl-C stops that",
		farewell->left, text_s(farewell->left), why,
		(double)(farewell->until_ns - now) / (double)SECOND);
	farewell->by->tell(farewell->by->arg);
}

/* 0: nothing is left. */
static int try_until(struct changes *changes, struct farewell *farewell, struct err *err)
{
	farewell->until_ns = changes->backend->ops->now(changes->backend) +
			     (int64_t)(changes->cfg->restore_deadline_s * (double)SECOND);
	for (bool final = false;;) {
		*err = (struct err)ERR_INIT;
		if (try_once(changes, farewell, &final, err) == 0 && !farewell->left)
			return 0;
		if (err->code && !farewell->left) /* not even looked at yet */
			farewell->left = owed_all(changes, farewell);
		if (final || changes->backend->ops->now(changes->backend) >= farewell->until_ns)
			return -1;
		tell_progress(changes, farewell, err);
		if (!rest(changes, farewell))
			return -1;
	}
}

/* ---- what came of it ---- */

static void say(const struct farewell *farewell, char *buf, size_t len)
{
	const char *what = farewell->all ? "change" : "statistics period";
	int n = farewell->planned ? snprintf(buf, len, "%zu %s%s would be put back", farewell->planned, what,
					    text_s(farewell->planned))
				  : snprintf(buf, len, "%zu %s%s put back", farewell->done, what,
					    text_s(farewell->done));
	if (farewell->left)
		n += snprintf(buf + n, len - (size_t)n, ", %zu not", farewell->left);
	if (farewell->foreign)
		n += snprintf(buf + n, len - (size_t)n, "; %zu changed by somebody else since, left so",
			farewell->foreign);
	if (farewell->stay)
		n += snprintf(buf + n, len - (size_t)n, "; %zu change%s left in force", farewell->stay,
			text_s(farewell->stay));
	if (farewell->away)
		snprintf(buf + n, len - (size_t)n, "; %zu VM%s not here, the journal keeps what it had",
			farewell->away, farewell->away == 1 ? " is" : "s are");
}

/* "web-1: vCPU 0, vCPU 2, balloon" */
static void name_objects(const struct vm_record *rec, const struct farewell *farewell, char *buf, size_t len)
{
	char name[121];
	text_escape(name, sizeof name, rec->name);
	int n = snprintf(buf, len, "%s:", name);
	for (size_t i = 0; farewell->all && i < rec->n_vcpus && n < (int)len - 60; i++)
		n += snprintf(buf + n, len - (size_t)n, " vCPU %d,", rec->vcpus[i].id);
	if (farewell->all && rec->wrote_kib >= 0)
		n += snprintf(buf + n, len - (size_t)n, " balloon,");
	if (rec->period.wrote >= 0)
		n += snprintf(buf + n, len - (size_t)n, " statistics period,");
	if (farewell->all && rec->shares.wrote >= 0)
		n += snprintf(buf + n, len - (size_t)n, " CPU shares,");
	buf[n - 1] = '\0';
}

static void name_left(struct changes *changes, const struct farewell *farewell)
{
	size_t named = 0;
	for (size_t i = 0; i < changes->ledger.n; i++) {
		char text[320];
		const struct vm_record *rec = &changes->ledger.vms[i];
		if (!owed(rec, farewell) || named++ >= NAMED_MOST)
			continue;
		name_objects(rec, farewell, text, sizeof text);
		if (farewell->out)
			fprintf(farewell->out, "not put back: %s\n", text);
		else
			talk_event(changes->talk, LOG_ERROR, "not put back: %s", text);
	}
}

/* The line about what is left that whoever ended vmtop must see. */
static int rest_remains(struct changes *changes, struct farewell *farewell, const struct err *err)
{
	char uri[120] = "";
	if (*changes->cfg->uri)
		snprintf(uri, sizeof uri, " -c %.100s", changes->cfg->uri);
	name_left(changes, farewell);
	return err_set(&changes->left, ERR_RUNTIME,
		"%zu change%s could not be put back: %.140s; vmtop%.110s --restore does it later",
		farewell->left, text_s(farewell->left), err->code ? err->msg : farewell->why, uri);
}

int leave(struct changes *changes, const struct leave_hands *by, bool restore)
{
	struct err err = ERR_INIT;
	struct farewell farewell = {.by = by, .all = restore};
	char text[240];
	changes->leaving = true;
	by->tell(by->arg);
	int rc = owed_all(changes, &farewell) ? try_until(changes, &farewell, &err) : 0;
	farewell.stay = restore ? 0 : changes_in_force(changes);
	say(&farewell, text, sizeof text);
	if (restore || farewell.done + farewell.left)
		talk_event(changes->talk, rc < 0 ? LOG_ERROR : LOG_EVENT, "end: %s", text);
	return rc < 0 ? rest_remains(changes, &farewell, &err) : 0;
}

/* A release beside a vmtop that steers, and a dry run: the journal is read and not touched. Whoever steers
 * sees the pins as found and leaves the VM alone for a while. */
static int borrow_journal(struct changes *changes, struct err *err)
{
	changes->borrowed = true;
	return changes_read_journal(changes, err) < 0 ? -1 : 0;
}

static int put_back_aloud(struct changes *changes, const struct leave_hands *by, const char *pattern,
	FILE *out, struct err *err)
{
	struct farewell farewell = {.by = by, .pattern = pattern, .all = true, .out = out};
	char text[240];
	/* Only now: whoever steers must be known before its journal is. */
	if (changes->watches && borrow_journal(changes, err) < 0)
		return -1;
	changes->borrowed |= changes->cfg->dry_run;
	changes->leaving = true;
	int rc = try_until(changes, &farewell, err);
	if (rc < 0 && !owed_all(changes, &farewell))
		return rc; /* the journal is not ours to read */
	say(&farewell, text, sizeof text);
	fprintf(out, "%s\n", text);
	if (changes->borrowed && farewell.done)
		fprintf(out, "the vmtop that steers here leaves them alone for %.0f s\n",
			changes->cfg->foreign_hold_s);
	if (rc == 0)
		return 0;
	rest_remains(changes, &farewell, err);
	*err = changes->left;
	return -1;
}

/* What is not about one change: lines of the journal that cannot be, VMs that are no more, who steers. */
static void print_words(FILE *out, const struct changes *changes)
{
	const struct log_ring *ring = &changes->talk->log;
	for (size_t i = 0; i < ring->n; i++) {
		const struct log_line *line = &ring->lines[(ring->first + i) % SNAPSHOT_LOG];
		if ((line->kind == LOG_EVENT || line->kind == LOG_ERROR) &&
			strncmp(line->text, "end: ", 5) != 0 &&
			strncmp(line->text, "an earlier vmtop", 16) != 0 &&
			strcmp(line->text, changes->unread.msg) != 0)
			fprintf(out, "%s\n", line->text);
	}
}

int leave_aloud(struct changes *changes, const struct leave_hands *by, const char *pattern, FILE *out,
	struct err *err)
{
	int rc = 0;
	if (!changes_allowed(changes))
		rc = err_set(err, ERR_DENIED, "%s", changes->talk->notice);
	else if (changes->unread.code)
		rc = err_set(err, ERR_RUNTIME, "%s", changes->unread.msg);
	else if (!changes_in_force(changes) && !changes->watches)
		fprintf(out, "nothing to put back: no vmtop left changes on %s\n", changes->status->uri);
	else
		rc = put_back_aloud(changes, by, pattern, out, err);
	print_words(out, changes);
	return rc;
}
