/* SPDX-License-Identifier: MIT */
/* Replay: a backend that plays a recording. Invariant: a sample is what the recorded one was, but for
 * counters, whose origin is the place where playing began; only their differences mean anything. Reads, never
 * writes; everything in the file is hostile until checked. */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "recording.h"
#include "vmtop/command.h"
#include "vmtop/record.h"

enum query {
	Q_TICK,
	Q_PCPU_FACT,
	Q_PCPU,
	Q_NODE,
	Q_VM,
	Q_VCPU,
	Q_LOG,
	Q_ACTION,
	Q_NEXT,
	Q_BEFORE,
	Q_AT,
	Q_COUNT
};

/* "The newest fact up to this tick" is kept as state while playing forward: facts are read for (from, to]. */
static const char *const query_sql[] = {
	[Q_TICK] = "SELECT time_ns, wall_ns, took_ns, note, absent, total_kib, available_kib, free_kib, "
		   "psi_some_avg10,"
		   " psi_full_avg10 FROM tick WHERE tick = ?1",
	[Q_PCPU_FACT] = "SELECT pcpu, online, isolated, node, socket, core, llc, absent FROM pcpu_fact"
			" WHERE tick > ?2 AND tick <= ?1 ORDER BY tick",
	[Q_PCPU] = "SELECT pcpu, busy_ns, idle_ns FROM pcpu_tick WHERE id BETWEEN ?1 << 20 AND (?1 << 20) + "
		   "1048575",
	[Q_NODE] = "SELECT node, total_kib, free_kib FROM node_fact WHERE tick > ?2 AND tick <= ?1 ORDER BY "
		   "tick",
	[Q_VM] = "SELECT v.uuid, f.name, f.id, f.state, f.flags, f.hung_since_ns, f.mem_nodes, "
		 "f.mem_nodes_strict,"
		 " f.balloon_device, f.absent, t.vm, t.* FROM vm_tick t JOIN vm v USING (vm) JOIN vm_fact f "
		 "ON f.rowid ="
		 " (SELECT max(rowid) FROM vm_fact WHERE vm = t.vm AND tick <= ?1) WHERE t.id BETWEEN ?1 << "
		 "20 AND (?1 << 20) + 1048575 ORDER BY v.uuid",
	[Q_VCPU] =
		"SELECT c.vm, c.vcpu, f.online, a.list, f.affinity_absent, b.list, f.pinned, "
		"f.foreign_pin_ns, f.absent,"
		" t.run_ns, t.wait_ns, t.pcpu FROM vcpu_tick t JOIN vcpu c USING (row) JOIN vm v USING (vm)"
		" JOIN vcpu_fact f ON f.rowid = (SELECT max(rowid) FROM vcpu_fact WHERE row = t.row AND tick "
		"<= ?1)"
		" LEFT JOIN cpus a ON a.cpus = f.affinity LEFT JOIN cpus b ON b.cpus = f.allowed"
		" WHERE t.id BETWEEN ?1 << 20 AND (?1 << 20) + 1048575 ORDER BY v.uuid, c.vcpu",
	[Q_LOG] = "SELECT wall_ns, kind, vm, vcpu, memory, outcome, text FROM log WHERE tick = ?1 ORDER BY "
		  "rowid",
	[Q_ACTION] =
		"SELECT kind, uuid, vcpu, to_cpus, to_value, outcome, error FROM action JOIN vm USING (vm)"
		" WHERE tick = ?1 ORDER BY n",
	[Q_NEXT] = "SELECT tick, time_ns, regular FROM tick WHERE tick > ?1 ORDER BY tick LIMIT 1",
	[Q_BEFORE] = "SELECT max(tick) FROM tick WHERE tick < ?1",
	[Q_AT] = "SELECT coalesce(max(tick), (SELECT min(tick) FROM tick)) FROM tick WHERE time_ns <= ?1",
};

