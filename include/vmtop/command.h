/* SPDX-License-Identifier: MIT */
/* What the UI asks of the engine: one small value through a pipe, read between two steps. A plain value
 * without an owner; what is not named beside a kind is not looked at. Numbers out of range are refused or
 * cut, never obeyed. */
#ifndef VMTOP_COMMAND_H
#define VMTOP_COMMAND_H

#include "vmtop/sample.h"

/* One row a command, and a row is all of it: what the engine does (a function of src/engine/command.c,
 * nothing() for those that it never sees), its word in recordings (NOT_RECORDED only where a replay must not
 * repeat it), when done late it would surprise (STEERS: always; WHEN_ON: when it turns something on;
 * HARMLESS), and the names of its number where that is an enum. */
#define COMMAND_TABLE(X)                                                                                     \
	X(CMD_NONE, nothing, NOT_RECORDED, HARMLESS, NULL)                                                   \
	X(CMD_QUIT, set_quit, NOT_RECORDED, HARMLESS, NULL) /* on == true: restore first */                  \
	X(CMD_SAMPLE, want_sample, NOT_RECORDED, HARMLESS, NULL)                                             \
	/* number: most pins it may make without being asked again, 0: any */                                \
	X(CMD_REBALANCE, want_rebalance, "rebalance", STEERS, NULL)                                          \
	X(CMD_MEMORY_CYCLE, want_memory, "memory-cycle", STEERS, NULL)                                       \
	X(CMD_AUTO_CPU, set_auto, "auto-cpu", WHEN_ON, NULL)       /* on */                                  \
	X(CMD_AUTO_MEMORY, set_auto, "auto-memory", WHEN_ON, NULL) /* on */                                  \
	X(CMD_INTERVAL, set_interval, "interval", HARMLESS, NULL)  /* number: seconds */                     \
	X(CMD_UNDO, ask_change, "undo", STEERS, NULL)                                                        \
	X(CMD_RESTORE, ask_change, "restore", STEERS, NULL)   /* everything as found */                      \
	X(CMD_PREVIEW, want_preview, "preview", STEERS, NULL) /* plan a forced round, do nothing */          \
	X(CMD_PREVIEW_APPLY, want_apply, "preview-apply", STEERS, NULL)                                      \
	X(CMD_PREVIEW_DROP, drop_preview, "preview-drop", HARMLESS, NULL)                                    \
	/* uuid, vcpu, on: left out of the preview's plan, or in it again */                                 \
	X(CMD_PREVIEW_LEAVE, leave_out, "preview-leave", HARMLESS, NULL)                                     \
	X(CMD_HOLD, set_hold, "hold", HARMLESS, NULL)       /* uuid, on: hold or release one VM */           \
	X(CMD_PIN, ask_change, "pin", STEERS, NULL)         /* uuid, vcpu, cpus */                           \
	X(CMD_BALLOON, ask_change, "balloon", STEERS, NULL) /* uuid, number: KiB */                          \
	/* on: turn guest statistics on for all steered VMs, or put back */                                  \
	X(CMD_STATS_PERIOD, want_period, "stats-period", WHEN_ON, NULL)                                      \
	X(CMD_CPU_POLICY, set_policy, "cpu-policy", HARMLESS, name_of_cpu_policy)                            \
	X(CMD_MEM_POLICY, set_policy, "memory-policy", HARMLESS, name_of_mem_policy)                         \
	X(CMD_GRANULARITY, set_policy, "granularity", HARMLESS, name_of_granularity)                         \
	X(CMD_MARK, add_mark, NOT_RECORDED, HARMLESS, NULL)     /* text; recorded as a line of the log */    \
	X(CMD_GROUPS, set_groups, NOT_RECORDED, HARMLESS, NULL) /* number: enum sample_group needed now */   \
	X(CMD_EXCLUDE, set_flag, "exclude", HARMLESS, NULL)     /* uuid, on: no CPU steering for this VM */  \
	X(CMD_STAY_ON_NODE, set_flag, "stay-on-node", HARMLESS, NULL) /* uuid, on */                         \
	/* the screen's own: write the setup to the user's file; never sent on */                            \
	X(CMD_SAVE, nothing, NOT_RECORDED, HARMLESS, NULL)                                                   \
	/* the screen's own too: text: another program on this terminal, "man PAGE" or "host NAME" */        \
	X(CMD_ASIDE, nothing, NOT_RECORDED, HARMLESS, NULL)                                                  \
	/* a recording's own: the settings were read again then; number: which time */                       \
	X(CMD_CONFIGURE, play, "settings", HARMLESS, NULL)                                                   \
	/* on: begins a recording, text: its file; else ends it */                                           \
	X(CMD_RECORD, set_record, NOT_RECORDED, HARMLESS, NULL)                                              \
	/* text: "play" or stop, "step" number ticks, "go" number seconds on, "at" number seconds from */    \
	/* the start, "speed" number times as fast, "loop" on or off */                                      \
	X(CMD_REPLAY, play, NOT_RECORDED, HARMLESS, NULL)

enum command_kind {
#define COMMAND_ENUM(kind, obey, word, late, choice) kind,
	COMMAND_TABLE(COMMAND_ENUM)
#undef COMMAND_ENUM
		COMMAND_COUNT
};

struct command {
	enum command_kind kind;
	bool on;
	double number;
	int64_t at_ns; /* CLOCK_MONOTONIC when the key was pressed; 0: nobody waits for it */
	uint8_t uuid[UUID_BYTES];
	int vcpu;
	struct cpuset cpus;
	char text[160];
};
/* It changes guests by hand, or begins to: done late it would surprise whoever pressed the key. */
bool command_ages(const struct command *cmd);
/* Its word in recordings; NULL: it is not recorded. */
const char *command_word(int kind);
/* The name of a number that is an enum; NULL: the number is a number, or has no such name. */
const char *command_choice(int kind, int number);
/* Written with one write(): must stay below PIPE_BUF. */
_Static_assert(sizeof(struct command) < 512, "commands go through a pipe whole");

#endif
