/* SPDX-License-Identifier: MIT */
/* Words of a recording's tables that stand for enums, both ways. Invariant: what another version may number
 * otherwise goes by name, and an unknown name becomes the harmless value. */
#include <string.h>

#include "recording.h"
#include "vmtop/command.h"
#include "vmtop/record.h"

const char *rec_log_kind(int kind)
{
	return log_kind_name((enum log_kind)kind);
}

const char *rec_memory_state(int state)
{
	return memory_state_name((enum host_mem_state)state);
}

const char *rec_command_name(int kind)
{
	static const char *const names[] = {
		[CMD_REBALANCE] = "rebalance",
		[CMD_MEMORY_CYCLE] = "memory-cycle",
		[CMD_AUTO_CPU] = "auto-cpu",
		[CMD_AUTO_MEMORY] = "auto-memory",
		[CMD_INTERVAL] = "interval",
		[CMD_UNDO] = "undo",
		[CMD_RESTORE] = "restore",
		[CMD_PREVIEW] = "preview",
		[CMD_PREVIEW_APPLY] = "preview-apply",
		[CMD_PREVIEW_DROP] = "preview-drop",
		[CMD_HOLD] = "hold",
		[CMD_PIN] = "pin",
		[CMD_BALLOON] = "balloon",
		[CMD_STATS_PERIOD] = "stats-period",
		[CMD_CPU_POLICY] = "cpu-policy",
		[CMD_MEM_POLICY] = "memory-policy",
		[CMD_GRANULARITY] = "granularity",
		[CMD_EXCLUDE] = "exclude",
		[CMD_STAY_ON_NODE] = "stay-on-node",
		[CMD_CONFIGURE] = "settings",
	};
	return kind >= 0 && (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

const char *rec_command_choice(int kind, int number)
{
	switch (kind) {
	case CMD_CPU_POLICY:
		return cpu_policy_name((enum cpu_policy_id)number);
	case CMD_MEM_POLICY:
		return mem_policy_name((enum mem_policy_id)number);
	case CMD_GRANULARITY:
		return granularity_name((enum granularity)number);
	default:
		return NULL;
	}
}

enum reason rec_reason(const char *key)
{
	for (enum reason i = REASON_NONE; i < REASON_COUNT; i++)
		if (strcmp(reason_key(i), key) == 0)
			return i;
	return REASON_NONE;
}

enum outcome rec_outcome(const char *text)
{
	for (enum outcome o = OUTCOME_PLANNED; o <= OUTCOME_UNKNOWN; o++)
		if (strcmp(outcome_text(o), text) == 0)
			return o;
	return OUTCOME_SKIPPED;
}

int rec_word(const char *(*names)(int), int last, const char *word, int none)
{
	for (int i = 0; i <= last; i++) {
		const char *name = names(i);
		if (name && strcmp(name, word) == 0)
			return i;
	}
	return none;
}
