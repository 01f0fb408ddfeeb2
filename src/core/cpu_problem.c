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

void cpu_problem_done(struct cpu_problem *prob)
{
	free(prob->units);
	free(prob->unit_cpus);
	free(prob->unit_load);
	free(prob->tasks);
	free(prob->origins);
	free(prob->sets);
	free(prob->buckets);
	memset(prob, 0, sizeof *prob);
}

/* --- pCPUs and units ---------------------------------------------------------------------------------- */

/* What pCPUs of one unit have in common; -1: unknown, then it is a unit of its own. */
static int unit_key(const struct pcpu_sample *pcpu, enum granularity granularity)
{
	switch (granularity) {
	case GRAN_CORE:
		return pcpu->core;
	case GRAN_LLC:
		return pcpu->llc;
	case GRAN_NODE:
		return pcpu->node;
	default:
		return -1;
	}
}

/* A pCPU that is not for all is a unit of its own: the others' guests may not come, and on an isolated one
 * the kernel shares out nothing. */
static int unit_with_key(
	const struct cpu_problem *prob, const struct pcpu_sample *pcpu, enum granularity granularity)
{
	int key = cpuset_has(&prob->pool.shared, pcpu->id) ? unit_key(pcpu, granularity) : -1;
	if (key < 0)
		return -1;
	for (size_t i = prob->place.n_units; i > 0; i--) {
		const struct place_unit *unit = &prob->units[i - 1];
		int has = granularity == GRAN_CORE  ? unit->core
			  : granularity == GRAN_LLC ? unit->llc
						    : unit->node;
		if (has == key && cpuset_has(&prob->pool.shared, unit->cpu))
			return (int)i - 1;
	}
	return -1;
}

static void unit_add_pcpu(struct cpu_problem *prob, const struct pcpu_sample *pcpu,
	const struct pcpu_rate *rate, enum granularity granularity)
{
	int at = unit_with_key(prob, pcpu, granularity);
	if (at < 0) {
		at = (int)prob->place.n_units++;
		prob->units[at] = (struct place_unit){.cpu = pcpu->id,
			.core = pcpu->core,
			.llc = pcpu->llc,
			.node = pcpu->node,
			.alone = cpuset_has(&prob->pool.isolated, pcpu->id)};
		cpuset_clear(&prob->unit_cpus[at]);
	}
	struct place_unit *unit = &prob->units[at];
	double busy = vf64_or(rate->busy_pct, -1);
	/* Mean over its pCPUs, unknown when one of them is. */
	if (unit->n_cpus == 0)
		unit->busy_pct = busy;
	else
		unit->busy_pct = busy < 0 || unit->busy_pct < 0
					 ? -1
					 : (unit->busy_pct * unit->n_cpus + busy) / (unit->n_cpus + 1);
	unit->n_cpus++;
	unit->capacity += pcpu_capacity(pcpu);
	unit->background_pct += pcpu_capacity(pcpu) * vf64_or(rate->background_pct, 0);
	/* Where its pCPUs differ, the unit is in no one core or LLC. */
	if (unit->core != pcpu->core)
		unit->core = -1;
	if (unit->llc != pcpu->llc)
		unit->llc = -1;
	if (unit->node != pcpu->node)
		unit->node = -1;
	cpuset_add(&prob->unit_cpus[at], pcpu->id);
	prob->unit_of[pcpu->id] = at;
	prob->capacity[pcpu->id] = pcpu_capacity(pcpu);
	prob->same_numbers &= at == pcpu->id;
}

static bool build_units(struct cpu_problem *prob, const struct round *round, enum granularity granularity)
{
	const struct host_sample *host = &round->sample->host;
	if (!array_grow(&prob->units, &prob->cap_units, host->n_pcpus, sizeof *prob->units) ||
		!array_grow(&prob->unit_cpus, &prob->cap_unit_cpus, host->n_pcpus, sizeof *prob->unit_cpus) ||
		!array_grow(&prob->unit_load, &prob->cap_unit_load, host->n_pcpus, sizeof *prob->unit_load))
		return false;
	memset(prob->unit_of, -1, sizeof prob->unit_of);
	memset(prob->node_of, -1, sizeof prob->node_of);
	memset(prob->node_cpus, 0, sizeof prob->node_cpus);
	prob->nodes = 0;
	prob->same_numbers = true;
	prob->place.n_units = 0;
	pool_find(&prob->pool, round);
	prob->online = prob->pool.online;
	for (size_t i = 0; i < host->n_pcpus; i++) {
		const struct pcpu_sample *pcpu = &host->pcpus[i];
		if (pcpu->node >= 0 && pcpu->node < MAX_NODES)
			prob->node_of[pcpu->id] = pcpu->node;
		if (!pcpu->online)
			continue;
		unit_add_pcpu(prob, pcpu, &round->model->pcpus[i], granularity);
		if (prob->node_of[pcpu->id] >= 0) {
			cpuset_add(&prob->node_cpus[pcpu->node], pcpu->id);
			prob->nodes |= UINT64_C(1) << pcpu->node;
		}
	}
	return true;
}

