/* SPDX-License-Identifier: MIT */
/* Themes. Colours are few and mean something: green, yellow, red for load, blue for what is pinned, magenta
 * for waiting, cyan for keys. Backgrounds stay the terminal's own but for the cursor row and the marks of
 * heads, so that light and dark terminals both work. Every style differs without colour too (mono). */
#include "vmtop/theme.h"

#include <string.h>

#define B LOOK_BOLD
#define D LOOK_DIM
#define R LOOK_REVERSE
#define U LOOK_UNDERLINE

static const struct look look_default[STYLE_COUNT] = {
	/* fg256, bg256, fg8, bg8, attributes, attributes without colour */
	[STYLE_NORMAL] = {-1, -1, -1, -1, 0, 0},
	[STYLE_DIM] = {244, -1, -1, -1, 0, D},
	[STYLE_BOLD] = {-1, -1, -1, -1, B, B},
	[STYLE_TITLE] = {37, -1, 6, -1, B, B},
	[STYLE_HEADER] = {244, -1, -1, -1, U, U},
	[STYLE_SORTED] = {-1, -1, -1, -1, B | U, B | U},
	[STYLE_SELECTED] = {231, 24, 7, 4, B, R},
	[STYLE_MARKED] = {178, -1, 3, -1, B, U},
	[STYLE_KEY] = {37, -1, 6, -1, B, B},
	[STYLE_KEY_TEXT] = {-1, -1, -1, -1, 0, 0},
	[STYLE_GOOD] = {71, -1, 2, -1, 0, 0},
	[STYLE_WARN] = {178, -1, 3, -1, B, B},
	[STYLE_BAD] = {203, -1, 1, -1, B, B | U},
	[STYLE_LOW] = {71, -1, 2, -1, 0, 0},
	[STYLE_MID] = {178, -1, 3, -1, 0, 0},
	[STYLE_HIGH] = {203, -1, 1, -1, 0, B},
	[STYLE_WAIT] = {133, -1, 5, -1, 0, B},
	[STYLE_PIN] = {68, -1, 4, -1, 0, 0},
	[STYLE_HERE] = {71, -1, 2, -1, B, B},
	[STYLE_ALLOWED] = {244, -1, -1, -1, 0, D},
	[STYLE_GHOST] = {178, -1, 3, -1, B, B | U},
	[STYLE_FRAME] = {244, -1, -1, -1, 0, D},
	[STYLE_LIT] = {117, 24, 7, 4, 0, R},
};

/* The same meanings in darker colours, for a white background. */
static const struct look look_light[STYLE_COUNT] = {
	[STYLE_NORMAL] = {-1, -1, -1, -1, 0, 0},
	[STYLE_DIM] = {242, -1, -1, -1, 0, D},
	[STYLE_BOLD] = {-1, -1, -1, -1, B, B},
	[STYLE_TITLE] = {25, -1, 4, -1, B, B},
	[STYLE_HEADER] = {242, -1, -1, -1, U, U},
	[STYLE_SORTED] = {-1, -1, -1, -1, B | U, B | U},
	[STYLE_SELECTED] = {16, 153, 0, 6, B, R},
	[STYLE_MARKED] = {130, -1, 5, -1, B, U},
	[STYLE_KEY] = {25, -1, 4, -1, B, B},
	[STYLE_KEY_TEXT] = {-1, -1, -1, -1, 0, 0},
	[STYLE_GOOD] = {28, -1, 2, -1, 0, 0},
	[STYLE_WARN] = {130, -1, 1, -1, B, B},
	[STYLE_BAD] = {160, -1, 1, -1, B, B | U},
	[STYLE_LOW] = {28, -1, 2, -1, 0, 0},
	[STYLE_MID] = {130, -1, 5, -1, 0, 0},
	[STYLE_HIGH] = {160, -1, 1, -1, 0, B},
	[STYLE_WAIT] = {90, -1, 5, -1, B, B},
	[STYLE_PIN] = {25, -1, 4, -1, 0, 0},
	[STYLE_HERE] = {28, -1, 2, -1, B, B},
	[STYLE_ALLOWED] = {246, -1, -1, -1, 0, D},
	[STYLE_GHOST] = {130, -1, 1, -1, B, B | U},
	[STYLE_FRAME] = {246, -1, -1, -1, 0, D},
	[STYLE_LIT] = {25, 153, 4, 6, 0, R},
};

static const struct look look_contrast[STYLE_COUNT] = {
	[STYLE_NORMAL] = {-1, -1, -1, -1, 0, 0},
	[STYLE_DIM] = {-1, -1, -1, -1, 0, 0},
	[STYLE_BOLD] = {-1, -1, -1, -1, B, B},
	[STYLE_TITLE] = {-1, -1, -1, -1, B, B},
	[STYLE_HEADER] = {-1, -1, -1, -1, R, R},
	[STYLE_SORTED] = {-1, -1, -1, -1, B | R | U, B | R | U},
	[STYLE_SELECTED] = {16, 226, 0, 3, B, R | B},
	[STYLE_MARKED] = {-1, -1, -1, -1, B | U, B | U},
	[STYLE_KEY] = {-1, -1, -1, -1, B, B},
	[STYLE_KEY_TEXT] = {-1, -1, -1, -1, 0, 0},
	[STYLE_GOOD] = {-1, -1, -1, -1, 0, 0},
	[STYLE_WARN] = {16, 226, 0, 3, B, B},
	[STYLE_BAD] = {231, 160, 7, 1, B, B | U},
	[STYLE_LOW] = {-1, -1, -1, -1, 0, 0},
	[STYLE_MID] = {-1, -1, -1, -1, B, B},
	[STYLE_HIGH] = {231, 160, 7, 1, B, B},
	[STYLE_WAIT] = {231, 90, 7, 5, B, B},
	[STYLE_PIN] = {-1, -1, -1, -1, B, B},
	[STYLE_HERE] = {-1, -1, -1, -1, B | R, B | R},
	[STYLE_ALLOWED] = {-1, -1, -1, -1, 0, 0},
	[STYLE_GHOST] = {16, 226, 0, 3, B, B | U},
	[STYLE_FRAME] = {-1, -1, -1, -1, 0, 0},
	[STYLE_LIT] = {226, 16, 3, 0, B, R},
};

static const struct theme themes[] = {
	{"default", "calm colours on the terminal's own background", look_default},
	{"light", "darker colours for a white background", look_light},
	{"contrast", "few colours, strong differences", look_contrast},
	{"mono", "no colours: bold, underline and reverse only", NULL},
};
enum { N_THEMES = sizeof themes / sizeof themes[0] };

size_t theme_count(void)
{
	return N_THEMES;
}

const struct theme *theme_at(size_t i)
{
	return i < N_THEMES ? &themes[i] : NULL;
}

const struct theme *theme_find(const char *name)
{
	if (!name || !name[0])
		return &themes[0];
	for (size_t i = 0; i < N_THEMES; i++)
		if (!strcmp(name, themes[i].name))
			return &themes[i];
	return NULL;
}
