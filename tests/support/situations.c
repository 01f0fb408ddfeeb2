/* SPDX-License-Identifier: MIT */
/* Simulated hosts for comparing CPU policies, and how a run over one of them is judged: by what the vCPUs
 * really want and get, which only the simulator knows. */
#include "support/situations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Three heavy ones wait on one pCPU; their usage ranks below that of the light ones elsewhere. */
static const char starved_heavy[] = "host\n pcpus 4\n"
				    "vm heavy x4\n load 95%\n pin 0\n"
				    "vm light x6\n load 35%\n pin each 1-3\n";
static const char bursts[] = "seed 5\nhost\n pcpus 8\n"
			     "vm burst x12\n load bursts 80% 5% every 90s for 20s noise 5%\n pin each 0-7\n"
			     "vm steady x8\n load 25% noise 5%\n pin each 0-3\n";
static const char arrivals[] = "seed 6\nhost\n pcpus 8\n"
			       "vm here x10\n load 40% noise 5%\n pin each 0-7\n"
			       "vm guest x6\n load 60% noise 5%\n start never\n"
			       "at 60s every 400s start guest-*\n"
			       "at 260s every 400s stop guest-*\n"
			       "at 330s every 400s stop here-3\n"
			       "at 390s every 400s start here-3\n";
static const char host12[] = "seed 12\nhost\n pcpus 12\n llc 6\n nodes 2\n"
			     "vm a x10\n vcpus 2\n load 40% noise 5%\n pin each 0-3\n"
			     "vm b x10\n load 15% noise 5%\n pin each 6-11\n";
static const char host96[] = "seed 96\nhost\n pcpus 96\n llc 12\n nodes 2\n"
			     "vm a x40\n vcpus 4\n load 30% noise 5%\n pin each 0-95\n"
			     "vm b x30\n vcpus 2\n load 60% noise 5%\n pin each 0-23\n"
			     "vm c x60\n load 10% noise 5%\n pin each 48-95\n";
static const char host512[] = "seed 512\nhost\n pcpus 512\n llc 16\n nodes 8\n"
			      "vm a x200\n vcpus 4\n load 30% noise 5%\n pin each 0-511\n"
			      "vm b x150\n vcpus 2\n load 50% noise 5%\n pin each 0-127\n"
			      "vm c x300\n load 12% noise 5%\n pin each 0-511\n";
static const char memory_on_one[] = "host\n pcpus 8\n nodes 2\n llc 4\n memory 32G\n"
				    "vm home x6\n load 50%\n node 0\n pin each 0-1\n"
				    "vm other x4\n load 50%\n node 1\n pin each 4-5\n";
static const char hidden_at_once[] = "host\n pcpus 4\n"
				     "vm stacked x5\n load 100%\n pin 0\n"
				     "vm alone x3\n load 100%\n pin each 1-3\n";

const struct situation situations[] = {
	{"case 1: all on one pCPU", "cpu1", 1, 200, 0},
	{"case 2: halves", "cpu2", 1, 200, 0},
	{"case 3: balanced", "cpu3", 1, 200, 0},
	{"case 4: not pinned", "cpu4", 1, 200, 0},
	{"case 5: heavy, light", "cpu5", 1, 200, 0},
	{"case 6: idle", "cpu6", 1, 200, 0},
	{"case 7: half turn heavy", "cpu7", 1, 200, 14},
	{"hidden overload", hidden_at_once, 2, 300, 0},
	{"hidden, quiet first", "hidden", 2, 300, 60},
	{"starved heavy vCPUs", starved_heavy, 2, 300, 0},
	{"indivisible, 5 x 60 %", "indivisible", 2, 600, 0},
	{"square waves", "square", 2, 1200, 0},
	{"bursts", bursts, 2, 1200, 0},
	{"multi-vCPU VMs", "multi", 2, 600, 0},
	{"VMs leave and arrive", arrivals, 2, 1200, 0},
	{"12 pCPUs", host12, 2, 600, 0},
	{"96 pCPUs", host96, 2, 300, 0},
	{"512 pCPUs", host512, 2, 150, 0},
	{"sparse CPU ids", "sparse", 2, 300, 0},
	{"3-vCPU cpuset", "cpuset3", 2, 300, 0},
	{"2 nodes, all on one", "nodes", 2, 300, 0},
	{"2 nodes, memory apart", memory_on_one, 2, 300, 0},
	{"demo, an hour", "demo", 2, 3600, 0},
};
const size_t n_situations = sizeof situations / sizeof *situations;