/* --- allowed sets ------------------------------------------------------------------------------------- */

static void cut_to_nodes(const struct cpu_problem *prob, uint64_t nodes, struct cpuset *cpus)
{
	struct cpuset both, in = {{0}};
	for (uint64_t left = nodes & prob->nodes; left; left &= left - 1)
		cpuset_or(&in, &prob->node_cpus[__builtin_ctzll(left)]);
	both = *cpus;
	cpuset_and(&both, &in);
	if (!cpuset_empty(&both))
		*cpus = both;
}

/* Node whose pCPUs hold the whole affinity, else that of the pCPU it ran on; -1: unknown. */
static int node_now(const struct cpu_problem *prob, const struct vcpu_sample *vcpu)
{
	int first = vcpu->affinity_avail == AVAIL_OK ? cpuset_first(&vcpu->affinity) : -1;
	int node = first >= 0 ? prob->node_of[first] : -1;
	if (node >= 0 && cpuset_subset(&vcpu->affinity, &prob->node_cpus[node]))
		return node;
	int at = model_vcpu_pcpu(vcpu);
	return at >= 0 ? prob->node_of[at] : -1;
}

/* Does what runs there count to the shared pCPUs of its node? */
static bool is_shared(const struct cpu_problem *prob, int cpu)
{
	return cpu < 0 || cpuset_has(&prob->pool.shared, cpu);
}

/* Which nodes want more than their shared pCPUs have, and which have room. Both by more than the band between
 * nodes: to starve costs more than memory that is far away, and nobody who has left is called back for a
 * small difference. */
static void find_overload(struct cpu_problem *prob, const struct round *round)
{
	double want[MAX_NODES] = {0}, band = round->cfg->node_band_pct / 100;
	for (size_t i = 0; i < round->sample->host.n_pcpus; i++) {
		int id = round->sample->host.pcpus[i].id, node = prob->node_of[id];
		if (node >= 0 && is_shared(prob, id))
			want[node] += vf64_or(round->model->pcpus[i].background_pct, 0);
	}
	for (size_t k = 0; k < round->sample->n_vcpus; k++) {
		int node = node_now(prob, &round->sample->vcpus[k]);
		if (node >= 0 && is_shared(prob, model_vcpu_pcpu(&round->sample->vcpus[k])))
			want[node] += vf64_or(round->model->vcpus[k].demand_pct, 0);
	}
	for (uint64_t left = prob->nodes; left; left &= left - 1) {
		int node = __builtin_ctzll(left);
		struct cpuset shared = prob->node_cpus[node];
		cpuset_and(&shared, &prob->pool.shared);
		if (cpuset_empty(&shared))
			continue;
		double share = want[node] / (100.0 * cpuset_count(&shared));
		prob->short_nodes |= share > 1 + band ? UINT64_C(1) << node : 0;
		prob->roomy_nodes |= share < 1 - band ? UINT64_C(1) << node : 0;
	}
}

static uint64_t more_than_one(uint64_t nodes)
{
	return nodes & (nodes - 1);
}

/* Nodes that a vCPU is to stay on; 0: any. `at`: the pCPU it counts to. Memory that is bound to several nodes
 * lies on all of them: that is a bound, and no reason to cross. */
static uint64_t nodes_of(const struct cpu_problem *prob, const struct round *round,
	const struct vm_sample *vm, const struct vm_rule *rule, int at)
{
	uint64_t here = at >= 0 && prob->node_of[at] >= 0 ? UINT64_C(1) << prob->node_of[at] : 0;
	uint64_t bound = vm->mem_nodes & prob->nodes;
	bool crosses = round->cfg->cross_node || prob->reach == NODES_CROSS;
	if (rule && rule->stay_on_node)
		return here ? here : vm->mem_nodes;
	if (crosses)
		return vm->mem_nodes_strict ? bound : 0;
	if (bound && (!more_than_one(bound) || !(here & bound)))
		return bound;
	/* It may leave a node that cannot serve all, for one that can, as far as its memory may. */
	uint64_t to = here & prob->short_nodes ? here | prob->roomy_nodes : here;
	return bound ? to & bound : to;
}

