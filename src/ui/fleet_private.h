/* SPDX-License-Identifier: MIT */
/* What the files of the fleet's screen share. Private to src/ui. */
#ifndef UI_FLEET_PRIVATE_H
#define UI_FLEET_PRIVATE_H

#include "view_private.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/fleet_view.h"

enum fleet_over {
	FLEET_OVER_NONE,
	FLEET_OVER_HELP,
	FLEET_OVER_PLAN,
	FLEET_OVER_AUTO,
	FLEET_OVER_MOVES,
	FLEET_OVER_SORT,
	FLEET_OVER_SEARCH,
	FLEET_OVER_FILTER
};

/* What --auto=fleet said last. */
enum { FLEET_SAID_LINES = 64, FLEET_SAID_LINE = 512 };
struct fleet_said;

/* One of the two tables. */
struct fleet_list {
	int sort;
	bool reverse;
	size_t *rows, n, cap; /* indices, filtered and sorted */
	size_t at, top;       /* the cursor, and the first row shown */
	int64_t sorted_ns; /* which VMs are in order so, by fleet.vms_ns; 0: whatever comes is put in order */
	bool moved;        /* by the user: else the cursor stays on the first row, whoever that is */
	char host[FLEET_NAME], uri[FLEET_URI]; /* where the cursor is, */
	uint8_t uuid[UUID_BYTES];              /* and on which VM */
};

struct fleet_view {
	double delay_s;
	enum fleet_kind kind;
	struct fleet_list lists[FLEET_KINDS];
	int page;      /* rows shown last, */
	int first_row; /* and where they begin on the screen */
	enum fleet_over over;
	int over_row, over_top;
	char *plan;           /* what moves would help, as it was when it was asked for, */
	struct moves planned; /* and those moves */
	const char *peers;
	struct moves moving; /* those that are carried out, as told last; no list: none */
	bool moving_over;
	int64_t now_ns;          /* of the fleet drawn last */
	struct fleet_said *said; /* NULL: nothing runs unattended */
	bool aborting, leaving;  /* asked for: the end of the moves, and of the screen */
	struct typed line;
	regex_t filter_re, search_re;
	bool has_filter, has_search;
	char filter[LINE_MAX_BYTES], search[LINE_MAX_BYTES];
	char message[200];
	bool wants_rows; /* the message is that there are none */
};

/* fleet_auto.c */
int fleet_auto_text(const struct fleet_view *view, struct sheet *sheet); /* lines */
bool fleet_auto_line(const struct fleet_view *view, char *buf, size_t len);

/* fleet_moves.c */
bool fleet_moves_run(const struct fleet_view *view);
void fleet_moves_plan(
	struct fleet_view *view, const struct fleet *fleet, const struct fleet_proposal *proposal);
int fleet_moves_text(const struct fleet_view *view, struct sheet *sheet); /* lines */
/* What runs now, in one line; false: nothing. */
bool fleet_moves_line(const struct fleet_view *view, char *buf, size_t len);
void fleet_moves_ask(struct fleet_view *view); /* whether to leave while one runs */
enum fleet_wish fleet_moves_key(struct fleet_view *view, int key);

#endif
