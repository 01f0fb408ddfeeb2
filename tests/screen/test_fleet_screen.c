/* SPDX-License-Identifier: MIT */
/* The screen of a fleet: golden screens (`make golden` writes them anew), keys, the cursor, odd fleets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/ui/fleet_private.h"
#include "support/dump.h"
#include "support/fleets.h"
#include "vmtop/fleet_view.h"
#include "vmtop/keys.h"
#include "vmtop/screen.h"
#include "vmtop/view.h"

static enum fleet_wish type(struct fleet_view *v, const struct fleet *f, const char *keys)
{
	enum fleet_wish w = FLEET_STAY;
	for (; *keys; keys++)
		w = fleet_view_key(v,
			*keys == '\r'     ? VK_ENTER
			: *keys == '\033' ? VK_ESC
			: *keys == '\t'   ? VK_TAB
			: *keys == '\001' ? VK_DOWN
					  : *keys,
			f);
	return w;
}

static char *shoot(struct fleet_view *v, const struct fleet *f, int rows, int cols, bool ascii)
{
	struct screen base, over;
	int row, col;
	assert_int_equal(screen_init(&base, rows, cols), 0);
	assert_int_equal(screen_init(&over, 1, 1), 0);
	base.ascii = over.ascii = ascii;
	fleet_view_draw(v, f, &base);
	if (fleet_view_overlay(v, &over, rows, cols, &row, &col))
		screen_blit(&base, &over, row, col);
	char *text = screen_dump(&base);
	assert_non_null(text);
	screen_done(&base);
	screen_done(&over);
	return text;
}

static void compare(const char *name, struct fleet_view *v, const struct fleet *f, int rows, int cols)
{
	char path[256], *then = calloc(1, 1 << 16);
	const char *mode = getenv("VMTOP_GOLDEN");
	char *now = shoot(v, f, rows, cols, false);
	snprintf(path, sizeof path, "tests/screen/golden/%s-%dx%d.txt", name, cols, rows);
	FILE *file = fopen(path, mode && !strcmp(mode, "write") ? "w" : "r");
	if (mode && !strcmp(mode, "write")) {
		assert_non_null(file);
		fputs(now, file);
	} else {
		size_t n = file ? fread(then, 1, (1 << 16) - 1, file) : 0;
		then[n] = '\0';
		if (strcmp(now, then))
			fail_msg("%s differs (make golden writes it anew). Now:\n%s", path, now);
	}
	if (file)
		fclose(file);
	free(then);
	free(now);
}

static void golden(const char *name, const char *keys, struct fleet *f, int rows, int cols)
{
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, f);
	free(shoot(v, f, rows, cols, false)); /* pages are known after the first frame */
	type(v, f, keys);
	compare(name, v, f, rows, cols);
	fleet_view_free(v);
	fleet_free(f);
}

/* kvm001 has four pCPUs for guests that want eight. */
static struct fleet *fleet_full(void)
{
	struct fleet *f = fleet_made(5, 4);
	struct fleet_host *h = &f->hosts[0];
	h->pcpus = vi64_ok(4);
	h->load_pct = vf64_ok(100);
	for (size_t i = h->first_vm; i < h->first_vm + h->n_vms; i++) {
		f->vms[i].cpu_pct = vf64_ok(100 + 10 * (double)i);
		f->vms[i].wait_pct = vf64_ok(85);
	}
	return f;
}

static void test_golden(void **state)
{
	(void)state;
	static const int sizes[][2] = {{24, 80}, {40, 120}, {5, 20}};
	for (size_t i = 0; i < 3; i++) {
		int rows = sizes[i][0], cols = sizes[i][1];
		golden("fleet", "", fleet_made(3, 12), rows, cols); /* one well, one hung, one lost */
		golden("fleet-vms", "\t", fleet_made(3, 12), rows, cols);
		golden("fleet-plan", "v", fleet_full(), rows, cols);
		golden("fleet-filter", "\\kvm01\r", fleet_made(100, 12), rows, cols);
	}
	golden("fleet-help", "?", fleet_made(3, 12), 24, 80);
	golden("fleet-plan-none", "v", fleet_made(3, 12), 24, 80);
	golden("fleet-sort", "F", fleet_made(3, 12), 24, 80);
	golden("fleet-search", "/kvm0", fleet_made(40, 2), 24, 80);
	golden("fleet-none", "", fleet_made(0, 0), 24, 80);
}

