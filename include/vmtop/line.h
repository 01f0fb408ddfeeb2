/* SPDX-License-Identifier: MIT */
/* The table of the command line (:): one row a word. What a row of a setting takes, and what its help says,
 * is in the table of settings. The screen, its completion and the manual come from it. Pure. */
#ifndef VMTOP_LINE_H
#define VMTOP_LINE_H

#include <stddef.h>

#include "vmtop/settings.h"

enum line_action {
	LINE_HOST,
	LINE_RECORD,
	LINE_MARK,
	LINE_LAYOUT,
	LINE_FILTER,
	LINE_SEARCH,
	LINE_MAN,
	LINE_HELP,
	LINE_QUIT,
	LINE_SETTING,
	LINE_ACTIONS
};

struct line_row {
	const char *word; /* of a setting: its key */
	enum line_action action;
	const char *arg; /* NULL: takes none, or the setting says */
	const char *help;
};

size_t line_count(void);
const struct line_row *line_at(size_t i);
/* The row of a word, or of the only one that begins so; NULL: none, or several. */
const struct line_row *line_find(const char *word, size_t len);
/* Of a row of a setting; NULL: it is none. */
const struct setting *line_setting(const struct line_row *row);
/* What stands after the word, and what it does; "" for none. */
const char *line_arg(const struct line_row *row);
const char *line_help(const struct line_row *row);
/* The i-th word that may stand there, NULL: no more, or it is free text. */
const char *line_value(const struct line_row *row, size_t i);

#endif
