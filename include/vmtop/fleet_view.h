/* SPDX-License-Identifier: MIT */
/* The screen of a fleet: a table of hosts, or of the VMs of all hosts. fleet_view_draw() fills a grid,
 * fleet_view_key() takes a key; both pure. fleet_screen() is the loop around them. */
#ifndef VMTOP_FLEET_VIEW_H
#define VMTOP_FLEET_VIEW_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/fleet_rows.h"
#include "vmtop/moves.h"

struct fleet_view;
struct screen;

enum fleet_wish { FLEET_STAY, FLEET_OPEN, FLEET_QUIT, FLEET_CARRY, FLEET_ABORT };

struct fleet_view *fleet_view_new(double delay_s); /* NULL: out of memory */
void fleet_view_free(struct fleet_view *view);
/* Something new is known: rows anew, the cursor stays on its host or VM. The view keeps no pointer to it. */
void fleet_view_feed(struct fleet_view *view, const struct fleet *fleet);
/* fleet is what was fed last. */
void fleet_view_draw(struct fleet_view *view, const struct fleet *fleet, struct screen *scr);
/* As view_overlay(). */
bool fleet_view_overlay(struct fleet_view *view, struct screen *scr, int rows, int cols, int *row, int *col);
enum fleet_wish fleet_view_key(struct fleet_view *view, int key, const struct fleet *fleet);
/* VK_CLICK and the wheel, at a row of the frame drawn last. */
void fleet_view_mouse(struct fleet_view *view, int row, int key, const struct fleet *fleet);
/* The host to open after FLEET_OPEN, NULL: none. */
const struct fleet_host *fleet_view_host(const struct fleet_view *view, const struct fleet *fleet);
void fleet_view_tell(struct fleet_view *view, const char *text); /* until the next key */

/* A line of the --auto=fleet that runs beside the screen; view shows all of them from then on. */
void fleet_view_auto(struct fleet_view *view, const char *line);

/* How each host is reached by the others, as the config has it; lasts as long as the view. */
void fleet_view_peers(struct fleet_view *view, const char *lines);
/* The moves of the plan that is shown: what FLEET_CARRY is about. */
const struct moves *fleet_view_planned(const struct fleet_view *view);
/* How they stand; from the first time on they are shown. true: they are over, and the user wanted to leave
 * then. */
bool fleet_view_moves(struct fleet_view *view, const struct moves *moves, bool over);

/* Opens one host while the screen is away; returns what to tell after it, or NULL. */
struct fleet_door {
	const char *(*open)(void *arg, const char *uri);
	void *arg;
	int beside; /* lines of the --auto=fleet that runs beside it; -1: none */
};
struct fleet_watch;
/* Until q, a signal or the end of the terminal. Fails when the terminal cannot be used. */
int fleet_screen(
	const struct config *cfg, struct fleet_watch *watch, const struct fleet_door *door, struct err *err);

#endif
