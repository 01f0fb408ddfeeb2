/* SPDX-License-Identifier: MIT */
/* Reads one tick of a recording into a sample. Invariant: ticks come in order from a key tick on, and the
 * sample is what the recorded one was. Everything in the file is hostile: keys are looked up, never used as
 * an index, and sizes are bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay_priv.h"
#include "vmtop/array.h"
#include "vmtop/err.h"

enum { KNOWN_VMS = 100000, KNOWN_VCPUS = 500000 };

static bool is_null(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL;
}

static int64_t field_int(sqlite3_stmt *st, int column, const struct rec_field *f)
{
	return f->kib ? rec_kib(st, column) : rec_int(st, column);
}

static void set_field(
	sqlite3_stmt *st, int column, const struct rec_field *f, const char *absent, void *object)
{
	enum avail why = rec_absent_reason(absent, f->column);
	if (why == AVAIL_OK && is_null(st, column))
		why = AVAIL_NONE;
	if (f->type == REC_REAL) {
		*rec_vf64(object, f) = why == AVAIL_OK ? vf64_ok(rec_real(st, column)) : vf64_absent(why);
	} else {
		struct vi64 *v = rec_vi64(object, f);
		*v = why == AVAIL_OK ? vi64_ok(field_int(st, column, f)) : vi64_absent(why);
	}
}

static int fact_group(
	sqlite3_stmt *st, int column, const struct rec_group *g, const char *absent, void *object)
{
	for (size_t i = 0; i < g->n; i++)
		set_field(st, column++, &g->fields[i], absent, object);
	return column;
}

static void set_avail(const struct rec_field *f, enum avail why, void *object)
{
	if (f->type == REC_REAL)
		rec_vf64(object, f)->avail = why;
	else
		rec_vi64(object, f)->avail = why;
}

/* A fact has the totals of counters; of the other fields it tells only whether they are there. */
static int fact_totals(
	sqlite3_stmt *st, int column, const struct rec_group *g, const char *absent, void *object)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->fields[i].type == REC_COUNTER)
			set_field(st, column++, &g->fields[i], absent, object);
		else
			set_avail(&g->fields[i], rec_absent_reason(absent, g->fields[i].column), object);
	return column;
}

/* A difference that no counter makes starts it anew. */
static void add_to_total(struct vi64 *v, int64_t x)
{
	int64_t sum = v->v + x; /* both are within bounds */
	*v = sum >= 0 && sum <= SAMPLE_NS_MOST ? vi64_ok(sum) : vi64_absent(AVAIL_RESET);
}

/* Files of before the column came have no value, and no reason in the list. */
static void tick_real(sqlite3_stmt *st, int column, struct vf64 *v)
{
	if (v->avail == AVAIL_OK && is_null(st, column))
		v->avail = AVAIL_NONE;
	v->v = v->avail == AVAIL_OK ? rec_real(st, column) : 0;
}

static void read_group(sqlite3_stmt *st, const struct rec_group *g, bool fresh, int64_t wall_ns, void *object)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct rec_field *f = &g->fields[i];
		int column = (int)i + 1;
		if (f->type == REC_REAL) {
			tick_real(st, column, rec_vf64(object, f));
			continue;
		}
		struct vi64 *v = rec_vi64(object, f);
		int64_t x = field_int(st, column, f);
		if (v->avail != AVAIL_OK)
			v->v = 0;
		else if (f->type == REC_GAUGE)
			v->v = x;
		else if (f->type == REC_AGE)
			v->v = wall_ns - x;
		else if (f->type == REC_COUNTER && !fresh)
			add_to_total(v, x);
	}
}

/* A tick on the way changes sums only: the tick that is read has a row of its own for each object. */
static void pass_group(sqlite3_stmt *st, const struct rec_group *g, bool fresh, void *object)
{
	for (size_t i = 0; i < g->n && !fresh; i++) {
		const struct rec_field *f = &g->fields[i];
		if (f->type == REC_COUNTER && rec_vi64(object, f)->avail == AVAIL_OK)
			add_to_total(rec_vi64(object, f), field_int(st, (int)i + 1, f));
	}
}

