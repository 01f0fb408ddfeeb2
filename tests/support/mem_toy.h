/* SPDX-License-Identifier: MIT */
/* A toy host with ballooned guests in virtual time, for tests and benches of the memory controller: guests
 * that want memory along a curve, balloons that follow, lag, stick, refuse or lie, and the books of what went
 * wrong. One step is one second of the host. Sizes in KiB. */
#ifndef TESTS_SUPPORT_MEM_TOY_H
#define TESTS_SUPPORT_MEM_TOY_H

#include "vmtop/config.h"
#include "vmtop/control.h"
#include "vmtop/err.h"

enum { TOY_GUESTS = 64, TOY_MIB = 1024 };

enum toy_manner {
	TOY_HONEST,
	TOY_STUCK,  /* accepts targets and never moves */
	TOY_REFUSE, /* every change fails */
	TOY_SILENT, /* its statistics stop */
	TOY_LIAR,   /* figures at random */
};

struct toy_guest {
	int64_t max, balloon, target;
	int64_t speed;      /* KiB the balloon moves in a second */
	int64_t want;       /* what its programs want now */
	int64_t used;       /* what they have: want, as far as the balloon allows */
	int64_t cache;      /* page cache: usable, not unused */
	int64_t cache_rate; /* KiB of free memory that turn into cache in a second */
	int64_t touched;    /* host memory behind it */
	int64_t swap_in, faults;
	int period; /* of its statistics, seconds; 0 off */
	enum toy_manner manner;
	int id;
	enum vm_state state;
	uint32_t flags;
	bool no_device, hung, gone;
	int64_t min_guarantee; /* 0 none */
	int64_t plugged;       /* by virtio-mem, on top of the balloon; 0 none */
	bool swapless;         /* when it has too little a program of it is killed */
	bool killed;           /* and wants nothing until its appetite has come down */
	int64_t limit;         /* of its process; 0 none */
	int64_t group_limit;   /* of all guests that have one together; 0 none */
	int node;              /* it is bound to this one, counted from 1; 0 none */
	struct vm_rule rule;   /* template: memory, shares, minimum, maximum */
	int64_t set_ns;        /* when we set its target last, by whichever way */
	/* statistics as last written */
	int64_t s_unused, s_usable, s_time_s, s_balloon;
	/* the books */
	int64_t kills;
	int64_t starved_s; /* seconds in which it wanted more than it had */
	int64_t calls, reversals, last_dir, lowest, highest, up_steps;
	int64_t largest_drop_pct; /* largest shrink ordered, percent of its balloon */
};

struct toy {
	int nodes;           /* of equal size; 0: not told */
	int64_t total, base; /* host memory, and what the host itself uses */
	int64_t now_s;
	struct toy_guest g[TOY_GUESTS];
	size_t n;
	uint64_t seed;
	struct config cfg;
	struct sample sample;
	struct model model;
	struct rules rules;
	struct plan plan;
	struct mem_status status[TOY_GUESTS];
	struct mem_verdict verdict;
	struct mem_ctl *ctl;
	bool early;                 /* the next cycle is one between two */
	int64_t psi_some, psi_full; /* percent; -1 absent */
	int64_t swap_used;          /* of the host's own */
	/* the books */
	int64_t lowest_free, over_s, below5_s;
	char broken[200]; /* first invariant that did not hold; empty: none */
};

void toy_init(struct toy *t, int64_t total, int64_t base);
void toy_done(struct toy *t);
struct toy_guest *toy_add(struct toy *t, int64_t max, int64_t balloon, int64_t want);
uint32_t toy_random(struct toy *t, uint32_t below);
int64_t toy_available(const struct toy *t);
/* One second passes: programs, balloons, statistics, books. */
void toy_second(struct toy *t);
/* What a backend would read. */
void toy_sample(struct toy *t);
/* One cycle of the controller on a new sample: plan, invariants, apply. */
void toy_cycle(struct toy *t, enum round_mode mode);
/* Carries out t->plan. */
void toy_apply(struct toy *t);
/* After a second: a cycle when it is time for one, or an early look when there are new statistics. */
void toy_beat(struct toy *t);
/* Seconds with their cycles; want() may be NULL. */
void toy_run(struct toy *t, int64_t seconds, void (*want)(struct toy *t));
/* Sets a balloon as somebody else would. */
/* A target set by the user, through us. */
void toy_by_hand(struct toy *t, size_t guest, int64_t kib);
void toy_foreign(struct toy *t, size_t guest, int64_t kib);
/* The guest starts again: counters, figures and balloon as of a boot. */
void toy_reboot(struct toy *t, size_t guest);

#endif
