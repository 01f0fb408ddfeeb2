/* SPDX-License-Identifier: MIT */
/* Record: a backend around another one that writes every sample and every action into an SQLite file.
 * Invariant: one transaction a tick, so that a reader and a crash see whole ticks only; a recording that
 * cannot be written is given up with one line and never disturbs what it records. */
#include "vmtop/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recording.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"

enum statement {
	ST_TICK,
	ST_PCPU_FACT,
	ST_PCPU,
	ST_NODE,
	ST_VM_ADD,
	ST_VM_KEY,
	ST_VM_FACT,
	ST_VM,
	ST_VCPU_ADD,
	ST_VCPU_KEY,
	ST_VCPU_FACT,
	ST_VCPU,
	ST_CPUS_ADD,
	ST_CPUS_KEY,
	ST_ACTION,
	ST_LOG,
	ST_META,
	ST_CONFIG,
	ST_COUNT
};

static const char *const statement_sql[] = {
	[ST_TICK] = "INSERT INTO tick VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_PCPU_FACT] = "INSERT INTO pcpu_fact VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_PCPU] = "INSERT INTO pcpu_tick VALUES(?,?,?,?)",
	[ST_NODE] = "INSERT INTO node_fact VALUES(?,?,?,?)",
	[ST_VM_ADD] = "INSERT OR IGNORE INTO vm(uuid, name) VALUES(?,?)",
	[ST_VM_KEY] = "SELECT vm FROM vm WHERE uuid = ?",
	[ST_VM_FACT] = "INSERT INTO vm_fact VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[ST_VM] = "INSERT INTO vm_tick VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_VCPU_ADD] = "INSERT OR IGNORE INTO vcpu(vm, vcpu) VALUES(?,?)",
	[ST_VCPU_KEY] = "SELECT row FROM vcpu WHERE vm = ? AND vcpu = ?",
	[ST_VCPU_FACT] = "INSERT INTO vcpu_fact VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_VCPU] = "INSERT INTO vcpu_tick VALUES(?,?,?,?,?)",
	[ST_CPUS_ADD] = "INSERT OR IGNORE INTO cpus(list) VALUES(?)",
	[ST_CPUS_KEY] = "SELECT cpus FROM cpus WHERE list = ?",
	[ST_ACTION] = "INSERT INTO action VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_LOG] = "INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[ST_CONFIG] = "INSERT OR REPLACE INTO config VALUES(?,?)",
};

struct record {
	struct backend base;
	struct backend *inner;
	sqlite3 *db; /* NULL: given up */
	sqlite3_stmt *st[ST_COUNT];
	struct sample prev;           /* what was written last, to write differences and changes only */
	int64_t *vm_keys, *vcpu_rows; /* parallel to prev */
	int64_t *next_vm_keys, *next_vcpu_rows;
	size_t cap_vms, cap_vcpus;
	int64_t tick;
	int64_t n_pcpu, n_vm, n_vcpu; /* rows written in this tick */
	bool writing;                 /* a transaction is open */
	double keep_s;
	char path[CFG_TEXT];
	char trouble[200];
};

static void give_up(struct record *r, const char *what)
{
	if (!r->db)
		return;
	snprintf(r->trouble, sizeof r->trouble, "recording stopped: %.60s: %.80s", what,
		sqlite3_errmsg(r->db));
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(r->st[i]);
	memset(r->st, 0, sizeof r->st);
	sqlite3_close_v2(r->db);
	r->db = NULL;
}

static int step(struct record *r, enum statement which)
{
	int rc = sqlite3_step(r->st[which]);
	sqlite3_reset(r->st[which]);
	if (rc == SQLITE_DONE || rc == SQLITE_ROW)
		return 0;
	give_up(r, r->path);
	return -1;
}

static void bind_text(sqlite3_stmt *st, int at, const char *raw)
{
	char safe[VM_NAME_BYTES * 3 + 512];
	text_utf8(safe, sizeof safe, raw);
	sqlite3_bind_text(st, at, safe, -1, SQLITE_TRANSIENT);
}

/* Fixed strings from tables need no copy. */
static void bind_word(sqlite3_stmt *st, int at, const char *word)
{
	sqlite3_bind_text(st, at, word, -1, SQLITE_STATIC);
}

