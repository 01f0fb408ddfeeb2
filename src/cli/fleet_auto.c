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
	struct cluster c;
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

static void put(struct fleet_auto_run *r, const char *line)
{
	struct err e;
	size_t n = strlen(line);
	char *text = malloc(n + 2);
	if (!text)
		return;
	memcpy(text, line, n);
	memcpy(text + n, "\n", 2);
	if (output_write(r->to, text, n + 1, &e) == 0)
		r->reader_gone = true;
	free(text);
}

static json_t *json_actions(const struct cluster_actions *x)
{
	json_t *list = json_array();
	char what[3 * sizeof x->list->what];
	for (size_t i = 0; list && i < x->n; i++) {
		const struct cluster_action *a = &x->list[i];
		text_utf8(what, sizeof what, a->what);
		json_array_append_new(list, json_pack("{s:s,s:s?,s:s?,s:s?}", "action", what, "resource",
						    *a->resource ? a->resource : NULL, "from",
						    *a->from ? a->from : NULL, "to", *a->to ? a->to : NULL));
	}
	return list;
}

/* what: a word for programs; actions: may be NULL. */
static void tell(
	struct fleet_auto_run *r, const char *what, const struct cluster_actions *actions, const char *text)
{
	char time[48], line[LINE + 64];
	text_time(time, sizeof time, clock_wall_ns());
	if (!r->json) {
		snprintf(line, sizeof line, "%s %s", time, text);
		put(r, line);
		return;
	}
	json_t *j = json_pack("{s:s,s:s,s:s,s:o?}", "time", time, "pacemaker", what, "text", text, "actions",
		actions ? json_actions(actions) : NULL);
	char *dump = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (dump)
		put(r, dump);
	free(dump);
	json_decref(j);
}

/* Once, until it is another one or gone. */
static void tell_obstacle(struct fleet_auto_run *r, const char *text)
{
	char safe[LINE];
	text_safe(safe, sizeof safe, text);
	if (strcmp(r->told, safe) == 0)
		return;
	if (*safe)
		tell(r, "waits", NULL, safe);
	else
		tell(r, "goes-on", NULL, "what kept vmtop from writing demand is over");
	memcpy(r->told, safe, sizeof r->told);
}

static void tell_actions(
	struct fleet_auto_run *r, const struct fleet_auto *a, const struct cluster_actions *x)
{
	char text[3 * CLUSTER_TEXT], line[LINE];
	for (size_t i = 0; !r->json && i < x->n && i < LEFT_MOST; i++) {
		fleet_auto_action_text(a, &x->list[i], text, sizeof text);
		snprintf(line, sizeof line, "  %zu. %s", i + 1, text);
		put(r, line);
	}
	if (!r->json && x->n > LEFT_MOST)
		put(r, "  and more");
}

/* ---- the cluster ---- */

static int look(struct fleet_auto_run *r, struct err *e)
{
	r->looked_ns = clock_ns();
	return cluster_look(&r->c, &r->self, time(NULL), e);
}

static bool is_own(const struct fleet_auto_run *r, const struct cluster_mark *m)
{
	return m->node == r->self.mark.node && m->pid == r->self.mark.pid && m->start == r->self.mark.start;
}

/* Of a vmtop that was killed; true: anything was. */
static bool clear_left_overs(struct fleet_auto_run *r)
{
	bool any = false;
	for (size_t i = 0; i < r->c.n_marks; i++) {
		const struct cluster_mark *m = &r->c.marks[i];
		struct err e = ERR_INIT;
		char text[LINE];
		if (is_own(r, m) ? r->stands : !cluster_left_over(m, &r->self, time(NULL)))
			continue;
		any = true;
		if (cluster_clear(m, &e) == 0)
			snprintf(text, sizeof text,
				"demand that vmtop (process %lld of node number %lld) had left behind is taken away",
				(long long)m->pid, (long long)m->node);
		else
			snprintf(text, sizeof text, "demand that was left behind cannot be taken away: %s",
				e.msg);
		tell(r, "cleared", NULL, text);
	}
	return any;
}

