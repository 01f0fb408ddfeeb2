/* SPDX-License-Identifier: MIT */
/* The names that ncurses gives to keys and mouse events, as those of the view. Knows nothing of what they do.
 */
#include "term_keys.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "vmtop/view.h"

int term_named(int code)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{KEY_UP, VK_UP},
		{KEY_DOWN, VK_DOWN},
		{KEY_LEFT, VK_LEFT},
		{KEY_RIGHT, VK_RIGHT},
		{KEY_PPAGE, VK_PGUP},
		{KEY_NPAGE, VK_PGDN},
		{KEY_HOME, VK_HOME},
		{KEY_END, VK_END},
		{KEY_IC, VK_INSERT},
		{KEY_DC, VK_DELETE},
		{KEY_BACKSPACE, VK_BACKSPACE},
		{KEY_BTAB, VK_BTAB},
		{KEY_SLEFT, VK_SLEFT},
		{KEY_SRIGHT, VK_SRIGHT},
		{KEY_ENTER, VK_ENTER},
		{KEY_A1, VK_HOME},
		{KEY_A3, VK_PGUP},
		{KEY_C1, VK_END},
		{KEY_C3, VK_PGDN},
		{KEY_RESIZE, VK_RESIZE},
		{KEY_FIND, VK_HOME},
		{KEY_SELECT, VK_END},
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].curses == code)
			return keys[i].key;
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return VK_F1 + code - KEY_F(1);
	return VK_END_OF_KEYS; /* a key without a meaning */
}

int term_mouse(int *row, int *col)
{
	MEVENT ev;
	if (getmouse(&ev) != OK)
		return VK_END_OF_KEYS;
	*row = ev.y;
	*col = ev.x;
	if (ev.bstate & BUTTON4_PRESSED)
		return VK_WHEEL_UP;
	if (ev.bstate & BUTTON5_PRESSED)
		return VK_WHEEL_DOWN;
	return VK_CLICK;
}