static void bind_i64(sqlite3_stmt *st, int at, struct vi64 v)
{
	if (vi64_has(v))
		sqlite3_bind_int64(st, at, v.v);
	else
		sqlite3_bind_null(st, at);
}

/* Binds fields from position `at` on; counters as the difference to `prev`, or whole when there is none. */
static void bind_fields(
	sqlite3_stmt *st, int at, const struct rec_field *f, size_t n, const void *now, const void *prev)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = (const char *)now + f[i].at;
		if (f[i].type == REC_REAL) {
			struct vf64 v = *(const struct vf64 *)(const void *)p;
			if (vf64_has(v))
				sqlite3_bind_double(st, at + (int)i, v.v);
			else
				sqlite3_bind_null(st, at + (int)i);
			continue;
		}
		struct vi64 v = *(const struct vi64 *)(const void *)p;
		if (f[i].type == REC_COUNTER && prev && vi64_has(v)) {
			struct vi64 old = *(const struct vi64 *)(const void *)((const char *)prev + f[i].at);
			if (vi64_has(old))
				v.v -= old.v;
		}
		bind_i64(st, at + (int)i, v);
	}
}

static bool same_avail(const struct rec_field *f, size_t n, const void *a, const void *b)
{
	for (size_t i = 0; i < n; i++)
		if (rec_avail(a, &f[i]) != rec_avail(b, &f[i]))
			return false;
	return true;
}

static int key_of(struct record *r, enum statement add, enum statement key, int64_t *out)
{
	if (step(r, add) < 0)
		return -1;
	int rc = sqlite3_step(r->st[key]);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(r->st[key], 0);
	sqlite3_reset(r->st[key]);
	if (rc == SQLITE_ROW)
		return 0;
	give_up(r, r->path);
	return -1;
}

static int vm_key(struct record *r, const struct vm_sample *vm, int64_t *out)
{
	char uuid[UUID_TEXT];
	uuid_format(vm->uuid, uuid);
	sqlite3_bind_text(r->st[ST_VM_ADD], 1, uuid, -1, SQLITE_TRANSIENT);
	bind_text(r->st[ST_VM_ADD], 2, vm->name);
	sqlite3_bind_text(r->st[ST_VM_KEY], 1, uuid, -1, SQLITE_TRANSIENT);
	return key_of(r, ST_VM_ADD, ST_VM_KEY, out);
}

static int vcpu_row(struct record *r, int64_t vm, int vcpu, int64_t *out)
{
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *st = r->st[i ? ST_VCPU_KEY : ST_VCPU_ADD];
		sqlite3_bind_int64(st, 1, vm);
		sqlite3_bind_int(st, 2, vcpu);
	}
	return key_of(r, ST_VCPU_ADD, ST_VCPU_KEY, out);
}

static int cpus_key(struct record *r, const struct cpuset *s, int64_t *out)
{
	char list[8192];
	cpuset_format(s, list, sizeof list);
	for (int i = 0; i < 2; i++)
		sqlite3_bind_text(r->st[i ? ST_CPUS_KEY : ST_CPUS_ADD], 1, list, -1, SQLITE_TRANSIENT);
	return key_of(r, ST_CPUS_ADD, ST_CPUS_KEY, out);
}

static int64_t row_id(const struct record *r, int64_t n)
{
	return r->tick << REC_TICK_SHIFT | n;
}

static int write_tick(struct record *r, const struct sample *s, bool regular)
{
	char absent[ABSENT_TEXT];
	sqlite3_stmt *st = r->st[ST_TICK];
	rec_absent(&s->host, rec_host_fields, n_rec_host_fields, absent);
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, s->time_ns);
	sqlite3_bind_int64(st, 3, s->wall_ns);
	sqlite3_bind_int64(st, 4, s->took_ns);
	sqlite3_bind_int(st, 5, regular);
	bind_text(st, 6, s->note);
	sqlite3_bind_text(st, 7, absent, -1, SQLITE_TRANSIENT);
	bind_fields(st, 8, rec_host_fields, n_rec_host_fields, &s->host, NULL);
	return step(r, ST_TICK);
}

