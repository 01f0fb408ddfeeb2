/* SPDX-License-Identifier: MIT */
/* What may not be done by hand or by a preview, though somebody asked for it: it is not done, the reason is
 * said, and the VM stays with AUTO. What may be done beside it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "support/spy.h"
#include "support/state_home.h"
#include "vmtop/engine.h"

#define HOST "host\n pcpus 4\n memory 16G\n"
#define TWO  HOST "vm a\n load 30%\n pin 0\n memory 1G max 2G\nvm b\n load 30%\n pin 0\n memory 1G max 2G\n"

/* A change of the facts about one VM, from the next sample on. */
typedef void (*twist)(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v);

struct desk {
	struct spy spy;
	struct config cfg;
	struct engine *en;
	struct snapshot *last;
	twist twist;
	const char *twisted; /* its name */
};

static struct vm_sample *vm_of(struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->n_vms; i++)
		if (strcmp(s->vms[i].name, name) == 0)
			return &s->vms[i];
	fail_msg("no VM %s", name);
	return NULL;
}

static void sampled(void *arg, struct sample *s)
{
	struct desk *d = arg;
	if (!d->twist)
		return;
	struct vm_sample *vm = vm_of(s, d->twisted);
	d->twist(s, vm, &s->vcpus[vm->first_vcpu]);
}

static void step(struct desk *d)
{
	struct err e = ERR_INIT;
	engine_wait(d->en, -1);
	assert_int_equal(engine_step(d->en, &e), 0);
	snapshot_free(d->last);
	d->last = engine_snapshot(d->en);
	assert_non_null(d->last);
}

static void sit(struct desk *d, const char *scenario, twist t)
{
	spy_open(&d->spy, scenario);
	d->spy.sampled = sampled;
	d->spy.arg = d;
	d->en = spy_engine(&d->spy, &d->cfg);
	d->last = NULL;
	d->twist = NULL;
	d->twisted = "a";
	step(d);
	d->twist = t;
	step(d);
}

/* Pins are put back, so that the journal goes. */
static void rise(struct desk *d)
{
	snapshot_free(d->last);
	engine_leave(d->en, true);
	engine_free(d->en);
	spy_free(&d->spy);
}

static void ask(
	struct desk *d, enum command_kind kind, const char *vm, int vcpu, const char *cpus, double kib)
{
	struct err e = ERR_INIT;
	struct command c = {.kind = kind, .vcpu = vcpu, .number = kib};
	memcpy(c.uuid, vm_of(&d->last->sample, vm)->uuid, UUID_BYTES);
	if (cpus)
		assert_int_equal(cpuset_parse(&c.cpus, cpus, &e), 0);
	engine_command(d->en, &c);
	step(d);
}

static size_t actions_on(const struct desk *d, const char *vm, enum action_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < d->last->n_actions; i++)
		n += d->last->actions[i].kind == kind &&
		     strcmp(d->last->sample.vms[d->last->actions[i].vm].name, vm) == 0;
	return n;
}

static void refused(struct desk *d, const char *words)
{
	assert_int_equal(d->last->n_actions, 0);
	if (!strstr(d->last->notice, words))
		fail_msg("\"%s\" is not said, but: %s", words, d->last->notice);
}

static void is_on_the_move(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->flags |= VM_FLAG_JOB;
}

static void forbids_it(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->flags |= VM_FLAG_NO_STEER;
}

static void pin_unknown(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)vm;
	v->affinity_avail = AVAIL_DENIED;
}

static void confined(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)vm;
	v->allowed = (struct cpuset){0};
	cpuset_add(&v->allowed, 0);
	cpuset_add(&v->allowed, 1);
}

static void pcpu_3_off(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)vm, (void)v;
	s->host.pcpus[3].online = false;
}

static void no_balloon(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.balloon_device = false;
}

static void balloon_unknown(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.balloon_kib = vi64_absent(AVAIL_HUNG);
}

