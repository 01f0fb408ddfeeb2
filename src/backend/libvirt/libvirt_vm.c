/* SPDX-License-Identifier: MIT */
/* One VM in a sample: what the lists and /proc said, what is read now and then (rules, affinities of remote
 * VMs, jobs) and a reason for whatever is missing. Invariant: nothing here asks a monitor, but for drivers
 * without balloon statistics in their bulk call. Must not know: links, controllers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/storage.h"
#include "domneeds.h"
#include "libvirt_placed.h"
#include "libvirt_rows.h"
#include "libvirt_stats.h"
#include "link.h"
#include "vmtop/clock.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

/* Live changes come as events; these are for what comes without one: pins of the definition alone, jobs,
 * affinities set behind libvirt's back. Each call is cheap, hundreds of them each tick are not. */
enum {
	FACTS_AGE_S = 300,
	JOB_AGE_S = 60,
	JOB_AGE_STEER_S = 5,
	VCPUS_AGE_S = 30,
	VCPUS_MOST = 4096,
	MAP_BYTES = CPUSET_CPUS / 8
};
/* Of the time the bulk call took, the part that affinities of remote VMs may take. */
enum { VCPUS_PART = 50 };

/* ---- from libvirt into the cache; each returns how many calls it made ---- */

static void take_vcpus(struct vm_cache *vm, const virVcpuInfo *info, const unsigned char *maps, int n)
{
	struct vcpu_seen *seen = n >= 0 ? calloc((size_t)n + 1, sizeof *seen) : NULL;
	vm->vcpus_avail = seen ? AVAIL_OK : connect_unsupported() ? AVAIL_UNSUPPORTED : AVAIL_NONE;
	for (int i = 0; seen && i < n; i++) {
		seen[i].id = (int)info[i].number;
		seen[i].pcpu = info[i].cpu >= 0 ? vi64_ok(info[i].cpu) : vi64_absent(AVAIL_UNSUPPORTED);
		seen[i].time_ns = info[i].cpuTime <= INT64_MAX ? vi64_ok((int64_t)info[i].cpuTime)
							       : vi64_absent(AVAIL_NONE);
		cpuset_from_map(&seen[i].affinity, maps + (size_t)i * MAP_BYTES, MAP_BYTES);
		/* A VM that is just ending runs nowhere. */
		seen[i].affinity_avail = cpuset_empty(&seen[i].affinity) ? AVAIL_NONE : AVAIL_OK;
	}
	free(vm->vcpus);
	vm->vcpus = seen;
	vm->n_vcpus = seen ? (size_t)n : 0;
}

/* libvirt's true affinities and current pCPUs. */
static int read_vcpus(struct vm_cache *vm, virDomainPtr dom)
{
	virVcpuInfo *info = NULL;
	unsigned char *maps = NULL;
	int most = vm->vcpus_most, n = -1;
	if (most < 1)
		most = vm->vcpus_most = virDomainGetMaxVcpus(dom); /* fixed while it runs */
	if (most > 0 && most <= VCPUS_MOST) {
		info = calloc((size_t)most, sizeof *info);
		maps = calloc((size_t)most, MAP_BYTES);
		if (info && maps)
			n = virDomainGetVcpus(dom, info, most, maps, MAP_BYTES);
	}
	take_vcpus(vm, info, maps, n);
	free(info);
	free(maps);
	vm->vcpus_dirty = false;
	vm->vcpus_ns = clock_ns();
	return 1;
}

/* Without the inactive XML, or without numad's word, a VM's rules are unknown: better none than wrong ones.
 */
static void take_facts(
	struct vm_cache *vm, virDomainPtr dom, const char *live, const char *inactive, int *calls)
{
	struct dom_facts fresh;
	dom_facts_init(&fresh);
	if (domxml_parse(&fresh, live, inactive, NULL) == 0 && placed_ask(&fresh, dom, calls) == 0) {
		dom_facts_renew(&vm->facts, &fresh);
		vm->have_facts = true;
		if (!vm->facts.virtio_mem || !vi64_has(vm->balloon_kib))
			vm->balloon_kib = vm->facts.current_kib;
	}
	dom_facts_done(&fresh);
}

