/* SPDX-License-Identifier: MIT */
/* From sample, model and rules to the placement problem. Invariants: each online pCPU and each vCPU counts,
 * also those that may not be touched; a task is never offered a unit in which it may be on no pCPU; vCPUs
 * that may do the same things share one allowed set; nothing is allocated in a round in which nothing was
 * added. Must not know: policies, libvirt, names of VMs. */
#include "cpu_problem.h"

#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/config.h"

void cpu_problem_done(struct cpu_problem *b)
{
	free(b->units);
	free(b->unit_cpus);
	free(b->unit_load);
	free(b->tasks);
	free(b->origins);
	free(b->sets);
	free(b->buckets);
	memset(b, 0, sizeof *b);
}

/* --- pCPUs and units ---------------------------------------------------------------------------------- */

/* What pCPUs of one unit have in common; -1: unknown, then it is a unit of its own. */
static int unit_key(const struct pcpu_sample *c, enum granularity g)
{
	switch (g) {
	case GRAN_CORE:
		return c->core;
	case GRAN_LLC:
		return c->llc;
	case GRAN_NODE:
		return c->node;
	default:
		return -1;
	}
}

/* A pCPU that is not for all is a unit of its own: the others' guests may not come, and on an isolated one
 * the kernel shares out nothing. */
static int unit_with_key(const struct cpu_problem *b, const struct pcpu_sample *c, enum granularity g)
{
	int key = cpuset_has(&b->pool.shared, c->id) ? unit_key(c, g) : -1;
	if (key < 0)
		return -1;
	for (size_t i = b->p.n_units; i > 0; i--) {
		const struct place_unit *u = &b->units[i - 1];
		int has = g == GRAN_CORE ? u->core : g == GRAN_LLC ? u->llc : u->node;
		if (has == key && cpuset_has(&b->pool.shared, u->cpu))
			return (int)i - 1;
	}
	return -1;
}

static void unit_add_pcpu(
	struct cpu_problem *b, const struct pcpu_sample *c, const struct pcpu_rate *r, enum granularity g)
{
	int at = unit_with_key(b, c, g);
	if (at < 0) {
		at = (int)b->p.n_units++;
		b->units[at] = (struct place_unit){.cpu = c->id,
			.core = c->core,
			.llc = c->llc,
			.node = c->node,
			.alone = cpuset_has(&b->pool.isolated, c->id)};
		cpuset_clear(&b->unit_cpus[at]);
	}
	struct place_unit *u = &b->units[at];
	double busy = vf64_or(r->busy_pct, -1);
	/* Mean over its pCPUs, unknown when one of them is. */
	if (u->n_cpus == 0)
		u->busy_pct = busy;
	else
		u->busy_pct =
			busy < 0 || u->busy_pct < 0 ? -1 : (u->busy_pct * u->n_cpus + busy) / (u->n_cpus + 1);
	u->n_cpus++;
	u->capacity += pcpu_capacity(c);
	u->background_pct += pcpu_capacity(c) * vf64_or(r->background_pct, 0);
	/* Where its pCPUs differ, the unit is in no one core or LLC. */
	u->core = u->core == c->core ? u->core : -1;
	u->llc = u->llc == c->llc ? u->llc : -1;
	u->node = u->node == c->node ? u->node : -1;
	cpuset_add(&b->unit_cpus[at], c->id);
	b->unit_of[c->id] = at;
	b->capacity[c->id] = pcpu_capacity(c);
	b->same_numbers &= at == c->id;
}

static bool build_units(struct cpu_problem *b, const struct round *r, enum granularity g)
{
	const struct host_sample *h = &r->sample->host;
	if (!array_grow(&b->units, &b->cap_units, h->n_pcpus, sizeof *b->units) ||
		!array_grow(&b->unit_cpus, &b->cap_unit_cpus, h->n_pcpus, sizeof *b->unit_cpus) ||
		!array_grow(&b->unit_load, &b->cap_unit_load, h->n_pcpus, sizeof *b->unit_load))
		return false;
	memset(b->unit_of, -1, sizeof b->unit_of);
	memset(b->node_of, -1, sizeof b->node_of);
	memset(b->node_cpus, 0, sizeof b->node_cpus);
	b->nodes = 0;
	b->same_numbers = true;
	b->p.n_units = 0;
	pool_find(&b->pool, r);
	b->online = b->pool.online;
	for (size_t i = 0; i < h->n_pcpus; i++) {
		const struct pcpu_sample *c = &h->pcpus[i];
		if (c->node >= 0 && c->node < MAX_NODES)
			b->node_of[c->id] = c->node;
		if (!c->online)
			continue;
		unit_add_pcpu(b, c, &r->model->pcpus[i], g);
		if (b->node_of[c->id] >= 0) {
			cpuset_add(&b->node_cpus[c->node], c->id);
			b->nodes |= UINT64_C(1) << c->node;
		}
	}
	return true;
}

