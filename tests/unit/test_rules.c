/* SPDX-License-Identifier: MIT */
/* Who may be steered: each way to be left alone gives its own reason, and the strongest one is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/config.h"
#include "vmtop/control.h"

struct world {
	struct config cfg;
	struct sample s;
	struct rules r;
	struct vm_memo memo;
};

static const struct vm_memo *memo_of(void *arg, const struct vm_sample *vm)
{
	(void)vm;
	return arg;
}

static const struct cpuset *found;

static const struct cpuset *found_of(void *arg, const struct vm_sample *vm, int vcpu)
{
	(void)arg;
	(void)vm;
	return vcpu == 0 ? found : NULL;
}

static int build(void **state)
{
	static struct world w;
	found = NULL;
	memset(&w, 0, sizeof w);
	config_defaults(&w.cfg);
	sample_init(&w.s);
	w.s.time_ns = INT64_C(1000000000000);
	uint8_t uuid[UUID_BYTES] = {0xab};
	struct vm_sample *vm = sample_add_vm(&w.s, uuid);
	snprintf(vm->name, sizeof vm->name, "web-1");
	vm->state = VM_RUNNING;
	struct vcpu_sample *v = sample_add_vcpu(&w.s, 0);
	cpuset_fill(&v->affinity, 4);
	v->affinity_avail = AVAIL_OK;
	*state = &w;
	return 0;
}

static int wreck(void **state)
{
	struct world *w = *state;
	rules_done(&w->r);
	sample_done(&w->s);
	return 0;
}

static void expect(struct world *w, enum reason cpu, enum reason memory)
{
	const struct rules_memo memo = {memo_of, found_of, &w->memo};
	assert_int_equal(rules_build(&w->r, &w->cfg, &w->s, &memo), 0);
	assert_string_equal(reason_key(w->r.vms[0].cpu), reason_key(cpu));
	assert_string_equal(reason_key(w->r.vms[0].memory), reason_key(memory));
}

static void all_are_steered_by_default(void **state)
{
	expect(*state, REASON_NONE, REASON_NONE);
}

static void patterns_limit(void **state)
{
	struct world *w = *state;
	w->cfg.n_patterns = 1;
	strcpy(w->cfg.patterns[0], "db*");
	expect(w, REASON_EXCLUDED, REASON_EXCLUDED);
	strcpy(w->cfg.patterns[0], "web-?");
	expect(w, REASON_NONE, REASON_NONE);
	strcpy(w->cfg.patterns[0], "ab000000-0000-0000-0000-000000000000");
	expect(w, REASON_NONE, REASON_NONE);
}

static void settings_first_match_counts(void **state)
{
	struct world *w = *state;
	w->cfg.n_vm = 2;
	strcpy(w->cfg.vm[0].pattern, "web-*");
	w->cfg.vm[0].cpu_weight = 3;
	strcpy(w->cfg.vm[1].pattern, "*");
	w->cfg.vm[1].cpu_weight = 7;
	w->cfg.vm[1].exclude_memory = true;
	w->cfg.vm[1].mem_min_kib = 1000;
	expect(w, REASON_NONE, REASON_EXCLUDED);
	assert_float_equal(w->r.vms[0].cpu_weight, 3, 0);
	assert_float_equal(w->r.vms[0].mem_shares, 1, 0);
	assert_int_equal(w->r.vms[0].mem_min_kib, 1000);
}

static void facts_of_the_vm(void **state)
{
	struct world *w = *state;
	struct vm_sample *vm = w->s.vms;
	vm->flags = VM_FLAG_RT;
	expect(w, REASON_REALTIME, REASON_NONE);
	vm->flags = VM_FLAG_JOB;
	expect(w, REASON_JOB, REASON_JOB);
	vm->flags = VM_FLAG_NO_STEER | VM_FLAG_JOB;
	expect(w, REASON_FORBIDDEN, REASON_FORBIDDEN);
	vm->hung_since_ns = 5;
	expect(w, REASON_HUNG, REASON_HUNG);
	vm->state = VM_PAUSED;
	expect(w, REASON_NOT_RUNNING, REASON_NOT_RUNNING);
}

static void put(struct cpuset *s, int cpu)
{
	cpuset_clear(s);
	cpuset_add(s, cpu);
}

/* A definition alone dedicates nothing: the VM must run under it, and not because we put it there. */
static void dedicated_is_who_runs_so(void **state)
{
	struct world *w = *state;
	struct vcpu_sample *v = w->s.vcpus;
	w->s.vms->flags = VM_FLAG_DEDICATED | VM_FLAG_PERSISTENT;
	put(&v->allowed, 1);
	expect(w, REASON_NONE, REASON_NONE); /* for the next boot */
	put(&v->affinity, 0);
	expect(w, REASON_NONE, REASON_NONE);
	put(&v->affinity, 1);
	expect(w, REASON_DEDICATED, REASON_NONE);
	assert_true(w->r.vms[0].dedicated);
	w->s.vms->state = VM_PAUSED; /* its pCPU is its own all the same */
	expect(w, REASON_NOT_RUNNING, REASON_NOT_RUNNING);
	assert_true(w->r.vms[0].dedicated);
	w->s.vms->state = VM_RUNNING;
	found = &v->allowed;
	expect(w, REASON_NONE, REASON_NONE);
}