static int write_pcpu_fact(struct record *r, const struct pcpu_sample *p)
{
	char absent[ABSENT_TEXT];
	const int values[] = {p->id, p->online, p->isolated, p->node, p->socket, p->core, p->llc};
	sqlite3_stmt *st = r->st[ST_PCPU_FACT];
	rec_absent(p, rec_pcpu_fields, n_rec_pcpu_fields, absent);
	sqlite3_bind_int64(st, 1, r->tick);
	for (int i = 0; i < 7; i++)
		sqlite3_bind_int(st, 2 + i, values[i]);
	sqlite3_bind_text(st, 9, absent, -1, SQLITE_TRANSIENT);
	return step(r, ST_PCPU_FACT);
}

static bool same_pcpu(const struct pcpu_sample *a, const struct pcpu_sample *b)
{
	return a->online == b->online && a->isolated == b->isolated && a->node == b->node &&
	       a->socket == b->socket && a->core == b->core && a->llc == b->llc &&
	       same_avail(rec_pcpu_fields, n_rec_pcpu_fields, a, b);
}

static int write_host(struct record *r, const struct sample *s)
{
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		const struct pcpu_sample *p = &s->host.pcpus[i], *old = sample_pcpu(&r->prev, p->id);
		if ((!old || !same_pcpu(p, old)) && write_pcpu_fact(r, p) < 0)
			return -1;
		sqlite3_bind_int64(r->st[ST_PCPU], 1, row_id(r, r->n_pcpu++));
		sqlite3_bind_int(r->st[ST_PCPU], 2, p->id);
		bind_fields(r->st[ST_PCPU], 3, rec_pcpu_fields, n_rec_pcpu_fields, p, old);
		if (step(r, ST_PCPU) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->host.n_nodes; i++) {
		const struct node_sample *n = &s->host.nodes[i], *old = &r->prev.host.nodes[i];
		if (i < r->prev.host.n_nodes && memcmp(n, old, sizeof *n) == 0)
			continue;
		sqlite3_bind_int64(r->st[ST_NODE], 1, r->tick);
		sqlite3_bind_int(r->st[ST_NODE], 2, n->id);
		bind_i64(r->st[ST_NODE], 3, n->total_kib);
		bind_i64(r->st[ST_NODE], 4, n->free_kib);
		if (step(r, ST_NODE) < 0)
			return -1;
	}
	return 0;
}

static bool same_vm(const struct vm_sample *a, const struct vm_sample *b)
{
	return a->id == b->id && a->state == b->state && a->flags == b->flags &&
	       a->hung_since_ns == b->hung_since_ns && a->mem_nodes == b->mem_nodes &&
	       a->mem_nodes_strict == b->mem_nodes_strict && a->mem.balloon_device == b->mem.balloon_device &&
	       strcmp(a->name, b->name) == 0 && same_avail(rec_vm_fields, n_rec_vm_fields, a, b);
}

static int write_vm_fact(struct record *r, const struct vm_sample *vm, int64_t key)
{
	char absent[ABSENT_TEXT];
	sqlite3_stmt *st = r->st[ST_VM_FACT];
	rec_absent(vm, rec_vm_fields, n_rec_vm_fields, absent);
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, key);
	bind_text(st, 3, vm->name);
	sqlite3_bind_int(st, 4, vm->id);
	bind_word(st, 5, vm_state_text(vm->state));
	sqlite3_bind_int64(st, 6, vm->flags);
	sqlite3_bind_int64(st, 7, vm->hung_since_ns);
	sqlite3_bind_int64(st, 8, (sqlite3_int64)vm->mem_nodes);
	sqlite3_bind_int(st, 9, vm->mem_nodes_strict);
	sqlite3_bind_int(st, 10, vm->mem.balloon_device);
	sqlite3_bind_text(st, 11, absent, -1, SQLITE_TRANSIENT);
	return step(r, ST_VM_FACT);
}

static bool same_vcpu(const struct vcpu_sample *a, const struct vcpu_sample *b)
{
	return a->online == b->online && a->affinity_avail == b->affinity_avail && a->pinned == b->pinned &&
	       a->foreign_pin_ns.v == b->foreign_pin_ns.v &&
	       a->foreign_pin_ns.avail == b->foreign_pin_ns.avail &&
	       cpuset_equal(&a->affinity, &b->affinity) && cpuset_equal(&a->allowed, &b->allowed) &&
	       same_avail(rec_vcpu_fields, n_rec_vcpu_fields, a, b);
}

