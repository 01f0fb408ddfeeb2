/* SPDX-License-Identifier: MIT */
/* A recording is an experiment that repeats: the same policy on it makes the very same plans, every tick,
 * with the commands that were given; and shown as it was, the screen gets the very same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/backend/record/replay_priv.h"
#include "support/recorded.h"
#include "vmtop/engine.h"
#include "vmtop/record.h"
#include "vmtop/settings.h"

/* What a step showed, kept to compare. */
struct shown {
	struct snapshot *s[1200];
	int n, pins, balloons, periods;
};

static void keep(struct engine *en, struct shown *to)
{
	struct snapshot *s = engine_snapshot(en);
	assert_non_null(s);
	assert_true(to->n < 1200);
	if (to->n && to->s[to->n - 1]->sample.time_ns == s->sample.time_ns) {
		snapshot_free(s); /* the sample failed: no tick */
		return;
	}
	to->s[to->n++] = s;
	for (size_t i = 0; i < s->n_actions; i++) {
		to->pins += s->actions[i].kind == ACTION_PIN;
		to->balloons += s->actions[i].kind == ACTION_BALLOON;
		to->periods += s->actions[i].kind == ACTION_PERIOD;
	}
}

static void forget(struct shown *a)
{
	for (int i = 0; i < a->n; i++)
		snapshot_free(a->s[i]);
	memset(a, 0, sizeof *a);
}

struct plot { /* what is done to a run: commands by step */
	struct shown *to;
	void (*act)(struct engine *en, int i, const struct snapshot *last);
};

static void before_step(struct engine *en, int i, void *arg)
{
	struct plot *p = arg;
	if (i > 0)
		keep(en, p->to);
	if (p->act && i > 0)
		p->act(en, i, p->to->s[p->to->n - 1]);
}

static bool same_v(struct vf64 a, struct vf64 b)
{
	return vf64_has(a) == vf64_has(b) && (!vf64_has(a) || a.v == b.v);
}

static void same_action(const struct action *a, const struct action *b, int tick)
{
	if (a->kind != b->kind || uuid_compare(a->uuid, b->uuid) != 0 || a->vcpu != b->vcpu ||
		!cpuset_equal(&a->to, &b->to) || !cpuset_equal(&a->from, &b->from) ||
		a->to_kib != b->to_kib || a->from_kib != b->from_kib || a->to_s != b->to_s)
		fail_msg("tick %d: another action: %s, %s", tick, a->why.text, b->why.text);
	assert_int_equal(a->why.code, b->why.code);
	assert_string_equal(a->why.text, b->why.text);
	assert_int_equal(a->outcome, b->outcome);
	assert_string_equal(a->error, b->error);
}

/* `last` steps at the end may be left out: a command given after the last tick has no step in a replay. */
static void same_run(const struct shown *a, const struct shown *b)
{
	assert_int_equal(a->n, b->n);
	for (int i = 0; i < a->n; i++) {
		const struct snapshot *x = a->s[i], *y = b->s[i];
		const char *d = recorded_differs(&x->sample, &y->sample);
		if (d)
			fail_msg("tick %d: %s", i, d);
		if (x->n_actions != y->n_actions)
			fail_msg("tick %d: %zu actions, then %zu (%s / %s)", i, x->n_actions, y->n_actions,
				x->cpu.why.text, y->cpu.why.text);
		for (size_t k = 0; k < x->n_actions; k++)
			same_action(&x->actions[k], &y->actions[k], i);
		assert_string_equal(x->cpu.why.text, y->cpu.why.text);
		assert_string_equal(x->memory.why.text, y->memory.why.text);
		assert_int_equal(x->memory.state, y->memory.state);
		assert_true(same_v(x->cpu.stddev_pct, y->cpu.stddev_pct));
		assert_true(same_v(x->cpu.found_pct, y->cpu.found_pct));
		assert_true(same_v(x->cpu.bound_pct, y->cpu.bound_pct));
		assert_int_equal(x->auto_cpu, y->auto_cpu);
		assert_int_equal(x->auto_memory, y->auto_memory);
		for (size_t k = 0; k < x->sample.n_vcpus; k++)
			if (!same_v(x->vcpu_rates[k].demand_pct, y->vcpu_rates[k].demand_pct))
				fail_msg("tick %d: demand of vCPU %zu: %.17g, %.17g", i, k,
					x->vcpu_rates[k].demand_pct.v, y->vcpu_rates[k].demand_pct.v);
	}
}