struct replay {
	struct backend base;
	sqlite3 *db;
	sqlite3_stmt *q[Q_COUNT];
	int64_t tick;            /* sampled last; 0: none */
	int64_t want;            /* after a seek: the tick to sample next; 0: the one after `tick` */
	int64_t facts;           /* pcpu and node facts are known up to this tick */
	int64_t time_ns;         /* of `tick` */
	int64_t since_ns;        /* real time at which `tick` was shown */
	double speed;            /* 0: stands still */
	bool hurry;              /* batch: no waiting */
	struct host_sample host; /* node facts so far */
	struct sample last;      /* counters so far */
	char uri[256], path[CFG_TEXT];
};

static int64_t real_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static const char *text_at(sqlite3_stmt *st, int column)
{
	const unsigned char *t = sqlite3_column_text(st, column);
	return t ? (const char *)t : "";
}

static bool is_null(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL;
}

/* Ready to step: ?1 and, where the query has it, ?2. */
static sqlite3_stmt *ask(struct replay *r, enum query which, int64_t one, int64_t two)
{
	sqlite3_stmt *st = r->q[which];
	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, one);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, two);
	return st;
}

static struct vi64 gauge(sqlite3_stmt *st, int column, const char *absent, const char *name)
{
	if (is_null(st, column))
		return vi64_absent(rec_absent_reason(absent, name));
	return vi64_ok(sqlite3_column_int64(st, column));
}

/* Fills fields from columns first, first+1, ...; counters go on from `prev`. */
static void fields_from(sqlite3_stmt *st, int first, const struct rec_field *f, size_t n, const char *absent,
	void *to, const void *prev)
{
	for (size_t i = 0; i < n; i++) {
		char *p = (char *)to + f[i].at;
		if (f[i].type == REC_REAL) {
			struct vf64 v = vf64_ok(sqlite3_column_double(st, first + (int)i));
			*(struct vf64 *)(void *)p =
				is_null(st, first + (int)i)
					? vf64_absent(rec_absent_reason(absent, f[i].column))
					: v;
			continue;
		}
		struct vi64 v = gauge(st, first + (int)i, absent, f[i].column);
		if (f[i].type == REC_COUNTER && prev && vi64_has(v)) {
			struct vi64 old = *(const struct vi64 *)(const void *)((const char *)prev + f[i].at);
			if (vi64_has(old) && __builtin_add_overflow(v.v, old.v, &v.v))
				v = vi64_absent(AVAIL_RESET);
		}
		*(struct vi64 *)(void *)p = v;
	}
}

static enum vm_state state_by_text(const char *text)
{
	for (enum vm_state s = VM_NOSTATE; s <= VM_SUSPENDED; s++)
		if (strcmp(vm_state_text(s), text) == 0)
			return s;
	return VM_NOSTATE;
}

static int read_tick(struct replay *r, struct sample *to, struct err *e)
{
	sqlite3_stmt *st = ask(r, Q_TICK, r->tick, 0);
	if (sqlite3_step(st) != SQLITE_ROW)
		return err_set(e, ERR_RUNTIME, "%s: cannot read tick %lld: %s", r->path, (long long)r->tick,
			sqlite3_errmsg(r->db));
	to->time_ns = r->time_ns = sqlite3_column_int64(st, 0);
	to->wall_ns = sqlite3_column_int64(st, 1);
	to->took_ns = sqlite3_column_int64(st, 2);
	snprintf(to->note, sizeof to->note, "%s", text_at(st, 3));
	fields_from(st, 5, rec_host_fields, n_rec_host_fields, text_at(st, 4), &to->host, NULL);
	sqlite3_reset(st);
	return 0;
}

