/* SPDX-License-Identifier: MIT */
/* Who suffers, and why: for each VM a score and the causes found, most weighty first. Pure. What is not known
 * accuses nobody. One row a cause: code, key, the alarm it belongs to, the weight from which it is named,
 * whether one sample is enough, line for the manual. Waiting has a high weight: a little of it is the price
 * of sharing. */
#ifndef VMTOP_SUFFER_H
#define VMTOP_SUFFER_H

#include "vmtop/model.h"

/* What people call it, the worst first: the alert line counts VMs by these. */
#define ALARM_TABLE(X)                                                                                       \
	X(ALARM_HUNG, "HUNG")                                                                                \
	X(ALARM_STARVING, "STARVING")                                                                        \
	X(ALARM_SWAPPING, "SWAPPING")                                                                        \
	X(ALARM_SHORT, "SHORT OF MEMORY")                                                                    \
	X(ALARM_THROTTLED, "THROTTLED")                                                                      \
	X(ALARM_SLOWED, "SLOWED")

#define CAUSE_TABLE(X)                                                                                       \
	X(CAUSE_HUNG, "hung", ALARM_HUNG, 1, true, "its monitor does not answer")                            \
	X(CAUSE_WAIT, "wait", ALARM_STARVING, 20, false, "its vCPUs wait for a pCPU that others use")        \
	X(CAUSE_QUOTA, "quota", ALARM_THROTTLED, 10, false,                                                  \
		"its CPU quota, or that of a group around it, is used up")                                   \
	X(CAUSE_SHARES, "shares", ALARM_STARVING, 20, false,                                                 \
		"others have more CPU shares and take the pCPUs")                                            \
	X(CAUSE_PINS, "pins", ALARM_STARVING, 20, false, "its pins or its cpuset keep it on busy pCPUs")     \
	X(CAUSE_EMULATOR, "emulator", ALARM_STARVING, 15, false,                                             \
		"threads of its QEMU that are no vCPUs (emulator, iothread, vhost) wait or load its pCPUs")  \
	X(CAUSE_STEAL, "steal", ALARM_STARVING, 8, false,                                                    \
		"the host is a guest itself, and its pCPUs are taken away")                                  \
	X(CAUSE_SWAP, "swap", ALARM_SWAPPING, 10, false, "the guest swaps")                                  \
	X(CAUSE_SHORT, "memory", ALARM_SHORT, 10, false, "the guest has hardly any memory left")             \
	X(CAUSE_HOST_SWAP, "host-swap", ALARM_SWAPPING, 10, false,                                           \
		"part of its memory is in the host's swap")                                                  \
	X(CAUSE_NODE, "node", ALARM_SLOWED, 10, false, "it runs on another NUMA node than its memory")       \
	X(CAUSE_EXITS, "exits", ALARM_SLOWED, 10, false,                                                     \
		"it leaves guest mode very often, or polls while halted")                                    \
	X(CAUSE_STORAGE, "storage", ALARM_SLOWED, 10, false, "its disks answer slowly")                      \
	X(CAUSE_PRESSURE, "pressure", ALARM_SLOWED, 10, false, "its control group stalls for memory or I/O") \
	X(CAUSE_SLOW, "slow", ALARM_SLOWED, 10, false, "its pCPUs run below their full frequency")           \
	X(CAUSE_SMALL, "small", ALARM_SLOWED, 10, false,                                                     \
		"it needs more than the lesser pCPUs that it runs on give")                                  \
	X(CAUSE_JOB, "job", ALARM_SLOWED, 1, true, "a migration, save or other job runs on it")

enum alarm {
#define ALARM_ENUM(code, word) code,
	ALARM_TABLE(ALARM_ENUM)
#undef ALARM_ENUM
		ALARM_COUNT
};
enum cause {
#define CAUSE_ENUM(code, key, alarm, from_pct, at_once, text) code,
	CAUSE_TABLE(CAUSE_ENUM)
#undef CAUSE_ENUM
		CAUSE_COUNT
};

enum { FINDINGS = 4 };

struct finding {
	enum cause cause;
	double weight_pct; /* 0..100: what of its speed it is thought to cost */
	int64_t since_ns;  /* sample clock */
	double num[3];     /* the evidence; what they are is told by the cause */
	int pcpu, other;   /* a pCPU id, -1 none; index of a VM in the sample, -1 none */
};

struct suffering {
	double score_pct;    /* the heaviest finding; 0: it has what it wants */
	struct vf64 got_pct; /* of the CPU time that its vCPUs wanted */
	int n;
	struct finding found[FINDINGS];
};

/* What is judged; the arrays run parallel to those of the sample. */
struct suffer_look {
	const struct sample *sample;
	const struct vcpu_rate *vcpus;
	const struct vm_rate *vms;
	const struct pcpu_rate *pcpus;
};

struct suffer;                   /* what is remembered of earlier samples */
struct suffer *suffer_new(void); /* NULL: out of memory */
void suffer_free(struct suffer *suffer);
/* After each model update: one for each VM of the sample, x's own until the next update. A cause is named
 * when it was seen in two samples in a row (a fact that needs no second look: in one), and gone when it was
 * not seen in two. NULL: out of memory. */
const struct suffering *suffer_update(struct suffer *suffer, const struct suffer_look *look, size_t n_slots);

const char *cause_key(enum cause cause);
const char *cause_text(enum cause cause); /* the manual's line */
enum alarm cause_alarm(enum cause cause);
const char *alarm_word(enum alarm alarm);
/* One line each: whether it suffers and how much; the numbers behind a finding; what would cure it. */
void suffer_verdict(const struct suffering *hurt, char *buf, size_t len);
void suffer_evidence(
	const struct suffer_look *look, size_t vm, const struct finding *finding, char *buf, size_t len);
void suffer_cure(
	const struct suffer_look *look, size_t vm, const struct finding *finding, char *buf, size_t len);
/* What could not be read of this VM, as a list; empty: all was. */
void suffer_unknown(const struct suffer_look *look, size_t vm, char *buf, size_t len);

#endif
