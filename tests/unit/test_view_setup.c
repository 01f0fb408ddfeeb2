/* SPDX-License-Identifier: MIT */
/* What the screen shows and how that is chosen: the setup panel, names on the command line, statistics that
 * are fetched only while shown, the mouse, help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/seat.h"

static const char *saved_columns(struct seat *t, struct config *c)
{
	config_defaults(c);
	view_setup(t->v, c);
	return c->columns;
}

static void to_column(struct seat *t, int n)
{
	press(t, VK_F1 + 1);
	for (int i = 0; i < 9 + n; i++)
		press(t, VK_DOWN);
}

static void test_columns(void **state)
{
	struct seat *t = *state;
	struct config c;
	assert_string_equal(saved_columns(t, &c), ""); /* the best that fit: nothing to save */
	to_column(t, 0);
	press(t, ' '); /* ID goes */
	assert_int_equal(strncmp(saved_columns(t, &c), "name,state,vcpus,bars,cpu,", 26), 0);
	press(t, '>'); /* NAME one to the right, the cursor with it */
	press(t, '>');
	assert_int_equal(strncmp(saved_columns(t, &c), "state,vcpus,name,bars,cpu,", 26), 0);
	press(t, VK_F1 + 6); /* as in htop */
	assert_int_equal(strncmp(saved_columns(t, &c), "state,name,vcpus,bars,cpu,", 26), 0);
	press(t, 's');
	saved_columns(t, &c);
	assert_string_equal(c.sort, "name");
	assert_false(c.sort_reverse);
	press(t, 's');
	saved_columns(t, &c);
	assert_true(c.sort_reverse);
	press(t, VK_ESC);
	press(t, VK_F1 + 1);
	for (int i = 0; i < 8; i++)
		press(t, VK_DOWN);
	press(t, VK_ENTER); /* back to the best that fit */
	assert_string_equal(saved_columns(t, &c), "");
}

static enum command_kind yes(struct seat *t, int key)
{
	assert_int_equal(press(t, key), CMD_NONE);
	return press(t, 'y');
}

/* The heads that fit, but for the one that is hidden, and that which takes its room. */
static void test_a_hidden_column_leaves_the_others(void **state)
{
	struct seat *t = *state;
	static const char *const stay[] = {"STATE", "CPU%", "WAIT%", "PINS", "BALL", "USED", "MIN"};
	char buf[8192];
	shown(t, buf, sizeof buf);
	for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
		assert_non_null(strstr(buf, stay[i]));
	to_column(t, 11); /* MAX */
	press(t, ' ');
	press(t, VK_ESC);
	shown(t, buf, sizeof buf);
	assert_null(strstr(buf, " MAX"));
	for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
		if (!strstr(buf, stay[i]))
			fail_msg("%s went too:\n%s", stay[i], buf);
}

static void test_policies_and_looks(void **state)
{
	struct seat *t = *state;
	struct config c;
	press(t, VK_F1 + 1);
	assert_int_equal(press(t, VK_ENTER), CMD_NONE); /* what decides over guests asks first */
	assert_true(asks(t, "CPU policy: origin-a instead of minmove?"));
	assert_int_equal(press(t, 'n'), CMD_NONE);
	assert_true(asks(t, "Setup")); /* back to it, nothing changed */
	assert_int_equal(yes(t, VK_ENTER), CMD_CPU_POLICY);
	assert_int_equal((int)t->c.number, CPU_POLICY_ORIGIN_A);
	assert_int_equal(yes(t, VK_ENTER), CMD_CPU_POLICY); /* the engine has not answered yet */
	assert_int_equal((int)t->c.number, CPU_POLICY_ORIGIN_B);
	assert_int_equal(yes(t, VK_LEFT), CMD_CPU_POLICY);
	assert_int_equal((int)t->c.number, CPU_POLICY_ORIGIN_A);
	press(t, VK_DOWN);
	assert_int_equal(yes(t, VK_RIGHT), CMD_MEM_POLICY);
	press(t, VK_DOWN);
	assert_int_equal(yes(t, ' '), CMD_GRANULARITY);
	assert_int_equal((int)t->c.number, GRAN_CPU);
	press(t, VK_DOWN);
	assert_int_equal(press(t, ' '), CMD_NONE);
	assert_string_equal(view_theme(t->v), "light");
	press(t, VK_DOWN);
	press(t, ' ');
	config_defaults(&c);
	view_setup(t->v, &c);
	assert_int_equal(c.graph, GRAPH_BRAILLE);
	assert_int_equal(c.granularity, GRAN_CPU);
	assert_string_equal(c.theme, "light");
	assert_int_equal(press(t, 'W'), CMD_SAVE);
	press(t, VK_ESC);
	assert_int_equal(press(t, 'W'), CMD_SAVE);
	assert_int_equal(press(t, 'q'), CMD_QUIT);
}

