/* SPDX-License-Identifier: MIT */
/* Moves between hosts, carried out by stand-in hands in virtual time: what begins, what stops the rest, and
 * what is said where something fails. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/owner.h"
#include "vmtop/carry.h"
#include "vmtop/fleet_propose.h"

#define MS  INT64_C(1000000)
#define GIB (INT64_C(1) << 20)

/* ---- hands that do as the test says ---- */

struct stand_in {
	struct mover base;
	struct move_look look[2]; /* by move; both start as fit to go */
	const char *said[2];      /* how the migration ends; NULL: well */
	int polls[2];             /* how often it still runs */
	struct move_found found[2];
	int busy; /* answers of find before these */
	bool obeys, closed;
	int begun, aborts, looks, finds;
};

static struct stand_in hands;
static struct moves ms;
static int64_t now;

static int index_of(const struct move *m)
{
	return m->vm[strlen(m->vm) - 1] - '1';
}

static void on_look(struct mover *mv, const struct move *m, struct move_look *to)
{
	(void)mv;
	hands.looks++;
	*to = hands.look[index_of(m)];
}

static void on_begin(struct mover *mv, const struct move *m)
{
	(void)mv;
	(void)m;
	hands.begun++;
}

static bool on_poll(struct mover *mv, const struct move *m, struct move_progress *p, char said[MOVE_TEXT])
{
	(void)mv;
	int i = index_of(m);
	p->pct = vf64_ok(50);
	p->left_mib = vf64_ok(100);
	snprintf(said, MOVE_TEXT, "%s", hands.said[i] ? hands.said[i] : "");
	return hands.polls[i]-- <= 0;
}

static void on_abort(struct mover *mv, const struct move *m)
{
	(void)mv;
	hands.aborts++;
	if (hands.obeys) {
		hands.polls[index_of(m)] = 0;
		hands.said[index_of(m)] = "operation aborted: migration out: canceled by client";
	}
}

static void on_find(struct mover *mv, const struct move *m, struct move_found *to)
{
	(void)mv;
	hands.finds++;
	*to = hands.found[index_of(m)];
	to->busy = hands.busy-- > 0;
}

static void on_close(struct mover *mv)
{
	(void)mv;
	hands.closed = true;
}

