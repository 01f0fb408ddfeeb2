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

static bool is_null(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

static int64_t field_int(sqlite3_stmt *stmt, int column, const struct rec_field *field)
{
	return field->kib ? rec_kib(stmt, column) : rec_int(stmt, column);
}

static void set_field(
	sqlite3_stmt *stmt, int column, const struct rec_field *field, const char *absent, void *object)
{
	enum avail why = rec_absent_reason(absent, field->column);
	if (why == AVAIL_OK && is_null(stmt, column))
		why = AVAIL_NONE;
	if (field->type == REC_REAL) {
		*rec_vf64(object, field) =
			why == AVAIL_OK ? vf64_ok(rec_real(stmt, column)) : vf64_absent(why);
	} else {
		struct vi64 *v = rec_vi64(object, field);
		*v = why == AVAIL_OK ? vi64_ok(field_int(stmt, column, field)) : vi64_absent(why);
	}
}

static int fact_group(
	sqlite3_stmt *stmt, int column, const struct rec_group *group, const char *absent, void *object)
{
	for (size_t i = 0; i < group->n; i++)
		set_field(stmt, column++, &group->fields[i], absent, object);
	return column;
}

static void set_avail(const struct rec_field *field, enum avail why, void *object)
{
	if (field->type == REC_REAL)
		rec_vf64(object, field)->avail = why;
	else
		rec_vi64(object, field)->avail = why;
}

/* A fact has the totals of counters; of the other fields it tells only whether they are there. */
static int fact_totals(
	sqlite3_stmt *stmt, int column, const struct rec_group *group, const char *absent, void *object)
{
	for (size_t i = 0; i < group->n; i++)
		if (group->fields[i].type == REC_COUNTER)
			set_field(stmt, column++, &group->fields[i], absent, object);
		else
			set_avail(&group->fields[i], rec_absent_reason(absent, group->fields[i].column),
				object);
	return column;
}

/* A difference that no counter makes starts it anew. */
static void add_to_total(struct vi64 *v, int64_t x)
{
	int64_t sum = v->v + x; /* both are within bounds */
	*v = vi64_if(sum >= 0 && sum <= SAMPLE_NS_MOST, sum, AVAIL_RESET);
}

/* Files of before the column came have no value, and no reason in the list. */
static void tick_real(sqlite3_stmt *stmt, int column, struct vf64 *v)
{
	if (v->avail == AVAIL_OK && is_null(stmt, column))
		v->avail = AVAIL_NONE;
	v->v = v->avail == AVAIL_OK ? rec_real(stmt, column) : 0;
}

static void read_group(
	sqlite3_stmt *stmt, const struct rec_group *group, bool fresh, int64_t wall_ns, void *object)
{
	for (size_t i = 0; i < group->n; i++) {
		const struct rec_field *field = &group->fields[i];
		int column = (int)i + 1;
		if (field->type == REC_REAL) {
			tick_real(stmt, column, rec_vf64(object, field));
			continue;
		}
		struct vi64 *v = rec_vi64(object, field);
		int64_t x = field_int(stmt, column, field);
		if (v->avail != AVAIL_OK)
			v->v = 0;
		else if (field->type == REC_GAUGE)
			v->v = x;
		else if (field->type == REC_AGE)
			v->v = wall_ns - x;
		else if (field->type == REC_COUNTER && !fresh)
			add_to_total(v, x);
	}
}

/* A tick on the way changes sums only: the tick that is read has a row of its own for each object. */
static void pass_group(sqlite3_stmt *stmt, const struct rec_group *group, bool fresh, void *object)
{
	for (size_t i = 0; i < group->n && !fresh; i++) {
		const struct rec_field *field = &group->fields[i];
		if (field->type == REC_COUNTER && rec_vi64(object, field)->avail == AVAIL_OK)
			add_to_total(rec_vi64(object, field), field_int(stmt, (int)i + 1, field));
	}
}

/* The columns of a row after its key. */
static void tick_group(
	struct replay *replay, sqlite3_stmt *stmt, const struct rec_group *group, bool fresh, void *object)
{
	if (replay->passing)
		pass_group(stmt, group, fresh, object);
	else
		read_group(stmt, group, fresh, replay->wall_ns, object);
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

static struct known_vm *known_vm(struct replay *replay, int64_t key)
{
	size_t i = find_vm(replay->vms, replay->n_vms, replay->next_vm, key);
	if (i >= replay->n_vms || replay->vms[i].key != key)
		return NULL;
	replay->next_vm = i + 1;
	return &replay->vms[i];
}

static struct known_vcpu *known_vcpu(struct replay *replay, int64_t key)
{
	size_t i = find_vcpu(replay->vcpus, replay->n_vcpus, replay->next_vcpu, key);
	if (i >= replay->n_vcpus || replay->vcpus[i].key != key)
		return NULL;
	replay->next_vcpu = i + 1;
	return &replay->vcpus[i];
}

static bool room(void *array, size_t *cap, size_t n, size_t size, size_t most)
{
	return n < most && array_grow(array, cap, n + 1, size);
}

static struct known_vm *add_vm(struct replay *replay, int64_t key)
{
	size_t i = find_vm(replay->vms, replay->n_vms, replay->n_vms, key);
	if (i < replay->n_vms && replay->vms[i].key == key)
		return &replay->vms[i];
	if (!room(&replay->vms, &replay->cap_vms, replay->n_vms, sizeof *replay->vms, KNOWN_VMS))
		return NULL;
	memmove(&replay->vms[i + 1], &replay->vms[i], (replay->n_vms++ - i) * sizeof *replay->vms);
	memset(&replay->vms[i], 0, sizeof replay->vms[i]);
	replay->vms[i].key = key;
	return &replay->vms[i];
}

static struct known_vcpu *add_vcpu(struct replay *replay, int64_t key)
{
	size_t i = find_vcpu(replay->vcpus, replay->n_vcpus, replay->n_vcpus, key);
	if (i < replay->n_vcpus && replay->vcpus[i].key == key)
		return &replay->vcpus[i];
	if (!room(&replay->vcpus, &replay->cap_vcpus, replay->n_vcpus, sizeof *replay->vcpus, KNOWN_VCPUS))
		return NULL;
	memmove(&replay->vcpus[i + 1], &replay->vcpus[i], (replay->n_vcpus++ - i) * sizeof *replay->vcpus);
	memset(&replay->vcpus[i], 0, sizeof replay->vcpus[i]);
	replay->vcpus[i].key = key;
	return &replay->vcpus[i];
}

static enum vm_state state_by_text(const char *text)
{
	for (enum vm_state state = VM_NOSTATE; state <= VM_SUSPENDED; state++)
		if (strcmp(vm_state_text(state), text) == 0)
			return state;
	return VM_NOSTATE;
}

static enum avail avail_by_text(const char *text)
{
	char list[64];
	snprintf(list, sizeof list, "x:%.50s", text);
	return *text ? rec_absent_reason(list, "x") : AVAIL_OK;
}

/* --- facts of this tick --------------------------------------------------------------------------------- */

static void read_pcpu_facts(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_PCPU_FACT, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		int id = sqlite3_column_int(stmt, 0);
		if (id < 0 || id >= CPUSET_CPUS)
			continue;
		struct known_pcpu *known = &replay->pcpus[id];
		int node = sqlite3_column_int(stmt, 3);
		known->known = known->fresh = true;
		known->v = (struct pcpu_sample){.id = id,
			.online = sqlite3_column_int(stmt, 1),
			.isolated = sqlite3_column_int(stmt, 2) & REC_ISOLATED,
			.nohz_full = sqlite3_column_int(stmt, 2) & REC_NOHZ_FULL,
			.node = node >= -1 && node < MAX_NODES ? node : -1,
			.socket = sqlite3_column_int(stmt, 4),
			.core = sqlite3_column_int(stmt, 5),
			.llc = sqlite3_column_int(stmt, 6),
			.capacity = sqlite3_column_int(stmt, 7)};
		fact_totals(stmt, 9, &rec_pcpu, rec_text(stmt, 8), &known->v);
	}
	sqlite3_reset(stmt);
}

static int read_vm_facts(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_VM_FACT, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		uint8_t uuid[UUID_BYTES];
		if (uuid_parse(uuid, rec_text(stmt, 1)) < 0)
			continue;
		struct known_vm *known = add_vm(replay, sqlite3_column_int64(stmt, 0));
		if (!known)
			return -1;
		known->v = (struct vm_sample){.facts = known->v.facts};
		known->fresh = true;
		memcpy(known->v.uuid, uuid, UUID_BYTES);
		snprintf(known->v.name, sizeof known->v.name, "%s", rec_text(stmt, 2));
		known->v.id = sqlite3_column_int(stmt, 3);
		known->v.state = state_by_text(rec_text(stmt, 4));
		known->v.flags = (uint32_t)sqlite3_column_int64(stmt, 5);
		known->v.hung_since_ns = rec_int(stmt, 6);
		known->v.mem_nodes = (uint64_t)sqlite3_column_int64(stmt, 7);
		known->v.mem_nodes_strict = sqlite3_column_int(stmt, 8);
		known->v.mem.balloon_device = sqlite3_column_int(stmt, 9);
		known->v.quota_group = (uint64_t)sqlite3_column_int64(stmt, 10);
		const char *absent = rec_text(stmt, 11);
		int column = fact_totals(stmt, 12, &rec_vm, absent, &known->v);
		column = fact_group(stmt, column, &rec_vm_seldom, absent, &known->v);
		fact_totals(stmt, column, &rec_vm_io, absent, &known->v);
	}
	sqlite3_reset(stmt);
	return 0;
}