/* The columns of a row after its key. */
static void tick_group(
	struct replay *r, sqlite3_stmt *st, const struct rec_group *g, bool fresh, void *object)
{
	if (r->passing)
		pass_group(st, g, fresh, object);
	else
		read_group(st, g, fresh, r->wall_ns, object);
}

/* First element whose key is not below; the arrays are sorted. Rows mostly come in that order too, so the
 * element after the one found last is tried first. */
#define FIND(name, type)                                                                                     \
	static size_t name(const struct type *a, size_t n, size_t hint, int64_t key)                         \
	{                                                                                                    \
		size_t lo = 0;                                                                               \
		if (hint < n && a[hint].key == key)                                                          \
			return hint;                                                                         \
		while (lo < n) {                                                                             \
			size_t mid = lo + (n - lo) / 2;                                                      \
			if (a[mid].key < key)                                                                \
				lo = mid + 1;                                                                \
			else                                                                                 \
				n = mid;                                                                     \
		}                                                                                            \
		return lo;                                                                                   \
	}
FIND(find_vm, known_vm)
FIND(find_vcpu, known_vcpu)

static struct known_vm *known_vm(struct replay *r, int64_t key)
{
	size_t i = find_vm(r->vms, r->n_vms, r->next_vm, key);
	if (i >= r->n_vms || r->vms[i].key != key)
		return NULL;
	r->next_vm = i + 1;
	return &r->vms[i];
}

static struct known_vcpu *known_vcpu(struct replay *r, int64_t key)
{
	size_t i = find_vcpu(r->vcpus, r->n_vcpus, r->next_vcpu, key);
	if (i >= r->n_vcpus || r->vcpus[i].key != key)
		return NULL;
	r->next_vcpu = i + 1;
	return &r->vcpus[i];
}

static bool room(void *array, size_t *cap, size_t n, size_t size, size_t most)
{
	return n < most && array_grow(array, cap, n + 1, size);
}

static struct known_vm *add_vm(struct replay *r, int64_t key)
{
	size_t i = find_vm(r->vms, r->n_vms, r->n_vms, key);
	if (i < r->n_vms && r->vms[i].key == key)
		return &r->vms[i];
	if (!room(&r->vms, &r->cap_vms, r->n_vms, sizeof *r->vms, KNOWN_VMS))
		return NULL;
	memmove(&r->vms[i + 1], &r->vms[i], (r->n_vms++ - i) * sizeof *r->vms);
	memset(&r->vms[i], 0, sizeof r->vms[i]);
	r->vms[i].key = key;
	return &r->vms[i];
}

static struct known_vcpu *add_vcpu(struct replay *r, int64_t key)
{
	size_t i = find_vcpu(r->vcpus, r->n_vcpus, r->n_vcpus, key);
	if (i < r->n_vcpus && r->vcpus[i].key == key)
		return &r->vcpus[i];
	if (!room(&r->vcpus, &r->cap_vcpus, r->n_vcpus, sizeof *r->vcpus, KNOWN_VCPUS))
		return NULL;
	memmove(&r->vcpus[i + 1], &r->vcpus[i], (r->n_vcpus++ - i) * sizeof *r->vcpus);
	memset(&r->vcpus[i], 0, sizeof r->vcpus[i]);
	r->vcpus[i].key = key;
	return &r->vcpus[i];
}

static enum vm_state state_by_text(const char *text)
{
	for (enum vm_state s = VM_NOSTATE; s <= VM_SUSPENDED; s++)
		if (strcmp(vm_state_text(s), text) == 0)
			return s;
	return VM_NOSTATE;
}

static enum avail avail_by_text(const char *text)
{
	char list[64];
	snprintf(list, sizeof list, "x:%.50s", text);
	return *text ? rec_absent_reason(list, "x") : AVAIL_OK;
}

/* --- facts of this tick --------------------------------------------------------------------------------- */

