/* SPDX-License-Identifier: MIT */
/* The key table. Invariant: within one place no key has two meanings. Knows nothing of what the actions do.
 */
#include "vmtop/keys.h"

#include "vmtop/view.h"

static const struct key_row rows[] = {
	{KEY_UP, {VK_UP}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "Up Down",
		.help = "move the cursor"},
	{KEY_DOWN, {VK_DOWN}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "", .help = ""},
	{KEY_LEFT, {VK_LEFT}, IN_ALL, KEYS_MOVE, .name = "Left Right", .footer = "← →", .label = "VM",
		.rank = 4, .best = AT_VM | AT_WHY, .not_at = AT_ANY & ~(AT_VM | AT_WHY),
		.help = "scroll the table sideways; choose a pCPU in the pin map; in a VM's view: the VM before or after"},
	{KEY_RIGHT, {VK_RIGHT}, IN_ALL, KEYS_MOVE, .name = "", .help = ""},
	{KEY_FAR_LEFT, {'(', VK_SLEFT}, IN_ALL, KEYS_MOVE, .name = "( )",
		.help = "pin map: a screen of pCPUs to the left or right"},
	{KEY_FAR_RIGHT, {')', VK_SRIGHT}, IN_ALL, KEYS_MOVE, .name = "", .help = ""},
	{KEY_PAGE_UP, {VK_PGUP}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "PgUp PgDn",
		.help = "a page up or down"},
	{KEY_PAGE_DOWN, {VK_PGDN}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "", .help = ""},
	{KEY_FIRST, {VK_HOME}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "Home End",
		.help = "to the first or last row"},
	{KEY_LAST, {VK_END}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_MOVE, .name = "", .help = ""},
	{KEY_PANEL, {VK_TAB}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, .name = "Tab", .footer = "Tab",
		.label = "Panel", .rank = 22, .not_at = AT_LOG | AT_WHY | AT_PLAN,
		.help = "to the next panel"},
	{KEY_PANEL_BACK, {VK_BTAB}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, .name = "", .help = ""},
	{KEY_OPEN, {VK_ENTER, 'e', VK_F1 + 4}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, .name = "Enter e F5",
		.footer = "Enter", .label = "Open", .rank = 11, .not_at = AT_VM,
		.help = "open the selected VM"},
	{KEY_WHY, {'w'}, IN_VIEWS | IN_PREVIEW, KEYS_MOVE, .name = "w", .footer = "w", .label = "Why",
		.rank = 10, .best = AT_MEMORY | AT_VM | AT_WHY,
		.help = "to the VM that suffers most, and why it does; again: the next one; in a VM's view: why this one"},
	{KEY_DROP, {VK_ESC}, IN_PREVIEW | IN_EDIT, KEYS_STEER, .name = "Esc", .footer = "Esc",
		.label = "Drop", .rank = 2, .help = "preview, pin editor: drop the ghosts"},
	{KEY_BACK, {VK_ESC}, IN_VIEWS, KEYS_MOVE, .name = "Esc", .footer = "Esc", .label = "Back", .rank = 3,
		.best = AT_ANY, .not_at = AT_OVERVIEW, .help = "back to where you came from"},

	{KEY_VIEW, {'0'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, .name = "0", .footer = "0", .label = "Overview",
		.rank = 19, .not_at = AT_OVERVIEW, .help = "overview"},
	{KEY_VIEW, {'1'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, .name = "1", .footer = "1", .label = "pCPUs",
		.rank = 19, .not_at = AT_PCPUS, .help = "pCPUs and the pin map"},
	{KEY_VIEW, {'2'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, .name = "2", .footer = "2", .label = "Memory",
		.rank = 20, .not_at = AT_MEMORY, .help = "memory"},
	{KEY_VIEW, {'3'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, .name = "3", .footer = "3", .label = "Log",
		.rank = 21, .not_at = AT_LOG, .help = "decisions and their reasons"},
	{KEY_VIEW, {'4'}, IN_VIEWS | IN_PREVIEW, KEYS_SHOW, .name = "4", .help = "the selected VM in depth"},
	{KEY_SORT_CPU, {'P'}, IN_VIEWS, KEYS_SHOW, .name = "P", .help = "sort by CPU"},
	{KEY_SORT_MEMORY, {'M'}, IN_VIEWS, KEYS_SHOW, .name = "M", .help = "sort by memory"},
	{KEY_SORT_TIME, {'T'}, IN_VIEWS, KEYS_SHOW, .name = "T", .help = "sort by CPU time"},
	{KEY_SORT_ID, {'N'}, IN_VIEWS, KEYS_SHOW, .name = "N", .help = "sort by id"},
	{KEY_SORT_SUFFERS, {'S'}, IN_VIEWS, KEYS_SHOW, .name = "S", .help = "sort by how much they suffer"},
	{KEY_SORT_WAIT, {'A'}, IN_VIEWS, KEYS_SHOW, .name = "A", .help = "sort by waiting for a pCPU"},
	{KEY_SORT_PICK, {'F', VK_F1 + 5}, IN_VIEWS, KEYS_SHOW, .name = "F F6", .footer = "F6",
		.label = "Sort", .rank = 23, .not_at = AT_ANY & ~AT_TABLES,
		.help = "choose the column to sort by"},
	{KEY_SORT_LEFT, {'<'}, IN_VIEWS, KEYS_SHOW, .name = "< >",
		.help = "sort by the column to the left or right"},
	{KEY_SORT_RIGHT, {'>'}, IN_VIEWS, KEYS_SHOW, .name = "", .help = ""},
	{KEY_REVERSE, {'r'}, IN_VIEWS, KEYS_SHOW, .name = "r", .help = "reverse the order"},
	{KEY_OF_HOST, {'I'}, IN_VIEWS, KEYS_SHOW, .name = "I",
		.help = "percent of a pCPU, or of the whole host"},
	{KEY_SEARCH, {'/', VK_F1 + 2}, IN_VIEWS, KEYS_SHOW, .name = "/ F3", .footer = "/", .label = "Find",
		.rank = 16, .best = AT_TABLES | AT_PCPUS | AT_VM,
		.help = "search a VM by name (regular expression)"},
	{KEY_NEXT, {'n'}, IN_VIEWS, KEYS_SHOW, .name = "n", .help = "next match"},
	{KEY_FILTER, {'\\', VK_F1 + 3}, IN_VIEWS, KEYS_SHOW, .name = "\\ F4", .footer = "\\",
		.label = "Filter", .rank = 24, .not_at = AT_LOG | AT_VM | AT_WHY,
		.help = "show only the VMs that match; limits the view, not what AUTO steers"},
	{KEY_FOLLOW, {'f'}, IN_VIEWS, KEYS_SHOW, .name = "f",
		.help = "keep the selected VM in sight when rows move"},
	{KEY_PAUSE, {'Z'}, IN_VIEWS, KEYS_SHOW, .name = "Z", .help = "pause the screen (not the steering)"},
	{KEY_MERGE, {'!'}, IN_VIEWS, KEYS_SHOW, .name = "!", .footer = "!", .label = "Merge", .rank = 14,
		.best = AT_PCPUS, .not_at = AT_ANY & ~(AT_OVERVIEW | AT_PCPUS),
		.help = "merge pCPUs: thread, core, LLC, node"},
	{KEY_TALL, {'z'}, IN_VIEWS, KEYS_SHOW, .name = "z", .footer = "z", .label = "Zoom", .rank = 12,
		.not_at = AT_VM | AT_WHY,
		.help = "the table, pin map or log alone, over the whole height; once more: with what belongs to it"},
	{KEY_MARK_ROW, {'x', VK_INSERT}, IN_VIEWS, KEYS_SHOW, .name = "x Insert",
		.help = "mark the VM; H, X, O and = act on all marked ones"},
	{KEY_MARK_ALL, {'*'}, IN_VIEWS, KEYS_SHOW, .name = "*",
		.help = "mark all VMs that are shown; once more: take all marks off"},
	{KEY_SETUP, {VK_F1 + 1}, IN_VIEWS, KEYS_SHOW, .name = "F2", .footer = "F2", .label = "Setup",
		.rank = 17, .best = AT_ANY,
		.help = "setup: policies, theme, graphs, columns and their order"},
	{KEY_SAVE, {'W'}, IN_VIEWS | IN_SETUP, KEYS_SHOW, .name = "W", .footer = "W", .label = "Save",
		.rank = 30, .help = "save the setup to the user's config file"},

	{KEY_STEP_BACK, {'['}, IN_VIEWS, KEYS_SHOW, .name = "[ ]", .footer = "[ ]", .label = "Past",
		.rank = 26, .best = AT_LOG, .help = "back in time over the last hour, and forward again"},
	{KEY_STEP, {']'}, IN_VIEWS, KEYS_SHOW, .name = "", .help = ""},
	{KEY_GO, {'g'}, IN_VIEWS, KEYS_SHOW, .name = "g", .footer = "g", .label = "Go to", .rank = 27,
		.best = AT_LOG,
		.help = "go to a time: -3m or +30s from what is shown, 14:05 by the clock, 2m from the oldest kept"},
	{KEY_STEP_BACK, {'['}, IN_PAST, KEYS_SHOW, .name = "[ ]", .footer = "[ ]", .label = "Back, on",
		.rank = 3, .help = "back in time, and forward again: past the newest is LIVE"},
	{KEY_STEP, {']'}, IN_PAST, KEYS_SHOW, .name = "", .help = ""},
	{KEY_GO, {'g'}, IN_PAST, KEYS_SHOW, .name = "g", .footer = "g", .label = "Go to", .rank = 4,
		.help = "go to a time: -3m or +30s from what is shown, 14:05 by the clock, 2m from the oldest kept"},
	{KEY_LIVE, {VK_ESC}, IN_PAST, KEYS_SHOW, .name = "Esc", .footer = "Esc", .label = "LIVE", .rank = 2,
		.help = "back to LIVE"},

	{KEY_REBALANCE, {'b'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "b", .footer = "b",
		.label = "Balance", .rank = 5, .best = AT_OVERVIEW | AT_PCPUS,
		.help = "rebalance now: one round at once; asks when it moves more than eight vCPUs"},
	{KEY_AUTO_CPU, {'a'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "a", .footer = "a",
		.label = "Auto CPU", .rank = 7, .best = AT_OVERVIEW,
		.help = "AUTO for CPU on or off; turning it on asks once per session"},
	{KEY_AUTO_MEMORY, {'m'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "m", .footer = "m",
		.label = "Auto mem", .rank = 8, .best = AT_TABLES,
		.help = "AUTO for memory on or off; turning it on asks once per session"},
	{KEY_MEMORY_CYCLE, {'B'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "B", .footer = "B",
		.label = "Cycle", .rank = 9, .best = AT_MEMORY, .not_at = AT_ANY & ~AT_MEMORY,
		.help = "one memory cycle now; asks when it changes more than eight balloons"},
	{KEY_PREVIEW, {'v'}, IN_VIEWS | IN_PREVIEW, KEYS_STEER, .live = true, .name = "v", .footer = "v",
		.label = "Plan", .rank = 6, .best = AT_OVERVIEW | AT_PCPUS,
		.help = "list what b would do, and show it as ghosts; y applies, Esc drops; v again: to and from the list"},
	{KEY_LEAVE_OUT, {'x', VK_DELETE}, IN_PREVIEW, KEYS_STEER, .name = "x Delete", .footer = "x",
		.label = "Leave out", .rank = 3,
		.help = "preview: leave the line out of the plan, or take it in again"},
	{KEY_APPLY, {'y'}, IN_PREVIEW | IN_EDIT, KEYS_STEER, .steers = true, .name = "y", .footer = "y",
		.label = "Apply", .rank = 1, .help = "preview, pin editor: apply the ghosts"},
	{KEY_EDIT, {'E'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "E", .footer = "E", .label = "Pins",
		.rank = 12, .best = AT_PCPUS, .help = "pin editor for the selected VM"},
	{KEY_TOGGLE, {' '}, IN_EDIT, KEYS_STEER, .steers = true, .name = "Space", .footer = "Space",
		.label = "Toggle", .rank = 3, .help = "pin editor: pCPU in or out"},
	{KEY_LIST, {VK_ENTER}, IN_EDIT, KEYS_STEER, .steers = true, .name = "Enter", .footer = "Enter",
		.label = "CPU list", .rank = 4, .help = "pin editor: type a CPU list"},
	{KEY_BALLOON, {'='}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "=", .footer = "=",
		.label = "Balloon", .rank = 25, .best = AT_MEMORY | AT_VM, .not_at = AT_LOG,
		.help = "set the balloon of the selected VM, or of all marked ones"},
	{KEY_UNDO, {'u'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "u", .footer = "u", .label = "Undo",
		.rank = 15, .best = AT_ANY,
		.help = "undo the last round and hold its VMs; asks when that is more than eight changes"},
	{KEY_RESTORE, {'U'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "U",
		.help = "put everything back as found (asks)"},
	{KEY_HOLD, {'H'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "H", .footer = "H", .label = "Hold",
		.rank = 26, .best = AT_VM, .not_at = AT_LOG,
		.help = "hold the VM: AUTO leaves it alone until H releases it"},
	{KEY_RELEASE_ALL, {'G'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "G",
		.help = "let go of all VMs that are held, those held for somebody else's change too (asks)"},
	{KEY_EXCLUDE, {'X'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "X",
		.help = "exclude the VM from CPU steering, or take it in"},
	{KEY_STAY, {'O'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "O",
		.help = "keep the VM on its own NUMA node, or let it leave"},
	{KEY_STATS, {'p'}, IN_VIEWS, KEYS_STEER, .steers = true, .name = "p",
		.help = "turn guest memory statistics on or back (asks)"},

	{KEY_SAMPLE, {' '}, IN_VIEWS | IN_PREVIEW, KEYS_OTHER, .live = true, .name = "Space",
		.help = "sample now"},
	{KEY_INTERVAL, {'i', 'd', 's'}, IN_VIEWS, KEYS_OTHER, .live = true, .name = "i d s",
		.help = "change the interval"},
	{KEY_NOTE, {'\''}, IN_VIEWS, KEYS_OTHER, .live = true, .name = "'", .footer = "'", .label = "Mark",
		.rank = 28, .best = AT_LOG, .help = "put a mark into the log"},
	{KEY_COST, {'C'}, IN_VIEWS, KEYS_OTHER, .name = "C",
		.help = "what vmtop itself costs: calls, sample, plan, screen"},
	{KEY_RECORD, {'R'}, IN_VIEWS, KEYS_OTHER, .live = true, .name = "R", .footer = "R", .label = "Record",
		.rank = 29, .best = AT_LOG, .help = "begin a recording, asking for its file; end it"},
	{KEY_LINE, {':'}, IN_VIEWS | IN_PREVIEW, KEYS_OTHER, .name = ":", .footer = ":", .label = "Command",
		.rank = 18,
		.help = "type a command, Tab completes it: another host, theme, sort, a manual page, ..."},
	{KEY_REDRAW, {VK_CTRL('L')}, IN_ALL | IN_FLEET, KEYS_OTHER, .name = "^L",
		.help = "draw the screen anew"},
	{KEY_HELP, {'?', 'h', VK_F1}, IN_ALL | IN_LISTS | IN_FLEET, KEYS_OTHER, .name = "? h F1",
		.footer = "?", .label = "Help", .rank = 2, .help = "this help"},
	{KEY_QUIT, {'q', VK_F1 + 9}, IN_ALL | IN_FLEET, KEYS_OTHER, .name = "q F10", .footer = "q",
		.label = "Quit", .rank = 1, .help = "quit"},

	{KEY_CHOOSE, {VK_ENTER, ' ', VK_RIGHT}, IN_SETUP, KEYS_LISTS, .name = "Enter Space",
		.footer = "Enter", .label = "Change", .rank = 2,
		.help = "setup: the next value (Right too); show or hide the column"},
	{KEY_CHOOSE_BACK, {VK_LEFT}, IN_SETUP, KEYS_LISTS, .name = "Left", .help = "setup: the value before"},
	{KEY_SHIFT_UP, {'<', VK_F1 + 6}, IN_SETUP, KEYS_LISTS, .name = "< > F7 F8", .footer = "< >",
		.label = "Move", .rank = 3, .help = "setup: move the column to the left or right"},
	{KEY_SHIFT_DOWN, {'>', VK_F1 + 7}, IN_SETUP, KEYS_LISTS, .name = "", .help = ""},
	{KEY_SORT_HERE, {'s'}, IN_SETUP, KEYS_LISTS, .name = "s", .footer = "s", .label = "Sort", .rank = 4,
		.help = "setup: sort by the column; once more: the other way round"},
	{KEY_CHOOSE, {VK_ENTER, ' '}, IN_SORT, KEYS_LISTS, .name = "Enter Space", .footer = "Enter",
		.label = "Sort", .rank = 2, .help = "list of columns: sort by this one"},
	{KEY_CLOSE, {VK_ESC, 'q', VK_F1 + 9, VK_F1 + 1}, IN_LISTS, KEYS_LISTS, .name = "Esc q",
		.footer = "Esc", .label = "Close", .rank = 1, .help = "close the list"},
	{KEY_PLAY, {' '}, IN_REPLAY, KEYS_REPLAY, .name = "Space", .footer = "Space", .label = "Play",
		.rank = 3, .help = "play, or stand still"},
	{KEY_STEP, {']', 't'}, IN_REPLAY, KEYS_REPLAY, .name = "] [ t T", .footer = "] [", .label = "Step",
		.rank = 4, .help = "a tick forward or back"},
	{KEY_STEP_BACK, {'[', 'T'}, IN_REPLAY, KEYS_REPLAY, .name = "", .help = ""},
	{KEY_GO, {'g'}, IN_REPLAY, KEYS_REPLAY, .name = "g", .footer = "g", .label = "Go to", .rank = 5,
		.help = "go to a time: 90 or 2m from the start, -3m or +30s from here, 14:05 by the clock"},
	{KEY_FASTER, {'+'}, IN_REPLAY, KEYS_REPLAY, .name = "+ -", .footer = "+ -", .label = "Speed",
		.rank = 6, .help = "twice or half as fast"},
	{KEY_SLOWER, {'-'}, IN_REPLAY, KEYS_REPLAY, .name = "", .help = ""},
	{KEY_LOOP, {'L'}, IN_REPLAY, KEYS_REPLAY, .name = "L", .help = "begin anew at the end, or not"},

	{KEY_OPEN, {VK_ENTER, 'e', VK_F1 + 4}, IN_FLEET, KEYS_FLEET, .name = "Enter e F5", .footer = "Enter",
		.label = "Open", .rank = 3,
		.help = "fleet: open the host, or that of the VM, in a vmtop of its own; q or Esc there come back"},
	{KEY_PANEL, {VK_TAB, VK_BTAB}, IN_FLEET, KEYS_FLEET, .name = "Tab", .footer = "Tab",
		.label = "Hosts/VMs", .rank = 4, .help = "fleet: the hosts, or the VMs of all hosts"},
	{KEY_PREVIEW, {'v'}, IN_FLEET, KEYS_FLEET, .name = "v", .footer = "v", .label = "Plan", .rank = 4,
		.help = "fleet: what moves between the hosts would help; y there carries them out, one after another, and Esc aborts"},
	{KEY_BACK, {VK_ESC}, IN_FLEET, KEYS_FLEET, .name = "Esc", .help = "fleet: back to the hosts"},
	{KEY_SEARCH, {'/', VK_F1 + 2}, IN_FLEET, KEYS_FLEET, .name = "/ F3", .footer = "/", .label = "Search",
		.rank = 5, .help = "fleet: search by name (regular expression)"},
	{KEY_NEXT, {'n'}, IN_FLEET, KEYS_FLEET, .name = "n", .help = "fleet: next match"},
	{KEY_FILTER, {'\\', VK_F1 + 3}, IN_FLEET, KEYS_FLEET, .name = "\\ F4", .footer = "\\",
		.label = "Filter", .rank = 6, .help = "fleet: show only the rows whose name matches"},
	{KEY_SORT_PICK, {'F', VK_F1 + 5}, IN_FLEET, KEYS_FLEET, .name = "F F6", .footer = "F6",
		.label = "Sort", .rank = 7, .help = "fleet: choose the column to sort by"},
	{KEY_SORT_LEFT, {'<'}, IN_FLEET, KEYS_FLEET, .name = "< >",
		.help = "fleet: sort by the column to the left or right"},
	{KEY_SORT_RIGHT, {'>'}, IN_FLEET, KEYS_FLEET, .name = "", .help = ""},
	{KEY_REVERSE, {'r'}, IN_FLEET, KEYS_FLEET, .name = "r", .footer = "r", .label = "Reverse", .rank = 8,
		.help = "fleet: reverse the order"},
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

bool key_in(const struct key_row *key, enum key_place where)
{
	bool shown = where == IN_REPLAY || where == IN_PAST;
	return (key->where & where) || (shown && (key->where & IN_VIEWS) && !key->live);
}

static bool row_has(const struct key_row *k, int key)
{
	for (size_t i = 0; i < 4 && k->keys[i]; i++)
		if (k->keys[i] == key)
			return true;
	return false;
}

/* The smaller the earlier: what is best in the view, or means something in this place alone, before the rest.
 */
static int footer_order(const struct key_row *key, unsigned view)
{
	bool best = key->rank <= 2 || key->best & view || !(key->where & IN_VIEWS);
	return key->rank + (best ? 0 : 100);
}

static const struct key_row *find(int key, enum key_place where, bool readonly, bool live)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if ((rows[i].where & where) && !(readonly && rows[i].steers) && (live || !rows[i].live) &&
			row_has(&rows[i], key))
			return &rows[i];
	return NULL;
}

const struct key_row *key_find(int key, enum key_place where, bool readonly)
{
	const struct key_row *k = find(key, where, readonly, true);
	bool shown = where == IN_REPLAY || where == IN_PAST;
	return k || !shown ? k : find(key, IN_VIEWS, readonly, false);
}

size_t key_footer(enum key_place where, unsigned view, bool readonly, const struct key_row **to, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct key_row *key = &rows[i];
		if (!key->rank || key->not_at & view || !key_in(key, where) ||
			key_find(key->keys[0], where, readonly) != key)
			continue;
		size_t at = n < most ? n++ : n;
		for (; at > 0 && footer_order(to[at - 1], view) > footer_order(key, view); at--)
			if (at < most)
				to[at] = to[at - 1];
		if (at < most)
			to[at] = key;
	}
	return n;
}

const char *key_section_text(enum key_section section)
{
	static const char *const text[] = {
		[KEYS_MOVE] = "Moving about",
		[KEYS_SHOW] = "What is shown",
		[KEYS_STEER] = "Steering",
		[KEYS_OTHER] = "Other",
		[KEYS_LISTS] = "In the setup and in lists",
		[KEYS_REPLAY] = "Replay of a recording",
		[KEYS_FLEET] = "In vmtop fleet",
	};
	return (unsigned)section < KEYS_SECTIONS ? text[section] : "";
}
