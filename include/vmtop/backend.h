/* SPDX-License-Identifier: MIT */
/* A backend is four functions: sample, apply, wait, close. libvirt, simulator and replay are backends; record
 * and read-only wrap any other one. All four are called by the scheduler thread only. */
#ifndef VMTOP_BACKEND_H
#define VMTOP_BACKEND_H

#include "vmtop/err.h"
#include "vmtop/plan.h"
#include "vmtop/sample.h"

struct config;
struct backend;
struct log_line;
struct command;
struct decision;
struct timeline;

enum sample_group {              /* what a sample must hold beyond state, vCPUs and host */
	SAMPLE_BALLOON = 1 << 0, /* guest statistics read now; without it those read last will do */
	SAMPLE_BLOCK = 1 << 1,
	SAMPLE_NET = 1 << 2,
	SAMPLE_PCPUS = 1 << 3,   /* times of pCPUs: on a remote host a call each */
	SAMPLE_STEER = 1 << 4,   /* changes may follow: who must be left alone is looked up more often */
	SAMPLE_REGULAR = 1 << 8, /* a regular tick, not one between: recordings note it */
};

enum wake {
	WAKE_TIMER, /* the deadline has come */
	WAKE_INPUT, /* fd is readable: commands wait */
	WAKE_EVENT, /* the host told of a change, once; a new sample is worth taking soon */
	WAKE_END,   /* the scenario or recording is over */
	WAKE_AGAIN, /* the recording begins anew: seek its start */
};

enum link_state { LINK_OK, LINK_CONNECTING, LINK_LOST, LINK_SLOW };

/* One owner per host: who says that he steers it. */
enum claim_state {
	CLAIM_NONE,    /* nothing to claim here: this driver keeps no claim, or nothing is steered */
	CLAIM_UNKNOWN, /* the hypervisor did not tell */
	CLAIM_FREE,
	CLAIM_LEFT, /* its holder is gone: to be had */
	CLAIM_OURS,
	CLAIM_OTHER,
	CLAIM_DENIED, /* no right to it */
};
struct claim_status {
	enum claim_state state;
	char who[160]; /* user, host, process, since when; with LEFT, OURS and OTHER */
};

struct backend_status {
	enum link_state link;
	char text[160]; /* for people: what is wrong and what is being done about it; empty: nothing */
	bool readonly;  /* changes cannot be made here (option or missing rights) */
	char readonly_why[120];
	char uri[256];  /* what is really connected */
	char host[256]; /* what is steered, however its URI is spelt */
	struct claim_status claim;
	char recording[200]; /* file that is written now; empty: none */
	bool recording_lost; /* it was given up; text says why */
};

/* Where its samples come from. */
enum data_source { SOURCE_LIBVIRT, SOURCE_SIMULATOR, SOURCE_RECORDING };

enum known {
	KNOWN_UNSURE = -1, /* it did not tell */
	KNOWN_NOT,         /* it does not know it, and nobody saw how it ended: it may be saved to a file */
	KNOWN_YES,
	KNOWN_SAVED, /* it has a saved image of it, which it will be started from */
	KNOWN_ENDED, /* it does not know it any more, and nothing was saved at its end */
};

/* What a recording can do besides. */
struct replay_ops {
	/* Lines of the tick sampled last; fills at most max, returns how many. */
	size_t (*logged)(struct backend *b, struct log_line *to, size_t max);
	/* Those given after the tick sampled last, one a call; now() is then the time at which it came. */
	bool (*commands)(struct backend *b, struct command *to);
	/* Puts what CMD_CONFIGURE number `change` changed onto cfg; -1: nothing known. */
	int (*settings)(struct backend *b, int64_t change, struct config *cfg);
	/* What was decided and done at the tick sampled last, which is s; actions are appended to `to`. 1:
	 * there is something, 0: not, -1: out of memory. */
	int (*played)(struct backend *b, const struct sample *s, struct decision *d, struct plan *to);
	/* Obeys CMD_REPLAY; returns how many samples come before the place that was asked for, to make rates
	 * of, or -1: it stays. */
	int (*seek)(struct backend *b, const struct command *c);
	/* All of it in short; good until asked again. NULL: out of memory, or nobody looks. */
	const struct timeline *(*timeline)(struct backend *b);
};

