/* SPDX-License-Identifier: MIT */
/* The libvirt backend over libvirt's in-process test driver: a driver with gaps, that must work all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/libvirt_priv.h"
#include "support/driver.h"

#define S INT64_C(1000000000)

static struct driver d;

static int setup(void **state)
{
	(void)state;
	driver_open_file(&d, "node.xml");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	driver_close(&d);
	return 0;
}

static const struct vcpu_sample *vcpu(const struct vm_sample *vm, int id)
{
	const struct vcpu_sample *v = sample_vcpu(&d.s, vm, id);
	assert_non_null(v);
	return v;
}

static void test_sample(void **state)
{
	(void)state;
	driver_take(&d, SAMPLE_BALLOON);
	assert_int_equal(d.s.n_vms, 2);
	assert_string_equal(d.s.host.hypervisor, "TEST");
	assert_false(d.s.host.local);
	assert_int_equal(d.s.host.n_pcpus, 8);
	assert_int_equal(d.s.host.psi_full_avg10.avail, AVAIL_REMOTE);
	const struct vm_sample *vm = driver_vm(&d, "plain");
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->n_vcpus, 3);
	assert_int_equal(vm->mem.max_kib.v, 1048576);
	assert_int_equal(vm->io.rd_reqs.avail, AVAIL_NOT_ASKED);
	const struct vcpu_sample *v = vcpu(vm, 2);
	assert_true(v->online);
	assert_true(vi64_has(v->time_ns));
	assert_int_equal(v->delay_ns.avail, AVAIL_UNSUPPORTED);
	assert_int_equal(v->affinity_avail, AVAIL_OK);
	assert_false(v->pinned);
	assert_int_equal(cpuset_count(&v->allowed), CPUSET_CPUS);
}

/* Free memory of the host is in the unit of its total, whatever the driver makes of it. */
static void test_host_memory(void **state)
{
	(void)state;
	driver_close(&d);
	driver_open(&d, "test:///default");
	driver_take(&d, SAMPLE_BALLOON);
	assert_int_equal(d.s.host.total_kib.v, 3 << 20);
	assert_true(d.s.host.available_kib.v > 1 << 20 && d.s.host.available_kib.v <= d.s.host.total_kib.v);
}

static void test_rules_of_xml(void **state)
{
	(void)state;
	struct cpuset want;
	driver_take(&d, SAMPLE_BALLOON);
	const struct vm_sample *vm = driver_vm(&d, "bound & \"odd\"");
	assert_int_equal(cpuset_parse(&want, "2-3", NULL), 0);
	assert_true(cpuset_equal(&vcpu(vm, 0)->allowed, &want));
	assert_true(vm->flags & VM_FLAG_NO_STEER);
	assert_true(vm->flags & VM_FLAG_PERSISTENT);
	assert_false(vm->mem.balloon_device);
}

static void test_not_asked(void **state)
{
	(void)state;
	driver_take(&d, 0);
	assert_int_equal(driver_vm(&d, "plain")->mem.balloon_kib.avail, AVAIL_NOT_ASKED);
	assert_int_equal(driver_vm(&d, "plain")->mem.usable_kib.avail, AVAIL_NOT_ASKED);
	driver_take(&d, SAMPLE_BLOCK | SAMPLE_NET);
	assert_int_equal(driver_vm(&d, "plain")->io.rx_bytes.avail, AVAIL_UNSUPPORTED);
}

static void act(struct action *a, enum outcome want)
{
	d.b->ops->apply(d.b, a, 1);
	if (a->outcome != want)
		fail_msg("%s: %s", outcome_text(a->outcome), a->error);
}

static struct action pin_of(const char *name, int id, const char *cpus)
{
	struct action a = {.kind = ACTION_PIN, .vcpu = id};
	memcpy(a.uuid, driver_vm(&d, name)->uuid, UUID_BYTES);
	assert_int_equal(cpuset_parse(&a.to, cpus, NULL), 0);
	return a;
}

