/* SPDX-License-Identifier: MIT */
/* What the UI asks of the engine: one small value through a pipe, read between two steps. A plain value
 * without an owner; what is not named beside a kind is not looked at. Numbers out of range are refused or
 * cut, never obeyed. */
#ifndef VMTOP_COMMAND_H
#define VMTOP_COMMAND_H

#include "vmtop/sample.h"

enum command_kind {
	CMD_NONE,
	CMD_QUIT,          /* on == true: restore first */
	CMD_SAMPLE,        /* sample now */
	CMD_REBALANCE,     /* b; number: most pins it may make without being asked again, 0: any */
	CMD_MEMORY_CYCLE,  /* B */
	CMD_AUTO_CPU,      /* on */
	CMD_AUTO_MEMORY,   /* on */
	CMD_INTERVAL,      /* number: seconds */
	CMD_UNDO,          /* u */
	CMD_RESTORE,       /* U: everything as found */
	CMD_PREVIEW,       /* v: plan a forced round, show it, do nothing */
	CMD_PREVIEW_APPLY, /* y */
	CMD_PREVIEW_DROP,
	CMD_HOLD,         /* uuid, on: hold or release one VM */
	CMD_PIN,          /* uuid, vcpu, cpus */
	CMD_BALLOON,      /* uuid, number: KiB */
	CMD_STATS_PERIOD, /* on: turn guest statistics on for all steered VMs, or put back */
	CMD_CPU_POLICY,   /* number: enum cpu_policy_id */
	CMD_MEM_POLICY,   /* number: enum mem_policy_id */
	CMD_GRANULARITY,  /* number: enum granularity */
	CMD_MARK,         /* text */
	CMD_GROUPS,       /* number: enum sample_group the screen needs now */
	CMD_EXCLUDE,      /* uuid, on: no CPU steering for this VM */
	CMD_STAY_ON_NODE, /* uuid, on */
	CMD_SAVE,         /* the screen's own: write the setup to the user's file; never sent on */
	CMD_CONFIGURE,    /* a recording's own: the settings were read again then; number: which time */
	CMD_REPLAY, /* text: "play" or stop, "step" number ticks, "go" number seconds from here, "at" number
		     * seconds from the start, "speed" number times as fast as now, "loop" on or off */
};

struct command {
	enum command_kind kind;
	bool on;
	double number;
	int64_t at_ns; /* CLOCK_MONOTONIC when the key was pressed; 0: nobody waits for it */
	uint8_t uuid[UUID_BYTES];
	int vcpu;
	struct cpuset cpus;
	char text[80];
};
/* It changes guests by hand, or begins to: done late it would surprise whoever pressed the key. */
bool command_ages(const struct command *c);
/* Written with one write(): must stay below PIPE_BUF. */
_Static_assert(sizeof(struct command) < 512, "commands go through a pipe whole");

#endif
