/* SPDX-License-Identifier: MIT */
/* What a plan of pins would do: order, both pCPUs, waiting, deviation; what is left out does nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/effect.h"
#include "vmtop/err.h"

enum { VMS = 3, CPUS = 3 };

/* pCPU 0 has two vCPUs of 90 %, pCPU 1 one of 30 %, pCPU 2 nothing. */
struct host {
	struct sample s;
	struct vcpu_rate vcpus[VMS];
	struct vm_rate vms[VMS];
	struct pcpu_rate pcpus[CPUS];
	struct action plan[VMS];
};

static void host_build(struct host *h)
{
	static const double demand[VMS] = {90, 90, 30}, wait[VMS] = {45, 45, 0};
	static const int at[VMS] = {0, 0, 1};
	struct err e = ERR_INIT;
	memset(h, 0, sizeof *h);
	sample_init(&h->s);
	for (int i = 0; i < CPUS; i++)
		sample_add_pcpu(&h->s, i)->online = true;
	for (int i = 0; i < VMS; i++) {
		uint8_t uuid[UUID_BYTES] = {(uint8_t)(i + 1)};
		struct vm_sample *vm = sample_add_vm(&h->s, uuid);
		snprintf(vm->name, sizeof vm->name, "vm%d", i);
		vm->state = VM_RUNNING;
		struct vcpu_sample *v = sample_add_vcpu(&h->s, 0);
		v->online = true;
		v->pcpu = vi64_ok(at[i]);
		cpuset_fill(&v->affinity, CPUS);
		v->affinity_avail = AVAIL_OK;
		h->vcpus[i].demand_pct = vf64_ok(demand[i]);
		h->vcpus[i].wait_pct = vf64_ok(wait[i]);
	}
	assert_int_equal(sample_finish(&h->s, &e), 0);
	h->pcpus[0].demand_pct = vf64_ok(180);
	h->pcpus[1].demand_pct = vf64_ok(30);
	h->pcpus[2].demand_pct = vf64_ok(0);
}

static void pin(struct host *h, int i, int vm, int to)
{
	h->plan[i] = (struct action){.kind = ACTION_PIN, .vcpu = 0};
	h->plan[i].uuid[0] = (uint8_t)(vm + 1);
	cpuset_fill(&h->plan[i].from, CPUS);
	cpuset_add(&h->plan[i].to, to);
}

static struct suffer_look look(const struct host *h)
{
	return (struct suffer_look){&h->s, h->vcpus, h->vms, h->pcpus};
}

static void near(struct vf64 v, double want)
{
	assert_int_equal(v.avail, AVAIL_OK);
	if (v.v < want - .05 || v.v > want + .05)
		fail_msg("%.3f, not %.3f", v.v, want);
}

static void test_moves_first(void **state)
{
	struct host h;
	struct effect x[VMS];
	char text[300], where[64];
	(void)state;
	host_build(&h);
	struct suffer_look l = look(&h);
	pin(&h, 0, 2, 1);
	pin(&h, 1, 0, 2);
	assert_int_equal(effects_of(&l, h.plan, 2, x), 2);
	assert_true(x[0].moves && x[0].action == 1 && x[0].from_cpu == 0 && x[0].to_cpu == 2);
	assert_true(!x[1].moves && x[1].action == 0 && x[1].to_cpu == 1);
	near(x[0].from_pct[0], 180);
	near(x[0].from_pct[1], 90);
	near(x[0].to_pct[1], 90);
	near(x[0].wait_pct[1], 0);
	near(x[0].deviation_pct[0], 78.7);
	near(x[0].deviation_pct[1], 28.3);
	near(x[1].deviation_pct[0], 28.3);
	effect_text(&x[0], text, sizeof text);
	assert_string_equal(
		text, "it waits 45 -> 0 %, deviation 78.7 -> 28.3 %, pCPU 0: 180 -> 90 %, pCPU 2: 0 -> 90 %");
	effect_text(&x[1], text, sizeof text);
	assert_string_equal(text, "pCPU 1: 30 -> 30 %");
	effect_where(&l, &x[0], &h.plan[1], where, sizeof where);
	assert_string_equal(where, "0 -> 2");
	effect_where(&l, &x[1], &h.plan[0], where, sizeof where);
	assert_string_equal(where, "1");
	sample_done(&h.s);
}

static void test_left_out_does_nothing(void **state)
{
	struct host h;
	struct effect x[VMS];
	char text[300];
	(void)state;
	host_build(&h);
	struct suffer_look l = look(&h);
	pin(&h, 0, 0, 2);
	pin(&h, 1, 1, 1);
	h.plan[0].outcome = OUTCOME_SKIPPED;
	assert_int_equal(effects_of(&l, h.plan, 2, x), 2);
	assert_true(x[0].out && !x[1].out);
	near(x[0].to_pct[1], 0);
	effect_text(&x[0], text, sizeof text);
	assert_string_equal(text, "left out");
	/* 120 % on one pCPU: everybody gets five sixths of what they want. */
	near(x[1].to_pct[1], 120);
	near(x[1].wait_pct[1], 15);
	sample_done(&h.s);
}

/* A wider set is a move to where there is most room, if that is elsewhere. */
static void test_freed(void **state)
{
	struct host h;
	struct effect x[VMS];
	char where[64];
	(void)state;
	host_build(&h);
	struct suffer_look l = look(&h);
	h.plan[0] = (struct action){.kind = ACTION_PIN};
	h.plan[0].uuid[0] = 1;
	cpuset_add(&h.plan[0].from, 0);
	cpuset_fill(&h.plan[0].to, CPUS);
	assert_int_equal(effects_of(&l, h.plan, 1, x), 1);
	assert_true(x[0].moves && x[0].to_cpu == 2);
	effect_where(&l, &x[0], &h.plan[0], where, sizeof where);
	assert_string_equal(where, "0 -> any");
	sample_done(&h.s);
}

/* No rates yet, a vCPU that is gone, a pCPU that is not there, no pCPU known: nothing is made up. */
static void test_not_known(void **state)
{
	struct host h;
	struct effect x[VMS];
	char text[300];
	(void)state;
	host_build(&h);
	struct suffer_look l = look(&h);
	memset(h.pcpus, 0, sizeof h.pcpus);
	pin(&h, 0, 0, 900);
	pin(&h, 1, 7, 1);
	pin(&h, 2, 1, 1);
	h.s.vcpus[1].pcpu = vi64_absent(AVAIL_REMOTE);
	h.vcpus[1].wait_pct = h.vcpus[0].wait_pct = vf64_absent(AVAIL_FIRST);
	assert_int_equal(effects_of(&l, h.plan, 3, x), 2);
	assert_true(x[0].to_cpu == -1 && x[0].deviation_pct[1].avail != AVAIL_OK);
	effect_text(&x[0], text, sizeof text);
	assert_string_equal(text, "what it does is not known before the second sample");
	assert_int_equal(effects_of(&l, h.plan, 0, x), 0);
	sample_done(&h.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_first),
		cmocka_unit_test(test_left_out_does_nothing),
		cmocka_unit_test(test_freed),
		cmocka_unit_test(test_not_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
