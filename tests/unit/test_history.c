/* SPDX-License-Identifier: MIT */
/* Since when: the ring behind the graphs, and what its levels look like on every kind of screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../src/ui/history.h"
#include "support/bigsnap.h"

static uint8_t run_of(const struct history *h, const struct snapshot *s, size_t vm)
{
	const struct history_vm *x = history_find(h, s->sample.vms[vm].uuid);
	struct series at = history_of_vm(h, x, VM_RUN);
	return history_now(&at);
}

/* More points than it holds: the newest stay, the time that they span is told, what went is not drawn. */
static void test_ring(void **state)
{
	(void)state;
	struct history *h = calloc(1, sizeof *h);
	struct snapshot *s = bigsnap_new(3, 8);
	int64_t began = s->sample.time_ns;
	assert_non_null(h);
	for (int i = 0; i < HISTORY_POINTS + 10; i++) {
		bigsnap_tick(s);
		history_feed(h, s);
		history_feed(h, s); /* between two ticks the sample is the same */
	}
	assert_int_equal(h->count, HISTORY_POINTS + 10);
	struct series x = history_of_host(h, HOST_BUSY);
	assert_int_equal(x.end - x.first, HISTORY_POINTS);
	double tick = (double)(s->sample.time_ns - began) / 1e9 / (HISTORY_POINTS + 10);
	assert_true(
		history_span_s(h, 101, tick) > 99.9 * tick && history_span_s(h, 101, tick) < 100.1 * tick);
	h->back = 5;
	x = history_of_host(h, HOST_BUSY);
	assert_int_equal(x.end, HISTORY_POINTS + 5);
	h->back = 0;
	int64_t last =
		s->sample.time_ns; /* a recording is wound back: what comes later goes, the rest stays */
	s->sample.time_ns = h->at_ns[(h->count - 11) % HISTORY_POINTS];
	history_feed(h, s);
	x = history_of_host(h, HOST_BUSY);
	assert_int_equal(x.end - x.first, HISTORY_POINTS - 10);
	s->sample.time_ns = began;
	history_feed(h, s);
	x = history_of_host(h, HOST_BUSY);
	assert_int_equal(x.end - x.first, 1);
	s->moment = MOMENT_PLAYED; /* and on */
	s->sample.time_ns = last;
	history_feed(h, s);
	x = history_of_host(h, HOST_BUSY);
	assert_int_equal(x.end - x.first, 1);
	history_done(h);
	free(h);
	bigsnap_free(s);
}

/* Who stays keeps what was known, who joins begins with nothing. */
static void test_comes_and_goes(void **state)
{
	(void)state;
	struct history *h = calloc(1, sizeof *h);
	struct snapshot *s = bigsnap_new(4, 8);
	assert_non_null(h);
	size_t all = s->sample.n_vms;
	s->sample.n_vms = all - 1; /* the last is not there yet */
	s->vm_rates[0].cpu_pct = vf64_ok(40.0 * (double)s->sample.vms[0].n_vcpus);
	history_feed(h, s);
	assert_int_equal(run_of(h, s, 0), 40);
	s->sample.n_vms = all;
	s->sample.time_ns++;
	s->vm_rates[0].cpu_pct = vf64_ok(80.0 * (double)s->sample.vms[0].n_vcpus);
	history_feed(h, s);
	assert_int_equal(run_of(h, s, 0), 80);
	const struct history_vm *last = history_find(h, s->sample.vms[all - 1].uuid);
	struct series x = history_of_vm(h, last, VM_RUN), y = history_of_vm(h, &h->vms[0], VM_RUN);
	assert_int_equal(x.levels[0], DRAW_NO_LEVEL);
	assert_int_equal(y.levels[0], 40);
	history_done(h);
	free(h);
	bigsnap_free(s);
}

/* The one cell of a sparkline. */
static uint32_t cell(const struct screen *kind, uint8_t run, uint8_t wait, uint8_t *style)
{
	struct screen to = *kind;
	uint8_t levels[2][2] = {{run, wait}, {run, wait}};
	struct series lower = {levels[0], 2, 2, 0, 2}, upper = {levels[0] + 1, 2, 2, 0, 2};
	to.cells = NULL;
	assert_int_equal(screen_resize(&to, 1, 1), 0);
	graph_draw(&to, (struct rect){0, 0, 1, 1}, &(struct stack){lower, upper, STYLE_WAIT, 100}, 2);
	uint32_t ch = to.cells[0].ch;
	*style = to.cells[0].style;
	free(to.cells);
	return ch;
}

/* One row high, 20 % and 80 % differ, and so do running and waiting: by the character, whatever the colours.
 */
static void test_signs(void **state)
{
	(void)state;
	static const struct screen kinds[] = {{.graph = GRAPH_AUTO}, {.graph = GRAPH_BLOCK}, {.ascii = true},
		{.console = true}, {.graph = GRAPH_ASCII}};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		uint8_t low, high, waits;
		uint32_t a = cell(&kinds[i], 20, 0, &low), b = cell(&kinds[i], 80, 0, &high);
		uint32_t c = cell(&kinds[i], 5, 75, &waits);
		assert_int_not_equal(a, b);
		assert_int_not_equal(b, c);
		assert_int_not_equal(a, c);
		assert_int_not_equal(low, high);
		assert_int_equal(waits, STYLE_WAIT);
		assert_true(!kinds[i].ascii || (a < 0x80 && b < 0x80 && c < 0x80));
	}
}

/* What is more than a scale was is no less: the deviation is known up to its bound, and a scale of its own
 * draws it at the height that it says. */
static void test_deviation_has_no_small_bound(void **state)
{
	static const double given[] = {3.4, 60, 108.9, 900};
	static const uint8_t want[] = {3, 60, 109, DEVIATION_MOST};
	(void)state;
	struct history *h = calloc(1, sizeof *h);
	struct snapshot *s = bigsnap_new(3, 8);
	assert_non_null(h);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		bigsnap_tick(s);
		s->cpu.stddev_pct = vf64_ok(given[i]);
		s->cpu.found_pct = vf64_ok(2);
		history_feed(h, s);
		struct series best = history_of_host(h, HOST_FOUND), over = history_of_host(h, HOST_EXCESS);
		assert_int_equal(history_now(&best) + history_now(&over), want[i]);
	}
	struct screen to = {.graph = GRAPH_BLOCK};
	uint8_t levels[2] = {125, 0};
	struct series lower = {levels, 2, 1, 0, 1}, upper = {levels + 1, 2, 1, 0, 1};
	assert_int_equal(screen_resize(&to, 10, 1), 0);
	graph_draw(&to, (struct rect){0, 0, 10, 1}, &(struct stack){lower, upper, STYLE_WARN, 250}, 1);
	for (int r = 0; r < 10; r++) /* the upper half is empty */
		assert_int_equal(to.cells[r].ch == ' ' || to.cells[r].ch == 0, r < 5);
	screen_done(&to);
	history_done(h);
	free(h);
	bigsnap_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_deviation_has_no_small_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