/* The pCPU facts up to now live in r->last, which is the sample before this one. */
static int read_pcpu_facts(struct replay *r)
{
	sqlite3_stmt *st = ask(r, Q_PCPU_FACT, r->tick, r->facts);
	while (sqlite3_step(st) == SQLITE_ROW) {
		int id = sqlite3_column_int(st, 0);
		const struct pcpu_sample *have = sample_pcpu(&r->last, id);
		struct pcpu_sample *p =
			have ? &r->last.host.pcpus[have - r->last.host.pcpus] : sample_add_pcpu(&r->last, id);
		if (!p)
			return -1;
		p->online = sqlite3_column_int(st, 1);
		p->isolated = sqlite3_column_int(st, 2);
		p->node = sqlite3_column_int(st, 3);
		p->socket = sqlite3_column_int(st, 4);
		p->core = sqlite3_column_int(st, 5);
		p->llc = sqlite3_column_int(st, 6);
		if (p->node < -1 || p->node >= MAX_NODES)
			p->node = -1;
		/* What the counters' absence means is kept in the value until the tick row fills it. */
		const char *absent = text_at(st, 7);
		for (size_t i = 0; i < n_rec_pcpu_fields; i++) {
			struct vi64 *v = (struct vi64 *)(void *)((char *)p + rec_pcpu_fields[i].at);
			enum avail why = rec_absent_reason(absent, rec_pcpu_fields[i].column);
			if (why != AVAIL_NONE)
				*v = vi64_absent(why);
		}
		sample_finish(&r->last, NULL);
	}
	sqlite3_reset(st);
	return 0;
}

static int read_host(struct replay *r, struct sample *to)
{
	if (read_pcpu_facts(r) < 0)
		return -1;
	for (size_t i = 0; i < r->last.host.n_pcpus; i++) {
		struct pcpu_sample *p = sample_add_pcpu(to, r->last.host.pcpus[i].id);
		if (!p)
			return -1;
		*p = r->last.host.pcpus[i];
		to->host.has_llc |= p->llc >= 0;
	}
	sqlite3_stmt *st = ask(r, Q_PCPU, r->tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const struct pcpu_sample *p = sample_pcpu(to, sqlite3_column_int(st, 0));
		if (p)
			fields_from(st, 1, rec_pcpu_fields, n_rec_pcpu_fields, "",
				&to->host.pcpus[p - to->host.pcpus], p);
	}
	st = ask(r, Q_NODE, r->tick, r->facts);
	while (sqlite3_step(st) == SQLITE_ROW) {
		size_t i = 0;
		int id = sqlite3_column_int(st, 0);
		while (i < r->host.n_nodes && r->host.nodes[i].id != id)
			i++;
		if (id < 0 || i >= MAX_NODES)
			continue;
		r->host.nodes[i] =
			(struct node_sample){id, gauge(st, 1, "", "total_kib"), gauge(st, 2, "", "free_kib")};
		if (i == r->host.n_nodes)
			r->host.n_nodes++;
	}
	sqlite3_reset(st);
	to->host.n_nodes = r->host.n_nodes;
	memcpy(to->host.nodes, r->host.nodes, sizeof to->host.nodes);
	return 0;
}

static int read_vm_row(struct replay *r, sqlite3_stmt *st, struct sample *to)
{
	uint8_t uuid[UUID_BYTES];
	if (uuid_parse(uuid, text_at(st, 0)) < 0)
		return 0;
	struct vm_sample *vm = sample_add_vm(to, uuid);
	if (!vm)
		return -1;
	snprintf(vm->name, sizeof vm->name, "%s", text_at(st, 1));
	vm->id = sqlite3_column_int(st, 2);
	vm->state = state_by_text(text_at(st, 3));
	vm->flags = (uint32_t)sqlite3_column_int64(st, 4);
	vm->hung_since_ns = sqlite3_column_int64(st, 5);
	vm->mem_nodes = (uint64_t)sqlite3_column_int64(st, 6);
	vm->mem_nodes_strict = sqlite3_column_int(st, 7);
	vm->mem.balloon_device = sqlite3_column_int(st, 8);
	/* Columns: 10 vm, then vm_tick: id, vm, fields. */
	fields_from(st, 13, rec_vm_fields, n_rec_vm_fields, text_at(st, 9), vm,
		sample_vm_by_uuid(&r->last, uuid));
	return 0;
}

