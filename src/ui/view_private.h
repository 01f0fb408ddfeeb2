/* SPDX-License-Identifier: MIT */
/* What the files that make up the view share. Private to src/ui. */
#ifndef UI_VIEW_PRIVATE_H
#define UI_VIEW_PRIVATE_H

#include <regex.h>

#include "draw.h"
#include "history.h"
#include "tape.h"
#include "vmtop/columns.h"
#include "vmtop/keys.h"
#include "vmtop/timeline.h"
#include "vmtop/view.h"

enum view_id { VIEW_OVERVIEW, VIEW_PCPUS, VIEW_MEMORY, VIEW_LOG, VIEW_VM, VIEW_WHY, VIEW_PLAN, VIEW_COUNT };
enum focus { FOCUS_TABLE, FOCUS_MAP, FOCUS_LOG, FOCUS_VCPUS, FOCUS_WHY, FOCUS_PLAN };
enum { FOCUS_COUNT = FOCUS_PLAN + 1 };
enum overlay { OVER_NONE, OVER_HELP, OVER_QUESTION, OVER_PROMPT, OVER_SORT, OVER_SETUP, OVER_COST };
enum prompt {
	PROMPT_INTERVAL,
	PROMPT_SEARCH,
	PROMPT_FILTER,
	PROMPT_NOTE,
	PROMPT_BALLOON,
	PROMPT_CPUS,
	PROMPT_GO,
	PROMPT_RECORD,
	PROMPT_COMMAND
};

/* pCPUs that are shown as one: a thread, or all of a core, LLC or node. */
struct unit {
	struct cpuset cpus;
	int first, n; /* smallest id; how many */
	int node, llc;
	bool online, isolated;                      /* any online; all isolated */
	bool lesser;                                /* of a lesser kind, by its first pCPU */
	struct vf64 busy_pct, load_pct, demand_pct; /* of the unit: means over its pCPUs */
	int n_vcpus;
	char label[16];
};

/* The pCPUs of the snapshot fed last, as merged. */
struct units {
	struct unit *list;
	size_t cap, n, n_hidden; /* pCPUs that are offline and left out */
	enum merge merge;
	bool hide_offline, offline_settled;
	bool stale; /* another snapshot is shown now */
};

struct table {
	uint8_t cols[64];
	int n_cols;
	uint8_t rank[64]; /* by column: 1 is the last to go; one that was added by hand goes after the name */
	bool chosen;      /* by the user: to be saved */
	bool ordered;     /* by the user: then shown from the left, else the best that fit */
	int left;         /* columns scrolled away to the left, after the name */
	int sort;         /* column, -1: as they come (UUID) */
	bool sorted;      /* the order was chosen; else who suffers comes first */
	bool reverse;
};

/* What a row is sorted by. */
struct row_key {
	size_t vm;
	double first; /* greater before all else */
	bool has;
	double num;
	char text[48];
};

enum { STAGED_MAX = 128, MARKS_MAX = 1024, QUEUE_MAX = 1032, LINE_MAX_BYTES = 160 };

/* A line that is being typed. */
struct typed {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool filled; /* it is what it was filled with: the first character replaces it */
};

/* A pin staged in the editor. */
struct staged {
	uint8_t uuid[UUID_BYTES];
	int vcpu;
	struct cpuset to;
};

struct editor {
	bool on;
	enum view_id from; /* where it was opened */
	struct staged *staged;
	size_t n;
};

/* The pin map: its cursor, what is scrolled away, and what it showed last. */
struct map_place {
	int vcpu; /* id of the selected vCPU of the selected VM */
	int cpu;  /* smallest id of the selected unit, -1: none */
	size_t top, left;
	int rows, cols; /* vCPUs and pCPUs */
};

/* The plan of a preview, as listed. */
struct plan_list {
	struct effect *list;
	size_t n, cap, row, top;
	int page;
	enum view_id from; /* where one was before */
};

/* What lies over the view. */
struct over {
	enum overlay kind;
	int row, top, page; /* the page is what was drawn last */
	enum overlay under; /* what help was opened over, */
	int under_row;      /* and where its cursor was */
};

/* Back in time on a running host. */
struct back {
	struct tape *tape;
	struct timeline timeline; /* its events */
	uint64_t events_seq;      /* of the newest line of the log among them */
	struct snapshot *shown;   /* instead of the newest; NULL: LIVE */
	uint64_t at;              /* its number on the tape */
	struct log_line *log;
	size_t n_log;
};

/* What the setup panel has chosen; the engine's answer comes with the next snapshot only. */
struct setup {
	int cpu_policy, mem_policy;
	enum granularity granularity; /* as it was asked for: AUTO too */
	int theme;
};

