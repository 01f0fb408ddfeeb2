/* SPDX-License-Identifier: MIT */
/* All that is changed on the host, and put back: found, will do, done, put back, who holds it. Invariant: no
 * change of a VM before its state as found is on disk; nothing is undone over what somebody else did since.
 * Plans nothing by itself, and knows no policy: changes come as actions of the step's plan. */
#ifndef VMTOP_CHANGES_H
#define VMTOP_CHANGES_H

#include <stdio.h>

#include "../talk/talk.h"
#include "journal.h"
#include "ledger.h"
#include "vmtop/backend.h"
#include "vmtop/command.h"

enum { UNDO_MAX = 4096, ASKED_MAX = 1032 };

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

/* What steers by itself, is to do so once nobody else holds the host, or stands still. */
struct steering {
	bool cpu, memory, stats;
};

/* What a forced round would do, shown and not done. */
struct preview {
	struct plan plan;      /* OUTCOME_SKIPPED: left out */
	struct vf64 after_pct; /* deviation that it would lead to */
	bool shown;
};

struct changes {
	/* The engine's; good for as long as it lives. b is the outermost backend, core the innermost. */
	struct backend *backend, *core;
	struct talk *talk;
	const struct config *cfg;
	const struct sample *sample; /* the last good one */
	const struct model *model;
	const struct rules *rules;
	struct backend_status *status;
	struct plan *plan; /* actions of this step */

	struct ledger ledger;
	struct journal *journal; /* open once something is to be changed */
	bool inherited;          /* the ledger began with what an earlier run left */
	bool watches;            /* another vmtop has the journal; what it changed is its own */
	bool borrowed;           /* its journal is read here all the same, and not written */
	bool leaving;            /* on the way out */
	struct err unread;       /* why the journal of an earlier run could not be read */
	struct err left;         /* what could not be put back on the way out, for people */
	struct steering waits;   /* for another vmtop to end */
	struct undo_entry *undo; /* ring of UNDO_MAX */
	size_t undo_first, undo_n;
	uint64_t undo_group;
	struct command *asked; /* ASKED_MAX, by hand, for the next step */
	size_t n_asked;
	struct preview preview;
	struct plan last_dry;

	bool said_other, said_unclaimed, said_doubts, said_nova;
	uint32_t said_others; /* enum host_other */
	int64_t aged_ns;    /* time of the sample by which VMs that are away were made older last; 0: none */
	int64_t stamped_ns; /* when the journal was told how long they have been away; 0: never */
};

/* The pointers of *changes to what is the engine's are set by the caller before. -1: out of memory. */
int changes_init(struct changes *changes);
/* Reads what an earlier run left, and says so, or who steers. */
void changes_begin(struct changes *changes);
/* Ages as they are now go to the journal, which goes away when nothing is left to put back. */
void changes_done(struct changes *changes);
const char *changes_host(const struct changes *changes); /* what the journal is called by */
/* As journal_load(); says what cannot be. */
int changes_read_journal(struct changes *changes, struct err *err);
size_t changes_in_force(const struct changes *changes); /* objects that are not as found because of us */
bool changes_allowed(struct changes *changes);          /* not read-only; else says why */
/* NULL: not there, not running, or its monitor does not answer. */
const struct vm_sample *changes_vm(const struct changes *changes, const uint8_t uuid[UUID_BYTES]);

/* apply.c: carries the plan out: journal first, then the backend, then ledger, undo and log. */
enum carried {
	CARRIED,    /* each action has its outcome */
	NOT_OURS,   /* another vmtop holds the host; *on says what has to wait */
	NO_JOURNAL, /* the journal cannot be written: nothing was changed */
};
enum carried changes_carry_out(struct changes *changes, struct steering *on, struct err *err);
void changes_dry(struct changes *changes); /* the same as --dry-run has it: said when it changes */
/* Opens the journal if changes here need one. */
int apply_journal(struct changes *changes, struct err *err);
/* Nothing of ours is left on this object (enum journal_object or a vCPU). */
void apply_forget(struct changes *changes, struct vm_record *rec, int object);
/* The same for a vCPU whose pin is none of ours (any more), with what marks it as ours at the guest. -1: that
 * is still there, and so is the record. */
int apply_disown(struct changes *changes, struct vm_record *rec, int vcpu);
void apply_found_anew(struct changes *changes, const struct vm_record *rec); /* its balloon's sizes moved */