/* ---- moves that are carried out ---- */

static struct moves moves_of(const struct fleet_view *v)
{
	struct moves ms;
	assert_true(moves_copy(&ms, fleet_view_planned(v)));
	assert_int_equal(ms.n, 2);
	return ms;
}

/* The first of two runs. */
static void moves_begin(struct moves *ms, struct fleet *f)
{
	ms->list[0].state = MOVE_RUNS;
	ms->list[0].began_ns = f->now_ns - 3200000000;
	ms->list[0].progress.pct = vf64_ok(42);
	ms->list[0].progress.left_mib = vf64_ok(120);
}

static void moves_fail(struct moves *ms)
{
	struct move *m = &ms->list[0];
	m->state = MOVE_FAILED;
	snprintf(m->why, sizeof m->why,
		"Unsafe migration: Migration without shared storage is unsafe; the guest runs on at kvm001: its "
		"disks must be on storage that both hosts share");
	ms->list[1].state = MOVE_NOT_BEGUN;
	ms->at = 2;
}

/* How far: what was told of them, then keys. */
static void moves_golden(const char *name, const char *keys, int how_far)
{
	struct fleet *f = fleet_full();
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, f);
	free(shoot(v, f, 24, 80, false));
	assert_int_equal(type(v, f, "vy"), FLEET_CARRY);
	struct moves ms = moves_of(v);
	fleet_view_moves(v, &ms, false);
	moves_begin(&ms, f);
	if (how_far == 1)
		moves_fail(&ms);
	fleet_view_moves(v, &ms, how_far == 1);
	type(v, f, keys);
	compare(name, v, f, 24, 80);
	moves_done(&ms);
	fleet_view_free(v);
	fleet_free(f);
}

static void test_moves_golden(void **state)
{
	(void)state;
	moves_golden("fleet-moves", "", 0);
	moves_golden("fleet-moves-abort", "\033", 0);
	moves_golden("fleet-moves-leave", "q", 0);
	moves_golden("fleet-moves-hidden", "v", 0);
	moves_golden("fleet-moves-failed", "", 1);
}

static struct fleet_view *view_auto(const struct fleet *f, int rows, int cols)
{
	static const char *const lines[] = {"begins",
		"2026-11-29T22:42:33.031+00:00 node kvm001: 5 nodes, 19 guests may move by Pacemaker (placement-strategy "
		"utilization), once a host's guests want more than it has for 30 s",
		"2026-11-29T22:42:33.031+00:00 vm-3 is left alone: no resource of Pacemaker: vmtop fleet --plan "
		"--carry-out moves it",
		"2026-11-29T22:43:04.280+00:00 1 host in need: with the demand of 19 guests crm_simulate says that "
		"Pacemaker would do:",
		"  1. migrate vm-c2 (vm1\033[2J): kvm001 -> kvm003",
		"  2. migrate vm-c3 (vm2): kvm001 -> kvm004"};
	struct fleet_view *v = fleet_view_new(2);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		fleet_view_auto(v, lines[i]);
	fleet_view_feed(v, f);
	free(shoot(v, f, rows, cols, false));
	return v;
}

