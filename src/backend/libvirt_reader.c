/* SPDX-License-Identifier: MIT */
/* Takes one sample through a libvirt connection: the host, one bulk call for all running VMs, then what the
 * bulk call lacks, each VM as far as the time allows. Invariant: a monitor is asked by the bulk call only,
 * and never for a VM in the order's hung list. Must not know: links, deadlines of calls, controllers. */
#include "libvirt_reader.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libvirt_stats.h"
#include "libvirt_vmcache.h"
#include "link.h"
#include "vmtop/err.h"

#define SECOND INT64_C(1000000000)

enum { FACTS_AGE_S = 60, JOB_AGE_S = 5, FIND_AGAIN_S = 5, VCPUS_MOST = 4096, MAP_BYTES = CPUSET_CPUS / 8 };

struct lv_reader {
	struct sample sample;
	struct connect_result host;
	struct vm_caches caches;
	uint64_t round;
	bool no_nowait, no_bulk, no_control;

	/* of this run */
	const struct read_order *order;
	virConnectPtr conn;
	virDomainStatsRecordPtr *records;
	virDomainPtr *list; /* in place of records, where there is no bulk call */
	int n_records;
	uint8_t hung[READ_HUNG_MOST][UUID_BYTES]; /* the order's, and those found stopped */
	size_t n_hung;
	int64_t bulk_ns, until_ns;
	unsigned seen; /* of any VM, ever: what this driver reports */
	size_t unread; /* VMs whose facts have to wait */
};

struct lv_reader *lv_reader_new(const struct connect_result *host, struct err *e)
{
	struct lv_reader *rd = calloc(1, sizeof *rd);
	if (!rd) {
		err_set(e, ERR_NOMEM, "out of memory for a reader");
		return NULL;
	}
	sample_init(&rd->sample);
	rd->host = *host;
	return rd;
}

void lv_reader_free(struct lv_reader *rd)
{
	if (!rd)
		return;
	sample_done(&rd->sample);
	vm_cache_done(&rd->caches);
	free(rd);
}

struct sample *lv_reader_sample(struct lv_reader *rd)
{
	return &rd->sample;
}

void lv_reader_dirty(struct lv_reader *rd, const uint8_t *uuid)
{
	struct vm_cache *vm = uuid ? vm_cache_find(&rd->caches, uuid) : NULL;
	if (vm)
		vm->dirty = true;
	for (size_t i = 0; !uuid && i < rd->caches.n; i++)
		rd->caches.vms[i]->dirty = true;
}

static bool is_hung(const struct lv_reader *rd, const uint8_t *uuid)
{
	for (size_t i = 0; i < rd->n_hung; i++)
		if (uuid_compare(rd->hung[i], uuid) == 0)
			return true;
	return false;
}

/* Whether a command to its monitor has no answer yet; asks libvirt's own books, never the monitor. */
static bool still_stuck(virConnectPtr c, const uint8_t *uuid)
{
	virDomainControlInfo info;
	virDomainPtr dom = virDomainLookupByUUID(c, uuid);
	bool stuck = dom && virDomainGetControlInfo(dom, &info, 0) == 0 &&
		     info.state == VIR_DOMAIN_CONTROL_OCCUPIED;
	if (dom)
		virDomainFree(dom);
	return stuck;
}

/* The order's, and whatever process is plainly stopped (SIGSTOP, debugger): asking it would block everybody.
 */
static void collect_hung(struct lv_reader *rd)
{
	rd->n_hung = 0;
	for (size_t i = 0; i < rd->order->n_hung; i++)
		if (still_stuck(rd->conn, rd->order->hung[i]))
			memcpy(rd->hung[rd->n_hung++], rd->order->hung[i], UUID_BYTES);
	for (size_t i = 0; i < rd->caches.n && rd->order->use_proc; i++) {
		const struct vm_cache *vm = rd->caches.vms[i];
		char state = vm->local.pid ? localhost_state("", &vm->local) : 0;
		if ((state == 'T' || state == 't') && rd->n_hung < READ_HUNG_MOST && !is_hung(rd, vm->uuid))
			memcpy(rd->hung[rd->n_hung++], vm->uuid, UUID_BYTES);
	}
}

