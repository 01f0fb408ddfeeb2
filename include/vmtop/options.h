/* SPDX-License-Identifier: MIT */
/* From command line, environment and config files to one struct config. Flags beat environment beat the
 * user's file beat the system's beat defaults. */
#ifndef VMTOP_OPTIONS_H
#define VMTOP_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "vmtop/config.h"
#include "vmtop/err.h"

enum options_do {
	OPTIONS_RUN,
	OPTIONS_HELP,    /* options_help(stdout), exit 0 */
	OPTIONS_VERSION, /* options_version(stdout), exit 0 */
	OPTIONS_COLUMNS, /* -o help: options_columns(stdout), exit 0 */
	OPTIONS_RESTORE, /* --restore, --release: engine_restore_journal() */
	OPTIONS_CHECK,   /* --check: check_run(), in a dry run */
};
struct options_action {
	enum options_do what;
	char release[256]; /* with OPTIONS_RESTORE: only VMs that match; empty: all */
};

/* Fills *cfg and *what. Fails with ERR_USAGE (option, value, config text: exit 2) or ERR_RUNTIME (a file that
 * cannot be read); the message is one line for stderr. --help, --version and -o help are seen before any
 * file is read. */
int options_parse(int argc, char **argv, struct config *cfg, struct options_action *what, struct err *err);
/* What follows from the output: a format other than screen is batch; so is an output that is no terminal.
 * TERM empty or dumb with a screen wanted: ERR_USAGE. Part of options_parse(). */
int options_settle(struct config *cfg, bool terminal, const char *term, struct err *err);

void options_help(FILE *out);
void options_version(FILE *out);
void options_columns(FILE *out);

/* One config file onto cfg. [vm] sections are put before those that cfg has. absent_ok: a missing file is no
 * error. Messages: "FILE:LINE: what, expected what". */
int conf_read(struct config *cfg, const char *path, bool absent_ok, struct err *err);
/* The user's own file, CFG_TEXT bytes; false: there is no home. */
bool conf_user_path(char *path);
/* The files that are read without --config: the system's in order, then the user's. Returns how many. */
enum { CONF_PATHS = 8 };
size_t conf_paths(char paths[CONF_PATHS][CFG_TEXT]);

#endif
