/* SPDX-License-Identifier: MIT */
/* The configuration that a recording was made with. Invariant: only what steers comes from the file, never a
 * connection, a file name or what the screen looks like; a value that does not parse is left out. */
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"

static bool wanted(const struct setting *s)
{
	if (!s || s->type == SET_ALIAS || s->type == SET_ACTION || strcmp(s->key, "on_exit") == 0)
		return false;
	return s->section == SECTION_STEERING || s->section == SECTION_CPU || s->section == SECTION_MEMORY ||
	       strcmp(s->key, "delay") == 0;
}

static void read_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *st = NULL;
	struct err ignored = ERR_INIT;
	if (sqlite3_prepare_v2(db, "SELECT key, value FROM config", -1, &st, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(st) == SQLITE_ROW) {
		const struct setting *s = setting_by_key(rec_text(st, 0));
		if (wanted(s)) {
			if (s->type == SET_STEER)
				cfg->n_patterns = 0;
			setting_apply(cfg, s, rec_text(st, 1), &ignored);
		}
	}
	sqlite3_finalize(st);
}

static struct vm_setting *rule_for(struct config *cfg, const char *pattern)
{
	struct vm_setting *last = cfg->n_vm ? &cfg->vm[cfg->n_vm - 1] : NULL;
	if (last && strcmp(last->pattern, pattern) == 0)
		return last;
	if (cfg->n_vm == CFG_VM_RULES || strlen(pattern) >= sizeof last->pattern)
		return NULL;
	last = &cfg->vm[cfg->n_vm++];
	memset(last, 0, sizeof *last);
	strcpy(last->pattern, pattern);
	return last;
}

static void read_vm_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *st = NULL;
	struct err ignored = ERR_INIT;
	if (sqlite3_prepare_v2(db, "SELECT pattern, key, value FROM vm_config ORDER BY n", -1, &st, NULL) !=
		SQLITE_OK)
		return;
	cfg->n_vm = 0;
	while (sqlite3_step(st) == SQLITE_ROW) {
		const struct setting *s = vm_setting_by_key(rec_text(st, 1));
		struct vm_setting *vm = s ? rule_for(cfg, rec_text(st, 0)) : NULL;
		if (vm)
			vm_setting_apply(vm, s, rec_text(st, 2), &ignored);
	}
	sqlite3_finalize(st);
}

int recording_config(const char *path, struct config *cfg, struct err *e)
{
	sqlite3 *db;
	if (recording_open(path, &db, e) < 0)
		return -1;
	read_settings(db, cfg);
	read_vm_settings(db, cfg);
	sqlite3_close_v2(db);
	return 0;
}
