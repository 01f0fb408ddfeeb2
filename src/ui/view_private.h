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

/* pattern.c: takes `text` as pattern; "" for none. False, and all as before: not a regular expression, or one
 * that could take much memory or time. */
bool pattern_set(regex_t *re, bool *has, char *kept, const char *text);

/* rows.c: which VMs, in which order */
void rows_update(struct view *v, const struct snapshot *s);
/* Index of the selected VM in the snapshot; false: none. */
bool rows_selected(const struct view *v, const struct snapshot *s, size_t *vm);
void rows_select(struct view *v, const struct snapshot *s, size_t row);
void rows_move(struct view *v, const struct snapshot *s, long by);
void rows_show(struct view *v); /* scrolls to the selected row */
/* A pattern that was typed: limits the rows; is looked for. */
void rows_filter(struct view *v, const struct snapshot *s, const char *pattern);
void rows_look_for(struct view *v, const struct snapshot *s, const char *pattern);
bool rows_search(struct view *v, const struct snapshot *s, bool next);
bool rows_marked(const struct view *v, const uint8_t uuid[UUID_BYTES]);
void rows_mark(struct view *v, const uint8_t uuid[UUID_BYTES]);
void rows_mark_all(struct view *v, const struct snapshot *s); /* that are shown; or none, where all are */
void rows_unmark_gone(struct view *v, const struct snapshot *s);
struct table *view_table(struct view *v);
const struct table *view_table_of(const struct view *v);
void table_defaults(struct table *t, bool memory);
void table_chosen(struct table *t, bool memory); /* after its columns have been changed */

/* units.c */
void units_update(struct units *units, const struct snapshot *s);
long units_find(const struct units *units, int cpu);
const char *merge_text(enum merge m);

/* panels: each fills its rectangle, whatever its size */
int header_rows(int rows);
void header_draw(const struct view *v, const struct snapshot *s, struct screen *to, int rows, double age_s);
void footer_draw(struct view *v, const struct snapshot *s, struct screen *to);
struct key_row;
/* In the last line; returns how many there is room for, and the column after each (NULL: not wanted). */
int footer_keys_draw(struct screen *to, const struct key_row *const *keys, int n, int *ends);
int table_rows(const struct view *v); /* that it would fill */
void table_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
/* Rows for the pCPUs: `most`, or `by_node` where that gives each node a line of its own. */
int pcpus_rows(const struct units *units, int cols, int most, int by_node);
/* vm: the one selected, -1: none. */
void pcpus_draw(
	const struct units *units, const struct snapshot *s, struct screen *to, struct rect at, long vm);
void map_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
/* Columns that the map can use, where so many are wanted beside it. */
int map_cols(const struct view *v, const struct snapshot *s, const struct screen *to, int cols, int beside);
void memory_draw(const struct snapshot *s, struct screen *to, struct rect at, long vm);
void log_draw(
	struct view *v, const struct snapshot *s, struct screen *to, struct rect at, const uint8_t *uuid);
int verdicts_draw(const struct snapshot *s, struct screen *to, struct rect at);
/* panel_why.c: why one VM suffers; the alert line; the n-th worst of the rows, from 0: false, there is none.
 */
