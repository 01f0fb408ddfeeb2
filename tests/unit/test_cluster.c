/* SPDX-License-Identifier: MIT */
/* A Pacemaker cluster that decides about moves: its configuration and crm_simulate's answers, as they were
 * recorded from one of two nodes (Pacemaker 2.1.5), are read, edited and written by commands that are
 * stand-ins here; where the real ones are installed they work on a configuration in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/host/cluster_xml.h"
#include "support/commands.h"

#define DATA "tests/unit/data/pacemaker/"

static struct cluster c;
static struct err e;
static const struct cluster_mark mark = {.node = 1, .pid = 77, .start = 88, .until_s = 1900000000};

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, 100000);
	assert_non_null(text);
	assert_true(fread(text, 1, 99999, f) > 0);
	fclose(f);
	return text;
}

/* The text with one part of it replaced. */
static char *but(char *text, const char *part, const char *by)
{
	char *out = calloc(1, 200000), *at = strstr(text, part);
	assert_non_null(out);
	assert_non_null(at);
	snprintf(out, 200000, "%.*s%s%s", (int)(at - text), text, by, at + strlen(part));
	free(text);
	return out;
}

static void read_texts(char *cib, char *simulated)
{
	cluster_done(&c);
	memset(&e, 0, sizeof e);
	int rc = cluster_read(&c, cib, simulated, &e);
	free(cib);
	free(simulated);
	if (rc < 0)
		fail_msg("%s", e.msg);
}

static int end(void **state)
{
	cluster_done(&c);
	return commands_end(state);
}

/* ---- reading ---- */

/* As long as a migration is under way nothing is to be changed. */
static void test_who_is_moving(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"nodes_running_on=\"1\"", "nodes_running_on=\"1\" pending=\"Migrating\""},
		{"nodes_running_on=\"1\"", "nodes_running_on=\"1\" pending=\"Stopping\""},
		{"nodes_running_on=\"1\"", "nodes_running_on=\"2\""},
		{"nodes_running_on=\"1\"", "nodes_running_on=\"1\" pending=\"Monitoring\""},
		{"nodes_running_on=\"1\"", "nodes_running_on=\"0\""}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		read_texts(slurp(DATA "cib.xml"), but(slurp(DATA "look.xml"), rows[i][0], rows[i][1]));
		assert_int_equal(c.guests[0].moving, i < 3);
		assert_false(c.guests[1].moving);
	}
}

static void test_reads(void **state)
{
	(void)state;
	read_texts(slurp(DATA "cib.xml"), slurp(DATA "look.xml"));
	assert_string_equal(c.stop, "");
	assert_string_equal(c.strategy, "utilization");
	assert_int_equal(c.n_nodes, 2);
	assert_string_equal(c.nodes[1].name, "host2");
	assert_string_equal(c.nodes[1].id, "2");
	assert_int_equal(c.n_guests, 2);
	assert_string_equal(c.guests[1].resource, "vm-c2");
	assert_string_equal(c.guests[1].vm, "c2");
	assert_int_equal(c.guests[1].node, 0);
	assert_string_equal(c.guests[1].why, "");
	assert_int_equal(c.n_marks, 0);
	assert_int_equal(c.does.n, 0);
}

static void stops(char *cib, char *simulated, const char *why)
{
	read_texts(cib, simulated);
	assert_string_equal(c.stop, why);
}

