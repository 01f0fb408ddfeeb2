/* SPDX-License-Identifier: MIT */
/* Who suffers and why, as it stands on the screen: the shipped unwell host, simulated until each cause has
 * been found, then the worst guest's panel and those after it. Read as a diff when words change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/dump.h"
#include "support/golden.h"
#include "support/run_scenario.h"
#include "vmtop/engine.h"
#include "vmtop/view.h"

enum { TICKS = 40, DELAY_S = 2 };

struct why_shot {
	const char *name, *keys;
	int rows, cols;
	bool ascii;
};

/* As the screen would: fed with each snapshot, so that its graphs have what came before. */
struct host {
	struct view *view;
	struct snapshot *last;
};

static struct host sick_host(void)
{
	struct err e = ERR_INIT;
	struct config cfg;
	struct host h = {NULL, NULL};
	run_config(&cfg, false, false, DELAY_S);
	struct engine *en = engine_new(&cfg, run_open("sick"), &e);
	assert_non_null(en);
	assert_non_null(h.view = view_new(&cfg));
	engine_command(en, &(struct command){.kind = CMD_GROUPS,
				   .number = SAMPLE_BALLOON | SAMPLE_PCPUS | SAMPLE_BLOCK});
	for (int i = 0; i < TICKS; i++) {
		assert_int_equal(engine_step(en, &e), 0);
		snapshot_free(h.last);
		assert_non_null(h.last = engine_snapshot(en));
		view_feed(h.view, h.last);
		engine_wait(en, -1);
	}
	engine_free(en);
	return h;
}

static void shoot(const struct why_shot *t)
{
	struct host h = sick_host();
	struct screen to, over;
	struct command c;
	char path[160];
	int row, col;
	assert_int_equal(screen_init(&to, t->rows, t->cols), 0);
	to.ascii = t->ascii;
	view_draw(h.view, h.last, &to, 0, 0);
	for (const char *k = t->keys; *k; k++)
		view_key(h.view, *k, h.last, &c);
	view_draw(h.view, h.last, &to, 0, 0);
	assert_int_equal(screen_init(&over, 1, 1), 0);
	if (view_overlay(h.view, h.last, &over, t->rows, t->cols, &row, &col))
		screen_blit(&to, &over, row, col);
	char *text = screen_dump(&to);
	snprintf(path, sizeof path, "tests/screen/golden/why-%s-%dx%d.txt", t->name, t->cols, t->rows);
	golden_is(path, text);
	free(text);
	screen_done(&to);
	screen_done(&over);
	view_free(h.view);
	snapshot_free(h.last);
}

static void test_sizes(void **state)
{
	static const int sizes[][2] = {{24, 80}, {40, 120}, {60, 200}, {90, 300}, {12, 40}, {6, 20}};
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		shoot(&(struct why_shot){"overview", "", sizes[i][0], sizes[i][1], false});
		shoot(&(struct why_shot){"worst", "w", sizes[i][0], sizes[i][1], false});
	}
}

static void test_each(void **state)
{
	static const struct why_shot shots[] = {
		{"second", "ww", 24, 80, false},
		{"third", "www", 24, 80, false},
		{"fourth", "wwww", 24, 80, false},
		{"fifth", "wwwww", 24, 80, false},
		{"sixth", "wwwwww", 24, 80, false},
		{"seventh", "wwwwwww", 24, 80, false},
		{"eighth", "wwwwwwww", 24, 80, false},
		{"ascii", "w", 24, 80, true},
		{"help", "w?", 40, 120, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof shots / sizeof *shots; i++)
		shoot(&shots[i]);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_each)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
