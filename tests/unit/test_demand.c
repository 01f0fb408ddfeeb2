/* SPDX-License-Identifier: MIT */
/* The estimator: bounds, history, smoothing, independence of the interval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "support/fixture.h"
#include "vmtop/demand.h"

static const double tau = 4;

static struct demand_reading reading(double window, double ran, double wait)
{
	return (struct demand_reading){window, ran, wait, 100};
}

static double after(struct demand *d, double window, double ran, double wait, int readings)
{
	for (int i = 0; i < readings; i++) {
		struct demand_reading r = reading(window, ran, wait);
		demand_update(d, &r, tau);
	}
	return d->smooth_pct;
}

static void upper_end(void **state)
{
	(void)state;
	static const struct {
		double ran, wait, cap, up;
	} rows[] = {
		{38.3, 35.8, 100, 59.66}, /* two closed loops of .597 on one CPU read this */
		{25, 75, 100, 100},
		{50, 50, 50, 50}, /* throttled by its quota */
		{60, 0, 40, 40},
		{40, -1, 100, 40}, /* no run-queue delay reported */
		{0, 100, 100, 100},
		{0, 50, 100, 0},
		{100, 30, 100, 100},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct demand_reading r = {1, rows[i].ran, rows[i].wait, rows[i].cap};
		assert_float_equal(demand_upper_pct(&r), rows[i].up, 0.01);
	}
}

static void without_history_the_upper_end(void **state)
{
	(void)state;
	struct demand d = {0};
	assert_float_equal(after(&d, 1, 20, 80, 1), 100, 1e-9);
}

static void without_delay_counter_what_it_ran(void **state)
{
	(void)state;
	struct demand d = {0};
	assert_float_equal(after(&d, 1, 20, -1, 1), 20, 1e-9);
	assert_float_equal(after(&d, 1, 20, -1, 100), 20, 1e-9);
}

/* Load that comes at set times: seen in peace first, it is known to be what it runs, not what it might. */
static void known_load_that_begins_to_wait(void **state)
{
	(void)state;
	struct demand d = {0};
	after(&d, 1, 40, 0, 60);
	double now = after(&d, 1, 40, 30, 1);
	assert_true(now >= 40 && now < 43); /* the upper end is 57.1 */
	assert_float_equal(after(&d, 1, 40, 30, 120), 57.14, 0.2);
}

/* Quiet for a minute, then busy where five share a pCPU: seen at once, not after the history has crept up. */
static void hidden_overload_after_a_quiet_minute(void **state)
{
	(void)state;
	struct demand d = {0};
	assert_float_equal(after(&d, 1, 0.5, 0, 60), 0.5, 0.01);
	assert_float_equal(after(&d, 1, 20, 80, 1), 100, 0.01);
	assert_float_equal(after(&d, 1, 20, 80, 10), 100, 0.01);
}

/* As above but it does not run more than in peace, so only waiting tells. */
static void starved_to_what_it_ran_before(void **state)
{
	(void)state;
	struct demand d = {0};
	after(&d, 1, 20, 0, 60);
	after(&d, 1, 20, 80, 1);
	assert_true(d.smooth_pct < 45);
	after(&d, 1, 20, 80, 30);
	assert_true(d.smooth_pct > 90);
}

static void jump_beyond_the_scatter(void **state)
{
	(void)state;
	struct demand d = {0};
	after(&d, 1, 10, 0, 30);
	assert_float_equal(after(&d, 1, 90, 0, 1), 90, 1e-9);
	assert_float_equal(after(&d, 1, 10, 0, 1), 10, 1e-9);
}

static void small_changes_are_smoothed(void **state)
{
	(void)state;
	struct demand d = {0};
	after(&d, 1, 50, 0, 30);
	assert_float_equal(after(&d, 1, 54, 0, 1), 50 + 4 * (1 - exp(-0.25)), 0.01);
	assert_float_equal(after(&d, 1, 54, 0, 60), 54, 0.01);
}