static int read_vcpu_row(struct replay *r, sqlite3_stmt *st, struct sample *to, const struct vm_sample *vm)
{
	struct vcpu_sample *v = sample_add_vcpu(to, sqlite3_column_int(st, 1));
	if (!v)
		return -1;
	const struct vm_sample *old_vm = sample_vm_by_uuid(&r->last, vm->uuid);
	const struct vcpu_sample *old = old_vm ? sample_vcpu(&r->last, old_vm, v->id) : NULL;
	v->online = sqlite3_column_int(st, 2);
	v->affinity_avail = AVAIL_NONE;
	for (enum avail a = AVAIL_NONE; a < AVAIL_COUNT; a++)
		if (strcmp(avail_key(a), text_at(st, 4)) == 0)
			v->affinity_avail = a;
	if (cpuset_parse(&v->affinity, text_at(st, 3), NULL) < 0)
		v->affinity_avail = AVAIL_NONE;
	if (cpuset_parse(&v->allowed, text_at(st, 5), NULL) < 0)
		cpuset_clear(&v->allowed);
	v->pinned = sqlite3_column_int(st, 6);
	v->foreign_pin_ns = gauge(st, 7, "", "");
	fields_from(st, 9, rec_vcpu_fields, n_rec_vcpu_fields, text_at(st, 8), v, old);
	return 0;
}

/* Both queries come in the order of UUID, so that a VM's vCPUs can be added while it is the last one. */
static int read_vms(struct replay *r, struct sample *to)
{
	sqlite3_stmt *vms = ask(r, Q_VM, r->tick, 0), *vcpus = ask(r, Q_VCPU, r->tick, 0);
	bool more = sqlite3_step(vcpus) == SQLITE_ROW;
	while (sqlite3_step(vms) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(vms, 10);
		size_t before = to->n_vms;
		if (read_vm_row(r, vms, to) < 0)
			return -1;
		for (; more && sqlite3_column_int64(vcpus, 0) == key;
			more = sqlite3_step(vcpus) == SQLITE_ROW)
			if (to->n_vms > before && read_vcpu_row(r, vcpus, to, &to->vms[before]) < 0)
				return -1;
	}
	sqlite3_reset(vms);
	sqlite3_reset(vcpus);
	return 0;
}

static void forget(struct replay *r)
{
	sample_reset(&r->last);
	memset(&r->host, 0, sizeof r->host);
	r->facts = 0;
}

static bool next_tick(struct replay *r, int64_t *tick, int64_t *time_ns, bool *regular)
{
	sqlite3_stmt *st = ask(r, Q_NEXT, r->tick, 0);
	bool have = sqlite3_step(st) == SQLITE_ROW;
	if (have) {
		*tick = sqlite3_column_int64(st, 0);
		*time_ns = sqlite3_column_int64(st, 1);
		*regular = sqlite3_column_int(st, 2);
	}
	sqlite3_reset(st);
	return have;
}

static int replay_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct replay *r = (struct replay *)b;
	int64_t tick, time_ns;
	bool regular;
	(void)groups;
	if (!r->want && !next_tick(r, &tick, &time_ns, &regular))
		return err_set(e, ERR_RUNTIME, "the recording is over");
	r->tick = r->want ? r->want : tick;
	r->want = 0;
	sample_reset(to);
	if (read_tick(r, to, e) < 0)
		return -1;
	snprintf(to->host.hypervisor, sizeof to->host.hypervisor, "replay");
	if (read_host(r, to) < 0 || read_vms(r, to) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (sample_finish(to, e) < 0)
		return -1;
	r->facts = r->tick;
	r->since_ns = real_now();
	return sample_copy(&r->last, to) < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

static bool same_action(const struct action *a, sqlite3_stmt *st)
{
	uint8_t uuid[UUID_BYTES];
	struct cpuset to;
	if (strcmp(text_at(st, 0), action_kind_text(a->kind)) != 0 || uuid_parse(uuid, text_at(st, 1)) < 0 ||
		uuid_compare(uuid, a->uuid) != 0)
		return false;
	if (a->kind == ACTION_PIN)
		return sqlite3_column_int(st, 2) == a->vcpu && cpuset_parse(&to, text_at(st, 3), NULL) == 0 &&
		       cpuset_equal(&to, &a->to);
	return sqlite3_column_int64(st, 4) == (a->kind == ACTION_BALLOON ? a->to_kib : a->to_s);
}

/* Nothing can be changed in the past: the outcome is the recorded one where the recording did the same. */
static void replay_apply(struct backend *b, struct action *actions, size_t n)
{
	struct replay *r = (struct replay *)b;
	for (size_t i = 0; i < n; i++) {
		struct action *a = &actions[i];
		a->outcome = OUTCOME_SKIPPED;
		snprintf(a->error, sizeof a->error, "a recording cannot be changed");
		sqlite3_stmt *st = ask(r, Q_ACTION, r->tick, 0);
		while (sqlite3_step(st) == SQLITE_ROW) {
			if (!same_action(a, st))
				continue;
			for (enum outcome o = OUTCOME_PLANNED; o <= OUTCOME_UNKNOWN; o++)
				if (strcmp(outcome_text(o), text_at(st, 5)) == 0)
					a->outcome = o;
			snprintf(a->error, sizeof a->error, "%s", text_at(st, 6));
			break;
		}
		sqlite3_reset(st);
	}
}

static enum wake replay_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct replay *r = (struct replay *)b;
	int64_t tick, time_ns;
	bool regular;
	(void)until_ns;
	bool more = next_tick(r, &tick, &time_ns, &regular);
	if (r->hurry)
		return !more ? WAKE_END : regular ? WAKE_TIMER : WAKE_EVENT;
	int timeout = -1;
	if (more && r->speed > 0) {
		double left = (double)(time_ns - r->time_ns) / r->speed - (double)(real_now() - r->since_ns);
		timeout = left <= 0 ? 0 : left / 1e6 > 3600e3 ? 3600000 : (int)(left / 1e6) + 1;
	}
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, timeout) > 0)
		return WAKE_INPUT;
	return regular ? WAKE_TIMER : WAKE_EVENT;
}

