/* SPDX-License-Identifier: MIT */
/* First, do no harm: whatever guests do, under memory AUTO none is killed and none starves longer than it
 * would have without, and where memory can cure, it does. Each load runs twice, steered and not, in the
 * simulator's own truth, over several seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/err.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"

enum { SEEDS = 3, MIB = 1024 };

struct load {
	const char *name, *text;
	int seconds;
	double kills_most, starved_most; /* of what MANUAL has, as a part: below 1 it cures */
};

#define HOST(mem, used) "host\n memory " mem "\n used " used "\n"

static const struct load loads[] = {
	{"room for all, short fast bursts",
		HOST("24G", "1G") "vm j x5\n memory 3G max 3G\n base 600M\n stats 2\n"
				  " eat 100M/s to 2200M hold 40s every 10min after 5min\n",
		1900, 0, 0},
	{"the same with swap",
		HOST("24G", "1G") "vm j x5\n memory 3G max 3G\n base 600M\n swap 2G\n stats 2\n"
				  " eat 100M/s to 2200M hold 40s every 10min after 5min\n",
		1900, 0, 0},
	{"the same on a host that is SOFT",
		HOST("17600M", "1G") "vm j x5\n memory 3G max 3G\n base 600M\n stats 2\n"
				     " eat 100M/s to 2200M hold 40s every 10min after 5min\n",
		1900, 0, 0},
	{"the same on a host that is HARD",
		HOST("16900M", "1G") "vm j x5\n memory 3G max 3G\n base 600M\n stats 2\n"
				     " eat 100M/s to 2200M hold 40s every 10min after 5min\n",
		1900, 0, 0},
	{"slow growth, the host can feed it",
		HOST("16G", "1G") "vm g x4\n memory 1G max 4G\n base 500M\n stats 2\n"
				  " eat 20M/s to 2500M hold 60s every 3min\nvm idle x2\n memory 1G max 2G\n"
				  " base 300M\n stats 2\n",
		1200, 0, 0},
	{"bursts that kill at the size found, the host can feed them",
		HOST("24G", "1G") "vm b x3\n memory 1G max 4G\n base 500M\n stats 2\n"
				  " eat 60M/s to 2500M hold 30s every 2min after 30s\n",
		1800, 0.25, 1},
	{"idle guests beside one in need, no room on the host",
		HOST("8G", "1G") "vm idle x3\n memory 2G max 2G\n base 300M\n stats 2\n"
				 "vm needy\n memory 512M max 4G\n base 400M\n swap 2G\n stats 2\n"
				 " eat 20M/s to 1800M after 30s keep\n",
		1200, 0, 0.1},
	{"appetite that comes when the hold is over",
		HOST("16G", "1G") "vm t x6\n memory 1G max 4G\n base 400M\n stats 2\n"
				  " eat 200M/s to 2500M hold 20s every 90s\n",
		1200, 1, 1},
	{"all at once, not enough for all",
		HOST("12G", "1G") "vm j x5\n memory 1G max 3G\n base 600M\n stats 2\n"
				  " eat 60M/s to 2200M hold 40s every 2min\n",
		1200, 1, 1},
	{"one that claims a gigabyte more than it has",
		HOST("6G", "1G") "vm liar\n memory 2G max 2G\n base 1500M\n swap 1G\n stats 2\n lie 1G\n"
				 "vm honest x2\n memory 1G max 3G\n base 500M\n swap 1G\n stats 2\n"
				 " eat 20M/s to 1800M hold 60s every 3min\n",
		1800, 0, 1},
	{"balloons that stick",
		HOST("8G",
			"1G") "vm stuck x3\n memory 2G max 2G\n base 300M\n stats 2\n balloon stuck 1900M\n"
			      "vm needy\n memory 1G max 4G\n base 500M\n swap 1G\n stats 2\n"
			      " eat 20M/s to 3G hold 60s every 3min\n",
		1200, 1, 1},
	{"the host comes and goes by three gigabytes",
		HOST("16G", "2G") "vm w x8\n memory 1500M max 2G\n base 900M\n cache 300M\n swap 512M\n"
				  " stats 2\nat 60s every 2min used 5G\nat 2min every 2min used 2G\n",
		1200, 0, 0},
	/* Hosts that hold less than their guests were given, from the start: they swap, by hand and under
	 * AUTO. */
	{"too much promised, all of it idle",
		HOST("8G", "1G") "vm a x5\n memory 2G max 2G\n base 500M\n stats 2\n", 1200, 0, 0},
	{"too much promised, bursts after half an hour",
		HOST("6G", "2G") "vm late x2\n memory 512M max 1G\n base 200M\n stats 2\n"
				 " eat 200M/s to 460M hold 40s every 90s after 15min\n"
				 "vm swaps x3\n memory 768M max 768M\n base 340M\n stats 2\n swap 256M\n"
				 " eat 60M/s to 650M hold 20s every 1min\n"
				 "vm idle x3\n memory 768M max 768M\n base 190M\n stats 2\n swap 2G\n",
		2400, 0, 1},
	{"too much promised, one wants all there is",
		HOST("12G", "2G") "vm hog x2\n memory 2G max 6G\n base 700M\n stats 2\n"
				  " eat 60M/s to 5500M after 10s keep\n"
				  "vm tight x5\n memory 768M max 768M\n base 470M\n stats 2\n"
				  " eat 20M/s to 690M hold 5s every 90s after 1min\n"
				  "vm later x4\n memory 768M max 768M\n base 350M\n stats 2\n"
				  " eat 100M/s to 660M hold 5s every 2min after 20min\n",
		2400, 1, 1},
	{"too much promised, the host swells",
		HOST("12G", "1G") "vm db x5\n memory 2G max 2G\n base 1200M\n stats 2\n"
				  " eat 40M/s to 1700M hold 20s every 5min\n"
				  "vm web x3\n memory 1G max 2G\n base 300M\n stats 2\n"
				  "at 10min used 4G\nat 20min used 1G\n",
		2400, 0, 1},
	/* What is taken for one that never has enough cannot be given back when its owners turn out to need
	   it. */
	{"too much promised, one for whom nothing is enough, and others that wake late",
		HOST("16G", "4G") "vm hog\n memory 4G max 12G\n base 2200M\n stats 2\n"
				  " eat 20M/s to 9700M after 100s hold 12s every 5min\n"
				  "vm calm x3\n memory 2G max 6G\n base 940M\n stats 2\n"
				  " eat 5M/s to 1880M after 6min hold 27s every 3min\n"
				  "vm late x6\n memory 1G max 1G\n base 300M\n stats 10\n"
				  " eat 20M/s to 910M after 14min hold 44s every 90s\n",
		1800, 1, 1},
	/* What a guest got in plenty and lets lie comes back when the host swells: by hand it had not had it.
	 */
	{"given in plenty, then the host swells",
		HOST("16G", "2G") "vm grown x2\n memory 2G max 6G\n base 800M\n stats 2\n"
				  " eat 60M/s to 2600M after 1min hold 20s every 20min\n"
				  "vm full x4\n memory 2G max 2G\n base 1700M\n stats 2\n"
				  "at 5min used 3400M\n",
		1800, 1, 1},
	/* What is free on a host that has swapped out is owed to those whose pages are out. */
	{"the host has room again, its guests' pages are still out, and more would save nobody",
		HOST("16G",
			"1280M") "vm dying x6\n memory 512M max 1G\n base 276M\n stats 2\n"
				 " eat 100M/s to 778M after 259s hold 34s every 3min\n balloon stuck 460M\n"
				 "vm full x3\n memory 2G max 2G\n base 860M\n cache 594M\n swap 1G\n"
				 " stats 2\n eat 200M/s to 1679M after 177s keep\n"
				 "vm idle x6\n memory 1G max 4G\n base 266M\n cache 379M\n stats 2\n"
				 "at 174s every 20min used 2560M\nat 877s every 20min used 1280M\n",
		2400, 1, 1},
	{"too much promised, quick rises that end below what they have",
		HOST("16G", "2G") "vm quick x11\n memory 512M max 2G\n base 163M\n swap 256M\n stats 2\n"
				  " eat 60M/s to 450M after 268s hold 15s every 5min\n"
				  "vm slow x5\n memory 1G max 3G\n base 399M\n swap 512M\n stats 2\n"
				  " eat 100M/s to 768M after 172s hold 53s every 20min\n"
				  "vm large x2\n memory 2G max 2G\n base 1433M\n swap 1G\n stats 2\n"
				  "at 205s every 20min used 4G\nat 1081s every 20min used 2G\n",
		3600, 0, 1},
	{"one that lies swaps with all that it has",
		HOST("16G", "1G") "vm liar x2\n memory 4G max 4G\n base 1802M\n swap 2G\n stats 2\n lie 1G\n"
				  " eat 20M/s to 4136M after 648s hold 10s every 10min\n"
				  "vm others x12\n memory 512M max 512M\n base 302M\n stats 2\n"
				  " eat 60M/s to 389M after 716s hold 20s every 20min\n",
		3600, 0, 1},
};

