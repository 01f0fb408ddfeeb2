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

/* What is said of a VM never contradicts itself: one that wants next to nothing may have got little of it. */
static void a_verdict_is_one_word(void **state)
{
	static const struct {
		struct suffering x;
		const char *says;
	} rows[] = {
		{{.got_pct = {9, AVAIL_OK}}, "nothing found: it has what it wants"},
		{{.got_pct = {0, AVAIL_PAUSED}}, "nothing can be said yet: the VM is not running"},
		{{.n = 1, .score_pct = 40, .got_pct = {60, AVAIL_OK}},
			"suffers 40 of 100; its vCPUs got 60 % of the CPU that they wanted"},
		{{.n = 1, .score_pct = 100, .got_pct = {0, AVAIL_HUNG}},
			"suffers 100 of 100; what its vCPUs got is not known"},
	};
	char text[200];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		suffer_verdict(&rows[i].x, text, sizeof text);
		assert_string_equal(text, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_true_cause_is_named_first), cmocka_unit_test(a_verdict_is_one_word)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
