/* SPDX-License-Identifier: MIT */
/* What a recording holds beside samples: log lines, commands, decisions and actions. Words of its tables
 * become enums again; an unknown one, of a newer version, becomes the harmless one. */
#include <stdio.h>
#include <string.h>

#include "replay_priv.h"
#include "vmtop/command.h"

/* After a jump all lines up to the place, the newest ones if there are many. */
size_t replay_logged(struct backend *b, struct log_line *to, size_t max)
{
	struct replay *r = (struct replay *)b;
	sqlite3_stmt *st = replay_ask(r, r->jumped ? Q_LOG_UP_TO : Q_LOG, r->tick, (int64_t)max);
	size_t n = 0;
	for (; n < max && sqlite3_step(st) == SQLITE_ROW; n++)
		rec_line_read(st, &to[n]);
	sqlite3_reset(st);
	r->jumped = false;
	return n;
}

static bool read_choice(struct command *c, const char *word)
{
	for (int i = 0; i < 16; i++) {
		const char *name = command_choice((int)c->kind, i);
		if (!name)
			return true; /* its number is a number */
		if (strcmp(name, word) == 0) {
			c->number = i;
			return true;
		}
	}
	return false;
}

bool replay_commands(struct backend *b, struct command *to)
{
	struct replay *r = (struct replay *)b;
	sqlite3_stmt *st = replay_ask(r, Q_COMMAND, r->tick, r->command_row);
	bool have = false;
	while (!have && sqlite3_step(st) == SQLITE_ROW) {
		memset(to, 0, sizeof *to);
		r->command_row = sqlite3_column_int64(st, 0);
		to->kind =
			(enum command_kind)rec_word(command_word, COMMAND_COUNT, rec_text(st, 2), CMD_NONE);
		to->on = sqlite3_column_int(st, 3);
		to->number = rec_real(st, 4);
		to->vcpu = sqlite3_column_int(st, 6);
		snprintf(to->text, sizeof to->text, "%s", rec_text(st, 8));
		have = to->kind != CMD_NONE && uuid_parse(to->uuid, rec_text(st, 5)) == 0 &&
		       cpuset_parse(&to->cpus, rec_text(st, 7), NULL) == 0 && read_choice(to, to->text);
		if (have)
			r->time_ns = rec_int(st, 1);
	}
	sqlite3_reset(st);
	if (!have && r->begin_ns)
		r->time_ns = r->begin_ns;
	return have;
}

static enum action_kind kind_by_text(const char *text)
{
	for (enum action_kind k = ACTION_PIN; k <= ACTION_SHARES; k++)
		if (strcmp(action_kind_text(k), text) == 0)
			return k;
	return ACTION_PIN;
}

static void read_action(sqlite3_stmt *st, struct action *a)
{
	a->vcpu = sqlite3_column_type(st, 2) == SQLITE_NULL ? -1 : sqlite3_column_int(st, 2);
	if (cpuset_parse(&a->from, rec_text(st, 3), NULL) < 0)
		cpuset_clear(&a->from);
	if (cpuset_parse(&a->to, rec_text(st, 4), NULL) < 0)
		cpuset_clear(&a->to);
	a->from_pinned = sqlite3_column_int(st, 5);
	if (a->kind == ACTION_BALLOON) {
		a->from_kib = rec_kib(st, 6);
		a->to_kib = rec_kib(st, 7);
	} else {
		a->from_s = sqlite3_column_int(st, 6);
		a->to_s = sqlite3_column_int(st, 7);
	}
	a->why.code = rec_reason(rec_text(st, 8));
	snprintf(a->why.text, sizeof a->why.text, "%s", rec_text(st, 9));
	a->outcome = rec_outcome(rec_text(st, 10));
	snprintf(a->error, sizeof a->error, "%s", rec_text(st, 11));
}

