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

static json_t *json_move(const struct moves *moves, size_t i)
{
	const struct move *move = &moves->list[i];
	const struct move_progress *progress = &move->progress;
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], uuid[UUID_TEXT];
	char why[3 * MOVE_TEXT];
	text_utf8(vm, sizeof vm, move->vm);
	text_utf8(from, sizeof from, move->from.name);
	text_utf8(to, sizeof to, move->to.name);
	text_utf8(why, sizeof why, move->why);
	uuid_format(move->uuid, uuid);
	return json_pack("{s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s?}", "move",
		(json_int_t)i + 1, "of", (json_int_t)moves->n, "vm", vm, "uuid", uuid, "from", from, "to", to,
		"state", move_state_key(move->state), "done_pct", json_num(progress->pct), "left_mib",
		json_num(progress->left_mib), "sent_mib_s", json_num(progress->sent_mib_s), "written_mib_s",
		json_num(progress->dirty_mib_s), "took_ms", json_num(progress->took_ms), "downtime_ms",
		json_num(progress->downtime_ms), "why", text_or(why, NULL));
}

static json_t *json_sum(const struct moves *moves)
{
	char text[200];
	moves_text(moves, text, sizeof text);
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "text", text, "moves", (json_int_t)moves->n, "done",
		(json_int_t)moves_count(moves, MOVE_DONE), "failed",
		(json_int_t)moves_count(moves, MOVE_FAILED), "aborted",
		(json_int_t)moves_count(moves, MOVE_ABORTED), "not_known",
		(json_int_t)moves_count(moves, MOVE_UNKNOWN), "not_begun",
		(json_int_t)moves_count(moves, MOVE_NOT_BEGUN));
}

static void say(const struct carry_order *order, const char *line)
{
	struct err err;
	char text[8 * MOVE_TEXT];
	int n = snprintf(text, sizeof text, "%s\n", line);
	output_write(order->to, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, &err);
}

static void say_json(const struct carry_order *order, json_t *j)
{
	char *line = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
	if (line)
		say(order, line);
	free(line);
	json_decref(j);
}

static void say_move(const struct teller *teller, const struct moves *moves, size_t i)
{
	char line[4 * MOVE_TEXT], title[2 * MOVE_TEXT], text[MOVE_TEXT];
	if (teller->order->json) {
		say_json(teller->order, json_move(moves, i));
		return;
	}
	move_title(&moves->list[i], title, sizeof title);
	move_text(&moves->list[i], clock_ns(), text, sizeof text);
	snprintf(line, sizeof line, "%3zu. %s: %s", i + 1, title, text);
	say(teller->order, line);
}

static void tell(struct teller *teller, const struct moves *moves)
{
	int64_t now = clock_ns();
	for (size_t i = 0; i < moves->n; i++) {
		enum move_state state = moves->list[i].state;
		bool progress = state == MOVE_RUNS && now - teller->told_ns >= TELL_MS * INT64_C(1000000);
		if (state == teller->told[i] && !progress)
			continue;
		teller->told_ns = now;
		teller->told[i] = state;
		say_move(teller, moves, i);
	}
}

static void tell_abort(struct teller *teller, struct carry *carry)
{
	carry_abort(carry);
	if (!teller->abort_told && !teller->order->json)
		say(teller->order, "aborting: no further move begins, and the one that runs is taken back");
	teller->abort_told = true;
}

/* ---- */

static int follow(struct teller *teller, struct carry *carry, struct err *err)
{
	const struct moves *moves;
	char text[200];
	bool over = false;
	while (!over) {
		struct pollfd fds[] = {{.fd = carry_fd(carry), .events = POLLIN},
			{.fd = teller->abort_told ? -1 : teller->order->signals, .events = POLLIN}};
		poll(fds, 2, 1000);
		if (signals_quit())
			tell_abort(teller, carry);
		carry_look(carry, &moves, &over);
		tell(teller, moves);
	}
	bool all = moves_count(moves, MOVE_DONE) == moves->n;
	moves_text(moves, text, sizeof text);
	if (teller->order->json)
		say_json(teller->order, json_sum(moves));
	else if (all)
		say(teller->order, text);
	return all ? 0 : err_set(err, ERR_RUNTIME, "fleet: %s", text);
}

int fleet_carry_check(bool yes, struct err *err)
{
	return yes || isatty(STDIN_FILENO)
		       ? 0
		       : err_set(err, ERR_USAGE,
				 "fleet: --carry-out asks before it begins, and standard input is no terminal; --yes does not ask");
}

/* The whole word, so that no stray key moves a guest. */
static bool asked(const struct carry_order *order, size_t n)
{
	char line[16];
	ssize_t got = 0;
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = order->signals, .events = POLLIN}};
	if (order->yes)
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

static int run(const struct carry_order *order, struct moves *moves, struct err *err)
{
	struct teller teller = {.order = order, .told = calloc(moves->n + 1, sizeof *teller.told)};
	struct mover *by = teller.told ? mover_libvirt(order->cfg, err) : NULL;
	struct carry *carry = by ? carry_start(moves, by, err) : NULL;
	int rc = carry ? follow(&teller, carry, err) : -1;
	free(teller.told);
	if (!teller.told)
		err_set(err, ERR_NOMEM, "out of memory");
	if (carry)
		carry_end(carry, 5); /* over: what hangs now is a connection that is being closed */
	return rc;
}

int fleet_carry(const struct carry_order *order, const struct fleet *fleet, struct err *err)
{
	struct fleet_proposal proposal = {.n_units = 0};
	struct moves moves = {.list = NULL};
	int rc = 0;
	if (order->cfg->readonly || order->cfg->dry_run)
		return err_set(err, ERR_USAGE, "fleet: the config says %s: nothing is carried out",
			order->cfg->readonly ? "readonly" : "dry_run");
	if (fleet_propose(fleet, &proposal) < 0 ||
		!carry_moves(&moves, fleet, &proposal, order->cfg->fleet_peers))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	else if (moves.n && !asked(order, moves.n))
		rc = err_set(err, ERR_RUNTIME, "fleet: nothing was begun: yes was not typed");
	else if (moves.n)
		rc = run(order, &moves, err);
	moves_done(&moves);
	fleet_proposal_done(&proposal);
	return rc;
}
