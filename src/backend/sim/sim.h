/* SPDX-License-Identifier: MIT */
/* Inside the simulator: a host in motion. Time t_ns is since the start of the run; what changes by itself
 * changes on a grid of SIM_GRID_NS, so that a run does not depend on when samples are taken. */
#ifndef VMTOP_SIM_H
#define VMTOP_SIM_H

#include "vmtop/backend.h"
#include "vmtop/scenario.h"

#define SIM_GRID_NS  INT64_C(100000000)
#define SIM_EPOCH_NS INT64_C(1000000000000)       /* monotonic clock at the start of a virtual run */
#define SIM_WALL_NS  INT64_C(1767225600000000000) /* 2026-01-01 00:00:00 UTC */

enum thread_kind { THREAD_VCPU, THREAD_EMULATOR, THREAD_HOST };

struct sim_thread { /* something that wants to run */
	enum thread_kind kind;
	int id;       /* vCPU number */
	bool live;    /* exists and its VM is not stopped or paused */
	uint64_t key; /* of its random numbers */
	const struct curve *curve;
	int64_t curve_since_ns;
	int64_t burst_until_ns; /* bursts: end of the part that is on now */
	uint32_t bursts;
	bool burst_on;
	double noise; /* of this second */
	int64_t noise_second;
	double want; /* 0..1 of a pCPU, by its curve */
	double quota;
	double backlog_ns; /* open loop: work that waits */
	double duty;       /* of the closed loop that stands for it (sim_pool) */
	double weight;     /* against others on the same pCPUs */
	double run, wait;  /* rates in force */
	double time_ns, delay_ns;
	struct cpuset affinity;
	bool floating;       /* the kernel has a choice */
	bool was_pinned;     /* has its own affinity; else that of the host */
	int pcpu;            /* index, -1 nowhere */
	int next;            /* on the same pCPU, -1 last */
	int pool, pool_next; /* where it is served; next in that pool, -1 last */
	double source;       /* sim_pool: of the threads that take turns, from this one on */
	int source_next, turn_next, turn_last;
	int64_t foreign_ns; /* -1: never */
};

struct sim_pcpu {
	const struct scn_pcpu *is;
	bool online, dirty;
	int first, host_thread; /* threads[]; -1 none */
	int sibling;            /* next thread of its core, in a ring */
	double load;            /* demand of the threads on it, in time of its own */
	double capacity;        /* 0 < x <= 1: what it does in the time of the largest */
	double busy, busy_ns, idle_ns, steal_ns;
	int steal_pct, speed_pct;
};

struct sim_pool { /* pCPUs that serve threads together; the first n_pcpus pools are one pCPU each */
	struct cpuset cpus;
	int servers;
	int first;        /* thread */
	int from_below;   /* source of a smaller pool */
	int parent, root; /* -1: none; itself when it has none */
	bool changed, touched, unsettled;
};

enum life { LIFE_NONE, LIFE_RUNNING, LIFE_PAUSED };
enum appetite { APPETITE_WAIT, APPETITE_EAT, APPETITE_HOLD, APPETITE_DONE };

struct sim_guest {                 /* memory, KiB */
	double cur, target, shown; /* balloon: real, asked for, as the host last heard of it */
	double app, swapped;
	double out;         /* of cur: on the host's swap */
	double virgin;      /* of cur: not touched since the guest was started again; takes no memory */
	double used_before; /* a step ago */
	double touch;       /* came in from there in this step because the guest grew */
	double pace;        /* 0..1: how fast it can grow, for want of that */
	bool stalled;       /* it waits for such pages */
	double swap_in, swap_out, faults;
	enum appetite appetite;
	struct eat eat;
	double rate; /* of this meal */
	uint32_t meals;
	int64_t eat_since_ns, phase_ns;
	int period_s;
	int64_t period_since_ns;
	bool reported, zero; /* there is a report; it is the first, all zero */
	int64_t report_ns;
	double r_unused, r_usable, r_available, r_caches, r_swap_in, r_swap_out, r_faults;
	int64_t boot_until_ns;
};

struct sim_vm {
	const struct scn_vm *is;
	enum life life;
	int id;
	int64_t hung_ns;  /* -1: answers */
	int64_t gone_ns;  /* a migration ends then; -1 none */
	int first_thread; /* n_slots vCPUs by number, then the emulator */
	int n_slots;
	struct sim_guest mem;
	int64_t again_ns; /* the host's killer took it: it starts again then; 0 */
	int fault[FAULT_COUNT];
	double throttled_ns, exits, polled_ns, disk_ns, disk_reqs; /* counters */
	double io_s; /* seconds of full load, for the traffic counters */
};