static void moved_by_hand(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)vm;
	v->affinity = (struct cpuset){0};
	cpuset_add(&v->affinity, 2);
}

static void no_pin_where_none_may_be(void **state)
{
	static const struct {
		twist twist;
		int vcpu;
		const char *cpus, *words;
	} cases[] = {
		{is_on_the_move, 0, "1", "not pinned: a job (migration, save) runs on the VM"},
		{forbids_it, 0, "1", "not pinned: the domain's metadata forbids steering"},
		{pin_unknown, 0, "1", "how it is pinned now is not known (no right to read it)"},
		{confined, 0, "2", "stay inside the VM's allowed set"},
		{confined, 0, "1-2", "stay inside the VM's allowed set"},
		{pcpu_3_off, 0, "3", "must hold an online pCPU"},
		{NULL, 7, "1", "the VM or vCPU is not there any more"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d;
		run_config(&d.cfg, false, false, 1);
		sit(&d, TWO, cases[i].twist);
		ask(&d, CMD_PIN, "a", cases[i].vcpu, cases[i].cpus, 0);
		refused(&d, cases[i].words);
		assert_string_equal(spy_pin(&d.spy, "a", 0), "0");
		/* Others may be pinned all the same. */
		ask(&d, CMD_PIN, "b", 0, "1", 0);
		assert_int_equal(actions_on(&d, "b", ACTION_PIN), 1);
		assert_string_equal(spy_pin(&d.spy, "b", 0), "1");
		rise(&d);
	}
}

static void no_balloon_where_none_may_be(void **state)
{
	static const struct {
		twist twist;
		const char *words;
	} cases[] = {
		{is_on_the_move, "balloon not set: a job (migration, save) runs on the VM"},
		{forbids_it, "balloon not set: the domain's metadata forbids steering"},
		{no_balloon, "balloon not set: no balloon device"},
		{balloon_unknown, "balloon not set: the VM's monitor does not answer"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d;
		run_config(&d.cfg, false, false, 1);
		sit(&d, TWO, cases[i].twist);
		ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
		refused(&d, cases[i].words);
		rise(&d);
	}
}

/* Who was not named is not touched by hand either, and it is said in these words, not as an exclusion. */
static void who_is_not_named_is_not_touched(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	snprintf(d.cfg.patterns[d.cfg.n_patterns++], sizeof *d.cfg.patterns, "b");
	sit(&d, TWO, NULL);
	ask(&d, CMD_PIN, "a", 0, "1", 0);
	refused(&d, "not pinned: this VM is not among those that may be steered");
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
	refused(&d, "balloon not set: this VM is not among those that may be steered");
	ask(&d, CMD_PIN, "b", 0, "1", 0);
	assert_int_equal(actions_on(&d, "b", ACTION_PIN), 1);
	rise(&d);
}

/* Of what is asked twice in one step the last word counts; other vCPUs and kinds are not it. What is so
 * already is not done again. */
static void the_last_word_counts(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, HOST "vm a\n vcpus 2\n load 30%\n pin 0\n memory 1G max 2G\n", NULL);
	struct command c = {.kind = CMD_PIN};
	memcpy(c.uuid, vm_of(&d.last->sample, "a")->uuid, UUID_BYTES);
	for (int vcpu = 0; vcpu < 2; vcpu++) {
		c.vcpu = vcpu;
		for (int pcpu = 1; pcpu < 3; pcpu++) {
			c.cpus = (struct cpuset){0};
			cpuset_add(&c.cpus, pcpu + vcpu);
			engine_command(d.en, &c);
		}
	}
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
	assert_int_equal(actions_on(&d, "a", ACTION_PIN), 2);
	assert_int_equal(actions_on(&d, "a", ACTION_BALLOON), 1);
	assert_string_equal(spy_pin(&d.spy, "a", 0), "2");
	assert_string_equal(spy_pin(&d.spy, "a", 1), "3");
	step(&d); /* from now on AUTO leaves it alone, until it is released */
	assert_int_equal(d.last->vm_status[0].cpu, REASON_HELD);
	assert_true(d.last->vm_status[0].held_for_s < 0);
	ask(&d, CMD_PIN, "a", 0, "2", 0);
	assert_int_equal(d.last->n_actions, 0);
	rise(&d);
}

/* More than the VM can have is its maximum, and the reason says what was asked for. */
static void a_balloon_stays_within_its_maximum(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, NULL);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
	assert_int_equal(d.last->actions[0].to_kib, 1500 << 10);
	assert_null(strstr(d.last->actions[0].why.text, "outside"));
	for (int i = 0; i < 30; i++)
		step(&d);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10); /* it is there */
	assert_int_equal(d.last->n_actions, 0);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 3 << 20);
	assert_int_equal(d.last->actions[0].to_kib, 2 << 20);
	assert_non_null(strstr(d.last->actions[0].why.text, "is outside its floor and maximum, so 2"));
	rise(&d);
}