/* Without a sample the index of the VM stays 0. */
static int read_actions(struct replay *r, const struct sample *s, struct plan *to)
{
	sqlite3_stmt *st = replay_ask(r, Q_ACTION, r->tick, 0);
	int rc = 0;
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		uint8_t uuid[UUID_BYTES];
		bool known = uuid_parse(uuid, rec_text(st, 1)) == 0;
		const struct vm_sample *vm = known && s ? sample_vm_by_uuid(s, uuid) : NULL;
		if (!known || (s && !vm))
			continue;
		struct action *a = plan_add(to, kind_by_text(rec_text(st, 0)));
		if (!a) {
			rc = -1;
			break;
		}
		memcpy(a->uuid, uuid, UUID_BYTES);
		a->vm = vm ? (size_t)(vm - s->vms) : 0;
		read_action(st, a);
	}
	sqlite3_reset(st);
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

static struct vf64 real_at(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL ? vf64_absent(AVAIL_NONE)
							      : vf64_ok(rec_real(st, column));
}

static struct vi64 kib_at(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL ? vi64_absent(AVAIL_NONE)
							      : vi64_ok(rec_kib(st, column));
}

static void read_decision(sqlite3_stmt *st, struct decision *d)
{
	memset(d, 0, sizeof *d);
	d->auto_cpu = sqlite3_column_int(st, 0);
	d->auto_memory = sqlite3_column_int(st, 1);
	d->dry_run = sqlite3_column_int(st, 2);
	d->cpu_policy = (enum cpu_policy_id)rec_word(cpu_policy_at, CPU_POLICY_COUNT - 1, rec_text(st, 3), 0);
	d->mem_policy = (enum mem_policy_id)rec_word(mem_policy_at, MEM_POLICY_COUNT - 1, rec_text(st, 4), 0);
	d->granularity = (enum granularity)rec_word(granularity_at, GRAN_NODE, rec_text(st, 5), GRAN_CPU);
	d->delay_s = rec_real(st, 6);
	if (!(d->delay_s >= 0.2 && d->delay_s <= 3600))
		d->delay_s = 0; /* not known */
	struct vf64 *const numbers[] = {&d->cpu.stddev_pct, &d->cpu.limit_pct, &d->cpu.found_pct,
		&d->cpu.bound_pct, &d->cpu.after_pct};
	for (int i = 0; i < 5; i++)
		*numbers[i] = real_at(st, 7 + i);
	d->cpu.why.code = rec_reason(rec_text(st, 12));
	snprintf(d->cpu.why.text, sizeof d->cpu.why.text, "%s", rec_text(st, 13));
	d->memory.state =
		(enum host_mem_state)rec_word(rec_memory_state, HOST_MEM_HARD, rec_text(st, 14), HOST_MEM_OK);
	d->memory.reserve_kib = kib_at(st, 15);
	d->memory.free_kib = kib_at(st, 16);
	d->memory.why.code = rec_reason(rec_text(st, 17));
	snprintf(d->memory.why.text, sizeof d->memory.why.text, "%s", rec_text(st, 18));
}

int replay_played(struct backend *b, const struct sample *s, struct decision *d, struct plan *to)
{
	struct replay *r = (struct replay *)b;
	sqlite3_stmt *st = replay_ask(r, Q_DECISION, r->tick, 0);
	bool have = sqlite3_step(st) == SQLITE_ROW;
	if (have)
		read_decision(st, d);
	sqlite3_reset(st);
	return !have ? 0 : read_actions(r, s, to) < 0 ? -1 : 1;
}

/* Nothing can be changed in the past: the outcome is the recorded one where the recording did the same. */
void replay_apply(struct backend *b, struct action *actions, size_t n)
{
	struct replay *r = (struct replay *)b;
	struct plan done;
	plan_init(&done);
	if (read_actions(r, NULL, &done) < 0)
		done.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct action *a = &actions[i];
		a->outcome = OUTCOME_SKIPPED;
		snprintf(a->error, sizeof a->error, "a recording cannot be changed");
		for (size_t k = 0; k < done.n; k++)
			if (action_same(a, &done.actions[k])) {
				a->outcome = done.actions[k].outcome;
				memcpy(a->error, done.actions[k].error, sizeof a->error);
				break;
			}
	}
	plan_done(&done);
}
