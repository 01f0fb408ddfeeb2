/* SPDX-License-Identifier: MIT */
/* A snapshot: everything a reader may see after one engine step. Immutable, one allocation, handed over by
 * moving the pointer; whoever holds it frees it with snapshot_free(). All pointers inside point into the
 * same block, but for those to other snapshots, which it owns. */
#ifndef VMTOP_SNAPSHOT_H
#define VMTOP_SNAPSHOT_H

#include "vmtop/backend.h"
#include "vmtop/config.h"
#include "vmtop/control.h"
#include "vmtop/suffer.h"
#include "vmtop/timeline.h"

struct vm_status {
	struct vi64 target_kib; /* balloon target last set by us */
	double target_age_s;
	enum reason cpu;   /* REASON_NONE: steered by AUTO; else why not */
	double held_for_s; /* with HELD or FOREIGN; < 0: until released */
	bool stay_on_node; /* asked for by key or config */
	struct mem_status mem;
	struct suffering suffer;
};
struct vcpu_status {
	enum reason cpu;
	double held_for_s;
	bool ghost; /* a preview moves it */
	struct cpuset ghost_to;
};

enum log_kind { LOG_ACTION, LOG_ROUND, LOG_EVENT, LOG_ERROR, LOG_MARK };

/* One line of the decision log. */
struct log_line {
	int64_t wall_ns;
	uint64_t seq; /* grows by one per line, from 1 */
	enum log_kind kind;
	bool memory; /* about memory, else CPU or general */
	uint8_t uuid[UUID_BYTES];
	char vm[VM_NAME_BYTES]; /* raw; empty: not about one VM */
	int vcpu;               /* -1: not about a vCPU */
	enum reason reason;
	enum outcome outcome; /* with LOG_ACTION */
	char text[640]; /* "db1 vCPU 2: 0-3 -> 1 · ..." without the time; raw names are escaped already */
};

enum { SNAPSHOT_LOG = 512 };

/* When what is shown was. */
enum moment {
	MOMENT_NOW,
	MOMENT_PLAYED, /* in a recording, which is played on, back and to a time by keys of its own */
	MOMENT_KEPT,   /* earlier in this run: the screen keeps it, and goes back to it */
};

/* What the step cost us, by the clock; the reading's own part is in sample.took_ns and sample.cost. */
struct step_cost {
	int64_t plan_ns;  /* model, rules, plans */
	int64_t apply_ns; /* waiting for changes to be carried out */
};

struct snapshot {
	uint64_t seq;
	enum data_source source;
	enum moment moment; /* none but NOW can be steered */
	struct sample sample;
	struct vcpu_rate *vcpu_rates; /* parallel to sample.vcpus */
	struct vm_rate *vm_rates;
	struct pcpu_rate *pcpu_rates;
	struct vm_status *vm_status;
	struct vcpu_status *vcpu_status;
	double elapsed_s; /* since the previous sample; 0: this is the first */
	double age_s;     /* of the sample when this snapshot was made; the reader adds the time since */
	struct step_cost cost;
	bool tick; /* made by a regular tick: batch output prints these, not those between ticks */
	struct vf64 busy_pct;
	struct vf64 load_stddev_pct; /* by mapped usage; nothing shows it: cpu.stddev_pct is what was decided
					by */

	struct cpu_verdict cpu;
	struct mem_verdict memory;
	bool auto_cpu, auto_memory, dry_run, readonly;
	bool waits_cpu, waits_memory; /* AUTO goes on by itself once nobody else steers this host */
	enum cpu_policy_id cpu_policy;
	enum mem_policy_id mem_policy;
	enum granularity granularity; /* in force; auto: nobody is bound to a unit */
	double delay_s;
	int n_eligible_cpu, n_eligible_memory; /* VMs that AUTO would steer */
	bool preview;                          /* ghosts are shown */
	int n_preview_pins;                    /* without those left out */
	struct action *ghosts;                 /* its plan; SKIPPED: left out */
	size_t n_ghosts;
	struct vf64 preview_after_pct; /* deviation that they would lead to */
	int n_rebalance_pins;          /* pins that `b` would make now, for its question; -1 unknown */
	int n_memory_changes;          /* balloons that `B` would change now; -1 unknown */
	int n_undo;                    /* changes that `u` would put back; 0: nothing to undo */
	int n_changed_away;            /* of n_changed, those of VMs that are not here */
	int n_periods;                 /* of n_changed, statistics periods: they are put back at every end */
	int n_changed;                 /* vCPUs, balloons and periods that are not as found because of us */

	bool left_behind; /* they are an earlier run's, and this one has not taken them up */

	/* actions of this step, and the log up to now, oldest first */
	struct action *actions;
	size_t n_actions;
	struct log_line *log;
	size_t n_log;

	struct backend_status backend;
	const struct timeline *timeline; /* of a recording, all of it; NULL: a running host */
	struct snapshot *run_up; /* after a jump in a recording: the snapshots of the samples before it, the
				    oldest first, without log and actions, for graphs. Else NULL */
	struct snapshot *next;   /* of a run-up: the newer one; NULL: the last */
	int64_t heard_ns;        /* at_ns of the newest key that the engine has heard of; 0: of none */
	bool waits;              /* something asked for by key waits for a sample */
	char notice[320];        /* one thing the user must know now; empty: nothing */
	uint64_t leave_seq; /* lines of the log from this one on are about the way out; 0: not on it yet */
	bool first;         /* no sample yet: only backend, notice and modes are filled */
	bool over;          /* scenario or recording is over, or the engine ends: last snapshot */
	int exit_status;    /* with over */
};

void snapshot_free(struct snapshot *snap);
/* For the words about who suffers. */
static inline struct suffer_look snapshot_look(const struct snapshot *snap)
{
	return (struct suffer_look){&snap->sample, snap->vcpu_rates, snap->vm_rates, snap->pcpu_rates};
}

const char *cpu_policy_name(enum cpu_policy_id p);
const char *cpu_policy_help(enum cpu_policy_id p); /* a sentence */
const char *mem_policy_name(enum mem_policy_id p);
const char *mem_policy_help(enum mem_policy_id p);
const char *granularity_name(enum granularity granularity);
const char *log_kind_name(enum log_kind kind);            /* "action", "round", ... */
const char *memory_state_name(enum host_mem_state state); /* "ok", "soft", "hard" */
const char *claim_state_name(enum claim_state state);     /* "free", "ours", "other", ... */

#endif
