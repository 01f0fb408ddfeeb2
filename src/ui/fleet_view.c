/* SPDX-License-Identifier: MIT */
/* The state of a fleet's screen: which table, which rows in which order, where the cursor is, and what keys
 * do. Invariant: rows[] hold indices of the fleet fed last; a key changes nothing on a host, it only tells
 * what is wished. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_private.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

struct fleet_view *fleet_view_new(double delay_s)
{
	struct fleet_view *view = calloc(1, sizeof *view);
	if (!view)
		return NULL;
	view->delay_s = delay_s;
	for (enum fleet_kind kind = 0; kind < FLEET_KINDS; kind++)
		view->lists[kind].sort = fleet_column_find(kind, fleet_table(kind)->sort);
	return view;
}

void fleet_view_free(struct fleet_view *view)
{
	if (!view)
		return;
	for (enum fleet_kind kind = 0; kind < FLEET_KINDS; kind++)
		free(view->lists[kind].rows);
	if (view->has_filter)
		regfree(&view->filter_re);
	if (view->has_search)
		regfree(&view->search_re);
	free(view->plan);
	free(view->said);
	moves_done(&view->planned);
	moves_done(&view->moving);
	free(view);
}

void fleet_view_peers(struct fleet_view *view, const char *lines)
{
	view->peers = lines;
}

void fleet_view_tell(struct fleet_view *view, const char *text)
{
	snprintf(view->message, sizeof view->message, "%s", text);
	view->wants_rows = false;
}

/* ---- rows and cursor ---- */

static const struct fleet_host *host_of(const struct fleet *fleet, enum fleet_kind kind, size_t row)
{
	return &fleet->hosts[kind == FLEET_VMS ? fleet->vms[row].host : row];
}

static bool is_there(
	const struct fleet_list *list, const struct fleet *fleet, enum fleet_kind kind, size_t row)
{
	if (kind == FLEET_VMS && uuid_compare(fleet->vms[row].uuid, list->uuid) != 0)
		return false;
	const struct fleet_host *host = host_of(fleet, kind, row);
	return strcmp(host->uri, list->uri) == 0 && strcmp(host->name, list->host) == 0;
}

static void note_cursor(struct fleet_list *list, const struct fleet *fleet, enum fleet_kind kind)
{
	if (!list->n)
		return;
	size_t row = list->rows[list->at];
	const struct fleet_host *host = host_of(fleet, kind, row);
	memcpy(list->host, host->name, sizeof list->host);
	memcpy(list->uri, host->uri, sizeof list->uri);
	if (kind == FLEET_VMS)
		memcpy(list->uuid, fleet->vms[row].uuid, UUID_BYTES);
}

static void show_cursor(struct fleet_view *view, struct fleet_list *list)
{
	size_t page = (size_t)max_of(view->page, 1);
	if (list->at < list->top)
		list->top = list->at;
	else if (list->at >= list->top + page)
		list->top = list->at - page + 1;
}

static void select_row(struct fleet_view *view, const struct fleet *fleet, long to)
{
	struct fleet_list *list = &view->lists[view->kind];
	if (!list->n)
		return;
	list->moved = true;
	list->at = (size_t)clamp(to, 0, (long)list->n - 1);
	note_cursor(list, fleet, view->kind);
	show_cursor(view, list);
}

static void find_cursor(struct fleet_view *view, struct fleet_list *list, const struct fleet *fleet)
{
	for (size_t i = 0; list->moved && i < list->n; i++)
		if (is_there(list, fleet, view->kind, list->rows[i])) {
			list->at = i;
			return;
		}
	if (!list->moved)
		list->at = 0;
	if (list->at >= list->n)
		list->at = list->n ? list->n - 1 : 0;
	note_cursor(list, fleet, view->kind);
}

static bool list_room(struct fleet_list *list, size_t n)
{
	return array_grow(&list->rows, &list->cap, n, sizeof *list->rows);
}

/* Ages count up each second, and the same 30,000 VMs are in order already. */
static bool in_order(const struct fleet_list *list, const struct fleet *fleet, enum fleet_kind kind)
{
	return kind == FLEET_VMS && fleet->vms_ns && fleet->vms_ns == list->sorted_ns;
}

static void put_in_order(struct fleet_view *view, const struct fleet *fleet)
{
	view->lists[view->kind].sorted_ns = 0;
	fleet_view_feed(view, fleet);
}

void fleet_view_feed(struct fleet_view *view, const struct fleet *fleet)
{
	struct fleet_list *list = &view->lists[view->kind];
	size_t all = fleet_count(fleet, view->kind);
	if (in_order(list, fleet, view->kind)) {
		show_cursor(view, list);
		return;
	}
	list->n = 0;
	list->sorted_ns = 0;
	if (!list_room(list, all))
		return;
	for (size_t i = 0; i < all; i++)
		if (!view->has_filter ||
			regexec(&view->filter_re, fleet_name(fleet, view->kind, i), 0, NULL, 0) == 0)
			list->rows[list->n++] = i;
	if (view->wants_rows && list->n)
		fleet_view_tell(view, "");
	fleet_sort(fleet, view->kind, (size_t)list->sort, list->reverse, list->rows, list->n);
	find_cursor(view, list, fleet);
	show_cursor(view, list);
	list->sorted_ns = view->kind == FLEET_VMS ? fleet->vms_ns : 0;
}

