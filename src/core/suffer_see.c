/* SPDX-License-Identifier: MIT */
/* What speaks for each cause in one sample. Invariant: a fact that is absent speaks for nothing, and each
 * percent of waiting is put to one cause alone. Must not know of earlier samples. */
#include <math.h>
#include <string.h>

#include "suffer_priv.h"

enum {
	IDLE_PCT = 40,         /* a pCPU that is busy less has room */
	LEAST_LOST_PCT = 10,   /* of a pCPU: less waiting is nobody's trouble */
	AT_QUOTA_PCT = 93,     /* of its cap: it is held by it */
	LEAST_HELPER_PCT = 15, /* of a pCPU, before helpers are anybody's trouble */
	LEAST_STEAL_PCT = 3,
	SHARES_FACTOR = 2, /* as many more shares are more */
	SWAP_KIB_S = 64,   /* less is a guest that tidies up */
	SWAP_FULL_KIB_S = 8192,
	SHORT_KIB = 16 * 1024,
	SHORT_PCT = 3,
	STALE_S = 60,
	HOST_SWAP_KIB = 32 * 1024,
	HOST_SWAP_PCT = 5,
	REMOTE_COST_PCT = 40, /* what memory of another node costs a guest that runs there all the time */
	EXITS_S = 100000,     /* of one vCPU */
	POLL_PCT = 30,
	SLOW_DISK_MS = 40,
	LEAST_REQS_S = 2,
	PSI_MEMORY_PCT = 10,
	PSI_IO_PCT = 30,
	FULL_SPEED_PCT = 75,
	NEEDS_ALL_PCT = 80, /* of a lesser pCPU */
	JOB_PCT = 12,
};

static double at_least_0(struct vf64 x)
{
	return vf64_has(x) && x.v > 0 ? x.v : 0;
}

static bool runs(const struct vm_sample *vm)
{
	return vm->state == VM_NOSTATE || vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
}

static void put(struct seen *seen, double weight_pct, double a, double b, double c)
{
	seen->weight_pct = fmin(100, fmax(0, weight_pct));
	seen->num[0] = a;
	seen->num[1] = b;
	seen->num[2] = c;
}

/* --- pCPUs -------------------------------------------------------------------------------------------- */

static const struct pcpu_rate *rate_at(const struct suffer_look *look, int cpu, const struct pcpu_sample **p)
{
	*p = cpu >= 0 ? sample_pcpu(look->sample, cpu) : NULL;
	return *p ? &look->pcpus[*p - look->sample->host.pcpus] : NULL;
}

static void crowd_add(struct ground *ground, int cpu, int vm, double pct)
{
	for (int i = 0; i < CROWD; i++)
		if (ground->crowd[cpu].vm[i] == vm) {
			ground->crowd[cpu].pct[i] += pct;
			return;
		}
	int least = ground->crowd[cpu].pct[0] < ground->crowd[cpu].pct[1] ? 0 : 1;
	if (pct > ground->crowd[cpu].pct[least]) {
		ground->crowd[cpu].vm[least] = vm;
		ground->crowd[cpu].pct[least] = pct;
	}
}

void suffer_ground(struct ground *ground, const struct suffer_look *look)
{
	for (int cpu = 0; cpu < CPUSET_CPUS; cpu++)
		for (int i = 0; i < CROWD; i++) {
			ground->crowd[cpu].vm[i] = -1;
			ground->crowd[cpu].pct[i] = 0;
		}
	sample_usable(look->sample, &ground->usable);
	cpuset_clear(&ground->idle);
	for (size_t i = 0; i < look->sample->host.n_pcpus; i++) {
		const struct pcpu_rate *rate = &look->pcpus[i];
		struct vf64 busy = vf64_has(rate->busy_pct) ? rate->busy_pct : rate->load_pct;
		if (vf64_has(busy) && busy.v < IDLE_PCT &&
			cpuset_has(&ground->usable, look->sample->host.pcpus[i].id))
			cpuset_add(&ground->idle, look->sample->host.pcpus[i].id);
	}
	for (size_t v = 0; v < look->sample->n_vms; v++)
		for (size_t k = 0; k < look->sample->vms[v].n_vcpus; k++) {
			size_t i = look->sample->vms[v].first_vcpu + k;
			int cpu = model_vcpu_pcpu(&look->sample->vcpus[i]);
			if (cpu >= 0)
				crowd_add(ground, cpu, (int)v, at_least_0(look->vcpus[i].usage_pct));
		}
}