static int64_t one_value(struct replay *r, enum query which, int64_t arg)
{
	sqlite3_stmt *st = ask(r, which, arg, 0);
	int64_t v = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return v;
}

/* text "go": to the place `number` seconds from now; "step": that many ticks; "speed": plays so fast, 0
 * stops. */
static bool replay_seek(struct backend *b, const struct command *c)
{
	struct replay *r = (struct replay *)b;
	int64_t at = r->tick;
	if (strcmp(c->text, "speed") == 0) {
		r->speed = c->number >= 0 && c->number <= 1000 ? c->number : 1;
		r->since_ns = real_now();
		return false;
	}
	if (strcmp(c->text, "step") == 0) {
		int64_t next, time_ns;
		bool regular;
		r->speed = 0;
		if (c->number > 0 && next_tick(r, &next, &time_ns, &regular))
			at = next;
		else if (c->number < 0)
			at = one_value(r, Q_BEFORE, r->tick);
	} else {
		at = one_value(r, Q_AT, r->time_ns + (int64_t)(c->number * 1e9));
	}
	if (at <= 0 || at == r->tick)
		return false;
	int64_t before = one_value(r, Q_BEFORE, at);
	forget(r);
	r->want = before > 0 ? before : at;
	return true;
}

static enum log_kind kind_by_text(const char *text)
{
	static const char *const kinds[] = {"action", "round", "event", "error", "mark"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i], text) == 0)
			return (enum log_kind)i;
	return LOG_EVENT;
}

static size_t replay_lines(struct backend *b, struct log_line *to, size_t max)
{
	struct replay *r = (struct replay *)b;
	sqlite3_stmt *st = ask(r, Q_LOG, r->tick, 0);
	size_t n = 0;
	for (; n < max && sqlite3_step(st) == SQLITE_ROW; n++) {
		struct log_line *l = &to[n];
		memset(l, 0, sizeof *l);
		l->wall_ns = sqlite3_column_int64(st, 0);
		l->kind = kind_by_text(text_at(st, 1));
		snprintf(l->vm, sizeof l->vm, "%s", text_at(st, 2));
		l->vcpu = sqlite3_column_int(st, 3);
		l->memory = sqlite3_column_int(st, 4);
		for (enum outcome o = OUTCOME_PLANNED; o <= OUTCOME_UNKNOWN; o++)
			if (strcmp(outcome_text(o), text_at(st, 5)) == 0)
				l->outcome = o;
		snprintf(l->text, sizeof l->text, "%s", text_at(st, 6));
	}
	sqlite3_reset(st);
	return n;
}

