/* SPDX-License-Identifier: MIT */
/* What keys do: which command, what is asked first, where the cursor stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/seat.h"
#include "vmtop/keys.h"

static void test_rebalance_asks_above_eight(void **state)
{
	struct seat *t = *state;
	t->s->n_rebalance_pins = 8;
	assert_int_equal(press(t, 'b'), CMD_REBALANCE);
	t->s->n_rebalance_pins = 9;
	assert_int_equal(press(t, 'b'), CMD_NONE);
	assert_true(asks(t, "9 vCPUs will move"));
	assert_int_equal(press(t, '\r'), CMD_NONE); /* only y is yes */
	assert_false(asks(t, "Rebalance"));
	press(t, 'b');
	assert_int_equal(press(t, 'y'), CMD_REBALANCE);
	t->s->n_rebalance_pins = -1; /* not known: as many as there are vCPUs */
	assert_int_equal(press(t, 'b'), CMD_NONE);
	assert_true(asks(t, "up to 40 vCPUs"));
}

static void test_cycle_and_undo_ask_above_eight(void **state)
{
	struct seat *t = *state;
	t->s->n_memory_changes = 8;
	assert_int_equal(press(t, 'B'), CMD_MEMORY_CYCLE);
	t->s->n_memory_changes = 9;
	assert_int_equal(press(t, 'B'), CMD_NONE);
	assert_true(asks(t, "9 balloons will change"));
	assert_int_equal(press(t, 'y'), CMD_MEMORY_CYCLE);
	t->s->n_undo = 8;
	assert_int_equal(press(t, 'u'), CMD_UNDO);
	t->s->n_undo = 38;
	assert_int_equal(press(t, 'u'), CMD_NONE);
	assert_true(asks(t, "38 changes"));
	assert_int_equal(press(t, 'n'), CMD_NONE);
}

/* A host that vmtop fleet opened: Esc goes back step by step, and then out. */
static void test_esc_leaves_a_host_of_a_fleet(void **state)
{
	struct seat *t = *state;
	assert_int_equal(press(t, VK_ESC), CMD_NONE);
	struct config cfg = {.delay_s = 2, .esc_quits = true};
	view_free(t->v);
	t->v = view_new(&cfg);
	view_feed(t->v, t->s);
	press(t, '2');
	assert_int_equal(press(t, VK_ESC), CMD_NONE);
	t->s->n_changed = 2; /* and asks what q asks */
	assert_int_equal(press(t, VK_ESC), CMD_NONE);
	assert_true(asks(t, "2 changes"));
	press(t, VK_ESC);
	t->s->n_changed = 0;
	assert_int_equal(press(t, VK_ESC), CMD_QUIT);
}

static bool shows(struct seat *t, const char *words)
{
	static char text[24 * 80 * 8];
	return strstr(shown(t, text, sizeof text), words) != NULL;
}

/* Where a key means something, and how one gets there. */
static void go_to(struct seat *t, enum key_place place)
{
	t->s->preview = place == IN_PREVIEW;
	t->s->moment = place == IN_REPLAY ? MOMENT_PLAYED : MOMENT_NOW;
	if (place == IN_EDIT)
		press(t, 'E');
	else if (place == IN_SETUP || place == IN_SORT)
		press(t, place == IN_SETUP ? VK_F1 + 1 : VK_F1 + 5);
}

/* A row of the key table alone is documented and does nothing: that must not go unnoticed. */
static void test_every_key_does_something(void **state)
{
	(void)state;
	for (size_t i = 0; i < key_count(); i++)
		for (unsigned place = IN_VIEWS; place <= IN_REPLAY; place <<= 1) {
			const struct key_row *k = key_at(i);
			struct seat *t = NULL;
			if (!(k->where & place))
				continue;
			sit((void **)&t);
			go_to(t, (enum key_place)place);
			assert_ptr_equal(key_find(k->keys[0], (enum key_place)place, false), k);
			press(t, k->keys[0]);
			if (shows(t, "nothing is done by this key"))
				fail_msg("%s (%s), place %u", k->name, k->help, place);
			rise((void **)&t);
		}
}

