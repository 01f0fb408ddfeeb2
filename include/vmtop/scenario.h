/* SPDX-License-Identifier: MIT */
/* A scenario: what a simulated host is and what happens on it, read from a small text (vmtop-scenario(5)).
 * Pure data, never changed after parsing. Times are ns since the start of the run, loads are in units of one
 * pCPU (1 = 100 %), sizes are KiB. Owner: whoever called scenario_parse() or scenario_open(). */
#ifndef VMTOP_SCENARIO_H
#define VMTOP_SCENARIO_H

#include "vmtop/sample.h"

struct backend;
struct err;

enum { /* bounds on hostile text */
	SCN_BYTES = 1 << 20,
	SCN_VMS = 10000,
	SCN_VCPUS = 20000, /* of all VMs together */
	SCN_VM_VCPUS = 512,
	SCN_EVENTS = 4096,
	SCN_CURVES = 8192,
	SCN_SETS = 16384,
	SCN_STEPS = 32, /* of one curve */
	SCN_RULES = 8,  /* `load vcpu`, `pin vcpu` lines of one VM */
	SCN_FAILS = 256,
	SCN_BACKGROUNDS = 1024,
};

enum curve_kind { CURVE_STEADY, CURVE_STEPS, CURVE_SQUARE, CURVE_WAVE, CURVE_BURSTS, CURVE_TRACE };

struct curve_step {
	int64_t at_ns;
	double level;
};

struct curve { /* a load over time, since the start of the VM or of the event that set it */
	enum curve_kind kind;
	double hi, lo;
	int64_t period_ns; /* square, wave; bursts: mean time from one to the next; steps: loop, 0 none */
	int64_t on_ns;     /* square, bursts: (mean) length of the high part */
	int64_t phase_ns;
	double noise; /* standard deviation of the factor drawn each second */
	bool open;    /* work arrives whether or not the last was done; else a closed loop */
	size_t n_steps;
	struct curve_step steps[SCN_STEPS];
	const float *trace; /* a level for each interval of the scenario's trace; not owned */
};

enum { PICK_ALL = -1, PICK_EACH = -2 }; /* each: the set is dealt to the vCPUs of the group in turn */
struct vcpu_pick {                      /* vCPU number or one of the above; index of a curve or set */
	int vcpu;
	int index;
};

struct eat { /* how a guest's use of memory rises and falls; rate 0: it does not */
	int64_t rate_lo_kib_s, rate_hi_kib_s;
	int64_t to_kib;                              /* used memory at which it stops; 0: none */
	int64_t after_ns, for_ns, hold_ns, every_ns; /* 0: at once, no limit, none, never again */
	bool keep;                                   /* does not free at the end */
};

/* Taken from a recording, not from a text: how each vCPU began. Indices of curves and sets. */
struct scn_vcpu_trace {
	int curve, pin, allowed;
	int pcpu; /* id where it ran, -1 unknown */
};
struct scn_vm_trace {                       /* levels by interval of the scenario's trace; not owned */
	const float *present;               /* above 0: the VM is there */
	const float *used_kib;              /* resident in the guest; below 0: unknown */
	const struct scn_vcpu_trace *vcpus; /* by number */
};

enum balloon_mode { BALLOON_FOLLOW, BALLOON_REFUSE, BALLOON_NO_DRIVER, BALLOON_NO_DEVICE };

struct scn_vm {
	char name[VM_NAME_BYTES];
	uint8_t uuid[UUID_BYTES];
	struct cpuset vcpu_ids;                             /* a set of vCPU numbers */
	struct vcpu_pick loads[SCN_RULES], pins[SCN_RULES]; /* the last that fits holds */
	size_t n_loads, n_pins;
	int allowed; /* set of <vcpu cpuset>, -1 none */
	int place;   /* set dealt to vCPUs that are not pinned, -1 the kernel chooses */
	int rank;    /* number within its group, from 0 */
	double quota;
	int emulator; /* curve of its QEMU's other threads, -1 none */
	int64_t memory_kib, max_kib, base_kib, cache_kib, swap_kib, guarantee_kib, lie_kib;
	struct eat eat;
	enum balloon_mode balloon;
	int64_t speed_kib_s, stuck_kib; /* stuck: never below this size; 0 none */
	int period_s;
	bool no_stats; /* the driver moves the balloon but reports nothing */
	uint64_t nodes;
	bool nodes_strict;
	uint32_t flags;
	int64_t start_ns, stop_ns; /* stop 0: never */
	double rd_bytes_s, wr_bytes_s, rx_bytes_s, tx_bytes_s;
	const struct scn_vm_trace *trace; /* NULL: loads, pins, appetite and times are as written above */
};

enum event_kind {
	EV_START,
	EV_STOP,
	EV_PAUSE,
	EV_RESUME,
	EV_REBOOT,
	EV_MIGRATE, /* ns: how long the job runs before the VM is gone */
	EV_HANG,
	EV_ANSWER,
	EV_LOAD,    /* index: curve; vcpu */
	EV_PIN,     /* index: set; vcpu: somebody else's pin */
	EV_BALLOON, /* kib: somebody else's target */
	EV_PERIOD,  /* number: somebody else's statistics period */
	EV_EAT,     /* eat */
	EV_VCPUS,   /* index: set of vCPU numbers */
	EV_OFFLINE, /* index: set */
	EV_ONLINE,
	EV_BACKGROUND, /* index: curve; set */
	EV_PRESSURE,   /* some, full: PSI avg10 */
	EV_HOST_USE,   /* kib */
	EV_DISCONNECT,
	EV_CONNECT,
	EV_FAULT,      /* index: enum fault; number */
	EV_EMULATOR,   /* index: curve; set: where, -1 anywhere */
	EV_PCPU_FAULT, /* set; index: enum pcpu_fault; number: percent */
};

