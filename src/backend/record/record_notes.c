/* SPDX-License-Identifier: MIT */
/* Writes what is no sample: configuration, actions with outcome, log lines, commands, decisions. Each belongs
 * to the tick written last. Knows nothing of rows and keys of a sample beyond those of the VMs. */
#include <stdio.h>
#include <string.h>

#include "record_priv.h"
#include "vmtop/command.h"
#include "vmtop/settings.h"

enum { SETTING_TEXT = 4096 }; /* of the longest value */

static int pair(struct record *r, enum rec_statement which, const char *key, const char *value)
{
	sqlite3_bind_text(r->st[which], 1, key, -1, SQLITE_TRANSIENT);
	record_bind_text(r->st[which], 2, value);
	return record_step(r, which);
}

static int vm_config_row(struct record *r, const char *pattern, const char *key, const char *value)
{
	sqlite3_stmt *st = r->st[ST_VM_CONFIG];
	record_bind_text(st, 1, pattern);
	record_bind_word(st, 2, key);
	record_bind_text(st, 3, value);
	return record_step(r, ST_VM_CONFIG);
}

/* pattern NULL: not of a [vm] section. */
static int setting_row(struct record *r, const char *pattern, const char *key, const char *value)
{
	sqlite3_stmt *st = r->st[ST_SETTING];
	sqlite3_clear_bindings(st);
	sqlite3_bind_int64(st, 1, r->changes);
	if (pattern)
		record_bind_text(st, 2, pattern);
	record_bind_word(st, 3, key);
	record_bind_text(st, 4, value);
	return record_step(r, ST_SETTING);
}

/* What the [vm] sections set, a row each. */
static int write_vm_settings(struct record *r, const struct config *cfg,
	int (*row)(struct record *r, const char *pattern, const char *key, const char *value))
{
	for (size_t v = 0; v < cfg->n_vm; v++)
		for (size_t i = 0; i < n_vm_settings; i++) {
			char value[256];
			const struct setting *s = &vm_settings[i];
			const char *field = (const char *)&cfg->vm[v] + s->at;
			static const char nothing[sizeof(double)];
			if (memcmp(field, nothing, s->size) == 0)
				continue; /* not set */
			vm_setting_format(&cfg->vm[v], s, value, sizeof value);
			if (row(r, cfg->vm[v].pattern, s->key, value) < 0)
				return -1;
		}
	return 0;
}

static bool vm_settings_differ(const struct config *a, const struct config *b)
{
	return a->n_vm != b->n_vm || memcmp(a->vm, b->vm, a->n_vm * sizeof a->vm[0]) != 0;
}

bool record_settings_write(struct record *r, const struct config *was, const struct config *now)
{
	bool any = vm_settings_differ(was, now);
	r->changes++;
	for (size_t i = 0; i < n_settings; i++) {
		char before[SETTING_TEXT], value[SETTING_TEXT];
		if (!rec_setting(&settings[i]))
			continue;
		setting_format(was, &settings[i], before, sizeof before);
		setting_format(now, &settings[i], value, sizeof value);
		if (strcmp(before, value) == 0)
			continue;
		any = true;
		if (setting_row(r, NULL, settings[i].key, value) < 0)
			return false;
	}
	/* The sections go as a whole: a row without a key empties the list. */
	if (vm_settings_differ(was, now) &&
		(setting_row(r, "", "", "") < 0 || write_vm_settings(r, now, setting_row) < 0))
		return false;
	return any;
}

void record_head_write(struct record *r, const struct config *cfg)
{
	struct backend_status st;
	memset(&st, 0, sizeof st);
	r->inner->ops->status(r->inner, &st);
	if (pair(r, ST_META, "vmtop_version", VMTOP_VERSION) < 0 || pair(r, ST_META, "uri", st.uri) < 0)
		return;
	for (size_t i = 0; i < n_settings; i++) {
		char value[SETTING_TEXT];
		if (!settings[i].key || settings[i].type == SET_ALIAS || settings[i].type == SET_ACTION)
			continue;
		setting_format(cfg, &settings[i], value, sizeof value);
		if (pair(r, ST_CONFIG, settings[i].key, value) < 0)
			return;
	}
	write_vm_settings(r, cfg, vm_config_row);
}