static int write_vcpu_fact(struct record *r, const struct vcpu_sample *v, int64_t row)
{
	char absent[ABSENT_TEXT];
	int64_t affinity = 0, allowed = 0;
	sqlite3_stmt *st = r->st[ST_VCPU_FACT];
	if (cpus_key(r, &v->affinity, &affinity) < 0 || cpus_key(r, &v->allowed, &allowed) < 0)
		return -1;
	rec_absent(v, rec_vcpu_fields, n_rec_vcpu_fields, absent);
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, row);
	sqlite3_bind_int(st, 3, v->online);
	sqlite3_bind_int64(st, 4, affinity);
	bind_word(st, 5, avail_key(v->affinity_avail));
	sqlite3_bind_int64(st, 6, allowed);
	sqlite3_bind_int(st, 7, v->pinned);
	bind_i64(st, 8, v->foreign_pin_ns);
	sqlite3_bind_text(st, 9, absent, -1, SQLITE_TRANSIENT);
	return step(r, ST_VCPU_FACT);
}

static int write_vcpu(
	struct record *r, const struct vcpu_sample *v, const struct vcpu_sample *old, int64_t row)
{
	sqlite3_stmt *st = r->st[ST_VCPU];
	if ((!old || !same_vcpu(v, old)) && write_vcpu_fact(r, v, row) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, row_id(r, r->n_vcpu++));
	sqlite3_bind_int64(st, 2, row);
	bind_fields(st, 3, rec_vcpu_fields, n_rec_vcpu_fields, v, old);
	return step(r, ST_VCPU);
}

static int write_vm(struct record *r, const struct sample *s, size_t i)
{
	const struct vm_sample *vm = &s->vms[i], *old = sample_vm_by_uuid(&r->prev, vm->uuid);
	int64_t *key = &r->next_vm_keys[i];
	if (old)
		*key = r->vm_keys[old - r->prev.vms];
	else if (vm_key(r, vm, key) < 0)
		return -1;
	if ((!old || !same_vm(vm, old)) && write_vm_fact(r, vm, *key) < 0)
		return -1;
	sqlite3_bind_int64(r->st[ST_VM], 1, row_id(r, r->n_vm++));
	sqlite3_bind_int64(r->st[ST_VM], 2, *key);
	bind_fields(r->st[ST_VM], 3, rec_vm_fields, n_rec_vm_fields, vm, old);
	if (step(r, ST_VM) < 0)
		return -1;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *v = &s->vcpus[k],
					 *was = old ? sample_vcpu(&r->prev, old, v->id) : NULL;
		if (was)
			r->next_vcpu_rows[k] = r->vcpu_rows[was - r->prev.vcpus];
		else if (vcpu_row(r, *key, v->id, &r->next_vcpu_rows[k]) < 0)
			return -1;
		if (write_vcpu(r, v, was, r->next_vcpu_rows[k]) < 0)
			return -1;
	}
	return 0;
}

static bool grow(int64_t **a, size_t n)
{
	int64_t *p = reallocarray(*a, n, sizeof *p);
	if (p)
		*a = p;
	return p != NULL;
}

static bool make_room(struct record *r, const struct sample *s)
{
	if (s->n_vms > r->cap_vms) {
		if (!grow(&r->vm_keys, s->n_vms * 2) || !grow(&r->next_vm_keys, s->n_vms * 2))
			return false;
		r->cap_vms = s->n_vms * 2;
	}
	if (s->n_vcpus > r->cap_vcpus) {
		if (!grow(&r->vcpu_rows, s->n_vcpus * 2) || !grow(&r->next_vcpu_rows, s->n_vcpus * 2))
			return false;
		r->cap_vcpus = s->n_vcpus * 2;
	}
	return true;
}

static void swap_keys(int64_t **a, int64_t **b)
{
	int64_t *t = *a;
	*a = *b;
	*b = t;
}

static int write_sample(struct record *r, const struct sample *s, bool regular)
{
	if (!make_room(r, s)) {
		give_up(r, "out of memory");
		return -1;
	}
	if (write_tick(r, s, regular) < 0 || write_host(r, s) < 0)
		return -1;
	for (size_t i = 0; i < s->n_vms; i++)
		if (write_vm(r, s, i) < 0)
			return -1;
	if (sample_copy(&r->prev, s) < 0) {
		give_up(r, "out of memory");
		return -1;
	}
	swap_keys(&r->vm_keys, &r->next_vm_keys);
	swap_keys(&r->vcpu_rows, &r->next_vcpu_rows);
	return 0;
}

