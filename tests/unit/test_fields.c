/* SPDX-License-Identifier: MIT */
/* The table of output fields: names that programs read must not change by accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmtop/metrics.h"

/* Every key with its unit, in the order of output. Within schema 1 a line may be added here, never changed;
 * rules and dashboards go by the names of metrics in the same way. */
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
	"vms[].title",
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
	"vmtop_host_connected",
	"vmtop_host_vms",
	"vmtop_host_vcpus",
	"vmtop_host_pcpus",
	"vmtop_host_vms_suffering",
	"vmtop_host_busy_ratio %",
	"vmtop_host_busy_seconds_total ns",
	"vmtop_host_steal_seconds_total ns",
	"vmtop_host_deviation_ratio %",
	"vmtop_host_deviation_limit_ratio %",
	"vmtop_host_deviation_reachable_ratio %",
	"vmtop_host_deviation_bound_ratio %",
	"vmtop_host_memory_bytes KiB",
	"vmtop_host_memory_available_bytes KiB",
	"vmtop_host_memory_reserve_bytes KiB",
	"vmtop_host_swap_free_bytes KiB",
	"vmtop_host_memory_pressure_ratio %",
	"vmtop_host_auto_cpu",
	"vmtop_host_auto_memory",
	"vmtop_host_auto_waits",
	"vmtop_host_dry_run",
	"vmtop_host_readonly",
	"vmtop_host_changes_in_force",
	"vmtop_host_changes_left_behind",
	"vmtop_host_sample_timestamp_seconds s",
	"vmtop_host_sample_age_seconds s",
	"vmtop_host_sample_age_max_seconds s",
	"vmtop_host_samples_total",
	"vmtop_host_sample_seconds_total ns",
	"vmtop_host_plan_seconds_total ns",
	"vmtop_host_apply_seconds_total ns",
	"vmtop_host_step_max_seconds s",
	"vmtop_process_cpu_seconds_total ns",
	"vmtop_process_resident_memory_bytes KiB",
	"vmtop_host_info",
	"vmtop_host_memory_state",
	"vmtop_host_memory_state_seconds_total ns",
	"vmtop_host_claim",
	"vmtop_host_controller_info",
	"vmtop_host_other_controller",
	"vmtop_host_changes_total",
	"vmtop_host_change_reasons_total",
	"vmtop_host_rounds_total",
	"vmtop_pcpu_busy_ratio %",
	"vmtop_pcpu_load_ratio %",
	"vmtop_pcpu_busy_seconds_total ns",
	"vmtop_pcpu_steal_seconds_total ns",
	"vmtop_vm_running",
	"vmtop_vm_vcpus",
	"vmtop_vm_cpu_ratio %",
	"vmtop_vm_wait_ratio %",
	"vmtop_vm_demand_ratio %",
	"vmtop_vm_wanted_max_ratio %",
	"vmtop_vm_cpu_seconds_total ns",
	"vmtop_vm_wait_seconds_total ns",
	"vmtop_vm_wait_max_ratio %",
	"vmtop_vm_starved_seconds_total ns",
	"vmtop_vm_throttled_seconds_total ns",
	"vmtop_vm_kvm_exits_total",
	"vmtop_vm_polled_seconds_total ns",
	"vmtop_vm_helpers_cpu_seconds_total ns",
	"vmtop_vm_helpers_wait_seconds_total ns",
	"vmtop_vm_disk_seconds_total ns",
	"vmtop_vm_disk_requests_total",
	"vmtop_vm_disk_read_bytes_total B",
	"vmtop_vm_disk_written_bytes_total B",
	"vmtop_vm_network_received_bytes_total B",
	"vmtop_vm_network_sent_bytes_total B",
	"vmtop_vm_memory_max_bytes KiB",
	"vmtop_vm_memory_balloon_bytes KiB",
	"vmtop_vm_memory_target_bytes KiB",
	"vmtop_vm_memory_used_bytes KiB",
	"vmtop_vm_memory_usable_bytes KiB",
	"vmtop_vm_memory_unused_bytes KiB",
	"vmtop_vm_memory_cache_bytes KiB",
	"vmtop_vm_memory_low_bytes KiB",
	"vmtop_vm_memory_high_bytes KiB",
	"vmtop_vm_memory_floor_bytes KiB",
	"vmtop_vm_memory_resident_bytes KiB",
	"vmtop_vm_memory_swapped_bytes KiB",
	"vmtop_vm_memory_age_seconds s",
	"vmtop_vm_memory_age_max_seconds s",
	"vmtop_vm_swap_in_bytes_total KiB",
	"vmtop_vm_swap_out_bytes_total KiB",
	"vmtop_vm_major_faults_total",
	"vmtop_vm_hung",
	"vmtop_vm_hung_age_seconds s",
	"vmtop_vm_hung_age_max_seconds s",
	"vmtop_vm_hung_seconds_total ns",
	"vmtop_vm_suffering_ratio %",
	"vmtop_vm_suffering_max_ratio %",
	"vmtop_vm_got_ratio %",
	"vmtop_vm_pins_total",
	"vmtop_vm_balloons_total",
	"vmtop_vm_changes_refused_total",
	"vmtop_vm_changes_failed_total",
	"vmtop_vm_alarm_seconds_total ns",
	"vmtop_vm_cause_info",
	"vmtop_vcpu_cpu_seconds_total ns",
	"vmtop_vcpu_wait_seconds_total ns",
	"vmtop_vcpu_wait_max_ratio %",
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
	for (size_t i = 0; i < n_metric_sets; i++)
		fields_each(&metric_sets[i].rows, as_golden, NULL);
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
	for (size_t i = 0; i < n_metric_sets; i++)
		set_is_whole(&metric_sets[i].rows);
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