/* ---- the bulk call ---- */

static unsigned stats_groups(const struct lv_reader *rd)
{
	unsigned g = rd->order->groups, stats = VIR_DOMAIN_STATS_STATE;
	if (rd->order->safe_only)
		return stats;
	stats |= VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU;
	if (g & SAMPLE_BALLOON)
		stats |= VIR_DOMAIN_STATS_BALLOON;
	if (g & SAMPLE_BLOCK)
		stats |= VIR_DOMAIN_STATS_BLOCK;
	if (g & SAMPLE_NET)
		stats |= VIR_DOMAIN_STATS_INTERFACE;
	return stats;
}

/* Not every driver knows NOWAIT: then without. */
static int all_stats(struct lv_reader *rd, unsigned stats, virDomainStatsRecordPtr **out)
{
	unsigned active = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE;
	int n = -1;
	if (!rd->no_nowait)
		n = virConnectGetAllDomainStats(
			rd->conn, stats, out, active | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (n >= 0 || virConnectIsAlive(rd->conn) != 1)
		return n;
	n = virConnectGetAllDomainStats(rd->conn, stats, out, active);
	if (n >= 0)
		rd->no_nowait = true;
	return n;
}

/* Puts the fuller records of `some` in place of those in rd->records, by domain id; both sets end up owned by
 * the caller: the replaced ones move to `some`. */
static void merge_records(struct lv_reader *rd, virDomainStatsRecordPtr *some, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < rd->n_records; j++)
			if (virDomainGetID(rd->records[j]->dom) == virDomainGetID(some[i]->dom)) {
				virDomainStatsRecordPtr t = rd->records[j];
				rd->records[j] = some[i];
				some[i] = t;
				break;
			}
}

/* Everything for the VMs that are not hung; the others keep their state alone. */
static int stats_of_healthy(struct lv_reader *rd)
{
	virDomainPtr *doms = calloc((size_t)rd->n_records + 1, sizeof(virDomainPtr));
	virDomainStatsRecordPtr *some = NULL;
	uint8_t uuid[UUID_BYTES];
	int n = 0;
	if (!doms)
		return -1;
	for (int i = 0; i < rd->n_records; i++)
		if (virDomainGetUUID(rd->records[i]->dom, uuid) == 0 && !is_hung(rd, uuid))
			doms[n++] = rd->records[i]->dom;
	int got = n ? virDomainListGetStats(doms, stats_groups(rd), &some,
			      rd->no_nowait ? 0 : VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
		    : 0;
	free(doms);
	if (got < 0)
		return -1;
	merge_records(rd, some, got);
	virDomainStatsRecordListFree(some);
	return 0;
}

static int read_list(struct lv_reader *rd, struct err *e)
{
	rd->n_records = virConnectListAllDomains(rd->conn, &rd->list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	return rd->n_records < 0 ? connect_err(e, "listing the VMs") : 0;
}

static int read_records(struct lv_reader *rd, struct err *e)
{
	if (rd->no_bulk)
		return read_list(rd, e);
	bool part = rd->n_hung && !rd->order->safe_only;
	rd->n_records = all_stats(rd, part ? VIR_DOMAIN_STATS_STATE : stats_groups(rd), &rd->records);
	if (rd->n_records < 0 && connect_unsupported() && virConnectIsAlive(rd->conn) == 1) {
		rd->no_bulk = true;
		return read_list(rd, e);
	}
	if (rd->n_records < 0 || (part && stats_of_healthy(rd) < 0))
		return connect_err(e, "reading the statistics of all VMs");
	return 0;
}

/* ---- one VM ---- */

/* libvirt's true affinities and current pCPUs, into the cache. Never asks a monitor. */
static void read_vcpus(struct vm_cache *vm, virDomainPtr dom)
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
	free(info);
	free(maps);
	free(vm->vcpus);
	vm->vcpus = seen;
	vm->n_vcpus = seen ? (size_t)n : 0;
}

static void read_facts(struct vm_cache *vm, virDomainPtr dom)
{
	vm->persistent = virDomainIsPersistent(dom) == 1;
	char *live = virDomainGetXMLDesc(dom, 0);
	char *inactive = vm->persistent && live ? virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_INACTIVE) : NULL;
	/* Without the inactive XML a persistent VM's rules are unknown: better no facts than wrong ones. */
	if (live && (inactive || !vm->persistent) && domxml_parse(&vm->facts, live, inactive, NULL) == 0)
		vm->have_facts = true;
	vm->facts_ns = clock_ns();
	vm->dirty = false;
	free(live);
	free(inactive);
}

