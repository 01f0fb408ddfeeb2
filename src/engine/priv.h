/* SPDX-License-Identifier: MIT */
/* Inside of the engine, shared by its files only. */
#ifndef VMTOP_ENGINE_PRIV_H
#define VMTOP_ENGINE_PRIV_H

#include "journal.h"
#include "ledger.h"
#include "mark_socket.h"
#include "vmtop/engine.h"

/* Why AUTO stands still although it is wanted. */
enum pause_cause { PAUSE_NONE, PAUSE_JOURNAL, PAUSE_READONLY };
enum pause_of { PAUSE_CPU, PAUSE_MEMORY, PAUSE_MODES };
struct pause {
	enum pause_cause cause;
	int64_t again_ns; /* when it is looked whether it is over */
	int times;        /* that it has come to this, so that it is tried less and less often */
};

/* The hypervisor does not answer, or too late. */
struct trouble {
	int64_t since_ns; /* 0: all is well */
	int good;         /* samples in a row since */
	unsigned told;    /* bits of enum link_state: said already */
};

enum { ASKED_MAX = 1032, UNDO_MAX = 4096 };

/* One change that undo can take back. Entries of one step share `group`. */
struct undo_entry {
	uint64_t group;
	enum action_kind kind;
	uint8_t uuid[UUID_BYTES];
	int vcpu;
	struct cpuset before, after;
	int64_t before_kib, after_kib;
	int before_shares, after_shares;
};

struct log_ring {
	struct log_line *lines; /* SNAPSHOT_LOG of them */
	size_t first, n;
	uint64_t seq;
};

/* What goes on by itself once nothing stands in its way any more. */
struct auto_waits {
	bool cpu, memory, stats;
};

struct engine {
	struct config cfg;
	struct backend *b;
	struct backend *core; /* b without its wrappers */
	struct backend_status status;

	struct sample sample;   /* the last good one */
	struct sample incoming; /* being read */
	bool have_sample;
	int64_t aged_ns;    /* time of the sample by which VMs that are away were made older last; 0: none */
	int64_t stamped_ns; /* when the journal was told how long they have been away; 0: never */
	struct model model;
	struct rules rules;
	struct cpu_ctl *cpu;
	struct mem_ctl *mem;
	struct shares_ctl *shares;
	enum reason shares_why; /* that was said last */
	struct cpu_verdict cpu_verdict;
	struct mem_verdict mem_verdict;
	struct mem_status *mem_status; /* parallel to sample.vms */
	size_t cap_mem_status;
	struct suffer *suffer;
	const struct suffering *suffering; /* parallel to sample.vms; suffer's own */
	size_t n_suffering;

	struct step_cost cost;
	struct plan plan;    /* actions of this step */
	struct plan preview; /* ghosts */
	struct plan scratch; /* what `b` and `B` would do */
	struct plan last_dry;
	bool previewing;
	struct vf64 preview_after_pct;
	int n_rebalance, n_memory;

	struct ledger ledger;
	struct journal *journal; /* open once something is to be changed */
	bool inherited;          /* the ledger began with what an earlier run left */
	bool watches;            /* another vmtop has the journal; what it changed is its own */
	bool borrowed;           /* its journal is read here all the same, and not written */
	struct err unread;       /* why the journal of an earlier run could not be read */
	struct auto_waits waits; /* another vmtop steers */
	bool said_other, said_unclaimed, said_doubts;
	struct undo_entry *undo; /* ring of UNDO_MAX */
	size_t undo_first, undo_n;
	uint64_t undo_group;
	struct log_ring log;
	struct mark_socket mark;

	struct command asked[ASKED_MAX]; /* changes asked for by hand, for the next step */
	size_t n_asked;
	size_t rebalance_most; /* pins that a forced round may make unasked; 0: any */
	bool want_rebalance, want_memory, want_preview, want_apply;
	int64_t heard_ns, wish_ns, dropped_ns; /* newest key heard of, asking, dropping; CLOCK_MONOTONIC */
	int drops;                             /* where the last come from; -1: nowhere */
	bool said_waiting;                     /* "b waits for the second sample" is in the log */
	bool want_fresh;                       /* guest statistics of now, not of the last cycle */
	bool memory_due;                       /* this step is one of the memory cycle */
	bool memory_early;                     /* it is between two, and looks for guests that run dry */
	bool stats_on;                         /* guest statistics were asked for */
	bool quit, quit_restore;
	struct leave_watch watch;
	uint64_t leave_seq; /* of the first line about the way out; 0: not on it */
	struct err left;    /* what could not be put back, for people */

	unsigned groups;
	bool due;  /* the next step takes a sample */
	bool tick; /* ... and is a regular one */
	int64_t start_ns, end_ns, next_tick_ns, next_memory_ns, last_sample_ns, last_guests_ns;
	uint32_t others_said; /* enum host_other: in the log already */
	bool nova_said;
	bool rewound; /* a recording jumped; so many samples come before the place */
	int lead;
	struct config *begun; /* the settings at the start of a recording, for jumps; else NULL */
	bool foreign_plan;    /* the recorded plan is not what the policy would do now */
	bool event_waits;
	uint64_t seq;
	char notice[200];
	int64_t notice_until_ns;
	struct trouble trouble;
	struct pause paused[PAUSE_MODES];
	bool stats_paused;
	char last_pause[200];
	int64_t idle_since_ns; /* AUTO is wanted and nothing can be steered; 0: it can */
	struct err failed;     /* why the run ends by itself */
	char last_error[320];  /* said once, until it changes */
	void (*see)(void *arg, const struct engine *en); /* NULL: nobody looks at each step */
	void *seer;
};