/* The other VM that runs most on a pCPU; -1 none. */
static int neighbour(const struct ground *ground, int cpu, size_t vm, double *pct)
{
	int best = -1;
	*pct = 0;
	for (int i = 0; cpu >= 0 && i < CROWD; i++)
		if (ground->crowd[cpu].vm[i] >= 0 && ground->crowd[cpu].vm[i] != (int)vm &&
			ground->crowd[cpu].pct[i] > *pct) {
			best = ground->crowd[cpu].vm[i];
			*pct = ground->crowd[cpu].pct[i];
		}
	return best;
}

/* Where it was seen it may be alone by chance: then the heaviest of where it may run. */
static int neighbour_near(
	const struct ground *ground, const struct vcpu_sample *vcpu, int cpu, size_t vm, double *pct)
{
	int other = neighbour(ground, cpu, vm, pct);
	if (other >= 0 || vcpu->affinity_avail != AVAIL_OK)
		return other;
	CPUSET_EACH(at, &vcpu->affinity)
	{
		double more;
		int who = neighbour(ground, at, vm, &more);
		if (who >= 0 && more > *pct) {
			other = who;
			*pct = more;
		}
	}
	return other;
}

/* --- waiting ------------------------------------------------------------------------------------------ */

/* One vCPU that waits. */
struct waiting {
	const struct vcpu_sample *c;
	double used, lost;
	int cpu, other;
	double other_pct;
};

static double helper_pct(const struct suffer_look *look, size_t vm)
{
	return at_least_0(look->vms[vm].helper_ns_s) / 1e7;
}

static bool held_by_quota(
	const struct suffer_look *look, const struct vm_sample *vm, const struct vcpu_rate *r)
{
	const struct vm_rate *vr = &look->vms[vm - look->sample->vms];
	bool cap = vf64_has(vm->quota_pct) && vm->quota_pct.v < 100;
	double held = at_least_0(vr->throttled_ns_s) / 1e7;
	if (vf64_has(vr->throttled_ns_s) && held < LEAST_LOST_PCT / 2.)
		return false;
	if (held >= LEAST_LOST_PCT && held >= at_least_0(vr->wait_pct) / 2)
		return true;
	return (cap && at_least_0(r->usage_pct) >= vm->quota_pct.v * AT_QUOTA_PCT / 100) || r->capped;
}

/* Its helpers run where it may run, and more than any other VM does there. */
static bool helpers_crowd(const struct suffer_look *look, size_t vm, const struct waiting *waiting)
{
	struct vi64 at = look->sample->vms[vm].facts.helper_pcpu;
	double pct = helper_pct(look, vm);
	bool here = vi64_has(at) &&
		    (at.v == waiting->cpu || (waiting->c->affinity_avail == AVAIL_OK && waiting->c->pinned &&
						     cpuset_has(&waiting->c->affinity, (int)at.v)));
	return pct >= LEAST_HELPER_PCT && here && pct > waiting->other_pct;
}

/* It may run only where nothing is idle, and elsewhere something is. */
static bool confined(const struct ground *ground, const struct waiting *waiting)
{
	const struct cpuset *may =
		waiting->c->affinity_avail == AVAIL_OK ? &waiting->c->affinity : &waiting->c->allowed;
	struct cpuset elsewhere = ground->idle;
	if (cpuset_intersects(may, &ground->idle))
		return false;
	cpuset_andnot(&elsewhere, may);
	return !cpuset_empty(&elsewhere) && !cpuset_subset(&ground->usable, may);
}

static bool outweighed(const struct suffer_look *look, size_t vm, const struct waiting *waiting)
{
	struct vi64 own = look->sample->vms[vm].facts.weight, other = {0};
	if (waiting->other >= 0 && waiting->other_pct >= LEAST_LOST_PCT)
		other = look->sample->vms[waiting->other].facts.weight;
	return vi64_has(own) && vi64_has(other) && own.v > 0 && other.v >= SHARES_FACTOR * own.v;
}

static enum cause blame(const struct ground *ground, const struct suffer_look *look, size_t vm,
	const struct vcpu_rate *rate, const struct waiting *waiting)
{
	if (held_by_quota(look, &look->sample->vms[vm], rate))
		return CAUSE_QUOTA;
	if (helpers_crowd(look, vm, waiting))
		return CAUSE_EMULATOR;
	if (confined(ground, waiting))
		return CAUSE_PINS;
	return outweighed(look, vm, waiting) ? CAUSE_SHARES : CAUSE_WAIT;
}