/* What happens to one VM that a reader of its process, its control group or KVM's counters would see: word,
 * what the number is, the number at rest. */
#define FAULT_TABLE(X)                                                                                       \
	X(FAULT_QUOTA, "quota", "percent of a pCPU each vCPU may use; 100: no quota", 100)                   \
	X(FAULT_WEIGHT, "weight", "cpu.weight of its group", 100)                                            \
	X(FAULT_SWAPPED, "swapped", "MiB of its QEMU in the host's swap", 0)                                 \
	X(FAULT_EXITS, "exits", "exits from guest mode a second", 2000)                                      \
	X(FAULT_POLLED, "polled", "percent of a pCPU that it polls while halted", 1)                         \
	X(FAULT_DISK_MS, "disk-ms", "milliseconds a disk request takes", 2)                                  \
	X(FAULT_DISK_REQS, "disk-requests", "disk requests a second", 20)                                    \
	X(FAULT_PSI_MEMORY, "memory-pressure", "percent of the time its group stalls for memory", 0)         \
	X(FAULT_PSI_IO, "io-pressure", "percent of the time its group stalls for I/O", 0)
enum fault {
#define FAULT_ENUM(code, word, text, rest) code,
	FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
		FAULT_COUNT
};
enum pcpu_fault { PCPU_FAULT_STEAL, PCPU_FAULT_SPEED };

struct scn_event {
	int64_t at_ns, every_ns; /* every 0: once */
	enum event_kind kind;
	int line;                    /* of the text: order among events of one time */
	char pattern[VM_NAME_BYTES]; /* of VM names, as in a shell; empty: not about VMs */
	int vcpu, index, set, number;
	int64_t ns, kib;
	double some, full;
	struct eat eat;
};

enum fail_kind { FAIL_SAMPLE, FAIL_APPLY, FAIL_PIN, FAIL_BALLOON, FAIL_PERIOD, FAIL_SHARES };
struct scn_fail { /* the n-th call of this kind fails */
	enum fail_kind kind;
	long nth;
	bool unknown; /* it is carried out, but the answer is lost */
};

struct scn_pcpu {
	int id, node, socket, core, llc;
	bool offline, isolated, nohz_full;
	int capacity; /* as in struct pcpu_sample */
};

struct scn_background {
	int set, curve;
};

struct scenario {
	char name[128];
	char title[160];
	uint64_t seed;
	int64_t end_ns; /* 0: never */
	bool events;    /* wake the engine at changes, as libvirt's events do */
	char hostname[64];
	struct scn_pcpu pcpus[CPUSET_CPUS]; /* by id */
	size_t n_pcpus;
	size_t n_nodes;
	bool has_llc;
	int64_t total_kib, used_kib,
		swap_kib; /* of the host; below 0: enough for all that its guests may have */
	int64_t node_total_kib[MAX_NODES];
	int64_t balance_ns; /* how often the kernel evens out what is not pinned; 0 never */
	bool cpu_shares; /* a control group for each VM: its vCPUs share one weight; else threads are equal */
	struct scn_vm *vms;
	struct scn_event *ev; /* by time */
	struct curve *curves;
	struct cpuset *sets;
	struct scn_fail fails[SCN_FAILS];
	struct scn_background background[SCN_BACKGROUNDS];
	size_t n_vms, n_ev, n_curves, n_sets, n_fails, n_background, n_vcpus;
	size_t cap_vms, cap_ev, cap_curves, cap_sets;
	/* A trace: interval i lasts from trace_ns[i] to trace_ns[i + 1]; the last to the end. Not owned. */
	const int64_t *trace_ns;
	const float *trace_host_kib; /* used by the host itself; may be negative: guests do not fill what they
					have */
	size_t n_trace;
};

/* Reads `len` bytes of scenario text; `name` goes into messages ("name:line: ..."). NULL with err set
 * (ERR_USAGE: the text is wrong, ERR_NOMEM). */
struct scenario *scenario_parse(const char *name, const char *text, size_t len, struct err *err);
/* A shipped scenario by its name, else a file by its path. */
struct scenario *scenario_open(const char *name, struct err *err);
void scenario_free(struct scenario *scn);
/* Names and titles of the shipped scenarios, in order; NULL past the last. */
const char *scenario_name(size_t i);
/* Text of a shipped scenario. */
const char *scenario_text(size_t i, size_t *len);

/* What the simulator knows of the truth; for tests and benches. Totals since the start of the run. */
struct sim_report {
	double time_s;
	long oom_kills;
	double starved_guest_s; /* guests that swap or have less than 16 MiB usable */
	double work_vcpu_s;     /* time that all vCPUs ran */
	double waiting_vcpu_s;  /* run-queue delay of all vCPUs */
	double starved_vcpu_s;  /* time of vCPUs that got less than 90 % of what they want */
	double overcommit_s;    /* host with nothing available */
	int64_t min_available_kib, min_usable_kib; /* lowest seen; usable: of any guest with a driver */
	long pins, balloons, periods;              /* changes that were carried out for the engine */
	double stddev_pct; /* now: of the true demand per usable pCPU, where the vCPUs are now */
};
/* NULL-safe only for backends of backend_sim_open(); others: -1, *report untouched. */
int sim_report_get(const struct backend *backend, struct sim_report *report);
/* As backend_sim_open(), from a scenario that was parsed already; owns it, also on failure. */
struct backend *backend_sim_new(struct scenario *scn, bool virtual_time, struct err *err);

#endif