static void noise_does_not_jump(void **state)
{
	(void)state;
	struct fx_random r = {3};
	struct demand d = {0};
	int jumps = 0;
	for (int i = 0; i < 20000; i++) {
		double g = 0; /* 12 uniform numbers: normal enough, sigma 1 */
		for (int k = 0; k < 12; k++)
			g += fx_random_real(&r, -0.5, 0.5);
		struct demand_reading x = reading(1, 60 * (1 + .05 * g), 0);
		demand_update(&d, &x, tau);
		jumps += i > 10 && d.smooth_pct == d.last_pct;
		if (i > 30)
			assert_true(d.smooth_pct > 54 && d.smooth_pct < 66);
	}
	assert_int_equal(jumps, 0);
	assert_true(d.scatter_pct > 2 && d.scatter_pct < 6);
}

static void reset_forgets(void **state)
{
	(void)state;
	struct demand d = {0};
	after(&d, 1, 5, 0, 50);
	demand_reset(&d);
	assert_false(d.known);
	assert_float_equal(after(&d, 1, 5, 50, 1), 10, 1e-9);
}

static void random_readings_keep_the_bounds(void **state)
{
	(void)state;
	struct fx_random r = {11};
	for (int trial = 0; trial < 200; trial++) {
		struct demand d = {0};
		double cap = fx_random(&r, 3) ? 100 : fx_random_real(&r, 5, 100);
		for (int i = 0; i < 50; i++) {
			struct demand_reading x = {fx_random_real(&r, .5, 10), fx_random_real(&r, 0, 100),
				fx_random_real(&r, -10, 100), cap};
			double t = fmin(x.ran_pct, cap), up = demand_upper_pct(&x);
			demand_update(&d, &x, tau);
			assert_true(up >= t - 1e-9 && up <= cap + 1e-9);
			assert_true(d.last_pct >= t - 1e-9 && d.last_pct <= up + 1e-9);
			assert_true(d.smooth_pct >= 0 && d.smooth_pct <= cap + 1e-9);
		}
	}
}

/* The same past, the same run time, more waiting: never a smaller demand. */
static void more_waiting_never_wants_less(void **state)
{
	(void)state;
	struct fx_random r = {5};
	for (int trial = 0; trial < 300; trial++) {
		struct demand past = {0};
		for (uint32_t i = fx_random(&r, 20); i > 0; i--) {
			struct demand_reading x =
				reading(1, fx_random_real(&r, 0, 60), fx_random_real(&r, 0, 40));
			demand_update(&past, &x, tau);
		}
		double t = fx_random_real(&r, 0, 100), last = 0, upper = 0;
		for (double w = 0; w <= 100; w += .5) {
			struct demand d = past;
			struct demand_reading x = reading(1, t, w);
			demand_update(&d, &x, tau);
			assert_true(d.last_pct >= last - 1e-9);
			assert_true(demand_upper_pct(&x) >= upper - 1e-9);
			last = d.last_pct;
			upper = demand_upper_pct(&x);
		}
	}
}

/* Twelve seconds are twelve seconds, in readings of one, two or four. */
static void interval_does_not_matter(void **state)
{
	(void)state;
	double calm[3], smooth[3];
	static const int windows[] = {1, 2, 4};
	for (int i = 0; i < 3; i++) {
		struct demand d = {0};
		int w = windows[i];
		after(&d, w, 40, 0, 60 / w);
		after(&d, w, 41, 20, 12 / w);
		calm[i] = d.calm_pct;
		smooth[i] = d.smooth_pct;
	}
	assert_float_equal(calm[1], calm[0], 0.01);
	assert_float_equal(calm[2], calm[0], 0.01);
	assert_float_equal(smooth[1], smooth[0], 0.7);
	assert_float_equal(smooth[2], smooth[0], 1.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upper_end),
		cmocka_unit_test(without_history_the_upper_end),
		cmocka_unit_test(without_delay_counter_what_it_ran),
		cmocka_unit_test(known_load_that_begins_to_wait),
		cmocka_unit_test(hidden_overload_after_a_quiet_minute),
		cmocka_unit_test(starved_to_what_it_ran_before),
		cmocka_unit_test(jump_beyond_the_scatter),
		cmocka_unit_test(small_changes_are_smoothed),
		cmocka_unit_test(noise_does_not_jump),
		cmocka_unit_test(reset_forgets),
		cmocka_unit_test(random_readings_keep_the_bounds),
		cmocka_unit_test(more_waiting_never_wants_less),
		cmocka_unit_test(interval_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