static void read_why_facts(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_VM_WHY_FACT, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct known_vm *known = known_vm(replay, sqlite3_column_int64(stmt, 0));
		if (!known)
			continue;
		const char *absent = rec_text(stmt, 2);
		snprintf(known->v.facts.helper, sizeof known->v.facts.helper, "%s", rec_text(stmt, 1));
		known->fresh_why = true;
		int column = fact_totals(stmt, 3, &rec_vm_why, absent, &known->v);
		fact_group(stmt, column, &rec_vm_why_seldom, absent, &known->v);
	}
	sqlite3_reset(stmt);
}

/* Most vCPUs share one list of pCPUs: one that is written like the one before is not read again. */
struct read_list {
	char text[REC_CPUS_TEXT];
	struct cpuset set;
	bool known, valid;
};

static bool read_list(struct read_list *list, const char *text, struct cpuset *to)
{
	if (!list->known || strcmp(list->text, text) != 0) {
		list->known = snprintf(list->text, sizeof list->text, "%s", text) < (int)sizeof list->text;
		list->valid = cpuset_parse(&list->set, text, NULL) == 0;
	}
	*to = list->set;
	return list->valid;
}

static int read_vcpu_facts(struct replay *replay, int64_t tick)
{
	struct read_list affinity = {.known = false}, allowed = {.known = false};
	sqlite3_stmt *stmt = replay_ask(replay, Q_VCPU_FACT, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct known_vcpu *known = add_vcpu(replay, sqlite3_column_int64(stmt, 0));
		if (!known)
			return -1;
		memset(&known->v, 0, sizeof known->v);
		known->fresh = true;
		known->vm_key = sqlite3_column_int64(stmt, 1);
		known->v.id = sqlite3_column_int(stmt, 2);
		known->v.online = sqlite3_column_int(stmt, 3);
		known->v.affinity_avail = avail_by_text(rec_text(stmt, 5));
		if (!read_list(&affinity, rec_text(stmt, 4), &known->v.affinity))
			known->v.affinity_avail = AVAIL_NONE;
		if (!read_list(&allowed, rec_text(stmt, 6), &known->v.allowed))
			cpuset_clear(&known->v.allowed);
		known->v.pinned = sqlite3_column_int(stmt, 7);
		known->v.foreign_pin_ns =
			is_null(stmt, 8) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_int(stmt, 8));
		fact_totals(stmt, 10, &rec_vcpu, rec_text(stmt, 9), &known->v);
	}
	sqlite3_reset(stmt);
	return 0;
}

