/* SPDX-License-Identifier: MIT */
/* The orderly end, and the restore or release of what an earlier or a running vmtop changed. What fails is
 * tried again, over new connections too, until a deadline or until nobody waits any longer. Invariant: only
 * what is still as we wrote it is put back; what could not be is still in the journal afterwards, and is
 * said.
 */
#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

enum { AGAIN_MS = 500, TELL_S = 10, NAMED_MOST = 64 };

/* What became of the changes that were to be put back. */
struct farewell {
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

bool engine_wants_restore(const struct engine *en)
{
	if (en->quit_restore || en->cfg.on_exit == ON_EXIT_RESTORE)
		return true;
	return en->cfg.on_exit == ON_EXIT_DEFAULT && en->cfg.batch;
}

void engine_watch(struct engine *en, const struct leave_watch *w)
{
	en->watch = *w;
}

const struct err *engine_failed(const struct engine *en)
{
	return &en->failed;
}

const struct err *engine_left(const struct engine *en)
{
	return &en->left;
}

static void tell(struct engine *en)
{
	if (en->watch.tell)
		en->watch.tell(en->watch.arg, en);
}

/* ---- one try ---- */

/* Objects of one VM that this farewell is to put back. */
static size_t owed(const struct vm_record *r, const struct farewell *f)
{
	if (f->pattern && !restore_named(f->pattern, r))
		return 0;
	return f->all ? (size_t)record_changes(r) : r->period.wrote >= 0;
}

static size_t owed_all(const struct engine *en, const struct farewell *f)
{
	size_t n = 0;
	for (size_t i = 0; i < en->changes.ledger.n; i++)
		n += owed(&en->changes.ledger.vms[i], f);
	return n;
}

static void count_left(const struct engine *en, struct farewell *f)
{
	f->left = f->away = 0;
	for (size_t i = 0; i < en->changes.ledger.n; i++) {
		const struct vm_record *r = &en->changes.ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, r->uuid);
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

static void print_action(FILE *out, const struct engine *en, const struct action *a);

static void count_actions(const struct engine *en, struct farewell *f)
{
	for (size_t i = 0; i < en->plan.n; i++) {
		const struct action *a = &en->plan.actions[i];
		f->done += a->outcome == OUTCOME_DONE;
		f->planned += a->outcome == OUTCOME_PLANNED;
		bool failed = a->outcome != OUTCOME_DONE && a->outcome != OUTCOME_PLANNED;
		if (failed && !f->why[0])
			snprintf(f->why, sizeof f->why, "%.159s", a->error);
		/* What is tried again is told when it is made; what is left is named at the end. */
		if (f->out && !failed)
			print_action(f->out, en, a);
	}
}

static void put_back(struct engine *en, struct farewell *f)
{
	plan_reset(&en->plan);
	struct settled s = restore_settle(&en->changes, f->pattern);
	if (restore_plan(&en->changes, f->pattern, f->all, &s.back) < 0)
		plan_reset(&en->plan); /* out of memory: the journal keeps it */
	f->foreign += s.foreign;
	f->done += s.back;
	steer_apply(en, NULL, NULL);
	backend_decided(en->b,
		&(struct decision){.leaving = true, .actions = en->plan.actions, .n_actions = en->plan.n});
	f->why[0] = '\0';
	count_actions(en, f);
	if (!en->cfg.dry_run)
		count_left(en, f);
}

/* -1: it could not even be tried. *final: nor could it a moment later. */
static int try_once(struct engine *en, struct farewell *f, bool *final, struct err *e)
{
	en->want_fresh = true;
	if (engine_look(en, e) < 0)
		return -1;
	if (en->status.readonly)
		return err_set(e, ERR_DENIED, "the connection is read-only now");
	if (apply_journal(&en->changes, e) < 0) {
		*final = e->code != ERR_TIMEOUT && e->code != ERR_CONNECT;
		return -1;
	}
	put_back(en, f);
	return 0;
}

/* ---- and again ---- */

/* Somebody asked once more for the end, or is gone. */
static bool hurried(struct engine *en)
{
	struct command c;
	ssize_t n = 1;
	if (en->watch.fd < 0)
		return false;
	while ((n = read(en->watch.fd, &c, sizeof c)) == (ssize_t)sizeof c)
		if (c.kind == CMD_QUIT)
			return true;
	return n == 0;
}

static bool rest(struct engine *en, int64_t until_ns)
{
	int64_t next = en->b->ops->now(en->b) + AGAIN_MS * (SECOND / 1000);
	next = next < until_ns ? next : until_ns;
	/* An event ends the wait early; a moment passes all the same. */
	for (int64_t now; (now = en->b->ops->now(en->b)) < next;)
		if (hurried(en) || en->b->ops->wait(en->b, next, en->watch.fd) == WAKE_END)
			return false;
	return !hurried(en) && en->b->ops->now(en->b) < until_ns;
}

static void tell_progress(struct engine *en, struct farewell *f, const struct err *e)
{
	int64_t now = en->b->ops->now(en->b);
	const char *why = e->code ? e->msg : f->why;
	bool news = strncmp(f->told, why, sizeof f->told - 1) != 0;
	if (f->told_ns && !(news && now - f->told_ns > SECOND) && now - f->told_ns < TELL_S * SECOND)
		return;
	snprintf(f->told, sizeof f->told, "%.159s", why);
	f->told_ns = now;
	talk_event(&en->talk, LOG_EVENT,
		"end: %zu change%s still to be put back: %.200s; trying for %.0f s more, Ctrl-C stops that",
		f->left, text_s(f->left), why, (double)(f->until_ns - now) / (double)SECOND);
	tell(en);
}

/* 0: nothing is left. */
static int try_until(struct engine *en, struct farewell *f, struct err *e)
{
	f->until_ns = en->b->ops->now(en->b) + (int64_t)(en->cfg.restore_deadline_s * (double)SECOND);
	for (bool final = false;;) {
		*e = (struct err)ERR_INIT;
		if (try_once(en, f, &final, e) == 0 && !f->left)
			return 0;
		if (e->code && !f->left) /* not even looked at yet */
			f->left = owed_all(en, f);
		if (final || en->b->ops->now(en->b) >= f->until_ns)
			return -1;
		tell_progress(en, f, e);
		if (!rest(en, f->until_ns))
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

static void name_left(struct engine *en, const struct farewell *f)
{
	size_t named = 0;
	for (size_t i = 0; i < en->changes.ledger.n; i++) {
		char text[320];
		const struct vm_record *r = &en->changes.ledger.vms[i];
		if (!owed(r, f) || named++ >= NAMED_MOST)
			continue;
		name_objects(r, f, text, sizeof text);
		if (f->out)
			fprintf(f->out, "not put back: %s\n", text);
		else
			talk_event(&en->talk, LOG_ERROR, "not put back: %s", text);
	}
}

/* The line that whoever ended it must see. */
static int rest_remains(struct engine *en, struct farewell *f, const struct err *e)
{
	char uri[120] = "";
	if (*en->cfg.uri)
		snprintf(uri, sizeof uri, " -c %.100s", en->cfg.uri);
	name_left(en, f);
	return err_set(&en->left, ERR_RUNTIME,
		"%zu change%s could not be put back: %.140s; vmtop%.110s --restore does it later", f->left,
		text_s(f->left), e->code ? e->msg : f->why, uri);
}

/* What an earlier run left is not for one that came to look: it was told of U and --restore. */
static bool only_looked(const struct engine *en)
{
	return en->changes.inherited && !en->changes.journal && !en->quit_restore &&
	       en->cfg.on_exit == ON_EXIT_DEFAULT && !auto_wanted(en);
}

int engine_leave(struct engine *en, bool restore)
{
	struct err e = ERR_INIT;
	struct farewell f = {.all = restore};
	char text[240];
	plan_reset(&en->plan);
	if (!changes_in_force(&en->changes) || only_looked(en) || en->cfg.dry_run || en->status.replay)
		return 0;
	en->leave_seq = en->talk.log.seq + 1;
	en->changes.leaving = true;
	tell(en);
	int rc = owed_all(en, &f) ? try_until(en, &f, &e) : 0;
	f.stay = restore ? 0 : changes_in_force(&en->changes);
	say(&f, text, sizeof text);
	if (restore || f.done + f.left)
		talk_event(&en->talk, rc < 0 ? LOG_ERROR : LOG_EVENT, "end: %s", text);
	return rc < 0 ? rest_remains(en, &f, &e) : 0;
}

static void print_action(FILE *out, const struct engine *en, const struct action *a)
{
	char name[256], to[256] = "";
	text_escape(name, sizeof name, en->sample.vms[a->vm].name);
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

/* A release beside a vmtop that steers, and a dry run: the journal is read and not touched. Whoever steers
 * sees the pins as found and leaves the VM alone for a while. */
static int borrow_journal(struct engine *en, struct err *e)
{
	en->changes.borrowed = true;
	return changes_read_journal(&en->changes, e) < 0 ? -1 : 0;
}

static int put_back_aloud(struct engine *en, const char *pattern, FILE *out, struct err *e)
{
	struct farewell f = {.pattern = pattern, .all = true, .out = out};
	char text[240];
	/* Only now: whoever steers must be known before its journal is. */
	if (en->changes.watches && borrow_journal(en, e) < 0)
		return -1;
	en->changes.borrowed |= en->cfg.dry_run;
	en->leave_seq = en->talk.log.seq + 1;
	en->changes.leaving = true;
	int rc = try_until(en, &f, e);
	if (rc < 0 && !owed_all(en, &f))
		return rc; /* the journal is not ours to read */
	say(&f, text, sizeof text);
	fprintf(out, "%s\n", text);
	if (en->changes.borrowed && f.done)
		fprintf(out, "the vmtop that steers here leaves them alone for %.0f s\n",
			en->cfg.foreign_hold_s);
	if (rc == 0)
		return 0;
	rest_remains(en, &f, e);
	*e = en->left;
	return -1;
}

/* Progress for whoever waits, as lines of the log. */
static void tell_aloud(void *arg, struct engine *en)
{
	const struct log_ring *l = &en->talk.log;
	fprintf(arg, "%s\n", l->lines[(l->first + l->n - 1) % SNAPSHOT_LOG].text);
	fflush(arg);
}

bool engine_any_journal(void)
{
	char path[JOURNAL_PATH];
	bool any = false;
	DIR *d = journal_path(path, sizeof path, "any") == 0 ? opendir(dirname(path)) : NULL;
	for (const struct dirent *f; d && !any && (f = readdir(d));)
		any = f->d_name[0] != '.';
	if (d)
		closedir(d);
	return any;
}

/* What is not about one change: lines of the journal that cannot be, VMs that are no more, who steers. */
static void print_words(FILE *out, const struct engine *en)
{
	const struct log_ring *l = &en->talk.log;
	for (size_t i = 0; i < l->n; i++) {
		const struct log_line *line = &l->lines[(l->first + i) % SNAPSHOT_LOG];
		if ((line->kind == LOG_EVENT || line->kind == LOG_ERROR) &&
			strncmp(line->text, "end: ", 5) != 0 &&
			strncmp(line->text, "an earlier vmtop", 16) != 0 &&
			strcmp(line->text, en->changes.unread.msg) != 0)
			fprintf(out, "%s\n", line->text);
	}
}

int engine_restore_journal(
	const struct config *cfg, struct backend *b, const char *pattern, FILE *out, int fd, struct err *e)
{
	struct engine *en = engine_new(cfg, b, e);
	int rc = 0;
	if (!en)
		return -1;
	en->cfg.auto_cpu = en->cfg.auto_memory = en->stats_on = false;
	engine_watch(en, &(struct leave_watch){fd, tell_aloud, out});
	if (!engine_may_change(en))
		rc = err_set(e, ERR_DENIED, "%s", en->talk.notice);
	else if (en->changes.unread.code)
		rc = err_set(e, ERR_RUNTIME, "%s", en->changes.unread.msg);
	else if (!changes_in_force(&en->changes) && !en->changes.watches)
		fprintf(out, "nothing to put back: no vmtop left changes on %s\n", en->status.uri);
	else
		rc = put_back_aloud(en, pattern, out, e);
	print_words(out, en);
	engine_free(en);
	return rc;
}