const struct situation *situation_find(const char *name)
{
	for (size_t i = 0; i < n_situations; i++)
		if (strcmp(situations[i].name, name) == 0)
			return &situations[i];
	fail_msg("no situation %s", name);
	return NULL;
}

static const char *shipped_text(const char *scenario, size_t *len)
{
	*len = strlen(scenario);
	for (size_t i = 0; !strchr(scenario, '\n') && scenario_name(i); i++)
		if (strcmp(scenario_name(i), scenario) == 0)
			return scenario_text(i, len);
	return scenario;
}

char *situation_text(const char *scenario, unsigned seed, int noise_pct)
{
	size_t len, at;
	const char *text = shipped_text(scenario, &len);
	char *out = malloc(2 * len + 64);
	assert_non_null(out);
	at = (size_t)sprintf(out, "seed %u\n", seed);
	for (const char *line = text, *end = text + len, *next; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop ? stop : end;
		next = stop < end ? stop + 1 : end;
		size_t n = (size_t)(stop - line);
		if (strncmp(line, "seed ", 5) == 0)
			continue;
		memcpy(out + at, line, n);
		at += n;
		const char *word = line + strspn(line, " \t");
		if (noise_pct && strncmp(word, "load ", 5) == 0 && !memmem(line, n, "noise", 5))
			at += (size_t)sprintf(out + at, " noise %d%%", noise_pct);
		out[at++] = '\n';
	}
	out[at] = '\0';
	return out;
}

double situation_limit(double attainable_pct)
{
	return 1.15 * attainable_pct > 5 ? 1.15 * attainable_pct : 5;
}

struct watch {
	double sum, last_third_s;
	int n;
};

static void watch_found(void *arg, const struct snapshot *s)
{
	struct watch *w = arg;
	if (!vf64_has(s->cpu.found_pct) || (double)s->sample.time_ns / 1e9 - 1000 < w->last_third_s)
		return;
	w->sum += s->cpu.found_pct.v;
	w->n++;
}

/* Loads that vary pass over the limit now and then: settled is when they stay below it on average, over 30 s
 * and over all the rest. */
static double settled_s(const struct run *r, double limit_pct, double from_s)
{
	enum { MEAN_S = 30 };
	double since = -1, sum = 0;
	size_t first = 0;
	for (size_t i = 0; i < r->n; i++) {
		sum += r->ticks[i].true_pct;
		for (; r->ticks[i].t_s - r->ticks[first].t_s > MEAN_S; first++)
			sum -= r->ticks[first].true_pct;
		bool low = r->ticks[i].true_pct <= limit_pct + .5;
		bool low_mean = sum / (double)(i - first + 1) <= limit_pct + .5;
		if (r->ticks[i].t_s < from_s)
			continue;
		if (since < 0 && low)
			since = r->ticks[i].t_s;
		else if (since >= 0 && !low && !(low_mean && r->ticks[i].t_s - since > MEAN_S))
			since = -1;
	}
	return since < 0 ? -1 : since - from_s;
}

void situation_run(
	const struct situation *s, const struct config *cfg, double limit_pct, struct situation_result *out)
{
	struct run r;
	struct watch w = {.last_third_s = s->seconds * 2 / 3};
	double sum = 0;
	size_t n = 0;
	run_scenario(&r, &(struct run_options){.scenario = s->scenario,
				 .cfg = cfg,
				 .seconds = s->seconds,
				 .look = watch_found,
				 .arg = &w});
	for (size_t i = 0; i < r.n; i++) {
		if (r.ticks[i].t_s < w.last_third_s)
			continue;
		sum += r.ticks[i].true_pct;
		n++;
	}
	*out = (struct situation_result){
		.attainable_pct = w.n ? w.sum / w.n : -1,
		.final_pct = n ? sum / (double)n : 0,
		.last_pin_s = r.last_pin_s,
		.starved_s = r.report.starved_vcpu_s,
		.pins = r.pins,
	};
	out->settle_s =
		settled_s(&r, limit_pct >= 0 ? limit_pct : situation_limit(out->attainable_pct), s->from_s);
	run_done(&r);
}
