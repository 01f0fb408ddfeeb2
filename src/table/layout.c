/* SPDX-License-Identifier: MIT */
/* Layouts. Invariant: the lines of a layout are of settings that a layout may have, and each was accepted by
 * its row of the table. Knows nothing of files and of screens. */
#include "vmtop/layout.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 190 }; /* what the reader of config files takes */

static const char *const keys[] = {"view", "tall", "sort", "sort_reverse", "columns", "memory_columns",
	"theme", "graph", "sparklines", "hide_offline", "of_host", "merge"};
enum { N_KEYS = sizeof keys / sizeof *keys };

/* The i-th setting that a layout is made of, NULL: no more. */
static const struct setting *setting_at(size_t i)
{
	return i < N_KEYS ? setting_by_key(keys[i]) : NULL;
}

bool layout_has(const struct setting *setting)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (setting == setting_at(i))
			return true;
	return false;
}

bool layout_name_ok(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !(i && strchr("._-", name[i])))
			return false;
	return n > 0 && n < LAYOUT_NAME;
}

const struct named_layout *layout_find(const struct named_layout *all, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i].name, name))
			return &all[i];
	return NULL;
}

bool layout_format(const struct config *cfg, char text[LAYOUT_TEXT])
{
	char value[CFG_TEXT];
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < N_KEYS; i++) {
		const struct setting *setting = setting_at(i);
		setting_format(cfg, setting, value, sizeof value);
		if (!strcmp(value, setting->initial))
			continue;
		size_t need = strlen(setting->key) + strlen(value) + 4;
		if (need > LINE_MOST || n + need >= LAYOUT_TEXT)
			return false;
		n += (size_t)snprintf(text + n, LAYOUT_TEXT - n, "%s = %s\n", setting->key, value);
	}
	return true;
}

int layout_apply(struct config *cfg, const char *text, struct err *err)
{
	char key[40], value[CFG_TEXT];
	for (size_t i = 0; i < N_KEYS; i++)
		setting_apply(cfg, setting_at(i), setting_at(i)->initial, NULL);
	for (const char *p = text; *p; p += strcspn(p, "\n") + 1) {
		size_t n = strcspn(p, " "), len = strcspn(p, "\n");
		snprintf(key, sizeof key, "%.*s", (int)n, p);
		snprintf(value, sizeof value, "%.*s", (int)(len > n + 3 ? len - n - 3 : 0), p + n + 3);
		const struct setting *setting = setting_by_key(key);
		if (!setting || setting_apply(cfg, setting, value, err) < 0)
			return -1;
	}
	return 0;
}

int layout_add(struct named_layout *layout, const struct setting *setting, const char *value, struct err *err)
{
	struct config *scratch = calloc(1, sizeof *scratch);
	size_t n = strlen(layout->text);
	int r = scratch ? setting_apply(scratch, setting, value, err)
			: err_set(err, ERR_NOMEM, "out of memory");
	free(scratch);
	if (r < 0)
		return r;
	if (n + strlen(setting->key) + strlen(value) + 5 > sizeof layout->text)
		return err_set(err, ERR_USAGE, "layout %s has too many lines", layout->name);
	snprintf(layout->text + n, sizeof layout->text - n, "%s = %s\n", setting->key, value);
	return 0;
}