static void read_job(struct lv_reader *rd, struct vm_cache *vm, virDomainPtr dom)
{
	virDomainControlInfo info;
	vm->job_ns = clock_ns();
	if (virDomainGetControlInfo(dom, &info, 0) == 0)
		vm->job = info.state == VIR_DOMAIN_CONTROL_JOB;
	else
		rd->no_control = true;
}

/* Looks up the processes of all VMs that have none yet, in one walk. */
static void find_processes(struct lv_reader *rd)
{
	size_t n = 0, most = rd->caches.n;
	uint8_t(*uuids)[UUID_BYTES] = calloc(most + 1, UUID_BYTES);
	struct local_vm **vms = calloc(most + 1, sizeof *vms);
	int64_t now = clock_ns();
	for (size_t i = 0; uuids && vms && i < most; i++) {
		struct vm_cache *vm = rd->caches.vms[i];
		if (vm->round != rd->round || vm->local.pid ||
			(vm->local_tried_ns && now - vm->local_tried_ns < FIND_AGAIN_S * SECOND))
			continue;
		vm->local_tried_ns = now;
		memcpy(uuids[n], vm->uuid, UUID_BYTES);
		vms[n++] = &vm->local;
	}
	if (n)
		localhost_find("", uuids, vms, n);
	free(uuids);
	free(vms);
}

/* pCPU and affinity of every vCPU straight from /proc; false: one of them cannot be had there. */
static bool vcpus_from_proc(struct lv_reader *rd, struct vm_cache *vm, const struct vm_sample *v)
{
	bool all = rd->host.local && rd->order->use_proc && vm->local.pid;
	for (size_t i = 0; all && i < v->n_vcpus; i++) {
		struct vcpu_sample *c = &rd->sample.vcpus[v->first_vcpu + i];
		pid_t tid = c->online ? local_vm_tid(&vm->local, c->id) : 0;
		if (!c->online)
			continue;
		int cpu = tid ? localhost_pcpu("", &vm->local, tid) : -1;
		all = cpu >= 0 && localhost_affinity(tid, &c->affinity) == 0;
		if (!all)
			break;
		c->pcpu = vi64_ok(cpu);
		c->affinity_avail = AVAIL_OK;
	}
	if (!all && vm->local.pid && localhost_threads("", &vm->local) < 0)
		local_vm_done(&vm->local);
	return all;
}

static struct vcpu_sample *sampled_vcpu(struct lv_reader *rd, const struct vm_sample *v, int id)
{
	for (size_t i = 0; i < v->n_vcpus; i++)
		if (rd->sample.vcpus[v->first_vcpu + i].id == id)
			return &rd->sample.vcpus[v->first_vcpu + i];
	return NULL;
}

/* From the cache into the sample: vCPUs that the bulk call did not name, and what it did not say of the
 * others. */
static void vcpus_from_cache(struct lv_reader *rd, const struct vm_cache *vm, struct vm_sample *v)
{
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu_seen *from = &vm->vcpus[i];
		struct vcpu_sample *c = sampled_vcpu(rd, v, from->id);
		if (!c)
			c = sample_add_vcpu(&rd->sample, from->id);
		if (!c)
			return;
		c->online = true;
		c->pcpu = from->pcpu;
		c->affinity = from->affinity;
		c->affinity_avail = from->affinity_avail;
		if (!vi64_has(c->time_ns))
			c->time_ns = from->time_ns;
	}
}

static void reason_if_absent(struct vi64 *v, enum avail why)
{
	if (!vi64_has(*v))
		v->avail = why;
}

