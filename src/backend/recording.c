/* SPDX-License-Identifier: MIT */
/* Schema and field tables of recordings. Invariant: a column of a tick table is a row here, so that writer
 * and reader cannot disagree. Knows no SQLite call. */
#include "recording.h"

#include <stdio.h>
#include <string.h>

#define VM(member) offsetof(struct vm_sample, member)

const struct rec_field rec_host_fields[] = {
	{"total_kib", offsetof(struct host_sample, total_kib), REC_GAUGE},
	{"available_kib", offsetof(struct host_sample, available_kib), REC_GAUGE},
	{"free_kib", offsetof(struct host_sample, free_kib), REC_GAUGE},
	{"psi_some_avg10", offsetof(struct host_sample, psi_some_avg10), REC_REAL},
	{"psi_full_avg10", offsetof(struct host_sample, psi_full_avg10), REC_REAL},
};
const struct rec_field rec_pcpu_fields[] = {
	{"busy_ns", offsetof(struct pcpu_sample, busy_ns), REC_COUNTER},
	{"idle_ns", offsetof(struct pcpu_sample, idle_ns), REC_COUNTER},
};
const struct rec_field rec_vm_fields[] = {
	{"cpu_time_ns", VM(cpu_time_ns), REC_COUNTER},
	{"quota_pct", VM(quota_pct), REC_REAL},
	{"max_kib", VM(mem.max_kib), REC_GAUGE},
	{"balloon_kib", VM(mem.balloon_kib), REC_GAUGE},
	{"unused_kib", VM(mem.unused_kib), REC_GAUGE},
	{"usable_kib", VM(mem.usable_kib), REC_GAUGE},
	{"guest_kib", VM(mem.available_kib), REC_GAUGE},
	{"caches_kib", VM(mem.caches_kib), REC_GAUGE},
	{"rss_kib", VM(mem.rss_kib), REC_GAUGE},
	{"swap_in_kib", VM(mem.swap_in_kib), REC_COUNTER},
	{"swap_out_kib", VM(mem.swap_out_kib), REC_COUNTER},
	{"major_faults", VM(mem.major_faults), REC_COUNTER},
	{"last_update_ns", VM(mem.last_update_ns), REC_GAUGE},
	{"period_s", VM(mem.period_s), REC_GAUGE},
	{"min_guarantee_kib", VM(mem.min_guarantee_kib), REC_GAUGE},
	{"rd_reqs", VM(io.rd_reqs), REC_COUNTER},
	{"wr_reqs", VM(io.wr_reqs), REC_COUNTER},
	{"rd_bytes", VM(io.rd_bytes), REC_COUNTER},
	{"wr_bytes", VM(io.wr_bytes), REC_COUNTER},
	{"rx_bytes", VM(io.rx_bytes), REC_COUNTER},
	{"tx_bytes", VM(io.tx_bytes), REC_COUNTER},
	{"rx_pkts", VM(io.rx_pkts), REC_COUNTER},
	{"tx_pkts", VM(io.tx_pkts), REC_COUNTER},
};
const struct rec_field rec_vcpu_fields[] = {
	{"run_ns", offsetof(struct vcpu_sample, time_ns), REC_COUNTER},
	{"wait_ns", offsetof(struct vcpu_sample, delay_ns), REC_COUNTER},
	{"pcpu", offsetof(struct vcpu_sample, pcpu), REC_GAUGE},
};
#undef VM

#define COUNT(a) (sizeof(a) / sizeof *(a))
const size_t n_rec_host_fields = COUNT(rec_host_fields);
const size_t n_rec_pcpu_fields = COUNT(rec_pcpu_fields);
const size_t n_rec_vm_fields = COUNT(rec_vm_fields);
const size_t n_rec_vcpu_fields = COUNT(rec_vcpu_fields);
_Static_assert(COUNT(rec_vm_fields) <= REC_FIELDS_MAX, "room for the widest row");

