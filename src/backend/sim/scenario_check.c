/* SPDX-License-Identifier: MIT */
/* The checks of a scenario as a whole, when its last line was read. Invariant: what passes names only pCPUs,
 * nodes and VMs that exist. Must not know how anything is simulated. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_text.h"

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/* The same name is the same UUID in every run. */
static void make_uuid(struct scn_vm *vm)
{
	uint64_t a = hash_text(UINT64_C(0xcbf29ce484222325), vm->name),
		 b = hash_text(a ^ UINT64_C(0x9e3779b97f4a7c15), vm->name);
	for (int i = 0; i < 8; i++) {
		vm->uuid[i] = (uint8_t)(a >> (8 * i));
		vm->uuid[8 + i] = (uint8_t)(b >> (8 * i));
	}
	vm->uuid[6] = (uint8_t)((vm->uuid[6] & 0x0f) | 0x40);
	vm->uuid[8] = (uint8_t)((vm->uuid[8] & 0x3f) | 0x80);
}

static bool whole_fail(struct reader *r, const char *what, const char *name, const char *why)
{
	r->usage = NULL;
	err_set(r->e, ERR_USAGE, "%s: %s \"%.60s\" %s", r->name, what, name, why);
	return false;
}

static bool set_exists(const struct scenario *s, int set)
{
	struct cpuset host;
	cpuset_clear(&host);
	for (size_t i = 0; i < s->n_pcpus; i++)
		cpuset_add(&host, s->pcpus[i].id);
	return set < 0 || cpuset_subset(&s->sets[set], &host);
}

static bool check_vm(struct reader *r, struct scn_vm *vm)
{
	static const uint8_t none[UUID_BYTES];
	struct scenario *s = r->s;
	if (memcmp(vm->uuid, none, UUID_BYTES) == 0)
		make_uuid(vm);
	bool exist = set_exists(s, vm->allowed) && set_exists(s, vm->place);
	for (size_t i = 0; i < vm->n_pins; i++)
		exist = exist && set_exists(s, vm->pins[i].index);
	if (!exist)
		return whole_fail(r, "VM", vm->name, "is put on a pCPU that the host does not have");
	if (vm->base_kib > vm->memory_kib - 16 * 1024)
		return whole_fail(
			r, "VM", vm->name, "uses more memory from the start (base) than it has, less 16M");
	if (vm->nodes >> (s->n_nodes < 64 ? s->n_nodes : 63) >> (s->n_nodes < 64 ? 0 : 1))
		return whole_fail(r, "VM", vm->name, "is put on a NUMA node that the host does not have");
	s->n_vcpus += (size_t)cpuset_count(&vm->vcpu_ids);
	if (s->n_vcpus > SCN_VCPUS)
		return whole_fail(r, "VM", vm->name, "exceeds the bound of 20000 vCPUs");
	return true;
}

static bool check_event(struct reader *r, const struct scn_event *ev)
{
	struct scenario *s = r->s;
	bool about_cpus = ev->kind == EV_PIN || ev->kind == EV_OFFLINE || ev->kind == EV_ONLINE;
	if ((about_cpus && !set_exists(s, ev->index)) ||
		((ev->kind == EV_BACKGROUND || ev->kind == EV_PCPU_FAULT) && !set_exists(s, ev->set)) ||
		(ev->kind == EV_EMULATOR && ev->set >= 0 && !set_exists(s, ev->set)))
		return whole_fail(r, "an event", ev->pattern[0] ? ev->pattern : "host",
			"names a pCPU that the host does not have");
	if (!ev->pattern[0])
		return true;
	for (size_t i = 0; i < s->n_vms; i++)
		if (fnmatch(ev->pattern, s->vms[i].name, 0) == 0)
			return true;
	return whole_fail(r, "an event names", ev->pattern, "and no VM fits");
}

static int by_vm_uuid(const void *a, const void *b)
{
	return uuid_compare(
		(*(const struct scn_vm *const *)a)->uuid, (*(const struct scn_vm *const *)b)->uuid);
}

static bool check_doubles(struct reader *r)
{
	struct scenario *s = r->s;
	const struct scn_vm **order = calloc(s->n_vms + 1, sizeof *order);
	bool ok = order != NULL;
	if (!ok)
		err_set(r->e, ERR_NOMEM, "out of memory for the scenario");
	for (size_t i = 0; ok && i < s->n_vms; i++)
		order[i] = &s->vms[i];
	if (ok && s->n_vms)
		qsort(order, s->n_vms, sizeof(*order), by_vm_uuid);
	for (size_t i = 1; ok && i < s->n_vms; i++)
		if (by_vm_uuid(&order[i - 1], &order[i]) == 0)
			ok = whole_fail(r, "VM", order[i]->name, "is there twice");
	free(order);
	return ok;
}

static int by_time(const void *a, const void *b)
{
	const struct scn_event *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static bool check_host(struct reader *r)
{
	struct scenario *s = r->s;
	for (size_t i = 0; i < s->n_background; i++)
		if (!set_exists(s, s->background[i].set))
			return whole_fail(
				r, "background", "host", "is put on a pCPU that the host does not have");
	for (size_t i = 0; i < s->n_pcpus; i++)
		if (!s->pcpus[i].offline && !s->pcpus[i].isolated)
			return s->used_kib < s->total_kib ||
			       whole_fail(r, "memory of", "host", "is less than what it uses itself");
	return whole_fail(r, "all pCPUs of", "host", "are offline or isolated");
}

bool scenario_check(struct reader *r)
{
	struct scenario *s = r->s;
	if (!check_host(r))
		return false;
	for (size_t i = 0; i < s->n_vms; i++)
		if (!check_vm(r, &s->vms[i]))
			return false;
	for (size_t i = 0; i < s->n_ev; i++)
		if (!check_event(r, &s->ev[i]))
			return false;
	if (s->n_ev)
		qsort(s->ev, s->n_ev, sizeof *s->ev, by_time);
	return check_doubles(r);
}
