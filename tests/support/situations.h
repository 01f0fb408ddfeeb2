/* SPDX-License-Identifier: MIT */
/* The situations on which CPU policies are compared, by bench_cpu and by the scenario tests: the same
 * simulated hosts for both. */
#ifndef TESTS_SITUATIONS_H
#define TESTS_SITUATIONS_H

#include "support/run_scenario.h"

struct situation {
	const char *name;
	const char *scenario; /* shipped name, or the text itself */
	double delay_s;       /* between readings */
	double seconds;
	double from_s; /* when it begins to go wrong: settling counts from here */
};

extern const struct situation situations[];
extern const size_t n_situations;

const struct situation *situation_find(const char *name); /* fails the test when there is none */
/* Text of a scenario with another seed and, when it is not 0, noise on each load that has none. malloc()ed.
 */
char *situation_text(const char *scenario, unsigned seed, int noise_pct);

struct situation_result {
	double attainable_pct; /* best placement that the policy knew, mean over the last third; < 0 none */
	double final_pct;      /* true deviation, mean over the last third */
	double settle_s;       /* from then on at or below the limit, since from_s; < 0: not */
	double last_pin_s;
	double starved_s; /* vCPU-seconds with less than 90 % of what was wanted */
	int pins;
};

/* limit_pct < 0: 5, or 1.15 times what is attainable. */
void situation_run(
	const struct situation *s, const struct config *cfg, double limit_pct, struct situation_result *out);
double situation_limit(double attainable_pct);

#endif
