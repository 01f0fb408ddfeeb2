/* SPDX-License-Identifier: MIT */
/* The sequence of moves between hosts. Invariant: at most one move is under way; none begins after one that
 * was not done, or after an abort was asked for; none ends before it is known where its guest is, or that
 * this cannot be learnt. Knows no clock: time is told. */
#include "vmtop/moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

/* How long it is asked where a guest is, and how often; an abort may come too early to be taken. */
enum { AGAIN_S = 1, CHECKS_S = 60 };

bool moves_init(struct moves *moves, size_t n)
{
	*moves = (struct moves){.list = calloc(n + 1, sizeof *moves->list), .n = n};
	return moves->list != NULL;
}

void moves_done(struct moves *moves)
{
	free(moves->list);
	*moves = (struct moves){.list = NULL};
}

bool moves_copy(struct moves *to, const struct moves *from)
{
	struct moves copy = *from;
	copy.list = calloc(from->n + 1, sizeof *copy.list);
	if (!copy.list)
		return false;
	memcpy(copy.list, from->list, from->n * sizeof *copy.list);
	*to = copy;
	return true;
}

const struct move *moves_now(const struct moves *moves)
{
	return moves->at < moves->n ? &moves->list[moves->at] : NULL;
}

static struct move *in_state(struct moves *moves, enum move_state state)
{
	return moves->at < moves->n && moves->list[moves->at].state == state ? &moves->list[moves->at] : NULL;
}

/* The rest is left as it is. */
static void stop(struct moves *moves)
{
	for (; moves->at < moves->n; moves->at++)
		if (moves->list[moves->at].state == MOVE_WAITS)
			moves->list[moves->at].state = MOVE_NOT_BEGUN;
}

static void settle(struct moves *moves, struct move *move, enum move_state state, const char *why)
{
	move->state = state;
	snprintf(move->why, sizeof move->why, "%s", why);
	moves->at++;
	if (state != MOVE_DONE)
		stop(moves);
}

enum moves_order moves_next(struct moves *moves, int64_t now_ns)
{
	struct move *move = moves->at < moves->n ? &moves->list[moves->at] : NULL;
	if (move && move->state == MOVE_WAITS) {
		if (moves->abort)
			stop(moves);
		else
			move->state = MOVE_LOOKS;
		return moves->abort ? ORDER_END : ORDER_TELL;
	}
	if (move && move->state == MOVE_LOOKS)
		return ORDER_LOOK;
	bool acts = move && (move->state == MOVE_CHECKS || (move->state == MOVE_RUNS && moves->abort));
	if (!acts || now_ns < moves->due_ns)
		return move ? ORDER_WAIT : ORDER_END;
	if (move->state == MOVE_CHECKS && moves->abort && moves->goes_on) {
		moves->goes_on = false; /* told, and looked at again */
		return ORDER_ABORT;
	}
	moves->due_ns = now_ns + AGAIN_S * SECOND;
	return move->state == MOVE_RUNS ? ORDER_ABORT : ORDER_FIND;
}

void moves_looked(struct moves *moves, const struct move_look *look, int64_t now_ns)
{
	struct move *move = in_state(moves, MOVE_LOOKS);
	char why[MOVE_TEXT];
	if (!move)
		return;
	if (moves->abort) {
		move->state = MOVE_WAITS;
		stop(moves);
	} else if (move_refusal(move, look, why, sizeof why)) {
		settle(moves, move, MOVE_FAILED, why);
	} else {
		move->state = MOVE_RUNS;
		move->began_ns = now_ns;
		move->persistent = look->persistent;
		move->autostart = look->autostart;
		memcpy(move->resource, look->resource, sizeof move->resource);
		memcpy(move->node, look->node, sizeof move->node);
		moves->due_ns = 0;
	}
}

void moves_progress(struct moves *moves, const struct move_progress *progress)
{
	struct move *move = in_state(moves, MOVE_RUNS);
	if (move)
		move->progress = *progress;
}

void moves_ended(struct moves *moves, const char *error, int64_t now_ns)
{
	struct move *move = in_state(moves, MOVE_RUNS);
	if (!move)
		return;
	move->state = MOVE_CHECKS;
	move->ended_ns = moves->checks_ns = now_ns;
	moves->goes_on = false;
	moves->due_ns = 0;
	snprintf(moves->said, sizeof moves->said, "%s", text_or(error, ""));
}

void moves_abort(struct moves *moves)
{
	if (!moves->abort)
		moves->due_ns = 0;
	moves->abort = true;
}

/* ---- what came of it ---- */

/* Names in the words below, and an error as one line that a terminal may see. */
struct names {
	char from[160], to[160], said[MOVE_TEXT];
};

static void names_of(struct names *names, const struct moves *moves, const struct move *move)
{
	text_escape(names->from, sizeof names->from, move->from.name);
	text_escape(names->to, sizeof names->to, move->to.name);
	text_safe(names->said, sizeof names->said, moves->said);
}

static void stays(struct moves *moves, struct move *move, const struct names *names, const char *note)
{
	char why[MOVE_TEXT], advice[140];
	if (moves->abort) {
		snprintf(why, sizeof why, "the guest runs on at %.150s%s%.300s", names->from,
			text_if(*note, "; "), note);
		settle(moves, move, MOVE_ABORTED, why);
		return;
	}
	move_advice(move, moves->said, advice, sizeof advice);
	snprintf(why, sizeof why, "%.500s; the guest runs on at %.150s%s%.150s%s%s",
		text_or(names->said, "the migration ended without moving it"), names->from,
		text_if(*note, "; "), note, text_if(*advice, ": "), advice);
	settle(moves, move, MOVE_FAILED, why);
}

static void arrived(
	struct moves *moves, struct move *move, const struct move_found *found, const struct names *names)
{
	char why[MOVE_TEXT] = "";
	move->progress = found->progress;
	if (*names->said)
		snprintf(why, sizeof why, "it said \"%.500s\", but the guest runs at %.150s", names->said,
			names->to);
	size_t n = strlen(why);
	snprintf(why + n, sizeof why - n, "%s%.300s", text_if(n && *found->note, "; "), found->note);
	settle(moves, move, MOVE_DONE, why);
}

static void lost(
	struct moves *moves, struct move *move, const struct move_found *found, const struct names *names)
{
	static const char *const words[] = {[PLACE_UNKNOWN] = "does not tell",
		[PLACE_ABSENT] = "does not have it",
		[PLACE_ACTIVE] = "has it"};
	char why[MOVE_TEXT];
	snprintf(why, sizeof why,
		"%.150s %s, %.150s %s%s%.300s: look there (virsh list --all) before anything is started by hand",
		names->from, words[found->from], names->to, words[found->to], text_if(*names->said, "; "),
		names->said);
	settle(moves, move, MOVE_UNKNOWN, why);
}

void moves_found(struct moves *moves, const struct move_found *found, int64_t now_ns)
{
	struct move *move = in_state(moves, MOVE_CHECKS);
	struct names names;
	if (!move)
		return;
	names_of(&names, moves, move);
	moves->goes_on = found->busy;
	bool known = found->from != PLACE_UNKNOWN && found->to != PLACE_UNKNOWN,
	     one = found->from != found->to;
	if (known && one && !found->busy && found->to == PLACE_ACTIVE)
		arrived(moves, move, found, &names);
	else if (known && one && !found->busy)
		stays(moves, move, &names, found->note);
	else if (now_ns - moves->checks_ns >= CHECKS_S * SECOND)
		lost(moves, move, found, &names);
}
