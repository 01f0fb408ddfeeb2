/* SPDX-License-Identifier: MIT */
/* The engine's life: birth, the wait between steps, the end. Invariant: it sleeps in the backend's wait
 * alone, and who wakes it is told apart there. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"
#include "vmtop/text.h"

/* The rooms that the engine owns see of it what they need. */
static int rooms_build(struct engine *engine)
{
	engine->changes = (struct changes){.backend = engine->backend,
		.core = engine->core,
		.talk = &engine->talk,
		.cfg = &engine->cfg,
		.sample = &engine->sample,
		.model = &engine->model,
		.rules = &engine->rules,
		.status = &engine->status,
		.plan = &engine->plan};
	return talk_init(&engine->talk, engine->backend) < 0 ? -1 : changes_init(&engine->changes);
}

static int engine_build(struct engine *engine, struct err *err)
{
	engine->suffer = suffer_new();
	engine->shares = shares_ctl_new();
	if (rooms_build(engine) < 0 || !engine->suffer || !engine->shares)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (model_init(&engine->model, &engine->cfg, err) < 0)
		return -1;
	return engine_controllers(engine, err);
}

/* AUTO on a connection that may not change guests: on a screen AUTO stays off and the log says why; a run in
 * batch, whose log perhaps nobody reads, ends with an error. */
static int auto_denied(struct engine *engine, struct err *err)
{
	if ((!engine->cfg.auto_cpu && !engine->cfg.auto_memory) || changes_allowed(&engine->changes))
		return 0;
	if (engine->cfg.batch && engine->status.readonly && engine->core->ops->lasting)
		return err_set(err, ERR_DENIED, "AUTO on %s: %s", engine->status.uri, engine->talk.notice);
	engine->cfg.auto_cpu = engine->cfg.auto_memory = false;
	talk_event(&engine->talk, LOG_ERROR, "AUTO stays off: %s", engine->talk.notice);
	return 0;
}

