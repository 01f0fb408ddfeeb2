/* SPDX-License-Identifier: MIT */
/* The table of the command line. Invariant: words are unique, and a row of a setting names one that has a
 * key. Knows nothing of what the words do. */
#include "vmtop/line.h"

#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/text.h"

static const struct line_row rows[] = {
	{"host", LINE_HOST, "NAME or URI",
		"open another host, one of [fleet] or by its URI, on this terminal; at its end one is back here, where "
		"all has gone on"},
	{"record", LINE_RECORD, "[FILE]", "begin a recording; without a name: end it"},
	{"mark", LINE_MARK, "TEXT", "put a mark into the log"},
	{"layout", LINE_LAYOUT, "[save] NAME",
		"what is shown and how as it was saved under a name; save: keep it so in the user's config file"},
	{"filter", LINE_FILTER, "[PATTERN]", "show only the VMs whose name matches; without a pattern: all"},
	{"search", LINE_SEARCH, "PATTERN", "go to the next VM whose name matches"},
	{"man", LINE_MAN, "[PAGE]", "read a manual page; without a name: vmtop(1)"},
	{"help", LINE_HELP, NULL, "help for what is shown"},
	{"quit", LINE_QUIT, NULL, "quit"},
	{"sort", LINE_SETTING, NULL, NULL},
	{"sort_reverse", LINE_SETTING, NULL, NULL},
	{"columns", LINE_SETTING, NULL, NULL},
	{"memory_columns", LINE_SETTING, NULL, NULL},
	{"theme", LINE_SETTING, NULL, NULL},
	{"graph", LINE_SETTING, NULL, NULL},
	{"sparklines", LINE_SETTING, NULL, NULL},
	{"tall", LINE_SETTING, NULL, NULL},
	{"merge", LINE_SETTING, NULL, NULL},
	{"of_host", LINE_SETTING, NULL, NULL},
	{"hide_offline", LINE_SETTING, NULL, NULL},
	{"mouse", LINE_SETTING, NULL, NULL},
	{"delay", LINE_SETTING, NULL, NULL},
	{"cpu_policy", LINE_SETTING, NULL, NULL},
	{"memory_policy", LINE_SETTING, NULL, NULL},
	{"granularity", LINE_SETTING, NULL, NULL},
};

static const char *const pages[] = {
	"vmtop", "vmtop-tutorial", "vmtop.conf", "vmtop-scenario", "vmtop-recording"};

size_t line_count(void)
{
	return sizeof rows / sizeof *rows;
}

const struct line_row *line_at(size_t i)
{
	return i < line_count() ? &rows[i] : NULL;
}

const struct line_row *line_find(const char *word, size_t len)
{
	const struct line_row *begins = NULL;
	size_t n = 0;
	for (size_t i = 0; i < line_count() && len; i++) {
		if (strncmp(rows[i].word, word, len) != 0)
			continue;
		if (strlen(rows[i].word) == len)
			return &rows[i];
		begins = &rows[i];
		n++;
	}
	return n == 1 ? begins : NULL;
}

const struct setting *line_setting(const struct line_row *row)
{
	return row->action == LINE_SETTING ? setting_by_key(row->word) : NULL;
}

const char *line_arg(const struct line_row *row)
{
	const struct setting *setting = line_setting(row);
	if (!setting)
		return text_or(row->arg, "");
	if (setting->type == SET_FLAG)
		return "yes or no";
	return setting->arg ? setting->arg : "VALUE";
}

const char *line_help(const struct line_row *row)
{
	const struct setting *setting = line_setting(row);
	return setting ? setting->help : row->help;
}

const char *line_value(const struct line_row *row, size_t i)
{
	const struct setting *setting = line_setting(row);
	if (row->action == LINE_MAN)
		return i < sizeof pages / sizeof *pages ? pages[i] : NULL;
	if (!setting)
		return NULL;
	if (setting->type == SET_FLAG)
		return i == 0 ? "yes" : i == 1 ? "no" : NULL;
	if (setting->choice)
		return strcmp(setting->choice((int)i), "?") != 0 ? setting->choice((int)i) : NULL;
	bool columns = strstr(setting->key, "columns") || !strcmp(setting->key, "sort");
	return columns && i < column_count() ? column_at(i)->key : NULL;
}
