/* SPDX-License-Identifier: MIT */
/* Replay: a backend that plays a recording. Invariant: samples come in the order in which they were taken,
 * and now() is the recording's time. Reads, never writes; the file may still be growing. */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay_priv.h"
#include "vmtop/command.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* Samples before a place that is jumped to, so that averages there are what they were; fewer where each has
 * so many vCPUs and VMs that a jump would be felt: there an average may still lean to the first of them. */
enum { LEAD = 10, LEAD_MANY = 4, MANY = 2000 };
/* And so that graphs are not empty there: ticks, and vCPUs and VMs in all of them. It takes half a second at
 * most. */
enum { LEAD_GRAPHS = 200, LEAD_ROWS = 30000 };

#define ROWS " WHERE id BETWEEN ?1 << 20 AND (?1 << 20) + 1048575 ORDER BY id"
#define LOG  "SELECT " REC_LOG_COLUMNS " FROM log"
#define PCPU_FACT(capacity, steal)                                                                           \
	"SELECT pcpu, online, isolated, node, socket, core, llc, " capacity                                  \
	", absent, busy_ns, idle_ns, " steal " FROM pcpu_fact WHERE tick = ?1"
#define PCPU(steal, speed) "SELECT pcpu, busy_ns, idle_ns, " steal ", " speed " FROM pcpu_tick" ROWS
#define VM_FACT(group, group_pct)                                                                            \
	"SELECT f.vm_key, vm.uuid, f.name, id, state, flags, hung_since_ns, mem_nodes,"                      \
	" mem_nodes_strict, balloon_device, " group ", absent, cpu_time_ns, swap_in_kib, swap_out_kib,"      \
	" major_faults, quota_pct, " group_pct ", max_kib, period_s, min_guarantee_kib, rd_reqs, wr_reqs,"   \
	" rd_bytes, wr_bytes, rx_bytes, tx_bytes, rx_pkts, tx_pkts"                                          \
	" FROM vm_fact f JOIN vm USING (vm_key) WHERE f.tick = ?1 ORDER BY f.vm_key"
#define VM_WHY_FACT(shares)                                                                                  \
	"SELECT vm_key, helper, absent, helper_run_ns, helper_wait_ns, throttled_ns, exits, polled_ns,"      \
	" disk_ns, disk_reqs, weight, " shares " FROM vm_why_fact" ROWS
