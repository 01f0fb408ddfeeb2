/* SPDX-License-Identifier: MIT */
/* Guests that numad placed: the test driver stands for libvirt, and what it would know of numad's choice is
 * put in between. Only VMs whose XML leaves it open are asked about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#include "../../src/backend/libvirt/libvirt_priv.h"
#include "support/driver.h"
#include "vmtop/control.h"

static struct driver d;
static const char *nodes; /* numad's; NULL: the call fails */
static unsigned char cpus;
static int asked_nodes, asked_cpus;

int __wrap_virDomainGetNumaParameters(
	virDomainPtr dom, virTypedParameterPtr params, int *n, unsigned int flags);
int __real_virDomainGetNumaParameters(
	virDomainPtr dom, virTypedParameterPtr params, int *n, unsigned int flags);
int __wrap_virDomainGetEmulatorPinInfo(virDomainPtr dom, unsigned char *map, int len, unsigned int flags);

int __wrap_virDomainGetNumaParameters(
	virDomainPtr dom, virTypedParameterPtr params, int *n, unsigned int flags)
{
	virTypedParameterPtr told = NULL;
	int many = 0, cap = 0;
	asked_nodes++;
	assert_int_equal(flags, VIR_DOMAIN_AFFECT_LIVE);
	if (strcmp(virDomainGetName(dom), "by numad") != 0)
		return __real_virDomainGetNumaParameters(dom, params, n, flags);
	if (!nodes)
		return -1;
	if (*n == 0) {
		*n = 2;
		return 0;
	}
	assert_int_equal(*n, 2);
	virTypedParamsAddInt(&told, &many, &cap, VIR_DOMAIN_NUMA_MODE, VIR_DOMAIN_NUMATUNE_MEM_STRICT);
	virTypedParamsAddString(&told, &many, &cap, VIR_DOMAIN_NUMA_NODESET, nodes);
	memcpy(params, told, 2 * sizeof *told);
	free(told);
	return 0;
}

int __wrap_virDomainGetEmulatorPinInfo(virDomainPtr dom, unsigned char *map, int len, unsigned int flags)
{
	asked_cpus++;
	assert_string_equal(virDomainGetName(dom), "by numad");
	assert_int_equal(flags, VIR_DOMAIN_AFFECT_LIVE);
	memset(map, 0, (size_t)len);
	map[0] = cpus;
	return 1;
}

static int setup(void **state)
{
	(void)state;
	nodes = "1";
	cpus = 0xf0;
	asked_nodes = asked_cpus = 0;
	driver_open_file(&d, "node_placed.xml");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	driver_close(&d);
	return 0;
}

static void expect_allowed(const struct vm_sample *vm, const char *list)
{
	struct cpuset want;
	assert_int_equal(cpuset_parse(&want, list, NULL), 0);
	for (int id = 0; id < 2; id++)
		assert_true(cpuset_equal(&sample_vcpu(&d.s, vm, id)->allowed, &want));
}

static void test_placed(void **state)
{
	(void)state;
	driver_take(&d, SAMPLE_BALLOON);
	const struct vm_sample *vm = driver_vm(&d, "by numad");
	assert_int_equal(vm->mem_nodes, 2);
	assert_true(vm->mem_nodes_strict);
	expect_allowed(vm, "4-7");
	vm = driver_vm(&d, "cells");
	assert_int_equal(vm->mem_nodes, 2);
	assert_true(vm->mem_nodes_strict);
	expect_allowed(vm, "0-1023");
	vm = driver_vm(&d, "plain");
	assert_int_equal(vm->mem_nodes, 0);
	/* kept until something happens */
	driver_take(&d, SAMPLE_BALLOON);
	driver_take(&d, SAMPLE_BALLOON);
	assert_int_equal(driver_vm(&d, "by numad")->mem_nodes, 2);
	assert_int_equal(asked_nodes, 2);
	assert_int_equal(asked_cpus, 1);
}

/* "" and an odd answer bind to nothing; neither is a failure. */
static void test_nothing_told(void **state)
{
	(void)state;
	nodes = "";
	driver_take(&d, 0);
	assert_int_equal(driver_vm(&d, "by numad")->mem_nodes, 0);
	assert_false(driver_vm(&d, "by numad")->mem_nodes_strict);
	driver_close(&d);
	nodes = "1,x";
	cpus = 0;
	driver_open_file(&d, "node_placed.xml");
	driver_take(&d, 0);
	const struct vm_sample *vm = driver_vm(&d, "by numad");
	assert_int_equal(vm->mem_nodes, 0);
	assert_int_equal(vm->flags & VM_FLAG_NO_RULES, 0);
	expect_allowed(vm, "0-1023");
}

/* Where it runs is then not known, so nothing of that VM is steered, until it is. */
static void test_cannot_be_asked(void **state)
{
	(void)state;
	nodes = NULL;
	driver_take(&d, 0);
	assert_true(driver_vm(&d, "by numad")->flags & VM_FLAG_NO_RULES);
	assert_int_equal(rules_forbid(&d.cfg, driver_vm(&d, "by numad")), REASON_NO_RULES);
	assert_int_equal(driver_vm(&d, "plain")->flags & VM_FLAG_NO_RULES, 0);
	assert_non_null(strstr(d.s.note, "1 VM"));
	nodes = "0";
	driver_take(&d, 0);
	assert_int_equal(driver_vm(&d, "by numad")->flags & VM_FLAG_NO_RULES, 0);
	assert_int_equal(driver_vm(&d, "by numad")->mem_nodes, 1);
	assert_string_equal(d.s.note, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_placed), T(test_nothing_told), T(test_cannot_be_asked)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