/* Of each cause: what was lost, the worst vCPU's part of what it wanted, and where that one is. */
struct losses {
	double lost[CAUSE_COUNT], worst[CAUSE_COUNT], most[CAUSE_COUNT];
	int cpu[CAUSE_COUNT], other[CAUSE_COUNT];
	double other_pct[CAUSE_COUNT];
	double used, all;
};

static void lose(struct losses *losses, enum cause cause, const struct waiting *waiting, double lost)
{
	double part = waiting->used + waiting->lost > 0 ? lost / (waiting->used + waiting->lost) : 0;
	losses->lost[cause] += lost;
	losses->all += lost;
	if (lost >= LEAST_LOST_PCT)
		losses->worst[cause] = fmax(losses->worst[cause], part);
	if (lost < losses->most[cause])
		return;
	losses->most[cause] = lost;
	losses->cpu[cause] = waiting->cpu;
	losses->other[cause] = waiting->other;
	losses->other_pct[cause] = waiting->other_pct;
}

static void add_vcpu(struct losses *losses, const struct ground *ground, const struct suffer_look *look,
	size_t vm, size_t i)
{
	const struct vcpu_rate *rate = &look->vcpus[i];
	const struct pcpu_sample *pcpu;
	struct waiting waiting = {&look->sample->vcpus[i], at_least_0(rate->usage_pct),
		at_least_0(rate->wait_pct), model_vcpu_pcpu(&look->sample->vcpus[i]), -1, 0};
	const struct pcpu_rate *at = rate_at(look, waiting.cpu, &pcpu);
	double steal = at ? at_least_0(at->steal_pct) : 0;
	losses->used += waiting.used;
	waiting.other = waiting.lost > 0
				? neighbour_near(ground, waiting.c, waiting.cpu, vm, &waiting.other_pct)
				: -1;
	if (steal >= LEAST_STEAL_PCT && waiting.used + waiting.lost >= LEAST_LOST_PCT) {
		/* What the hypervisor below takes is lost on top of the waiting that it causes here. */
		double taken = steal * (waiting.used + waiting.lost) / 100, waits = fmin(waiting.lost, steal);
		lose(losses, CAUSE_STEAL, &waiting, fmax(taken, waits));
		waiting.lost -= waits;
	}
	if (waiting.lost > 0)
		lose(losses, blame(ground, look, vm, rate, &waiting), &waiting, waiting.lost);
}

/* The counter of its control group knows what the vCPUs' own may not: newer kernels do not count it there. */
static void add_throttled(struct losses *losses, const struct suffer_look *look, size_t vm)
{
	double lost = at_least_0(look->vms[vm].throttled_ns_s) / 1e7 - losses->lost[CAUSE_QUOTA];
	if (lost < LEAST_LOST_PCT)
		return;
	losses->lost[CAUSE_QUOTA] += lost;
	losses->all += lost;
}

static void see_waiting(const struct ground *ground, const struct suffer_look *look, size_t vm,
	struct seen seen[CAUSE_COUNT], struct vf64 *got_pct)
{
	const struct vm_sample *m = &look->sample->vms[vm];
	struct losses losses;
	memset(&losses, 0, sizeof losses);
	for (size_t k = 0; k < m->n_vcpus; k++)
		add_vcpu(&losses, ground, look, vm, m->first_vcpu + k);
	add_throttled(&losses, look, vm);
	double wanted = losses.used + losses.all;
	for (int c = 0; c < CAUSE_COUNT; c++) {
		if (losses.lost[c] < LEAST_LOST_PCT && c != CAUSE_STEAL)
			continue;
		double part = wanted > 0 ? losses.lost[c] / wanted : 0;
		put(&seen[c], 100 * fmax(part, losses.worst[c] / 2), losses.lost[c], losses.used,
			losses.other_pct[c]);
		seen[c].pcpu = losses.most[c] > 0 ? losses.cpu[c] : -1;
		seen[c].other = losses.most[c] > 0 ? losses.other[c] : -1;
	}
	if (vf64_has(look->vms[vm].cpu_pct))
		*got_pct = vf64_ok(wanted >= 1 ? 100 * losses.used / wanted : 100);
	else
		*got_pct = vf64_absent(look->vms[vm].cpu_pct.avail);
}

/* A quota for all of it holds its other threads as well, and they are nobody's trouble but the quota's. */
static bool held_whole(const struct suffer_look *look, const struct vm_sample *vm)
{
	bool capped = false;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
		capped = capped || look->vcpus[k].capped;
	return capped && vf64_has(vm->group_quota_pct);
}

