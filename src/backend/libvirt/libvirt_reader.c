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
static void use_session(struct local_root *root, const char *uri)
{
	const char *path = strstr(uri, ":///session"), *end = path ? path + strlen(":///session") : "";
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *cache = getenv("XDG_CACHE_HOME"),
		   *home = getenv("HOME");
	char folder[sizeof root->pids];
	if (!path || (*end && *end != '?'))
		return;
	snprintf(folder, sizeof folder, "%s%s",
		runtime ? runtime
		: cache ? cache
			: text_or(home, ""),
		text_if(!(runtime || cache), "/.cache"));
	local_root_session(root, folder);
}

struct lv_reader *lv_reader_new(const struct connect_result *host, struct err *err)
{
	struct lv_reader *reader = calloc(1, sizeof *reader);
	if (!reader) {
		err_set(err, ERR_NOMEM, "out of memory for a reader");
		return NULL;
	}
	sample_init(&reader->sample);
	reader->host = *host;
	local_root_init(&reader->proc, "");
	use_session(&reader->proc, host->uri);
	return reader;
}

void lv_reader_free(struct lv_reader *reader)
{
	if (!reader)
		return;
	sample_done(&reader->sample);
	vm_cache_done(&reader->caches);
	free(reader->rows);
	free(reader);
}

struct sample *lv_reader_sample(struct lv_reader *reader)
{
	return &reader->sample;
}

void reader_waited(struct lv_reader *reader, int64_t since_ns, int n)
{
	reader->sample.cost.rpc_ns += clock_ns() - since_ns;
	reader->sample.cost.calls += n;
}

static void make_dirty(struct vm_cache *vm, unsigned what)
{
	vm->dirty = vm->dirty || what & DIRTY_FACTS;
	vm->vcpus_dirty = vm->vcpus_dirty || what & DIRTY_VCPUS;
	if (what & DIRTY_FACTS && !vm->local.pid)
		vm->local_tries = 0;
}

void lv_reader_dirty(struct lv_reader *reader, const uint8_t *uuid, unsigned what)
{
	struct vm_cache *vm = uuid ? vm_cache_find(&reader->caches, uuid) : NULL;
	if (vm)
		make_dirty(vm, what);
	for (size_t i = 0; !uuid && i < reader->caches.n; i++)
		make_dirty(reader->caches.vms[i], what);
}

const struct local_vm *lv_reader_process(const struct lv_reader *reader, const uint8_t *uuid)
{
	const struct vm_cache *vm = vm_cache_find(&reader->caches, uuid);
	return vm && vm->local.pid && vm->local.n_vcpus ? &vm->local : NULL;
}

void lv_reader_balloon(struct lv_reader *reader, const uint8_t *uuid, int64_t kib)
{
	struct vm_cache *vm = vm_cache_find(&reader->caches, uuid);
	if (vm)
		vm->balloon_kib = vi64_ok(kib);
}

/* ---- hung VMs ---- */

static bool is_hung(const struct lv_reader *reader, const uint8_t *uuid)
{
	for (size_t i = 0; i < reader->n_hung; i++)
		if (uuid_compare(reader->hung[i], uuid) == 0)
			return true;
	return false;
}

/* Whether a command to its monitor has no answer yet; asks libvirt's own books, never the monitor. */
static bool still_stuck(virConnectPtr conn, const uint8_t *uuid)
{
	virDomainControlInfo info;
	virDomainPtr dom = virDomainLookupByUUID(conn, uuid);
	bool stuck = dom && virDomainGetControlInfo(dom, &info, 0) == 0 &&
		     info.state == VIR_DOMAIN_CONTROL_OCCUPIED;
	if (dom)
		virDomainFree(dom);
	return stuck;
}

static void collect_hung(struct lv_reader *reader)
{
	reader->n_hung = 0;
	for (size_t i = 0; i < reader->order->n_hung; i++)
		if (still_stuck(reader->conn, reader->order->hung[i]))
			memcpy(reader->hung[reader->n_hung++], reader->order->hung[i], UUID_BYTES);
}

/* ---- the course of a reading ---- */

static int by_uuid(const void *a, const void *b)
{
	return uuid_compare(((const struct row *)a)->vm->uuid, ((const struct row *)b)->vm->uuid);
}

static int meet_vms(struct lv_reader *reader, struct err *err)
{
	uint8_t uuid[UUID_BYTES];
	size_t n = 0;
	reader->round++;
	for (size_t i = 0; i < reader->n_rows; i++) {
		struct row row = reader->rows[i];
		if (virDomainGetUUID(row.dom, uuid) < 0)
			continue;
		row.vm = vm_cache_get(&reader->caches, uuid, (int)virDomainGetID(row.dom));
		if (!row.vm)
			return err_set(err, ERR_NOMEM, "out of memory for a VM");
		row.hung = is_hung(reader, uuid);
		row.vm->round = reader->round;
		reader->rows[n++] = row;
	}
	vm_cache_prune(&reader->caches, reader->round);
	if (n)
		qsort(reader->rows, n, sizeof *reader->rows, by_uuid);
	reader->n_rows = n;
	return 0;
}

/* Guests without a balloon or without statistics have nothing that /proc and the XML do not tell, but for the
 * balloon beside virtio-mem. */