/* Help of the panel comes back to the panel. */
static void test_help_in_place(void **state)
{
	struct seat *t = *state;
	press(t, VK_F1 + 1);
	press(t, '?');
	assert_true(asks(t, "Help: setup"));
	assert_true(asks(t, "setup: move the column"));
	assert_false(asks(t, "rebalance now"));
	press(t, VK_ESC);
	assert_true(asks(t, "Columns of the overview"));
	press(t, VK_ESC);
	assert_false(asks(t, "Setup"));
	press(t, 'E');
	press(t, '?');
	assert_true(asks(t, "Help: pin editor"));
	assert_true(asks(t, "type a CPU list"));
	press(t, VK_ESC);
	press(t, VK_ESC);
	press(t, '?');
	assert_true(asks(t, "Help: overview"));
}

static void test_groups_follow_what_is_shown(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	unsigned plain = SAMPLE_BALLOON | SAMPLE_PCPUS;
	shown(t, buf, sizeof buf);
	assert_int_equal(view_groups(t->v), plain);
	press(t, VK_ENTER);
	shown(t, buf, sizeof buf);
	assert_int_equal(view_groups(t->v), plain | SAMPLE_BLOCK | SAMPLE_NET);
	press(t, VK_ESC);
	shown(t, buf, sizeof buf);
	assert_int_equal(view_groups(t->v), plain);
	press(t, '1'); /* nothing of a guest in sight */
	shown(t, buf, sizeof buf);
	assert_int_equal(view_groups(t->v), SAMPLE_PCPUS);
}

static int sit_io(void **state)
{
	return sit_with(
		state, &(struct config){.delay_s = 2, .columns = "name,cpu,rdby,wrrq", .sort = "rdby"});
}

/* Only while the table is on the screen. */
static void test_block_columns(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	assert_non_null(strstr(shown(t, buf, sizeof buf), "RDBY"));
	assert_non_null(strstr(buf, "WRRQ"));
	assert_int_equal(view_groups(t->v), SAMPLE_BALLOON | SAMPLE_PCPUS | SAMPLE_BLOCK);
	press(t, '3');
	shown(t, buf, sizeof buf);
	assert_int_equal(view_groups(t->v), SAMPLE_PCPUS);
}

static int sit_named(void **state)
{
	struct config *cfg = calloc(1, sizeof *cfg);
	cfg->delay_s = 2;
	cfg->show_patterns = true;
	cfg->n_patterns = 2;
	strcpy(cfg->patterns[0], "db*");
	strcpy(cfg->patterns[1], "web-3");
	int r = sit_with(state, cfg);
	free(cfg);
	return r;
}

static void test_names_of_the_command_line(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	assert_non_null(strstr(shown(t, buf, sizeof buf), "of 16 VMs, those that were named"));
	assert_non_null(strstr(buf, " db1 "));
	assert_non_null(strstr(buf, " web-3 "));
	assert_null(strstr(buf, " runner-2 "));
	press(t, '\\');
	press(t, VK_ENTER); /* an empty filter shows all */
	assert_non_null(strstr(shown(t, buf, sizeof buf), " runner-2 "));
}

static void test_paused_screen_asks(void **state)
{
	struct seat *t = *state;
	t->s->n_rebalance_pins = 3;
	press(t, 'Z');
	assert_int_equal(press(t, 'b'), CMD_NONE); /* three was true when the screen stopped */
	assert_true(asks(t, "up to 40 vCPUs may move (the screen"));
	press(t, VK_ESC);
	t->s->auto_cpu = true;
	assert_int_equal(press(t, 'a'), CMD_AUTO_CPU); /* off never asks */
	assert_false(t->c.on);
}

static void test_restore_of_nothing(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	t->s->n_changed = 0;
	assert_int_equal(press(t, 'U'), CMD_NONE);
	assert_non_null(strstr(shown(t, buf, sizeof buf), "everything is as it was found"));
	t->s->n_changed = 2;
	press(t, 'U');
	assert_true(asks(t, "2 changes"));
	assert_int_equal(press(t, 'y'), CMD_RESTORE);
}

static void test_marks(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	press(t, 'x');
	press(t, 'x');
	assert_non_null(strstr(shown(t, buf, sizeof buf), "2 MARKED"));
	press(t, VK_ESC);
	assert_null(strstr(shown(t, buf, sizeof buf), "MARKED"));
}

/* One that lacks it is enough for a key to give it to all; only when all have it, it is taken away. */
static void test_keys_on_marked(void **state)
{
	struct seat *t = *state;
	uint8_t first[UUID_BYTES];
	press(t, 'x');
	press(t, 'x');
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		t->s->vm_status[i].cpu = REASON_HELD;
	size_t free_one = 0; /* one of the marked: found by who is asked for */
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_false(t->c.on);
	memcpy(first, t->c.uuid, UUID_BYTES);
	assert_true(view_more(t->v, &t->c));
	assert_memory_not_equal(first, t->c.uuid, UUID_BYTES);
	assert_false(view_more(t->v, &t->c));
	free_one = (size_t)(sample_vm_by_uuid(&t->s->sample, first) - t->s->sample.vms);
	t->s->vm_status[free_one].cpu = REASON_NONE;
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	assert_true(t->c.on);
	assert_true(view_more(t->v, &t->c));
	assert_true(t->c.on);
	assert_false(view_more(t->v, &t->c));
	press(t, '=');
	assert_true(asks(t, "each of the 2 marked VMs"));
	type(t, "700M");
	assert_int_equal(press(t, VK_ENTER), CMD_BALLOON);
	assert_memory_equal(first, t->c.uuid, UUID_BYTES);
	assert_true(t->c.number == 700 << 10);
	assert_true(view_more(t->v, &t->c));
	assert_int_equal(t->c.kind, CMD_BALLOON);
	assert_false(view_more(t->v, &t->c));
}

