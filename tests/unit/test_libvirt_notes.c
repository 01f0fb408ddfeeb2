/* SPDX-License-Identifier: MIT */
/* Whose pin was it, who hangs, and for how long that is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/libvirt_notes.h"

#define S INT64_C(1000000000)

static const uint8_t one[UUID_BYTES] = {1}, two[UUID_BYTES] = {2};

static struct cpuset cpus(const char *list)
{
	struct cpuset s;
	assert_int_equal(cpuset_parse(&s, list, NULL), 0);
	return s;
}

static void test_echo(void **state)
{
	(void)state;
	struct notes t = {0};
	struct cpuset a = cpus("1"), b = cpus("2");
	note_asked(&t, one, 0, &a, 100 * S);
	assert_false(note_pin_event(&t, one, 0, &a, 101 * S));
	/* another map, another vCPU, another VM, or too late: not ours */
	assert_true(note_pin_event(&t, one, 0, &b, 101 * S));
	assert_true(note_pin_event(&t, one, 1, &a, 101 * S));
	assert_true(note_pin_event(&t, two, 0, &a, 101 * S));
	assert_true(note_pin_event(&t, one, 0, &a, 106 * S));
	/* ... but the call has no answer yet */
	note_get(&t, one)->unknown_call = &t;
	assert_false(note_pin_event(&t, one, 0, &a, 130 * S));
	assert_true(note_pin_event(&t, one, 0, &b, 130 * S));
	notes_done(&t);
}

static void sample_of(struct sample *s, const uint8_t *uuid, int64_t hung_ns)
{
	sample_reset(s);
	struct vm_sample *vm = sample_add_vm(s, uuid);
	vm->hung_since_ns = hung_ns;
	sample_add_vcpu(s, 0);
	sample_add_vcpu(s, 3);
	assert_int_equal(sample_finish(s, NULL), 0);
}

static void test_apply(void **state)
{
	(void)state;
	struct notes t = {0};
	struct sample s;
	struct cpuset a = cpus("1");
	sample_init(&s);
	note_pin_event(&t, one, 3, &a, 50 * S);
	sample_of(&s, one, 0);
	notes_apply(&t, &s);
	assert_false(vi64_has(s.vcpus[0].foreign_pin_ns));
	assert_int_equal(s.vcpus[1].foreign_pin_ns.v, 50 * S);
	/* hung: the first time counts, until it answers */
	sample_of(&s, one, 60 * S);
	notes_apply(&t, &s);
	sample_of(&s, one, 65 * S);
	notes_apply(&t, &s);
	assert_int_equal(s.vms[0].hung_since_ns, 60 * S);
	sample_of(&s, one, 0);
	notes_apply(&t, &s);
	assert_int_equal(s.vms[0].hung_since_ns, 0);
	sample_of(&s, one, 80 * S);
	notes_apply(&t, &s);
	assert_int_equal(s.vms[0].hung_since_ns, 80 * S);
	/* gone: forgotten */
	sample_of(&s, two, 0);
	notes_apply(&t, &s);
	assert_null(note_find(&t, one));
	notes_done(&t);
	sample_done(&s);
}

/* A host of 8 pCPUs with one running VM of one vCPU. */
struct world {
	struct notes t;
	struct sample s;
	int64_t now_ns;
	const char *affinity, *allowed;
	int online, id;
	enum vm_state vm_state;
};

static void begin(struct world *w)
{
	*w = (struct world){.now_ns = 100 * S, .affinity = "0-7", .allowed = "0-7", .online = 8, .id = 4};
	w->vm_state = VM_RUNNING;
	sample_init(&w->s);
}

/* The next sample, two seconds later. Returns whether the vCPU is taken for somebody else's since then. */
static bool next(struct world *w)
{
	sample_reset(&w->s);
	w->s.time_ns = w->now_ns += 2 * S;
	for (int i = 0; i < 8; i++)
		sample_add_pcpu(&w->s, i)->online = i < w->online;
	struct vm_sample *vm = sample_add_vm(&w->s, one);
	vm->id = w->id;
	vm->state = w->vm_state;
	struct vcpu_sample *v = sample_add_vcpu(&w->s, 0);
	v->affinity = cpus(w->affinity);
	v->affinity_avail = AVAIL_OK;
	v->allowed = cpus(w->allowed);
	assert_int_equal(sample_finish(&w->s, NULL), 0);
	notes_apply(&w->t, &w->s);
	v = w->s.vcpus;
	return vi64_has(v->foreign_pin_ns) && v->foreign_pin_ns.v == w->now_ns;
}

