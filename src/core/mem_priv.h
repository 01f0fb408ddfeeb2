/* SPDX-License-Identifier: MIT */
/* Inside of the memory controller: what it remembers of a guest between cycles, what it works out in one, and
 * the policies it chooses from. Private to src/core/mem_*.c and their tests. */
#ifndef VMTOP_CORE_MEM_PRIV_H
#define VMTOP_CORE_MEM_PRIV_H

#include "vmtop/balloon_watch.h"
#include "vmtop/config.h"
#include "vmtop/control.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"

enum { MIB = 1024 }; /* in KiB */
/* The hold after harm doubles up to this many times its first. */
enum { HARM_HOLD_MOST = 6 };
/* A crisis within an hour of another: what is given back in between is missing then. */
enum { CRISIS_AGAIN_S = 3600, CALM_MOST_S = 6 * 3600 };
/* How far a guest may be shrunk, by how badly the memory is wanted. */
enum mem_depth {
	DEPTH_GIFT, /* to what it was found with: whatever of the rest it does not use was ours to give */
	DEPTH_PAST, /* to what it was found with or has needed in the last hours: nobody is in need yet */
	DEPTH_SEEN, /* to the most that it was seen to need */
	DEPTH_NOW,  /* to what it needs now, and room for its fastest rise: another guest runs dry */
	DEPTH_USED, /* to use and head room: another guest is dry, or the host will be in a moment */
	DEPTHS,
};
/* A balloon that has stood still for so long has reached what its VM was started with. */
enum { SETTLED_S = 10 };

/* Guards, each of which a test may switch off to see that its scenario then fails. */
enum mem_guard {
	MEM_GUARD_USER = 1 << 0,   /* excluded, held, forbidden */
	MEM_GUARD_STATE = 1 << 1,  /* not running, hung */
	MEM_GUARD_FACTS = 1 << 2,  /* VFIO, SEV, locked, hugepages, job, no device */
	MEM_GUARD_STALE = 1 << 3,  /* old, missing or empty statistics */
	MEM_GUARD_BOOT = 1 << 4,   /* just started */
	MEM_GUARD_FLOOR = 1 << 5,  /* no shrink below the floor */
	MEM_GUARD_UNUSED = 1 << 6, /* no shrink that leaves less than 100 MiB unused (origin-c) or usable by
				      the last fresh sample */
	MEM_GUARD_MAX = 1 << 7,    /* no target above the maximum */
	MEM_GUARD_HOST = 1 << 8,   /* grants only from what is above the reserve */
	MEM_GUARD_FLIGHT = 1 << 9, /* grants in flight are not given again */
	MEM_GUARD_STEP = 1 << 10,  /* release in steps */
	MEM_GUARD_PROGRESS = 1 << 11, /* a balloon that does not follow is let go */
	MEM_GUARD_FOREIGN = 1 << 12,  /* what somebody else gave is not taken */
	MEM_GUARD_HARM = 1 << 13,     /* give back after harm */
	MEM_GUARD_HOLD = 1 << 14,     /* no shrink right after a grow */
	MEM_GUARD_ALL = (1 << 15) - 1,
};

/* What lasts between cycles about one guest. Times are on the sample's clock; 0 is never. */
struct mem_memo {
	uint8_t uuid[UUID_BYTES];
	int id;
	int64_t first_kib;   /* balloon when the guest was first seen, or where it settled after a start */
	int64_t balloon_kib; /* at the last cycle */
	int64_t max_kib;     /* then; 0: not known */
	int64_t look_ns;
	int64_t still_ns;    /* since when the balloon stands still */
	bool settled;        /* it has come to rest after its start, or we set its target */
	bool perhaps_reboot; /* it jumped to the maximum: a reboot, or somebody's wish */

	/* statistics: the one seen last, told apart by its last-update */
	int64_t update_ns;       /* as the guest's host wrote it; only compared */
	int64_t update_seen_ns;  /* sample time at which it was first seen */
	double update_base_s;    /* its age then */
	int64_t update_look_ns;  /* when there was one to look at */
	int64_t acted_update_ns; /* statistics on which the last target was based */
	int64_t unused_kib, used_kib;
	int64_t unused_base_kib; /* balloon to which they belong, at most */
	int64_t major_faults;
	bool falling; /* unused was lower than in the sample before */