/* --- rows of this tick ---------------------------------------------------------------------------------- */

static void read_nodes(struct replay *replay, int64_t tick, struct sample *to)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_NODE, tick, 0);
	while (to->host.n_nodes < MAX_NODES && sqlite3_step(stmt) == SQLITE_ROW)
		to->host.nodes[to->host.n_nodes++] = (struct node_sample){sqlite3_column_int(stmt, 0),
			is_null(stmt, 1) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_kib(stmt, 1)),
			is_null(stmt, 2) ? vi64_absent(AVAIL_NONE) : vi64_ok(rec_kib(stmt, 2))};
	sqlite3_reset(stmt);
}

/* The rows below change what is known; a sample is made of them when there is one to fill. */
static int read_pcpus(struct replay *replay, int64_t tick, struct sample *to)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_PCPU, tick, 0);
	int rc = 0;
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		int id = sqlite3_column_int(stmt, 0);
		struct known_pcpu *known = id >= 0 && id < CPUSET_CPUS ? &replay->pcpus[id] : NULL;
		if (!known || !known->known)
			continue;
		tick_group(replay, stmt, &rec_pcpu, known->fresh, &known->v);
		known->fresh = false;
		struct pcpu_sample *pcpu = to ? sample_add_pcpu(to, id) : NULL;
		rc = to && !pcpu ? -1 : 0;
		if (pcpu) {
			*pcpu = known->v;
			to->host.has_llc |= pcpu->llc >= 0;
		}
	}
	sqlite3_reset(stmt);
	return rc;
}

