/* SPDX-License-Identifier: MIT */
/* The memory cases, run whole: engine, policy and simulated guests in virtual time, with the settings of the
 * course (packaging/examples/course.conf, read as a user would) and with the defaults. Every number that is
 * promised is asserted. What origin-c does not reach has a row of its own that says so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/err.h"
#include "vmtop/options.h"

enum { MIB = 1024, GUESTS = 4 };

/* One guest over time, as the screen shows it. */
struct guest {
	char name[64];
	double used_peak;
	double end_s;     /* it has freed what it ate; < 0 not yet */
	double at_end;    /* MiB it had then */
	double fell_s;    /* at 450 MiB or less, after its end; < 0 not yet */
	double over;      /* MiB above its high watermark ten minutes after its end; < 0 not yet */
	bool rose;        /* it grew after its end */
	double last, now; /* MiB */
};
struct watch {
	int64_t start_ns;
	struct guest g[GUESTS];
};

static void look_guest(struct guest *g, const struct snapshot *s, size_t i, double t_s)
{
	const struct vm_sample *vm = &s->sample.vms[i];
	const struct mem_status *st = &s->vm_status[i].mem;
	struct vi64 used = s->vm_rates[i].used_kib;
	g->last = g->now;
	g->now = (double)vm->mem.balloon_kib.v / MIB;
	if (!vi64_has(used))
		return;
	double use = (double)used.v / MIB;
	g->used_peak = use > g->used_peak ? use : g->used_peak;
	if (g->end_s < 0 && g->used_peak > 400 && use < g->used_peak / 2 + 50) {
		g->end_s = t_s;
		g->at_end = g->now;
		return;
	}
	if (g->end_s < 0)
		return;
	g->rose |= g->now > g->last + 1;
	if (g->fell_s < 0 && g->now <= 450)
		g->fell_s = t_s - g->end_s;
	if (g->over < 0 && vi64_has(st->hi_kib) && t_s - g->end_s >= 600)
		g->over = fmax(0, g->now - (double)st->hi_kib.v / MIB);
}

static void look(void *arg, const struct snapshot *s)
{
	struct watch *w = arg;
	if (!w->start_ns)
		w->start_ns = s->sample.time_ns;
	double t_s = (double)(s->sample.time_ns - w->start_ns) / 1e9;
	for (size_t i = 0; i < s->sample.n_vms && i < GUESTS; i++) {
		struct guest *g = &w->g[i];
		if (!g->name[0]) {
			snprintf(g->name, sizeof g->name, "%.60s", s->sample.vms[i].name);
			g->end_s = g->fell_s = g->over = -1;
		}
		look_guest(g, s, i, t_s);
	}
}

static const struct guest *guest(const struct watch *w, const char *name)
{
	for (size_t i = 0; i < GUESTS; i++)
		if (strcmp(w->g[i].name, name) == 0)
			return &w->g[i];
	fail_msg("no VM %s", name);
	return NULL;
}

/* --- settings --- */

static void config_course(struct config *cfg)
{
	struct err e = ERR_INIT;
	run_config(cfg, false, true, 2);
	if (conf_read(cfg, "packaging/examples/course.conf", false, &e) < 0)
		fail_msg("%s", e.msg);
}

static void config_origin(struct config *cfg)
{
	config_course(cfg);
	cfg->mem_policy = MEM_POLICY_ORIGIN_C;
}

static void config_plain(struct config *cfg)
{
	run_config(cfg, false, true, 2);
}

static void config_proactive(struct config *cfg)
{
	config_plain(cfg);
	cfg->reclaim = RECLAIM_PROACTIVE;
}

static void course_is_what_the_file_says(void **state)
{
	(void)state;
	struct config cfg;
	config_course(&cfg);
	assert_int_equal(cfg.mem_policy, MEM_POLICY_WATERMARK);
	assert_float_equal(cfg.memory_cycle_s, 2, 0);
	assert_float_equal(cfg.mem_decay_s, 13, 0);
	assert_float_equal(cfg.mem_hold_s, 20, 0);
	assert_int_equal(cfg.host_reserve_kib, 200 * MIB);
	config_plain(&cfg);
	assert_int_equal(cfg.mem_policy, MEM_POLICY_WATERMARK);
	assert_float_equal(mem_cycle_s(&cfg), 5, 0);
}