static void test_stops(void **state)
{
	(void)state;
	stops(but(slurp(DATA "cib.xml"), "have-quorum=\"1\"", "have-quorum=\"0\""), slurp(DATA "look.xml"),
		"the cluster has no quorum");
	stops(but(slurp(DATA "cib.xml"), "have-quorum=\"1\"", ""), slurp(DATA "look.xml"),
		"the cluster has no quorum");
	stops(but(slurp(DATA "cib.xml"), "dc-uuid=\"2\"", ""), slurp(DATA "look.xml"),
		"the cluster has no DC");
	stops(but(slurp(DATA "cib.xml"), "name=\"stonith-enabled\" value=\"false\"",
		      "name=\"maintenance-mode\" value=\"true\""),
		slurp(DATA "look.xml"), "Pacemaker is in maintenance mode");
	stops(slurp(DATA "cib.xml"), slurp(DATA "standby.xml"), "node host2 is standby");
	stops(slurp(DATA "cib.xml"), but(slurp(DATA "look.xml"), "unclean=\"false\"", "unclean=\"true\""),
		"node host1 is unclean");
	stops(slurp(DATA "cib.xml"), but(slurp(DATA "look.xml"), "online=\"true\"", "online=\"false\""),
		"node host1 is offline");
	stops(slurp(DATA "cib.xml"),
		but(slurp(DATA "look.xml"), "<node name=\"host1\" id=\"1\" online", "<gone x"),
		"crm_simulate does not tell of every node");
	read_texts(
		but(slurp(DATA "cib.xml"), "placement-strategy", "something-else"), slurp(DATA "look.xml"));
	assert_string_equal(c.strategy, "default");
}

static void test_leaves_guests_alone(void **state)
{
	(void)state;
	read_texts(but(slurp(DATA "cib.xml"), "name=\"allow-migrate\" value=\"true\"",
			   "name=\"allow-migrate\" value=\"no\""),
		slurp(DATA "look.xml"));
	assert_string_equal(c.guests[0].why, "would be stopped and started: allow-migrate is not set");
	assert_string_equal(c.guests[1].why, "");
	read_texts(
		slurp(DATA "cib.xml"), but(slurp(DATA "look.xml"), "managed=\"true\"", "managed=\"false\""));
	assert_string_equal(c.guests[0].why, "has failed, is blocked or not managed");
	read_texts(slurp(DATA "cib.xml"),
		but(slurp(DATA "look.xml"), "nodes_running_on=\"1\"", "nodes_running_on=\"2\""));
	assert_string_equal(c.guests[0].why, "does not run on one node");
	read_texts(but(slurp(DATA "cib.xml"), "<primitive id=\"vm-c1\"", "<primitive id=\"-rf\""),
		slurp(DATA "look.xml"));
	assert_int_equal(c.n_guests, 1); /* a name that is no plain word is nobody's */
}

static void actions(const char *file, size_t n, const char *what, const char *from, const char *to)
{
	struct cluster_actions a = {.list = NULL};
	char *text = slurp(file);
	memset(&e, 0, sizeof e);
	assert_int_equal(cluster_read_actions(&a, text, &e), 0);
	assert_int_equal(a.n, n);
	if (n) {
		assert_string_equal(a.list[n - 1].what, what);
		assert_string_equal(a.list[n - 1].resource, "vm-c2");
		assert_string_equal(a.list[n - 1].from, from);
		assert_string_equal(a.list[n - 1].to, to);
	}
	cluster_actions_done(&a);
	free(text);
}

static void test_actions(void **state)
{
	(void)state;
	struct cluster_actions a = {.list = NULL};
	actions(DATA "migrate.xml", 1, "migrate", "host1", "host2");
	actions(DATA "stop.xml", 2, "stop", "host1", "");
	actions(DATA "after.xml", 0, "", "", "");
	/* What is not told whole is not believed. */
	const char *const bad[] = {"", "no XML", "<pacemaker-result/>",
		"<pacemaker-result><actions/></pacemaker-result>",
		"<pacemaker-result><actions/><status code='1'/></pacemaker-result>",
		"<!DOCTYPE x [<!ENTITY y 'z'>]><pacemaker-result><actions/><status code='0'/></pacemaker-result>"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(cluster_read_actions(&a, bad[i], &e), -1);
	/* Fencing is no resource's. */
	assert_int_equal(
		cluster_read_actions(&a,
			"<pacemaker-result><actions><node_action task='Fence' node='host2'/></actions>"
			"<status code='0'/></pacemaker-result>",
			&e),
		0);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.list[0].what, "node_action");
	assert_string_equal(a.list[0].resource, "");
	cluster_actions_done(&a);
}

