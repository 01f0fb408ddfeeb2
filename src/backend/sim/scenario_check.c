/* SPDX-License-Identifier: MIT */
/* The checks of a scenario as a whole, when its last line was read. Invariant: what passes names only pCPUs,
 * nodes and VMs that exist. Must not know how anything is simulated. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_text.h"
#include "vmtop/text.h"

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

static bool whole_fail(struct reader *reader, const char *what, const char *name, const char *why)
{
	reader->usage = NULL;
	err_set(reader->e, ERR_USAGE, "%s: %s \"%.60s\" %s", reader->name, what, name, why);
	return false;
}

static bool set_exists(const struct scenario *scn, int set)
{
	struct cpuset host;
	cpuset_clear(&host);
	for (size_t i = 0; i < scn->n_pcpus; i++)
		cpuset_add(&host, scn->pcpus[i].id);
	return set < 0 || cpuset_subset(&scn->sets[set], &host);
}

static bool check_vm(struct reader *reader, struct scn_vm *vm)
{
	static const uint8_t none[UUID_BYTES];
	struct scenario *scn = reader->scn;
	if (memcmp(vm->uuid, none, UUID_BYTES) == 0)
		make_uuid(vm);
	bool exist = set_exists(scn, vm->allowed) && set_exists(scn, vm->place);
	for (size_t i = 0; i < vm->n_pins; i++)
		exist = exist && set_exists(scn, vm->pins[i].index);
	if (!exist)
		return whole_fail(reader, "VM", vm->name, "is put on a pCPU that the host does not have");
	if (vm->base_kib > vm->memory_kib - 16 * 1024)
		return whole_fail(reader, "VM", vm->name,
			"uses more memory from the start (base) than it has, less 16M");
	if (vm->nodes >> (scn->n_nodes < 64 ? scn->n_nodes : 63) >> (scn->n_nodes < 64 ? 0 : 1))
		return whole_fail(
			reader, "VM", vm->name, "is put on a NUMA node that the host does not have");
	scn->n_vcpus += (size_t)cpuset_count(&vm->vcpu_ids);
	if (scn->n_vcpus > SCN_VCPUS)
		return whole_fail(reader, "VM", vm->name, "exceeds the bound of 20000 vCPUs");
	return true;
}

static bool check_event(struct reader *reader, const struct scn_event *event)
{
	struct scenario *scn = reader->scn;
	bool about_cpus = event->kind == EV_PIN || event->kind == EV_OFFLINE || event->kind == EV_ONLINE;
	if ((about_cpus && !set_exists(scn, event->index)) ||
		((event->kind == EV_BACKGROUND || event->kind == EV_PCPU_FAULT) &&
			!set_exists(scn, event->set)) ||
		(event->kind == EV_EMULATOR && event->set >= 0 && !set_exists(scn, event->set)))
		return whole_fail(reader, "an event", text_or(event->pattern, "host"),
			"names a pCPU that the host does not have");
	if (!event->pattern[0])
		return true;
	for (size_t i = 0; i < scn->n_vms; i++)
		if (fnmatch(event->pattern, scn->vms[i].name, 0) == 0)
			return true;
	return whole_fail(reader, "an event names", event->pattern, "and no VM fits");
}

static int by_vm_uuid(const void *a, const void *b)
{
	return uuid_compare(
		(*(const struct scn_vm *const *)a)->uuid, (*(const struct scn_vm *const *)b)->uuid);
}

static bool check_doubles(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	const struct scn_vm **order = calloc(scn->n_vms + 1, sizeof *order);
	bool ok = order != NULL;
	if (!ok)
		err_set(reader->e, ERR_NOMEM, "out of memory for the scenario");
	for (size_t i = 0; ok && i < scn->n_vms; i++)
		order[i] = &scn->vms[i];
	if (ok && scn->n_vms)
		qsort(order, scn->n_vms, sizeof(*order), by_vm_uuid);
	for (size_t i = 1; ok && i < scn->n_vms; i++)
		if (by_vm_uuid(&order[i - 1], &order[i]) == 0)
			ok = whole_fail(reader, "VM", order[i]->name, "is there twice");
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

static bool check_host(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	for (size_t i = 0; i < scn->n_background; i++)
		if (!set_exists(scn, scn->background[i].set))
			return whole_fail(
				reader, "background", "host", "is put on a pCPU that the host does not have");
	for (size_t i = 0; i < scn->n_pcpus; i++)
		if (!scn->pcpus[i].offline && !scn->pcpus[i].isolated)
			return scn->used_kib < scn->total_kib ||
			       whole_fail(reader, "memory of", "host", "is less than what it uses itself");
	return whole_fail(reader, "all pCPUs of", "host", "are offline or isolated");
}

bool scenario_check(struct reader *reader)
{
	struct scenario *scn = reader->scn;
	if (!check_host(reader))
		return false;
	for (size_t i = 0; i < scn->n_vms; i++)
		if (!check_vm(reader, &scn->vms[i]))
			return false;
	for (size_t i = 0; i < scn->n_ev; i++)
		if (!check_event(reader, &scn->ev[i]))
			return false;
	if (scn->n_ev)
		qsort(scn->ev, scn->n_ev, sizeof *scn->ev, by_time);
	return check_doubles(reader);
}
