/* SPDX-License-Identifier: MIT */
/* What is asked by key while the hypervisor hangs: done when it soon answers, else neither later nor after it
 * was dropped. The engine runs in its own thread, as under the screen, on a simulated host that can be
 * stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/engine.h"

/* A backend around the simulator: stopped, it answers nothing, and its sample fails at the deadline. */
struct stopped {
	struct backend b;
	struct backend *in;
	_Atomic bool stop;
	_Atomic int samples, pins;
};

static struct stopped *of(struct backend *b)
{
	return (struct stopped *)b;
}

static void sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
	nanosleep(&t, NULL);
}

static int s_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	int64_t deadline_ns = clock_ns() + 2000000000; /* counted pauses take longer on a busy machine */
	while (of(b)->stop) {
		if (clock_ns() >= deadline_ns)
			return err_set(e, ERR_RUNTIME, "no answer within 2 s");
		sleep_ms(10);
	}
	of(b)->samples++;
	return of(b)->in->ops->sample(of(b)->in, groups, to, e);
}

static void s_apply(struct backend *b, struct action *actions, size_t n)
{
	of(b)->pins += (int)n;
	of(b)->in->ops->apply(of(b)->in, actions, n);
}

/* As with libvirt: commands are read also when the next tick is overdue. */
static enum wake s_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, 0) > 0)
		return WAKE_INPUT;
	return of(b)->in->ops->wait(of(b)->in, until_ns, fd);
}

static void s_close(struct backend *b)
{
	of(b)->in->ops->close(of(b)->in); /* the rest is the test's */
}

static int64_t s_now(struct backend *b)
{
	return of(b)->in->ops->now(of(b)->in);
}

static void s_status(struct backend *b, struct backend_status *st)
{
	of(b)->in->ops->status(of(b)->in, st);
}

struct bench {
	struct stopped back;
	struct scheduler *sched;
	struct snapshot *last;
};

static void take(struct bench *t)
{
	struct snapshot *s = scheduler_take(t->sched);
	if (!s)
		return;
	snapshot_free(t->last);
	t->last = s;
}

static void wait_ms(struct bench *t, int ms)
{
	for (; ms > 0; ms -= 20) {
		sleep_ms(20);
		take(t);
	}
}

static void bench_open(struct bench *t)
{
	static const struct backend_ops ops = {.sample = s_sample,
		.apply = s_apply,
		.wait = s_wait,
		.close = s_close,
		.now = s_now,
		.status = s_status};
	struct config cfg;
	struct err e = ERR_INIT;
	config_defaults(&cfg);
	cfg.delay_s = 0.3;
	memset(t, 0, sizeof *t);
	t->back.b.ops = &ops;
	t->back.in = backend_sim_open(&cfg, "cpu1", false, &e);
	assert_non_null(t->back.in);
	struct engine *en = engine_new(&cfg, &t->back.b, &e);
	assert_non_null(en);
	t->sched = scheduler_start(en, &e);
	assert_non_null(t->sched);
	for (int i = 0; i < 500 && t->back.samples < 3; i++)
		wait_ms(t, 20);
	assert_true(t->back.samples >= 3);
	assert_int_equal(t->back.pins, 0);
}

static void bench_close(struct bench *t)
{
	t->back.stop = false;
	assert_int_equal(scheduler_stop(t->sched, 30), 0);
	snapshot_free(t->last);
}

static void key(struct bench *t, enum command_kind kind)
{
	struct command c = {.kind = kind, .on = true, .at_ns = clock_ns()};
	assert_int_equal(scheduler_send(t->sched, &c), 0);
}

/* Stopped: a sample may be on its way; then the thread is inside of it. */
static void stop(struct bench *t)
{
	t->back.stop = true;
	wait_ms(t, 500);
}

static void resume(struct bench *t)
{
	int before = t->back.samples;
	t->back.stop = false;
	for (int i = 0; i < 500 && t->back.samples < before + 3; i++)
		wait_ms(t, 20);
	wait_ms(t, 100);
	assert_true(t->back.samples >= before + 3);
}

static void test_done_soon(void **state)
{
	struct bench t;
	(void)state;
	bench_open(&t);
	stop(&t);
	key(&t, CMD_REBALANCE);
	wait_ms(&t, 1000);
	assert_int_equal(t.back.pins, 0);
	resume(&t);
	assert_true(t.back.pins > 0);
	assert_true(t.last->heard_ns > 0);
	assert_false(t.last->waits);
	bench_close(&t);
}

/* Each of them, late: nothing happens, and it is said. */
static void test_forgotten(void **state)
{
	static const enum command_kind kinds[] = {CMD_REBALANCE, CMD_PREVIEW, CMD_AUTO_CPU};
	struct bench t;
	(void)state;
	bench_open(&t);
	stop(&t);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		key(&t, kinds[i]);
	wait_ms(&t, 4300);
	assert_true(t.last->waits); /* the engine has it by now, and says that it waits */
	wait_ms(&t, 2500);
	resume(&t);
	assert_int_equal(t.back.pins, 0);
	assert_false(t.last->preview);
	assert_false(t.last->waits);
	assert_non_null(strstr(t.last->notice, "did not answer within 5 s of the key"));
	key(&t, CMD_REBALANCE);
	wait_ms(&t, 1000);
	assert_true(t.back.pins > 0);
	bench_close(&t);
}

/* Dropped while the engine has it already, or while it still is on its way. */
static void test_dropped(void **state)
{
	struct bench t;
	(void)state;
	for (int had = 0; had < 2; had++) {
		bench_open(&t);
		if (had)
			key(&t, CMD_SAMPLE); /* the next step begins with the key in hand */
		stop(&t);
		key(&t, CMD_REBALANCE);
		wait_ms(&t, had ? 2200 : 100);
		scheduler_drop(t.sched, clock_ns());
		wait_ms(&t, 100);
		resume(&t);
		assert_int_equal(t.back.pins, 0);
		assert_non_null(strstr(t.last->notice, "dropped"));
		key(&t, CMD_REBALANCE); /* one that is pressed afterwards counts */
		wait_ms(&t, 1000);
		assert_true(t.back.pins > 0);
		bench_close(&t);
	}
}

/* Turning off, and what is nobody's key, is done however late. */
static void test_no_age(void **state)
{
	struct bench t;
	(void)state;
	bench_open(&t);
	key(&t, CMD_AUTO_MEMORY);
	wait_ms(&t, 500);
	assert_true(t.last->auto_memory);
	stop(&t);
	struct command off = {.kind = CMD_AUTO_MEMORY, .at_ns = clock_ns() - INT64_C(60000000000)};
	scheduler_send(t.sched, &off);
	scheduler_send(t.sched, &(struct command){.kind = CMD_REBALANCE});
	wait_ms(&t, 6000);
	resume(&t);
	assert_false(t.last->auto_memory);
	assert_true(t.back.pins > 0);
	bench_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_done_soon),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_no_age),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
