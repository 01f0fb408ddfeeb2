/* SPDX-License-Identifier: MIT */
/* Keys of a replay: what each asks of the player, and that nothing can be steered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/bigsnap.h"
#include "support/dump.h"
#include "vmtop/keys.h"
#include "vmtop/settings.h"
#include "vmtop/view.h"

struct desk {
	struct view *v;
	struct snapshot *s;
};

static struct desk desk(void)
{
	struct config cfg;
	config_defaults(&cfg);
	struct desk d = {view_new(&cfg), bigsnap_new(8, 8)};
	d.s->moment = MOMENT_PLAYED;
	d.s->readonly = true;
	/* 2026-01-01 12:00:00 where this runs */
	struct tm noon = {.tm_year = 126, .tm_mday = 1, .tm_hour = 12, .tm_isdst = -1};
	d.s->sample.wall_ns = (int64_t)mktime(&noon) * 1000000000;
	view_feed(d.v, d.s);
	return d;
}

static void desk_done(struct desk *d)
{
	view_free(d->v);
	bigsnap_free(d->s);
}

static void asks(struct desk *d, const char *keys, const char *what, double number)
{
	struct command c = {.kind = CMD_NONE};
	bool got = false;
	for (const char *p = keys; *p; p++)
		got = view_key(d->v, *p == '\n' ? VK_ENTER : (unsigned char)*p, d->s, &c);
	if (!what) {
		assert_false(got && c.kind == CMD_REPLAY);
		return;
	}
	assert_true(got);
	assert_int_equal(c.kind, CMD_REPLAY);
	assert_string_equal(c.text, what);
	if (c.number < number - 1e-6 || c.number > number + 1e-6)
		fail_msg("%s: %g, not %g", keys, c.number, number);
}

static void test_player(void **state)
{
	(void)state;
	struct desk d = desk();
	asks(&d, " ", "play", 0);
	asks(&d, "]", "step", 1);
	asks(&d, "t", "step", 1);
	asks(&d, "[", "step", -1);
	asks(&d, "T", "step", -1);
	asks(&d, "+", "speed", 2);
	asks(&d, "-", "speed", .5);
	asks(&d, "L", "loop", 0);
	desk_done(&d);
}

static void test_go_to(void **state)
{
	(void)state;
	struct desk d = desk();
	asks(&d, "g-3m\n", "go", -180);
	asks(&d, "g+30s\n", "go", 30);
	asks(&d, "g90\n", "at", 90);
	asks(&d, "g1.5h\n", "at", 5400);
	asks(&d, "g12:05\n", "go", 300);
	asks(&d, "g11:59:58\n", "go", -2);
	asks(&d, "g23:59\n", "go", 43140);
	asks(&d, "g00:30\n", "go", -41400);
	asks(&d, "gsoon\n", NULL, 0);
	asks(&d, "g25:00\n", NULL, 0);
	asks(&d, "ginf\n", NULL, 0);
	asks(&d, "g\n", NULL, 0);
	desk_done(&d);
}

/* On a host the same keys mean what they always do. */
static void test_only_in_replay(void **state)
{
	(void)state;
	assert_int_equal(key_find(' ', IN_VIEWS, false)->action, KEY_SAMPLE);
	assert_int_equal(key_find('T', IN_VIEWS, false)->action, KEY_SORT_TIME);
	assert_int_equal(key_find('g', IN_VIEWS, false)->action, KEY_GO); /* back in time */
	assert_int_equal(key_find(' ', IN_REPLAY, true)->action, KEY_PLAY);
	assert_int_equal(key_find('q', IN_REPLAY, true)->action, KEY_QUIT);
	assert_null(key_find('b', IN_REPLAY, true));
}

/* What cannot work says why. */
static void test_not_recorded_again(void **state)
{
	(void)state;
	struct desk d = desk();
	struct screen at;
	assert_int_equal(screen_init(&at, 24, 80), 0);
	asks(&d, "R", NULL, 0);
	view_draw(d.v, d.s, &at, 0, 0);
	char *text = screen_dump(&at);
	assert_non_null(strstr(text, "what is shown is a recording: nothing can be asked of it"));
	free(text);
	screen_done(&at);
	desk_done(&d);
}

/* All of the recording, under every view, and where one is in it. */
static void test_timeline(void **state)
{
	(void)state;
	struct desk d = desk();
	static struct timeline t;
	struct screen at;
	t.from_ns = d.s->sample.wall_ns - INT64_C(30000000000);
	t.to_ns = d.s->sample.wall_ns + INT64_C(30000000000);
	memset(t.level, 50, sizeof t.level);
	timeline_add(&t, &(struct timeline_event){t.from_ns, SIGN_MARK});
	timeline_add(&t, &(struct timeline_event){t.from_ns - 1, SIGN_FAULT}); /* before its time */
	d.s->timeline = &t;
	assert_int_equal(screen_init(&at, 24, 80), 0);
	for (const char *view = "01234w"; *view; view++) {
		struct command c;
		view_key(d.v, *view, d.s, &c);
		view_draw(d.v, d.s, &at, 0, 0);
		char *text = screen_dump(&at), *line = strstr(text, "Timeline 11:59:30 to 12:00:30");
		assert_non_null(line);
		line = strchr(strchr(line, '\n') + 1, '\n') + 1;
		assert_int_equal(*line, '\'');
		assert_int_equal(strcspn(line, "^"), 39);
		free(text);
	}
	screen_done(&at);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_player),
		cmocka_unit_test(test_go_to),
		cmocka_unit_test(test_only_in_replay),
		cmocka_unit_test(test_not_recorded_again),
		cmocka_unit_test(test_timeline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
