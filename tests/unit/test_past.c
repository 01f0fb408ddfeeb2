/* SPDX-License-Identifier: MIT */
/* Back in time on a running host: what was shown is shown again, nothing can be done to it, what is new is
 * taken in meanwhile, and Esc returns to LIVE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/seat.h"

enum { TICKS = 100 };

static void tick(struct seat *t)
{
	bigsnap_tick(t->s);
	for (size_t i = 0; i < t->s->sample.n_vms; i++) { /* what a number shows is what is kept of it */
		t->s->vm_rates[i].cpu_pct.v = round(t->s->vm_rates[i].cpu_pct.v * 10) / 10;
		t->s->vm_rates[i].demand_pct.v = round(t->s->vm_rates[i].demand_pct.v * 10) / 10;
	}
	view_feed(t->v, t->s);
}

/* The screen without its first line, which tells the time. */
static const char *body(struct seat *t, char *buf, size_t len)
{
	return strchr(shown(t, buf, len), '\n');
}

static bool shows(struct seat *t, const char *words)
{
	char buf[16384];
	return strstr(shown(t, buf, sizeof buf), words) != NULL;
}

static void test_there_and_back(void **state)
{
	struct seat *t = *state;
	static char was[16384], is[16384], then[16384];
	press(t, 'P'); /* the order is chosen */
	press(t, ']');
	assert_true(shows(t, "this is LIVE; [ goes back"));
	press(t, '0');
	for (int i = 0; i < TICKS; i++) {
		tick(t);
		if (i == TICKS - 4)
			strcpy(was, body(t, then, sizeof then));
	}
	for (int i = 0; i < 3; i++)
		press(t, '[');
	assert_true(shows(t, "PAST"));
	const char *now = body(t, is, sizeof is);
	/* the table, above the timeline */
	size_t n = (size_t)(strstr(strstr(now, "NAME"), "\n\n") - now);
	n = n < 900 ? n : 900;
	assert_true(n > 600);
	assert_memory_equal(now, was, n);
	tick(t); /* what is new changes nothing of it */
	const char *before = body(t, then, sizeof then);
	for (int i = 0; i < 5; i++)
		tick(t);
	assert_memory_equal(body(t, is, sizeof is), before, n);
	for (int i = 0; i < 9; i++) /* three back, six that came, one of them the newest */
		press(t, ']');
	assert_false(shows(t, "PAST"));
}

static void test_nothing_can_be_done(void **state)
{
	static const int keys[] = {'b', 'a', 'm', 'u', 'U', 'H', '=', 'v', 'R', 'i', '\'', ' '};
	struct seat *t = *state;
	for (int i = 0; i < TICKS; i++)
		tick(t);
	press(t, '[');
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		assert_false(view_sends(t->v, keys[i], t->s));
		assert_int_equal(press(t, keys[i]), CMD_NONE);
		assert_true(shows(t, "Esc returns to LIVE"));
	}
	assert_int_equal(press(t, 'q'), CMD_QUIT);
}

static void test_go(void **state)
{
	struct seat *t = *state;
	for (int i = 0; i < TICKS; i++)
		tick(t);
	press(t, 'g');
	type(t, "-1m");
	press(t, VK_ENTER);
	assert_true(shows(t, "PAST, 60 s ago"));
	press(t, 'g');
	type(t, "-1h"); /* as far as is kept */
	press(t, VK_ENTER);
	assert_true(shows(t, "PAST, 3 min ago"));
	press(t, '[');
	assert_true(shows(t, "nothing older is kept"));
	press(t, 'g');
	type(t, "+30s");
	press(t, VK_ENTER);
	assert_true(shows(t, "PAST, 3 min ago"));
	press(t, VK_ESC);
	assert_false(shows(t, "PAST"));
	press(t, 'g');
	type(t, "1h");
	press(t, VK_ENTER);
	assert_true(shows(t, "this is LIVE"));
}

/* Events of the log stand where they were. */
static void test_events(void **state)
{
	struct seat *t = *state;
	for (int i = 0; i < TICKS; i++) {
		tick(t);
		if (i == TICKS / 2) {
			struct log_line *l = &t->s->log[t->s->n_log - 1];
			l->seq += 100;
			l->kind = LOG_MARK;
			l->wall_ns = t->s->sample.wall_ns;
		}
	}
	press(t, '3');
	assert_true(shows(t, "Timeline"));
	assert_true(shows(t, "LIVE"));
	char buf[16384], *line = strstr((char *)(uintptr_t)shown(t, buf, sizeof buf), "Timeline");
	for (int i = 0; i < 2; i++)
		line = strchr(line, '\n') + 1;
	line[strcspn(line, "\n")] = '\0';
	size_t at = strcspn(line, "'");
	assert_true(at > 36 && at < 44);
}

int main(void)
{
#define SEATED(test) cmocka_unit_test_setup_teardown(test, sit, rise)
	const struct CMUnitTest tests[] = {
		SEATED(test_there_and_back),
		SEATED(test_nothing_can_be_done),
		SEATED(test_go),
		SEATED(test_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