/* ---- editing ---- */

static void test_edits(void **state)
{
	(void)state;
	struct cluster_load nodes[2] = {{95, 4096}, {90, 2048}}, guests[2] = {{60, 64}, {-1, 0}};
	struct cluster_demand d = {nodes, guests};
	char *cib = slurp(DATA "cib.xml");
	read_texts(slurp(DATA "cib.xml"), slurp(DATA "look.xml"));
	char *edited = cluster_with(cib, &c, &d, &mark, &e);
	assert_non_null(edited);
	assert_int_equal(cluster_written(edited, &mark), 3);
	assert_non_null(strstr(edited, "epoch=\"32\" num_updates=\"0\""));
	assert_non_null(strstr(edited,
		"<utilization id=\"vmtop-set.guest.vm-c1\"><rule id=\"vmtop-rule.guest.vm-c1\" score=\"INFINITY\" "
		"boolean-op=\"and\"><date_expression id=\"vmtop-until.1.77.88.guest.vm-c1\" operation=\"lt\" "
		"end=\"2030-03-17T17:46:40Z\"/></rule><nvpair id=\"vmtop-cpu.guest.vm-c1\" name=\"vmtop_cpu\" "
		"value=\"60\"/><nvpair id=\"vmtop-memory.guest.vm-c1\" name=\"vmtop_memory\" value=\"64\"/>"));
	assert_null(strstr(edited, "vmtop-set.guest.vm-c2"));
	char *bare = cluster_without(edited, &e);
	assert_non_null(bare);
	assert_null(strstr(bare, "vmtop"));
	assert_int_equal(cluster_written(bare, &mark), 0);
	free(bare);
	free(edited);
	free(cib);
}

static void test_marks(void **state)
{
	(void)state;
	read_texts(slurp(DATA "marked.xml"), slurp(DATA "migrate.xml"));
	assert_int_equal(c.n_marks, 1);
	assert_int_equal(c.marks[0].node, 1);
	assert_int_equal(c.marks[0].pid, 77);
	assert_int_equal(c.marks[0].start, 88);
	assert_int_equal(c.marks[0].until_s, 2111695200);
	/* Of the administrator's own sets nothing is taken away. */
	char *text = but(slurp(DATA "marked.xml"), "vmtop-until.1.77.88.vm-c1", "mine"),
	     *bare = cluster_without(text, &e);
	assert_non_null(bare);
	assert_non_null(strstr(bare, "<date_expression id=\"mine\""));
	assert_null(strstr(bare, "vmtop-until"));
	free(bare);
	free(text);
	struct cluster_self self = {.mark = {.node = 1, .pid = getpid()}};
	assert_true(cluster_left_over(&c.marks[0], &self, 0)); /* its process does not live, */
	self.mark.node = 2;
	assert_false(cluster_left_over(&c.marks[0], &self, 0));         /* or is another node's, */
	assert_true(cluster_left_over(&c.marks[0], &self, 2111695200)); /* until it ends */
}

/* ---- commands ---- */

/* What the stand-ins were called with, one call a line. */
static const char *calls(void)
{
	return commands_left("calls");
}

static void stand_ins(const char *cibadmin, const char *crm_simulate)
{
	char cwd[2048], path[3000];
	assert_non_null(getcwd(cwd, sizeof cwd));
	commands_put("cibadmin", cibadmin);
	commands_put("crm_simulate", crm_simulate);
	commands_put("crm_diff",
		"#!/bin/sh\necho \"$(basename $0) $1 $3\" >>$CALLS_DIR/calls\necho '<diff></diff>'; exit 1\n");
	commands_put("crm_node", "#!/bin/sh\n[ $1 = --name ] && echo host1 || echo 1\n");
	commands_put("calls", "");
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", commands_dir());
	setenv("PATH", path, 1);
	setenv("CALLS_DIR", commands_dir(), 1);
	setenv("DATA_DIR", cwd, 1);
}