/* Affinity against the rules, and a reason for whatever is still missing. */
static void settle_vcpus(
	struct lv_reader *rd, const struct vm_cache *vm, const struct vm_sample *v, bool hung)
{
	struct cpuset online;
	sample_online(&rd->sample, &online);
	enum avail why = hung                                   ? AVAIL_HUNG
			 : vm->vcpus_avail == AVAIL_UNSUPPORTED ? AVAIL_UNSUPPORTED
								: AVAIL_NONE;
	for (size_t i = 0; i < v->n_vcpus; i++) {
		struct vcpu_sample *c = &rd->sample.vcpus[v->first_vcpu + i];
		if (vm->have_facts)
			dom_allowed(&vm->facts, c->id, &c->allowed);
		if (vm->local.has_cgroup)
			cpuset_and(&c->allowed, &vm->local.cgroup);
		c->pinned = c->affinity_avail == AVAIL_OK && !cpuset_subset(&online, &c->affinity);
		enum avail mine = c->online ? why : AVAIL_OFFLINE;
		reason_if_absent(&c->time_ns, mine);
		reason_if_absent(&c->pcpu, mine);
		reason_if_absent(
			&c->delay_ns, mine != AVAIL_NONE || rd->seen & SEEN_DELAY ? mine : AVAIL_UNSUPPORTED);
		if (c->affinity_avail != AVAIL_OK)
			c->affinity_avail = mine;
	}
}

/* A driver whose bulk call has no balloon group. */
static void memory_by_call(struct vm_sample *v, virDomainPtr dom)
{
	virDomainMemoryStatStruct st[VIR_DOMAIN_MEMORY_STAT_NR];
	virDomainInfo info;
	if (virDomainGetInfo(dom, &info) == 0) {
		v->mem.max_kib =
			info.maxMem <= INT64_MAX ? vi64_ok((int64_t)info.maxMem) : vi64_absent(AVAIL_NONE);
		v->mem.balloon_kib =
			info.memory <= INT64_MAX ? vi64_ok((int64_t)info.memory) : vi64_absent(AVAIL_NONE);
		reason_if_absent(&v->cpu_time_ns, AVAIL_NONE);
		if (!vi64_has(v->cpu_time_ns) && info.cpuTime <= INT64_MAX)
			v->cpu_time_ns = vi64_ok((int64_t)info.cpuTime);
	}
	int n = virDomainMemoryStats(dom, st, VIR_DOMAIN_MEMORY_STAT_NR, 0);
	if (n > 0)
		stats_memory(&v->mem, st, n);
}

static void settle_memory(struct lv_reader *rd, const struct vm_cache *vm, struct vm_sample *v, bool hung)
{
	struct stats_why w = {
		.asked = rd->order->groups & SAMPLE_BALLOON,
		.hung = hung || rd->order->safe_only,
		.running = v->state == VM_RUNNING || v->state == VM_BLOCKED,
		.reported = rd->seen & SEEN_BALLOON,
		.has_period = vm->have_facts,
		.period_s = vm->facts.period_s,
	};
	v->mem.balloon_device = !vm->have_facts || vm->facts.balloon_device;
	v->mem.period_s = vm->have_facts ? vi64_ok(vm->facts.period_s) : vi64_absent(AVAIL_NONE);
	v->mem.min_guarantee_kib = vm->facts.min_guarantee_kib;
	stats_memory_reasons(&v->mem, &w);
}

static void settle_io(const struct lv_reader *rd, struct vm_sample *v, bool hung)
{
	struct vi64 *block[] = {&v->io.rd_reqs, &v->io.wr_reqs, &v->io.rd_bytes, &v->io.wr_bytes};
	struct vi64 *net[] = {&v->io.rx_bytes, &v->io.tx_bytes, &v->io.rx_pkts, &v->io.tx_pkts};
	unsigned g = rd->order->groups;
	enum avail asked = hung ? AVAIL_HUNG : AVAIL_UNSUPPORTED;
	for (size_t i = 0; i < 4; i++) {
		reason_if_absent(block[i], g & SAMPLE_BLOCK ? asked : AVAIL_NOT_ASKED);
		reason_if_absent(net[i], g & SAMPLE_NET ? asked : AVAIL_NOT_ASKED);
	}
	reason_if_absent(&v->cpu_time_ns, asked);
}