static int read_facts(const struct lv_reader *reader, struct vm_cache *vm, virDomainPtr dom)
{
	vm->persistent = virDomainIsPersistent(dom) == 1;
	char *live = virDomainGetXMLDesc(dom, 0);
	char *inactive = vm->persistent && live ? virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_INACTIVE) : NULL;
	int calls = vm->persistent ? 3 : 2;
	if (live && (inactive || !vm->persistent))
		take_facts(vm, dom, live, inactive, &calls);
	if (live)
		vm->facts.flags |= domneeds_flags(live, reader->host.local ? STORAGE_MOUNTS : NULL);
	vm->facts_ns = clock_ns();
	vm->dirty = false;
	vm->scan = vm->local.pid != 0;
	free(live);
	free(inactive);
	return calls;
}

static int read_job(struct lv_reader *reader, struct vm_cache *vm, virDomainPtr dom)
{
	virDomainControlInfo info;
	vm->job_ns = clock_ns();
	if (virDomainGetControlInfo(dom, &info, 0) == 0)
		vm->job = info.state == VIR_DOMAIN_CONTROL_JOB;
	else
		reader->no_control = true;
	return 1;
}

/* Threads are named by QEMU, vCPUs numbered by libvirt: trusted once both name the same. */
static int check_threads(struct vm_cache *vm, virDomainPtr dom)
{
	read_vcpus(vm, dom);
	bool same = vm->vcpus_avail != AVAIL_OK || vm->n_vcpus == vm->local.n_vcpus;
	for (size_t i = 0; same && i < vm->n_vcpus; i++) {
		same = false;
		for (size_t k = 0; !same && k < vm->local.n_vcpus; k++)
			same = vm->local.vcpus[k].id == vm->vcpus[i].id;
	}
	vm->agreed = same;
	if (!same)
		local_vm_done(&vm->local); /* until the next search; libvirt's numbers count */
	return 1;
}

/* ---- when ---- */

/* 0 .. n-1 by UUID: so that what is read now and then is not read for all VMs in one tick. */
static int spread(const struct vm_cache *vm, int n)
{
	return vm->uuid[UUID_BYTES - 1] % n;
}

static bool older(int64_t then_ns, int seconds)
{
	return clock_ns() - then_ns > seconds * SECOND;
}

/* What virtio-mem has plugged changes without an event that every libvirt sends. */
static bool wants_facts(const struct row *row)
{
	const struct vm_cache *vm = row->vm;
	return !vm->have_facts || vm->dirty || (vm->facts.virtio_mem && row->balloon) ||
	       older(vm->facts_ns, FACTS_AGE_S + spread(vm, FACTS_AGE_S / 2));
}

/* The bulk call named a vCPU that is not in the cache, or the other way round. */
static bool vcpus_changed(
	const struct lv_reader *reader, const struct vm_cache *vm, const struct vm_sample *v)
{
	bool changed = v->n_vcpus != vm->n_vcpus;
	for (size_t i = 0; !changed && i < vm->n_vcpus; i++)
		changed = !sample_vcpu(&reader->sample, v, vm->vcpus[i].id);
	return changed;
}

/* Whether libvirt must be asked now; in turn: as time is left, because unpinned vCPUs wander. */
static bool wants_vcpus(
	const struct lv_reader *reader, const struct row *row, const struct vm_sample *v, bool *in_turn)
{
	const struct vm_cache *vm = row->vm;
	*in_turn = false;
	if (row->local)
		return false;
	if (!vm->vcpus_ns || vm->vcpus_dirty || !v->n_vcpus || !(reader->seen & SEEN_VCPU))
		return true;
	if (vcpus_changed(reader, vm, v))
		return true;
	*in_turn = older(vm->vcpus_ns, VCPUS_AGE_S);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		*in_turn = *in_turn || cpuset_count(&vm->vcpus[i].affinity) != 1;
	return *in_turn;
}