static bool has_statistics(const struct vm_cache *vm)
{
	return !vm->have_facts ||
	       (vm->facts.balloon_device && (vm->facts.period_s > 0 || vm->facts.virtio_mem));
}

static void make_wishes(struct lv_reader *reader, bool full)
{
	bool asked = reader->order->groups & SAMPLE_BALLOON && !reader->order->safe_only;
	for (size_t i = 0; i < reader->n_rows; i++) {
		struct row *row = &reader->rows[i];
		row->balloon = asked && !row->hung && (!row->local || has_statistics(row->vm));
		if (full || row->hung || !row->state)
			continue;
		row->want = bulk_groups(reader, row->local);
		if (!row->balloon)
			row->want &= ~(unsigned)VIR_DOMAIN_STATS_BALLOON;
	}
}

static void stamp(struct lv_reader *reader)
{
	reader->sample.time_ns = clock_ns();
	reader->sample.wall_ns = clock_wall_ns();
}

/* All processes are looked through for it: seldom. */
static uint32_t others_now(struct lv_reader *reader)
{
	int64_t now = clock_ns();
	if (!reader->others_ns || now - reader->others_ns > 60 * SECOND) {
		reader->others_ns = now;
		reader->others = others_find(reader->proc.root, getpid());
	}
	return reader->others;
}

static void read_host(struct lv_reader *reader)
{
	struct host_sample *host = &reader->sample.host;
	int64_t start = clock_ns();
	host->local = reader->local;
	snprintf(host->hostname, sizeof host->hostname, "%s", reader->host.hostname);
	snprintf(host->hypervisor, sizeof host->hypervisor, "%s", reader->host.driver);
	host->others = reader->local ? others_now(reader) : 0;
	if (!host->local || localhost_host(reader->proc.root, &reader->sample) < 0) {
		host->local = false;
		int64_t asked = clock_ns();
		struct host_order order = {
			reader->order->budget_ns / 2, reader->order->groups & SAMPLE_PCPUS};
		reader_waited(
			reader, asked, host_read(reader->conn, &reader->known, &reader->sample, &order));
	} else {
		localhost_speed(reader->proc.root, &reader->speeds, &reader->sample);
	}
	sample_online(&reader->sample, &reader->online);
	reader->sample.cost.host_ns = clock_ns() - start;
}

static int read_lists(struct lv_reader *reader, struct err *err)
{
	int64_t start = clock_ns();
	bool full = !local_may(reader) && !reader->order->n_hung && !reader->order->safe_only;
	collect_hung(reader);
	if (bulk_list(reader, VIR_DOMAIN_STATS_STATE | (full ? bulk_groups(reader, false) : 0), err) < 0 ||
		meet_vms(reader, err) < 0)
		return -1;
	local_rows(reader);
	if (reader->local)
		vm_learn(reader);
	make_wishes(reader, full);
	if (bulk_fetch(reader, err) < 0)
		return -1;
	reader->bulk_ns = clock_ns() - start;
	return 0;
}

static int add_vms(struct lv_reader *reader, struct err *err)
{
	for (size_t i = 0; i < reader->n_rows; i++) {
		struct vm_sample *vm = sample_add_vm(&reader->sample, reader->rows[i].vm->uuid);
		if (!vm)
			return err_set(err, ERR_NOMEM, "out of memory for a sample");
		vm_fill(reader, &reader->rows[i], vm);
	}
	return 0;
}

static int read_all(struct lv_reader *reader, struct err *err)
{
	reader->until_ns = clock_ns() + reader->order->budget_ns;
	reader->helper_looks = 0;
	if (read_lists(reader, err) < 0)
		return -1;
	/* Rates are over the time between readings of the counters; what follows takes longer on some ticks
	 * than on others. */
	stamp(reader);
	reader->until_ns = reader->sample.time_ns + reader->order->budget_ns;
	read_host(reader);
	if (reader->local)
		stamp(reader);
	if (add_vms(reader, err) < 0)
		return -1;
	vm_slow(reader);
	for (size_t i = 0; i < reader->n_rows; i++)
		vm_settle(reader, &reader->rows[i], &reader->sample.vms[i]);
	for (size_t i = 0; i < reader->n_rows; i++)
		reader->sample.cost.n_local += reader->rows[i].local;
	reader->sample.cost.n_bulk = (int)reader->n_rows - reader->sample.cost.n_local;
	return 0;
}

int lv_reader_run(
	struct lv_reader *reader, virConnectPtr conn, const struct read_order *order, struct err *err)
{
	int64_t start = clock_ns();
	reader->conn = conn;
	reader->order = order;
	reader->unread = 0;
	sample_reset(&reader->sample);
	int rc = read_all(reader, err);
	bulk_free(reader);
	reader->sample.took_ns = clock_ns() - start;
	if (rc == 0 && reader->unread)
		snprintf(reader->sample.note, sizeof reader->sample.note,
			"the rules of %zu VM%s are still being read", reader->unread, text_s(reader->unread));
	reader->order = NULL;
	return rc;
}

int lv_reader_stuck(
	virConnectPtr conn, int64_t min_ms, uint8_t (*uuids)[UUID_BYTES], int max, struct err *err)
{
	virDomainPtr *doms = NULL;
	virDomainControlInfo info;
	int n = virConnectListAllDomains(conn, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE), stuck = 0;
	if (n < 0)
		return connect_err(err, "listing the VMs");
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