static void apply_facts(const struct vm_cache *vm, struct vm_sample *v)
{
	v->flags = vm->have_facts ? vm->facts.flags : 0;
	if (vm->persistent)
		v->flags |= VM_FLAG_PERSISTENT;
	if (vm->job)
		v->flags |= VM_FLAG_JOB;
	v->quota_pct = vm->facts.quota_pct;
	v->mem_nodes = vm->facts.mem_nodes;
	v->mem_nodes_strict = vm->facts.mem_nodes_strict;
}

/* 0 .. n-1 by UUID: so that what is read now and then is not read for all VMs in one tick. */
static int spread(const struct vm_cache *vm, int n)
{
	return vm->uuid[UUID_BYTES - 1] % n;
}

static bool wants_facts(const struct vm_cache *vm)
{
	return !vm->have_facts || vm->dirty ||
	       clock_ns() - vm->facts_ns > (FACTS_AGE_S + spread(vm, FACTS_AGE_S / 2)) * SECOND;
}

static void read_vm(struct lv_reader *rd, struct vm_cache *vm, virDomainPtr dom, struct vm_sample *v)
{
	bool hung = v->hung_since_ns != 0, in_time = clock_ns() < rd->until_ns;
	if (wants_facts(vm)) {
		if (in_time)
			read_facts(vm, dom);
		else
			rd->unread++;
	}
	if (!vcpus_from_proc(rd, vm, v) || !v->n_vcpus || hung ||
		!vi64_has(rd->sample.vcpus[v->first_vcpu].time_ns)) {
		if (in_time)
			read_vcpus(vm, dom);
		vcpus_from_cache(rd, vm, v);
	}
	if (in_time && !rd->no_control &&
		clock_ns() - vm->job_ns > (JOB_AGE_S + spread(vm, JOB_AGE_S)) * SECOND)
		read_job(rd, vm, dom);
	if (in_time && rd->order->groups & SAMPLE_BALLOON && !(rd->seen & SEEN_BALLOON) && !hung &&
		!rd->order->safe_only)
		memory_by_call(v, dom);
	apply_facts(vm, v);
	settle_vcpus(rd, vm, v, hung);
	settle_memory(rd, vm, v, hung);
	settle_io(rd, v, hung);
}

/* ---- all of it ---- */

static virDomainPtr domain(const struct lv_reader *rd, int i)
{
	return rd->list ? rd->list[i] : rd->records[i]->dom;
}

/* Without a record the state is asked for. */
static void fill_state(struct lv_reader *rd, int i, struct vm_sample *v)
{
	virDomainInfo info;
	if (!rd->list)
		rd->seen |= stats_fill(&rd->sample, rd->records[i]->params, rd->records[i]->nparams);
	else if (virDomainGetInfo(rd->list[i], &info) == 0)
		v->state = stats_state(info.state);
}

static int add_vm(struct lv_reader *rd, int i, struct err *e)
{
	uint8_t uuid[UUID_BYTES];
	virDomainPtr dom = domain(rd, i);
	const char *name = virDomainGetName(dom);
	struct vm_cache *vm = virDomainGetUUID(dom, uuid) == 0 ? vm_cache_find(&rd->caches, uuid) : NULL;
	if (!vm)
		return 0;
	struct vm_sample *v = sample_add_vm(&rd->sample, uuid);
	if (!v)
		return err_set(e, ERR_NOMEM, "out of memory for a sample");
	v->id = vm->id;
	snprintf(v->name, sizeof v->name, "%s", name ? name : "");
	fill_state(rd, i, v);
	v->hung_since_ns = is_hung(rd, uuid) ? rd->bulk_ns : 0;
	read_vm(rd, vm, dom, v);
	return 0;
}