static bool ends_in(const char *name, size_t n, const char *end)
{
	size_t len = strlen(end);
	return n > len && memcmp(name + n - len, end, len) == 0;
}

/* Of the family, as OpenMetrics names it: without _total. */
static size_t family_length(const struct field *f)
{
	size_t n = strlen(f->key);
	return metric_type(f) == METRIC_COUNTER ? n - strlen("_total") : n;
}

/* What the formats ask of a name: its unit at the end, no type in it, and no two families alike. */
static void test_metrics_are_named_by_the_rules(void **state)
{
	(void)state;
	const struct field *all[200];
	size_t n = 0;
	for (size_t i = 0; i < n_metric_sets; i++)
		for (size_t k = 0; k < metric_sets[i].rows.n; k++)
			all[n++] = &metric_sets[i].rows.fields[k];
	for (size_t i = 0; i < n; i++) {
		size_t len = family_length(all[i]);
		assert_int_equal(strspn(all[i]->key, "abcdefghijklmnopqrstuvwxyz_"), strlen(all[i]->key));
		assert_memory_equal(all[i]->key, "vmtop_", 6);
		const char *unit = metric_unit(all[i]);
		if (*unit && !ends_in(all[i]->key, len, unit))
			fail_msg("%s does not end in %s", all[i]->key, unit);
		if (!*unit && *all[i]->unit)
			fail_msg("%s: no metric has the unit %s", all[i]->key, all[i]->unit);
		for (size_t k = 0; k < i; k++)
			if (family_length(all[k]) == len && memcmp(all[k]->key, all[i]->key, len) == 0)
				fail_msg("%s and %s are one family", all[k]->key, all[i]->key);
	}
}

/* A host of one VM with one vCPU of which nothing is known, made by hand. */
struct scene {
	struct snapshot s;
	struct vm_sample vm;
	struct vm_rate vm_rate;
	struct vm_status vm_status;
	struct vcpu_sample vcpu;
	struct vcpu_rate vcpu_rate;
	struct field_value v;
	const char *path;
};

