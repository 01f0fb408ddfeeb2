/* SPDX-License-Identifier: MIT */
/* Whose pin was it, who hangs, and for how long that is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/libvirt_notes.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_echo), cmocka_unit_test(test_apply)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
