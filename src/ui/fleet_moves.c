/* SPDX-License-Identifier: MIT */
/* Moves between hosts on the fleet's screen: what y begins, Esc aborts, and q asks about. Invariant: the view
 * only shows what it was told of them, and tells what is wished; nothing is carried out here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_private.h"
#include "vmtop/carry.h"
#include "vmtop/text.h"

bool fleet_moves_run(const struct fleet_view *view)
{
	return view->moving.list && !view->moving_over;
}

const struct moves *fleet_view_planned(const struct fleet_view *view)
{
	return &view->planned;
}

bool fleet_view_moves(struct fleet_view *view, const struct moves *moves, bool over)
{
	struct moves copy;
	if (moves_copy(&copy, moves)) {
		if (!view->moving.list) {
			view->over = FLEET_OVER_MOVES;
			view->over_row = 0;
			view->aborting = view->leaving = false;
		}
		moves_done(&view->moving);
		view->moving = copy;
	}
	view->moving_over = over;
	return over && view->leaving;
}

/* ---- drawing ---- */

static enum style style_of(enum move_state state)
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
	return styles[state];
}

static void head_line(const struct fleet_view *view, char *buf, size_t len)
{
	char text[200];
	moves_text(&view->moving, text, sizeof text);
	if (view->moving_over)
		snprintf(buf, len, "%s. Esc closes", text);
	else if (view->leaving && !view->aborting)
		snprintf(buf, len,
			"A migration runs. y: abort it and leave; any other key: stay (its guest is not lost either way)");
	else if (view->aborting)
		snprintf(buf, len, "Aborting: the guest stays where it was, and no further move begins");
	else
		snprintf(buf, len,
			"%s. Esc aborts the one that runs: its guest stays where it was. v hides this", text);
}

int fleet_moves_text(const struct fleet_view *view, struct sheet *sheet)
{
	char line[4 * MOVE_TEXT], title[2 * MOVE_TEXT], text[MOVE_TEXT];
	sheet->n = 0;
	head_line(view, line, sizeof line);
	sheet_add(sheet, NULL, line, view->leaving && !view->aborting ? STYLE_WARN : STYLE_NORMAL);
	sheet_add(sheet, NULL, "", STYLE_NORMAL);
	for (size_t i = 0; i < view->moving.n; i++) {
		const struct move *move = &view->moving.list[i];
		move_title(move, title, sizeof title);
		move_text(move, view->now_ns, text, sizeof text);
		snprintf(line, sizeof line, "%zu. %s: %s", i + 1, title, text);
		sheet_add(sheet, NULL, line, style_of(move->state));
	}
	return sheet->n;
}

bool fleet_moves_line(const struct fleet_view *view, char *buf, size_t len)
{
	char title[2 * MOVE_TEXT], text[MOVE_TEXT];
	const struct move *move = fleet_moves_run(view) ? moves_now(&view->moving) : NULL;
	if (!move)
		return false;
	move_title(move, title, sizeof title);
	move_text(move, view->now_ns, text, sizeof text);
	snprintf(buf, len, "%.200s: %.150s (v shows the moves)", title, text);
	return true;
}

/* ---- keys ---- */

void fleet_moves_plan(
	struct fleet_view *view, const struct fleet *fleet, const struct fleet_proposal *proposal)
{
	moves_done(&view->planned);
	if (!carry_moves(&view->planned, fleet, proposal, text_or(view->peers, "")))
		view->planned = (struct moves){.list = NULL};
}

void fleet_moves_ask(struct fleet_view *view)
{
	view->over = FLEET_OVER_MOVES;
	view->leaving = !view->aborting;
}

static void close_moves(struct fleet_view *view)
{
	view->over = FLEET_OVER_NONE;
	if (view->moving_over)
		moves_done(&view->moving);
}

static enum fleet_wish abort_moves(struct fleet_view *view)
{
	bool first = !view->aborting;
	view->aborting = true;
	return first ? FLEET_ABORT : FLEET_STAY;
}

enum fleet_wish fleet_moves_key(struct fleet_view *view, int key)
{
	if (!fleet_moves_run(view)) {
		close_moves(view);
	} else if (view->leaving && !view->aborting) {
		if (key == 'y')
			return abort_moves(view);
		view->leaving = false;
	} else if (key == VK_ESC) {
		return abort_moves(view);
	} else if (key == 'q') {
		view->leaving = true;
	} else if (key == 'v') {
		close_moves(view);
	}
	return FLEET_STAY;
}