void vm_learn(struct lv_reader *reader)
{
	for (size_t i = 0; i < reader->n_rows && clock_ns() < reader->until_ns; i++)
		if (!reader->rows[i].vm->have_facts) {
			int64_t start = clock_ns();
			reader_waited(
				reader, start, read_facts(reader, reader->rows[i].vm, reader->rows[i].dom));
		}
}

static void slow_one(struct lv_reader *reader, struct row *row, const struct vm_sample *v, int64_t *left_ns)
{
	struct vm_cache *vm = row->vm;
	bool in_turn;
	int64_t start = clock_ns();
	int calls = 0;
	if (wants_facts(row))
		calls += read_facts(reader, vm, row->dom);
	if (row->local && !vm->agreed)
		calls += check_threads(vm, row->dom);
	int job_age = vm->job || reader->order->groups & SAMPLE_STEER ? JOB_AGE_STEER_S : JOB_AGE_S;
	if (!reader->no_control && older(vm->job_ns, job_age + spread(vm, job_age)))
		calls += read_job(reader, vm, row->dom);
	if (wants_vcpus(reader, row, v, &in_turn) && (!in_turn || *left_ns > 0))
		calls += read_vcpus(vm, row->dom);
	if (!calls)
		return;
	reader_waited(reader, start, calls);
	*left_ns -= clock_ns() - start;
}

void vm_slow(struct lv_reader *reader)
{
	int64_t left = reader->bulk_ns / VCPUS_PART;
	size_t n = reader->n_rows, done = 0;
	for (; done < n && clock_ns() < reader->until_ns; done++) {
		size_t i = (reader->turn + done) % n;
		slow_one(reader, &reader->rows[i], &reader->sample.vms[i], &left);
	}
	/* Whoever had to wait comes first next time. */
	reader->turn = n ? (reader->turn + (done < n ? done : 1)) % n : 0;
	for (size_t i = 0; i < n; i++)
		reader->unread += !reader->rows[i].vm->have_facts;
}

/* ---- into the sample ---- */

static void reason_if_absent(struct vi64 *v, enum avail why)
{
	if (!vi64_has(*v))
		v->avail = why;
}

static struct vcpu_sample *sampled_vcpu(struct lv_reader *reader, const struct vm_sample *vm, int id)
{
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (reader->sample.vcpus[vm->first_vcpu + i].id == id)
			return &reader->sample.vcpus[vm->first_vcpu + i];
	return NULL;
}

/* What the bulk call did not say of vCPUs, and all of them where it named none. */
static void vcpus_from_cache(struct lv_reader *reader, const struct vm_cache *vm, struct vm_sample *v)
{
	bool none = !v->n_vcpus;
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_seen *from = &vm->vcpus[i];
		struct vcpu_sample *vcpu = none ? sample_append_vcpu(&reader->sample, v, from->id)
						: sampled_vcpu(reader, v, from->id);
		if (!vcpu)
			continue;
		vcpu->online = true;
		vcpu->pcpu = from->pcpu;
		vcpu->affinity = from->affinity;
		vcpu->affinity_avail =
			vm->vcpus_dirty ? AVAIL_NONE : from->affinity_avail; /* it changed since */
		if (!vi64_has(vcpu->time_ns) && vm->vcpus_ns >= reader->sample.time_ns)
			vcpu->time_ns = from->time_ns;
	}
}

