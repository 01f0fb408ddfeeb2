/* SPDX-License-Identifier: MIT */
/* Carrying out moves between hosts, one after another: what is to be done next, what came of it, and when it
 * ends. Pure: whoever holds the hands (mover.h) asks moves_next() and tells what happened.
 *
 * Before each move everything is looked at again, and what no longer holds stops the rest. What a call says
 * of itself is not believed: after each move it is looked up on which host the guest runs. The first that
 * fails, or is aborted, is the last that was begun. */
#ifndef VMTOP_MOVES_H
#define VMTOP_MOVES_H

#include "vmtop/fleet.h"

/* state, key in JSON */
#define MOVE_STATE_TABLE(X)                                                                                  \
	X(MOVE_WAITS, "waits")                                                                               \
	X(MOVE_LOOKS, "looks-again")                                                                         \
	X(MOVE_RUNS, "running")                                                                              \
	X(MOVE_CHECKS, "checks")                                                                             \
	X(MOVE_DONE, "done")                                                                                 \
	X(MOVE_FAILED, "failed")                                                                             \
	X(MOVE_ABORTED, "aborted")                                                                           \
	X(MOVE_UNKNOWN, "not-known")                                                                         \
	X(MOVE_NOT_BEGUN, "not-begun")

enum move_state {
#define MOVE_STATE_ENUM(state, key) state,
	MOVE_STATE_TABLE(MOVE_STATE_ENUM)
#undef MOVE_STATE_ENUM
		MOVE_STATE_COUNT
};

/* How a guest is migrated, for libvirt's call and the line that a person would type.
 * VIR_MIGRATE_*, virsh's option, only of a guest that is defined */
#define MOVE_FLAG_TABLE(X)                                                                                   \
	X(LIVE, "--live", false)                                                                             \
	X(PEER2PEER, "--p2p", false)                                                                         \
	X(PERSIST_DEST, "--persistent", true)                                                                \
	X(UNDEFINE_SOURCE, "--undefinesource", true)

enum { MOVE_TEXT = 1024, MOVE_OWNER = 200 };

struct move_host {
	char name[FLEET_NAME]; /* raw */
	char uri[FLEET_URI];   /* as it is reached from here; raw */
	char peer[FLEET_URI];  /* as the other hosts reach its libvirtd; empty: they cannot */
};

struct move_progress {
	struct vf64 pct, left_mib, sent_mib_s, dirty_mib_s;
	struct vf64 took_ms, downtime_ms; /* by libvirt, once it is over */
};

struct move {
	uint8_t uuid[UUID_BYTES];
	char vm[VM_NAME_BYTES]; /* raw */
	struct move_host from, to;
	enum move_state state;
	int64_t began_ns, ended_ns; /* of the migration itself; 0: not */
	struct move_progress progress;
	bool persistent, autostart; /* as found at the last look */
	/* Pacemaker's names of it and of its new node: it moves it then; empty: libvirt does. */
	char resource[MOVE_OWNER], node[MOVE_OWNER];
	char why[MOVE_TEXT]; /* what came of it and what to do, names escaped */
};

/* Whether the target sees the same disks: of several the worst. */
enum move_disks {
	DISKS_SHARED,  /* network disks, file systems and devices that are there for several hosts, or none */
	DISKS_JUDGED,  /* files of which only libvirt can tell: it refuses a migration without shared storage
			*/
	DISKS_UNKNOWN, /* devices of which nobody can tell: the target's may bear the same name and not be it
			*/
	DISKS_LOCAL,   /* of the source alone */
};
enum move_cpu { MOVE_CPU_NOT_COMPARED, MOVE_CPU_FITS, MOVE_CPU_LACKS };

enum { MOVE_PAGES = 4 };
struct move_pages {
	int64_t size_kib, need_kib;
	struct vi64 free_kib; /* on the target */
};

/* What a guest's definition asks of the host that it goes to, and what that host has of it. */
struct move_needs {
	struct cpuset pins;  /* pCPUs that its pins name, vmtop's own left out; empty: none */
	struct cpuset pcpus; /* of the target, online; empty: not known */
	enum move_disks disks;
	char disk[MOVE_OWNER]; /* the one that says so; raw */
	enum move_cpu cpu;
	struct move_pages pages[MOVE_PAGES]; /* huge ones, by size */
	size_t n_pages;
};

