/* SPDX-License-Identifier: MIT */
/* Writes what is no sample: configuration, actions with outcome, log lines, commands, decisions. Each belongs
 * to the tick written last. Knows nothing of rows and keys of a sample beyond those of the VMs. */
#include <stdio.h>
#include <string.h>

#include "record_priv.h"
#include "vmtop/command.h"
#include "vmtop/settings.h"

enum { SETTING_TEXT = 4096 }; /* of the longest value */

static int pair(struct record *rec, enum rec_statement which, const char *key, const char *value)
{
	sqlite3_bind_text(rec->st[which], 1, key, -1, SQLITE_TRANSIENT);
	record_bind_text(rec->st[which], 2, value);
	return record_step(rec, which);
}

static int vm_config_row(struct record *rec, const char *pattern, const char *key, const char *value)
{
	sqlite3_stmt *stmt = rec->st[ST_VM_CONFIG];
	record_bind_text(stmt, 1, pattern);
	record_bind_word(stmt, 2, key);
	record_bind_text(stmt, 3, value);
	return record_step(rec, ST_VM_CONFIG);
}

/* pattern NULL: not of a [vm] section. */
static int setting_row(struct record *rec, const char *pattern, const char *key, const char *value)
{
	sqlite3_stmt *stmt = rec->st[ST_SETTING];
	sqlite3_clear_bindings(stmt);
	sqlite3_bind_int64(stmt, 1, rec->changes);
	if (pattern)
		record_bind_text(stmt, 2, pattern);
	record_bind_word(stmt, 3, key);
	record_bind_text(stmt, 4, value);
	return record_step(rec, ST_SETTING);
}

/* What the [vm] sections set, a row each. */
static int write_vm_settings(struct record *rec, const struct config *cfg,
	int (*row)(struct record *rec, const char *pattern, const char *key, const char *value))
{
	for (size_t v = 0; v < cfg->n_vm; v++)
		for (size_t i = 0; i < n_vm_settings; i++) {
			char value[256];
			const struct setting *setting = &vm_settings[i];
			const char *field = (const char *)&cfg->vm[v] + setting->at;
			static const char nothing[sizeof(double)];
			if (memcmp(field, nothing, setting->size) == 0)
				continue; /* not set */
			vm_setting_format(&cfg->vm[v], setting, value, sizeof value);
			if (row(rec, cfg->vm[v].pattern, setting->key, value) < 0)
				return -1;
		}
	return 0;
}

static bool vm_settings_differ(const struct config *a, const struct config *b)
{
	return a->n_vm != b->n_vm || memcmp(a->vm, b->vm, a->n_vm * sizeof a->vm[0]) != 0;
}

bool record_settings_write(struct record *rec, const struct config *was, const struct config *now)
{
	bool any = vm_settings_differ(was, now);
	rec->changes++;
	for (size_t i = 0; i < n_settings; i++) {
		char before[SETTING_TEXT], value[SETTING_TEXT];
		if (!rec_setting(&settings[i]))
			continue;
		setting_format(was, &settings[i], before, sizeof before);
		setting_format(now, &settings[i], value, sizeof value);
		if (strcmp(before, value) == 0)
			continue;
		any = true;
		if (setting_row(rec, NULL, settings[i].key, value) < 0)
			return false;
	}
	/* The sections go as a whole: a row without a key empties the list. */
	if (vm_settings_differ(was, now) &&
		(setting_row(rec, "", "", "") < 0 || write_vm_settings(rec, now, setting_row) < 0))
		return false;
	return any;
}

void record_head_write(struct record *rec, const struct config *cfg)
{
	struct backend_status status;
	memset(&status, 0, sizeof status);
	rec->inner->ops->status(rec->inner, &status);
	if (pair(rec, ST_META, "vmtop_version", VMTOP_VERSION) < 0 ||
		pair(rec, ST_META, "uri", status.uri) < 0)
		return;
	for (size_t i = 0; i < n_settings; i++) {
		char value[SETTING_TEXT];
		if (!settings[i].key || settings[i].type == SET_ALIAS || settings[i].type == SET_ACTION)
			continue;
		setting_format(cfg, &settings[i], value, sizeof value);
		if (pair(rec, ST_CONFIG, settings[i].key, value) < 0)
			return;
	}
	write_vm_settings(rec, cfg, vm_config_row);
}

static void bind_cpus(sqlite3_stmt *stmt, int at, const struct cpuset *cpus)
{
	char text[REC_CPUS_TEXT];
	cpuset_format(cpus, text, sizeof text);
	sqlite3_bind_text(stmt, at, text, -1, SQLITE_TRANSIENT);
}