/* The only definition that a transient VM has is the live one. */
static void pins_of_a_transient_vm(void **state)
{
	struct world *w = *state;
	put(&w->s.vcpus[0].affinity, 2);
	expect(w, REASON_NONE, REASON_NONE); /* one pin may be anything */
	struct vcpu_sample *v = sample_add_vcpu(&w->s, 1);
	v->affinity_avail = AVAIL_OK;
	cpuset_fill(&v->affinity, 4);
	expect(w, REASON_NONE, REASON_NONE);
	put(&v->affinity, 2);
	expect(w, REASON_NONE, REASON_NONE); /* both on one */
	put(&v->affinity, 3);
	expect(w, REASON_DEDICATED, REASON_NONE);
	found = &v->affinity;
	expect(w, REASON_NONE, REASON_NONE);
	found = NULL;
	w->s.vms->flags = VM_FLAG_PERSISTENT; /* a state that the definition does not have */
	expect(w, REASON_NONE, REASON_NONE);
}

static void memory_of_the_past(void **state)
{
	struct world *w = *state;
	w->memo.fail_until_ns = w->s.time_ns + INT64_C(4000000000);
	expect(w, REASON_FAILED, REASON_FAILED);
	assert_float_equal(w->r.vms[0].held_for_s, 4, 1e-9);
	w->memo.held = true;
	expect(w, REASON_HELD, REASON_HELD);
	assert_true(w->r.vms[0].held_for_s < 0);
	w->memo =
		(struct vm_memo){.exclude_cpu = true, .stay_on_node = true, .balloon = {.target_kib = 4096}};
	expect(w, REASON_EXCLUDED, REASON_NONE);
	assert_true(w->r.vms[0].stay_on_node);
	assert_int_equal(w->r.vms[0].target_kib, 4096);
}

static void foreign_pins_are_left_alone_for_a_while(void **state)
{
	struct world *w = *state;
	w->s.vcpus[0].foreign_pin_ns = vi64_ok(w->s.time_ns - INT64_C(100000000000));
	expect(w, REASON_NONE, REASON_NONE);
	assert_string_equal(reason_key(w->r.vcpus[0].cpu), "foreign-pin");
	assert_float_equal(w->r.vcpus[0].held_for_s, w->cfg.foreign_hold_s - 100, 1e-6);
	w->memo.released_ns = w->s.time_ns;
	expect(w, REASON_NONE, REASON_NONE);
	assert_int_equal(w->r.vcpus[0].cpu, REASON_NONE);
	w->memo.released_ns = 0;
	w->s.time_ns += (int64_t)(w->cfg.foreign_hold_s * 1e9);
	expect(w, REASON_NONE, REASON_NONE);
	assert_int_equal(w->r.vcpus[0].cpu, REASON_NONE);
}

/* A pin that is not known could not be put back. */
static void unknown_pins_are_left_alone(void **state)
{
	struct world *w = *state;
	w->s.vcpus[0].affinity_avail = AVAIL_NONE;
	expect(w, REASON_NONE, REASON_NONE);
	assert_string_equal(reason_key(w->r.vcpus[0].cpu), "no-data");
}

static void some_are_not_touched_even_by_hand(void **state)
{
	struct world *w = *state;
	struct vm_sample *vm = &w->s.vms[0];
	assert_int_equal(rules_forbid(&w->cfg, vm), REASON_NONE);
	w->cfg.n_patterns = 1;
	snprintf(w->cfg.patterns[0], sizeof w->cfg.patterns[0], "db*");
	assert_int_equal(rules_forbid(&w->cfg, vm), REASON_EXCLUDED);
	snprintf(w->cfg.patterns[0], sizeof w->cfg.patterns[0], "web*");
	assert_int_equal(rules_forbid(&w->cfg, vm), REASON_NONE);
	vm->flags |= VM_FLAG_NO_STEER;
	assert_int_equal(rules_forbid(&w->cfg, vm), REASON_FORBIDDEN);
	/* not read is not "none" */
	vm->flags = VM_FLAG_NO_RULES;
	assert_int_equal(rules_forbid(&w->cfg, vm), REASON_NO_RULES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_are_steered_by_default, build, wreck),
		cmocka_unit_test_setup_teardown(patterns_limit, build, wreck),
		cmocka_unit_test_setup_teardown(settings_first_match_counts, build, wreck),
		cmocka_unit_test_setup_teardown(facts_of_the_vm, build, wreck),
		cmocka_unit_test_setup_teardown(unknown_pins_are_left_alone, build, wreck),
		cmocka_unit_test_setup_teardown(some_are_not_touched_even_by_hand, build, wreck),
		cmocka_unit_test_setup_teardown(dedicated_is_who_runs_so, build, wreck),
		cmocka_unit_test_setup_teardown(pins_of_a_transient_vm, build, wreck),
		cmocka_unit_test_setup_teardown(memory_of_the_past, build, wreck),
		cmocka_unit_test_setup_teardown(foreign_pins_are_left_alone_for_a_while, build, wreck),
	};
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