/* Affinity against the rules, and a reason for whatever is still missing. */
static void settle_vcpus(struct lv_reader *reader, const struct row *row, const struct vm_sample *v)
{
	const struct vm_cache *vm = row->vm;
	enum avail why = row->hung && !row->local               ? AVAIL_HUNG
			 : vm->vcpus_avail == AVAIL_UNSUPPORTED ? AVAIL_UNSUPPORTED
								: AVAIL_NONE;
	for (size_t i = 0; i < v->n_vcpus; i++) {
		struct vcpu_sample *vcpu = &reader->sample.vcpus[v->first_vcpu + i];
		if (vm->have_facts)
			dom_allowed(&vm->facts, vcpu->id, &vcpu->allowed);
		else
			cpuset_fill(&vcpu->allowed, CPUSET_CPUS);
		if (vm->local.has_cgroup)
			cpuset_and(&vcpu->allowed, &vm->local.cgroup);
		vcpu->pinned =
			vcpu->affinity_avail == AVAIL_OK && !cpuset_subset(&reader->online, &vcpu->affinity);
		enum avail mine = vcpu->online ? why : AVAIL_OFFLINE;
		reason_if_absent(&vcpu->time_ns, mine);
		reason_if_absent(&vcpu->pcpu, mine);
		reason_if_absent(&vcpu->delay_ns,
			mine != AVAIL_NONE || reader->seen & SEEN_DELAY ? mine : AVAIL_UNSUPPORTED);
		if (vcpu->affinity_avail != AVAIL_OK)
			vcpu->affinity_avail = mine;
	}
}

/* A driver whose bulk call has no balloon group. */
static void memory_by_call(struct vm_sample *vm, virDomainPtr dom)
{
	virDomainMemoryStatStruct st[VIR_DOMAIN_MEMORY_STAT_NR];
	virDomainInfo info;
	if (virDomainGetInfo(dom, &info) == 0) {
		vm->mem.max_kib =
			info.maxMem <= INT64_MAX ? vi64_ok((int64_t)info.maxMem) : vi64_absent(AVAIL_NONE);
		vm->mem.balloon_kib =
			info.memory <= INT64_MAX ? vi64_ok((int64_t)info.memory) : vi64_absent(AVAIL_NONE);
		if (!vi64_has(vm->cpu_time_ns) && info.cpuTime <= INT64_MAX)
			vm->cpu_time_ns = vi64_ok((int64_t)info.cpuTime);
	}
	int n = virDomainMemoryStats(dom, st, VIR_DOMAIN_MEMORY_STAT_NR, 0);
	if (n > 0)
		stats_memory(&vm->mem, st, n);
}

/* The bulk call's figures need the VM's job, which another client may hold; then it gives libvirt's own books
 * alone, and the resident size is not among them. */
static bool was_busy(const struct lv_reader *reader, const struct row *row, const struct vm_sample *vm)
{
	bool tells = reader->seen & SEEN_RSS ||
		     (reader->seen & SEEN_BALLOON && strcmp(reader->host.driver, "QEMU") == 0);
	return row->balloon && vi64_has(vm->mem.balloon_kib) && tells && !vi64_has(vm->mem.rss_kib);
}

/* QEMU's own word, which is in the unit of targets. balloon.current has what virtio-mem plugged in it, as far
 * as libvirt has kept count: that is off after a reset, and differs between its versions. */
static struct vi64 balloon_beside_virtio_mem(struct lv_reader *reader, const struct row *row)
{
	virDomainMemoryStatStruct st[VIR_DOMAIN_MEMORY_STAT_NR];
	struct vm_memory mem = {.balloon_kib = vi64_absent(AVAIL_BUSY)};
	if (clock_ns() >= reader->until_ns)
		return mem.balloon_kib;
	int64_t start = clock_ns();
	int n = virDomainMemoryStats(row->dom, st, VIR_DOMAIN_MEMORY_STAT_NR, 0);
	reader_waited(reader, start, 1);
	if (n > 0)
		stats_memory(&mem, st, n);
	return mem.balloon_kib;
}

static void at_most(struct vi64 *v, struct vi64 most)
{
	if (vi64_has(*v) && vi64_has(most) && v->v > most.v)
		v->v = most.v;
}

