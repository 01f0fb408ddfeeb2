/* SPDX-License-Identifier: MIT */
/* The help of each view explains every head, every word in capitals and every sign that the view shows; a
 * page of it is a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/dump.h"
#include "support/seat.h"
#include "vmtop/text.h"

static int missing;

static void miss(const char *where, const char *what)
{
	missing++;
	print_error("%s: the help says nothing of \"%s\"\n", where, what);
}

/* All of the help, as one line without its frame. */
static char *help_of(struct seat *t)
{
	struct screen o;
	int row, col;
	assert_int_equal(screen_init(&o, 1, 1), 0);
	press(t, '?');
	assert_true(view_overlay(t->v, t->s, &o, 1000, 120, &row, &col));
	press(t, VK_ESC);
	char *raw = screen_dump(&o), *text = calloc(1, strlen(raw) + 2), *to = text;
	*to++ = ' ';
	for (const char *p = raw; *p;) {
		uint32_t ch;
		size_t n = text_decode(p, &ch);
		bool frame = ch == 0x2502 && (p == raw || p[-1] == '\n' || p[n] == '\n');
		if (frame || ch == '\n' || ch == ' ')
			*to = ' ', to += to[-1] != ' ';
		else
			memcpy(to, p, n), to += n;
		p += n;
	}
	screen_done(&o);
	free(raw);
	return text;
}

static bool is_word(char c)
{
	return isupper((unsigned char)c) || c == '%';
}

/* Of names of guests, or of the log's text. */
static bool of_others(const char *word)
{
	static const char *const words[] = {"VM", "VMs", "UUID"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static void check_words(const char *screen, const char *help, const char *where)
{
	for (const char *p = screen; *p; p++) {
		char word[40];
		size_t n = 0;
		if (!is_word(*p) || (p > screen && (isalnum((unsigned char)p[-1]) || p[-1] == '\\')))
			continue;
		while (is_word(p[n]) && n < sizeof word - 1)
			n++;
		snprintf(word, sizeof word, "%.*s", (int)n, p);
		if (n > 1 && !islower((unsigned char)p[n]) && !of_others(word) && !strstr(help, word))
			miss(where, word);
		p += n - 1;
	}
}

/* Signs of our own: no curves, no frames, no names. */
static void check_signs(const char *screen, const char *help, const char *where)
{
	static const uint32_t signs[] = {0x25a0, 0x25aa, 0x25a1, 0x25cf, 0x203a, 0x2191, 0x2193, 0x25b2};
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		char sign[8] = {(char)(0xe0 | signs[i] >> 12), (char)(0x80 | (signs[i] >> 6 & 0x3f)),
			(char)(0x80 | (signs[i] & 0x3f))};
		if (strstr(screen, sign) && !strstr(help, sign))
			miss(where, sign);
	}
}

static void check_terms(const char *screen, const char *help, const char *where)
{
	static const char *const terms[] = {"deviation", "limit", "best found", "no plan below", "reserve",
		"free", "busy", "steers", "eligible", "to give", "usable", " used ", "QEMU holds", "isolated",
		"offline", "ran", "waited", "traffic", "cure", "any", "per cpu", "pressure", "running",
		"hung"};
	for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
		if (strstr(screen, terms[i]) && !strstr(help, terms[i]))
			miss(where, terms[i]);
}

static void check_view(struct seat *t, int rows, int cols, const char *where)
{
	struct screen s;
	assert_int_equal(screen_init(&s, rows, cols), 0);
	view_draw(t->v, t->s, &s, 0, 0);
	char *screen = screen_dump(&s), *help = help_of(t);
	check_words(screen, help, where);
	check_signs(screen, help, where);
	check_terms(screen, help, where);
	free(screen);
	free(help);
	screen_done(&s);
}

static void suffer(struct snapshot *s)
{
	static const enum cause causes[] = {
		CAUSE_HUNG, CAUSE_WAIT, CAUSE_SWAP, CAUSE_SHORT, CAUSE_QUOTA, CAUSE_EXITS};
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		s->vm_status[i].suffer = (struct suffering){.n = 1,
			.score_pct = 60,
			.found = {{.cause = causes[i], .weight_pct = 60, .pcpu = -1, .other = -1}}};
}

/* Whatever a snapshot can make a screen say. */
static void set_state(struct snapshot *s, int n)
{
	s->auto_cpu = n == 1;
	s->auto_memory = n == 1 || n == 2;
	s->waits_cpu = n == 2;
	s->dry_run = n == 1;
	s->readonly = n == 2;
	s->moment = n == 3 ? MOMENT_PLAYED : MOMENT_NOW;
	s->age_s = n == 1 ? 60 : 0;
	s->backend.link = n == 1 ? LINK_LOST : n == 2 ? LINK_SLOW : n == 3 ? LINK_CONNECTING : LINK_OK;
	s->memory.state = n == 1 ? HOST_MEM_SOFT : n == 2 ? HOST_MEM_HARD : HOST_MEM_OK;
	snprintf(s->backend.recording, sizeof s->backend.recording, "%s", n == 1 ? "x.rec" : "");
	s->backend.claim.state = n == 1 ? CLAIM_OURS : CLAIM_NONE;
	if (n == 2)
		suffer(s);
	bigsnap_preview(s, n == 4);
}

static void test_words_are_explained(void **state)
{
	static const int sizes[][2] = {{24, 80}, {40, 120}, {60, 200}};
	static const int hosts[][2] = {{16, 8}, {40, 512}};
	(void)state;
	for (size_t h = 0; h < 2; h++)
		for (int n = 0; n < 5; n++)
			for (const char *view = "01234wE"; *view; view++) {
				struct seat *t = NULL;
				char where[40];
				sit((void **)&t);
				bigsnap_free(t->s);
				t->s = bigsnap_new(hosts[h][0], hosts[h][1]);
				set_state(t->s, n);
				view_feed(t->v, t->s);
				press(t, *view);
				if (n == 3)
					press(t, 'Z');
				snprintf(where, sizeof where, "view %c, state %d, host %zu", *view, n, h);
				for (size_t z = 0; z < 3; z++)
					check_view(t, sizes[z][0], sizes[z][1], where);
				rise((void **)&t);
			}
	assert_int_equal(missing, 0);
}

static void test_a_page_is_a_page(void **state)
{
	struct seat *t = *state;
	press(t, '?');
	assert_true(asks(t, "Help: overview"));
	assert_true(asks(t, "1-22 of "));
	press(t, VK_PGDN);
	assert_true(asks(t, "22-43 of "));
	press(t, VK_PGDN);
	assert_true(asks(t, "43-64 of "));
	press(t, VK_PGUP);
	assert_true(asks(t, "22-43 of "));
	press(t, VK_END);
	press(t, VK_ESC);
	press(t, VK_F1 + 5);
	assert_true(asks(t, "Sort by"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_explained),
		cmocka_unit_test_setup_teardown(test_a_page_is_a_page, sit, rise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