/* Less than its user keeps for it is what is kept for it, not the least of all VMs; the same at the other
 * end. */
static void a_balloon_stays_above_the_vms_own_minimum(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	snprintf(d.cfg.vm[0].pattern, sizeof d.cfg.vm[0].pattern, "a");
	d.cfg.vm[0].mem_min_kib = 1200 << 10;
	d.cfg.n_vm = 1;
	sit(&d, TWO, NULL);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1 << 20);
	assert_int_equal(d.last->actions[0].to_kib, 1200 << 10);
	assert_non_null(strstr(d.last->actions[0].why.text, "is outside its floor and maximum, so 1.2"));
	/* As found was less: it is as far back as it may be, so nothing is left to do at the end. */
	for (int i = 0; i < 30; i++)
		step(&d);
	assert_int_equal(engine_leave(d.en, true), 0);
	assert_string_equal(spy_logged(d.en, "end: "), "end: 0 changes put back");
	rise(&d);
}

/* ---- previews ---- */

/* "a" and "b" are stacked on pCPU 0, and v says which of them would go. Whether it may is looked at again. */
static void preview_then(twist t, bool made)
{
	struct desk d;
	run_config(&d.cfg, false, false, 1);
	d.cfg.granularity = GRAN_CPU;
	sit(&d, HOST "vm a\n load 90%\n pin 0\nvm b\n load 90%\n pin 0\n", NULL);
	step(&d);
	step(&d);
	engine_command(d.en, &(struct command){.kind = CMD_PREVIEW});
	step(&d);
	assert_true(d.last->preview && d.last->n_ghosts == 1);
	const char *name = d.last->sample.vms[d.last->ghosts[0].vm].name;
	char why[sizeof d.last->ghosts[0].why.text];
	snprintf(why, sizeof why, "%s", d.last->ghosts[0].why.text);
	d.twisted = strcmp(name, "a") == 0 ? "a" : "b";
	d.twist = t;
	engine_command(d.en, &(struct command){.kind = CMD_PREVIEW_APPLY});
	step(&d);
	assert_int_equal(actions_on(&d, d.twisted, ACTION_PIN), made ? 1 : 0);
	if (made) /* for the reason that was shown */
		assert_string_equal(d.last->actions[0].why.text, why);
	assert_true(!spy_logged(d.en, "1 of 1 move left out, their vCPU changed since") == made);
	assert_false(d.last->preview);
	rise(&d);
}

static void nothing_but_0(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)vm;
	v->allowed = (struct cpuset){0};
	cpuset_add(&v->allowed, 0);
}

static void all_but_0_off(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)vm, (void)v;
	for (size_t i = 1; i < s->host.n_pcpus; i++)
		s->host.pcpus[i].online = false;
}