/* Columns that are no rec_field come first in each table. */
const char recording_schema_sql[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE tick(tick INTEGER PRIMARY KEY, time_ns INT, wall_ns INT, took_ns INT, regular INT, "
	"note TEXT, absent TEXT,"
	" total_kib INT, available_kib INT, free_kib INT, psi_some_avg10 REAL, psi_full_avg10 REAL);"
	"CREATE TABLE cpus(cpus INTEGER PRIMARY KEY, list TEXT UNIQUE);"
	"CREATE TABLE pcpu_fact(tick INT, pcpu INT, online INT, isolated INT, node INT, socket INT, core "
	"INT, llc INT,"
	" absent TEXT);"
	"CREATE TABLE pcpu_tick(id INTEGER PRIMARY KEY, pcpu INT, busy_ns INT, idle_ns INT);"
	"CREATE TABLE node_fact(tick INT, node INT, total_kib INT, free_kib INT);"
	"CREATE TABLE vm(vm INTEGER PRIMARY KEY, uuid TEXT UNIQUE, name TEXT);"
	"CREATE TABLE vm_fact(tick INT, vm INT, name TEXT, id INT, state TEXT, flags INT, hung_since_ns INT, "
	"mem_nodes INT,"
	" mem_nodes_strict INT, balloon_device INT, absent TEXT);"
	"CREATE TABLE vm_tick(id INTEGER PRIMARY KEY, vm INT, cpu_time_ns INT, quota_pct REAL, max_kib INT, "
	"balloon_kib INT,"
	" unused_kib INT, usable_kib INT, guest_kib INT, caches_kib INT, rss_kib INT, swap_in_kib INT, "
	"swap_out_kib INT,"
	" major_faults INT, last_update_ns INT, period_s INT, min_guarantee_kib INT, rd_reqs INT, wr_reqs "
	"INT,"
	" rd_bytes INT, wr_bytes INT, rx_bytes INT, tx_bytes INT, rx_pkts INT, tx_pkts INT);"
	"CREATE TABLE vcpu(row INTEGER PRIMARY KEY, vm INT, vcpu INT, UNIQUE(vm, vcpu));"
	"CREATE TABLE vcpu_fact(tick INT, row INT, online INT, affinity INT, affinity_absent TEXT, allowed "
	"INT, pinned INT,"
	" foreign_pin_ns INT, absent TEXT);"
	"CREATE TABLE vcpu_tick(id INTEGER PRIMARY KEY, row INT, run_ns INT, wait_ns INT, pcpu INT);"
	"CREATE TABLE action(tick INT, n INT, kind TEXT, vm INT, vcpu INT, from_cpus TEXT, to_cpus TEXT, "
	"from_value INT,"
	" to_value INT, reason TEXT, why TEXT, outcome TEXT, error TEXT);"
	"CREATE TABLE log(tick INT, wall_ns INT, kind TEXT, vm TEXT, vcpu INT, reason TEXT, memory INT,"
	" outcome TEXT, text TEXT);"
	"CREATE INDEX vm_fact_of ON vm_fact(vm, tick);"
	"CREATE INDEX vcpu_fact_of ON vcpu_fact(row, tick);"
	"CREATE INDEX action_at ON action(tick);"
	"CREATE INDEX log_at ON log(tick);"
	/* For people: names, percent, ISO times. */
	"CREATE VIEW ticks AS SELECT tick, strftime('%Y-%m-%dT%H:%M:%fZ', wall_ns / 1e9, 'unixepoch') AS "
	"time,"
	" (time_ns - lag(time_ns) OVER (ORDER BY tick)) / 1e9 AS elapsed_s, available_kib, total_kib FROM "
	"tick;"
	"CREATE VIEW vcpu_usage AS SELECT t.tick, t.time, vm.name, vcpu.vcpu, round(run_ns / elapsed_s / "
	"1e7, 1) AS usage_pct,"
	" round(wait_ns / elapsed_s / 1e7, 1) AS wait_pct, pcpu FROM vcpu_tick JOIN ticks t ON t.tick = "
	"vcpu_tick.id >> 20"
	" JOIN vcpu USING (row) JOIN vm USING (vm) WHERE elapsed_s > 0;"
	"CREATE VIEW pcpu_usage AS SELECT t.tick, t.time, pcpu, round(100.0 * busy_ns / (busy_ns + idle_ns), "
	"1) AS busy_pct"
	" FROM pcpu_tick JOIN ticks t ON t.tick = pcpu_tick.id >> 20 WHERE busy_ns + idle_ns > 0 AND "
	"elapsed_s > 0;"
	"CREATE VIEW memory AS SELECT t.tick, t.time, name, balloon_kib, unused_kib, usable_kib, rss_kib "
	"FROM vm_tick"
	" JOIN ticks t ON t.tick = vm_tick.id >> 20 JOIN vm USING (vm);"
	"CREATE VIEW actions AS SELECT t.tick, t.time, kind, name, vcpu, coalesce(from_cpus, from_value) AS "
	"was,"
	" coalesce(to_cpus, to_value) AS becomes, reason, why, outcome, error FROM action JOIN ticks t USING "
	"(tick)"
	" JOIN vm USING (vm);";

enum avail rec_avail(const void *object, const struct rec_field *f)
{
	const char *p = (const char *)object + f->at;
	if (f->type == REC_REAL)
		return ((const struct vf64 *)(const void *)p)->avail;
	return ((const struct vi64 *)(const void *)p)->avail;
}

void rec_absent(const void *object, const struct rec_field *f, size_t n, char buf[ABSENT_TEXT])
{
	size_t used = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		enum avail a = rec_avail(object, &f[i]);
		if (a == AVAIL_OK)
			continue;
		int len = snprintf(buf + used, ABSENT_TEXT - used, "%s%s:%s", used ? "," : "", f[i].column,
			avail_key(a));
		if (len < 0 || used + (size_t)len >= ABSENT_TEXT) {
			buf[used] = '\0';
			return;
		}
		used += (size_t)len;
	}
}

static enum avail avail_by_key(const char *key, size_t len)
{
	for (enum avail a = AVAIL_NONE; a < AVAIL_COUNT; a++)
		if (strlen(avail_key(a)) == len && strncmp(avail_key(a), key, len) == 0)
			return a;
	return AVAIL_NONE;
}

enum avail rec_absent_reason(const char *list, const char *column)
{
	size_t len = strlen(column);
	for (const char *p = list; p && *p;) {
		const char *end = strchr(p, ',');
		size_t item = end ? (size_t)(end - p) : strlen(p);
		if (item > len && p[len] == ':' && strncmp(p, column, len) == 0)
			return avail_by_key(p + len + 1, item - len - 1);
		p = end ? end + 1 : NULL;
	}
	return AVAIL_NONE;
}
