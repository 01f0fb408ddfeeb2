/* SPDX-License-Identifier: MIT */
/* A sample: facts with a time, as a backend read them. No rates, no averages, no decisions.
 *
 * Shape: vms[] sorted by UUID; vcpus[] flat, those of VM i at vms[i].first_vcpu .. +n_vcpus, sorted by id
 * (ids may be sparse after hot-unplug); pcpus[] sorted by id (ids may be sparse, offline ones included).
 * Owner: whoever called sample_init(); arrays grow, sample_reset() empties them and keeps the memory.
 * Units are in the names; counters are totals since the start of the VM or host. */
#ifndef VMTOP_SAMPLE_H
#define VMTOP_SAMPLE_H

#include "vmtop/avail.h"
#include "vmtop/cpuset.h"

struct err;

enum { UUID_BYTES = 16, UUID_TEXT = 37, VM_NAME_BYTES = 320, VM_TITLE_BYTES = 96, MAX_NODES = 64 };

/* No number of a finished sample is negative or above these: they can be added up without a thought. */
#define SAMPLE_NS_MOST    INT64_C(4000000000000000000) /* of a clock: the year 2096 */
#define SAMPLE_KIB_MOST   (INT64_C(1) << 44)           /* 16 PiB */
#define SAMPLE_COUNT_MOST (INT64_C(1) << 61)

enum vm_state {
	VM_NOSTATE,
	VM_RUNNING,
	VM_BLOCKED,
	VM_PAUSED,
	VM_SHUTDOWN,
	VM_SHUTOFF,
	VM_CRASHED,
	VM_SUSPENDED,
};
const char *vm_state_text(enum vm_state state); /* "running", "paused", ... */

enum { PCPU_LARGEST = 1024 };

enum { CPU_SHARES_LEAST = 1, CPU_SHARES_MOST = 262144 }; /* version 2 ends at 10000 */

struct pcpu_sample {
	int id;
	bool online;
	bool isolated;         /* the kernel does not balance here: for guests that name it alone */
	bool nohz_full;        /* no tick while one thread runs; the kernel balances it like any other */
	int node;              /* NUMA node id, -1 unknown */
	int socket;            /* -1 unknown */
	int core;              /* host-wide core number; SMT siblings share it; -1 unknown */
	int llc;               /* host-wide last-level-cache number, -1 unknown */
	int capacity;          /* of PCPU_LARGEST, what the largest does; 0 not known: equal */
	struct vi64 busy_ns;   /* all but idle and iowait; includes guest time */
	struct vi64 idle_ns;   /* idle + iowait */
	struct vi64 steal_ns;  /* taken away by the hypervisor below, where the host is a guest itself */
	struct vf64 speed_pct; /* of its full frequency, now */
};

/* What it does beside the largest: 0 < x <= 1. */
static inline double pcpu_capacity(const struct pcpu_sample *pcpu)
{
	return pcpu->capacity > 0 ? pcpu->capacity / (double)PCPU_LARGEST : 1;
}

static inline bool pcpu_lesser(const struct pcpu_sample *pcpu)
{
	return pcpu->capacity > 0 && pcpu->capacity < PCPU_LARGEST;
}

struct node_sample {
	int id;
	struct vi64 total_kib;
	struct vi64 free_kib; /* what a guest that is bound here could get: page cache included */
};

/* Other programs on this machine that pin or balloon guests, as far as they are known by name. */
enum host_other {
	OTHER_NUMAD = 1 << 0,
	OTHER_MOM = 1 << 1,
	OTHER_PROXMOX = 1 << 2,
	OTHER_VMTOP = 1 << 3,
	OTHER_PACEMAKER = 1 << 4,
	OTHER_NOVA = 1 << 5,
	OTHER_VDSM = 1 << 6,
	OTHER_CLOUDSTACK = 1 << 7,
	OTHER_OPENNEBULA = 1 << 8,
	OTHER_VSCHED = 1 << 9,
	OTHER_SKYLARK = 1 << 10,
};

struct host_sample {
	char hostname[128];
	char hypervisor[32]; /* "QEMU", "TEST", "sim", ... */
	bool local;          /* this machine's /proc describes the host */
	bool has_llc;        /* pcpus[].llc is known */
	bool has_isolation;  /* pcpus[].isolated is known, and the cpusets around machines are */
	uint32_t others;     /* enum host_other; local only */
	struct vi64 total_kib;
	struct vi64 available_kib; /* MemAvailable and arc_kib when local, else the best the driver has */
	struct vi64 arc_kib;       /* what ZFS's cache would give up; local only, not recorded */
	struct vi64 free_kib;
	struct vi64 swap_free_kib;  /* of the host's own swap; local only, not recorded */
	struct vi64 swap_used_kib;  /* the same */
	struct vf64 psi_some_avg10; /* memory pressure, percent; local only */
	struct vf64 psi_full_avg10;
	struct pcpu_sample *pcpus;
	size_t n_pcpus;
	struct node_sample nodes[MAX_NODES];
	size_t n_nodes;
};

