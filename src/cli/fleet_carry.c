/* SPDX-License-Identifier: MIT */
/* Carrying a fleet's plan out without a screen: asks, tells each state as a line of text or JSON, aborts at a
 * signal. Invariant: nothing is connected for writing before somebody said yes; every move that was begun is
 * told to its end. */
#include "fleet_carry.h"

#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"
#include "vmtop/carry.h"
#include "vmtop/clock.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/text.h"

enum { TELL_MS = 2000 }; /* how far a migration is, so often */

struct teller {
	const struct carry_order *order;
	enum move_state *told; /* by move */
	int64_t told_ns;       /* progress */
	bool abort_told;
};

/* ---- lines ---- */

static json_t *json_num(struct vf64 v)
{
	return vf64_has(v) && isfinite(v.v) ? json_real(round(v.v * 1000) / 1000) : json_null();
}

static json_t *json_move(const struct moves *ms, size_t i)
{
	const struct move *m = &ms->list[i];
	const struct move_progress *p = &m->progress;
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], uuid[UUID_TEXT];
	char why[3 * MOVE_TEXT];
	text_utf8(vm, sizeof vm, m->vm);
	text_utf8(from, sizeof from, m->from.name);
	text_utf8(to, sizeof to, m->to.name);
	text_utf8(why, sizeof why, m->why);
	uuid_format(m->uuid, uuid);
	return json_pack("{s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s?}", "move",
		(json_int_t)i + 1, "of", (json_int_t)ms->n, "vm", vm, "uuid", uuid, "from", from, "to", to,
		"state", move_state_key(m->state), "done_pct", json_num(p->pct), "left_mib",
		json_num(p->left_mib), "sent_mib_s", json_num(p->sent_mib_s), "written_mib_s",
		json_num(p->dirty_mib_s), "took_ms", json_num(p->took_ms), "downtime_ms",
		json_num(p->downtime_ms), "why", *why ? why : NULL);
}

static json_t *json_sum(const struct moves *ms)
{
	char text[200];
	moves_text(ms, text, sizeof text);
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "text", text, "moves", (json_int_t)ms->n, "done",
		(json_int_t)moves_count(ms, MOVE_DONE), "failed", (json_int_t)moves_count(ms, MOVE_FAILED),
		"aborted", (json_int_t)moves_count(ms, MOVE_ABORTED), "not_known",
		(json_int_t)moves_count(ms, MOVE_UNKNOWN), "not_begun",
		(json_int_t)moves_count(ms, MOVE_NOT_BEGUN));
}

static void say(const struct carry_order *o, const char *line)
{
	struct err e;
	char text[8 * MOVE_TEXT];
	int n = snprintf(text, sizeof text, "%s\n", line);
	output_write(o->to, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, &e);
}

static void say_json(const struct carry_order *o, json_t *j)
{
	char *line = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	if (line)
		say(o, line);
	free(line);
	json_decref(j);
}

static void say_move(const struct teller *t, const struct moves *ms, size_t i)
{
	char line[4 * MOVE_TEXT], title[2 * MOVE_TEXT], text[MOVE_TEXT];
	if (t->order->json) {
		say_json(t->order, json_move(ms, i));
		return;
	}
	move_title(&ms->list[i], title, sizeof title);
	move_text(&ms->list[i], clock_ns(), text, sizeof text);
	snprintf(line, sizeof line, "%3zu. %s: %s", i + 1, title, text);
	say(t->order, line);
}

static void tell(struct teller *t, const struct moves *ms)
{
	int64_t now = clock_ns();
	for (size_t i = 0; i < ms->n; i++) {
		enum move_state s = ms->list[i].state;
		bool progress = s == MOVE_RUNS && now - t->told_ns >= TELL_MS * INT64_C(1000000);
		if (s == t->told[i] && !progress)
			continue;
		t->told_ns = now;
		t->told[i] = s;
		say_move(t, ms, i);
	}
}

static void tell_abort(struct teller *t, struct carry *c)
{
	carry_abort(c);
	if (!t->abort_told && !t->order->json)
		say(t->order, "aborting: no further move begins, and the one that runs is taken back");
	t->abort_told = true;
}

/* ---- */

static int follow(struct teller *t, struct carry *c, struct err *e)
{
	const struct moves *ms;
	char text[200];
	bool over = false;
	while (!over) {
		struct pollfd fds[] = {{.fd = carry_fd(c), .events = POLLIN},
			{.fd = t->abort_told ? -1 : t->order->signals, .events = POLLIN}};
		poll(fds, 2, 1000);
		if (signals_quit())
			tell_abort(t, c);
		carry_look(c, &ms, &over);
		tell(t, ms);
	}
	bool all = moves_count(ms, MOVE_DONE) == ms->n;
	moves_text(ms, text, sizeof text);
	if (t->order->json)
		say_json(t->order, json_sum(ms));
	else if (all)
		say(t->order, text);
	return all ? 0 : err_set(e, ERR_RUNTIME, "fleet: %s", text);
}

int fleet_carry_check(bool yes, struct err *e)
{
	return yes || isatty(STDIN_FILENO)
		       ? 0
		       : err_set(e, ERR_USAGE,
				 "fleet: --carry-out asks before it begins, and standard input is no terminal; --yes does not ask");
}

/* The whole word, so that no stray key moves a guest. */
static bool asked(const struct carry_order *o, size_t n)
{
	char line[16];
	ssize_t got = 0;
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = o->signals, .events = POLLIN}};
	if (o->yes)
		return true;
	fprintf(stderr, "carry out %s%zu move%s, one after another? Type yes: ", n > 1 ? "these " : "this ",
		n, text_s(n));
	fflush(stderr);
	while (!signals_quit() && poll(fds, 2, -1) >= 0 && !fds[0].revents)
		;
	if (!signals_quit())
		got = read(STDIN_FILENO, line, sizeof line);
	return got == 4 && memcmp(line, "yes\n", 4) == 0;
}

static int run(const struct carry_order *o, struct moves *ms, struct err *e)
{
	struct teller t = {.order = o, .told = calloc(ms->n + 1, sizeof *t.told)};
	struct mover *by = t.told ? mover_libvirt(o->cfg, e) : NULL;
	struct carry *c = by ? carry_start(ms, by, e) : NULL;
	int rc = c ? follow(&t, c, e) : -1;
	free(t.told);
	if (!t.told)
		err_set(e, ERR_NOMEM, "out of memory");
	if (c)
		carry_end(c, 5); /* over: what hangs now is a connection that is being closed */
	return rc;
}

int fleet_carry(const struct carry_order *o, const struct fleet *f, struct err *e)
{
	struct fleet_proposal p = {.n_units = 0};
	struct moves ms = {.list = NULL};
	int rc = 0;
	if (o->cfg->readonly || o->cfg->dry_run)
		return err_set(e, ERR_USAGE, "fleet: the config says %s: nothing is carried out",
			o->cfg->readonly ? "readonly" : "dry_run");
	if (fleet_propose(f, &p) < 0 || !carry_moves(&ms, f, &p, o->cfg->fleet_peers))
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else if (ms.n && !asked(o, ms.n))
		rc = err_set(e, ERR_RUNTIME, "fleet: nothing was begun: yes was not typed");
	else if (ms.n)
		rc = run(o, &ms, e);
	moves_done(&ms);
	fleet_proposal_done(&p);
	return rc;
}
