/* SPDX-License-Identifier: MIT */
/* Unattended moves by Pacemaker: looks, tries, writes, waits, takes away, and tells each as a line.
 * Invariant: what is written has been tried on the configuration that it is written to; it stands only while
 * Pacemaker moves guests; nothing is left when this ends, or it is said what is. */
#include "fleet_auto.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/fleet_auto.h"
#include "vmtop/text.h"

/* LOOK_S: while nobody is in need; LEFT_MOST: VMs named that are left alone. */
enum { LOOK_S = 30, LEFT_MOST = 20, LINE = 4 * CLUSTER_TEXT, CLEARS = 5, CLEAR_NAP_S = 2, SETTLE_S = 180 };

struct fleet_auto_run {
	const struct config *cfg;
	const struct output *to;
	bool json, reader_gone;
	struct cluster_self self;
	struct cluster cluster;
	struct fleet_auto_pace pace;
	bool begun;  /* the start has been told */
	bool stands; /* something is written */
	int64_t wrote_ns, looked_ns;
	struct cluster_actions awaited; /* what was to come of it */
	char told[LINE];                /* the last obstacle; empty: none */
	char refused[LINE / 2];         /* why the last try was; empty: it was not */
};

static double since(int64_t ns)
{
	return (double)(clock_ns() - ns) / 1e9;
}

/* ---- lines ---- */

static void put(struct fleet_auto_run *run, const char *line)
{
	struct err err;
	size_t n = strlen(line);
	char *text = malloc(n + 2);
	if (!text)
		return;
	memcpy(text, line, n);
	memcpy(text + n, "\n", 2);
	if (output_write(run->to, text, n + 1, &err) == 0)
		run->reader_gone = true;
	free(text);
}

static json_t *json_actions(const struct cluster_actions *actions)
{
	json_t *list = json_array();
	char what[3 * sizeof actions->list->what];
	for (size_t i = 0; list && i < actions->n; i++) {
		const struct cluster_action *action = &actions->list[i];
		text_utf8(what, sizeof what, action->what);
		json_array_append_new(
			list, json_pack("{s:s,s:s?,s:s?,s:s?}", "action", what, "resource",
				      text_or(action->resource, NULL), "from", text_or(action->from, NULL),
				      "to", text_or(action->to, NULL)));
	}
	return list;
}

/* what: a word for programs; actions: may be NULL. */
static void tell(
	struct fleet_auto_run *run, const char *what, const struct cluster_actions *actions, const char *text)
{
	char time[48], line[LINE + 64];
	text_time(time, sizeof time, clock_wall_ns());
	if (!run->json) {
		snprintf(line, sizeof line, "%s %s", time, text);
		put(run, line);
		return;
	}
	json_t *j = json_pack("{s:s,s:s,s:s,s:o?}", "time", time, "pacemaker", what, "text", text, "actions",
		actions ? json_actions(actions) : NULL);
	char *dump = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (dump)
		put(run, dump);
	free(dump);
	json_decref(j);
}

/* Once, until it is another one or gone. */
static void tell_obstacle(struct fleet_auto_run *run, const char *text)
{
	char safe[LINE];
	text_safe(safe, sizeof safe, text);
	if (strcmp(run->told, safe) == 0)
		return;
	if (*safe)
		tell(run, "waits", NULL, safe);
	else
		tell(run, "goes-on", NULL, "what kept vmtop from writing demand is over");
	memcpy(run->told, safe, sizeof run->told);
}

static void tell_actions(
	struct fleet_auto_run *run, const struct fleet_auto *pair, const struct cluster_actions *actions)
{
	char text[3 * CLUSTER_TEXT], line[LINE];
	for (size_t i = 0; !run->json && i < actions->n && i < LEFT_MOST; i++) {
		fleet_auto_action_text(pair, &actions->list[i], text, sizeof text);
		snprintf(line, sizeof line, "  %zu. %s", i + 1, text);
		put(run, line);
	}
	if (!run->json && actions->n > LEFT_MOST)
		put(run, "  and more");
}