/* What was found right before a move. */
struct move_look {
	char error[MOVE_TEXT]; /* a host did not answer, and libvirt's words; empty: all below is known */
	bool found, running, job, persistent, autostart;
	uint32_t flags;         /* enum vm_flag */
	bool excluded;          /* by the patterns of the config */
	char owner[MOVE_OWNER]; /* whose job it is to move it, and how; empty: nobody else's */
	/* Of Pacemaker, which is reached from here: names that are plain words. */
	char resource[MOVE_OWNER], node[MOVE_OWNER];
	struct vi64 memory_kib;          /* that it has now */
	bool exists;                     /* on the target: its UUID or its name */
	struct vi64 room_kib, total_kib; /* memory of the target */
	struct move_needs needs;
};

/* Where a guest is after its move was over. */
enum move_place { PLACE_UNKNOWN, PLACE_ABSENT, PLACE_ACTIVE };
struct move_found {
	enum move_place from, to;
	bool busy;                     /* a job still runs on it */
	struct move_progress progress; /* of the whole migration */
	char note[MOVE_TEXT];          /* what else is to be known, or went wrong at the end; may be empty */
};

enum moves_order {
	ORDER_WAIT, /* nothing: ask again in a moment */
	ORDER_TELL, /* nothing: ask again at once, but whoever watches should see how it stands first */
	ORDER_LOOK, /* tell moves_looked(); a move that runs then is to begin: moves_progress(), moves_ended()
		     */
	ORDER_ABORT, /* the migration that runs */
	ORDER_FIND,  /* tell moves_found() */
	ORDER_END,   /* there is nothing more to do */
};

struct moves {
	struct move *list;
	size_t n, at;
	bool abort;           /* asked for */
	bool goes_on;         /* the call has ended, but not what it began: its connection was lost */
	int64_t due_ns;       /* when to ask for the abort, or where the guest is, again */
	int64_t checks_ns;    /* since when it is asked where the guest is */
	char said[MOVE_TEXT]; /* what the migration said when it failed; empty: it did not */
};

/* Every move waits. false: out of memory. */
bool moves_init(struct moves *moves, size_t n);
void moves_done(struct moves *moves);
bool moves_copy(struct moves *to, const struct moves *from);

/* The move that an order is about. */
const struct move *moves_now(const struct moves *moves);
enum moves_order moves_next(struct moves *moves, int64_t now_ns);
void moves_looked(struct moves *moves, const struct move_look *look, int64_t now_ns);
void moves_progress(struct moves *moves, const struct move_progress *progress);
/* error: what the migration says went wrong, NULL: nothing. */
void moves_ended(struct moves *moves, const char *error, int64_t now_ns);
void moves_found(struct moves *moves, const struct move_found *found, int64_t now_ns);
void moves_abort(struct moves *moves);

/* ---- words ---- */

const char *move_state_key(enum move_state state);
/* Why it may not begin, and what to do; false: it may. */
bool move_refusal(const struct move *move, const struct move_look *look, char *buf, size_t len);
/* The part of it that is about what the guest's definition asks of the target. */
bool move_unfit(const struct move *move, const struct move_needs *n, char *buf, size_t len);
/* What a person can do about an error of libvirt. */
void move_advice(const struct move *move, const char *error, char *buf, size_t len);
/* "running 42 %, 120 MiB left", "done in 1.3 s, downtime 40 ms", "failed: ..." */
void move_text(const struct move *move, int64_t now_ns, char *buf, size_t len);
/* "--live --p2p", as virsh takes them */
void move_options(bool persistent, char *buf, size_t len);
/* "db 2: host-a -> host-b" */
void move_title(const struct move *move, char *buf, size_t len);
size_t moves_count(const struct moves *moves, enum move_state state);
/* "1 of 2 moves done, 1 failed" */
void moves_text(const struct moves *moves, char *buf, size_t len);
/* A libvirt URI that another host can use too. */
bool move_uri_travels(const char *uri);

#endif
