/* SPDX-License-Identifier: MIT */
/* The orderly end, and the restore of what an earlier run left. Invariant: only what is still as we wrote it
 * is put back; the journal goes when, and only when, everything could be. */
#include <stdio.h>
#include <string.h>

#include "priv.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

bool engine_wants_restore(const struct engine *en)
{
	if (en->quit_restore || en->cfg.on_exit == ON_EXIT_RESTORE)
		return true;
	return en->cfg.on_exit == ON_EXIT_DEFAULT && en->cfg.batch;
}

static bool anything_left(const struct engine *en)
{
	for (size_t i = 0; i < en->ledger.n; i++)
		if (record_changed(&en->ledger.vms[i]))
			return true;
	return false;
}

/* True when every change could be put back, so that the journal has nothing more to say. */
static bool put_back(struct engine *en, bool all)
{
	bool clean = true;
	plan_reset(&en->plan);
	if (restore_plan(en, all) < 0)
		return false;
	apply_plan(en, NULL, NULL);
	backend_decided(en->b,
		&(struct decision){.leaving = true, .actions = en->plan.actions, .n_actions = en->plan.n});
	for (size_t i = 0; i < en->plan.n; i++)
		clean &= en->plan.actions[i].outcome == OUTCOME_DONE;
	return clean;
}

void engine_leave(struct engine *en, bool restore)
{
	struct err e = ERR_INIT;
	if (!anything_left(en) || en->cfg.dry_run || en->status.readonly || en->status.replay)
		return;
	if (engine_look(en, &e) < 0 || apply_journal(en, &e) < 0) {
		log_event(en, LOG_ERROR, "nothing could be put back: %s", e.msg);
		return;
	}
	if (put_back(en, restore) && restore) {
		journal_close(en->journal, true);
		en->journal = NULL;
	}
}

static void print_action(FILE *out, const struct engine *en, const struct action *a)
{
	char name[256];
	text_escape(name, sizeof name, en->sample.vms[a->vm].name);
	fprintf(out, "%s: %s", name, action_kind_text(a->kind));
	if (a->kind == ACTION_PIN) {
		char cpus[256];
		cpuset_format(&a->to, cpus, sizeof cpus);
		fprintf(out, " of vCPU %d back to %s", a->vcpu, cpus);
	}
	fprintf(out, ", %s%s%s\n", outcome_text(a->outcome), *a->error ? ": " : "", a->error);
}

int engine_restore_journal(const struct config *cfg, struct backend *b, FILE *out, struct err *e)
{
	struct engine *en = engine_new(cfg, b, e);
	if (!en)
		return -1;
	int rc = 0;
	if (!anything_left(en)) {
		fprintf(out, "nothing to restore: no journal of an earlier run for %s\n", en->status.uri);
	} else if (!engine_may_change(en)) {
		rc = err_set(e, ERR_DENIED, "%s", en->notice);
	} else if (engine_look(en, e) < 0 || apply_journal(en, e) < 0) {
		rc = -1;
	} else {
		bool clean = put_back(en, true);
		for (size_t i = 0; i < en->plan.n; i++)
			print_action(out, en, &en->plan.actions[i]);
		fprintf(out, "%zu changes put back\n", en->plan.n);
		if (clean) {
			journal_close(en->journal, true);
			en->journal = NULL;
		} else {
			rc = err_set(e, ERR_RUNTIME,
				"not everything could be put back; run vmtop --restore again");
		}
	}
	engine_free(en);
	return rc;
}