static void read_pcpu_facts(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_PCPU_FACT, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		int id = sqlite3_column_int(st, 0);
		if (id < 0 || id >= CPUSET_CPUS)
			continue;
		struct known_pcpu *k = &r->pcpus[id];
		int node = sqlite3_column_int(st, 3);
		k->known = k->fresh = true;
		k->v = (struct pcpu_sample){.id = id,
			.online = sqlite3_column_int(st, 1),
			.isolated = sqlite3_column_int(st, 2) & REC_ISOLATED,
			.nohz_full = sqlite3_column_int(st, 2) & REC_NOHZ_FULL,
			.node = node >= -1 && node < MAX_NODES ? node : -1,
			.socket = sqlite3_column_int(st, 4),
			.core = sqlite3_column_int(st, 5),
			.llc = sqlite3_column_int(st, 6),
			.capacity = sqlite3_column_int(st, 7)};
		fact_totals(st, 9, &rec_pcpu, rec_text(st, 8), &k->v);
	}
	sqlite3_reset(st);
}

static int read_vm_facts(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_VM_FACT, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		uint8_t uuid[UUID_BYTES];
		if (uuid_parse(uuid, rec_text(st, 1)) < 0)
			continue;
		struct known_vm *k = add_vm(r, sqlite3_column_int64(st, 0));
		if (!k)
			return -1;
		k->v = (struct vm_sample){.facts = k->v.facts};
		k->fresh = true;
		memcpy(k->v.uuid, uuid, UUID_BYTES);
		snprintf(k->v.name, sizeof k->v.name, "%s", rec_text(st, 2));
		k->v.id = sqlite3_column_int(st, 3);
		k->v.state = state_by_text(rec_text(st, 4));
		k->v.flags = (uint32_t)sqlite3_column_int64(st, 5);
		k->v.hung_since_ns = rec_int(st, 6);
		k->v.mem_nodes = (uint64_t)sqlite3_column_int64(st, 7);
		k->v.mem_nodes_strict = sqlite3_column_int(st, 8);
		k->v.mem.balloon_device = sqlite3_column_int(st, 9);
		k->v.quota_group = (uint64_t)sqlite3_column_int64(st, 10);
		const char *absent = rec_text(st, 11);
		int column = fact_totals(st, 12, &rec_vm, absent, &k->v);
		column = fact_group(st, column, &rec_vm_seldom, absent, &k->v);
		fact_totals(st, column, &rec_vm_io, absent, &k->v);
	}
	sqlite3_reset(st);
	return 0;
}

static void read_why_facts(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_VM_WHY_FACT, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct known_vm *k = known_vm(r, sqlite3_column_int64(st, 0));
		if (!k)
			continue;
		const char *absent = rec_text(st, 2);
		snprintf(k->v.facts.helper, sizeof k->v.facts.helper, "%s", rec_text(st, 1));
		k->fresh_why = true;
		int column = fact_totals(st, 3, &rec_vm_why, absent, &k->v);
		fact_group(st, column, &rec_vm_why_seldom, absent, &k->v);
	}
	sqlite3_reset(st);
}

/* Most vCPUs share one list of pCPUs: one that is written like the one before is not read again. */
struct read_list {
	char text[REC_CPUS_TEXT];
	struct cpuset set;
	bool known, valid;
};

static bool read_list(struct read_list *l, const char *text, struct cpuset *to)
{
	if (!l->known || strcmp(l->text, text) != 0) {
		l->known = snprintf(l->text, sizeof l->text, "%s", text) < (int)sizeof l->text;
		l->valid = cpuset_parse(&l->set, text, NULL) == 0;
	}
	*to = l->set;
	return l->valid;
}

