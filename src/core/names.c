/* SPDX-License-Identifier: MIT */
/* Names of the choices in struct config and of what a snapshot tells: one list each, for the command line,
 * the config file, screen, JSON, logs and manual. Invariant: an unknown number gives "?", never a crash. */
#include "vmtop/snapshot.h"

#define NAME_OF(list, i) ((size_t)(i) < sizeof(list) / sizeof *(list) && (list)[i] ? (list)[i] : "?")

#define POLICY_NAME(id, name, ops, help) [id] = name,
#define POLICY_HELP(id, name, ops, help) [id] = help,

const char *cpu_policy_name(enum cpu_policy_id p)
{
	static const char *const names[] = {CPU_POLICY_TABLE(POLICY_NAME)};
	return NAME_OF(names, p);
}

const char *cpu_policy_help(enum cpu_policy_id p)
{
	static const char *const helps[] = {CPU_POLICY_TABLE(POLICY_HELP)};
	return NAME_OF(helps, p);
}

const char *mem_policy_name(enum mem_policy_id p)
{
	static const char *const names[] = {MEM_POLICY_TABLE(POLICY_NAME)};
	return NAME_OF(names, p);
}

const char *mem_policy_help(enum mem_policy_id p)
{
	static const char *const helps[] = {MEM_POLICY_TABLE(POLICY_HELP)};
	return NAME_OF(helps, p);
}

const char *granularity_name(enum granularity granularity)
{
	static const char *const names[] = {
		[GRAN_AUTO] = "auto",
		[GRAN_CPU] = "cpu",
		[GRAN_CORE] = "core",
		[GRAN_LLC] = "llc",
		[GRAN_NODE] = "node",
	};
	return NAME_OF(names, granularity);
}

const char *log_kind_name(enum log_kind kind)
{
	static const char *const names[] = {
		[LOG_ACTION] = "action",
		[LOG_ROUND] = "round",
		[LOG_EVENT] = "event",
		[LOG_ERROR] = "error",
		[LOG_MARK] = "mark",
	};
	return NAME_OF(names, kind);
}

const char *claim_state_name(enum claim_state state)
{
	static const char *const names[] = {
		[CLAIM_NONE] = "none",
		[CLAIM_UNKNOWN] = "unknown",
		[CLAIM_FREE] = "free",
		[CLAIM_LEFT] = "left",
		[CLAIM_OURS] = "ours",
		[CLAIM_OTHER] = "other",
		[CLAIM_DENIED] = "denied",
	};
	return NAME_OF(names, state);
}

const char *memory_state_name(enum host_mem_state state)
{
	static const char *const names[] = {
		[HOST_MEM_OK] = "ok", [HOST_MEM_SOFT] = "soft", [HOST_MEM_HARD] = "hard"};
	return NAME_OF(names, state);
}
