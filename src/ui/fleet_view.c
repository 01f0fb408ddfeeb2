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

struct fleet_view *fleet_view_new(double delay_s)
{
	struct fleet_view *v = calloc(1, sizeof *v);
	if (!v)
		return NULL;
	v->delay_s = delay_s;
	for (enum fleet_kind k = 0; k < FLEET_KINDS; k++)
		v->lists[k].sort = fleet_column_find(k, fleet_table(k)->sort);
	return v;
}

void fleet_view_free(struct fleet_view *v)
{
	if (!v)
		return;
	for (enum fleet_kind k = 0; k < FLEET_KINDS; k++)
		free(v->lists[k].rows);
	if (v->has_filter)
		regfree(&v->filter_re);
	if (v->has_search)
		regfree(&v->search_re);
	free(v->plan);
	free(v->said);
	moves_done(&v->planned);
	moves_done(&v->moving);
	free(v);
}

void fleet_view_peers(struct fleet_view *v, const char *lines)
{
	v->peers = lines;
}

void fleet_view_tell(struct fleet_view *v, const char *text)
{
	snprintf(v->message, sizeof v->message, "%s", text);
	v->wants_rows = false;
}

/* ---- rows and cursor ---- */

static const struct fleet_host *host_of(const struct fleet *f, enum fleet_kind k, size_t row)
{
	return &f->hosts[k == FLEET_VMS ? f->vms[row].host : row];
}

static bool is_there(const struct fleet_list *l, const struct fleet *f, enum fleet_kind k, size_t row)
{
	if (k == FLEET_VMS && uuid_compare(f->vms[row].uuid, l->uuid) != 0)
		return false;
	const struct fleet_host *h = host_of(f, k, row);
	return strcmp(h->uri, l->uri) == 0 && strcmp(h->name, l->host) == 0;
}

static void note_cursor(struct fleet_list *l, const struct fleet *f, enum fleet_kind k)
{
	if (!l->n)
		return;
	size_t row = l->rows[l->at];
	const struct fleet_host *h = host_of(f, k, row);
	memcpy(l->host, h->name, sizeof l->host);
	memcpy(l->uri, h->uri, sizeof l->uri);
	if (k == FLEET_VMS)
		memcpy(l->uuid, f->vms[row].uuid, UUID_BYTES);
}

static void show_cursor(struct fleet_view *v, struct fleet_list *l)
{
	size_t page = v->page > 0 ? (size_t)v->page : 1;
	if (l->at < l->top)
		l->top = l->at;
	else if (l->at >= l->top + page)
		l->top = l->at - page + 1;
}

static void select_row(struct fleet_view *v, const struct fleet *f, long to)
{
	struct fleet_list *l = &v->lists[v->kind];
	if (!l->n)
		return;
	l->moved = true;
	l->at = (size_t)clamp(to, 0, (long)l->n - 1);
	note_cursor(l, f, v->kind);
	show_cursor(v, l);
}

static void find_cursor(struct fleet_view *v, struct fleet_list *l, const struct fleet *f)
{
	for (size_t i = 0; l->moved && i < l->n; i++)
		if (is_there(l, f, v->kind, l->rows[i])) {
			l->at = i;
			return;
		}
	l->at = l->moved ? l->at : 0;
	l->at = l->at < l->n ? l->at : l->n ? l->n - 1 : 0;
	note_cursor(l, f, v->kind);
}

static bool list_room(struct fleet_list *l, size_t n)
{
	return array_grow(&l->rows, &l->cap, n, sizeof *l->rows);
}

/* Ages count up each second, and the same 30,000 VMs are in order already. */
static bool in_order(const struct fleet_list *l, const struct fleet *f, enum fleet_kind k)
{
	return k == FLEET_VMS && f->vms_ns && f->vms_ns == l->sorted_ns;
}

static void put_in_order(struct fleet_view *v, const struct fleet *f)
{
	v->lists[v->kind].sorted_ns = 0;
	fleet_view_feed(v, f);
}

void fleet_view_feed(struct fleet_view *v, const struct fleet *f)
{
	struct fleet_list *l = &v->lists[v->kind];
	size_t all = fleet_count(f, v->kind);
	if (in_order(l, f, v->kind)) {
		show_cursor(v, l);
		return;
	}
	l->n = 0;
	l->sorted_ns = 0;
	if (!list_room(l, all))
		return;
	for (size_t i = 0; i < all; i++)
		if (!v->has_filter || regexec(&v->filter_re, fleet_name(f, v->kind, i), 0, NULL, 0) == 0)
			l->rows[l->n++] = i;
	if (v->wants_rows && l->n)
		fleet_view_tell(v, "");
	fleet_sort(f, v->kind, (size_t)l->sort, l->reverse, l->rows, l->n);
	find_cursor(v, l, f);
	show_cursor(v, l);
	l->sorted_ns = v->kind == FLEET_VMS ? f->vms_ns : 0;
}