struct fleet_auto_run *fleet_auto_open(
	const struct config *cfg, const struct output *to, bool json, struct err *e)
{
	struct fleet_auto_run *r = calloc(1, sizeof *r);
	if (!r) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*r = (struct fleet_auto_run){.cfg = cfg,
		.to = to,
		.json = json,
		.pace = {.after_s = cfg->fleet_auto_after_s, .rest_s = cfg->fleet_auto_rest_s}};
	int rc = cfg->readonly || cfg->dry_run
			 ? err_set(e, ERR_USAGE,
				   "the config says %s: nothing is written; --plan shows what would be",
				   cfg->readonly ? "readonly" : "dry_run")
			 : cluster_self(&r->self, e);
	if (rc == 0)
		rc = look(r, e);
	if (rc == 0 && *r->c.stop)
		rc = err_set(e, ERR_CONNECT, "%s", r->c.stop);
	if (rc == 0)
		return r;
	if (e->code == ERR_CONNECT || e->code == ERR_TIMEOUT)
		e->code = ERR_CONNECT;
	err_prefix(e, "fleet: --auto=fleet");
	cluster_done(&r->c);
	free(r);
	return NULL;
}

/* ---- what stands ---- */

static int take_away(struct fleet_auto_run *r, struct err *e)
{
	int rc = cluster_clear(&r->self.mark, e);
	if (rc == 0)
		r->stands = false;
	return rc;
}

/* How many of those that were to move are where they were to go. */
static size_t arrived(const struct fleet_auto_run *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->awaited.n; i++)
		for (size_t k = 0; k < r->c.n_guests; k++) {
			const struct cluster_guest *g = &r->c.guests[k];
			n += strcmp(g->resource, r->awaited.list[i].resource) == 0 &&
			     g->node != CLUSTER_NOWHERE &&
			     strcmp(r->c.nodes[g->node].name, r->awaited.list[i].to) == 0;
		}
	return n;
}

/* A change of the configuration has Pacemaker decide anew. One that was about to migrate a guest may start it
 * where it was, while it runs at the target already: nothing is taken away before that has ended. */
static bool under_way(const struct fleet_auto_run *r)
{
	for (size_t i = 0; i < r->awaited.n; i++)
		for (size_t k = 0; k < r->c.n_guests; k++) {
			const struct cluster_guest *g = &r->c.guests[k];
			if (strcmp(g->resource, r->awaited.list[i].resource) == 0 && g->moving)
				return true;
		}
	return false;
}

/* Empty: it has to stand on. */
static void over_for(const struct fleet_auto_run *r, char *buf, size_t len)
{
	size_t n = arrived(r), all = r->awaited.n;
	buf[0] = '\0';
	if (*r->c.stop)
		snprintf(buf, len, "%s", r->c.stop);
	else if (strcmp(r->c.strategy, "default") == 0)
		snprintf(buf, len, "placement-strategy is default now");
	else if (n == all && !r->c.does.n)
		snprintf(buf, len, "Pacemaker has moved %zu guest%s in %.0f s", n, text_s(n),
			since(r->wrote_ns));
	else if (since(r->wrote_ns) >= CLUSTER_LASTS_S)
		snprintf(buf, len,
			"Pacemaker has moved %zu of %zu guest%s in %.0f s, and no more is waited for", n, all,
			text_s(all), since(r->wrote_ns));
}

static void follow(struct fleet_auto_run *r)
{
	struct err e = ERR_INIT;
	char why[CLUSTER_TEXT + 100], text[LINE];
	if (look(r, &e) < 0) {
		snprintf(why, sizeof why, "%.300s", e.msg);
		tell_obstacle(r, why);
		return;
	}
	over_for(r, why, sizeof why);
	if (!*why)
		return;
	if (under_way(r)) {
		snprintf(text, sizeof text, "%s; demand is taken away once the migration has ended", why);
		tell_obstacle(r, text);
		return;
	}
	if (take_away(r, &e) < 0) {
		snprintf(text, sizeof text, "%s; the demand cannot be taken away: %s", why, e.msg);
		tell_obstacle(r, text);
		return;
	}
	snprintf(text, sizeof text, "%s; demand and capacity are taken away again", why);
	tell(r, *r->c.stop ? "stopped" : "done", NULL, text);
	r->told[0] = '\0';
	r->pace.over_ns = 0;
	if (look(r, &e) == 0)
		fleet_auto_settled(&r->pace, &r->c);
}

/* ---- what may be written ---- */

