/* SPDX-License-Identifier: MIT */
/* The key table. Invariant: within one place no key has two meanings. Knows nothing of what the actions do.
 */
#include "vmtop/keys.h"

#include "vmtop/view.h"

/* action, keys, where, section, steers, name, footer name, footer label, rank, help */
static const struct key_row rows[] = {
	{KEY_UP, {VK_UP}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "Up Down", "", "", 0, "move the cursor"},
	{KEY_DOWN, {VK_DOWN}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_LEFT, {VK_LEFT}, IN_ALL, KEYS_MOVE, false, "Left Right", "", "", 0,
		"scroll the table sideways; choose a pCPU in the pin map"},
	{KEY_RIGHT, {VK_RIGHT}, IN_ALL, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_FAR_LEFT, {'(', VK_SLEFT}, IN_ALL, KEYS_MOVE, false, "( )", "", "", 0,
		"pin map: a screen of pCPUs to the left or right"},
	{KEY_FAR_RIGHT, {')', VK_SRIGHT}, IN_ALL, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_PAGE_UP, {VK_PGUP}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "PgUp PgDn", "", "", 0,
		"a page up or down"},
	{KEY_PAGE_DOWN, {VK_PGDN}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_FIRST, {VK_HOME}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "Home End", "", "", 0,
		"to the first or last row"},
	{KEY_LAST, {VK_END}, IN_ALL | IN_LISTS, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_PANEL, {VK_TAB}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, false, "Tab", "Tab", "Panel", 11,
		"to the next panel"},
	{KEY_PANEL_BACK, {VK_BTAB}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, false, "", "", "", 0, ""},
	{KEY_OPEN, {VK_ENTER, 'e', VK_F1 + 4}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, false, "Enter e F5", "Enter",
		"Open", 7, "open the selected VM"},
	{KEY_DROP, {VK_ESC}, IN_PREVIEW | IN_EDIT, KEYS_STEER, false, "Esc", "Esc", "Drop", 2,
		"preview, pin editor: drop the ghosts"},
	{KEY_BACK, {VK_ESC}, IN_VIEWS, KEYS_MOVE, false, "Esc", "", "", 0, "back to where you came from"},

	{KEY_VIEW, {'0'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, false, "0", "", "", 0, "overview"},
	{KEY_VIEW, {'1'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, false, "1", "1", "pCPUs", 8,
		"pCPUs and the pin map"},
	{KEY_VIEW, {'2'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, false, "2", "2", "Memory", 9, "memory"},
	{KEY_VIEW, {'3'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, false, "3", "3", "Log", 10,
		"decisions and their reasons"},
	{KEY_VIEW, {'4'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, false, "4", "", "", 0,
		"the selected VM in depth"},
	{KEY_SORT_CPU, {'P'}, IN_VIEWS, KEYS_SHOW, false, "P", "", "", 0, "sort by CPU"},
	{KEY_SORT_MEMORY, {'M'}, IN_VIEWS, KEYS_SHOW, false, "M", "", "", 0, "sort by memory"},
	{KEY_SORT_TIME, {'T'}, IN_VIEWS, KEYS_SHOW, false, "T", "", "", 0, "sort by CPU time"},
	{KEY_SORT_ID, {'N'}, IN_VIEWS, KEYS_SHOW, false, "N", "", "", 0, "sort by id"},
	{KEY_SORT_PICK, {'F', VK_F1 + 5}, IN_VIEWS, KEYS_SHOW, false, "F F6", "F6", "Sort", 13,
		"choose the column to sort by"},
	{KEY_SORT_LEFT, {'<'}, IN_VIEWS, KEYS_SHOW, false, "< >", "", "", 0,
		"sort by the column to the left or right"},
	{KEY_SORT_RIGHT, {'>'}, IN_VIEWS, KEYS_SHOW, false, "", "", "", 0, ""},
	{KEY_REVERSE, {'r'}, IN_VIEWS, KEYS_SHOW, false, "r", "", "", 0, "reverse the order"},
	{KEY_OF_HOST, {'I'}, IN_VIEWS, KEYS_SHOW, false, "I", "", "", 0,
		"percent of a pCPU, or of the whole host"},
	{KEY_SEARCH, {'/', VK_F1 + 2}, IN_VIEWS, KEYS_SHOW, false, "/ F3", "/", "Search", 12,
		"search a VM by name (regular expression)"},
	{KEY_NEXT, {'n'}, IN_VIEWS, KEYS_SHOW, false, "n", "", "", 0, "next match"},
	{KEY_FILTER, {'\\', VK_F1 + 3}, IN_VIEWS, KEYS_SHOW, false, "\\ F4", "\\", "Filter", 14,
		"show only the VMs that match; limits the view, not what AUTO steers"},
	{KEY_FOLLOW, {'f'}, IN_VIEWS, KEYS_SHOW, false, "f", "", "", 0,
		"keep the selected VM in sight when rows move"},
	{KEY_PAUSE, {'Z'}, IN_VIEWS, KEYS_SHOW, false, "Z", "", "", 0, "pause the screen (not the steering)"},
	{KEY_MERGE, {'!'}, IN_VIEWS, KEYS_SHOW, false, "!", "", "", 0,
		"merge pCPUs: thread, core, LLC, node"},
	{KEY_MARK_ROW, {'x', VK_INSERT}, IN_VIEWS, KEYS_SHOW, false, "x Insert", "", "", 0,
		"mark the VM; H, X, O and = act on all marked ones"},
	{KEY_SETUP, {VK_F1 + 1}, IN_VIEWS, KEYS_SHOW, false, "F2", "F2", "Setup", 15,
		"setup: policies, theme, graphs, columns and their order"},
	{KEY_SAVE, {'W'}, IN_VIEWS | IN_SETUP, KEYS_SHOW, false, "W", "W", "Save", 18,
		"save the setup to the user's config file"},

	{KEY_REBALANCE, {'b'}, IN_VIEWS, KEYS_STEER, true, "b", "b", "Balance", 3,
		"rebalance now: one round at once; asks when it moves more than eight vCPUs"},
	{KEY_AUTO_CPU, {'a'}, IN_VIEWS, KEYS_STEER, true, "a", "a", "Auto CPU", 4,
		"AUTO for CPU on or off; turning it on asks once per session"},
	{KEY_AUTO_MEMORY, {'m'}, IN_VIEWS, KEYS_STEER, true, "m", "m", "Auto mem", 5,
		"AUTO for memory on or off; turning it on asks once per session"},
	{KEY_MEMORY_CYCLE, {'B'}, IN_VIEWS, KEYS_STEER, true, "B", "", "", 0,
		"one memory cycle now; asks when it changes more than eight balloons"},
	{KEY_PREVIEW, {'v'}, IN_VIEWS, KEYS_STEER, false, "v", "v", "Preview", 6,
		"show what b would do as ghosts; y applies, Esc drops"},
	{KEY_APPLY, {'y'}, IN_PREVIEW | IN_EDIT, KEYS_STEER, true, "y", "y", "Apply", 1,
		"preview, pin editor: apply the ghosts"},
	{KEY_EDIT, {'E'}, IN_VIEWS, KEYS_STEER, true, "E", "E", "Pins", 16, "pin editor for the selected VM"},
	{KEY_TOGGLE, {' '}, IN_EDIT, KEYS_STEER, true, "Space", "Space", "Toggle", 3,
		"pin editor: pCPU in or out"},
	{KEY_LIST, {VK_ENTER}, IN_EDIT, KEYS_STEER, true, "Enter", "Enter", "CPU list", 4,
		"pin editor: type a CPU list"},
	{KEY_BALLOON, {'='}, IN_VIEWS, KEYS_STEER, true, "=", "", "", 0,
		"set the balloon of the selected VM, or of all marked ones"},
	{KEY_UNDO, {'u'}, IN_VIEWS, KEYS_STEER, true, "u", "u", "Undo", 17,
		"undo the last round and hold its VMs; asks when that is more than eight changes"},
	{KEY_RESTORE, {'U'}, IN_VIEWS, KEYS_STEER, true, "U", "", "", 0,
		"put everything back as found (asks)"},
	{KEY_HOLD, {'H'}, IN_VIEWS, KEYS_STEER, true, "H", "", "", 0,
		"hold the VM: AUTO leaves it alone until released"},
	{KEY_EXCLUDE, {'X'}, IN_VIEWS, KEYS_STEER, true, "X", "", "", 0,
		"exclude the VM from CPU steering, or take it in"},
	{KEY_STAY, {'O'}, IN_VIEWS, KEYS_STEER, true, "O", "", "", 0,
		"keep the VM on its own NUMA node, or let it leave"},
	{KEY_STATS, {'p'}, IN_VIEWS, KEYS_STEER, true, "p", "", "", 0,
		"turn guest memory statistics on or back (asks)"},

	{KEY_SAMPLE, {' '}, IN_VIEWS | IN_PREVIEW, KEYS_OTHER, false, "Space", "", "", 0, "sample now"},
	{KEY_INTERVAL, {'i', 'd', 's'}, IN_VIEWS, KEYS_OTHER, false, "i d s", "", "", 0,
		"change the interval"},
	{KEY_NOTE, {'\''}, IN_VIEWS, KEYS_OTHER, false, "'", "", "", 0, "put a mark into the log"},
	{KEY_COST, {'C'}, IN_VIEWS, KEYS_OTHER, false, "C", "", "", 0,
		"what vmtop itself costs: calls, sample, plan, screen"},
	{KEY_REDRAW, {VK_CTRL('L')}, IN_ALL, KEYS_OTHER, false, "^L", "", "", 0, "draw the screen anew"},
	{KEY_HELP, {'?', 'h', VK_F1}, IN_ALL | IN_LISTS, KEYS_OTHER, false, "? h F1", "?", "Help", 2,
		"this help"},
	{KEY_QUIT, {'q', VK_F1 + 9}, IN_ALL, KEYS_OTHER, false, "q F10", "q", "Quit", 1, "quit"},

	{KEY_CHOOSE, {VK_ENTER, ' ', VK_RIGHT}, IN_SETUP, KEYS_LISTS, false, "Enter Space", "Enter", "Change",
		2, "setup: the next value (Right too); show or hide the column"},
	{KEY_CHOOSE_BACK, {VK_LEFT}, IN_SETUP, KEYS_LISTS, false, "Left", "", "", 0,
		"setup: the value before"},
	{KEY_SHIFT_UP, {'<', VK_F1 + 6}, IN_SETUP, KEYS_LISTS, false, "< > F7 F8", "< >", "Move", 3,
		"setup: move the column to the left or right"},
	{KEY_SHIFT_DOWN, {'>', VK_F1 + 7}, IN_SETUP, KEYS_LISTS, false, "", "", "", 0, ""},
	{KEY_SORT_HERE, {'s'}, IN_SETUP, KEYS_LISTS, false, "s", "s", "Sort", 4,
		"setup: sort by the column; once more: the other way round"},
	{KEY_CHOOSE, {VK_ENTER, ' '}, IN_SORT, KEYS_LISTS, false, "Enter Space", "Enter", "Sort", 2,
		"list of columns: sort by this one"},
	{KEY_CLOSE, {VK_ESC, 'q', VK_F1 + 9, VK_F1 + 1}, IN_LISTS, KEYS_LISTS, false, "Esc q", "Esc", "Close",
		1, "close the list"},
	{KEY_PLAY, {' '}, IN_REPLAY, KEYS_REPLAY, false, "Space", "Space", "Play", 3, "play, or stand still"},
	{KEY_STEP, {']', 't'}, IN_REPLAY, KEYS_REPLAY, false, "] [ t T", "] [", "Step", 4,
		"a tick forward or back"},
	{KEY_STEP_BACK, {'[', 'T'}, IN_REPLAY, KEYS_REPLAY, false, "", "", "", 0, ""},
	{KEY_GO, {'g'}, IN_REPLAY, KEYS_REPLAY, false, "g", "g", "Go to", 5,
		"go to a time: 90 or 2m from the start, -3m or +30s from here, 14:05 by the clock"},
	{KEY_FASTER, {'+'}, IN_REPLAY, KEYS_REPLAY, false, "+ -", "+ -", "Speed", 6, "twice or half as fast"},
	{KEY_SLOWER, {'-'}, IN_REPLAY, KEYS_REPLAY, false, "", "", "", 0, ""},
	{KEY_LOOP, {'L'}, IN_REPLAY, KEYS_REPLAY, false, "L", "", "", 0, "begin anew at the end, or not"},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

size_t key_count(void)
{
	return N_ROWS;
}

const struct key_row *key_at(size_t i)
{
	return i < N_ROWS ? &rows[i] : NULL;
}

bool key_in(const struct key_row *k, enum key_place where)
{
	return (k->where & where) || (where == IN_REPLAY && (k->where & IN_VIEWS));
}

static bool row_has(const struct key_row *k, int key)
{
	for (size_t i = 0; i < 4 && k->keys[i]; i++)
		if (k->keys[i] == key)
			return true;
	return false;
}

const struct key_row *key_find(int key, enum key_place where, bool readonly)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if ((rows[i].where & where) && !(readonly && rows[i].steers) && row_has(&rows[i], key))
			return &rows[i];
	return where == IN_REPLAY ? key_find(key, IN_VIEWS, readonly) : NULL;
}

const char *key_section_text(enum key_section s)
{
	static const char *const text[] = {
		[KEYS_MOVE] = "Moving about",
		[KEYS_SHOW] = "What is shown",
		[KEYS_STEER] = "Steering",
		[KEYS_OTHER] = "Other",
		[KEYS_LISTS] = "In the setup and in lists",
		[KEYS_REPLAY] = "Replay of a recording",
	};
	return (unsigned)s < KEYS_SECTIONS ? text[s] : "";
}