static const char *const query_sql[] = {
	[Q_TICK] = "SELECT time_ns, wall_ns, took_ns, note, absent, total_kib, available_kib, free_kib,"
		   " psi_some_avg10, psi_full_avg10 FROM tick WHERE tick = ?1",
	[Q_NODE] = "SELECT node, total_kib, free_kib FROM node_tick" ROWS,
	[Q_PCPU_FACT] = PCPU_FACT("capacity", "steal_ns"),
	[Q_PCPU] = PCPU("steal_ns", "speed_pct"),
	[Q_VM_FACT] = VM_FACT("quota_group", "group_quota_pct"),
	[Q_VM] = "SELECT vm_key, cpu_time_ns, balloon_kib, unused_kib, usable_kib, guest_kib, caches_kib,"
		 " rss_kib, swap_in_kib, swap_out_kib, major_faults, stats_age_ns FROM vm_tick" ROWS,
	[Q_VM_IO] = "SELECT vm_key, rd_reqs, wr_reqs, rd_bytes, wr_bytes, rx_bytes, tx_bytes, rx_pkts,"
		    " tx_pkts FROM vm_io_tick" ROWS,
	[Q_VM_WHY_FACT] = VM_WHY_FACT("cpu_shares"),
	[Q_VM_WHY] = "SELECT vm_key, helper_run_ns, helper_wait_ns, helper_pcpu, swapped_kib, throttled_ns,"
		     " psi_cpu_pct, psi_memory_pct, psi_io_pct, exits, polled_ns, disk_ns, disk_reqs"
		     " FROM vm_why_tick" ROWS,
	[Q_VCPU_FACT] =
		"SELECT f.vcpu_key, c.vm_key, c.vcpu, online, a.list, affinity_absent, b.list, pinned,"
		" foreign_pin_ns, absent, run_ns, wait_ns FROM vcpu_fact f JOIN vcpu c USING (vcpu_key)"
		" LEFT JOIN cpus a ON a.cpus_key = affinity LEFT JOIN cpus b ON b.cpus_key = allowed"
		" WHERE f.tick = ?1 ORDER BY f.vcpu_key",
	[Q_VCPU] = "SELECT vcpu_key, run_ns, wait_ns, pcpu FROM vcpu_tick" ROWS,
	[Q_LOG] = LOG " WHERE tick = ?1 ORDER BY rowid LIMIT ?2",
	[Q_LOG_UP_TO] =
		"SELECT " REC_LOG_COLUMNS " FROM (SELECT " REC_LOG_COLUMNS ", tick, rowid AS line FROM log"
		" WHERE tick <= ?1 ORDER BY tick DESC, rowid DESC LIMIT ?2) ORDER BY tick, line",
	[Q_ACTION] = "SELECT kind, uuid, vcpu, from_cpus, to_cpus, from_pinned, from_value, to_value, reason,"
		     " why, outcome, error FROM action JOIN vm USING (vm_key) WHERE tick = ?1"
		     " ORDER BY action.rowid",
	[Q_DECISION] =
		"SELECT auto_cpu, auto_memory, dry_run, cpu_policy, memory_policy, granularity, delay_s,"
		" stddev_pct, limit_pct, found_pct, bound_pct, after_pct, cpu_reason, cpu_why,"
		" memory_state, reserve_kib, give_kib, memory_reason, memory_why FROM decision"
		" WHERE tick = ?1",
	[Q_COMMAND] = "SELECT rowid, time_ns, kind, is_on, number, uuid, vcpu, cpus, text FROM command"
		      " WHERE tick <= ?1 AND rowid > ?2 ORDER BY rowid LIMIT 1",
	[Q_NEXT] = "SELECT tick, time_ns, regular, begun_ns FROM tick WHERE tick > ?1 ORDER BY tick LIMIT 1",
	[Q_FIRST] = "SELECT min(tick) FROM tick WHERE key",
	[Q_BEFORE] = "SELECT max(tick) FROM tick WHERE tick < ?1",
	[Q_KEY_BEFORE] = "SELECT max(tick) FROM tick WHERE tick <= ?1 AND key",
	[Q_FIRST_TIME] = "SELECT tick, time_ns FROM tick ORDER BY tick LIMIT 1",
	[Q_LAST_TIME] = "SELECT tick, time_ns FROM tick ORDER BY tick DESC LIMIT 1",
	[Q_TIME_UP_TO] = "SELECT tick, time_ns FROM tick WHERE tick <= ?1 ORDER BY tick DESC LIMIT 1",
	[Q_BEGIN] = "BEGIN",
	[Q_END] = "COMMIT",
	[Q_WALL] = "SELECT wall_ns FROM tick WHERE tick = ?1",
	[Q_DEVIATIONS] =
		"SELECT t.wall_ns, d.stddev_pct FROM decision d JOIN tick t USING (tick) LIMIT 1000000",
	[Q_LINES] = LOG " ORDER BY rowid LIMIT 1000000",
	[Q_META] = "SELECT key, value, CAST(value AS INTEGER) FROM meta",
};
/* The same for files that were written before a column or table came, newer forms first; NULL: no such form.
 */
enum { OLDER_FORMS = 2 };
#define NO_ROWS "SELECT 0 WHERE ?1 < 0"
static const char *const older_sql[Q_COUNT][OLDER_FORMS] = {
	[Q_PCPU_FACT] = {PCPU_FACT("capacity", "NULL"), PCPU_FACT("0", "NULL")},
	[Q_PCPU] = {PCPU("NULL", "NULL")},
	[Q_VM_FACT] = {VM_FACT("NULL", "NULL")},
	[Q_VM_WHY_FACT] = {VM_WHY_FACT("NULL"), NO_ROWS},
	[Q_VM_WHY] = {NO_ROWS},
};
#undef NO_ROWS
#undef PCPU
#undef ROWS
#undef LOG
#undef VM_FACT
#undef VM_WHY_FACT
#undef PCPU_FACT

