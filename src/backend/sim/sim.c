/* SPDX-License-Identifier: MIT */
/* The simulator as a backend. In virtual time the clock moves only in wait(), so a run takes no time and
 * repeats exactly; in real time the simulated host follows the monotonic clock. */
#include "sim.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/clock.h"
#include "vmtop/config.h"
#include "vmtop/minmax.h"

int64_t to_clock(const struct sim *s, int64_t t_ns)
{
	return s->start_ns + t_ns;
}

int64_t to_wall(const struct sim *s, int64_t t_ns)
{
	return s->wall_start_ns + t_ns;
}

static struct sim *sim_of(struct backend *b)
{
	return (struct sim *)(void *)b;
}

static int64_t sim_now(struct backend *b)
{
	struct sim *s = sim_of(b);
	return s->virtual_time ? to_clock(s, s->t_ns) : backend_real_now(&s->base);
}

/* Real time: catches up. After a long stop (a suspended machine) the host goes on from where it was. */
static void follow_clock(struct sim *s)
{
	const int64_t most = INT64_C(60000000000);
	int64_t t = backend_real_now(&s->base) - s->start_ns;
	if (s->virtual_time)
		return;
	if (t - s->t_ns > most) {
		s->start_ns += t - s->t_ns - most;
		s->wall_start_ns += t - s->t_ns - most;
		t = s->t_ns + most;
	}
	sim_advance(s, t);
}

/* Counts the call; the failure that the scenario has for it, or NULL. */
static const struct scn_fail *call_fails(struct sim *s, enum fail_kind kind)
{
	long nth = ++s->calls[kind];
	for (size_t i = 0; i < s->scn->n_fails; i++)
		if (s->scn->fails[i].kind == kind && s->scn->fails[i].nth == nth)
			return &s->scn->fails[i];
	return NULL;
}

static int sim_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct sim *s = sim_of(b);
	follow_clock(s);
	s->changed = false;
	if (s->disconnected)
		return err_set(e, ERR_GONE, "the scenario has cut the connection");
	if (call_fails(s, FAIL_SAMPLE))
		return err_set(e, ERR_TIMEOUT, "sample %ld fails in this scenario", s->calls[FAIL_SAMPLE]);
	return sim_sample_fill(s, groups, to, e);
}

static void outcome(struct action *a, enum outcome o, const char *why)
{
	a->outcome = o;
	snprintf(a->error, sizeof a->error, "%s", why);
}

static void apply_pin(struct sim *s, struct sim_vm *vm, struct action *a)
{
	struct sim_thread *t =
		a->vcpu >= 0 && a->vcpu < vm->n_slots ? &s->threads[vm->first_thread + a->vcpu] : NULL;
	struct cpuset now, online = a->to;
	cpuset_and(&online, &s->online);
	if (!t || t->pcpu < 0) {
		outcome(a, OUTCOME_SKIPPED, "the vCPU is gone");
		return;
	}
	if (cpuset_empty(&online)) {
		outcome(a, OUTCOME_FAILED, "none of these pCPUs is online");
		return;
	}
	now = sim_affinity(s, t);
	if (cpuset_equal(&now, &a->to)) {
		outcome(a, OUTCOME_SKIPPED, "it is there already");
		return;
	}
	struct cpuset to = a->to;
	cpuset_and(&to, &s->all);
	sim_pin(s, t, &to);
	s->report.pins++;
	outcome(a, OUTCOME_DONE, "");
}

static void apply_balloon(struct sim *s, struct sim_vm *vm, struct action *a)
{
	if (vm->is->balloon == BALLOON_NO_DEVICE) {
		outcome(a, OUTCOME_FAILED, "the VM has no balloon device");
	} else if (vm->is->balloon == BALLOON_REFUSE) {
		outcome(a, OUTCOME_FAILED, "the hypervisor refuses to set the balloon");
	} else if (a->to_kib <= 0 || a->to_kib > vm->is->max_kib) {
		outcome(a, OUTCOME_FAILED, "the target is outside of what the VM may have");
	} else {
		vm->mem.target = (double)a->to_kib;
		s->report.balloons++;
		outcome(a, OUTCOME_DONE, "");
	}
}

