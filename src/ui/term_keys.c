/* SPDX-License-Identifier: MIT */
/* The keys of this terminal by terminfo, as names of the view, for terminals that the reader does not know by
 * itself. Knows nothing of what they do. */
#include "term_keys.h"

#include <string.h>

#include "vmtop/view.h"

/* Last, for they define words as common as "columns". */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

static const struct {
	const char *name;
	int key;
} rows[] = {{"kcuu1", VK_UP}, {"kcud1", VK_DOWN}, {"kcub1", VK_LEFT}, {"kcuf1", VK_RIGHT}, {"kpp", VK_PGUP},
	{"knp", VK_PGDN}, {"khome", VK_HOME}, {"kend", VK_END}, {"kich1", VK_INSERT}, {"kdch1", VK_DELETE},
	{"kbs", VK_BACKSPACE}, {"kcbt", VK_BTAB}, {"kLFT", VK_SLEFT}, {"kRIT", VK_SRIGHT}, {"kent", VK_ENTER},
	{"ka1", VK_HOME}, {"ka3", VK_PGUP}, {"kc1", VK_END}, {"kc3", VK_PGDN}, {"kfnd", VK_HOME},
	{"kslt", VK_END}, {"kf1", VK_F1}, {"kf2", VK_F1 + 1}, {"kf3", VK_F1 + 2}, {"kf4", VK_F1 + 3},
	{"kf5", VK_F1 + 4}, {"kf6", VK_F1 + 5}, {"kf7", VK_F1 + 6}, {"kf8", VK_F1 + 7}, {"kf9", VK_F1 + 8},
	{"kf10", VK_F1 + 9}, {"kf11", VK_F1 + 10}, {"kf12", VK_F1 + 11}};
_Static_assert(sizeof rows / sizeof rows[0] <= KEYS_NAMES_MAX, "all names have room");

/* The text of a capability; NULL: none. */
static const char *text_of(const char *name)
{
	const char *text = tigetstr(name);
	return text == (char *)-1 ? NULL : text; /* by the manual: not a string at all */
}

/* One byte is a character or a control, and the reader knows those. */
void term_key_names(struct key_names *names)
{
	names->n = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = text_of(rows[i].name);
		size_t n = text ? strlen(text) : 0;
		struct key_name *key = &names->rows[names->n];
		if (n < 2 || n > sizeof key->bytes || (unsigned char)text[0] >= 0x20)
			continue;
		memcpy(key->bytes, text, n);
		key->n = n;
		key->key = rows[i].key;
		names->n++;
	}
}

bool term_takes_modes(void)
{
	const char *move = text_of("cup");
	return move && !strncmp(move, "\033[", 2);
}
