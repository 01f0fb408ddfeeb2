/* SPDX-License-Identifier: MIT */
/* A snapshot of one host as a row of a fleet, and rows of its VMs. Invariant: what the snapshot does not know
 * stays absent. */
#include <stdio.h>
#include <string.h>

#include "vmtop/fleet_watch.h"
#include "vmtop/snapshot.h"

static void count(struct vi64 *n)
{
	*n = vi64_ok(n->v + 1);
}

static void count_vm(struct fleet_host *host, const struct vm_sample *vm, const struct suffering *hurt)
{
	bool runs = vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
	bool waits = vm->state == VM_PAUSED || vm->state == VM_SUSPENDED;
	count(runs ? &host->running : waits ? &host->paused : &host->off);
	if (vm->hung_since_ns)
		count(&host->hung);
	if (hurt->n)
		host->alarms[cause_alarm(hurt->found[0].cause)]++;
}

/* What ties it to its host, or makes moving it somebody else's business. */
static const char *stays(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} rows[] = {{VM_FLAG_JOB, "job running"}, {VM_FLAG_LOCAL_DISK, "local disk"},
		{VM_FLAG_NAMED_DISK, "disk shared? unknown"}, {VM_FLAG_VFIO, "passed-through device"},
		{VM_FLAG_SEV, "encrypted memory"}, {VM_FLAG_NO_STEER, "metadata forbids"},
		{VM_FLAG_OPENSTACK, "OpenStack's"}, {VM_FLAG_HUGEPAGES, "huge pages"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (flags & rows[i].flag)
			return rows[i].word;
	return "";
}

/* A vCPU that may run everywhere on its host needs nothing of another. */
static struct vi64 pin_of(
	const struct snapshot *snap, const struct vm_sample *vm, const struct cpuset *online)
{
	struct vi64 most = vi64_absent(AVAIL_NONE);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct cpuset rule = snap->sample.vcpus[vm->first_vcpu + i].allowed;
		cpuset_and(&rule, online);
		if (cpuset_subset(online, &rule))
			continue;
		for (int cpu = cpuset_first(&rule); cpu >= 0; cpu = cpuset_next(&rule, cpu))
			most = !vi64_has(most) || cpu > most.v ? vi64_ok(cpu) : most;
	}
	return most;
}

/* Of a host with more pCPUs than that there is no telling in so few bits. */
static uint64_t pins_of(const struct snapshot *snap, const struct vm_sample *vm, const struct cpuset *online)
{
	uint64_t bits = 0;
	struct cpuset first;
	cpuset_fill(&first, 64);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_sample *vcpu = &snap->sample.vcpus[vm->first_vcpu + i];
		if (!vcpu->pinned || !cpuset_subset(online, &first))
			return 0;
		bits |= vcpu->affinity.w[0] & online->w[0];
	}
	return bits;
}

static void fold_vm(struct fleet_vm *to, const struct snapshot *snap, size_t i, const struct cpuset *pcpus)
{
	const struct vm_sample *vm = &snap->sample.vms[i];
	const struct suffering *hurt = &snap->vm_status[i].suffer;
	const struct vm_rate *rate = &snap->vm_rates[i];
	int64_t online = 0;
	for (size_t k = 0; k < vm->n_vcpus; k++)
		online += snap->sample.vcpus[vm->first_vcpu + k].online;
	memcpy(to->uuid, vm->uuid, UUID_BYTES);
	memcpy(to->name, vm->name, sizeof to->name);
	snprintf(to->state, sizeof to->state, "%s", vm->hung_since_ns ? "HUNG" : vm_state_text(vm->state));
	snprintf(to->why, sizeof to->why, "%s", hurt->n ? cause_key(hurt->found[0].cause) : "");
	to->vcpus = vi64_ok(online);
	to->cpu_pct = rate->cpu_pct;
	to->wait_pct = rate->wait_pct;
	to->score_pct = hurt->n || vf64_has(hurt->got_pct) ? vf64_ok(hurt->score_pct) : hurt->got_pct;
	if (vf64_has(rate->cpu_pct))
		to->peak_pct = vf64_ok(rate->cpu_pct.v + (vf64_has(rate->wait_pct) ? rate->wait_pct.v : 0));
	snprintf(to->stays, sizeof to->stays, "%s", stays(vm->flags));
	to->defined = !(vm->flags & VM_FLAG_NO_RULES);
	to->transient = to->defined && !(vm->flags & VM_FLAG_PERSISTENT);
	to->pin_pcpu = pin_of(snap, vm, pcpus);
	to->pins = pins_of(snap, vm, pcpus);
	to->takes_pins = vi64_has(to->pin_pcpu) || vm->flags & VM_FLAG_TAKES_PINS;
	to->balloon_kib = vm->mem.balloon_kib;
	to->max_kib = vm->mem.max_kib;
	to->used_kib = rate->used_kib;
}

static void fold_host(struct fleet_host *h, const struct snapshot *snap, int64_t now_ns)
{
	const struct host_sample *x = &snap->sample.host;
	const struct claim_status *status = &snap->backend.claim;
	int64_t online = 0;
	for (size_t i = 0; i < x->n_pcpus; i++)
		online += x->pcpus[i].online;
	if (x->n_pcpus)
		h->last_pcpu = vi64_ok(x->pcpus[x->n_pcpus - 1].id);
	snprintf(h->name, sizeof h->name, "%s", x->hostname);
	h->delay_s = snap->delay_s;
	h->seen_ns = snap->first ? 0 : now_ns - (int64_t)(snap->age_s * 1e9);
	h->load_pct = snap->busy_pct;
	h->deviation_pct = snap->cpu.stddev_pct;
	h->total_kib = x->total_kib;
	h->available_kib = x->available_kib;
	h->pcpus = snap->first ? vi64_absent(AVAIL_NONE) : vi64_ok(online);
	h->running = h->paused = h->off = h->hung = snap->first ? vi64_absent(AVAIL_NONE) : vi64_ok(0);
	snprintf(h->memory, sizeof h->memory, "%s",
		vi64_has(x->available_kib) ? memory_state_name(snap->memory.state) : "");
	snprintf(h->controller, sizeof h->controller, "%s", status->state == CLAIM_OTHER ? status->who : "");
	snprintf(h->trouble, sizeof h->trouble, "%s", snap->backend.text);
	if (snap->backend.link == LINK_LOST)
		h->state = FLEET_LOST;
}

int fleet_fold(struct fleet *part, const struct snapshot *snap, int64_t now_ns)
{
	struct fleet_host *host = fleet_add_host(part);
	if (!host)
		return -1;
	struct cpuset pcpus;
	fold_host(host, snap, now_ns);
	sample_online(&snap->sample, &pcpus);
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		struct fleet_vm *vm = fleet_add_vm(part);
		if (!vm)
			return -1;
		fold_vm(vm, snap, i, &pcpus);
		count_vm(host, &snap->sample.vms[i], &snap->vm_status[i].suffer);
	}
	fleet_sum(part, part->n_hosts - 1);
	return 0;
}