/* Threads that serve its disks, its network and its display, and get no pCPU themselves. */
static void see_helpers(const struct suffer_look *look, size_t vm, struct seen *to)
{
	if (held_whole(look, &look->sample->vms[vm]))
		return;
	double ran = helper_pct(look, vm), waited = at_least_0(look->vms[vm].helper_delay_ns_s) / 1e7;
	struct vi64 at = look->sample->vms[vm].facts.helper_pcpu;
	double weight = waited >= LEAST_HELPER_PCT ? 60 * waited / (ran + waited) : 0;
	if (to->weight_pct > weight || weight <= 0)
		return;
	put(to, weight, 0, ran, waited);
	to->pcpu = vi64_has(at) ? (int)at.v : -1;
}

/* --- memory ------------------------------------------------------------------------------------------- */

static void see_swap(const struct suffer_look *look, size_t vm, struct seen *to)
{
	const struct vm_rate *rate = &look->vms[vm];
	double in = at_least_0(rate->swap_in_kib_s), out = at_least_0(rate->swap_out_kib_s),
	       all = in + out / 2;
	if (vf64_has(rate->age_s) && rate->age_s.v > STALE_S)
		return;
	if (all >= SWAP_KIB_S)
		put(to, 40 + 60 * fmin(1, all / SWAP_FULL_KIB_S), in, out, 0);
}

static void see_short(const struct suffer_look *look, size_t vm, const struct seen *swap, struct seen *to)
{
	const struct vm_memory *mem = &look->sample->vms[vm].mem;
	struct vf64 age = look->vms[vm].age_s;
	if (swap->weight_pct > 0 || !vi64_has(mem->usable_kib) || !vi64_has(mem->balloon_kib) ||
		(vf64_has(age) && age.v > STALE_S))
		return;
	double all = (double)mem->balloon_kib.v, left = (double)mem->usable_kib.v;
	double least = fmax(SHORT_KIB, all * SHORT_PCT / 100);
	if (all > 0 && left < fmin(least, all / 8))
		put(to, 20 + 40 * (1 - left / least), left, all,
			vi64_has(mem->max_kib) ? (double)mem->max_kib.v : 0);
}

static void see_host_swap(const struct vm_sample *vm, struct seen *to)
{
	if (!vi64_has(vm->facts.swapped_kib) || vm->facts.swapped_kib.v < HOST_SWAP_KIB)
		return;
	double out = (double)vm->facts.swapped_kib.v,
	       in = vi64_has(vm->mem.rss_kib) ? (double)vm->mem.rss_kib.v : 0;
	double part = 100 * out / (out + in);
	if (part >= HOST_SWAP_PCT)
		put(to, 15 + part, out, part, 0);
}

static void see_node(const struct suffer_look *look, size_t vm, struct seen *to)
{
	const struct vm_sample *m = &look->sample->vms[vm];
	double all = 0, away = 0;
	for (size_t k = m->first_vcpu; m->mem_nodes && k < m->first_vcpu + m->n_vcpus; k++) {
		const struct pcpu_sample *pcpu;
		double used = at_least_0(look->vcpus[k].usage_pct);
		if (!rate_at(look, model_vcpu_pcpu(&look->sample->vcpus[k]), &pcpu) || pcpu->node < 0)
			continue;
		all += used;
		if (!(m->mem_nodes >> pcpu->node & 1)) {
			away += used;
			to->pcpu = pcpu->id;
		}
	}
	if (all >= LEAST_LOST_PCT && away >= all / 2)
		put(to, REMOTE_COST_PCT * away / all, away, all, 0);
}

/* --- the rest ----------------------------------------------------------------------------------------- */

static void see_exits(const struct suffer_look *look, size_t vm, struct seen *to)
{
	const struct vm_rate *rate = &look->vms[vm];
	double n = look->sample->vms[vm].n_vcpus ? (double)look->sample->vms[vm].n_vcpus : 1;
	double exits = at_least_0(rate->exits_s), poll = at_least_0(rate->polled_ns_s) / 1e7;
	double most = fmax(1, fmin(n, at_least_0(rate->cpu_pct) / 100)); /* vCPUs' worth that can make them */
	double storm = exits / most / EXITS_S;
	if (storm >= 1)
		put(to, 30 + 30 * fmin(1, (storm - 1) / 4), exits, poll, 0);
	else if (poll >= POLL_PCT && poll >= at_least_0(rate->cpu_pct) / 3)
		put(to, 12, exits, poll, 0);
}

