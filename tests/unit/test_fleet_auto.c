/* SPDX-License-Identifier: MIT */
/* What Pacemaker is told of demand and capacity, when, and what of its answers is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/fleet_auto.h"

enum { GIB = 1 << 20 };

static struct fleet *fleet;
static struct fleet_proposal p;
static struct cluster c;
static struct cluster_node nodes[3];
static struct cluster_guest guests[8];
static struct config cfg;
static struct fleet_auto a;
static char buf[2000];

static struct fleet_host *host(const char *name, int pcpus, double load_pct)
{
	struct fleet_host *h = fleet_add_host(fleet);
	assert_non_null(h);
	snprintf(h->name, sizeof h->name, "%s", name);
	h->load_pct = vf64_ok(load_pct);
	h->pcpus = vi64_ok(pcpus);
	h->total_kib = vi64_ok(32 * GIB);
	snprintf(h->memory, sizeof h->memory, "ok");
	snprintf(nodes[c.n_nodes].name, CLUSTER_NAME, "%s", name);
	snprintf(nodes[c.n_nodes].id, CLUSTER_NAME, "%zu", c.n_nodes + 1);
	c.n_nodes++;
	return h;
}

static struct fleet_vm *vm(const char *name, double cpu_pct, double wait_pct)
{
	struct fleet_vm *x = fleet_add_vm(fleet);
	struct cluster_guest *g = &guests[c.n_guests++];
	assert_non_null(x);
	snprintf(x->name, sizeof x->name, "%s", name);
	snprintf(x->state, sizeof x->state, "running");
	x->cpu_pct = vf64_ok(cpu_pct);
	x->wait_pct = vf64_ok(wait_pct);
	x->balloon_kib = vi64_ok(GIB);
	snprintf(g->resource, sizeof g->resource, "vm-%s", name);
	snprintf(g->vm, sizeof g->vm, "%s", name);
	g->node = c.n_nodes - 1;
	return x;
}

/* Four guests of 0.6 pCPUs on two; one guest on the other host. */
static int begin(void **state)
{
	(void)state;
	static const char *const names[] = {"a", "b", "c", "d"};
	fleet = fleet_new();
	assert_non_null(fleet);
	c = (struct cluster){.nodes = nodes, .guests = guests, .strategy = "utilization", .version = "0.1"};
	memset(guests, 0, sizeof guests);
	memset(&cfg, 0, sizeof cfg);
	host("kvm1", 2, 100);
	for (int i = 0; i < 4; i++)
		vm(names[i], 50, 11);
	host("kvm2", 2, 30);
	vm("e", 30, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fleet_auto_done(&a);
	fleet_proposal_done(&p);
	fleet_free(fleet);
	return 0;
}

static void make(void)
{
	fleet_auto_done(&a);
	assert_int_equal(fleet_propose(fleet, &p), 0);
	assert_int_equal(fleet_auto_make(&a, fleet, &p, &c, &cfg), 0);
}

static void test_numbers(void **state)
{
	(void)state;
	make();
	assert_int_equal(a.n_given, 5);
	assert_int_equal(a.n_over, 1);
	assert_true(a.over[0] && !a.over[1]);
	assert_int_equal(a.demand.guests[0].cpu, 60); /* 0.61 pCPUs */
	assert_int_equal(a.demand.guests[0].mem_mib, 1024);
	assert_int_equal(a.demand.guests[4].cpu, 30);
	assert_int_equal(a.demand.nodes[0].cpu, 190);                              /* 95 % of two */
	assert_true(a.demand.nodes[1].cpu >= 155 && a.demand.nodes[1].cpu <= 190); /* its own load is off */
	assert_int_equal(a.demand.nodes[1].mem_mib, 30720);
}

/* A host where nobody waits keeps whom it has, whatever rounding and peaks say. */
static void test_nobody_leaves_who_does_not_wait(void **state)
{
	(void)state;
	fleet->vms[4].cpu_pct = vf64_ok(188);
	fleet->vms[4].peak_pct = vf64_ok(200);
	fleet->hosts[1].load_pct = vf64_ok(95);
	make();
	assert_false(a.over[1]);
	assert_int_equal(a.demand.guests[4].cpu, 190);
	assert_int_equal(a.demand.nodes[1].cpu, 190);
	/* Nobody waits at all: no host is to be relieved. */
	for (int i = 0; i < 4; i++) {
		fleet->vms[i].cpu_pct = vf64_ok(40);
		fleet->vms[i].wait_pct = vf64_ok(0);
	}
	fleet->hosts[0].load_pct = vf64_ok(80);
	make();
	assert_int_equal(a.n_over, 0);
	assert_true(a.demand.nodes[0].cpu >= 160);
}

/* Who is over by less than a step is seen to be over. */
static void test_over_is_seen(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		fleet->vms[i].wait_pct = vf64_ok(-2.4); /* 1.904 of 1.9 */
	make();
	long sum = 0;
	for (int i = 0; i < 4; i++)
		sum += a.demand.guests[i].cpu;
	assert_true(a.over[0]);
	assert_true(a.demand.nodes[0].cpu < sum);
}

static void left(size_t i, const char *why)
{
	make();
	assert_true(fleet_auto_left(&a, i, buf, sizeof buf));
	assert_string_equal(buf, why);
	for (size_t k = 0; k < c.n_guests; k++)
		if (strcmp(c.guests[k].vm, fleet->vms[i].name) == 0)
			assert_true(a.demand.guests[k].cpu < 0);
	assert_int_equal(a.n_given, 4);
}

static void test_left_alone(void **state)
{
	(void)state;
	make();
	assert_false(fleet_auto_left(&a, 0, buf, sizeof buf));
	snprintf(fleet->vms[0].stays, sizeof fleet->vms[0].stays, "OpenStack's");
	left(0, "a is left alone: OpenStack's");
	/* What it uses is the host's own load then. */
	assert_int_equal(a.demand.nodes[0].cpu, 125);
	fleet->vms[0].stays[0] = '\0';
	snprintf(c.guests[0].why, sizeof c.guests[0].why, "is in maintenance, or not managed");
	left(0, "a is left alone: is in maintenance, or not managed");
	c.guests[0].why[0] = '\0';
	c.guests[0].node = 1; /* it migrates just now */
	left(0, "a is left alone: not where Pacemaker has it");
	c.guests[0].node = 0;
	snprintf(fleet->vms[0].state, sizeof fleet->vms[0].state, "paused");
	left(0, "a is left alone: not running, or too little is known of it");
	snprintf(fleet->vms[0].state, sizeof fleet->vms[0].state, "running");
	cfg.n_patterns = 1;
	snprintf(cfg.patterns[0], sizeof cfg.patterns[0], "[b-e]");
	left(0, "a is left alone: not among the VMs that vmtop may steer (steer of the config)");
	cfg.n_patterns = 0;
	c.guests[0].has_uuid = true;
	memset(c.guests[0].uuid, 7, UUID_BYTES); /* of the same name, and another one */
	left(0, "a is left alone: no resource of Pacemaker: vmtop fleet --plan --carry-out moves it");
}

static void test_unfit(void **state)
{
	(void)state;
	make();
	assert_false(fleet_auto_unfit(&a, buf, sizeof buf));
	snprintf(nodes[1].name, sizeof nodes[1].name, "kvm2.example.org"); /* the same */
	make();
	assert_false(fleet_auto_unfit(&a, buf, sizeof buf));
	snprintf(nodes[1].name, sizeof nodes[1].name, "kvm3");
	make();
	assert_true(fleet_auto_unfit(&a, buf, sizeof buf));
	assert_string_equal(buf,
		"host 'kvm2' is no node of the cluster (of 2, the first is kvm1): name hosts as the "
		"cluster does, NODE=URI");
	snprintf(nodes[1].name, sizeof nodes[1].name, "kvm2");
	snprintf(c.strategy, sizeof c.strategy, "default");
	make();
	assert_true(fleet_auto_unfit(&a, buf, sizeof buf));
	assert_non_null(strstr(buf, "--name placement-strategy --update utilization"));
}

/* ---- refusals ---- */

static void answer(struct cluster_actions *to, const char *what, const char *resource, const char *from,
	const char *into)
{
	static struct cluster_action list[2];
	struct cluster_action *x = &list[to->n];
	snprintf(x->what, sizeof x->what, "%s", what);
	snprintf(x->resource, sizeof x->resource, "%s", resource);
	snprintf(x->from, sizeof x->from, "%s", from);
	snprintf(x->to, sizeof x->to, "%s", into);
	to->list = list;
	to->n++;
}

static void refused(struct cluster_trial t, const char *why)
{
	make();
	assert_true(fleet_auto_refuses(&a, &t, buf, sizeof buf));
	assert_string_equal(buf, why);
}

static void test_refusals(void **state)
{
	(void)state;
	struct cluster_trial t = {.does = {.list = NULL}}, good = t, bad = t;
	refused(t, "Pacemaker would move nobody");
	answer(&t.does, "stop", "vm-a", "kvm1", "");
	refused(t,
		"Pacemaker would also stop vm-a (a): kvm1: it wants 60 % of a pCPU, and of the other nodes kvm2 "
		"has most left, 130 %; it does 30 % itself and keeps 0 % for peaks");
	t.does.n = 0;
	answer(&t.does, "move", "vm-a", "kvm1", "kvm2");
	refused(t, "Pacemaker would also move vm-a (a): kvm1 -> kvm2");
	t.does.n = 0;
	answer(&t.does, "node_action", "", "", "");
	refused(t, "Pacemaker would also node_action something");
	t.does.n = 0;
	answer(&t.does, "migrate", "vm-e", "kvm2", "kvm1"); /* away from where nobody waits */
	refused(t, "Pacemaker would also migrate vm-e (e): kvm2 -> kvm1");
	t.does.n = 0;
	answer(&t.does, "migrate", "database", "kvm1", "kvm2"); /* none that vmtop gave demand */
	refused(t, "Pacemaker would also migrate database: kvm1 -> kvm2");
	good.does.n = 0;
	answer(&good.does, "migrate", "vm-d", "kvm1", "kvm2");
	make();
	assert_false(fleet_auto_refuses(&a, &good, buf, sizeof buf));
	bad = good;
	fleet->vms[3].peak_pct = vf64_ok(180); /* the target has no room for it at its peak */
	refused(bad,
		"what Pacemaker would do does not help: a host that receives has no room for the peaks of its "
		"guests");
}

static void test_would_not_stay(void **state)
{
	(void)state;
	struct cluster_action one = {"migrate", "vm-d", "kvm1", "kvm2"},
			      back = {"migrate", "vm-d", "kvm2", "kvm1"};
	struct cluster_trial t = {{&one, 1, 1}, {&back, 1, 1}};
	refused(t, "without the demand Pacemaker would then migrate vm-d (d): kvm2 -> kvm1: give guests a "
		   "resource-stickiness");
	snprintf(back.what, sizeof back.what, "restart");
	assert_false(fleet_auto_refuses(&a, &t, buf, sizeof buf));
}

/* ---- when ---- */

#define S INT64_C(1000000000)

static void test_pace(void **state)
{
	(void)state;
	struct fleet_auto_pace pace = {.after_s = 30, .rest_s = 600};
	make();
	assert_false(fleet_auto_due(&pace, true, 100 * S));
	assert_false(fleet_auto_due(&pace, true, 129 * S));
	assert_true(fleet_auto_due(&pace, true, 130 * S));
	assert_false(fleet_auto_due(&pace, false, 131 * S)); /* a moment without, and it begins anew */
	assert_false(fleet_auto_due(&pace, true, 132 * S));
	assert_true(fleet_auto_due(&pace, true, 162 * S));
	assert_true(fleet_auto_changed(&pace, &a));
	assert_int_equal(fleet_auto_tried(&pace, &a, 162 * S), 0);
	assert_false(fleet_auto_due(&pace, true, 761 * S));
	assert_true(fleet_auto_due(&pace, true, 762 * S));
	/* The same again is not tried, nor what wobbles; */
	assert_false(fleet_auto_changed(&pace, &a));
	fleet->vms[0].cpu_pct = vf64_ok(58);
	make();
	assert_false(fleet_auto_changed(&pace, &a));
	fleet->vms[0].cpu_pct = vf64_ok(70);
	make();
	assert_true(fleet_auto_changed(&pace, &a));
	/* a guest that is elsewhere, or a cluster that somebody configured, is something new. */
	fleet->vms[0].cpu_pct = vf64_ok(50);
	make();
	assert_false(fleet_auto_changed(&pace, &a));
	snprintf(c.version, sizeof c.version, "0.2");
	assert_true(fleet_auto_changed(&pace, &a));
	fleet_auto_settled(&pace, &c);
	assert_false(fleet_auto_changed(&pace, &a));
	/* What was refused is tried again, though nothing has changed, once it has rested. */
	fleet_auto_refused(&pace, 2000 * S);
	assert_true(fleet_auto_changed(&pace, &a));
	assert_false(fleet_auto_due(&pace, true, 2599 * S));
	assert_true(fleet_auto_due(&pace, true, 2600 * S));
	c.guests[0].node = 1;
	make();
	assert_true(fleet_auto_changed(&pace, &a));
	fleet_auto_pace_done(&pace);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {EACH(test_numbers), EACH(test_nobody_leaves_who_does_not_wait),
		EACH(test_over_is_seen), EACH(test_left_alone), EACH(test_unfit), EACH(test_refusals),
		EACH(test_would_not_stay), EACH(test_pace)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
