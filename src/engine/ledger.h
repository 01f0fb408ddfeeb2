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
	struct cpuset wrote; /* what we set last */
};

struct vm_record {
	uint8_t uuid[UUID_BYTES];
	char name[VM_NAME_BYTES];
	struct vm_memo memo;
	int fails;                      /* in a row */
	bool here;                      /* in the sample given last */
	int id;                         /* of the running VM; another one is another life of it */
	bool reborn;                    /* what is remembered may be of the life before */
	int64_t seen_ns;                /* last time it was there */
	int64_t unknown_ns;             /* with memo.unknown: since when */
	int64_t found_kib, wrote_kib;   /* balloon: -1 never touched, or not ours any more */
	int64_t from_kib;               /* its size when we wrote last */
	bool foreign_balloon;           /* somebody else set it, and the log has it */
	int period_found, period_wrote; /* -1 never touched */
	bool on_disk;                   /* its state as found is in the journal */
	struct vcpu_record *vcpus;      /* those that we have pinned */
	size_t n_vcpus, cap_vcpus;
};

struct ledger {
	struct vm_record *vms;
	size_t n, cap;
};

void ledger_done(struct ledger *l);
struct vm_record *ledger_find(const struct ledger *l, const uint8_t uuid[UUID_BYTES]);
/* Finds or adds; NULL: out of memory. Pointers are good until the next add or forget. */
struct vm_record *ledger_get(struct ledger *l, const uint8_t uuid[UUID_BYTES], const char *name);
struct vcpu_record *record_vcpu(const struct vm_record *r, int id);
struct vcpu_record *record_vcpu_get(struct vm_record *r, int id); /* NULL: out of memory */
bool record_changed(const struct vm_record *r);                   /* we have changed something on it */
/* Its sample: a VM with another id has started again, and forgets what was set in the life before. A balloon
 * or period that is still as we wrote it was saved and restored with the VM: those stay ours, as pins do.
 * True: something was forgotten that a journal may still have. */
bool record_seen(struct vm_record *r, const struct vm_sample *vm);
/* Somebody else set its balloon: ours is void, and what they set is not to be undone. */
void record_balloon_lost(struct vm_record *r);
/* The balloon is where we sent it, or on its way. */
bool record_balloon_ours(const struct vm_record *r, int64_t balloon_kib);
/* Drops VMs that went away: at once when nothing was changed on them, else after an hour (a saved VM comes
 * back with its pins). */
void ledger_forget(struct ledger *l, int64_t now_ns);

#endif
