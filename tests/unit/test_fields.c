/* SPDX-License-Identifier: MIT */
/* The table of output fields: names that programs read must not change by accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmtop/fields.h"

/* Every key with its unit, in the order of output. Within schema 1 a line may be added here, never changed.
 */
static const char *const golden[] = {
	"schema",
	"time",
	"elapsed_s s",
	"uri",
	"mode.cpu",
	"mode.memory",
	"mode.dry_run",
	"mode.readonly",
	"mode.waits",
	"policy.cpu",
	"policy.memory",
	"policy.granularity",
	"claim.state",
	"claim.who",
	"host.name",
	"host.cpu.busy_pct %",
	"host.cpu.load_stddev_pct %",
	"host.cpu.pcpus[].id",
	"host.cpu.pcpus[].node",
	"host.cpu.pcpus[].capacity",
	"host.cpu.pcpus[].busy_pct %",
	"host.cpu.pcpus[].load_pct %",
	"host.cpu.pcpus[].demand_pct %",
	"host.cpu.pcpus[].online",
	"host.cpu.stddev_pct %",
	"host.cpu.limit_pct %",
	"host.cpu.found_pct %",
	"host.cpu.bound_pct %",
	"host.cpu.verdict",
	"host.cpu.why",
	"host.memory.total_kib KiB",
	"host.memory.available_kib KiB",
	"host.memory.arc_kib KiB",
	"host.memory.reserve_kib KiB",
	"host.memory.state",
	"vms[].name",
	"vms[].uuid",
	"vms[].id",
	"vms[].state",
	"vms[].cpu_pct %",
	"vms[].wait_pct %",
	"vms[].demand_pct %",
	"vms[].vcpus[].id",
	"vms[].vcpus[].usage_pct %",
	"vms[].vcpus[].wait_pct %",
	"vms[].vcpus[].demand_pct %",
	"vms[].vcpus[].pcpu",
	"vms[].vcpus[].affinity",
	"vms[].vcpus[].pinned",
	"vms[].memory.max_kib KiB",
	"vms[].memory.balloon_kib KiB",
	"vms[].memory.plugged_kib KiB",
	"vms[].memory.limit_kib KiB",
	"vms[].memory.group_limit_kib KiB",
	"vms[].memory.target_kib KiB",
	"vms[].memory.unused_kib KiB",
	"vms[].memory.usable_kib KiB",
	"vms[].memory.rss_kib KiB",
	"vms[].memory.used_kib KiB",
	"vms[].memory.age_s s",
	"vms[].memory.busy",
	"vms[].memory.reason",
	"vms[].memory.why",
	"vms[].hung",
	"vms[].cpu_reason",
	"vms[].suffers.score_pct %",
	"vms[].suffers.got_pct %",
	"vms[].suffers.causes[].cause",
	"vms[].suffers.causes[].weight_pct %",
	"vms[].suffers.causes[].for_s s",
	"vms[].suffers.causes[].evidence",
	"vms[].suffers.causes[].cure",
	"vms[].suffers.not_known",
	"actions[].kind",
	"actions[].vm",
	"actions[].uuid",
	"actions[].vcpu",
	"actions[].from",
	"actions[].to",
	"actions[].reason",
	"actions[].why",
	"actions[].outcome",
	"actions[].error",
	"note",
	"vmtop_host_busy_percent %",
	"vmtop_host_load_stddev_percent %",
	"vmtop_host_stddev_percent %",
	"vmtop_host_limit_percent %",
	"vmtop_host_found_percent %",
	"vmtop_host_bound_percent %",
	"vmtop_host_memory_bytes KiB",
	"vmtop_host_memory_available_bytes KiB",
	"vmtop_auto_cpu",
	"vmtop_auto_memory",
	"vmtop_pcpu_busy_percent %",
};
enum { N_GOLDEN = sizeof golden / sizeof golden[0] };

static size_t seen;

static void as_golden(const char *path, const struct field *f, void *arg)
{
	char line[200];
	(void)arg;
	snprintf(line, sizeof line, "%s%s%s", path, *f->unit ? " " : "", f->unit);
	assert_true(seen < N_GOLDEN);
	assert_string_equal(line, golden[seen]);
	seen++;
}

static void test_names_are_what_they_were(void **state)
{
	(void)state;
	seen = 0;
	fields_each(&json_fields, as_golden, NULL);
	fields_each(&host_metrics, as_golden, NULL);
	fields_each(&pcpu_metrics, as_golden, NULL);
	assert_int_equal(seen, N_GOLDEN);
}

/* A row says all: where its value comes from, once, and what it is. */
static void is_whole(const struct field *f)
{
	assert_true(*f->key && *f->help && f->unit);
	int sources = (f->base != FIELD_COMPUTED) + (f->get != NULL) + (f->set != NULL);
	if (sources != 1)
		fail_msg("%s has %d sources", f->key, sources);
	assert_true(!f->range || f->set);
}

static void set_is_whole(const struct field_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct field *f = &set->fields[i];
		is_whole(f);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(set->fields[k].key, f->key);
		if (f->set)
			set_is_whole(f->set);
	}
}

static void test_rows_are_whole(void **state)
{
	(void)state;
	set_is_whole(&json_fields);
	set_is_whole(&host_metrics);
	set_is_whole(&pcpu_metrics);
}

/* Units mean what they say: a name that ends like a unit has it. */
static void unit_fits(const char *path, const struct field *f, void *arg)
{
	static const char *const ends[][2] = {{"_pct", "%"}, {"_kib", "KiB"}, {"_s", "s"}};
	size_t n = strlen(f->key);
	(void)arg;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t len = strlen(ends[i][0]);
		bool says = n > len && strcmp(f->key + n - len, ends[i][0]) == 0;
		if (says != (strcmp(f->unit, ends[i][1]) == 0))
			fail_msg("%s has the unit '%s'", path, f->unit);
	}
}

static void test_units_fit_names(void **state)
{
	(void)state;
	fields_each(&json_fields, unit_fits, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_what_they_were),
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_units_fit_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