static void test_pin(void **state)
{
	(void)state;
	driver_take(&d, 0);
	struct action a = pin_of("plain", 1, "3");
	act(&a, OUTCOME_DONE);
	driver_take(&d, 0);
	const struct vcpu_sample *v = vcpu(driver_vm(&d, "plain"), 1);
	assert_true(cpuset_equal(&v->affinity, &a.to));
	assert_true(v->pinned);
	/* a live pin is no rule */
	assert_int_equal(cpuset_count(&v->allowed), CPUSET_CPUS);
	assert_false(vi64_has(v->foreign_pin_ns));
	/* once more: nothing is done */
	act(&a, OUTCOME_SKIPPED);
	assert_string_equal(a.error, "it is there already");
	/* and wide again, as it was found: ids beyond the host are cut */
	a = pin_of("plain", 1, "0-1023");
	act(&a, OUTCOME_DONE);
	driver_take(&d, 0);
	assert_false(vcpu(driver_vm(&d, "plain"), 1)->pinned);
}

static void test_pin_of_nothing(void **state)
{
	(void)state;
	driver_take(&d, 0);
	struct action a = pin_of("plain", 9, "3");
	act(&a, OUTCOME_SKIPPED);
	assert_string_equal(a.error, "the vCPU is gone");
	a = pin_of("plain", 0, "900");
	act(&a, OUTCOME_SKIPPED);
	a = pin_of("plain", 0, "1");
	memset(a.uuid, 0xee, UUID_BYTES);
	act(&a, OUTCOME_SKIPPED);
}

static void test_balloon(void **state)
{
	(void)state;
	driver_take(&d, SAMPLE_BALLOON);
	struct action a = {.kind = ACTION_BALLOON, .vcpu = -1, .to_kib = 700000};
	memcpy(a.uuid, driver_vm(&d, "plain")->uuid, UUID_BYTES);
	act(&a, OUTCOME_DONE);
	driver_take(&d, SAMPLE_BALLOON);
	assert_int_equal(driver_vm(&d, "plain")->mem.balloon_kib.v, 700000);
	a.to_kib = 1048577;
	act(&a, OUTCOME_SKIPPED);
	a.to_kib = 0;
	act(&a, OUTCOME_SKIPPED);
	a = (struct action){.kind = ACTION_PERIOD, .vcpu = -1, .to_s = 3};
	memcpy(a.uuid, driver_vm(&d, "plain")->uuid, UUID_BYTES);
	d.b->ops->apply(d.b, &a, 1);
	/* whether this driver can or not: it says so, and lives */
	assert_true(a.outcome == OUTCOME_DONE || (a.outcome == OUTCOME_FAILED && a.error[0]));
}

/* What libvirt answers about CPU shares: what the driver does, another parameter, no controller, or a number
 * that it takes between 1 and 10000, as with control groups of version 2; sets: how often it was told to. */
static struct {
	enum { AS_IT_IS, OTHER_SCHEDULER, NO_CONTROLLER, VERSION_2, DEAF } kind;
	unsigned long long shares;
	int sets;
	unsigned flags;
} answers;

static int no_controller(virDomainPtr dom)
{
	/* QEMU's driver says "cgroup CPU controller is not mounted"; any error of libvirt's own will do. */
	(void)dom;
	return virDomainGetSchedulerType(NULL, NULL) ? 0 : -1;
}

int __real_virDomainGetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr p, int *n, unsigned flags);
int __wrap_virDomainGetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr p, int *n, unsigned flags);
int __wrap_virDomainGetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr p, int *n, unsigned flags)
{
	answers.flags |= flags;
	assert_true(*n <= 16); /* more is "nparams too large" */
	if (answers.kind == AS_IT_IS)
		return __real_virDomainGetSchedulerParametersFlags(dom, p, n, flags);
	if (answers.kind == NO_CONTROLLER)
		return no_controller(dom);
	*n = 1;
	memset(p, 0, sizeof *p);
	snprintf(p->field, sizeof p->field, "%s",
		answers.kind == OTHER_SCHEDULER ? VIR_DOMAIN_SCHEDULER_WEIGHT
						: VIR_DOMAIN_SCHEDULER_CPU_SHARES);
	p->type = VIR_TYPED_PARAM_ULLONG;
	p->value.ul = answers.shares;
	return 0;
}

