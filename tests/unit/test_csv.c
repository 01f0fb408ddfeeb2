/* SPDX-License-Identifier: MIT */
/* CSV, OpenMetrics and batch text of the same snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "support/snap.h"
#include "vmtop/batch.h"
#include "vmtop/columns.h"

static struct fixture f;
static struct snap p;

typedef int (*writer)(struct batch_out *o, const struct snapshot *s, struct err *e);

/* Two ticks, in the given columns. */
static char *printed(writer w, enum out_format format, const char *columns)
{
	static struct config cfg;
	config_defaults(&cfg);
	cfg.format = format;
	snprintf(cfg.columns, sizeof cfg.columns, "%s", columns);
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	struct batch_out o = {.to = open_memstream(&text, &len), .cfg = &cfg};
	assert_int_equal(batch_columns(&o, &e), 0);
	for (; o.ticks < 2; o.ticks++)
		assert_int_equal(w(&o, &p.s, &e), 0);
	fclose(o.to);
	tally_free(o.tally);
	return text;
}

static void test_csv(void **state)
{
	(void)state;
	char *text = printed(csv_write, OUT_CSV, "name,cpu,usable,vcpus");
	assert_string_equal(text,
		"time,elapsed_s,host,name,cpu,usable,vcpus\r\n"
		"2023-11-14T22:13:20.123+00:00,2.000,\"host\",\"web-1\",100,400000,2\r\n"
		"2023-11-14T22:13:20.123+00:00,2.000,\"host\",\"b\"\"a,d\\x0a\\x1b[31m\\xff\",50,,1\r\n"
		"2023-11-14T22:13:20.123+00:00,2.000,\"host\",\"web-1\",100,400000,2\r\n"
		"2023-11-14T22:13:20.123+00:00,2.000,\"host\",\"b\"\"a,d\\x0a\\x1b[31m\\xff\",50,,1\r\n");
	free(text);
}

/* What a spreadsheet would run is text; what is a number stays one. */
static void test_csv_formulas(void **state)
{
	(void)state;
	static const struct {
		const char *name, *cell;
	} names[] = {
		{"=1+1", "\"'=1+1\""},
		{"+1", "\"'+1\""},
		{"-1", "\"'-1\""},
		{"@SUM(A1)", "\"'@SUM(A1)\""},
		{"  =1", "\"'  =1\""},
		{"\t=1", "\"\\x09=1\""},
		{"\r=1", "\"\\x0d=1\""},
		{"\uff1d1", "\"'\uff1d1\""},
		{"\uff201", "\"'\uff201\""},
		{"a=1", "\"a=1\""},
		{"'=1", "\"'=1\""},
		{"x\x7f\xc2\x9b"
		 "31m\xe2\x80\xae",
			"\"x\\x7f\\u{009b}31m\\u{202e}\""},
	};
	char was[VM_NAME_BYTES];
	memcpy(was, p.s.sample.vms[0].name, sizeof was);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(p.s.sample.vms[0].name, VM_NAME_BYTES, "%s", names[i].name);
		char *text = printed(csv_write, OUT_CSV, "name,vcpus");
		if (!strstr(text, names[i].cell))
			fail_msg("%s: %s", names[i].cell, text);
		for (const char *c = text; *c; c++)
			assert_true((unsigned char)*c >= 0x20 || *c == '\r' || *c == '\n');
		free(text);
	}
	memcpy(p.s.sample.vms[0].name, was, sizeof was);
}

static void test_csv_negative_numbers(void **state)
{
	(void)state;
	struct vi64 was = p.s.sample.vms[0].mem.usable_kib;
	p.s.sample.vms[0].mem.usable_kib = vi64_ok(-5);
	char *text = printed(csv_write, OUT_CSV, "usable");
	p.s.sample.vms[0].mem.usable_kib = was;
	assert_non_null(strstr(text, "\"host\",-5\r\n"));
	free(text);
}

/* Every record has as many fields as the heading, read as RFC 4180 says. */
static void test_csv_default_columns_are_rectangular(void **state)
{
	(void)state;
	char *text = printed(csv_write, OUT_CSV, "");
	size_t fields = 1, want = 0, records = 0;
	bool quoted = false;
	for (const char *c = text; *c; c++) {
		if (*c == '"')
			quoted = !quoted;
		else if (!quoted && *c == ',')
			fields++;
		else if (!quoted && *c == '\n') {
			want = want ? want : fields;
			assert_int_equal(fields, want);
			fields = 1;
			records++;
		}
	}
	assert_false(quoted);
	assert_int_equal(records, 5);
	assert_true(want > 20);
	free(text);
}

