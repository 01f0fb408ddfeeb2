/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/control.h"
#include "vmtop/settings.h"

static struct config fresh(void)
{
	struct config c;
	config_defaults(&c);
	return c;
}

static int set(struct config *c, const char *key, const char *value, struct err *e)
{
	const struct setting *s = setting_by_key(key);
	assert_non_null(s);
	return setting_apply(c, s, value, e);
}

static void test_defaults(void **state)
{
	(void)state;
	struct config c = fresh();
	assert_float_equal(c.delay_s, 2, 0);
	assert_int_equal(c.cpu_policy, CPU_POLICY_MINMOVE);
	assert_int_equal(c.mem_policy, MEM_POLICY_WATERMARK);
	assert_int_equal(c.granularity, GRAN_AUTO);
	assert_int_equal(c.reclaim, RECLAIM_PRESSURE);
	assert_false(c.auto_cpu || c.auto_memory || c.cross_node || c.dry_run || c.mouse);
	assert_float_equal(c.foreign_hold_s, 600, 0);
	assert_float_equal(c.dwell_cross_s, 300, 0);
	assert_float_equal(c.dwell_max_s, 60, 0);
	assert_float_equal(mem_cycle_s(&c), 5, 0);
	c.mem_policy = MEM_POLICY_ORIGIN_C; /* the preset brings its own */
	assert_float_equal(mem_cycle_s(&c), 2, 0);
	c = fresh();
	assert_float_equal(c.mem_min_pct, 12.5, 0);
	assert_int_equal(c.mem_min_kib, 128 * 1024);
	assert_int_equal(c.mem_threshold_kib, 100 * 1024);
	assert_int_equal(c.stats_period_s, 0);
	assert_float_equal(c.sample_deadline_s, 2, 0);
	assert_float_equal(c.change_deadline_s, 5, 0);
	assert_int_equal(c.n_patterns, 0);
}

/* The service is not killed while it may still be putting back and ends the calls that are under way. */
static void test_service_may_put_back(void **state)
{
	char line[256];
	double stop_s = 0;
	(void)state;
	struct config c = fresh();
	FILE *f = fopen("packaging/vmtop.service", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, "TimeoutStopSec=", 15) == 0)
			stop_s = strtod(line + 15, NULL);
	fclose(f);
	assert_true(stop_s >= c.restore_deadline_s + c.sample_deadline_s + c.change_deadline_s + 2);
}

static int options_called(const char *option, char letter)
{
	int n = 0;
	for (size_t i = 0; i < n_settings; i++)
		n += option ? settings[i].option && strcmp(settings[i].option, option) == 0
			    : settings[i].letter == letter;
	return n;
}

static void test_names_are_unique_and_helped(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		assert_true(s->option || s->key);
		assert_true(strlen(s->help) > 5 && s->help[strlen(s->help) - 1] != '.');
		if (s->option)
			assert_int_equal(options_called(s->option, 0), 1);
		if (s->key)
			assert_ptr_equal(setting_by_key(s->key), s);
		if (s->letter)
			assert_int_equal(options_called(NULL, s->letter), 1);
	}
}

/* Whatever is printed as a value reads back as the same value. */
static void test_values_round_trip(void **state)
{
	(void)state;
	struct config c = fresh(), d = fresh();
	struct err e = ERR_INIT;
	c.delay_s = 0.25;
	c.mem_min_kib = 77;
	c.auto_memory = true;
	c.granularity = GRAN_NODE;
	c.iterations = 12;
	for (size_t i = 0; i < n_settings; i++) {
		char text[600];
		if (!settings[i].key)
			continue;
		setting_format(&c, &settings[i], text, sizeof text);
		assert_int_equal(setting_apply(&d, &settings[i], text, &e), 0);
	}
	assert_memory_equal(&c, &d, sizeof c);
}

static void test_units(void **state)
{
	(void)state;
	struct config c = fresh();
	struct err e = ERR_INIT;
	assert_int_equal(set(&c, "delay", "1.5", &e), 0);
	assert_float_equal(c.delay_s, 1.5, 1e-12);
	assert_int_equal(set(&c, "delay", "500ms", &e), 0);
	assert_float_equal(c.delay_s, 0.5, 1e-12);
	assert_int_equal(set(&c, "foreign-hold", "2h", &e), 0);
	assert_float_equal(c.foreign_hold_s, 7200, 0);
	assert_int_equal(set(&c, "end_time", "+90s", &e), 0);
	assert_float_equal(c.end_after_s, 90, 0);
	assert_int_equal(set(&c, "mem_min_pct", "10%", &e), 0);
	assert_float_equal(c.mem_min_pct, 10, 0);
	assert_int_equal(set(&c, "mem_min", "1G", &e), 0);
	assert_int_equal(c.mem_min_kib, 1 << 20);
	assert_int_equal(set(&c, "auto", "memory, cpu", &e), 0);
	assert_true(c.auto_cpu && c.auto_memory);
	assert_int_equal(set(&c, "steer", "web-* db1", &e), 0);
	assert_int_equal(c.n_patterns, 2);
	assert_string_equal(c.patterns[0], "web-*");
	assert_string_equal(c.patterns[1], "db1");
}

