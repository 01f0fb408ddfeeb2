/* SPDX-License-Identifier: MIT */
/* Recorded runs and comparison of samples. */
#include "support/recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

/* In memory where that can be had: many small recordings wait for a disk longer than for anything else. */
static void folder(char buf[128])
{
	const char *tmp = getenv("TMPDIR");
	if (!tmp || !*tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(buf, 128, "%.80s/vmtop-rec.%d", tmp, (int)getpid());
}

const char *recorded_path(char buf[256], const char *name)
{
	char dir[128];
	folder(dir);
	mkdir(dir, 0700);
	snprintf(buf, 256, "%s/%s", dir, name);
	return buf;
}

void recorded_clean(void)
{
	char dir[128], command[160];
	folder(dir);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s remains\n", dir);
}

void recorded_run(const struct config *cfg, const char *scenario, int steps,
	void (*step)(struct engine *en, int i, void *arg), void *arg)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_record(run_open(scenario), cfg, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	if (!en)
		fail_msg("%s", e.msg);
	for (int i = 0; i < steps; i++) {
		if (step)
			step(en, i, arg);
		engine_step(en, &e);
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
}

int recorded_teardown(void **state)
{
	(void)state;
	recorded_clean();
	return 0;
}

static char difference[300];

static const char *differs(const char *what, long long at, double a, double b)
{
	snprintf(difference, sizeof difference, "%s of %lld: %.17g, %.17g", what, at, a, b);
	return difference;
}

#define SAME(field)                                                                                          \
	if (a->field != b->field)                                                                            \
	return differs(#field, at, (double)a->field, (double)b->field)
#define SAME_V(field)                                                                                        \
	SAME(field.avail);                                                                                   \
	if (a->field.avail == AVAIL_OK)                                                                      \
	SAME(field.v)

static const char *vm_differs(const struct vm_sample *a, const struct vm_sample *b, long long at)
{
	char clean[VM_NAME_BYTES];
	text_utf8(clean, sizeof clean, a->name);
	if (strcmp(clean, b->name) != 0 || uuid_compare(a->uuid, b->uuid) != 0)
		return differs("name", at, 0, 1);
	SAME(id);
	SAME(state);
	SAME(flags);
	SAME(hung_since_ns);
	SAME(n_vcpus);
	SAME(first_vcpu);
	SAME_V(cpu_time_ns);
	SAME_V(quota_pct);
	SAME_V(group_quota_pct);
	SAME(quota_group);
	SAME(mem_nodes);
	SAME(mem_nodes_strict);
	SAME_V(mem.max_kib);
	SAME_V(mem.balloon_kib);
	SAME_V(mem.unused_kib);
	SAME_V(mem.usable_kib);
	SAME_V(mem.available_kib);
	SAME_V(mem.caches_kib);
	SAME_V(mem.rss_kib);
	SAME_V(mem.swap_in_kib);
	SAME_V(mem.swap_out_kib);
	SAME_V(mem.major_faults);
	SAME_V(mem.last_update_ns);
	SAME_V(mem.period_s);
	SAME_V(mem.min_guarantee_kib);
	SAME(mem.balloon_device);
	SAME_V(io.rd_reqs);
	SAME_V(io.rd_bytes);
	SAME_V(io.wr_bytes);
	SAME_V(io.tx_pkts);
	SAME_V(facts.helper_ns);
	SAME_V(facts.helper_delay_ns);
	SAME_V(facts.helper_pcpu);
	SAME_V(facts.swapped_kib);
	SAME_V(facts.throttled_ns);
	SAME_V(facts.weight);
	SAME_V(facts.cpu_shares);
	SAME_V(facts.psi_cpu);
	SAME_V(facts.psi_memory);
	SAME_V(facts.psi_io);
	SAME_V(facts.exits);
	SAME_V(facts.polled_ns);
	SAME_V(facts.disk_ns);
	SAME_V(facts.disk_reqs);
	if (strcmp(a->facts.helper, b->facts.helper) != 0)
		return differs("helper", at, 0, 1);
	return NULL;
}

static const char *vcpu_differs(const struct vcpu_sample *a, const struct vcpu_sample *b, long long at)
{
	SAME(id);
	SAME(online);
	SAME_V(time_ns);
	SAME_V(delay_ns);
	SAME_V(pcpu);
	SAME(affinity_avail);
	SAME(pinned);
	SAME_V(foreign_pin_ns);
	if (!cpuset_equal(&a->affinity, &b->affinity) || !cpuset_equal(&a->allowed, &b->allowed))
		return differs("set", at, 0, 1);
	return NULL;
}

static const char *pcpu_differs(const struct pcpu_sample *a, const struct pcpu_sample *b, long long at)
{
	SAME(id);
	SAME(online);
	SAME(isolated);
	SAME(node);
	SAME(socket);
	SAME(core);
	SAME(capacity);
	SAME(llc);
	SAME_V(busy_ns);
	SAME_V(idle_ns);
	SAME_V(steal_ns);
	SAME_V(speed_pct);
	return NULL;
}

static const char *host_differs(const struct host_sample *a, const struct host_sample *b)
{
	long long at = 0;
	SAME(has_llc);
	SAME(local);
	SAME(n_pcpus);
	SAME(n_nodes);
	SAME_V(total_kib);
	SAME_V(available_kib);
	SAME_V(free_kib);
	SAME_V(psi_some_avg10);
	SAME_V(psi_full_avg10);
	for (size_t i = 0; i < a->n_nodes; i++)
		if (a->nodes[i].free_kib.v != b->nodes[i].free_kib.v || a->nodes[i].id != b->nodes[i].id)
			return differs("node", (long long)i, 0, 1);
	return strcmp(a->hostname, b->hostname) || strcmp(a->hypervisor, b->hypervisor) ? "host name" : NULL;
}

const char *recorded_differs(const struct sample *a, const struct sample *b)
{
	long long at = 0;
	SAME(time_ns);
	SAME(wall_ns);
	SAME(took_ns);
	SAME(n_vms);
	SAME(n_vcpus);
	const char *d = strcmp(a->note, b->note) ? "note" : host_differs(&a->host, &b->host);
	for (size_t i = 0; !d && i < a->host.n_pcpus; i++)
		d = pcpu_differs(&a->host.pcpus[i], &b->host.pcpus[i], (long long)i);
	for (size_t i = 0; !d && i < a->n_vms; i++) {
		const struct vm_sample *x = &a->vms[i], *y = &b->vms[i];
		d = vm_differs(x, y, (long long)i);
		for (size_t k = 0; !d && k < x->n_vcpus; k++)
			d = vcpu_differs(&a->vcpus[x->first_vcpu + k], &b->vcpus[y->first_vcpu + k],
				(long long)(x->first_vcpu + k));
	}
	return d;
}

void recorded_spoil(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
		sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

int64_t recorded_int(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	int64_t v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}