/* How many cells of the screen have the colour of waiting, with the columns NAME and WAIT% alone. */
static int waiting_cells(struct snapshot *s, bool of_host)
{
	struct config cfg = {.delay_s = 2, .columns = "name,wait"};
	struct view *v = view_new(&cfg);
	struct screen to;
	struct command c;
	int n = 0;
	view_feed(v, s);
	view_key(v, VK_DOWN, s, &c); /* the row with the cursor has its own colour */
	if (of_host)
		view_key(v, 'I', s, &c);
	screen_init(&to, 24, 80);
	view_draw(v, s, &to, 0, 0);
	for (int i = 4 * 80; i < 24 * 80; i++)
		n += to.cells[i].style == STYLE_WAIT;
	screen_done(&to);
	view_free(v);
	return n;
}

/* The number of WAIT% and its colour are of one measure: the sum over the vCPUs, in percent of a pCPU. */
static void test_waiting_is_coloured_by_its_sum(void **state)
{
	(void)state;
	static const struct {
		double sum;
		bool coloured;
	} rows[] = {{0, false}, {9.9, false}, {10, true}, {38, true}, {300, true}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int of_host = 0; of_host < 2; of_host++) {
			struct snapshot *s = bigsnap_new(2, 4);
			for (size_t vm = 0; vm < 2; vm++)
				s->vm_rates[vm].wait_pct = vf64_ok(rows[i].sum);
			assert_true(s->sample.vms[0].n_vcpus + s->sample.vms[1].n_vcpus > 2);
			if ((waiting_cells(s, of_host) > 0) != rows[i].coloured)
				fail_msg("a sum of %.1f, of host %d", rows[i].sum, of_host);
			bigsnap_free(s);
		}
}

/* Who steers the host is on the screens of both. */
static void test_the_owner_is_shown(void **state)
{
	struct seat *t = *state;
	struct claim_status *c = &t->s->backend.claim;
	assert_false(shows(t, "steers"));
	*c = (struct claim_status){CLAIM_OURS, "root@alpha, process 7, since 2026-01-01 10:00"};
	assert_true(shows(t, "· steers")); /* who, where there is room */
	assert_false(shows(t, "WAITS"));
	c->state = CLAIM_OTHER;
	t->s->waits_cpu = true;
	assert_true(shows(t, "root@alpha, process 7, since 2026-01-01 10:00 steers this host"));
	assert_true(shows(t, "CPU WAITS"));
	assert_int_equal(press(t, 'a'), CMD_AUTO_CPU); /* waits no longer; nothing to ask */
	assert_false(t->c.on);
	t->s->waits_cpu = false;
	*c = (struct claim_status){0};
}

static void test_auto_asks_once(void **state)
{
	struct seat *t = *state;
	assert_int_equal(press(t, 'a'), CMD_NONE);
	assert_true(asks(t, "AUTO CPU: 13 guests eligible, 3 not."));
	assert_int_equal(press(t, 'n'), CMD_NONE);
	press(t, 'a');
	assert_int_equal(press(t, 'y'), CMD_AUTO_CPU);
	assert_true(t->c.on);
	t->s->auto_cpu = true;
	assert_int_equal(press(t, 'a'), CMD_AUTO_CPU); /* turning off never asks */
	assert_false(t->c.on);
	t->s->auto_cpu = false;
	assert_int_equal(press(t, 'a'), CMD_AUTO_CPU); /* asked once per session */
	assert_int_equal(press(t, 'm'), CMD_NONE);     /* memory is another question */
	assert_true(asks(t, "AUTO memory: 13 guests eligible, 3 not."));
}

static void test_yes_skips_questions(void **state)
{
	struct seat *t = *state;
	t->s->n_rebalance_pins = 500;
	assert_int_equal(press(t, 'b'), CMD_REBALANCE);
	assert_int_equal(press(t, 'a'), CMD_AUTO_CPU);
	assert_int_equal(press(t, 'm'), CMD_AUTO_MEMORY);
}

static void test_filter_does_not_limit_actions(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	press(t, '\\');
	type(t, "^db");
	press(t, VK_ENTER);
	assert_null(strstr(shown(t, buf, sizeof buf), " runner-2 "));
	assert_non_null(strstr(buf, "db1"));
	press(t, 'a');
	assert_true(asks(t, "only the view: this is about all VMs."));
}