struct vcpu_sample {
	int id;
	bool online;
	struct vi64 time_ns;    /* ran */
	struct vi64 delay_ns;   /* runnable but not running (run-queue delay, the guest's steal) */
	struct vi64 pcpu;       /* where it ran last */
	struct cpuset affinity; /* valid when affinity_avail is AVAIL_OK: where it may run now */
	enum avail affinity_avail;
	struct cpuset
		allowed; /* administrator's rule, not yet cut to online pCPUs; full when there is none */
	bool pinned;     /* affinity is narrower than all pCPUs of the host */
	struct vi64 foreign_pin_ns; /* time of the last pin that was not ours, on the sample's clock */
};

/* Why VM memory must not be ballooned, as facts found in its XML or job state. */
enum vm_flag {
	VM_FLAG_VFIO = 1 << 0,
	VM_FLAG_SEV = 1 << 1,
	VM_FLAG_LOCKED = 1 << 2,
	VM_FLAG_HUGEPAGES = 1 << 3,
	VM_FLAG_JOB = 1 << 4,      /* a migration, save or other job runs */
	VM_FLAG_RT = 1 << 5,       /* <vcpusched> fifo or rr: its pins are never touched */
	VM_FLAG_NO_STEER = 1 << 6, /* domain metadata forbids steering */
	VM_FLAG_PERSISTENT = 1 << 7,
	VM_FLAG_EMULATOR_PIN = 1 << 8,
	VM_FLAG_DEDICATED = 1 << 9,   /* every vCPU pinned 1:1 by rule */
	VM_FLAG_OPENSTACK = 1 << 10,  /* nova made it: its pins come from a flavor */
	VM_FLAG_NO_RULES = 1 << 11,   /* its rules could not be read (yet): nothing may be changed */
	VM_FLAG_BUSY = 1 << 12,       /* another client held its job: balloon figures of before */
	VM_FLAG_LOCAL_DISK = 1 << 13, /* of this host alone; known only where that is this machine */
	VM_FLAG_TAKES_PINS = 1 << 15, /* a live pin that vmtop did not make goes with it to another host */
	VM_FLAG_NAMED_DISK = 1 << 14, /* a device whose name may mean another disk on another host */
};

/* Sizes are in the unit in which a balloon is set: the memory that the VM was started with and its DIMMs.
 * What virtio-mem plugs comes on top of it, and no target reaches it. */
struct vm_memory {
	struct vi64 max_kib;
	struct vi64 balloon_kib;
	struct vi64 plugged_kib;       /* by virtio-mem; absent: none */
	struct vi64 unused_kib;        /* guest MemFree */
	struct vi64 usable_kib;        /* guest MemAvailable */
	struct vi64 available_kib;     /* guest MemTotal */
	struct vi64 caches_kib;        /* guest disk caches, tmpfs included */
	struct vi64 rss_kib;           /* host RSS of QEMU */
	struct vi64 swap_in_kib;       /* counter */
	struct vi64 swap_out_kib;      /* counter */
	struct vi64 major_faults;      /* counter */
	struct vi64 last_update_ns;    /* when the guest filled them in, on the clock of sample.wall_ns */
	struct vi64 period_s;          /* statistics period; 0 is off */
	struct vi64 min_guarantee_kib; /* <memtune><min_guarantee> */
	/* Of its process, what QEMU itself needs included: <memtune><hard_limit>, memory.max and memory.high
	 * of its control group. Absent: none. Not recorded, like the next. */
	struct vi64 limit_kib;
	struct vi64 group_limit_kib; /* the tightest on all VMs with the same limit_group together */
	uint64_t limit_group;        /* 0: none */
	bool balloon_device;         /* false: only when known that there is none */
};

struct vm_io { /* counters, fetched only while SAMPLE_BLOCK or SAMPLE_NET is asked for */
	struct vi64 rd_reqs, wr_reqs, rd_bytes, wr_bytes;
	struct vi64 rx_bytes, tx_bytes, rx_pkts, tx_pkts;
};

/* What tells why a VM is slow, besides the rest. Counters unless said otherwise. Of its helpers, the threads
 * of QEMU that are no vCPUs (emulator, iothreads, vhost), those that are known. */
struct vm_facts {
	struct vi64 helper_ns, helper_delay_ns;  /* ran; runnable but not running */
	struct vi64 helper_pcpu;                 /* where the busiest of them ran last; no counter */
	char helper[16];                         /* its name */
	struct vi64 swapped_kib;                 /* of QEMU, on the host's swap; no counter */
	struct vi64 throttled_ns;                /* its vCPUs, by a quota */
	struct vi64 weight;                      /* cpu.weight of its group, 100 is the rule; no counter */
	struct vi64 cpu_shares;                  /* the same in libvirt's unit, which depends on the host */
	struct vf64 psi_cpu, psi_memory, psi_io; /* of its group: some avg10, percent */
	struct vi64 exits, polled_ns;            /* KVM: exits from guest mode; polled while halted */
	struct vi64 disk_ns, disk_reqs;          /* reads, writes and flushes: time they took, how many */
};