static int begin(void **state)
{
	(void)state;
	static const struct mover_ops ops = {on_look, on_begin, on_poll, on_abort, on_find, on_close};
	memset(&hands, 0, sizeof hands);
	hands.base.ops = &ops;
	now = 1000 * MS;
	assert_true(moves_init(&ms, 2));
	for (int i = 0; i < 2; i++) {
		struct move *m = &ms.list[i];
		snprintf(m->vm, sizeof m->vm, "db-%d", i + 1);
		snprintf(m->from.name, sizeof m->from.name, "a");
		snprintf(m->to.name, sizeof m->to.name, "b");
		snprintf(m->to.peer, sizeof m->to.peer, "qemu+ssh://b/system");
		hands.look[i] = (struct move_look){.found = true,
			.running = true,
			.memory_kib = vi64_ok(4 * GIB),
			.room_kib = vi64_ok(20 * GIB),
			.total_kib = vi64_ok(64 * GIB)};
		hands.polls[i] = 3;
		hands.found[i] = (struct move_found){.from = PLACE_ABSENT, .to = PLACE_ACTIVE};
		hands.found[i].progress.took_ms = vf64_ok(1300);
		hands.found[i].progress.downtime_ms = vf64_ok(40);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	moves_done(&ms);
	return 0;
}

/* One turn; false: it is over. */
static bool turn(void)
{
	int ms_left = carry_turn(&ms, &hands.base, now);
	now += ms_left > 0 ? ms_left * MS : 0;
	return ms_left >= 0;
}

static void run(void)
{
	for (int i = 0; turn(); i++)
		assert_true(i < 2000);
	assert_int_equal(ms.at, ms.n);
}

static void run_until(enum move_state s)
{
	while (ms.list[0].state != s)
		assert_true(turn());
}

static void says(int i, const char *text)
{
	char line[2 * MOVE_TEXT];
	move_text(&ms.list[i], now, line, sizeof line);
	assert_string_equal(line, text);
}

static void sums(const char *text)
{
	char line[200];
	moves_text(&ms, line, sizeof line);
	assert_string_equal(line, text);
}

/* ---- the way it should go ---- */

static void test_one_after_another(void **state)
{
	(void)state;
	says(0, "waits");
	run_until(MOVE_RUNS);
	turn();
	says(0, "running 0.2 s, 50 %, 100 MiB left");
	says(1, "waits");
	assert_int_equal(hands.begun, 1);
	run();
	says(0, "done in 1.3 s, downtime 40 ms");
	says(1, "done in 1.3 s, downtime 40 ms");
	sums("2 moves done");
	assert_int_equal(hands.begun, 2);
	assert_int_equal(hands.looks, 2);
	assert_int_equal(hands.aborts, 0);
}

static void test_what_libvirt_does_not_tell(void **state)
{
	(void)state;
	memset(&hands.found[0].progress, 0, sizeof hands.found[0].progress);
	snprintf(hands.found[0].note, sizeof hands.found[0].note,
		"it does not start with its new host: denied");
	run();
	says(0, "done in 0.6 s; it does not start with its new host: denied");
	says(1, "done in 1.3 s, downtime 40 ms");
}

static void test_writes_faster_than_is_sent(void **state)
{
	(void)state;
	run_until(MOVE_RUNS);
	turn();
	ms.list[0].progress.dirty_mib_s = vf64_ok(120);
	ms.list[0].progress.sent_mib_s = vf64_ok(100);
	now += 11000 * MS;
	says(0, "running 11.2 s, 50 %, 100 MiB left; the guest writes 120 MiB/s and 100 are sent: it may not end by "
		"itself");
}

static void test_nothing_to_do(void **state)
{
	(void)state;
	ms.n = 0;
	assert_false(turn());
	sums("0 moves done");
}

/* ---- the look before ---- */

static void refused(const char *why)
{
	char text[MOVE_TEXT + 20];
	run();
	snprintf(text, sizeof text, "failed: %s", why);
	says(0, text);
	says(1, "not begun");
	sums("0 of 2 moves done, 1 failed, 1 not begun");
	assert_int_equal(hands.begun, 0);
	end(NULL);
	begin(NULL);
}

static void test_looks_again(void **state)
{
	(void)state;
	struct move_look *l = &hands.look[0];
	snprintf(l->error, sizeof l->error, "b: its libvirtd does not answer");
	refused("b: its libvirtd does not answer; nothing was begun");
	l->found = false;
	refused("on a the guest is no longer there; plan anew");
	l->running = false;
	refused("on a the guest does not run any more; plan anew");
	l->job = true;
	refused("on a the guest has a job running (migration, backup, snapshot); try again when it has ended");
	l->excluded = true;
	refused("on a the guest is not among the VMs that vmtop may steer (steer of the config)");
	l->flags = VM_FLAG_VFIO;
	refused("a device of the host is passed through to it: detach it first");
	l->flags = VM_FLAG_NO_STEER;
	refused("its metadata says that vmtop must not steer it");
	l->flags = VM_FLAG_SEV;
	refused("its memory is encrypted by this host");
	l->exists = true;
	refused("b has a guest of this UUID or name already: remove that one there, if it is left over");
	snprintf(l->owner, sizeof l->owner, "it is oVirt's: \033[2J");
	refused("it is oVirt's: \\x1b[2J");
	ms.list[0].to.peer[0] = '\0';
	refused("b is known by a URI that only its own host can use: give the one that a reaches it by as peer in "
		"section [fleet]");
	l->room_kib = vi64_absent(AVAIL_UNSUPPORTED);
	refused("b does not tell how much memory it has");
	l->total_kib = vi64_absent(AVAIL_UNSUPPORTED);
	refused("b does not tell how much memory it has");
	l->memory_kib = vi64_absent(AVAIL_UNSUPPORTED);
	refused("b does not tell how much memory it has");
	l->room_kib = vi64_ok(8 * GIB - 1);
	refused("b is full: 8.0G available now, 4.0G of it for itself, and the guest has 4.0G; plan anew");
	l->room_kib = vi64_ok(8 * GIB);
	run();
	sums("2 moves done");
}

/* What its definition asks of the target. */
static void test_what_the_target_lacks(void **state)
{
	(void)state;
	struct move_needs *n = &hands.look[0].needs;
	cpuset_parse(&n->pins, "3,40", NULL);
	cpuset_parse(&n->pcpus, "0-7", NULL);
	refused("its pins name pCPU 40, and b has 0-7: widen them first (virsh vcpupin, emulatorpin)");
	n->disks = DISKS_LOCAL;
	snprintf(n->disk, sizeof n->disk, "/srv/a\nb.img");
	refused("its disk /srv/a\\x0ab.img is of a alone: bring it to storage that b shares");
	n->disks = DISKS_UNKNOWN;
	snprintf(n->disk, sizeof n->disk, "/dev/vg0/db");
	refused("nobody can tell whether /dev/vg0/db is the same disk on b: where it is, migrate the guest by hand");
	n->cpu = MOVE_CPU_LACKS;
	refused("the CPU of b lacks what the guest's has: give it a CPU model that both hosts have");
	n->n_pages = 2;
	n->pages[0] = (struct move_pages){2048, GIB, vi64_ok(GIB)};
	n->pages[1] = (struct move_pages){GIB, 4 * GIB, vi64_ok(3 * GIB)};
	refused("b has 3.0G free in huge pages of 1.0G, and the guest has 4.0G: add some there (virsh allocpages)");
	n->n_pages = 1;
	n->pages[0] = (struct move_pages){2048, GIB, vi64_absent(AVAIL_NONE)};
	refused("b does not tell how many huge pages of 2.0M are free");
}

/* What it has, and what only libvirt can tell. */
static void test_what_the_target_has(void **state)
{
	(void)state;
	struct move_needs *n = &hands.look[0].needs;
	cpuset_parse(&n->pins, "3-7", NULL);
	cpuset_parse(&n->pcpus, "0-7", NULL);
	n->disks = DISKS_JUDGED;
	n->cpu = MOVE_CPU_FITS;
	n->n_pages = 1;
	n->pages[0] = (struct move_pages){2048, 4 * GIB, vi64_ok(4 * GIB)};
	hands.look[0].room_kib = vi64_ok(GIB);                /* huge pages are not of what is available */
	cpuset_parse(&hands.look[1].needs.pins, "900", NULL); /* which pCPUs there are is not known */
	run();
	sums("2 moves done");
}

static void test_the_second_is_refused(void **state)
{
	(void)state;
	hands.look[1].running = false;
	run();
	says(0, "done in 1.3 s, downtime 40 ms");
	says(1, "failed: on a the guest does not run any more; plan anew");
	sums("1 of 2 moves done, 1 failed");
	assert_int_equal(hands.begun, 1);
}

/* ---- failures ---- */

static void test_fails(void **state)
{
	(void)state;
	hands.said[0] = "Unsafe migration: Migration without shared storage is unsafe";
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	run();
	says(0, "failed: Unsafe migration: Migration without shared storage is unsafe; the guest runs on at a: its disks "
		"must be on storage that both hosts share");
	says(1, "not begun");
	assert_int_equal(hands.begun, 1);
}

/* The line to libvirtd broke, the migration went on. */
static void test_says_no_and_did_it(void **state)
{
	(void)state;
	hands.said[0] = "Cannot recv data: Connection reset by peer";
	run();
	says(0, "done in 1.3 s, downtime 40 ms; it said \"Cannot recv data: Connection reset by peer\", but the guest "
		"runs at b");
	sums("2 moves done");
}

static void test_says_yes_and_did_not(void **state)
{
	(void)state;
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	run();
	says(0, "failed: the migration ended without moving it; the guest runs on at a");
}

/* Nothing is said before it is known where the guest is. */
static void test_asks_until_it_is_known(void **state)
{
	(void)state;
	hands.busy = 5;
	run_until(MOVE_CHECKS);
	says(0, "looks where the guest is");
	int64_t from = now;
	run();
	assert_int_equal(hands.finds, 5 + 2);
	assert_true(now - from >= 5000 * MS);
	sums("2 moves done");
}

static void test_two_owners_or_none(void **state)
{
	(void)state;
	static const struct {
		enum move_place from, to;
		const char *words;
	} rows[] = {
		{PLACE_ACTIVE, PLACE_ACTIVE, "a has it, b has it"},
		{PLACE_ABSENT, PLACE_ABSENT, "a does not have it, b does not have it"},
		{PLACE_UNKNOWN, PLACE_ACTIVE, "a does not tell, b has it"},
		{PLACE_UNKNOWN, PLACE_UNKNOWN, "a does not tell, b does not tell"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[400];
		hands.found[0] = (struct move_found){.from = rows[i].from, .to = rows[i].to};
		run_until(MOVE_CHECKS);
		int64_t from = now;
		run();
		assert_true(now - from >= 60000 * MS && now - from < 62000 * MS);
		snprintf(text, sizeof text,
			"not known: %s: look there (virsh list --all) before anything is started by hand",
			rows[i].words);
		says(0, text);
		sums("0 of 2 moves done, 1 not known, 1 not begun");
		end(NULL);
		begin(NULL);
	}
}

/* ---- abort ---- */

/* The first word of it is obeyed at once; to say it again hurries nobody. */
static void test_abort_is_at_once(void **state)
{
	(void)state;
	ms.due_ns = 99;
	moves_abort(&ms);
	assert_int_equal(ms.due_ns, 0);
	ms.due_ns = 99;
	moves_abort(&ms);
	assert_int_equal(ms.due_ns, 99);
}

static void test_abort_before(void **state)
{
	(void)state;
	moves_abort(&ms);
	run();
	sums("0 of 2 moves done, 2 not begun");
	assert_int_equal(hands.looks + hands.begun + hands.aborts, 0);
}

static void test_abort_while_looking(void **state)
{
	(void)state;
	assert_int_equal(moves_next(&ms, now), ORDER_TELL); /* it may take long: seen before it begins */
	says(0, "looks again");
	assert_int_equal(hands.looks, 0);
	assert_int_equal(moves_next(&ms, now), ORDER_LOOK);
	moves_abort(&ms);
	moves_looked(&ms, &hands.look[0], now);
	run();
	sums("0 of 2 moves done, 2 not begun");
	assert_int_equal(hands.begun, 0);
}

static void test_abort_running(void **state)
{
	(void)state;
	hands.obeys = true;
	hands.polls[0] = 1000;
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	run_until(MOVE_RUNS);
	turn();
	moves_abort(&ms);
	run();
	says(0, "aborted: the guest runs on at a");
	says(1, "not begun");
	sums("0 of 2 moves done, 1 aborted, 1 not begun");
	assert_int_equal(hands.aborts, 1);
}

/* Too early to be taken: asked again, once a second. */
static void test_abort_again(void **state)
{
	(void)state;
	hands.polls[0] = 50;
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	run_until(MOVE_RUNS);
	moves_abort(&ms);
	int64_t from = now;
	run_until(MOVE_CHECKS);
	assert_int_equal(hands.aborts, (now - from) / (1000 * MS) + 1);
	run();
	says(0, "aborted: the guest runs on at a");
}

/* ^C on a terminal ends the ssh of a connection too: the call is over, the migration is not. */
static void test_abort_without_call(void **state)
{
	(void)state;
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	hands.said[0] = "End of file while reading data";
	hands.polls[0] = 0;
	hands.busy = 3;
	run_until(MOVE_CHECKS);
	moves_abort(&ms);
	assert_int_equal(hands.aborts, 0);
	run();
	assert_int_equal(hands.aborts, 3);
	says(0, "aborted: the guest runs on at a");
}

/* Whoever does not ask for it lets it go on. */
static void test_goes_on_without_call(void **state)
{
	(void)state;
	hands.said[0] = "End of file while reading data";
	hands.polls[0] = 0;
	hands.busy = 3;
	run();
	assert_int_equal(hands.aborts, 0);
	sums("2 moves done");
}

/* Pacemaker knows its hosts itself, and is not broken off. */
static void test_by_pacemaker(void **state)
{
	(void)state;
	snprintf(hands.look[0].resource, sizeof hands.look[0].resource, "vm-db");
	snprintf(hands.look[0].node, sizeof hands.look[0].node, "host-b");
	ms.list[0].to.peer[0] = '\0';
	run_until(MOVE_RUNS);
	says(0, "running 0.0 s, by Pacemaker");
	assert_string_equal(ms.list[0].resource, "vm-db");
	assert_string_equal(ms.list[0].node, "host-b");
	run();
	sums("2 moves done");
}

static void test_abort_too_late(void **state)
{
	(void)state;
	run_until(MOVE_RUNS);
	moves_abort(&ms);
	run();
	says(0, "done in 1.3 s, downtime 40 ms");
	says(1, "not begun");
	sums("1 of 2 moves done, 1 not begun");
}

/* ---- words ---- */

static void test_names_are_hostile(void **state)
{
	(void)state;
	char line[8 * MOVE_TEXT];
	snprintf(ms.list[0].vm, sizeof ms.list[0].vm, "a\033[2J\nb-1");
	snprintf(ms.list[0].from.name, sizeof ms.list[0].from.name, "x\ny");
	move_title(&ms.list[0], line, sizeof line);
	assert_string_equal(line, "a\\x1b[2J\\x0ab-1: x\\x0ay -> b");
	hands.said[0] = "no \033]0;x\007 way\n";
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	run();
	says(0, "failed: no \\x1b]0;x\\x07 way\\x0a; the guest runs on at x\\x0ay");
}

static void test_uri_travels(void **state)
{
	(void)state;
	static const char *const yes[] = {"qemu+ssh://root@b/system", "qemu+tcp://10.0.0.2/system",
		"qemu+tls://b.example/system", "qemu://b/system"};
	static const char *const no[] = {"qemu:///system", "qemu+unix:///system",
		"qemu+ssh://localhost/system", "qemu+tcp://127.0.0.1/system", "qemu+ssh://root@[::1]/system",
		"prom:http://b", "sim:demo", "", "://x", "qemu+unix://b/system?socket=/x"};
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		assert_true(move_uri_travels(yes[i]));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(move_uri_travels(no[i]));
}

static void owned(const char *inside, const char *begins)
{
	char xml[1000], words[200];
	snprintf(xml, sizeof xml, "<domain type='kvm'><name>x</name>%s</domain>", inside);
	owner_of(xml, words, sizeof words);
	assert_int_equal(strncmp(words, begins, strlen(begins)), 0);
	assert_true(*begins || !*words);
}

static void test_whose_it_is(void **state)
{
	(void)state;
	owned("", "");
	owned("<metadata><x:y xmlns:x='urn:other'/></metadata>", "");
	owned("<metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>",
		"it is OpenStack's");
	owned("<metadata><a:q xmlns:a='urn:other'/><o:vm xmlns:o='http://ovirt.org/vm/1.0'/></metadata>",
		"it is oVirt's");
	owned("<metadata><one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'/></metadata>",
		"it is OpenNebula's");
	owned("<metadata><kubevirt xmlns='http://kubevirt.io'/></metadata>", "it is KubeVirt's");
	owned("<sysinfo type='smbios'><system><entry name='manufacturer'>Apache Software Foundation</entry>"
	      "<entry name='product'>CloudStack KVM Hypervisor</entry></system></sysinfo>",
		"it is CloudStack's");
	char words[200] = "x";
	owner_of("<domain", words, sizeof words);
	assert_string_equal(words, "");
}

/* ---- from a plan, and in a thread ---- */

static void add_host(struct fleet *f, const char *name, const char *uri, double load_pct)
{
	struct fleet_host *h = fleet_add_host(f);
	assert_non_null(h);
	snprintf(h->name, sizeof h->name, "%s", name);
	snprintf(h->uri, sizeof h->uri, "%s", uri);
	snprintf(h->memory, sizeof h->memory, "ok");
	h->pcpus = vi64_ok(4);
	h->load_pct = vf64_ok(load_pct);
	h->total_kib = h->available_kib = vi64_ok(64 * GIB);
}

static void test_from_a_plan(void **state)
{
	(void)state;
	struct fleet *f = fleet_new();
	struct fleet_proposal p = {.n_units = 0};
	struct moves made;
	add_host(f, "a", "qemu:///system", 100);
	for (int i = 0; i < 3; i++) {
		struct fleet_vm *vm = fleet_add_vm(f);
		snprintf(vm->name, sizeof vm->name, "vm-%d", i);
		snprintf(vm->state, sizeof vm->state, "running");
		vm->uuid[0] = (uint8_t)(i + 1);
		vm->cpu_pct = vm->peak_pct = vf64_ok(130);
		vm->wait_pct = vf64_ok(20);
		vm->balloon_kib = vm->max_kib = vi64_ok(4 * GIB);
	}
	add_host(f, "b", "qemu+ssh://root@b/system", 0);
	assert_int_equal(fleet_propose(f, &p), 0);
	assert_int_equal(p.plan.n, 1);
	assert_true(carry_moves(&made, f, &p, "a qemu+tcp://10.0.0.1/system\nbb qemu+tcp://x/system\n"));
	assert_int_equal(made.n, 1);
	assert_memory_equal(made.list[0].uuid, f->vms[p.plan.moves[0].task].uuid, UUID_BYTES);
	assert_string_equal(made.list[0].from.name, "a");
	assert_string_equal(made.list[0].from.uri, "qemu:///system");
	assert_string_equal(made.list[0].from.peer, "qemu+tcp://10.0.0.1/system");
	assert_string_equal(made.list[0].to.peer, "qemu+ssh://root@b/system");
	moves_done(&made);
	assert_true(carry_moves(&made, f, &p, "b qemu+tcp://10.0.0.2/system\n"));
	assert_string_equal(made.list[0].from.peer, "");
	assert_string_equal(made.list[0].to.peer, "qemu+tcp://10.0.0.2/system");
	moves_done(&made);
	fleet_proposal_done(&p);
	fleet_free(f);
}

static void follow_to_end(struct carry *c, const struct moves **seen)
{
	bool over = false;
	for (int i = 0; i < 1000 && !over; i++) {
		struct pollfd fd = {.fd = carry_fd(c), .events = POLLIN};
		assert_int_equal(poll(&fd, 1, 20000), 1);
		carry_look(c, seen, &over);
	}
	assert_true(over);
}

static void test_thread(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	const struct moves *seen;
	hands.polls[0] = hands.polls[1] = 1;
	struct carry *c = carry_start(&ms, &hands.base, &e);
	assert_non_null(c);
	follow_to_end(c, &seen);
	assert_int_equal(moves_count(seen, MOVE_DONE), 2);
	assert_true(carry_end(c, 5));
	assert_true(hands.closed);
}

static void test_thread_aborts(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	const struct moves *seen;
	bool over;
	hands.obeys = true;
	hands.polls[0] = 1 << 30;
	hands.found[0] = (struct move_found){.from = PLACE_ACTIVE, .to = PLACE_ABSENT};
	struct carry *c = carry_start(&ms, &hands.base, &e);
	assert_non_null(c);
	do {
		struct pollfd fd = {.fd = carry_fd(c), .events = POLLIN};
		assert_int_equal(poll(&fd, 1, 20000), 1);
		carry_look(c, &seen, &over);
	} while (seen->list[0].state != MOVE_RUNS);
	assert_false(carry_end(c, 0.01)); /* it runs */
	carry_abort(c);
	follow_to_end(c, &seen);
	assert_int_equal(seen->list[0].state, MOVE_ABORTED);
	assert_int_equal(seen->list[1].state, MOVE_NOT_BEGUN);
	assert_true(carry_end(c, 5));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {TEST(one_after_another), TEST(what_libvirt_does_not_tell),
		TEST(writes_faster_than_is_sent), TEST(nothing_to_do), TEST(looks_again),
		TEST(what_the_target_lacks), TEST(what_the_target_has), TEST(the_second_is_refused),
		TEST(fails), TEST(says_no_and_did_it), TEST(says_yes_and_did_not),
		TEST(asks_until_it_is_known), TEST(two_owners_or_none), TEST(abort_before),
		TEST(abort_is_at_once), TEST(abort_while_looking), TEST(abort_running), TEST(abort_again),
		TEST(abort_without_call), TEST(goes_on_without_call), TEST(abort_too_late),
		TEST(by_pacemaker), TEST(names_are_hostile), TEST(uri_travels), TEST(whose_it_is),
		TEST(from_a_plan), TEST(thread), TEST(thread_aborts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