int __wrap_virDomainSetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr p, int n, unsigned flags);
int __wrap_virDomainSetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr p, int n, unsigned flags)
{
	unsigned long long to = 0;
	answers.sets++;
	answers.flags |= flags;
	assert_int_equal(n, 1);
	assert_int_equal(virTypedParamsGetULLong(p, n, VIR_DOMAIN_SCHEDULER_CPU_SHARES, &to), 1);
	if (to > 10000)
		return no_controller(dom);
	if (answers.kind != DEAF)
		answers.shares = to;
	return 0;
}

static struct action shares_of(int from, int to)
{
	struct action a = {.kind = ACTION_SHARES, .vcpu = -1, .from_shares = from, .to_shares = to};
	memcpy(a.uuid, driver_vm(&d, "plain")->uuid, UUID_BYTES);
	return a;
}

static void test_shares(void **state)
{
	(void)state;
	driver_take(&d, 0);
	struct action a = shares_of(100, 400);
	memset(&answers, 0, sizeof answers);
	act(&a, OUTCOME_FAILED);
	assert_non_null(strstr(a.error, "CPU shares are not available"));
	answers.kind = OTHER_SCHEDULER;
	act(&a, OUTCOME_FAILED);
	assert_string_equal(a.error, "this driver has no CPU shares");
	answers.kind = NO_CONTROLLER;
	act(&a, OUTCOME_FAILED);
	assert_non_null(strstr(a.error, "CPU shares are not available"));
	assert_int_equal(answers.sets, 0);
	answers.kind = VERSION_2;
	answers.shares = 100;
	act(&a, OUTCOME_DONE);
	assert_int_equal(answers.shares, 400);
	act(&a, OUTCOME_DONE); /* it is so already: told once */
	assert_int_equal(answers.sets, 1);
	a = shares_of(100, 800);
	act(&a, OUTCOME_SKIPPED);
	assert_string_equal(a.error, "somebody else has set its CPU shares");
	a = shares_of(400, 20000);
	act(&a, OUTCOME_FAILED);
	assert_int_equal(answers.shares, 400);
	answers.kind = DEAF;
	a = shares_of(400, 800);
	act(&a, OUTCOME_FAILED);
	assert_string_equal(a.error, "set, but they read back as 400");
	assert_int_equal(answers.flags, VIR_DOMAIN_AFFECT_LIVE);
}

static void test_before_the_first_sample(void **state)
{
	(void)state;
	struct action a = {.kind = ACTION_PIN, .uuid = {[15] = 1}};
	cpuset_add(&a.to, 1);
	act(&a, OUTCOME_SKIPPED);
}

static void test_topology_follows(void **state)
{
	teardown(state);
	driver_open(&d, "test:///default");
	driver_take(&d, 0);
	assert_int_equal(d.s.host.n_pcpus, 16);
	assert_int_equal(d.s.host.pcpus[15].node, -1);
	for (int i = 0; i < 100 && d.s.host.pcpus[15].node < 0; i++) {
		d.b->ops->wait(d.b, d.b->ops->now(d.b) + S / 50, -1);
		driver_take(&d, 0);
	}
	assert_int_equal(d.s.host.pcpus[15].node, 1);
	assert_int_equal(d.s.host.pcpus[0].node, 0);
	assert_int_equal(d.s.host.n_nodes, 2);
	assert_false(d.s.host.has_llc);
}

static void test_wait(void **state)
{
	(void)state;
	int p[2];
	assert_int_equal(pipe(p), 0);
	/* whatever the opening left behind */
	while (d.b->ops->wait(d.b, d.b->ops->now(d.b) + S / 20, -1) == WAKE_EVENT)
		;
	int64_t start = d.b->ops->now(d.b);
	assert_int_equal(d.b->ops->wait(d.b, start + S / 20, p[0]), WAKE_TIMER);
	assert_in_range(d.b->ops->now(d.b) - start, S / 20, S);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(d.b->ops->wait(d.b, d.b->ops->now(d.b) + 5 * S, p[0]), WAKE_INPUT);
	close(p[0]);
	close(p[1]);
}