static void test_refusals_change_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value;
	} bad[] = {
		{"delay", "0.1"},
		{"delay", "3601"},
		{"delay", "-1"},
		{"delay", "abc"},
		{"delay", ""},
		{"delay", "1,5"},
		{"delay", "0x2"},
		{"delay", "nan"},
		{"delay", "1.2.3"},
		{"delay", "2days"},
		{"iterations", "1.5"},
		{"iterations", "-1"},
		{"iterations", "99999999999999999999"},
		{"cpu_policy", "best"},
		{"cpu_policy", ""},
		{"cpu_policy", "?"},
		{"batch", "maybe"},
		{"mem_min", "12Q"},
		{"auto", "disk"},
		{"auto", "none,cpu"},
		{"auto", "cp"},
		{"auto", "cpus"},
		{"auto", "all"},
		{"auto", "system"},
		{"auto", "some"},
		{"fleet_peer", "qemu+tcp://kvm1/system"},
		{"theme", "pink"},
		{"theme", "?"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct config c = fresh(), before = c;
		struct err e = ERR_INIT;
		assert_int_equal(set(&c, bad[i].key, bad[i].value, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		assert_memory_equal(&c, &before, sizeof c);
	}
}

static void test_message_names_value_and_range(void **state)
{
	(void)state;
	struct config c = fresh();
	struct err e = ERR_INIT;
	assert_int_equal(set(&c, "delay", "\x1b[31m", &e), -1);
	assert_string_equal(e.msg, "bad value '\\x1b[31m', expected seconds from 0.2 to 3600");
	assert_int_equal(set(&c, "reclaim", "x", &e), -1);
	assert_string_equal(e.msg, "bad value 'x', expected one of proactive, pressure");
	assert_int_equal(set(&c, "fleet_peer", "qemu+tcp://kvm1/system", &e), -1);
	assert_string_equal(e.msg, "bad value 'qemu+tcp://kvm1/system', expected a name and a URI");
	assert_int_equal(set(&c, "fleet_host", "kvm1", &e), -1);
	assert_string_equal(e.msg, "bad value 'kvm1', expected a name and a URI, or a URI");
}

/* What is expected of each type, in words. */
static void test_what_is_expected(void **state)
{
	static const struct {
		const char *key, *words;
	} rows[] = {
		{"delay", "seconds from 0.2 to 3600"},
		{"iterations", "a whole number from 0 to "},
		{"max_moves", "a whole number from "},
		{"mem_min_pct", "a number from 0 to "},
		{"mem_min", "a size such as 512MiB"},
		{"batch", "yes or no"},
		{"auto", "cpu, memory, cpu,memory or none"},
		{"steer", "shell patterns or UUIDs"},
		{"output", "at most "},
		{"reclaim", "one of proactive, pressure"},
	};
	char text[200];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct setting *s = setting_by_key(rows[i].key);
		if (!s)
			fail_msg("no setting %s", rows[i].key);
		setting_expects(s, text, sizeof text);
		if (strncmp(text, rows[i].words, strlen(rows[i].words)) != 0)
			fail_msg("%s: %s", rows[i].key, text);
	}
}

/* What is steered is written as it is read: one word, two, or none. */
static void test_auto_is_written(void **state)
{
	static const char *const words[] = {"none", "cpu", "memory", "cpu,memory"};
	char text[64];
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct config c = fresh();
		c.auto_cpu = i & 1;
		c.auto_memory = i >> 1;
		setting_format(&c, setting_by_key("auto"), text, sizeof text);
		assert_string_equal(text, words[i]);
	}
}

static void test_patterns_have_bounds(void **state)
{
	struct err e = ERR_INIT;
	char longest[sizeof((struct config *)0)->patterns[0] + 1];
	(void)state;
	struct config c = fresh();
	memset(longest, 'x', sizeof longest);
	assert_int_equal(setting_add_pattern(&c, "", 0, &e), -1);
	assert_int_equal(setting_add_pattern(&c, longest, sizeof longest - 1, &e), -1);
	assert_int_equal(c.n_patterns, 0);
	assert_int_equal(setting_add_pattern(&c, longest, sizeof longest - 2, &e), 0);
	assert_int_equal(strlen(c.patterns[0]), sizeof longest - 2);
}

/* - and _ are the same in a name; nothing else is. */
static void test_names_by_any_dash(void **state)
{
	(void)state;
	assert_true(setting_called("mem_min", "mem-min", 7) && setting_called("end-time", "end_time", 8));
	assert_false(setting_called("mem_min", "memxmin", 7) || setting_called("memxmin", "mem_min", 7));
	assert_false(setting_called("delay", "dela", 4) || setting_called(NULL, "", 0));
}

static void test_sections_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < SECTION_COUNT; i++) {
		const char *name = setting_section_text((enum setting_section)i);
		assert_true(name && strlen(name) > 2);
	}
	assert_string_equal(setting_section_text(SECTION_COUNT), "?");
}

/* What an option without a value expects is said in words as well. */
static void test_an_option_without_a_value(void **state)
{
	char text[64];
	int n = 0;
	(void)state;
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].type == SET_ACTION || settings[i].type == SET_ALIAS) {
			setting_expects(&settings[i], text, sizeof text);
			assert_string_equal(text, "no value");
			n++;
		}
	assert_true(n > 1);
}

/* A host may go by its URI alone; of whom a peer is must be said. */
static void a_host_needs_no_name(void **state)
{
	(void)state;
	struct config c = fresh();
	struct err e = ERR_INIT;
	assert_int_equal(set(&c, "fleet_host", "qemu+tcp://kvm1/system", &e), 0);
	assert_int_equal(set(&c, "fleet_peer", "kvm1 qemu+tcp://kvm1/system", &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_service_may_put_back),
		cmocka_unit_test(test_names_are_unique_and_helped),
		cmocka_unit_test(test_values_round_trip),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_refusals_change_nothing),
		cmocka_unit_test(test_message_names_value_and_range),
		cmocka_unit_test(test_an_option_without_a_value),
		cmocka_unit_test(test_what_is_expected),
		cmocka_unit_test(test_auto_is_written),
		cmocka_unit_test(test_patterns_have_bounds),
		cmocka_unit_test(test_names_by_any_dash),
		cmocka_unit_test(test_sections_have_names),
		cmocka_unit_test(a_host_needs_no_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
