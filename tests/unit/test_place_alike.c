/* SPDX-License-Identifier: MIT */
/* Demands that are alike as far as one can know count as equal: which are taken together, and which not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/place.h"
#include "support/place_gen.h"

static void groups(void **state)
{
	(void)state;
	static const struct {
		double raw[5], unsure, d[5]; /* 0: no task */
	} rows[] = {
		{{50, 48, 20}, 2, {49, 49, 20}},
		{{20, 50, 48}, 2, {20, 49, 49}}, /* whatever the order */
		{{50, 43.5}, 2, {50, 43.5}},     /* apart by more than 1.5 times both */
		{{50, 44}, 2, {47, 47}},         /* or just not */
		{{50, 48, 37}, 2, {49, 49, 37}}, /* the next below is clearly apart */
		{{50, 48, 39}, 2, {50, 48, 39}}, /* it is not: it could belong to them */
		{{61, 50, 48}, 2, {61, 49, 49}}, /* the same above */
		{{59, 50, 48}, 2, {59, 50, 48}},
		{{50, 45, 40, 35}, 2, {50, 45, 40, 35}}, /* a chain that is wider than any doubt */
		{{50, 46, 42, 40}, 2, {44.5, 44.5, 44.5, 44.5}},
		{{90, 88, 50, 48, 10}, 2, {89, 89, 49, 49, 10}},
		{{50, 48}, 0, {50, 48}}, /* no doubt, nothing alike */
		{{50}, 9, {50}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct place_work w = {0};
		struct place_case c;
		size_t n = 0;
		bool any = false;
		while (n < 5 && rows[i].raw[n] > 0)
			n++;
		place_case_init(&c, n, 3);
		for (size_t t = 0; t < n; t++)
			c.tasks[t].demand_pct = rows[i].raw[t];
		assert_int_equal(place_load(&w, &c.p), 0);
		for (size_t t = 0; t < n; t++) {
			w.unsure[t] = rows[i].unsure;
			any |= rows[i].raw[t] != rows[i].d[t];
		}
		assert_int_equal(place_alike(&w), any);
		for (size_t t = 0; t < n; t++)
			if (w.demand[t] < rows[i].d[t] - 1e-9 || w.demand[t] > rows[i].d[t] + 1e-9)
				fail_msg(
					"row %zu, task %zu: %.2f, not %.2f", i, t, w.demand[t], rows[i].d[t]);
		place_plain(&w);
		for (size_t t = 0; t < n; t++)
			assert_float_equal(w.demand[t], rows[i].raw[t], 0);
		place_done(&w);
		place_case_done(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(groups)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
