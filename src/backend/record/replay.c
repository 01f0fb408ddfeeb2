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

sqlite3_stmt *replay_ask(struct replay *r, enum replay_query which, int64_t one, int64_t two)
{
	sqlite3_stmt *st = r->q[which];
	int n = sqlite3_bind_parameter_count(st);
	sqlite3_reset(st);
	if (n > 0)
		sqlite3_bind_int64(st, 1, one);
	if (n > 1)
		sqlite3_bind_int64(st, 2, two);
	return st;
}

static int64_t value_of(struct replay *r, enum replay_query which, int64_t one)
{
	sqlite3_stmt *st = replay_ask(r, which, one, 0);
	int64_t v = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return v;
}

/* Many questions about the same state of the file: without this each takes a lock of its own. */
static void hold(struct replay *r, bool on)
{
	sqlite3_stmt *st = replay_ask(r, on ? Q_BEGIN : Q_END, 0, 0);
	if (sqlite3_get_autocommit(r->db) == on)
		sqlite3_step(st);
	sqlite3_reset(st);
}

static void tick_and_time(
	struct replay *r, enum replay_query which, int64_t up_to, int64_t *tick, int64_t *ns)
{
	sqlite3_stmt *st = replay_ask(r, which, up_to, 0);
	if (sqlite3_step(st) == SQLITE_ROW) {
		*tick = sqlite3_column_int64(st, 0);
		*ns = rec_int(st, 1);
	}
	sqlite3_reset(st);
}

/* A growing file is asked anew now and then, by its ends. */
static void look_up_extent(struct replay *r)
{
	int64_t now = backend_real_now(NULL);
	if (r->ends_ns && now - r->ends_ns < INT64_C(1000000000))
		return;
	tick_and_time(r, Q_FIRST_TIME, 0, &r->first_tick, &r->first_ns);
	int64_t before = r->last_tick;
	tick_and_time(r, Q_LAST_TIME, 0, &r->last_tick, &r->last_ns);
	r->grew_ns = before && r->last_tick > before ? now : r->grew_ns;
	r->ends_ns = now;
}

/* The last tick that is not later. Times come in the order of ticks, so it is found by halves. */
static int64_t tick_at(struct replay *r, int64_t ns)
{
	int64_t lo = r->first_tick, hi = r->last_tick;
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2 + 1, tick = lo, at_ns = INT64_MIN;
		tick_and_time(r, Q_TIME_UP_TO, mid, &tick, &at_ns);
		if (at_ns <= ns)
			lo = mid;
		else
			hi = tick > lo ? tick - 1 : lo;
	}
	tick_and_time(r, Q_TIME_UP_TO, lo, &lo, &ns);
	return lo;
}

struct next {
	int64_t tick, time_ns, begun_ns;
	bool regular;
};

static bool next_tick(struct replay *r, struct next *to)
{
	sqlite3_stmt *st = replay_ask(r, Q_NEXT, r->tick, 0);
	bool have = sqlite3_step(st) == SQLITE_ROW;
	if (have)
		*to = (struct next){sqlite3_column_int64(st, 0), rec_int(st, 1), rec_int(st, 3),
			sqlite3_column_int(st, 2)};
	sqlite3_reset(st);
	return have;
}

static int replay_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct replay *r = (struct replay *)b;
	struct next n;
	(void)groups;
	hold(r, true);
	int rc = !next_tick(r, &n) ? err_set(e, ERR_RUNTIME, "the recording is over")
				   : replay_read(r, n.tick, to, e);
	hold(r, false);
	if (rc < 0)
		return -1;
	r->one_on = false;
	r->tick = n.tick;
	r->time_ns = r->tick_ns = to->time_ns;
	r->since_ns = backend_real_now(NULL);
	return 0;
}

static enum wake at_end(const struct replay *r, int fd)
{
	if (r->loop && r->speed > 0)
		return WAKE_AGAIN;
	/* It stands at its last tick; more may come when the file is still written. */
	return backend_real_wait(NULL, backend_real_now(NULL) + 500000000, fd);
}

static enum wake tick_due(struct replay *r, const struct next *n)
{
	r->time_ns = r->begin_ns = n->begun_ns;
	return n->regular ? WAKE_TIMER : WAKE_EVENT;
}

static enum wake replay_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct replay *r = (struct replay *)b;
	struct next n;
	(void)until_ns;
	for (;;) {
		bool more = next_tick(r, &n);
		if (r->one_on && more)
			return tick_due(r, &n);
		r->one_on = false;
		if (r->hurry)
			return more ? tick_due(r, &n) : WAKE_END;
		if (!more) {
			enum wake w = at_end(r, fd);
			if (w != WAKE_TIMER)
				return w;
			continue;
		}
		double left_ms = -1;
		if (r->speed > 0)
			left_ms = ((double)(n.time_ns - r->tick_ns) / r->speed -
					  (double)(backend_real_now(NULL) - r->since_ns)) /
				  1e6;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int timeout = r->speed <= 0 ? -1 : left_ms <= 0 ? 0 : (int)fmin(left_ms + 1, 3600e3);
		int rc = poll(&p, 1, timeout);
		if (rc > 0)
			return WAKE_INPUT;
		if (rc == 0 && r->speed > 0)
			return tick_due(r, &n);
	}
}

