/* SPDX-License-Identifier: MIT */
/* Scenario text: what is right is read, what is wrong is refused with the line, what was found, what was
 * expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/sim/scenario_text.h"
#include "vmtop/backend.h"
#include "vmtop/scenario.h"

static struct scenario *good(const char *text)
{
	struct err e = ERR_INIT;
	struct scenario *s = scenario_parse("t", text, strlen(text), &e);
	if (!s)
		fail_msg("%s", e.msg);
	return s;
}

static void bad(const char *text, const char *message)
{
	struct err e = ERR_INIT;
	struct scenario *s = scenario_parse("t.scn", text, strlen(text), &e);
	assert_null(s);
	assert_int_equal(e.code, ERR_USAGE);
	assert_null(strchr(e.msg, '\n'));
	if (strncmp(e.msg, message, strlen(message)) != 0)
		fail_msg("got \"%s\", expected \"%s\"", e.msg, message);
}

static void test_host(void **state)
{
	(void)state;
	struct scenario *s =
		good("title a small host # comment\nhost\n  pcpus 0-3,8-11\n nodes 2\n smt 2\n llc 4\n"
		     " memory 8G\n used 512M\n offline 3\n isolated 11\n");
	assert_string_equal(s->title, "a small host");
	assert_int_equal(s->n_pcpus, 8);
	assert_int_equal(s->pcpus[4].id, 8);
	assert_int_equal(s->pcpus[4].node, 1);
	assert_int_equal(s->pcpus[4].core, 2);
	assert_int_equal(s->pcpus[5].core, 2);
	assert_int_equal(s->pcpus[4].llc, 1);
	assert_true(s->pcpus[3].offline && s->pcpus[7].isolated && !s->pcpus[0].offline);
	assert_int_equal(s->total_kib, 8 << 20);
	assert_int_equal(s->node_total_kib[1], 4 << 20);
	assert_true(s->has_llc);
	scenario_free(s);
}

static void test_siblings_apart(void **state)
{
	(void)state;
	struct scenario *s = good("host\n pcpus 8\n smt 2 apart\n nodes 2\n");
	assert_int_equal(s->pcpus[1].core, s->pcpus[5].core);
	assert_int_equal(s->pcpus[1].node, 0);
	assert_int_equal(s->pcpus[5].node, 0);
	assert_int_equal(s->pcpus[7].node, 1);
	assert_false(s->has_llc);
	scenario_free(s);
}

static void test_vms(void **state)
{
	(void)state;
	struct scenario *s = good(
		"vm web x3\n vcpus 2\n load square 80% 10% every 30s for 10s open noise 5%\n load vcpu 1 5%\n"
		" pin each 0-3\n memory 512M max 2G\n eat 16-21M/s to 1900M hold 10s\nvm \"odd \\x1b "
		"name\"\n");
	assert_int_equal(s->n_vms, 4);
	assert_string_equal(s->vms[2].name, "web-3");
	assert_int_equal(s->vms[2].rank, 2);
	assert_int_equal(cpuset_count(&s->vms[2].vcpu_ids), 2);
	assert_int_equal(s->vms[2].n_loads, 2);
	const struct curve *c = &s->curves[s->vms[2].loads[0].index];
	assert_int_equal(c->kind, CURVE_SQUARE);
	assert_true(c->open && c->on_ns == 10000000000 && c->noise == .05);
	assert_int_equal(s->vms[0].eat.rate_lo_kib_s, 16 * 1024);
	assert_int_equal(s->vms[0].eat.rate_hi_kib_s, 21 * 1024);
	assert_int_equal(s->vms[0].max_kib, 2 << 20);
	assert_string_equal(s->vms[3].name, "odd \x1b name");
	assert_int_not_equal(uuid_compare(s->vms[0].uuid, s->vms[1].uuid), 0);
	scenario_free(s);
}

static void test_events_by_time(void **state)
{
	(void)state;
	struct scenario *s = good("vm a\nat 5s stop a\nat 2s every 10s reboot a\nat 5s start a\n");
	assert_int_equal(s->ev[0].kind, EV_REBOOT);
	assert_int_equal(s->ev[1].kind, EV_STOP);
	assert_int_equal(s->ev[2].kind, EV_START);
	scenario_free(s);
}

static void test_errors(void **state)
{
	(void)state;
	bad("vm a\n load lots\n",
		"t.scn:2: \"lots\" is not a share of a pCPU (like 50%); expected: load [vcpu N] CURVE");
	bad("vm a\n load 120%\n", "t.scn:2: \"120%\" is out of range");
	bad("vm a\n laod 5%\n", "t.scn:2: unknown word \"laod\"; known in a vm block: vcpus load");
	bad("pcpus 4\n", "t.scn:1: unknown word \"pcpus\"; known outside a block: title");
	bad("host\n pcpus 0\n", "t.scn:2: \"0\" is not a whole number from 1 to 1024");
	bad("host\n pcpus 3-1\n", "t.scn:2: not a CPU list");
	bad("host\n offline 9\n", "t.scn:2: the host has no pCPU 9");
	bad("host\n offline 0-3\n", "t.scn: all pCPUs of \"host\" are offline or isolated");
	bad("vm a\n pin 7\n", "t.scn: VM \"a\" is put on a pCPU that the host does not have");
	bad("vm a\nvm a\n", "t.scn: VM \"a\" is there twice");
	bad("vm a\nat 3s stop b\n", "t.scn: an event names \"b\" and no VM fits");
	bad("vm a\nat soon stop a\n", "t.scn:2: \"soon\" is not a time (like 500ms, 10s, 5min, 2h)");
	bad("vm a\nat 1s explode a\n",
		"t.scn:2: unknown word \"explode\"; known after `at TIME`: start stop");
	bad("vm a\n memory 2G max 1G\n", "t.scn:2: the maximum is below the size");
	bad("vm a\n base 600M\n", "t.scn: VM \"a\" uses more memory from the start (base)");
	bad("vm a\n eat 20M/s\n", "t.scn:2: neither \"to SIZE\" nor \"for TIME\" says when it stops eating");
	bad("vm a\n node 1\n", "t.scn: VM \"a\" is put on a NUMA node that the host does not have");
	bad("vm \"a\n", "t.scn:1: a quote is not closed");
	bad("vm a\n load 5% 6%\n", "t.scn:2: \"6%\" is too much");
	bad("vm a\n load square 5% 6% every 10ms\n", "t.scn:2: a period below 200ms cannot be simulated");
	bad("vm a\n load steps 5s:1% 4s:2%\n",
		"t.scn:2: the step \"4s:2%\" is not later than the one before");
	bad("seed 1\nvm \x1b[31m\x07 q\n", "t.scn:2: \"q\" is not a count; expected: vm NAME");
}

static void test_bounds(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	bad("vm a x10001\n", "t.scn:1: \"10001\" is not a whole number from 1 to 10000");
	bad("vm a x10000\n vcpus 3\n", "t.scn: VM \"a-6667\" exceeds the bound of 20000 vCPUs");
	bad("vm a\n vcpus 1e300\n", "t.scn:2: \"1e300\" is not a whole number");
	bad("vm a\n load nan\n", "t.scn:2: \"nan\" is not a share");
	bad("vm a\n start 99999999h\n", "t.scn:2: \"99999999h\" is out of range");
	char *big = calloc(1, SCN_BYTES + 1);
	assert_non_null(big);
	memset(big, '#', SCN_BYTES + 1);
	assert_null(scenario_parse("big", big, SCN_BYTES + 1, &e));
	assert_string_equal(e.msg, "big: larger than 1048576 bytes");
	assert_null(scenario_parse("long", big, 10000, &e));
	assert_string_equal(e.msg, "long:1: line of 10000 bytes, at most 8191 are read");
	assert_null(scenario_parse("zero", "vm a\0b", 6, &e));
	assert_string_equal(e.msg, "zero:1: a zero byte; this is not a text file");
	free(big);
}

/* Every text, cut anywhere and with any byte changed, is read or refused; sanitizers watch. */
static void test_damaged_text(void **state)
{
	(void)state;
	char copy[16384];
	size_t len;
	for (size_t i = 0; scenario_name(i); i++) {
		const char *text = scenario_text(i, &len);
		for (size_t k = 0; k < len && len < sizeof copy; k += 7) {
			struct err e = ERR_INIT;
			memcpy(copy, text, len);
			copy[k] = (char)(k * 37 + 11);
			struct scenario *s = scenario_parse("d", copy, len - k / 3, &e);
			assert_true(s != NULL || e.code == ERR_USAGE);
			scenario_free(s);
		}
	}
}

