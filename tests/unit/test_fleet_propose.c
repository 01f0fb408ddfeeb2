/* SPDX-License-Identifier: MIT */
/* From rows of a fleet to proposed moves: what too little is known of neither gives nor takes, and what is
 * said can be typed only where that is safe. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/fleet_propose.h"

enum { GIB = 1 << 20 };

static struct fleet *fleet;
static struct fleet_proposal p;

static int begin(void **state)
{
	(void)state;
	fleet = fleet_new();
	assert_non_null(fleet);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fleet_proposal_done(&p);
	fleet_free(fleet);
	return 0;
}

static void host(const char *name, int pcpus, double load_pct)
{
	struct fleet_host *h = fleet_add_host(fleet);
	assert_non_null(h);
	snprintf(h->name, sizeof h->name, "%s", name);
	snprintf(h->uri, sizeof h->uri, "qemu+ssh://%s/system", name);
	h->pcpus = vi64_ok(pcpus);
	h->load_pct = vf64_ok(load_pct);
	h->total_kib = vi64_ok(64 * (int64_t)GIB);
	h->available_kib = vi64_ok(32 * (int64_t)GIB);
	snprintf(h->memory, sizeof h->memory, "ok");
}

static struct fleet_vm *vm(const char *name, double cpu_pct, double wait_pct)
{
	struct fleet_vm *x = fleet_add_vm(fleet);
	assert_non_null(x);
	snprintf(x->name, sizeof x->name, "%s", name);
	snprintf(x->state, sizeof x->state, "running");
	x->cpu_pct = x->peak_pct = vf64_ok(cpu_pct);
	x->wait_pct = vf64_ok(wait_pct);
	x->balloon_kib = x->max_kib = vi64_ok(4 * GIB);
	x->used_kib = vi64_ok(2 * GIB);
	return x;
}

/* Two of three guests of 2 pCPUs fit on 4; db-2 has least to send. */
static void fill(void)
{
	host("full", 4, 100);
	vm("db-1", 133, 67);
	vm("db-2", 133, 67)->used_kib = vi64_ok(GIB);
	vm("db-3", 133, 67);
	host("empty", 8, 10);
	vm("idle", 20, 0);
}

static void propose(void)
{
	assert_int_equal(fleet_propose(fleet, &p), 0);
	const char *broken =
		fleet_plan_check(p.units, p.n_units, p.tasks, p.n_tasks, &fleet_limits_default, &p.plan);
	if (broken)
		fail_msg("%s", broken);
}

static void said(const char *want)
{
	char text[400];
	fleet_proposal_text(&p, text, sizeof text);
	assert_string_equal(text, want);
}

static void the_move_is_told_and_can_be_typed(void **state)
{
	(void)state;
	char text[1024];
	fill();
	fleet->vms[0].stays[0] = 'x';
	propose();
	said("2 moves would help 1 of 1 overloaded host");
	fleet_move_text(fleet, &p, 0, text, sizeof text);
	assert_string_equal(
		text, "db-2: full -> empty, wants 2.0 pCPUs, has 4.0G; full 150 -> 100 %, empty 10 -> 35 %");
	fleet_move_text(fleet, &p, 1, text, sizeof text); /* after the first */
	assert_non_null(strstr(text, "; full 100 -> 50 %, empty 35 -> 60 %"));
	fleet_move_command(fleet, &p, 0, text, sizeof text);
	assert_string_equal(text,
		"virsh -c qemu+ssh://full/system migrate --live --p2p --persistent --undefinesource db-2 qemu+ssh://empty/system");
	fleet->vms[p.plan.moves[0].task].transient = true;
	fleet_move_command(fleet, &p, 0, text, sizeof text);
	assert_string_equal(
		text, "virsh -c qemu+ssh://full/system migrate --live --p2p db-2 qemu+ssh://empty/system");
}

static const char *move_said(void)
{
	static char text[1024];
	fleet_move_text(fleet, &p, 0, text, sizeof text);
	return text;
}

static void what_is_written_costs(void **state)
{
	(void)state;
	fill();
	fleet->vms[0].stays[0] = fleet->vms[1].stays[0] = 'x';
	fleet->vms[2].cpu_pct = fleet->vms[2].peak_pct = vf64_ok(233);
	fleet->link_mib_s = 100;
	fleet->vms[2].dirty_mib_s = vf64_ok(50);
	propose();
	assert_string_equal(move_said(),
		"db-3: full -> empty, wants 3.0 pCPUs, has 4.0G; full 175 -> 100 %, empty 10 -> "
		"48 %; writes 50 MiB/s: 4.0G to send, 41 s");
	fleet->vms[2].dirty_mib_s = vf64_ok(100);
	propose();
	assert_string_equal(move_said(),
		"db-3: full -> empty, wants 3.0 pCPUs, has 4.0G; full 175 -> 100 %, empty 10 -> "
		"48 %; it writes 100 MiB/s and 100 can be sent: the last choice, and it may not "
		"end");
}

