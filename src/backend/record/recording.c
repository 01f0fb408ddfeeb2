/* SPDX-License-Identifier: MIT */
/* Schema and field tables of recordings, and the check of a file before it is read. Invariant: a value of a
 * tick or fact table is a row here, so that writer and reader cannot disagree. */
#include "recording.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define GROUP(name, ...)                                                                                     \
	static const struct rec_field name##_fields[] = {__VA_ARGS__};                                       \
	const struct rec_group name = {name##_fields, COUNT(name##_fields)};                                 \
	_Static_assert(COUNT(name##_fields) <= REC_FIELDS_MAX, "room for the widest row");

/* clang-format off */
#define HOST(member) offsetof(struct host_sample, member)
#define PCPU(member) offsetof(struct pcpu_sample, member)
#define VM(member)   offsetof(struct vm_sample, member)
#define VCPU(member) offsetof(struct vcpu_sample, member)

#define COUNTER(column, at)     {column, at, REC_COUNTER, false}
#define GAUGE(column, at)       {column, at, REC_GAUGE, false}
#define REAL(column, at)        {column, at, REC_REAL, false}
#define AGE(column, at)         {column, at, REC_AGE, false}
#define KIB(column, at)         {column, at, REC_GAUGE, true}
#define KIB_COUNTER(column, at) {column, at, REC_COUNTER, true}

GROUP(rec_host,
	KIB("total_kib", HOST(total_kib)),
	KIB("available_kib", HOST(available_kib)),
	KIB("free_kib", HOST(free_kib)),
	REAL("psi_some_avg10", HOST(psi_some_avg10)),
	REAL("psi_full_avg10", HOST(psi_full_avg10)))
GROUP(rec_pcpu,
	COUNTER("busy_ns", PCPU(busy_ns)),
	COUNTER("idle_ns", PCPU(idle_ns)),
	COUNTER("steal_ns", PCPU(steal_ns)),
	REAL("speed_pct", PCPU(speed_pct)))
GROUP(rec_vm,
	COUNTER("cpu_time_ns", VM(cpu_time_ns)),
	KIB("balloon_kib", VM(mem.balloon_kib)),
	KIB("unused_kib", VM(mem.unused_kib)),
	KIB("usable_kib", VM(mem.usable_kib)),
	KIB("guest_kib", VM(mem.available_kib)),
	KIB("caches_kib", VM(mem.caches_kib)),
	KIB("rss_kib", VM(mem.rss_kib)),
	KIB_COUNTER("swap_in_kib", VM(mem.swap_in_kib)),
	KIB_COUNTER("swap_out_kib", VM(mem.swap_out_kib)),
	COUNTER("major_faults", VM(mem.major_faults)),
	AGE("stats_age_ns", VM(mem.last_update_ns)))
GROUP(rec_vm_seldom,
	REAL("quota_pct", VM(quota_pct)),
	REAL("group_quota_pct", VM(group_quota_pct)),
	KIB("max_kib", VM(mem.max_kib)),
	GAUGE("period_s", VM(mem.period_s)),
	KIB("min_guarantee_kib", VM(mem.min_guarantee_kib)))
GROUP(rec_vm_io,
	COUNTER("rd_reqs", VM(io.rd_reqs)),
	COUNTER("wr_reqs", VM(io.wr_reqs)),
	COUNTER("rd_bytes", VM(io.rd_bytes)),
	COUNTER("wr_bytes", VM(io.wr_bytes)),
	COUNTER("rx_bytes", VM(io.rx_bytes)),
	COUNTER("tx_bytes", VM(io.tx_bytes)),
	COUNTER("rx_pkts", VM(io.rx_pkts)),
	COUNTER("tx_pkts", VM(io.tx_pkts)))
GROUP(rec_vm_why,
	COUNTER("helper_run_ns", VM(facts.helper_ns)),
	COUNTER("helper_wait_ns", VM(facts.helper_delay_ns)),
	GAUGE("helper_pcpu", VM(facts.helper_pcpu)),
	KIB("swapped_kib", VM(facts.swapped_kib)),
	COUNTER("throttled_ns", VM(facts.throttled_ns)),
	REAL("psi_cpu_pct", VM(facts.psi_cpu)),
	REAL("psi_memory_pct", VM(facts.psi_memory)),
	REAL("psi_io_pct", VM(facts.psi_io)),
	COUNTER("exits", VM(facts.exits)),
	COUNTER("polled_ns", VM(facts.polled_ns)),
	COUNTER("disk_ns", VM(facts.disk_ns)),
	COUNTER("disk_reqs", VM(facts.disk_reqs)))
GROUP(rec_vm_why_seldom,
	GAUGE("weight", VM(facts.weight)),
	GAUGE("cpu_shares", VM(facts.cpu_shares)))
GROUP(rec_vcpu,
	COUNTER("run_ns", VCPU(time_ns)),
	COUNTER("wait_ns", VCPU(delay_ns)),
	GAUGE("pcpu", VCPU(pcpu)))

const struct rec_group *const rec_vm_groups[REC_VM_GROUPS] = {&rec_vm, &rec_vm_seldom, &rec_vm_io};
const struct rec_group *const rec_why_groups[REC_WHY_GROUPS] = {&rec_vm_why, &rec_vm_why_seldom};

/* Columns that are no rec_field come first in each table. */
const char recording_schema_sql[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE vm_config(n INTEGER PRIMARY KEY, pattern TEXT, key TEXT, value TEXT);"
	"CREATE TABLE setting(n INTEGER PRIMARY KEY, change INT, pattern TEXT, key TEXT, value TEXT);"
	"CREATE TABLE cpus(cpus_key INTEGER PRIMARY KEY, list TEXT UNIQUE);"
	"CREATE TABLE tick(tick INTEGER PRIMARY KEY, time_ns INT, wall_ns INT, begun_ns INT, took_ns INT, regular INT,"
	" key INT, note TEXT, absent TEXT,"
	" total_kib INT, available_kib INT, free_kib INT, psi_some_avg10 REAL, psi_full_avg10 REAL);"
	"CREATE TABLE decision(tick INTEGER PRIMARY KEY, auto_cpu INT, auto_memory INT, dry_run INT,"
	" cpu_policy TEXT, memory_policy TEXT, granularity TEXT, delay_s REAL, stddev_pct REAL,"
	" limit_pct REAL, found_pct REAL, bound_pct REAL, after_pct REAL, cpu_reason TEXT, cpu_why TEXT,"
	" memory_state TEXT, reserve_kib INT, give_kib INT, memory_reason TEXT, memory_why TEXT);"
	"CREATE TABLE node_tick(id INTEGER PRIMARY KEY, node INT, total_kib INT, free_kib INT);"
	"CREATE TABLE pcpu_fact(tick INT, pcpu INT, online INT, isolated INT, node INT, socket INT, core INT,"
	" llc INT, capacity INT, absent TEXT, busy_ns INT, idle_ns INT, steal_ns INT);"
	"CREATE TABLE pcpu_tick(id INTEGER PRIMARY KEY, pcpu INT, busy_ns INT, idle_ns INT, steal_ns INT,"
	" speed_pct REAL);"
	"CREATE TABLE vm(vm_key INTEGER PRIMARY KEY, uuid TEXT UNIQUE, name TEXT);"
	"CREATE TABLE vm_fact(tick INT, vm_key INT, name TEXT, id INT, state TEXT, flags INT, hung_since_ns INT,"
	" mem_nodes INT, mem_nodes_strict INT, balloon_device INT, quota_group INT, absent TEXT,"
	" cpu_time_ns INT, swap_in_kib INT, swap_out_kib INT, major_faults INT,"
	" quota_pct REAL, group_quota_pct REAL, max_kib INT, period_s INT, min_guarantee_kib INT,"
	" rd_reqs INT, wr_reqs INT, rd_bytes INT, wr_bytes INT, rx_bytes INT, tx_bytes INT, rx_pkts INT,"
	" tx_pkts INT);"
	"CREATE TABLE vm_tick(id INTEGER PRIMARY KEY, vm_key INT, cpu_time_ns INT, balloon_kib INT,"
	" unused_kib INT, usable_kib INT, guest_kib INT, caches_kib INT, rss_kib INT, swap_in_kib INT,"
	" swap_out_kib INT, major_faults INT, stats_age_ns INT);"
	"CREATE TABLE vm_io_tick(id INTEGER PRIMARY KEY, vm_key INT, rd_reqs INT, wr_reqs INT, rd_bytes INT,"
	" wr_bytes INT, rx_bytes INT, tx_bytes INT, rx_pkts INT, tx_pkts INT);"
	"CREATE TABLE vm_why_fact(id INTEGER PRIMARY KEY, vm_key INT, helper TEXT, absent TEXT,"
	" helper_run_ns INT, helper_wait_ns INT, throttled_ns INT, exits INT, polled_ns INT, disk_ns INT,"
	" disk_reqs INT, weight INT, cpu_shares INT);"
	"CREATE TABLE vm_why_tick(id INTEGER PRIMARY KEY, vm_key INT, helper_run_ns INT, helper_wait_ns INT,"
	" helper_pcpu INT, swapped_kib INT, throttled_ns INT, psi_cpu_pct REAL, psi_memory_pct REAL,"
	" psi_io_pct REAL, exits INT, polled_ns INT, disk_ns INT, disk_reqs INT);"
	"CREATE TABLE vcpu(vcpu_key INTEGER PRIMARY KEY, vm_key INT, vcpu INT, UNIQUE(vm_key, vcpu));"
	"CREATE TABLE vcpu_fact(tick INT, vcpu_key INT, online INT, affinity INT, affinity_absent TEXT,"
	" allowed INT, pinned INT, foreign_pin_ns INT, absent TEXT, run_ns INT, wait_ns INT);"
	"CREATE TABLE vcpu_tick(id INTEGER PRIMARY KEY, vcpu_key INT, run_ns INT, wait_ns INT, pcpu INT);"
	"CREATE TABLE action(tick INT, n INT, kind TEXT, vm_key INT, vcpu INT, from_cpus TEXT, to_cpus TEXT,"
	" from_pinned INT, from_value INT, to_value INT, reason TEXT, why TEXT, outcome TEXT, error TEXT);"
	"CREATE TABLE log(tick INT, wall_ns INT, kind TEXT, vm TEXT, vcpu INT, reason TEXT, memory INT,"
	" outcome TEXT, text TEXT);"
	"CREATE TABLE command(tick INT, time_ns INT, kind INT, is_on INT, number REAL, uuid TEXT, vcpu INT,"
	" cpus TEXT, text TEXT);"
	"CREATE INDEX pcpu_fact_at ON pcpu_fact(tick);"
	"CREATE INDEX vm_fact_at ON vm_fact(tick);"
	"CREATE INDEX vcpu_fact_at ON vcpu_fact(tick);"
	"CREATE INDEX action_at ON action(tick);"
	"CREATE INDEX log_at ON log(tick);"
	"CREATE INDEX command_at ON command(tick);";
/* For people: names, percent, ISO times. */
const char recording_views_sql[] =
	"CREATE VIEW ticks AS SELECT tick, strftime('%Y-%m-%dT%H:%M:%fZ', wall_ns / 1e9, 'unixepoch') AS time,"
	" (time_ns - (SELECT min(time_ns) FROM tick)) / 1e9 AS at_s,"
	" (time_ns - lag(time_ns) OVER (ORDER BY tick)) / 1e9 AS elapsed_s, total_kib, available_kib FROM tick;"
	"CREATE VIEW vcpu_rates AS SELECT t.tick, t.time, t.at_s, vm.name AS vm, vcpu.vcpu,"
	" round(run_ns / elapsed_s / 1e7, 1) AS usage_pct, round(wait_ns / elapsed_s / 1e7, 1) AS wait_pct,"
	" pcpu FROM vcpu_tick JOIN ticks t ON t.tick = vcpu_tick.id >> 20 JOIN vcpu USING (vcpu_key)"
	" JOIN vm USING (vm_key) WHERE elapsed_s > 0;"
	"CREATE VIEW pcpu_rates AS SELECT t.tick, t.time, t.at_s, pcpu,"
	" round(100.0 * busy_ns / (busy_ns + idle_ns), 1) AS busy_pct"
	" FROM pcpu_tick JOIN ticks t ON t.tick = pcpu_tick.id >> 20 WHERE busy_ns + idle_ns > 0;"
	"CREATE VIEW vm_memory AS SELECT t.tick, t.time, t.at_s, name AS vm, balloon_kib,"
	" balloon_kib - coalesce(usable_kib, unused_kib) AS used_kib, usable_kib, unused_kib, rss_kib,"
	" round(stats_age_ns / 1e9, 1) AS stats_age_s FROM vm_tick"
	" JOIN ticks t ON t.tick = vm_tick.id >> 20 JOIN vm USING (vm_key);"
	"CREATE VIEW actions AS SELECT t.tick, t.time, t.at_s, kind, name AS vm, vcpu,"
	" coalesce(from_cpus, from_value) AS was, coalesce(to_cpus, to_value) AS becomes, reason, why, outcome,"
	" error FROM action JOIN ticks t USING (tick) LEFT JOIN vm USING (vm_key);"
	"CREATE VIEW decisions AS SELECT t.time, t.at_s, d.* FROM decision d JOIN ticks t USING (tick);"
	"CREATE VIEW marks AS SELECT strftime('%Y-%m-%dT%H:%M:%fZ', wall_ns / 1e9, 'unixepoch') AS time, tick,"
	" text FROM log WHERE kind = 'mark';";
/* clang-format on */

const struct vi64 *rec_vi64_of(const void *object, const struct rec_field *field)
{
	return (const struct vi64 *)(const void *)((const char *)object + field->at);
}

struct vi64 *rec_vi64(void *object, const struct rec_field *field)
{
	return (struct vi64 *)(void *)((char *)object + field->at);
}

const struct vf64 *rec_vf64_of(const void *object, const struct rec_field *field)
{
	return (const struct vf64 *)(const void *)((const char *)object + field->at);
}

struct vf64 *rec_vf64(void *object, const struct rec_field *field)
{
	return (struct vf64 *)(void *)((char *)object + field->at);
}

enum avail rec_avail(const void *object, const struct rec_field *field)
{
	return field->type == REC_REAL ? rec_vf64_of(object, field)->avail
				       : rec_vi64_of(object, field)->avail;
}

static size_t absent_one(const void *object, const struct rec_field *field, char *buf, size_t used)
{
	enum avail avail = rec_avail(object, field);
	if (avail == AVAIL_OK)
		return used;
	int n = snprintf(buf + used, ABSENT_TEXT - used, "%s%s:%s", text_if(used, ","), field->column,
		avail_key(avail));
	if (n < 0 || used + (size_t)n >= ABSENT_TEXT) {
		buf[used] = '\0';
		return used;
	}
	return used + (size_t)n;
}

void rec_absent(const void *object, const struct rec_group *const *groups, size_t n, char buf[ABSENT_TEXT])
{
	size_t used = 0;
	buf[0] = '\0';
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < groups[g]->n; i++)
			used = absent_one(object, &groups[g]->fields[i], buf, used);
}

static enum avail avail_by_key(const char *key, size_t len)
{
	for (enum avail avail = AVAIL_NONE; avail < AVAIL_COUNT; avail++)
		if (strlen(avail_key(avail)) == len && strncmp(avail_key(avail), key, len) == 0)
			return avail;
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
	return AVAIL_OK;
}

const char *rec_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *t = sqlite3_column_text(stmt, column);
	return t ? (const char *)t : "";
}

int64_t rec_int(sqlite3_stmt *stmt, int column)
{
	return clamp(sqlite3_column_int64(stmt, column), -SAMPLE_NS_MOST, SAMPLE_NS_MOST);
}

int64_t rec_kib(sqlite3_stmt *stmt, int column)
{
	const int64_t most = INT64_C(1) << 48;
	return clamp(sqlite3_column_int64(stmt, column), -most, most);
}

double rec_real(sqlite3_stmt *stmt, int column)
{
	const double most = 1e15;
	double v = sqlite3_column_double(stmt, column);
	return v >= most ? most : max_of(v, -most);
}

static int pragma_value(sqlite3 *db, const char *sql, int64_t *value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	else
		rc = SQLITE_ERROR;
	sqlite3_finalize(stmt);
	return rc == SQLITE_OK ? 0 : -1;
}

static int check_head(sqlite3 *db, const char *path, struct err *err)
{
	int64_t id = 0, version = 0;
	if (pragma_value(db, "PRAGMA application_id", &id) < 0 ||
		pragma_value(db, "PRAGMA user_version", &version) < 0)
		return err_set(
			err, ERR_RUNTIME, "%.200s is not a readable recording: %s", path, sqlite3_errmsg(db));
	if (id != RECORDING_APPLICATION_ID)
		return err_set(err, ERR_RUNTIME, "%.200s is not a vmtop recording", path);
	if (version != RECORDING_SCHEMA)
		return err_set(err, ERR_RUNTIME,
			"%.200s has recording schema %lld; this vmtop reads schema %d", path,
			(long long)version, RECORDING_SCHEMA);
	return 0;
}

int recording_open(const char *path, sqlite3 **db, struct err *err)
{
	struct stat s;
	*db = NULL;
	if (stat(path, &s) < 0)
		return err_set(
			err, ERR_RUNTIME, "cannot open the recording %.200s: %s", path, strerror(errno));
	if (!S_ISREG(s.st_mode))
		return err_set(
			err, ERR_RUNTIME, "cannot open the recording %.200s: not a regular file", path);
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		err_set(err, ERR_RUNTIME, "cannot open the recording %.200s: %s", path, sqlite3_errmsg(*db));
	} else {
		sqlite3_busy_timeout(*db, 2000);
		if (recording_harmless(*db, s.st_size) != SQLITE_OK)
			err_set(err, ERR_NOMEM, "out of memory for reading %.200s", path);
		else if (check_head(*db, path, err) == 0 && recording_check(*db, path, err) == 0)
			return 0;
	}
	sqlite3_close_v2(*db);
	*db = NULL;
	return -1;
}