static void config_of(struct config *cfg, bool automatic)
{
	run_config(cfg, false, automatic, 2);
}

static struct sim_report report_of(const struct load *l, const struct config *cfg, int seed)
{
	struct run r;
	char text[2048];
	snprintf(text, sizeof text, "seed %d\n%s", seed, l->text);
	run_scenario(&r, &(struct run_options){.scenario = text, .cfg = cfg, .seconds = l->seconds});
	struct sim_report report = r.report;
	run_done(&r);
	return report;
}

static void check_load(const struct load *l, int seed)
{
	struct config by_hand, steered;
	config_of(&by_hand, false);
	config_of(&steered, true);
	struct sim_report m = report_of(l, &by_hand, seed), a = report_of(l, &steered, seed);
	double kills = l->kills_most * (double)m.oom_kills, starved = l->starved_most * m.starved_guest_s + 1;
	if ((double)a.oom_kills > kills || a.starved_guest_s > starved)
		fail_msg("%s, seed %d: %ld kills (%ld by hand), %.1f s starved (%.1f)", l->name, seed,
			a.oom_kills, m.oom_kills, a.starved_guest_s, m.starved_guest_s);
	/* Nor is the host short for longer than it takes to notice. */
	if (a.overcommit_s > m.overcommit_s + 1)
		fail_msg("%s, seed %d: over-commit %.1f s (%.1f by hand)", l->name, seed, a.overcommit_s,
			m.overcommit_s);
}