struct sim {
	struct backend base;
	struct scenario *scn;
	bool virtual_time;
	int64_t start_ns, wall_start_ns; /* real time */
	int64_t t_ns, grid_ns;           /* now; the next point of the grid */
	struct sim_pcpu *pcpus;
	struct sim_vm *vms;
	struct sim_thread *threads;
	size_t n_pcpus, n_vms, n_threads;
	struct cpuset all, online, usable;
	int by_id[CPUSET_CPUS]; /* index of a pCPU, -1 none */
	int64_t *next_event;    /* per event: when it comes, INT64_MAX never again */
	int64_t balance_ns;
	int next_vm_id;
	double host_used;
	double swap_kib;               /* of the host */
	double psi_some, psi_full;     /* as the scenario says */
	double stall_some, stall_full; /* as guests wait for pages, percent */
	bool disconnected, changed;    /* changed: something an event would tell */
	long calls[FAIL_SHARES + 1];
	size_t trace_at;           /* interval of the trace that is now */
	double *duty, *run, *wait; /* scratch, n_threads each; wait: twice that and some */
	int *on;
	struct sim_pool *pools;
	int *by_size; /* pools, the smallest first */
	int n_pools;
	bool regroup; /* threads came, went, or may run elsewhere */
	int dealt;    /* pCPUs that threads on isolated ones were sent to in turn */
	struct sim_report report;
};

/* sim_random.c */
double sim_random(
	const struct sim *sim, uint64_t key, uint64_t index); /* 0 <= x < 1, same for same arguments */
double sim_normal(const struct sim *sim, uint64_t key, uint64_t index);

enum { SHARE_EXACT = 64 };
/* sim_share.c: one pCPU. For n closed loops of duty[i] (share of time they would run alone), the share of
 * time each runs and waits when they share fairly; at most SHARE_EXACT. */
void share_closed(const double *duty, double *run, double *wait, int n);
/* Any number of loops and pCPUs that serve them together: what each runs; scratch: 3 (n + 1). */
void share_pool(const double *duty, double *run, int n, int servers, double *scratch);
/* The same among loops of unequal weight, from what they run as equals: together they run as much; part:
 * scratch. */
void share_weighted(const double *duty, const double *weight, double *run, double *part, int n);

/* sim_pool.c */
#define POOL_BACKLOG_NS 1e6 /* less of an open loop's work is no backlog */
#define POOL_TOLERANCE  1e-3
void pool_share(struct sim *sim); /* rates of all threads that a change touches */

/* sim_cpu.c */
void cpu_put(struct sim *sim, int thread, int pcpu); /* -1: nowhere */
void cpu_place(struct sim *sim, int thread);         /* after its affinity or the host changed */
void cpu_tick(struct sim *sim);                      /* loads and the kernel's balancing, on the grid */
struct cpuset cpu_room(
	const struct sim *sim, const struct sim_thread *thread); /* where the kernel lets it run */
double cpu_load(const struct sim *sim,
	const struct sim_thread *thread); /* what it adds to its pCPU in the eyes of the kernel */
/* What it wants of the time of the pCPU where it is; at most 1. */
double cpu_wants(const struct sim *sim, const struct sim_thread *thread);
void cpu_run(struct sim *sim, double dt_ns);
void cpu_stop(struct sim *sim, struct sim_thread *thread);
void cpu_stop_vm(struct sim *sim, struct sim_vm *vm); /* it is gone, with all its threads */
void cpu_start_curve(struct sim *sim, struct sim_thread *thread, const struct curve *curve);
double cpu_stddev_pct(const struct sim *sim);

/* sim_fault.c: what readers of /proc, control groups and KVM's counters see */
void fault_start(struct sim_vm *vm);
void fault_run(struct sim *sim, double dt_ns);
void sim_weigh(struct sim *sim, struct sim_vm *vm, int weight);
void fault_event(struct sim *sim, struct sim_vm *vm, const struct scn_event *event);
void fault_fill(const struct sim *sim, const struct sim_vm *vm, unsigned groups, struct vm_facts *facts);

/* sim_mem.c */
void mem_boot(struct sim *sim, struct sim_vm *vm, bool fresh);
void mem_eat(struct sim *sim, struct sim_vm *vm, const struct eat *eat);
void mem_period(struct sim *sim, struct sim_vm *vm, int period_s);
void mem_tick(struct sim *sim);
double mem_available(const struct sim *sim); /* below 0: as much is swapped out */
double mem_resident(const struct sim_vm *vm);
double mem_used(const struct sim_vm *vm); /* by the guest, resident in its own eyes */

/* sim_swap.c */
void swap_tick(struct sim *sim);
void swap_ballooned(struct sim_vm *vm, double before); /* after its balloon moved from there */
double swap_free(const struct sim *sim);

/* sim_build.c */
int sim_build(struct sim *sim, struct err *err);

/* sim_host.c */
void sim_advance(struct sim *sim, int64_t t_ns);
/* Time of the run at which something next happens that an event would tell of, or later; INT64_MAX: never. */
int64_t sim_next_change(const struct sim *sim);
void host_sets(struct sim *sim); /* online and usable, after pCPUs came or went */
void host_background(struct sim *sim, const struct cpuset *cpus, const struct curve *curve);
void host_tick(struct sim *sim); /* what is due at this point of the grid */
struct cpuset sim_affinity(
	const struct sim *sim, const struct sim_thread *thread); /* as the kernel would tell it */
void sim_pin(struct sim *sim, struct sim_thread *thread, const struct cpuset *to);

/* sim.c: clocks of the sample for a time of the run */
int64_t to_clock(const struct sim *sim, int64_t t_ns);
int64_t to_wall(const struct sim *sim, int64_t t_ns);

/* sim_sample.c */
int sim_sample_fill(struct sim *sim, unsigned groups, struct sample *to, struct err *err);

#endif
