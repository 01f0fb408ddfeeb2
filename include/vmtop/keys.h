/* SPDX-License-Identifier: MIT */
/* The key table: one row a key. Footer, help overlay and the manual's KEYS section come from it. Pure. */
#ifndef VMTOP_KEYS_H
#define VMTOP_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum key_action {
	KEY_NOTHING,
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_FAR_LEFT,
	KEY_FAR_RIGHT,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_FIRST,
	KEY_LAST,
	KEY_QUIT,
	KEY_HELP,
	KEY_REDRAW,
	KEY_SAMPLE,
	KEY_INTERVAL,
	KEY_VIEW, /* the digit is the view */
	KEY_OPEN,
	KEY_WHY,
	KEY_BACK,
	KEY_PANEL,
	KEY_PANEL_BACK,
	KEY_SORT_CPU,
	KEY_SORT_MEMORY,
	KEY_SORT_TIME,
	KEY_SORT_ID,
	KEY_SORT_SUFFERS,
	KEY_SORT_WAIT,
	KEY_SORT_PICK,
	KEY_SORT_LEFT,
	KEY_SORT_RIGHT,
	KEY_REVERSE,
	KEY_OF_HOST,
	KEY_SEARCH,
	KEY_NEXT,
	KEY_FILTER,
	KEY_FOLLOW,
	KEY_PAUSE,
	KEY_MARK_ROW,
	KEY_MARK_ALL,
	KEY_MERGE,
	KEY_SETUP,
	KEY_SAVE,
	KEY_CHOOSE,
	KEY_CHOOSE_BACK,
	KEY_SORT_HERE,
	KEY_SHIFT_UP,
	KEY_SHIFT_DOWN,
	KEY_CLOSE,
	KEY_REBALANCE,
	KEY_AUTO_CPU,
	KEY_AUTO_MEMORY,
	KEY_MEMORY_CYCLE,
	KEY_PREVIEW,
	KEY_APPLY,
	KEY_LEAVE_OUT,
	KEY_DROP,
	KEY_UNDO,
	KEY_RESTORE,
	KEY_EDIT,
	KEY_TOGGLE,
	KEY_LIST,
	KEY_BALLOON,
	KEY_HOLD,
	KEY_RELEASE_ALL,
	KEY_EXCLUDE,
	KEY_STAY,
	KEY_STATS,
	KEY_NOTE,
	KEY_PLAY,
	KEY_STEP,
	KEY_STEP_BACK,
	KEY_GO,
	KEY_FASTER,
	KEY_SLOWER,
	KEY_LOOP,
	KEY_COST,
	KEY_LIVE,
	KEY_RECORD,
	KEY_LINE,
	KEY_TALL,
};

/* Where a key means something: bits, so that a row can name several. */
enum key_place {
	IN_VIEWS = 1 << 0,   /* 0..4 */
	IN_PREVIEW = 1 << 1, /* ghosts of a planned round are shown */
	IN_EDIT = 1 << 2,    /* pin editor */
	IN_SETUP = 1 << 3,   /* panel of F2 */
	IN_SORT = 1 << 4,    /* list of F6 */
	IN_REPLAY = 1 << 5,  /* a recording is shown: its keys go before those of the views, */
	IN_PAST = 1 << 6,    /* as here: what a running host showed some time ago */
	IN_FLEET = 1 << 7,   /* vmtop fleet: the tables of hosts and of their VMs */
	IN_ALL = IN_VIEWS | IN_PREVIEW | IN_EDIT,
	IN_LISTS = IN_SETUP | IN_SORT,
};

/* Views, a bit each in the order of enum view_id, for what the footer has first there. */
enum key_view {
	AT_OVERVIEW = 1 << 0,
	AT_PCPUS = 1 << 1,
	AT_MEMORY = 1 << 2,
	AT_LOG = 1 << 3,
	AT_VM = 1 << 4,
	AT_WHY = 1 << 5,
	AT_PLAN = 1 << 6,
	AT_TABLES = AT_OVERVIEW | AT_MEMORY,
	AT_ANY = (1 << 7) - 1,
};

enum key_section {
	KEYS_MOVE,
	KEYS_SHOW,
	KEYS_STEER,
	KEYS_OTHER,
	KEYS_LISTS,
	KEYS_REPLAY,
	KEYS_FLEET,
	KEYS_SECTIONS
};

struct key_row {
	enum key_action action;
	int keys[4];    /* characters or enum view_key; 0 ends */
	unsigned where; /* enum key_place */
	enum key_section section;
	bool steers;        /* changes guests: gone in read-only mode */
	bool live;          /* asks something of a running host: gone in a recording, and in the past */
	const char *name;   /* as shown: "b", "F6 F" */
	const char *footer; /* name in the footer; with a rank */
	const char *label;  /* footer: what it does, one or two words */
	int rank;           /* footer: 1 is the last to go when it gets narrow; 0: not in the footer */
	unsigned best;      /* footer, enum key_view: where it stands before those that are not best there */
	unsigned not_at;    /* footer, enum key_view: where it would say nothing */
	const char *help;   /* one line */
};

size_t key_count(void);
const struct key_row *key_at(size_t i);
/* The row that a key stands for in this place, NULL: none. */
const struct key_row *key_find(int key, enum key_place where, bool readonly);
/* The rows of the footer in this place and view, the most important first; at most `most`. Returns how many.
 */
size_t key_footer(
	enum key_place where, unsigned view, bool readonly, const struct key_row **rows, size_t most);
/* The row means something in this place. */
bool key_in(const struct key_row *key, enum key_place where);
const char *key_section_text(enum key_section section);

#endif