/* --- the cases --- */

struct mem_case {
	const char *scenario;
	const char *eaters[5], *shorts[3], *idle[4];
	int changes_least, changes_most; /* with the course settings */
};

static const struct mem_case cases[] = {
	{"mem1", {"eater"}, {NULL}, {"idle-1", "idle-2", "idle-3"}, 30, 80},
	{"mem2", {"eater-1", "eater-2", "eater-3", "eater-4"}, {NULL}, {NULL}, 100, 230},
	{"mem3", {"long-1", "long-2"}, {"short-1", "short-2"}, {NULL}, 70, 160},
	{"mem4", {"long"}, {"short"}, {"idle-1", "idle-2"}, 40, 100},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* What every run owes: no kill, no call that fails, the reserve, gentle steps, nobody squeezed dry. */
static void check_guards(const struct run *r, const char *what)
{
	const struct snapshot *s = r->last;
	if (r->report.oom_kills)
		fail_msg("%s: %ld out-of-memory kills", what, r->report.oom_kills);
	assert_true(vi64_has(s->memory.reserve_kib));
	if (r->report.min_available_kib < s->memory.reserve_kib.v)
		fail_msg("%s: the host had %ld MiB available, its reserve is %ld", what,
			(long)r->report.min_available_kib / MIB, (long)s->memory.reserve_kib.v / MIB);
	assert_int_equal(r->failed, 0);
	for (size_t i = 0; i < r->n_vms; i++) {
		const struct run_vm *v = &r->vms[i];
		if (v->biggest_cut_pct > 25)
			fail_msg("%s: %s was cut by %.1f %% at once", what, v->name, v->biggest_cut_pct);
		if (v->least_usable_at_cut_kib < 100 * MIB)
			fail_msg("%s: %s was to have %ld KiB usable", what, v->name,
				(long)v->least_usable_at_cut_kib);
	}
}

static void check_peak(const struct run *r, const char *what, const char *name, double least, double most)
{
	const struct run_vm *v = run_vm(r, name);
	if (v->peak < least || v->peak > most)
		fail_msg("%s: %s peaked at %.0f MiB", what, name, v->peak);
}

/* 450 MiB or less within 45 cycles of 2 s, without a step up; then it stays there. */
static void check_end_course(const struct run *r, const struct watch *w, const char *what, const char *name)
{
	const struct guest *g = guest(w, name);
	if (g->end_s < 0 || g->fell_s < 0 || g->fell_s > 90)
		fail_msg("%s: %s freed all at %.0f s and fell below 450 MiB %.0f s later", what, name,
			g->end_s, g->fell_s);
	if (g->rose)
		fail_msg("%s: %s was given memory after its end", what, name);
	assert_in_range((int)run_vm(r, name)->end, 350, 450);
}

/* One step of the high watermark within ten minutes, without a step up. */
static void check_end_plain(const struct run *r, const struct watch *w, const char *what, const char *name)
{
	const struct guest *g = guest(w, name);
	if (g->end_s < 0 || g->over < 0 || g->over > g->now / 10)
		fail_msg("%s: %s freed all at %.0f s and was %.0f MiB above its high watermark later", what,
			name, g->end_s, g->over);
	if (g->rose)
		fail_msg("%s: %s was given memory after its end", what, name);
	assert_in_range((int)run_vm(r, name)->end, 350, 450);
}

static int ups_by_others; /* steps up that an idle guest owes to somebody else */

static void check_idle(const struct run *r, const char *what, const char *name)
{
	const struct run_vm *v = run_vm(r, name);
	if (v->ups > ups_by_others || v->peak > 512 || v->end < 512 - 128)
		fail_msg("%s: idle %s: %d up, peak %.0f MiB, end %.0f MiB", what, name, v->ups, v->peak,
			v->end);
}

typedef void check_end(const struct run *r, const struct watch *w, const char *what, const char *name);

static void run_case(struct run *r, struct watch *w, const struct mem_case *c, const char *scenario,
	const struct config *cfg, check_end *ended)
{
	memset(w, 0, sizeof *w);
	run_scenario(r, &(struct run_options){
				.scenario = scenario, .cfg = cfg, .seconds = 1000, .look = look, .arg = w});
	const char *what = c->scenario;
	check_guards(r, what);
	for (size_t i = 0; c->eaters[i]; i++) {
		check_peak(r, what, c->eaters[i], 1948, 2048);
		ended(r, w, what, c->eaters[i]);
	}
	for (size_t i = 0; c->shorts[i]; i++) {
		check_peak(r, what, c->shorts[i], 560, mem_cycle_s(cfg) > 2 ? 860 : 760);
		ended(r, w, what, c->shorts[i]);
	}
	for (size_t i = 0; c->idle[i]; i++)
		check_idle(r, what, c->idle[i]);
}

static void run_course(const struct config *cfg)
{
	for (size_t i = 0; i < N_CASES; i++) {
		struct run r;
		struct watch w;
		run_case(&r, &w, &cases[i], cases[i].scenario, cfg, check_end_course);
		if (r.balloons < cases[i].changes_least || r.balloons > cases[i].changes_most)
			fail_msg("%s: %d changes, expected %d to %d", cases[i].scenario, r.balloons,
				cases[i].changes_least, cases[i].changes_most);
		if (r.last_balloon_s > 300)
			fail_msg("%s: a change at %.0f s", cases[i].scenario, r.last_balloon_s);
		run_done(&r);
	}
}

static void four_cases_with_the_course_settings(void **state)
{
	(void)state;
	struct config cfg;
	config_course(&cfg);
	run_course(&cfg);
}

static void four_cases_with_origin_c(void **state)
{
	(void)state;
	struct config cfg;
	config_origin(&cfg);
	run_course(&cfg);
}

static void four_cases_proactive(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		struct config cfg;
		struct run r;
		struct watch w;
		config_proactive(&cfg);
		run_case(&r, &w, &cases[i], cases[i].scenario, &cfg, check_end_plain);
		assert_true(r.last_balloon_s < 800);
		run_done(&r);
	}
}