static size_t hash_cpus(const struct cpuset *set)
{
	uint64_t h = 0;
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		h = (h ^ set->w[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return (size_t)(h ^ (h >> 32));
}

static void set_fill(const struct cpu_problem *prob, struct allowed_set *set, const struct cpuset *cpus)
{
	set->cpus = set->units = *cpus;
	set->n_units = cpuset_count(cpus);
	if (prob->same_numbers)
		return;
	cpuset_clear(&set->units);
	for (int i = 0; i < CPUSET_WORDS; i++) /* by hand: there may be thousands of sets */
		for (uint64_t word = cpus->w[i]; word; word &= word - 1)
			cpuset_add(&set->units, prob->unit_of[64 * i + __builtin_ctzll(word)]);
	set->n_units = cpuset_count(&set->units);
}

/* Index of the shared set of these pCPUs. Sets are four times the tasks at most and buckets more than eight
 * times, so there is always a free one. */
static uint32_t set_of(struct cpu_problem *prob, const struct cpuset *cpus, uint32_t last)
{
	if (last < prob->n_sets && cpuset_equal(&prob->sets[last].cpus, cpus))
		return last;
	size_t at = hash_cpus(cpus) % prob->cap_buckets;
	while (prob->buckets[at]) {
		if (cpuset_equal(&prob->sets[prob->buckets[at] - 1].cpus, cpus))
			return prob->buckets[at] - 1;
		at = (at + 1) % prob->cap_buckets;
	}
	set_fill(prob, &prob->sets[prob->n_sets], cpus);
	prob->buckets[at] = (uint32_t)++prob->n_sets;
	return prob->buckets[at] - 1;
}

/* --- tasks -------------------------------------------------------------------------------------------- */

/* Stopped, unplugged or not answering: contributes nothing that could be balanced. */
static bool is_absent(const struct vcpu_sample *vcpu, const struct vcpu_rate *rate, enum reason rule)
{
	return !vcpu->online || rule == REASON_NOT_RUNNING || rule == REASON_HUNG ||
	       rate->demand_pct.avail == AVAIL_PAUSED || rate->usage_pct.avail == AVAIL_HUNG;
}

static enum reason rule_of(const struct round *round, size_t vm, size_t vcpu)
{
	const struct rules *rules = round->rules;
	if (rules && vm < rules->n_vms && rules->vms[vm].cpu != REASON_NONE)
		return rules->vms[vm].cpu;
	return rules && vcpu < rules->n_vcpus ? rules->vcpus[vcpu].cpu : REASON_NONE;
}

/* Unit in which it counts: the one that holds its whole affinity, else that of the pCPU it ran on. */
static int unit_now(const struct cpu_problem *prob, const struct vcpu_sample *vcpu, int at, bool *inside)
{
	*inside = pool_is_apart(&prob->pool, vcpu);
	if (vcpu->affinity_avail == AVAIL_OK) {
		struct cpuset real = vcpu->affinity;
		cpuset_and(&real, &prob->online);
		int first = cpuset_first(&real), unit = first >= 0 ? prob->unit_of[first] : -1;
		if (unit >= 0 && cpuset_subset(&real, &prob->unit_cpus[unit])) {
			*inside = true;
			return unit;
		}
	}
	return at >= 0 ? prob->unit_of[at] : -1;
}

/* Where it is it may stay, unless by rule; to go where others may not is another matter. */
static void may_stay(
	const struct cpu_problem *prob, const struct vcpu_sample *vcpu, int at, struct cpuset *cpus)
{
	struct cpuset now = vcpu->affinity;
	bool inside;
	int unit = unit_now(prob, vcpu, at, &inside);
	if (unit < 0 || vcpu->affinity_avail != AVAIL_OK)
		return;
	cpuset_and(&now, &prob->unit_cpus[unit]);
	cpuset_and(&now, &vcpu->allowed);
	if (!cpuset_intersects(&now, cpus) && !cpuset_intersects(cpus, &prob->unit_cpus[unit]))
		cpuset_or(cpus, &now);
}

static enum reason fixed_reason(const struct place_task *task, const struct allowed_set *set,
	const struct vcpu_rate *rate, enum reason rule)
{
	if (rule != REASON_NONE)
		return rule;
	if (!vf64_has(rate->demand_pct)) {
		enum avail avail = rate->demand_pct.avail;
		return avail == AVAIL_FIRST || avail == AVAIL_RESET ? REASON_FIRST : REASON_NO_DATA;
	}
	if (!set->n_units)
		return REASON_NOTHING_ALLOWED;
	if (set->n_units == 1 && task->pinned && cpuset_has(&set->units, task->unit))
		return REASON_SINGLE;
	return REASON_NONE;
}

/* Shared set of the pCPUs on which it may run now; worked out only where somebody asks. */
static uint32_t room_of(struct cpu_problem *prob, const struct vcpu_sample *vcpu)
{
	if (!prob->place.relief || vcpu->affinity_avail != AVAIL_OK)
		return UINT32_MAX;
	struct cpuset cpus = vcpu->affinity;
	cpuset_and(&cpus, &prob->online);
	return set_of(prob, &cpus, UINT32_MAX);
}

/* Time in which a quota held it back is reported as waiting. */
static bool runs_into_quota(const struct vm_sample *vm, const struct vcpu_rate *rate)
{
	return rate->capped ||
	       (vf64_has(vm->quota_pct) && vf64_or(rate->usage_pct, 0) >= .9 * vm->quota_pct.v);
}

static bool is_leaving(const struct cpu_problem *prob, const struct vcpu_sample *vcpu)
{
	struct cpuset may = vcpu->allowed;
	cpuset_and(&may, &prob->online);
	return vcpu->affinity_avail == AVAIL_OK && !cpuset_intersects(&vcpu->affinity, &may);
}

/* Time on a lesser pCPU is less of the largest; who had all of the time might do with a whole one. */
static double capacity_used(const struct cpu_problem *prob, const struct vcpu_rate *rate, int at, bool capped)
{
	enum { FULL_PCT = 95 };
	double c = at >= 0 && prob->unit_of[at] >= 0 ? prob->capacity[at] : 1;
	bool full = vf64_or(rate->usage_pct, 0) + vf64_or(rate->wait_pct, 0) >= FULL_PCT;
	return full && !capped ? 1 : c;
}

static void task_add(struct cpu_problem *prob, const struct round *round, size_t vm, size_t vcpu,
	const struct cpuset *named)
{
	const struct vm_sample *m = &round->sample->vms[vm];
	const struct vcpu_sample *v = &round->sample->vcpus[vcpu];
	const struct vcpu_rate *rate = &round->model->vcpus[vcpu];
	const struct vm_rule *vr = round->rules && vm < round->rules->n_vms ? &round->rules->vms[vm] : NULL;
	enum reason rule = rule_of(round, vm, vcpu);
	if (is_absent(v, rate, rule))
		return;
	int at = model_vcpu_pcpu(v);
	struct cpuset cpus;
	pool_of_vcpu(&prob->pool, named, v, &cpus);
	may_stay(prob, v, at, &cpus);
	if (more_than_one(prob->nodes))
		cut_to_nodes(prob, nodes_of(prob, round, m, vr, at), &cpus);
	struct task_origin *origin = &prob->origins[prob->place.n_tasks];
	uint32_t last = prob->place.n_tasks ? origin[-1].set : UINT32_MAX;
	*origin = (struct task_origin){
		.vm = vm, .vcpu = vcpu, .set = set_of(prob, &cpus, last), .room = room_of(prob, v)};
	struct place_task *task = &prob->tasks[prob->place.n_tasks++];
	bool capped = runs_into_quota(m, rate);
	double used = capacity_used(prob, rate, at, capped);
	*task = (struct place_task){
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
	task->unit = unit_now(prob, v, at, &task->pinned);
	task->fixed = fixed_reason(task, &prob->sets[origin->set], rate, rule);
	origin->leaving = task->fixed == REASON_NONE && is_leaving(prob, v);
	prob->n_leaving += origin->leaving;
}

/* Sets are kept from round to round, with those that nobody has any more, until the units change or the
 * others become many. */
static bool units_changed(struct cpu_problem *prob)
{
	if (!memcmp(prob->sets_for, prob->unit_of, sizeof prob->sets_for))
		return false;
	memcpy(prob->sets_for, prob->unit_of, sizeof prob->sets_for);
	return true;
}

static void forget_sets(struct cpu_problem *prob)
{
	memset(prob->buckets, 0, prob->cap_buckets * sizeof *prob->buckets);
	prob->n_sets = 0;
}

static bool task_room(struct cpu_problem *prob, size_t n)
{
	size_t was = prob->cap_buckets;
	if (!array_grow(&prob->tasks, &prob->cap_tasks, n, sizeof *prob->tasks) ||
		!array_grow(&prob->origins, &prob->cap_origins, n, sizeof *prob->origins) ||
		!array_grow(&prob->sets, &prob->cap_sets, 4 * n, sizeof *prob->sets) ||
		!array_grow(&prob->buckets, &prob->cap_buckets, 8 * n + 1, sizeof *prob->buckets))
		return false;
	if (was != prob->cap_buckets || prob->n_sets > 2 * n || units_changed(prob))
		forget_sets(prob);
	return true;
}

/* All vCPUs, a VM at a time. */
static void tasks_add(struct cpu_problem *prob, const struct round *round)
{
	const struct sample *sample = round->sample;
	prob->place.n_tasks = prob->n_leaving = 0;
	for (size_t i = 0; i < sample->n_vms; i++) {
		struct cpuset named;
		pool_named(&prob->pool, round, &sample->vms[i], &named);
		for (size_t k = sample->vms[i].first_vcpu;
			k < sample->vms[i].first_vcpu + sample->vms[i].n_vcpus; k++)
			task_add(prob, round, i, k, &named);
	}
	for (size_t i = 0; i < prob->place.n_tasks; i++) {
		uint32_t room = prob->origins[i].room;
		prob->tasks[i].allowed = &prob->sets[prob->origins[i].set].units;
		prob->tasks[i].room = room == UINT32_MAX ? NULL : &prob->sets[room].units;
	}
}

static void find_shut(struct cpu_problem *prob)
{
	struct cpuset open;
	cpuset_clear(&open);
	for (size_t i = 0; i < prob->place.n_tasks; i++) {
		const struct place_task *task = &prob->tasks[i];
		if (task->fixed != REASON_NONE)
			continue;
		cpuset_or(&open, task->allowed);
		if (task->unit >= 0)
			cpuset_add(&open, task->unit);
	}
	for (size_t unit = 0; unit < prob->place.n_units; unit++)
		prob->units[unit].shut = !cpuset_has(&open, (int)unit);
}

int cpu_problem_build(struct cpu_problem *prob, const struct round *round, enum granularity granularity,
	enum node_reach reach)
{
	const struct sample *sample = round->sample;
	prob->reach = reach;
	prob->place.relief = granularity == GRAN_AUTO;
	if (!build_units(prob, round, granularity) || !task_room(prob, sample->n_vcpus))
		return -1;
	prob->short_nodes = prob->roomy_nodes = 0;
	if (reach == NODES_RELIEF && more_than_one(prob->nodes) && !round->cfg->cross_node)
		find_overload(prob, round);
	tasks_add(prob, round);
	find_shut(prob);
	prob->place.units = prob->units;
	prob->place.tasks = prob->tasks;
	prob->place.n_slots = round->model->n_slots;
	prob->place.now_ns = sample->time_ns;
	prob->place.elapsed_s = round->model->window_s;
	prob->place.cfg = round->cfg;
	prob->place.forced = round->mode == ROUND_FORCED || round->mode == ROUND_PREVIEW;
	return 0;
}

/* Is unit u among those that the move means? */
static bool unit_meant(const struct cpu_problem *prob, const struct place_move *move, size_t u)
{
	const struct place_unit *to = &prob->units[move->to], *unit = &prob->units[u];
	switch (move->aim) {
	case PLACE_NODE:
		return unit->node == to->node && !unit->alone;
	case PLACE_LLC:
		return unit->llc == to->llc && unit->node == to->node && !unit->alone;
	case PLACE_ASIDE:
		return (int)u != move->from && !unit->alone;
	default:
		return !unit->alone;
	}
}

void cpu_problem_target(const struct cpu_problem *prob, const struct place_move *move, struct cpuset *to)
{
	*to = prob->sets[prob->origins[move->task].set].cpus;
	if (move->aim == PLACE_UNIT) { /* the one that policies by the thousand ask for */
		cpuset_and(to, &prob->unit_cpus[move->to]);
		return;
	}
	for (size_t unit = 0; unit < prob->place.n_units; unit++)
		if (!unit_meant(prob, move, unit))
			cpuset_andnot(to, &prob->unit_cpus[unit]);
}
