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

static void print_action(FILE *out, const struct changes *ch, const struct action *a)
{
	char name[256], to[256] = "";
	text_escape(name, sizeof name, ch->sample->vms[a->vm].name);
	fprintf(out, "%s: %s", name, action_kind_text(a->kind));
	if (a->kind == ACTION_PIN && cpuset_format(&a->to, to, sizeof to) >= sizeof to)
		snprintf(to, sizeof to, "%d pCPU%s", cpuset_count(&a->to),
			text_s((size_t)cpuset_count(&a->to)));
	if (a->kind == ACTION_BALLOON)
		text_kib(to, sizeof to, a->to_kib);
	if (a->kind == ACTION_PERIOD)
		snprintf(to, sizeof to, "%d s", a->to_s);
	if (a->kind == ACTION_SHARES)
		snprintf(to, sizeof to, "%d", a->to_shares);
	if (a->kind == ACTION_PIN)
		fprintf(out, " of vCPU %d", a->vcpu);
	fprintf(out, " back to %s, %s%s%s\n", to, outcome_text(a->outcome), *a->error ? ": " : "", a->error);
}

/* ---- one try ---- */

/* Objects of one VM that this farewell is to put back. */
static size_t owed(const struct vm_record *r, const struct farewell *f)
{
	if (f->pattern && !restore_named(f->pattern, r))
		return 0;
	return f->all ? (size_t)record_changes(r) : r->period.wrote >= 0;
}

static size_t owed_all(const struct changes *ch, const struct farewell *f)
{
	size_t n = 0;
	for (size_t i = 0; i < ch->ledger.n; i++)
		n += owed(&ch->ledger.vms[i], f);
	return n;
}

static void count_left(const struct changes *ch, struct farewell *f)
{
	f->left = f->away = 0;
	for (size_t i = 0; i < ch->ledger.n; i++) {
		const struct vm_record *r = &ch->ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(ch->sample, r->uuid);
		size_t n = owed(r, f);
		if (vm && vm->id >= 0)
			f->left += n;
		else
			f->away += n > 0;
		if (n && vm && vm->hung_since_ns && !f->why[0])
			snprintf(f->why, sizeof f->why, "its monitor does not answer");
	}
	if (f->left && !f->why[0])
		snprintf(f->why, sizeof f->why, "its present state is not known yet");
}

static void count_actions(const struct changes *ch, struct farewell *f)
{
	for (size_t i = 0; i < ch->plan->n; i++) {
		const struct action *a = &ch->plan->actions[i];
		f->done += a->outcome == OUTCOME_DONE;
		f->planned += a->outcome == OUTCOME_PLANNED;
		bool failed = a->outcome != OUTCOME_DONE && a->outcome != OUTCOME_PLANNED;
		if (failed && !f->why[0])
			snprintf(f->why, sizeof f->why, "%.159s", a->error);
		/* What is tried again is told when it is made; what is left is named at the end. */
		if (f->out && !failed)
			print_action(f->out, ch, a);
	}
}

/* What only puts back needs no claim, and nothing that steers has to wait for it. */
static void carry_out(struct changes *ch)
{
	struct steering none = {false, false, false};
	struct err e = ERR_INIT; /* is said, and on each action */
	if (ch->plan->n && ch->cfg->dry_run)
		changes_dry(ch);
	else if (ch->plan->n)
		changes_carry_out(ch, &none, &e);
}

static void put_back(struct changes *ch, struct farewell *f)
{
	plan_reset(ch->plan);
	struct settled s = restore_settle(ch, f->pattern);
	if (restore_plan(ch, f->pattern, f->all, &s.back) < 0)
		plan_reset(ch->plan); /* out of memory: the journal keeps it */
	f->foreign += s.foreign;
	f->done += s.back;
	carry_out(ch);
	backend_decided(ch->b,
		&(struct decision){.leaving = true, .actions = ch->plan->actions, .n_actions = ch->plan->n});
	f->why[0] = '\0';
	count_actions(ch, f);
	if (!ch->cfg->dry_run)
		count_left(ch, f);
}

/* -1: nothing could be tried: no sample, no right, or no journal. *final: trying again would not help. */
static int try_once(struct changes *ch, struct farewell *f, bool *final, struct err *e)
{
	if (f->by->look(f->by->arg, e) < 0)
		return -1;
	if (ch->status->readonly)
		return err_set(e, ERR_DENIED, "the connection is read-only now");
	if (apply_journal(ch, e) < 0) {
		*final = true;
		return -1;
	}
	put_back(ch, f);
	return 0;
}