/* asked.c: changes that were asked for, as actions of the plan. They return how many actions they made (0: it
 * is so already, or could not be put back), -1 when memory ran out. */
void asked_hold(struct changes *changes, const struct vm_sample *vm); /* out of AUTO until released */
int asked_pin(struct changes *changes, const struct vm_sample *vm, const struct vcpu_sample *vcpu,
	const struct cpuset *to, enum reason why);
int asked_balloon(struct changes *changes, const struct vm_sample *vm, int64_t to_kib, enum reason why);
int asked_period(struct changes *changes, const struct vm_sample *vm, int to_s, enum reason why);
int asked_shares(struct changes *changes, const struct vm_sample *vm, int from, int to, enum reason why);

/* manual.c: by hand */
bool manual_ask(struct changes *changes, const struct command *cmd); /* false: too many wait already */
/* What was asked for, as actions of the plan, and with `periods` the statistics of guests that have none. -1:
 * out of memory. */
int manual_plan(struct changes *changes, bool periods);

/* preview.c: a plan that is shown first. */
void preview_begin(
	struct changes *changes, struct plan *ghosts, struct vf64 after_pct); /* takes the actions */
void preview_drop(struct changes *changes);
void preview_leave_out(struct changes *changes, const uint8_t uuid[UUID_BYTES], int vcpu, bool out);
int preview_apply(struct changes *changes); /* the ghosts become actions; -1: out of memory */

/* undo.c */
int undo_last(struct changes *changes);        /* plans to take back the last group of changes */
int undo_count(const struct changes *changes); /* how many that would be */
void undo_push(struct changes *changes, const struct action *action);

/* restore.c */
/* Objects that need no call any more to be as found. */
struct settled {
	size_t foreign; /* somebody else changed them since: they stay so */
	size_t back;    /* we had put them back; the answer to that call was lost */
};

/* Only VMs that match the pattern, if any; statistics periods alone unless pins_and_balloons. Adds to *back.
 */
int restore_plan(struct changes *changes, const char *pattern, bool pins_and_balloons, size_t *back);
int restore_all(struct changes *changes);     /* by hand: settles, plans, holds, and says so */
int restore_periods(struct changes *changes); /* statistics that we switched on */
/* Forgets what is no longer ours to put back: changed by somebody else, unplugged, or as found already. */
struct settled restore_settle(struct changes *changes, const char *pattern);
/* Closes the entries of VMs that are gone for good since grace_ns or longer. */
void restore_close(struct changes *changes, const char *pattern, int64_t grace_ns);
/* The same for those that have been away for too long, unless the hypervisor has a saved image of them. */
void restore_saved(struct changes *changes);
bool restore_named(const char *pattern, const struct vm_record *rec);

/* leave.c: the way out, and putting back for others. What the engine lends for it: */
struct leave_hands {
	void *arg;
	int (*look)(void *arg, struct err *e); /* sample and model, with what guests say now */
	bool (*hurried)(void *arg);            /* the end was asked for once more, or nobody is there */
	void (*tell)(void *arg);               /* the log has new lines */
	int fd;                                /* readable when hurried() is worth asking; -1: never */
};
/* As engine_leave(): 0, or -1 and changes->left says what is not put back. */
int leave(struct changes *changes, const struct leave_hands *by, bool restore);
/* As engine_restore_journal(). */
int leave_aloud(struct changes *changes, const struct leave_hands *by, const char *pattern, FILE *out,
	struct err *err);

/* owner.c: the claim on the host that is steered. */
void owner_begin(struct changes *changes); /* says who steers */
/* Before a step's plan: AUTO claims the host, or waits while another one has it. True: it waited, and goes
 * on. */
bool owner_step(struct changes *changes, struct steering *on);
/* Before the changes of the plan: the claim is ours (0), or they must not be made. Whoever only puts its own
 * changes back needs none. */
int owner_take(struct changes *changes, struct steering *on, struct err *err);

/* watch.c: what a sample tells: who came, who went, who else is at work. */
void changes_watch(struct changes *changes, bool first);
/* Balloons that somebody else set, by the memory controller (parallel to the sample's VMs): said once, and
 * not ours to put back. */
void changes_foreign_balloons(struct changes *changes, const struct mem_status *status);

#endif
