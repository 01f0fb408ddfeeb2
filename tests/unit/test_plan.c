/* SPDX-License-Identifier: MIT */
/* The invariants of a plan: each is broken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/fixture.h"
#include "support/plan_check.h"

static void host(struct fixture *f)
{
	fx_init(f, &(struct fx_host){.pcpus = 4});
	fx_vm(f, 1, 2);
	fx_vm(f, 2, 1);
	fx_pin(f, 1, 0, "0");
	fx_allow(f, 1, 1, "0-1");
	fx_vm_sample(f, 2)->mem.max_kib = vi64_ok(1000);
}

static struct action *pin(struct fixture *f, unsigned vm, int vcpu, const char *to)
{
	struct action *a = plan_add(&f->plan, ACTION_PIN);
	a->vm = fx_vm_index(f, vm);
	memcpy(a->uuid, f->s.vms[a->vm].uuid, UUID_BYTES);
	a->vcpu = vcpu;
	a->why.code = REASON_GREEDY;
	assert_int_equal(cpuset_parse(&a->to, to, NULL), 0);
	return a;
}

static struct action *balloon(struct fixture *f, unsigned vm, int64_t from, int64_t to)
{
	struct action *a = plan_add(&f->plan, ACTION_BALLOON);
	a->vm = fx_vm_index(f, vm);
	memcpy(a->uuid, f->s.vms[a->vm].uuid, UUID_BYTES);
	a->from_kib = from;
	a->to_kib = to;
	a->why.code = REASON_GIVE;
	return a;
}

static void broken(struct fixture *f, const char *how)
{
	const char *says = plan_check(&f->plan, &f->s);
	if (how)
		assert_string_equal(says, how);
	else
		assert_null(says);
	plan_reset(&f->plan);
}

static void pins(void **state)
{
	(void)state;
	struct fixture f;
	host(&f);
	broken(&f, NULL);
	pin(&f, 1, 0, "1");
	pin(&f, 1, 1, "1");
	pin(&f, 2, 0, "0-3");
	f.plan.n--; /* VM 2 has that affinity already */
	broken(&f, NULL);
	pin(&f, 2, 0, "0-3");
	broken(&f, "pin that changes nothing");
	pin(&f, 1, 0, "");
	broken(&f, "pin to no pCPU");
	pin(&f, 1, 5, "1");
	broken(&f, "pin of a vCPU that is not in the sample");
	pin(&f, 1, 1, "2");
	broken(&f, "pin outside the allowed set");
	f.s.host.pcpus[1].online = false;
	pin(&f, 1, 0, "1");
	broken(&f, "pin to a pCPU that is not online");
	pin(&f, 1, 0, "1")->why.code = REASON_UNDO; /* as found */
	broken(&f, NULL);
	pin(&f, 1, 1, "2")->why.code = REASON_USER;
	broken(&f, NULL);
	fx_done(&f);
}

static void balloons(void **state)
{
	(void)state;
	struct fixture f;
	host(&f);
	balloon(&f, 2, 500, 1000);
	broken(&f, NULL);
	balloon(&f, 2, 500, 1001);
	broken(&f, "balloon target above the maximum");
	balloon(&f, 2, 500, 500);
	broken(&f, "balloon target that changes nothing");
	balloon(&f, 2, 500, 0);
	broken(&f, "balloon target of nothing");
	fx_done(&f);
}

static void shares(void **state)
{
	(void)state;
	struct fixture f;
	host(&f);
	static const struct {
		int from, to;
		const char *text;
	} rows[] = {{100, 100, "CPU shares that change nothing"},
		{100, 0, "CPU shares that no group can have"},
		{100, CPU_SHARES_MOST + 1, "CPU shares that no group can have"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct action *a = balloon(&f, 1, 5, 6);
		a->kind = ACTION_SHARES;
		a->from_shares = rows[i].from;
		a->to_shares = rows[i].to;
		broken(&f, rows[i].text);
	}
	fx_done(&f);
}

static void any_action(void **state)
{
	(void)state;
	struct fixture f;
	host(&f);
	pin(&f, 1, 0, "1")->why.code = REASON_NONE;
	broken(&f, "action without a reason");
	pin(&f, 1, 0, "1")->vm = 7;
	broken(&f, "action on a VM that is not in the sample");
	pin(&f, 1, 0, "1")->uuid[0] = 99;
	broken(&f, "action on a VM that is not in the sample");
	pin(&f, 1, 0, "1");
	balloon(&f, 1, 5, 6);
	pin(&f, 1, 0, "2");
	broken(&f, "two actions on one object in one plan");
	balloon(&f, 2, 500, 600);
	balloon(&f, 2, 500, 700);
	broken(&f, "two actions on one object in one plan");
	fx_done(&f);
}

static void grows_and_empties(void **state)
{
	(void)state;
	struct plan p;
	plan_init(&p);
	for (int i = 0; i < 1000; i++) {
		struct action *a = plan_add(&p, ACTION_PIN);
		assert_non_null(a);
		assert_int_equal(a->vcpu, -1);
		assert_int_equal(a->outcome, OUTCOME_PLANNED);
		a->vcpu = i;
	}
	assert_int_equal(p.actions[999].vcpu, 999);
	size_t cap = p.cap;
	plan_reset(&p);
	assert_int_equal(p.n, 0);
	assert_int_equal(plan_add(&p, ACTION_BALLOON)->vcpu, -1);
	assert_int_equal(p.cap, cap);
	plan_done(&p);
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(action_kind_text(ACTION_PIN), "pin");
	assert_string_equal(action_kind_text(ACTION_BALLOON), "balloon");
	assert_string_equal(action_kind_text(ACTION_SHARES), "shares");
	assert_string_equal(outcome_text(OUTCOME_DONE), "done");
	assert_string_equal(outcome_text(OUTCOME_SKIPPED), "skipped");
	assert_string_equal(outcome_text(OUTCOME_UNKNOWN), "unknown");
	assert_string_equal(outcome_text((enum outcome)77), "?");
}

/* The same is done to the same, in the same order, whatever the reason. */
static void the_same_plan(void **state)
{
	(void)state;
	struct fixture f, g;
	host(&f);
	host(&g);
	assert_true(plan_same(&f.plan, &g.plan));
	pin(&f, 1, 0, "2")->why.code = REASON_USER;
	assert_false(plan_same(&f.plan, &g.plan));
	pin(&g, 1, 0, "2");
	balloon(&f, 2, 900, 800);
	balloon(&g, 2, 1000, 800);
	assert_true(plan_same(&f.plan, &g.plan));
	g.plan.actions[1].to_kib = 801;
	assert_false(plan_same(&f.plan, &g.plan));
	g.plan.actions[1].to_kib = 800;
	g.plan.actions[0].vcpu = 1;
	assert_false(plan_same(&f.plan, &g.plan));
	g.plan.actions[0].vcpu = 0;
	cpuset_add(&g.plan.actions[0].to, 3);
	assert_false(plan_same(&f.plan, &g.plan));
	fx_done(&f);
	fx_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_plan),
		cmocka_unit_test(pins),
		cmocka_unit_test(balloons),
		cmocka_unit_test(shares),
		cmocka_unit_test(any_action),
		cmocka_unit_test(grows_and_empties),
		cmocka_unit_test(words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
