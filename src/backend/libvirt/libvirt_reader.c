/* SPDX-License-Identifier: MIT */
/* Takes one sample through a libvirt connection. On this machine: which VMs run from libvirt, their vCPUs
 * from /proc, and a monitor is asked only for guest statistics that exist. Elsewhere, and for VMs that /proc
 * does not show: one bulk call. Then what is read now and then, as far as the time allows. Invariant: a
 * monitor is never asked for a VM in the order's hung list. Must not know: links, deadlines of calls,
 * controllers. */
#include "libvirt_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../host/localhost.h"
#include "../host/others.h"
#include "libvirt_rows.h"
#include "libvirt_stats.h"
#include "link.h"
#include "vmtop/clock.h"
#include "vmtop/err.h"
#include "vmtop/text.h"

#define SECOND INT64_C(1000000000)

/* A user's own libvirt: its files are where that user's programs have theirs, as GLib finds the place. */
static void use_session(struct local_root *lr, const char *uri)
{
	const char *path = strstr(uri, ":///session"), *end = path ? path + strlen(":///session") : "";
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *cache = getenv("XDG_CACHE_HOME"),
		   *home = getenv("HOME");
	char folder[sizeof lr->pids];
	if (!path || (*end && *end != '?'))
		return;
	snprintf(folder, sizeof folder, "%s%s",
		runtime ? runtime
		: cache ? cache
		: home  ? home
			: "",
		runtime || cache ? "" : "/.cache");
	local_root_session(lr, folder);
}

struct lv_reader *lv_reader_new(const struct connect_result *host, struct err *e)
{
	struct lv_reader *rd = calloc(1, sizeof *rd);
	if (!rd) {
		err_set(e, ERR_NOMEM, "out of memory for a reader");
		return NULL;
	}
	sample_init(&rd->sample);
	rd->host = *host;
	local_root_init(&rd->proc, "");
	use_session(&rd->proc, host->uri);
	return rd;
}

void lv_reader_free(struct lv_reader *rd)
{
	if (!rd)
		return;
	sample_done(&rd->sample);
	vm_cache_done(&rd->caches);
	free(rd->rows);
	free(rd);
}

struct sample *lv_reader_sample(struct lv_reader *rd)
{
	return &rd->sample;
}

void reader_waited(struct lv_reader *rd, int64_t since_ns, int n)
{
	rd->sample.cost.rpc_ns += clock_ns() - since_ns;
	rd->sample.cost.calls += n;
}

static void make_dirty(struct vm_cache *vm, unsigned what)
{
	vm->dirty = vm->dirty || what & DIRTY_FACTS;
	vm->vcpus_dirty = vm->vcpus_dirty || what & DIRTY_VCPUS;
	if (what & DIRTY_FACTS && !vm->local.pid)
		vm->local_tries = 0;
}

void lv_reader_dirty(struct lv_reader *rd, const uint8_t *uuid, unsigned what)
{
	struct vm_cache *vm = uuid ? vm_cache_find(&rd->caches, uuid) : NULL;
	if (vm)
		make_dirty(vm, what);
	for (size_t i = 0; !uuid && i < rd->caches.n; i++)
		make_dirty(rd->caches.vms[i], what);
}

const struct local_vm *lv_reader_process(const struct lv_reader *rd, const uint8_t *uuid)
{
	const struct vm_cache *vm = vm_cache_find(&rd->caches, uuid);
	return vm && vm->local.pid && vm->local.n_vcpus ? &vm->local : NULL;
}

void lv_reader_balloon(struct lv_reader *rd, const uint8_t *uuid, int64_t kib)
{
	struct vm_cache *vm = vm_cache_find(&rd->caches, uuid);
	if (vm)
		vm->balloon_kib = vi64_ok(kib);
}

/* ---- hung VMs ---- */

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

static void collect_hung(struct lv_reader *rd)
{
	rd->n_hung = 0;
	for (size_t i = 0; i < rd->order->n_hung; i++)
		if (still_stuck(rd->conn, rd->order->hung[i]))
			memcpy(rd->hung[rd->n_hung++], rd->order->hung[i], UUID_BYTES);
}

/* ---- the course of a reading ---- */

static int by_uuid(const void *a, const void *b)
{
	return uuid_compare(((const struct row *)a)->vm->uuid, ((const struct row *)b)->vm->uuid);
}

static int meet_vms(struct lv_reader *rd, struct err *e)
{
	uint8_t uuid[UUID_BYTES];
	size_t n = 0;
	rd->round++;
	for (size_t i = 0; i < rd->n_rows; i++) {
		struct row row = rd->rows[i];
		if (virDomainGetUUID(row.dom, uuid) < 0)
			continue;
		row.vm = vm_cache_get(&rd->caches, uuid, (int)virDomainGetID(row.dom));
		if (!row.vm)
			return err_set(e, ERR_NOMEM, "out of memory for a VM");
		row.hung = is_hung(rd, uuid);
		row.vm->round = rd->round;
		rd->rows[n++] = row;
	}
	vm_cache_prune(&rd->caches, rd->round);
	if (n)
		qsort(rd->rows, n, sizeof *rd->rows, by_uuid);
	rd->n_rows = n;
	return 0;
}

