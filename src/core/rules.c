/* SPDX-License-Identifier: MIT */
/* What may be done to each VM and vCPU: patterns, settings, holds and facts become one reason each.
 * Invariant: every way to leave a VM alone is decided here or, for its memory, in the memory controller;
 * nowhere else. Knows no policy. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/control.h"

bool rules_match(const char *pattern, const struct vm_sample *vm)
{
	uint8_t uuid[UUID_BYTES];
	if (uuid_parse(uuid, pattern) == 0)
		return uuid_compare(uuid, vm->uuid) == 0;
	return fnmatch(pattern, vm->name, 0) == 0;
}

static bool steered(const struct config *cfg, const struct vm_sample *vm)
{
	if (!cfg->n_patterns)
		return true;
	for (size_t i = 0; i < cfg->n_patterns; i++)
		if (rules_match(cfg->patterns[i], vm))
			return true;
	return false;
}

enum reason rules_forbid(const struct config *cfg, const struct vm_sample *vm)
{
	if (!steered(cfg, vm))
		return REASON_EXCLUDED;
	if (vm->flags & VM_FLAG_NO_RULES)
		return REASON_NO_RULES;
	return vm->flags & VM_FLAG_NO_STEER ? REASON_FORBIDDEN : REASON_NONE;
}

/* First match in file order counts for each key that it sets. */
static struct vm_setting setting_of(const struct config *cfg, const struct vm_sample *vm)
{
	struct vm_setting out;
	memset(&out, 0, sizeof out);
	for (size_t i = 0; i < cfg->n_vm; i++) {
		const struct vm_setting *set = &cfg->vm[i];
		if (!rules_match(set->pattern, vm))
			continue;
		out.exclude_cpu |= set->exclude_cpu;
		out.exclude_memory |= set->exclude_memory;
		out.stay_on_node |= set->stay_on_node;
		if (!(out.cpu_weight > 0))
			out.cpu_weight = set->cpu_weight;
		if (!(out.mem_shares > 0))
			out.mem_shares = set->mem_shares;
		if (!out.mem_min_kib)
			out.mem_min_kib = set->mem_min_kib;
		if (!out.mem_max_kib)
			out.mem_max_kib = set->mem_max_kib;
	}
	return out;
}

/* Reasons that hold for CPU and memory alike. */
static enum reason common_reason(const struct config *cfg, const struct sample *sample,
	const struct vm_sample *vm, const struct vm_memo *memo)
{
	if (vm->state != VM_RUNNING && vm->state != VM_BLOCKED)
		return REASON_NOT_RUNNING;
	if (vm->hung_since_ns)
		return REASON_HUNG;
	enum reason forbidden = rules_forbid(cfg, vm);
	if (forbidden != REASON_NONE)
		return forbidden;
	if (memo && memo->held)
		return REASON_HELD;
	if (memo && memo->fail_until_ns > sample->time_ns)
		return REASON_FAILED;
	if (vm->flags & VM_FLAG_JOB)
		return REASON_JOB;
	return REASON_NONE;
}

static enum reason cpu_reason(
	const struct vm_sample *vm, const struct vm_setting *set, const struct vm_memo *memo, bool dedicated)
{
	if (set->exclude_cpu || (memo && memo->exclude_cpu))
		return REASON_EXCLUDED;
	if (vm->flags & VM_FLAG_RT)
		return REASON_REALTIME;
	return dedicated ? REASON_DEDICATED : REASON_NONE;
}

/* Each vCPU runs on one pCPU, no two on the same, and none of these pins is ours. The definition of a
 * transient VM is its live one: there several such pins are a rule, and one may be no more than a state. */
static bool is_dedicated(const struct rules *rules, const struct sample *sample, const struct vm_sample *vm)
{
	bool by_rule = vm->flags & VM_FLAG_DEDICATED;
	struct cpuset taken;
	cpuset_clear(&taken);
	if (!vm->n_vcpus || (!by_rule && (vm->flags & VM_FLAG_PERSISTENT || vm->n_vcpus < 2)))
		return false;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *vcpu = &sample->vcpus[k];
		if (vcpu->affinity_avail != AVAIL_OK || cpuset_count(&vcpu->affinity) != 1 ||
			rules->vcpus[k].found || cpuset_intersects(&taken, &vcpu->affinity) ||
			(by_rule && !cpuset_equal(&vcpu->affinity, &vcpu->allowed)))
			return false;
		cpuset_or(&taken, &vcpu->affinity);
	}
	return true;
}

