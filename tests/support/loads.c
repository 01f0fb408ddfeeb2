/* SPDX-License-Identifier: MIT */
/* The texts of the loads. What a name promises is in its first word: float, pinned, mixed, cure, memory. */
#include "support/loads.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/scenario.h"

/* In a text {found|best} stands for how it is found and how it is best placed. */
static const struct {
	const char *name;
	bool curable;
	size_t pcpus;
	const char *text;
} written[] = {
	/* Floating guests: the kernel does it in milliseconds, a pin takes that away. */
	{"float-steady", false, 8, "host\n pcpus 8\nvm web x10\n load 60% noise 15%\n"},
	{"float-fits", false, 8, "host\n pcpus 8\nvm web x8\n load 60% noise 10%\n"},
	{"float-bursts-1s", false, 4, "host\n pcpus 4\nvm web x11\n load bursts 100% 3% every 7s for 1s\n"},
	{"float-bursts-20s", false, 8,
		"host\n pcpus 8\nvm web x14\n load bursts 95% 2% every 50s for 20s noise 10%\n"},
	{"float-square-2s", false, 4,
		"host\n pcpus 4\nvm a x4\n load square 100% 5% every 2s\n"
		"vm b x4\n load square 100% 5% every 2s shift 1s\n"},
	{"float-square-4.2s", false, 4,
		"host\n pcpus 4\nvm a x4\n load square 95% 5% every 4.2s\n"
		"vm b x4\n load square 95% 5% every 4.2s shift 2.1s\n"},
	{"float-square-30min", false, 8,
		"host\n pcpus 8\nvm a x6\n load square 90% 10% every 30min noise 10%\n"
		"vm b x6\n load square 90% 10% every 30min shift 10min noise 10%\n"},
	{"float-siblings", false, 4,
		"host\n pcpus 4\nvm a\n vcpus 4\n load 47% noise 10%\nvm b\n vcpus 4\n load 47% noise 10%\n"},
	{"float-llcs", false, 24,
		"host\n pcpus 24\n llc 8\nvm big\n vcpus 8\n load 75% noise 10%\nvm mid x3\n vcpus 4\n load "
		"55% "
		"noise 10%\nvm small x11\n load bursts 95% 5% every 30s for 11s\n"},
	{"float-wide-guest", false, 32,
		"host\n pcpus 32\nvm huge\n vcpus 64\n load 36% noise 10%\nvm small x8\n vcpus 2\n load "
		"bursts 100% "
		"10% every 40s for 20s\n"},
	{"float-one-wide", false, 16,
		"host\n pcpus 16\n llc 4\nvm db\n vcpus 16\n load wave 90% 20% every 3min noise 5%\nvm web "
		"x4\n load "
		"40% noise 20%\n"},
	{"float-idle-many", false, 16,
		"host\n pcpus 16\n memory 256G\nvm idle x200\n load 1.5% noise 50%\nvm burst x8\n load "
		"bursts 100% 3% "
		"every 60s for 20s\n"},
	{"float-overcommitted", false, 4, "host\n pcpus 4\nvm web x10\n load 70% noise 10%\n"},
	{"float-host-load", false, 8,
		"host\n pcpus 8\n background 0-3 square 85% 5% every 100s noise 10%\n"
		" background 4-7 square 85% 5% every 100s shift 50s noise 10%\nvm web x8\n load 45% noise "
		"10%\n"},
	{"float-emulators", false, 8,
		"host\n pcpus 8\nvm io x8\n load 50% noise 20%\n emulator bursts 60% 5% every 20s for 5s\n"},
	{"float-open-loop", false, 8, "host\n pcpus 8\nvm web x10\n load 60% noise 20% open\n"},
	{"float-smt", false, 16,
		"host\n pcpus 16\n smt 2 apart\nvm hot x6\n load 95% noise 3%\nvm mild x14\n load 25% noise "
		"20%\n"},
	{"float-two-nodes", false, 16,
		"host\n pcpus 16\n nodes 2\n memory 64G\nvm left x6\n load 55% noise 10%\n node 0\nvm right "
		"x6\n load "
		"bursts 90% 10% every 30s for 15s\n node 1\n"},
	{"float-nohz-full", false, 8, "host\n pcpus 8\nvm web x8\n load 62% noise 5%\n place 1-7\n"},
	{"float-quotas", false, 4,
		"host\n pcpus 4\nvm capped x6\n load 100%\n quota 30%\nvm free x2\n load 80% noise 10%\n"},
	{"float-arrivals", false, 8,
		"host\n pcpus 8\nvm stay x6\n load 50% noise 10%\nvm guest x6\n load 70% noise 10%\n start "
		"never\n"
		"at 60s every 400s start guest-*\nat 260s every 400s stop guest-*\n"},
	/* Pinned by somebody, loads that do not last. */
	{"pinned-bursts-1s", false, 4,
		"host\n pcpus 4\nvm web x11\n load bursts 100% 3% every 7s for 1s\n pin each 0-3\n"},
	{"pinned-bursts-20s", false, 8,
		"host\n pcpus 8\nvm web x14\n load bursts 95% 2% every 50s for 20s noise 10%\n pin each "
		"0-7\n"},
	{"pinned-host-load", false, 8,
		"host\n pcpus 8\n background 0-3 square 85% 5% every 100s noise 10%\n"
		" background 4-7 square 85% 5% every 100s shift 50s noise 10%\nvm web x8\n load 45% noise "
		"10%\n"
		" pin each 0-7\n"},
	{"pinned-phases-8s", false, 6,
		"host\n pcpus 6\nvm a x4\n load square 90% 10% every 8s\n pin each 0-5\n"
		"vm b x4\n load square 90% 10% every 8s shift 2.7s\n pin each 0-5\n"
		"vm c x4\n load square 90% 10% every 8s shift 5.3s\n pin each 0-5\n"},
	{"pinned-phases-90s", false, 6,
		"host\n pcpus 6\nvm a x4\n load square 90% 10% every 90s noise 5%\n pin each 0-5\n"
		"vm b x4\n load square 90% 10% every 90s shift 30s noise 5%\n pin each 0-5\n"
		"vm c x4\n load square 90% 10% every 90s shift 60s noise 5%\n pin each 0-5\n"},
	{"pinned-square-4.2s", false, 4,
		"host\n pcpus 4\nvm a x4\n load square 95% 5% every 4.2s\n pin each 0-1\n"
		"vm b x4\n load square 95% 5% every 4.2s shift 2.1s\n pin each 2-3\n"},
	{"pinned-indivisible", false, 4, "host\n pcpus 4\nvm vm x5\n load 60% noise 3%\n pin each 0-3\n"},
	{"pinned-overcommitted", false, 4, "host\n pcpus 4\nvm vm x12\n load 80% noise 5%\n pin each 0-3\n"},
	{"pinned-quotas", false, 4,
		"host\n pcpus 4\nvm capped x4\n load 100%\n quota 20%\n pin each 0-1\nvm half x3\n load "
		"100%\n quota "
		"50%\n pin each 1-2\nvm free x2\n load 100%\n pin 3\n"},
	{"pinned-idle", false, 4, "host\n pcpus 4\nvm vm x8\n load 2% noise 50%\n pin each 0-1\n"},
	{"pinned-offline", false, 4,
		"host\n pcpus 4\nvm a x4\n load 40% noise 5%\n pin each 0-3\nat 60s every 240s offline 2-3\n"
		"at 150s every 240s online 2-3\n"},
	/* Mixed. */
	{"mixed-dedicated", false, 8,
		"host\n pcpus 8\nvm own\n vcpus 2\n load 90% noise 5%\n pin each 0-1\n flags dedicated\n"
		"vm web x7\n load bursts 90% 5% every 20s for 9s\n"},
	{"mixed-dedicated-idle", false, 4,
		"host\n pcpus 4\nvm tiny\n load 1%\n cpuset 0\n pin 0\n flags dedicated\n"
		"vm busy x5\n load 65% noise 5%\n"},
	{"mixed-isolated-live", false, 8,
		"host\n pcpus 8\n isolated 4-7\nvm rt\n vcpus 4\n load 60% noise 5%\n pin vcpu 0 4\n pin "
		"vcpu 1 5\n"
		" pin vcpu 2 6\n pin vcpu 3 7\nvm web x6\n load 50% noise 5%\n pin each 0-3\n"},
	{"mixed-half-pinned", false, 8,
		"host\n pcpus 8\nvm tied x6\n load 50% noise 10%\n pin each 0-5\nvm loose x6\n load bursts "
		"90% 10% "
		"every 15s for 6s\n"},
	{"mixed-cpusets", false, 8,
		"host\n pcpus 8\nvm a x4\n load 55% noise 10%\n cpuset 0-4\nvm b x4\n load 55% noise 10%\n "
		"cpuset 3-7\n"},
	{"mixed-vnuma", false, 8,
		"host\n pcpus 8\n nodes 2\n memory 32G\nvm wide\n vcpus 4\n load 60% noise 5%\n pin vcpu 0 "
		"0\n pin vcpu "
		"1 1\n pin vcpu 2 4\n pin vcpu 3 5\nvm small x4\n load 40% noise 5%\n pin each 2-3\n"},
	{"mixed-real-time", false, 8,
		"host\n pcpus 8\nvm rt\n vcpus 2\n load 50%\n pin each 0-1\n flags real-time\nvm web x9\n "
		"load 55% "
		"noise 15%\n"},
	/* P- and E-cores, big and little. */
	{"float-hybrid", false, 16,
		"host\n pcpus 16\n smt 2\n capacity 65% 8-15\nvm web x10\n load 70% noise 10%\n"
		"vm small x8\n load bursts 90% 5% every 30s for 10s\n"},
	{"float-little-full", false, 8,
		"host\n pcpus 8\n capacity 45% 0-3\nvm web x9\n load square 95% 10% every 45s noise 5%\n"},
	{"pinned-hybrid", false, 16,
		"host\n pcpus 16\n smt 2\n capacity 65% 8-15\n"
		"vm web x18\n load bursts 95% 5% every 40s for 15s\n pin each 0-15\n"},
	{"pinned-little", false, 8,
		"host\n pcpus 8\n capacity 45% 0-3\nvm a x4\n load bursts 90% 5% every 40s for 15s\n pin "
		"each 0-3\nvm b x6\n load 30% noise 10%\n pin each 4-7\n"},
	{"mixed-hybrid", false, 12,
		"host\n pcpus 12\n capacity 60% 8-11\nvm tied x8\n load 55% noise 10%\n pin each 4-11\n"
		"vm loose x5\n load square 90% 10% every 20s\n"},
	/* What a placement that lasts cures. */
	{"cure-stacked", true, 4,
		"host\n pcpus 4\nvm a\n vcpus 2\n load 42% noise 2%\n pin each {0|0-1}\nvm b\n vcpus 2\n "
		"load 42% noise "
		"2%\n pin each {0|2-3}\n"},
	{"cure-stacked-guests", true, 4,
		"host\n pcpus 4\nvm a\n vcpus 4\n load 45% noise 2%\n pin each {0-1|0-3}\nvm b\n vcpus 4\n "
		"load 45% noise "
		"2%\n pin each {0-1|0-3}\n"},
	{"cure-stacked-16", true, 16,
		"host\n pcpus 16\n llc 8\nvm a x16\n load 60% noise 5%\n pin each {0-3|0-15}\n"},
	{"cure-hidden", true, 6,
		"host\n pcpus 6\nvm stacked x4\n load steps 0s:1% 60s:45%\n pin {0|each 0,5}\nvm alone x4\n "
		"load "
		"steps 0s:1% 60s:90%\n pin each 1-4\nvm idle\n load 3%\n pin 5\n"},
	{"cure-isolated", true, 8,
		"host\n pcpus 8\n isolated 4-7\nvm nrt\n vcpus 4\n load 92%\n cpuset 4-7\n {place 4|pin each "
		"4-7}\n"
		"vm other x4\n load 20%\n pin each 0-3\n"},
	{"cure-leftovers", true, 12,
		"host\n pcpus 12\nvm a x8\n load 55% noise 5%\n pin {0-3|0-11}\nvm b x2\n load 30% noise "
		"5%\n"},
	{"cure-lost-pcpus", true, 8,
		"host\n pcpus 8\nvm a x6\n load 60% noise 5%\n pin {2-5|0-7}\nat 60s offline 4-5\n"},
	{"cure-nodes", true, 8,
		"host\n pcpus 8\n nodes 2\n llc 4\n memory 32G\nvm left x4\n load 60%\n node 0\n pin each "
		"{0-1|0-3}\n"
		"vm right x4\n load 60%\n node 1\n pin each {0-1|4-7}\n"},
	{"cure-llc", true, 16,
		"host\n pcpus 16\n llc 8\nvm a x12\n load 80% noise 5%\n pin {0-7|0-15}\nvm b x2\n load "
		"50%\n"},
	{"cure-smt", true, 16,
		"host\n pcpus 16\n smt 2 apart\nvm hot x8\n load 90% noise 3%\n pin each {0,8,1,9|0-7}\nvm "
		"mild x6\n load "
		"20% noise 10%\n pin each {10-15|10-15}\n"},
	{"cure-beside-host", true, 4,
		"host\n pcpus 4\n background 0 90%\nvm a x3\n load 70% noise 3%\n pin each {0-2|1-3}\n"},
	/* Memory. */
	{"memory-plenty", false, 4,
		"host\n memory 24G\nvm java x5\n memory 3G max 3G\n base 600M\n stats 2\n eat 100M/s to "
		"2200M after 4min "
		"hold 40s every 9min\n"},
	{"memory-plenty-swap", false, 4,
		"host\n memory 24G\nvm java x5\n memory 3G max 3G\n base 600M\n swap 2G\n stats 2\n eat "
		"100M/s to 2200M "
		"after 4min hold 40s every 9min\n"},
	{"memory-fast", false, 4,
		"host\n memory 32G\nvm db x4\n memory 1G max 8G\n base 500M\n stats 2\n eat 400M/s to 5G "
		"hold 30s every "
		"4min\n"},
	{"memory-tide", false, 4,
		"host\n memory 16G\nvm tide x6\n memory 1G max 4G\n base 400M\n stats 2\n eat 200M/s to "
		"2500M hold 20s "
		"every 90s\n"},
	{"memory-node", false, 8,
		"host\n pcpus 8\n nodes 2\n memory 16G\n used 1G\nvm bound x4\n memory 1G max 4G\n base "
		"600M\n node 0 "
		"strict\n stats 2\n eat 20M/s to 3G keep\n"},
	{"memory-liar", false, 4,
		"host\n memory 6G\n used 1G\nvm liar\n memory 2G max 2G\n base 1500M\n swap 1G\n stats 2\n "
		"lie 1G\nvm "
		"honest x2\n memory 1G max 3G\n base 500M\n swap 1G\n stats 2\n eat 20M/s to 1800M hold 60s "
		"every 3min\n"},
	{"memory-sticky", false, 4,
		"host\n memory 8G\n used 1G\nvm stuck x3\n memory 2G max 2G\n base 300M\n stats 2\n balloon "
		"stuck 1900M\n"
		"vm needy\n memory 1G max 4G\n base 500M\n swap 1G\n stats 2\n eat 20M/s to 3G hold 60s "
		"every 3min\n"},
	{"memory-host-swells", false, 4,
		"host\n memory 16G\n used 2G\nvm web x8\n memory 1500M max 2G\n base 900M\n cache 300M\n "
		"swap 512M\n stats "
		"2\nat 60s every 2min used 5G\nat 2min every 2min used 2G\n"},
	{"memory-reboots", false, 4,
		"host\n memory 8G\n used 1G\nvm b x5\n memory 1G max 4G\n base 400M\n stats 2\nat 60s every "
		"3min reboot "
		"b-1\nat 100s every 3min reboot b-2\nat 140s every 3min reboot b-3\n"},
	{"memory-hogs", false, 4,
		"host\n memory 8G\n used 1G\nvm hog x6\n memory 512M max 4G\n base 300M\n swap 2G\n stats "
		"2\n eat 20M/s to "
		"2500M keep\n"},
};
enum { N_WRITTEN = sizeof written / sizeof *written };