/* ---- the cluster ---- */

static int look(struct fleet_auto_run *run, struct err *err)
{
	run->looked_ns = clock_ns();
	return cluster_look(&run->cluster, &run->self, time(NULL), err);
}

static bool is_own(const struct fleet_auto_run *run, const struct cluster_mark *mark)
{
	return mark->node == run->self.mark.node && mark->pid == run->self.mark.pid &&
	       mark->start == run->self.mark.start;
}

/* Of a vmtop that was killed; true: anything was. */
static bool clear_left_overs(struct fleet_auto_run *run)
{
	bool any = false;
	for (size_t i = 0; i < run->cluster.n_marks; i++) {
		const struct cluster_mark *mark = &run->cluster.marks[i];
		struct err err = ERR_INIT;
		char text[LINE];
		if (is_own(run, mark) ? run->stands : !cluster_left_over(mark, &run->self, time(NULL)))
			continue;
		any = true;
		if (cluster_clear(mark, &err) == 0)
			snprintf(text, sizeof text,
				"demand that vmtop (process %lld of node number %lld) had left behind is taken away",
				(long long)mark->pid, (long long)mark->node);
		else
			snprintf(text, sizeof text, "demand that was left behind cannot be taken away: %s",
				err.msg);
		tell(run, "cleared", NULL, text);
	}
	return any;
}

struct fleet_auto_run *fleet_auto_open(
	const struct config *cfg, const struct output *to, bool json, struct err *err)
{
	struct fleet_auto_run *run = calloc(1, sizeof *run);
	if (!run) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*run = (struct fleet_auto_run){.cfg = cfg,
		.to = to,
		.json = json,
		.pace = {.after_s = cfg->fleet_auto_after_s, .rest_s = cfg->fleet_auto_rest_s}};
	int rc = cfg->readonly || cfg->dry_run
			 ? err_set(err, ERR_USAGE,
				   "the config says %s: nothing is written; --plan shows what would be",
				   cfg->readonly ? "readonly" : "dry_run")
			 : cluster_self(&run->self, err);
	if (rc == 0)
		rc = look(run, err);
	if (rc == 0 && *run->cluster.stop)
		rc = err_set(err, ERR_CONNECT, "%s", run->cluster.stop);
	if (rc == 0)
		return run;
	if (err->code == ERR_CONNECT || err->code == ERR_TIMEOUT)
		err->code = ERR_CONNECT;
	err_prefix(err, "fleet: --auto=fleet");
	cluster_done(&run->cluster);
	free(run);
	return NULL;
}

/* ---- what stands ---- */

static int take_away(struct fleet_auto_run *run, struct err *err)
{
	int rc = cluster_clear(&run->self.mark, err);
	if (rc == 0)
		run->stands = false;
	return rc;
}

/* How many of those that were to move are where they were to go. */
static size_t arrived(const struct fleet_auto_run *run)
{
	size_t n = 0;
	for (size_t i = 0; i < run->awaited.n; i++)
		for (size_t k = 0; k < run->cluster.n_guests; k++) {
			const struct cluster_guest *guest = &run->cluster.guests[k];
			n += strcmp(guest->resource, run->awaited.list[i].resource) == 0 &&
			     guest->node != CLUSTER_NOWHERE &&
			     strcmp(run->cluster.nodes[guest->node].name, run->awaited.list[i].to) == 0;
		}
	return n;
}

/* A change of the configuration has Pacemaker decide anew. One that was about to migrate a guest may start it
 * where it was, while it runs at the target already: nothing is taken away before that has ended. */
