/* SPDX-License-Identifier: MIT */
/* Topology from capabilities XML: numbering, gaps, hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/host/topology.h"
#include "vmtop/err.h"

static char *slurp(const char *path)
{
	static char buf[1 << 16];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(buf, 1, sizeof buf - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

static const struct topology_cpu *cpu(const struct topology *t, int id)
{
	for (size_t i = 0; i < t->n_cpus; i++)
		if (t->cpus[i].id == id)
			return &t->cpus[i];
	return NULL;
}

static void test_two_nodes_smt(void **state)
{
	(void)state;
	struct topology t = {0};
	assert_int_equal(topology_parse(&t, slurp("tests/unit/data/caps_smt2x2.xml"), NULL), 0);
	assert_int_equal(t.n_cpus, 8);
	assert_int_equal(t.n_nodes, 2);
	assert_int_equal(t.nodes[0].total_kib.v, 16777216);
	assert_int_equal(t.nodes[1].total_kib.v, 8388608);
	/* core_id repeats per socket; ours are host-wide, and siblings share one */
	assert_int_equal(cpu(&t, 0)->core, 0);
	assert_int_equal(cpu(&t, 4)->core, 0);
	assert_int_equal(cpu(&t, 1)->core, 1);
	assert_int_equal(cpu(&t, 2)->core, 2);
	assert_int_equal(cpu(&t, 6)->core, 2);
	assert_int_equal(cpu(&t, 3)->core, 3);
	assert_int_equal(cpu(&t, 2)->node, 1);
	assert_int_equal(cpu(&t, 2)->socket, 1);
	/* the last level only */
	assert_int_equal(cpu(&t, 0)->llc, 0);
	assert_int_equal(cpu(&t, 5)->llc, 0);
	assert_int_equal(cpu(&t, 6)->llc, 1);
	/* pCPU 7 is offline: no core, no cache, and that does not spoil has_llc */
	assert_int_equal(cpu(&t, 7)->core, -1);
	assert_int_equal(cpu(&t, 7)->llc, -1);
	assert_int_equal(cpu(&t, 7)->socket, -1);
	assert_true(t.has_llc);
	topology_done(&t);
}

static void test_apply(void **state)
{
	(void)state;
	struct topology t = {0};
	struct sample s;
	sample_init(&s);
	assert_int_equal(topology_parse(&t, slurp("tests/unit/data/caps_smt2x2.xml"), NULL), 0);
	sample_add_pcpu(&s, 6);
	sample_add_pcpu(&s, 900);
	topology_apply(&t, &s);
	assert_int_equal(s.host.pcpus[0].node, 1);
	assert_int_equal(s.host.pcpus[0].core, 2);
	assert_int_equal(s.host.pcpus[1].node, -1);
	assert_true(s.host.has_llc);
	assert_int_equal(s.host.n_nodes, 2);
	assert_false(vi64_has(s.host.nodes[0].free_kib));
	sample_done(&s);
	topology_done(&t);
}

static void test_without_cache(void **state)
{
	(void)state;
	struct topology t = {0};
	const char *xml =
		"<capabilities><host><topology><cells num='1'><cell id='0'><cpus num='2'>"
		"<cpu id='8' socket_id='0' core_id='3' siblings='8'/><cpu id='9' socket_id='0' core_id='4' "
		"siblings='9'/></cpus></cell></cells></topology></host></capabilities>";
	assert_int_equal(topology_parse(&t, xml, NULL), 0);
	assert_int_equal(t.n_cpus, 2);
	assert_int_equal(t.cpus[0].core, 0);
	assert_int_equal(t.cpus[1].core, 1);
	assert_int_equal(t.cpus[0].llc, -1);
	assert_false(t.has_llc);
	assert_false(vi64_has(t.nodes[0].total_kib));
	topology_done(&t);
}

static void test_hostile(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "<", "<domain/>", "<capabilities><host></capabilities>"};
	struct topology t = {.n_cpus = 0, .n_nodes = 42};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = ERR_INIT;
		assert_int_equal(topology_parse(&t, bad[i], &e), -1);
		assert_int_equal(e.code, ERR_RUNTIME);
		assert_int_equal(t.n_nodes, 42);
	}
	t.n_nodes = 0;
	const char *odd =
		"<capabilities><host><topology><cells><cell id='-1'><memory unit='XiB'>1</memory><cpus>"
		"<cpu id='99999999999'/><cpu id='-3'/><cpu/><cpu id='1' siblings='5000'/><cpu id='1' "
		"siblings='1-2'/>"
		"</cpus></cell><cell "
		"id='700'><memory>99999999999999999999</memory></cell></cells></topology><cache>"
		"<bank level='900' cpus='1'/><bank level='3' cpus='x'/><bank "
		"level='3'/></cache></host></capabilities>";
	assert_int_equal(topology_parse(&t, odd, NULL), 0);
	assert_int_equal(t.n_cpus, 1);
	assert_int_equal(t.cpus[0].id, 1);
	assert_int_equal(t.cpus[0].llc, -1);
	assert_int_equal(t.n_nodes, 0);
	topology_done(&t);
	assert_int_equal(topology_parse(&t, "<capabilities/>", NULL), 0);
	assert_int_equal(t.n_cpus, 0);
	topology_done(&t);
}

static void test_no_entities(void **state)
{
	(void)state;
	struct topology t = {0};
	/* an external entity is not read, an internal one is not multiplied */
	const char *xml = "<!DOCTYPE c [<!ENTITY a SYSTEM "
			  "'file:///etc/hostname'>]><capabilities><host><topology><cells>"
			  "<cell id='0'><memory>&a;</memory></cell></cells></topology></host></capabilities>";
	topology_parse(&t, xml, NULL);
	for (size_t i = 0; i < t.n_nodes; i++)
		assert_false(vi64_has(t.nodes[i].total_kib));
	topology_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_nodes_smt),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_without_cache),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_no_entities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