static const char *const shipped[] = {"cpu1", "cpu2", "cpu3", "cpu4", "cpu5", "cpu6", "cpu7", "cpuset3",
	"hidden", "indivisible", "multi", "nodes", "overload", "sparse", "square", "churn", "demo", "mem1",
	"mem2", "mem3", "mem4", "mem5"};
enum { N_SHIPPED = sizeof shipped / sizeof *shipped };

/* What the generator goes through. mean: of the load, in pCPUs. */
static const struct {
	const char *name, *curve;
	int noise_pct;
	double mean;
	double period_s; /* of phases; 0: none */
} shapes[] = {
	{"steady", "70%", 0, .7, 0},
	{"noisy", "50%", 25, .5, 0},
	{"bursts1s", "bursts 100% 4% every 6s for 1s", 0, .2, 0},
	{"square2s", "square 95% 5% every 2s", 0, .5, 2},
	{"bursts20s", "bursts 90% 5% every 1min for 20s", 5, .333, 0},
	{"square40s", "square 90% 10% every 40s", 5, .5, 40},
	{"square5min", "square 90% 10% every 5min", 5, .5, 300},
	{"square30min", "square 90% 10% every 30min", 5, .5, 1800},
};
static const struct {
	int pcpus;
	const char *topology;
} hosts[] = {{4, ""}, {8, " smt 2\n"}, {16, " llc 8\n"},
	{64, " llc 16\n nodes 2\n memory 512G\n smt 2 apart\n"}, {256, " llc 16\n nodes 4\n memory 4T\n"}};