/* Where panels, heads and cells stood on the screen drawn last. */
struct hit {
	struct rect panel[FOCUS_COUNT];
	struct rect rows;  /* of the table */
	uint8_t heads[64]; /* columns of the table, */
	int head_end[64];  /* and the screen column after each */
	int n_heads;
	struct rect cells; /* of the pin map */
	int foot[48];      /* keys of the footer, */
	int foot_end[48];  /* and the screen column after each */
	int foot_row, n_foot;
	int cell; /* columns of each */
};

/* The width of names in the table, and what it was found for. */
struct named {
	uint64_t seq;
	size_t rows;
	int cols, width;
};

struct view {
	/* settings of the session */
	double delay_s;
	bool yes, esc_quits, mouse;
	char *hosts; /* of [fleet], as the configuration has them */
	bool steers; /* the host of the newest snapshot can be changed from here */
	enum on_exit on_exit;
	enum view_id id, came_from;
	int focus[VIEW_COUNT];
	unsigned groups; /* statistics that the screen drawn last needs */
	struct hit hit;  /* what stood where, for the mouse */
	unsigned sight;  /* panels on the screen drawn last, a bit each (enum focus) */
	bool of_host, follow, paused, sparklines, tall;
	struct named_layout *layouts; /* CFG_LAYOUTS of them have room */
	size_t n_layouts;
	enum graph graph;
	struct table main, memory;

	/* rows: indices of VMs in the snapshot fed last */
	size_t *rows, *names; /* sorted and filtered; by name and filtered */
	struct row_key *keys; /* scratch of the sort */
	size_t n_rows, cap_rows;
	size_t n_names;    /* names[] holds each VM of the snapshot before once, and there were so many; 0: it
			      does not */
	uint64_t rows_seq; /* of the snapshot that rows[] is about, */
	int64_t rows_time; /* and the time of its sample */
	bool rows_stale;
	struct named named;
	bool has_sel, moved; /* moved: the user has chosen */
	uint8_t sel[UUID_BYTES];
	size_t sel_row; /* where it was seen last */
	size_t top;     /* first row shown */
	int page;       /* rows shown last */
	regex_t filter_re, search_re;
	bool has_filter, has_search;
	char (*patterns)[256]; /* of the command line: only these VMs are shown, until a filter is given */
	size_t n_patterns;
	char filter[LINE_MAX_BYTES], search[LINE_MAX_BYTES];
	uint8_t (*marks)[UUID_BYTES];
	size_t n_marks;

	struct units units;
	struct map_place map;
	struct editor editor;

	/* log: lines scrolled back from the newest; the sequence number keeps the place while lines come */
	uint64_t log_seq; /* 0: the newest is shown */
	int log_page;
	size_t vm_top;

	struct plan_list plan;

	struct over over;
	struct own_cost own; /* of the last frame */
	enum prompt prompt;
	struct typed line;
	char message[200]; /* a word from the view itself: why a key did nothing; until the next key */
	char question[400];
	struct command ask; /* carried out on y */
	struct setup setup;
	unsigned n_asked; /* questions, lines and previews so far, from 1 */
	bool previewing;  /* the snapshot fed last shows ghosts */
	bool ask_exit;    /* y restores, n keeps */
	bool asked_cpu, asked_memory;

	struct command *queue;
	size_t n_queue, queue_at;
	struct history hist;

	struct back back;
};

