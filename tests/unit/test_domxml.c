/* SPDX-License-Identifier: MIT */
/* Facts from domain XML: the administrator's rules, what forbids ballooning, hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/domxml.h"
#include "vmtop/err.h"

static struct dom_facts f;

static int setup(void **state)
{
	(void)state;
	dom_facts_init(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dom_facts_done(&f);
	return 0;
}

static const char *allowed(int vcpu)
{
	static char text[200];
	struct cpuset s;
	dom_allowed(&f, vcpu, &s);
	cpuset_format(&s, text, sizeof text);
	return text;
}

static void test_no_rule(void **state)
{
	(void)state;
	assert_int_equal(
		domxml_parse(&f,
			"<domain type='kvm'><name>a</name><vcpu placement='static'>2</vcpu></domain>", NULL,
			NULL),
		0);
	assert_string_equal(allowed(0), "0-1023");
	assert_int_equal(f.flags, 0);
	assert_true(f.balloon_device);
	assert_int_equal(f.period_s, 0);
	assert_false(vf64_has(f.quota_pct));
	assert_false(vi64_has(f.min_guarantee_kib));
}

static void test_vcpu_cpuset(void **state)
{
	(void)state;
	assert_int_equal(domxml_parse(&f, "<domain><vcpu cpuset='0-3,^2'>2</vcpu></domain>", NULL, NULL), 0);
	assert_string_equal(allowed(0), "0-1,3");
	assert_string_equal(allowed(7), "0-1,3");
}

static void test_live_pin_is_no_rule(void **state)
{
	(void)state;
	const char *live = "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/></cputune></domain>";
	assert_int_equal(domxml_parse(&f, live, NULL, NULL), 0);
	assert_string_equal(allowed(0), "0-1023");
	assert_int_equal(domxml_parse(&f, live, "<domain><vcpu>2</vcpu></domain>", NULL), 0);
	assert_string_equal(allowed(0), "0-1023");
}

static void test_inactive_pin_is_a_rule(void **state)
{
	(void)state;
	const char *live = "<domain><vcpu cpuset='0-7'>3</vcpu></domain>";
	const char *kept = "<domain><vcpu cpuset='0-7'>3</vcpu><cputune><vcpupin vcpu='2' cpuset='6-9'/>"
			   "<vcpupin vcpu='0' cpuset='1,3'/></cputune></domain>";
	assert_int_equal(domxml_parse(&f, live, kept, NULL), 0);
	assert_string_equal(allowed(0), "1,3");
	assert_string_equal(allowed(1), "0-7");
	assert_string_equal(allowed(2), "6-7");
	assert_int_equal(f.flags & VM_FLAG_DEDICATED, 0);
}

static void test_dedicated(void **state)
{
	(void)state;
	const char *live = "<domain><vcpu>2</vcpu></domain>";
	assert_int_equal(domxml_parse(&f, live,
				 "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin "
				 "vcpu='1' cpuset='5'/></cputune></domain>",
				 NULL),
		0);
	assert_int_equal(f.flags, VM_FLAG_DEDICATED);
	/* two on one pCPU, or one vCPU without a rule: not dedicated */
	assert_int_equal(domxml_parse(&f, live,
				 "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin "
				 "vcpu='1' cpuset='4'/></cputune></domain>",
				 NULL),
		0);
	assert_int_equal(f.flags, 0);
	assert_int_equal(
		domxml_parse(&f, live,
			"<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/></cputune></domain>",
			NULL),
		0);
	assert_int_equal(f.flags, 0);
}

static void test_unreadable_rule_allows_nothing(void **state)
{
	(void)state;
	assert_int_equal(domxml_parse(&f, "<domain><vcpu cpuset='0-99999'>1</vcpu></domain>", NULL, NULL), 0);
	assert_string_equal(allowed(0), "");
}