static void scene(struct scene *x)
{
	memset(x, 0, sizeof *x);
	x->s.sample.vms = &x->vm;
	x->s.sample.vcpus = &x->vcpu;
	x->s.sample.n_vms = x->s.sample.n_vcpus = 1;
	x->s.vm_rates = &x->vm_rate;
	x->s.vcpu_rates = &x->vcpu_rate;
	x->s.vm_status = &x->vm_status;
	x->vm.n_vcpus = 1;
	x->vm.mem.usable_kib = vi64_absent(AVAIL_NONE);
	x->vcpu.affinity_avail = AVAIL_NONE;
	cpuset_add(&x->vcpu.affinity, 3);
}

static void read_leaf(const char *path, const struct field *f, void *arg)
{
	struct scene *x = arg;
	if (strcmp(path, x->path) == 0)
		field_get(f, &(struct field_at){.snap = &x->s}, &x->v);
}

static const struct field_value *leaf(struct scene *x, const char *path)
{
	x->v = (struct field_value){.kind = FIELD_NULL};
	x->path = path;
	fields_each(&json_fields, read_leaf, x);
	return &x->v;
}

static void what_is_not_known_is_null(void **state)
{
	struct scene x;
	(void)state;
	scene(&x);
	assert_int_equal(leaf(&x, "vms[].vcpus[].affinity")->kind, FIELD_NULL);
	assert_int_equal(leaf(&x, "vms[].vcpus[].pinned")->kind, FIELD_NULL);
	assert_int_equal(leaf(&x, "vms[].suffers.score_pct")->kind, FIELD_NULL);
	x.vcpu.affinity_avail = AVAIL_OK;
	x.vcpu.pinned = true;
	assert_int_equal(leaf(&x, "vms[].vcpus[].affinity")->kind, FIELD_CPUS);
	assert_true(cpuset_has(x.v.cpus, 3));
	assert_int_equal(leaf(&x, "vms[].vcpus[].pinned")->num, 1);
}

/* A score without a cause tells that nothing was found; one with a cause needs no reading of CPU time. */
static void a_score_needs_a_cause_or_a_reading(void **state)
{
	struct scene x;
	(void)state;
	scene(&x);
	x.vm_status.suffer.score_pct = 40;
	x.vm_status.suffer.n = 1;
	assert_int_equal(leaf(&x, "vms[].suffers.score_pct")->kind, FIELD_REAL);
	x.vm_status.suffer.n = 0;
	x.vm_status.suffer.got_pct = vf64_ok(100);
	assert_int_equal(leaf(&x, "vms[].suffers.score_pct")->kind, FIELD_REAL);
	assert_int_equal(leaf(&x, "vms[].suffers.not_known")->kind, FIELD_TEXT);
	assert_true(*x.v.text);
}

/* The controller's word first, then that the guest is busy, then why it told no number. */
static void why_memory_is_left_alone(void **state)
{
	struct scene x;
	(void)state;
	scene(&x);
	assert_string_equal(leaf(&x, "vms[].memory.reason")->text, "not-read");
	x.vm.flags = VM_FLAG_BUSY;
	assert_string_equal(leaf(&x, "vms[].memory.reason")->text, reason_key(REASON_BUSY));
	x.vm_status.mem.why.code = REASON_HELD;
	assert_string_equal(leaf(&x, "vms[].memory.reason")->text, reason_key(REASON_HELD));
	x.vm_status.mem.why.code = REASON_NONE;
	x.vm.flags = 0;
	x.vm.mem.usable_kib = vi64_ok(1024);
	assert_int_equal(leaf(&x, "vms[].memory.reason")->kind, FIELD_NULL);
}