/* --- allowed sets ------------------------------------------------------------------------------------- */

static void cut_to_nodes(const struct cpu_problem *b, uint64_t nodes, struct cpuset *cpus)
{
	struct cpuset both, in = {{0}};
	for (uint64_t left = nodes & b->nodes; left; left &= left - 1)
		cpuset_or(&in, &b->node_cpus[__builtin_ctzll(left)]);
	both = *cpus;
	cpuset_and(&both, &in);
	if (!cpuset_empty(&both))
		*cpus = both;
}

/* Node whose pCPUs hold the whole affinity, else that of the pCPU it ran on; -1: unknown. */
static int node_now(const struct cpu_problem *b, const struct vcpu_sample *v)
{
	int first = v->affinity_avail == AVAIL_OK ? cpuset_first(&v->affinity) : -1;
	int node = first >= 0 ? b->node_of[first] : -1;
	if (node >= 0 && cpuset_subset(&v->affinity, &b->node_cpus[node]))
		return node;
	int at = model_vcpu_pcpu(v);
	return at >= 0 ? b->node_of[at] : -1;
}

/* Does what runs there count to the shared pCPUs of its node? */
static bool is_shared(const struct cpu_problem *b, int cpu)
{
	return cpu < 0 || cpuset_has(&b->pool.shared, cpu);
}

/* Which nodes want more than their shared pCPUs have, and which have room. Both by more than the band between
 * nodes: to starve costs more than memory that is far away, and nobody who has left is called back for a
 * small difference. */
static void find_overload(struct cpu_problem *b, const struct round *r)
{
	double want[MAX_NODES] = {0}, band = r->cfg->node_band_pct / 100;
	for (size_t i = 0; i < r->sample->host.n_pcpus; i++) {
		int id = r->sample->host.pcpus[i].id, node = b->node_of[id];
		if (node >= 0 && is_shared(b, id))
			want[node] += vf64_or(r->model->pcpus[i].background_pct, 0);
	}
	for (size_t k = 0; k < r->sample->n_vcpus; k++) {
		int node = node_now(b, &r->sample->vcpus[k]);
		if (node >= 0 && is_shared(b, model_vcpu_pcpu(&r->sample->vcpus[k])))
			want[node] += vf64_or(r->model->vcpus[k].demand_pct, 0);
	}
	for (uint64_t left = b->nodes; left; left &= left - 1) {
		int node = __builtin_ctzll(left);
		struct cpuset shared = b->node_cpus[node];
		cpuset_and(&shared, &b->pool.shared);
		if (cpuset_empty(&shared))
			continue;
		double share = want[node] / (100.0 * cpuset_count(&shared));
		b->short_nodes |= share > 1 + band ? UINT64_C(1) << node : 0;
		b->roomy_nodes |= share < 1 - band ? UINT64_C(1) << node : 0;
	}
}

static uint64_t more_than_one(uint64_t nodes)
{
	return nodes & (nodes - 1);
}

/* Nodes that a vCPU is to stay on; 0: any. `at`: the pCPU it counts to. Memory that is bound to several nodes
 * lies on all of them: that is a bound, and no reason to cross. */
static uint64_t nodes_of(const struct cpu_problem *b, const struct round *r, const struct vm_sample *vm,
	const struct vm_rule *rule, int at)
{
	uint64_t here = at >= 0 && b->node_of[at] >= 0 ? UINT64_C(1) << b->node_of[at] : 0;
	uint64_t bound = vm->mem_nodes & b->nodes;
	bool crosses = r->cfg->cross_node || b->reach == NODES_CROSS;
	if (rule && rule->stay_on_node)
		return here ? here : vm->mem_nodes;
	if (crosses)
		return vm->mem_nodes_strict ? bound : 0;
	if (bound && (!more_than_one(bound) || !(here & bound)))
		return bound;
	/* It may leave a node that cannot serve all, for one that can, as far as its memory may. */
	uint64_t to = here & b->short_nodes ? here | b->roomy_nodes : here;
	return bound ? to & bound : to;
}