static const char *const modes[] = {"float", "pinned", "mixed"};
static const struct {
	const char *name;
	double part;
} levels[] = {{"light", .4}, {"full", .85}, {"over", 1.3}};

enum {
	N_HOSTS = sizeof hosts / sizeof *hosts,
	N_MODES = sizeof modes / sizeof *modes,
	N_LEVELS = sizeof levels / sizeof *levels,
	N_SHAPES = sizeof shapes / sizeof *shapes,
	N_MADE = N_HOSTS * N_MODES * N_LEVELS,
	N_EXTRAS = 4,
	N_EXTRA_HOSTS = 2,
	N_EXTRA = N_EXTRAS * N_EXTRA_HOSTS * N_MODES
};

/* The same with what makes pCPUs or guests unequal. Of `pcpus` the upper quarter is isolated or lesser. */
static const char *const extras[N_EXTRAS] = {"isolated", "dedicated", "quota", "lesser"};
static const size_t extra_hosts[N_EXTRA_HOSTS] = {1, 3}; /* of hosts[] */

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t *at, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	*at += (size_t)vsnprintf(text + *at, LOAD_TEXT - *at, format, ap);
	va_end(ap);
	if (*at >= LOAD_TEXT)
		abort();
}

enum { NO_EXTRA = -1, ISOLATED, DEDICATED, QUOTA, LESSER };