static void test_flags(void **state)
{
	(void)state;
	static const struct {
		const char *xml;
		uint32_t flag;
	} rows[] = {
		{"<domain><devices><hostdev mode='subsystem' type='pci' managed='yes'/></devices></domain>",
			VM_FLAG_VFIO},
		{"<domain><devices><hostdev mode='subsystem' type='usb'/><hostdev "
		 "type='mdev'/></devices></domain>",
			VM_FLAG_VFIO},
		{"<domain><devices><hostdev mode='subsystem' type='usb'/></devices></domain>", 0},
		{"<domain><devices><interface type='hostdev'/></devices></domain>", VM_FLAG_VFIO},
		{"<domain><launchSecurity type='sev'/></domain>", VM_FLAG_SEV},
		{"<domain><memoryBacking><locked/></memoryBacking></domain>", VM_FLAG_LOCKED},
		{"<domain><memoryBacking><hugepages/></memoryBacking></domain>", VM_FLAG_HUGEPAGES},
		{"<domain><cputune><vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune></domain>",
			VM_FLAG_RT},
		{"<domain><cputune><vcpusched vcpus='0' scheduler='batch'/></cputune></domain>", 0},
		{"<domain><cputune><emulatorpin cpuset='0'/></cputune></domain>", VM_FLAG_EMULATOR_PIN},
		{"<domain><metadata><vmtop:steer "
		 "xmlns:vmtop='urn:vmtop:1'>no</vmtop:steer></metadata></domain>",
			VM_FLAG_NO_STEER},
		{"<domain><metadata><vmtop:steer "
		 "xmlns:vmtop='urn:vmtop:1'>yes</vmtop:steer></metadata></domain>",
			0},
		{"<domain><metadata><x:steer xmlns:x='urn:other'>no</x:steer></metadata></domain>", 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(domxml_parse(&f, rows[i].xml, NULL, NULL), 0);
		assert_int_equal(f.flags, rows[i].flag);
	}
}

static void test_memory(void **state)
{
	(void)state;
	const char *xml =
		"<domain><memtune><min_guarantee unit='MiB'>300</min_guarantee></memtune><numatune>"
		"<memory mode='strict' nodeset='1,3'/></numatune><devices><memballoon model='virtio'>"
		"<stats period='5'/></memballoon></devices></domain>";
	assert_int_equal(domxml_parse(&f, xml, NULL, NULL), 0);
	assert_int_equal(f.min_guarantee_kib.v, 300 * 1024);
	assert_int_equal(f.period_s, 5);
	assert_true(f.balloon_device);
	assert_int_equal(f.mem_nodes, 10);
	assert_true(f.mem_nodes_strict);
	assert_int_equal(
		domxml_parse(&f,
			"<domain><numatune><memory mode='preferred' nodeset='2'/></numatune><devices>"
			"<memballoon model='none'/></devices></domain>",
			NULL, NULL),
		0);
	assert_false(f.balloon_device);
	assert_int_equal(f.mem_nodes, 4);
	assert_false(f.mem_nodes_strict);
	assert_false(vi64_has(f.min_guarantee_kib));
}

static void test_quota(void **state)
{
	(void)state;
	assert_int_equal(
		domxml_parse(&f,
			"<domain><cputune><period>50000</period><quota>25000</quota></cputune></domain>",
			NULL, NULL),
		0);
	assert_true(vf64_has(f.quota_pct));
	assert_true(f.quota_pct.v == 50.0);
	assert_int_equal(
		domxml_parse(&f,
			"<domain><cputune><period>50000</period><quota>-1</quota></cputune></domain>", NULL,
			NULL),
		0);
	assert_false(vf64_has(f.quota_pct));
}

static void test_hostile(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "x", "<domain>", "<network/>", "<domain><a></b></domain>"};
	assert_int_equal(domxml_parse(&f, "<domain><vcpu cpuset='5'>1</vcpu></domain>", NULL, NULL), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		assert_int_equal(domxml_parse(&f, bad[i], NULL, &e), -1);
		assert_int_equal(e.code, ERR_RUNTIME);
		assert_int_equal(domxml_parse(&f, "<domain/>", bad[i], NULL), -1);
		assert_string_equal(allowed(0), "5");
	}
	/* numbers out of range are not there */
	assert_int_equal(domxml_parse(&f,
				 "<domain><memtune><min_guarantee "
				 "unit='TiB'>99999999999999</min_guarantee></memtune><cputune>"
				 "<period>0</period><quota>5</quota></cputune><devices><memballoon><stats "
				 "period='-4'/></memballoon>"
				 "</devices></domain>",
				 "<domain><cputune><vcpupin vcpu='99999999' cpuset='1'/><vcpupin "
				 "cpuset='1'/><vcpupin vcpu='1'/>"
				 "</cputune></domain>",
				 NULL),
		0);
	assert_false(vi64_has(f.min_guarantee_kib));
	assert_false(vf64_has(f.quota_pct));
	assert_int_equal(f.period_s, 0);
	assert_int_equal(f.n_rules, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_no_rule), T(test_vcpu_cpuset), T(test_live_pin_is_no_rule),
		T(test_inactive_pin_is_a_rule), T(test_dedicated), T(test_unreadable_rule_allows_nothing),
		T(test_flags), T(test_memory), T(test_quota), T(test_hostile)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
