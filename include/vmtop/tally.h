/* SPDX-License-Identifier: MIT */
/* The tally: what a reader that looks seldom must not miss. Counters that only grow, and the largest values
 * of the last two minutes, fed with every snapshot. Pure: its only clock is that of the samples.
 *
 * A counter begins with the guest's own, so that a new start of vmtop is an ordinary reset of a counter; it
 * keeps its value while the source is silent. The largest values cover a fixed window and are not reset by
 * who reads them, so that two readers do not take them from each other. The arrays run parallel to those of
 * the snapshot seen last. */
#ifndef VMTOP_TALLY_H
#define VMTOP_TALLY_H

#include "vmtop/snapshot.h"

/* The window: at least so long, and one bucket more at most. */
enum { TALLY_WINDOW_S = 120, TALLY_BUCKET_S = 10, TALLY_BUCKETS = TALLY_WINDOW_S / TALLY_BUCKET_S + 1 };
enum { STARVED_PCT = 20 }; /* a vCPU that waits for more of the time starves */

struct tally_count {
	struct vi64 total; /* absent until the source was heard once */
	int64_t last;
};

struct tally_most {
	struct vf64 most; /* in the window; absent: nothing was known in it */
	float in[TALLY_BUCKETS];
};

/* Counters of a VM that are taken as they come, by member of struct vm_sample. */
#define VM_COUNTS(X)                                                                                         \
	X(THROTTLED, facts.throttled_ns)                                                                     \
	X(EXITS, facts.exits)                                                                                \
	X(POLLED, facts.polled_ns)                                                                           \
	X(HELPERS, facts.helper_ns)                                                                          \
	X(HELPERS_WAIT, facts.helper_delay_ns)                                                               \
	X(DISK, facts.disk_ns)                                                                               \
	X(DISK_REQS, facts.disk_reqs)                                                                        \
	X(SWAP_IN, mem.swap_in_kib)                                                                          \
	X(SWAP_OUT, mem.swap_out_kib)                                                                        \
	X(MAJOR_FAULTS, mem.major_faults)                                                                    \
	X(RD_BYTES, io.rd_bytes)                                                                             \
	X(WR_BYTES, io.wr_bytes)                                                                             \
	X(RX_BYTES, io.rx_bytes)                                                                             \
	X(TX_BYTES, io.tx_bytes)

enum vm_count {
#define VM_COUNT_ENUM(name, member) COUNT_##name,
	VM_COUNTS(VM_COUNT_ENUM)
#undef VM_COUNT_ENUM
		VM_COUNT_COUNT
};

enum { TALLY_KINDS = ACTION_SHARES + 1, TALLY_OUTCOMES = OUTCOME_UNKNOWN + 1 };

struct vm_tally {
	struct tally_count count[VM_COUNT_COUNT];
	struct vi64 run_ns, wait_ns; /* of its vCPUs, also of those that were unplugged */
	struct vi64 starved_ns;      /* in which one of its vCPUs starved */
	struct vi64 hung_ns;         /* in which its monitor did not answer */
	int64_t alarm_ns[ALARM_COUNT];
	int64_t changes[TALLY_KINDS][TALLY_OUTCOMES];
	struct vf64 score_pct, hung_s; /* now */
	struct tally_most wait, score, hung, age, wanted;
	uint8_t uuid[UUID_BYTES];
	int id;
	size_t first_vcpu, n_vcpus;
};

struct vcpu_tally {
	struct tally_count run, wait;
	struct tally_most wait_most; /* percent of a pCPU between two samples */
	int id;
	size_t vm; /* its index */
};

struct pcpu_tally {
	struct tally_count busy, steal;
	int id;
};

/* What this process costs, measured by the caller. */
struct tally_own {
	struct vi64 cpu_ns, rss_kib;
};

struct tally {
	struct vm_tally *vms;
	struct vcpu_tally *vcpus;
	struct pcpu_tally *pcpus;
	size_t n_vms, n_vcpus, n_pcpus;
	struct vi64 busy_ns, steal_ns; /* of all pCPUs */
	int64_t changes[TALLY_KINDS][TALLY_OUTCOMES];
	int64_t reasons[TALLY_KINDS][REASON_COUNT];
	int64_t rounds[2][REASON_COUNT]; /* regular ticks by the reason of the CPU and the memory policy */
	int64_t memory_ns[HOST_MEM_HARD + 1];
	int64_t samples, sample_ns, plan_ns, apply_ns;
	struct tally_most step, age; /* seconds: of a step, and of the newest sample */
	struct tally_own own;        /* the caller's to set */
	double late_s;               /* since the snapshot was made; the caller's to set */
	/* private */
	struct vm_tally *old_vms;
	struct vcpu_tally *old_vcpus;
	struct pcpu_tally *old_pcpus;
	size_t cap[6];
	size_t n_old_vms, n_old_pcpus;
	bool begun;
	uint64_t seq;
	int64_t time_ns;
	int bucket;
};

struct tally *tally_new(void); /* NULL: out of memory */
void tally_free(struct tally *tally);
/* Takes the next snapshot; one that it has seen already, and one without a sample, change nothing. -1: out of
 * memory, and it is as before. */
int tally_see(struct tally *tally, const struct snapshot *snap);
/* A copy to be read only. NULL: out of memory. */
struct tally *tally_copy(const struct tally *tally);

#endif
