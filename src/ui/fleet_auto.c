/* SPDX-License-Identifier: MIT */
/* Unattended moves on the fleet's screen: what the vmtop that runs --auto=fleet beside it says, line by line.
 * Invariant: only what it said is shown; nothing is steered from here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_private.h"
#include "vmtop/text.h"

struct fleet_said {
	size_t n; /* lines so far; the last ones are kept */
	char lines[FLEET_SAID_LINES][FLEET_SAID_LINE];
};

void fleet_view_auto(struct fleet_view *view, const char *line)
{
	if (!*line || (!view->said && !(view->said = calloc(1, sizeof *view->said))))
		return;
	struct fleet_said *said = view->said;
	text_safe(said->lines[said->n++ % FLEET_SAID_LINES], FLEET_SAID_LINE, line);
}

/* Without the date: "22:42:34 written: ...". */
static const char *short_line(const char *line, char *buf, size_t len)
{
	const char *rest = strchr(line, ' ');
	if (!rest || rest - line < 19 || line[10] != 'T')
		return line;
	snprintf(buf, len, "%.8s%s", line + 11, rest);
	return buf;
}

/* Of a list the line before it. */
bool fleet_auto_line(const struct fleet_view *view, char *buf, size_t len)
{
	const struct fleet_said *said = view->said;
	char text[FLEET_SAID_LINE];
	if (!said)
		return false;
	size_t i = said->n;
	while (i > 1 && said->n - i < FLEET_SAID_LINES - 1 &&
		said->lines[(i - 1) % FLEET_SAID_LINES][0] == ' ')
		i--;
	snprintf(
		buf, len, "auto: %s", short_line(said->lines[(i - 1) % FLEET_SAID_LINES], text, sizeof text));
	return true;
}

int fleet_auto_text(const struct fleet_view *view, struct sheet *sheet)
{
	const struct fleet_said *said = view->said;
	char text[FLEET_SAID_LINE];
	sheet->n = 0;
	for (size_t i = said && said->n > FLEET_SAID_LINES ? said->n - FLEET_SAID_LINES : 0;
		said && i < said->n; i++)
		sheet_add(sheet, NULL, short_line(said->lines[i % FLEET_SAID_LINES], text, sizeof text),
			STYLE_NORMAL);
	return sheet->n;
}
