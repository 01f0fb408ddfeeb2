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

static int bind_field(sqlite3_stmt *st, int at, const struct rec_field *f, const void *now)
{
	if (f->type == REC_REAL)
		record_bind_f64(st, at, *rec_vf64_of(now, f));
	else
		record_bind_i64(st, at, *rec_vi64_of(now, f));
	return at + 1;
}

static int bind_group(sqlite3_stmt *st, int at, const struct rec_group *g, const void *now)
{
	for (size_t i = 0; i < g->n; i++)
		at = bind_field(st, at, &g->fields[i], now);
	return at;
}

/* Only the totals of counters, as fact tables have them. */
static int bind_totals(sqlite3_stmt *st, int at, const struct rec_group *g, const void *now)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->fields[i].type == REC_COUNTER)
			at = bind_field(st, at, &g->fields[i], now);
	return at;
}

static void bind_absent(
	sqlite3_stmt *st, int at, const void *object, const struct rec_group *const *groups, size_t n)
{
	char absent[ABSENT_TEXT];
	rec_absent(object, groups, n, absent);
	sqlite3_bind_text(st, at, absent, -1, SQLITE_TRANSIENT);
}

static int write_name(struct record *r, const char *key, const char *now, const char *old)
{
	if (r->tick > 1 && strcmp(now, old) == 0)
		return 0;
	record_bind_word(r->st[ST_META], 1, key);
	record_bind_text(r->st[ST_META], 2, now);
	return record_step(r, ST_META);
}

static int write_names(struct record *r, const struct host_sample *h, const struct host_sample *old)
{
	return write_name(r, "hostname", h->hostname, old->hostname) < 0 ||
			       write_name(r, "hypervisor", h->hypervisor, old->hypervisor) < 0 ||
			       write_name(r, "local", h->local ? "1" : "0", old->local ? "1" : "0") < 0 ||
			       write_name(r, "isolation", h->has_isolation ? "1" : "0",
				       old->has_isolation ? "1" : "0") < 0
		       ? -1
		       : 0;
}