/* Everything in the unit of targets: what the guest has beside that counts as memory it need not take from
 * its balloon. */
static void memory_apart(struct lv_reader *reader, const struct row *row, struct vm_sample *vm, bool busy)
{
	const struct dom_facts *facts = &row->vm->facts;
	struct vm_memory *mem = &vm->mem;
	if (!row->vm->have_facts || !facts->apart || !facts->balloon_device || !vi64_has(mem->balloon_kib))
		return;
	if (facts->virtio_mem)
		mem->balloon_kib = busy ? vi64_absent(AVAIL_BUSY) : balloon_beside_virtio_mem(reader, row);
	mem->max_kib = facts->max_kib;
	at_most(&mem->unused_kib, mem->max_kib);
	at_most(&mem->usable_kib, mem->max_kib);
	if (vi64_has(mem->available_kib))
		mem->available_kib.v = excess(mem->available_kib.v, facts->plugged_kib);
}

/* Fresh numbers are remembered, and otherwise the last ones stand, with their own age: guests fill them in
 * every few seconds only, and asking for them is what costs. */
static void memory_keep(struct row *row, struct vm_sample *v, bool busy)
{
	struct vm_cache *vm = row->vm;
	bool told = row->balloon && vi64_has(v->mem.balloon_kib), fresh = told && !busy;
	if (told)
		vm->balloon_kib = v->mem.balloon_kib;
	if (fresh) {
		vm->mem = v->mem;
		vm->have_mem = true;
	} else if (vm->have_mem && (vm->facts.period_s || !row->local)) {
		v->mem = vm->mem;
	} else {
		vm->have_mem = false;
	}
	if (!fresh && (vm->have_mem || row->local || busy) && vi64_has(vm->balloon_kib))
		v->mem.balloon_kib = vm->balloon_kib;
	if (!row->local)
		return;
	if (!vi64_has(v->mem.max_kib))
		v->mem.max_kib = vm->facts.max_kib;
	v->mem.rss_kib = vi64_ok(row->process.rss_kib);
}

static void settle_memory(struct lv_reader *reader, struct row *row, struct vm_sample *v)
{
	const struct vm_cache *vm = row->vm;
	bool told = row->local && vm->have_facts && (!vm->facts.balloon_device || !vm->facts.period_s);
	bool busy = was_busy(reader, row, v);
	memory_apart(reader, row, v, busy);
	busy = busy || v->mem.balloon_kib.avail == AVAIL_BUSY;
	if (row->balloon)
		row->vm->busy = busy;
	memory_keep(row, v, busy);
	struct stats_why why = {
		.asked = vm->have_mem || row->balloon || told,
		.hung = row->hung || reader->order->safe_only,
		.running = v->state == VM_RUNNING || v->state == VM_BLOCKED,
		.reported = reader->seen & SEEN_BALLOON || row->local,
		.has_period = vm->have_facts,
		.busy = vm->busy,
		.period_s = vm->facts.period_s,
	};
	v->mem.balloon_device = !vm->have_facts || vm->facts.balloon_device;
	v->mem.period_s = vi64_if(vm->have_facts, vm->facts.period_s, AVAIL_NONE);
	v->mem.min_guarantee_kib = vm->facts.min_guarantee_kib;
	if (vm->facts.virtio_mem)
		v->mem.plugged_kib = vi64_ok(vm->facts.plugged_kib);
	if (vm->busy)
		v->flags |= VM_FLAG_BUSY;
	stats_memory_reasons(&v->mem, &why);
}