static int meet_vms(struct lv_reader *rd, struct err *e)
{
	uint8_t uuid[UUID_BYTES];
	rd->round++;
	for (int i = 0; i < rd->n_records; i++) {
		virDomainPtr dom = domain(rd, i);
		if (virDomainGetUUID(dom, uuid) < 0)
			continue;
		struct vm_cache *vm = vm_cache_get(&rd->caches, uuid, (int)virDomainGetID(dom));
		if (!vm)
			return err_set(e, ERR_NOMEM, "out of memory for a VM");
		vm->round = rd->round;
	}
	vm_cache_prune(&rd->caches, rd->round);
	if (rd->host.local && rd->order->use_proc)
		find_processes(rd);
	return 0;
}

static int add_vms(struct lv_reader *rd, struct err *e)
{
	int rc = meet_vms(rd, e);
	/* Begins elsewhere each time, so that whoever had to wait comes first some time. */
	int first = rd->n_records ? (int)(rd->round % (uint64_t)rd->n_records) : 0;
	for (int i = 0; i < rd->n_records && rc == 0; i++)
		rc = add_vm(rd, (first + i) % rd->n_records, e);
	return rc;
}

static void read_host(struct lv_reader *rd)
{
	struct host_sample *h = &rd->sample.host;
	h->local = rd->host.local && rd->order->use_proc;
	snprintf(h->hostname, sizeof h->hostname, "%s", rd->host.hostname);
	snprintf(h->hypervisor, sizeof h->hypervisor, "%s", rd->host.driver);
	if (!h->local || localhost_host("", &rd->sample) < 0) {
		h->local = false;
		host_read(rd->conn, &rd->sample, rd->order->budget_ns / 2);
	}
}

static void free_records(struct lv_reader *rd)
{
	if (rd->records)
		virDomainStatsRecordListFree(rd->records);
	for (int i = 0; rd->list && i < rd->n_records; i++)
		virDomainFree(rd->list[i]);
	free(rd->list);
	rd->records = NULL;
	rd->list = NULL;
	rd->n_records = 0;
}

static int read_all(struct lv_reader *rd, struct err *e)
{
	collect_hung(rd);
	if (read_records(rd, e) < 0)
		return -1;
	/* Rates are over the time between the bulk answers; what follows takes longer on some ticks than on
	 * others. */
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	rd->bulk_ns = rd->sample.time_ns = clock_ns();
	rd->sample.wall_ns = (int64_t)wall.tv_sec * SECOND + wall.tv_nsec;
	rd->until_ns = rd->bulk_ns + rd->order->budget_ns;
	read_host(rd);
	return add_vms(rd, e);
}

int lv_reader_run(struct lv_reader *rd, virConnectPtr c, const struct read_order *o, struct err *e)
{
	int64_t start = clock_ns();
	rd->conn = c;
	rd->order = o;
	rd->unread = 0;
	sample_reset(&rd->sample);
	int rc = read_all(rd, e);
	free_records(rd);
	rd->sample.took_ns = clock_ns() - start;
	if (rc == 0 && rd->unread)
		snprintf(rd->sample.note, sizeof rd->sample.note, "the rules of %zu VMs are still being read",
			rd->unread);
	rd->order = NULL;
	return rc;
}

int lv_reader_stuck(virConnectPtr c, int64_t min_ms, uint8_t (*uuids)[UUID_BYTES], int max, struct err *e)
{
	virDomainPtr *doms = NULL;
	virDomainControlInfo info;
	int n = virConnectListAllDomains(c, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE), stuck = 0;
	if (n < 0)
		return connect_err(e, "listing the VMs");
	for (int i = 0; i < n; i++) {
		if (stuck >= 0 && virDomainGetControlInfo(doms[i], &info, 0) < 0 && connect_unsupported())
			stuck = -1;
		else if (stuck >= 0 && stuck < max && info.state == VIR_DOMAIN_CONTROL_OCCUPIED &&
			 info.stateTime >= (unsigned long long)min_ms &&
			 virDomainGetUUID(doms[i], uuids[stuck]) == 0)
			stuck++;
		virDomainFree(doms[i]);
	}
	free(doms);
	return stuck;
}