/* The C library copies what is repeated: twenty-five plus signs in a row would take a gigabyte. */
static void test_hostile_patterns(void **state)
{
	struct seat *t = *state;
	static const char *const bad[] = {"w+++++++++++++++++++++++++", "((((((((((w+)+)+)+)+)+)+)+)+)+)+",
		"((w{200}){200}){200}", "w{30000}", "(w)\\1", "((((((((((((((((((((((((((((((((((((((((((w",
		"[w", "(w", "[[:alpha:]a]{9}{9}{9}{9}", "[]a]++++++++++++++", "[^]a]++++++++++++++",
		"\\(++++++++++++++"};
	static const char *const good[] = {
		"^db(1|2)+$", "d[[:alpha:]]{1,9}[]^-]?1*|db1", "(a+b+c+)*d.{1,40}|\\.|db", "d\\w+"};
	char buf[8192];
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		press(t, '\\');
		type(t, bad[i]);
		press(t, VK_ENTER);
		if (!strstr(shown(t, buf, sizeof buf), "not a regular expression that can be used"))
			fail_msg("%s was taken:\n%s", bad[i], buf);
		assert_non_null(strstr(buf, " runner-2 ")); /* the filter is as before: none */
		press(t, VK_ESC);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		press(t, '\\');
		type(t, good[i]);
		press(t, VK_ENTER);
		if (strstr(shown(t, buf, sizeof buf), " runner-2 ") || !strstr(buf, "db1"))
			fail_msg("%s was not taken:\n%s", good[i], buf);
		press(t, '\\');
		for (size_t k = 0; k < strlen(good[i]); k++)
			press(t, VK_BACKSPACE);
		press(t, VK_ENTER);
	}
}

static void test_quit_asks_when_changed(void **state)
{
	struct seat *t = *state;
	assert_int_equal(press(t, 'q'), CMD_QUIT);
	assert_false(t->c.on);
	t->s->n_changed = t->s->n_periods = 3; /* they are put back whatever is answered */
	assert_int_equal(press(t, 'q'), CMD_QUIT);
	t->s->n_changed = 5;
	assert_int_equal(press(t, 'q'), CMD_NONE);
	assert_true(asks(t, "2 changes made from here are in force"));
	assert_int_equal(press(t, VK_ESC), CMD_NONE); /* stays */
	press(t, 'q');
	assert_int_equal(press(t, 'n'), CMD_QUIT);
	assert_false(t->c.on);
	press(t, 'q');
	assert_int_equal(press(t, 'y'), CMD_QUIT);
	assert_true(t->c.on);
}

static void test_readonly(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	t->s->readonly = true;
	snprintf(t->s->backend.readonly_why, sizeof t->s->backend.readonly_why, "--readonly");
	for (const char *k = "bamBuUE=HXOp"; *k; k++)
		assert_int_equal(press(t, *k), CMD_NONE);
	assert_non_null(strstr(shown(t, buf, sizeof buf), "read-only: --readonly"));
	assert_null(strstr(buf, "b Balance"));
}

/* The cursor stays on its VM when rows are sorted anew, and finds another when the VM is gone. */
static void test_cursor_stays_on_vm(void **state)
{
	struct seat *t = *state;
	press(t, VK_DOWN);
	press(t, VK_DOWN);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	uint8_t uuid[UUID_BYTES];
	memcpy(uuid, t->c.uuid, UUID_BYTES);
	press(t, 'M');
	press(t, 'r');
	bigsnap_tick(t->s);
	view_feed(t->v, t->s);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_memory_equal(t->c.uuid, uuid, UUID_BYTES);
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		if (!uuid_compare(t->s->sample.vms[i].uuid, uuid))
			t->s->sample.vms[i].uuid[15] ^= 1;
	t->s->seq++;
	view_feed(t->v, t->s);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_memory_not_equal(t->c.uuid, uuid, UUID_BYTES);
}

/* Which VM stands first when VM number i uses first + i * step percent. */
static size_t first_of(struct seat *t, double first, double step)
{
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		t->s->vm_rates[i].cpu_pct = vf64_ok(first + step * (double)i);
	t->s->seq++;
	view_feed(t->v, t->s);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		if (!uuid_compare(t->s->sample.vms[i].uuid, t->c.uuid))
			return i;
	fail();
	return 0;
}

