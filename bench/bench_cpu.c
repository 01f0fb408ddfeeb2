/* SPDX-License-Identifier: MIT */
/* CPU policies side by side over the simulator, in virtual time: how soon each settles, what is left, what it
 * cost. The only thing taken from this machine is its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "support/situations.h"

static const struct {
	const char *name;
	enum cpu_policy_id id;
	bool rests; /* vCPUs that are moved again and again rest up to an hour */
} policies[] = {
	{"minmove", CPU_POLICY_MINMOVE, false}, /* first: the others are judged by what it found attainable */
	{"dwell_max=1h", CPU_POLICY_MINMOVE, true},
	{"greedy", CPU_POLICY_ORIGIN_C, false},
	{"zigzag", CPU_POLICY_ORIGIN_B, false},
};

static void number_print(double v, int width, int digits)
{
	if (v < 0)
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, digits, v);
}

static void situation_print(const struct situation *s)
{
	double limit = -1;
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		struct config cfg;
		struct situation_result x;
		run_config(&cfg, true, false, s->delay_s);
		cfg.cpu_policy = policies[i].id;
		cfg.granularity = GRAN_CPU;
		if (policies[i].rests)
			cfg.dwell_max_s = 3600;
		situation_run(s, &cfg, limit, &x);
		if (i == 0)
			limit = situation_limit(x.attainable_pct);
		printf("%-24s %-12s", i ? "" : s->name, policies[i].name);
		number_print(i ? -1 : x.attainable_pct, 11, 1);
		number_print(x.final_pct, 7, 1);
		number_print(x.settle_s, 8, 0);
		printf(" %6d", x.pins);
		number_print(x.last_pin_s, 9, 0);
		number_print(x.starved_s, 10, 0);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	struct utsname u;
	uname(&u);
	printf("CPU policies over the simulator, granularity cpu; %ld CPUs, %s %s\n",
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	printf("attainable: best placement that minmove knew; final: true deviation; both percent of a pCPU, "
	       "means over the last third\n"
	       "settles: seconds until the deviation stays below 5 %%, or 1.15 x what is attainable\n");
	printf("%-24s %-12s %11s %7s %8s %6s %9s %10s\n", "situation", "policy", "attainable", "final",
		"settles", "pins", "last pin", "starved s");
	for (size_t i = 0; i < n_situations; i++)
		if (argc < 2 || strstr(situations[i].name, argv[1]))
			situation_print(&situations[i]);
	return 0;
}