/* ---- and again ---- */

static bool rest(struct changes *ch, const struct farewell *f)
{
	int64_t next = ch->b->ops->now(ch->b) + AGAIN_MS * (SECOND / 1000);
	next = min_of(next, f->until_ns);
	/* An event ends the wait early; a moment passes all the same. */
	for (int64_t now; (now = ch->b->ops->now(ch->b)) < next;)
		if (f->by->hurried(f->by->arg) || ch->b->ops->wait(ch->b, next, f->by->fd) == WAKE_END)
			return false;
	return !f->by->hurried(f->by->arg) && ch->b->ops->now(ch->b) < f->until_ns;
}

static void tell_progress(struct changes *ch, struct farewell *f, const struct err *e)
{
	int64_t now = ch->b->ops->now(ch->b);
	const char *why = e->code ? e->msg : f->why;
	bool news = strncmp(f->told, why, sizeof f->told - 1) != 0;
	if (f->told_ns && !(news && now - f->told_ns > SECOND) && now - f->told_ns < TELL_S * SECOND)
		return;
	snprintf(f->told, sizeof f->told, "%.159s", why);
	f->told_ns = now;
	talk_event(ch->talk, LOG_EVENT,
		"end: %zu change%s still to be put back: %.200s; trying for %.0f s more, Ctrl-C stops that",
		f->left, text_s(f->left), why, (double)(f->until_ns - now) / (double)SECOND);
	f->by->tell(f->by->arg);
}

/* 0: nothing is left. */
static int try_until(struct changes *ch, struct farewell *f, struct err *e)
{
	f->until_ns = ch->b->ops->now(ch->b) + (int64_t)(ch->cfg->restore_deadline_s * (double)SECOND);
	for (bool final = false;;) {
		*e = (struct err)ERR_INIT;
		if (try_once(ch, f, &final, e) == 0 && !f->left)
			return 0;
		if (e->code && !f->left) /* not even looked at yet */
			f->left = owed_all(ch, f);
		if (final || ch->b->ops->now(ch->b) >= f->until_ns)
			return -1;
		tell_progress(ch, f, e);
		if (!rest(ch, f))
			return -1;
	}
}

/* ---- what came of it ---- */

static void say(const struct farewell *f, char *buf, size_t len)
{
	const char *what = f->all ? "change" : "statistics period";
	int n = f->planned ? snprintf(buf, len, "%zu %s%s would be put back", f->planned, what,
				     text_s(f->planned))
			   : snprintf(buf, len, "%zu %s%s put back", f->done, what, text_s(f->done));
	if (f->left)
		n += snprintf(buf + n, len - (size_t)n, ", %zu not", f->left);
	if (f->foreign)
		n += snprintf(buf + n, len - (size_t)n, "; %zu changed by somebody else since, left so",
			f->foreign);
	if (f->stay)
		n += snprintf(
			buf + n, len - (size_t)n, "; %zu change%s left in force", f->stay, text_s(f->stay));
	if (f->away)
		snprintf(buf + n, len - (size_t)n, "; %zu VM%s not here, the journal keeps what it had",
			f->away, f->away == 1 ? " is" : "s are");
}

/* "web-1: vCPU 0, vCPU 2, balloon" */
static void name_objects(const struct vm_record *r, const struct farewell *f, char *buf, size_t len)
{
	char name[121];
	text_escape(name, sizeof name, r->name);
	int n = snprintf(buf, len, "%s:", name);
	for (size_t i = 0; f->all && i < r->n_vcpus && n < (int)len - 60; i++)
		n += snprintf(buf + n, len - (size_t)n, " vCPU %d,", r->vcpus[i].id);
	if (f->all && r->wrote_kib >= 0)
		n += snprintf(buf + n, len - (size_t)n, " balloon,");
	if (r->period.wrote >= 0)
		n += snprintf(buf + n, len - (size_t)n, " statistics period,");
	if (f->all && r->shares.wrote >= 0)
		n += snprintf(buf + n, len - (size_t)n, " CPU shares,");
	buf[n - 1] = '\0';
}

