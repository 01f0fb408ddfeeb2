/* SPDX-License-Identifier: MIT */
/* Saving what was set up on the screen into the user's config file. */
#ifndef VMTOP_SETUP_H
#define VMTOP_SETUP_H

#include "vmtop/config.h"
#include "vmtop/err.h"

/* Writes what `now` says about the screen, the interval and the policies: keys that the file has are changed
 * in place, those that differ from the default or from `before` are added, all else stays as it is, comments
 * too. The file is replaced at once (temporary file, rename), is the user's own and has mode 0600. path: the
 * file written, CFG_TEXT bytes. On failure nothing has changed. */
int setup_save(const struct config *now, const struct config *before, const char *layout, char *path,
	struct err *err);
/* layout: not that, but a section [layout NAME] with what `now` says of the screen; NULL: none.
 * The text alone, for setup_save() and its test: old (may be empty) with the keys changed; malloc'd. */
char *setup_layout_text(const char *old, const struct config *now, const char *layout, struct err *err);
char *setup_text(const char *old, const struct config *now, const struct config *before, struct err *err);

#endif