static void bind_cpus(sqlite3_stmt *st, int at, const struct cpuset *cpus)
{
	char text[REC_CPUS_TEXT];
	cpuset_format(cpus, text, sizeof text);
	sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

void record_action_write(struct record *r, const struct action *a, size_t n)
{
	sqlite3_stmt *st = r->st[ST_ACTION];
	bool kib = a->kind == ACTION_BALLOON;
	sqlite3_clear_bindings(st);
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)n);
	record_bind_word(st, 3, action_kind_text(a->kind));
	if (a->vm < r->prev.n_vms)
		sqlite3_bind_int64(st, 4, r->vm_keys[a->vm]);
	if (a->vcpu >= 0)
		sqlite3_bind_int(st, 5, a->vcpu);
	if (a->kind == ACTION_PIN) {
		bind_cpus(st, 6, &a->from);
		bind_cpus(st, 7, &a->to);
		sqlite3_bind_int(st, 8, a->from_pinned);
	} else {
		sqlite3_bind_int64(st, 9, kib ? a->from_kib : a->from_s);
		sqlite3_bind_int64(st, 10, kib ? a->to_kib : a->to_s);
	}
	record_bind_word(st, 11, reason_key(a->why.code));
	record_bind_text(st, 12, a->why.text);
	record_bind_word(st, 13, outcome_text(a->outcome));
	record_bind_text(st, 14, a->error);
	record_step(r, ST_ACTION);
}

void record_log_write(struct record *r, const struct log_line *line)
{
	sqlite3_stmt *st = r->st[ST_LOG];
	sqlite3_bind_int64(st, 1, r->tick + r->over);
	sqlite3_bind_int64(st, 2, line->wall_ns);
	record_bind_word(st, 3, rec_log_kind(line->kind));
	record_bind_text(st, 4, line->vm);
	sqlite3_bind_int(st, 5, line->vcpu);
	record_bind_word(st, 6, reason_key(line->reason));
	sqlite3_bind_int(st, 7, line->memory);
	record_bind_word(st, 8, outcome_text(line->outcome));
	record_bind_text(st, 9, line->text);
	record_step(r, ST_LOG);
}

/* Numbers that are enums go by name, for another version may number them otherwise. */
void record_command_write(struct record *r, const struct command *c, int64_t now_ns)
{
	const char *name = command_word(c->kind), *choice = command_choice(c->kind, (int)c->number);
	char uuid[UUID_TEXT];
	if (!name)
		return;
	sqlite3_stmt *st = r->st[ST_COMMAND];
	uuid_format(c->uuid, uuid);
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, now_ns);
	record_bind_word(st, 3, name);
	sqlite3_bind_int(st, 4, c->on);
	sqlite3_bind_double(st, 5, c->number);
	sqlite3_bind_text(st, 6, uuid, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 7, c->vcpu);
	bind_cpus(st, 8, &c->cpus);
	record_bind_text(st, 9, choice ? choice : c->text);
	record_step(r, ST_COMMAND);
}

void record_decision_write(struct record *r, const struct decision *d)
{
	sqlite3_stmt *st = r->st[ST_DECISION];
	const struct vf64 numbers[] = {
		d->cpu.stddev_pct, d->cpu.limit_pct, d->cpu.found_pct, d->cpu.bound_pct, d->cpu.after_pct};
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int(st, 2, d->auto_cpu);
	sqlite3_bind_int(st, 3, d->auto_memory);
	sqlite3_bind_int(st, 4, d->dry_run);
	record_bind_word(st, 5, cpu_policy_name(d->cpu_policy));
	record_bind_word(st, 6, mem_policy_name(d->mem_policy));
	record_bind_word(st, 7, granularity_name(d->granularity));
	sqlite3_bind_double(st, 8, d->delay_s);
	for (int i = 0; i < 5; i++)
		record_bind_f64(st, 9 + i, numbers[i]);
	record_bind_word(st, 14, reason_key(d->cpu.why.code));
	record_bind_text(st, 15, d->cpu.why.text);
	record_bind_word(st, 16, rec_memory_state(d->memory.state));
	record_bind_i64(st, 17, d->memory.reserve_kib);
	record_bind_i64(st, 18, d->memory.free_kib);
	record_bind_word(st, 19, reason_key(d->memory.why.code));
	record_bind_text(st, 20, d->memory.why.text);
	record_step(r, ST_DECISION);
}
