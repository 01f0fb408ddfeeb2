/* SPDX-License-Identifier: MIT */
/* Recordings for tests: files in a folder of their own, runs of the engine that are recorded, and samples
 * compared value by value. */
#ifndef TESTS_RECORDED_H
#define TESTS_RECORDED_H

#include <sqlite3.h>

#include "vmtop/config.h"
#include "vmtop/snapshot.h"

/* A path below a new folder of this process; the folder goes with recorded_clean(). */
const char *recorded_path(char buf[256], const char *name);
void recorded_clean(void);
int recorded_teardown(void **state); /* the same, for cmocka */

/* Runs the engine over a simulated host (shipped name, or the text when it has a line break) for so many
 * steps and records it into cfg->record. step() may give commands before each one; may be NULL. */
struct engine;
void recorded_run(const struct config *cfg, const char *scenario, int steps,
	void (*step)(struct engine *en, int i, void *arg), void *arg);

/* NULL: the same; else the name of what differs, with both numbers. Names may differ in bytes that are no
 * UTF-8. */
const char *recorded_differs(const struct sample *a, const struct sample *b);

/* Changes a recording behind everybody's back. */
void recorded_spoil(const char *path, const char *sql);
/* First column of the first row; fails the test when the query does. */
int64_t recorded_int(const char *path, const char *sql);

#endif
