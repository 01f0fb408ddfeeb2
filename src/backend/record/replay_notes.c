/* SPDX-License-Identifier: MIT */
/* What a recording holds beside samples: log lines, commands, decisions and actions. Words of its tables
 * become enums again; an unknown one, of a newer version, becomes the harmless one. */
#include <stdio.h>
#include <string.h>

#include "replay_priv.h"
#include "vmtop/command.h"

/* After a jump all lines up to the place, the newest ones if there are many. */
size_t replay_logged(struct backend *backend, struct log_line *to, size_t max)
{
	struct replay *replay = (struct replay *)backend;
	sqlite3_stmt *stmt =
		replay_ask(replay, replay->jumped ? Q_LOG_UP_TO : Q_LOG, replay->tick, (int64_t)max);
	size_t n = 0;
	for (; n < max && sqlite3_step(stmt) == SQLITE_ROW; n++)
		rec_line_read(stmt, &to[n]);
	sqlite3_reset(stmt);
	replay->jumped = false;
	return n;
}

static bool read_choice(struct command *cmd, const char *word)
{
	for (int i = 0; i < 16; i++) {
		const char *name = command_choice((int)cmd->kind, i);
		if (!name)
			return true; /* its number is a number */
		if (strcmp(name, word) == 0) {
			cmd->number = i;
			return true;
		}
	}
	return false;
}

bool replay_commands(struct backend *backend, struct command *to)
{
	struct replay *replay = (struct replay *)backend;
	sqlite3_stmt *stmt = replay_ask(replay, Q_COMMAND, replay->tick, replay->command_row);
	bool have = false;
	while (!have && sqlite3_step(stmt) == SQLITE_ROW) {
		memset(to, 0, sizeof *to);
		replay->command_row = sqlite3_column_int64(stmt, 0);
		to->kind =
			(enum command_kind)rec_word(command_word, COMMAND_COUNT, rec_text(stmt, 2), CMD_NONE);
		to->on = sqlite3_column_int(stmt, 3);
		to->number = rec_real(stmt, 4);
		to->vcpu = sqlite3_column_int(stmt, 6);
		snprintf(to->text, sizeof to->text, "%s", rec_text(stmt, 8));
		have = to->kind != CMD_NONE && uuid_parse(to->uuid, rec_text(stmt, 5)) == 0 &&
		       cpuset_parse(&to->cpus, rec_text(stmt, 7), NULL) == 0 && read_choice(to, to->text);
		if (have)
			replay->time_ns = rec_int(stmt, 1);
	}
	sqlite3_reset(stmt);
	if (!have && replay->begin_ns)
		replay->time_ns = replay->begin_ns;
	return have;
}

static enum action_kind kind_by_text(const char *text)
{
	for (enum action_kind kind = ACTION_PIN; kind <= ACTION_SHARES; kind++)
		if (strcmp(action_kind_text(kind), text) == 0)
			return kind;
	return ACTION_PIN;
}

static void read_action(sqlite3_stmt *stmt, struct action *action)
{
	action->vcpu = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? -1 : sqlite3_column_int(stmt, 2);
	if (cpuset_parse(&action->from, rec_text(stmt, 3), NULL) < 0)
		cpuset_clear(&action->from);
	if (cpuset_parse(&action->to, rec_text(stmt, 4), NULL) < 0)
		cpuset_clear(&action->to);
	action->from_pinned = sqlite3_column_int(stmt, 5);
	if (action->kind == ACTION_BALLOON) {
		action->from_kib = rec_kib(stmt, 6);
		action->to_kib = rec_kib(stmt, 7);
	} else {
		action->from_s = sqlite3_column_int(stmt, 6);
		action->to_s = sqlite3_column_int(stmt, 7);
	}
	action->why.code = rec_reason(rec_text(stmt, 8));
	snprintf(action->why.text, sizeof action->why.text, "%s", rec_text(stmt, 9));
	action->outcome = rec_outcome(rec_text(stmt, 10));
	snprintf(action->error, sizeof action->error, "%s", rec_text(stmt, 11));
}

