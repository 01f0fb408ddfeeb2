/* SPDX-License-Identifier: MIT */
/* Sets of pCPU ids, against a plain array of flags, and their text form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/fixture.h"
#include "vmtop/cpuset.h"

static const char *text_of(const struct cpuset *s)
{
	static char text[8192];
	cpuset_format(s, text, sizeof text);
	return text;
}

static void texts_that_parse(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""},
		{"0", "0"},
		{"0-3,7", "0-3,7"},
		{" 1 , 3 ", "1,3"},
		{"7,0-3", "0-3,7"},
		{"0-7,^4", "0-3,5-7"},
		{"^4,0-7", "0-3,5-7"},
		{"0-7,^2-5", "0-1,6-7"},
		{"1,2,3", "1-3"},
		{"62-65", "62-65"},
		{"1023", "1023"},
		{"0-1023", "0-1023"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cpuset s;
		struct err e = ERR_INIT;
		assert_int_equal(cpuset_parse(&s, rows[i].in, &e), 0);
		assert_string_equal(text_of(&s), rows[i].out);
	}
}

static void texts_that_do_not_parse(void **state)
{
	(void)state;
	static const char *const rows[] = {"x", "1-", "-1", "3-1", "1,", ",1", "1,,2", "1024", "0-1024",
		"1 2", "1;2", "99999999999999999999", "1-2-3", "^", "0x1", "1.5"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cpuset s = {{42}};
		struct err e = ERR_INIT;
		assert_int_equal(cpuset_parse(&s, rows[i], &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		assert_true(e.msg[0]);
		assert_int_equal(s.w[0], 42); /* untouched */
	}
}

/* A list of the kernel's or libvirt's may name more than a set can hold. */
static void clipped(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out; /* NULL: does not parse */
	} rows[] = {{"0-2047", "0-1023"}, {"1022-4095,7", "7,1022-1023"}, {"1024", ""}, {"5000-6000", ""},
		{"3,99999999999999999999", "3"}, {"1-99999999999999999999", "1-1023"},
		{"1020-1030,^1021", "1020,1022-1023"}, {"", ""}, {"1030-", NULL}, {"2000x", NULL},
		{"2000-3", NULL}, {"2000,", NULL}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cpuset s = {{42}};
		assert_int_equal(cpuset_parse_clipped(&s, rows[i].in), rows[i].out ? 0 : -1);
		if (rows[i].out)
			assert_string_equal(text_of(&s), rows[i].out);
		else
			assert_int_equal(s.w[0], 42);
	}
}

static void format_cuts_and_counts(void **state)
{
	(void)state;
	struct cpuset s;
	assert_int_equal(cpuset_parse(&s, "0-3,10,20-21", NULL), 0);
	char buf[8];
	assert_int_equal(cpuset_format(&s, buf, sizeof buf), strlen("0-3,10,20-21"));
	assert_string_equal(buf, "0-3,10");
	assert_int_equal(cpuset_format(&s, NULL, 0), strlen("0-3,10,20-21"));
}

static void ids_out_of_range(void **state)
{
	(void)state;
	struct cpuset s;
	cpuset_clear(&s);
	cpuset_add(&s, -1);
	cpuset_add(&s, CPUSET_CPUS);
	cpuset_add(&s, INT32_MAX);
	assert_true(cpuset_empty(&s));
	assert_false(cpuset_has(&s, -1));
	assert_false(cpuset_has(&s, CPUSET_CPUS));
	cpuset_fill(&s, CPUSET_CPUS + 100);
	assert_int_equal(cpuset_count(&s), CPUSET_CPUS);
	cpuset_del(&s, CPUSET_CPUS);
	assert_int_equal(cpuset_count(&s), CPUSET_CPUS);
	cpuset_fill(&s, 3);
	assert_string_equal(text_of(&s), "0-2");
	assert_int_equal(cpuset_next(&s, CPUSET_CPUS - 1), -1);
	assert_int_equal(cpuset_next(&s, CPUSET_CPUS + 5), -1);
	assert_int_equal(cpuset_next(&s, -7), 0);
}

static void maps_of_libvirt(void **state)
{
	(void)state;
	struct cpuset s;
	unsigned char map[4] = {0x05, 0x80, 0, 0x01}, back[4];
	cpuset_from_map(&s, map, sizeof map);
	assert_string_equal(text_of(&s), "0,2,15,24");
	memset(back, 0xff, sizeof back);
	cpuset_to_map(&s, back, sizeof back);
	assert_memory_equal(map, back, sizeof map);
	cpuset_to_map(&s, back, 2); /* shorter than the set: what fits */
	assert_int_equal(back[1], 0x80);
	unsigned char wide[CPUSET_CPUS / 8 + 9];
	memset(wide, 0xff, sizeof wide);
	cpuset_from_map(&s, wide, sizeof wide);
	assert_int_equal(cpuset_count(&s), CPUSET_CPUS);
}

static void random_set(struct fx_random *r, struct cpuset *s, bool flags[CPUSET_CPUS])
{
	cpuset_clear(s);
	memset(flags, 0, CPUSET_CPUS * sizeof *flags);
	for (uint32_t i = fx_random(r, 200); i > 0; i--) {
		uint32_t cpu = fx_random(r, fx_random(r, 2) ? CPUSET_CPUS : 70);
		bool in = fx_random(r, 4) != 0;
		flags[cpu] = in;
		if (in)
			cpuset_add(s, (int)cpu);
		else
			cpuset_del(s, (int)cpu);
	}
}

static void operations_as_on_flags(void **state)
{
	(void)state;
	struct fx_random r = {1};
	static bool fa[CPUSET_CPUS], fb[CPUSET_CPUS];
	for (int trial = 0; trial < 300; trial++) {
		struct cpuset a, b, both, either, without, again;
		random_set(&r, &a, fa);
		random_set(&r, &b, fb);
		both = either = without = a;
		cpuset_and(&both, &b);
		cpuset_or(&either, &b);
		cpuset_andnot(&without, &b);
		int count = 0, seen = -1, common = 0, outside = 0;
		for (int i = 0; i < CPUSET_CPUS; i++) {
			assert_int_equal(cpuset_has(&both, i), fa[i] && fb[i]);
			assert_int_equal(cpuset_has(&either, i), fa[i] || fb[i]);
			assert_int_equal(cpuset_has(&without, i), fa[i] && !fb[i]);
			count += fa[i];
			common += fa[i] && fb[i];
			outside += fa[i] && !fb[i];
		}
		assert_int_equal(cpuset_count(&a), count);
		assert_int_equal(cpuset_empty(&a), count == 0);
		assert_int_equal(cpuset_intersects(&a, &b), common > 0);
		assert_int_equal(cpuset_subset(&a, &b), outside == 0);
		CPUSET_EACH(cpu, &a)
		{
			assert_true(cpu > seen && fa[cpu]);
			seen = cpu;
			count--;
		}
		assert_int_equal(count, 0);
		assert_int_equal(cpuset_parse(&again, text_of(&a), NULL), 0);
		assert_true(cpuset_equal(&again, &a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_parse),
		cmocka_unit_test(texts_that_do_not_parse),
		cmocka_unit_test(clipped),
		cmocka_unit_test(format_cuts_and_counts),
		cmocka_unit_test(ids_out_of_range),
		cmocka_unit_test(maps_of_libvirt),
		cmocka_unit_test(operations_as_on_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