static bool under_way(const struct fleet_auto_run *run)
{
	for (size_t i = 0; i < run->awaited.n; i++)
		for (size_t k = 0; k < run->cluster.n_guests; k++) {
			const struct cluster_guest *guest = &run->cluster.guests[k];
			if (strcmp(guest->resource, run->awaited.list[i].resource) == 0 && guest->moving)
				return true;
		}
	return false;
}

/* Empty: it has to stand on. */
static void over_for(const struct fleet_auto_run *run, char *buf, size_t len)
{
	size_t n = arrived(run), all = run->awaited.n;
	buf[0] = '\0';
	if (*run->cluster.stop)
		snprintf(buf, len, "%s", run->cluster.stop);
	else if (strcmp(run->cluster.strategy, "default") == 0)
		snprintf(buf, len, "placement-strategy is default now");
	else if (n == all && !run->cluster.does.n)
		snprintf(buf, len, "Pacemaker has moved %zu guest%s in %.0f s", n, text_s(n),
			since(run->wrote_ns));
	else if (since(run->wrote_ns) >= CLUSTER_LASTS_S)
		snprintf(buf, len,
			"Pacemaker has moved %zu of %zu guest%s in %.0f s, and no more is waited for", n, all,
			text_s(all), since(run->wrote_ns));
}

static void follow(struct fleet_auto_run *run)
{
	struct err err = ERR_INIT;
	char why[CLUSTER_TEXT + 100], text[LINE];
	if (look(run, &err) < 0) {
		snprintf(why, sizeof why, "%.300s", err.msg);
		tell_obstacle(run, why);
		return;
	}
	over_for(run, why, sizeof why);
	if (!*why)
		return;
	if (under_way(run)) {
		snprintf(text, sizeof text, "%s; demand is taken away once the migration has ended", why);
		tell_obstacle(run, text);
		return;
	}
	if (take_away(run, &err) < 0) {
		snprintf(text, sizeof text, "%s; the demand cannot be taken away: %s", why, err.msg);
		tell_obstacle(run, text);
		return;
	}
	snprintf(text, sizeof text, "%s; demand and capacity are taken away again", why);
	tell(run, *run->cluster.stop ? "stopped" : "done", NULL, text);
	run->told[0] = '\0';
	run->pace.over_ns = 0;
	if (look(run, &err) == 0)
		fleet_auto_settled(&run->pace, &run->cluster);
}

/* ---- what may be written ---- */

static int write_it(struct fleet_auto_run *run, const struct fleet_auto *pair, struct cluster_trial *trial)
{
	struct err err = ERR_INIT;
	char text[LINE];
	/* What is not known to have failed may yet be written. */
	run->stands = true;
	if (cluster_write(&run->cluster, &run->self, &pair->demand, time(NULL), &err) < 0) {
		snprintf(text, sizeof text, "not written, and tried again: %s", err.msg);
		tell_obstacle(run, text);
		struct err late = ERR_INIT;
		take_away(run, &late);
		return -1;
	}
	run->wrote_ns = clock_ns();
	cluster_actions_done(&run->awaited);
	run->awaited = trial->does;
	trial->does = (struct cluster_actions){.list = NULL};
	snprintf(text, sizeof text,
		"written: demand of %zu guest%s and capacity of their nodes; Pacemaker decides now (they end by themselves "
		"in %d min)",
		pair->n_given, text_s(pair->n_given), CLUSTER_LASTS_S / 60);
	tell(run, "written", NULL, text);
	return 0;
}

