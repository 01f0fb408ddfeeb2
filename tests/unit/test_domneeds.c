/* SPDX-License-Identifier: MIT */
/* What a guest's definition asks of a host: pins but vmtop's own, disks, huge pages, the CPU; and where a
 * disk lies, by the table of mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/storage.h"
#include "../../src/backend/libvirt/domneeds.h"

static struct move_needs needs;
static struct dom_cpu cpu;
static char dir[] = "/tmp/vmtop-needs-XXXXXX", mounts[100];

static void take(const char *inside, const char *table)
{
	char xml[8192];
	struct err e = ERR_INIT;
	snprintf(xml, sizeof xml,
		"<domain type='kvm'><name>x</name><memory unit='KiB'>4194304</memory><vcpu>4</vcpu>"
		"<os><type arch='x86_64'>hvm</type></os>%s</domain>",
		inside);
	if (domneeds_read(&needs, &cpu, xml, table, &e) < 0)
		fail_msg("%s", e.msg);
}

static const char *pins(const char *inside)
{
	static char text[100];
	take(inside, NULL);
	cpuset_format(&needs.pins, text, sizeof text);
	return text;
}

static void test_pins(void **state)
{
	(void)state;
	assert_string_equal(pins(""), "");
	assert_string_equal(pins("<cputune><vcpupin vcpu='0' cpuset='40'/><vcpupin vcpu='1' cpuset='2-3'/>"
				 "<emulatorpin cpuset='0'/><iothreadpin iothread='1' cpuset='7'/></cputune>"),
		"0,2-3,7,40");
	/* What vmtop pinned is put back on the way: the hook of the target does it. */
	assert_string_equal(
		pins("<metadata><vmtop:pins xmlns:vmtop='urn:vmtop:pins:1'>"
		     "<vmtop:vcpu id='0' found='0-63' pinned='no' wrote='40' before='0-63'/></vmtop:pins></metadata>"
		     "<cputune><vcpupin vcpu='0' cpuset='40'/><vcpupin vcpu='1' cpuset='3'/></cputune>"),
		"3");
}

static void disks(const char *inside, enum move_disks is, const char *which)
{
	char text[4096];
	snprintf(text, sizeof text, "<devices>%s</devices>", inside);
	take(text, mounts);
	assert_int_equal(needs.disks, is);
	assert_string_equal(needs.disk, which);
}

#define FILE_DISK(path) "<disk type='file' device='disk'><source file='" path "'/></disk>"
#define DEV_DISK(path)  "<disk type='block' device='disk'><source dev='" path "'/></disk>"

static void test_disks(void **state)
{
	(void)state;
	disks("", DISKS_SHARED, "");
	disks("<disk type='network'><source protocol='rbd' name='p/i'/></disk>", DISKS_SHARED, "");
	disks(FILE_DISK("/net/a.img"), DISKS_SHARED, "");
	disks(FILE_DISK("/net/a.img") FILE_DISK("/srv/b.img"), DISKS_LOCAL, "/srv/b.img");
	disks("<disk type='file' device='cdrom'><source file='/srv/x.iso'/><readonly/></disk>", DISKS_SHARED,
		"");
	disks("<disk type='file'><source file='/srv/x.img'/><shareable/></disk>", DISKS_SHARED, "");
	disks("<disk type='file' device='cdrom'/>", DISKS_SHARED, "");
	disks("<disk type='file'><source file='/net/top.qcow2'/><backingStore type='file'>"
	      "<source file='/srv/base.qcow2'/></backingStore></disk>",
		DISKS_LOCAL, "/srv/base.qcow2");
	disks("<disk type='volume'><source pool='p' volume='v'/></disk>", DISKS_JUDGED, "of type volume");
	disks(DEV_DISK("/dev/vg0/db"), DISKS_UNKNOWN, "/dev/vg0/db");
	disks(DEV_DISK("/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-iqn.x-lun-1"), DISKS_SHARED, "");
	disks(DEV_DISK("/dev/disk/by-path/pci-0000:00:17.0-ata-1"), DISKS_UNKNOWN,
		"/dev/disk/by-path/pci-0000:00:17.0-ata-1");
	disks(DEV_DISK("/dev/disk/by-id/wwn-0x5000"), DISKS_SHARED, "");
	disks(DEV_DISK("/dev/rbd0"), DISKS_UNKNOWN, "/dev/rbd0");
	disks("<disk type='future'><source thing='x'/></disk>", DISKS_JUDGED, "of type future");
	disks(FILE_DISK("/net/../srv/a.img"), DISKS_JUDGED, "/net/../srv/a.img");
	/* Of a host that is not this machine only libvirt can tell. */
	take("<devices>" FILE_DISK("/srv/b.img") "</devices>", NULL);
	assert_int_equal(needs.disks, DISKS_JUDGED);
}

