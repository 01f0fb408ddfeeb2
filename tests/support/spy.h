/* SPDX-License-Identifier: MIT */
/* A simulated host that outlives the engines on it, and that the engine takes for a real one, so that it
 * keeps a journal. Calls are counted and can be made to fail. Owner: the test, spy_free(). */
#ifndef VMTOP_SPY_H
#define VMTOP_SPY_H

#include "vmtop/engine.h"

struct spy {
	struct backend base;
	struct backend *sim;
	long calls;                       /* sample() and each change, from 1 */
	long fail_at;                     /* this call fails; 0: none */
	bool unknown;                     /* ... a change is made, but its answer is lost */
	bool failed;                      /* it did */
	double down_from_s, down_until_s; /* nothing answers then, in virtual time since the start */
	long changes;                     /* tried */
	int64_t born_ns;
	const char *name;     /* every VM is called so; NULL: as in the scenario */
	bool slow;            /* while down it says so, with a time that counts up */
	bool denied;          /* the connection became read-only */
	enum known known;     /* of VMs that do not run */
	int64_t wall_jump_ns; /* the wall clock is off by so much */
	struct claim_status claim;
	long claimed, let_go; /* how often it was asked for */
	uint32_t others;      /* enum host_other: they run on the host too */
	bool openstack;       /* nova made every VM */
	/* What says at the guests whose a pin is: written before a pin, gone with its restore or by disown().
	 */
	struct spy_mark {
		uint8_t uuid[UUID_BYTES];
		int vcpu;
	} marks[16];
	size_t n_marks;
	int marks_stay; /* so many times they cannot be taken away */
	/* After each sample, and around apply(); may be NULL. */
	void (*sampled)(void *arg, struct sample *s);
	void (*before)(void *arg, const struct action *a, size_t n);
	void (*after)(void *arg, const struct action *a, size_t n);
	void (*made)(void *arg, const struct action *a); /* one change, before its answer is told */
	void *arg;
};

/* Scenario: a text, or the name of a shipped one. Fails the test when it cannot be read. */
void spy_open(struct spy *s, const char *scenario);
void spy_free(struct spy *s);
/* A new engine on it, as after a restart of the program. */
struct engine *spy_engine(struct spy *s, const struct config *cfg);
/* Steps for so many seconds of virtual time. */
void spy_run(struct engine *en, double seconds);
double spy_now_s(struct spy *s); /* virtual time since spy_open() */
/* Affinity of a vCPU by VM name, as text; "" when it is not there. */
const char *spy_pin(struct spy *s, const char *vm, int vcpu);
/* Balloon of a VM now, MiB; -1 not there. */
double spy_balloon_mib(struct spy *s, const char *vm);
/* A line of the log with this text in it, or NULL. With SPY_LOG set the whole log goes to stderr. */
const char *spy_logged(struct engine *en, const char *part);

#endif