static int write_tick(struct record *r, const struct sample *s, bool regular)
{
	sqlite3_stmt *st = r->st[ST_TICK];
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, s->time_ns);
	sqlite3_bind_int64(st, 3, s->wall_ns);
	sqlite3_bind_int64(st, 4, r->begun_ns);
	sqlite3_bind_int64(st, 5, s->took_ns);
	sqlite3_bind_int(st, 6, regular);
	sqlite3_bind_int(st, 7, r->key);
	record_bind_text(st, 8, s->note);
	bind_absent(st, 9, &s->host, host_groups, 1);
	bind_group(st, 10, &rec_host, &s->host);
	if (record_step(r, ST_TICK) < 0)
		return -1;
	for (size_t i = 0; i < s->host.n_nodes; i++) {
		const struct node_sample *n = &s->host.nodes[i];
		sqlite3_bind_int64(r->st[ST_NODE], 1, r->tick << REC_TICK_SHIFT | (int64_t)i);
		sqlite3_bind_int(r->st[ST_NODE], 2, n->id);
		record_bind_i64(r->st[ST_NODE], 3, n->total_kib);
		record_bind_i64(r->st[ST_NODE], 4, n->free_kib);
		if (record_step(r, ST_NODE) < 0)
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

static int write_pcpu_fact(struct record *r, const struct pcpu_sample *p)
{
	const int kind = (p->isolated ? REC_ISOLATED : 0) | (p->nohz_full ? REC_NOHZ_FULL : 0);
	const int values[] = {p->id, p->online, kind, p->node, p->socket, p->core, p->llc, p->capacity};
	sqlite3_stmt *st = r->st[ST_PCPU_FACT];
	sqlite3_bind_int64(st, 1, r->tick);
	for (int i = 0; i < 8; i++)
		sqlite3_bind_int(st, 2 + i, values[i]);
	bind_absent(st, 10, p, pcpu_groups, 1);
	bind_totals(st, 11, &rec_pcpu, p);
	return record_step(r, ST_PCPU_FACT);
}

static bool add_row(struct record *r, enum rec_source to, const void *now, const void *prev, int64_t key)
{
	if (!array_grow(&r->rows[to], &r->cap_rows[to], r->n_rows[to] + 1, sizeof *r->rows[to]))
		return false;
	r->rows[to][r->n_rows[to]++] = (struct rec_row){now, prev, key};
	return true;
}

static int write_host(struct record *r, const struct sample *s)
{
	for (size_t i = 0; i < s->host.n_pcpus; i++) {
		const struct pcpu_sample *p = &s->host.pcpus[i], *old = sample_pcpu(&r->prev, p->id);
		if ((r->key || !old || !same_pcpu(p, old)) && write_pcpu_fact(r, p) < 0)
			return -1;
		if (!add_row(r, SOURCE_PCPU, p, old, p->id))
			return -1;
	}
	return 0;
}

static int key_of(struct record *r, enum rec_statement add, enum rec_statement key, int64_t *out)
{
	if (record_step(r, add) < 0)
		return -1;
	int rc = sqlite3_step(r->st[key]);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(r->st[key], 0);
	sqlite3_reset(r->st[key]);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int vm_key(struct record *r, const struct vm_sample *vm, int64_t *out)
{
	char uuid[UUID_TEXT];
	uuid_format(vm->uuid, uuid);
	sqlite3_bind_text(r->st[ST_VM_ADD], 1, uuid, -1, SQLITE_TRANSIENT);
	record_bind_text(r->st[ST_VM_ADD], 2, vm->name);
	sqlite3_bind_text(r->st[ST_VM_KEY], 1, uuid, -1, SQLITE_TRANSIENT);
	return key_of(r, ST_VM_ADD, ST_VM_KEY, out);
}

static int vcpu_key(struct record *r, int64_t vm, int vcpu, int64_t *out)
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
	char list[REC_CPUS_TEXT];
	cpuset_format(s, list, sizeof list);
	for (int i = 0; i < 2; i++)
		sqlite3_bind_text(r->st[i ? ST_CPUS_KEY : ST_CPUS_ADD], 1, list, -1, SQLITE_TRANSIENT);
	return key_of(r, ST_CPUS_ADD, ST_CPUS_KEY, out);
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

static int write_vm_fact(struct record *r, const struct vm_sample *vm, int64_t key)
{
	sqlite3_stmt *st = r->st[ST_VM_FACT];
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, key);
	record_bind_text(st, 3, vm->name);
	sqlite3_bind_int(st, 4, vm->id);
	record_bind_word(st, 5, vm_state_text(vm->state));
	sqlite3_bind_int64(st, 6, vm->flags);
	sqlite3_bind_int64(st, 7, vm->hung_since_ns);
	sqlite3_bind_int64(st, 8, (sqlite3_int64)vm->mem_nodes);
	sqlite3_bind_int(st, 9, vm->mem_nodes_strict);
	sqlite3_bind_int(st, 10, vm->mem.balloon_device);
	sqlite3_bind_int64(st, 11, (sqlite3_int64)vm->quota_group);
	bind_absent(st, 12, vm, rec_vm_groups, REC_VM_GROUPS);
	int at = bind_totals(st, 13, &rec_vm, vm);
	at = bind_group(st, at, &rec_vm_seldom, vm);
	bind_totals(st, at, &rec_vm_io, vm);
	return record_step(r, ST_VM_FACT);
}

static bool same_why(const struct vm_sample *a, const struct vm_sample *b)
{
	return strcmp(a->facts.helper, b->facts.helper) == 0 && a->facts.weight.v == b->facts.weight.v &&
	       a->facts.cpu_shares.v == b->facts.cpu_shares.v &&
	       same_avail(rec_why_groups, REC_WHY_GROUPS, a, b);
}

/* Its number in the tick is that of the VM's row. */
static int write_why_fact(struct record *r, const struct vm_sample *vm, int64_t key)
{
	sqlite3_stmt *st = r->st[ST_VM_WHY_FACT];
	sqlite3_bind_int64(st, 1, r->tick << REC_TICK_SHIFT | (int64_t)r->n_rows[SOURCE_VM]);
	sqlite3_bind_int64(st, 2, key);
	record_bind_text(st, 3, vm->facts.helper);
	bind_absent(st, 4, vm, rec_why_groups, REC_WHY_GROUPS);
	bind_group(st, bind_totals(st, 5, &rec_vm_why, vm), &rec_vm_why_seldom, vm);
	return record_step(r, ST_VM_WHY_FACT);
}

static bool same_vcpu(const struct vcpu_sample *a, const struct vcpu_sample *b)
{
	return a->online == b->online && a->affinity_avail == b->affinity_avail && a->pinned == b->pinned &&
	       a->foreign_pin_ns.v == b->foreign_pin_ns.v &&
	       a->foreign_pin_ns.avail == b->foreign_pin_ns.avail &&
	       cpuset_equal(&a->affinity, &b->affinity) && cpuset_equal(&a->allowed, &b->allowed) &&
	       same_avail(vcpu_groups, 1, a, b);
}

static int write_vcpu_fact(struct record *r, const struct vcpu_sample *v, int64_t key)
{
	int64_t affinity = 0, allowed = 0;
	sqlite3_stmt *st = r->st[ST_VCPU_FACT];
	if (cpus_key(r, &v->affinity, &affinity) < 0 || cpus_key(r, &v->allowed, &allowed) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, r->tick);
	sqlite3_bind_int64(st, 2, key);
	sqlite3_bind_int(st, 3, v->online);
	sqlite3_bind_int64(st, 4, affinity);
	record_bind_word(st, 5, v->affinity_avail == AVAIL_OK ? "" : avail_key(v->affinity_avail));
	sqlite3_bind_int64(st, 6, allowed);
	sqlite3_bind_int(st, 7, v->pinned);
	record_bind_i64(st, 8, v->foreign_pin_ns);
	bind_absent(st, 9, v, vcpu_groups, 1);
	bind_totals(st, 10, &rec_vcpu, v);
	return record_step(r, ST_VCPU_FACT);
}

static bool has_any(const struct vm_sample *vm, const struct rec_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (rec_avail(vm, &g->fields[i]) == AVAIL_OK)
			return true;
	return false;
}

static int write_vcpu(
	struct record *r, const struct vcpu_sample *v, const struct vm_sample *old_vm, int64_t vm)
{
	int64_t key = 0;
	const struct vcpu_sample *old = old_vm ? sample_vcpu(&r->prev, old_vm, v->id) : NULL;
	if (old)
		key = r->vcpu_keys[old - r->prev.vcpus];
	else if (vcpu_key(r, vm, v->id, &key) < 0)
		return -1;
	if ((r->key || !old || !same_vcpu(v, old)) && write_vcpu_fact(r, v, key) < 0)
		return -1;
	return add_row(r, SOURCE_VCPU, v, old, key) ? 0 : -1;
}

static int write_vm(struct record *r, const struct sample *s, size_t i)
{
	const struct vm_sample *vm = &s->vms[i], *old = sample_vm_by_uuid(&r->prev, vm->uuid);
	int64_t key = 0;
	if (old)
		key = r->vm_keys[old - r->prev.vms];
	else if (vm_key(r, vm, &key) < 0)
		return -1;
	if ((r->key || !old || !same_vm(vm, old)) && write_vm_fact(r, vm, key) < 0)
		return -1;
	if ((r->key || !old || !same_why(vm, old)) && write_why_fact(r, vm, key) < 0)
		return -1;
	if (!add_row(r, SOURCE_VM, vm, old, key) ||
		(has_any(vm, &rec_vm_io) && !add_row(r, SOURCE_VM_IO, vm, old, key)) ||
		(has_any(vm, &rec_vm_why) && !add_row(r, SOURCE_VM_WHY, vm, old, key)))
		return -1;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		if (write_vcpu(r, &s->vcpus[k], old, key) < 0)
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
static bool make_order(struct record *r, const struct sample *s)
{
	bool sorted = true;
	if (!array_grow(&r->order, &r->cap_order, s->n_vms, sizeof *r->order))
		return false;
	for (size_t i = 0; i < s->n_vms; i++) {
		r->order[i] = (struct rec_order){s->vms[i].first_vcpu, i};
		sorted &= i == 0 || by_first_vcpu(&r->order[i - 1], &r->order[i]) < 0;
	}
	if (!sorted)
		qsort(r->order, s->n_vms, sizeof *r->order, by_first_vcpu);
	return true;
}

/* Keys go where `prev` will have the objects. */
static int keep_keys(struct record *r, const struct sample *s)
{
	if (!array_grow(&r->vm_keys, &r->cap_vm_keys, s->n_vms, sizeof *r->vm_keys) ||
		!array_grow(&r->vcpu_keys, &r->cap_vcpu_keys, s->n_vcpus, sizeof *r->vcpu_keys))
		return -1;
	for (size_t i = 0; i < r->n_rows[SOURCE_VM]; i++) {
		const struct rec_row *row = &r->rows[SOURCE_VM][i];
		r->vm_keys[(const struct vm_sample *)row->now - s->vms] = row->key;
	}
	for (size_t i = 0; i < r->n_rows[SOURCE_VCPU]; i++) {
		const struct rec_row *row = &r->rows[SOURCE_VCPU][i];
		r->vcpu_keys[(const struct vcpu_sample *)row->now - s->vcpus] = row->key;
	}
	return 0;
}

int record_sample_write(struct record *r, const struct sample *s, bool regular)
{
	static const enum rec_statement inserts[] = {
		ST_PCPU_ROWS, ST_VM_ROWS, ST_VM_IO_ROWS, ST_VM_WHY_ROWS, ST_VCPU_ROWS};
	memset(r->n_rows, 0, sizeof r->n_rows);
	r->wall_ns = s->wall_ns;
	if (write_names(r, &s->host, &r->prev.host) < 0 || write_tick(r, s, regular) < 0 ||
		write_host(r, s) < 0)
		return -1;
	if (!make_order(r, s))
		return -1;
	for (size_t i = 0; i < s->n_vms; i++)
		if (write_vm(r, s, r->order[i].vm) < 0)
			return -1;
	for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++)
		if (record_step(r, inserts[i]) < 0)
			return -1;
	if (keep_keys(r, s) < 0)
		return -1;
	return sample_copy(&r->prev, s);
}
