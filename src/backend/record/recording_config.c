/* SPDX-License-Identifier: MIT */
/* The configuration that a recording was made with. Invariant: only what steers comes from the file, never a
 * connection, a file name or what the screen looks like; a value that does not parse is left out. */
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"

bool rec_setting(const struct setting *s)
{
	if (!s || !s->key || s->type == SET_ALIAS || s->type == SET_ACTION || strcmp(s->key, "on_exit") == 0)
		return false;
	return s->section == SECTION_STEERING || s->section == SECTION_CPU || s->section == SECTION_MEMORY ||
	       strcmp(s->key, "delay") == 0;
}

static void take_setting(struct config *cfg, const char *key, const char *value)
{
	const struct setting *s = setting_by_key(key);
	struct err ignored = ERR_INIT;
	if (!rec_setting(s))
		return;
	if (s->type == SET_STEER)
		cfg->n_patterns = 0;
	setting_apply(cfg, s, value, &ignored);
}

static void read_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(db, "SELECT key, value FROM config", -1, &st, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(st) == SQLITE_ROW)
		take_setting(cfg, rec_text(st, 0), rec_text(st, 1));
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

static void take_vm_setting(struct config *cfg, const char *pattern, const char *key, const char *value)
{
	const struct setting *s = vm_setting_by_key(key);
	struct vm_setting *vm = s ? rule_for(cfg, pattern) : NULL;
	struct err ignored = ERR_INIT;
	if (vm)
		vm_setting_apply(vm, s, value, &ignored);
}

static void read_vm_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(db, "SELECT pattern, key, value FROM vm_config ORDER BY n", -1, &st, NULL) !=
		SQLITE_OK)
		return;
	cfg->n_vm = 0;
	while (sqlite3_step(st) == SQLITE_ROW)
		take_vm_setting(cfg, rec_text(st, 0), rec_text(st, 1), rec_text(st, 2));
	sqlite3_finalize(st);
}

int rec_change_read(sqlite3 *db, int64_t change, struct config *cfg)
{
	sqlite3_stmt *st = NULL;
	int n = 0;
	if (sqlite3_prepare_v2(db, "SELECT pattern, key, value FROM setting WHERE change = ? ORDER BY n", -1,
		    &st, NULL) != SQLITE_OK)
		return -1; /* of before settings could be read again */
	sqlite3_bind_int64(st, 1, change);
	for (; sqlite3_step(st) == SQLITE_ROW; n++) {
		const char *key = rec_text(st, 1);
		if (sqlite3_column_type(st, 0) == SQLITE_NULL)
			take_setting(cfg, key, rec_text(st, 2));
		else if (!*key)
			cfg->n_vm = 0;
		else
			take_vm_setting(cfg, rec_text(st, 0), key, rec_text(st, 2));
	}
	sqlite3_finalize(st);
	return n ? 0 : -1;
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
