/* SPDX-License-Identifier: MIT */
/* Facts from domain XML: the administrator's rules, what forbids ballooning, hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/xmlmemory.h>

#include "../../src/backend/libvirt/domxml.h"
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

static void parse(const char *live, const char *inactive)
{
	struct err e = ERR_INIT;
	if (domxml_parse(&f, live, inactive, &e) < 0)
		fail_msg("%s", e.msg);
}

static void test_live_pin_is_no_rule(void **state)
{
	(void)state;
	const char *live = "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/></cputune></domain>";
	parse(live, NULL);
	assert_string_equal(allowed(0), "0-1023");
	parse(live, "<domain><vcpu>2</vcpu></domain>");
	assert_string_equal(allowed(0), "0-1023");
}

#define PINS                                                                                                 \
	"<cputune><vcpupin vcpu='2' cpuset='6-9'/><vcpupin vcpu='0' cpuset='1,3'/><vcpupin vcpu='4' "        \
	"cpuset='8'/></cputune>"

/* <vcpupin> stands in place of <vcpu cpuset>: wider, across and apart from it. */
static void test_inactive_pin_is_a_rule(void **state)
{
	(void)state;
	const char *kept = "<domain><vcpu cpuset='0-7'>5</vcpu>" PINS "</domain>";
	parse(kept, kept);
	assert_string_equal(allowed(0), "1,3");
	assert_string_equal(allowed(1), "0-7");
	assert_string_equal(allowed(2), "6-9");
	assert_string_equal(allowed(3), "0-7");
	assert_string_equal(allowed(4), "8");
	assert_int_equal(f.flags & VM_FLAG_DEDICATED, 0);
	/* moved about since: the rule is the same */
	parse("<domain><vcpu cpuset='0-7'>5</vcpu><cputune><vcpupin vcpu='2' cpuset='7'/>"
	      "<vcpupin vcpu='1' cpuset='4'/></cputune></domain>",
		kept);
	assert_string_equal(allowed(1), "0-7");
	assert_string_equal(allowed(2), "6-9");
	/* for the next start: it does not run under them */
	assert_string_equal(allowed(0), "0-7");
	assert_string_equal(allowed(4), "0-7");
}

/* A transient guest, or a pin by hand: the live pin is all there is to read. */
static void test_live_pin_beyond_the_rule(void **state)
{
	(void)state;
	parse("<domain><vcpu cpuset='1'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='0-1'/></cputune></domain>",
		NULL);
	assert_string_equal(allowed(0), "0-1");
	assert_string_equal(allowed(1), "1");
	parse("<domain><vcpu cpuset='0-3'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='6'/></cputune></domain>",
		NULL);
	assert_string_equal(allowed(0), "0-3,6");
	parse("<domain><cputune><vcpupin vcpu='0' cpuset='6'/></cputune></domain>",
		"<domain><cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>");
	assert_string_equal(allowed(0), "2,6");
}

