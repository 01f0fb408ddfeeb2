/* SPDX-License-Identifier: MIT */
/* What the files of the fleet's screen share. Private to src/ui. */
#ifndef UI_FLEET_PRIVATE_H
#define UI_FLEET_PRIVATE_H

#include "view_private.h"
#include "vmtop/fleet_view.h"

enum fleet_over {
	FLEET_OVER_NONE,
	FLEET_OVER_HELP,
	FLEET_OVER_PLAN,
	FLEET_OVER_SORT,
	FLEET_OVER_SEARCH,
	FLEET_OVER_FILTER
};

/* One of the two tables. */
struct fleet_list {
	int sort;
	bool reverse;
	size_t *rows, n, cap; /* indices, filtered and sorted */
	size_t at, top;       /* the cursor, and the first row shown */
	bool moved;           /* by the user: else the cursor stays on the first row, whoever that is */
	char host[FLEET_NAME], uri[FLEET_URI]; /* where the cursor is, */
	uint8_t uuid[UUID_BYTES];              /* and on which VM */
};

struct fleet_view {
	double delay_s;
	enum fleet_kind kind;
	struct fleet_list lists[FLEET_KINDS];
	int page;       /* rows shown last, */
	int first_row;  /* and where they begin on the screen */
	bool shown_any; /* something was fed */
	enum fleet_over over;
	int over_row, over_top;
	char *plan; /* what moves would help, as it was when it was asked for */
	struct typed line;
	regex_t filter_re, search_re;
	bool has_filter, has_search;
	char filter[LINE_MAX_BYTES], search[LINE_MAX_BYTES];
	char message[200];
};

#endif