static void test_shipped(void **state)
{
	(void)state;
	size_t n = 0;
	for (; scenario_name(n); n++) {
		struct err e = ERR_INIT;
		struct scenario *s = scenario_open(scenario_name(n), &e);
		if (!s)
			fail_msg("%s", e.msg);
		assert_true(s->title[0] != '\0');
		struct backend *b = backend_sim_new(s, true, &e);
		assert_non_null(b);
		b->ops->close(b);
	}
	assert_true(n >= 13);
}

static void test_unknown_name(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	assert_null(scenario_open("cpu99", &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.msg, "no scenario \"cpu99\"; there are big512 churn cpu1 cpu2"));
	assert_null(scenario_open("/no/such/file.scn", &e));
	assert_string_equal(e.msg, "/no/such/file.scn: cannot be read: No such file or directory");
	assert_null(scenario_open("/dev/null", &e));
	assert_string_equal(e.msg, "/dev/null: cannot be read: not a file");
}

static char *manual(void)
{
	FILE *f = fopen("man/vmtop-scenario.5.in", "r");
	assert_non_null(f);
	char *text = calloc(1, 65536);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 1000);
	fclose(f);
	return text;
}

/* Every statement has an entry in its section of the manual, and there is no entry without a statement. */
static void check_section(const char *text, const char *section, const struct statement *table)
{
	char head[64], entry[64];
	size_t n = 0, entries = 0;
	snprintf(head, sizeof head, "\n.Sh %s\n", section);
	const char *from = strstr(text, head);
	assert_non_null(from);
	const char *to = strstr(from + strlen(head), "\n.Sh ");
	assert_non_null(to);
	for (; table[n].word; n++) {
		snprintf(entry, sizeof entry, "\n.It Ic %s", table[n].word);
		const char *at = strstr(from, entry); /* not a longer word that begins so */
		while (at && !strchr(" \n", at[strlen(entry)]))
			at = strstr(at + 1, entry);
		if (!at || at > to)
			fail_msg("%s: no entry for \"%s\"", section, table[n].word);
	}
	for (const char *p = from; (p = strstr(p, "\n.It Ic ")) != NULL && p < to; p++)
		entries++;
	assert_int_equal(entries, n);
}

