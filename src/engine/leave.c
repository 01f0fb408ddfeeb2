/* SPDX-License-Identifier: MIT */
/* The orderly end, and the restore or release of what an earlier or a running vmtop changed. Invariant: only
 * what is still as we wrote it is put back; what could not be is still in the journal afterwards. */
#include <stdio.h>
#include <string.h>

#include "priv.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

/* What became of the changes that were to be put back. */
struct farewell {
	size_t done, failed;
	size_t planned; /* of a dry run */
	size_t foreign; /* objects that somebody else changed since: they stay */
	size_t away;    /* VMs that are not here or do not answer: the journal keeps them */
};

bool engine_wants_restore(const struct engine *en)
{
	if (en->quit_restore || en->cfg.on_exit == ON_EXIT_RESTORE)
		return true;
	return en->cfg.on_exit == ON_EXIT_DEFAULT && en->cfg.batch;
}

bool leave_anything(const struct engine *en)
{
	for (size_t i = 0; i < en->ledger.n; i++)
		if (record_changes(&en->ledger.vms[i]))
			return true;
	return false;
}

static void put_back(struct engine *en, const char *pattern, bool all, struct farewell *f)
{
	plan_reset(&en->plan);
	f->foreign = restore_settle(en, pattern);
	if (restore_plan(en, pattern, all) < 0)
		plan_reset(&en->plan); /* out of memory: the journal keeps it */
	apply_plan(en, NULL, NULL);
	backend_decided(en->b,
		&(struct decision){.leaving = true, .actions = en->plan.actions, .n_actions = en->plan.n});
	for (size_t i = 0; i < en->plan.n; i++) {
		enum outcome o = en->plan.actions[i].outcome;
		f->done += o == OUTCOME_DONE;
		f->planned += o == OUTCOME_PLANNED;
		f->failed += o != OUTCOME_DONE && o != OUTCOME_PLANNED;
	}
	for (size_t i = 0; all && i < en->ledger.n; i++) {
		const struct vm_record *r = &en->ledger.vms[i];
		const struct vm_sample *vm = sample_vm_by_uuid(&en->sample, r->uuid);
		bool here = vm && vm->id >= 0 && !vm->hung_since_ns;
		f->away += record_changes(r) && !here && (!pattern || restore_named(pattern, r));
	}
}

static size_t say(const struct farewell *f, char *buf, size_t len)
{
	int n = f->planned
			? snprintf(buf, len, "%zu change%s would be put back", f->planned, text_s(f->planned))
			: snprintf(buf, len, "%zu change%s put back", f->done, text_s(f->done));
	if (f->failed)
		n += snprintf(buf + n, len - (size_t)n, ", %zu not", f->failed);
	if (f->foreign)
		n += snprintf(buf + n, len - (size_t)n, "; %zu changed by somebody else since, left so",
			f->foreign);
	if (f->away)
		n += snprintf(buf + n, len - (size_t)n, "; %zu VM%s not here, the journal keeps what it had",
			f->away, f->away == 1 ? " is" : "s are");
	return (size_t)n;
}

/* What an earlier run left is not for one that came to look: it was told of U and --restore. */
static bool only_looked(const struct engine *en)
{
	return en->inherited && !en->journal && !en->quit_restore && en->cfg.on_exit == ON_EXIT_DEFAULT &&
	       !en->cfg.auto_cpu && !en->cfg.auto_memory;
}

void engine_leave(struct engine *en, bool restore)
{
	struct err e = ERR_INIT;
	struct farewell f = {0};
	char text[240];
	plan_reset(&en->plan);
	if (!leave_anything(en) || only_looked(en) || en->cfg.dry_run || en->status.replay)
		return;
	if (en->status.readonly) {
		log_event(en, LOG_ERROR, "nothing could be put back: the connection is read-only now");
		return;
	}
	en->want_fresh = true;
	if (engine_look(en, &e) < 0 || apply_journal(en, &e) < 0) {
		log_event(
			en, LOG_ERROR, "nothing could be put back: %s; vmtop --restore does it later", e.msg);
		return;
	}
	put_back(en, NULL, restore, &f);
	say(&f, text, sizeof text);
	if (restore || f.done + f.failed)
		log_event(en, f.failed ? LOG_ERROR : LOG_EVENT, "end: %s", text);
}