struct vm_sample {
	uint8_t uuid[UUID_BYTES];
	int id;                     /* -1 when not running */
	char name[VM_NAME_BYTES];   /* raw bytes, hostile; print through text_* only */
	char title[VM_TITLE_BYTES]; /* what people call it; as hostile; empty: nothing */
	enum vm_state state;
	uint32_t flags;        /* enum vm_flag */
	int64_t hung_since_ns; /* 0, or since when its monitor does not answer (sample clock) */
	size_t first_vcpu;
	size_t n_vcpus;
	struct vi64 cpu_time_ns; /* whole domain, emulator included */
	struct vf64 quota_pct;   /* cap per vCPU by cgroup quota, percent of a pCPU; absent: none */
	/* The tightest cap on all VMs with the same quota_group together, in percent of a pCPU; group 0: on
	 * this VM alone. Absent: none. */
	struct vf64 group_quota_pct;
	uint64_t quota_group;
	uint64_t mem_nodes; /* bit n: memory bound to (strict) or mostly on node n; 0 unknown */
	bool mem_nodes_strict;
	struct vm_memory mem;
	struct vm_io io;
	struct vm_facts facts;
};

/* What reading it cost, by the clock. */
struct sample_cost {
	int64_t rpc_ns;      /* waiting for the hypervisor's answers */
	int64_t host_ns;     /* of the whole: pCPUs and memory of the host */
	int calls;           /* answers waited for */
	int n_local, n_bulk; /* VMs whose vCPUs came from /proc, and from the hypervisor */
};

struct sample {
	int64_t time_ns; /* monotonic (virtual in simulator and replay) when the reading was finished */
	int64_t wall_ns; /* UTC, ns since the epoch */
	int64_t took_ns; /* how long the reading took */
	struct sample_cost cost;
	struct host_sample host;
	struct vm_sample *vms;
	size_t n_vms, cap_vms;
	struct vcpu_sample *vcpus;
	size_t n_vcpus, cap_vcpus;
	size_t cap_pcpus; /* of host.pcpus */
	char note[160];   /* what this sample lacks and why, for people; empty: nothing */
};

void sample_init(struct sample *sample);
void sample_done(struct sample *sample);  /* accepts a half-built or zeroed one */
void sample_reset(struct sample *sample); /* empties, keeps memory */
/* Each returns a zeroed new element or NULL when memory is out. vCPUs go to the VM added last.
 * Pointers are good until the next add. */
struct pcpu_sample *sample_add_pcpu(struct sample *sample, int id);
struct vm_sample *sample_add_vm(struct sample *sample, const uint8_t uuid[UUID_BYTES]);
struct vcpu_sample *sample_add_vcpu(struct sample *sample, int id);
/* The same for a VM whose vCPUs are none so far or the last of the array, else NULL. */
struct vcpu_sample *sample_append_vcpu(struct sample *sample, struct vm_sample *vm, int id);
/* Sorts into the shape above and checks it; drops duplicate UUIDs and ids, takes numbers that cannot be for
 * absent. */
int sample_finish(struct sample *sample, struct err *err);
/* The part of sample_finish() that is about numbers. */
void sample_bound(struct sample *sample);
/* Deep copy; `to` must be initialised. Allocates only when `to` is too small. */
int sample_copy(struct sample *to, const struct sample *from);

const struct vm_sample *sample_vm_by_uuid(const struct sample *sample, const uint8_t uuid[UUID_BYTES]);
const struct vcpu_sample *sample_vcpu(const struct sample *sample, const struct vm_sample *vm, int id);
const struct pcpu_sample *sample_pcpu(const struct sample *sample, int id); /* NULL: no such pCPU */
void sample_online(const struct sample *sample, struct cpuset *online);
/* Online and not isolated: where the kernel balances. */
void sample_usable(const struct sample *sample, struct cpuset *usable);

int uuid_parse(uint8_t uuid[UUID_BYTES], const char *text); /* -1: not a UUID */
void uuid_format(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT]);
int uuid_compare(const uint8_t a[UUID_BYTES], const uint8_t b[UUID_BYTES]);
/* Among n elements of `size` bytes, sorted by the UUID at `offset` of each: where it is or would have to
 * stand; the element itself, or NULL. */
size_t uuid_place(const uint8_t uuid[UUID_BYTES], const void *items, size_t n, size_t size, size_t offset);
void *uuid_find(const uint8_t uuid[UUID_BYTES], void *items, size_t n, size_t size, size_t offset);
#define UUID_PLACE(key, items, n, type) uuid_place((key), (items), (n), sizeof(type), offsetof(type, uuid))
#define UUID_FIND(key, items, n, type)                                                                       \
	((type *)uuid_find((key), (items), (n), sizeof(type), offsetof(type, uuid)))

#endif
