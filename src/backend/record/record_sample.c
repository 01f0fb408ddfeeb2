/* SPDX-License-Identifier: MIT */
/* Writes a sample: who is there, what changed (facts), then the rows of the tick. Invariant: what is written
 * gives back the very sample, name bytes that are no UTF-8 apart. Knows nothing of actions. */
#include <stdlib.h>
#include <string.h>

#include "record_priv.h"
#include "vmtop/array.h"

static const struct rec_group *const pcpu_groups[] = {&rec_pcpu}, *const vcpu_groups[] = {&rec_vcpu},
				     *const host_groups[] = {&rec_host};

static bool same_avail(const struct rec_group *const *groups, size_t n, const void *a, const void *b)
{
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < groups[g]->n; i++)
			if (rec_avail(a, &groups[g]->fields[i]) != rec_avail(b, &groups[g]->fields[i]))
				return false;
	return true;
}

static int bind_field(sqlite3_stmt *stmt, int at, const struct rec_field *field, const void *now)
{
	if (field->type == REC_REAL)
		record_bind_f64(stmt, at, *rec_vf64_of(now, field));
	else
		record_bind_i64(stmt, at, *rec_vi64_of(now, field));
	return at + 1;
}

static int bind_group(sqlite3_stmt *stmt, int at, const struct rec_group *group, const void *now)
{
	for (size_t i = 0; i < group->n; i++)
		at = bind_field(stmt, at, &group->fields[i], now);
	return at;
}

/* Only the totals of counters, as fact tables have them. */
static int bind_totals(sqlite3_stmt *stmt, int at, const struct rec_group *group, const void *now)
{
	for (size_t i = 0; i < group->n; i++)
		if (group->fields[i].type == REC_COUNTER)
			at = bind_field(stmt, at, &group->fields[i], now);
	return at;
}

static void bind_absent(
	sqlite3_stmt *stmt, int at, const void *object, const struct rec_group *const *groups, size_t n)
{
	char absent[ABSENT_TEXT];
	rec_absent(object, groups, n, absent);
	sqlite3_bind_text(stmt, at, absent, -1, SQLITE_TRANSIENT);
}

static int write_name(struct record *rec, const char *key, const char *now, const char *old)
{
	if (rec->tick > 1 && strcmp(now, old) == 0)
		return 0;
	record_bind_word(rec->st[ST_META], 1, key);
	record_bind_text(rec->st[ST_META], 2, now);
	return record_step(rec, ST_META);
}

static int write_names(struct record *rec, const struct host_sample *host, const struct host_sample *old)
{
	return write_name(rec, "hostname", host->hostname, old->hostname) < 0 ||
			       write_name(rec, "hypervisor", host->hypervisor, old->hypervisor) < 0 ||
			       write_name(rec, "local", host->local ? "1" : "0", old->local ? "1" : "0") <
				       0 ||
			       write_name(rec, "isolation", host->has_isolation ? "1" : "0",
				       old->has_isolation ? "1" : "0") < 0
		       ? -1
		       : 0;
}

static int write_tick(struct record *rec, const struct sample *sample, bool regular)
{
	sqlite3_stmt *stmt = rec->st[ST_TICK];
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int64(stmt, 2, sample->time_ns);
	sqlite3_bind_int64(stmt, 3, sample->wall_ns);
	sqlite3_bind_int64(stmt, 4, rec->begun_ns);
	sqlite3_bind_int64(stmt, 5, sample->took_ns);
	sqlite3_bind_int(stmt, 6, regular);
	sqlite3_bind_int(stmt, 7, rec->key);
	record_bind_text(stmt, 8, sample->note);
	bind_absent(stmt, 9, &sample->host, host_groups, 1);
	bind_group(stmt, 10, &rec_host, &sample->host);
	if (record_step(rec, ST_TICK) < 0)
		return -1;
	for (size_t i = 0; i < sample->host.n_nodes; i++) {
		const struct node_sample *n = &sample->host.nodes[i];
		sqlite3_bind_int64(rec->st[ST_NODE], 1, rec->tick << REC_TICK_SHIFT | (int64_t)i);
		sqlite3_bind_int(rec->st[ST_NODE], 2, n->id);
		record_bind_i64(rec->st[ST_NODE], 3, n->total_kib);
		record_bind_i64(rec->st[ST_NODE], 4, n->free_kib);
		if (record_step(rec, ST_NODE) < 0)
			return -1;
	}
	return 0;
}

static bool same_pcpu(const struct pcpu_sample *a, const struct pcpu_sample *b)
{
	return a->online == b->online && a->isolated == b->isolated && a->nohz_full == b->nohz_full &&
	       a->node == b->node && a->socket == b->socket && a->core == b->core && a->llc == b->llc &&
	       a->capacity == b->capacity && same_avail(pcpu_groups, 1, a, b);
}