sqlite3_stmt *replay_ask(struct replay *replay, enum replay_query which, int64_t one, int64_t two)
{
	sqlite3_stmt *stmt = replay->q[which];
	int n = sqlite3_bind_parameter_count(stmt);
	sqlite3_reset(stmt);
	if (n > 0)
		sqlite3_bind_int64(stmt, 1, one);
	if (n > 1)
		sqlite3_bind_int64(stmt, 2, two);
	return stmt;
}

static int64_t value_of(struct replay *replay, enum replay_query which, int64_t one)
{
	sqlite3_stmt *stmt = replay_ask(replay, which, one, 0);
	int64_t v = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return v;
}

/* Many questions about the same state of the file: without this each takes a lock of its own. */
static void hold(struct replay *replay, bool on)
{
	sqlite3_stmt *stmt = replay_ask(replay, on ? Q_BEGIN : Q_END, 0, 0);
	if (sqlite3_get_autocommit(replay->db) == on)
		sqlite3_step(stmt);
	sqlite3_reset(stmt);
}

static void tick_and_time(
	struct replay *replay, enum replay_query which, int64_t up_to, int64_t *tick, int64_t *ns)
{
	sqlite3_stmt *stmt = replay_ask(replay, which, up_to, 0);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*tick = sqlite3_column_int64(stmt, 0);
		*ns = rec_int(stmt, 1);
	}
	sqlite3_reset(stmt);
}

/* A growing file is asked anew now and then, by its ends. */
static void look_up_extent(struct replay *replay)
{
	int64_t now = backend_real_now(NULL);
	if (replay->ends_ns && now - replay->ends_ns < INT64_C(1000000000))
		return;
	tick_and_time(replay, Q_FIRST_TIME, 0, &replay->first_tick, &replay->first_ns);
	int64_t before = replay->last_tick;
	tick_and_time(replay, Q_LAST_TIME, 0, &replay->last_tick, &replay->last_ns);
	if (before && replay->last_tick > before)
		replay->grew_ns = now;
	replay->ends_ns = now;
}

/* The last tick that is not later. Times come in the order of ticks, so it is found by halves. */
static int64_t tick_at(struct replay *replay, int64_t ns)
{
	int64_t lo = replay->first_tick, hi = replay->last_tick;
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2 + 1, tick = lo, at_ns = INT64_MIN;
		tick_and_time(replay, Q_TIME_UP_TO, mid, &tick, &at_ns);
		if (at_ns <= ns)
			lo = mid;
		else
			hi = tick > lo ? tick - 1 : lo;
	}
	tick_and_time(replay, Q_TIME_UP_TO, lo, &lo, &ns);
	return lo;
}

struct next {
	int64_t tick, time_ns, begun_ns;
	bool regular;
};

static bool next_tick(struct replay *replay, struct next *to)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_NEXT, replay->tick, 0);
	bool have = sqlite3_step(stmt) == SQLITE_ROW;
	if (have)
		*to = (struct next){sqlite3_column_int64(stmt, 0), rec_int(stmt, 1), rec_int(stmt, 3),
			sqlite3_column_int(stmt, 2)};
	sqlite3_reset(stmt);
	return have;
}

static int replay_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err)
{
	struct replay *replay = (struct replay *)backend;
	struct next n;
	(void)groups;
	hold(replay, true);
	int rc = !next_tick(replay, &n) ? err_set(err, ERR_RUNTIME, "the recording is over")
					: replay_read(replay, n.tick, to, err);
	hold(replay, false);
	if (rc < 0)
		return -1;
	replay->one_on = false;
	replay->tick = n.tick;
	replay->time_ns = replay->tick_ns = to->time_ns;
	replay->since_ns = backend_real_now(NULL);
	return 0;
}