static void test_status(void **state)
{
	(void)state;
	struct backend_status st;
	driver_take(&d, 0);
	d.b->ops->status(d.b, &st);
	assert_int_equal(st.link, LINK_OK);
	assert_string_equal(st.text, "");
	assert_false(st.readonly);
	assert_memory_equal(st.uri, "test:///", 8);
}

/* The whole way back: the link is lost, the next sample opens another and reads everything again. */
static void test_reconnect(void **state)
{
	(void)state;
	struct lv *lv = (struct lv *)d.b;
	driver_take(&d, 0);
	lv_drop_link(lv);
	assert_null(lv->link);
	driver_take(&d, 0);
	assert_int_equal(d.s.n_vms, 2);
	assert_int_equal(cpuset_count(&vcpu(driver_vm(&d, "bound & \"odd\""), 0)->allowed), 2);
}

/* A link parked over a call: its reader may be lost with it, the next sample has all the same. */
static void test_park(void **state)
{
	(void)state;
	struct lv *lv = (struct lv *)d.b;
	driver_take(&d, 0);
	for (int i = 0; i < 5; i++) {
		lv_park(lv);
		lv_reap(lv);
		lv->no_link_until_ns = 0;
		assert_in_range(lv->n_parked, 0, PARKED_MOST);
		driver_take(&d, 0);
		assert_int_equal(d.s.n_vms, 2);
	}
}

static void test_unknown_holds(void **state)
{
	(void)state;
	struct lv *lv = (struct lv *)d.b;
	driver_take(&d, 0);
	struct action a = pin_of("plain", 1, "3");
	struct vm_note *note = note_get(&lv->notes, a.uuid);
	note->unknown_call = lv; /* a call that is parked no more */
	act(&a, OUTCOME_SKIPPED);
	assert_non_null(strstr(a.error, "not known yet"));
	driver_take(&d, 0); /* reads it back */
	act(&a, OUTCOME_DONE);
	/* a VM set aside gets no call */
	a = pin_of("plain", 1, "4");
	note_get(&lv->notes, a.uuid)->hung_ns = 5;
	act(&a, OUTCOME_SKIPPED);
}

static void test_readonly(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct backend_status st;
	config_defaults(&d.cfg);
	snprintf(d.cfg.uri, sizeof d.cfg.uri, "test:///default");
	d.cfg.readonly = true;
	d.b = backend_libvirt_open(&d.cfg, &e);
	assert_non_null(d.b);
	sample_init(&d.s);
	driver_take(&d, SAMPLE_BALLOON);
	struct action a = pin_of("test", 0, "1");
	act(&a, OUTCOME_SKIPPED);
	d.b->ops->status(d.b, &st);
	assert_true(st.readonly);
	teardown(state);
}

static void test_no_connection(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	config_defaults(&d.cfg);
	snprintf(d.cfg.uri, sizeof d.cfg.uri, "test:///no/such.xml");
	assert_null(backend_libvirt_open(&d.cfg, &e));
	assert_int_equal(err_exit_status(&e), 3);
	assert_null(strchr(e.msg, '\n'));
	assert_non_null(strstr(e.msg, "no/such.xml"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_sample), T(test_host_memory), T(test_rules_of_xml),
		T(test_not_asked), T(test_pin), T(test_pin_of_nothing), T(test_balloon), T(test_shares),
		T(test_topology_follows), T(test_wait), T(test_status), T(test_before_the_first_sample),
		T(test_topology_follows), T(test_wait), T(test_status), T(test_reconnect), T(test_park),
		T(test_unknown_holds), cmocka_unit_test(test_readonly), cmocka_unit_test(test_no_connection)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