struct backend_ops {
	enum data_source source; /* of a wrapper it says nothing */
	/* Fills `to` (reset by the callee). Bounded by cfg->sample_deadline_s; a part that is missing is
	 * data, failure means that there is no new sample at all (then the old one ages). */
	int (*sample)(struct backend *b, unsigned groups, struct sample *to, struct err *e);
	/* Carries out actions[0..n) in order, writes outcome and error on each. Looks again before each one
	 * (the VM runs, the vCPU exists, it is not there already). Each bounded by cfg->change_deadline_s.
	 * Never fails as a whole. */
	void (*apply)(struct backend *b, struct action *actions, size_t n);
	/* Sleeps until until_ns on now()'s clock, or fd (-1: none) is readable, or an event. In virtual time
	 * it advances the clock and returns. */
	enum wake (*wait)(struct backend *b, int64_t until_ns, int fd);
	void (*close)(struct backend *b);
	/* Monotonic ns; virtual in simulator and replay. */
	int64_t (*now)(struct backend *b);
	void (*status)(struct backend *b, struct backend_status *st);
	/* May be NULL: the clock of this machine. Else what a clock on the wall shows in virtual time, ns. */
	int64_t (*wall)(struct backend *b);
	/* May be NULL, for a recorder: a line of the decision log; a command that is obeyed; what the step
	 * decided; settings that were read again in the middle of the run. */
	void (*note)(struct backend *b, const struct log_line *line);
	void (*obeyed)(struct backend *b, const struct command *c);
	void (*decided)(struct backend *b, const struct decision *d);
	void (*configured)(struct backend *b, const struct config *was, const struct config *now);
	/* May be NULL: nothing to claim. take: claims the host or renews the claim, and no change is carried
	 * out from now on unless the claim still stands; 0: ours, or none is kept here. Else lets go of it.
	 * Bounded by cfg->change_deadline_s; between calls the backend keeps the claim alive by itself. */
	int (*claim)(struct backend *b, bool take, struct err *e);
	/* May be NULL. What the hypervisor knows of a VM that does not run. Bounded by
	 * cfg->change_deadline_s. */
	enum known (*known)(struct backend *b, const uint8_t uuid[UUID_BYTES]);
	/* May be NULL. The pin of this vCPU is none of ours any more: what the backend keeps with the guest
	 * to say that it is goes. 0: there is none (now), -1: not known, or it could not be taken away now.
	 * Bounded by cfg->change_deadline_s. */
	int (*disown)(struct backend *b, const uint8_t uuid[UUID_BYTES], int vcpu);
	/* Recordings only, else NULL. */
	const struct replay_ops *replay;
	bool lasting; /* what is changed through it outlives the run: it is journalled first */
	bool paced; /* wait() says when the next tick is: WAKE_TIMER a regular one, WAKE_EVENT one between */
	/* Wrappers only, else NULL: what is inside. */
	struct backend *(*inner)(const struct backend *b);
};
struct backend {
	const struct backend_ops *ops;
};

/* now() and wait() of a backend in real time without events of its own. */
int64_t backend_real_now(struct backend *backend);
enum wake backend_real_wait(struct backend *backend, int64_t until_ns, int fd);
int64_t backend_wall(struct backend *backend); /* ns since the epoch */
/* The backend inside all wrappers: its source and its optional functions count. */
struct backend *backend_innermost(struct backend *backend);
/* Tells every layer that wants to know. */
void backend_note(struct backend *backend, const struct log_line *line);
void backend_obeyed(struct backend *backend, const struct command *cmd);
void backend_decided(struct backend *backend, const struct decision *decision);
void backend_configured(struct backend *backend, const struct config *was, const struct config *now);
/* Chooses by URI: "sim:NAME|FILE", else libvirt (empty: the default search of vmtop(1), CONNECTION).
 * NULL with err set on failure. The caller closes it with ops->close(). */
struct backend *backend_open(const struct config *cfg, struct err *err);
struct backend *backend_libvirt_open(const struct config *cfg, struct err *err);
struct backend *backend_sim_open(
	const struct config *cfg, const char *name, bool virtual_time, struct err *err);
/* Wraps `inner` and owns it: apply() refuses everything. */
struct backend *backend_readonly(struct backend *inner, const char *why, struct err *err);

#endif
