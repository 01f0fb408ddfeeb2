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

int engine_controllers(struct engine *en, struct err *e)
{
	struct cpu_ctl *cpu = cpu_ctl_new(&en->cfg, e);
	struct mem_ctl *mem = cpu ? mem_ctl_new(&en->cfg, e) : NULL;
	if (!mem) {
		cpu_ctl_free(cpu);
		return -1;
	}
	cpu_ctl_free(en->cpu);
	mem_ctl_free(en->mem);
	en->cpu = cpu;
	en->mem = mem;
	return 0;
}

/* The rooms that the engine owns see of it what they need. */
static int rooms_build(struct engine *en)
{
	en->changes = (struct changes){.b = en->b,
		.core = en->core,
		.talk = &en->talk,
		.cfg = &en->cfg,
		.sample = &en->sample,
		.model = &en->model,
		.rules = &en->rules,
		.status = &en->status,
		.plan = &en->plan};
	return talk_init(&en->talk, en->b) < 0 ? -1 : changes_init(&en->changes);
}

void engine_uses(struct engine *en, struct backend *b)
{
	en->b = en->talk.b = en->changes.b = b;
	b->ops->status(b, &en->status);
}

static int engine_build(struct engine *en, struct err *e)
{
	en->suffer = suffer_new();
	en->shares = shares_ctl_new();
	if (rooms_build(en) < 0 || !en->suffer || !en->shares)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (model_init(&en->model, &en->cfg, e) < 0)
		return -1;
	return engine_controllers(en, e);
}

/* AUTO on a connection that may not change guests: on a screen AUTO stays off and the log says why; a run in
 * batch, whose log perhaps nobody reads, ends with an error. */
static int auto_denied(struct engine *en, struct err *e)
{
	if ((!en->cfg.auto_cpu && !en->cfg.auto_memory) || changes_allowed(&en->changes))
		return 0;
	if (en->cfg.batch && en->status.readonly && en->core->ops->lasting)
		return err_set(e, ERR_DENIED, "AUTO on %s: %s", en->status.uri, en->talk.notice);
	en->cfg.auto_cpu = en->cfg.auto_memory = false;
	talk_event(&en->talk, LOG_ERROR, "AUTO stays off: %s", en->talk.notice);
	return 0;
}