/* Plays a recording from its start to its end, as the program does with --replay. */
static void play(const char *path, bool replan, struct shown *to)
{
	struct config cfg;
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	assert_int_equal(recording_config(path, &cfg, &e), 0);
	cfg.batch = true;
	cfg.replan = replan;
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	struct backend *b = backend_replay_open(&cfg, &e);
	struct engine *en = b ? engine_new(&cfg, b, &e) : NULL;
	if (!en)
		fail_msg("%s", e.msg);
	do {
		if (engine_step(en, &e) < 0)
			fail_msg("%s", e.msg);
		keep(en, to);
	} while (engine_wait(en, -1));
	engine_free(en);
}

/* The log grows line by line at the same ticks. */
static void same_log(const struct shown *a, const struct shown *b)
{
	for (int i = 0; i < a->n; i++) {
		const struct snapshot *x = a->s[i], *y = b->s[i];
		if (x->n_log != y->n_log)
			fail_msg("tick %d: %zu lines, then %zu", i, x->n_log, y->n_log);
		for (size_t k = x->n_log > 8 ? x->n_log - 8 : 0; k < x->n_log; k++) {
			assert_string_equal(x->log[k].text, y->log[k].text);
			assert_true(
				x->log[k].wall_ns == y->log[k].wall_ns && x->log[k].kind == y->log[k].kind);
		}
	}
}

static struct shown live, shown, planned;

static void twice(const struct config *base, const char *scenario, int steps,
	void (*act)(struct engine *en, int i, const struct snapshot *last))
{
	struct config cfg = *base;
	char path[256];
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "run.rec"));
	unlink(path);
	struct plot p = {&live, act};
	forget(&live);
	recorded_run(&cfg, scenario, steps + 1, before_step, &p);
	forget(&shown);
	forget(&planned);
	play(path, false, &shown);
	play(path, true, &planned);
	/* The last step of the run was recorded after it had been looked at last. */
	assert_int_equal(shown.n, live.n + 1);
	snapshot_free(shown.s[--shown.n]);
	assert_int_equal(planned.n, live.n + 1);
	snapshot_free(planned.s[--planned.n]);
	same_run(&live, &shown);
	same_log(&live, &shown);
	same_run(&live, &planned);
}

static void finish(void)
{
	forget(&live);
	forget(&shown);
	forget(&planned);
}

static void base(struct config *cfg, bool cpu, bool memory, double delay_s)
{
	config_defaults(cfg);
	cfg->auto_cpu = cpu;
	cfg->auto_memory = memory;
	cfg->delay_s = delay_s;
	cfg->batch = true;
}

static void test_cpu_policies(void **state)
{
	(void)state;
	static const char *const scenarios[] = {"cpu1", "cpu7", "hidden", "square"};
	int pins = 0;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		for (int p = CPU_POLICY_MINMOVE; p <= CPU_POLICY_ORIGIN_C; p++) {
			struct config cfg;
			base(&cfg, true, false, 1);
			cfg.cpu_policy = (enum cpu_policy_id)p;
			twice(&cfg, scenarios[i], 40, NULL);
			pins += live.pins;
			finish();
		}
	assert_in_range(pins, 50, 500);
}

static void test_memory_policies(void **state)
{
	(void)state;
	static const char *const scenarios[] = {"mem1", "mem3", "mem4"};
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		for (int p = MEM_POLICY_WATERMARK; p <= MEM_POLICY_ORIGIN_C; p++) {
			struct config cfg;
			base(&cfg, false, true, 2);
			cfg.mem_policy = (enum mem_policy_id)p;
			cfg.mem_decay_s = 13;
			cfg.mem_hold_s = 20;
			twice(&cfg, scenarios[i], 150, NULL);
			assert_true(live.balloons > 3);
			finish();
		}
}

static void test_both_at_once(void **state)
{
	(void)state;
	struct config cfg;
	base(&cfg, true, true, 1);
	twice(&cfg, "demo", 300, NULL);
	assert_true(live.pins > 5 && live.balloons > 20 && live.periods > 0);
	finish();
	base(&cfg, true, true, 2);
	twice(&cfg, "churn", 300, NULL);
	assert_true(live.pins > 0);
	finish();
}

/* Keys: AUTO on in the middle, a hold, a pin and a balloon by hand, an undo, a forced round, another policy.
 */
