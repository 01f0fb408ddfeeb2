/* SPDX-License-Identifier: MIT */
/* The engine: its clock goes on whatever a backend tells of, and a forced round keeps to what was agreed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmtop/engine.h"

#define MS INT64_C(1000000)

/* Says at each wait that something happened; a millisecond passes by each look at the clock. */
struct storm {
	struct backend base;
	int64_t now_ns;
	int samples, waits;
};

static struct storm *storm_of(struct backend *b)
{
	return (struct storm *)b;
}

static int storm_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	(void)groups;
	(void)e;
	sample_reset(to);
	to->time_ns = storm_of(b)->now_ns;
	storm_of(b)->samples++;
	return 0;
}

static void storm_apply(struct backend *b, struct action *actions, size_t n)
{
	(void)b;
	(void)actions;
	(void)n;
}

static enum wake storm_wait(struct backend *b, int64_t until_ns, int fd)
{
	(void)until_ns;
	(void)fd;
	storm_of(b)->waits++;
	assert_true(storm_of(b)->waits < 100000); /* spins */
	return WAKE_EVENT;
}

static void storm_close(struct backend *b)
{
	(void)b;
}

static int64_t storm_now(struct backend *b)
{
	return storm_of(b)->now_ns += MS;
}

static void storm_status(struct backend *b, struct backend_status *st)
{
	(void)b;
	memset(st, 0, sizeof *st);
}

static int run_storm(struct config *cfg, struct storm *b)
{
	static const struct backend_ops ops = {.sample = storm_sample,
		.apply = storm_apply,
		.wait = storm_wait,
		.close = storm_close,
		.now = storm_now,
		.status = storm_status};
	struct err e = ERR_INIT;
	*b = (struct storm){.base.ops = &ops};
	struct engine *en = engine_new(cfg, &b->base, &e);
	assert_non_null(en);
	while (b->now_ns < 10000 * MS) {
		engine_step(en, &e);
		assert_true(engine_wait(en, -1));
	}
	engine_free(en);
	return b->samples;
}

static void test_storm(void **state)
{
	struct config cfg;
	struct storm b;
	(void)state;
	config_defaults(&cfg);
	int n = run_storm(&cfg, &b);
	assert_in_range(n, 30, 45); /* four a second, as the screen wants to know of events soon */
	cfg.batch = true;
	n = run_storm(&cfg, &b);
	assert_in_range(n, 5, 7); /* every two seconds: batch output has no samples between */
}

/* Eight VMs on one of four pCPUs need six moves; a key that agreed to two makes none and says so. */
static void test_rebalance_keeps_to_what_was_agreed(void **state)
{
	struct config cfg;
	struct err e = ERR_INIT;
	(void)state;
	config_defaults(&cfg);
	struct backend *b = backend_sim_open(&cfg, "cpu1", true, &e);
	assert_non_null(b);
	struct engine *en = engine_new(&cfg, b, &e);
	assert_non_null(en);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(engine_step(en, &e), 0);
		assert_true(engine_wait(en, -1));
	}
	engine_command(en, &(struct command){.kind = CMD_REBALANCE, .number = 2});
	assert_int_equal(engine_step(en, &e), 0);
	struct snapshot *s = engine_snapshot(en);
	assert_int_equal(s->n_actions, 0);
	assert_non_null(strstr(s->notice, "vCPUs would move; press b again, and it asks"));
	snapshot_free(s);
	engine_command(en, &(struct command){.kind = CMD_REBALANCE, .number = 8});
	assert_int_equal(engine_step(en, &e), 0);
	s = engine_snapshot(en);
	assert_int_equal(s->n_actions, 6);
	snapshot_free(s);
	engine_free(en);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm), cmocka_unit_test(test_rebalance_keeps_to_what_was_agreed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