static enum wake at_end(const struct replay *replay, int fd)
{
	if (replay->loop && replay->speed > 0)
		return WAKE_AGAIN;
	/* It stands at its last tick; more may come when the file is still written. */
	return backend_real_wait(NULL, backend_real_now(NULL) + 500000000, fd);
}

static enum wake tick_due(struct replay *replay, const struct next *n)
{
	replay->time_ns = replay->begin_ns = n->begun_ns;
	return n->regular ? WAKE_TIMER : WAKE_EVENT;
}

static enum wake replay_wait(struct backend *backend, int64_t until_ns, int fd)
{
	struct replay *replay = (struct replay *)backend;
	struct next n;
	(void)until_ns;
	for (;;) {
		bool more = next_tick(replay, &n);
		if (replay->one_on && more)
			return tick_due(replay, &n);
		replay->one_on = false;
		if (replay->hurry)
			return more ? tick_due(replay, &n) : WAKE_END;
		if (!more) {
			enum wake wake = at_end(replay, fd);
			if (wake != WAKE_TIMER)
				return wake;
			continue;
		}
		double left_ms = -1;
		if (replay->speed > 0)
			left_ms = ((double)(n.time_ns - replay->tick_ns) / replay->speed -
					  (double)(backend_real_now(NULL) - replay->since_ns)) /
				  1e6;
		struct pollfd fds = {.fd = fd, .events = POLLIN};
		int timeout = replay->speed <= 0 ? -1 : left_ms <= 0 ? 0 : (int)fmin(left_ms + 1, 3600e3);
		int rc = poll(&fds, 1, timeout);
		if (rc > 0)
			return WAKE_INPUT;
		if (rc == 0 && replay->speed > 0)
			return tick_due(replay, &n);
	}
}

/* The ticks before before[0], at most so many; returns how many there are. */
static int ticks_before(struct replay *replay, int64_t *before, int most)
{
	int64_t first = value_of(replay, Q_FIRST, 0);
	int n = 0;
	if (before[0] < first)
		before[0] = first;
	for (; n < most && before[n] > first; n++)
		before[n + 1] = value_of(replay, Q_BEFORE, before[n]);
	return n;
}

/* So many ticks before the place are read: those that averages need, and those that the graphs of who looks
 * on lack, because not all of half of them was read just before. */
static int lead_to(struct replay *replay, int64_t *before)
{
	size_t rows = replay->n_vms + replay->n_vcpus;
	int least = rows < MANY ? LEAD : LEAD_MANY;
	int n = ticks_before(replay, before, clamp((int)(LEAD_ROWS / (rows ? rows : 1)), least, LEAD_GRAPHS));
	if (before[0] <= replay->tick && before[n / 2] >= replay->read_from)
		return min_of(n, least);
	replay->read_from = before[n];
	return n;
}

/* Goes so that the next sample is some ticks before `tick`, or at the start; returns how many. */
static int jump(struct replay *replay, int64_t tick)
{
	struct err err = ERR_INIT;
	int64_t before[LEAD_GRAPHS + 1] = {tick};
	int n = lead_to(replay, before);
	replay_forget(replay);
	replay->one_on = false;
	replay->tick = value_of(replay, Q_KEY_BEFORE, before[n]) - 1;
	struct next next;
	while (next_tick(replay, &next) && next.tick < before[n]) {
		if (replay_pass(replay, next.tick, &err) < 0)
			break;
		replay->tick = next.tick;
	}
	replay->command_row = replay->begin_ns = 0;
	replay->jumped = true;
	return n;
}

static int64_t place_of(struct replay *replay, const struct command *cmd)
{
	if (strcmp(cmd->text, "step") == 0)
		return value_of(replay, Q_BEFORE, replay->tick);
	double from = strcmp(cmd->text, "at") == 0 ? (double)replay->first_ns : (double)replay->tick_ns;
	double to_ns =
		fmin(fmax(from + cmd->number * 1e9, (double)replay->first_ns), (double)replay->last_ns);
	return tick_at(replay, (int64_t)to_ns);
}

