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

int64_t to_clock(const struct sim *sim, int64_t t_ns)
{
	return sim->start_ns + t_ns;
}

int64_t to_wall(const struct sim *sim, int64_t t_ns)
{
	return sim->wall_start_ns + t_ns;
}

static struct sim *sim_of(struct backend *backend)
{
	return (struct sim *)(void *)backend;
}

static int64_t sim_now(struct backend *backend)
{
	struct sim *sim = sim_of(backend);
	return sim->virtual_time ? to_clock(sim, sim->t_ns) : backend_real_now(&sim->base);
}

/* Real time: catches up. After a long stop (a suspended machine) the host goes on from where it was. */
static void follow_clock(struct sim *sim)
{
	const int64_t most = INT64_C(60000000000);
	int64_t t = backend_real_now(&sim->base) - sim->start_ns;
	if (sim->virtual_time)
		return;
	if (t - sim->t_ns > most) {
		sim->start_ns += t - sim->t_ns - most;
		sim->wall_start_ns += t - sim->t_ns - most;
		t = sim->t_ns + most;
	}
	sim_advance(sim, t);
}

/* Counts the call; the failure that the scenario has for it, or NULL. */
static const struct scn_fail *call_fails(struct sim *sim, enum fail_kind kind)
{
	long nth = ++sim->calls[kind];
	for (size_t i = 0; i < sim->scn->n_fails; i++)
		if (sim->scn->fails[i].kind == kind && sim->scn->fails[i].nth == nth)
			return &sim->scn->fails[i];
	return NULL;
}

static int sim_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err)
{
	struct sim *sim = sim_of(backend);
	follow_clock(sim);
	sim->changed = false;
	if (sim->disconnected)
		return err_set(err, ERR_GONE, "the scenario has cut the connection");
	if (call_fails(sim, FAIL_SAMPLE))
		return err_set(
			err, ERR_TIMEOUT, "sample %ld fails in this scenario", sim->calls[FAIL_SAMPLE]);
	return sim_sample_fill(sim, groups, to, err);
}

static void outcome(struct action *action, enum outcome o, const char *why)
{
	action->outcome = o;
	snprintf(action->error, sizeof action->error, "%s", why);
}

static void apply_pin(struct sim *sim, struct sim_vm *vm, struct action *action)
{
	struct sim_thread *thread = action->vcpu >= 0 && action->vcpu < vm->n_slots
					    ? &sim->threads[vm->first_thread + action->vcpu]
					    : NULL;
	struct cpuset now, online = action->to;
	cpuset_and(&online, &sim->online);
	if (!thread || thread->pcpu < 0) {
		outcome(action, OUTCOME_SKIPPED, "the vCPU is gone");
		return;
	}
	if (cpuset_empty(&online)) {
		outcome(action, OUTCOME_FAILED, "none of these pCPUs is online");
		return;
	}
	now = sim_affinity(sim, thread);
	if (cpuset_equal(&now, &action->to)) {
		outcome(action, OUTCOME_SKIPPED, "it is there already");
		return;
	}
	struct cpuset to = action->to;
	cpuset_and(&to, &sim->all);
	sim_pin(sim, thread, &to);
	sim->report.pins++;
	outcome(action, OUTCOME_DONE, "");
}

static void apply_balloon(struct sim *sim, struct sim_vm *vm, struct action *action)
{
	if (vm->is->balloon == BALLOON_NO_DEVICE) {
		outcome(action, OUTCOME_FAILED, "the VM has no balloon device");
	} else if (vm->is->balloon == BALLOON_REFUSE) {
		outcome(action, OUTCOME_FAILED, "the hypervisor refuses to set the balloon");
	} else if (action->to_kib <= 0 || action->to_kib > vm->is->max_kib) {
		outcome(action, OUTCOME_FAILED, "the target is outside of what the VM may have");
	} else {
		vm->mem.target = (double)action->to_kib;
		sim->report.balloons++;
		outcome(action, OUTCOME_DONE, "");
	}
}

