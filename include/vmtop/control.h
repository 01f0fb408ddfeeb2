/* SPDX-License-Identifier: MIT */
/* The two controllers, CPU and memory: from sample, model and rules to actions. Pure; state that lasts
 * between rounds is in the ctl object, time comes from the sample. */
#ifndef VMTOP_CONTROL_H
#define VMTOP_CONTROL_H

#include "vmtop/balloon_watch.h"
#include "vmtop/config.h"
#include "vmtop/model.h"
#include "vmtop/plan.h"

/* What may be done to a VM or vCPU, worked out by the engine (core/rules.c) from patterns, config, holds
 * and facts. Parallel to sample.vms and sample.vcpus. */
struct vm_rule {
	enum reason cpu;    /* REASON_NONE: may be steered; else why not */
	enum reason memory; /* REASON_NONE: may be ballooned as far as the user is concerned */
	double cpu_weight;  /* 1 by default; its moves cost this much more */
	bool stay_on_node;
	double mem_shares;   /* 1 by default */
	int64_t mem_min_kib; /* user's minimum, 0 none */
	int64_t mem_max_kib; /* user's maximum, 0 none */
	int64_t target_kib;  /* balloon target last set by us, -1 unknown */
	int64_t target_age_ns;
	struct balloon_watch balloon; /* what we asked for, by whichever way */
	int64_t released_ns;          /* foreign changes older than this are forgiven */
	double held_for_s;            /* with HELD or FOREIGN: for how long still; < 0: until released */
	bool dedicated;               /* it has the pCPUs of its vCPUs for itself */
	int shares_found, shares_now; /* CPU shares that we set; 0: none */
	bool shares_rest;             /* somebody else set them a moment ago */
};
struct vcpu_rule {
	enum reason cpu; /* REASON_NONE, or why this vCPU is left alone */
	double held_for_s;
	const struct cpuset *found; /* where it might run before our first pin; NULL: its pin is not ours */
};
struct rules {
	struct vm_rule *vms;
	struct vcpu_rule *vcpus;
	size_t n_vms, n_vcpus, cap_vms, cap_vcpus;
};

/* One VM as the engine remembers it: what keys, undo, failures and foreign changes ask for. */
struct vm_memo {
	bool held;                                      /* by key, undo or a manual pin; until released */
	bool exclude_cpu, exclude_memory, stay_on_node; /* by key */
	struct balloon_watch balloon;                   /* what we asked of it */
	int64_t fail_until_ns;                          /* leave it alone until then: a change failed */
	int64_t rival_until_ns;                         /* its vCPUs are somebody else's until then */
	int64_t shares_rival_ns;                        /* somebody else set its CPU shares then; 0: never */
	int shares_found, shares_now;                   /* those that we set; 0: none */
	int64_t released_ns;                            /* foreign changes older than this are forgiven */
};
/* Fills rules for the sample. memo->vm() and memo->found() may return NULL: nothing is remembered. What they
 * point to must last as long as the rules are used. -1: out of memory. */
struct rules_memo {
	const struct vm_memo *(*vm)(void *arg, const struct vm_sample *vm);
	const struct cpuset *(*found)(void *arg, const struct vm_sample *vm, int vcpu);
	void *arg;
};
int rules_build(struct rules *rules, const struct config *cfg, const struct sample *sample,
	const struct rules_memo *memo); /* NULL: none */
void rules_done(struct rules *rules);
/* A pattern on names, or a UUID. */
bool rules_match(const char *pattern, const struct vm_sample *vm);
/* Why nothing at all may be changed on this VM, not even by hand: not among those that were named, or its
 * metadata forbids it. */
enum reason rules_forbid(const struct config *cfg, const struct vm_sample *vm);

enum round_mode {
	ROUND_WATCH,   /* MANUAL: verdict only, no actions */
	ROUND_AUTO,    /* trigger, cool-down, dwell hold */
	ROUND_FORCED,  /* `b` or `B`: no trigger, no two-sample wait, no cool-down, no dwell */
	ROUND_PREVIEW, /* as FORCED, but leaves the state of the controller untouched */
};

struct round {
	const struct sample *sample;
	const struct model *model;
	const struct rules *rules;
	const struct config *cfg;
	enum round_mode mode;
	bool early; /* memory, AUTO: between two cycles; only who runs dry is served, and all is observed */
};

struct cpu_ctl;
struct cpu_ctl *cpu_ctl_new(const struct config *cfg, struct err *err);
void cpu_ctl_free(struct cpu_ctl *ctl);
/* Appends the pins of this round to `plan` and fills the verdict. -1: out of memory, and the plan is as it
 * was. */
int cpu_ctl_plan(struct cpu_ctl *ctl, const struct round *round, struct plan *plan,
	struct cpu_verdict *verdict, struct err *err);
/* After apply: tells the controller what became of its actions, which are where it put them. Not called for
 * dry runs. */
void cpu_ctl_applied(struct cpu_ctl *ctl, const struct round *round, const struct plan *plan);

/* The granularity in force. GRAN_AUTO: nobody is bound to a unit, waiting is cured (minmove alone). */
enum granularity cpu_ctl_granularity(const struct cpu_ctl *ctl, const struct config *cfg);

/* CPU shares: what it does is in ROUND_AUTO alone, and, but for putting back, with cfg->shares alone. Called
 * after cpu_ctl_plan(), so that pins of this round come first. why: why nothing can be done; code
 * REASON_NONE: no such reason. */
struct shares_ctl;
struct shares_ctl *shares_ctl_new(void); /* NULL: out of memory */
void shares_ctl_free(struct shares_ctl *ctl);
int shares_ctl_plan(struct shares_ctl *ctl, const struct round *round, struct plan *plan, struct why *why,
	struct err *err);
void shares_ctl_applied(struct shares_ctl *ctl, const struct round *round, const struct plan *plan);

/* What the memory controller thinks of one guest, for table, panel and JSON. */
struct mem_status {
	struct why why; /* of what is done or not done to it */
	bool eligible;
	bool foreign; /* somebody else set its balloon a while ago: it only grows */
	struct vi64 used_kib, lo_kib, hi_kib, want_kib, floor_kib;
};

struct mem_ctl;
struct mem_ctl *mem_ctl_new(const struct config *cfg, struct err *err);
void mem_ctl_free(struct mem_ctl *ctl);
/* One memory cycle. Appends balloon actions; fills status[] (parallel to sample.vms) and the verdict.
 * The caller decides when: every cfg->memory_cycle_s, or at once with ROUND_FORCED. In ROUND_WATCH it may be
 * called at any tick to refresh the status. -1: out of memory, and the plan is as it was. */
int mem_ctl_plan(struct mem_ctl *ctl, const struct round *round, struct plan *plan, struct mem_status *status,
	struct mem_verdict *verdict, struct err *err);
/* Whether a guest could run dry that may still be given memory: worth a look between cycles. */
bool mem_ctl_watchful(const struct mem_ctl *ctl);
double mem_cycle_s(const struct config *cfg); /* between cycles: as asked for, or as the policy likes */
/* As cpu_ctl_applied(). */
void mem_ctl_applied(struct mem_ctl *ctl, const struct round *round, const struct plan *plan);

/* The floor for a guest's balloon: the one place. Also used for targets set by hand. used absent: the minimum
 * alone. Formula: algorithms in vmtop(1), MEMORY. */
int64_t mem_floor_kib(const struct config *cfg, const struct vm_sample *vm, const struct vm_rule *rule,
	struct vi64 used_kib);

#endif
