/* SPDX-License-Identifier: MIT */
/* The model: rates, demands and ages derived from the last sample and this one, and the identity of VMs
 * and vCPUs over time. Pure: its only clock is sample.time_ns. Allocates only when something was added.
 *
 * Percent is percent of one pCPU. Arrays run parallel to those of the sample given last. */
#ifndef VMTOP_MODEL_H
#define VMTOP_MODEL_H

#include "vmtop/sample.h"

struct config;

struct vcpu_rate {
	struct vf64 usage_pct;  /* ran: 0..100 */
	struct vf64 wait_pct;   /* runnable, not running: 0..100 */
	struct vf64 demand_pct; /* what it would use on an idle pCPU; formulas in core/demand.c */
	bool capped;            /* a quota of a group that it is in was used up, or nearly */
	double scatter_pct;     /* mean absolute change of demand between samples */
	/* A number that stays while the vCPU lives and is below model.n_slots; reused later with another
	 * birth. */
	uint32_t slot;
	uint32_t birth;
	struct cpuset target; /* allowed, cut to the online pCPUs; empty: nowhere to go */
};

struct vm_rate {
	struct vf64 cpu_pct;  /* sum of its vCPUs */
	struct vf64 wait_pct; /* sum of its vCPUs */
	struct vf64 demand_pct;
	struct vf64 age_s;           /* of the guest's memory statistics */
	struct vi64 used_kib;        /* balloon.current - usable (else unused) as of last-update */
	struct vf64 balloon_still_s; /* since its balloon moved last, as far as it was watched */
	struct vf64 swap_in_kib_s, swap_out_kib_s;
	struct vf64 rd_reqs_s, wr_reqs_s, rd_bytes_s, wr_bytes_s;
	struct vf64 rx_bytes_s, tx_bytes_s, rx_pkts_s, tx_pkts_s;
	/* ns a second; see struct vm_facts */
	struct vf64 helper_ns_s, helper_delay_ns_s, throttled_ns_s, polled_ns_s, disk_ns_s;
	struct vf64 exits_s, disk_reqs_s;
	int64_t first_seen_ns;
	uint32_t slot, birth; /* as for vCPUs, below model.n_vm_slots */
};

struct pcpu_rate {
	struct vf64 busy_pct;       /* measured by the host */
	struct vf64 load_pct;       /* sum of usage of the vCPUs mapped here */
	struct vf64 demand_pct;     /* sum of demand of the vCPUs mapped here, plus background */
	struct vf64 background_pct; /* busy less the vCPU time that ran here */
	struct vf64 steal_pct;      /* of its time, taken away from the host */
	int n_vcpus;                /* mapped here */
};

struct model {
	int64_t time_ns;  /* of the sample given last */
	double elapsed_s; /* since the sample before it; 0 for the first */
	/* What the rates are means over; 0 while there are none. Not shorter than half a second nor than four
	 * times the reading itself: after a sample taken sooner it reaches back to the reading before the
	 * last. */
	double window_s;
	unsigned samples; /* given so far, since the last model_forget() */
	struct vcpu_rate *vcpus;
	struct vm_rate *vms;
	struct pcpu_rate *pcpus;
	size_t n_vcpus, n_vms, n_pcpus;
	size_t n_slots, n_vm_slots;  /* upper bounds of the slots in use */
	struct vf64 busy_pct;        /* mean over the online pCPUs */
	struct vf64 load_stddev_pct; /* population standard deviation of pcpus[].load_pct over online pCPUs;
				      * no policy goes by it, and it is not shown */
	struct model_state *state;   /* private */
};

int model_init(struct model *model, const struct config *cfg, struct err *err);
void model_done(struct model *model);
/* Other settings from here on; what is known stays. */
void model_tune(struct model *model, const struct config *cfg);
/* Takes the next sample; on failure (memory) the model is as before. A sample that is not later than the
 * last one is refused with ERR_RUNTIME. */
int model_update(struct model *model, const struct sample *sample, struct err *err);
/* Forgets all history (reconnect, settings changed). */
void model_forget(struct model *model);
/* pCPU to which a vCPU counts: its only pCPU when pinned to one, else where it ran last; -1 unknown. */
int model_vcpu_pcpu(const struct vcpu_sample *vcpu);

#endif