	struct balloon_watch watch; /* which sizes come from what we asked for */
	/* the last target: asked_kib < 0 is none, or not ours any more */
	int64_t asked_kib, asked_from_kib, asked_ns;
	enum reason asked_why;
	int64_t moved_kib, moved_ns; /* where and when the balloon last moved towards it */
	bool given_up;               /* the last target is what it had when it did not follow */
	int strikes;                 /* targets in a row that it did not follow */

	/* granted by us and not seen to be used by the host yet; by the resident size, or without one by time
	 */
	int64_t unseen_kib, rss_kib, grant_ns;

	int64_t foreign_ns; /* when somebody else's change was noticed: targets set before it are void */
	/* hands off until */
	int64_t boot_until_ns, foreign_until_ns, uncooperative_until_ns, no_donor_until_ns, harm_until_ns;
	double harm_hold_s; /* the next hold after harm */

	/* need (watermark) */
	double growth_kib_s, demand_kib;
	double rate_kib_s; /* rise between the last two statistics */
	int64_t need_ns;   /* when these were brought up to date */
	int64_t grew_ns, before_shrink_kib;
	/* remembered for hours (mem_peak) */
	double peak_kib;           /* most that it used; at first the size at which it was found */
	double seen_kib;           /* the same without that */
	int64_t seen_ns;           /* when it last used about as much */
	double top_kib;            /* where rises before this one ended, at most; 0: none has ended */
	double surge_kib_s;        /* fastest rise */
	double dry_kib;            /* it ran dry below this; 0 never */
	int64_t died_kib, died_ns; /* it was killed with this size, and when; 0 never */
	int64_t found_kib;         /* size that somebody else gave it last; 0: first_kib */
};

/* Where memory must come from: from guests whose memory lies on these nodes and, with a group, who are in it.
 */
struct mem_scope {
	uint64_t nodes, group;
};
#define MEM_ANYWHERE ((struct mem_scope){UINT64_MAX, 0})
enum { MEM_SCOPES = 32 };

/* One guest in one cycle. */
struct mem_guest {
	struct mem_memo m;
	const struct vm_sample *vm;
	const struct vm_rate *rate;
	const struct vm_rule *rule;
	bool eligible;
	bool grow_only; /* somebody else set its balloon: it is not shrunk, and nobody is for it */
	bool fresh;     /* these statistics were not seen before */
	bool moving;    /* a target is outstanding */
	bool give_back, let_go, hungry;
	bool lost;    /* it is killed with whatever there is for it: it gets nothing beyond what it was found
			 with */
	bool forced;  /* what it uses may be taken too: for one with more shares */
	bool dry;     /* it has next to nothing left, or swaps */
	bool urgent;  /* it runs dry before the next cycle */
	double age_s; /* of the statistics */
	int64_t balloon, max, used, usable, unused, floor;
	int64_t base;           /* its floor without what it uses */
	int64_t want, due;      /* while memory is short: what it would have, what its shares leave it */
	int64_t target;         /* where the balloon is or is going */
	int64_t spent_kib;      /* in flight to it, and granted in this cycle */
	int64_t room_to;        /* the largest size for which its nodes and its group have memory now */
	struct mem_scope scope; /* where what it lacks must come from */
	int64_t promised; /* memory it may still take without being asked again: the larger of the two */
	int64_t head, growth, lo, tgt, hi, back_kib;
	int64_t least[DEPTHS];                             /* it gives down to these */
	int64_t keep;                                      /* what it should have while the host has plenty */
	int64_t short_kib, give_kib, first_kib, unmet_kib; /* of the grows of this cycle */
	double worth;                                      /* of its pages, to the policy */
	int64_t to_kib;                                    /* wish of the policy, -1 none */
	bool called;                                       /* an action was planned */
	struct why why;
};

struct mem_levels {
	int64_t reserve, crisis, hard_in, hard_out, soft_in, soft_out;
};