static void test_auto_golden(void **state)
{
	(void)state;
	struct fleet *f = fleet_full();
	struct fleet_view *v = view_auto(f, 24, 80);
	compare("fleet-auto", v, f, 24, 80);
	assert_int_equal(type(v, f, "v"), FLEET_STAY);
	compare("fleet-auto-list", v, f, 24, 80);
	assert_int_equal(type(v, f, "y"), FLEET_STAY); /* nothing is carried out beside it */
	for (int i = 0; i < 200; i++)
		fleet_view_auto(v, i % 2 ? "" : "2026-11-29T22:44:10.000+00:00 written: demand of 19 guests");
	char *text = shoot(v, f, 24, 80, false);
	assert_non_null(strstr(text, "auto: "));
	free(text);
	for (int rows = 1; rows < 9; rows++)
		free(shoot(v, f, rows, 20, true));
	fleet_view_free(v);
	v = view_auto(f, 50, 200);
	compare("fleet-auto", v, f, 50, 200);
	fleet_view_free(v);
	fleet_free(f);
}

static void test_moves_keys(void **state)
{
	(void)state;
	struct fleet *f = fleet_full();
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_peers(v, "");
	fleet_view_feed(v, f);
	free(shoot(v, f, 24, 80, false));
	assert_int_equal(type(v, f, "y"), FLEET_STAY); /* nothing was shown that could be carried out */
	assert_int_equal(type(v, f, "v"), FLEET_STAY);
	assert_int_equal(type(v, f, "x"), FLEET_STAY); /* closes it */
	assert_int_equal(type(v, f, "y"), FLEET_STAY);
	assert_int_equal(type(v, f, "vy"), FLEET_CARRY);
	struct moves ms = moves_of(v);
	assert_string_equal(ms.list[0].from.name, "kvm001");
	assert_string_not_equal(ms.list[0].to.peer, "");
	moves_begin(&ms, f);
	assert_false(fleet_view_moves(v, &ms, false));
	assert_int_equal(type(v, f, "y"), FLEET_STAY);  /* it runs already */
	assert_int_equal(type(v, f, "vq"), FLEET_STAY); /* hidden; q asks before it leaves, */
	assert_int_equal(type(v, f, "n"), FLEET_STAY);  /* any other key stays */
	assert_int_equal(type(v, f, "vv"), FLEET_STAY); /* hidden, and back: no new plan */
	assert_int_equal(type(v, f, "\033"), FLEET_ABORT);
	assert_int_equal(type(v, f, "\033"), FLEET_STAY); /* once is enough */
	assert_false(fleet_view_moves(v, &ms, false));
	moves_fail(&ms);
	assert_false(fleet_view_moves(v, &ms, true)); /* nobody wanted to leave */
	assert_int_equal(type(v, f, "\033"), FLEET_STAY);
	assert_int_equal(type(v, f, "q"), FLEET_QUIT);
	/* A second time, which is left at once. */
	assert_int_equal(type(v, f, "vy"), FLEET_CARRY);
	moves_done(&ms);
	ms = moves_of(v);
	moves_begin(&ms, f);
	assert_false(fleet_view_moves(v, &ms, false));
	assert_int_equal(type(v, f, "q"), FLEET_STAY);
	assert_int_equal(type(v, f, "y"), FLEET_ABORT);
	assert_int_equal(type(v, f, "q"), FLEET_STAY);
	assert_false(fleet_view_moves(v, &ms, false));
	assert_true(fleet_view_moves(v, &ms, true));
	moves_done(&ms);
	fleet_view_free(v);
	fleet_free(f);
}

static void test_moves_of_nothing(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(3, 12);
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, f);
	free(shoot(v, f, 24, 80, false));
	assert_int_equal(type(v, f, "vy"), FLEET_STAY);
	fleet_view_free(v);
	fleet_free(f);
}