struct engine *engine_new(const struct config *cfg, struct backend *b, struct err *e)
{
	struct engine *en = calloc(1, sizeof *en);
	if (!en) {
		b->ops->close(b);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	en->watch.fd = -1;
	en->wish.drops = -1;
	en->cfg = *cfg;
	en->b = b;
	en->core = backend_innermost(b);
	en->groups = SAMPLE_BALLOON | SAMPLE_PCPUS;
	en->pace.due = en->pace.tick = true;
	en->n_rebalance = en->n_memory = -1;
	en->stats_on = cfg->stats_period_s > 0;
	sample_init(&en->sample);
	sample_init(&en->incoming);
	if (engine_build(en, e) < 0) {
		engine_free(en);
		return NULL;
	}
	b->ops->status(b, &en->status);
	en->course = course_of(en);
	if (!en->course->live && (en->jump.begun = malloc(sizeof *en->jump.begun)))
		*en->jump.begun = *cfg;
	en->pace.start_ns = en->pace.next_memory_ns = b->ops->now(b);
	en->pace.next_tick_ns = en->pace.start_ns + (int64_t)(cfg->delay_s * 1e9);
	if (cfg->end_after_s > 0)
		en->pace.end_ns = en->pace.start_ns + (int64_t)(cfg->end_after_s * 1e9);
	en->talk.silent = en->course->shown;
	changes_begin(&en->changes);
	if (auto_denied(en, e) < 0) {
		engine_free(en);
		return NULL;
	}
	return en;
}

void engine_free(struct engine *en)
{
	if (!en)
		return;
	changes_done(&en->changes);
	mark_socket_close(&en->mark);
	cpu_ctl_free(en->cpu);
	mem_ctl_free(en->mem);
	shares_ctl_free(en->shares);
	model_done(&en->model);
	rules_done(&en->rules);
	sample_done(&en->sample);
	sample_done(&en->incoming);
	plan_done(&en->plan);
	plan_done(&en->scratch);
	talk_done(&en->talk);
	free(en->mem_status);
	suffer_free(en->suffer);
	free(en->jump.begun);
	snapshot_free(en->jump.run_up);
	if (en->b)
		en->b->ops->close(en->b);
	free(en);
}

/* One command; the end of the pipe means that nobody is there any more. */
static enum command_kind read_command(struct engine *en, int fd)
{
	struct command c;
	ssize_t n = read(fd, &c, sizeof c);
	if (n == (ssize_t)sizeof c) {
		c.text[sizeof c.text - 1] = '\0';
		if (wish_heard(&en->wish, &en->talk, &c))
			engine_command(en, &c);
		return c.kind;
	}
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		en->quit = true;
	return CMD_NONE;
}

/* What one key says of many VMs or vCPUs is one step, one sample and one undo. */
static bool of_many(enum command_kind k)
{
	return k == CMD_PIN || k == CMD_BALLOON || k == CMD_HOLD || k == CMD_EXCLUDE || k == CMD_STAY_ON_NODE;
}

static void read_commands(struct engine *en, int fd)
{
	struct pollfd more = {.fd = fd, .events = POLLIN};
	while (of_many(read_command(en, fd)) && en->changes.n_asked < ASKED_MAX && poll(&more, 1, 0) > 0)
		;
}

void engine_drops_from(struct engine *en, int fd)
{
	en->wish.drops = fd;
}

void engine_listen(struct engine *en)
{
	mark_socket_open(&en->mark);
}

/* What other processes of this user said. */
static void take_marks(struct engine *en)
{
	struct command c = {.kind = CMD_MARK};
	while (mark_socket_take(&en->mark, c.text, sizeof c.text))
		engine_command(en, &c);
}

static void next_tick(struct engine *en)
{
	int64_t delay = (int64_t)(en->cfg.delay_s * 1e9), now = en->b->ops->now(en->b);
	en->pace.next_tick_ns =
		en->pace.next_tick_ns + delay > now ? en->pace.next_tick_ns + delay : now + delay;
	en->pace.due = en->pace.tick = true;
}

/* An event is worth a sample, but not more than four a second, and none in batch mode. */
enum { EVENT_GAP_NS = 250000000 };

/* A sample that took long must not be followed by another at once: it would count as a second look, and there
 * is nothing new to see. */
static int64_t tick_at(const struct engine *en)
{
	int64_t half = (int64_t)(en->cfg.delay_s * 5e8), earliest = en->pace.last_sample_ns + half;
	bool stalled = en->pace.last_sample_ns - en->pace.start_ns > half && !en->core->ops->paced;
	return stalled && earliest > en->pace.next_tick_ns ? earliest : en->pace.next_tick_ns;
}

static int64_t wait_until(const struct engine *en)
{
	int64_t soon = en->pace.last_sample_ns + EVENT_GAP_NS, tick = tick_at(en);
	int64_t until = en->pace.event_waits && soon < tick ? soon : tick;
	return en->pace.end_ns && en->pace.end_ns < until ? en->pace.end_ns : until;
}

static void timer_fired(struct engine *en)
{
	if (en->core->ops->paced || en->b->ops->now(en->b) >= en->pace.next_tick_ns)
		next_tick(en);
	else
		engine_soon(en);
	en->pace.event_waits = false;
}

bool engine_wait(struct engine *en, int fd)
{
	for (;;) {
		if (!en->quit && en->changes.n_asked && !en->core->ops->paced) {
			engine_soon(en); /* what had to wait for the step before */
			return true;
		}
		if (en->quit || (en->pace.end_ns && en->b->ops->now(en->b) >= en->pace.end_ns))
			return false;
		switch (en->b->ops->wait(en->b, wait_until(en), mark_socket_watch(&en->mark, fd))) {
		case WAKE_TIMER:
			timer_fired(en);
			return true;
		case WAKE_INPUT:
			take_marks(en);
			if (mark_socket_other_waits(&en->mark, fd))
				read_commands(en, fd);
			return !en->quit || en->changes.n_asked;
		case WAKE_EVENT:
			if (en->core->ops->paced) {
				engine_soon(en);
				return true;
			}
			en->pace.event_waits = !en->cfg.batch;
			/* A host that never stops telling of events must not hold the clock up. */
			if (en->b->ops->now(en->b) >= wait_until(en)) {
				timer_fired(en);
				return true;
			}
			break;
		case WAKE_AGAIN:
			engine_command(en, &(struct command){.kind = CMD_REPLAY, .text = "at"});
			return true;
		case WAKE_END:
			return false;
		}
	}
}
