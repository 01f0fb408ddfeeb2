/* SPDX-License-Identifier: MIT */
/* What the configuration says of the screen, taken over and read back. Invariant: what view_setup() writes,
 * view_take() shows the same. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"
#include "vmtop/theme.h"

static void screen_settings(struct view *view, const struct config *cfg)
{
	view->mouse = cfg->mouse;
	view->sparklines = cfg->sparklines;
	view->units.hide_offline = cfg->hide_offline;
	view->tall = cfg->tall;
	view->graph = cfg->graph;
	view->units.merge = cfg->merge;
	view->of_host = cfg->of_host;
	for (size_t i = 0; i < theme_count(); i++)
		if (!strcmp(theme_at(i)->name, cfg->theme))
			view->setup.theme = (int)i;
	table_defaults(&view->main, false);
	table_defaults(&view->memory, true);
	table_columns(&view->main, false, cfg->columns);
	table_columns(&view->memory, true, cfg->memory_columns);
	int cpu = column_find("cpu"), sort = cfg->sort[0] ? column_find(cfg->sort) : -1;
	view->main.sort = sort >= 0 ? sort : cpu;
	view->main.reverse = cfg->sort_reverse;
	view->main.sorted = view->main.sort != cpu || cfg->sort_reverse;
	view->rows_stale = view->units.stale = true;
}

void view_take(struct view *view, const struct config *cfg, const struct setting *set)
{
	struct table memory = view->memory;
	bool sort = set && !strcmp(set->key, "sort");
	screen_settings(view, cfg);
	view->id = set ? view->id : (enum view_id)cfg->view;
	view->memory.sort = memory.sort;
	view->memory.reverse = memory.reverse;
	view->memory.sorted = memory.sorted;
	view->main.sorted = view->main.sorted || sort;
	if (set && !strcmp(set->key, "delay"))
		view_send(view, &(struct command){.kind = CMD_INTERVAL, .number = cfg->delay_s});
	else if (set)
		setup_policy(view, cfg);
}

static void columns_text(const struct table *table, char *buf, size_t len)
{
	size_t n = 0;
	buf[0] = '\0';
	for (int i = 0; table->chosen && i < table->n_cols && n < len; i++)
		n += (size_t)snprintf(
			buf + n, len - n, "%s%s", text_if(i, ","), column_at(table->cols[i])->key);
}

void view_setup(const struct view *view, struct config *to)
{
	to->delay_s = view->delay_s;
	to->cpu_policy = (enum cpu_policy_id)view->setup.cpu_policy;
	to->mem_policy = (enum mem_policy_id)view->setup.mem_policy;
	to->granularity = view->setup.granularity;
	to->graph = view->graph;
	to->sparklines = view->sparklines;
	to->of_host = view->of_host;
	to->mouse = view->mouse;
	to->hide_offline = view->units.hide_offline;
	to->tall = view->tall;
	to->view = view->id <= VIEW_LOG ? (enum first_view)view->id : FIRST_OVERVIEW;
	to->merge = view->units.merge;
	to->sort_reverse = view->main.reverse;
	snprintf(to->theme, sizeof to->theme, "%s", view_theme(view));
	if (view->main.sort >= 0)
		snprintf(to->sort, sizeof to->sort, "%s", column_at((size_t)view->main.sort)->key);
	columns_text(&view->main, to->columns, sizeof to->columns);
	columns_text(&view->memory, to->memory_columns, sizeof to->memory_columns);
}

const char *view_theme(const struct view *view)
{
	return theme_at((size_t)view->setup.theme)->name;
}
