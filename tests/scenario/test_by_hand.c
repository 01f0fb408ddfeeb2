/* SPDX-License-Identifier: MIT */
/* What one key says of many VMs: one step, one sample, one undo. Through a pipe, as from the screen. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/engine.h"

enum { VMS = 40 };

struct desk {
	struct engine *en;
	int fd[2];
	struct snapshot *last;
};

static void step(struct desk *d)
{
	struct err e = ERR_INIT;
	assert_int_equal(engine_step(d->en, &e), 0);
	snapshot_free(d->last);
	d->last = engine_snapshot(d->en);
	assert_non_null(d->last);
}

static void sit(struct desk *d)
{
	char text[4096] = "";
	struct config cfg;
	struct err e = ERR_INIT;
	for (int i = 0; i < VMS; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "vm v%02d\n memory 1G max 2G\n", i);
	run_config(&cfg, false, false, 1);
	d->last = NULL;
	d->en = engine_new(&cfg, run_open(text), &e);
	assert_non_null(d->en);
	assert_int_equal(pipe2(d->fd, O_CLOEXEC | O_NONBLOCK), 0);
	step(d);
}

static void rise(struct desk *d)
{
	snapshot_free(d->last);
	engine_free(d->en);
	close(d->fd[0]);
	if (d->fd[1] >= 0)
		close(d->fd[1]);
}

static void say(struct desk *d, const struct command *c)
{
	assert_int_equal(write(d->fd[1], c, sizeof *c), sizeof *c);
}

/* As the pin editor and = do: a command for each of the VMs. */
static void say_all(struct desk *d, enum command_kind kind)
{
	for (size_t i = 0; i < d->last->sample.n_vms; i++) {
		struct command c = {.kind = kind, .number = 700 << 10};
		cpuset_add(&c.cpus, 1);
		memcpy(c.uuid, d->last->sample.vms[i].uuid, UUID_BYTES);
		say(d, &c);
	}
}

static void many_are_one_step_and_one_undo(void **state)
{
	(void)state;
	struct desk d;
	sit(&d);
	say_all(&d, CMD_PIN);
	say_all(&d, CMD_BALLOON);
	assert_true(engine_wait(d.en, d.fd[0]));
	step(&d);
	assert_int_equal(d.last->n_actions, 2 * VMS);
	for (size_t i = 0; i < d.last->n_actions; i++)
		assert_int_equal(d.last->actions[i].outcome, OUTCOME_DONE);
	assert_int_equal(d.last->n_undo, 2 * VMS);
	say(&d, &(struct command){.kind = CMD_UNDO});
	assert_true(engine_wait(d.en, d.fd[0]));
	step(&d);
	assert_int_equal(d.last->n_actions, 2 * VMS);
	assert_int_equal(d.last->actions[0].why.code, REASON_UNDO);
	assert_int_equal(d.last->n_undo, 0);
	rise(&d);
}

/* An undo that comes at once after them takes them back, not what was before. */
static void undo_waits_for_what_was_asked_before_it(void **state)
{
	(void)state;
	struct desk d;
	sit(&d);
	say_all(&d, CMD_BALLOON);
	assert_true(engine_wait(d.en, d.fd[0]));
	step(&d);
	say_all(&d, CMD_PIN);
	struct command undo = {.kind = CMD_UNDO};
	say(&d, &undo);
	assert_true(engine_wait(d.en, d.fd[0]));
	step(&d);
	assert_int_equal(d.last->n_actions, VMS);
	assert_int_equal(d.last->actions[0].why.code, REASON_USER);
	assert_true(engine_wait(d.en, d.fd[0])); /* at once */
	step(&d);
	assert_int_equal(d.last->n_actions, VMS);
	assert_int_equal(d.last->actions[0].kind, ACTION_PIN);
	assert_int_equal(d.last->actions[0].why.code, REASON_UNDO);
	assert_int_equal(d.last->n_undo, VMS); /* the balloons */
	rise(&d);
}

/* y and then q: what was applied is carried out before the end. */
static void what_was_asked_is_done_before_the_end(void **state)
{
	(void)state;
	struct desk d;
	sit(&d);
	say_all(&d, CMD_PIN);
	say(&d, &(struct command){.kind = CMD_QUIT});
	close(d.fd[1]);
	d.fd[1] = -1;
	assert_true(engine_wait(d.en, d.fd[0]));
	step(&d);
	assert_int_equal(d.last->n_actions, VMS);
	assert_false(engine_wait(d.en, d.fd[0]));
	rise(&d);
}

static bool acts_on(const struct snapshot *s, const struct action *a)
{
	for (size_t i = 0; i < s->n_actions; i++)
		if (s->actions[i].kind == a->kind && s->actions[i].vcpu == a->vcpu &&
			uuid_compare(s->actions[i].uuid, a->uuid) == 0)
			return true;
	return false;
}

/* Three are stacked. Of what the preview lists, the line that is left out is not done, the others are; a line
 * taken in again is. */
static void a_line_of_the_preview_is_left_out(void **state)
{
	static const char text[] = "host\n pcpus 4\nvm a\n load 90%\n pin 0\nvm b\n load 90%\n pin 0\n"
				   "vm c\n load 90%\n pin 0\n";
	struct desk d = {.last = NULL};
	struct config cfg;
	struct err e = ERR_INIT;
	(void)state;
	run_config(&cfg, false, false, 1);
	cfg.granularity = GRAN_CPU;
	d.en = engine_new(&cfg, run_open(text), &e);
	assert_non_null(d.en);
	for (int i = 0; i < 4; i++) {
		step(&d);
		engine_wait(d.en, -1);
	}
	engine_command(d.en, &(struct command){.kind = CMD_PREVIEW});
	step(&d);
	assert_true(d.last->preview && d.last->n_ghosts >= 2);
	struct action out = d.last->ghosts[0], in = d.last->ghosts[1];
	struct command leave = {.kind = CMD_PREVIEW_LEAVE, .on = true, .vcpu = in.vcpu};
	memcpy(leave.uuid, in.uuid, UUID_BYTES);
	engine_command(d.en, &leave);
	leave.on = false;
	engine_command(d.en, &leave);
	leave.on = true;
	memcpy(leave.uuid, out.uuid, UUID_BYTES);
	engine_command(d.en, &leave);
	engine_wait(d.en, -1);
	step(&d);
	assert_int_equal(d.last->n_preview_pins, (int)d.last->n_ghosts - 1);
	assert_int_equal(d.last->ghosts[0].outcome, OUTCOME_SKIPPED);
	engine_command(d.en, &(struct command){.kind = CMD_PREVIEW_APPLY});
	step(&d);
	assert_true(acts_on(d.last, &in));
	assert_false(acts_on(d.last, &out));
	assert_false(d.last->preview);
	snapshot_free(d.last);
	engine_free(d.en);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_are_one_step_and_one_undo),
		cmocka_unit_test(undo_waits_for_what_was_asked_before_it),
		cmocka_unit_test(what_was_asked_is_done_before_the_end),
		cmocka_unit_test(a_line_of_the_preview_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