static void see_storage(const struct suffer_look *look, size_t vm, struct seen *to)
{
	const struct vm_rate *rate = &look->vms[vm];
	double reqs = at_least_0(rate->disk_reqs_s), ns = at_least_0(rate->disk_ns_s);
	double ms = reqs > 0 ? ns / reqs / 1e6 : 0;
	if (reqs >= LEAST_REQS_S && ms >= SLOW_DISK_MS)
		put(to, 70 * ms / (ms + 2 * SLOW_DISK_MS), ms, reqs, ns / 1e7);
}

static void see_pressure(const struct vm_facts *facts, struct seen *to)
{
	double memory = at_least_0(facts->psi_memory), io = at_least_0(facts->psi_io);
	double m = memory >= PSI_MEMORY_PCT ? memory * .8 : 0, i = io >= PSI_IO_PCT ? io * .5 : 0;
	if (m > 0 || i > 0)
		put(to, fmax(m, i), memory, io, at_least_0(facts->psi_cpu));
}

/* What slower pCPUs cost the vCPUs that are on them. */
static void see_pcpus(const struct suffer_look *look, size_t vm, struct seen *slow, struct seen *small)
{
	const struct vm_sample *m = &look->sample->vms[vm];
	double all = 0, by_speed = 0, by_size = 0, speed = 100, size = 1;
	int slow_at = -1, small_at = -1;
	for (size_t k = m->first_vcpu; k < m->first_vcpu + m->n_vcpus; k++) {
		const struct pcpu_sample *pcpu;
		double used = at_least_0(look->vcpus[k].usage_pct);
		const struct pcpu_rate *rate = rate_at(look, model_vcpu_pcpu(&look->sample->vcpus[k]), &pcpu);
		if (!rate)
			continue;
		all += used;
		if (vf64_has(pcpu->speed_pct) && pcpu->speed_pct.v < FULL_SPEED_PCT && used >= IDLE_PCT) {
			by_speed += used * (1 - pcpu->speed_pct.v / 100);
			speed = pcpu->speed_pct.v;
			slow_at = pcpu->id;
		}
		if (pcpu_lesser(pcpu) && used >= NEEDS_ALL_PCT) {
			by_size += used * (1 - pcpu_capacity(pcpu));
			size = pcpu_capacity(pcpu);
			small_at = pcpu->id;
		}
	}
	if (by_speed > 0)
		put(slow, 100 * by_speed / all, speed, by_speed, 0);
	if (by_size > 0)
		put(small, 100 * by_size / all, 100 * size, by_size, 0);
	slow->pcpu = slow_at;
	small->pcpu = small_at;
}

void suffer_see(const struct ground *ground, const struct suffer_look *look, size_t vm,
	struct seen seen[CAUSE_COUNT], struct vf64 *got_pct)
{
	const struct vm_sample *m = &look->sample->vms[vm];
	for (int c = 0; c < CAUSE_COUNT; c++)
		seen[c] = (struct seen){.pcpu = -1, .other = -1};
	*got_pct = vf64_absent(m->hung_since_ns ? AVAIL_HUNG : AVAIL_PAUSED);
	if (m->hung_since_ns) { /* whatever else is known of it is old */
		double s = (double)(look->sample->time_ns - m->hung_since_ns) / 1e9;
		put(&seen[CAUSE_HUNG], 100, fmax(0, s), 0, 0);
		return;
	}
	if (m->flags & VM_FLAG_JOB)
		put(&seen[CAUSE_JOB], JOB_PCT, 0, 0, 0);
	if (!runs(m))
		return;
	see_waiting(ground, look, vm, seen, got_pct);
	see_helpers(look, vm, &seen[CAUSE_EMULATOR]);
	see_swap(look, vm, &seen[CAUSE_SWAP]);
	see_short(look, vm, &seen[CAUSE_SWAP], &seen[CAUSE_SHORT]);
	see_host_swap(m, &seen[CAUSE_HOST_SWAP]);
	see_node(look, vm, &seen[CAUSE_NODE]);
	see_exits(look, vm, &seen[CAUSE_EXITS]);
	see_storage(look, vm, &seen[CAUSE_STORAGE]);
	see_pressure(&m->facts, &seen[CAUSE_PRESSURE]);
	see_pcpus(look, vm, &seen[CAUSE_SLOW], &seen[CAUSE_SMALL]);
}