/* log.c */
int log_init(struct log_ring *l);
void log_done(struct log_ring *l);
struct log_line *log_add(struct engine *en, enum log_kind kind); /* never NULL: the oldest goes */
void log_event(struct engine *en, enum log_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Not when it is what was said so last. */
void log_event_once(struct engine *en, enum log_kind kind, const char *text);
void log_action(struct engine *en, const struct action *a);
void notice_set(struct engine *en, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* asked.c: changes that were asked for, as actions of the plan. The add functions return how many actions
 * they made (0: it is so already, or could not be put back), -1 when memory ran out. */
/* NULL: not there, not running, or its monitor does not answer. */
const struct vm_sample *asked_vm(const struct engine *en, const uint8_t uuid[UUID_BYTES]);
void asked_hold(struct engine *en, const struct vm_sample *vm); /* out of AUTO until released */
int asked_pin(struct engine *en, const struct vm_sample *vm, const struct vcpu_sample *v,
	const struct cpuset *to, enum reason why);
int asked_balloon(struct engine *en, const struct vm_sample *vm, int64_t to_kib, enum reason why);
int asked_period(struct engine *en, const struct vm_sample *vm, int to_s, enum reason why);
int asked_shares(struct engine *en, const struct vm_sample *vm, int from, int to, enum reason why);

/* wish.c: what was asked by key and waits */
bool wish_any(const struct engine *en);
/* A command from the pipe: false, and said, when it is too old or was dropped. */
bool wish_heard(struct engine *en, const struct command *c);
/* After the attempt to take a sample: forgets what was dropped, or waited too long. */
void wish_check(struct engine *en, bool sampled);

/* manual.c */
int manual_plan(struct engine *en);   /* what is in asked[], and the statistics periods */
int preview_apply(struct engine *en); /* the ghosts become actions */

/* undo.c */
int undo_last(struct engine *en);        /* plans to take back the last group of changes */
int undo_count(const struct engine *en); /* how many that would be */
void undo_push(struct engine *en, const struct action *a);

/* restore.c */
/* Objects that need no call any more to be as found. */
struct settled {
	size_t foreign; /* somebody else changed them since: they stay so */
	size_t back;    /* we had put them back; the answer to that call was lost */
};

/* Only VMs that match the pattern, if any; statistics periods alone unless pins_and_balloons. Adds to *back.
 */
int restore_plan(struct engine *en, const char *pattern, bool pins_and_balloons, size_t *back);
int restore_all(struct engine *en);     /* by hand: settles, plans, holds, and says so */
int restore_periods(struct engine *en); /* statistics that we switched on */
/* Forgets what is no longer ours to put back: changed by somebody else, unplugged, or as found already. */
struct settled restore_settle(struct engine *en, const char *pattern);
/* Closes the entries of VMs that are gone for good since grace_ns or longer. */
void restore_close(struct engine *en, const char *pattern, int64_t grace_ns);
/* The same for those that have been away for too long, unless the hypervisor has a saved image of them. */
void restore_saved(struct engine *en);
bool restore_named(const char *pattern, const struct vm_record *r);

/* apply.c */
const char *engine_host(const struct engine *en);    /* engine.c: what the journal is called by */
int apply_journal(struct engine *en, struct err *e); /* opens it if changes here need one */
/* Nothing of ours is left on this object (enum journal_object or a vCPU). */
void apply_forget(struct engine *en, struct vm_record *r, int object);
void apply_found_anew(struct engine *en, const struct vm_record *r); /* its balloon's sizes moved */
void apply_plan(struct engine *en, const struct round *cpu, const struct round *memory);

/* replayed.c: a recording is shown as it was decided, unless it is to be decided anew */
bool replay_shows(const struct engine *en);
bool replay_refuses(struct engine *en, const struct command *c); /* and says so */
void replay_seek(struct engine *en, const struct command *c);
void replay_configure(struct engine *en, const struct command *c);
int replay_catch_up(struct engine *en, struct err *e); /* before a step: jumps, commands given then */
void replay_lines(struct engine *en);
int replay_decisions(struct engine *en, struct err *e);

/* owner.c: the claim on the host that is steered */
void owner_begin(struct engine *en); /* says who steers */
/* Before a step's plan: AUTO claims the host, or waits while another one has it. */
void owner_step(struct engine *en);
/* Before the changes of the plan: the claim is ours (0), or they must not be made. Whoever only puts its own
 * changes back needs none. */
int owner_take(struct engine *en, struct err *e);

/* command.c */
void engine_obey(struct engine *en, const struct command *c); /* also for commands of a recording */
void engine_soon(struct engine *en);                          /* the next step comes at once, and samples */

/* engine.c */
int engine_read_journal(struct engine *en, struct err *e); /* as journal_load(); says what cannot be */
int engine_controllers(struct engine *en, struct err *e);  /* new ones; the old stay on failure */

/* trouble.c: what is said of a hypervisor that does not answer. rc: of the sample. */
void trouble_step(struct engine *en, int rc, const struct err *e);

/* pause.c. Nothing happens where AUTO is off. */
void auto_pause(struct engine *en, enum pause_of what, enum pause_cause cause, const char *why);
void auto_pause_all(struct engine *en, enum pause_cause cause, const char *why);
void auto_settled(struct engine *en, enum pause_of what); /* somebody switched it on or off */
bool auto_wanted(const struct engine *en);                /* on, or on again when a fault is over */
void auto_step(struct engine *en, const struct err *e);   /* after each step; e: why it failed, or NULL */

/* leave.c */
bool leave_anything(const struct engine *en); /* something of ours is not as found */

/* ledger_step.c: after each sample */
void ledger_step(struct engine *en, bool first);

/* step.c */
bool engine_may_change(struct engine *en);         /* not read-only; else says why */
int engine_look(struct engine *en, struct err *e); /* sample and model, no plan */

#endif