static int write_it(struct fleet_auto_run *r, const struct fleet_auto *a, struct cluster_trial *t)
{
	struct err e = ERR_INIT;
	char text[LINE];
	/* What is not known to have failed may yet be written. */
	r->stands = true;
	if (cluster_write(&r->c, &r->self, &a->demand, time(NULL), &e) < 0) {
		snprintf(text, sizeof text, "not written, and tried again: %s", e.msg);
		tell_obstacle(r, text);
		struct err late = ERR_INIT;
		take_away(r, &late);
		return -1;
	}
	r->wrote_ns = clock_ns();
	cluster_actions_done(&r->awaited);
	r->awaited = t->does;
	t->does = (struct cluster_actions){.list = NULL};
	snprintf(text, sizeof text,
		"written: demand of %zu guest%s and capacity of their nodes; Pacemaker decides now (they end by themselves "
		"in %d min)",
		a->n_given, text_s(a->n_given), CLUSTER_LASTS_S / 60);
	tell(r, "written", NULL, text);
	return 0;
}

/* What Pacemaker would do, in words. 1: it may be written; 0: it must not; -1: not known. */
static int predict(struct fleet_auto_run *r, const struct fleet_auto *a, struct cluster_trial *t)
{
	struct err e = ERR_INIT;
	char why[LINE / 2], text[LINE];
	if (cluster_try(&r->c, &r->self, &a->demand, time(NULL), t, &e) < 0) {
		tell_obstacle(r, e.msg);
		return -1;
	}
	bool refuses = fleet_auto_refuses(a, t, why, sizeof why),
	     known = refuses && strcmp(why, r->refused) == 0;
	snprintf(r->refused, sizeof r->refused, "%s", refuses ? why : "");
	if (known) /* said when it was tried before */
		return 0;
	snprintf(text, sizeof text,
		"%zu host%s in need: with the demand of %zu guest%s crm_simulate says that Pacemaker would do:%s",
		a->n_over, text_s(a->n_over), a->n_given, text_s(a->n_given), t->does.n ? "" : " nothing");
	tell(r, "predicted", &t->does, text);
	tell_actions(r, a, &t->does);
	if (!refuses)
		return 1;
	snprintf(text, sizeof text, "not written: %s", why);
	tell(r, "refused", NULL, text);
	return 0;
}

static int attempt(struct fleet_auto_run *r, const struct fleet_auto *a)
{
	struct cluster_trial t = {.does = {.list = NULL}};
	if (r->c.does.n) {
		tell_obstacle(r, "Pacemaker is at work: demand is written when it has settled");
		return 0;
	}
	if (!a->n_over) {
		tell_obstacle(
			r, "a host is in need, and none of its guests is a resource that Pacemaker may move");
		return 0;
	}
	if (!fleet_auto_changed(&r->pace, a))
		return 0;
	int may = predict(r, a, &t);
	bool again = may < 0 || (may > 0 && write_it(r, a, &t) < 0);
	cluster_trial_done(&t);
	if (may == 0)
		fleet_auto_refused(&r->pace, clock_ns());
	return again || may == 0 ? 0 : fleet_auto_tried(&r->pace, a, clock_ns());
}

/* ---- a turn ---- */

static void tell_start(struct fleet_auto_run *r, const struct fleet_auto *a)
{
	char text[LINE];
	size_t left = 0;
	snprintf(text, sizeof text,
		"node %s: %zu node%s, %zu guest%s may move by Pacemaker (placement-strategy %s), once a host's guests want "
		"more than it has for %.0f s",
		r->self.node, r->c.n_nodes, text_s(r->c.n_nodes), a->n_given, text_s(a->n_given),
		r->c.strategy, r->cfg->fleet_auto_after_s);
	tell(r, "starts", NULL, text);
	for (size_t i = 0; i < a->fleet->n_vms; i++)
		if (fleet_auto_left(a, i, text, sizeof text) && left++ < LEFT_MOST)
			tell(r, "left-alone", NULL, text);
	if (left > LEFT_MOST) {
		snprintf(text, sizeof text, "and %zu more are left alone", left - LEFT_MOST);
		tell(r, "left-alone", NULL, text);
	}
	r->begun = true;
}