void why_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
/* The same of any VM. Returns the rows used, with an empty one behind. */
int why_body(const struct snapshot *s, size_t vm, bool focused, struct screen *to, struct rect at);
int alert_draw(const struct snapshot *s, struct screen *to, int row, int cols); /* returns the columns used */
enum style suffer_style(const struct suffering *x); /* one scale for rows, words and bars */
bool alert_any(const struct snapshot *s);
bool alert_worst(const struct view *v, const struct snapshot *s, size_t n, size_t *row);
/* panel_plan.c: the plan of a preview; the cursor in it; the line under it is left out, or in again. */
void plan_feed(struct view *v, const struct snapshot *s);
void plan_draw(struct plan_list *p, const struct snapshot *s, struct screen *to, struct rect at);
void plan_show(struct view *v);
void plan_move(struct plan_list *p, long by);
void plan_leave_out(struct view *v, const struct snapshot *s);
void vm_draw(struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
/* past.c: the snapshot that is shown; takes in the newest; a step, a time, back to LIVE */
const struct snapshot *view_seen(const struct view *v, const struct snapshot *s);
void past_events(struct back *b, const struct snapshot *s);
void past_step(struct view *v, const struct snapshot *s, int by);
void past_go(struct view *v, const struct snapshot *s, double seconds, bool from_start);
void past_leave(struct view *v);
enum { TIMELINE_ROWS = 3 };
void timeline_draw(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
/* panel_graphs.c */
void vm_graphs_draw(
	const struct view *v, const struct snapshot *s, size_t vm, struct screen *to, struct rect at);
void host_graphs_draw(const struct view *v, const struct snapshot *s, struct screen *to, struct rect at);
enum { TREND_SPAN = 60 }; /* points of a sparkline at least */
const char *trend_head(
	const struct view *v, const struct screen *to, const char *what, int cols, char *buf, size_t len);
void truth_text(const struct snapshot *s, size_t vm, char *buf, size_t len);

/* edit.c: pins staged by hand */
const struct staged *edit_find(const struct editor *e, const uint8_t uuid[UUID_BYTES], int vcpu);
void edit_set(struct view *v, const uint8_t uuid[UUID_BYTES], int vcpu, const struct cpuset *to);
/* What a vCPU may be pinned to: its allowed set on online pCPUs; false: nothing. */
bool edit_allowed(const struct snapshot *s, const struct vcpu_sample *c, struct cpuset *may);
void edit_toggle(struct view *v, const struct snapshot *s);
void edit_apply(struct view *v);
void edit_drop(struct view *v);
/* The vCPU under the cursor of the map, NULL: none. */
const struct vcpu_sample *edit_vcpu(const struct view *v, const struct snapshot *s, size_t *vm);

/* overlay.c and ask.c */
void ask_key(struct view *v, int key, const struct snapshot *s);
void ask_question(struct view *v, const struct command *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ask_line(struct view *v, enum prompt p, const char *text);
void typed_fill(struct typed *t, const char *text);
bool typed_edit(struct typed *t, int key); /* false: the key is none of a line's */
/* A line over the footer, with the cursor at its end. */
void typed_draw(struct screen *to, const char *label, const struct typed *t);
/* panel_help.c: keys and columns of the place where one is */
bool help_draw(
	struct view *v, const struct snapshot *s, struct screen *to, int rows, int cols, int *row, int *col);
/* help_words.c: how many rows there are; what the i-th says in a view, its word or signs; NULL: nothing
 * there. */
size_t help_words(void);
const char *help_word(const struct screen *to, size_t i, enum view_id view, char *word, size_t len);
/* panel_setup.c: what is shown and how, and the policies */
void setup_open(struct view *v, const struct snapshot *s);
bool setup_draw(
	struct view *v, const struct snapshot *s, struct screen *to, int rows, int cols, int *row, int *col);
/* Asks for the policy of *c that differs. */
void setup_policy(struct view *v, const struct config *c);
/* A policy that was asked for goes to the engine; its answer comes with the next snapshot only. */
void setup_took(struct view *v, const struct command *c);
void setup_key(struct view *v, const struct key_row *k, int key, const struct snapshot *s);
/* What *c says of the screen is taken over; `set` is what was changed (NULL: all of it), which may be for the
 * engine. */
struct setting;
void view_take(struct view *v, const struct config *c, const struct setting *set);
/* line.c: the command line: carries out what is typed, completes it, says what could be typed */
void line_run(struct view *v, const struct snapshot *s);
void line_layout(struct view *v, const char *name);
void line_complete(struct view *v);
void line_hint(const struct view *v, char *buf, size_t len);
void view_quit(struct view *v, const struct snapshot *s);
/* What a key does; commands go into the queue. */
void view_press(struct view *v, int key, const struct snapshot *newest);
/* Shared by lists: moves the cursor of a list of n rows; true when the key was one of those. */
bool list_key(struct view *v, const struct key_row *k, int n);
void list_row(struct screen *to, int row, bool cursor, bool on, const char *left, const char *text);
bool overlay_box(struct screen *to, int rows, int cols, int want_rows, int want_cols, int *row, int *col);
/* Lines of text in an overlay that scrolls; to == NULL: they are only counted. */
struct sheet {
	struct screen *to;
	const struct screen *measure;
	int keys; /* columns of what stands left of a text */
	int n, top, cols;
};
void sheet_add(struct sheet *h, const char *left, const char *text, enum style st);
/* overlay_cost.c */
bool cost_draw(const struct own_cost *own, const struct snapshot *s, struct screen *to, int rows, int cols,
	int *row, int *col);

enum key_place view_place(const struct view *v, const struct snapshot *s);
/* keys_move.c, keys_steer.c: true when the key was one of theirs */
bool move_key(struct view *v, const struct snapshot *s, enum key_action a);
bool steer_key(struct view *v, const struct snapshot *s, enum key_action a);
bool edit_key(struct view *v, const struct snapshot *s, enum key_action a);
/* Sends c for each marked VM, or for the selected one when none is marked; false: there is none. */
bool steer_each(struct view *v, const struct snapshot *s, struct command *c);
/* Sends the release of each VM that is held. */
void steer_release_all(struct view *v, const struct snapshot *s);
void view_send_kind(struct view *v, enum command_kind kind, bool on);

/* A row of the key table whose action nobody carries out; a test holds that there is none. */
struct key_row;
void view_no_action(struct view *v, const struct key_row *k);
void view_say(struct view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts a command into the queue. */
void view_send(struct view *v, const struct command *c);
enum focus view_focus(const struct view *v);
/* Gives a panel of the view the focus, if it may have it. */
void view_focus_on(struct view *v, enum focus f);
/* A panel is on the screen. */
void view_sight(struct view *v, enum focus f, struct rect at);
/* The n-th vCPU of the pin map becomes the selected one. */
void map_select(struct view *v, const struct snapshot *s, size_t n);

#endif
