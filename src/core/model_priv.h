/* SPDX-License-Identifier: MIT */
/* Inside of the model: what it remembers between samples, and from which of them rates come. Private to
 * src/core/model*.c. */
#ifndef VMTOP_CORE_MODEL_PRIV_H
#define VMTOP_CORE_MODEL_PRIV_H

#include "model_guest.h"
#include "vmtop/demand.h"

enum { VM_COUNTERS_N = 17 }; /* of a VM that become rates */
enum { NEW_BASE, OLD_BASE, BASES };

struct vcpu_past {
	int id;
	uint32_t slot, birth;
	int pcpu; /* it counted there last; -1 unknown */
	struct vi64 time[BASES], delay[BASES];
	struct demand demand;
};
struct vm_past {
	uint8_t uuid[UUID_BYTES];
	int id;
	uint32_t slot, birth;
	int64_t first_seen_ns;
	size_t first_vcpu, n_vcpus;
	struct vi64 cpu_time;
	struct vi64 counter[VM_COUNTERS_N][BASES];
	struct guest_past guest;
};
struct pcpu_past {
	int id;
	struct vi64 busy[BASES], idle[BASES], steal[BASES];
	struct vf64 background_pct; /* smoothed */
};

struct past {
	struct vm_past *vms;
	struct vcpu_past *vcpus;
	struct pcpu_past *pcpus;
	size_t n_vms, n_vcpus, n_pcpus;
	size_t cap_vms, cap_vcpus, cap_pcpus;
};

/* Numbers given out and taken back; the free ones are a stack. */
struct slots {
	uint32_t *free;
	size_t n_free, cap, n;
};

struct model_state {
	struct past past[2]; /* of the last sample, and being built */
	int last;
	int64_t base_ns[BASES];
	bool has_base[BASES];
	struct slots vcpu_slots, vm_slots;
	uint32_t births;
	double smooth_s;
	size_t cap_vcpus, cap_vms, cap_pcpus; /* of the arrays in struct model */
};

/* From which readings the rates of this sample come. */
struct window {
	double s;     /* 0: no rates */
	int base;     /* index of the base that it starts at */
	bool advance; /* this sample becomes the new base */
};

/* What is being summed up per pCPU; indexed by pCPU id. */
struct tally {
	double ran[CPUSET_CPUS], wants[CPUSET_CPUS];
	int n[CPUSET_CPUS];
	struct cpuset unsure;    /* pCPUs over which a vCPU's time cannot be told apart */
	struct cpuset newcomers; /* pCPUs with a vCPU whose usage is not known yet */
};

/* model.c: growth of a counter over the window, absent with the reason; its present value becomes the past.
 */
struct vf64 model_growth(struct vi64 now, const struct vi64 base[BASES], const struct window *window);
void model_remember(struct vi64 base[BASES], struct vi64 now, const struct window *window);

/* model_join.c: fills `now` with who is there, and what is known of them; slots of the gone are free again.
 */
void model_join_vms(
	struct model_state *state, const struct past *old, struct past *now, const struct sample *sample);
void model_join_pcpus(const struct past *old, struct past *now, const struct sample *sample);

/* model_pcpu.c. Must be called before the past of the vCPU learns its new pCPU. */
void model_tally_vcpu(
	struct tally *tally, const struct vcpu_sample *vcpu, const struct vcpu_rate *rate, int before);
void model_pcpu_rates(struct model *model, struct past *now, const struct sample *sample,
	const struct tally *tally, const struct window *window);
void model_host_rates(struct model *model, const struct window *window);

#endif
