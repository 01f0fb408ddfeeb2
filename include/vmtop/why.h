/* SPDX-License-Identifier: MIT */
/* Reasons. Every decision, and every decision not to act, carries one: the code for programs and tests,
 * the text for people. Log, panels, JSON and tests print the same record.
 * One row a reason: code, key, line for the manual's REASONS section. */
#ifndef VMTOP_WHY_H
#define VMTOP_WHY_H

#define REASON_TABLE(X)                                                                                      \
	X(REASON_NONE, "none", "no reason recorded")                                                         \
	/* CPU, why a round moved nothing */                                                                 \
	X(REASON_MANUAL, "manual", "AUTO is off and no round was asked for")                                 \
	X(REASON_FIRST, "first-sample", "rates need two samples")                                            \
	X(REASON_BALANCED, "balanced", "the deviation is at or below its limit")                             \
	X(REASON_UNATTAINABLE, "unattainable", "no placement can bring the deviation below the limit")       \
	X(REASON_NO_BETTER, "no-better-plan", "no better placement was found")                               \
	X(REASON_CONFIRM, "confirming", "above the limit once; a second sample must confirm it")             \
	X(REASON_COOLDOWN, "cool-down", "waiting after the last round")                                      \
	X(REASON_DWELL, "dwell", "the vCPUs that could move were moved a moment ago")                        \
	X(REASON_NOT_WORTH, "not-worth-it", "the gain does not pay for the moves")                           \
	X(REASON_NOTHING_ALLOWED, "nothing-allowed", "allowed sets leave nothing to move")                   \
	X(REASON_HELD, "held", "held by the user, an undo or a foreign pin")                                 \
	X(REASON_NO_DATA, "no-data", "the hypervisor did not report what the policy needs")                  \
	X(REASON_FALLING, "falling", "the deviation is lower than at the previous iteration")                \
	X(REASON_NO_WAIT, "nobody-waits", "above the limit, but no vCPU waits that could be helped")         \
	X(REASON_RESTING, "resting", "the last change did not help; that vCPU is left alone for a while")    \
	X(REASON_NO_VMS, "no-vms", "no running VM")                                                          \
	/* CPU, why a pin was made */                                                                        \
	X(REASON_GREEDY, "greedy", "to the pCPU with the least load assigned so far")                        \
	X(REASON_ZIGZAG, "zig-zag", "dealt in turn over the sorted pCPUs")                                   \
	X(REASON_MOVE, "move", "lowers the deviation")                                                       \
	X(REASON_SWAP, "swap", "exchanged with another vCPU, lowers the deviation")                          \
	X(REASON_ASSIGN, "assign", "pinned where it runs")                                                   \
	X(REASON_FREE, "free", "it waited beside pCPUs with room: may run on all that it may use")           \
	X(REASON_TAKE_BACK, "take-back", "the change did not help and is taken back")                        \
	X(REASON_LIFT, "lift", "starves on a full host: more CPU shares, up to what its vCPUs are due")      \
	X(REASON_LOWER, "lower", "the reason for more CPU shares is gone")                                   \
	X(REASON_LEAVE, "leave", "its pCPU is offline or not allowed any more")                              \
	X(REASON_USER, "user", "asked for by the user")                                                      \
	X(REASON_UNDO, "undo", "put back by undo")                                                           \
	X(REASON_RESTORE, "restore", "put back as found")                                                    \
	/* who is left alone, CPU and memory */                                                              \
	X(REASON_EXCLUDED, "excluded", "excluded by the user")                                               \
	X(REASON_FORBIDDEN, "forbidden", "the domain's metadata forbids steering")                           \
	X(REASON_NO_RULES, "no-rules", "its rules could not be read yet")                                    \
	X(REASON_FOREIGN, "foreign-pin", "somebody else pinned it; hands off for a while")                   \
	X(REASON_REALTIME, "real-time", "real-time scheduling")                                              \
	X(REASON_DEDICATED, "dedicated", "dedicated pCPUs")                                                  \
	X(REASON_NOT_RUNNING, "not-running", "the VM is not running")                                        \
	X(REASON_HUNG, "hung", "the VM's monitor does not answer")                                           \
	X(REASON_JOB, "job", "a job (migration, save) runs on the VM")                                       \
	X(REASON_SINGLE, "single", "its allowed set has one pCPU")                                           \
	X(REASON_FAILED, "failed", "the last change failed")                                                 \
	/* memory */                                                                                         \
	X(REASON_NO_DEVICE, "no-balloon", "no balloon device")                                               \
	X(REASON_NO_STATS, "no-statistics", "no guest statistics")                                           \
	X(REASON_BUSY, "busy", "busy: another client holds the VM's job")                                    \
	X(REASON_STALE, "stale", "the guest statistics are too old")                                         \
	X(REASON_NO_DRIVER, "no-driver", "the guest's balloon driver does not report its memory")            \
	X(REASON_VFIO, "vfio", "assigned devices pin its memory")                                            \
	X(REASON_SEV, "sev", "encrypted memory cannot be ballooned")                                         \
	X(REASON_LOCKED, "locked", "locked memory cannot be given back")                                     \
	X(REASON_HUGEPAGES, "hugepages", "huge pages give little back")                                      \
	X(REASON_BOOTING, "booting", "just started")                                                         \
	X(REASON_UNCOOPERATIVE, "uncooperative", "its balloon does not follow")                              \
	X(REASON_MEM_OK, "enough", "it has what it needs")                                                   \
	X(REASON_GIVE, "give", "it needs memory")                                                            \
	X(REASON_CLAIM, "claim", "it has more unused memory than it needs")                                  \
	X(REASON_RECLAIM, "reclaim", "idle above its high watermark")                                        \
	X(REASON_PRESSURE, "pressure", "the host or another guest needs the memory")                         \
	X(REASON_SHARES, "shares", "a guest with more shares needs the memory")                              \
	X(REASON_GIVE_BACK, "give-back", "it began to suffer after a shrink")                                \
	X(REASON_STOP_TARGET, "stop", "no progress: the target is set to what it has")                       \
	X(REASON_HOST_LOW, "host-low", "the host has nothing to give")                                       \
	X(REASON_NODE_LOW, "node-low", "the NUMA nodes that it is bound to have nothing to give")            \
	X(REASON_LIMIT_LOW, "limit-low", "its control group is at its memory limit")                         \
	X(REASON_HOLD_TIME, "hold-time", "it grew or was squeezed a moment ago")                             \
	X(REASON_AT_MAX, "at-max", "it is at its maximum")                                                   \
	X(REASON_FLOOR, "floor", "it is at its floor")                                                       \
	X(REASON_STATS_ON, "statistics-on", "guest statistics turned on")                                    \
	X(REASON_STATS_OFF, "statistics-off", "guest statistics put back")                                   \
	X(REASON_FOREIGN_BALLOON, "foreign-balloon",                                                         \
		"somebody else set its balloon; it may grow, and is not shrunk for a while")

enum reason {
#define REASON_ENUM(code, key, text) code,
	REASON_TABLE(REASON_ENUM)
#undef REASON_ENUM
		REASON_COUNT
};

struct why {
	enum reason code;
	char text[280]; /* one line with the numbers that led to it */
};

const char *reason_key(enum reason reason);
const char *reason_text(enum reason reason); /* the manual's line */
/* Sets code and text; with fmt NULL the text is the manual's line. */
void why_set(struct why *why, enum reason code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