static const char cib_says
	[] = "#!/bin/sh\necho \"$(basename $0) $1\" >>$CALLS_DIR/calls\necho 'warning: of no account' >&2\n"
	     "[ $1 = --query ] && exec cat $DATA_DIR/" DATA "cib.xml\nexit 0\n",
	simulate_says[] =
		"#!/bin/sh\nfor w; do case $w in\n--output-to=*) out=${w#*=} ;;\n--save-output=*) save=${w#*=} ;;\n"
		"esac; done\nif [ -n \"$save\" ]; then cat $DATA_DIR/" DATA
		"migrate.xml >$out; cat $2 >$save\n"
		"echo try $(grep -o vmtop-set $2 | wc -l) >>$CALLS_DIR/calls\n"
		"else cat $DATA_DIR/" DATA
		"look.xml >$out; echo look $(grep -o vmtop-set $2 | wc -l) >>$CALLS_DIR/calls; fi\n";

static void test_commands(void **state)
{
	(void)state;
	struct cluster_self self;
	struct cluster_trial t = {.does = {.list = NULL}};
	struct cluster_load nodes[2] = {{95, 4096}, {90, 2048}}, guests[2] = {{60, 64}, {60, 64}};
	struct cluster_demand d = {nodes, guests};
	stand_ins(cib_says, simulate_says);
	assert_int_equal(cluster_self(&self, &e), 0);
	assert_string_equal(self.node, "host1");
	assert_int_equal(self.mark.node, 1);
	assert_int_equal(self.mark.pid, getpid());
	assert_int_equal(cluster_look(&c, &self, 1000, &e), 0);
	assert_int_equal(c.n_guests, 2);
	commands_put("calls", "");
	assert_int_equal(cluster_try(&c, &self, &d, 1000, &t, &e), 0);
	assert_int_equal(t.does.n, 1);
	assert_int_equal(t.after.n, 0);
	cluster_trial_done(&t);
	assert_string_equal(calls(), "try 4\nlook 0\n"); /* nothing was written, and without it tried again */
	commands_put("calls", "");
	assert_int_equal(cluster_write(&c, &self, &d, 1000, &e), 0);
	assert_string_equal(calls(), "crm_diff --original --new\ncibadmin --patch\n");
	commands_put("calls", "");
	assert_int_equal(cluster_clear(&self.mark, &e), 0);
	assert_string_equal(calls(), "cibadmin --query\n"); /* there is nothing of ours */
}

static void test_clears(void **state)
{
	(void)state;
	stand_ins("#!/bin/sh\necho \"$*\" >>$CALLS_DIR/calls\n[ $1 = --query ] && exec cat $DATA_DIR/" DATA
		  "marked.xml\nexit 0\n",
		simulate_says);
	assert_int_equal(cluster_clear(&mark, &e), 0);
	assert_string_equal(calls(),
		"--query\n--delete-all --force --xpath "
		"//utilization[rule/date_expression[starts-with(@id,'vmtop-until.1.77.88.')]]\n");
	struct cluster_mark other = {.node = 2, .pid = 77, .start = 88};
	commands_put("calls", "");
	assert_int_equal(cluster_clear(&other, &e), 0);
	assert_string_equal(calls(), "--query\n");
}

/* Another vmtop is at work. */
static void test_one_writer(void **state)
{
	(void)state;
	struct cluster_self self = {.mark = {.node = 2, .pid = 1, .start = 1}};
	stand_ins("#!/bin/sh\nexec cat $DATA_DIR/" DATA "marked.xml\n", simulate_says);
	assert_int_equal(cluster_look(&c, &self, 1000, &e), 0);
	assert_string_equal(c.stop, "another vmtop steers this cluster: process 77 of node number 1");
}

static void fails(const char *cibadmin, const char *crm_simulate, enum err_code code, const char *why)
{
	struct cluster_self self = {.mark = {.node = 1, .pid = 1, .start = 1}};
	stand_ins(cibadmin, crm_simulate);
	memset(&e, 0, sizeof e);
	assert_int_equal(cluster_look(&c, &self, 1000, &e), -1);
	assert_int_equal(e.code, code);
	assert_string_equal(e.msg, why);
}