/* db-2 has least to send until it is known what it writes. */
static void the_cheapest_is_who_writes_little(void **state)
{
	(void)state;
	fill();
	vm("db-4", 40, 0);
	fleet->link_mib_s = 100;
	fleet->vms[1].dirty_mib_s = vf64_ok(90);
	propose();
	for (size_t i = 0; i < p.plan.n; i++)
		assert_int_not_equal(p.plan.moves[i].task, 1);
}

static void a_hostile_name_is_shown_and_not_typed(void **state)
{
	(void)state;
	static const char *const names[] = {"a; reboot", "$(reboot)", "-c", "a\nb", "`x`", "a b", "\x1b[31m"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char text[1024];
		fleet_free(fleet);
		fleet = fleet_new();
		fill();
		for (int k = 0; k < 3; k++)
			snprintf(fleet->vms[k].name, sizeof fleet->vms[k].name, "%s", names[i]);
		propose();
		assert_true(p.plan.n > 0);
		fleet_move_command(fleet, &p, 0, text, sizeof text);
		assert_string_equal(text, "");
		fleet_move_text(fleet, &p, 0, text, sizeof text);
		for (const char *c = text; *c; c++)
			assert_true((unsigned char)*c >= ' ');
	}
}

static void who_is_not_known_neither_gives_nor_takes(void **state)
{
	(void)state;
	for (int how = 0; how < 6; how++) {
		fleet_free(fleet);
		fleet = fleet_new();
		fill();
		struct fleet_host *full = &fleet->hosts[0], *empty = &fleet->hosts[1];
		switch (how) {
		case 0:
			empty->state = FLEET_LATE;
			break;
		case 1:
			full->state = FLEET_LOST;
			break;
		case 2:
			empty->total_kib = vi64_absent(AVAIL_NONE);
			break;
		case 3:
			empty->load_pct = vf64_absent(AVAIL_NONE);
			break;
		case 4:
			snprintf(empty->memory, sizeof empty->memory, "hard");
			break;
		default:
			for (int k = 0; k < 3; k++)
				snprintf(fleet->vms[k].stays, sizeof fleet->vms[k].stays, "job running");
		}
		propose();
		if (p.plan.n)
			fail_msg("case %d: a move is proposed", how);
		if (how == 1) /* what it needed when it was lost is not known to last */
			said("nothing to move: no host's guests want more than it has; "
			     "1 host that is not seen is left out");
	}
}

/* Silence about a host is not told as rest. */
static void who_is_not_seen_is_counted(void **state)
{
	(void)state;
	fill();
	fleet->vms[0].stays[0] = 'x';
	for (int i = 0; i < 2; i++) {
		host("gone", 4, 10);
		fleet->hosts[2 + i].state = i ? FLEET_LATE : FLEET_LOST;
	}
	propose();
	said("2 moves would help 1 of 1 overloaded host; "
	     "2 hosts that are not seen are left out");
	for (int i = 0; i < 4; i++)
		fleet->hosts[i].state = FLEET_OPENING;
	propose();
	said("no plan: no host is seen");
}

/* Guests wait because of their pins while the host has room: that is cured on the host itself. */
static void waiting_on_a_host_with_room_moves_nobody(void **state)
{
	(void)state;
	host("pinned", 8, 30);
	vm("a", 50, 50);
	vm("b", 50, 50);
	host("empty", 8, 0);
	propose();
	assert_int_equal(p.plan.n, 0);
	said("nothing to move: no host's guests want more than it has");
}

/* The only other host has pCPUs 0 to 7. */
static void pins_that_lead_out_keep_a_guest(void **state)
{
	(void)state;
	fill();
	fleet->hosts[1].last_pcpu = vi64_ok(7);
	for (int i = 0; i < 3; i++)
		fleet->vms[i].pin_pcpu = vi64_ok(i ? 7 : 40);
	propose();
	said("2 moves would help 1 of 1 overloaded host");
	assert_int_not_equal(p.plan.moves[0].task, 0);
	assert_int_not_equal(p.plan.moves[1].task, 0);
	fleet->vms[1].pin_pcpu = fleet->vms[2].pin_pcpu = vi64_ok(8);
	propose();
	said("1 host has guests that want more than it has, and no move would help: no VM that may move finds room at "
	     "its peak");
	fleet->hosts[1].last_pcpu = vi64_absent(AVAIL_NONE); /* the look before the move will tell */
	propose();
	assert_true(p.plan.n > 0);
}

