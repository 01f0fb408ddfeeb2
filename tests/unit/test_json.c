/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/snap.h"
#include "vmtop/batch.h"

static struct fixture f;
static struct snap p;

/* One line, parsed again. */
static json_t *printed(void)
{
	struct config cfg = {.format = OUT_JSON};
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	struct batch_out o = {.to = open_memstream(&text, &len), .cfg = &cfg};
	assert_int_equal(json_write(&o, &p.s, &e), 0);
	fclose(o.to);
	assert_ptr_equal(strchr(text, '\n'), text + len - 1); /* exactly one line */
	json_error_t je;
	json_t *root = json_loads(text, 0, &je);
	assert_non_null(root);
	free(text);
	return root;
}

static const json_t *at(const json_t *o, const char *path)
{
	char buf[128], *save = NULL;
	snprintf(buf, sizeof buf, "%s", path);
	for (char *w = strtok_r(buf, ".", &save); w; w = strtok_r(NULL, ".", &save)) {
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(w)) : json_object_get(o, w);
		assert_non_null(o);
	}
	return o;
}

static void is_text(const json_t *root, const char *path, const char *want)
{
	assert_true(json_is_string(at(root, path)));
	assert_string_equal(json_string_value(at(root, path)), want);
}

static void is_int(const json_t *root, const char *path, json_int_t want)
{
	assert_true(json_is_integer(at(root, path)));
	assert_int_equal(json_integer_value(at(root, path)), want);
}

static void is_real(const json_t *root, const char *path, double want)
{
	assert_true(json_is_real(at(root, path)));
	assert_float_equal(json_real_value(at(root, path)), want, 0.0005);
}

static void is_null(const json_t *root, const char *path)
{
	assert_true(json_is_null(at(root, path)));
}

static void test_contract(void **state)
{
	(void)state;
	json_t *r = printed();
	is_int(r, "schema", 1);
	is_text(r, "time", "2023-11-14T22:13:20.123+00:00");
	is_real(r, "elapsed_s", 2);
	is_text(r, "uri", "sim:test");
	is_text(r, "mode.cpu", "manual");
	is_text(r, "mode.memory", "manual");
	assert_true(json_is_false(at(r, "mode.dry_run")) && json_is_false(at(r, "mode.readonly")));
	is_text(r, "policy.cpu", "origin-c");
	is_text(r, "policy.memory", "origin-c");
	is_text(r, "host.name", "host");
	is_int(r, "host.cpu.pcpus.1.id", 1);
	assert_true(json_is_number(at(r, "host.cpu.pcpus.1.load_pct")));
	is_null(r, "host.cpu.found_pct");
	is_text(r, "host.cpu.verdict", "manual");
	is_int(r, "host.memory.total_kib", 8 << 20);
	is_null(r, "host.memory.available_kib");
	assert_int_equal(json_array_size(at(r, "vms")), 2);
	is_text(r, "vms.0.name", "web-1");
	is_null(r, "vms.0.title");
	is_text(r, "vms.0.uuid", "00000001-0000-0000-0000-000000000000");
	is_text(r, "vms.0.state", "running");
	is_real(r, "vms.0.cpu_pct", 100);
	is_real(r, "vms.0.wait_pct", 12.5);
	is_real(r, "vms.0.vcpus.0.usage_pct", 75);
	is_int(r, "vms.0.vcpus.0.pcpu", 0);
	is_text(r, "vms.0.vcpus.0.affinity", "0");
	is_text(r, "vms.0.vcpus.1.affinity", "0-1");
	is_int(r, "vms.0.memory.max_kib", 2 << 20);
	is_int(r, "vms.0.memory.unused_kib", 300000);
	is_null(r, "vms.0.memory.target_kib");
	is_text(r, "vms.0.memory.reason", "enough");
	is_null(r, "vms.1.memory.usable_kib");
	is_null(r, "vms.1.memory.age_s");
	is_text(r, "vms.1.memory.reason", "no-statistics");
	json_decref(r);
}

static void test_actions(void **state)
{
	(void)state;
	json_t *r = printed();
	assert_int_equal(json_array_size(at(r, "actions")), 2);
	is_text(r, "actions.0.kind", "pin");
	is_text(r, "actions.0.vm", "web-1");
	is_int(r, "actions.0.vcpu", 1);
	is_text(r, "actions.0.from", "0-1");
	is_text(r, "actions.0.to", "1");
	is_text(r, "actions.0.reason", "greedy");
	is_text(r, "actions.0.why", "least load so far, 12.0 %");
	is_text(r, "actions.0.outcome", "done");
	is_null(r, "actions.0.error");
	is_text(r, "actions.1.kind", "balloon");
	is_null(r, "actions.1.vcpu");
	is_int(r, "actions.1.from", 1 << 20);
	is_int(r, "actions.1.to", 1 << 19);
	is_text(r, "actions.1.outcome", "failed");
	is_text(r, "actions.1.error", "refused");
	json_decref(r);
}

static void test_hostile_name(void **state)
{
	(void)state;
	json_t *r = printed();
	is_text(r, "vms.1.name", "b\"a,d\n\x1b[31m\xef\xbf\xbd");
	json_decref(r);
}

static void test_absent_and_odd_numbers(void **state)
{
	(void)state;
	p.s.elapsed_s = 0;
	p.s.busy_pct = vf64_ok(0.0 / 0.0);
	p.s.sample.vms[0].id = -1;
	f.s.vcpus[0].affinity_avail = AVAIL_UNSUPPORTED;
	f.s.vcpus[0].pcpu = vi64_absent(AVAIL_UNSUPPORTED);
	json_t *r = printed();
	is_null(r, "elapsed_s");
	is_null(r, "host.cpu.busy_pct");
	is_null(r, "vms.0.id");
	is_null(r, "vms.0.vcpus.0.affinity");
	is_null(r, "vms.0.vcpus.0.pcpu");
	json_decref(r);
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
		cmocka_unit_test_setup_teardown(test_contract, setup, teardown),
		cmocka_unit_test_setup_teardown(test_actions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_and_odd_numbers, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