/* Guests without a balloon or without statistics have nothing that /proc and the XML do not tell, but for the
 * balloon beside virtio-mem. */
static bool has_statistics(const struct vm_cache *vm)
{
	return !vm->have_facts ||
	       (vm->facts.balloon_device && (vm->facts.period_s > 0 || vm->facts.virtio_mem));
}

static void make_wishes(struct lv_reader *rd, bool full)
{
	bool asked = rd->order->groups & SAMPLE_BALLOON && !rd->order->safe_only;
	for (size_t i = 0; i < rd->n_rows; i++) {
		struct row *row = &rd->rows[i];
		row->balloon = asked && !row->hung && (!row->local || has_statistics(row->vm));
		if (full || row->hung || !row->state)
			continue;
		row->want = bulk_groups(rd, row->local);
		if (!row->balloon)
			row->want &= ~(unsigned)VIR_DOMAIN_STATS_BALLOON;
	}
}

static void stamp(struct lv_reader *rd)
{
	rd->sample.time_ns = clock_ns();
	rd->sample.wall_ns = clock_wall_ns();
}

/* All processes are looked through for it: seldom. */
static uint32_t others_now(struct lv_reader *rd)
{
	int64_t now = clock_ns();
	if (!rd->others_ns || now - rd->others_ns > 60 * SECOND) {
		rd->others_ns = now;
		rd->others = others_find(rd->proc.root, getpid());
	}
	return rd->others;
}

static void read_host(struct lv_reader *rd)
{
	struct host_sample *h = &rd->sample.host;
	int64_t start = clock_ns();
	h->local = rd->local;
	snprintf(h->hostname, sizeof h->hostname, "%s", rd->host.hostname);
	snprintf(h->hypervisor, sizeof h->hypervisor, "%s", rd->host.driver);
	h->others = rd->local ? others_now(rd) : 0;
	if (!h->local || localhost_host(rd->proc.root, &rd->sample) < 0) {
		h->local = false;
		int64_t asked = clock_ns();
		struct host_order o = {rd->order->budget_ns / 2, rd->order->groups & SAMPLE_PCPUS};
		reader_waited(rd, asked, host_read(rd->conn, &rd->known, &rd->sample, &o));
	} else {
		localhost_speed(rd->proc.root, &rd->speeds, &rd->sample);
	}
	sample_online(&rd->sample, &rd->online);
	rd->sample.cost.host_ns = clock_ns() - start;
}

static int read_lists(struct lv_reader *rd, struct err *e)
{
	int64_t start = clock_ns();
	bool full = !local_may(rd) && !rd->order->n_hung && !rd->order->safe_only;
	collect_hung(rd);
	if (bulk_list(rd, VIR_DOMAIN_STATS_STATE | (full ? bulk_groups(rd, false) : 0), e) < 0 ||
		meet_vms(rd, e) < 0)
		return -1;
	local_rows(rd);
	if (rd->local)
		vm_learn(rd);
	make_wishes(rd, full);
	if (bulk_fetch(rd, e) < 0)
		return -1;
	rd->bulk_ns = clock_ns() - start;
	return 0;
}

static int add_vms(struct lv_reader *rd, struct err *e)
{
	for (size_t i = 0; i < rd->n_rows; i++) {
		struct vm_sample *v = sample_add_vm(&rd->sample, rd->rows[i].vm->uuid);
		if (!v)
			return err_set(e, ERR_NOMEM, "out of memory for a sample");
		vm_fill(rd, &rd->rows[i], v);
	}
	return 0;
}

static int read_all(struct lv_reader *rd, struct err *e)
{
	rd->until_ns = clock_ns() + rd->order->budget_ns;
	rd->helper_looks = 0;
	if (read_lists(rd, e) < 0)
		return -1;
	/* Rates are over the time between readings of the counters; what follows takes longer on some ticks
	 * than on others. */
	stamp(rd);
	rd->until_ns = rd->sample.time_ns + rd->order->budget_ns;
	read_host(rd);
	if (rd->local)
		stamp(rd);
	if (add_vms(rd, e) < 0)
		return -1;
	vm_slow(rd);
	for (size_t i = 0; i < rd->n_rows; i++)
		vm_settle(rd, &rd->rows[i], &rd->sample.vms[i]);
	for (size_t i = 0; i < rd->n_rows; i++)
		rd->sample.cost.n_local += rd->rows[i].local;
	rd->sample.cost.n_bulk = (int)rd->n_rows - rd->sample.cost.n_local;
	return 0;
}

int lv_reader_run(struct lv_reader *rd, virConnectPtr c, const struct read_order *o, struct err *e)
{
	int64_t start = clock_ns();
	rd->conn = c;
	rd->order = o;
	rd->unread = 0;
	sample_reset(&rd->sample);
	int rc = read_all(rd, e);
	bulk_free(rd);
	rd->sample.took_ns = clock_ns() - start;
	if (rc == 0 && rd->unread)
		snprintf(rd->sample.note, sizeof rd->sample.note,
			"the rules of %zu VM%s are still being read", rd->unread, text_s(rd->unread));
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
