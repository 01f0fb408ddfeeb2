/* SPDX-License-Identifier: MIT */
/* First, do no harm: AUTO, as it is by default, lets nobody wait who would not have waited without, and cures
 * what a placement can cure. The short form of bench_harm: four minutes, two seeds, hosts of up to 64 pCPUs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/loads.h"

enum { SECONDS = 180, MEMORY_S = 900, SMALL = 8, LARGE = 32 };

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* Runs the loads whose names begin so; returns how many there were. */
static int all_that_begin(const char *with, double seconds)
{
	int n = 0, bad = 0;
	for (size_t i = 0; i < load_count(); i++) {
		static struct load l;
		load_get(i, &l);
		if (!begins(l.name, with) || l.pcpus > LARGE)
			continue;
		n++;
		for (unsigned seed = 1; seed <= (l.pcpus > SMALL ? 1 : 2); seed++) {
			struct harm_pair p;
			harm_judge(&l, seed, seconds, &p);
			if (p.why[0])
				print_error("%s, seed %u: %s\n", l.name, seed, p.why);
			bad += p.why[0] != '\0';
		}
	}
	assert_int_equal(bad, 0);
	return n;
}

static void test_floating(void **state)
{
	(void)state;
	assert_true(all_that_begin("float-", SECONDS) >= 35);
}

static void test_pinned(void **state)
{
	(void)state;
	assert_true(all_that_begin("pinned-", SECONDS) >= 20);
}

/* Short bursts of many: those that a change touched wait a quarter of before, all wait more by chance. Half
 * of it taken back leaves the rest to crowd those that are bound. */
static void test_chance(void **state)
{
	(void)state;
	static struct load l;
	size_t i = 0;
	do
		load_get(i++, &l);
	while (strcmp(l.name, "pinned-bursts-1s") != 0);
	for (unsigned seed = 1; seed <= 6; seed++) {
		struct harm_pair p;
		harm_judge(&l, seed, 600, &p);
		if (p.why[0])
			fail_msg("seed %u: %s", seed, p.why);
		assert_true(p.with.waiting_s < .75 * p.manual.waiting_s);
	}
}

static void test_mixed(void **state)
{
	(void)state;
	assert_true(all_that_begin("mixed-", SECONDS) >= 15);
}

static void test_cured(void **state)
{
	(void)state;
	assert_true(all_that_begin("cure-", SECONDS) >= 10);
}

static void test_memory(void **state)
{
	(void)state;
	assert_true(all_that_begin("memory-", MEMORY_S) >= 10);
}

static void test_shipped(void **state)
{
	(void)state;
	assert_true(all_that_begin("sim:", SECONDS) >= 20);
}

/* The judge sees harm: a placement that stacks what would not have waited. */
static void test_judge(void **state)
{
	(void)state;
	static struct load l;
	struct harm stacked, spread;
	for (size_t i = 0; i < load_count(); i++) {
		load_get(i, &l);
		if (strcmp(l.name, "cure-stacked-16") == 0)
			break;
	}
	assert_string_equal(l.name, "cure-stacked-16");
	harm_run(l.name, l.text, 1, 60, HARM_MANUAL, &stacked);
	harm_run(l.name, l.best, 1, 60, HARM_MANUAL, &spread);
	assert_true(stacked.waiting_s > 400 && spread.waiting_s < 1);
	assert_true(stacked.work_s < 250 && spread.work_s > 550);
	assert_true(stacked.late_s > .4 * stacked.waiting_s && stacked.late_s < .6 * stacked.waiting_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_floating),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_cured),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_shipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
