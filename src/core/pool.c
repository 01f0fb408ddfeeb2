/* SPDX-License-Identifier: MIT */
/* Pool membership. Invariants: no pCPU is anybody's that is not online; an isolated one is only theirs who
 * name it; one that a VM has for itself takes nobody in, and drives nobody out. Knows no loads and no units.
 */
#include "pool.h"

#include "vmtop/config.h"

/* A set that leaves nothing out names nothing. */
static bool narrows(const struct pool *pool, const struct cpuset *set)
{
	return !cpuset_subset(&pool->online, set);
}

static void take_dedicated(struct pool *pool, const struct round *round, const struct vm_sample *vm)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		cpuset_andnot(&pool->shared, &round->sample->vcpus[k].affinity);
		cpuset_andnot(&pool->apart, &round->sample->vcpus[k].affinity);
	}
}

void pool_find(struct pool *pool, const struct round *round)
{
	const struct sample *sample = round->sample;
	sample_online(sample, &pool->online);
	sample_usable(sample, &pool->shared);
	pool->isolated = pool->online;
	cpuset_andnot(&pool->isolated, &pool->shared);
	pool->apart = pool->isolated;
	if (!cpuset_empty(&round->cfg->cpus)) {
		cpuset_and(&pool->shared, &round->cfg->cpus);
		cpuset_and(&pool->apart, &round->cfg->cpus);
	}
	cpuset_andnot(&pool->shared, &round->cfg->exclude_cpus);
	cpuset_andnot(&pool->apart, &round->cfg->exclude_cpus);
	for (size_t i = 0; round->rules && i < sample->n_vms && i < round->rules->n_vms; i++)
		if (round->rules->vms[i].dedicated)
			take_dedicated(pool, round, &sample->vms[i]);
}

void pool_named(
	const struct pool *pool, const struct round *round, const struct vm_sample *vm, struct cpuset *named)
{
	cpuset_clear(named);
	if (cpuset_empty(&pool->apart))
		return;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *vcpu = &round->sample->vcpus[k];
		const struct cpuset *found =
			round->rules && k < round->rules->n_vcpus ? round->rules->vcpus[k].found : NULL;
		if (narrows(pool, &vcpu->allowed))
			cpuset_or(named, &vcpu->allowed);
		if (vcpu->affinity_avail == AVAIL_OK && narrows(pool, &vcpu->affinity))
			cpuset_or(named, &vcpu->affinity);
		if (found && narrows(pool, found))
			cpuset_or(named, found);
	}
	cpuset_and(named, &pool->apart);
}

bool pool_is_apart(const struct pool *pool, const struct vcpu_sample *vcpu)
{
	struct cpuset now = vcpu->affinity;
	if (vcpu->affinity_avail != AVAIL_OK)
		return false;
	cpuset_and(&now, &pool->online);
	return !cpuset_empty(&now) && cpuset_subset(&now, &pool->isolated);
}

void pool_of_vcpu(const struct pool *pool, const struct cpuset *named, const struct vcpu_sample *vcpu,
	struct cpuset *to)
{
	*to = vcpu->allowed;
	cpuset_and(to, named);
	/* Who was put on isolated pCPUs is not mixed with those on the shared ones. */
	if (pool_is_apart(pool, vcpu) && !cpuset_empty(to))
		return;
	*to = pool->shared;
	cpuset_or(to, named);
	cpuset_and(to, &vcpu->allowed);
}