static void add_group(struct load *l, size_t *at, int g, size_t shape, double vcpus, bool pinned, int extra)
{
	int size = 1 << g, n = (int)(vcpus / 3 / size + .5);
	int pcpus = (int)l->pcpus - (extra == ISOLATED ? (int)l->pcpus / 4 : 0);
	if (n == 0)
		return;
	add(l->text, at, "vm g%d x%d\n vcpus %d\n load %s", size, n, size, shapes[shape].curve);
	if (shapes[shape].period_s > 0)
		add(l->text, at, " shift %.2fs", g * shapes[shape].period_s / 3);
	if (shapes[shape].noise_pct)
		add(l->text, at, " noise %d%%", shapes[shape].noise_pct);
	add(l->text, at, "\n");
	if (pinned)
		add(l->text, at, " pin each 0-%d\n", pcpus - 1);
	if (extra == QUOTA && g != 2)
		add(l->text, at, " quota %d%%\n", g ? 60 : 35);
}

static void make_extra(size_t i, struct load *l)
{
	int extra = (int)(i % N_EXTRAS);
	size_t mode = i / N_EXTRAS % N_MODES, host = extra_hosts[i / N_EXTRAS / N_MODES];
	size_t shape = (i * 3 + host) % N_SHAPES, level = (i + mode) % N_LEVELS, at = 0;
	int pcpus = hosts[host].pcpus, upper = pcpus - pcpus / 4;
	double vcpus = levels[level].part * (extra == ISOLATED ? upper : pcpus) / shapes[shape].mean;
	snprintf(l->name, sizeof l->name, "%s-%s-%d-%s-%s", modes[mode], shapes[shape].name, pcpus,
		levels[level].name, extras[extra]);
	l->pcpus = (size_t)pcpus;
	add(l->text, &at, "host\n pcpus %d\n%s", pcpus, hosts[host].topology);
	if (extra == ISOLATED)
		add(l->text, &at, " isolated %d-%d\n", upper, pcpus - 1);
	if (extra == LESSER)
		add(l->text, &at, " capacity 60%% %d-%d\n", upper, pcpus - 1);
	if (extra == DEDICATED)
		add(l->text, &at,
			"vm own\n vcpus 2\n load 80%% noise 10%%\n cpuset 0-1\n pin each 0-1\n flags "
			"dedicated\n");
	if (extra == ISOLATED)
		add(l->text, &at, "vm rt\n vcpus 2\n load 60%% noise 10%%\n cpuset %d-%d\n pin each %d-%d\n",
			upper, pcpus - 1, upper, pcpus - 1);
	for (int g = 0; g < 3; g++)
		add_group(l, &at, g, shape, vcpus, mode == 1 || (mode == 2 && g == 1), extra);
}