/* -1: this fleet is none that Pacemaker can be asked for. */
static int consider(struct fleet_auto_run *r, const struct fleet_auto *a, bool due, struct err *e)
{
	char text[LINE];
	bool unfit = fleet_auto_unfit(a, text, sizeof text);
	if (unfit && !r->begun)
		return err_set(e, ERR_USAGE, "fleet: --auto=fleet: %s", text);
	if (!r->begun)
		tell_start(r, a);
	if (unfit || *r->c.stop) {
		tell_obstacle(r, unfit ? text : r->c.stop);
		return 0;
	}
	if (!due) {
		tell_obstacle(r, "");
		return 0;
	}
	return attempt(r, a) < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

static int watch(struct fleet_auto_run *r, const struct fleet *f, struct fleet_proposal *p, struct err *e)
{
	struct err bad = ERR_INIT;
	struct fleet_auto a;
	bool due = fleet_auto_due(&r->pace, p->plan.overloaded > 0, clock_ns());
	if (r->begun && !due && since(r->looked_ns) < LOOK_S)
		return 0;
	if (look(r, &bad) < 0) {
		tell_obstacle(r, bad.msg);
		return 0;
	}
	if (clear_left_overs(r) && look(r, &bad) < 0)
		return 0;
	if (fleet_auto_make(&a, f, p, &r->c, r->cfg) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	int rc = consider(r, &a, due, e);
	fleet_auto_done(&a);
	return rc;
}

int fleet_auto_turn(struct fleet_auto_run *r, const struct fleet *f, struct err *e)
{
	struct fleet_proposal p = {.n_units = 0};
	int rc = fleet_propose(f, &p) < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
	if (rc == 0 && r->stands)
		follow(r);
	else if (rc == 0)
		rc = watch(r, f, &p, e);
	fleet_proposal_done(&p);
	return rc < 0 ? rc : !r->reader_gone;
}

/* ---- before anything is written ---- */

static int preview(struct fleet_auto_run *r, const struct fleet_auto *a, struct err *e)
{
	struct cluster_trial t = {.does = {.list = NULL}};
	char text[LINE];
	if (fleet_auto_unfit(a, text, sizeof text))
		return err_set(e, ERR_USAGE, "fleet: --auto=fleet: %s", text);
	tell_start(r, a);
	if (!a->n_over)
		tell(r, "predicted", NULL,
			"no host with guests that Pacemaker may move is in need: no demand would be written");
	else if (predict(r, a, &t) > 0)
		tell(r, "would-write", NULL, "this is what --auto=fleet would have written; nothing is");
	cluster_trial_done(&t);
	return 0;
}

int fleet_auto_preview(struct fleet_auto_run *r, const struct fleet *f, struct err *e)
{
	struct fleet_proposal p = {.n_units = 0};
	struct fleet_auto a = {.fleet = NULL};
	int rc = fleet_propose(f, &p) < 0 || fleet_auto_make(&a, f, &p, &r->c, r->cfg) < 0
			 ? err_set(e, ERR_NOMEM, "out of memory")
			 : preview(r, &a, e);
	fleet_auto_done(&a);
	fleet_proposal_done(&p);
	return rc < 0 ? rc : !r->reader_gone;
}

/* ---- the end ---- */

/* Pacemaker has done what the demand had it begin. -1: it does not come to its end. */
static int settle(struct fleet_auto_run *r, struct err *e)
{
	int64_t until = clock_ns() + SETTLE_S * INT64_C(1000000000);
	bool told = false;
	for (;; sleep(1)) {
		int rc = look(r, e);
		if (rc == 0 && !under_way(r) && (!r->c.does.n || *r->c.stop))
			return 0;
		if (clock_ns() >= until)
			return rc < 0 ? rc : err_set(e, ERR_TIMEOUT, "Pacemaker is still at work");
		if (!told)
			tell(r, "waits", NULL,
				"the end: demand is taken away once Pacemaker has done what it has begun");
		told = true;
	}
}

int fleet_auto_close(struct fleet_auto_run *r, struct err *e)
{
	struct err bad = ERR_INIT;
	int settled = r->stands ? settle(r, &bad) : 0, rc = settled;
	for (int i = 0; settled == 0 && r->stands && i < CLEARS; i++) {
		if (i)
			sleep(CLEAR_NAP_S);
		rc = take_away(r, &bad);
		if (rc == 0)
			tell(r, "cleared", NULL, "the end: demand and capacity are taken away again");
	}
	if (rc < 0)
		err_set(e, ERR_RUNTIME,
			"fleet: demand is left in the cluster (it ends by itself within %d min; the next --auto=fleet on "
			"this node takes it away): %.150s",
			CLUSTER_LASTS_S / 60, bad.msg);
	cluster_actions_done(&r->awaited);
	cluster_done(&r->c);
	fleet_auto_pace_done(&r->pace);
	free(r);
	return rc;
}