static void settle(struct world *w)
{
	for (int i = 0; i < 4; i++)
		assert_false(next(w));
}

static void asks(struct world *w, const char *map)
{
	struct cpuset s = cpus(map);
	note_asked(&w->t, one, 0, &s, w->now_ns + S / 2);
}

static void ends(struct world *w)
{
	notes_done(&w->t);
	sample_done(&w->s);
}

/* taskset and its like tell nobody: the sample shows it. */
static void test_affinity_set_behind_our_back(void **state)
{
	(void)state;
	struct world w;
	begin(&w);
	settle(&w);
	w.affinity = "3";
	assert_true(next(&w));
	assert_false(next(&w));
	assert_int_equal(w.s.vcpus[0].foreign_pin_ns.v, w.now_ns - 2 * S);
	settle(&w);
	w.affinity = "0-7";
	assert_true(next(&w));
	settle(&w);
	/* ours, and what it reads back as */
	asks(&w, "2-3,9");
	w.affinity = "2-3";
	assert_false(next(&w));
	settle(&w);
	asks(&w, "5");
	w.affinity = "6"; /* something else than we asked for */
	assert_true(next(&w));
	settle(&w);
	w.affinity = "5"; /* what we asked for long ago */
	assert_true(next(&w));
	ends(&w);
}

/* What an event told already is one pin, whichever comes first. */
static void test_event_and_sample_are_one_pin(void **state)
{
	(void)state;
	struct world w;
	struct cpuset three = cpus("3"), four = cpus("4");
	begin(&w);
	settle(&w);
	assert_true(note_pin_event(&w.t, one, 0, &three, w.now_ns + S));
	int64_t told = w.now_ns + S;
	w.affinity = "3";
	assert_false(next(&w));
	assert_int_equal(w.s.vcpus[0].foreign_pin_ns.v, told);
	settle(&w);
	w.affinity = "4";
	assert_true(next(&w));
	told = w.now_ns;
	assert_true(note_pin_event(&w.t, one, 0, &four, w.now_ns + S / 10));
	next(&w);
	assert_int_equal(w.s.vcpus[0].foreign_pin_ns.v, told);
	ends(&w);
}

/* The kernel changes affinities too, and a VM that starts gets its own. */
static void test_affinities_that_nobody_set(void **state)
{
	(void)state;
	struct world w;
	begin(&w);
	settle(&w);
	w.online = 6;
	w.affinity = "0-5";
	assert_false(next(&w));
	settle(&w);
	w.allowed = "0-3"; /* the cpuset above it */
	w.affinity = "0-3";
	assert_false(next(&w));
	w.affinity = "0-2"; /* which may be still under way */
	assert_false(next(&w));
	settle(&w);
	w.id = 5; /* started again */
	w.affinity = "1";
	assert_false(next(&w));
	settle(&w);
	w.vm_state = VM_PAUSED; /* being restored */
	w.affinity = "2";
	assert_false(next(&w));
	w.vm_state = VM_RUNNING;
	w.affinity = "1";
	assert_false(next(&w));
	settle(&w);
	w.affinity = "0";
	assert_true(next(&w));
	ends(&w);
}

/* A refused target is out of the allowed set with the next sample, until the host's limits tell why. */
static void test_refused_targets_leave_the_allowed_set(void **state)
{
	(void)state;
	struct world w;
	struct cpuset target = cpus("4-5"), left = cpus("0-3,6-7"), limit = cpus("0-4");
	begin(&w);
	settle(&w);
	note_refused(&w.t, one, 0, &target, w.now_ns);
	w.affinity = "0-6"; /* what the failed call left: nobody else's */
	assert_false(next(&w));
	assert_true(cpuset_equal(&w.s.vcpus[0].allowed, &left));
	assert_false(next(&w));
	assert_true(cpuset_equal(&w.s.vcpus[0].allowed, &left));
	w.allowed = "0-4"; /* only 5 was at fault */
	next(&w);
	assert_true(cpuset_equal(&w.s.vcpus[0].allowed, &limit));
	w.allowed = "0-7";
	next(&w);
	assert_int_equal(cpuset_count(&w.s.vcpus[0].allowed), 8);
	note_refused(&w.t, one, 0, &target, w.now_ns);
	w.now_ns += REFUSED_NS; /* and nothing is for ever */
	next(&w);
	assert_int_equal(cpuset_count(&w.s.vcpus[0].allowed), 8);
	ends(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_affinity_set_behind_our_back),
		cmocka_unit_test(test_event_and_sample_are_one_pin),
		cmocka_unit_test(test_affinities_that_nobody_set),
		cmocka_unit_test(test_refused_targets_leave_the_allowed_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