/* What Pacemaker would do, in words. 1: it may be written; 0: it must not; -1: not known. */
static int predict(struct fleet_auto_run *run, const struct fleet_auto *pair, struct cluster_trial *trial)
{
	struct err err = ERR_INIT;
	char why[LINE / 2], text[LINE];
	if (cluster_try(&run->cluster, &run->self, &pair->demand, time(NULL), trial, &err) < 0) {
		tell_obstacle(run, err.msg);
		return -1;
	}
	bool refuses = fleet_auto_refuses(pair, trial, why, sizeof why),
	     known = refuses && strcmp(why, run->refused) == 0;
	snprintf(run->refused, sizeof run->refused, "%s", refuses ? why : "");
	if (known) /* said when it was tried before */
		return 0;
	snprintf(text, sizeof text,
		"%zu host%s in need: with the demand of %zu guest%s crm_simulate says that Pacemaker would do:%s",
		pair->n_over, text_s(pair->n_over), pair->n_given, text_s(pair->n_given),
		text_if(!trial->does.n, " nothing"));
	tell(run, "predicted", &trial->does, text);
	tell_actions(run, pair, &trial->does);
	if (!refuses)
		return 1;
	snprintf(text, sizeof text, "not written: %s", why);
	tell(run, "refused", NULL, text);
	return 0;
}

static int attempt(struct fleet_auto_run *run, const struct fleet_auto *pair)
{
	struct cluster_trial trial = {.does = {.list = NULL}};
	if (run->cluster.does.n) {
		tell_obstacle(run, "Pacemaker is at work: demand is written when it has settled");
		return 0;
	}
	if (!pair->n_over) {
		tell_obstacle(run,
			"a host is in need, and none of its guests is a resource that Pacemaker may move");
		return 0;
	}
	if (!fleet_auto_changed(&run->pace, pair))
		return 0;
	int may = predict(run, pair, &trial);
	bool again = may < 0 || (may > 0 && write_it(run, pair, &trial) < 0);
	cluster_trial_done(&trial);
	if (may == 0)
		fleet_auto_refused(&run->pace, clock_ns());
	return again || may == 0 ? 0 : fleet_auto_tried(&run->pace, pair, clock_ns());
}

/* ---- a turn ---- */

static void tell_start(struct fleet_auto_run *run, const struct fleet_auto *pair)
{
	char text[LINE];
	size_t left = 0;
	snprintf(text, sizeof text,
		"node %s: %zu node%s, %zu guest%s may move by Pacemaker (placement-strategy %s), once a host's guests want "
		"more than it has for %.0f s",
		run->self.node, run->cluster.n_nodes, text_s(run->cluster.n_nodes), pair->n_given,
		text_s(pair->n_given), run->cluster.strategy, run->cfg->fleet_auto_after_s);
	tell(run, "starts", NULL, text);
	for (size_t i = 0; i < pair->fleet->n_vms; i++)
		if (fleet_auto_left(pair, i, text, sizeof text) && left++ < LEFT_MOST)
			tell(run, "left-alone", NULL, text);
	if (left > LEFT_MOST) {
		snprintf(text, sizeof text, "and %zu more are left alone", left - LEFT_MOST);
		tell(run, "left-alone", NULL, text);
	}
	run->begun = true;
}

