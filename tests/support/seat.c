/* SPDX-License-Identifier: MIT */
#include "support/seat.h"
#include "support/dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sit_with(void **state, const struct config *cfg)
{
	struct seat *t = calloc(1, sizeof *t);
	t->s = bigsnap_new(16, 8);
	t->v = view_new(cfg);
	view_feed(t->v, t->s);
	*state = t;
	return 0;
}

int sit(void **state)
{
	return sit_with(state, &(struct config){.delay_s = 2, .sparklines = true});
}

int sit_yes(void **state)
{
	return sit_with(state, &(struct config){.delay_s = 2, .sparklines = true, .yes = true});
}

int rise(void **state)
{
	struct seat *t = *state;
	view_free(t->v);
	bigsnap_free(t->s);
	free(t);
	return 0;
}

/* CMD_NONE when the key gives no command. */
enum command_kind press(struct seat *t, int key)
{
	return view_key(t->v, key, t->s, &t->c) ? t->c.kind : CMD_NONE;
}

void type(struct seat *t, const char *text)
{
	for (; *text; text++)
		assert_int_equal(press(t, *text), CMD_NONE);
}

bool asks(struct seat *t, const char *words)
{
	struct screen o;
	int row, col;
	screen_init(&o, 1, 1);
	bool any = view_overlay(t->v, t->s, &o, 24, 80, &row, &col);
	char *text = screen_dump(&o);
	bool found = any && strstr(text, words);
	if (any && !found)
		fprintf(stderr, "asked instead:\n%s", text);
	free(text);
	screen_done(&o);
	return found;
}

const char *shown(struct seat *t, char *buf, size_t len)
{
	struct screen s;
	screen_init(&s, 24, 80);
	view_draw(t->v, t->s, &s, 0, 0);
	char *text = screen_dump(&s);
	snprintf(buf, len, "%s", text);
	free(text);
	screen_done(&s);
	return buf;
}