/* A row of the key table alone is documented and does nothing. */
static void test_every_key_does_something(void **state)
{
	(void)state;
	size_t n = 0;
	for (size_t i = 0; i < key_count(); i++) {
		const struct key_row *k = key_at(i);
		if (!(k->where & IN_FLEET) || k->action == KEY_REDRAW) /* that one is the loop's */
			continue;
		n++;
		struct fleet *f = fleet_made(40, 4);
		struct fleet_view *v = fleet_view_new(2);
		fleet_view_feed(v, f);
		free(shoot(v, f, 24, 80, false));
		type(v, f, k->action == KEY_BACK || k->action == KEY_PAGE_UP ? "\t" : "");
		for (int step = 0; step < 25; step++)
			type(v, f, "\001");
		char *before = shoot(v, f, 24, 80, false);
		enum fleet_wish w = fleet_view_key(v, k->keys[0], f);
		char *after = shoot(v, f, 24, 80, false);
		if (w == FLEET_STAY && !strcmp(before, after))
			fail_msg("\"%s\" does nothing", k->help);
		free(before);
		free(after);
		fleet_view_free(v);
		fleet_free(f);
	}
	assert_true(n > 15);
}

static const char *cursor(const struct fleet_view *v, const struct fleet *f)
{
	const struct fleet_host *h = fleet_view_host(v, f);
	return h ? h->name : "none";
}

static void test_the_cursor_stays_on_its_host(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(10, 2);
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, f);
	free(shoot(v, f, 24, 80, false));
	assert_string_equal(cursor(v, f), "kvm003"); /* lost: on top */
	f->hosts[9].state = FLEET_LOST;
	strcpy(f->hosts[2].name, "other");
	f->hosts[2].state = FLEET_OK;
	fleet_view_feed(v, f);
	assert_string_equal(cursor(v, f), "kvm010"); /* nobody has chosen: the first row, whoever that is */
	type(v, f, "/kvm005\r");
	assert_string_equal(cursor(v, f), "kvm005");
	f->hosts[4].score_pct = vf64_ok(99);
	fleet_view_feed(v, f);
	assert_string_equal(cursor(v, f), "kvm005");
	assert_int_equal(type(v, f, "\r"), FLEET_OPEN);
	type(v, f, "Fn"); /* closes nothing */
	type(v, f, "\033");
	strcpy(f->hosts[4].name, "renamed"); /* gone: the cursor stays in its row */
	fleet_view_feed(v, f);
	assert_string_not_equal(cursor(v, f), "none");
	f->hosts[4].uri[0] = '\0';
	type(v, f, "/renamed\r");
	assert_int_equal(type(v, f, "\r"), FLEET_STAY); /* nothing to open */
	assert_int_equal(type(v, f, "q"), FLEET_QUIT);
	fleet_view_free(v);
	fleet_free(f);
}

static void test_a_vm_opens_its_host(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(10, 2);
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, f);
	type(v, f, "\t/^web-501$\r");
	assert_string_equal(cursor(v, f), "kvm006");
	assert_int_equal(type(v, f, "\r"), FLEET_OPEN);
	type(v, f, "\\nosuch\r");
	assert_string_equal(cursor(v, f), "none");
	assert_int_equal(type(v, f, "\r"), FLEET_STAY);
	type(v, f, "\\(((\r"); /* no pattern: as before */
	assert_string_equal(cursor(v, f), "none");
	type(v, f, "\\");
	fleet_view_key(v, VK_CTRL('U'), f);
	type(v, f, "\r");
	assert_string_not_equal(cursor(v, f), "none");
	fleet_view_free(v);
	fleet_free(f);
}

/* Names that are not kind, on screens that are not large, with and without UTF-8. */
/* What was said of an empty table is no longer true when rows come; anything else stays until the next key.
 */
static void test_the_word_of_no_rows_goes(void **state)
{
	(void)state;
	struct fleet *none = fleet_new(), *f = fleet_made(2, 1);
	struct fleet_view *v = fleet_view_new(2);
	fleet_view_feed(v, none);
	assert_int_equal(type(v, none, "\r"), FLEET_STAY);
	char *text = shoot(v, none, 24, 80, false);
	assert_non_null(strstr(text, "no host to open yet"));
	free(text);
	fleet_view_feed(v, f);
	text = shoot(v, f, 24, 80, false);
	assert_null(strstr(text, "no host to open"));
	free(text);
	fleet_view_tell(v, "this host could not be reached");
	fleet_view_feed(v, f);
	text = shoot(v, f, 24, 80, false);
	assert_non_null(strstr(text, "this host could not be reached"));
	free(text);
	fleet_view_free(v);
	fleet_free(none);
	fleet_free(f);
}