/* Nothing comes after the tick that is shown, nor is the file still written. */
static bool is_over(struct replay *replay)
{
	struct next n;
	bool grows = replay->grew_ns && backend_real_now(NULL) - replay->grew_ns < INT64_C(10000000000);
	return replay->tick > 0 && replay->tick >= replay->first_tick && !grows && !next_tick(replay, &n);
}

static int play_again(struct replay *replay)
{
	hold(replay, true);
	int lead = jump(replay, replay->first_tick);
	hold(replay, false);
	replay->speed = replay->last_speed;
	return lead;
}

static int replay_seek(struct backend *backend, const struct command *cmd)
{
	struct replay *replay = (struct replay *)backend;
	look_up_extent(replay);
	if (strcmp(cmd->text, "play") == 0 && is_over(replay)) {
		return play_again(replay);
	} else if (strcmp(cmd->text, "play") == 0) {
		if (replay->speed > 0)
			replay->last_speed = replay->speed;
		replay->speed = replay->speed > 0 ? 0 : replay->last_speed;
	} else if (strcmp(cmd->text, "speed") == 0) {
		double speed = (replay->speed > 0 ? replay->speed : replay->last_speed) * cmd->number;
		if (speed >= 1.0 / 16 && speed <= 1024)
			replay->last_speed = speed;
		replay->speed = replay->last_speed;
	} else if (strcmp(cmd->text, "loop") == 0) {
		replay->loop = !replay->loop;
	} else if (strcmp(cmd->text, "step") == 0 && cmd->number > 0) {
		replay->speed = 0;
		replay->one_on = true; /* played, as if its time had come */
	} else {
		hold(replay, true);
		int64_t at = place_of(replay, cmd);
		bool stays = at <= 0 || (at == replay->tick && strcmp(cmd->text, "step") == 0);
		if (strcmp(cmd->text, "step") == 0)
			replay->speed = 0;
		int lead = stays ? -1 : jump(replay, at);
		hold(replay, false);
		return lead;
	}
	replay->since_ns = backend_real_now(NULL);
	return -1;
}

static void replay_close(struct backend *backend)
{
	struct replay *replay = (struct replay *)backend;
	for (int i = 0; i < Q_COUNT; i++)
		sqlite3_finalize(replay->q[i]);
	sqlite3_close_v2(replay->db);
	free(replay->vms);
	free(replay->vcpus);
	free(replay->pcpus);
	free(replay->timeline);
	free(replay);
}

static int64_t replay_now(struct backend *backend)
{
	return ((struct replay *)backend)->time_ns;
}

static void clock_text(char buf[24], int64_t ns)
{
	unsigned s = ns > 0 && ns < INT64_C(1000000000) * 10000000 ? (unsigned)(ns / 1000000000) : 0;
	if (s >= 3600)
		snprintf(buf, 24, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, 24, "%u:%02u", s / 60, s % 60);
}

static void replay_status(struct backend *backend, struct backend_status *status)
{
	struct replay *replay = (struct replay *)backend;
	char at[24], of[24], speed[40] = "plays";
	memset(status, 0, sizeof *status);
	status->link = LINK_OK;
	snprintf(status->readonly_why, sizeof status->readonly_why, "a recording cannot be changed");
	snprintf(status->uri, sizeof status->uri, "%.100s (recording %.120s)", replay->uri, replay->path);
	if (replay->hurry)
		return;
	look_up_extent(replay);
	clock_text(at, replay->tick_ns - replay->first_ns);
	clock_text(of, replay->last_ns - replay->first_ns);
	bool over = !replay->loop && is_over(replay);
	if (over)
		snprintf(speed, sizeof speed, "over");
	else if (replay->speed <= 0)
		snprintf(speed, sizeof speed, "stands still");
	else if (replay->speed != 1)
		snprintf(speed, sizeof speed, "plays %.4g times as fast", replay->speed);
	snprintf(status->text, sizeof status->text,
		"%.20s of %.20s, %.35s%s: Space plays %s, ] [ step, g goes to", at, of, speed,
		text_if(replay->loop, ", in a loop"), over ? "it again" : "or stops");
}