static void test_commands_fail(void **state)
{
	(void)state;
	fails("#!/bin/sh\necho 'Signon to CIB failed: no \033[1mcluster' >&2; exit 102\n", simulate_says,
		ERR_CONNECT, "cibadmin: Signon to CIB failed: no \\x1b[1mcluster");
	fails("#!/bin/sh\necho hello\n", simulate_says, ERR_CONNECT, "Pacemaker's answer has no <cib");
	fails(cib_says, "#!/bin/sh\nkill -ABRT $$\n", ERR_TIMEOUT,
		"crm_simulate was ended: it took too long, or said too much");
	fails(cib_says, "#!/bin/sh\nexit 0\n", ERR_RUNTIME, "crm_simulate says nothing");
	fails("#!/bin/sh\nexec yes\n", simulate_says, ERR_TIMEOUT,
		"cibadmin was ended: it took too long, or said too much");
	struct cluster_self self;
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(cluster_self(&self, &e), -1);
	assert_string_equal(e.msg, "crm_node cannot be started");
	commands_real();
}

/* The real ones, on a configuration in a file: what was written counts, and is gone afterwards; what has
 * changed meanwhile is not overwritten. */
static void test_real_commands(void **state)
{
	(void)state;
	struct cluster_self self = {.mark = mark};
	struct cluster_trial t = {.does = {.list = NULL}};
	struct cluster_load nodes[2] = {{95, 4096}, {90, 2048}}, guests[2] = {{60, 64}, {60, 64}};
	struct cluster_demand d = {nodes, guests};
	char path[300], line[1000];
	commands_real();
	if (system("command -v crm_simulate >/dev/null && command -v cibadmin >/dev/null && "
		   "command -v crm_diff >/dev/null") != 0)
		skip();
	snprintf(path, sizeof path, "%s/cib.xml", commands_dir());
	snprintf(line, sizeof line, "cp " DATA "cib.xml %s && chmod 666 %s", path, path);
	assert_int_equal(system(line), 0);
	setenv("CIB_file", path, 1);
	time_t now = time(NULL);
	assert_int_equal(cluster_look(&c, &self, now, &e), 0);
	assert_int_equal(cluster_try(&c, &self, &d, now, &t, &e), 0);
	assert_int_equal(t.does.n, 1);
	assert_string_equal(t.does.list[0].what, "migrate");
	assert_string_equal(t.does.list[0].resource, "vm-c2");
	assert_int_equal(t.after.n, 0);
	guests[0].cpu = guests[1].cpu = 100; /* for which no node has room */
	assert_int_equal(cluster_try(&c, &self, &d, now, &t, &e), 0);
	assert_int_equal(t.does.n, 2);
	assert_string_equal(t.does.list[0].what, "stop");
	cluster_trial_done(&t);
	guests[0].cpu = guests[1].cpu = 60;
	if (cluster_write(&c, &self, &d, now, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(cluster_write(&c, &self, &d, now, &e), -1);
	assert_int_equal(cluster_look(&c, &self, now, &e), 0);
	assert_int_equal(c.n_marks, 1);
	assert_int_equal(c.does.n, 1);
	assert_int_equal(cluster_clear(&mark, &e), 0);
	assert_int_equal(cluster_look(&c, &self, now, &e), 0);
	assert_int_equal(c.n_marks, 0);
	assert_int_equal(c.does.n, 0);
	unsetenv("CIB_file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads), cmocka_unit_test(test_who_is_moving),
		cmocka_unit_test(test_stops), cmocka_unit_test(test_leaves_guests_alone),
		cmocka_unit_test(test_actions), cmocka_unit_test(test_edits), cmocka_unit_test(test_marks),
		cmocka_unit_test(test_commands), cmocka_unit_test(test_clears),
		cmocka_unit_test(test_one_writer), cmocka_unit_test(test_commands_fail),
		cmocka_unit_test(test_real_commands)};
	return cmocka_run_group_tests(tests, commands_begin, end);
}
