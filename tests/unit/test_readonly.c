/* SPDX-License-Identifier: MIT */
/* The read-only wrapper: everything passes but changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmtop/backend.h"

static int applied, closed;

static int fake_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	(void)b;
	(void)e;
	to->time_ns = groups;
	return 7;
}
static void fake_apply(struct backend *b, struct action *a, size_t n)
{
	(void)b;
	(void)a;
	applied += (int)n;
}
static enum wake fake_wait(struct backend *b, int64_t until_ns, int fd)
{
	(void)b;
	return until_ns == 5 && fd == 3 ? WAKE_END : WAKE_TIMER;
}
static void fake_close(struct backend *b)
{
	(void)b;
	closed++;
}
static int64_t fake_now(struct backend *b)
{
	(void)b;
	return 99;
}
static void fake_status(struct backend *b, struct backend_status *st)
{
	(void)b;
	memset(st, 0, sizeof *st);
	strcpy(st->uri, "fake:");
}

static void test_wrapper(void **state)
{
	(void)state;
	static const struct backend_ops ops = {
		.sample = fake_sample,
		.apply = fake_apply,
		.wait = fake_wait,
		.close = fake_close,
		.now = fake_now,
		.status = fake_status,
	};
	struct backend inner = {&ops};
	struct err e = ERR_INIT;
	struct sample s = {0};
	struct action a[2] = {{.kind = ACTION_PIN}, {.kind = ACTION_BALLOON}};
	struct backend_status st;
	struct backend *b = backend_readonly(&inner, "asked for", &e);
	assert_non_null(b);
	assert_int_equal(b->ops->sample(b, SAMPLE_NET, &s, &e), 7);
	assert_int_equal(s.time_ns, SAMPLE_NET);
	assert_int_equal(b->ops->wait(b, 5, 3), WAKE_END);
	assert_int_equal(b->ops->now(b), 99);
	b->ops->status(b, &st);
	assert_true(st.readonly);
	assert_string_equal(st.readonly_why, "asked for");
	assert_string_equal(st.uri, "fake:");
	b->ops->apply(b, a, 2);
	assert_int_equal(applied, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].outcome, OUTCOME_SKIPPED);
		assert_string_equal(a[i].error, "read-only: asked for");
	}
	b->ops->close(b);
	assert_int_equal(closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrapper)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