/* view_state.c: nothing here knows a panel */
void view_say(struct view *view, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts a command into the queue. */
void view_send(struct view *view, const struct command *cmd);
void view_send_kind(struct view *view, enum command_kind kind, bool on);
/* A row of the key table whose action nobody carries out; a test holds that there is none. */
struct key_row;
void view_no_action(struct view *view, const struct key_row *key);
void ask_question(struct view *view, const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ask_line(struct view *view, enum prompt prompt, const char *text);
enum focus view_focus(const struct view *view);
/* Gives a panel of the view the focus, if it may have it. */
void view_focus_on(struct view *view, enum focus focus);
/* A panel is on the screen. */
void view_sight(struct view *view, enum focus focus, struct rect area);
enum key_place view_place(const struct view *view, const struct snapshot *snap);
/* The snapshot that is shown. */
const struct snapshot *view_seen(const struct view *view, const struct snapshot *snap);

/* view_settings.c: what *cfg says of the screen is taken over; `set` is what was changed (NULL: all of it),
 * which may be for the engine. */
struct setting;
void view_take(struct view *view, const struct config *cfg, const struct setting *set);

/* typed.c */
void typed_fill(struct typed *typed, const char *text);
bool typed_edit(struct typed *typed, int key); /* false: the key is none of a line's */
/* A line over the footer, with the cursor at its end. */
void typed_draw(struct screen *scr, const char *label, const struct typed *typed);

/* table_set.c: columns as by default; those of a list, by key; after they have been changed */
void table_defaults(struct table *table, bool memory);
void table_columns(struct table *table, bool memory, const char *list);
void table_chosen(struct table *table, bool memory);

/* lists.c */
/* Moves the cursor of a list of n rows; true when the key was one of those. */
bool list_key(struct view *view, const struct key_row *key, int n);
void list_row(struct screen *scr, int row, bool cursor, bool on, const char *left, const char *text);
bool overlay_box(struct screen *scr, int rows, int cols, int want_rows, int want_cols, int *row, int *col);
/* Lines of text in an overlay that scrolls; to == NULL: they are only counted. */
struct sheet {
	struct screen *to;
	const struct screen *measure;
	int keys; /* columns of what stands left of a text */
	int n, top, cols;
};
void sheet_add(struct sheet *sheet, const char *left, const char *text, enum style style);

/* pattern.c: takes `text` as pattern; "" for none. False, and all as before: not a regular expression, or one
 * that could take much memory or time. */
bool pattern_set(regex_t *re, bool *has, char *kept, const char *text);

/* rows.c: which VMs, in which order */
void rows_update(struct view *view, const struct snapshot *snap);
/* Index of the selected VM in the snapshot; false: none. */
bool rows_selected(const struct view *view, const struct snapshot *snap, size_t *vm);
void rows_select(struct view *view, const struct snapshot *snap, size_t row);
void rows_move(struct view *view, const struct snapshot *snap, long by);
void rows_show(struct view *view); /* scrolls to the selected row */
/* A pattern that was typed: limits the rows; is looked for. */
void rows_filter(struct view *view, const struct snapshot *snap, const char *pattern);
void rows_look_for(struct view *view, const struct snapshot *snap, const char *pattern);
bool rows_search(struct view *view, const struct snapshot *snap, bool next);
bool rows_marked(const struct view *view, const uint8_t uuid[UUID_BYTES]);
void rows_mark(struct view *view, const uint8_t uuid[UUID_BYTES]);
void rows_mark_all(
	struct view *view, const struct snapshot *snap); /* that are shown; or none, where all are */
void rows_unmark_gone(struct view *view, const struct snapshot *snap);
struct table *view_table(struct view *view);
const struct table *view_table_of(const struct view *view);

/* units.c */
void units_update(struct units *units, const struct snapshot *snap);
long units_find(const struct units *units, int cpu);
const char *merge_text(enum merge merge);

/* panels: each fills its rectangle, whatever its size */
int header_rows(int rows);
void header_draw(
	const struct view *view, const struct snapshot *snap, struct screen *scr, int rows, double age_s);
void footer_draw(struct view *view, const struct snapshot *snap, struct screen *scr);
struct key_row;
/* In the last line; returns how many there is room for, and the column after each (NULL: not wanted). */
int footer_keys_draw(struct screen *scr, const struct key_row *const *keys, int n, int *ends);
int table_rows(const struct view *view); /* that it would fill */
void table_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
/* Rows for the pCPUs: `most`, or `by_node` where that gives each node a line of its own. */
int pcpus_rows(const struct units *units, int cols, int most, int by_node);
/* vm: the one selected, -1: none. */
void pcpus_draw(const struct units *units, const struct snapshot *snap, struct screen *scr, struct rect area,
	long vm);
void map_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
/* Columns that the map can use, where so many are wanted beside it. */
int map_cols(
	const struct view *view, const struct snapshot *snap, const struct screen *scr, int cols, int beside);
void memory_draw(const struct snapshot *snap, struct screen *scr, struct rect area, long vm);
void log_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area,
	const uint8_t *uuid);
int verdicts_draw(const struct snapshot *snap, struct screen *scr, struct rect area);
/* panel_why.c: why one VM suffers; the alert line; the n-th worst of the rows, from 0: false, there is none.
 */
void why_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
/* The same of any VM. Returns the rows used, with an empty one behind. */
int why_body(const struct snapshot *snap, size_t vm, bool focused, struct screen *scr, struct rect area);
int alert_draw(
	const struct snapshot *snap, struct screen *scr, int row, int cols); /* returns the columns used */
enum style suffer_style(const struct suffering *hurt); /* one scale for rows, words and bars */
bool alert_any(const struct snapshot *snap);
bool alert_worst(const struct view *view, const struct snapshot *snap, size_t n, size_t *row);
/* panel_plan.c: the plan of a preview; the cursor in it; the line under it is left out, or in again. */
void plan_feed(struct view *view, const struct snapshot *snap);
void plan_draw(struct plan_list *list, const struct snapshot *snap, struct screen *scr, struct rect area);
void plan_show(struct view *view);
void plan_move(struct plan_list *list, long by);
void plan_leave_out(struct view *view, const struct snapshot *snap);
void vm_draw(struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
/* past.c: takes in the newest; a step, a time, back to LIVE */
void past_events(struct back *back, const struct snapshot *snap);
void past_step(struct view *view, const struct snapshot *snap, int by);
void past_go(struct view *view, const struct snapshot *snap, double seconds, bool from_start);
void past_leave(struct view *view);
enum { TIMELINE_ROWS = 3 };
void timeline_draw(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
/* panel_graphs.c */
void vm_graphs_draw(const struct view *view, const struct snapshot *snap, size_t vm, struct screen *scr,
	struct rect area);
void host_graphs_draw(
	const struct view *view, const struct snapshot *snap, struct screen *scr, struct rect area);
enum { TREND_SPAN = 60 }; /* points of a sparkline at least */
const char *trend_head(
	const struct view *view, const struct screen *scr, const char *what, int cols, char *buf, size_t len);
void truth_text(const struct snapshot *snap, size_t vm, char *buf, size_t len);

/* edit.c: pins staged by hand */
const struct staged *edit_find(const struct editor *editor, const uint8_t uuid[UUID_BYTES], int vcpu);
void edit_set(struct view *view, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *to);
/* What a vCPU may be pinned to: its allowed set on online pCPUs; false: nothing. */
bool edit_allowed(const struct snapshot *snap, const struct vcpu_sample *vcpu, struct cpuset *may);
void edit_toggle(struct view *view, const struct snapshot *snap);
void edit_apply(struct view *view);
void edit_drop(struct view *view);
/* The vCPU under the cursor of the map, NULL: none. */
const struct vcpu_sample *edit_vcpu(const struct view *view, const struct snapshot *snap, size_t *vm);

/* ask.c: a key while an overlay is open */
void ask_key(struct view *view, int key, const struct snapshot *snap);
/* panel_help.c: keys and columns of the place where one is */
bool help_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col);
/* help_words.c: how many rows there are; what the i-th says in a view, its word or signs; NULL: nothing
 * there. */
size_t help_words(void);
const char *help_word(const struct screen *scr, size_t i, enum view_id view, char *word, size_t len);
/* panel_setup.c: what is shown and how, and the policies */
void setup_open(struct view *view, const struct snapshot *snap);
bool setup_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col);
/* Asks for the policy of *cfg that differs. */
void setup_policy(struct view *view, const struct config *cfg);
/* A policy that was asked for goes to the engine; its answer comes with the next snapshot only. */
void setup_took(struct view *view, const struct command *cmd);
void setup_key(struct view *view, const struct key_row *k, int key, const struct snapshot *snap);
/* line.c: the command line: carries out what is typed, completes it, says what could be typed */
void line_run(struct view *view, const struct snapshot *snap);
void line_layout(struct view *view, const char *name);
void line_complete(struct view *view);
void line_hint(const struct view *view, char *buf, size_t len);
/* What a key does; commands go into the queue. */
void view_press(struct view *view, int key, const struct snapshot *newest);
/* overlay_cost.c */
bool cost_draw(const struct own_cost *own, const struct snapshot *snap, struct screen *scr, int rows,
	int cols, int *row, int *col);

/* keys_move.c, keys_steer.c: true when the key was one of theirs */
bool move_key(struct view *view, const struct snapshot *snap, enum key_action action);
bool steer_key(struct view *view, const struct snapshot *snap, enum key_action action);
bool edit_key(struct view *view, const struct snapshot *snap, enum key_action action);
/* Up or down in the panel that has the focus. */
void view_move(struct view *view, const struct snapshot *snap, long by);
/* Leaves, or asks first whether to put back. */
void view_quit(struct view *view, const struct snapshot *snap);
/* Sends cmd for each marked VM, or for the selected one when none is marked; false: there is none. */
bool steer_each(struct view *view, const struct snapshot *snap, struct command *cmd);
/* Sends the release of each VM that is held. */
void steer_release_all(struct view *view, const struct snapshot *snap);

/* The n-th vCPU of the pin map becomes the selected one. */
void map_select(struct view *view, const struct snapshot *snap, size_t n);

#endif
