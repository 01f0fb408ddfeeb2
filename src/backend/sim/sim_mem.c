/* SPDX-License-Identifier: MIT */
/* Memory of the simulated guests: appetite, balloon, swap, the guest's own out-of-memory killer, and the
 * reports that a guest sends once a statistics period is set. Invariant: the host gets memory back only as a
 * balloon really moves. All amounts in KiB as double; one call per grid step. */
#include <math.h>

#include "sim.h"

static const double step_s = (double)SIM_GRID_NS / 1e9;
static const double overhead_kib = 32 * 1024; /* of QEMU itself, per VM */
static const double kernel_kib = 8 * 1024;    /* what a guest never lets go */
static const double swap_speed_kib_s = 100 * 1024;
static const double grow_factor = 4; /* a balloon lets go faster than it takes */
static const int64_t boot_ns = INT64_C(8000000000);

static bool has_driver(const struct sim_vm *vm)
{
	return vm->is->balloon == BALLOON_FOLLOW || vm->is->balloon == BALLOON_REFUSE;
}

double mem_used(const struct sim_vm *vm)
{
	return (double)vm->is->base_kib + vm->mem.app - vm->mem.swapped;
}

/* What it has, swapped out or not. */
static double mem_rss(const struct sim_vm *vm)
{
	return vm->mem.cur + overhead_kib;
}

double mem_resident(const struct sim_vm *vm)
{
	return mem_rss(vm) - vm->mem.out - vm->mem.virgin;
}

double mem_available(const struct sim *s)
{
	double left = (double)s->scn->total_kib - s->host_used;
	for (size_t i = 0; i < s->n_vms; i++)
		if (s->vms[i].life != LIFE_NONE)
			left -= mem_rss(&s->vms[i]) - s->vms[i].mem.virgin;
	return left;
}

void mem_eat(struct sim *s, struct sim_vm *vm, const struct eat *eat)
{
	struct sim_guest *g = &vm->mem;
	g->eat = *eat;
	g->app = 0;
	g->meals = 0;
	g->appetite = eat->rate_hi_kib_s ? APPETITE_WAIT : APPETITE_DONE;
	g->eat_since_ns = s->t_ns;
	g->phase_ns = s->t_ns + eat->after_ns;
}

void mem_period(struct sim *s, struct sim_vm *vm, int period_s)
{
	struct sim_guest *g = &vm->mem;
	if (period_s == g->period_s)
		return;
	g->period_s = period_s;
	g->period_since_ns = s->t_ns / SIM_GRID_NS * SIM_GRID_NS;
	g->reported = false;
}

void mem_boot(struct sim *s, struct sim_vm *vm, bool fresh)
{
	struct sim_guest *g = &vm->mem;
	if (fresh) {
		*g = (struct sim_guest){
			.cur = (double)vm->is->memory_kib, .target = (double)vm->is->memory_kib, .pace = 1};
		g->used_before = mem_used(vm);
		mem_period(s, vm, vm->is->period_s);
		mem_eat(s, vm, &vm->is->eat);
		g->shown = g->cur;
		return;
	}
	/* A reboot resets the device: the guest has all its memory until its driver is back. */
	g->boot_until_ns = s->t_ns + boot_ns;
	g->cur = (double)vm->is->max_kib;
	g->reported = false;
	g->swapped = g->swap_in = g->swap_out = g->faults = 0;
	g->period_since_ns = g->boot_until_ns;
	mem_eat(s, vm, &vm->is->eat);
}

static void begin_meal(struct sim *s, struct sim_vm *vm)
{
	struct sim_guest *g = &vm->mem;
	double lo = (double)g->eat.rate_lo_kib_s, hi = (double)g->eat.rate_hi_kib_s;
	uint64_t key = (uint64_t)(vm - s->vms) * 0x9e3779b97f4a7c15u ^ 0xea7;
	g->rate = lo + (hi - lo) * sim_random(s, key, g->meals++);
	g->appetite = APPETITE_EAT;
	g->phase_ns = s->t_ns;
}

static void end_meal(struct sim *s, struct sim_guest *g)
{
	if (!g->eat.keep)
		g->app = 0;
	g->appetite = APPETITE_DONE;
	if (!g->eat.every_ns)
		return;
	g->appetite = APPETITE_WAIT;
	int64_t first = g->eat_since_ns + g->eat.after_ns;
	g->phase_ns = first + ((s->t_ns - first) / g->eat.every_ns + 1) * g->eat.every_ns;
}