static void what_was_not_compared_is_said(void **state)
{
	(void)state;
	char text[300];
	fill();
	propose();
	for (size_t i = 0; i < fleet->n_vms; i++)
		fleet->vms[i].peak_pct = vf64_absent(AVAIL_NONE);
	fleet_proposal_unsure(fleet, &p, text, sizeof text);
	assert_non_null(strstr(text,
		"pins, disks, huge pages and CPU model not compared yet: looked at right before each move; no peak is "
		"known of "));
	for (size_t i = 0; i < fleet->n_vms; i++)
		fleet->vms[i].peak_pct = vf64_ok(10);
	fleet->peaks_s = 120;
	fleet_proposal_unsure(fleet, &p, text, sizeof text);
	assert_non_null(strstr(
		text, "each move; peaks of the last 120 s only: the rules that are shipped record an hour"));
	fleet->peaks_s = 3600;
	fleet_proposal_unsure(fleet, &p, text, sizeof text);
	assert_string_equal(text,
		"pins, disks, huge pages and CPU model not compared yet: looked at right before each move");
	for (size_t i = 0; i < fleet->n_vms; i++)
		fleet->vms[i].defined = true;
	fleet_proposal_unsure(fleet, &p, text, sizeof text);
	assert_string_equal(
		text, "CPU model and shared files not compared yet: looked at right before each move");
	p.plan.n = 0;
	fleet_proposal_unsure(fleet, &p, text, sizeof text);
	assert_string_equal(text, "");
}

#define S INT64_C(1000000000)

static void peaks_are_kept_of_the_same_guest(void **state)
{
	(void)state;
	struct fleet *was = fleet;
	host("one", 4, 10);
	vm("a", 90, 0)->uuid[0] = 1;
	vm("b", 10, 0)->uuid[0] = 2;
	fleet = fleet_new();
	host("one", 4, 10);
	vm("b", 20, 0)->uuid[0] = 2;
	vm("a", 10, 0)->uuid[0] = 1;
	vm("c", 5, 0)->uuid[0] = 3;
	fleet_keep_peaks(fleet, was, 100 * S);
	assert_true(fleet->vms[0].peak_pct.v == 20);
	assert_true(fleet->vms[1].peak_pct.v == 90);
	assert_true(fleet->vms[2].peak_pct.v == 5);
	fleet_free(was);
	was = fleet_new(); /* that had none */
	fleet_keep_peaks(fleet, was, 101 * S);
	assert_true(fleet->vms[1].peak_pct.v == 90);
	fleet_free(was);
	/* For half an hour at least, and an hour at most. */
	const int64_t seconds[] = {1800, 1901, 3600, 3702};
	const double want[] = {90, 90, 90, 30};
	for (int i = 0; i < 4; i++) {
		was = fleet;
		fleet = fleet_new();
		host("one", 4, 10);
		vm("a", i == 2 ? 30 : 10, 0)->uuid[0] = 1;
		fleet_keep_peaks(fleet, was, seconds[i] * S);
		assert_true(fabs(fleet->vms[0].peak_pct.v - want[i]) < 1e-9);
		fleet_free(was);
	}
}

/* What it wants has to fit on the pCPUs of the other host one vCPU each; of how many is told. */
static void vcpus_are_counted(void **state)
{
	(void)state;
	fill();
	fleet->vms[0].vcpus = vi64_ok(6);
	fleet->vms[1].vcpus = vi64_ok(0);
	fleet->vms[2].vcpus = vi64_absent(AVAIL_NONE);
	propose();
	assert_int_equal(p.tasks[0].vcpus, 6);
	assert_int_equal(p.tasks[1].vcpus, 0);
	assert_int_equal(p.tasks[2].vcpus, 0);
}

static void an_empty_fleet(void **state)
{
	(void)state;
	propose();
	said("no plan: no host is seen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_move_is_told_and_can_be_typed, begin, end),
		cmocka_unit_test_setup_teardown(what_is_written_costs, begin, end),
		cmocka_unit_test_setup_teardown(the_cheapest_is_who_writes_little, begin, end),
		cmocka_unit_test_setup_teardown(a_hostile_name_is_shown_and_not_typed, begin, end),
		cmocka_unit_test_setup_teardown(who_is_not_known_neither_gives_nor_takes, begin, end),
		cmocka_unit_test_setup_teardown(who_is_not_seen_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(waiting_on_a_host_with_room_moves_nobody, begin, end),
		cmocka_unit_test_setup_teardown(pins_that_lead_out_keep_a_guest, begin, end),
		cmocka_unit_test_setup_teardown(what_was_not_compared_is_said, begin, end),
		cmocka_unit_test_setup_teardown(peaks_are_kept_of_the_same_guest, begin, end),
		cmocka_unit_test_setup_teardown(vcpus_are_counted, begin, end),
		cmocka_unit_test_setup_teardown(an_empty_fleet, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