static void apply_period(struct sim *s, struct sim_vm *vm, struct action *a)
{
	if (vm->is->balloon == BALLOON_NO_DEVICE) {
		outcome(a, OUTCOME_FAILED, "the VM has no balloon device");
		return;
	}
	mem_period(s, vm, a->to_s);
	s->report.periods++;
	outcome(a, OUTCOME_DONE, "");
}

static void apply_shares(struct sim *s, struct sim_vm *vm, struct action *a)
{
	if (!s->scn->cpu_shares) {
		outcome(a, OUTCOME_FAILED, "the host has no CPU controller");
	} else if (a->to_shares > 10000) {
		outcome(a, OUTCOME_FAILED, "CPU shares end at 10000 on this host");
	} else {
		sim_weigh(s, vm, a->to_shares);
		outcome(a, OUTCOME_DONE, "");
	}
}

static struct sim_vm *find_vm(struct sim *s, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < s->n_vms; i++)
		if (s->vms[i].life != LIFE_NONE && uuid_compare(s->vms[i].is->uuid, uuid) == 0)
			return &s->vms[i];
	return NULL;
}

static void apply_one(struct sim *s, struct action *a)
{
	static const struct {
		void (*apply)(struct sim *s, struct sim_vm *vm, struct action *a);
		enum fail_kind kind;
	} ways[] = {
		[ACTION_PIN] = {apply_pin, FAIL_PIN},
		[ACTION_BALLOON] = {apply_balloon, FAIL_BALLOON},
		[ACTION_PERIOD] = {apply_period, FAIL_PERIOD},
		[ACTION_SHARES] = {apply_shares, FAIL_SHARES},
	};
	struct sim_vm *vm = find_vm(s, a->uuid);
	const struct scn_fail *by_kind = call_fails(s, ways[a->kind].kind), *any = call_fails(s, FAIL_APPLY);
	const struct scn_fail *fail = by_kind ? by_kind : any;
	if (s->disconnected)
		outcome(a, OUTCOME_FAILED, "the connection is cut");
	else if (!vm)
		outcome(a, OUTCOME_SKIPPED, "the VM is gone");
	else if (vm->hung_ns >= 0)
		outcome(a, OUTCOME_UNKNOWN, "no answer in time");
	else if (fail && !fail->unknown)
		outcome(a, OUTCOME_FAILED, "this call fails in this scenario");
	else
		ways[a->kind].apply(s, vm, a);
	if (fail && fail->unknown && a->outcome == OUTCOME_DONE)
		outcome(a, OUTCOME_UNKNOWN, "the answer is lost in this scenario");
}

static void sim_apply(struct backend *b, struct action *actions, size_t n)
{
	struct sim *s = sim_of(b);
	follow_clock(s);
	for (size_t i = 0; i < n; i++)
		apply_one(s, &actions[i]);
	pool_share(s);
}

/* Polls for at most ms; interrupted counts as time. */
static bool input_comes(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, fd >= 0, ms) > 0;
}

static bool at_end(const struct sim *s)
{
	return s->scn->end_ns && s->t_ns >= s->scn->end_ns;
}

/* An event tells of a change once: whoever does not look at once is not woken for it again. */
static bool event_comes(struct sim *s)
{
	bool comes = s->scn->events && s->changed;
	s->changed = false;
	return comes;
}

/* Up to t, but not past the end of the scenario nor past something an event would tell. */
static enum wake advance_watching(struct sim *s, int64_t t)
{
	if (s->scn->end_ns && t > s->scn->end_ns)
		t = s->scn->end_ns;
	while (s->t_ns < t) {
		sim_advance(s, min_of(s->grid_ns, t));
		if (s->t_ns < t && event_comes(s))
			return WAKE_EVENT;
	}
	return at_end(s) ? WAKE_END : WAKE_TIMER;
}

