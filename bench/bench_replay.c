/* SPDX-License-Identifier: MIT */
/* Finding places in a long recording: g, [ and ] until the screen can be drawn anew, and what is asked for it
 * each second. A recording given as argument, or two that are made here: many ticks of a few VMs (BENCH_TICKS
 * of sim:demo), and fewer of 1,000 vCPUs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "support/recorded.h"
#include "support/run_scenario.h"
#include "times.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"

enum { JUMPS = 60 };
static const double target_ms = 50;

static void print_times(const char *what, double *ms, int n)
{
	qsort(ms, (size_t)n, sizeof *ms, compare_ms);
	printf("  %-28s %8.2f %8.2f %8.2f   target %.0f  %s\n", what, ms[n / 2], ms[n * 95 / 100], ms[n - 1],
		target_ms, ms[n * 95 / 100] <= target_ms ? "met" : "MISSED");
}

/* One jump, until the engine has the snapshot of the place. */
static double jump_ms(struct engine *en, const char *how, double number)
{
	struct err e = ERR_INIT;
	struct command c = {.kind = CMD_REPLAY, .number = number};
	snprintf(c.text, sizeof c.text, "%s", how);
	double t = clock_ms(CLOCK_MONOTONIC);
	engine_command(en, &c);
	if (number == 1) /* the next tick is played */
		engine_wait(en, -1);
	engine_step(en, &e);
	return clock_ms(CLOCK_MONOTONIC) - t;
}

static bool measure(const char *path, double seconds)
{
	static double ms[JUMPS];
	struct config cfg;
	struct err e = ERR_INIT;
	struct stat st;
	unsigned seed = 1;
	config_defaults(&cfg);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	double t = clock_ms(CLOCK_MONOTONIC);
	struct backend *b = recording_config(path, &cfg, &e) < 0 ? NULL : backend_replay_open(&cfg, &e);
	struct engine *en = b ? engine_new(&cfg, b, &e) : NULL;
	if (!en) {
		fprintf(stderr, "%s\n", e.msg);
		return false;
	}
	engine_step(en, &e);
	stat(path, &st);
	printf("%s: %.0f MB, %.0f s; opened in %.1f ms; ms: median, 95 %%, most\n", path,
		(double)st.st_size / 1e6, seconds, clock_ms(CLOCK_MONOTONIC) - t);
	static const char *const how[] = {"at", "step", "step", "go"};
	static const char *const name[] = {"g to a time", "] one on", "[ one back", "g +-60 s"};
	for (int k = 0; k < 4; k++) {
		jump_ms(en, "at", seconds / 4); /* with JUMPS ticks left to play */
		for (int i = 0; i < JUMPS; i++) {
			seed = seed * 1664525 + 1013904223;
			double number = k == 0   ? seconds * (seed >> 8) / (1 << 24)
					: k == 1 ? 1
					: k == 2 ? -1
					: i % 2  ? 60
						 : -60;
			ms[i] = jump_ms(en, how[k], number);
		}
		print_times(name[k], ms, JUMPS);
	}
	engine_free(en);
	return true;
}

static bool make_and_measure(const char *name, const char *scenario, int ticks)
{
	struct config cfg;
	char path[256];
	config_defaults(&cfg);
	cfg.batch = cfg.auto_cpu = true;
	cfg.delay_s = 1;
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, name));
	recorded_run(&cfg, scenario, ticks, NULL, NULL);
	return measure(path, ticks);
}

int main(int argc, char **argv)
{
	const char *ticks = getenv("BENCH_TICKS");
	if (argc > 2)
		return !measure(argv[1], atof(argv[2]));
	bool good = make_and_measure("long.rec", "demo", ticks ? atoi(ticks) : 6000);
	good &= make_and_measure("wide.rec", "big512", 400);
	recorded_clean();
	return !good;
}