static void test_openmetrics(void **state)
{
	(void)state;
	for (int n = 0; n < 3; n++) {
		char line[40];
		snprintf(line, sizeof line, "vmtop_host_vms_suffering %d\n", n);
		p.vm_status[0].suffer.n = n > 0;
		p.vm_status[1].suffer.n = n > 1 ? 2 : 0;
		char *told = printed(openmetrics_write, OUT_OPENMETRICS, "name");
		assert_non_null(strstr(told, line));
		int causes = 0; /* a line a tick for each that suffers, with what it is */
		for (const char *at = told; (at = strstr(at, "vmtop_vm_cause_info{")); at++)
			causes++;
		assert_int_equal(causes, 2 * n);
		if (n)
			assert_non_null(strstr(told, "cause=\"hung\",alarm=\"hung\"} 1\n"));
		free(told);
	}
	p.vm_status[0].suffer.n = p.vm_status[1].suffer.n = 0;
	why_set(&p.s.memory.why, REASON_MEM_OK, NULL);
	char *text = printed(openmetrics_write, OUT_OPENMETRICS, "name,cpu,usable");
	assert_non_null(strstr(text, "vmtop_host_rounds_total{policy=\"cpu\",reason=\"manual\"} 1\n"));
	assert_non_null(strstr(text, "vmtop_host_rounds_total{policy=\"memory\",reason=\"enough\"} 1\n"));
	assert_non_null(strstr(text, "alarm=\"short-of-memory\""));
	const char *usable =
		"# TYPE vmtop_vm_memory_usable_bytes gauge\n# UNIT vmtop_vm_memory_usable_bytes bytes\n"
		"# HELP vmtop_vm_memory_usable_bytes memory inside that could be had without swapping\n"
		"vmtop_vm_memory_usable_bytes{vm=\"web-1\",uuid=\"00000001-0000-0000-0000-000000000000\"} "
		"409600000\n# TYPE ";
	assert_non_null(strstr(text, usable)); /* one line: the other VM has no value */
	assert_non_null(strstr(text, "vmtop_vm_cpu_ratio{vm=\"b\\\"a,d\\\\x0a\\\\x1b[31m\\\\xff\",uuid="
				     "\"00000002-0000-0000-0000-000000000000\"} 0.5\n"));
	assert_non_null(strstr(text, "# TYPE vmtop_vm_starved_seconds counter\n"));
	assert_non_null(strstr(text, "# TYPE vmtop_host_info gauge\n"));
	assert_non_null(strstr(text, "vmtop_host_changes_total{kind=\"balloon\",outcome=\"failed\"} 1\n"));
	assert_non_null(strstr(
		text, "vmtop_vm_pins_total{vm=\"web-1\",uuid=\"00000001-0000-0000-0000-000000000000\"} 1\n"));
	assert_non_null(strstr(text, "vmtop_host_memory_bytes 8589934592\n"));
	assert_null(strstr(text, "vmtop_host_memory_available_bytes"));
	free(text);
}

static void test_text(void **state)
{
	(void)state;
	char *text = printed(text_write, OUT_TEXT, "name,vcpus,cpu,usable");
	static const char head[] =
		"2023-11-14T22:13:20.123+00:00 host sim:test: 2 VMs, 2 pCPUs, - of 8.0G available\n"
		"CPU MANUAL origin-c, deviation ";
	assert_memory_equal(text, head, sizeof head - 1);
	static const char rows[] = "NAME                  vCPU   CPU%  FREE\n"
				   "web-1                    2  100.0  391M\n"
				   "b\"a,d\\x0a\\x1b[31m\\xff    1   50.0     -\n"
				   "22:13:20 web-1 vCPU 1: 0-1 -> 1\n"
				   "\n2023-";
	assert_non_null(strstr(text, rows));
	assert_ptr_equal(strstr(text, "0-1 -> 1"), strstr(text, "-> 1") - 4);
	assert_null(strstr(strstr(text, "-> 1") + 1, "-> 1")); /* a log line is printed once */
	free(text);
}

static void test_text_is_sorted(void **state)
{
	(void)state;
	fx_load(&f, 2, 0, 100, 0);
	fx_load(&f, 1, 0, 0, 0);
	fx_advance(&f, 2);
	char *text = printed(text_write, OUT_TEXT, "name,cpu");
	assert_true(strstr(text, "b\"a,d") < strstr(text, "web-1  "));
	free(text);
}

static void test_bad_columns(void **state)
{
	(void)state;
	struct config cfg = {.columns = "name,nope"};
	struct batch_out o = {.cfg = &cfg};
	struct err e = ERR_INIT;
	assert_int_equal(batch_columns(&o, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.msg, "nope"));
}

static int setup(void **state)
{
	(void)state;
	snap_init(&p, &f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snap_done(&p, &f);
	return 0;
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_csv, setup, teardown),
		cmocka_unit_test_setup_teardown(test_csv_default_columns_are_rectangular, setup, teardown),
		cmocka_unit_test_setup_teardown(test_openmetrics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_is_sorted, setup, teardown),
		cmocka_unit_test(test_bad_columns),
		cmocka_unit_test_setup_teardown(test_csv_formulas, setup, teardown),
		cmocka_unit_test_setup_teardown(test_csv_negative_numbers, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