/* Three groups of guests of 1, 2 and 4 vCPUs; where the load has a rhythm each group has its own phase. */
static void make(size_t i, struct load *l)
{
	size_t level = i % N_LEVELS, mode = i / N_LEVELS % N_MODES, host = i / N_LEVELS / N_MODES;
	size_t shape = (i * 5 + host) % N_SHAPES, at = 0;
	double vcpus = levels[level].part * hosts[host].pcpus / shapes[shape].mean;
	snprintf(l->name, sizeof l->name, "%s-%s-%d-%s", modes[mode], shapes[shape].name, hosts[host].pcpus,
		levels[level].name);
	l->pcpus = (size_t)hosts[host].pcpus;
	add(l->text, &at, "host\n pcpus %d\n%s", hosts[host].pcpus, hosts[host].topology);
	if (i % 4 == 3)
		add(l->text, &at, " background 0-%d square 40%% 2%% every 70s\n", hosts[host].pcpus / 4);
	for (int g = 0; g < 3; g++)
		add_group(l, &at, g, shape, vcpus, mode == 1 || (mode == 2 && g == 1), NO_EXTRA);
}

/* {found|best}: one of them. */
static void expand(char *to, const char *text, bool best)
{
	size_t at = 0;
	for (const char *c = text; *c; c++) {
		const char *bar = *c == '{' ? strchr(c, '|') : NULL, *end = bar ? strchr(bar, '}') : NULL;
		if (!end) {
			add(to, &at, "%c", *c);
			continue;
		}
		const char *from = best ? bar + 1 : c + 1;
		add(to, &at, "%.*s", (int)((best ? end : bar) - from), from);
		c = end;
	}
}

size_t load_count(void)
{
	return N_WRITTEN + N_SHIPPED + N_MADE + N_EXTRA;
}

void load_get(size_t i, struct load *l)
{
	*l = (struct load){.pcpus = 4};
	if (i < N_WRITTEN) {
		snprintf(l->name, sizeof l->name, "%s", written[i].name);
		l->curable = written[i].curable;
		l->pcpus = written[i].pcpus;
		expand(l->text, written[i].text, false);
		if (l->curable)
			expand(l->best, written[i].text, true);
	} else if (i < N_WRITTEN + N_SHIPPED) {
		l->shipped = shipped[i - N_WRITTEN];
		snprintf(l->name, sizeof l->name, "sim:%s", l->shipped);
	} else if (i < N_WRITTEN + N_SHIPPED + N_MADE) {
		make(i - N_WRITTEN - N_SHIPPED, l);
	} else {
		make_extra(i - N_WRITTEN - N_SHIPPED - N_MADE, l);
	}
}