const struct fleet_host *fleet_view_host(const struct fleet_view *v, const struct fleet *f)
{
	const struct fleet_list *l = &v->lists[v->kind];
	return l->n && l->at < l->n ? host_of(f, v->kind, l->rows[l->at]) : NULL;
}

static bool search(struct fleet_view *v, const struct fleet *f, size_t from)
{
	struct fleet_list *l = &v->lists[v->kind];
	for (size_t i = from; v->has_search && l->n && i < l->n + from; i++) {
		size_t at = (l->at + i) % l->n;
		if (regexec(&v->search_re, fleet_name(f, v->kind, l->rows[at]), 0, NULL, 0) != 0)
			continue;
		select_row(v, f, (long)at);
		return true;
	}
	return false;
}

/* ---- keys ---- */

static void sort_by(struct fleet_view *v, const struct fleet *f, int column)
{
	struct fleet_list *l = &v->lists[v->kind];
	int n = (int)fleet_table(v->kind)->n;
	l->sort = (column + n) % n;
	l->reverse = false;
	put_in_order(v, f);
}

static void ask(struct fleet_view *v, enum fleet_over over, const char *text)
{
	v->over = over;
	v->over_row = v->over_top = 0;
	typed_fill(&v->line, text);
}

static void line_done(struct fleet_view *v, const struct fleet *f)
{
	bool filter = v->over == FLEET_OVER_FILTER;
	bool ok = filter ? pattern_set(&v->filter_re, &v->has_filter, v->filter, v->line.text)
			 : pattern_set(&v->search_re, &v->has_search, v->search, v->line.text);
	v->over = FLEET_OVER_NONE;
	if (!ok)
		snprintf(v->message, sizeof v->message, "not a regular expression that can be used: %.100s",
			v->line.text);
	else if (filter)
		put_in_order(v, f);
	else if (v->has_search && !search(v, f, 0))
		snprintf(v->message, sizeof v->message, "no %s matches %.100s", fleet_table(v->kind)->word,
			v->line.text);
}

static void line_key(struct fleet_view *v, int key, const struct fleet *f)
{
	if (key == VK_ENTER)
		line_done(v, f);
	else if (key == VK_ESC)
		v->over = FLEET_OVER_NONE;
	else if (typed_edit(&v->line, key) && v->over == FLEET_OVER_SEARCH &&
		 pattern_set(&v->search_re, &v->has_search, v->search, v->line.text))
		search(v, f, 0);
}

/* Moves in a list of n lines; false: the key is none of those. */
static bool step(const struct key_row *k, int page, long *at)
{
	static const struct {
		enum key_action a;
		int lines, pages;
	} steps[] = {{KEY_UP, -1, 0}, {KEY_DOWN, 1, 0}, {KEY_PAGE_UP, 0, -1}, {KEY_PAGE_DOWN, 0, 1},
		{KEY_FIRST, -100000000, 0}, {KEY_LAST, 100000000, 0}};
	for (size_t i = 0; k && i < sizeof steps / sizeof *steps; i++)
		if (steps[i].a == k->action) {
			*at += steps[i].lines + (long)steps[i].pages * page;
			return true;
		}
	return false;
}

/* Help closes on any key that does not scroll, the list of columns on Enter and Esc. */
static enum fleet_wish over_key(struct fleet_view *v, int key, const struct fleet *f)
{
	const struct key_row *k = key_find(key, IN_SORT, true);
	long at = v->over_row, last = v->over == FLEET_OVER_SORT ? (long)fleet_table(v->kind)->n - 1 : 1000;
	if (step(k, 10, &at)) {
		v->over_row = (int)clamp(at, 0, last);
		return FLEET_STAY;
	}
	if (v->over == FLEET_OVER_MOVES)
		return fleet_moves_key(v, key);
	bool carries = v->over == FLEET_OVER_PLAN && key == 'y' && v->planned.n;
	bool sorts = v->over == FLEET_OVER_SORT && k && k->action == KEY_CHOOSE;
	if (v->over == FLEET_OVER_SORT && !sorts && (!k || k->action != KEY_CLOSE))
		return FLEET_STAY;
	v->over = FLEET_OVER_NONE;
	if (sorts)
		sort_by(v, f, v->over_row);
	return carries ? FLEET_CARRY : FLEET_STAY;
}

