/* SPDX-License-Identifier: MIT */
/* Pool membership. Invariants: no pCPU is anybody's that is not online; an isolated one is only theirs who
 * name it; one that a VM has for itself takes nobody in, and drives nobody out. Knows no loads and no units.
 */
#include "pool.h"

#include "vmtop/config.h"

/* A set that leaves nothing out names nothing. */
static bool narrows(const struct pool *p, const struct cpuset *s)
{
	return !cpuset_subset(&p->online, s);
}

static void take_dedicated(struct pool *p, const struct round *r, const struct vm_sample *vm)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		cpuset_andnot(&p->shared, &r->sample->vcpus[k].affinity);
		cpuset_andnot(&p->apart, &r->sample->vcpus[k].affinity);
	}
}

void pool_find(struct pool *p, const struct round *r)
{
	const struct sample *s = r->sample;
	sample_online(s, &p->online);
	sample_usable(s, &p->shared);
	p->isolated = p->online;
	cpuset_andnot(&p->isolated, &p->shared);
	p->apart = p->isolated;
	if (!cpuset_empty(&r->cfg->cpus)) {
		cpuset_and(&p->shared, &r->cfg->cpus);
		cpuset_and(&p->apart, &r->cfg->cpus);
	}
	cpuset_andnot(&p->shared, &r->cfg->exclude_cpus);
	cpuset_andnot(&p->apart, &r->cfg->exclude_cpus);
	for (size_t i = 0; r->rules && i < s->n_vms && i < r->rules->n_vms; i++)
		if (r->rules->vms[i].dedicated)
			take_dedicated(p, r, &s->vms[i]);
}

void pool_named(const struct pool *p, const struct round *r, const struct vm_sample *vm, struct cpuset *named)
{
	cpuset_clear(named);
	if (cpuset_empty(&p->apart))
		return;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *v = &r->sample->vcpus[k];
		const struct cpuset *found =
			r->rules && k < r->rules->n_vcpus ? r->rules->vcpus[k].found : NULL;
		if (narrows(p, &v->allowed))
			cpuset_or(named, &v->allowed);
		if (v->affinity_avail == AVAIL_OK && narrows(p, &v->affinity))
			cpuset_or(named, &v->affinity);
		if (found && narrows(p, found))
			cpuset_or(named, found);
	}
	cpuset_and(named, &p->apart);
}

bool pool_is_apart(const struct pool *p, const struct vcpu_sample *v)
{
	struct cpuset now = v->affinity;
	if (v->affinity_avail != AVAIL_OK)
		return false;
	cpuset_and(&now, &p->online);
	return !cpuset_empty(&now) && cpuset_subset(&now, &p->isolated);
}

void pool_of_vcpu(
	const struct pool *p, const struct cpuset *named, const struct vcpu_sample *v, struct cpuset *to)
{
	*to = v->allowed;
	cpuset_and(to, named);
	/* Who was put on isolated pCPUs is not mixed with those on the shared ones. */
	if (pool_is_apart(p, v) && !cpuset_empty(to))
		return;
	*to = p->shared;
	cpuset_or(to, named);
	cpuset_and(to, &v->allowed);
}