static void name_left(struct changes *ch, const struct farewell *f)
{
	size_t named = 0;
	for (size_t i = 0; i < ch->ledger.n; i++) {
		char text[320];
		const struct vm_record *r = &ch->ledger.vms[i];
		if (!owed(r, f) || named++ >= NAMED_MOST)
			continue;
		name_objects(r, f, text, sizeof text);
		if (f->out)
			fprintf(f->out, "not put back: %s\n", text);
		else
			talk_event(ch->talk, LOG_ERROR, "not put back: %s", text);
	}
}

/* The line about what is left that whoever ended vmtop must see. */
static int rest_remains(struct changes *ch, struct farewell *f, const struct err *e)
{
	char uri[120] = "";
	if (*ch->cfg->uri)
		snprintf(uri, sizeof uri, " -c %.100s", ch->cfg->uri);
	name_left(ch, f);
	return err_set(&ch->left, ERR_RUNTIME,
		"%zu change%s could not be put back: %.140s; vmtop%.110s --restore does it later", f->left,
		text_s(f->left), e->code ? e->msg : f->why, uri);
}

int leave(struct changes *ch, const struct leave_hands *by, bool restore)
{
	struct err e = ERR_INIT;
	struct farewell f = {.by = by, .all = restore};
	char text[240];
	ch->leaving = true;
	by->tell(by->arg);
	int rc = owed_all(ch, &f) ? try_until(ch, &f, &e) : 0;
	f.stay = restore ? 0 : changes_in_force(ch);
	say(&f, text, sizeof text);
	if (restore || f.done + f.left)
		talk_event(ch->talk, rc < 0 ? LOG_ERROR : LOG_EVENT, "end: %s", text);
	return rc < 0 ? rest_remains(ch, &f, &e) : 0;
}

/* A release beside a vmtop that steers, and a dry run: the journal is read and not touched. Whoever steers
 * sees the pins as found and leaves the VM alone for a while. */
static int borrow_journal(struct changes *ch, struct err *e)
{
	ch->borrowed = true;
	return changes_read_journal(ch, e) < 0 ? -1 : 0;
}

static int put_back_aloud(
	struct changes *ch, const struct leave_hands *by, const char *pattern, FILE *out, struct err *e)
{
	struct farewell f = {.by = by, .pattern = pattern, .all = true, .out = out};
	char text[240];
	/* Only now: whoever steers must be known before its journal is. */
	if (ch->watches && borrow_journal(ch, e) < 0)
		return -1;
	ch->borrowed |= ch->cfg->dry_run;
	ch->leaving = true;
	int rc = try_until(ch, &f, e);
	if (rc < 0 && !owed_all(ch, &f))
		return rc; /* the journal is not ours to read */
	say(&f, text, sizeof text);
	fprintf(out, "%s\n", text);
	if (ch->borrowed && f.done)
		fprintf(out, "the vmtop that steers here leaves them alone for %.0f s\n",
			ch->cfg->foreign_hold_s);
	if (rc == 0)
		return 0;
	rest_remains(ch, &f, e);
	*e = ch->left;
	return -1;
}

/* What is not about one change: lines of the journal that cannot be, VMs that are no more, who steers. */
static void print_words(FILE *out, const struct changes *ch)
{
	const struct log_ring *l = &ch->talk->log;
	for (size_t i = 0; i < l->n; i++) {
		const struct log_line *line = &l->lines[(l->first + i) % SNAPSHOT_LOG];
		if ((line->kind == LOG_EVENT || line->kind == LOG_ERROR) &&
			strncmp(line->text, "end: ", 5) != 0 &&
			strncmp(line->text, "an earlier vmtop", 16) != 0 &&
			strcmp(line->text, ch->unread.msg) != 0)
			fprintf(out, "%s\n", line->text);
	}
}

int leave_aloud(
	struct changes *ch, const struct leave_hands *by, const char *pattern, FILE *out, struct err *e)
{
	int rc = 0;
	if (!changes_allowed(ch))
		rc = err_set(e, ERR_DENIED, "%s", ch->talk->notice);
	else if (ch->unread.code)
		rc = err_set(e, ERR_RUNTIME, "%s", ch->unread.msg);
	else if (!changes_in_force(ch) && !ch->watches)
		fprintf(out, "nothing to put back: no vmtop left changes on %s\n", ch->status->uri);
	else
		rc = put_back_aloud(ch, by, pattern, out, e);
	print_words(out, ch);
	return rc;
}
