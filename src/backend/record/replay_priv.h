/* SPDX-License-Identifier: MIT */
/* Inside the player, shared by replay*.c only. */
#ifndef VMTOP_REPLAY_PRIV_H
#define VMTOP_REPLAY_PRIV_H

#include "recording.h"
#include "vmtop/backend.h"
#include "vmtop/config.h"
#include "vmtop/record.h"

enum replay_query {
	Q_TICK,
	Q_NODE,
	Q_PCPU_FACT,
	Q_PCPU,
	Q_VM_FACT,
	Q_VM,
	Q_VM_IO,
	Q_VM_WHY_FACT,
	Q_VM_WHY,
	Q_VCPU_FACT,
	Q_VCPU,
	Q_LOG,
	Q_LOG_UP_TO,
	Q_ACTION,
	Q_DECISION,
	Q_COMMAND,
	Q_NEXT,
	Q_FIRST,
	Q_BEFORE,
	Q_KEY_BEFORE,
	Q_FIRST_TIME,
	Q_LAST_TIME,
	Q_TIME_UP_TO,
	Q_BEGIN,
	Q_END,
	Q_META,
	Q_WALL,
	Q_DEVIATIONS,
	Q_LINES,
	Q_COUNT
};

/* Objects as they are known so far: facts, and the totals of their counters. Sorted by key. */
struct known_vm {
	int64_t key;
	bool fresh; /* its fact is of this tick: totals are as of now */
	bool fresh_why;
	struct vm_sample v;
};
struct known_vcpu {
	int64_t key, vm_key;
	bool fresh;
	struct vcpu_sample v;
};
struct known_pcpu {
	bool known, fresh;
	struct pcpu_sample v;
};

struct replay {
	struct backend base;
	sqlite3 *db;
	sqlite3_stmt *q[Q_COUNT];
	char path[CFG_TEXT], uri[256];
	int64_t tick;      /* sampled last; 0: none */
	int64_t read_from; /* all ticks from this one to `tick` were read, one after the other */
	int64_t time_ns;   /* now(): of `tick`, of a command given since, or of the start of the next tick */
	int64_t begin_ns;  /* start of the next tick, once it is due */
	int64_t tick_ns;   /* of `tick` */
	int64_t since_ns;  /* real time at which `tick` was shown */
	int64_t first_tick, last_tick, first_ns, last_ns; /* of the recording */
	int64_t ends_ns;                                  /* when that was looked up, */
	int64_t grew_ns;           /* and when it was found to have grown; 0: not yet */
	int64_t command_row;       /* of the command given last */
	bool one_on;               /* it stands, and the next tick is asked for */
	bool jumped;               /* the log up to here is to be read anew */
	double speed, last_speed;  /* 0: stands still */
	struct timeline *timeline; /* NULL: not read yet; as of this tick and time */
	int64_t timeline_tick, timeline_ns;
	bool loop, hurry; /* hurry: batch, no waiting */
	struct known_vm *vms;
	struct known_vcpu *vcpus;
	struct known_pcpu *pcpus; /* CPUSET_CPUS of them */
	size_t n_vms, cap_vms, n_vcpus, cap_vcpus;
	size_t next_vm, next_vcpu; /* where the next row's object probably is */
	bool passing;              /* the tick that is read is on the way only */
	int64_t wall_ns;           /* else: when it was */
	struct {
		char hostname[128], hypervisor[32];
		bool local, has_isolation;
	} host;
};

/* Ready to step, with its parameters; a recording has at most two. */
sqlite3_stmt *replay_ask(struct replay *replay, enum replay_query which, int64_t one, int64_t two);

/* replay_read.c: all of a tick; ticks are read in order, beginning with a key tick. */
int replay_read(struct replay *replay, int64_t tick, struct sample *to, struct err *err);
/* The same without a sample, for ticks that are only on the way: ages mean nothing until a tick is read. */
int replay_pass(struct replay *replay, int64_t tick, struct err *err);
void replay_forget(struct replay *replay);

/* replay_notes.c */
size_t replay_logged(struct backend *backend, struct log_line *to, size_t max);
bool replay_commands(struct backend *backend, struct command *to);
int replay_played(
	struct backend *backend, const struct sample *sample, struct decision *decision, struct plan *to);
void replay_apply(struct backend *backend, struct action *actions, size_t n);

/* replay_timeline.c */
const struct timeline *replay_timeline(struct backend *backend);

#endif
