/* SPDX-License-Identifier: MIT */
/* Each reason of the table can come: it is met on a simulated host, by the engine as a whole, in a verdict,
 * in what is said of a VM or a vCPU, or with a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/changes/journal.h"
#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"
#include "vmtop/settings.h"

static int seen[REASON_COUNT];

static void see(enum reason r)
{
	assert_true((unsigned)r < REASON_COUNT);
	seen[r]++;
}

static void look(const struct engine *en)
{
	struct snapshot *s = engine_snapshot(en);
	see(s->cpu.why.code);
	see(s->memory.why.code);
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		see(s->vm_status[i].cpu);
		see(s->vm_status[i].mem.why.code);
	}
	for (size_t i = 0; i < s->sample.n_vcpus; i++)
		see(s->vcpu_status[i].cpu);
	for (size_t i = 0; i < s->n_actions; i++)
		see(s->actions[i].why.code);
	snapshot_free(s);
}

/* What a sample can hold and no scenario says. */
static void no_affinities(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vcpus; i++)
		s->vcpus[i].affinity_avail = AVAIL_DENIED;
}

static void no_rules(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vms; i++)
		s->vms[i].flags |= VM_FLAG_NO_RULES;
}

static void old_statistics(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vms; i++)
		s->vms[i].mem.last_update_ns = vi64_ok(s->wall_ns - s->time_ns - INT64_C(1000000000));
}

static void another_client_works(void *arg, struct sample *s)
{
	old_statistics(arg, s);
	for (size_t i = 0; i < s->n_vms; i++)
		s->vms[i].flags |= VM_FLAG_BUSY;
}

static void small_group(void *arg, struct sample *s)
{
	(void)arg;
	for (size_t i = 0; i < s->n_vms; i++) {
		s->vms[i].mem.limit_group = 1;
		s->vms[i].mem.group_limit_kib = vi64_ok(900 << 10);
	}
}

enum { KEYS = 3 };

/* A key for the first VM, so many seconds after the start. */
struct key {
	double at_s;
	struct command c;
};

struct host {
	const char *scenario, *set; /* "key=value key=value", or NULL */
	double seconds;
	struct key keys[KEYS];
	void (*sampled)(void *arg, struct sample *s);
};

#define CROWD    "host\n pcpus 4\nvm a x4\n load 60%\n pin 0\n"
#define GUEST(x) "host\n pcpus 4\n memory 16G\nvm a\n memory 1G max 2G\n base 300M\n stats 2\n" x

static const struct host hosts[] = {
	{.scenario = "demo", .seconds = 300},
	{.scenario = "demo", .set = "granularity=cpu", .seconds = 300},
	{.scenario = "demo", .set = "cpu_policy=origin-a", .seconds = 60},
	{.scenario = "demo", .set = "cpu_policy=origin-b", .seconds = 60},
	{.scenario = "demo", .set = "cpu_policy=origin-c memory_policy=origin-c", .seconds = 60},
	{.scenario = "churn", .seconds = 300},
	{.scenario = "overload", .seconds = 300},
	{.scenario = "indivisible", .set = "granularity=cpu", .seconds = 60},
	{.scenario = "mem1", .set = "reclaim=proactive", .seconds = 400},
	{.scenario = "mem2", .set = "reclaim=proactive", .seconds = 400},
	{.scenario = "mem3", .set = "reclaim=proactive", .seconds = 400},
	{.scenario = "mem4", .set = "reclaim=proactive", .seconds = 400},
	{.scenario = "mem5", .seconds = 400},
	{.scenario = "cpuset3", .set = "granularity=cpu", .seconds = 100},
	{.scenario = "nodes", .seconds = 100},
	{.scenario = CROWD,
		.set = "auto=none",
		.seconds = 10,
		.keys = {{5, {.kind = CMD_PIN, .vcpu = 0, .text = "2"}}, {7, {.kind = CMD_UNDO}}}},
	{.scenario = CROWD, .seconds = 60, .keys = {{50, {.kind = CMD_RESTORE}}}},
	{.scenario = CROWD, .seconds = 10, .keys = {{1, {.kind = CMD_HOLD, .on = true}}}},
	{.scenario = CROWD, .seconds = 10, .keys = {{1, {.kind = CMD_EXCLUDE, .on = true}}}},
	{.scenario = "host\n pcpus 4\n balancer off\nvm a x4\n load 100%\n pin 0\n", .seconds = 200},
	{.scenario = "host\n pcpus 4\nvm a\n load 50%\n", .seconds = 10},
	{.scenario = "host\n pcpus 4\nvm a\n start never\n", .seconds = 10},
	{.scenario = "host\n pcpus 2\nvm a x4\n load 20%\n cpuset 0\n",
		.set = "granularity=cpu",
		.seconds = 10},
	{.scenario = CROWD " flags no-steer\n", .seconds = 10},
	{.scenario = "host\n pcpus 4\nvm a\n load 50%\n cpuset 1\n flags dedicated\n", .seconds = 10},
	{.scenario = CROWD "fail pin 1\n", .seconds = 30},
	{.scenario = CROWD, .seconds = 10, .sampled = no_affinities},
	{.scenario = CROWD, .seconds = 10, .sampled = no_rules},
	{.scenario = GUEST(" flags sev\n"), .seconds = 10},
	{.scenario = GUEST(" flags locked\n"), .seconds = 10},
	{.scenario = GUEST(" flags hugepages\n"), .seconds = 10},
	{.scenario = GUEST(""), .seconds = 60, .sampled = old_statistics},
	{.scenario = GUEST(""), .seconds = 60, .sampled = another_client_works},
	{.scenario = GUEST(" eat 20M/s to 1800M keep\n"), .seconds = 120, .sampled = small_group},
	{.scenario = GUEST("at 100s balloon a 1500M\n"),
		.set = "reclaim=proactive mem_boot=0",
		.seconds = 120},
	{.scenario = "host\n pcpus 4\n memory 16G\nvm a\n memory 1G max 2G\n base 300M\n",
		.seconds = 30,
		.keys = {{20, {.kind = CMD_AUTO_MEMORY}}}},
	{.scenario = "host\n pcpus 8\n nodes 2\n memory 16G\n used 1G\nvm a x4\n memory 1G max 4G\n base 600M\n"
		     " node 0 strict\n stats 2\n eat 20M/s to 3G keep\n",
		.set = "mem_boot=0",
		.seconds = 300},
	{.scenario = "host\n pcpus 4\n memory 24G\nvm a\n memory 3G\n base 300M\n swap 2G\n stats 2\n"
		     " eat 500M/s to 2800M hold 20s every 5min\n",
		.set = "reclaim=proactive mem_boot=0",
		.seconds = 1500},
	{.scenario = "host\n pcpus 8\n cpu-shares\nvm big\n vcpus 8\n load 100%\nvm small x8\n load 100%\n"
		     "at 200s load small-* 5%\nat 200s load big 50%\n",
		.set = "shares=yes",
		.seconds = 500},
	{.scenario = "host\n memory 8G\n used 1G\nvm gold x2\n memory 512M max 4G\n base 300M\n swap 2G\n"
		     " stats 2\n eat 20M/s to 2500M after 5min keep\nvm lead x4\n memory 512M max 4G\n"
		     " base 300M\n swap 2G\n stats 2\n eat 20M/s to 2500M keep\n",
		.seconds = 900},
};