/* The ticks before before[0], at most so many; returns how many there are. */
static int ticks_before(struct replay *r, int64_t *before, int most)
{
	int64_t first = value_of(r, Q_FIRST, 0);
	int n = 0;
	if (before[0] < first)
		before[0] = first;
	for (; n < most && before[n] > first; n++)
		before[n + 1] = value_of(r, Q_BEFORE, before[n]);
	return n;
}

/* So many ticks before the place are read: those that averages need, and those that the graphs of who looks
 * on lack, because not all of half of them was read just before. */
static int lead_to(struct replay *r, int64_t *before)
{
	size_t rows = r->n_vms + r->n_vcpus;
	int least = rows < MANY ? LEAD : LEAD_MANY;
	int n = ticks_before(r, before, clamp((int)(LEAD_ROWS / (rows ? rows : 1)), least, LEAD_GRAPHS));
	if (before[0] <= r->tick && before[n / 2] >= r->read_from)
		return min_of(n, least);
	r->read_from = before[n];
	return n;
}

/* Goes so that the next sample is some ticks before `tick`, or at the start; returns how many. */
static int jump(struct replay *r, int64_t tick)
{
	struct err e = ERR_INIT;
	int64_t before[LEAD_GRAPHS + 1] = {tick};
	int n = lead_to(r, before);
	replay_forget(r);
	r->one_on = false;
	r->tick = value_of(r, Q_KEY_BEFORE, before[n]) - 1;
	struct next next;
	while (next_tick(r, &next) && next.tick < before[n]) {
		if (replay_pass(r, next.tick, &e) < 0)
			break;
		r->tick = next.tick;
	}
	r->command_row = r->begin_ns = 0;
	r->jumped = true;
	return n;
}

static int64_t place_of(struct replay *r, const struct command *c)
{
	if (strcmp(c->text, "step") == 0)
		return value_of(r, Q_BEFORE, r->tick);
	double from = strcmp(c->text, "at") == 0 ? (double)r->first_ns : (double)r->tick_ns;
	double to_ns = fmin(fmax(from + c->number * 1e9, (double)r->first_ns), (double)r->last_ns);
	return tick_at(r, (int64_t)to_ns);
}

/* Nothing comes after the tick that is shown, nor is the file still written. */
static bool is_over(struct replay *r)
{
	struct next n;
	bool grows = r->grew_ns && backend_real_now(NULL) - r->grew_ns < INT64_C(10000000000);
	return r->tick > 0 && r->tick >= r->first_tick && !grows && !next_tick(r, &n);
}

static int play_again(struct replay *r)
{
	hold(r, true);
	int lead = jump(r, r->first_tick);
	hold(r, false);
	r->speed = r->last_speed;
	return lead;
}

static int replay_seek(struct backend *b, const struct command *c)
{
	struct replay *r = (struct replay *)b;
	look_up_extent(r);
	if (strcmp(c->text, "play") == 0 && is_over(r)) {
		return play_again(r);
	} else if (strcmp(c->text, "play") == 0) {
		r->last_speed = r->speed > 0 ? r->speed : r->last_speed;
		r->speed = r->speed > 0 ? 0 : r->last_speed;
	} else if (strcmp(c->text, "speed") == 0) {
		double speed = (r->speed > 0 ? r->speed : r->last_speed) * c->number;
		r->last_speed = speed >= 1.0 / 16 && speed <= 1024 ? speed : r->last_speed;
		r->speed = r->last_speed;
	} else if (strcmp(c->text, "loop") == 0) {
		r->loop = !r->loop;
	} else if (strcmp(c->text, "step") == 0 && c->number > 0) {
		r->speed = 0;
		r->one_on = true; /* played, as if its time had come */
	} else {
		hold(r, true);
		int64_t at = place_of(r, c);
		bool stays = at <= 0 || (at == r->tick && strcmp(c->text, "step") == 0);
		r->speed = strcmp(c->text, "step") == 0 ? 0 : r->speed;
		int lead = stays ? -1 : jump(r, at);
		hold(r, false);
		return lead;
	}
	r->since_ns = backend_real_now(NULL);
	return -1;
}

static void replay_close(struct backend *b)
{
	struct replay *r = (struct replay *)b;
	for (int i = 0; i < Q_COUNT; i++)
		sqlite3_finalize(r->q[i]);
	sqlite3_close_v2(r->db);
	free(r->vms);
	free(r->vcpus);
	free(r->pcpus);
	free(r->timeline);
	free(r);
}

