/* SPDX-License-Identifier: MIT */
/* Moves between hosts on the fleet's screen: what y begins, Esc aborts, and q asks about. Invariant: the view
 * only shows what it was told of them, and tells what is wished; nothing is carried out here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_private.h"
#include "vmtop/carry.h"

bool fleet_moves_run(const struct fleet_view *v)
{
	return v->moving.list && !v->moving_over;
}

const struct moves *fleet_view_planned(const struct fleet_view *v)
{
	return &v->planned;
}

bool fleet_view_moves(struct fleet_view *v, const struct moves *ms, bool over)
{
	struct moves copy;
	if (moves_copy(&copy, ms)) {
		if (!v->moving.list) {
			v->over = FLEET_OVER_MOVES;
			v->over_row = 0;
			v->aborting = v->leaving = false;
		}
		moves_done(&v->moving);
		v->moving = copy;
	}
	v->moving_over = over;
	return over && v->leaving;
}

/* ---- drawing ---- */

static enum style style_of(enum move_state s)
{
	static const enum style styles[MOVE_STATE_COUNT] = {[MOVE_WAITS] = STYLE_DIM,
		[MOVE_LOOKS] = STYLE_TITLE,
		[MOVE_RUNS] = STYLE_TITLE,
		[MOVE_CHECKS] = STYLE_TITLE,
		[MOVE_DONE] = STYLE_GOOD,
		[MOVE_FAILED] = STYLE_BAD,
		[MOVE_ABORTED] = STYLE_WARN,
		[MOVE_UNKNOWN] = STYLE_BAD,
		[MOVE_NOT_BEGUN] = STYLE_DIM};
	return styles[s];
}

static void head_line(const struct fleet_view *v, char *buf, size_t len)
{
	char text[200];
	moves_text(&v->moving, text, sizeof text);
	if (v->moving_over)
		snprintf(buf, len, "%s. Esc closes", text);
	else if (v->leaving && !v->aborting)
		snprintf(buf, len,
			"A migration runs. y: abort it and leave; any other key: stay (its guest is not lost either way)");
	else if (v->aborting)
		snprintf(buf, len, "Aborting: the guest stays where it was, and no further move begins");
	else
		snprintf(buf, len,
			"%s. Esc aborts the one that runs: its guest stays where it was. v hides this", text);
}

int fleet_moves_text(const struct fleet_view *v, struct sheet *h)
{
	char line[4 * MOVE_TEXT], title[2 * MOVE_TEXT], text[MOVE_TEXT];
	h->n = 0;
	head_line(v, line, sizeof line);
	sheet_add(h, NULL, line, v->leaving && !v->aborting ? STYLE_WARN : STYLE_NORMAL);
	sheet_add(h, NULL, "", STYLE_NORMAL);
	for (size_t i = 0; i < v->moving.n; i++) {
		const struct move *m = &v->moving.list[i];
		move_title(m, title, sizeof title);
		move_text(m, v->now_ns, text, sizeof text);
		snprintf(line, sizeof line, "%zu. %s: %s", i + 1, title, text);
		sheet_add(h, NULL, line, style_of(m->state));
	}
	return h->n;
}

bool fleet_moves_line(const struct fleet_view *v, char *buf, size_t len)
{
	char title[2 * MOVE_TEXT], text[MOVE_TEXT];
	const struct move *m = fleet_moves_run(v) ? moves_now(&v->moving) : NULL;
	if (!m)
		return false;
	move_title(m, title, sizeof title);
	move_text(m, v->now_ns, text, sizeof text);
	snprintf(buf, len, "%.200s: %.150s (v shows the moves)", title, text);
	return true;
}

/* ---- keys ---- */

void fleet_moves_plan(struct fleet_view *v, const struct fleet *f, const struct fleet_proposal *p)
{
	moves_done(&v->planned);
	if (!carry_moves(&v->planned, f, p, v->peers ? v->peers : ""))
		v->planned = (struct moves){.list = NULL};
}

void fleet_moves_ask(struct fleet_view *v)
{
	v->over = FLEET_OVER_MOVES;
	v->leaving = !v->aborting;
}

static void close_moves(struct fleet_view *v)
{
	v->over = FLEET_OVER_NONE;
	if (v->moving_over)
		moves_done(&v->moving);
}

static enum fleet_wish abort_moves(struct fleet_view *v)
{
	bool first = !v->aborting;
	v->aborting = true;
	return first ? FLEET_ABORT : FLEET_STAY;
}

enum fleet_wish fleet_moves_key(struct fleet_view *v, int key)
{
	if (!fleet_moves_run(v)) {
		close_moves(v);
	} else if (v->leaving && !v->aborting) {
		if (key == 'y')
			return abort_moves(v);
		v->leaving = false;
	} else if (key == VK_ESC) {
		return abort_moves(v);
	} else if (key == 'q') {
		v->leaving = true;
	} else if (key == 'v') {
		close_moves(v);
	}
	return FLEET_STAY;
}