static void a_preview_is_made_where_all_is_as_it_was(void **state)
{
	(void)state;
	preview_then(NULL, true);
	preview_then(moved_by_hand, false);
	preview_then(pin_unknown, false);
	preview_then(is_on_the_move, false);
	preview_then(forbids_it, false);
	preview_then(nothing_but_0, false);
	preview_then(all_but_0_off, false);
}

static bool left_out(const struct desk *d, int vcpu)
{
	for (size_t i = 0; i < d->last->n_ghosts; i++)
		if (d->last->ghosts[i].vcpu == vcpu)
			return d->last->ghosts[i].outcome == OUTCOME_SKIPPED;
	fail_msg("vCPU %d is not in the preview", vcpu);
	return false;
}

/* A line is one vCPU, not its VM. */
static void one_vcpu_is_left_out_of_a_preview(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	d.cfg.granularity = GRAN_CPU;
	sit(&d, HOST "vm a\n vcpus 3\n load 90%\n pin 0\n", NULL);
	step(&d);
	step(&d);
	engine_command(d.en, &(struct command){.kind = CMD_PREVIEW});
	step(&d);
	assert_int_equal(d.last->n_ghosts, 2);
	int out = d.last->ghosts[0].vcpu, in = d.last->ghosts[1].vcpu;
	struct command leave = {.kind = CMD_PREVIEW_LEAVE, .on = true, .vcpu = out};
	memcpy(leave.uuid, d.last->ghosts[0].uuid, UUID_BYTES);
	engine_command(d.en, &leave);
	step(&d);
	assert_true(left_out(&d, out));
	assert_false(left_out(&d, in));
	rise(&d);
}

/* ---- undo ---- */

static void undo_leaves_what_somebody_else_set(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, NULL);
	ask(&d, CMD_PIN, "a", 0, "1", 0);
	assert_int_equal(actions_on(&d, "a", ACTION_PIN), 1);
	d.twist = moved_by_hand;
	engine_command(d.en, &(struct command){.kind = CMD_UNDO});
	step(&d);
	assert_int_equal(d.last->n_actions, 0);
	assert_non_null(
		spy_logged(d.en, "undo: 0 changes put back; some were changed by somebody else since"));
	engine_command(d.en, &(struct command){.kind = CMD_UNDO});
	step(&d);
	assert_string_equal(d.last->notice, "nothing to undo");
	rise(&d);
}

/* As found again it is nobody's: no mark of ours is left at it. */
static void undo_takes_its_mark_away(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, NULL);
	ask(&d, CMD_PIN, "a", 0, "1", 0);
	assert_int_equal(d.spy.n_marks, 1);
	engine_command(d.en, &(struct command){.kind = CMD_UNDO});
	step(&d);
	assert_string_equal(spy_pin(&d.spy, "a", 0), "0");
	assert_int_equal(d.spy.n_marks, 0);
	assert_int_equal(d.last->n_changed, 0);
	rise(&d);
}

/* A vCPU that was pinned and is gone takes nothing with it. */
static void undo_of_a_vcpu_that_went(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, HOST "vm a\n vcpus 2\n load 30%\n pin 0\nat 4s vcpus a 1\n", NULL);
	ask(&d, CMD_PIN, "a", 1, "1", 0);
	assert_int_equal(actions_on(&d, "a", ACTION_PIN), 1);
	for (int i = 0; i < 4; i++)
		step(&d);
	assert_int_equal(vm_of(&d.last->sample, "a")->n_vcpus, 1);
	engine_command(d.en, &(struct command){.kind = CMD_UNDO});
	step(&d);
	assert_int_equal(d.last->n_actions, 0);
	assert_non_null(spy_logged(d.en, "undo: 0 changes put back; some were changed"));
	rise(&d);
}