enum mem_crisis {
	CRISIS_NONE,
	CRISIS_SLOW, /* it swaps and crawls: guests give what they were not seen to need */
	CRISIS_DIRE, /* it runs out, swap included: its killer is next, guests give whatever they do not use
		      */
};

struct mem_ctl {
	struct mem_memo *memo;          /* sorted by UUID, like the samples */
	struct mem_guest *guest;        /* work space: the cycle at hand */
	struct mem_guest **list, **few; /* work space of the policies */
	size_t n_memo, n;
	size_t cap_memo, cap_guest, cap_list, cap_few;
	enum host_mem_state state, next_state;
	enum mem_crisis crisis, next_crisis;
	enum reason last_why;
	double cycle_s;    /* of this round's policy, or as asked for */
	bool unused_only;  /* that policy counts what is unused alone */
	bool watchful;     /* a guest could run dry that may still be given memory */
	int64_t born_ns;   /* first sample: VMs older than it did not just start */
	int64_t crisis_ns; /* when the last one began */
	double rest_s;     /* calm that giving memory back takes: longer each time that a crisis comes back */
	int64_t calm_ns;   /* since when the host is not HARD; 0: it is */
	unsigned guards;   /* MEM_GUARD_ALL but in tests */

	/* the cycle at hand */
	const struct round *r;
	struct mem_levels levels;
	bool host_known;
	bool fits;           /* all could have what they were found with */
	int64_t free_kib;    /* available less the grants in flight */
	int64_t pool_kib;    /* what may still be granted in this cycle */
	int64_t own_kib;     /* the same for what a guest had when it was found: down to the host's least */
	int64_t owed_kib;    /* what the host has swapped out: it would come back first, were there room */
	int64_t spill_kib;   /* and what may be swapped out for it, when the guest suffers */
	int64_t granted_kib; /* to hungry guests, so far */
	struct mem_scope sharing; /* among whose guests shares count now */
	int64_t coming_kib;       /* ordered shrinks that have not arrived */
	struct {
		bool known;
		int64_t free_kib; /* less what is in flight to guests bound here */
		double part;      /* of the host's memory */
	} node[MAX_NODES];
};

static inline int64_t kib_pct(int64_t v, double pct)
{
	return (int64_t)((double)v * pct / 100);
}
static inline bool mem_guarded(const struct mem_ctl *ctl, enum mem_guard guard)
{
	return (ctl->guards & guard) != 0;
}

/* For tests only. */
void mem_ctl_guards(struct mem_ctl *ctl, unsigned guards);

/* mem_ctl.c: the target that the guards leave of the wish to_kib; the present one when nothing is left. */
int64_t mem_target(const struct mem_ctl *ctl, const struct mem_guest *guest);
/* What there is for a guest below the size at which it was found. */
int64_t mem_own_kib(const struct mem_ctl *ctl, const struct mem_guest *guest);
/* The wish is one, and the guards leave something of it. */
bool mem_would_act(const struct mem_ctl *ctl, const struct mem_guest *guest);
/* mem_tell.c: what the cycle says of a guest, and of itself; the orders of this cycle are those from `first`
 * on. */
void mem_tell_guest(const struct mem_ctl *ctl, struct mem_guest *guest, struct mem_status *status);
void mem_tell_round(struct mem_ctl *ctl, const struct plan *plan, size_t first, struct mem_verdict *verdict);

/* The size that it had before we changed it. */
static inline int64_t mem_found(const struct mem_guest *guest)
{
	return guest->m.found_kib ? guest->m.found_kib : guest->m.first_kib;
}

/* mem_scope.c */
/* The most that its balloon may be under its own limit; SAMPLE_KIB_MOST: there is none. */
int64_t mem_limit_kib(const struct vm_memory *mem);
/* What each node has, less what is in flight. */
void mem_scopes_fill(struct mem_ctl *ctl);
/* Takes a grant off. */
void mem_scope_spend(struct mem_ctl *ctl, struct mem_guest *guest, int64_t kib);
/* What its nodes and its group have for it, when the nodes keep their parts of keep_kib. SAMPLE_KIB_MOST:
 * nothing bounds it. */