/* Steering inside the set never makes it smaller. */
static void test_renew(void **state)
{
	(void)state;
	static const struct {
		const char *pin, *allowed;
	} rows[] = {
		{"0-1", "0-1"},
		{"0", "0-1"},
		{"1", "0-1"},
		{"0-1", "0-1"},
		{"2", "1-2"}, /* somebody's new pin */
		{"1", "1"},
		{"0-3", "0-3"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char xml[200];
		struct dom_facts fresh;
		dom_facts_init(&fresh);
		snprintf(xml, sizeof xml,
			"<domain><vcpu cpuset='1'>1</vcpu><cputune><vcpupin vcpu='0' "
			"cpuset='%s'/></cputune></domain>",
			rows[i].pin);
		assert_int_equal(domxml_parse(&fresh, xml, NULL, NULL), 0);
		dom_facts_renew(&f, &fresh);
		dom_facts_done(&fresh);
		assert_string_equal(allowed(0), rows[i].allowed);
	}
	parse("<domain/>", NULL);
	assert_string_equal(allowed(0), "0-1023");
}

/* Ids that a set cannot hold are left out, however many there are. */
static void test_wide(void **state)
{
	(void)state;
	char list[60000], xml[61000];
	size_t n = 0;
	parse("<domain><vcpu cpuset='0-2047'>1</vcpu></domain>", NULL);
	assert_string_equal(allowed(0), "0-1023");
	parse("<domain><vcpu cpuset='5,1020-99999999999'>1</vcpu></domain>", NULL);
	assert_string_equal(allowed(0), "5,1020-1023");
	parse("<domain><vcpu cpuset='1024-2047,4000'>1</vcpu></domain>", NULL);
	assert_string_equal(allowed(0), "");
	for (int id = 0; id < 8192; id += 2)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%d", id ? "," : "", id);
	snprintf(xml, sizeof xml, "<domain><vcpu cpuset='%s'>1</vcpu></domain>", list);
	parse(xml, NULL);
	struct cpuset s;
	dom_allowed(&f, 0, &s);
	assert_int_equal(cpuset_count(&s), 512);
	assert_true(cpuset_has(&s, 1022));
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

/* libvirt takes no such definition; read all the same, it never allows more than each line does. */
static void a_vcpu_named_twice_is_allowed_what_both_say(void **state)
{
	(void)state;
	const char *twice =
		"<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='1' cpuset='1-3'/>"
		"<vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='2-5'/></cputune></domain>";
	parse(twice, twice);
	assert_int_equal(f.n_pins, 2);
	assert_int_equal(f.n_rules, 2);
	assert_string_equal(allowed(0), "4");
	assert_string_equal(allowed(1), "2-3");
	/* two lines for one vCPU are no pCPU of its own for each of two */
	parse(twice, "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='0' "
		     "cpuset='5'/></cputune></domain>");
	assert_int_equal(f.flags & VM_FLAG_DEDICATED, 0);
}

static void test_unreadable_rule_allows_nothing(void **state)
{
	(void)state;
	assert_int_equal(domxml_parse(&f, "<domain><vcpu cpuset='0-'>1</vcpu></domain>", NULL, NULL), 0);
	assert_string_equal(allowed(0), "");
}

#define ARGS(value)                                                                                          \
	"<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:commandline><qemu:arg "       \
	"value='-x'/><qemu:arg value='" value "'/></qemu:commandline></domain>"

static const struct {
	const char *xml;
	uint32_t flag;
} flag_rows[] = {
	{"<domain><devices><hostdev mode='subsystem' type='pci' managed='yes'/></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><hostdev mode='subsystem' type='usb'/><hostdev "
	 "type='mdev'/></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><hostdev mode='subsystem' type='usb'/></devices></domain>", 0},
	{"<domain><devices><interface type='hostdev'/></devices></domain>", VM_FLAG_VFIO},
	{"<domain><devices><interface type='bridge'/><interface type='vdpa'/></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><disk type='file'/><disk type='nvme'><source "
	 "type='pci'/></disk></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><disk type='vhostvdpa'/></devices></domain>", VM_FLAG_VFIO},
	/* an image of the chain, a mirror, data beside its metadata */
	{"<domain><devices><disk type='file'><backingStore type='file'><backingStore "
	 "type='nvme'/></backingStore></disk></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><disk type='file'><mirror type='nvme'/></disk></devices></domain>", VM_FLAG_VFIO},
	{"<domain><devices><disk type='file'><source><dataStore "
	 "type='vhostvdpa'/></source></disk></devices></domain>",
		VM_FLAG_VFIO},
	{"<domain><devices><disk type='block'><source type='nvme'/><driver type='nvme'/>"
	 "</disk><controller type='pci'/><interface type='direct'/><hostdev type='scsi'/>"
	 "<hostdev type='scsi_host'/><redirdev type='nvme'/></devices></domain>",
		0},
	{ARGS("vfio-pci,host=01:00.0"), VM_FLAG_VFIO},
	{ARGS("{&quot;driver&quot;:&quot;vfio-pci&quot;}"), VM_FLAG_VFIO},
	{ARGS("type=vhost-vdpa,vhostdev=/dev/vhost-vdpa-0"), VM_FLAG_VFIO},
	{ARGS("file=nvme://0000:01:00.0/1"), VM_FLAG_VFIO},
	{ARGS("driver=nvme,device=0000:01:00.0,namespace=1"), VM_FLAG_VFIO},
	{ARGS("mem-lock=on"), VM_FLAG_LOCKED},
	{ARGS("cpu-pm=off,mem-lock=on-fault"), VM_FLAG_LOCKED},
	{ARGS("sev-snp-guest,id=sev0"), VM_FLAG_SEV},
	{ARGS("nvme,drive=d0"), 0}, /* an emulated one */
	{ARGS("file=/srv/vfio-pci/disk.img,id=no-vfio-here"), 0},
	{"<domain><launchSecurity type='sev'/></domain>", VM_FLAG_SEV},
	{"<domain><launchSecurity type='tdx'/></domain>", VM_FLAG_SEV},
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

static void test_title(void **state)
{
	static const char nova[] =
		"<domain><name>instance-00000a01</name><title>other</title><metadata>"
		"<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
		"<nova:name>billing db \xc3\xa9</nova:name></nova:instance></metadata></domain>";
	static const struct {
		const char *xml, *title;
	} rows[] = {
		{nova, "billing db \xc3\xa9"},
		{"<domain><title>Mail &lt;old&gt;</title></domain>", "Mail <old>"},
		{"<domain><name>a</name></domain>", ""},
		{"<domain><title/></domain>", ""},
		{"<domain><metadata><x:instance xmlns:x='urn:x'><x:name>no</x:name></x:instance></metadata></domain>",
			""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		parse(rows[i].xml, NULL);
		assert_string_equal(f.title, rows[i].title);
	}
}

/* It is cut between characters, and one that is beyond all measure is none. */
static void test_long_title(void **state)
{
	char xml[16000] = "<domain><title>";
	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(xml, "\xe2\x82\xac");
	strcat(xml, "</title></domain>");
	parse(xml, NULL);
	assert_int_equal(strlen(f.title), 93);
	strcpy(xml, "<domain><title>");
	memset(xml + strlen(xml), 'x', 9000);
	strcpy(xml + 15 + 9000, "</title></domain>");
	parse(xml, NULL);
	assert_string_equal(f.title, "");
}

static void test_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof flag_rows / sizeof *flag_rows; i++) {
		assert_int_equal(domxml_parse(&f, flag_rows[i].xml, NULL, NULL), 0);
		assert_int_equal(f.flags, flag_rows[i].flag);
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
	assert_false(vi64_has(f.hard_limit_kib));
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

static void a_hard_limit_bounds_and_none_is_a_large_number(void **state)
{
	(void)state;
#define LIMIT(x) "<domain><memtune><hard_limit" x "</hard_limit></memtune></domain>"
	assert_int_equal(domxml_parse(&f, LIMIT(" unit='GiB'>3"), NULL, NULL), 0);
	assert_int_equal(f.hard_limit_kib.v, 3 << 20);
	static const char *const none[] = {LIMIT(" unit='KiB'>9007199254740988"), LIMIT(">0"), LIMIT(">-1"),
		LIMIT(">x"), LIMIT(" unit='furlong'>3")};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		assert_int_equal(domxml_parse(&f, none[i], NULL, NULL), 0);
		assert_false(vi64_has(f.hard_limit_kib));
	}
#undef LIMIT
}

#define CELLS                      "<cpu><numa><cell id='0' cpus='0-1'/><cell id='1' cpus='2-3'/></numa></cpu>"
#define MEMNODE(cell, mode, nodes) "<memnode cellid='" cell "' mode='" mode "' nodeset='" nodes "'/>"

/* What guest cells are bound to, by their own rule or the common one. */
static void test_memory_nodes(void **state)
{
	(void)state;
	static const struct {
		const char *tune, *rest;
		uint64_t nodes;
		bool strict, asks;
	} rows[] = {
		{"", "", 0, false, false},
		{"", CELLS, 0, false, false},
		{"<memory nodeset='1'/>", "", 2, true, true},
		{"<memory mode='restrictive' nodeset='0,2'/>", CELLS, 5, true, true},
		{"<memory mode='interleave' nodeset='0-1'/>", "", 3, false, true},
		{MEMNODE("0", "strict", "1") MEMNODE("1", "strict", "1"), CELLS, 2, true, false},
		{MEMNODE("0", "strict", "0") MEMNODE("1", "preferred", "1"), CELLS, 3, false, false},
		/* a cell is left to the common rule, or to none */
		{MEMNODE("0", "strict", "0"), CELLS, 1, false, false},
		{"<memory mode='strict' nodeset='3'/>" MEMNODE("0", "strict", "0"), CELLS, 9, true, true},
		{"<memory mode='strict' nodeset='3'/>" MEMNODE("0", "strict", "0")
				MEMNODE("1", "strict", "1"),
			CELLS, 3, true, true},
		/* only libvirt knows, and its word is for all */
		{"<memory mode='strict' placement='auto'/>", "", 0, false, true},
		{"<memory placement='auto' nodeset='1'/>", "", 0, false, true},
		{"<memory placement='auto'/>" MEMNODE("0", "strict", "0"), CELLS, 0, false, true},
		{"<memory mode='strict' nodeset='62-99'/>", "", UINT64_C(3) << 62, true, true},
		{"<memory nodeset='x'/>", "", 0, false, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char xml[1000];
		snprintf(xml, sizeof xml, "<domain><numatune>%s</numatune>%s</domain>", rows[i].tune,
			rows[i].rest);
		parse(xml, NULL);
		assert_int_equal(f.mem_nodes, rows[i].nodes);
		assert_int_equal(f.mem_nodes_strict, rows[i].strict);
		assert_int_equal(f.asks_nodes, rows[i].asks);
	}
}

static void test_placed_by_numad(void **state)
{
	(void)state;
	struct cpuset cpus;
	parse("<domain><vcpu placement='auto' cpuset='5'>2</vcpu></domain>", NULL);
	assert_true(f.asks_cpus && f.asks_nodes);
	assert_string_equal(allowed(0), "0-1023"); /* that list is not in force */
	assert_int_equal(cpuset_parse(&cpus, "4-7", NULL), 0);
	dom_place(&f, &cpus);
	dom_bind(&f, 2, true);
	assert_string_equal(allowed(1), "4-7");
	assert_int_equal(f.mem_nodes, 2);
	assert_true(f.mem_nodes_strict);
	parse("<domain><vcpu placement='auto'>2</vcpu><cputune><emulatorpin cpuset='0'/></cputune></domain>",
		NULL);
	assert_false(f.asks_cpus);
	parse("<domain><vcpu placement='static' cpuset='5'>2</vcpu></domain>", NULL);
	assert_false(f.asks_cpus || f.asks_nodes);
	assert_string_equal(allowed(0), "5");
}

static void test_units(void **state)
{
	(void)state;
	static const struct {
		const char *memory;
		int64_t kib; /* -1: unreadable */
	} rows[] = {
		{"<memory>1000</memory>", 1000},
		{"<memory unit='KiB'>1000</memory>", 1000},
		{"<memory unit='kib'>1000</memory>", 1000},
		{"<memory unit='kB'>1024</memory>", 1000},
		{"<memory unit='bytes'>1025</memory>", 2},
		{"<memory unit='byte'>1</memory>", 1},
		{"<memory unit='m'>3</memory>", 3072},
		{"<memory unit='GB'>1</memory>", 976563},
		{"<memory unit='PiB'>1</memory>", INT64_C(1) << 40},
		{"<memory unit='E'>7</memory>", INT64_C(7) << 50},
		{"<memory unit='EiB'>8</memory>", -1},
		{"<memory unit='kelvin'>1</memory>", -1},
		{"<memory unit='KiBB'>1</memory>", -1},
		{"<memory unit=''>1</memory>", -1},
		{"<memory unit='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'>1</memory>", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char xml[200];
		snprintf(xml, sizeof xml, "<domain>%s</domain>", rows[i].memory);
		parse(xml, NULL);
		assert_int_equal(vi64_has(f.max_kib) ? f.max_kib.v : -1, rows[i].kib);
	}
}

/* A balloon is counted in the memory at the start and in DIMMs; libvirt counts everything. */
static void test_memory_devices(void **state)
{
	(void)state;
#define MEM(model, size, rest)                                                                               \
	"<memory model='" model "'><target><size unit='MiB'>" size "</size><node>0</node>" rest              \
	"</target></memory>"
#define PLUGGED(mib) "<requested unit='MiB'>" mib "</requested><current unit='MiB'>" mib "</current>"
	static const struct {
		const char *memory, *current, *devices;
		int64_t max_mib, current_mib, plugged_mib; /* 0: absent */
		bool apart, virtio_mem;
	} rows[] = {
		{"1024", "512", "", 1024, 512, 0, false, false},
		{"1280", "700", MEM("dimm", "256", ""), 1280, 700, 0, false, false},
		{"1024", "512", MEM("virtio-mem", "512", PLUGGED("0")), 512, 512, 0, true, true},
		{"1024", "768", MEM("virtio-mem", "512", PLUGGED("256")), 512, 512, 256, true, true},
		{"1792", "556",
			MEM("dimm", "256", "") MEM("virtio-mem", "512", PLUGGED("200"))
				MEM("virtio-mem", "512", PLUGGED("56")),
			768, 300, 256, true, true},
		{"1536", "1000", MEM("nvdimm", "512", ""), 1024, 1000, 0, true, false},
		{"1536", "1000", MEM("virtio-pmem", "512", ""), 1024, 1000, 0, true, false},
		{"1024", "600", MEM("virtio-mem", "512", PLUGGED("0")), 512, 0, 0, true,
			true}, /* after a reset */
		{"1024", "100", MEM("virtio-mem", "512", PLUGGED("256")), 512, 0, 256, true, true},
		{"512", "512", MEM("virtio-mem", "512", PLUGGED("0")), 0, 0, 0, true, true},
		{"1024", "512", MEM("virtio-mem", "99999999999999999999", PLUGGED("-5")), 1024, 512, 0, true,
			true},
		{"1024", "512", "<memory model='virtio-mem'/>", 1024, 512, 0, true, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char xml[1000];
		snprintf(xml, sizeof xml,
			"<domain><memory unit='MiB'>%s</memory><currentMemory unit='MiB'>%s</currentMemory>"
			"<devices>%s</devices></domain>",
			rows[i].memory, rows[i].current, rows[i].devices);
		assert_int_equal(domxml_parse(&f, xml, NULL, NULL), 0);
		assert_int_equal(vi64_has(f.max_kib) ? f.max_kib.v / 1024 : 0, rows[i].max_mib);
		assert_int_equal(vi64_has(f.current_kib) ? f.current_kib.v / 1024 : 0, rows[i].current_mib);
		assert_int_equal(f.plugged_kib / 1024, rows[i].plugged_mib);
		assert_int_equal(f.apart, rows[i].apart);
		assert_int_equal(f.virtio_mem, rows[i].virtio_mem);
	}
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

/* A few lines that would be gigabytes; nothing of them is expanded. */
static void test_document_type(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"<!DOCTYPE domain><domain/>",
		"<?xml version='1.0'?>\n<!DOCTYPE domain [<!ENTITY a "
		"'x'>]>\n<domain><name>&a;</name></domain>",
		"<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
		"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaaaaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
		"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
		"<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'>]><domain><vcpu "
		"cpuset='&e;'>1</vcpu></domain>",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		assert_int_equal(domxml_parse(&f, bad[i], NULL, &e), -1);
		assert_non_null(strstr(e.msg, "document type"));
	}
	parse("<!-- <!DOCTYPE domain> --><domain><name>&lt;!DOCTYPE&gt;</name></domain>", NULL);
}

static int mallocs_left;

static void *scarce_malloc(size_t n)
{
	return mallocs_left-- > 0 ? malloc(n) : NULL;
}

static void *scarce_realloc(void *p, size_t n)
{
	return mallocs_left-- > 0 ? realloc(p, n) : NULL;
}

static char *scarce_strdup(const char *s)
{
	return mallocs_left-- > 0 ? strdup(s) : NULL;
}

/* Whatever is wrong with the text, stderr belongs to the screen. */
static void test_silence(void **state)
{
	(void)state;
	static const char *const odd[] = {"", "<", "<domain", "<domain>&x;</domain>", "<a:domain/>",
		"<?xml version='1.0' encoding='none-such'?><domain/>", "<?xml version='9'?><domain/>",
		"<domain \xff/>", "<domain xmlns='not a uri ::'/>", "<domain a='1' a='2'/>",
		"<!DOCTYPE x SYSTEM 'http://localhost:1/x'><domain/>"};
	char text[200];
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	assert_true(file && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		domxml_parse(&f, odd[i], NULL, NULL);
	xmlMemSetup(free, scarce_malloc, scarce_realloc, scarce_strdup);
	for (int i = 0; i < 150; i++) {
		mallocs_left = i;
		domxml_parse(&f, "<domain><vcpu cpuset='3'>1</vcpu><memory unit='MiB'>1</memory></domain>",
			NULL, NULL);
	}
	xmlMemSetup(free, malloc, realloc, strdup);
	dup2(kept, STDERR_FILENO);
	rewind(file);
	size_t n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	assert_string_equal(text, "");
	close(kept);
	fclose(file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_no_rule), T(test_vcpu_cpuset), T(test_live_pin_is_no_rule),
		T(test_inactive_pin_is_a_rule), T(test_live_pin_beyond_the_rule), T(test_renew), T(test_wide),
		T(test_memory_nodes), T(test_placed_by_numad), T(test_units), T(test_document_type),
		T(test_silence), T(test_dedicated), T(a_vcpu_named_twice_is_allowed_what_both_say),
		T(test_unreadable_rule_allows_nothing), T(test_title), T(test_long_title), T(test_flags),
		T(test_memory), T(a_hard_limit_bounds_and_none_is_a_large_number), T(test_memory_devices),
		T(test_quota), T(test_hostile)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
