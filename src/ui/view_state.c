/* SPDX-License-Identifier: MIT */
/* What panels and keys share of the view: which panel has the focus, what is shown, what is said, what is
 * asked and what goes to the engine. Invariant: nothing here draws or knows a panel. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view_private.h"

void view_say(struct view *view, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(view->message, sizeof view->message, fmt, ap);
	va_end(ap);
}

void view_tell(struct view *view, const char *text)
{
	view_say(view, "%s", text);
}

void view_send(struct view *view, const struct command *cmd)
{
	if (view->n_queue < QUEUE_MAX)
		view->queue[view->n_queue++] = *cmd;
}

bool view_more(struct view *view, struct command *cmd)
{
	if (view->queue_at == view->n_queue) {
		view->queue_at = view->n_queue = 0;
		return false;
	}
	*cmd = view->queue[view->queue_at++];
	return true;
}

void view_send_kind(struct view *view, enum command_kind kind, bool on)
{
	view_send(view, &(struct command){.kind = kind, .on = on});
}

void view_no_action(struct view *view, const struct key_row *key)
{
	view_say(view, "nothing is done by this key yet: %s", key->help);
}

void ask_question(struct view *view, const struct command *cmd, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(view->question, sizeof view->question, fmt, ap);
	va_end(ap);
	view->ask = *cmd;
	view->ask_exit = cmd->kind == CMD_QUIT;
	view->over.kind = OVER_QUESTION;
	view->n_asked++;
}

void ask_line(struct view *view, enum prompt prompt, const char *text)
{
	typed_fill(&view->line, text);
	view->prompt = prompt;
	view->over.kind = OVER_PROMPT;
	view->n_asked++;
}

static const enum focus panels[VIEW_COUNT][3] = {
	[VIEW_OVERVIEW] = {FOCUS_TABLE, FOCUS_MAP, FOCUS_LOG},
	[VIEW_PCPUS] = {FOCUS_MAP, FOCUS_MAP, FOCUS_LOG},
	[VIEW_MEMORY] = {FOCUS_TABLE, FOCUS_TABLE, FOCUS_LOG},
	[VIEW_LOG] = {FOCUS_LOG, FOCUS_LOG, FOCUS_LOG},
	[VIEW_VM] = {FOCUS_VCPUS, FOCUS_VCPUS, FOCUS_LOG},
	[VIEW_WHY] = {FOCUS_WHY, FOCUS_WHY, FOCUS_WHY},
	[VIEW_PLAN] = {FOCUS_PLAN, FOCUS_PLAN, FOCUS_PLAN},
};

void view_focus_on(struct view *view, enum focus focus)
{
	for (int i = 0; i < 3 && !view->editor.on; i++)
		if (panels[view->id][i] == focus) {
			view->focus[view->id] = i;
			return;
		}
}

void view_sight(struct view *view, enum focus focus, struct rect area)
{
	view->sight |= 1U << focus;
	view->hit.panel[focus] = area;
}

enum focus view_focus(const struct view *view)
{
	if (view->editor.on)
		return FOCUS_MAP;
	return panels[view->id][view->focus[view->id]];
}

enum key_place view_place(const struct view *view, const struct snapshot *snap)
{
	if (view->over.kind == OVER_SETUP || view->over.kind == OVER_SORT)
		return view->over.kind == OVER_SETUP ? IN_SETUP : IN_SORT;
	if (snap->moment == MOMENT_KEPT)
		return IN_PAST;
	if (view->editor.on)
		return IN_EDIT;
	if (snap->moment == MOMENT_PLAYED)
		return IN_REPLAY;
	return snap->preview ? IN_PREVIEW : IN_VIEWS;
}

const struct snapshot *view_seen(const struct view *view, const struct snapshot *snap)
{
	return view->back.shown ? view->back.shown : snap;
}