static void apply_period(struct sim *sim, struct sim_vm *vm, struct action *action)
{
	if (vm->is->balloon == BALLOON_NO_DEVICE) {
		outcome(action, OUTCOME_FAILED, "the VM has no balloon device");
		return;
	}
	mem_period(sim, vm, action->to_s);
	sim->report.periods++;
	outcome(action, OUTCOME_DONE, "");
}

static void apply_shares(struct sim *sim, struct sim_vm *vm, struct action *action)
{
	if (!sim->scn->cpu_shares) {
		outcome(action, OUTCOME_FAILED, "the host has no CPU controller");
	} else if (action->to_shares > 10000) {
		outcome(action, OUTCOME_FAILED, "CPU shares end at 10000 on this host");
	} else {
		sim_weigh(sim, vm, action->to_shares);
		outcome(action, OUTCOME_DONE, "");
	}
}

static struct sim_vm *find_vm(struct sim *sim, const uint8_t uuid[UUID_BYTES])
{
	for (size_t i = 0; i < sim->n_vms; i++)
		if (sim->vms[i].life != LIFE_NONE && uuid_compare(sim->vms[i].is->uuid, uuid) == 0)
			return &sim->vms[i];
	return NULL;
}

static void apply_one(struct sim *sim, struct action *action)
{
	static const struct {
		void (*apply)(struct sim *sim, struct sim_vm *vm, struct action *action);
		enum fail_kind kind;
	} ways[] = {
		[ACTION_PIN] = {apply_pin, FAIL_PIN},
		[ACTION_BALLOON] = {apply_balloon, FAIL_BALLOON},
		[ACTION_PERIOD] = {apply_period, FAIL_PERIOD},
		[ACTION_SHARES] = {apply_shares, FAIL_SHARES},
	};
	struct sim_vm *vm = find_vm(sim, action->uuid);
	const struct scn_fail *by_kind = call_fails(sim, ways[action->kind].kind),
			      *any = call_fails(sim, FAIL_APPLY);
	const struct scn_fail *fail = by_kind ? by_kind : any;
	if (sim->disconnected)
		outcome(action, OUTCOME_FAILED, "the connection is cut");
	else if (!vm)
		outcome(action, OUTCOME_SKIPPED, "the VM is gone");
	else if (vm->hung_ns >= 0)
		outcome(action, OUTCOME_UNKNOWN, "no answer in time");
	else if (fail && !fail->unknown)
		outcome(action, OUTCOME_FAILED, "this call fails in this scenario");
	else
		ways[action->kind].apply(sim, vm, action);
	if (fail && fail->unknown && action->outcome == OUTCOME_DONE)
		outcome(action, OUTCOME_UNKNOWN, "the answer is lost in this scenario");
}

static void sim_apply(struct backend *backend, struct action *actions, size_t n)
{
	struct sim *sim = sim_of(backend);
	follow_clock(sim);
	for (size_t i = 0; i < n; i++)
		apply_one(sim, &actions[i]);
	pool_share(sim);
}

/* Polls for at most ms; interrupted counts as time. */
static bool input_comes(int fd, int ms)
{
	struct pollfd fds = {.fd = fd, .events = POLLIN};
	return poll(&fds, fd >= 0, ms) > 0;
}

static bool at_end(const struct sim *sim)
{
	return sim->scn->end_ns && sim->t_ns >= sim->scn->end_ns;
}

/* An event tells of a change once: whoever does not look at once is not woken for it again. */
static bool event_comes(struct sim *sim)
{
	bool comes = sim->scn->events && sim->changed;
	sim->changed = false;
	return comes;
}

/* Up to t, but not past the end of the scenario nor past something an event would tell. */
static enum wake advance_watching(struct sim *sim, int64_t t)
{
	if (sim->scn->end_ns && t > sim->scn->end_ns)
		t = sim->scn->end_ns;
	while (sim->t_ns < t) {
		sim_advance(sim, min_of(sim->grid_ns, t));
		if (sim->t_ns < t && event_comes(sim))
			return WAKE_EVENT;
	}
	return at_end(sim) ? WAKE_END : WAKE_TIMER;
}