const struct fleet_host *fleet_view_host(const struct fleet_view *view, const struct fleet *fleet)
{
	const struct fleet_list *list = &view->lists[view->kind];
	return list->n && list->at < list->n ? host_of(fleet, view->kind, list->rows[list->at]) : NULL;
}

static bool search(struct fleet_view *view, const struct fleet *fleet, size_t from)
{
	struct fleet_list *list = &view->lists[view->kind];
	for (size_t i = from; view->has_search && list->n && i < list->n + from; i++) {
		size_t at = (list->at + i) % list->n;
		if (regexec(&view->search_re, fleet_name(fleet, view->kind, list->rows[at]), 0, NULL, 0) != 0)
			continue;
		select_row(view, fleet, (long)at);
		return true;
	}
	return false;
}

/* ---- keys ---- */

static void sort_by(struct fleet_view *view, const struct fleet *fleet, int column)
{
	struct fleet_list *list = &view->lists[view->kind];
	int n = (int)fleet_table(view->kind)->n;
	list->sort = (column + n) % n;
	list->reverse = false;
	put_in_order(view, fleet);
}

static void ask(struct fleet_view *view, enum fleet_over over, const char *text)
{
	view->over = over;
	view->over_row = view->over_top = 0;
	typed_fill(&view->line, text);
}

static void line_done(struct fleet_view *view, const struct fleet *fleet)
{
	bool filter = view->over == FLEET_OVER_FILTER;
	bool ok = filter ? pattern_set(&view->filter_re, &view->has_filter, view->filter, view->line.text)
			 : pattern_set(&view->search_re, &view->has_search, view->search, view->line.text);
	view->over = FLEET_OVER_NONE;
	if (!ok)
		snprintf(view->message, sizeof view->message,
			"not a regular expression that can be used: %.100s", view->line.text);
	else if (filter)
		put_in_order(view, fleet);
	else if (view->has_search && !search(view, fleet, 0))
		snprintf(view->message, sizeof view->message, "no %s matches %.100s",
			fleet_table(view->kind)->word, view->line.text);
}

static void line_key(struct fleet_view *view, int key, const struct fleet *fleet)
{
	if (key == VK_ENTER)
		line_done(view, fleet);
	else if (key == VK_ESC)
		view->over = FLEET_OVER_NONE;
	else if (typed_edit(&view->line, key) && view->over == FLEET_OVER_SEARCH &&
		 pattern_set(&view->search_re, &view->has_search, view->search, view->line.text))
		search(view, fleet, 0);
}

/* Moves in a list of n lines; false: the key is none of those. */
static bool step(const struct key_row *key, int page, long *at)
{
	static const struct {
		enum key_action a;
		int lines, pages;
	} steps[] = {{KEY_UP, -1, 0}, {KEY_DOWN, 1, 0}, {KEY_PAGE_UP, 0, -1}, {KEY_PAGE_DOWN, 0, 1},
		{KEY_FIRST, -100000000, 0}, {KEY_LAST, 100000000, 0}};
	for (size_t i = 0; key && i < sizeof steps / sizeof *steps; i++)
		if (steps[i].a == key->action) {
			*at += steps[i].lines + (long)steps[i].pages * page;
			return true;
		}
	return false;
}

/* Help closes on any key that does not scroll, the list of columns on Enter and Esc. */
static enum fleet_wish over_key(struct fleet_view *view, int key, const struct fleet *fleet)
{
	const struct key_row *k = key_find(key, IN_SORT, true);
	long at = view->over_row,
	     last = view->over == FLEET_OVER_SORT ? (long)fleet_table(view->kind)->n - 1 : 1000;
	if (step(k, 10, &at)) {
		view->over_row = (int)clamp(at, 0, last);
		return FLEET_STAY;
	}
	if (view->over == FLEET_OVER_MOVES)
		return fleet_moves_key(view, key);
	bool carries = view->over == FLEET_OVER_PLAN && key == 'y' && view->planned.n;
	bool sorts = view->over == FLEET_OVER_SORT && k && k->action == KEY_CHOOSE;
	if (view->over == FLEET_OVER_SORT && !sorts && (!k || k->action != KEY_CLOSE))
		return FLEET_STAY;
	view->over = FLEET_OVER_NONE;
	if (sorts)
		sort_by(view, fleet, view->over_row);
	return carries ? FLEET_CARRY : FLEET_STAY;
}