/* Without a sample the index of the VM stays 0. */
static int read_actions(struct replay *replay, const struct sample *sample, struct plan *to)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_ACTION, replay->tick, 0);
	int rc = 0;
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		uint8_t uuid[UUID_BYTES];
		bool known = uuid_parse(uuid, rec_text(stmt, 1)) == 0;
		const struct vm_sample *vm = known && sample ? sample_vm_by_uuid(sample, uuid) : NULL;
		if (!known || (sample && !vm))
			continue;
		struct action *action = plan_add(to, kind_by_text(rec_text(stmt, 0)));
		if (!action) {
			rc = -1;
			break;
		}
		memcpy(action->uuid, uuid, UUID_BYTES);
		action->vm = vm ? (size_t)(vm - sample->vms) : 0;
		read_action(stmt, action);
	}
	sqlite3_reset(stmt);
	return rc;
}

static const char *cpu_policy_at(int i)
{
	return cpu_policy_name((enum cpu_policy_id)i);
}
static const char *mem_policy_at(int i)
{
	return mem_policy_name((enum mem_policy_id)i);
}
static const char *granularity_at(int i)
{
	return granularity_name((enum granularity)i);
}

static struct vf64 real_at(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL ? vf64_absent(AVAIL_NONE)
								: vf64_ok(rec_real(stmt, column));
}

static struct vi64 kib_at(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL ? vi64_absent(AVAIL_NONE)
								: vi64_ok(rec_kib(stmt, column));
}

static void read_decision(sqlite3_stmt *stmt, struct decision *decision)
{
	memset(decision, 0, sizeof *decision);
	decision->auto_cpu = sqlite3_column_int(stmt, 0);
	decision->auto_memory = sqlite3_column_int(stmt, 1);
	decision->dry_run = sqlite3_column_int(stmt, 2);
	decision->cpu_policy =
		(enum cpu_policy_id)rec_word(cpu_policy_at, CPU_POLICY_COUNT - 1, rec_text(stmt, 3), 0);
	decision->mem_policy =
		(enum mem_policy_id)rec_word(mem_policy_at, MEM_POLICY_COUNT - 1, rec_text(stmt, 4), 0);
	decision->granularity =
		(enum granularity)rec_word(granularity_at, GRAN_NODE, rec_text(stmt, 5), GRAN_CPU);
	decision->delay_s = rec_real(stmt, 6);
	if (!(decision->delay_s >= 0.2 && decision->delay_s <= 3600))
		decision->delay_s = 0; /* not known */
	struct vf64 *const numbers[] = {&decision->cpu.stddev_pct, &decision->cpu.limit_pct,
		&decision->cpu.found_pct, &decision->cpu.bound_pct, &decision->cpu.after_pct};
	for (int i = 0; i < 5; i++)
		*numbers[i] = real_at(stmt, 7 + i);
	decision->cpu.why.code = rec_reason(rec_text(stmt, 12));
	snprintf(decision->cpu.why.text, sizeof decision->cpu.why.text, "%s", rec_text(stmt, 13));
	decision->memory.state = (enum host_mem_state)rec_word(
		rec_memory_state, HOST_MEM_HARD, rec_text(stmt, 14), HOST_MEM_OK);
	decision->memory.reserve_kib = kib_at(stmt, 15);
	decision->memory.free_kib = kib_at(stmt, 16);
	decision->memory.why.code = rec_reason(rec_text(stmt, 17));
	snprintf(decision->memory.why.text, sizeof decision->memory.why.text, "%s", rec_text(stmt, 18));
}

int replay_played(
	struct backend *backend, const struct sample *sample, struct decision *decision, struct plan *to)
{
	struct replay *replay = (struct replay *)backend;
	sqlite3_stmt *stmt = replay_ask(replay, Q_DECISION, replay->tick, 0);
	bool have = sqlite3_step(stmt) == SQLITE_ROW;
	if (have)
		read_decision(stmt, decision);
	sqlite3_reset(stmt);
	return !have ? 0 : read_actions(replay, sample, to) < 0 ? -1 : 1;
}

/* Nothing can be changed in the past: the outcome is the recorded one where the recording did the same. */
void replay_apply(struct backend *backend, struct action *actions, size_t n)
{
	struct replay *replay = (struct replay *)backend;
	struct plan done;
	plan_init(&done);
	if (read_actions(replay, NULL, &done) < 0)
		done.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct action *action = &actions[i];
		action->outcome = OUTCOME_SKIPPED;
		snprintf(action->error, sizeof action->error, "a recording cannot be changed");
		for (size_t k = 0; k < done.n; k++)
			if (action_same(action, &done.actions[k])) {
				action->outcome = done.actions[k].outcome;
				memcpy(action->error, done.actions[k].error, sizeof action->error);
				break;
			}
	}
	plan_done(&done);
}