static void print_action(FILE *out, const struct engine *en, const struct action *a)
{
	char name[256], to[256] = "";
	text_escape(name, sizeof name, en->sample.vms[a->vm].name);
	fprintf(out, "%s: %s", name, action_kind_text(a->kind));
	if (a->kind == ACTION_PIN && cpuset_format(&a->to, to, sizeof to) >= sizeof to)
		snprintf(to, sizeof to, "%d pCPUs", cpuset_count(&a->to));
	if (a->kind == ACTION_BALLOON)
		text_kib(to, sizeof to, a->to_kib);
	if (a->kind == ACTION_PERIOD)
		snprintf(to, sizeof to, "%d s", a->to_s);
	if (a->kind == ACTION_PIN)
		fprintf(out, " of vCPU %d", a->vcpu);
	fprintf(out, " back to %s, %s%s%s\n", to, outcome_text(a->outcome), *a->error ? ": " : "", a->error);
}

/* A release beside a vmtop that steers, and a dry run: the journal is read and not touched. Whoever steers
 * sees the pins as found and leaves the VM alone for a while. */
static int borrow_journal(struct engine *en, struct err *e)
{
	en->borrowed = true;
	return engine_read_journal(en, e) < 0 ? -1 : 0;
}

static int put_back_aloud(struct engine *en, const char *pattern, FILE *out, struct err *e)
{
	struct farewell f = {0};
	char text[240];
	/* Only now: whoever steers must be known before its journal is. */
	if (en->watches && borrow_journal(en, e) < 0)
		return -1;
	en->borrowed |= en->cfg.dry_run;
	en->want_fresh = true;
	if (engine_look(en, e) < 0 || apply_journal(en, e) < 0)
		return -1;
	put_back(en, pattern, true, &f);
	for (size_t i = 0; i < en->plan.n; i++)
		print_action(out, en, &en->plan.actions[i]);
	say(&f, text, sizeof text);
	fprintf(out, "%s\n", text);
	if (en->borrowed && f.done)
		fprintf(out, "the vmtop that steers here leaves them alone for %.0f s\n",
			en->cfg.foreign_hold_s);
	return f.failed ? err_set(e, ERR_RUNTIME, "not everything could be put back; run it again") : 0;
}

/* What is not about one change: lines of the journal that cannot be, VMs that are no more, who steers. */
static void print_words(FILE *out, const struct engine *en)
{
	const struct log_ring *l = &en->log;
	for (size_t i = 0; i < l->n; i++) {
		const struct log_line *line = &l->lines[(l->first + i) % SNAPSHOT_LOG];
		if ((line->kind == LOG_EVENT || line->kind == LOG_ERROR) &&
			strncmp(line->text, "end: ", 5) != 0 &&
			strncmp(line->text, "an earlier vmtop", 16) != 0 &&
			strcmp(line->text, en->unread.msg) != 0)
			fprintf(out, "%s\n", line->text);
	}
}

int engine_restore_journal(
	const struct config *cfg, struct backend *b, const char *pattern, FILE *out, struct err *e)
{
	struct engine *en = engine_new(cfg, b, e);
	int rc = 0;
	if (!en)
		return -1;
	en->cfg.auto_cpu = en->cfg.auto_memory = en->stats_on = false;
	if (!engine_may_change(en))
		rc = err_set(e, ERR_DENIED, "%s", en->notice);
	else if (en->unread.code)
		rc = err_set(e, ERR_RUNTIME, "%s", en->unread.msg);
	else if (!leave_anything(en) && !en->watches)
		fprintf(out, "nothing to put back: no vmtop left changes on %s\n", en->status.uri);
	else
		rc = put_back_aloud(en, pattern, out, e);
	print_words(out, en);
	engine_free(en);
	return rc;
}