static void meddle(struct engine *en, int i, const struct snapshot *last)
{
	const struct vm_sample *vm = &last->sample.vms[(size_t)i % last->sample.n_vms];
	struct command c = {.number = 1};
	memcpy(c.uuid, vm->uuid, UUID_BYTES);
	switch (i) {
	case 10:
		c.kind = CMD_AUTO_CPU;
		c.on = true;
		break;
	case 15:
		c.kind = CMD_AUTO_MEMORY;
		c.on = true;
		break;
	case 25:
		c.kind = CMD_HOLD;
		c.on = true;
		break;
	case 40:
		c.kind = CMD_PIN;
		cpuset_add(&c.cpus, 3);
		c.vcpu = 0;
		break;
	case 60:
		c.kind = CMD_UNDO;
		break;
	case 70:
		c.kind = CMD_BALLOON;
		c.number = 2 << 20;
		break;
	case 80:
		c.kind = CMD_CPU_POLICY;
		c.number = CPU_POLICY_ORIGIN_C;
		break;
	case 90:
		c.kind = CMD_REBALANCE;
		break;
	case 100:
		c.kind = CMD_INTERVAL;
		c.number = 2;
		break;
	case 110:
		c.kind = CMD_MARK;
		snprintf(c.text, sizeof c.text, "half way, \"so far\"");
		break;
	default:
		return;
	}
	engine_command(en, &c);
}

static void test_commands_are_repeated(void **state)
{
	(void)state;
	struct config cfg;
	char path[256];
	base(&cfg, false, false, 1);
	twice(&cfg, "demo", 160, meddle);
	assert_true(live.pins > 5 && live.balloons > 3);
	recorded_path(path, "run.rec");
	assert_int_equal(recorded_int(path, "SELECT count(*) FROM command"), 9);
	assert_int_equal(recorded_int(path, "SELECT count(*) FROM marks WHERE text LIKE '%so far%'"), 1);
	finish();
}

/* SIGHUP in the middle: AUTO comes on, limits, policies and [vm] sections become other; later all but one
 * section goes again. */
static void reread(struct engine *en, int i, const struct snapshot *last)
{
	struct config *cfg = malloc(sizeof *cfg);
	assert_non_null(cfg);
	base(cfg, true, true, i == 40 ? 1 : 2);
	for (int k = 0; k < (i == 40 ? 3 : 1); k++) {
		snprintf(cfg->vm[k].pattern, sizeof cfg->vm[k].pattern, "%.200s", last->sample.vms[k].name);
		cfg->vm[k].exclude_cpu = true;
		cfg->vm[k].mem_shares = 3;
		cfg->n_vm++;
	}
	if (i == 40) {
		cfg->act_above_pct = 1.5;
		cfg->stop_at_pct = 0.5;
		cfg->mem_hold_s = 7;
		cfg->mem_step_pct = 20;
		assert_int_equal(setting_add_pattern(cfg, "*", 1, NULL), 0);
	} else {
		cfg->cpu_policy = CPU_POLICY_ORIGIN_A;
		cfg->granularity = GRAN_CPU;
	}
	if (i == 40 || i == 120)
		engine_configure(en, cfg);
	free(cfg);
}

static void test_settings_read_again_are_repeated(void **state)
{
	(void)state;
	struct config cfg;
	char path[256];
	base(&cfg, false, false, 1);
	twice(&cfg, "demo", 200, reread);
	assert_true(live.pins > 5 && live.balloons > 3);
	recorded_path(path, "run.rec");
	assert_int_equal(recorded_int(path, "SELECT count(*) FROM command WHERE kind = 'settings'"), 2);
	assert_int_equal(recorded_int(path, "SELECT count(*) FROM setting WHERE key = 'auto'"), 1);
	assert_int_equal(recorded_int(path, "SELECT sum(value) FROM setting WHERE key = 'mem_hold'"), 67);
	assert_int_equal(recorded_int(path, "SELECT count(*) FROM setting WHERE pattern <> ''"), 8);
	finish();
}

static void test_dry_run_is_recorded(void **state)
{
	(void)state;
	struct config cfg;
	char path[256];
	base(&cfg, true, false, 1);
	cfg.dry_run = true;
	twice(&cfg, "cpu1", 20, NULL);
	assert_true(live.pins > 0);
	assert_int_equal(recorded_int(recorded_path(path, "run.rec"),
				 "SELECT count(*) > 0 AND count(*) = sum(outcome = 'planned') FROM action"),
		1);
	finish();
}