static void read_io(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_VM_IO, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct known_vm *known = known_vm(replay, sqlite3_column_int64(stmt, 0));
		if (known)
			tick_group(replay, stmt, &rec_vm_io, known->fresh, &known->v);
	}
	sqlite3_reset(stmt);
}

static void read_why(struct replay *replay, int64_t tick)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_VM_WHY, tick, 0);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct known_vm *known = known_vm(replay, sqlite3_column_int64(stmt, 0));
		if (!known)
			continue;
		tick_group(replay, stmt, &rec_vm_why, known->fresh_why, &known->v);
		known->fresh_why = false;
	}
	sqlite3_reset(stmt);
}

static int add_vcpu_row(struct replay *replay, sqlite3_stmt *stmt, int64_t vm_key, struct known_vcpu *known,
	struct sample *to)
{
	if (!known || known->vm_key != vm_key)
		return 0;
	tick_group(replay, stmt, &rec_vcpu, known->fresh, &known->v);
	known->fresh = false;
	struct vcpu_sample *vcpu = to ? sample_add_vcpu(to, known->v.id) : NULL;
	if (vcpu)
		*vcpu = known->v;
	return to && !vcpu ? -1 : 0;
}

static int add_vm_row(struct replay *replay, sqlite3_stmt *stmt, struct known_vm *known, struct sample *to)
{
	tick_group(replay, stmt, &rec_vm, known->fresh, &known->v);
	known->fresh = false;
	struct vm_sample *vm = to ? sample_add_vm(to, known->v.uuid) : NULL;
	if (!vm)
		return to ? -1 : 0;
	size_t first = vm->first_vcpu;
	*vm = known->v;
	vm->first_vcpu = first;
	vm->n_vcpus = 0;
	return 0;
}

