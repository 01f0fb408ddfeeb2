/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <strings.h>

#include "support/bigsnap.h"
#include "vmtop/columns.h"
#include "vmtop/err.h"

static void cell(const struct snapshot *s, const char *key, int id, char *buf, size_t len)
{
	struct column_env env = {.snap = s, .of_host = false};
	struct value v;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (s->sample.vms[i].id == id)
			column_get(column_at((size_t)column_find(key)), &env, i, &v);
	value_format(buf, len, &v);
}

static void test_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *c = column_at(i);
		assert_true(strlen(c->head) <= (size_t)c->width);
		assert_true(c->help[0] && c->get);
		for (size_t k = i + 1; k < column_count(); k++) {
			assert_true(strcasecmp(c->key, column_at(k)->key) != 0);
			assert_true(strcasecmp(c->head, column_at(k)->head) != 0);
		}
	}
	assert_null(column_at(column_count()));
}

/* How long a monitor has been hung has room in its column, however long. */
static void test_hung_for_long(void **state)
{
	static const struct {
		double s;
		const char *says;
	} rows[] = {{0, "HUNG 0 s"}, {99, "HUNG 99 s"}, {100, "HUNG 2m"}, {3600, "HUNG 60m"},
		{5970, "HUNG 2h"}, {3600 * 999., "HUNG 999h"}};
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(20, 8);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t k = 0; k < s->sample.n_vms; k++)
			s->sample.vms[k].hung_since_ns = s->sample.time_ns - (int64_t)(rows[i].s * 1e9);
		cell(s, "state", 4, buf, sizeof buf);
		assert_string_equal(buf, rows[i].says);
		assert_true(strlen(buf) <= 9);
	}
	bigsnap_free(s);
}

static void test_states_are_words(void **state)
{
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(20, 8);
	cell(s, "state", 1, buf, sizeof buf);
	assert_string_equal(buf, "running");
	cell(s, "state", 4, buf, sizeof buf);
	assert_string_equal(buf, "HUNG 12 s");
	cell(s, "title", 1, buf, sizeof buf);
	assert_string_equal(buf, "-");
	for (size_t i = 0; i < s->sample.n_vms; i++)
		strcpy(s->sample.vms[i].title, "billing\x1b[2J");
	cell(s, "title", 1, buf, sizeof buf);
	assert_string_equal(buf, "billing\\x1b[2J");
	cell(s, "state", 5, buf, sizeof buf);
	assert_string_equal(buf, "paused");
	cell(s, "state", 6, buf, sizeof buf);
	assert_string_equal(buf, "HELD");
	cell(s, "note", 6, buf, sizeof buf);
	assert_string_equal(buf, "HELD 9 min");
	bigsnap_free(s);
}

/* Absent is "-" and sorts below zero. */
static void test_absent_is_not_zero(void **state)
{
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(20, 8);
	cell(s, "used", 7, buf, sizeof buf);
	assert_string_equal(buf, "-");
	cell(s, "cpu", 4, buf, sizeof buf);
	assert_string_equal(buf, "-");
	struct value none = {.type = VALUE_PCT, .avail = AVAIL_HUNG},
		     zero = {.type = VALUE_PCT, .avail = AVAIL_OK};
	assert_true(value_compare(&none, &zero) < 0);
	assert_int_equal(value_compare(&none, &none), 0);
	bigsnap_free(s);
}

static void test_pins(void **state)
{
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(4, 8);
	cell(s, "pins", 1, buf, sizeof buf);
	assert_string_equal(buf, "any");
	struct vm_sample *m = &s->sample.vms[0];
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (s->sample.vms[i].id == 2)
			m = &s->sample.vms[i];
	for (size_t k = 0; k < 2; k++) {
		struct vcpu_sample *c = &s->sample.vcpus[m->first_vcpu + k];
		cpuset_clear(&c->affinity);
		cpuset_add(&c->affinity, k ? 7 : 2);
	}
	cell(s, "pins", 2, buf, sizeof buf);
	assert_string_equal(buf, "2,7");
	s->sample.vcpus[m->first_vcpu].pinned = false;
	cell(s, "pins", 2, buf, sizeof buf);
	assert_string_equal(buf, "7+");
	bigsnap_free(s);
}