/* After a jump the numbers are those that were recorded there; steps go one tick, back as well. */
static void test_jumps(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256];
	base(&cfg, true, true, 1);
	twice(&cfg, "demo", 300, NULL);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", recorded_path(path, "run.rec"));
	cfg.batch = true;
	struct engine *en = engine_new(&cfg, backend_replay_open(&cfg, &e), &e);
	static const struct {
		const char *what;
		double number;
		int tick; /* where it leads */
	} jumps[] = {{"at", 200, 200}, {"go", -180, 20}, {"step", 1, 21}, {"step", -1, 20}, {"at", 0, 0},
		{"go", 290.4, 290}, {"go", -1e9, 0}, {"at", 137, 137}};
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct command c = {.kind = CMD_REPLAY, .number = jumps[i].number};
		snprintf(c.text, sizeof c.text, "%s", jumps[i].what);
		engine_command(en, &c);
		if (jumps[i].number == 1)
			assert_true(engine_wait(en, -1)); /* the next tick is played */
		assert_int_equal(engine_step(en, &e), 0);
		struct snapshot *s = engine_snapshot(en);
		const struct snapshot *was = live.s[jumps[i].tick];
		const char *d = recorded_differs(&was->sample, &s->sample);
		if (d)
			fail_msg("jump %zu: %s", i, d);
		assert_string_equal(was->cpu.why.text, s->cpu.why.text);
		assert_int_equal(was->n_actions, s->n_actions);
		for (size_t k = 0; jumps[i].tick > 0 && k < s->sample.n_vcpus; k++)
			if (vf64_has(was->vcpu_rates[k].usage_pct))
				assert_true(same_v(was->vcpu_rates[k].usage_pct, s->vcpu_rates[k].usage_pct));
		assert_true(s->readonly && s->moment == MOMENT_PLAYED);
		assert_int_equal(was->n_log, s->n_log);
		snapshot_free(s);
	}
	/* Keys that steer do nothing. */
	engine_command(en, &(struct command){.kind = CMD_REBALANCE});
	assert_int_equal(engine_step(en, &e), 0);
	engine_free(en);
	finish();
}

static struct snapshot *at_place(struct engine *en, double seconds)
{
	struct err e = ERR_INIT;
	engine_command(en, &(struct command){.kind = CMD_REPLAY, .text = "at", .number = seconds});
	assert_int_equal(engine_step(en, &e), 0);
	struct snapshot *s = engine_snapshot(en);
	assert_non_null(s);
	s->run_up = engine_run_up(en);
	return s;
}

static int same_before(const struct snapshot *s, int tick)
{
	int n = 0;
	for (const struct snapshot *x = s->run_up; x; x = x->next)
		n++;
	int at = tick - n;
	for (const struct snapshot *x = s->run_up; x; x = x->next, at++) {
		const struct snapshot *was = live.s[at];
		assert_int_equal(x->sample.wall_ns, was->sample.wall_ns);
		assert_int_equal(x->n_log + x->n_actions, 0);
		assert_true(same_v(x->cpu.stddev_pct, was->cpu.stddev_pct));
		for (size_t k = 0; at > tick - n && k < x->sample.n_vcpus; k++)
			if (vf64_has(was->vcpu_rates[k].usage_pct))
				assert_true(same_v(was->vcpu_rates[k].usage_pct, x->vcpu_rates[k].usage_pct));
	}
	return n;
}

/* Graphs are full after a jump: what came before the place comes with it, unless it was just shown. */
static void a_jump_brings_what_came_before(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256];
	base(&cfg, true, true, 1);
	twice(&cfg, "demo", 400, NULL);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", recorded_path(path, "run.rec"));
	struct engine *en = engine_new(&cfg, backend_replay_open(&cfg, &e), &e);
	assert_int_equal(engine_step(en, &e), 0);
	static const struct {
		int to, before;
	} jumps[] = {{150, 150}, {390, 200}, {380, 10}, {300, 10}, {150, 150}, {120, 10}, {0, 0}, {399, 200}};
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct snapshot *s = at_place(en, jumps[i].to);
		if (same_before(s, jumps[i].to) != jumps[i].before)
			fail_msg("to %d: %d samples came before", jumps[i].to, same_before(s, jumps[i].to));
		snapshot_free(s);
	}
	/* nobody takes it: the next jump, and the end, let it go */
	engine_command(en, &(struct command){.kind = CMD_REPLAY, .text = "at", .number = 20});
	assert_int_equal(engine_step(en, &e), 0);
	engine_free(en);
	finish();
}