static void test_flags_of_a_row(void **state)
{
	(void)state;
	assert_int_equal(domneeds_flags("<domain/>", mounts), 0);
	assert_int_equal(
		domneeds_flags("<domain><devices>" FILE_DISK("/srv/a") "</devices></domain>", mounts),
		VM_FLAG_LOCAL_DISK);
	assert_int_equal(
		domneeds_flags("<domain><devices>" DEV_DISK(
				       "/dev/vg0/a") "</devices><cputune>"
						     "<vcpupin vcpu='0' cpuset='1'/></cputune></domain>",
			NULL),
		VM_FLAG_NAMED_DISK | VM_FLAG_TAKES_PINS);
	assert_int_equal(domneeds_flags("<domain", mounts), 0);
}

/* Links lead elsewhere, and are followed as far as that touches nothing of the network. */
static void test_links(void **state)
{
	(void)state;
	char path[200];
	snprintf(path, sizeof path, "%s/out", dir);
	assert_int_equal(symlink("/net/images", path), 0);
	snprintf(path, sizeof path, "%s/out/a.img", dir);
	assert_int_equal(storage_of_file(path, mounts), DISKS_SHARED);
	snprintf(path, sizeof path, "%s/in", dir);
	assert_int_equal(symlink("plain", path), 0);
	snprintf(path, sizeof path, "%s/in/a.img", dir);
	assert_int_equal(storage_of_file(path, mounts), DISKS_LOCAL);
	snprintf(path, sizeof path, "%s/round", dir);
	assert_int_equal(symlink("round", path), 0);
	assert_int_equal(storage_of_file(path, mounts), DISKS_JUDGED);
	assert_int_equal(storage_of_file("/over/x/a.img", mounts), DISKS_SHARED); /* mounted on top */
	assert_int_equal(storage_of_file("/fuse/a.img", mounts), DISKS_JUDGED);
	assert_int_equal(storage_of_file("/gluster vol/a.img", mounts), DISKS_SHARED);
	assert_int_equal(storage_of_file("relative", mounts), DISKS_JUDGED);
	assert_int_equal(storage_of_file("/srv/a", "/nowhere"), DISKS_JUDGED);
}

static void test_pages(void **state)
{
	(void)state;
	take("<memoryBacking><hugepages/></memoryBacking>", NULL);
	assert_int_equal(needs.n_pages, 1);
	assert_int_equal(needs.pages[0].size_kib, 2048);
	assert_int_equal(needs.pages[0].need_kib, 4194304);
	take("<memoryBacking><hugepages><page size='1' unit='GiB' nodeset='1'/><page size='2048' unit='KiB' nodeset='0'/>"
	     "</hugepages></memoryBacking><cpu><numa><cell id='0' cpus='0-1' memory='1048576'/>"
	     "<cell id='1' cpus='2-3' memory='3145728'/></numa></cpu>",
		NULL);
	assert_int_equal(needs.n_pages, 2);
	assert_int_equal(needs.pages[0].size_kib, 1048576);
	assert_int_equal(needs.pages[0].need_kib, 3145728);
	assert_int_equal(needs.pages[1].need_kib, 1048576);
	take("", NULL);
	assert_int_equal(needs.n_pages, 0);
}

static void test_cpu(void **state)
{
	(void)state;
	take("<cpu mode='custom' match='exact' check='full'><model>Haswell</model></cpu>", NULL);
	assert_non_null(strstr(cpu.xml, "<model>Haswell</model>"));
	assert_string_equal(cpu.virt, "kvm");
	assert_string_equal(cpu.arch, "x86_64");
	take("<cpu mode='custom' match='exact' check='none'><model>qemu64</model></cpu>", NULL);
	assert_string_equal(cpu.xml, "");
	take("", NULL);
	assert_string_equal(cpu.xml, "");
	take("<cpu mode='host-passthrough' check='none'/>", NULL);
	assert_true(cpu.host);
	domneeds_host_cpu(&cpu, "<capabilities><host><cpu><model>EPYC</model></cpu></host></capabilities>");
	assert_string_equal(cpu.xml, "<cpu><model>EPYC</model></cpu>");
}

static void test_no_definition(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	assert_int_equal(domneeds_read(&needs, &cpu, "<domain", NULL, &e), -1);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(mounts, sizeof mounts, "%s/mountinfo", dir);
	FILE *f = fopen(mounts, "w");
	fputs("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	      "30 21 0:40 / /net rw,relatime shared:1 - nfs4 srv:/x rw\n"
	      "31 21 8:3 / /over rw - xfs /dev/sdb rw\n"
	      "32 31 0:41 / /over rw - ceph mon:/ rw\n"
	      "33 21 0:42 / /fuse rw - fuse.sshfs x rw\n"
	      "34 21 0:43 / /gluster\\040vol rw - fuse.glusterfs x rw\n"
	      "nonsense\n",
		f);
	return fclose(f);
}

static int end(void **state)
{
	(void)state;
	char path[200];
	static const char *const names[] = {"out", "in", "round", "mountinfo"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pins), cmocka_unit_test(test_disks),
		cmocka_unit_test(test_links), cmocka_unit_test(test_flags_of_a_row),
		cmocka_unit_test(test_pages), cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_no_definition)};
	return cmocka_run_group_tests(tests, begin, end);
}