static void eat(struct sim *s, struct sim_vm *vm)
{
	struct sim_guest *g = &vm->mem;
	double base = (double)vm->is->base_kib, to = (double)g->eat.to_kib;
	if (vm->is->trace) {
		g->app = fmax(0, (double)vm->is->trace->used_kib[s->trace_at] - base);
		return;
	}
	if (g->appetite == APPETITE_WAIT && s->t_ns >= g->phase_ns)
		begin_meal(s, vm);
	if (g->appetite == APPETITE_EAT) {
		g->app += g->rate * step_s * g->pace;
		if (to > 0 && base + g->app > to)
			g->app = fmax(0, to - base);
		bool full = to > 0 && base + g->app >= to;
		if (full || (g->eat.for_ns && s->t_ns - g->phase_ns >= g->eat.for_ns)) {
			g->appetite = APPETITE_HOLD;
			g->phase_ns = s->t_ns;
		}
	} else if (g->appetite == APPETITE_HOLD && s->t_ns - g->phase_ns >= g->eat.hold_ns) {
		end_meal(s, g);
	}
}

static void move_balloon(const struct sim *s, struct sim_vm *vm)
{
	struct sim_guest *g = &vm->mem;
	if (!has_driver(vm) || s->t_ns < g->boot_until_ns)
		return;
	double speed = (double)vm->is->speed_kib_s * step_s;
	if (g->cur < g->target) {
		g->cur = fmin(g->target, g->cur + speed * grow_factor);
		return;
	}
	/* It can take what is free, and push out as much as swap takes. */
	double least = mem_used(vm) + kernel_kib;
	double swap_left = (double)vm->is->swap_kib - g->swapped;
	least -= fmax(0, fmin(swap_left, swap_speed_kib_s * step_s));
	least = fmax(least, fmax((double)vm->is->stuck_kib, kernel_kib));
	double to = fmax(g->target, fmax(g->cur - speed, least));
	g->cur = fmin(g->cur, to);
}

/* What does not fit goes to swap; what swap does not hold ends in the guest's killer. */
static void squeeze(struct sim *s, struct sim_vm *vm)
{
	struct sim_guest *g = &vm->mem;
	double wanted = (double)vm->is->base_kib + g->app;
	double need = fmax(0, fmin(wanted, wanted - (g->cur - kernel_kib)));
	if (need > g->swapped) {
		g->swap_out += need - g->swapped;
		g->swapped = need;
	} else {
		double back = fmin(g->swapped - need, swap_speed_kib_s * step_s);
		g->swap_in += back;
		g->swapped -= back;
	}
	if (need > 0) { /* the guest goes on touching what is out */
		double thrash = fmin(g->swapped, swap_speed_kib_s / 4) * step_s;
		g->swap_in += thrash;
		g->swap_out += thrash;
	}
	g->faults = g->swap_in / 16;
	if (g->swapped <= (double)vm->is->swap_kib)
		return;
	if (g->app > 0 && !vm->is->trace) {
		s->report.oom_kills++;
		g->app = 0;
		g->eat.keep = false;
		end_meal(s, g);
	}
	g->swapped = fmin(g->swapped, (double)vm->is->swap_kib);
}

static void file_report(struct sim *s, struct sim_vm *vm)
{
	struct sim_guest *g = &vm->mem;
	double usable = fmax(0, g->cur - mem_used(vm)), caches = fmin((double)vm->is->cache_kib, usable);
	g->zero = !g->reported;
	g->reported = true;
	g->report_ns = s->t_ns;
	g->r_available = g->cur;
	g->r_caches = caches;
	g->r_usable = fmin(g->cur, usable + (double)vm->is->lie_kib);
	g->r_unused = fmin(g->cur, usable - caches + (double)vm->is->lie_kib);
	g->r_swap_in = g->swap_in;
	g->r_swap_out = g->swap_out;
	g->r_faults = g->faults;
}

static void maybe_report(struct sim *s, struct sim_vm *vm)
{
	const struct sim_guest *g = &vm->mem;
	int64_t period = (int64_t)g->period_s * 1000000000, since = s->t_ns - g->period_since_ns;
	if (period && has_driver(vm) && !vm->is->no_stats && since > 0 && since % period == 0)
		file_report(s, vm);
}

static void account(struct sim *s, const struct sim_vm *vm)
{
	struct sim_report *r = &s->report;
	double usable = vm->mem.cur - mem_used(vm);
	if (usable < 16 * 1024 || vm->mem.swapped > 0 || vm->mem.stalled)
		r->starved_guest_s += step_s;
	if (has_driver(vm) && (int64_t)usable < r->min_usable_kib)
		r->min_usable_kib = (int64_t)usable;
}

void mem_tick(struct sim *s)
{
	for (size_t i = 0; i < s->n_vms; i++) {
		struct sim_vm *vm = &s->vms[i];
		if (vm->life == LIFE_RUNNING) {
			eat(s, vm);
			double before = vm->mem.cur;
			move_balloon(s, vm);
			swap_ballooned(vm, before);
			squeeze(s, vm);
			account(s, vm);
			maybe_report(s, vm);
		}
		if (vm->again_ns)
			s->report.starved_guest_s += step_s;
		if (s->t_ns % 1000000000 == 0)
			vm->mem.shown = vm->mem.cur;
	}
	swap_tick(s);
	double available = mem_available(s);
	if ((int64_t)available < s->report.min_available_kib)
		s->report.min_available_kib = (int64_t)available;
	if (available <= 0)
		s->report.overcommit_s += step_s;
}