int64_t mem_scope_room(const struct mem_ctl *ctl, const struct mem_guest *guest, int64_t keep_kib);
/* Where its lack is worst. */
struct mem_scope mem_scope_of(const struct mem_ctl *ctl, const struct mem_guest *guest);
bool mem_scope_any(struct mem_scope scope); /* the whole host */
bool mem_scope_same(struct mem_scope a, struct mem_scope b);
bool mem_scope_inside(struct mem_scope scope, struct mem_scope of);
/* What it gives is found there. */
bool mem_scope_has(struct mem_scope scope, const struct mem_guest *guest);
/* Those of hungry guests, at most MEM_SCOPES, the narrowest first. */
size_t mem_scopes_list(const struct mem_ctl *ctl, struct mem_scope *to);

/* mem_floor.c */
/* The host never goes below this for a guest's sake. */
enum { MEM_HOST_LEAST = 200 * MIB };
int64_t mem_guest_floor(const struct mem_guest *guest, const struct config *cfg);
/* The same without what it uses. */
int64_t mem_guest_least(const struct mem_guest *guest, const struct config *cfg);
int64_t mem_guest_max(const struct vm_sample *vm, const struct vm_rule *rule);
void mem_levels_fill(struct mem_levels *levels, const struct config *cfg, int64_t host_kib);
/* Changes below this are not worth a call. */
int64_t mem_small_kib(int64_t max_kib);
/* Max-min fair: sets give_kib of each of n to at most its short_kib, the sum to at most pool KiB. */
void mem_share(struct mem_guest **g, size_t n, int64_t pool);

/* mem_facts.c: brings guest->m up to this sample and works out whether the guest may be touched. */
void mem_guest_observe(struct mem_ctl *ctl, struct mem_guest *guest, bool known);
/* Host memory promised to this guest that the host does not show as used yet. */
int64_t mem_guest_in_flight(const struct mem_guest *guest);

/* What every memory policy offers. */
struct mem_policy_ops {
	/* Sets to_kib and why of each guest, and lo, tgt and hi where it has such. */
	void (*decide)(struct mem_ctl *c);
	double cycle_s;     /* when none was asked for */
	bool between;       /* looks for guests that run dry between cycles too */
	bool unused_only;   /* counts what is unused; else also what a guest could give up without swapping */
	bool least_reserve; /* of the host it keeps the least that must be, not a part of it */
};
#define MEM_POLICY_EXTERN(id, name, ops, help) extern const struct mem_policy_ops ops;
MEM_POLICY_TABLE(MEM_POLICY_EXTERN)
#undef MEM_POLICY_EXTERN
const struct mem_policy_ops *mem_policy(const struct config *cfg);
/* mem_take.c: lets donors of a scope give until `need` is met, as far down as `depth`, each at most `pct` of
 * its balloon. Returns what was ordered. */
struct mem_need {
	int64_t kib;
	enum mem_depth depth;
	struct mem_scope scope;
	double pct;
	const char *whom;
};
int64_t mem_take(struct mem_ctl *ctl, const struct mem_need *need);
/* What all guests together could give down to this depth. */
int64_t mem_could_take(const struct mem_ctl *ctl, enum mem_depth depth);
/* What guests of the scope have been asked for and not given yet, this cycle's wishes included. */
int64_t mem_supply(const struct mem_ctl *ctl, struct mem_scope scope);
double mem_shares_of(const struct mem_guest *guest);
bool mem_growing(const struct mem_guest *guest);
/* It has been seen to swap out: it has somewhere to put what it uses. */
bool mem_can_swap(const struct mem_guest *guest);
/* mem_shares.c: takes back within a scope for guests with more shares. Returns what was ordered. */
int64_t mem_shares_take(struct mem_ctl *ctl, int64_t need, struct mem_scope scope);
/* Whether it may be shrunk at all in this cycle. */
bool mem_may_give(const struct mem_ctl *ctl, const struct mem_guest *guest);
double mem_shares_of(const struct mem_guest *guest);
bool mem_growing(const struct mem_guest *guest);
/* mem_need.c: head, growth, lo, tgt, hi, least and keep of an eligible guest. */
void mem_need_fill(const struct mem_ctl *ctl, struct mem_guest *guest);

#endif