/* Those who rest do not change places, nor do those of whom the same is shown; else the order is that of the
 * use. */
static void test_who_rests_stays(void **state)
{
	struct seat *t = *state;
	size_t last = t->s->sample.n_vms - 1;
	assert_int_equal(first_of(t, .1, .05), 0);
	assert_int_equal(first_of(t, .9, -.05), 0);
	assert_int_equal(first_of(t, 20.01, .001), 0);
	assert_int_equal(first_of(t, 1, .1), last);
	assert_int_equal(first_of(t, 20, .1), last);
	assert_int_equal(first_of(t, 20, -.1), 0);
	assert_int_equal(first_of(t, .9, .1 / (double)last), last); /* the last one works */
}

/* Which name stands first in the map. */
static bool map_begins(struct seat *t, const char *name)
{
	char buf[16384];
	t->s->seq++;
	view_feed(t->v, t->s);
	press(t, VK_HOME);
	for (size_t i = 0; i < t->s->sample.n_vcpus; i++)
		press(t, VK_UP);
	const char *map = strstr(shown(t, buf, sizeof buf), "Pin map"), *row = map ? strchr(map, '\n') : NULL;
	row = row ? strchr(row + 1, '\n') : NULL; /* below the numbers of the pCPUs */
	const char *end = row ? strchr(row + 1, '\n') : NULL, *at = row ? strstr(row, name) : NULL;
	if (!at || at > end)
		print_message("%s is not first:\n%s", name, buf);
	return at && at < end;
}

/* The map is in the order of the names: also after one was renamed, and after a filter came and went. */
static void test_map_follows_names(void **state)
{
	struct seat *t = *state;
	struct vm_sample *m = &t->s->sample.vms[2];
	char before[sizeof m->name];
	press(t, '1');
	assert_true(map_begins(t, "007"));
	memcpy(before, m->name, sizeof before);
	snprintf(m->name, sizeof m->name, "000");
	assert_true(map_begins(t, "000"));
	press(t, '\\');
	type(t, "^db");
	press(t, VK_ENTER);
	assert_true(map_begins(t, "db1"));
	memcpy(m->name, before, sizeof before);
	press(t, '\\');
	press(t, VK_CTRL('U'));
	press(t, VK_ENTER);
	assert_true(map_begins(t, "007"));
}

static void test_marked_vms_get_one_command_each(void **state)
{
	struct seat *t = *state;
	struct command c;
	press(t, 'x');
	press(t, 'x');
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_true(view_more(t->v, &c));
	assert_int_equal(c.kind, CMD_HOLD);
	assert_memory_not_equal(c.uuid, t->c.uuid, UUID_BYTES);
	assert_false(view_more(t->v, &c));
}

/* O turns round what holds for the selected VM. */
static void test_own_node(void **state)
{
	struct seat *t = *state;
	assert_int_equal(press(t, 'O'), CMD_STAY_ON_NODE);
	assert_true(t->c.on);
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		if (!uuid_compare(t->s->sample.vms[i].uuid, t->c.uuid))
			t->s->vm_status[i].stay_on_node = true;
	t->s->seq++;
	view_feed(t->v, t->s);
	assert_int_equal(press(t, 'O'), CMD_STAY_ON_NODE);
	assert_false(t->c.on);
}

static void test_prompts(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	press(t, 'i');
	assert_true(asks(t, "Interval in seconds (0.2 to 3600): 2"));
	press(t, VK_CTRL('U'));
	type(t, "0.5");
	assert_int_equal(press(t, VK_ENTER), CMD_INTERVAL);
	assert_true(t->c.number == 0.5);
	press(t, 'd');
	press(t, VK_CTRL('U'));
	type(t, "0.1");
	assert_int_equal(press(t, VK_ENTER), CMD_NONE);
	assert_non_null(strstr(shown(t, buf, sizeof buf), "the interval must be 0.2 to 3600 seconds"));
	press(t, '\'');
	type(t, "load begins");
	assert_int_equal(press(t, VK_ENTER), CMD_MARK);
	assert_string_equal(t->c.text, "load begins");
	press(t, '=');
	press(t, VK_CTRL('U'));
	type(t, "1.5G");
	assert_int_equal(press(t, VK_ENTER), CMD_BALLOON);
	assert_true(t->c.number == 1.5 * 1024 * 1024);
}

