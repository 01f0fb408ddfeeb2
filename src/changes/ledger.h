/* SPDX-License-Identifier: MIT */
/* The ledger: what the engine remembers of each VM over time - how it was found, what we wrote, who holds it.
 * Owner: the engine. Sorted by UUID. Times are on the sample's clock. */
#ifndef VMTOP_LEDGER_H
#define VMTOP_LEDGER_H

#include "vmtop/control.h"

struct vcpu_record {
	int id;
	struct cpuset found; /* affinity before our first change */
	bool found_pinned;
	struct cpuset wrote;  /* what we set last */
	struct cpuset before; /* with unsure: it may still be this one */
	bool unsure;          /* whether the last change was made is not known (yet) */
	int64_t foreign_ns;   /* last pin of somebody else that was seen */
	bool lost;            /* somebody else pinned it after us */
};

/* How often somebody else pinned a vCPU after us. Longer kept than what we wrote. */
struct vcpu_fights {
	int id, fights;
	int releases; /* that may have been meant as such */
};

/* A number that we set: statistics period, CPU shares. -1 never touched. */
struct kept {
	int found, wrote;
	int before; /* it may still be this one */
};

struct vm_record {
	uint8_t uuid[UUID_BYTES];
	char name[VM_NAME_BYTES];
	struct vm_memo memo;
	int life;        /* its id at the hypervisor; another one is another life. -1 unknown */
	int fails;       /* in a row */
	int rivalries;   /* how often it was left to somebody who fights for it */
	bool here;       /* in the sample given last */
	int64_t gone_ns; /* since when it is not there; 0 it is, -1 it was asked for */
	int64_t seen_s;  /* last time it was there, seconds since the epoch: for people, no age goes by it */
	int64_t away_ns; /* for how long it has been seen not to be there, by clocks that do not jump */
	int64_t unknown_ns;             /* when a change had no answer that is to be read back; 0: none */
	int64_t found_kib, wrote_kib;   /* balloon: -1 never touched */
	int64_t low_kib, high_kib;      /* of all targets written; with wrote_kib */
	int64_t seen_kib, seen_max_kib; /* its balloon and what it may be, as seen last; 0: never */
	int64_t astray_ns;    /* since when its balloon is where nothing of ours sent it; 0: is not */
	bool foreign_balloon; /* somebody else set it, and the log has it */
	struct kept period, shares;
	int shares_astray;         /* samples in a row that showed other CPU shares than ours */
	struct vcpu_record *vcpus; /* those that we have pinned */
	size_t n_vcpus, cap_vcpus;
	struct vcpu_fights *fought;
	size_t n_fought, cap_fought;
};

struct ledger {
	struct vm_record *vms;
	size_t n, cap;
};

/* How many VMs that went away are remembered for what was changed on them, and for how long: a saved VM comes
 * back with its pins and its balloon. */
enum { LEDGER_GONE_MAX = 1024, LEDGER_GONE_S = 7 * 24 * 3600 };

/* Control groups are not read at every tick: so many samples in a row must show other CPU shares than ours.
 */
enum { SHARES_ASTRAY = 4 };

void ledger_done(struct ledger *ledger);
struct vm_record *ledger_find(const struct ledger *ledger, const uint8_t uuid[UUID_BYTES]);
/* Finds or adds; NULL: out of memory. Pointers are good until the next add or forget. */
struct vm_record *ledger_get(struct ledger *ledger, const uint8_t uuid[UUID_BYTES], const char *name);
/* So much time passed in which VMs that are not here were not here. */
void ledger_age(struct ledger *ledger, int64_t by_ns);
/* Drops VMs that went away: at once when nothing was changed on them, else by the limits above. */
void ledger_forget(struct ledger *ledger);
/* A VM whose time is over, and that has changes; NULL: none. */
struct vm_record *ledger_overdue(const struct ledger *ledger);
/* Drops what was changed, on all VMs; what the user asked for stays. */
void ledger_drop_changes(struct ledger *ledger);

struct vcpu_record *record_vcpu(const struct vm_record *rec, int id);
struct vcpu_record *record_vcpu_get(struct vm_record *rec, int id); /* NULL: out of memory */
struct vcpu_fights *record_fights(struct vm_record *rec, int id);   /* NULL: out of memory */
void record_drop_vcpu(struct vm_record *rec, int id);
void record_drop_balloon(struct vm_record *rec);
void record_drop_all(struct vm_record *rec);
int record_changes(const struct vm_record *rec); /* objects that are not as found because of us */

/* The life of one vCPU's record: found once, then will and is by turns. */
void vcpu_found(struct vcpu_record *vcpu, const struct cpuset *cpus, bool pinned);
void vcpu_will(struct vcpu_record *vcpu, const struct cpuset *to);
void vcpu_is(struct vcpu_record *vcpu, const struct cpuset *now);
/* Whether the live map is what we wrote. Offline pCPUs do not read back and do not count. */
bool vcpu_ours(const struct vcpu_record *vcpu, const struct cpuset *live, const struct cpuset *online);
/* Nothing left to put back. */
bool vcpu_as_found(const struct vcpu_record *vcpu);
void balloon_will(struct vm_record *rec, int64_t kib);
/* Whether a balloon of this size can be on the way to, or from, a target that an earlier run wrote.
 * same_life: else only one that stands at its target is ours. */
bool balloon_ours(const struct vm_record *rec, int64_t kib, bool same_life);
/* Whether its balloon as it is now comes from us, or may. */
bool balloon_ours_now(const struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns);
/* Takes this reading of it in. False: for long enough it is certain that somebody else set it. */
bool balloon_look(struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns);
/* Memory was plugged or taken away since the last reading: the sizes remembered move with it. Returns whether
 * they did. */
bool balloon_plugged(struct vm_record *rec, const struct vm_memory *mem);
/* Where it stands or will: our target while it is ours, else where it is. */
int64_t balloon_going(const struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns);
/* The same for a number: is to be changed, is known to be, is one that we wrote; nothing of ours is left. */
void kept_will(struct kept *kept, int to);
void kept_is(struct kept *kept, int now);
bool kept_ours(const struct kept *kept, int now);
void kept_drop(struct kept *kept);

#endif
