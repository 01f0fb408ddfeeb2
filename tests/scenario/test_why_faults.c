/* SPDX-License-Identifier: MIT */
/* Two faults of every kind: the true cause is named first within three ticks, and nobody beside is accused.
 * bench_why does the same with two hundred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/why_faults.h"

enum { EACH = 2 };

static void the_true_cause_is_named_first(void **state)
{
	static struct why_matrix m;
	(void)state;
	for (int kind = 0; kind < CAUSE_COUNT; kind++)
		for (unsigned n = 100; n < 100 + EACH; n++)
			why_inject(&m, (enum cause)kind, n);
	if (m.right * 100 < m.faults * 95 || m.accused)
		why_print(&m);
	assert_int_equal(m.faults, CAUSE_COUNT * EACH);
	assert_true(m.right * 100 >= m.faults * 95);
	assert_int_equal(m.accused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_true_cause_is_named_first)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
