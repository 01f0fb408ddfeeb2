/* SPDX-License-Identifier: MIT */
/* Runs the whole engine over a simulated host in virtual time and keeps what tests ask about. */
#ifndef VMTOP_RUN_SCENARIO_H
#define VMTOP_RUN_SCENARIO_H

#include "vmtop/config.h"
#include "vmtop/scenario.h"
#include "vmtop/snapshot.h"

enum { RUN_TICKS = 20000, RUN_VMS = 64 };

struct run_tick {
	double t_s;
	double true_pct;      /* deviation by what the VMs really want, after this step */
	struct vf64 load_pct; /* as measured: by usage mapped to pCPUs */
	enum reason cpu, memory;
	char cpu_text[sizeof(((struct why *)0)->text)];
	int pins, balloons; /* carried out in this step */
	int64_t available_kib;
};

struct run_vm { /* balloon as really is, MiB, and orders */
	char name[64];
	double start, peak, end, least; /* least: after the peak */
	double t_peak_s;                /* when the peak was seen first */
	double t_fell_s;                /* after the peak: first at or below `fall_to_mib`; < 0 never */
	int ups, downs, turns;          /* orders, and how often their direction changed */
	double biggest_cut_pct;
	bool rose_again;                 /* an order up after the first one down that followed the peak */
	int64_t least_usable_at_cut_kib; /* last fresh usable less the cut ordered; INT64_MAX: no cut */
	int64_t target_kib;
	int direction; /* of the last order */
};

struct run {
	struct run_tick *ticks; /* RUN_TICKS */
	size_t n;
	struct run_vm vms[RUN_VMS];
	size_t n_vms;
	double fall_to_mib;
	int pins, balloons, periods, failed;
	double last_pin_s, last_balloon_s; /* < 0: none */
	char broken[200];                  /* first plan that broke an invariant; empty: none */
	struct sim_report report;
	struct snapshot *last;
};

struct run_options {
	const char *scenario; /* shipped name, or the text itself when it has a line break */
	const struct config *cfg;
	double seconds;
	double press_b_s;   /* rebalance by hand at this time; 0: not */
	double fall_to_mib; /* 450 when 0 */
	void (*look)(void *arg, const struct snapshot *s);
	void *arg;
};

/* Defaults of the program with AUTO for CPU or memory, this interval, no screen. */
void run_config(struct config *cfg, bool cpu, bool memory, double delay_s);
/* The simulated host alone, in virtual time; fails the test when there is none. */
struct backend *run_open(const char *scenario);
void run_scenario(struct run *r, const struct run_options *o); /* fails the test when it cannot be run */
void run_done(struct run *r);
/* From this time to the end the true deviation is at or below limit; < 0: not at the end. */
double run_settled_s(const struct run *r, double limit_pct);
const struct run_vm *run_vm(const struct run *r, const char *name);
/* How many running VMs have a vCPU on each pCPU at the end: "2 2 2 2". */
const char *run_per_pcpu(const struct run *r, char *buf, size_t len);

#endif