static void vcpu_rule_fill(struct vcpu_rule *out, const struct vm_rule *vm_rule,
	const struct vcpu_sample *vcpu, const struct config *cfg, const struct sample *sample,
	const struct vm_memo *memo)
{
	out->cpu = vm_rule->cpu;
	out->held_for_s = vm_rule->held_for_s;
	/* What is not known could not be put back. */
	if (out->cpu == REASON_NONE && vcpu->affinity_avail != AVAIL_OK)
		out->cpu = REASON_NO_DATA;
	if (out->cpu != REASON_NONE || !vi64_has(vcpu->foreign_pin_ns))
		return;
	if (memo && memo->released_ns >= vcpu->foreign_pin_ns.v)
		return;
	double left = cfg->foreign_hold_s - (double)(sample->time_ns - vcpu->foreign_pin_ns.v) / 1e9;
	if (left > 0) {
		out->cpu = REASON_FOREIGN;
		out->held_for_s = left;
	}
}

static void vm_rule_fill(struct vm_rule *out, const struct config *cfg, const struct sample *sample,
	const struct vm_sample *vm, const struct vm_memo *memo, bool dedicated)
{
	struct vm_setting set = setting_of(cfg, vm);
	enum reason why = common_reason(cfg, sample, vm, memo);
	bool asked = memo && balloon_watch_asks(&memo->balloon);
	*out = (struct vm_rule){
		.cpu = why != REASON_NONE ? why : cpu_reason(vm, &set, memo, dedicated),
		.dedicated = dedicated,
		.memory = why,
		.cpu_weight = set.cpu_weight > 0 ? set.cpu_weight : 1,
		.stay_on_node = set.stay_on_node || (memo && memo->stay_on_node),
		.mem_shares = set.mem_shares > 0 ? set.mem_shares : 1,
		.mem_min_kib = set.mem_min_kib,
		.mem_max_kib = set.mem_max_kib,
		.target_kib = asked ? memo->balloon.target_kib : -1,
		.released_ns = memo ? memo->released_ns : 0,
		.shares_found = memo ? memo->shares_found : 0,
		.shares_now = memo ? memo->shares_now : 0,
		.target_age_ns = asked ? sample->time_ns - memo->balloon.asked_ns : 0,
	};
	if (out->cpu == REASON_NONE && memo && memo->rival_until_ns > sample->time_ns) {
		out->cpu = REASON_FOREIGN;
		out->held_for_s = (double)(memo->rival_until_ns - sample->time_ns) / 1e9;
	}
	out->shares_rest = memo && memo->shares_rival_ns && memo->released_ns < memo->shares_rival_ns &&
			   (double)(sample->time_ns - memo->shares_rival_ns) / 1e9 < cfg->foreign_hold_s;
	if (asked)
		out->balloon = memo->balloon;
	if (why == REASON_NONE && (set.exclude_memory || (memo && memo->exclude_memory)))
		out->memory = REASON_EXCLUDED;
	if (why == REASON_HELD)
		out->held_for_s = -1;
	else if (why == REASON_FAILED)
		out->held_for_s = (double)(memo->fail_until_ns - sample->time_ns) / 1e9;
}

static int rules_room(struct rules *rules, const struct sample *sample)
{
	if (!array_grow(&rules->vms, &rules->cap_vms, sample->n_vms, sizeof *rules->vms) ||
		!array_grow(&rules->vcpus, &rules->cap_vcpus, sample->n_vcpus, sizeof *rules->vcpus))
		return -1;
	rules->n_vms = sample->n_vms;
	rules->n_vcpus = sample->n_vcpus;
	return 0;
}

int rules_build(struct rules *rules, const struct config *cfg, const struct sample *sample,
	const struct rules_memo *memo)
{
	if (rules_room(rules, sample) < 0)
		return -1;
	if (rules->n_vcpus)
		memset(rules->vcpus, 0, rules->n_vcpus * sizeof *rules->vcpus);
	for (size_t i = 0; i < sample->n_vms; i++) {
		const struct vm_sample *vm = &sample->vms[i];
		const struct vm_memo *m = memo ? memo->vm(memo->arg, vm) : NULL;
		for (size_t k = vm->first_vcpu; memo && k < vm->first_vcpu + vm->n_vcpus; k++)
			rules->vcpus[k].found = memo->found(memo->arg, vm, sample->vcpus[k].id);
		vm_rule_fill(&rules->vms[i], cfg, sample, vm, m, is_dedicated(rules, sample, vm));
		for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++)
			vcpu_rule_fill(&rules->vcpus[k], &rules->vms[i], &sample->vcpus[k], cfg, sample, m);
	}
	return 0;
}

void rules_done(struct rules *rules)
{
	free(rules->vms);
	free(rules->vcpus);
	memset(rules, 0, sizeof *rules);
}
