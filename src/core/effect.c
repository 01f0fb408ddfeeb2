/* SPDX-License-Identifier: MIT */
/* What a plan of pins would do. Invariant: each vCPU's demand is on one pCPU before and on one after, and
 * lines are counted in the order in which they are shown. Must not decide anything. */
#include "vmtop/effect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct loads {
	const struct suffer_look *l;
	double pct[CPUSET_CPUS]; /* by place in host.pcpus; negative: not known */
};

static size_t place_of(const struct loads *x, int cpu)
{
	const struct pcpu_sample *p = cpu >= 0 ? sample_pcpu(x->l->sample, cpu) : NULL;
	return p ? (size_t)(p - x->l->sample->host.pcpus) : CPUSET_CPUS;
}

static void loads_begin(struct loads *x, const struct suffer_look *l)
{
	x->l = l;
	for (size_t i = 0; i < l->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		const struct pcpu_rate *r = &l->pcpus[i];
		struct vf64 load = vf64_has(r->demand_pct) ? r->demand_pct : r->load_pct;
		x->pct[i] = l->sample->host.pcpus[i].online && vf64_has(load) ? load.v : -1;
	}
}

static struct vf64 load_at(const struct loads *x, int cpu)
{
	size_t i = place_of(x, cpu);
	return i < CPUSET_CPUS && x->pct[i] >= 0 ? vf64_ok(x->pct[i]) : vf64_absent(AVAIL_FIRST);
}

static struct vf64 deviation(const struct loads *x)
{
	double n = 0, sum = 0, squares = 0;
	for (size_t i = 0; i < x->l->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		if (x->pct[i] < 0 || x->l->sample->host.pcpus[i].isolated)
			continue;
		n++;
		sum += x->pct[i];
		squares += x->pct[i] * x->pct[i];
	}
	return n > 0 ? vf64_ok(sqrt(fmax(0, squares / n - sum / n * (sum / n)))) : vf64_absent(AVAIL_FIRST);
}

static double demand_of(const struct suffer_look *l, const struct effect *e)
{
	struct vf64 d = l->vcpus[e->vcpu].demand_pct;
	return vf64_has(d) && d.v > 0 ? d.v : 0;
}

/* The pCPU of the set that has most room for it; where it is counts without it. */
static int roomiest(const struct loads *x, const struct cpuset *may, int here, double demand)
{
	int best = -1;
	double least = 0;
	for (size_t i = 0; i < x->l->sample->host.n_pcpus && i < CPUSET_CPUS; i++) {
		int id = x->l->sample->host.pcpus[i].id;
		if (!cpuset_has(may, id) || x->pct[i] < 0)
			continue;
		double load = x->pct[i] - (id == here ? demand : 0);
		if (best >= 0 && load >= least)
			continue;
		least = load;
		best = id;
	}
	return best;
}

static bool find(const struct suffer_look *l, const struct action *a, struct effect *e)
{
	const struct vm_sample *vm = a->kind == ACTION_PIN ? sample_vm_by_uuid(l->sample, a->uuid) : NULL;
	const struct vcpu_sample *v = vm ? sample_vcpu(l->sample, vm, a->vcpu) : NULL;
	if (!v)
		return false;
	e->vm = (size_t)(vm - l->sample->vms);
	e->vcpu = (size_t)(v - l->sample->vcpus);
	e->from_cpu = model_vcpu_pcpu(v);
	e->out = a->outcome == OUTCOME_SKIPPED;
	e->moves = e->from_cpu < 0 || !cpuset_has(&a->to, e->from_cpu) || !cpuset_subset(&a->to, &a->from);
	return true;
}

static void apply(struct loads *x, const struct action *a, struct effect *e)
{
	double demand = demand_of(x->l, e);
	e->from_pct[0] = load_at(x, e->from_cpu);
	e->deviation_pct[0] = deviation(x);
	e->to_cpu = e->moves ? roomiest(x, &a->to, e->from_cpu, demand) : e->from_cpu;
	size_t from = place_of(x, e->from_cpu), to = place_of(x, e->to_cpu);
	if (!e->out && from < CPUSET_CPUS && to < CPUSET_CPUS && x->pct[from] >= 0 && x->pct[to] >= 0) {
		x->pct[from] = fmax(0, x->pct[from] - demand);
		x->pct[to] += demand;
	}
	e->deviation_pct[1] = deviation(x);
}