/* A VM that is gone is not marked any more. */
static void test_marks_of_the_gone(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	size_t n = t->s->sample.n_vms;
	for (size_t i = 0; i < n; i++)
		press(t, 'x');
	assert_non_null(strstr(shown(t, buf, sizeof buf), "16 MARKED"));
	t->s->sample.n_vms = n - 3;
	view_feed(t->v, t->s);
	assert_non_null(strstr(shown(t, buf, sizeof buf), "13 MARKED"));
	t->s->sample.n_vms = n;
}

static int row_of(const char *screen, const char *text)
{
	int row = 0;
	for (const char *p = screen, *at = strstr(screen, text); p < at; p++)
		row += *p == '\n';
	return row;
}

static void test_mouse(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	shown(t, buf, sizeof buf);
	int head = row_of(buf, " NAME"), db1 = row_of(buf, " db1 ");
	view_mouse(t->v, db1, 5, VK_CLICK, t->s);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	size_t i = 0;
	while (strcmp(t->s->sample.vms[i].name, "db1"))
		i++;
	assert_memory_equal(t->c.uuid, t->s->sample.vms[i].uuid, UUID_BYTES);
	view_mouse(t->v, head, 2, VK_CLICK, t->s); /* sorts by name, then the other way round */
	struct config c = {0};
	view_setup(t->v, &c);
	assert_string_equal(c.sort, "name");
	view_mouse(t->v, head, 2, VK_CLICK, t->s);
	view_setup(t->v, &c);
	assert_true(c.sort_reverse);
	press(t, '1');
	shown(t, buf, sizeof buf);
	db1 = row_of(buf, " db1 ");
	const char *first = strstr(buf, "0  1  2"), *line = first;
	assert_non_null(first);
	while (line > buf && line[-1] != '\n')
		line--;
	view_mouse(t->v, db1, (int)(first - line) + 3 * 2, VK_CLICK, t->s); /* third pCPU of the map */
	assert_non_null(strstr(shown(t, buf, sizeof buf), "pCPU 2 "));
	press(t, '?');
	view_mouse(t->v, 3, 3, VK_WHEEL_DOWN, t->s);
	assert_false(asks(t, "A row a vCPU")); /* scrolled */
}

/* A page of pCPUs to the side. */
static void test_map_pages(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	bigsnap_free(t->s);
	t->s = bigsnap_new(3, 512);
	view_feed(t->v, t->s);
	press(t, '1');
	shown(t, buf, sizeof buf);
	press(t, VK_RIGHT);
	press(t, ')');
	assert_non_null(strstr(shown(t, buf, sizeof buf), "of 512"));
	assert_null(strstr(buf, "pCPUs 0-"));
	press(t, VK_SLEFT);
	assert_non_null(strstr(shown(t, buf, sizeof buf), "pCPUs 0-60 of 512"));
}

/* Only panels that are on the screen get the focus. */
static void test_tab(void **state)
{
	struct seat *t = *state;
	char buf[8192];
	press(t, '2');
	shown(t, buf, sizeof buf);
	press(t, VK_TAB);
	press(t, VK_DOWN); /* still the table: the cursor moves */
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	press(t, '0');
	shown(t, buf, sizeof buf);
	press(t, VK_TAB);
	press(t, VK_RIGHT);
	press(t, 'E');
	assert_non_null(strstr(shown(t, buf, sizeof buf), "PIN EDITOR"));
	assert_non_null(strstr(buf, "─ Pin map ─────")); /* the whole screen's */
	press(t, VK_ESC);
	assert_non_null(strstr(shown(t, buf, sizeof buf), " NAME"));
}

int main(void)
{
#define SEATED(test) cmocka_unit_test_setup_teardown(test, sit, rise)
	const struct CMUnitTest tests[] = {
		SEATED(test_columns),
		SEATED(test_a_hidden_column_leaves_the_others),
		SEATED(test_policies_and_looks),
		SEATED(test_help_in_place),
		SEATED(test_groups_follow_what_is_shown),
		cmocka_unit_test_setup_teardown(test_block_columns, sit_io, rise),
		cmocka_unit_test_setup_teardown(test_names_of_the_command_line, sit_named, rise),
		SEATED(test_paused_screen_asks),
		SEATED(test_restore_of_nothing),
		SEATED(test_marks),
		SEATED(test_keys_on_marked),
		SEATED(test_marks_of_the_gone),
		SEATED(test_mouse),
		SEATED(test_map_pages),
		SEATED(test_tab),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
