/* SPDX-License-Identifier: MIT */
/* Guests that are Pacemaker's: found in its configuration, and moved by its commands, which are stand-ins
 * here that write down how they were called. Where the real ones are installed they change a configuration
 * in a file. */
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

#include "../../src/backend/host/pacemaker.h"
#include "support/commands.h"

static const uint8_t uuid[UUID_BYTES] = {
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x41, 0x11, 0x81, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

static void holds(const char *name, const char *want)
{
	assert_string_equal(commands_left(name), want);
}

/* ---- the configuration ---- */

#define NODES "<nodes><node id='1' uname='host-a'/><node id='2' uname='host-b.example'/></nodes>"
#define VD    "<primitive id='%s' class='ocf' provider='heartbeat' type='VirtualDomain'>"
#define LIVE  "<meta_attributes id='m'><nvpair id='n' name='allow-migrate' value='true'/></meta_attributes>"
#define CONFIG(path)                                                                                         \
	"<instance_attributes id='i'><nvpair id='c' name='config' value='" path "'/></instance_attributes>"

static struct move_look look;

static void look_at(const char *crm_config, const char *resources, const char *constraints)
{
	static char cib[16384];
	struct pacemaker_question q = {
		.vm = "db", .uuid = uuid, .target = "b", .target_host = "host-b", .root = commands_dir()};
	snprintf(cib, sizeof cib,
		"<cib><configuration><crm_config>%s</crm_config>" NODES
		"<resources>%s</resources><constraints>%s</constraints></configuration><status/></cib>",
		crm_config, resources, constraints);
	memset(&look, 0, sizeof look);
	pacemaker_read(&q, cib, &look);
}

static void is(const char *resource, const char *node, const char *owner)
{
	assert_string_equal(look.owner, owner);
	assert_string_equal(look.resource, resource);
	assert_string_equal(look.node, *owner ? look.node : node);
}

#define PRIMITIVE(id, inside)                                                                                \
	"<primitive id='" id "' class='ocf' provider='heartbeat' type='VirtualDomain'>" inside "</primitive>"

static void test_found(void **state)
{
	(void)state;
	look_at("", "", "");
	is("", "", "");
	look_at("", PRIMITIVE("vm-db", CONFIG("/nowhere/db.xml") LIVE), "");
	is("vm-db", "host-b.example", "");
	look_at("", PRIMITIVE("db", CONFIG("/nowhere/other.xml") LIVE), ""); /* by its own name */
	is("db", "host-b.example", "");
	look_at("", PRIMITIVE("vm-web", CONFIG("/nowhere/web.xml") LIVE), "");
	is("", "", "");
	look_at("", "<group id='g'>" PRIMITIVE("vm-db", CONFIG("/nowhere/db.xml") LIVE) "</group>", "");
	is("vm-db", "host-b.example", "");
	look_at("", "<primitive id='db' class='ocf' provider='heartbeat' type='Dummy'/>", "");
	is("", "", "");
	look_at("",
		"<template id='t' class='ocf' provider='heartbeat' type='VirtualDomain'>" LIVE
		"</template><primitive id='vm-db' template='t'>" CONFIG("/nowhere/db.xml") "</primitive>",
		"");
	is("vm-db", "host-b.example", "");
}

/* The definition counts where it can be read: names may lie. */
static void test_found_by_uuid(void **state)
{
	(void)state;
	char resources[2048];
	static const char *const uuids[] = {
		"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"};
	for (int i = 0; i < 2; i++) {
		char xml[300];
		snprintf(xml, sizeof xml, "<domain type='kvm'><name>x</name><uuid>%s</uuid></domain>",
			uuids[i]);
		commands_put("guest.xml", xml);
		snprintf(resources, sizeof resources,
			VD "<instance_attributes id='i'><nvpair id='c' name='config' value='%s/guest.xml'/>"
			   "</instance_attributes>" LIVE "</primitive>",
			"db", commands_dir());
		look_at("", resources, "");
		is(i ? "" : "db", i ? "" : "host-b.example", "");
	}
}

static void test_refused(void **state)
{
	(void)state;
	look_at("", PRIMITIVE("db", ""), "");
	is("", "", "Pacemaker's resource db would be stopped and started: allow-migrate is not set");
	look_at("<cluster_property_set id='s'><nvpair id='x' name='maintenance-mode' value='true'/></cluster_property_set>",
		PRIMITIVE("db", LIVE), "");
	is("", "", "Pacemaker's resource db is in maintenance, or not managed");
	look_at("",
		PRIMITIVE("db",
			LIVE "<meta_attributes id='o'><nvpair id='p' name='is-managed' value='false'/>"
			     "</meta_attributes>"),
		"");
	is("", "", "Pacemaker's resource db is in maintenance, or not managed");
	look_at("", PRIMITIVE("db", LIVE),
		"<rsc_location id='cli-ban-db-on-host-b' rsc='db' node='host-b'/>");
	is("", "", "Pacemaker's resource db was moved by hand: crm_resource --clear first");
	look_at("", PRIMITIVE("db", LIVE), "<rsc_location id='likes' rsc='db' node='host-b' score='5'/>");
	is("db", "host-b.example", "");
	look_at("", PRIMITIVE("-rf /", CONFIG("/nowhere/db.xml") LIVE), "");
	is("", "", "Pacemaker's resource -rf / or its node has a name with characters that are not taken");
	struct pacemaker_question q = {
		.vm = "db", .uuid = uuid, .target = "c", .target_host = "", .root = commands_dir()};
	memset(&look, 0, sizeof look);
	pacemaker_read(&q,
		"<cib><configuration>" NODES
		"<resources>" PRIMITIVE("db", LIVE) "</resources></configuration></cib>",
		&look);
	is("", "", "Pacemaker's resource db is not for c: no node of the cluster");
	memset(&look, 0, sizeof look);
	pacemaker_read(&q, "no XML", &look);
	is("", "",
		"Pacemaker's configuration cannot be read: whether the guest is its resource is not known");
}

/* ---- its commands ---- */

static void stand_ins(const char *cibadmin, const char *crm_resource)
{
	commands_put("cibadmin", cibadmin);
	commands_put("crm_resource", crm_resource);
	commands_put("calls", "");
	setenv("PATH", commands_dir(), 1);
	setenv("CALLS_DIR", commands_dir(), 1);
}

static void test_asks_the_cluster(void **state)
{
	(void)state;
	struct pacemaker_question q = {
		.vm = "db", .uuid = uuid, .target = "host-a", .target_host = "", .root = commands_dir()};
	stand_ins("#!/bin/sh\n[ \"$*\" = --query ] && echo \"<cib><configuration>" NODES
		  "<resources>" PRIMITIVE("db", LIVE) "</resources></configuration></cib>\"\n",
		"#!/bin/sh\n");
	memset(&look, 0, sizeof look);
	pacemaker_look(&q, &look);
	is("db", "host-a", "");
	/* No cluster here: nobody's, unless its agent runs it on this machine. */
	stand_ins("#!/bin/sh\necho cannot connect >&2; exit 102\n", "#!/bin/sh\n");
	memset(&look, 0, sizeof look);
	pacemaker_look(&q, &look);
	is("", "", "");
	char path[600];
	for (const char *const *p = (const char *const[]){"run", "run/resource-agents", NULL}; *p; p++) {
		snprintf(path, sizeof path, "%s/%s", commands_dir(), *p);
		mkdir(path, 0700);
	}
	commands_put("run/resource-agents/VirtualDomain-db-emu.state", "qemu");
	pacemaker_look(&q, &look);
	is("", "", "");
	q.local = true;
	pacemaker_look(&q, &look);
	is("", "", "it is Pacemaker's, which does not answer here: crm_resource --move on a node of it");
	q.vm = "../db"; /* a name is no path */
	memset(&look, 0, sizeof look);
	pacemaker_look(&q, &look);
	is("", "", "");
}

static void run(struct pacemaker_move *p)
{
	pacemaker_begin(p, "db", "host-b");
	for (int i = 0; !pacemaker_poll(p); i++) {
		assert_true(i < 1000);
		usleep(10000);
	}
}

static const char notes[] = "#!/bin/sh\necho \"$*\" >>$CALLS_DIR/calls\n";

static void test_moves(void **state)
{
	(void)state;
	struct pacemaker_move p;
	stand_ins("", notes);
	run(&p);
	assert_string_equal(p.said, "");
	holds("calls", "--resource db --move --node host-b --lifetime PT2H\n--wait --timeout 1800\n"
		       "--resource db --clear\n--wait --timeout 1800\n");
	pacemaker_done(&p);
}

static void test_refuses_to_move(void **state)
{
	(void)state;
	struct pacemaker_move p;
	stand_ins("", "#!/bin/sh\necho \"$*\" >>$CALLS_DIR/calls; echo 'node is offline' >&2; exit 1\n");
	run(&p);
	assert_string_equal(p.said, "crm_resource --move: node is offline\n");
	holds("calls", "--resource db --move --node host-b --lifetime PT2H\n");
	pacemaker_done(&p);
}

/* The constraint goes whatever fails, and also when nobody waits any longer. */
static void test_always_clears(void **state)
{
	(void)state;
	struct pacemaker_move p;
	stand_ins("",
		"#!/bin/sh\necho \"$*\" >>$CALLS_DIR/calls\n[ \"$1\" != --wait ] || { echo late; exit 1; }\n");
	run(&p);
	assert_string_equal(p.said, "waiting for Pacemaker: late\n");
	holds("calls", "--resource db --move --node host-b --lifetime PT2H\n--wait --timeout 1800\n"
		       "--resource db --clear\n--wait --timeout 1800\n");
	pacemaker_done(&p);
	commands_real();
	char line[700];
	stand_ins("", "");
	snprintf(line, sizeof line,
		"#!/bin/sh\necho \"$*\" >>$CALLS_DIR/calls\n[ \"$1\" != --wait ] || exec /bin/sleep 60\n");
	commands_put("crm_resource", line);
	pacemaker_begin(&p, "db", "host-b");
	for (int i = 0; p.step == 0 && i < 500; i++) {
		assert_false(pacemaker_poll(&p));
		usleep(10000);
	}
	usleep(300000);
	pacemaker_done(&p);
	holds("calls", "--resource db --move --node host-b --lifetime PT2H\n--wait --timeout 1800\n"
		       "--resource db --clear\n");
}

static void test_no_commands(void **state)
{
	(void)state;
	struct pacemaker_move p;
	setenv("PATH", "/nowhere", 1);
	run(&p);
	assert_string_equal(p.said, "crm_resource cannot be started");
	pacemaker_done(&p);
}

/* A command that hangs, or tells more than anybody asked for, is ended. */
static void test_child_is_bounded(void **state)
{
	(void)state;
	struct child c;
	commands_real();
	assert_true(child_start(&c, (const char *const[]){"sleep", "60", NULL}, 1000, 0.2));
	child_wait(&c);
	assert_int_equal(c.status, -1);
	child_done(&c);
	assert_true(child_start(&c, (const char *const[]){"yes", NULL}, 100000, 20));
	child_wait(&c);
	assert_int_equal(c.status, -1);
	assert_true(c.n >= 100000 && c.n < 400000);
	child_done(&c);
	assert_true(child_start(
		&c, (const char *const[]){"sh", "-c", "echo out; echo err >&2; exit 3", NULL}, 1000, 20));
	child_wait(&c);
	assert_int_equal(c.status, 3);
	assert_string_equal(c.out, "out\nerr\n");
	child_done(&c);
}

/* ---- Pacemaker's own commands, on a configuration in a file ---- */

static void test_real_commands(void **state)
{
	(void)state;
	commands_real();
	char line[900], path[300];
	if (system("command -v crm_resource >/dev/null && command -v cibadmin >/dev/null") != 0)
		skip();
	snprintf(path, sizeof path, "%s/cib.xml", commands_dir());
	commands_put("cib.xml",
		"<cib crm_feature_set='3.0.14' validate-with='pacemaker-3.0' epoch='1' num_updates='0' admin_epoch='0'>"
		"<configuration><crm_config/>" NODES "<resources>" PRIMITIVE(
			"db", LIVE) "</resources><constraints/></configuration><status/></cib>\n");
	assert_int_equal(chmod(path, 0666), 0);
	setenv("CIB_file", path, 1);
	struct pacemaker_question q = {
		.vm = "db", .uuid = uuid, .target = "b", .target_host = "host-b", .root = commands_dir()};
	memset(&look, 0, sizeof look);
	pacemaker_look(&q, &look);
	is("db", "host-b.example", "");
	struct pacemaker_move p;
	pacemaker_begin(&p, look.resource, look.node);
	while (p.step == 0)
		assert_false(pacemaker_poll(&p) && p.step == 0);
	assert_string_equal(p.said, "");
	snprintf(line, sizeof line,
		"grep -q 'rsc_location.*cli-prefer-db' %s && grep -q 'value=\"host-b.example\"\\|node=\"host-b.example\"' %s",
		path, path);
	assert_int_equal(system(line), 0);
	memset(&look, 0, sizeof look);
	pacemaker_look(&q, &look); /* ours is one like any other */
	is("", "", "Pacemaker's resource db was moved by hand: crm_resource --clear first");
	pacemaker_done(&p);
	snprintf(line, sizeof line, "! grep -q cli-prefer %s", path);
	assert_int_equal(system(line), 0);
	unsetenv("CIB_file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_found_by_uuid),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_asks_the_cluster),
		cmocka_unit_test(test_moves), cmocka_unit_test(test_refuses_to_move),
		cmocka_unit_test(test_always_clears), cmocka_unit_test(test_no_commands),
		cmocka_unit_test(test_child_is_bounded), cmocka_unit_test(test_real_commands)};
	return cmocka_run_group_tests(tests, commands_begin, commands_end);
}
