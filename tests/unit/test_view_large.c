/* SPDX-License-Identifier: MIT */
/* Large screens, large hosts: room is used, nodes have lines with their memory, offline pCPUs can go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/dump.h"
#include "support/seat.h"

static struct seat *sit_on(int vms, int pcpus)
{
	struct seat *t = NULL;
	sit((void **)&t);
	bigsnap_free(t->s);
	t->s = bigsnap_new(vms, pcpus);
	for (int i = 0; i < 400; i++) {
		bigsnap_tick(t->s);
		view_feed(t->v, t->s);
	}
	return t;
}

static char *draw(struct seat *t, int rows, int cols)
{
	struct screen s;
	assert_int_equal(screen_init(&s, rows, cols), 0);
	view_draw(t->v, t->s, &s, 0, 0);
	char *text = screen_dump(&s);
	screen_done(&s);
	return text;
}

/* Lines without a character. */
static int blank_lines(const char *text)
{
	int n = 0;
	for (const char *p = text; *p; p++)
		n += *p == '\n' && (p == text || p[-1] == '\n');
	return n;
}

static void test_few_guests_fill_a_large_screen(void **state)
{
	static const int sizes[][2] = {{60, 200}, {90, 300}, {60, 120}, {60, 80}};
	(void)state;
	struct seat *t = sit_on(7, 8);
	for (const char *view = "0124"; *view; view++) /* 3 is the log, which fills by itself */
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			press(t, *view);
			char *text = draw(t, sizes[i][0], sizes[i][1]);
			int blank = blank_lines(text);
			if (blank * 5 > sizes[i][0])
				fail_msg("view %c, %dx%d: %d lines are blank:\n%s", *view, sizes[i][1],
					sizes[i][0], blank, text);
			if (*view == '0' && sizes[i][1] >= 120)
				assert_non_null(strstr(text, "Why: "));
			free(text);
		}
	rise((void **)&t);
}

/* A number without a unit says nothing: of four columns the last is for it. */
static void test_scales_keep_their_unit(void **state)
{
	(void)state;
	struct seat *t = sit_on(4, 2);
	t->s->sample.host.total_kib = vi64_ok(INT64_C(24641536)); /* 23.5G */
	char *text = draw(t, 60, 200);
	assert_non_null(strstr(text, "Memory free"));
	assert_non_null(strstr(text, " 23G"));
	assert_null(strstr(text, "23.5\xe2"));
	free(text);
	rise((void **)&t);
}

/* A line a node, and what it has of memory, also where there is no room for a bar. */
static void test_nodes_have_their_memory(void **state)
{
	(void)state;
	struct seat *t = sit_on(16, 64);
	char *text = draw(t, 40, 120), *line = strstr(text, "\nnode 1 ");
	assert_non_null(line);
	assert_non_null(strstr(line, "11.0G of 32.0G free"));
	free(text);
	text = draw(t, 40, 53);
	line = strstr(text, "\nnode 1 ");
	assert_non_null(line);
	line[1 + strcspn(line + 1, "\n")] = '\0';
	assert_non_null(strstr(line, " 11.0G"));
	free(text);
	rise((void **)&t);
}

static void test_offline_pcpus_can_go(void **state)
{
	struct config c;
	(void)state;
	struct seat *t = sit_on(7, 8);
	char *text = draw(t, 24, 80);
	assert_non_null(strstr(text, "offline"));
	free(text);
	press(t, VK_F1 + 1);
	for (int i = 0; i < 6; i++)
		press(t, VK_DOWN);
	assert_true(asks(t, "offline    shown"));
	press(t, VK_ENTER);
	assert_true(asks(t, "offline    hidden"));
	press(t, VK_ESC);
	press(t, '1');
	text = draw(t, 24, 80);
	assert_non_null(strstr(text, "1 offline hidden"));
	free(text);
	config_defaults(&c);
	view_setup(t->v, &c);
	assert_true(c.hide_offline);
	rise((void **)&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_guests_fill_a_large_screen),
		cmocka_unit_test(test_scales_keep_their_unit),
		cmocka_unit_test(test_nodes_have_their_memory),
		cmocka_unit_test(test_offline_pcpus_can_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