/* A number for each vCPU, and a dash for one that was not read; a wide guest's row ends in time. */
static void test_bars(void **state)
{
	enum { WIDE = 300 };
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(1, 8);
	struct vcpu_rate rates[WIDE];
	memset(rates, 0, sizeof rates);
	rates[0].usage_pct = vf64_ok(3);
	rates[1].usage_pct = vf64_ok(97);
	rates[2].usage_pct = vf64_absent(AVAIL_NONE);
	struct vcpu_rate *own = s->vcpu_rates;
	uint32_t n = s->sample.vms[0].n_vcpus;
	s->vcpu_rates = rates;
	s->sample.vms[0].n_vcpus = 3;
	cell(s, "bars", s->sample.vms[0].id, buf, sizeof buf);
	assert_string_equal(buf, "3/97/-");
	s->sample.vms[0].n_vcpus = WIDE;
	cell(s, "bars", s->sample.vms[0].id, buf, sizeof buf);
	assert_memory_equal(buf, "3/97/-/", 7);
	assert_true(strlen(buf) < sizeof((struct value *)0)->text);
	s->sample.vms[0].n_vcpus = 0;
	cell(s, "bars", s->sample.vms[0].id, buf, sizeof buf);
	assert_string_equal(buf, "-");
	s->sample.vms[0].n_vcpus = n;
	s->vcpu_rates = own;
	bigsnap_free(s);
}

/* What it suffers is known from a cause, or from what it got; with neither it is not known. */
static void test_suffering(void **state)
{
	char buf[400];
	(void)state;
	struct snapshot *s = bigsnap_new(1, 8);
	struct suffering *x = &s->vm_status[0].suffer;
	*x = (struct suffering){.got_pct = vf64_absent(AVAIL_NONE)};
	cell(s, "suffers", s->sample.vms[0].id, buf, sizeof buf);
	assert_string_equal(buf, "-");
	x->got_pct = vf64_ok(100);
	cell(s, "suffers", s->sample.vms[0].id, buf, sizeof buf);
	assert_string_equal(buf, "0.0");
	*x = (struct suffering){.n = 1, .score_pct = 30, .got_pct = vf64_absent(AVAIL_NONE)};
	cell(s, "suffers", s->sample.vms[0].id, buf, sizeof buf);
	assert_string_equal(buf, "30.0");
	bigsnap_free(s);
}

static void test_of_host(void **state)
{
	struct snapshot *s = bigsnap_new(1, 4);
	struct value v;
	(void)state;
	s->vm_rates[0].cpu_pct = vf64_ok(200);
	column_get(column_at((size_t)column_find("cpu")), &(struct column_env){.snap = s, .of_host = false},
		0, &v);
	assert_true(v.num == 200);
	column_get(column_at((size_t)column_find("cpu")), &(struct column_env){.snap = s, .of_host = true}, 0,
		&v);
	assert_true(v.num == 50);
	bigsnap_free(s);
}

static void test_list_of_columns(void **state)
{
	uint8_t cols[64];
	struct err e = ERR_INIT;
	(void)state;
	assert_int_equal(column_parse("name,CPU%, wait,name", cols, sizeof cols, &e), 3);
	assert_string_equal(column_at(cols[0])->key, "name");
	assert_string_equal(column_at(cols[1])->key, "cpu");
	assert_string_equal(column_at(cols[2])->key, "wait");
	assert_int_equal(column_parse("name,no\033such", cols, sizeof cols, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.msg, "no column is called \"no\\x1bsuch\" (`vmtop -o help` lists them)");
	assert_int_equal(column_parse(" ,", cols, sizeof cols, &e), -1);
	assert_int_equal(column_parse("name,cpu,wait", cols, 2, &e), 2);
}

static void test_numbers(void **state)
{
	static const struct {
		enum value_type type;
		double num;
		const char *text;
	} rows[] = {
		{VALUE_INT, 12, "12"},
		{VALUE_PCT, 99.96, "100.0"},
		{VALUE_PCT, -1, "0.0"},
		{VALUE_RATE, 0.5, "0.5"},
		{VALUE_RATE, 0, "0"},
		{VALUE_RATE, 999, "999"},
		{VALUE_RATE, 123.4, "123"},
		{VALUE_RATE, 9.96, "10"},
		{VALUE_RATE, 5, "5"},
		{VALUE_BYTES_S, 1536, "1.5K"},
		{VALUE_BYTES_S, 123456789, "118M"},
		{VALUE_KIB_S, 2048, "2.0M"},
		{VALUE_SECONDS, 59.94, "59.9"},
		{VALUE_SECONDS, 125, "2:05"},
		{VALUE_SECONDS, 3661, "1:01:01"},
		{VALUE_SECONDS, 90000, "1d01h"},
		{VALUE_AGE, 11.6, "12s"},
	};
	char buf[64];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct value v = {.type = rows[i].type, .avail = AVAIL_OK, .num = rows[i].num};
		value_format(buf, sizeof buf, &v);
		assert_string_equal(buf, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_hung_for_long),
		cmocka_unit_test(test_states_are_words),
		cmocka_unit_test(test_absent_is_not_zero),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_suffering),
		cmocka_unit_test(test_of_host),
		cmocka_unit_test(test_list_of_columns),
		cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
