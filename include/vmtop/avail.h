/* SPDX-License-Identifier: MIT */
/* Absent is not zero: a value that may be missing carries why. A zeroed value is absent.
 * The screen shows `-` for an absent value, JSON null; the reason is in avail_text(). */
#ifndef VMTOP_AVAIL_H
#define VMTOP_AVAIL_H

#include <stdbool.h>
#include <stdint.h>

/* code, key (JSON, logs), text for people */
#define AVAIL_TABLE(X)                                                                                       \
	X(AVAIL_NONE, "not-read", "not read")                                                                \
	X(AVAIL_OK, "ok", "")                                                                                \
	X(AVAIL_FIRST, "first", "needs a second sample")                                                     \
	X(AVAIL_UNSUPPORTED, "unsupported", "this hypervisor driver does not report it")                     \
	X(AVAIL_NO_DEVICE, "no-device", "no balloon device")                                                 \
	X(AVAIL_NO_PERIOD, "no-period", "guest statistics are off (turn on with p, or --stats-period)")      \
	X(AVAIL_NO_DRIVER, "no-driver", "the guest's balloon driver does not report it")                     \
	X(AVAIL_STALE, "stale", "guest statistics are too old")                                              \
	X(AVAIL_HUNG, "hung", "the VM's monitor does not answer")                                            \
	X(AVAIL_DENIED, "denied", "no right to read it")                                                     \
	X(AVAIL_REMOTE, "remote", "not available over a remote connection")                                  \
	X(AVAIL_OFFLINE, "offline", "offline")                                                               \
	X(AVAIL_RESET, "reset", "the counter went back; waiting for the next sample")                        \
	X(AVAIL_PAUSED, "paused", "the VM is not running")                                                   \
	X(AVAIL_BUSY, "busy", "busy: another client holds the VM's job")                                     \
	X(AVAIL_NOT_ASKED, "not-asked", "not fetched while its column is hidden")                            \
	X(AVAIL_ABSURD, "absurd", "what was reported cannot be")

enum avail {
#define AVAIL_ENUM(code, key, text) code,
	AVAIL_TABLE(AVAIL_ENUM)
#undef AVAIL_ENUM
		AVAIL_COUNT
};

struct vi64 {
	int64_t v;
	enum avail avail;
};
struct vf64 {
	double v;
	enum avail avail;
};

static inline struct vi64 vi64_ok(int64_t v)
{
	return (struct vi64){v, AVAIL_OK};
}
static inline struct vi64 vi64_absent(enum avail why)
{
	return (struct vi64){0, why};
}
static inline struct vf64 vf64_ok(double v)
{
	return (struct vf64){v, AVAIL_OK};
}
static inline struct vf64 vf64_absent(enum avail why)
{
	return (struct vf64){0, why};
}
/* Known or not. */
static inline struct vi64 vi64_if(bool known, int64_t v, enum avail why)
{
	return known ? vi64_ok(v) : vi64_absent(why);
}
static inline struct vf64 vf64_if(bool known, double v, enum avail why)
{
	return known ? vf64_ok(v) : vf64_absent(why);
}
static inline bool vi64_has(struct vi64 x)
{
	return x.avail == AVAIL_OK;
}
static inline bool vf64_has(struct vf64 x)
{
	return x.avail == AVAIL_OK;
}

/* Where it is absent: `otherwise`. */
static inline int64_t vi64_or(struct vi64 x, int64_t otherwise)
{
	return vi64_has(x) ? x.v : otherwise;
}
static inline double vf64_or(struct vf64 x, double otherwise)
{
	return vf64_has(x) ? x.v : otherwise;
}

const char *avail_key(enum avail avail);
const char *avail_text(enum avail avail);

#endif