void record_action_write(struct record *rec, const struct action *action, size_t n)
{
	sqlite3_stmt *stmt = rec->st[ST_ACTION];
	bool kib = action->kind == ACTION_BALLOON;
	sqlite3_clear_bindings(stmt);
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)n);
	record_bind_word(stmt, 3, action_kind_text(action->kind));
	if (action->vm < rec->prev.n_vms)
		sqlite3_bind_int64(stmt, 4, rec->vm_keys[action->vm]);
	if (action->vcpu >= 0)
		sqlite3_bind_int(stmt, 5, action->vcpu);
	if (action->kind == ACTION_PIN) {
		bind_cpus(stmt, 6, &action->from);
		bind_cpus(stmt, 7, &action->to);
		sqlite3_bind_int(stmt, 8, action->from_pinned);
	} else {
		sqlite3_bind_int64(stmt, 9, kib ? action->from_kib : action->from_s);
		sqlite3_bind_int64(stmt, 10, kib ? action->to_kib : action->to_s);
	}
	record_bind_word(stmt, 11, reason_key(action->why.code));
	record_bind_text(stmt, 12, action->why.text);
	record_bind_word(stmt, 13, outcome_text(action->outcome));
	record_bind_text(stmt, 14, action->error);
	record_step(rec, ST_ACTION);
}

void record_log_write(struct record *rec, const struct log_line *line)
{
	sqlite3_stmt *stmt = rec->st[ST_LOG];
	sqlite3_bind_int64(stmt, 1, rec->tick + rec->over);
	sqlite3_bind_int64(stmt, 2, line->wall_ns);
	record_bind_word(stmt, 3, rec_log_kind(line->kind));
	record_bind_text(stmt, 4, line->vm);
	sqlite3_bind_int(stmt, 5, line->vcpu);
	record_bind_word(stmt, 6, reason_key(line->reason));
	sqlite3_bind_int(stmt, 7, line->memory);
	record_bind_word(stmt, 8, outcome_text(line->outcome));
	record_bind_text(stmt, 9, line->text);
	record_step(rec, ST_LOG);
}

/* Numbers that are enums go by name, for another version may number them otherwise. */
void record_command_write(struct record *rec, const struct command *cmd, int64_t now_ns)
{
	const char *name = command_word(cmd->kind), *choice = command_choice(cmd->kind, (int)cmd->number);
	char uuid[UUID_TEXT];
	if (!name)
		return;
	sqlite3_stmt *stmt = rec->st[ST_COMMAND];
	uuid_format(cmd->uuid, uuid);
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int64(stmt, 2, now_ns);
	record_bind_word(stmt, 3, name);
	sqlite3_bind_int(stmt, 4, cmd->on);
	sqlite3_bind_double(stmt, 5, cmd->number);
	sqlite3_bind_text(stmt, 6, uuid, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(stmt, 7, cmd->vcpu);
	bind_cpus(stmt, 8, &cmd->cpus);
	record_bind_text(stmt, 9, choice ? choice : cmd->text);
	record_step(rec, ST_COMMAND);
}

void record_decision_write(struct record *rec, const struct decision *decision)
{
	sqlite3_stmt *stmt = rec->st[ST_DECISION];
	const struct vf64 numbers[] = {decision->cpu.stddev_pct, decision->cpu.limit_pct,
		decision->cpu.found_pct, decision->cpu.bound_pct, decision->cpu.after_pct};
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int(stmt, 2, decision->auto_cpu);
	sqlite3_bind_int(stmt, 3, decision->auto_memory);
	sqlite3_bind_int(stmt, 4, decision->dry_run);
	record_bind_word(stmt, 5, cpu_policy_name(decision->cpu_policy));
	record_bind_word(stmt, 6, mem_policy_name(decision->mem_policy));
	record_bind_word(stmt, 7, granularity_name(decision->granularity));
	sqlite3_bind_double(stmt, 8, decision->delay_s);
	for (int i = 0; i < 5; i++)
		record_bind_f64(stmt, 9 + i, numbers[i]);
	record_bind_word(stmt, 14, reason_key(decision->cpu.why.code));
	record_bind_text(stmt, 15, decision->cpu.why.text);
	record_bind_word(stmt, 16, rec_memory_state(decision->memory.state));
	record_bind_i64(stmt, 17, decision->memory.reserve_kib);
	record_bind_i64(stmt, 18, decision->memory.free_kib);
	record_bind_word(stmt, 19, reason_key(decision->memory.why.code));
	record_bind_text(stmt, 20, decision->memory.why.text);
	record_step(rec, ST_DECISION);
}