static int read_vcpu_facts(struct replay *r, int64_t tick)
{
	struct read_list affinity = {.known = false}, allowed = {.known = false};
	sqlite3_stmt *st = replay_ask(r, Q_VCPU_FACT, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct known_vcpu *k = add_vcpu(r, sqlite3_column_int64(st, 0));
		if (!k)
			return -1;
		memset(&k->v, 0, sizeof k->v);
		k->fresh = true;
		k->vm_key = sqlite3_column_int64(st, 1);
		k->v.id = sqlite3_column_int(st, 2);
		k->v.online = sqlite3_column_int(st, 3);
		k->v.affinity_avail = avail_by_text(rec_text(st, 5));
		if (!read_list(&affinity, rec_text(st, 4), &k->v.affinity))
			k->v.affinity_avail = AVAIL_NONE;
		if (!read_list(&allowed, rec_text(st, 6), &k->v.allowed))
			cpuset_clear(&k->v.allowed);
		k->v.pinned = sqlite3_column_int(st, 7);
		k->v.foreign_pin_ns = is_null(st, 8) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_int(st, 8));
		fact_totals(st, 10, &rec_vcpu, rec_text(st, 9), &k->v);
	}
	sqlite3_reset(st);
	return 0;
}

/* --- rows of this tick ---------------------------------------------------------------------------------- */

static void read_nodes(struct replay *r, int64_t tick, struct sample *to)
{
	sqlite3_stmt *st = replay_ask(r, Q_NODE, tick, 0);
	while (to->host.n_nodes < MAX_NODES && sqlite3_step(st) == SQLITE_ROW)
		to->host.nodes[to->host.n_nodes++] = (struct node_sample){sqlite3_column_int(st, 0),
			is_null(st, 1) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_kib(st, 1)),
			is_null(st, 2) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_kib(st, 2))};
	sqlite3_reset(st);
}

/* The rows below change what is known; a sample is made of them when there is one to fill. */
static int read_pcpus(struct replay *r, int64_t tick, struct sample *to)
{
	sqlite3_stmt *st = replay_ask(r, Q_PCPU, tick, 0);
	int rc = 0;
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		int id = sqlite3_column_int(st, 0);
		struct known_pcpu *k = id >= 0 && id < CPUSET_CPUS ? &r->pcpus[id] : NULL;
		if (!k || !k->known)
			continue;
		tick_group(r, st, &rec_pcpu, k->fresh, &k->v);
		k->fresh = false;
		struct pcpu_sample *p = to ? sample_add_pcpu(to, id) : NULL;
		rc = to && !p ? -1 : 0;
		if (p) {
			*p = k->v;
			to->host.has_llc |= p->llc >= 0;
		}
	}
	sqlite3_reset(st);
	return rc;
}

static void read_io(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_VM_IO, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct known_vm *k = known_vm(r, sqlite3_column_int64(st, 0));
		if (k)
			tick_group(r, st, &rec_vm_io, k->fresh, &k->v);
	}
	sqlite3_reset(st);
}

static void read_why(struct replay *r, int64_t tick)
{
	sqlite3_stmt *st = replay_ask(r, Q_VM_WHY, tick, 0);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct known_vm *k = known_vm(r, sqlite3_column_int64(st, 0));
		if (!k)
			continue;
		tick_group(r, st, &rec_vm_why, k->fresh_why, &k->v);
		k->fresh_why = false;
	}
	sqlite3_reset(st);
}

static int add_vcpu_row(
	struct replay *r, sqlite3_stmt *st, int64_t vm_key, struct known_vcpu *k, struct sample *to)
{
	if (!k || k->vm_key != vm_key)
		return 0;
	tick_group(r, st, &rec_vcpu, k->fresh, &k->v);
	k->fresh = false;
	struct vcpu_sample *v = to ? sample_add_vcpu(to, k->v.id) : NULL;
	if (v)
		*v = k->v;
	return to && !v ? -1 : 0;
}

static int add_vm_row(struct replay *r, sqlite3_stmt *st, struct known_vm *k, struct sample *to)
{
	tick_group(r, st, &rec_vm, k->fresh, &k->v);
	k->fresh = false;
	struct vm_sample *vm = to ? sample_add_vm(to, k->v.uuid) : NULL;
	if (!vm)
		return to ? -1 : 0;
	size_t first = vm->first_vcpu;
	*vm = k->v;
	vm->first_vcpu = first;
	vm->n_vcpus = 0;
	return 0;
}

