/* SPDX-License-Identifier: MIT */
/* The configuration that a recording was made with. Invariant: only what steers comes from the file, never a
 * connection, a file name or what the screen looks like; a value that does not parse is left out. */
#include <string.h>

#include "recording.h"
#include "vmtop/err.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"

bool rec_setting(const struct setting *setting)
{
	if (!setting || !setting->key || setting->type == SET_ALIAS || setting->type == SET_ACTION ||
		strcmp(setting->key, "on_exit") == 0)
		return false;
	return setting->section == SECTION_STEERING || setting->section == SECTION_CPU ||
	       setting->section == SECTION_MEMORY || strcmp(setting->key, "delay") == 0;
}

static void take_setting(struct config *cfg, const char *key, const char *value)
{
	const struct setting *setting = setting_by_key(key);
	struct err ignored = ERR_INIT;
	if (!rec_setting(setting))
		return;
	if (setting->type == SET_STEER)
		cfg->n_patterns = 0;
	setting_apply(cfg, setting, value, &ignored);
}

static void read_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, "SELECT key, value FROM config", -1, &stmt, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(stmt) == SQLITE_ROW)
		take_setting(cfg, rec_text(stmt, 0), rec_text(stmt, 1));
	sqlite3_finalize(stmt);
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
	const struct setting *setting = vm_setting_by_key(key);
	struct vm_setting *vm = setting ? rule_for(cfg, pattern) : NULL;
	struct err ignored = ERR_INIT;
	if (vm)
		vm_setting_apply(vm, setting, value, &ignored);
}

static void read_vm_settings(sqlite3 *db, struct config *cfg)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, "SELECT pattern, key, value FROM vm_config ORDER BY n", -1, &stmt, NULL) !=
		SQLITE_OK)
		return;
	cfg->n_vm = 0;
	while (sqlite3_step(stmt) == SQLITE_ROW)
		take_vm_setting(cfg, rec_text(stmt, 0), rec_text(stmt, 1), rec_text(stmt, 2));
	sqlite3_finalize(stmt);
}

int rec_change_read(sqlite3 *db, int64_t change, struct config *cfg)
{
	sqlite3_stmt *stmt = NULL;
	int n = 0;
	if (sqlite3_prepare_v2(db, "SELECT pattern, key, value FROM setting WHERE change = ? ORDER BY n", -1,
		    &stmt, NULL) != SQLITE_OK)
		return -1; /* of before settings could be read again */
	sqlite3_bind_int64(stmt, 1, change);
	for (; sqlite3_step(stmt) == SQLITE_ROW; n++) {
		const char *key = rec_text(stmt, 1);
		if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
			take_setting(cfg, key, rec_text(stmt, 2));
		else if (!*key)
			cfg->n_vm = 0;
		else
			take_vm_setting(cfg, rec_text(stmt, 0), key, rec_text(stmt, 2));
	}
	sqlite3_finalize(stmt);
	return n ? 0 : -1;
}

int recording_config(const char *path, struct config *cfg, struct err *err)
{
	sqlite3 *db;
	if (recording_open(path, &db, err) < 0)
		return -1;
	read_settings(db, cfg);
	read_vm_settings(db, cfg);
	sqlite3_close_v2(db);
	return 0;
}