/* How long nothing happens that wait() would tell of, at most half a minute. */
static int64_t quiet_ns(const struct sim *sim)
{
	int64_t most = sim->t_ns + INT64_C(30000000000),
		change = sim->scn->events ? sim_next_change(sim) : INT64_MAX;
	if (sim->scn->end_ns && sim->scn->end_ns < most)
		most = sim->scn->end_ns;
	return (min_of(change, most)) - sim->t_ns;
}

static enum wake wait_real(struct sim *sim, int64_t until_ns, int fd)
{
	for (;;) {
		follow_clock(sim);
		int64_t left = until_ns - backend_real_now(&sim->base), quiet = quiet_ns(sim);
		if (at_end(sim))
			return WAKE_END;
		if (event_comes(sim))
			return WAKE_EVENT;
		if (left <= 0)
			return WAKE_TIMER;
		int64_t ms = (min_of(left, quiet) + 999999) / 1000000;
		if (input_comes(fd, (int)max_of(ms, 0)))
			return WAKE_INPUT;
	}
}

static enum wake sim_wait(struct backend *backend, int64_t until_ns, int fd)
{
	struct sim *sim = sim_of(backend);
	if (!sim->virtual_time)
		return wait_real(sim, until_ns, fd);
	if (fd >= 0 && input_comes(fd, 0))
		return WAKE_INPUT;
	return advance_watching(sim, until_ns - sim->start_ns);
}

static void sim_status(struct backend *backend, struct backend_status *status)
{
	struct sim *sim = sim_of(backend);
	memset(status, 0, sizeof *status);
	snprintf(status->uri, sizeof status->uri, "sim:%s", sim->scn->name);
	status->link = sim->disconnected ? LINK_LOST : LINK_OK;
	if (sim->disconnected)
		snprintf(status->text, sizeof status->text,
			"the scenario has cut the connection; trying again");
}

static void sim_close(struct backend *backend)
{
	if (!backend)
		return;
	struct sim *sim = sim_of(backend);
	scenario_free(sim->scn);
	free(sim->pcpus);
	free(sim->vms);
	free(sim->threads);
	free(sim->next_event);
	free(sim->duty);
	free(sim->on);
	free(sim->pools);
	free(sim);
}

static int64_t sim_wall(struct backend *backend)
{
	const struct sim *sim = sim_of(backend);
	return to_wall(sim, sim->t_ns);
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

int sim_report_get(const struct backend *backend, struct sim_report *report)
{
	if (!backend || backend->ops != &sim_ops)
		return -1;
	const struct sim *sim = (const struct sim *)(const void *)backend;
	*report = sim->report;
	report->stddev_pct = cpu_stddev_pct(sim);
	return 0;
}

struct backend *backend_sim_new(struct scenario *scn, bool virtual_time, struct err *err)
{
	struct sim *sim = calloc(1, sizeof *sim);
	if (!sim) {
		scenario_free(scn);
		err_set(err, ERR_NOMEM, "out of memory for the simulated host");
		return NULL;
	}
	sim->base.ops = &sim_ops;
	sim->scn = scn;
	sim->virtual_time = virtual_time;
	sim->start_ns = virtual_time ? SIM_EPOCH_NS : backend_real_now(&sim->base);
	sim->wall_start_ns = virtual_time ? SIM_WALL_NS : clock_wall_ns();
	if (sim_build(sim, err) == 0)
		return &sim->base;
	sim_close(&sim->base);
	return NULL;
}

struct backend *backend_sim_open(
	const struct config *cfg, const char *name, bool virtual_time, struct err *err)
{
	(void)cfg; /* the simulated host answers at once: no deadline is needed */
	struct scenario *scn = scenario_open(name, err);
	return scn ? backend_sim_new(scn, virtual_time, err) : NULL;
}