/* R asks for the file, shows REC while it is written, and ends it. */
static void test_recording(void **state)
{
	struct seat *t = *state;
	assert_false(shows(t, "REC"));
	press(t, 'R');
	assert_true(asks(t, "Record into the new file: vmtop-"));
	assert_true(view_sends(t->v, VK_ENTER, t->s));
	type(t, "day.rec");
	assert_int_equal(press(t, VK_ENTER), CMD_RECORD);
	assert_true(t->c.on);
	assert_string_equal(t->c.text, "day.rec");
	snprintf(t->s->backend.recording, sizeof t->s->backend.recording, "./day.rec");
	assert_true(shows(t, "REC"));
	assert_true(view_sends(t->v, 'R', t->s));
	assert_int_equal(press(t, 'R'), CMD_RECORD);
	assert_false(t->c.on);
}

/* What a line is filled with goes when a character is typed, as a whole; it stays for Enter and for
 * correction from its end. The same in all of them. */
static void test_prompts_are_replaced(void **state)
{
	struct seat *t = *state;
	press(t, 'i');
	type(t, "5");
	assert_int_equal(press(t, VK_ENTER), CMD_INTERVAL);
	assert_true(t->c.number == 5);
	press(t, 's');
	assert_int_equal(press(t, VK_ENTER), CMD_INTERVAL);
	assert_true(t->c.number == 2);
	press(t, 'd');
	press(t, VK_BACKSPACE);
	type(t, "30");
	assert_int_equal(press(t, VK_ENTER), CMD_INTERVAL);
	assert_true(t->c.number == 30);
	press(t, '\\');
	type(t, "vm1");
	press(t, VK_ENTER);
	press(t, '\\');
	assert_true(asks(t, "Filter (empty: all): vm1"));
	type(t, "vm2");
	assert_true(asks(t, "Filter (empty: all): vm2"));
	press(t, VK_ESC);
	press(t, '\\');
	press(t, VK_BACKSPACE);
	type(t, "3");
	assert_true(asks(t, "Filter (empty: all): vm3"));
}

static void test_preview(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	assert_int_equal(press(t, 'v'), CMD_PREVIEW);
	t->s->preview = true;
	t->s->preview_after_pct = vf64_ok(4.1);
	t->s->n_preview_pins = 3;
	assert_non_null(strstr(shown(t, buf, sizeof buf), "PREVIEW"));
	assert_non_null(strstr(buf, "4.1 % after 3 pins"));
	assert_int_equal(press(t, 'y'), CMD_PREVIEW_APPLY);
	assert_int_equal(press(t, VK_ESC), CMD_PREVIEW_DROP);
}

static void test_pin_editor(void **state)
{
	struct seat *t = *state;
	struct command c;
	press(t, '/');
	type(t, "^db1$");
	press(t, VK_ENTER);
	press(t, 'E');
	press(t, VK_ENTER);
	type(t, "1-2");
	assert_int_equal(press(t, VK_ENTER), CMD_NONE); /* staged, nothing changed */
	assert_int_equal(press(t, 'y'), CMD_PIN);
	assert_int_equal(t->c.vcpu, 0);
	assert_int_equal(cpuset_count(&t->c.cpus), 2);
	assert_true(cpuset_has(&t->c.cpus, 1) && cpuset_has(&t->c.cpus, 2));
	assert_false(view_more(t->v, &c));
	press(t, 'E');
	press(t, VK_ENTER);
	type(t, "7"); /* offline */
	press(t, VK_ENTER);
	assert_int_equal(press(t, 'y'), CMD_NONE);
	press(t, 'E');
	press(t, VK_ENTER);
	type(t, "0");
	press(t, VK_ENTER);
	press(t, VK_ESC); /* dropped */
	assert_int_equal(press(t, 'y'), CMD_NONE);
}