/* The course's own harness sets every balloon at its fifth reading, after vmtop has started. */
static char *through_the_harness(const struct mem_case *c)
{
	static char text[4096];
	const char *const *lists[] = {c->eaters, c->shorts, c->idle};
	size_t len = 0, n = 0;
	for (size_t i = 0; scenario_name(i); i++)
		if (strcmp(scenario_name(i), c->scenario) == 0)
			n = (size_t)snprintf(text, sizeof text, "%s\n", scenario_text(i, &len));
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; lists[k][i]; i++)
			n += (size_t)snprintf(
				text + n, sizeof text - n, "at 10s balloon %s 512M\n", lists[k][i]);
	assert_true(n < sizeof text);
	return text;
}

static void four_cases_through_the_harness(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		struct config cfg;
		struct run r;
		struct watch w;
		config_course(&cfg);
		ups_by_others = 1;
		run_case(&r, &w, &cases[i], through_the_harness(&cases[i]), &cfg, check_end_course);
		ups_by_others = 0;
		run_done(&r);
	}
}

/* As it comes, without a setting: the preset brings its own cycle, and the consumers live. */
static void four_cases_with_origin_c_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		struct config cfg;
		struct run r;
		config_plain(&cfg);
		cfg.mem_policy = MEM_POLICY_ORIGIN_C;
		run_scenario(&r,
			&(struct run_options){.scenario = cases[i].scenario, .cfg = &cfg, .seconds = 400});
		assert_int_equal(r.report.oom_kills, 0);
		for (size_t k = 0; cases[i].eaters[k]; k++)
			check_peak(&r, cases[i].scenario, cases[i].eaters[k], 1948, 2048);
		run_done(&r);
	}
}

/* Without the coordinator the consumers die: the cases can fail. */
static void four_cases_by_hand_kill(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	config_course(&cfg);
	cfg.auto_memory = false;
	run_scenario(&r, &(struct run_options){.scenario = "mem2", .cfg = &cfg, .seconds = 200});
	assert_int_equal(r.report.oom_kills, 4);
	assert_int_equal(r.balloons, 0);
	run_done(&r);
}