/* A pCPU that is asked for more than it has gives everybody on it the same part of what they want. */
static struct vf64 wait_after(const struct suffer_look *l, const struct effect *e)
{
	const struct pcpu_sample *p = e->to_cpu >= 0 ? sample_pcpu(l->sample, e->to_cpu) : NULL;
	double all = p ? 100 * pcpu_capacity(p) : 100, demand = demand_of(l, e);
	if (!vf64_has(e->to_pct[1]))
		return vf64_absent(e->to_pct[1].avail);
	return vf64_ok(e->to_pct[1].v <= all ? 0 : demand * (1 - all / e->to_pct[1].v));
}

size_t effects_of(const struct suffer_look *l, const struct action *actions, size_t n, struct effect *to)
{
	struct loads before, x;
	size_t count = 0;
	loads_begin(&before, l);
	x = before;
	for (int moves = 1; moves >= 0; moves--)
		for (size_t i = 0; i < n; i++) {
			struct effect e = {.action = i};
			if (!find(l, &actions[i], &e) || e.moves != moves)
				continue;
			apply(&x, &actions[i], &e);
			to[count++] = e;
		}
	for (size_t i = 0; i < count; i++) {
		struct effect *e = &to[i];
		e->from_pct[0] = load_at(&before, e->from_cpu);
		e->to_pct[0] = load_at(&before, e->to_cpu);
		e->from_pct[1] = load_at(&x, e->from_cpu);
		e->to_pct[1] = load_at(&x, e->to_cpu);
		e->wait_pct[0] = l->vcpus[e->vcpu].wait_pct;
		e->wait_pct[1] = wait_after(l, e);
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
	snprintf(text, sizeof text, "%s%s %.*f -> %.*f %%", buf[0] ? ", " : "", what, digits, v[0].v, digits,
		v[1].v);
	add(buf, len, text);
}

void effect_text(const struct effect *x, char *buf, size_t len)
{
	char what[32];
	buf[0] = '\0';
	if (x->out) {
		snprintf(buf, len, "left out");
		return;
	}
	if (x->moves) {
		add_pair(buf, len, "it waits", x->wait_pct, 0);
		add_pair(buf, len, "deviation", x->deviation_pct, 1);
	}
	snprintf(what, sizeof what, "pCPU %d:", x->from_cpu);
	if (x->from_cpu >= 0)
		add_pair(buf, len, what, x->from_pct, 0);
	snprintf(what, sizeof what, "pCPU %d:", x->to_cpu);
	if (x->to_cpu >= 0 && x->to_cpu != x->from_cpu)
		add_pair(buf, len, what, x->to_pct, 0);
	if (!buf[0])
		snprintf(buf, len, "what it does is not known before the second sample");
}

static void set_text(const struct suffer_look *l, const struct cpuset *set, char *buf, size_t len)
{
	struct cpuset online;
	sample_online(l->sample, &online);
	if (cpuset_subset(&online, set))
		snprintf(buf, len, "any");
	else if (cpuset_format(set, buf, len) >= len)
		snprintf(buf, len, "one of %d", cpuset_count(set));
}

void effect_where(
	const struct suffer_look *l, const struct effect *x, const struct action *a, char *buf, size_t len)
{
	char from[24], to[24];
	set_text(l, &a->to, to, sizeof to);
	if (!x->moves) {
		snprintf(buf, len, "%s", to);
		return;
	}
	set_text(l, &a->from, from, sizeof from);
	if (x->from_cpu >= 0 && cpuset_count(&a->to) == 1)
		snprintf(from, sizeof from, "%d", x->from_cpu);
	snprintf(buf, len, "%s -> %s", from, to);
}