static size_t hash_cpus(const struct cpuset *s)
{
	uint64_t h = 0;
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		h = (h ^ s->w[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return (size_t)(h ^ (h >> 32));
}

static void set_fill(const struct cpu_problem *b, struct allowed_set *set, const struct cpuset *cpus)
{
	set->cpus = set->units = *cpus;
	set->n_units = cpuset_count(cpus);
	if (b->same_numbers)
		return;
	cpuset_clear(&set->units);
	for (int i = 0; i < CPUSET_WORDS; i++) /* by hand: there may be thousands of sets */
		for (uint64_t word = cpus->w[i]; word; word &= word - 1)
			cpuset_add(&set->units, b->unit_of[64 * i + __builtin_ctzll(word)]);
	set->n_units = cpuset_count(&set->units);
}

/* Index of the shared set of these pCPUs. Sets are four times the tasks at most and buckets more than eight
 * times, so there is always a free one. */
static uint32_t set_of(struct cpu_problem *b, const struct cpuset *cpus, uint32_t last)
{
	if (last < b->n_sets && cpuset_equal(&b->sets[last].cpus, cpus))
		return last;
	size_t at = hash_cpus(cpus) % b->cap_buckets;
	while (b->buckets[at]) {
		if (cpuset_equal(&b->sets[b->buckets[at] - 1].cpus, cpus))
			return b->buckets[at] - 1;
		at = (at + 1) % b->cap_buckets;
	}
	set_fill(b, &b->sets[b->n_sets], cpus);
	b->buckets[at] = (uint32_t)++b->n_sets;
	return b->buckets[at] - 1;
}

/* --- tasks -------------------------------------------------------------------------------------------- */

/* Stopped, unplugged or not answering: contributes nothing that could be balanced. */
static bool is_absent(const struct vcpu_sample *v, const struct vcpu_rate *rate, enum reason rule)
{
	return !v->online || rule == REASON_NOT_RUNNING || rule == REASON_HUNG ||
	       rate->demand_pct.avail == AVAIL_PAUSED || rate->usage_pct.avail == AVAIL_HUNG;
}

static enum reason rule_of(const struct round *r, size_t vm, size_t vcpu)
{
	const struct rules *rules = r->rules;
	if (rules && vm < rules->n_vms && rules->vms[vm].cpu != REASON_NONE)
		return rules->vms[vm].cpu;
	return rules && vcpu < rules->n_vcpus ? rules->vcpus[vcpu].cpu : REASON_NONE;
}

/* Unit in which it counts: the one that holds its whole affinity, else that of the pCPU it ran on. */
static int unit_now(const struct cpu_problem *b, const struct vcpu_sample *v, int at, bool *inside)
{
	*inside = pool_is_apart(&b->pool, v);
	if (v->affinity_avail == AVAIL_OK) {
		struct cpuset real = v->affinity;
		cpuset_and(&real, &b->online);
		int first = cpuset_first(&real), u = first >= 0 ? b->unit_of[first] : -1;
		if (u >= 0 && cpuset_subset(&real, &b->unit_cpus[u])) {
			*inside = true;
			return u;
		}
	}
	return at >= 0 ? b->unit_of[at] : -1;
}

/* Where it is it may stay, unless by rule; to go where others may not is another matter. */
static void may_stay(const struct cpu_problem *b, const struct vcpu_sample *v, int at, struct cpuset *cpus)
{
	struct cpuset now = v->affinity;
	bool inside;
	int u = unit_now(b, v, at, &inside);
	if (u < 0 || v->affinity_avail != AVAIL_OK)
		return;
	cpuset_and(&now, &b->unit_cpus[u]);
	cpuset_and(&now, &v->allowed);
	if (!cpuset_intersects(&now, cpus) && !cpuset_intersects(cpus, &b->unit_cpus[u]))
		cpuset_or(cpus, &now);
}

static enum reason fixed_reason(const struct place_task *t, const struct allowed_set *set,
	const struct vcpu_rate *rate, enum reason rule)
{
	if (rule != REASON_NONE)
		return rule;
	if (!vf64_has(rate->demand_pct)) {
		enum avail a = rate->demand_pct.avail;
		return a == AVAIL_FIRST || a == AVAIL_RESET ? REASON_FIRST : REASON_NO_DATA;
	}
	if (!set->n_units)
		return REASON_NOTHING_ALLOWED;
	if (set->n_units == 1 && t->pinned && cpuset_has(&set->units, t->unit))
		return REASON_SINGLE;
	return REASON_NONE;
}

/* Shared set of the pCPUs on which it may run now; worked out only where somebody asks. */
static uint32_t room_of(struct cpu_problem *b, const struct vcpu_sample *v)
{
	if (!b->p.relief || v->affinity_avail != AVAIL_OK)
		return UINT32_MAX;
	struct cpuset cpus = v->affinity;
	cpuset_and(&cpus, &b->online);
	return set_of(b, &cpus, UINT32_MAX);
}

/* Time in which a quota held it back is reported as waiting. */
static bool runs_into_quota(const struct vm_sample *vm, const struct vcpu_rate *rate)
{
	return rate->capped ||
	       (vf64_has(vm->quota_pct) && vf64_or(rate->usage_pct, 0) >= .9 * vm->quota_pct.v);
}

static bool is_leaving(const struct cpu_problem *b, const struct vcpu_sample *v)
{
	struct cpuset may = v->allowed;
	cpuset_and(&may, &b->online);
	return v->affinity_avail == AVAIL_OK && !cpuset_intersects(&v->affinity, &may);
}

/* Time on a lesser pCPU is less of the largest; who had all of the time might do with a whole one. */
static double capacity_used(const struct cpu_problem *b, const struct vcpu_rate *rate, int at, bool capped)
{
	enum { FULL_PCT = 95 };
	double c = at >= 0 && b->unit_of[at] >= 0 ? b->capacity[at] : 1;
	bool full = vf64_or(rate->usage_pct, 0) + vf64_or(rate->wait_pct, 0) >= FULL_PCT;
	return full && !capped ? 1 : c;
}

static void task_add(
	struct cpu_problem *b, const struct round *r, size_t vm, size_t vcpu, const struct cpuset *named)
{
	const struct vm_sample *m = &r->sample->vms[vm];
	const struct vcpu_sample *v = &r->sample->vcpus[vcpu];
	const struct vcpu_rate *rate = &r->model->vcpus[vcpu];
	const struct vm_rule *vr = r->rules && vm < r->rules->n_vms ? &r->rules->vms[vm] : NULL;
	enum reason rule = rule_of(r, vm, vcpu);
	if (is_absent(v, rate, rule))
		return;
	int at = model_vcpu_pcpu(v);
	struct cpuset cpus;
	pool_of_vcpu(&b->pool, named, v, &cpus);
	may_stay(b, v, at, &cpus);
	if (more_than_one(b->nodes))
		cut_to_nodes(b, nodes_of(b, r, m, vr, at), &cpus);
	struct task_origin *o = &b->origins[b->p.n_tasks];
	uint32_t last = b->p.n_tasks ? o[-1].set : UINT32_MAX;
	*o = (struct task_origin){
		.vm = vm, .vcpu = vcpu, .set = set_of(b, &cpus, last), .room = room_of(b, v)};
	struct place_task *t = &b->tasks[b->p.n_tasks++];
	bool capped = runs_into_quota(m, rate);
	double used = capacity_used(b, rate, at, capped);
	*t = (struct place_task){
		.demand_pct = used * vf64_or(rate->demand_pct, 0),
		.usage_pct = vf64_or(rate->usage_pct, 0),
		.wait_pct = vf64_or(rate->wait_pct, -1),
		.scatter_pct = used * rate->scatter_pct,
		.vm = (uint32_t)vm,
		.vcpu = v->id,
		.slot = rate->slot,
		.birth = rate->birth,
		.weight = vr && vr->cpu_weight > 0 ? vr->cpu_weight : 1,
		.mem_nodes = m->mem_nodes,
		.stay_on_node = vr && vr->stay_on_node,
		.capped = capped,
	};
	t->unit = unit_now(b, v, at, &t->pinned);
	t->fixed = fixed_reason(t, &b->sets[o->set], rate, rule);
	o->leaving = t->fixed == REASON_NONE && is_leaving(b, v);
	b->n_leaving += o->leaving;
}

/* Sets are kept from round to round, with those that nobody has any more, until the units change or the
 * others become many. */
static bool units_changed(struct cpu_problem *b)
{
	if (!memcmp(b->sets_for, b->unit_of, sizeof b->sets_for))
		return false;
	memcpy(b->sets_for, b->unit_of, sizeof b->sets_for);
	return true;
}

static void forget_sets(struct cpu_problem *b)
{
	memset(b->buckets, 0, b->cap_buckets * sizeof *b->buckets);
	b->n_sets = 0;
}

static bool task_room(struct cpu_problem *b, size_t n)
{
	size_t was = b->cap_buckets;
	if (!array_grow(&b->tasks, &b->cap_tasks, n, sizeof *b->tasks) ||
		!array_grow(&b->origins, &b->cap_origins, n, sizeof *b->origins) ||
		!array_grow(&b->sets, &b->cap_sets, 4 * n, sizeof *b->sets) ||
		!array_grow(&b->buckets, &b->cap_buckets, 8 * n + 1, sizeof *b->buckets))
		return false;
	if (was != b->cap_buckets || b->n_sets > 2 * n || units_changed(b))
		forget_sets(b);
	return true;
}

/* All vCPUs, a VM at a time. */
static void tasks_add(struct cpu_problem *b, const struct round *r)
{
	const struct sample *s = r->sample;
	b->p.n_tasks = b->n_leaving = 0;
	for (size_t i = 0; i < s->n_vms; i++) {
		struct cpuset named;
		pool_named(&b->pool, r, &s->vms[i], &named);
		for (size_t k = s->vms[i].first_vcpu; k < s->vms[i].first_vcpu + s->vms[i].n_vcpus; k++)
			task_add(b, r, i, k, &named);
	}
	for (size_t i = 0; i < b->p.n_tasks; i++) {
		uint32_t room = b->origins[i].room;
		b->tasks[i].allowed = &b->sets[b->origins[i].set].units;
		b->tasks[i].room = room == UINT32_MAX ? NULL : &b->sets[room].units;
	}
}

static void find_shut(struct cpu_problem *b)
{
	struct cpuset open;
	cpuset_clear(&open);
	for (size_t i = 0; i < b->p.n_tasks; i++) {
		const struct place_task *t = &b->tasks[i];
		if (t->fixed != REASON_NONE)
			continue;
		cpuset_or(&open, t->allowed);
		if (t->unit >= 0)
			cpuset_add(&open, t->unit);
	}
	for (size_t u = 0; u < b->p.n_units; u++)
		b->units[u].shut = !cpuset_has(&open, (int)u);
}

int cpu_problem_build(struct cpu_problem *b, const struct round *r, enum granularity g, enum node_reach reach)
{
	const struct sample *s = r->sample;
	b->reach = reach;
	b->p.relief = g == GRAN_AUTO;
	if (!build_units(b, r, g) || !task_room(b, s->n_vcpus))
		return -1;
	b->short_nodes = b->roomy_nodes = 0;
	if (reach == NODES_RELIEF && more_than_one(b->nodes) && !r->cfg->cross_node)
		find_overload(b, r);
	tasks_add(b, r);
	find_shut(b);
	b->p.units = b->units;
	b->p.tasks = b->tasks;
	b->p.n_slots = r->model->n_slots;
	b->p.now_ns = s->time_ns;
	b->p.elapsed_s = r->model->window_s;
	b->p.cfg = r->cfg;
	b->p.forced = r->mode == ROUND_FORCED || r->mode == ROUND_PREVIEW;
	return 0;
}

/* Is unit u among those that the move means? */
static bool unit_meant(const struct cpu_problem *b, const struct place_move *m, size_t u)
{
	const struct place_unit *to = &b->units[m->to], *x = &b->units[u];
	switch (m->aim) {
	case PLACE_NODE:
		return x->node == to->node && !x->alone;
	case PLACE_LLC:
		return x->llc == to->llc && x->node == to->node && !x->alone;
	case PLACE_ASIDE:
		return (int)u != m->from && !x->alone;
	default:
		return !x->alone;
	}
}

void cpu_problem_target(const struct cpu_problem *b, const struct place_move *m, struct cpuset *to)
{
	*to = b->sets[b->origins[m->task].set].cpus;
	if (m->aim == PLACE_UNIT) { /* the one that policies by the thousand ask for */
		cpuset_and(to, &b->unit_cpus[m->to]);
		return;
	}
	for (size_t u = 0; u < b->p.n_units; u++)
		if (!unit_meant(b, m, u))
			cpuset_andnot(to, &b->unit_cpus[u]);
}