/* What was asked for stays as it was, though the hosts go on. */
static char *plan_of(struct fleet_view *v, const struct fleet *f)
{
	struct fleet_proposal p = {.n_units = 0};
	char line[1024], *text = NULL;
	size_t len = 0;
	FILE *to = fleet_propose(f, &p) < 0 ? NULL : open_memstream(&text, &len);
	if (to) {
		fleet_proposal_text(&p, line, sizeof line);
		fprintf(to, "%s%s\n", line,
			p.plan.n > 1   ? "; y carries out the moves"
			: p.plan.n > 0 ? "; y carries out the move"
				       : "");
		fleet_proposal_unsure(f, &p, line, sizeof line);
		fprintf(to, "%s%s", line, *line ? "\n" : "");
		for (size_t i = 0; i < p.plan.n; i++) {
			fleet_move_text(f, &p, i, line, sizeof line);
			fprintf(to, "%zu. %s\n", i + 1, line);
			fleet_move_command(f, &p, i, line, sizeof line);
			fprintf(to, "%s%s", line, *line ? "\n" : "");
		}
		if (fclose(to) != 0) {
			free(text);
			text = NULL;
		}
	}
	fleet_moves_plan(v, f, &p);
	fleet_proposal_done(&p);
	return text;
}

/* While moves are carried out there is no other plan. */
static void preview(struct fleet_view *v, const struct fleet *f)
{
	if (fleet_moves_run(v)) {
		ask(v, FLEET_OVER_MOVES, "");
		return;
	}
	if (v->said) { /* whoever moves guests beside it would be in the way */
		ask(v, FLEET_OVER_AUTO, "");
		v->over_row = FLEET_SAID_LINES * FLEET_SAID_LINE; /* the end */
		return;
	}
	free(v->plan);
	v->plan = plan_of(v, f);
	ask(v, FLEET_OVER_PLAN, "");
}

static void show_key(struct fleet_view *v, const struct fleet *f, enum key_action a)
{
	struct fleet_list *l = &v->lists[v->kind];
	switch (a) {
	case KEY_PANEL:
		v->kind = v->kind == FLEET_HOSTS ? FLEET_VMS : FLEET_HOSTS;
		break;
	case KEY_BACK:
		v->kind = FLEET_HOSTS;
		break;
	case KEY_SORT_LEFT:
		sort_by(v, f, l->sort - 1);
		return;
	case KEY_SORT_RIGHT:
		sort_by(v, f, l->sort + 1);
		return;
	case KEY_REVERSE:
		l->reverse = !l->reverse;
		break;
	default:
		return;
	}
	put_in_order(v, f);
}

static enum fleet_wish row_key(struct fleet_view *v, const struct fleet *f, enum key_action a)
{
	const struct fleet_host *h = fleet_view_host(v, f);
	switch (a) {
	case KEY_QUIT:
		if (!fleet_moves_run(v))
			return FLEET_QUIT;
		fleet_moves_ask(v);
		break;
	case KEY_OPEN:
		if (h && *h->uri)
			return FLEET_OPEN;
		fleet_view_tell(v, h ? "the URI of this host is not known" : "no host to open yet");
		v->wants_rows = !h;
		break;
	case KEY_HELP:
		ask(v, FLEET_OVER_HELP, "");
		break;
	case KEY_PREVIEW:
		preview(v, f);
		break;
	case KEY_SORT_PICK:
		ask(v, FLEET_OVER_SORT, "");
		v->over_row = v->lists[v->kind].sort;
		break;
	case KEY_SEARCH:
		ask(v, FLEET_OVER_SEARCH, v->search);
		break;
	case KEY_FILTER:
		ask(v, FLEET_OVER_FILTER, v->filter);
		break;
	case KEY_NEXT:
		if (!search(v, f, 1))
			fleet_view_tell(v, v->has_search ? "no match" : "nothing was searched for");
		break;
	default:
		show_key(v, f, a);
	}
	return FLEET_STAY;
}

enum fleet_wish fleet_view_key(struct fleet_view *v, int key, const struct fleet *f)
{
	const struct key_row *k = key_find(key, IN_FLEET, true);
	long at = (long)v->lists[v->kind].at;
	v->message[0] = '\0';
	if (v->over == FLEET_OVER_SEARCH || v->over == FLEET_OVER_FILTER)
		line_key(v, key, f);
	else if (v->over)
		return over_key(v, key, f);
	else if (step(k, max_of(v->page, 1), &at))
		select_row(v, f, at);
	else if (k)
		return row_key(v, f, k->action);
	return FLEET_STAY;
}

void fleet_view_mouse(struct fleet_view *v, int row, int key, const struct fleet *f)
{
	struct fleet_list *l = &v->lists[v->kind];
	if (v->over)
		return;
	if (key == VK_CLICK && row >= v->first_row && row < v->first_row + v->page)
		select_row(v, f, (long)l->top + row - v->first_row);
	else if (key != VK_CLICK)
		select_row(v, f, (long)l->at + (key == VK_WHEEL_UP ? -3 : 3));
}