static void no_load_suffers_from_auto(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
		for (int seed = 1; seed <= SEEDS; seed++)
			check_load(&loads[i], seed);
}

/* Loads of this kind can be harmed: with reclaim that never rests they are. */
static void always_taking_what_is_idle_kills(void **state)
{
	(void)state;
	static const struct load fast = {"room for all, very fast bursts",
		HOST("24G", "1G") "vm j x5\n memory 3G max 3G\n base 600M\n stats 2\n"
				  " eat 200M/s to 2200M hold 40s every 10min after 5min\n",
		1900, 0, 0};
	struct config cfg;
	config_of(&cfg, true);
	assert_int_equal(report_of(&fast, &cfg, 1).oom_kills, 0);
	cfg.reclaim = RECLAIM_PROACTIVE;
	assert_true(report_of(&fast, &cfg, 1).oom_kills > 0);
}

/* --- NUMA --- */

/* Bound to a node of 8 GiB, four guests want 12: what they get lies on it, though the other node is empty. */
static void a_bound_guest_is_fed_from_its_node(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	double sum = 0;
	config_of(&cfg, true);
	run_scenario(&r,
		&(struct run_options){.scenario = "seed 4\nhost\n pcpus 8\n nodes 2\n memory 16G\n used 1G\n"
						  "vm bound x4\n memory 1G max 4G\n base 600M\n swap 4G\n"
						  " node 0 strict\n stats 2\n eat 20M/s to 3G keep\n",
			.cfg = &cfg,
			.seconds = 600});
	for (size_t i = 0; i < r.n_vms; i++)
		sum += r.vms[i].end + 32;
	/* 8 GiB less half of the host's own and of its reserve */
	assert_true(sum <= 8192 - 512 - 512 + 4);
	assert_true(sum >= 8192 - 512 - 512 - 200);
	for (size_t i = 0; i < r.n_vms; i++)
		assert_in_range((int)(r.vms[i].end - sum / 4 + 1000), 900, 1032); /* alike */
	assert_true(r.report.min_available_kib > 8000 * MIB);
	run_done(&r);
}

/* --- shares --- */

static void check_shares(const char *what, const char *after)
{
	struct config cfg;
	struct err e = ERR_INIT;
	struct run r;
	char text[1024];
	config_of(&cfg, true);
	struct vm_setting *v = &cfg.vm[cfg.n_vm++];
	snprintf(v->pattern, sizeof v->pattern, "gold*");
	assert_int_equal(vm_setting_apply(v, vm_setting_by_key("mem_shares"), "4", &e), 0);
	snprintf(text, sizeof text,
		HOST("8G", "1G") "vm gold x2\n memory 512M max 4G\n base 300M\n swap 2G\n stats 2\n"
				 " eat 20M/s to 2500M%s keep\n"
				 "vm lead x4\n memory 512M max 4G\n base 300M\n swap 2G\n stats 2\n"
				 " eat 20M/s to 2500M keep\n",
		after);
	run_scenario(&r, &(struct run_options){.scenario = text, .cfg = &cfg, .seconds = 900});
	double gold = 0, lead = 0;
	for (size_t i = 0; i < r.n_vms; i++)
		*(r.vms[i].name[0] == 'g' ? &gold : &lead) += r.vms[i].end - 512;
	double ratio = gold / 2 / (lead / 4);
	if (ratio < 3.5 || ratio > 4.6 || r.report.oom_kills)
		fail_msg("%s: above their floors %.2f : 1, %ld kills", what, ratio, r.report.oom_kills);
	run_done(&r);
}

static void four_shares_against_one(void **state)
{
	(void)state;
	check_shares("together", "");
	check_shares("the favoured a minute late", " after 60s");
	check_shares("the favoured ten minutes late", " after 5min");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_load_suffers_from_auto),
		cmocka_unit_test(always_taking_what_is_idle_kills),
		cmocka_unit_test(a_bound_guest_is_fed_from_its_node),
		cmocka_unit_test(four_shares_against_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