static void execute(struct record *r, const char *sql)
{
	if (r->db && sqlite3_exec(r->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(r, r->path);
}

static void begin(struct record *r)
{
	if (r->writing || !r->db)
		return;
	execute(r, "BEGIN");
	r->writing = true;
}

static void commit(struct record *r)
{
	if (r->writing)
		execute(r, "COMMIT");
	r->writing = false;
}

/* Ticks older than --record-keep go; the fact rows that the rest needs stay. Done once in a while, for it
 * reads. */
static void forget_old(struct record *r, const struct sample *s)
{
	static const char *const by_id[] = {"vcpu_tick", "vm_tick", "pcpu_tick"};
	static const char *const by_tick[] = {"action", "log", "tick"};
	if (r->keep_s <= 0 || r->tick % 64)
		return;
	char first[128], sql[256];
	snprintf(first, sizeof first, "(SELECT min(tick) FROM tick WHERE time_ns >= %lld)",
		(long long)(s->time_ns - (int64_t)(r->keep_s * 1e9)));
	for (size_t i = 0; i < 3; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id < %s << %d", by_id[i], first,
			REC_TICK_SHIFT);
		execute(r, sql);
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s WHERE tick < %s", by_tick[i], first);
		execute(r, sql);
	}
}

static int record_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct record *r = (struct record *)b;
	if (r->inner->ops->sample(r->inner, groups, to, e) < 0)
		return -1;
	commit(r);
	begin(r);
	if (!r->db)
		return 0;
	r->tick++;
	r->n_pcpu = r->n_vm = r->n_vcpu = 0;
	if (write_sample(r, to, groups & SAMPLE_REGULAR) == 0)
		forget_old(r, to);
	return 0;
}

static void write_action(struct record *r, const struct action *a, size_t n)
{
	char from[8192], to[8192];
	sqlite3_stmt *st = r->st[ST_ACTION];
	bool pin = a->kind == ACTION_PIN;
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)n);
	bind_word(st, 3, action_kind_text(a->kind));
	sqlite3_bind_int64(st, 4, a->vm < r->prev.n_vms ? r->vm_keys[a->vm] : 0);
	if (a->vcpu >= 0)
		sqlite3_bind_int(st, 5, a->vcpu);
	else
		sqlite3_bind_null(st, 5);
	cpuset_format(&a->from, from, sizeof from);
	cpuset_format(&a->to, to, sizeof to);
	for (int i = 0; i < 2; i++) {
		if (pin)
			sqlite3_bind_text(st, 6 + i, i ? to : from, -1, SQLITE_TRANSIENT);
		else
			sqlite3_bind_null(st, 6 + i);
		int64_t value =
			a->kind == ACTION_BALLOON ? (i ? a->to_kib : a->from_kib) : (i ? a->to_s : a->from_s);
		if (pin)
			sqlite3_bind_null(st, 8 + i);
		else
			sqlite3_bind_int64(st, 8 + i, value);
	}
	bind_word(st, 10, reason_key(a->why.code));
	bind_text(st, 11, a->why.text);
	bind_word(st, 12, outcome_text(a->outcome));
	bind_text(st, 13, a->error);
	step(r, ST_ACTION);
}

static void record_apply(struct backend *b, struct action *actions, size_t n)
{
	struct record *r = (struct record *)b;
	r->inner->ops->apply(r->inner, actions, n);
	for (size_t i = 0; i < n && r->db; i++)
		write_action(r, &actions[i], i);
}

static void record_note(struct backend *b, const struct log_line *line)
{
	static const char *const kinds[] = {"action", "round", "event", "error", "mark"};
	struct record *r = (struct record *)b;
	if (!r->db)
		return;
	begin(r);
	sqlite3_stmt *st = r->st[ST_LOG];
	if (!st)
		return;
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, line->wall_ns);
	bind_word(st, 3, kinds[line->kind]);
	bind_text(st, 4, line->vm);
	sqlite3_bind_int(st, 5, line->vcpu);
	bind_word(st, 6, reason_key(line->reason));
	sqlite3_bind_int(st, 7, line->memory);
	bind_word(st, 8, outcome_text(line->outcome));
	bind_text(st, 9, line->text);
	step(r, ST_LOG);
}

