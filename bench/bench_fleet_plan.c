/* SPDX-License-Identifier: MIT */
/* Moves between hosts: how long a plan takes for fleets of up to 10,000 VMs on 1,000 hosts, and how many
 * moves it has beside the fewest that there are (cbc, 64 VMs on 16 hosts). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support/fleet_oracle.h"
#include "times.h"

enum { ROUNDS = 20, CASES = 6 };
static const double target_ms = 50, target_more_pct = 10, cbc_s = 10;

static bool time_one(size_t hosts, size_t per_host, double part)
{
	static double ms[ROUNDS];
	size_t moves = 0, overloaded = 0, cured = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct fleet_case c;
		struct fleet_plan p = {.n = 0};
		fleet_case_draw(&c, i, hosts, per_host, part, true);
		double t = clock_ms(CLOCK_MONOTONIC);
		if (fleet_plan_make(c.units, c.n_units, c.tasks, c.n_tasks, &fleet_limits_default, &p) < 0)
			return false;
		ms[i] = clock_ms(CLOCK_MONOTONIC) - t;
		moves += p.n;
		overloaded += p.overloaded;
		cured += p.cured;
		fleet_plan_done(&p);
		fleet_case_done(&c);
	}
	qsort(ms, ROUNDS, sizeof *ms, compare_ms);
	printf("%6zu VMs, %5zu hosts, %3.0f %% busy %8.1f %8.1f ms  %6zu of %6zu hosts cured, %6zu moves  target "
	       "%.0f  %s\n",
		hosts * per_host, hosts, part * 100, ms[ROUNDS / 2], ms[ROUNDS - 1], cured, overloaded, moves,
		target_ms, ms[ROUNDS / 2] <= target_ms ? "met" : "MISSED");
	return ms[ROUNDS / 2] <= target_ms;
}

static bool beside_cbc(double part)
{
	long ours = 0, fewest = 0, compared = 0, unknown = 0, uncured = 0;
	for (unsigned i = 0; i < CASES; i++) {
		struct fleet_case c;
		struct fleet_plan p = {.n = 0};
		fleet_case_draw(&c, i, 16, 4, part, false);
		fleet_plan_make(c.units, c.n_units, c.tasks, c.n_tasks, &fleet_limits_default, &p);
		struct fleet_best best = fleet_cbc(&c, &fleet_limits_default, cbc_s);
		bool all = p.cured == p.overloaded;
		unknown += best.moves < 0 && all;
		uncured += best.moves >= 0 && !all;
		if (best.moves >= 0 && all) {
			compared++;
			ours += (long)p.n;
			fewest += best.moves;
		}
		fleet_plan_done(&p);
		fleet_case_done(&c);
	}
	double more = fewest ? 100. * (double)(ours - fewest) / (double)fewest : 0;
	bool good = compared > 0 && more <= target_more_pct && uncured == 0;
	printf("64 VMs, 16 hosts, %.0f %% busy: %ld fleets, %ld moves, fewest %ld (cbc): %.1f %% more; %ld cured by "
	       "cbc alone, %ld not told in %.0f s  target %.0f  %s\n",
		part * 100, compared, ours, fewest, more, uncured, unknown, cbc_s, target_more_pct,
		good ? "met" : "MISSED");
	return good;
}

int main(void)
{
	bool good = true;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("a plan: median, most of %d\n", ROUNDS);
	good &= time_one(16, 4, .5);
	good &= time_one(64, 6, .5);
	good &= time_one(1000, 10, .5);
	good &= time_one(1000, 10, .7);
	good &= time_one(1000, 10, .85);
	good &= beside_cbc(.65);
	return !good;
}
