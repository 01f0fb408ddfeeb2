/* SPDX-License-Identifier: MIT */
/* A line that is being typed. Invariant: whole UTF-8 characters, and never more than there is room for. */
#include <stdio.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/text.h"

void typed_fill(struct typed *typed, const char *text)
{
	snprintf(typed->text, sizeof typed->text, "%s", text);
	typed->len = strlen(typed->text);
	typed->filled = typed->len > 0;
}

static void line_add(struct typed *typed, uint32_t ch)
{
	char b[4];
	size_t n = ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	if (typed->len + n >= sizeof typed->text)
		return;
	for (size_t i = n; i-- > 1; ch >>= 6)
		b[i] = (char)(0x80 | (ch & 0x3f));
	b[0] = (char)(n == 1 ? ch : (0xf00U >> n & 0xffU) | ch);
	memcpy(typed->text + typed->len, b, n);
	typed->len += n;
}

/* What a line was filled with is there to be taken by Enter, or corrected from its end; a character begins
 * anew. */
bool typed_edit(struct typed *typed, int key)
{
	if (key == VK_CTRL('U'))
		typed->len = 0;
	else if (key == VK_BACKSPACE || key == VK_DELETE || key == 0x7f || key == VK_CTRL('H'))
		while (typed->len > 0 && ((unsigned char)typed->text[--typed->len] & 0xc0) == 0x80)
			;
	else if (key >= 0x20 && key < VK_BASE && text_width((uint32_t)key) >= 0) {
		if (typed->filled)
			typed->len = 0;
		line_add(typed, (uint32_t)key);
	} else {
		return false;
	}
	typed->filled = false;
	typed->text[typed->len] = '\0';
	return true;
}

void typed_draw(struct screen *scr, const char *label, const struct typed *typed)
{
	char line[LINE_MAX_BYTES * 4];
	int at = scr->rows - 1;
	text_safe(line, sizeof line, typed->text);
	int used = screen_text(scr, at, 0, scr->cols - 1, STYLE_TITLE, label);
	int room = scr->cols - 1 - used;
	const char *tail = line; /* the end is what one is typing */
	while (*tail && screen_columns(scr, tail) > room)
		do
			tail++;
		while (((unsigned char)*tail & 0xc0) == 0x80);
	used += screen_text(scr, at, used, room, typed->filled ? STYLE_SELECTED : STYLE_BOLD, tail);
	scr->cursor_row = at;
	scr->cursor_col = used < scr->cols ? used : scr->cols - 1;
}