/* Two sizes were asked for: each undo takes one back, and the first is not of what the second found. */
static void undo_takes_balloons_back_one_by_one(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, NULL);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1800 << 10);
	for (int i = 0; i < 2; i++) {
		engine_command(d.en, &(struct command){.kind = CMD_UNDO});
		step(&d);
		assert_int_equal(actions_on(&d, "a", ACTION_BALLOON), 1);
		assert_int_equal(d.last->actions[0].to_kib, i == 0 ? 1500 << 10 : 1 << 20);
	}
	rise(&d);
}

static void balloon_of_somebody(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.balloon_kib = vi64_ok(1234 << 10);
}

/* For as long as an order may still be on its way a size says nothing; after that it is somebody's. */
static void undo_leaves_a_balloon_that_somebody_set(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, NULL);
	ask(&d, CMD_BALLOON, "a", -1, NULL, 1500 << 10);
	for (int i = 0; i < 30; i++)
		step(&d);
	d.twist = balloon_of_somebody;
	for (int i = 0; i < 90; i++)
		step(&d);
	engine_command(d.en, &(struct command){.kind = CMD_UNDO});
	step(&d);
	assert_int_equal(actions_on(&d, "a", ACTION_BALLOON), 0);
	assert_non_null(spy_logged(d.en, "undo: 0 changes put back; some were changed"));
	rise(&d);
}

/* ---- answers that are lost ---- */

static void pinned_to_1_by_somebody(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)vm;
	v->affinity = (struct cpuset){0};
	cpuset_add(&v->affinity, 1);
}

/* "a" was pinned to 1, then to 2 or 3: the answer to that is lost, and it was made. */
static void sit_with_lost_answer(struct desk *d, const char *cpus)
{
	run_config(&d->cfg, false, false, 1);
	sit(d, TWO, NULL);
	ask(d, CMD_PIN, "a", 0, "1", 0);
	d->spy.unknown = true;
	d->spy.fail_at = d->spy.calls + 2; /* after the sample */
	ask(d, CMD_PIN, "a", 0, cpus, 0);
	assert_int_equal(d->last->actions[0].outcome, OUTCOME_UNKNOWN);
}

/* The next sample shows that it was made: one that is as before later is somebody else's, and stays. */
static void a_sample_is_the_answer(void **state)
{
	struct desk d;
	(void)state;
	sit_with_lost_answer(&d, "2");
	step(&d);
	d.twist = pinned_to_1_by_somebody;
	step(&d);
	assert_int_equal(engine_leave(d.en, true), 0);
	assert_string_equal(spy_logged(d.en, "end: "),
		"end: 0 changes put back; 1 changed by somebody else since, left so");
	rise(&d);
}

/* The next sample shows a pin that was never asked for: it is not taken for ours. */
static void a_sample_of_somebody_elses_is_no_answer(void **state)
{
	struct desk d;
	(void)state;
	sit_with_lost_answer(&d, "3");
	d.twist = moved_by_hand;
	step(&d);
	step(&d);
	assert_int_equal(engine_leave(d.en, true), 0);
	assert_string_equal(spy_logged(d.en, "end: "),
		"end: 0 changes put back; 1 changed by somebody else since, left so");
	rise(&d);
}

/* A vCPU that is gone gives none. */
static void a_vcpu_that_went_gives_no_answer(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, HOST "vm a\n vcpus 2\n load 30%\n pin 0\nat 3s vcpus a 1\n", NULL);
	d.spy.unknown = true;
	d.spy.fail_at = d.spy.calls + 2;
	ask(&d, CMD_PIN, "a", 1, "1", 0);
	assert_int_equal(d.last->actions[0].outcome, OUTCOME_UNKNOWN);
	for (int i = 0; i < 4; i++)
		step(&d);
	assert_int_equal(vm_of(&d.last->sample, "a")->n_vcpus, 1);
	rise(&d);
}

/* ---- rivals ---- */

/* "a" is pinned to 1 every four seconds, or once, and somebody pins it elsewhere a moment later. What is said
 * of that after each round, as seconds; 0: nothing. */
