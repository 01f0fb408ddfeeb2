/* SPDX-License-Identifier: MIT */
/* Seconds, sizes, percent and whole numbers as people write them, and that settings, prompts and scenarios
 * know the same ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/quantity.h"
#include "vmtop/scenario.h"
#include "vmtop/settings.h"

struct row {
	const char *text;
	double v; /* NAN: refused */
};

static void check(bool (*read)(const char *text, double *v), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double v = -7;
		bool good = read(rows[i].text, &v);
		if (good != !isnan(rows[i].v) || (good ? v != rows[i].v : v != -7))
			fail_msg("\"%s\": %s %.17g", rows[i].text, good ? "read as" : "refused, left at", v);
	}
}

#define CHECK(read, rows) check(read, rows, sizeof rows / sizeof *rows)

static const struct row seconds[] = {{"0", 0}, {"10", 10}, {"10s", 10}, {"500ms", .5}, {".5", .5},
	{"0.3", .3}, {"2m", 120}, {"5min", 300}, {"2h", 7200}, {"1d", 86400}, {"1.5h", 5400}};
static const struct row sizes[] = {{"4G", 4 << 20}, {"4g", 4 << 20}, {"4GiB", 4 << 20}, {"4Gi", 4 << 20},
	{"512MiB", 512 << 10}, {"1.5G", 3 << 19}, {"1024kB", 1000}, {"4GB", 3906250}, {"1T", 1 << 30}};
static const char *const nonsense[] = {"", " ", "-1", "+1", "0x10", "1e3", "inf", "nan", "1..5", "1.2.3",
	"4.", ".", "..", " 4", "4 x", "s", "G", "%", "1GG", "1X", "4Gb1", "1,5", "1'000",
	"1234567890123456789012345678901"};

static bool whole(const char *text, double *v)
{
	int64_t n;
	if (!quantity_whole(text, 0, INT64_MAX, &n))
		return false;
	*v = (double)n;
	return true;
}

static void test_rows(void **state)
{
	(void)state;
	static const struct row percents[] = {
		{"50", 50}, {"50%", 50}, {"50 %", 50}, {"12.5%", 12.5}, {"50  %", NAN}};
	static const struct row wholes[] = {{"0", 0}, {"007", 7},
		{"9223372036854775807", 9223372036854775807.0}, {"9223372036854775808", NAN}, {"1.0", NAN},
		{"1.5", NAN}, {"5s", NAN}};
	static const struct row kibs[] = {
		{"1048576", 1048576}, {"1.5 g", 3 << 19}, {"1.4K", 1}, {"9999999E", NAN}};
	CHECK(quantity_seconds, seconds);
	CHECK(quantity_kib, sizes);
	CHECK(quantity_kib, kibs);
	CHECK(quantity_percent, percents);
	CHECK(whole, wholes);
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		const struct row row[] = {{nonsense[i], NAN}};
		CHECK(quantity_seconds, row);
		CHECK(quantity_kib, row);
		CHECK(quantity_percent, row);
		CHECK(whole, row);
	}
	int64_t n = -7;
	assert_false(quantity_whole("1", 2, 5, &n) || quantity_whole("6", 2, 5, &n));
	assert_int_equal(n, -7);
	assert_true(quantity_whole("5", 2, 5, &n));
	assert_int_equal(n, 5);
}

/* A scenario of these three parts. */
static int load(const char *before, const char *text, const char *after)
{
	struct err e = ERR_INIT;
	char line[300];
	snprintf(line, sizeof line, "%s%s%s\n", before, text, after);
	struct scenario *s = scenario_parse("test", line, strlen(line), &e);
	scenario_free(s);
	return s ? 0 : -1;
}

static void test_everybody_knows_them(void **state)
{
	(void)state;
	struct config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		if (seconds[i].v >= 1 && seconds[i].v <= 3600) {
			assert_int_equal(setting_apply(&c, setting_by_key("delay"), seconds[i].text, &e), 0);
			assert_true(c.delay_s == seconds[i].v);
		}
		assert_int_equal(load("vm a\n\tload 10%\nat ", seconds[i].text, " pause a"), 0);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_int_equal(load("vm a\n\tload 10%\nat 5s balloon a ", sizes[i].text, ""), 0);
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		assert_int_equal(load("vm a\n\tload 10%\nat \"", nonsense[i], "\" pause a"), -1);
		assert_int_equal(load("host\n\tmemory \"", nonsense[i], "\""), -1);
		assert_int_equal(load("vm a\n\tload \"", nonsense[i], "\""), -1);
	}
	assert_int_equal(load("host\n\tmemory ", "512", ""), -1); /* of what? */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_everybody_knows_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