static void replay_close(struct backend *b)
{
	struct replay *r = (struct replay *)b;
	for (int i = 0; i < Q_COUNT; i++)
		sqlite3_finalize(r->q[i]);
	sqlite3_close_v2(r->db);
	sample_done(&r->last);
	free(r);
}

static int64_t replay_now(struct backend *b)
{
	return ((struct replay *)b)->time_ns;
}

static void replay_status(struct backend *b, struct backend_status *st)
{
	const struct replay *r = (const struct replay *)b;
	memset(st, 0, sizeof *st);
	st->link = LINK_OK;
	snprintf(st->uri, sizeof st->uri, "%.100s (recording %.120s)", r->uri, r->path);
	if (r->speed <= 0 && !r->hurry)
		snprintf(st->text, sizeof st->text, "the recording stands still: Space plays, ] and [ step");
}

static const struct backend_ops replay_ops = {
	.name = "replay",
	.sample = replay_sample,
	.apply = replay_apply,
	.wait = replay_wait,
	.close = replay_close,
	.now = replay_now,
	.status = replay_status,
	.logged = replay_lines,
	.seek = replay_seek,
	.paced = true,
};

static int check_head(struct replay *r, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int64_t values[2] = {0, 0};
	static const char *const sql[] = {"PRAGMA application_id", "PRAGMA user_version"};
	for (int i = 0; i < 2; i++) {
		if (sqlite3_prepare_v2(r->db, sql[i], -1, &st, NULL) != SQLITE_OK ||
			sqlite3_step(st) != SQLITE_ROW) {
			err_set(e, ERR_RUNTIME, "%s is not a readable recording: %s", r->path,
				sqlite3_errmsg(r->db));
			sqlite3_finalize(st);
			return -1;
		}
		values[i] = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	if (values[0] != RECORDING_APPLICATION_ID)
		return err_set(e, ERR_RUNTIME, "%s is not a vmtop recording", r->path);
	if (values[1] != RECORDING_SCHEMA)
		return err_set(e, ERR_RUNTIME, "%s has recording schema %lld; this vmtop reads schema %d",
			r->path, (long long)values[1], RECORDING_SCHEMA);
	return 0;
}

static int prepare(struct replay *r, struct err *e)
{
	for (int i = 0; i < Q_COUNT; i++)
		if (sqlite3_prepare_v2(r->db, query_sql[i], -1, &r->q[i], NULL) != SQLITE_OK)
			return err_set(e, ERR_RUNTIME, "%s is a damaged recording: %s", r->path,
				sqlite3_errmsg(r->db));
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(r->db, "SELECT value FROM meta WHERE key = 'uri'", -1, &st, NULL) ==
			SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW)
		snprintf(r->uri, sizeof r->uri, "%s", text_at(st, 0));
	sqlite3_finalize(st);
	if (one_value(r, Q_NEXT, 0) <= 0)
		return err_set(e, ERR_RUNTIME, "%s holds no tick", r->path);
	return 0;
}

static int open_file(struct replay *r, struct err *e)
{
	struct stat s;
	if (stat(r->path, &s) < 0 || !S_ISREG(s.st_mode))
		return err_set(e, ERR_RUNTIME, "cannot open the recording %s: no such file", r->path);
	if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return err_set(
			e, ERR_RUNTIME, "cannot open the recording %s: %s", r->path, sqlite3_errmsg(r->db));
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_exec(r->db, "PRAGMA trusted_schema = 0", NULL, NULL, NULL);
	return check_head(r, e) < 0 ? -1 : prepare(r, e);
}

struct backend *backend_replay_open(const struct config *cfg, struct err *e)
{
	struct replay *r = calloc(1, sizeof *r);
	if (!r) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.ops = &replay_ops;
	r->speed = 1;
	r->hurry = cfg->batch;
	snprintf(r->path, sizeof r->path, "%s", cfg->replay);
	sample_init(&r->last);
	if (open_file(r, e) < 0) {
		replay_close(&r->base);
		return NULL;
	}
	return &r->base;
}