/* -1: this fleet is none that Pacemaker can be asked for. */
static int consider(struct fleet_auto_run *run, const struct fleet_auto *pair, bool due, struct err *err)
{
	char text[LINE];
	bool unfit = fleet_auto_unfit(pair, text, sizeof text);
	if (unfit && !run->begun)
		return err_set(err, ERR_USAGE, "fleet: --auto=fleet: %s", text);
	if (!run->begun)
		tell_start(run, pair);
	if (unfit || *run->cluster.stop) {
		tell_obstacle(run, unfit ? text : run->cluster.stop);
		return 0;
	}
	if (!due) {
		tell_obstacle(run, "");
		return 0;
	}
	return attempt(run, pair) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int watch(struct fleet_auto_run *run, const struct fleet *fleet, struct fleet_proposal *proposal,
	struct err *err)
{
	struct err bad = ERR_INIT;
	struct fleet_auto pair;
	bool due = fleet_auto_due(&run->pace, proposal->plan.overloaded > 0, clock_ns());
	if (run->begun && !due && since(run->looked_ns) < LOOK_S)
		return 0;
	if (look(run, &bad) < 0) {
		tell_obstacle(run, bad.msg);
		return 0;
	}
	if (clear_left_overs(run) && look(run, &bad) < 0)
		return 0;
	if (fleet_auto_make(&pair, fleet, proposal, &run->cluster, run->cfg) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = consider(run, &pair, due, err);
	fleet_auto_done(&pair);
	return rc;
}

int fleet_auto_turn(struct fleet_auto_run *run, const struct fleet *fleet, struct err *err)
{
	struct fleet_proposal proposal = {.n_units = 0};
	int rc = fleet_propose(fleet, &proposal) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
	if (rc == 0 && run->stands)
		follow(run);
	else if (rc == 0)
		rc = watch(run, fleet, &proposal, err);
	fleet_proposal_done(&proposal);
	return rc < 0 ? rc : !run->reader_gone;
}

/* ---- before anything is written ---- */

static int preview(struct fleet_auto_run *run, const struct fleet_auto *pair, struct err *err)
{
	struct cluster_trial trial = {.does = {.list = NULL}};
	char text[LINE];
	if (fleet_auto_unfit(pair, text, sizeof text))
		return err_set(err, ERR_USAGE, "fleet: --auto=fleet: %s", text);
	tell_start(run, pair);
	if (!pair->n_over)
		tell(run, "predicted", NULL,
			"no host with guests that Pacemaker may move is in need: no demand would be written");
	else if (predict(run, pair, &trial) > 0)
		tell(run, "would-write", NULL, "this is what --auto=fleet would have written; nothing is");
	cluster_trial_done(&trial);
	return 0;
}

int fleet_auto_preview(struct fleet_auto_run *run, const struct fleet *fleet, struct err *err)
{
	struct fleet_proposal proposal = {.n_units = 0};
	struct fleet_auto pair = {.fleet = NULL};
	int rc = fleet_propose(fleet, &proposal) < 0 ||
				 fleet_auto_make(&pair, fleet, &proposal, &run->cluster, run->cfg) < 0
			 ? err_set(err, ERR_NOMEM, "out of memory")
			 : preview(run, &pair, err);
	fleet_auto_done(&pair);
	fleet_proposal_done(&proposal);
	return rc < 0 ? rc : !run->reader_gone;
}

/* ---- the end ---- */

/* Pacemaker has done what the demand had it begin. -1: it does not come to its end. */
static int settle(struct fleet_auto_run *run, struct err *err)
{
	int64_t until = clock_ns() + SETTLE_S * INT64_C(1000000000);
	bool told = false;
	for (;; sleep(1)) {
		int rc = look(run, err);
		if (rc == 0 && !under_way(run) && (!run->cluster.does.n || *run->cluster.stop))
			return 0;
		if (clock_ns() >= until)
			return rc < 0 ? rc : err_set(err, ERR_TIMEOUT, "Pacemaker is still at work");
		if (!told)
			tell(run, "waits", NULL,
				"the end: demand is taken away once Pacemaker has done what it has begun");
		told = true;
	}
}

int fleet_auto_close(struct fleet_auto_run *run, struct err *err)
{
	struct err bad = ERR_INIT;
	int settled = run->stands ? settle(run, &bad) : 0, rc = settled;
	for (int i = 0; settled == 0 && run->stands && i < CLEARS; i++) {
		if (i)
			sleep(CLEAR_NAP_S);
		rc = take_away(run, &bad);
		if (rc == 0)
			tell(run, "cleared", NULL, "the end: demand and capacity are taken away again");
	}
	if (rc < 0)
		err_set(err, ERR_RUNTIME,
			"fleet: demand is left in the cluster (it ends by itself within %d min; the next --auto=fleet on "
			"this node takes it away): %.150s",
			CLUSTER_LASTS_S / 60, bad.msg);
	cluster_actions_done(&run->awaited);
	cluster_done(&run->cluster);
	fleet_auto_pace_done(&run->pace);
	free(run);
	return rc;
}