static enum wake record_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct record *r = (struct record *)b;
	commit(r);
	return r->inner->ops->wait(r->inner, until_ns, fd);
}

static void record_close(struct backend *b)
{
	struct record *r = (struct record *)b;
	commit(r);
	/* One file is left, without the write-ahead log beside it. */
	execute(r, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(r->st[i]);
	sqlite3_close_v2(r->db);
	if (r->inner)
		r->inner->ops->close(r->inner);
	sample_done(&r->prev);
	free(r->vm_keys);
	free(r->vcpu_rows);
	free(r->next_vm_keys);
	free(r->next_vcpu_rows);
	free(r);
}

static int64_t record_now(struct backend *b)
{
	struct record *r = (struct record *)b;
	return r->inner->ops->now(r->inner);
}

static void record_status(struct backend *b, struct backend_status *st)
{
	struct record *r = (struct record *)b;
	r->inner->ops->status(r->inner, st);
	if (*r->trouble && !*st->text)
		snprintf(st->text, sizeof st->text, "%.150s", r->trouble);
}

static int pair(struct record *r, enum statement which, const char *key, const char *value)
{
	sqlite3_bind_text(r->st[which], 1, key, -1, SQLITE_TRANSIENT);
	bind_text(r->st[which], 2, value);
	return step(r, which);
}

static void write_head(struct record *r, const struct config *cfg)
{
	struct backend_status st;
	memset(&st, 0, sizeof st);
	r->inner->ops->status(r->inner, &st);
	begin(r);
	if (!r->db || pair(r, ST_META, "vmtop_version", VMTOP_VERSION) < 0 ||
		pair(r, ST_META, "uri", st.uri) < 0)
		return;
	for (size_t i = 0; i < n_settings; i++) {
		char value[4096];
		if (!settings[i].key || settings[i].type == SET_ALIAS || settings[i].type == SET_ACTION)
			continue;
		setting_format(cfg, &settings[i], value, sizeof value);
		if (pair(r, ST_CONFIG, settings[i].key, value) < 0)
			return;
	}
	commit(r);
}

/* The file is new, ours and private: never an existing one, never through a link. */
static int create_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_RUNTIME, "cannot create the recording %s: %s", path,
			errno == EEXIST ? "it exists already; vmtop does not write over a recording"
					: strerror(errno));
	close(fd);
	return 0;
}

static int open_db(struct record *r, struct err *e)
{
	char head[256];
	snprintf(head, sizeof head,
		"PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		"PRAGMA application_id = %d; PRAGMA user_version = %d",
		RECORDING_APPLICATION_ID, RECORDING_SCHEMA);
	if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
			SQLITE_OK ||
		sqlite3_exec(r->db, head, NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_exec(r->db, recording_schema_sql, NULL, NULL, NULL) != SQLITE_OK)
		return err_set(
			e, ERR_RUNTIME, "cannot write the recording %s: %s", r->path, sqlite3_errmsg(r->db));
	for (int i = 0; i < ST_COUNT; i++)
		if (sqlite3_prepare_v3(r->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->st[i],
			    NULL) != SQLITE_OK)
			return err_set(e, ERR_RUNTIME, "cannot write the recording %s: %s", r->path,
				sqlite3_errmsg(r->db));
	return 0;
}

static struct backend *record_inner(const struct backend *b)
{
	return ((const struct record *)b)->inner;
}

static const struct backend_ops record_ops = {
	.name = "record",
	.sample = record_sample,
	.apply = record_apply,
	.wait = record_wait,
	.close = record_close,
	.now = record_now,
	.status = record_status,
	.note = record_note,
	.inner = record_inner,
};

struct backend *backend_record(struct backend *inner, const struct config *cfg, struct err *e)
{
	struct record *r = calloc(1, sizeof *r);
	if (!r) {
		inner->ops->close(inner);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.ops = &record_ops;
	r->inner = inner;
	r->keep_s = cfg->record_keep_s;
	snprintf(r->path, sizeof r->path, "%s", cfg->record);
	sample_init(&r->prev);
	if (create_file(r->path, e) < 0 || open_db(r, e) < 0) {
		record_close(&r->base);
		return NULL;
	}
	write_head(r, cfg);
	return &r->base;
}