static void test_manual(void **state)
{
	(void)state;
	char *text = manual();
	check_section(text, "WORDS THAT STAND ALONE", scenario_top_statements);
	check_section(text, "HOST", scenario_host_statements);
	check_section(text, "VIRTUAL MACHINES", scenario_vm_statements);
	check_section(text, "EVENTS", scenario_event_statements);
	const char *shipped = strstr(text, "\n.Sh SHIPPED SCENARIOS\n");
	assert_non_null(shipped);
	for (size_t i = 0; scenario_name(i); i++) {
		bool numbered =
			strncmp(scenario_name(i), "cpu", 3) == 0 || strncmp(scenario_name(i), "mem", 3) == 0;
		if (!strstr(shipped, scenario_name(i)) && !numbered)
			fail_msg("the manual does not name the scenario %s", scenario_name(i));
	}
	free(text);
}

/* The examples of the manual are scenarios. */
static void test_manual_examples(void **state)
{
	(void)state;
	char *text = manual();
	size_t n = 0;
	for (char *p = text; (p = strstr(p, "\n.Bd -literal")) != NULL; n++) {
		char *from = strchr(p + 1, '\n') + 1, *to = strstr(from, ".Ed");
		struct err e = ERR_INIT;
		struct scenario *s = scenario_parse("manual", from, (size_t)(to - from), &e);
		if (!s)
			fail_msg("%s", e.msg);
		scenario_free(s);
		p = to;
	}
	assert_int_equal(n, 2);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_siblings_apart),
		cmocka_unit_test(test_vms),
		cmocka_unit_test(test_events_by_time),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_damaged_text),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_unknown_name),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
