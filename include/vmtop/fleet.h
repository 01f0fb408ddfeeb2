/* SPDX-License-Identifier: MIT */
/* A fleet: many hosts and their VMs, as rows. Sources (a libvirt connection each, a Prometheus for all) fill
 * a part with what they know of some hosts; fleet_put() puts parts together into one block that is read.
 * Watching only: nothing here can change a host. Pure. What a source does not know is absent. */
#ifndef VMTOP_FLEET_H
#define VMTOP_FLEET_H

#include "vmtop/sample.h"
#include "vmtop/suffer.h"

enum { FLEET_NAME = 256, FLEET_URI = 512, FLEET_TEXT = 160, FLEET_WORD = 24 };

/* The best first. */
enum fleet_state {
	FLEET_OK,
	FLEET_OPENING, /* no answer yet, and none is overdue */
	FLEET_LATE,    /* what is known of it is older than it should be */
	FLEET_LOST,    /* it cannot be reached; trouble says why */
};

struct fleet_host {
	char name[FLEET_NAME]; /* as given, else as it calls itself; raw */
	char uri[FLEET_URI];   /* what opens it; raw; empty: not known */
	char version[FLEET_WORD];
	enum fleet_state state;
	char trouble[FLEET_TEXT]; /* why it is not FLEET_OK, in words; raw */
	int64_t seen_ns;          /* when what is known was read, on fleet.now_ns' clock; 0: never */
	int64_t asked_ns;         /* since when it is waited for */
	double delay_s;           /* between two readings */
	long readings;            /* with rates, so far; two are needed before a cause is named */

	struct vf64 load_pct, deviation_pct, wait_pct; /* of pCPUs; between them; of VMs, summed */
	struct vi64 waiting;                           /* VMs that wait (10 % of a pCPU or more) */
	struct vf64 score_pct;                         /* of the VM that suffers most, */
	char worst[VM_NAME_BYTES];                     /* its name, raw; empty: none does */
	char why[FLEET_WORD];                          /* and its heaviest cause */
	int alarms[ALARM_COUNT];                       /* VMs by the alarm of their heaviest cause */
	char memory[FLEET_WORD];                       /* "ok", "soft", "hard"; empty: not known */
	struct vi64 total_kib, available_kib, pcpus;
	struct vi64 last_pcpu;                  /* the highest number */
	struct vi64 running, paused, off, hung; /* VMs */
	char controller[FLEET_TEXT];            /* who steers it; empty: nobody, or not known */
	size_t first_vm, n_vms;                 /* of fleet.vms */
};

struct fleet_vm {
	size_t host; /* index in fleet.hosts */
	uint8_t uuid[UUID_BYTES];
	char name[VM_NAME_BYTES]; /* raw */
	char state[FLEET_WORD], why[FLEET_WORD];
	struct vi64 vcpus;
	char stays[FLEET_WORD]; /* why it may not move to another host; empty: nothing is known against it */
	bool defined;           /* its definition was read: the two that follow are known */
	struct vi64 pin_pcpu;   /* the highest pCPU that it is bound to by rule; absent: it is not */
	bool transient;         /* it is not defined: nothing is left of it when it ends */
	bool takes_pins;        /* they go with it to another host */
	uint64_t pins;          /* the pCPUs that it runs on, whoever pinned it; 0: all, or not known */
	struct vf64 cpu_pct, wait_pct, score_pct;
	struct vf64 peak_pct;  /* most that it used and waited for together of late */
	struct vf64 peaks[2];  /* of half an hour that is not over, and of the one before; */
	int64_t peaks_from_ns; /* when the first of them began; 0: they are not kept */
	struct vi64 balloon_kib, max_kib, used_kib;
	uint32_t rank; /* in the order of all names, from 1, the same for the same; 0, or fleet.vms_ns is 0:
			  not known */
	struct vf64 dirty_mib_s; /* memory that it writes, as QEMU measured it; absent: nobody asked */
};

struct fleet {
	int64_t now_ns, wall_ns; /* when it was put together */
	struct fleet_host *hosts;
	size_t n_hosts, cap_hosts;
	struct fleet_vm *vms;
	size_t n_vms, cap_vms;
	int64_t vms_ns;           /* when these VMs were read, if all came at once; 0: bit by bit */
	size_t *vms_of;           /* how many fleets have these vms; NULL: this one alone */
	char trouble[FLEET_TEXT]; /* of a source for many hosts; empty: none */
	size_t waiting;           /* of those sources, the ones that have told nothing yet */
	double peaks_s;    /* how far back peaks go, of those that were not seen here; 0: there are none */
	double link_mib_s; /* what a migration between two of the hosts gets; 0: not known */
};

struct fleet *fleet_new(void); /* NULL: out of memory */
void fleet_free(struct fleet *fleet);
/* A zeroed new element, NULL: out of memory. VMs go to the host added last. Pointers are good until the next.
 */
struct fleet_host *fleet_add_host(struct fleet *fleet);
struct fleet_vm *fleet_add_vm(struct fleet *fleet);
/* Appends the hosts and VMs of a part. -1: out of memory, fleet is as it was. */
int fleet_put(struct fleet *fleet, const struct fleet *part);
/* The same into a fleet that is empty, and without a copy of the VMs: both have them, in one thread, until
 * one of them writes. */
int fleet_share(struct fleet *fleet, struct fleet *part);
/* Before its VMs are written: they are its own then. -1: out of memory. */
int fleet_own_vms(struct fleet *fleet);
/* Peaks of a host's VMs that were seen before, of the same host, within the hour. */
void fleet_keep_peaks(struct fleet *part, const struct fleet *was, int64_t now_ns);
/* Once all VMs of a host are there: what its row says of them. */
void fleet_sum(struct fleet *fleet, size_t host);
/* Numbers all VMs in the order of their names, once for whoever sorts them later. -1: out of memory. */
int fleet_rank(struct fleet *fleet);
/* Once all parts are there: states by age. */
void fleet_settle(struct fleet *fleet, int64_t now_ns, int64_t wall_ns);

/* Of what is known of a host; < 0: nothing is known. */
double fleet_age_s(const struct fleet *fleet, const struct fleet_host *host);
/* How badly it is in need of somebody who looks: 0 not at all. */
double fleet_need(const struct fleet_host *host);
const char *fleet_state_name(enum fleet_state state);
/* One line about what is wrong, the worst first; empty: nothing. Names are escaped. */
void fleet_alerts(const struct fleet *fleet, char *buf, size_t len);

/* NAME URI, NAME=URI or URI, of the config and the command line, taken apart. -1: neither. */
int fleet_target(const char *text, char name[FLEET_NAME], char uri[FLEET_URI]);

#endif