/* However long the recording, a place in it is found without reading all of it; its ends are looked up once a
 * second at most, each by one row. */
static void mark_once(struct engine *en, int i, void *arg)
{
	(void)arg;
	if (i == 150)
		engine_command(en, &(struct command){.kind = CMD_MARK, .text = "here"});
}

/* All of it is known at once, and from its end it plays again. */
static void test_timeline(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	char path[256];
	base(&cfg, true, true, 1);
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "timeline.rec"));
	recorded_run(&cfg, "demo", 300, mark_once, NULL);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	cfg.record[0] = '\0';
	cfg.batch = false;
	struct engine *en = engine_new(&cfg, backend_replay_open(&cfg, &e), &e);
	assert_non_null(en);
	struct snapshot *s = engine_snapshot(en); /* before the first tick is shown */
	const struct timeline *t = s->timeline;
	assert_non_null(t);
	assert_int_equal((t->to_ns - t->from_ns) / 1000000000, 299);
	int known = 0, marks = 0, pins = 0;
	for (int i = 0; i < TIMELINE_CELLS; i++)
		known += t->level[i] != TIMELINE_NOTHING;
	assert_true(known > TIMELINE_CELLS * 9 / 10);
	for (int i = 0; i < t->n_events; i++) {
		double at = (double)(t->events[i].wall_ns - t->from_ns) / 1e9;
		marks += t->events[i].kind == SIGN_MARK && at > 148.5 && at < 150.5;
		pins += t->events[i].kind == SIGN_PIN;
	}
	assert_int_equal(marks, 1);
	assert_true(pins > 0);
	snapshot_free(s);
	engine_command(en, &(struct command){.kind = CMD_REPLAY, .text = "at", .number = 1000});
	assert_int_equal(engine_step(en, &e), 0);
	s = engine_snapshot(en);
	assert_non_null(strstr(s->backend.text, "over: Space plays it again"));
	snapshot_free(s);
	engine_command(en, &(struct command){.kind = CMD_REPLAY, .text = "play"});
	assert_int_equal(engine_step(en, &e), 0);
	s = engine_snapshot(en);
	assert_int_equal(s->sample.wall_ns, s->timeline->from_ns);
	assert_non_null(strstr(s->backend.text, ", plays: "));
	snapshot_free(s);
	engine_free(en);
}

static void test_places_are_looked_up(void **state)
{
	(void)state;
	struct config cfg;
	struct err e = ERR_INIT;
	struct backend_status st;
	char path[256];
	config_defaults(&cfg);
	cfg.delay_s = 1;
	cfg.batch = true;
	snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, "places.rec"));
	recorded_run(&cfg, "cpu1", 600, NULL, NULL);
	snprintf(cfg.replay, sizeof cfg.replay, "%s", path);
	cfg.batch = false;
	struct backend *b = backend_replay_open(&cfg, &e);
	assert_non_null(b);
	struct replay *r = (struct replay *)(void *)b;
	int64_t begun_ns = backend_real_now(NULL);
	for (int i = 0; i < 200; i++) {
		struct command c = {.kind = CMD_REPLAY, .text = "at", .number = i * 37 % 600};
		b->ops->status(b, &st);
		b->ops->replay->seek(b, &c);
	}
	int64_t seconds = (backend_real_now(NULL) - begun_ns) / 1000000000;
	for (int q = 0; q < Q_COUNT; q++)
		if (sqlite3_stmt_status(r->q[q], SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) > 16)
			fail_msg("%s: %d rows read one after another", sqlite3_sql(r->q[q]),
				sqlite3_stmt_status(r->q[q], SQLITE_STMTSTATUS_FULLSCAN_STEP, 0));
	assert_true(sqlite3_stmt_status(r->q[Q_LAST_TIME], SQLITE_STMTSTATUS_RUN, 0) <= seconds + 2);
	assert_true(sqlite3_get_autocommit(r->db)); /* nothing is held while nothing is read */
	b->ops->close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_places_are_looked_up),
		cmocka_unit_test(test_cpu_policies),
		cmocka_unit_test(test_memory_policies),
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_commands_are_repeated),
		cmocka_unit_test(test_settings_read_again_are_repeated),
		cmocka_unit_test(test_dry_run_is_recorded),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(a_jump_brings_what_came_before),
	};
	return cmocka_run_group_tests(tests, NULL, recorded_teardown);
}