static void a_change_says_from_what_to_what(void **state)
{
	struct scene x;
	struct action a = {.kind = ACTION_PIN, .from_kib = 7, .to_kib = 8};
	(void)state;
	scene(&x);
	x.s.actions = &a;
	x.s.n_actions = 1;
	assert_int_equal(leaf(&x, "actions[].from")->kind, FIELD_NULL); /* where it ran is not known */
	cpuset_add(&a.to, 2);
	assert_int_equal(leaf(&x, "actions[].to")->kind, FIELD_CPUS);
	a = (struct action){.kind = ACTION_BALLOON, .from_kib = -1, .to_kib = 1 << 20};
	assert_int_equal(leaf(&x, "actions[].from")->kind, FIELD_NULL);
	assert_int_equal(leaf(&x, "actions[].to")->num, 1 << 20);
	a = (struct action){.kind = ACTION_PERIOD, .from_s = -1, .to_s = 5};
	assert_int_equal(leaf(&x, "actions[].from")->kind, FIELD_NULL);
	assert_int_equal(leaf(&x, "actions[].to")->num, 5);
}

static void modes_and_reasons(void **state)
{
	struct scene x;
	struct pcpu_sample p = {.capacity = 512};
	(void)state;
	scene(&x);
	for (int i = 0; i < 4; i++) {
		x.s.waits_cpu = i & 1;
		x.s.waits_memory = i >> 1;
		assert_int_equal(leaf(&x, "mode.waits")->num, i > 0);
	}
	assert_int_equal(leaf(&x, "vms[].cpu_reason")->kind, FIELD_NULL);
	x.vm_status.cpu = REASON_HELD;
	assert_string_equal(leaf(&x, "vms[].cpu_reason")->text, reason_key(REASON_HELD));
	assert_int_equal(leaf(&x, "vms[].suffers.got_pct")->kind, FIELD_NULL);
	x.vm_status.suffer.got_pct = vf64_ok(70);
	assert_float_equal(leaf(&x, "vms[].suffers.got_pct")->real, 70, 0);
	x.s.sample.host.pcpus = &p;
	x.s.sample.host.n_pcpus = 1;
	assert_float_equal(leaf(&x, "host.cpu.pcpus[].capacity")->real, .5, 0);
	p.capacity = 0; /* all alike */
	assert_int_equal(leaf(&x, "host.cpu.pcpus[].capacity")->kind, FIELD_NULL);
}

static const struct metric_set *set_with(const char *key)
{
	for (size_t i = 0; i < n_metric_sets; i++)
		for (size_t k = 0; k < metric_sets[i].rows.n; k++)
			if (strcmp(metric_sets[i].rows.fields[k].key, key) == 0)
				return &metric_sets[i];
	fail_msg("no metric %s", key);
	return NULL;
}

/* Who steers is a series of its own, with the name as its label; nobody is no series. */
static void nobody_steers_is_no_series(void **state)
{
	struct scene x;
	struct metric_labels labels = {0};
	(void)state;
	scene(&x);
	const struct metric_set *set = set_with("vmtop_host_controller_info");
	const struct field_at at = {.snap = &x.s};
	assert_int_equal(set->count(&at), 0);
	snprintf(x.s.backend.claim.who, sizeof x.s.backend.claim.who, "vmtop 7 on kvm1");
	assert_int_equal(set->count(&at), 1);
	set->label(&at, &labels);
	assert_int_equal(labels.n, 1);
	assert_string_equal(labels.of[0].name, "who");
	assert_string_equal(labels.of[0].raw, "vmtop 7 on kvm1");
}

static void a_hung_guest_is_called_so(void **state)
{
	struct scene x;
	(void)state;
	scene(&x);
	assert_int_equal(leaf(&x, "vms[].hung")->num, 0);
	x.vm.hung_since_ns = 1;
	assert_int_equal(leaf(&x, "vms[].hung")->num, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_what_they_were),
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_units_fit_names),
		cmocka_unit_test(test_metrics_are_named_by_the_rules),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(a_score_needs_a_cause_or_a_reading),
		cmocka_unit_test(why_memory_is_left_alone),
		cmocka_unit_test(a_change_says_from_what_to_what),
		cmocka_unit_test(modes_and_reasons),
		cmocka_unit_test(nobody_steers_is_no_series),
		cmocka_unit_test(a_hung_guest_is_called_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