/* The VM that has four shares where the others have one is called gold. */
static void configure(struct config *cfg, const char *words_of)
{
	struct err e = ERR_INIT;
	char words[200], *rest = words;
	run_config(cfg, true, true, 1);
	cfg->granularity = GRAN_AUTO;
	snprintf(words, sizeof words, "%s", words_of ? words_of : "");
	for (char *w; (w = strtok_r(rest, " ", &rest)) != NULL;) {
		char *value = strchr(w, '=');
		*value++ = '\0';
		if (setting_apply(cfg, setting_by_key(w), value, &e) < 0)
			fail_msg("%s", e.msg);
	}
	struct vm_setting *v = &cfg->vm[cfg->n_vm++];
	snprintf(v->pattern, sizeof v->pattern, "gold*");
	assert_int_equal(vm_setting_apply(v, vm_setting_by_key("mem_shares"), "4", &e), 0);
}

static void press(struct engine *en, const struct command *key)
{
	struct command c = *key;
	struct snapshot *s = engine_snapshot(en);
	struct err e = ERR_INIT;
	memcpy(c.uuid, s->sample.vms[0].uuid, UUID_BYTES);
	snapshot_free(s);
	if (c.kind == CMD_PIN)
		assert_int_equal(cpuset_parse(&c.cpus, c.text, &e), 0);
	engine_command(en, &c);
}

static void run_host(const struct host *h)
{
	struct spy host;
	struct config cfg;
	char path[JOURNAL_PATH], uri[40] = "sim:test";
	struct err e = ERR_INIT;
	configure(&cfg, h->set);
	if (!strchr(h->scenario, '\n'))
		snprintf(uri, sizeof uri, "sim:%s", h->scenario);
	assert_int_equal(journal_path(path, sizeof path, uri), 0);
	spy_open(&host, h->scenario);
	host.sampled = h->sampled;
	struct engine *en = spy_engine(&host, &cfg);
	size_t key = 0;
	while (spy_now_s(&host) < h->seconds) {
		engine_step(en, &e); /* fails while the connection is cut */
		look(en);
		if (key < KEYS && h->keys[key].c.kind && spy_now_s(&host) >= h->keys[key].at_s)
			press(en, &h->keys[key++].c);
		else if (!engine_wait(en, -1))
			break;
	}
	engine_leave(en, true);
	engine_free(en);
	unlink(path); /* of VMs that are away */
	spy_free(&host);
}

static void each_reason_can_come(void **state)
{
	(void)state;
	char never[1000] = "";
	size_t n = 0;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
		run_host(&hosts[i]);
	for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
		if (!seen[r] && n < sizeof never - 60)
			n += (size_t)snprintf(never + n, sizeof never - n, " %s", reason_key((enum reason)r));
	if (n)
		fail_msg("never met:%s", never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_reason_can_come)};
	return cmocka_run_group_tests(tests, state_home_make, state_home_remove);
}
