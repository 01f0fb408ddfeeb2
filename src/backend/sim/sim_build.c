/* SPDX-License-Identifier: MIT */
/* Builds the simulated host from a scenario, as it is at the start of the run. Invariant: all memory that a
 * run needs is had here. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "sim.h"

/* vCPU numbers that a VM may have at any time of the run. */
static int count_slots(const struct scenario *scn, const struct scn_vm *vm)
{
	int top = -1;
	CPUSET_EACH(id, &vm->vcpu_ids)
	top = id;
	for (size_t i = 0; i < scn->n_ev; i++)
		if (scn->ev[i].kind == EV_VCPUS && fnmatch(scn->ev[i].pattern, vm->name, 0) == 0)
			CPUSET_EACH(id, &scn->sets[scn->ev[i].index])
	top = max_of(id, top);
	return top + 1;
}

static bool one_core(const struct scn_pcpu *a, const struct scn_pcpu *b)
{
	return a->node == b->node && a->socket == b->socket && a->core == b->core;
}

/* The threads of each core become a ring. */
static void build_cores(struct sim *s)
{
	for (size_t i = 0; i < s->n_pcpus; i++) {
		size_t next = (i + 1) % s->n_pcpus;
		while (!one_core(s->pcpus[next].is, s->pcpus[i].is))
			next = (next + 1) % s->n_pcpus;
		s->pcpus[i].sibling = (int)next;
	}
}

static int build_pcpus(struct sim *s, struct err *e)
{
	s->n_pcpus = s->scn->n_pcpus;
	s->pcpus = calloc(s->n_pcpus, sizeof *s->pcpus);
	if (!s->pcpus)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	for (int i = 0; i < CPUSET_CPUS; i++)
		s->by_id[i] = -1;
	for (size_t i = 0; i < s->n_pcpus; i++) {
		const struct scn_pcpu *is = &s->scn->pcpus[i];
		s->pcpus[i] = (struct sim_pcpu){.is = is,
			.online = !is->offline,
			.first = -1,
			.speed_pct = 100,
			.capacity = is->capacity ? is->capacity / (double)PCPU_LARGEST : 1};
		s->by_id[is->id] = (int)i;
		cpuset_add(&s->all, is->id);
	}
	build_cores(s);
	host_sets(s);
	return 0;
}

static void thread_init(struct sim_thread *t, enum thread_kind kind, int id, uint64_t key)
{
	*t = (struct sim_thread){
		.kind = kind, .id = id, .pcpu = -1, .next = -1, .quota = 1, .foreign_ns = -1};
	t->key = key * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)id + 1;
	t->noise_second = -1;
}

static uint64_t vm_key(const struct scn_vm *vm)
{
	uint64_t key;
	memcpy(&key, vm->uuid, sizeof key);
	return key;
}

static int build_threads(struct sim *s, struct err *e)
{
	size_t n = s->n_pcpus, max = s->n_threads;
	s->threads = calloc(max, sizeof *s->threads);
	s->duty = calloc(max * 5 + 3, sizeof *s->duty);
	s->on = calloc(max * 2 + n, sizeof *s->on);
	s->pools = calloc(max + n, sizeof *s->pools);
	if (!s->threads || !s->duty || !s->on || !s->pools)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	s->run = s->duty + max;
	s->wait = s->run + max;
	s->by_size = s->on + max;
	s->regroup = true;
	for (size_t i = 0; i < s->n_pcpus; i++)
		thread_init(&s->threads[i], THREAD_HOST, (int)i, 0x405);
	for (size_t v = 0; v < s->n_vms; v++) {
		struct sim_vm *vm = &s->vms[v];
		vm->first_thread = (int)n;
		for (int i = 0; i <= vm->n_slots; i++, n++) {
			thread_init(&s->threads[n], i < vm->n_slots ? THREAD_VCPU : THREAD_EMULATOR, i,
				vm_key(vm->is));
			s->threads[n].quota = i < vm->n_slots ? vm->is->quota : 1;
		}
	}
	return 0;
}

static int build_vms(struct sim *s, struct err *e)
{
	s->n_vms = s->scn->n_vms;
	s->vms = calloc(s->n_vms + 1, sizeof *s->vms);
	s->next_event = calloc(s->scn->n_ev + 1, sizeof *s->next_event);
	if (!s->vms || !s->next_event)
		return err_set(e, ERR_NOMEM, "out of memory for the simulated host");
	s->n_threads = s->n_pcpus;
	for (size_t v = 0; v < s->n_vms; v++) {
		s->vms[v] = (struct sim_vm){.is = &s->scn->vms[v], .hung_ns = -1, .gone_ns = -1};
		s->vms[v].n_slots = count_slots(s->scn, s->vms[v].is);
		s->n_threads += (size_t)s->vms[v].n_slots + 1;
	}
	if (s->n_threads > 4 * SCN_VCPUS)
		return err_set(e, ERR_USAGE, "%s: the vCPU numbers of its VMs are too sparse", s->scn->name);
	for (size_t i = 0; i < s->scn->n_ev; i++)
		s->next_event[i] = s->scn->ev[i].at_ns;
	return build_threads(s, e);
}

static void build_background(struct sim *s)
{
	for (size_t i = 0; i < s->n_pcpus; i++) {
		s->pcpus[i].host_thread = (int)i;
		cpuset_add(&s->threads[i].affinity, s->pcpus[i].is->id);
		cpu_put(s, (int)i, (int)i);
		s->threads[i].live = s->pcpus[i].online;
	}
	for (size_t i = 0; i < s->scn->n_background; i++) {
		const struct scn_background *b = &s->scn->background[i];
		host_background(s, &s->scn->sets[b->set], &s->scn->curves[b->curve]);
	}
}

/* 4 GiB, as installers make it, and room for every page of every guest, unless told otherwise. */
static double swap_of(const struct scenario *scn)
{
	double kib = 4.0 * 1024 * 1024;
	for (size_t i = 0; i < scn->n_vms; i++)
		kib += (double)scn->vms[i].max_kib;
	return scn->swap_kib >= 0 ? (double)scn->swap_kib : kib;
}

int sim_build(struct sim *s, struct err *e)
{
	if (build_pcpus(s, e) < 0 || build_vms(s, e) < 0)
		return -1;
	s->host_used = (double)s->scn->used_kib;
	s->swap_kib = swap_of(s->scn);
	s->report.min_available_kib = s->report.min_usable_kib = INT64_MAX;
	build_background(s);
	s->grid_ns = SIM_GRID_NS;
	host_tick(s);
	pool_share(s);
	s->changed = false;
	return 0;
}