/* What was asked for stays as it was, though the hosts go on. */
static char *plan_of(struct fleet_view *view, const struct fleet *fleet)
{
	struct fleet_proposal proposal = {.n_units = 0};
	char line[1024], *text = NULL;
	size_t len = 0;
	FILE *out = fleet_propose(fleet, &proposal) < 0 ? NULL : open_memstream(&text, &len);
	if (out) {
		fleet_proposal_text(&proposal, line, sizeof line);
		fprintf(out, "%s%s\n", line,
			proposal.plan.n > 1 ? "; y carries out the moves"
					    : text_if(proposal.plan.n > 0, "; y carries out the move"));
		fleet_proposal_unsure(fleet, &proposal, line, sizeof line);
		fprintf(out, "%s%s", line, text_if(*line, "\n"));
		for (size_t i = 0; i < proposal.plan.n; i++) {
			fleet_move_text(fleet, &proposal, i, line, sizeof line);
			fprintf(out, "%zu. %s\n", i + 1, line);
			fleet_move_command(fleet, &proposal, i, line, sizeof line);
			fprintf(out, "%s%s", line, text_if(*line, "\n"));
		}
		if (fclose(out) != 0) {
			free(text);
			text = NULL;
		}
	}
	fleet_moves_plan(view, fleet, &proposal);
	fleet_proposal_done(&proposal);
	return text;
}

/* While moves are carried out there is no other plan. */
static void preview(struct fleet_view *view, const struct fleet *fleet)
{
	if (fleet_moves_run(view)) {
		ask(view, FLEET_OVER_MOVES, "");
		return;
	}
	if (view->said) { /* whoever moves guests beside it would be in the way */
		ask(view, FLEET_OVER_AUTO, "");
		view->over_row = FLEET_SAID_LINES * FLEET_SAID_LINE; /* the end */
		return;
	}
	free(view->plan);
	view->plan = plan_of(view, fleet);
	ask(view, FLEET_OVER_PLAN, "");
}

static void show_key(struct fleet_view *view, const struct fleet *fleet, enum key_action action)
{
	struct fleet_list *list = &view->lists[view->kind];
	switch (action) {
	case KEY_PANEL:
		view->kind = view->kind == FLEET_HOSTS ? FLEET_VMS : FLEET_HOSTS;
		break;
	case KEY_BACK:
		view->kind = FLEET_HOSTS;
		break;
	case KEY_SORT_LEFT:
		sort_by(view, fleet, list->sort - 1);
		return;
	case KEY_SORT_RIGHT:
		sort_by(view, fleet, list->sort + 1);
		return;
	case KEY_REVERSE:
		list->reverse = !list->reverse;
		break;
	default:
		return;
	}
	put_in_order(view, fleet);
}

static enum fleet_wish row_key(struct fleet_view *view, const struct fleet *fleet, enum key_action action)
{
	const struct fleet_host *host = fleet_view_host(view, fleet);
	switch (action) {
	case KEY_QUIT:
		if (!fleet_moves_run(view))
			return FLEET_QUIT;
		fleet_moves_ask(view);
		break;
	case KEY_OPEN:
		if (host && *host->uri)
			return FLEET_OPEN;
		fleet_view_tell(view, host ? "the URI of this host is not known" : "no host to open yet");
		view->wants_rows = !host;
		break;
	case KEY_HELP:
		ask(view, FLEET_OVER_HELP, "");
		break;
	case KEY_PREVIEW:
		preview(view, fleet);
		break;
	case KEY_SORT_PICK:
		ask(view, FLEET_OVER_SORT, "");
		view->over_row = view->lists[view->kind].sort;
		break;
	case KEY_SEARCH:
		ask(view, FLEET_OVER_SEARCH, view->search);
		break;
	case KEY_FILTER:
		ask(view, FLEET_OVER_FILTER, view->filter);
		break;
	case KEY_NEXT:
		if (!search(view, fleet, 1))
			fleet_view_tell(view, view->has_search ? "no match" : "nothing was searched for");
		break;
	default:
		show_key(view, fleet, action);
	}
	return FLEET_STAY;
}

enum fleet_wish fleet_view_key(struct fleet_view *view, int key, const struct fleet *fleet)
{
	const struct key_row *k = key_find(key, IN_FLEET, true);
	long at = (long)view->lists[view->kind].at;
	view->message[0] = '\0';
	if (view->over == FLEET_OVER_SEARCH || view->over == FLEET_OVER_FILTER)
		line_key(view, key, fleet);
	else if (view->over)
		return over_key(view, key, fleet);
	else if (step(k, max_of(view->page, 1), &at))
		select_row(view, fleet, at);
	else if (k)
		return row_key(view, fleet, k->action);
	return FLEET_STAY;
}

void fleet_view_mouse(struct fleet_view *view, int row, int key, const struct fleet *fleet)
{
	struct fleet_list *list = &view->lists[view->kind];
	if (view->over)
		return;
	if (key == VK_CLICK && row >= view->first_row && row < view->first_row + view->page)
		select_row(view, fleet, (long)list->top + row - view->first_row);
	else if (key != VK_CLICK)
		select_row(view, fleet, (long)list->at + (key == VK_WHEEL_UP ? -3 : 3));
}