static int write_pcpu_fact(struct record *rec, const struct pcpu_sample *pcpu)
{
	const int kind = (pcpu->isolated ? REC_ISOLATED : 0) | (pcpu->nohz_full ? REC_NOHZ_FULL : 0);
	const int values[] = {pcpu->id, pcpu->online, kind, pcpu->node, pcpu->socket, pcpu->core, pcpu->llc,
		pcpu->capacity};
	sqlite3_stmt *stmt = rec->st[ST_PCPU_FACT];
	sqlite3_bind_int64(stmt, 1, rec->tick);
	for (int i = 0; i < 8; i++)
		sqlite3_bind_int(stmt, 2 + i, values[i]);
	bind_absent(stmt, 10, pcpu, pcpu_groups, 1);
	bind_totals(stmt, 11, &rec_pcpu, pcpu);
	return record_step(rec, ST_PCPU_FACT);
}

static bool add_row(struct record *rec, enum rec_source to, const void *now, const void *prev, int64_t key)
{
	if (!array_grow(&rec->rows[to], &rec->cap_rows[to], rec->n_rows[to] + 1, sizeof *rec->rows[to]))
		return false;
	rec->rows[to][rec->n_rows[to]++] = (struct rec_row){now, prev, key};
	return true;
}

static int write_host(struct record *rec, const struct sample *sample)
{
	for (size_t i = 0; i < sample->host.n_pcpus; i++) {
		const struct pcpu_sample *pcpu = &sample->host.pcpus[i],
					 *old = sample_pcpu(&rec->prev, pcpu->id);
		if ((rec->key || !old || !same_pcpu(pcpu, old)) && write_pcpu_fact(rec, pcpu) < 0)
			return -1;
		if (!add_row(rec, SOURCE_PCPU, pcpu, old, pcpu->id))
			return -1;
	}
	return 0;
}

static int key_of(struct record *rec, enum rec_statement add, enum rec_statement key, int64_t *out)
{
	if (record_step(rec, add) < 0)
		return -1;
	int rc = sqlite3_step(rec->st[key]);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(rec->st[key], 0);
	sqlite3_reset(rec->st[key]);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int vm_key(struct record *rec, const struct vm_sample *vm, int64_t *out)
{
	char uuid[UUID_TEXT];
	uuid_format(vm->uuid, uuid);
	sqlite3_bind_text(rec->st[ST_VM_ADD], 1, uuid, -1, SQLITE_TRANSIENT);
	record_bind_text(rec->st[ST_VM_ADD], 2, vm->name);
	sqlite3_bind_text(rec->st[ST_VM_KEY], 1, uuid, -1, SQLITE_TRANSIENT);
	return key_of(rec, ST_VM_ADD, ST_VM_KEY, out);
}

static int vcpu_key(struct record *rec, int64_t vm, int vcpu, int64_t *out)
{
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *stmt = rec->st[i ? ST_VCPU_KEY : ST_VCPU_ADD];
		sqlite3_bind_int64(stmt, 1, vm);
		sqlite3_bind_int(stmt, 2, vcpu);
	}
	return key_of(rec, ST_VCPU_ADD, ST_VCPU_KEY, out);
}

static int cpus_key(struct record *rec, const struct cpuset *set, int64_t *out)
{
	char list[REC_CPUS_TEXT];
	cpuset_format(set, list, sizeof list);
	for (int i = 0; i < 2; i++)
		sqlite3_bind_text(rec->st[i ? ST_CPUS_KEY : ST_CPUS_ADD], 1, list, -1, SQLITE_TRANSIENT);
	return key_of(rec, ST_CPUS_ADD, ST_CPUS_KEY, out);
}

static bool same_seldom(const struct vm_sample *a, const struct vm_sample *b)
{
	return a->quota_pct.v == b->quota_pct.v && a->group_quota_pct.v == b->group_quota_pct.v &&
	       a->quota_group == b->quota_group && a->mem.max_kib.v == b->mem.max_kib.v &&
	       a->mem.period_s.v == b->mem.period_s.v &&
	       a->mem.min_guarantee_kib.v == b->mem.min_guarantee_kib.v;
}

static bool same_vm(const struct vm_sample *a, const struct vm_sample *b)
{
	return a->id == b->id && a->state == b->state && a->flags == b->flags &&
	       a->hung_since_ns == b->hung_since_ns && a->mem_nodes == b->mem_nodes &&
	       a->mem_nodes_strict == b->mem_nodes_strict && a->mem.balloon_device == b->mem.balloon_device &&
	       strcmp(a->name, b->name) == 0 && same_seldom(a, b) &&
	       same_avail(rec_vm_groups, REC_VM_GROUPS, a, b);
}