/* How long nothing happens that wait() would tell of, at most half a minute. */
static int64_t quiet_ns(const struct sim *s)
{
	int64_t most = s->t_ns + INT64_C(30000000000),
		change = s->scn->events ? sim_next_change(s) : INT64_MAX;
	if (s->scn->end_ns && s->scn->end_ns < most)
		most = s->scn->end_ns;
	return (min_of(change, most)) - s->t_ns;
}

static enum wake wait_real(struct sim *s, int64_t until_ns, int fd)
{
	for (;;) {
		follow_clock(s);
		int64_t left = until_ns - backend_real_now(&s->base), quiet = quiet_ns(s);
		if (at_end(s))
			return WAKE_END;
		if (event_comes(s))
			return WAKE_EVENT;
		if (left <= 0)
			return WAKE_TIMER;
		int64_t ms = (min_of(left, quiet) + 999999) / 1000000;
		if (input_comes(fd, ms > 0 ? (int)ms : 0))
			return WAKE_INPUT;
	}
}

static enum wake sim_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct sim *s = sim_of(b);
	if (!s->virtual_time)
		return wait_real(s, until_ns, fd);
	if (fd >= 0 && input_comes(fd, 0))
		return WAKE_INPUT;
	return advance_watching(s, until_ns - s->start_ns);
}

static void sim_status(struct backend *b, struct backend_status *st)
{
	struct sim *s = sim_of(b);
	memset(st, 0, sizeof *st);
	snprintf(st->uri, sizeof st->uri, "sim:%s", s->scn->name);
	st->link = s->disconnected ? LINK_LOST : LINK_OK;
	if (s->disconnected)
		snprintf(st->text, sizeof st->text, "the scenario has cut the connection; trying again");
}

static void sim_close(struct backend *b)
{
	if (!b)
		return;
	struct sim *s = sim_of(b);
	scenario_free(s->scn);
	free(s->pcpus);
	free(s->vms);
	free(s->threads);
	free(s->next_event);
	free(s->duty);
	free(s->on);
	free(s->pools);
	free(s);
}

static int64_t sim_wall(struct backend *b)
{
	const struct sim *s = sim_of(b);
	return to_wall(s, s->t_ns);
}

static const struct backend_ops sim_ops = {
	.source = SOURCE_SIMULATOR,
	.sample = sim_sample,
	.apply = sim_apply,
	.wait = sim_wait,
	.close = sim_close,
	.now = sim_now,
	.status = sim_status,
	.wall = sim_wall,
};

int sim_report_get(const struct backend *b, struct sim_report *r)
{
	if (!b || b->ops != &sim_ops)
		return -1;
	const struct sim *s = (const struct sim *)(const void *)b;
	*r = s->report;
	r->stddev_pct = cpu_stddev_pct(s);
	return 0;
}

struct backend *backend_sim_new(struct scenario *scn, bool virtual_time, struct err *e)
{
	struct sim *s = calloc(1, sizeof *s);
	if (!s) {
		scenario_free(scn);
		err_set(e, ERR_NOMEM, "out of memory for the simulated host");
		return NULL;
	}
	s->base.ops = &sim_ops;
	s->scn = scn;
	s->virtual_time = virtual_time;
	s->start_ns = virtual_time ? SIM_EPOCH_NS : backend_real_now(&s->base);
	s->wall_start_ns = virtual_time ? SIM_WALL_NS : clock_wall_ns();
	if (sim_build(s, e) == 0)
		return &s->base;
	sim_close(&s->base);
	return NULL;
}

struct backend *backend_sim_open(const struct config *cfg, const char *name, bool virtual_time, struct err *e)
{
	(void)cfg; /* the simulated host answers at once: no deadline is needed */
	struct scenario *scn = scenario_open(name, e);
	return scn ? backend_sim_new(scn, virtual_time, e) : NULL;
}