static void test_own_cost(void **state)
{
	struct seat *t = *state;
	t->s->sample.took_ns = 12340000;
	t->s->sample.cost = (struct sample_cost){.rpc_ns = 3250000, .calls = 7, .n_local = 199, .n_bulk = 1};
	t->s->cost = (struct step_cost){.plan_ns = 810000, .apply_ns = 5000000};
	assert_false(view_wants_cost(t->v));
	press(t, 'C');
	assert_true(view_wants_cost(t->v));
	assert_true(asks(t, "12.34 ms"));
	assert_true(asks(t, "3.25 ms"));
	assert_true(asks(t, "7 answers"));
	assert_true(asks(t, "199 from /proc, 1 by bulk call"));
	assert_true(asks(t, "0.81 ms"));
	assert_true(asks(t, "5.00 ms"));
	assert_true(asks(t, "-  sent for the last frame"));
	view_cost(t->v, &(struct own_cost){1500000, vi64_ok(1234), 5000000, 1000000000});
	assert_true(asks(t, "1.50 ms"));
	assert_true(asks(t, "1234 bytes"));
	assert_true(asks(t, "0.50 %"));
	press(t, 'C');
	assert_false(view_wants_cost(t->v));
}

/* Last by CPU, it stands on top once it suffers, until an order is chosen; w opens it. */
static void test_who_suffers_is_seen(void **state)
{
	struct seat *t = *state;
	size_t last = 0;
	assert_false(shows(t, "SWAPPING"));
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		if (t->s->vm_rates[i].cpu_pct.v < t->s->vm_rates[last].cpu_pct.v)
			last = i;
	t->s->vm_status[last].suffer = (struct suffering){.score_pct = 100,
		.n = 1,
		.found = {{.cause = CAUSE_SWAP,
			.weight_pct = 100,
			.num = {9000, 1, 0},
			.pcpu = -1,
			.other = -1}}};
	t->s->seq++;
	view_feed(t->v, t->s);
	assert_true(shows(t, "SWAPPING 1:"));
	assert_true(shows(t, "\n!"));
	/* Who starves comes first in the alert line, whatever the score, and so it does for the key. */
	size_t other = last ? 0 : 1;
	t->s->vm_status[other].suffer = (struct suffering){.score_pct = 40,
		.n = 1,
		.found = {{.cause = CAUSE_PINS, .weight_pct = 40, .pcpu = -1, .other = -1}}};
	t->s->seq++;
	view_feed(t->v, t->s);
	press(t, 'w');
	assert_true(shows(t, "suffers 40 of 100"));
	press(t, 'w');
	assert_true(shows(t, "suffers 100 of 100"));
	press(t, VK_ESC);
	t->s->vm_status[other].suffer.n = 0;
	t->s->seq++;
	view_feed(t->v, t->s);
	press(t, 'P'); /* turns the order by CPU round: chosen */
	press(t, 'P');
	assert_false(shows(t, "\n!"));
	press(t, 'w');
	assert_true(shows(t, "suffers 100 of 100"));
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_memory_equal(t->c.uuid, t->s->sample.vms[last].uuid, UUID_BYTES);
	press(t, VK_ESC);
	assert_false(shows(t, "suffers 100 of 100"));
}

int main(void)
{
#define SEATED(test) cmocka_unit_test_setup_teardown(test, sit, rise)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_does_something),
		cmocka_unit_test(test_waiting_is_coloured_by_its_sum),
		SEATED(test_own_cost),
		SEATED(test_rebalance_asks_above_eight),
		SEATED(test_esc_leaves_a_host_of_a_fleet),
		SEATED(test_cycle_and_undo_ask_above_eight),
		SEATED(test_the_owner_is_shown),
		SEATED(test_auto_asks_once),
		cmocka_unit_test_setup_teardown(test_yes_skips_questions, sit_yes, rise),
		SEATED(test_filter_does_not_limit_actions),
		SEATED(test_hostile_patterns),
		SEATED(test_quit_asks_when_changed),
		SEATED(test_readonly),
		SEATED(test_cursor_stays_on_vm),
		SEATED(test_who_rests_stays),
		SEATED(test_map_follows_names),
		SEATED(test_marked_vms_get_one_command_each),
		SEATED(test_who_suffers_is_seen),
		SEATED(test_own_node),
		SEATED(test_prompts),
		SEATED(test_recording),
		SEATED(test_prompts_are_replaced),
		SEATED(test_preview),
		SEATED(test_pin_editor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