static struct known_vcpu *next_vcpu(struct replay *r, sqlite3_stmt *vcpus, bool *more)
{
	*more = sqlite3_step(vcpus) == SQLITE_ROW;
	return *more ? known_vcpu(r, sqlite3_column_int64(vcpus, 0)) : NULL;
}

/* Both come in the order of the sample, so that a VM's vCPUs can be added while it is the last one. */
static int read_vms(struct replay *r, int64_t tick, struct sample *to)
{
	sqlite3_stmt *vms = replay_ask(r, Q_VM, tick, 0), *vcpus = replay_ask(r, Q_VCPU, tick, 0);
	bool more;
	struct known_vcpu *vcpu = next_vcpu(r, vcpus, &more);
	int rc = 0;
	while (rc == 0 && sqlite3_step(vms) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(vms, 0);
		struct known_vm *k = known_vm(r, key);
		if (!k)
			continue;
		rc = add_vm_row(r, vms, k, to);
		for (; rc == 0 && more && (!vcpu || vcpu->vm_key == key); vcpu = next_vcpu(r, vcpus, &more))
			rc = add_vcpu_row(r, vcpus, key, vcpu, to);
	}
	sqlite3_reset(vms);
	sqlite3_reset(vcpus);
	return rc;
}

static int read_tick(struct replay *r, int64_t tick, struct sample *to, struct err *e)
{
	sqlite3_stmt *st = replay_ask(r, Q_TICK, tick, 0);
	if (sqlite3_step(st) != SQLITE_ROW) {
		err_set(e, ERR_RUNTIME, "%.200s: cannot read tick %lld: %s", r->path, (long long)tick,
			sqlite3_errmsg(r->db));
		sqlite3_reset(st);
		return -1;
	}
	to->time_ns = rec_int(st, 0);
	to->wall_ns = rec_int(st, 1);
	to->took_ns = rec_int(st, 2);
	snprintf(to->note, sizeof to->note, "%s", rec_text(st, 3));
	fact_group(st, 5, &rec_host, rec_text(st, 4), &to->host);
	sqlite3_reset(st);
	return 0;
}

static int read_objects(struct replay *r, int64_t tick, struct sample *to, struct err *e)
{
	r->next_vm = r->next_vcpu = 0;
	read_pcpu_facts(r, tick);
	if (read_vm_facts(r, tick) < 0 || read_vcpu_facts(r, tick) < 0 || read_pcpus(r, tick, to) < 0)
		return err_set(e, ERR_NOMEM, "%.200s: too many objects, or out of memory", r->path);
	read_io(r, tick);
	r->next_vm = 0;
	read_why_facts(r, tick);
	r->next_vm = 0;
	read_why(r, tick);
	r->next_vm = 0;
	if (read_vms(r, tick, to) < 0)
		return err_set(e, ERR_NOMEM, "%.200s: out of memory", r->path);
	return 0;
}

int replay_read(struct replay *r, int64_t tick, struct sample *to, struct err *e)
{
	sample_reset(to);
	if (read_tick(r, tick, to, e) < 0)
		return -1;
	to->host.local = r->host.local;
	to->host.has_isolation = r->host.has_isolation;
	memcpy(to->host.hostname, r->host.hostname, sizeof to->host.hostname);
	memcpy(to->host.hypervisor, r->host.hypervisor, sizeof to->host.hypervisor);
	read_nodes(r, tick, to);
	r->passing = false;
	r->wall_ns = to->wall_ns;
	return read_objects(r, tick, to, e) < 0 ? -1 : sample_finish(to, e);
}

int replay_pass(struct replay *r, int64_t tick, struct err *e)
{
	r->passing = true;
	return read_objects(r, tick, NULL, e);
}

void replay_forget(struct replay *r)
{
	r->n_vms = r->n_vcpus = 0;
	memset(r->pcpus, 0, CPUSET_CPUS * sizeof *r->pcpus);
}
