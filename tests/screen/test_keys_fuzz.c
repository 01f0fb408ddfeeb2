/* SPDX-License-Identifier: MIT */
/* Every key in every view at sizes from 1x1 to 300x100, then long random walks of keys, sizes and hosts. It
 * passes when nothing crashes, leaks or leaves a half character or what was there before; meant for
 * SAN=address,undefined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/bigsnap.h"
#include "vmtop/keys.h"
#include "vmtop/text.h"
#include "vmtop/view.h"

struct bench {
	struct view *v;
	struct snapshot *s;
	struct screen base, again, over;
};

static void bench_open(struct bench *b, int vms, int pcpus)
{
	struct config cfg = {.delay_s = 2};
	b->v = view_new(&cfg);
	b->s = bigsnap_new(vms, pcpus);
	assert_non_null(b->v);
	assert_int_equal(screen_init(&b->base, 1, 1), 0);
	assert_int_equal(screen_init(&b->again, 1, 1), 0);
	assert_int_equal(screen_init(&b->over, 1, 1), 0);
	view_feed(b->v, b->s);
}

static void bench_close(struct bench *b)
{
	view_free(b->v);
	bigsnap_free(b->s);
	screen_done(&b->base);
	screen_done(&b->again);
	screen_done(&b->over);
}

static bool cell_ok(const struct screen *s, const struct cell *x, int c)
{
	if (x->style >= STYLE_COUNT)
		return false;
	if (x->ch == 0)
		return c > 0 && text_width(x[-1].ch) == 2;
	if (x->ch < 0x20 || x->ch == 0x7f || (x->ch >= 0x80 && x->ch < 0xa0) || (s->ascii && x->ch >= 0x80))
		return false;
	return text_width(x->ch) != 2 || (c + 1 < s->cols && x[1].ch == 0);
}

/* No half of a wide character stands alone, and nothing on the grid could steer a terminal. */
static void check_cells(const struct screen *s)
{
	for (int r = 0; r < s->rows; r++)
		for (int c = 0; c < s->cols; c++)
			if (!cell_ok(s, &s->cells[r * s->cols + c], c))
				fail_msg("bad cell %d,%d: U+%04X", r, c,
					(unsigned)s->cells[r * s->cols + c].ch);
}

/* Over something else it comes out the same: nothing of an earlier drawing stays. */
static void check_residue(struct bench *b, int rows, int cols)
{
	b->again.ascii = b->base.ascii;
	assert_int_equal(screen_resize(&b->again, rows, cols), 0);
	for (int r = 0; r < rows; r++)
		screen_fill(&b->again, r, 0, cols, STYLE_BAD, '#');
	view_draw(b->v, b->s, &b->again, 0, 0);
	for (int i = 0; i < rows * cols; i++)
		if (b->base.cells[i].ch != b->again.cells[i].ch ||
			b->base.cells[i].style != b->again.cells[i].style)
			fail_msg("residue at %d,%d of %dx%d", i / cols, i % cols, cols, rows);
}

static void draw(struct bench *b, int rows, int cols)
{
	int row = -1, col = -1;
	assert_int_equal(screen_resize(&b->base, rows, cols), 0);
	view_draw(b->v, b->s, &b->base, 0, 0);
	check_cells(&b->base);
	check_residue(b, rows, cols);
	if (view_overlay(b->v, b->s, &b->over, rows, cols, &row, &col)) {
		assert_true(row >= 0 && col >= 0 && row + b->over.rows <= rows && col + b->over.cols <= cols);
		check_cells(&b->over);
	}
}

static void press(struct bench *b, int key)
{
	struct command c;
	bool more = view_key(b->v, key, b->s, &c);
	while (more) {
		assert_int_not_equal(c.kind, CMD_NONE);
		if (c.kind == CMD_PIN)
			assert_false(cpuset_empty(&c.cpus));
		if (c.kind == CMD_PREVIEW)
			bigsnap_preview(b->s, true);
		if (c.kind == CMD_PREVIEW_APPLY || c.kind == CMD_PREVIEW_DROP)
			bigsnap_preview(b->s, false);
		more = view_more(b->v, &c);
	}
}

static void test_every_key(void **state)
{
	static const int sizes[][2] = {{1, 1}, {1, 80}, {2, 2}, {3, 7}, {5, 20}, {6, 300}, {24, 80}, {100, 3},
		{40, 120}, {100, 300}};
	struct bench b;
	(void)state;
	bench_open(&b, 20, 16);
	for (int view = '0'; view <= '4'; view++)
		for (size_t k = 0; k < key_count(); k++)
			for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
				press(&b, VK_ESC);
				press(&b, view);
				press(&b, key_at(k)->keys[k % 2 && key_at(k)->keys[1] ? 1 : 0]);
				draw(&b, sizes[i][0], sizes[i][1]);
				press(&b, VK_ESC);
			}
	bench_close(&b);
}

static unsigned dice(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 16) % n;
}

static int random_key(unsigned *seed)
{
	switch (dice(seed, 4)) {
	case 0:
		return 0x20 + (int)dice(seed, 0x5f);
	case 1:
		return VK_UP + (int)dice(seed, VK_END_OF_KEYS - VK_UP + 1);
	case 2:
		return (int)(dice(seed, 0x8000) + (dice(seed, 34) << 15)); /* any of Unicode */
	default:
		return key_at(dice(seed, (unsigned)key_count()))->keys[0];
	}
}

static void walk(unsigned seed, int vms, int pcpus, int steps)
{
	struct bench b;
	bench_open(&b, vms, pcpus);
	b.base.ascii = b.over.ascii = seed % 2;
	for (int i = 0; i < steps; i++) {
		for (unsigned k = dice(&seed, 6); k > 0; k--)
			press(&b, random_key(&seed));
		if (dice(&seed, 4) == 0 && !view_paused(b.v)) {
			bigsnap_tick(b.s);
			b.s->readonly = dice(&seed, 10) == 0;
			view_feed(b.v, b.s);
		}
		if (dice(&seed, 8) == 0)
			view_mouse(b.v, (int)dice(&seed, 60), 3, VK_CLICK + (int)dice(&seed, 3), b.s);
		draw(&b, 1 + (int)dice(&seed, dice(&seed, 2) ? 100 : 10),
			1 + (int)dice(&seed, dice(&seed, 2) ? 300 : 30));
	}
	bench_close(&b);
}

static void test_walks(void **state)
{
	static const int hosts[][2] = {{0, 1}, {1, 1}, {3, 2}, {20, 8}, {40, 64}, {100, 512}};
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		for (unsigned seed = 1; seed <= 4; seed++)
			walk(seed * 77 + i, hosts[i][0], hosts[i][1], 60);
}

/* VMs come and go between frames; the cursor stays on its VM, or finds another. */
static void test_vms_vanish(void **state)
{
	struct bench b;
	(void)state;
	bench_open(&b, 40, 8);
	for (int vms = 40; vms >= 0; vms -= 5) {
		press(&b, VK_END);
		press(&b, VK_ENTER);
		draw(&b, 24, 80);
		uint64_t seq = b.s->seq;
		bigsnap_free(b.s);
		b.s = bigsnap_new(vms, vms > 20 ? 8 : 4);
		b.s->seq = seq + 1;
		view_feed(b.v, b.s);
		for (int id = '0'; id <= '4'; id++) {
			press(&b, id);
			draw(&b, 24, 80);
		}
	}
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_vms_vanish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
