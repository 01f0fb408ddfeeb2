/* SPDX-License-Identifier: MIT */
/* What a plan of pins would do. Invariant: each vCPU's demand is on one pCPU before and on one after, and
 * lines are counted in the order in which they are shown. Must not decide anything. */
#include "vmtop/effect.h"
#include "vmtop/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct loads {
	const struct suffer_look *look;
	double pct[CPUSET_CPUS]; /* by place in host.pcpus; negative: not known */
};

static size_t place_of(const struct loads *loads, int cpu)
{
	const struct pcpu_sample *pcpu = cpu >= 0 ? sample_pcpu(loads->look->sample, cpu) : NULL;
	return pcpu ? (size_t)(pcpu - loads->look->sample->host.pcpus) : CPUSET_CPUS;
}

static void loads_begin(struct loads *loads, const struct suffer_look *look)
{
	loads->look = look;
	for (size_t i = 0; i < look->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		const struct pcpu_rate *rate = &look->pcpus[i];
		struct vf64 load = vf64_has(rate->demand_pct) ? rate->demand_pct : rate->load_pct;
		loads->pct[i] = look->sample->host.pcpus[i].online && vf64_has(load) ? load.v : -1;
	}
}

static struct vf64 load_at(const struct loads *loads, int cpu)
{
	size_t i = place_of(loads, cpu);
	return i < CPUSET_CPUS && loads->pct[i] >= 0 ? vf64_ok(loads->pct[i]) : vf64_absent(AVAIL_FIRST);
}

static struct vf64 deviation(const struct loads *loads)
{
	double n = 0, sum = 0, squares = 0;
	for (size_t i = 0; i < loads->look->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		if (loads->pct[i] < 0 || loads->look->sample->host.pcpus[i].isolated)
			continue;
		n++;
		sum += loads->pct[i];
		squares += loads->pct[i] * loads->pct[i];
	}
	return n > 0 ? vf64_ok(sqrt(fmax(0, squares / n - sum / n * (sum / n)))) : vf64_absent(AVAIL_FIRST);
}

static double demand_of(const struct suffer_look *look, const struct effect *effect)
{
	struct vf64 d = look->vcpus[effect->vcpu].demand_pct;
	return vf64_has(d) && d.v > 0 ? d.v : 0;
}

/* The pCPU of the set that has most room for it; where it is counts without it. */
static int roomiest(const struct loads *loads, const struct cpuset *may, int here, double demand)
{
	int best = -1;
	double least = 0;
	for (size_t i = 0; i < loads->look->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		int id = loads->look->sample->host.pcpus[i].id;
		if (!cpuset_has(may, id) || loads->pct[i] < 0)
			continue;
		double load = loads->pct[i] - (id == here ? demand : 0);
		if (best >= 0 && load >= least)
			continue;
		least = load;
		best = id;
	}
	return best;
}

static bool find(const struct suffer_look *look, const struct action *action, struct effect *effect)
{
	const struct vm_sample *vm =
		action->kind == ACTION_PIN ? sample_vm_by_uuid(look->sample, action->uuid) : NULL;
	const struct vcpu_sample *vcpu = vm ? sample_vcpu(look->sample, vm, action->vcpu) : NULL;
	if (!vcpu)
		return false;
	effect->vm = (size_t)(vm - look->sample->vms);
	effect->vcpu = (size_t)(vcpu - look->sample->vcpus);
	effect->from_cpu = model_vcpu_pcpu(vcpu);
	effect->out = action->outcome == OUTCOME_SKIPPED;
	effect->moves = effect->from_cpu < 0 || !cpuset_has(&action->to, effect->from_cpu) ||
			!cpuset_subset(&action->to, &action->from);
	return true;
}

static void apply(struct loads *loads, const struct action *action, struct effect *effect)
{
	double demand = demand_of(loads->look, effect);
	effect->from_pct[0] = load_at(loads, effect->from_cpu);
	effect->deviation_pct[0] = deviation(loads);
	effect->to_cpu =
		effect->moves ? roomiest(loads, &action->to, effect->from_cpu, demand) : effect->from_cpu;
	size_t from = place_of(loads, effect->from_cpu), to = place_of(loads, effect->to_cpu);
	if (!effect->out && from < CPUSET_CPUS && to < CPUSET_CPUS && loads->pct[from] >= 0 &&
		loads->pct[to] >= 0) {
		loads->pct[from] = fmax(0, loads->pct[from] - demand);
		loads->pct[to] += demand;
	}
	effect->deviation_pct[1] = deviation(loads);
}