static int write_vm_fact(struct record *rec, const struct vm_sample *vm, int64_t key)
{
	sqlite3_stmt *stmt = rec->st[ST_VM_FACT];
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int64(stmt, 2, key);
	record_bind_text(stmt, 3, vm->name);
	sqlite3_bind_int(stmt, 4, vm->id);
	record_bind_word(stmt, 5, vm_state_text(vm->state));
	sqlite3_bind_int64(stmt, 6, vm->flags);
	sqlite3_bind_int64(stmt, 7, vm->hung_since_ns);
	sqlite3_bind_int64(stmt, 8, (sqlite3_int64)vm->mem_nodes);
	sqlite3_bind_int(stmt, 9, vm->mem_nodes_strict);
	sqlite3_bind_int(stmt, 10, vm->mem.balloon_device);
	sqlite3_bind_int64(stmt, 11, (sqlite3_int64)vm->quota_group);
	bind_absent(stmt, 12, vm, rec_vm_groups, REC_VM_GROUPS);
	int at = bind_totals(stmt, 13, &rec_vm, vm);
	at = bind_group(stmt, at, &rec_vm_seldom, vm);
	bind_totals(stmt, at, &rec_vm_io, vm);
	return record_step(rec, ST_VM_FACT);
}

static bool same_why(const struct vm_sample *a, const struct vm_sample *b)
{
	return strcmp(a->facts.helper, b->facts.helper) == 0 && a->facts.weight.v == b->facts.weight.v &&
	       a->facts.cpu_shares.v == b->facts.cpu_shares.v &&
	       same_avail(rec_why_groups, REC_WHY_GROUPS, a, b);
}

/* Its number in the tick is that of the VM's row. */
static int write_why_fact(struct record *rec, const struct vm_sample *vm, int64_t key)
{
	sqlite3_stmt *stmt = rec->st[ST_VM_WHY_FACT];
	sqlite3_bind_int64(stmt, 1, rec->tick << REC_TICK_SHIFT | (int64_t)rec->n_rows[SOURCE_VM]);
	sqlite3_bind_int64(stmt, 2, key);
	record_bind_text(stmt, 3, vm->facts.helper);
	bind_absent(stmt, 4, vm, rec_why_groups, REC_WHY_GROUPS);
	bind_group(stmt, bind_totals(stmt, 5, &rec_vm_why, vm), &rec_vm_why_seldom, vm);
	return record_step(rec, ST_VM_WHY_FACT);
}

static bool same_vcpu(const struct vcpu_sample *a, const struct vcpu_sample *b)
{
	return a->online == b->online && a->affinity_avail == b->affinity_avail && a->pinned == b->pinned &&
	       a->foreign_pin_ns.v == b->foreign_pin_ns.v &&
	       a->foreign_pin_ns.avail == b->foreign_pin_ns.avail &&
	       cpuset_equal(&a->affinity, &b->affinity) && cpuset_equal(&a->allowed, &b->allowed) &&
	       same_avail(vcpu_groups, 1, a, b);
}

static int write_vcpu_fact(struct record *rec, const struct vcpu_sample *vcpu, int64_t key)
{
	int64_t affinity = 0, allowed = 0;
	sqlite3_stmt *stmt = rec->st[ST_VCPU_FACT];
	if (cpus_key(rec, &vcpu->affinity, &affinity) < 0 || cpus_key(rec, &vcpu->allowed, &allowed) < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, rec->tick);
	sqlite3_bind_int64(stmt, 2, key);
	sqlite3_bind_int(stmt, 3, vcpu->online);
	sqlite3_bind_int64(stmt, 4, affinity);
	record_bind_word(stmt, 5, vcpu->affinity_avail == AVAIL_OK ? "" : avail_key(vcpu->affinity_avail));
	sqlite3_bind_int64(stmt, 6, allowed);
	sqlite3_bind_int(stmt, 7, vcpu->pinned);
	record_bind_i64(stmt, 8, vcpu->foreign_pin_ns);
	bind_absent(stmt, 9, vcpu, vcpu_groups, 1);
	bind_totals(stmt, 10, &rec_vcpu, vcpu);
	return record_step(rec, ST_VCPU_FACT);
}

static bool has_any(const struct vm_sample *vm, const struct rec_group *group)
{
	for (size_t i = 0; i < group->n; i++)
		if (rec_avail(vm, &group->fields[i]) == AVAIL_OK)
			return true;
	return false;
}

