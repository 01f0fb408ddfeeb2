/* SPDX-License-Identifier: MIT */
/* Layouts of the screen: what is shown and how, under a name. Kept as lines "key = value" of the settings
 * that they are made of, those alone that differ from the default. Pure. */
#ifndef VMTOP_LAYOUT_H
#define VMTOP_LAYOUT_H

#include "vmtop/settings.h"

bool layout_has(const struct setting *setting);
/* Letters, digits, and . _ - in between. */
bool layout_name_ok(const char *name);
const struct named_layout *layout_find(const struct named_layout *all, size_t n, const char *name);
/* The lines for what *cfg says; false: a line would be too long for the config file, or all of them together.
 */
bool layout_format(const struct config *cfg, char text[LAYOUT_TEXT]);
/* *cfg as the lines say, everything else of a layout as by default. */
int layout_apply(struct config *cfg, const char *text, struct err *err);
/* A line more, checked; fails as setting_apply() does, or when there is no room. */
int layout_add(
	struct named_layout *layout, const struct setting *setting, const char *value, struct err *err);

#endif
