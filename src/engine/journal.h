/* SPDX-License-Identifier: MIT */
/* The journal: the ledger's "as found" and "wrote" on disk, one file per URI, so that a crash loses nothing.
 * JSON Lines: {"found":{...}} synced before the first change of a VM, {"wrote":{...}} after each change.
 * The file is locked by the vmtop that steers; only one does on a machine. */
#ifndef VMTOP_JOURNAL_H
#define VMTOP_JOURNAL_H

#include "ledger.h"

struct err;
struct journal;

/* Path of the journal for this URI; -1 when no state folder can be found. */
int journal_path(char *buf, size_t len, const char *uri);
/* Opens (creates 0600, follows no symlink) and locks. NULL: e says who holds it or what failed. */
struct journal *journal_open(const char *uri, struct err *e);
/* remove: nothing of ours is left on the host. */
void journal_close(struct journal *j, bool remove);
int journal_found_vcpu(
	struct journal *j, const struct vm_record *r, const struct vcpu_record *v, struct err *e);
int journal_found_vm(struct journal *j, const struct vm_record *r, struct err *e);
int journal_wrote_vcpu(struct journal *j, const struct vm_record *r, const struct vcpu_record *v);
int journal_wrote_vm(struct journal *j, const struct vm_record *r);
int journal_sync(struct journal *j, struct err *e);
/* Reads the journal of an earlier run into the ledger. 1: there was one, 0: none, -1: unreadable. A cut-off
 * or broken line is passed over. */
int journal_load(const char *uri, struct ledger *l, struct err *e);

#endif