struct engine *engine_new(const struct config *cfg, struct backend *backend, struct err *err)
{
	struct engine *engine = calloc(1, sizeof *engine);
	if (!engine) {
		backend->ops->close(backend);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	engine->watch.fd = -1;
	engine->wish.drops = -1;
	engine->cfg = *cfg;
	engine->backend = backend;
	engine->core = backend_innermost(backend);
	engine->groups = SAMPLE_BALLOON | SAMPLE_PCPUS;
	engine->pace.due = engine->pace.tick = true;
	engine->n_rebalance = engine->n_memory = -1;
	engine->stats_on = cfg->stats_period_s > 0;
	sample_init(&engine->sample);
	sample_init(&engine->incoming);
	if (engine_build(engine, err) < 0) {
		engine_free(engine);
		return NULL;
	}
	backend->ops->status(backend, &engine->status);
	engine->course = course_of(engine);
	if (!engine->course->live && (engine->jump.begun = malloc(sizeof *engine->jump.begun)))
		*engine->jump.begun = *cfg;
	engine->pace.start_ns = engine->pace.next_memory_ns = backend->ops->now(backend);
	engine->pace.next_tick_ns = engine->pace.start_ns + (int64_t)(cfg->delay_s * 1e9);
	if (cfg->end_after_s > 0)
		engine->pace.end_ns = engine->pace.start_ns + (int64_t)(cfg->end_after_s * 1e9);
	engine->talk.silent = engine->course->shown;
	changes_begin(&engine->changes);
	if (auto_denied(engine, err) < 0) {
		engine_free(engine);
		return NULL;
	}
	return engine;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	changes_done(&engine->changes);
	mark_socket_close(&engine->mark);
	cpu_ctl_free(engine->cpu);
	mem_ctl_free(engine->mem);
	shares_ctl_free(engine->shares);
	model_done(&engine->model);
	rules_done(&engine->rules);
	sample_done(&engine->sample);
	sample_done(&engine->incoming);
	plan_done(&engine->plan);
	plan_done(&engine->scratch);
	talk_done(&engine->talk);
	free(engine->mem_status);
	suffer_free(engine->suffer);
	free(engine->jump.begun);
	snapshot_free(engine->jump.run_up);
	if (engine->backend)
		engine->backend->ops->close(engine->backend);
	free(engine);
}

/* One command; the end of the pipe means that nobody is there any more. */
static enum command_kind read_command(struct engine *engine, int fd)
{
	struct command cmd;
	ssize_t n = read(fd, &cmd, sizeof cmd);
	if (n == (ssize_t)sizeof cmd) {
		cmd.text[sizeof cmd.text - 1] = '\0';
		if (wish_heard(&engine->wish, &engine->talk, &cmd))
			engine_command(engine, &cmd);
		return cmd.kind;
	}
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		engine->quit = true;
	return CMD_NONE;
}

/* What one key says of many VMs or vCPUs is one step, one sample and one undo. */
static bool of_many(enum command_kind kind)
{
	return kind == CMD_PIN || kind == CMD_BALLOON || kind == CMD_HOLD || kind == CMD_EXCLUDE ||
	       kind == CMD_STAY_ON_NODE;
}

static void read_commands(struct engine *engine, int fd)
{
	struct pollfd more = {.fd = fd, .events = POLLIN};
	while (of_many(read_command(engine, fd)) && engine->changes.n_asked < ASKED_MAX &&
		poll(&more, 1, 0) > 0)
		;
}

void engine_drops_from(struct engine *engine, int fd)
{
	engine->wish.drops = fd;
}

void engine_listen(struct engine *engine)
{
	mark_socket_open(&engine->mark);
}

/* What other processes of this user said. */
static void take_marks(struct engine *engine)
{
	struct command cmd = {.kind = CMD_MARK};
	while (mark_socket_take(&engine->mark, cmd.text, sizeof cmd.text))
		engine_command(engine, &cmd);
}

static void next_tick(struct engine *engine)
{
	int64_t delay = (int64_t)(engine->cfg.delay_s * 1e9),
		now = engine->backend->ops->now(engine->backend);
	engine->pace.next_tick_ns =
		engine->pace.next_tick_ns + delay > now ? engine->pace.next_tick_ns + delay : now + delay;
	engine->pace.due = engine->pace.tick = true;
}

/* An event is worth a sample, but not more than four a second, and none in batch mode. */
enum { EVENT_GAP_NS = 250000000 };

/* A sample that took long must not be followed by another at once: it would count as a second look, and there
 * is nothing new to see. */
static int64_t tick_at(const struct engine *engine)
{
	int64_t half = (int64_t)(engine->cfg.delay_s * 5e8), earliest = engine->pace.last_sample_ns + half;
	bool stalled =
		engine->pace.last_sample_ns - engine->pace.start_ns > half && !engine->core->ops->paced;
	return stalled && earliest > engine->pace.next_tick_ns ? earliest : engine->pace.next_tick_ns;
}

static int64_t wait_until(const struct engine *engine)
{
	int64_t soon = engine->pace.last_sample_ns + EVENT_GAP_NS, tick = tick_at(engine);
	int64_t until = engine->pace.event_waits && soon < tick ? soon : tick;
	return engine->pace.end_ns && engine->pace.end_ns < until ? engine->pace.end_ns : until;
}

static void timer_fired(struct engine *engine)
{
	if (engine->core->ops->paced ||
		engine->backend->ops->now(engine->backend) >= engine->pace.next_tick_ns)
		next_tick(engine);
	else
		engine_soon(engine);
	engine->pace.event_waits = false;
}

bool engine_wait(struct engine *engine, int fd)
{
	for (;;) {
		if (!engine->quit && engine->changes.n_asked && !engine->core->ops->paced) {
			engine_soon(engine); /* what had to wait for the step before */
			return true;
		}
		if (engine->quit || (engine->pace.end_ns && engine->backend->ops->now(engine->backend) >=
								    engine->pace.end_ns))
			return false;
		switch (engine->backend->ops->wait(
			engine->backend, wait_until(engine), mark_socket_watch(&engine->mark, fd))) {
		case WAKE_TIMER:
			timer_fired(engine);
			return true;
		case WAKE_INPUT:
			take_marks(engine);
			if (mark_socket_other_waits(&engine->mark, fd))
				read_commands(engine, fd);
			return !engine->quit || engine->changes.n_asked;
		case WAKE_EVENT:
			if (engine->core->ops->paced) {
				engine_soon(engine);
				return true;
			}
			engine->pace.event_waits = !engine->cfg.batch;
			/* A host that never stops telling of events must not hold the clock up. */
			if (engine->backend->ops->now(engine->backend) >= wait_until(engine)) {
				timer_fired(engine);
				return true;
			}
			break;
		case WAKE_AGAIN:
			engine_command(engine, &(struct command){.kind = CMD_REPLAY, .text = "at"});
			return true;
		case WAKE_END:
			return false;
		}
	}
}