static void fight(const char *elsewhere, bool again, const int want[6])
{
	struct desk d;
	char text[200];
	run_config(&d.cfg, false, false, 1);
	snprintf(text, sizeof text, HOST "vm a\n load 30%%\n pin 0\nat 4s every 4s pin a %s\n", elsewhere);
	sit(&d, text, NULL);
	for (int round = 0; round < 6; round++) {
		if (again || !round)
			ask(&d, CMD_PIN, "a", 0, "1", 0);
		for (int i = 0; i < 4; i++)
			step(&d);
		assert_string_equal(spy_pin(&d.spy, "a", 0), elsewhere);
		const char *said = spy_logged(d.en, "again and again; CPU AUTO leaves this VM alone for ");
		assert_int_equal(said ? atoi(strstr(said, " for ") + 5) : 0, want[round]);
	}
	rise(&d);
}

/* To pin it elsewhere once is no fight, and to put it back as found is a release, twice. After that it is
 * left to whoever wants it, twice as long each time, up to a limit. Nobody fights alone. */
static void whoever_insists_gets_it(void **state)
{
	(void)state;
	fight("2", true, (const int[6]){0, 1200, 2400, 4800, 9600, 19200});
	fight("0", true, (const int[6]){0, 0, 0, 1200, 2400, 4800});
	fight("2", false, (const int[6]){0});
}

/* ---- statistics periods ---- */

static void off(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.period_s = vi64_ok(0);
}

static void off_and_no_device(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	off(s, vm, v);
	vm->mem.balloon_device = false;
}

static void off_and_forbidden(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	off(s, vm, v);
	vm->flags |= VM_FLAG_NO_STEER;
}

static void period_unknown(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.period_s = vi64_absent(AVAIL_HUNG);
}

static void set_by_somebody(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)s, (void)v;
	vm->mem.period_s = vi64_ok(9);
}

/* p turns statistics on where they are off, once, and nowhere else. */
static void periods_are_set_where_they_are_off(void **state)
{
	static const struct {
		twist twist;
		size_t times;
	} cases[] = {{off, 1}, {off_and_no_device, 0}, {off_and_forbidden, 0}, {period_unknown, 0},
		{set_by_somebody, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d;
		size_t times = 0;
		run_config(&d.cfg, false, false, 1);
		sit(&d, TWO, cases[i].twist);
		engine_command(d.en, &(struct command){.kind = CMD_STATS_PERIOD, .on = true});
		for (int k = 0; k < 4; k++) {
			step(&d);
			times += actions_on(&d, "a", ACTION_PERIOD);
		}
		if (times != cases[i].times)
			fail_msg("case %zu: %zu periods set", i, times);
		rise(&d);
	}
}

/* Over a connection that may only read nothing is tried: it could only fail. */
static void no_period_where_nothing_may_be_written(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, TWO, off);
	d.spy.denied = true;
	engine_command(d.en, &(struct command){.kind = CMD_STATS_PERIOD, .on = true});
	for (int k = 0; k < 4; k++) {
		step(&d);
		assert_int_equal(d.last->n_actions, 0);
	}
	d.spy.denied = false;
	rise(&d);
}

/* A call that fails changed nothing, so nothing is to be put back. */
static void a_call_that_fails_leaves_nothing(void **state)
{
	struct desk d;
	(void)state;
	run_config(&d.cfg, false, false, 1);
	sit(&d, HOST "vm a\n load 30%\n pin 0\n memory 1G max 2G\n", NULL);
	d.spy.fail_at = d.spy.calls + 2;
	engine_command(d.en, &(struct command){.kind = CMD_STATS_PERIOD, .on = true});
	step(&d);
	assert_int_equal(actions_on(&d, "a", ACTION_PERIOD), 1);
	assert_int_equal(d.last->actions[0].outcome, OUTCOME_FAILED);
	assert_int_equal(d.last->n_changed, 0);
	rise(&d);
}

