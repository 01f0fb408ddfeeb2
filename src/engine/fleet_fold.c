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

static void count_vm(struct fleet_host *h, const struct vm_sample *vm, const struct suffering *x)
{
	bool runs = vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
	bool waits = vm->state == VM_PAUSED || vm->state == VM_SUSPENDED;
	count(runs ? &h->running : waits ? &h->paused : &h->off);
	if (vm->hung_since_ns)
		count(&h->hung);
	if (x->n)
		h->alarms[cause_alarm(x->found[0].cause)]++;
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
static struct vi64 pin_of(const struct snapshot *s, const struct vm_sample *vm, const struct cpuset *online)
{
	struct vi64 most = vi64_absent(AVAIL_NONE);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct cpuset rule = s->sample.vcpus[vm->first_vcpu + i].allowed;
		cpuset_and(&rule, online);
		if (cpuset_subset(online, &rule))
			continue;
		for (int cpu = cpuset_first(&rule); cpu >= 0; cpu = cpuset_next(&rule, cpu))
			most = !vi64_has(most) || cpu > most.v ? vi64_ok(cpu) : most;
	}
	return most;
}

/* Of a host with more pCPUs than that there is no telling in so few bits. */
static uint64_t pins_of(const struct snapshot *s, const struct vm_sample *vm, const struct cpuset *online)
{
	uint64_t bits = 0;
	struct cpuset first;
	cpuset_fill(&first, 64);
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_sample *c = &s->sample.vcpus[vm->first_vcpu + i];
		if (!c->pinned || !cpuset_subset(online, &first))
			return 0;
		bits |= c->affinity.w[0] & online->w[0];
	}
	return bits;
}

static void fold_vm(struct fleet_vm *to, const struct snapshot *s, size_t i, const struct cpuset *pcpus)
{
	const struct vm_sample *vm = &s->sample.vms[i];
	const struct suffering *x = &s->vm_status[i].suffer;
	const struct vm_rate *r = &s->vm_rates[i];
	int64_t online = 0;
	for (size_t k = 0; k < vm->n_vcpus; k++)
		online += s->sample.vcpus[vm->first_vcpu + k].online;
	memcpy(to->uuid, vm->uuid, UUID_BYTES);
	memcpy(to->name, vm->name, sizeof to->name);
	snprintf(to->state, sizeof to->state, "%s", vm->hung_since_ns ? "HUNG" : vm_state_text(vm->state));
	snprintf(to->why, sizeof to->why, "%s", x->n ? cause_key(x->found[0].cause) : "");
	to->vcpus = vi64_ok(online);
	to->cpu_pct = r->cpu_pct;
	to->wait_pct = r->wait_pct;
	to->score_pct = x->n || vf64_has(x->got_pct) ? vf64_ok(x->score_pct) : x->got_pct;
	if (vf64_has(r->cpu_pct))
		to->peak_pct = vf64_ok(r->cpu_pct.v + (vf64_has(r->wait_pct) ? r->wait_pct.v : 0));
	snprintf(to->stays, sizeof to->stays, "%s", stays(vm->flags));
	to->defined = !(vm->flags & VM_FLAG_NO_RULES);
	to->transient = to->defined && !(vm->flags & VM_FLAG_PERSISTENT);
	to->pin_pcpu = pin_of(s, vm, pcpus);
	to->pins = pins_of(s, vm, pcpus);
	to->takes_pins = vi64_has(to->pin_pcpu) || vm->flags & VM_FLAG_TAKES_PINS;
	to->balloon_kib = vm->mem.balloon_kib;
	to->max_kib = vm->mem.max_kib;
	to->used_kib = r->used_kib;
}

static void fold_host(struct fleet_host *h, const struct snapshot *s, int64_t now_ns)
{
	const struct host_sample *x = &s->sample.host;
	const struct claim_status *c = &s->backend.claim;
	int64_t online = 0;
	for (size_t i = 0; i < x->n_pcpus; i++)
		online += x->pcpus[i].online;
	if (x->n_pcpus)
		h->last_pcpu = vi64_ok(x->pcpus[x->n_pcpus - 1].id);
	snprintf(h->name, sizeof h->name, "%s", x->hostname);
	h->delay_s = s->delay_s;
	h->seen_ns = s->first ? 0 : now_ns - (int64_t)(s->age_s * 1e9);
	h->load_pct = s->busy_pct;
	h->deviation_pct = s->cpu.stddev_pct;
	h->total_kib = x->total_kib;
	h->available_kib = x->available_kib;
	h->pcpus = s->first ? vi64_absent(AVAIL_NONE) : vi64_ok(online);
	h->running = h->paused = h->off = h->hung = s->first ? vi64_absent(AVAIL_NONE) : vi64_ok(0);
	snprintf(h->memory, sizeof h->memory, "%s",
		vi64_has(x->available_kib) ? memory_state_name(s->memory.state) : "");
	snprintf(h->controller, sizeof h->controller, "%s", c->state == CLAIM_OTHER ? c->who : "");
	snprintf(h->trouble, sizeof h->trouble, "%s", s->backend.text);
	if (s->backend.link == LINK_LOST)
		h->state = FLEET_LOST;
}

int fleet_fold(struct fleet *part, const struct snapshot *s, int64_t now_ns)
{
	struct fleet_host *h = fleet_add_host(part);
	if (!h)
		return -1;
	struct cpuset pcpus;
	fold_host(h, s, now_ns);
	sample_online(&s->sample, &pcpus);
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		struct fleet_vm *vm = fleet_add_vm(part);
		if (!vm)
			return -1;
		fold_vm(vm, s, i, &pcpus);
		count_vm(h, &s->sample.vms[i], &s->vm_status[i].suffer);
	}
	fleet_sum(part, part->n_hosts - 1);
	return 0;
}