static int64_t replay_now(struct backend *b)
{
	return ((struct replay *)b)->time_ns;
}

static void clock_text(char buf[24], int64_t ns)
{
	unsigned s = ns > 0 && ns < INT64_C(1000000000) * 10000000 ? (unsigned)(ns / 1000000000) : 0;
	if (s >= 3600)
		snprintf(buf, 24, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, 24, "%u:%02u", s / 60, s % 60);
}

static void replay_status(struct backend *b, struct backend_status *st)
{
	struct replay *r = (struct replay *)b;
	char at[24], of[24], speed[40] = "plays";
	memset(st, 0, sizeof *st);
	st->link = LINK_OK;
	snprintf(st->readonly_why, sizeof st->readonly_why, "a recording cannot be changed");
	snprintf(st->uri, sizeof st->uri, "%.100s (recording %.120s)", r->uri, r->path);
	if (r->hurry)
		return;
	look_up_extent(r);
	clock_text(at, r->tick_ns - r->first_ns);
	clock_text(of, r->last_ns - r->first_ns);
	bool over = !r->loop && is_over(r);
	if (over)
		snprintf(speed, sizeof speed, "over");
	else if (r->speed <= 0)
		snprintf(speed, sizeof speed, "stands still");
	else if (r->speed != 1)
		snprintf(speed, sizeof speed, "plays %.4g times as fast", r->speed);
	snprintf(st->text, sizeof st->text, "%.20s of %.20s, %.35s%s: Space plays %s, ] [ step, g goes to",
		at, of, speed, r->loop ? ", in a loop" : "", over ? "it again" : "or stops");
}

static int replay_settings(struct backend *b, int64_t change, struct config *cfg)
{
	return rec_change_read(((struct replay *)b)->db, change, cfg);
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

static void read_meta(struct replay *r)
{
	sqlite3_stmt *st = replay_ask(r, Q_META, 0, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *key = rec_text(st, 0), *value = rec_text(st, 1);
		if (strcmp(key, "uri") == 0)
			snprintf(r->uri, sizeof r->uri, "%s", value);
		else if (strcmp(key, "hostname") == 0)
			snprintf(r->host.hostname, sizeof r->host.hostname, "%s", value);
		else if (strcmp(key, "hypervisor") == 0)
			snprintf(r->host.hypervisor, sizeof r->host.hypervisor, "%s", value);
		else if (strcmp(key, "local") == 0)
			r->host.local = *value == '1';
		else if (strcmp(key, "isolation") == 0)
			r->host.has_isolation = *value == '1';
		else if (strcmp(key, "start_ns") == 0)
			r->time_ns = rec_int(st, 2);
	}
	sqlite3_reset(st);
}

static bool prepare_one(struct replay *r, int which)
{
	sqlite3_stmt **to = &r->q[which];
	bool ok = sqlite3_prepare_v2(r->db, query_sql[which], -1, to, NULL) == SQLITE_OK;
	for (int i = 0; !ok && i < OLDER_FORMS && older_sql[which][i]; i++)
		ok = sqlite3_prepare_v2(r->db, older_sql[which][i], -1, to, NULL) == SQLITE_OK;
	return ok;
}

static int prepare(struct replay *r, struct err *e)
{
	for (int i = 0; i < Q_COUNT; i++)
		if (!prepare_one(r, i))
			return err_set(e, ERR_RUNTIME, "%.200s is a damaged recording: %s", r->path,
				sqlite3_errmsg(r->db));
	read_meta(r);
	look_up_extent(r);
	int64_t first = value_of(r, Q_FIRST, 0);
	if (first <= 0)
		return err_set(e, ERR_RUNTIME, "%.200s holds no tick that can be read", r->path);
	r->tick = first - 1;
	struct next n;
	/* The time of the first tick when the start is not known or was cut off. */
	if (next_tick(r, &n) && (n.time_ns < r->time_ns || first > 1 || !r->time_ns))
		r->time_ns = n.time_ns;
	r->tick_ns = r->time_ns;
	return 0;
}

struct backend *backend_replay_open(const struct config *cfg, struct err *e)
{
	struct replay *r = calloc(1, sizeof *r);
	if (r)
		r->pcpus = calloc(CPUSET_CPUS, sizeof *r->pcpus);
	if (!r || !r->pcpus) {
		free(r);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.ops = &replay_ops;
	r->speed = r->last_speed = 1;
	r->hurry = cfg->batch;
	snprintf(r->path, sizeof r->path, "%s", cfg->replay);
	if (recording_open(r->path, &r->db, e) < 0 || prepare(r, e) < 0) {
		replay_close(&r->base);
		return NULL;
	}
	return &r->base;
}
