/* SPDX-License-Identifier: MIT */
/* The UI as a function: view_draw() fills a grid from a snapshot, view_key() turns a key into a command.
 * Pure: no terminal, no clock (now_ns is given). */
#ifndef VMTOP_VIEW_H
#define VMTOP_VIEW_H

#include "vmtop/command.h"
#include "vmtop/screen.h"
#include "vmtop/snapshot.h"

struct view;

/* Keys: Unicode characters as they are; the others from here. */
enum view_key {
	VK_NONE = 0,
	VK_BASE = 0x110000,
	VK_UP,
	VK_DOWN,
	VK_LEFT,
	VK_RIGHT,
	VK_PGUP,
	VK_PGDN,
	VK_HOME,
	VK_END,
	VK_INSERT,
	VK_DELETE,
	VK_BACKSPACE,
	VK_TAB,
	VK_BTAB,
	VK_SLEFT, /* with Shift */
	VK_SRIGHT,
	VK_ENTER,
	VK_ESC,
	VK_F1, /* VK_F1 + n - 1 is Fn */
	VK_F12 = VK_F1 + 11,
	VK_RESIZE,
	VK_CLICK, /* row and column in view_mouse() */
	VK_WHEEL_UP,
	VK_WHEEL_DOWN,
	VK_END_OF_KEYS,
};
#define VK_CTRL(c) ((c)&0x1f)

struct view *view_new(const struct config *cfg);
void view_free(struct view *view);
/* A new snapshot has come: history, selection by UUID, search. The view keeps no pointer to it. */
void view_feed(struct view *view, const struct snapshot *snap);
/* The two halves of it. What is kept for going back in time costs more than the frame, which need not wait:
 * view_keep() comes after it, and before the next view_receive(). */
void view_receive(struct view *view, const struct snapshot *snap);
void view_keep(struct view *view, const struct snapshot *snap);
/* now_ns: monotonic clock of the UI; received_ns: when this snapshot came in, for the age shown. */
void view_draw(struct view *view, const struct snapshot *snap, struct screen *scr, int64_t now_ns,
	int64_t received_ns);
/* The overlay (help, question, prompt, setup), sized for a screen of rows x cols, in a grid of its own that
 * goes on top at *row, *col. false: there is none. `to` is resized; out of memory counts as none. */
bool view_overlay(struct view *view, const struct snapshot *snap, struct screen *scr, int rows, int cols,
	int *row, int *col);
/* Returns true when a command was filled. CMD_QUIT is one. */
bool view_key(struct view *view, int key, const struct snapshot *snap, struct command *cmd);
/* A key may ask for more than one command (marked VMs, staged pins): the rest, one a call, until false. */
bool view_more(struct view *view, struct command *cmd);
/* A line is being typed: pasted text is meant for it, and for nothing else. */
bool view_typing(const struct view *view);
/* This key would make the engine do something, or write a file: it counts only when a person pressed it. What
 * steps through a recording, drops ghosts or leaves without a change is none of these. */
bool view_sends(const struct view *view, int key, const struct snapshot *snap);
/* What a key would answer now: a question, a line that steers, ghosts to apply. 0: nothing; another number
 * each time something is asked. */
unsigned view_asked(const struct view *view, const struct snapshot *snap);
/* What the terminal side of the last frame cost, for the overlay of C. */
struct own_cost {
	int64_t draw_ns;   /* filling the grid and sending it */
	struct vi64 bytes; /* sent to the terminal */
	int64_t cpu_ns;    /* of the whole program since it began */
	int64_t since_ns;  /* how long ago that is */
};
void view_cost(struct view *view, const struct own_cost *cost);
/* It is shown now: worth measuring. */
bool view_wants_cost(const struct view *view);
/* Paused: newer snapshots are not to be fed or drawn. */
bool view_paused(const struct view *view);
/* A click or a turn of the wheel (VK_CLICK, VK_WHEEL_UP, VK_WHEEL_DOWN) at a cell of the frame drawn last,
 * from 0. */
void view_mouse(struct view *view, int row, int col, int key, const struct snapshot *snap);
/* A word for the user, until the next key. */
void view_tell(struct view *view, const char *text);
/* The setup as it is now, for CMD_SAVE: what the keys have changed is written over *to. */
void view_setup(const struct view *view, struct config *to);
const char *view_theme(const struct view *view);
bool view_wants_mouse(const struct view *view);
/* Statistic groups that the visible columns need (enum sample_group). */
unsigned view_groups(const struct view *view);

/* Keeps what was set up on the screen: setup_save() of vmtop/setup.h. */
typedef int (*setup_saver)(
	const struct config *now, const struct config *before, const char *layout, char *path, struct err *e);

/* The terminal loop (ncurses): returns the exit status. Takes the scheduler; restores the terminal on every
 * path. */
struct scheduler;
int ui_run(const struct config *cfg, struct scheduler *sched, setup_saver save);

#endif