static void settle_io(const struct lv_reader *reader, const struct row *row, struct vm_sample *vm)
{
	struct vi64 *block[] = {&vm->io.rd_reqs, &vm->io.wr_reqs, &vm->io.rd_bytes, &vm->io.wr_bytes};
	struct vi64 *net[] = {&vm->io.rx_bytes, &vm->io.tx_bytes, &vm->io.rx_pkts, &vm->io.tx_pkts};
	unsigned g = reader->order->groups;
	enum avail asked = row->hung ? AVAIL_HUNG : AVAIL_UNSUPPORTED;
	for (size_t i = 0; i < 4; i++) {
		reason_if_absent(block[i], g & SAMPLE_BLOCK ? asked : AVAIL_NOT_ASKED);
		reason_if_absent(net[i], g & SAMPLE_NET ? asked : AVAIL_NOT_ASKED);
	}
	reason_if_absent(&vm->cpu_time_ns, asked);
}

/* The VM's own cap, or that of a group of this host around it. */
static void settle_quota(const struct vm_cache *vm, struct vm_sample *v)
{
	struct vf64 own = vm->facts.global_quota_pct, around = vm->local.quota_pct;
	bool tighter = vm->local.pid && vf64_has(around) && (!vf64_has(own) || around.v <= own.v);
	v->quota_pct = vm->facts.quota_pct;
	v->group_quota_pct = tighter ? around : own;
	v->quota_group = tighter ? vm->local.quota_group : 0;
}

static void settle_limit(const struct vm_cache *vm, struct vm_memory *mem)
{
	struct vi64 own = vm->local.pid ? vm->local.memory.own_kib : vi64_absent(AVAIL_NONE);
	mem->limit_kib = vm->facts.hard_limit_kib;
	if (vi64_has(own) && (!vi64_has(mem->limit_kib) || own.v < mem->limit_kib.v))
		mem->limit_kib = own;
	mem->group_limit_kib = vm->local.pid ? vm->local.memory.around_kib : vi64_absent(AVAIL_NONE);
	mem->limit_group = vi64_has(mem->group_limit_kib) ? vm->local.memory.group : 0;
}

static void apply_facts(const struct lv_reader *reader, const struct vm_cache *vm, struct vm_sample *v)
{
	v->flags = vm->have_facts ? vm->facts.flags : VM_FLAG_NO_RULES;
	if (vm->persistent)
		v->flags |= VM_FLAG_PERSISTENT;
	if (vm->job || (vm->local.pid && local_sends(&reader->proc, &vm->local)))
		v->flags |= VM_FLAG_JOB;
	settle_quota(vm, v);
	settle_limit(vm, &v->mem);
	memcpy(v->title, vm->facts.title, sizeof v->title);
	v->mem_nodes = vm->facts.mem_nodes;
	v->mem_nodes_strict = vm->facts.mem_nodes_strict;
}

void vm_settle(struct lv_reader *reader, struct row *row, struct vm_sample *vm)
{
	if (!row->local)
		vcpus_from_cache(reader, row->vm, vm);
	if (row->balloon && !(reader->seen & SEEN_BALLOON) && !row->hung && !reader->order->safe_only &&
		clock_ns() < reader->until_ns)
		memory_by_call(vm, row->dom);
	apply_facts(reader, row->vm, vm);
	settle_vcpus(reader, row, vm);
	settle_memory(reader, row, vm);
	settle_io(reader, row, vm);
}

static void take_record(struct lv_reader *reader, virDomainStatsRecordPtr r)
{
	if (r)
		reader->seen |= stats_fill(&reader->sample, r->params, r->nparams);
}

void vm_fill(struct lv_reader *reader, struct row *row, struct vm_sample *vm)
{
	const char *name = virDomainGetName(row->dom);
	virDomainInfo info;
	vm->id = row->vm->id;
	snprintf(vm->name, sizeof vm->name, "%s", text_or(name, ""));
	if (!row->state && virDomainGetInfo(row->dom, &info) == 0)
		vm->state = stats_state(info.state);
	take_record(reader, row->state);
	take_record(reader, row->more);
	if (row->local)
		row->local = local_fill(reader, row);
	vm->hung_since_ns = row->hung ? reader->sample.time_ns : 0;
}