static void size_of_b_unknown(struct sample *s, struct vm_sample *vm, struct vcpu_sample *v)
{
	(void)vm, (void)v;
	for (size_t i = 0; i < s->n_vms; i++)
		if (strcmp(s->vms[i].name, "b") == 0)
			s->vms[i].mem.balloon_kib = vi64_absent(AVAIL_HUNG);
}

/* Another life begins without statistics, and gets them again; also when its size is not known at first. */
static void another_life_gets_a_period_too(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct desk d;
		run_config(&d.cfg, false, false, 1);
		sit(&d, HOST "vm a\n load 30%\n memory 1G max 2G\nvm b\nat 6s stop b\nat 8s start b\n", NULL);
		engine_command(d.en, &(struct command){.kind = CMD_STATS_PERIOD, .on = true});
		step(&d);
		assert_int_equal(actions_on(&d, "b", ACTION_PERIOD), 1);
		while (d.last->sample.n_vms == 2)
			step(&d);
		d.twist = late ? size_of_b_unknown : NULL;
		while (d.last->sample.n_vms == 1)
			step(&d);
		d.twist = NULL;
		for (int i = 0; i < 3; i++)
			step(&d);
		assert_int_equal(vm_of(&d.last->sample, "b")->mem.period_s.v, 2);
		rise(&d);
	}
}

/* Another period than ours is somebody's: it stays at the end, that is said, and nothing is left to put back.
 * One that is as found again needs nothing, and nobody is blamed. */
static void a_period_that_somebody_set_stays(void **state)
{
	static const struct {
		twist twist;
		const char *said;
	} cases[] = {{set_by_somebody, "end: 0 changes put back; 1 changed by somebody else since, left so"},
		{off, "end: 0 changes put back"}, {NULL, "end: 1 change put back"}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d;
		run_config(&d.cfg, false, false, 1);
		sit(&d, HOST "vm a\n load 30%\n pin 0\n memory 1G max 2G\n", NULL);
		engine_command(d.en, &(struct command){.kind = CMD_STATS_PERIOD, .on = true});
		step(&d);
		assert_int_equal(actions_on(&d, "a", ACTION_PERIOD), 1);
		d.twist = cases[i].twist;
		assert_int_equal(engine_leave(d.en, true), 0);
		const char *end = spy_logged(d.en, "end: ");
		assert_non_null(end);
		assert_string_equal(end, cases[i].said);
		rise(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pin_where_none_may_be),
		cmocka_unit_test(no_balloon_where_none_may_be),
		cmocka_unit_test(who_is_not_named_is_not_touched),
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(a_balloon_stays_within_its_maximum),
		cmocka_unit_test(a_balloon_stays_above_the_vms_own_minimum),
		cmocka_unit_test(a_preview_is_made_where_all_is_as_it_was),
		cmocka_unit_test(undo_leaves_what_somebody_else_set),
		cmocka_unit_test(one_vcpu_is_left_out_of_a_preview),
		cmocka_unit_test(undo_takes_its_mark_away),
		cmocka_unit_test(undo_of_a_vcpu_that_went),
		cmocka_unit_test(undo_takes_balloons_back_one_by_one),
		cmocka_unit_test(undo_leaves_a_balloon_that_somebody_set),
		cmocka_unit_test(a_sample_is_the_answer),
		cmocka_unit_test(a_sample_of_somebody_elses_is_no_answer),
		cmocka_unit_test(a_vcpu_that_went_gives_no_answer),
		cmocka_unit_test(whoever_insists_gets_it),
		cmocka_unit_test(a_call_that_fails_leaves_nothing),
		cmocka_unit_test(no_period_where_nothing_may_be_written),
		cmocka_unit_test(periods_are_set_where_they_are_off),
		cmocka_unit_test(a_period_that_somebody_set_stays),
		cmocka_unit_test(another_life_gets_a_period_too),
	};
	return cmocka_run_group_tests_name("by hand", tests, state_home_make, state_home_remove);
}