static int replay_settings(struct backend *backend, int64_t change, struct config *cfg)
{
	return rec_change_read(((struct replay *)backend)->db, change, cfg);
}

static const struct replay_ops played_ops = {
	.logged = replay_logged,
	.commands = replay_commands,
	.settings = replay_settings,
	.played = replay_played,
	.seek = replay_seek,
	.timeline = replay_timeline,
};

static const struct backend_ops replay_ops = {
	.source = SOURCE_RECORDING,
	.sample = replay_sample,
	.apply = replay_apply,
	.wait = replay_wait,
	.close = replay_close,
	.now = replay_now,
	.status = replay_status,
	.replay = &played_ops,
	.paced = true,
};

static void read_meta(struct replay *replay)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_META, 0, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *key = rec_text(stmt, 0), *value = rec_text(stmt, 1);
		if (strcmp(key, "uri") == 0)
			snprintf(replay->uri, sizeof replay->uri, "%s", value);
		else if (strcmp(key, "hostname") == 0)
			snprintf(replay->host.hostname, sizeof replay->host.hostname, "%s", value);
		else if (strcmp(key, "hypervisor") == 0)
			snprintf(replay->host.hypervisor, sizeof replay->host.hypervisor, "%s", value);
		else if (strcmp(key, "local") == 0)
			replay->host.local = *value == '1';
		else if (strcmp(key, "isolation") == 0)
			replay->host.has_isolation = *value == '1';
		else if (strcmp(key, "start_ns") == 0)
			replay->time_ns = rec_int(stmt, 2);
	}
	sqlite3_reset(stmt);
}

static bool prepare_one(struct replay *replay, int which)
{
	sqlite3_stmt **to = &replay->q[which];
	bool ok = sqlite3_prepare_v2(replay->db, query_sql[which], -1, to, NULL) == SQLITE_OK;
	for (int i = 0; !ok && i < OLDER_FORMS && older_sql[which][i]; i++)
		ok = sqlite3_prepare_v2(replay->db, older_sql[which][i], -1, to, NULL) == SQLITE_OK;
	return ok;
}

static int prepare(struct replay *replay, struct err *err)
{
	for (int i = 0; i < Q_COUNT; i++)
		if (!prepare_one(replay, i))
			return err_set(err, ERR_RUNTIME, "%.200s is a damaged recording: %s", replay->path,
				sqlite3_errmsg(replay->db));
	read_meta(replay);
	look_up_extent(replay);
	int64_t first = value_of(replay, Q_FIRST, 0);
	if (first <= 0)
		return err_set(err, ERR_RUNTIME, "%.200s holds no tick that can be read", replay->path);
	replay->tick = first - 1;
	struct next n;
	/* The time of the first tick when the start is not known or was cut off. */
	if (next_tick(replay, &n) && (n.time_ns < replay->time_ns || first > 1 || !replay->time_ns))
		replay->time_ns = n.time_ns;
	replay->tick_ns = replay->time_ns;
	return 0;
}

struct backend *backend_replay_open(const struct config *cfg, struct err *err)
{
	struct replay *replay = calloc(1, sizeof *replay);
	if (replay)
		replay->pcpus = calloc(CPUSET_CPUS, sizeof *replay->pcpus);
	if (!replay || !replay->pcpus) {
		free(replay);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	replay->base.ops = &replay_ops;
	replay->speed = replay->last_speed = 1;
	replay->hurry = cfg->batch;
	snprintf(replay->path, sizeof replay->path, "%s", cfg->replay);
	if (recording_open(replay->path, &replay->db, err) < 0 || prepare(replay, err) < 0) {
		replay_close(&replay->base);
		return NULL;
	}
	return &replay->base;
}