static int write_vcpu(
	struct record *rec, const struct vcpu_sample *vcpu, const struct vm_sample *old_vm, int64_t vm)
{
	int64_t key = 0;
	const struct vcpu_sample *old = old_vm ? sample_vcpu(&rec->prev, old_vm, vcpu->id) : NULL;
	if (old)
		key = rec->vcpu_keys[old - rec->prev.vcpus];
	else if (vcpu_key(rec, vm, vcpu->id, &key) < 0)
		return -1;
	if ((rec->key || !old || !same_vcpu(vcpu, old)) && write_vcpu_fact(rec, vcpu, key) < 0)
		return -1;
	return add_row(rec, SOURCE_VCPU, vcpu, old, key) ? 0 : -1;
}

static int write_vm(struct record *rec, const struct sample *sample, size_t i)
{
	const struct vm_sample *vm = &sample->vms[i], *old = sample_vm_by_uuid(&rec->prev, vm->uuid);
	int64_t key = 0;
	if (old)
		key = rec->vm_keys[old - rec->prev.vms];
	else if (vm_key(rec, vm, &key) < 0)
		return -1;
	if ((rec->key || !old || !same_vm(vm, old)) && write_vm_fact(rec, vm, key) < 0)
		return -1;
	if ((rec->key || !old || !same_why(vm, old)) && write_why_fact(rec, vm, key) < 0)
		return -1;
	if (!add_row(rec, SOURCE_VM, vm, old, key) ||
		(has_any(vm, &rec_vm_io) && !add_row(rec, SOURCE_VM_IO, vm, old, key)) ||
		(has_any(vm, &rec_vm_why) && !add_row(rec, SOURCE_VM_WHY, vm, old, key)))
		return -1;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		if (write_vcpu(rec, &sample->vcpus[k], old, key) < 0)
			return -1;
	return 0;
}

static int by_first_vcpu(const void *a, const void *b)
{
	const struct rec_order *x = a, *y = b;
	if (x->first_vcpu != y->first_vcpu)
		return x->first_vcpu < y->first_vcpu ? -1 : 1;
	return x->vm < y->vm ? -1 : x->vm > y->vm;
}

/* VMs are written in the order of their vCPUs in the flat array, so that a reader can lay them out alike:
 * plans may depend on it where all else is equal. */
static bool make_order(struct record *rec, const struct sample *sample)
{
	bool sorted = true;
	if (!array_grow(&rec->order, &rec->cap_order, sample->n_vms, sizeof *rec->order))
		return false;
	for (size_t i = 0; i < sample->n_vms; i++) {
		rec->order[i] = (struct rec_order){sample->vms[i].first_vcpu, i};
		sorted &= i == 0 || by_first_vcpu(&rec->order[i - 1], &rec->order[i]) < 0;
	}
	if (!sorted)
		qsort(rec->order, sample->n_vms, sizeof *rec->order, by_first_vcpu);
	return true;
}

/* Keys go where `prev` will have the objects. */
static int keep_keys(struct record *rec, const struct sample *sample)
{
	if (!array_grow(&rec->vm_keys, &rec->cap_vm_keys, sample->n_vms, sizeof *rec->vm_keys) ||
		!array_grow(&rec->vcpu_keys, &rec->cap_vcpu_keys, sample->n_vcpus, sizeof *rec->vcpu_keys))
		return -1;
	for (size_t i = 0; i < rec->n_rows[SOURCE_VM]; i++) {
		const struct rec_row *row = &rec->rows[SOURCE_VM][i];
		rec->vm_keys[(const struct vm_sample *)row->now - sample->vms] = row->key;
	}
	for (size_t i = 0; i < rec->n_rows[SOURCE_VCPU]; i++) {
		const struct rec_row *row = &rec->rows[SOURCE_VCPU][i];
		rec->vcpu_keys[(const struct vcpu_sample *)row->now - sample->vcpus] = row->key;
	}
	return 0;
}

int record_sample_write(struct record *rec, const struct sample *sample, bool regular)
{
	static const enum rec_statement inserts[] = {
		ST_PCPU_ROWS, ST_VM_ROWS, ST_VM_IO_ROWS, ST_VM_WHY_ROWS, ST_VCPU_ROWS};
	memset(rec->n_rows, 0, sizeof rec->n_rows);
	rec->wall_ns = sample->wall_ns;
	if (write_names(rec, &sample->host, &rec->prev.host) < 0 || write_tick(rec, sample, regular) < 0 ||
		write_host(rec, sample) < 0)
		return -1;
	if (!make_order(rec, sample))
		return -1;
	for (size_t i = 0; i < sample->n_vms; i++)
		if (write_vm(rec, sample, rec->order[i].vm) < 0)
			return -1;
	for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++)
		if (record_step(rec, inserts[i]) < 0)
			return -1;
	if (keep_keys(rec, sample) < 0)
		return -1;
	return sample_copy(&rec->prev, sample);
}