static struct known_vcpu *next_vcpu(struct replay *replay, sqlite3_stmt *vcpus, bool *more)
{
	*more = sqlite3_step(vcpus) == SQLITE_ROW;
	return *more ? known_vcpu(replay, sqlite3_column_int64(vcpus, 0)) : NULL;
}

/* Both come in the order of the sample, so that a VM's vCPUs can be added while it is the last one. */
static int read_vms(struct replay *replay, int64_t tick, struct sample *to)
{
	sqlite3_stmt *vms = replay_ask(replay, Q_VM, tick, 0), *vcpus = replay_ask(replay, Q_VCPU, tick, 0);
	bool more;
	struct known_vcpu *vcpu = next_vcpu(replay, vcpus, &more);
	int rc = 0;
	while (rc == 0 && sqlite3_step(vms) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(vms, 0);
		struct known_vm *known = known_vm(replay, key);
		if (!known)
			continue;
		rc = add_vm_row(replay, vms, known, to);
		for (; rc == 0 && more && (!vcpu || vcpu->vm_key == key);
			vcpu = next_vcpu(replay, vcpus, &more))
			rc = add_vcpu_row(replay, vcpus, key, vcpu, to);
	}
	sqlite3_reset(vms);
	sqlite3_reset(vcpus);
	return rc;
}

static int read_tick(struct replay *replay, int64_t tick, struct sample *to, struct err *err)
{
	sqlite3_stmt *stmt = replay_ask(replay, Q_TICK, tick, 0);
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		err_set(err, ERR_RUNTIME, "%.200s: cannot read tick %lld: %s", replay->path, (long long)tick,
			sqlite3_errmsg(replay->db));
		sqlite3_reset(stmt);
		return -1;
	}
	to->time_ns = rec_int(stmt, 0);
	to->wall_ns = rec_int(stmt, 1);
	to->took_ns = rec_int(stmt, 2);
	snprintf(to->note, sizeof to->note, "%s", rec_text(stmt, 3));
	fact_group(stmt, 5, &rec_host, rec_text(stmt, 4), &to->host);
	sqlite3_reset(stmt);
	return 0;
}

static int read_objects(struct replay *replay, int64_t tick, struct sample *to, struct err *err)
{
	replay->next_vm = replay->next_vcpu = 0;
	read_pcpu_facts(replay, tick);
	if (read_vm_facts(replay, tick) < 0 || read_vcpu_facts(replay, tick) < 0 ||
		read_pcpus(replay, tick, to) < 0)
		return err_set(err, ERR_NOMEM, "%.200s: too many objects, or out of memory", replay->path);
	read_io(replay, tick);
	replay->next_vm = 0;
	read_why_facts(replay, tick);
	replay->next_vm = 0;
	read_why(replay, tick);
	replay->next_vm = 0;
	if (read_vms(replay, tick, to) < 0)
		return err_set(err, ERR_NOMEM, "%.200s: out of memory", replay->path);
	return 0;
}

int replay_read(struct replay *replay, int64_t tick, struct sample *to, struct err *err)
{
	sample_reset(to);
	if (read_tick(replay, tick, to, err) < 0)
		return -1;
	to->host.local = replay->host.local;
	to->host.has_isolation = replay->host.has_isolation;
	memcpy(to->host.hostname, replay->host.hostname, sizeof to->host.hostname);
	memcpy(to->host.hypervisor, replay->host.hypervisor, sizeof to->host.hypervisor);
	read_nodes(replay, tick, to);
	replay->passing = false;
	replay->wall_ns = to->wall_ns;
	return read_objects(replay, tick, to, err) < 0 ? -1 : sample_finish(to, err);
}

int replay_pass(struct replay *replay, int64_t tick, struct err *err)
{
	replay->passing = true;
	return read_objects(replay, tick, NULL, err);
}

void replay_forget(struct replay *replay)
{
	replay->n_vms = replay->n_vcpus = 0;
	memset(replay->pcpus, 0, CPUSET_CPUS * sizeof *replay->pcpus);
}
