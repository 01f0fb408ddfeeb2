/* SPDX-License-Identifier: MIT */
/* Other controllers are known by the names of their processes; OpenStack's guests by their metadata. */
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

#include "../../src/backend/host/others.h"
#include "../../src/backend/libvirt/domxml.h"
#include "vmtop/err.h"

static char root[] = "/tmp/vmtop-test-XXXXXX";

static void process(const char *pid, const char *comm)
{
	char path[128];
	snprintf(path, sizeof path, "%s/proc/%s", root, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/proc/%s/comm", root, pid);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", comm);
	fclose(f);
}

static void remove_process(const char *pid)
{
	char path[128];
	snprintf(path, sizeof path, "%s/proc/%s/comm", root, pid);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void processes_are_known_by_name(void **state)
{
	(void)state;
	char proc[64];
	assert_non_null(mkdtemp(root));
	assert_int_equal(others_find(root, 1), 0); /* no /proc */
	snprintf(proc, sizeof proc, "%s/proc", root);
	assert_int_equal(mkdir(proc, 0700), 0);
	process("12", "numad2");
	process("77", "vmtop");
	assert_int_equal(others_find(root, 77), 0); /* that is ourselves */
	process("78", "vmtop");
	process("500", "pvestatd");
	assert_int_equal(others_find(root, 77), OTHER_VMTOP | OTHER_PROXMOX);
	process("501", "numad");
	assert_int_equal(others_find(root, 77), OTHER_VMTOP | OTHER_PROXMOX | OTHER_NUMAD);
	process("502", "momd");
	assert_int_equal(others_find(root, 77), OTHER_VMTOP | OTHER_PROXMOX | OTHER_NUMAD | OTHER_MOM);
	remove_process("78");
	remove_process("502");
	process("503", "mom-vdsm");
	process("504", "numad\nvmtop"); /* whoever names itself so is called by the first line */
	process("505", "");
	process("self", "vmtop");
	assert_int_equal(others_find(root, 77), OTHER_PROXMOX | OTHER_NUMAD | OTHER_MOM);
	static const char *const pids[] = {"12", "77", "500", "501", "503", "504", "505", "self"};
	for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
		remove_process(pids[i]);
	rmdir(proc);
	rmdir(root);
}

static void put(const char *path, const char *text, size_t len)
{
	char whole[160];
	snprintf(whole, sizeof whole, "%s/%s", root, path);
	FILE *f = fopen(whole, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void make(const char *path)
{
	char whole[160];
	snprintf(whole, sizeof whole, "%s/%s", root, path);
	assert_int_equal(mkdir(whole, 0700), 0);
}

/* One process at a time: what it is called, its command line, and who it is. */
static void stacks_are_known(void **state)
{
	static const struct {
		const char *comm, *command;
		uint32_t bit;
	} rows[] = {
		{"nova-compute\n", "/usr/bin/python3\0/usr/bin/nova-compute", OTHER_NOVA},
		{"python3\n", "/usr/bin/python3\0/usr/bin/nova-compute", OTHER_NOVA},
		{"python3\n", "/usr/bin/python3\0/usr/bin/nova-api", 0}, {"vdsmd\n", "", OTHER_VDSM},
		{"java\n", "java\0com.cloud.agent.AgentShell", OTHER_CLOUDSTACK},
		{"java\n", "java\0tomcat", 0},
		{"ruby\n", "ruby\0/var/tmp/one/im/kvm.d/monitord-client.rb", OTHER_OPENNEBULA},
		{"ruby\n", "ruby\0/home/one.rb", 0}, {"vsched\n", "", OTHER_VSCHED},
		{"skylark\n", "", OTHER_SKYLARK},
		{"python3\n", "/usr/bin/python3\0/usr/bin/skylark", OTHER_SKYLARK},
		{"pacemakerd\n", "", 0}, /* a cluster without VMs */
	};
	char whole[160];
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	assert_non_null(mkdtemp(root));
	make("proc");
	make("proc/9");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].command);
		if (n) /* words end with a zero byte */
			n += 1 + strlen(rows[i].command + n + 1);
		put("proc/9/comm", rows[i].comm, strlen(rows[i].comm));
		put("proc/9/cmdline", rows[i].command, n);
		if (others_find(root, 1) != rows[i].bit)
			fail_msg("row %zu: %s", i, rows[i].comm);
	}
	make("run");
	make("run/resource-agents");
	assert_int_equal(others_find(root, 1), 0);
	put("run/resource-agents/VirtualDomain-web1.state", "web1\n", 5);
	assert_int_equal(others_find(root, 1), OTHER_PACEMAKER);
	snprintf(whole, sizeof whole, "rm -r %s", root);
	assert_int_equal(system(whole), 0);
}

static void guests_of_openstack_are_known(void **state)
{
	(void)state;
	static const char nova[] =
		"<domain><metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
		"<nova:name>x</nova:name></nova:instance></metadata></domain>";
	static const char other[] = "<domain><metadata><x:instance xmlns:x='urn:x'/></metadata></domain>";
	struct dom_facts f;
	dom_facts_init(&f);
	assert_int_equal(domxml_parse(&f, nova, NULL, NULL), 0);
	assert_true(f.flags & VM_FLAG_OPENSTACK);
	dom_facts_done(&f);
	dom_facts_init(&f);
	assert_int_equal(domxml_parse(&f, other, NULL, NULL), 0);
	assert_false(f.flags & VM_FLAG_OPENSTACK);
	dom_facts_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_are_known_by_name),
		cmocka_unit_test(stacks_are_known),
		cmocka_unit_test(guests_of_openstack_are_known),
	};
	return cmocka_run_group_tests_name("others", tests, NULL, NULL);
}
