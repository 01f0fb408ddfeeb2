/* SPDX-License-Identifier: MIT */
/* Inside of the engine, shared by its files only. */
#ifndef VMTOP_ENGINE_PRIV_H
#define VMTOP_ENGINE_PRIV_H

#include "../changes/changes.h"
#include "../talk/mark_socket.h"
#include "trouble.h"
#include "vmtop/engine.h"
#include "wish.h"

/* Why AUTO stands still although it is wanted. */
enum pause_cause { PAUSE_NONE, PAUSE_JOURNAL, PAUSE_READONLY };
enum pause_of { PAUSE_CPU, PAUSE_MEMORY, PAUSE_MODES };
struct pause {
	enum pause_cause cause;
	int64_t again_ns; /* when it is looked whether it is over */
	int times;        /* that it has come to this, so that it is tried less and less often */
};

struct pauses {
	struct pause of[PAUSE_MODES];
	bool stats;            /* guest statistics are asked for again when they are over */
	char last[200];        /* why AUTO stopped last */
	int64_t idle_since_ns; /* AUTO is wanted and nothing can be steered; 0: it can */
};

/* When the next step comes, and what it is. */
struct pace {
	bool due;          /* it takes a sample */
	bool tick;         /* ... and is a regular one */
	bool event_waits;  /* the host told of a change that is not looked at yet */
	bool memory_due;   /* it is one of the memory cycle */
	bool memory_early; /* it is between two, and looks for guests that run dry */
	int64_t start_ns, end_ns, next_tick_ns, next_memory_ns, last_sample_ns, last_guests_ns;
};

/* Of a recording, to another place. */
struct jump {
	bool rewound; /* it was; so many samples come before the place */
	int lead;
	struct snapshot *run_up, **run_up_end; /* of those samples, until somebody takes them */
	struct config *begun;                  /* the settings at its start; NULL: of a host */
};

/* What drives a run, decided once, at its start: a host, a recording as it was decided then, or a recording
 * that is decided anew. */
struct course {
	bool live; /* guests are steered; else nothing is asked of it but what it plays */
	enum moment moment;
	bool shown; /* plan, verdicts and log are the recorded ones */
	bool (*refuses)(struct engine *en, const struct command *c); /* and says so */
	void (*plays)(struct engine *en, const struct command *c);   /* what a recording alone obeys */
	int (*before)(struct engine *en, struct err *e);             /* a step: jumps, commands given then */
	void (*lines)(struct engine *en);                            /* of the log, of this sample */
	int (*decide)(struct engine *en, struct err *e);             /* after the policies have planned */
	void (*after)(struct engine *en, const struct err *e);       /* a step; e: why it failed, or NULL */
	const struct timeline *(*timeline)(const struct engine *en); /* NULL: none */
};

struct engine {
	struct config cfg;
	struct backend *backend;
	struct backend *core; /* b without its wrappers */
	struct backend_status status;
	const struct course *course;

	struct sample sample;   /* the last good one */
	struct sample incoming; /* being read */
	bool have_sample;
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
	struct plan scratch; /* what `b` and `B` would do */
	int n_rebalance, n_memory;

	struct changes changes;
	struct talk talk;
	struct mark_socket mark;

	struct wishes wish;
	struct pace pace;
	struct trouble trouble;
	struct pauses pauses;
	struct jump jump;

	unsigned groups; /* of statistics, for the screen */
	bool want_fresh; /* guest statistics of now, not of the last cycle */
	bool stats_on;   /* guest statistics were asked for */
	uint64_t seq;
	bool foreign_plan; /* the recorded plan is not what the policy would do now */

	bool quit, quit_restore;
	struct leave_watch watch;
	uint64_t leave_seq; /* of the first line about the way out; 0: not on it */
	struct err failed;  /* why the run ends by itself */
	void (*see)(void *arg, const struct engine *en); /* NULL: nobody looks at each step */
	void *seer;
};

/* steer.c */
void steer_claim(struct engine *engine); /* before a step's plan: AUTO claims the host, or waits */
/* The plan of this step; the controllers whose round it was hear what became of it (NULL: not). */
void steer_apply(struct engine *engine, const struct round *cpu, const struct round *memory);

/* replayed.c */
const struct course *course_of(const struct engine *engine);

/* command.c */
void engine_obey(struct engine *engine, const struct command *cmd); /* also for commands of a recording */

/* shared.c */
bool engine_asked(const struct engine *engine); /* something asked for by key waits */
void engine_soon(struct engine *engine);        /* the next step comes at once, and samples */
void engine_uses(struct engine *engine, struct backend *backend); /* from now on; its status is read */
int engine_controllers(struct engine *engine, struct err *err);   /* new ones; the old stay on failure */

/* pause.c. Nothing happens where AUTO is off. */
void auto_pause_all(struct engine *engine, enum pause_cause cause, const char *why);
void auto_settled(struct engine *engine, enum pause_of what); /* somebody switched it on or off */
bool auto_wanted(const struct engine *engine);                /* on, or on again when a fault is over */
void auto_step(
	struct engine *engine, const struct err *err); /* after each step; err: why it failed, or NULL */

/* step.c */
int engine_look(struct engine *engine, struct err *err);       /* sample and model, no plan */
int engine_plan_ahead(struct engine *engine, struct err *err); /* what keys and ghosts would do */

#endif
