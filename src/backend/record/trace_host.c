/* SPDX-License-Identifier: MIT */
/* A trace as a scenario of the simulator: the recorded host with its topology, its VMs as they began, loads
 * and memory by interval. What other people did meanwhile (pins, balloons) is not repeated. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_priv.h"
#include "vmtop/err.h"
#include "vmtop/text.h"

enum { DAY_S = 86400, MOST_S = 31 * DAY_S };

int trace_runs(const struct trace *t, const char *path, struct err *e)
{
	if (t->facts.seconds > MOST_S)
		return err_set(e, ERR_RUNTIME,
			"%.200s is too long: %.1f days, and at most %d can be run again", path,
			t->facts.seconds / DAY_S, MOST_S / DAY_S);
	for (size_t i = 0; i < t->n_pcpus; i++)
		if (t->pcpus[i].first.online && !t->pcpus[i].first.isolated)
			return 0;
	return err_set(e, ERR_RUNTIME, "%.200s holds no pCPU that VMs may use", path);
}

static int add_set(struct scenario *s, const struct cpuset *set)
{
	for (size_t i = s->n_sets; i > 0 && i + 64 > s->n_sets; i--)
		if (cpuset_equal(&s->sets[i - 1], set))
			return (int)(i - 1);
	s->sets[s->n_sets] = *set;
	return (int)s->n_sets++;
}

static int add_curve(struct scenario *s, const float *level)
{
	s->curves[s->n_curves] = (struct curve){.kind = CURVE_TRACE, .trace = level};
	return (int)s->n_curves++;
}

static void add_host(const struct trace *t, struct scenario *s)
{
	snprintf(s->hostname, sizeof s->hostname, "%.60s", t->host.hostname);
	s->total_kib = vi64_has(t->host.total_kib) ? t->host.total_kib.v : INT64_C(1) << 40;
	s->used_kib = (int64_t)t->host_kib[0];
	s->n_nodes = t->host.n_nodes ? t->host.n_nodes : 1;
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct node_sample *n = &t->host.nodes[i];
		bool known = t->host.n_nodes && vi64_has(n->total_kib);
		s->node_total_kib[i] = known ? n->total_kib.v : s->total_kib / (int64_t)s->n_nodes;
	}
	for (size_t i = 0; i < t->n_pcpus && i < CPUSET_CPUS; i++) {
		const struct pcpu_sample *p = &t->pcpus[i].first;
		struct cpuset one;
		s->pcpus[s->n_pcpus++] = (struct scn_pcpu){p->id, p->node, p->socket, p->core, p->llc,
			!p->online, p->isolated, p->nohz_full, p->capacity};
		s->has_llc |= p->llc >= 0;
		cpuset_clear(&one);
		cpuset_add(&one, p->id);
		s->background[s->n_background++] =
			(struct scn_background){add_set(s, &one), add_curve(s, t->pcpus[i].background)};
	}
}

static enum balloon_mode balloon_of(const struct vm_memory *m)
{
	if (!m->balloon_device)
		return BALLOON_NO_DEVICE;
	return m->usable_kib.avail == AVAIL_NO_DRIVER ? BALLOON_NO_DRIVER : BALLOON_FOLLOW;
}

static void add_vm(const struct trace *t, struct scenario *s, size_t i)
{
	const struct trace_vm *from = &t->vms[i];
	const struct vm_memory *m = &from->first.mem;
	struct scn_vm *vm = &s->vms[s->n_vms++];
	memset(vm, 0, sizeof *vm);
	memcpy(vm->name, from->first.name, sizeof vm->name);
	memcpy(vm->uuid, from->first.uuid, UUID_BYTES);
	vm->allowed = vm->place = vm->emulator = -1;
	vm->quota = vf64_has(from->first.quota_pct) ? fmin(1, fmax(.01, from->first.quota_pct.v / 100)) : 1;
	vm->max_kib = vi64_has(m->max_kib) && m->max_kib.v > 0 ? m->max_kib.v : 1 << 20;
	vm->memory_kib = vi64_has(m->balloon_kib) && m->balloon_kib.v > 0 ? m->balloon_kib.v : vm->max_kib;
	vm->base_kib = (int64_t)from->base_kib;
	vm->cache_kib = vi64_or(m->caches_kib, 0);
	vm->swap_kib = vm->max_kib; /* how much it had is not known: nobody is killed */
	vm->guarantee_kib = vi64_or(m->min_guarantee_kib, 0);
	vm->speed_kib_s = 256 * 1024;
	vm->balloon = balloon_of(m);
	vm->period_s =
		vi64_has(m->period_s) && m->period_s.v > 0 && m->period_s.v <= 3600 ? (int)m->period_s.v : 0;
	vm->nodes = from->first.mem_nodes;
	vm->nodes_strict = from->first.mem_nodes_strict;
	vm->flags = from->first.flags & ~(uint32_t)(VM_FLAG_JOB | VM_FLAG_BUSY);
	vm->trace = &from->is;
}

/* The layout by number is the trace's own: filled anew for each host, to the same values. */
static void add_vcpus(const struct trace *t, struct scenario *s)
{
	for (size_t i = 0; i < t->n_vcpus; i++) {
		const struct trace_vcpu *from = &t->vcpus[i];
		struct scn_vcpu_trace *to = &t->vms[from->vm].vcpus[from->id];
		struct cpuset pin = from->pin;
		if (cpuset_empty(&pin))
			cpuset_fill(&pin, CPUSET_CPUS);
		cpuset_add(&s->vms[from->vm].vcpu_ids, from->id);
		*to = (struct scn_vcpu_trace){.there = true,
			.curve = add_curve(s, from->want),
			.pin = add_set(s, &pin),
			.allowed = cpuset_empty(&from->allowed) ? -1 : add_set(s, &from->allowed),
			.pcpu = from->pcpu};
		s->n_vcpus++;
	}
}

static struct scenario *make_scenario(const struct trace *t)
{
	struct scenario *s = calloc(1, sizeof *s);
	size_t most = t->n_vcpus * 2 + t->n_pcpus + 1;
	if (!s)
		return NULL;
	s->vms = calloc(t->n_vms + 1, sizeof *s->vms);
	s->curves = calloc(most, sizeof *s->curves);
	s->sets = calloc(most, sizeof *s->sets);
	if (!s->vms || !s->curves || !s->sets) {
		scenario_free(s);
		return NULL;
	}
	snprintf(s->name, sizeof s->name, "recording");
	s->balance_ns = 100000000; /* the kernel's, as in scenarios */
	s->trace_ns = t->at_ns;
	s->trace_host_kib = t->host_kib;
	s->n_trace = t->n;
	add_host(t, s);
	for (size_t i = 0; i < t->n_vms; i++)
		add_vm(t, s, i);
	add_vcpus(t, s);
	return s;
}

struct backend *trace_backend(const struct trace *t, uint64_t seed, double seconds, struct err *e)
{
	struct scenario *s = make_scenario(t);
	if (!s) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->seed = seed;
	s->end_ns = (int64_t)(fmin(seconds, t->facts.seconds) * 1e9);
	return backend_sim_new(s, true, e);
}