/* Names, by row: as they were put in order when they came, and anew when they are others or the order is
 * asked for. */
static void test_vms_that_came_at_once_are_sorted_once(void **state)
{
	(void)state;
	struct fleet *f = fleet_made(1, 3);
	struct fleet_view *v = fleet_view_new(2);
	type(v, f, "\t");
	for (int i = 0; i < 3; i++)
		f->vms[i].score_pct = vf64_ok(10 * i);
	f->vms_ns = 1;
	fleet_view_feed(v, f);
	assert_int_equal(v->lists[FLEET_VMS].rows[0], 2);
	f->vms[0].score_pct = vf64_ok(90);
	fleet_view_feed(v, f);
	assert_int_equal(v->lists[FLEET_VMS].rows[0], 2);
	f->vms_ns = 2;
	fleet_view_feed(v, f);
	assert_int_equal(v->lists[FLEET_VMS].rows[0], 0);
	type(v, f, "r");
	assert_int_equal(v->lists[FLEET_VMS].rows[2], 0);
	f->vms[1].score_pct = vf64_ok(95);
	f->vms_ns = 0; /* of many sources */
	fleet_view_feed(v, f);
	assert_int_equal(v->lists[FLEET_VMS].rows[2], 1);
	fleet_view_free(v);
	fleet_free(f);
}

static void test_odd_names_and_sizes(void **state)
{
	(void)state;
	static const char *const names[] = {"\033[2J\033]0;x\007", "a\nb\rc", "\xff\xfe\x80",
		"\u6570\u636e\u5e93", "e\u0301\u0301\u0301\u0301\u0301\u0301", "\u202eabc", "", " ", "=1+1"};
	struct fleet *f = fleet_made(30, 3);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(f->hosts[i].name, sizeof f->hosts[i].name, "%s", names[i]);
		snprintf(f->vms[i].name, sizeof f->vms[i].name, "%s", names[i]);
		snprintf(f->hosts[i].trouble, sizeof f->hosts[i].trouble, "%s", names[i]);
		f->hosts[i].state = FLEET_LOST;
	}
	memset(f->hosts[12].name, 'n', FLEET_NAME - 1);
	memset(f->vms[12].name, 'v', VM_NAME_BYTES - 1);
	static const int sizes[][2] = {
		{1, 1}, {2, 3}, {3, 7}, {4, 10}, {5, 20}, {6, 300}, {24, 80}, {200, 40}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int ascii = 0; ascii < 2; ascii++) {
			struct fleet_view *v = fleet_view_new(2);
			fleet_view_feed(v, f);
			for (const char *k = " \t \001 F \033 ? x / a \033 \\ ab\r r \t"; *k; k++) {
				type(v, f, (char[]){*k, 0});
				char *text = shoot(v, f, sizes[i][0], sizes[i][1], ascii);
				for (const char *p = text; *p; p++)
					assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
				for (const char *p = text; ascii && *p; p++)
					assert_true((unsigned char)*p < 0x7f);
				free(text);
			}
			fleet_view_mouse(v, 4, VK_CLICK, f);
			fleet_view_mouse(v, 0, VK_WHEEL_DOWN, f);
			fleet_view_free(v);
		}
	fleet_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_moves_golden),
		cmocka_unit_test(test_auto_golden),
		cmocka_unit_test(test_moves_keys),
		cmocka_unit_test(test_moves_of_nothing),
		cmocka_unit_test(test_every_key_does_something),
		cmocka_unit_test(test_the_cursor_stays_on_its_host),
		cmocka_unit_test(test_a_vm_opens_its_host),
		cmocka_unit_test(test_the_word_of_no_rows_goes),
		cmocka_unit_test(test_vms_that_came_at_once_are_sorted_once),
		cmocka_unit_test(test_odd_names_and_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