/* --- variants of a shipped scenario --- */

static char *shipped_with(const char *name, const char *from, const char *to)
{
	size_t len = 0;
	for (size_t i = 0; scenario_name(i); i++) {
		if (strcmp(scenario_name(i), name) != 0)
			continue;
		char *text = strndup(scenario_text(i, &len), 4096), *at = strstr(text, from);
		assert_non_null(at);
		assert_int_equal(strlen(from), strlen(to));
		memcpy(at, to, strlen(to));
		return text;
	}
	fail_msg("no scenario %s", name);
	return NULL;
}

/* Case 3 on a host so small that, above 200 MiB, the two long ones cannot reach their maximum unless the two
 * short ones give back what they had at their peak. */
static void check_tight_host(enum mem_policy_id policy)
{
	struct config cfg;
	struct run r;
	struct watch w;
	char *tight = shipped_with("mem3", "6400M", "5888M");
	config_course(&cfg);
	cfg.mem_policy = policy;
	run_case(&r, &w, &cases[2], tight, &cfg, check_end_course);
	double both = run_vm(&r, "short-1")->peak + run_vm(&r, "short-2")->peak;
	assert_true(2 * 1948 + both + 4 * 32 + 512 + 200 > 5888 - 100); /* it really was tight */
	run_done(&r);
	free(tight);
}

static void memory_moves_on_a_tight_host(void **state)
{
	(void)state;
	check_tight_host(MEM_POLICY_WATERMARK);
	check_tight_host(MEM_POLICY_ORIGIN_C);
}

/* --- the fifth: four hungry guests, 1 GiB above the reserve --- */

static double hungry_spread(struct run *r, const char *scenario, const struct config *cfg)
{
	double least = 1e9, most = 0;
	run_scenario(r, &(struct run_options){.scenario = scenario, .cfg = cfg, .seconds = 600});
	for (size_t i = 0; i < r->n_vms; i++) {
		least = r->vms[i].end < least ? r->vms[i].end : least;
		most = r->vms[i].end > most ? r->vms[i].end : most;
	}
	return most - least;
}

static void hungry_guests_end_alike(const char *scenario, const struct config *cfg, int64_t reserve_mib)
{
	struct run r;
	double spread = hungry_spread(&r, scenario, cfg);
	check_guards(&r, "mem5");
	assert_int_equal(r.last->memory.reserve_kib.v, reserve_mib * MIB);
	assert_int_equal(r.ticks[0].available_kib, (reserve_mib + 1024) * MIB);
	if (spread > 64)
		fail_msg("the hungry ones end %.0f MiB apart", spread);
	assert_true(r.report.min_available_kib < (reserve_mib + 100) * MIB); /* and the rest was given */
	run_done(&r);
}

static void four_hungry_share_alike(void **state)
{
	(void)state;
	struct config cfg;
	char *more_used = shipped_with("mem5", "2176M", "2744M");
	config_plain(&cfg);
	hungry_guests_end_alike("mem5", &cfg, 768);
	config_course(&cfg);
	hungry_guests_end_alike(more_used, &cfg, 200);
	free(more_used);
}

/* origin-c serves whoever asks first: it keeps the host's 200 MiB and kills nobody, but its guests end
 * further apart. */
static void four_hungry_with_origin_c(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	config_origin(&cfg);
	double spread = hungry_spread(&r, "mem5", &cfg);
	assert_int_equal(r.report.oom_kills, 0);
	assert_true(spread > 64 && spread < 200);
	assert_true(r.report.min_available_kib >= 200 * MIB);
	run_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(course_is_what_the_file_says),
		cmocka_unit_test(four_cases_with_the_course_settings),
		cmocka_unit_test(four_cases_proactive),
		cmocka_unit_test(four_cases_with_origin_c),
		cmocka_unit_test(four_cases_through_the_harness),
		cmocka_unit_test(four_cases_with_origin_c_alone),
		cmocka_unit_test(four_cases_by_hand_kill),
		cmocka_unit_test(memory_moves_on_a_tight_host),
		cmocka_unit_test(four_hungry_share_alike),
		cmocka_unit_test(four_hungry_with_origin_c),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