/* A pCPU that is asked for more than it has gives everybody on it the same part of what they want. */
static struct vf64 wait_after(const struct suffer_look *look, const struct effect *effect)
{
	const struct pcpu_sample *pcpu =
		effect->to_cpu >= 0 ? sample_pcpu(look->sample, effect->to_cpu) : NULL;
	double all = pcpu ? 100 * pcpu_capacity(pcpu) : 100, demand = demand_of(look, effect);
	if (!vf64_has(effect->to_pct[1]))
		return vf64_absent(effect->to_pct[1].avail);
	return vf64_ok(effect->to_pct[1].v <= all ? 0 : demand * (1 - all / effect->to_pct[1].v));
}

size_t effects_of(const struct suffer_look *look, const struct action *actions, size_t n, struct effect *to)
{
	struct loads before, loads;
	size_t count = 0;
	loads_begin(&before, look);
	loads = before;
	for (int moves = 1; moves >= 0; moves--)
		for (size_t i = 0; i < n; i++) {
			struct effect effect = {.action = i};
			if (!find(look, &actions[i], &effect) || effect.moves != moves)
				continue;
			apply(&loads, &actions[i], &effect);
			to[count++] = effect;
		}
	for (size_t i = 0; i < count; i++) {
		struct effect *effect = &to[i];
		effect->from_pct[0] = load_at(&before, effect->from_cpu);
		effect->to_pct[0] = load_at(&before, effect->to_cpu);
		effect->from_pct[1] = load_at(&loads, effect->from_cpu);
		effect->to_pct[1] = load_at(&loads, effect->to_cpu);
		effect->wait_pct[0] = look->vcpus[effect->vcpu].wait_pct;
		effect->wait_pct[1] = wait_after(look, effect);
	}
	return count;
}

static void add(char *buf, size_t len, const char *text)
{
	size_t n = strlen(buf);
	snprintf(buf + n, len - n, "%s", text);
}

static void add_pair(char *buf, size_t len, const char *what, const struct vf64 v[2], int digits)
{
	char text[80];
	if (!vf64_has(v[0]) || !vf64_has(v[1]))
		return;
	snprintf(text, sizeof text, "%s%s %.*f -> %.*f %%", text_if(buf[0], ", "), what, digits, v[0].v,
		digits, v[1].v);
	add(buf, len, text);
}

void effect_text(const struct effect *effect, char *buf, size_t len)
{
	char what[32];
	buf[0] = '\0';
	if (effect->out) {
		snprintf(buf, len, "left out");
		return;
	}
	if (effect->moves) {
		add_pair(buf, len, "it waits", effect->wait_pct, 0);
		add_pair(buf, len, "deviation", effect->deviation_pct, 1);
	}
	snprintf(what, sizeof what, "pCPU %d:", effect->from_cpu);
	if (effect->from_cpu >= 0)
		add_pair(buf, len, what, effect->from_pct, 0);
	snprintf(what, sizeof what, "pCPU %d:", effect->to_cpu);
	if (effect->to_cpu >= 0 && effect->to_cpu != effect->from_cpu)
		add_pair(buf, len, what, effect->to_pct, 0);
	if (!buf[0])
		snprintf(buf, len, "what it does is not known before the second sample");
}

static void set_text(const struct suffer_look *look, const struct cpuset *set, char *buf, size_t len)
{
	struct cpuset online;
	sample_online(look->sample, &online);
	if (cpuset_subset(&online, set))
		snprintf(buf, len, "any");
	else if (cpuset_format(set, buf, len) >= len)
		snprintf(buf, len, "one of %d", cpuset_count(set));
}

void effect_where(const struct suffer_look *look, const struct effect *effect, const struct action *action,
	char *buf, size_t len)
{
	char from[24], to[24];
	set_text(look, &action->to, to, sizeof to);
	if (!effect->moves) {
		snprintf(buf, len, "%s", to);
		return;
	}
	set_text(look, &action->from, from, sizeof from);
	if (effect->from_cpu >= 0 && cpuset_count(&action->to) == 1)
		snprintf(from, sizeof from, "%d", effect->from_cpu);
	snprintf(buf, len, "%s -> %s", from, to);
}
