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

double mem_available(const struct sim *sim)
{
	double left = (double)sim->scn->total_kib - sim->host_used;
	for (size_t i = 0; i < sim->n_vms; i++)
		if (sim->vms[i].life != LIFE_NONE)
			left -= mem_rss(&sim->vms[i]) - sim->vms[i].mem.virgin;
	return left;
}

void mem_eat(struct sim *sim, struct sim_vm *vm, const struct eat *eat)
{
	struct sim_guest *guest = &vm->mem;
	guest->eat = *eat;
	guest->app = 0;
	guest->meals = 0;
	guest->appetite = eat->rate_hi_kib_s ? APPETITE_WAIT : APPETITE_DONE;
	guest->eat_since_ns = sim->t_ns;
	guest->phase_ns = sim->t_ns + eat->after_ns;
}

void mem_period(struct sim *sim, struct sim_vm *vm, int period_s)
{
	struct sim_guest *guest = &vm->mem;
	if (period_s == guest->period_s)
		return;
	guest->period_s = period_s;
	guest->period_since_ns = sim->t_ns / SIM_GRID_NS * SIM_GRID_NS;
	guest->reported = false;
}

void mem_boot(struct sim *sim, struct sim_vm *vm, bool fresh)
{
	struct sim_guest *guest = &vm->mem;
	if (fresh) {
		*guest = (struct sim_guest){
			.cur = (double)vm->is->memory_kib, .target = (double)vm->is->memory_kib, .pace = 1};
		guest->used_before = mem_used(vm);
		mem_period(sim, vm, vm->is->period_s);
		mem_eat(sim, vm, &vm->is->eat);
		guest->shown = guest->cur;
		return;
	}
	/* A reboot resets the device: the guest has all its memory until its driver is back. */
	guest->boot_until_ns = sim->t_ns + boot_ns;
	guest->cur = (double)vm->is->max_kib;
	guest->reported = false;
	guest->swapped = guest->swap_in = guest->swap_out = guest->faults = 0;
	guest->period_since_ns = guest->boot_until_ns;
	mem_eat(sim, vm, &vm->is->eat);
}

static void begin_meal(struct sim *sim, struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	double lo = (double)guest->eat.rate_lo_kib_s, hi = (double)guest->eat.rate_hi_kib_s;
	uint64_t key = (uint64_t)(vm - sim->vms) * 0x9e3779b97f4a7c15u ^ 0xea7;
	guest->rate = lo + (hi - lo) * sim_random(sim, key, guest->meals++);
	guest->appetite = APPETITE_EAT;
	guest->phase_ns = sim->t_ns;
}

static void end_meal(struct sim *sim, struct sim_guest *guest)
{
	if (!guest->eat.keep)
		guest->app = 0;
	guest->appetite = APPETITE_DONE;
	if (!guest->eat.every_ns)
		return;
	guest->appetite = APPETITE_WAIT;
	int64_t first = guest->eat_since_ns + guest->eat.after_ns;
	guest->phase_ns = first + ((sim->t_ns - first) / guest->eat.every_ns + 1) * guest->eat.every_ns;
}

static void eat(struct sim *sim, struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	double base = (double)vm->is->base_kib, to = (double)guest->eat.to_kib;
	if (vm->is->trace) {
		guest->app = fmax(0, (double)vm->is->trace->used_kib[sim->trace_at] - base);
		return;
	}
	if (guest->appetite == APPETITE_WAIT && sim->t_ns >= guest->phase_ns)
		begin_meal(sim, vm);
	if (guest->appetite == APPETITE_EAT) {
		guest->app += guest->rate * step_s * guest->pace;
		if (to > 0 && base + guest->app > to)
			guest->app = fmax(0, to - base);
		bool full = to > 0 && base + guest->app >= to;
		if (full || (guest->eat.for_ns && sim->t_ns - guest->phase_ns >= guest->eat.for_ns)) {
			guest->appetite = APPETITE_HOLD;
			guest->phase_ns = sim->t_ns;
		}
	} else if (guest->appetite == APPETITE_HOLD && sim->t_ns - guest->phase_ns >= guest->eat.hold_ns) {
		end_meal(sim, guest);
	}
}

static void move_balloon(const struct sim *sim, struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	if (!has_driver(vm) || sim->t_ns < guest->boot_until_ns)
		return;
	double speed = (double)vm->is->speed_kib_s * step_s;
	if (guest->cur < guest->target) {
		guest->cur = fmin(guest->target, guest->cur + speed * grow_factor);
		return;
	}
	/* It can take what is free, and push out as much as swap takes. */
	double least = mem_used(vm) + kernel_kib;
	double swap_left = (double)vm->is->swap_kib - guest->swapped;
	least -= fmax(0, fmin(swap_left, swap_speed_kib_s * step_s));
	least = fmax(least, fmax((double)vm->is->stuck_kib, kernel_kib));
	double to = fmax(guest->target, fmax(guest->cur - speed, least));
	guest->cur = fmin(guest->cur, to);
}

/* What does not fit goes to swap; what swap does not hold ends in the guest's killer. */
static void squeeze(struct sim *sim, struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	double wanted = (double)vm->is->base_kib + guest->app;
	double need = fmax(0, fmin(wanted, wanted - (guest->cur - kernel_kib)));
	if (need > guest->swapped) {
		guest->swap_out += need - guest->swapped;
		guest->swapped = need;
	} else {
		double back = fmin(guest->swapped - need, swap_speed_kib_s * step_s);
		guest->swap_in += back;
		guest->swapped -= back;
	}
	if (need > 0) { /* the guest goes on touching what is out */
		double thrash = fmin(guest->swapped, swap_speed_kib_s / 4) * step_s;
		guest->swap_in += thrash;
		guest->swap_out += thrash;
	}
	guest->faults = guest->swap_in / 16;
	if (guest->swapped <= (double)vm->is->swap_kib)
		return;
	if (guest->app > 0 && !vm->is->trace) {
		sim->report.oom_kills++;
		guest->app = 0;
		guest->eat.keep = false;
		end_meal(sim, guest);
	}
	guest->swapped = fmin(guest->swapped, (double)vm->is->swap_kib);
}

static void file_report(struct sim *sim, struct sim_vm *vm)
{
	struct sim_guest *guest = &vm->mem;
	double usable = fmax(0, guest->cur - mem_used(vm)), caches = fmin((double)vm->is->cache_kib, usable);
	guest->zero = !guest->reported;
	guest->reported = true;
	guest->report_ns = sim->t_ns;
	guest->r_available = guest->cur;
	guest->r_caches = caches;
	guest->r_usable = fmin(guest->cur, usable + (double)vm->is->lie_kib);
	guest->r_unused = fmin(guest->cur, usable - caches + (double)vm->is->lie_kib);
	guest->r_swap_in = guest->swap_in;
	guest->r_swap_out = guest->swap_out;
	guest->r_faults = guest->faults;
}

static void maybe_report(struct sim *sim, struct sim_vm *vm)
{
	const struct sim_guest *guest = &vm->mem;
	int64_t period = (int64_t)guest->period_s * 1000000000, since = sim->t_ns - guest->period_since_ns;
	if (period && has_driver(vm) && !vm->is->no_stats && since > 0 && since % period == 0)
		file_report(sim, vm);
}

static void account(struct sim *sim, const struct sim_vm *vm)
{
	struct sim_report *report = &sim->report;
	double usable = vm->mem.cur - mem_used(vm);
	if (usable < 16 * 1024 || vm->mem.swapped > 0 || vm->mem.stalled)
		report->starved_guest_s += step_s;
	if (has_driver(vm) && (int64_t)usable < report->min_usable_kib)
		report->min_usable_kib = (int64_t)usable;
}

void mem_tick(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_vms; i++) {
		struct sim_vm *vm = &sim->vms[i];
		if (vm->life == LIFE_RUNNING) {
			eat(sim, vm);
			double before = vm->mem.cur;
			move_balloon(sim, vm);
			swap_ballooned(vm, before);
			squeeze(sim, vm);
			account(sim, vm);
			maybe_report(sim, vm);
		}
		if (vm->again_ns)
			sim->report.starved_guest_s += step_s;
		if (sim->t_ns % 1000000000 == 0)
			vm->mem.shown = vm->mem.cur;
	}
	swap_tick(sim);
	double available = mem_available(sim);
	if ((int64_t)available < sim->report.min_available_kib)
		sim->report.min_available_kib = (int64_t)available;
	if (available <= 0)
		sim->report.overcommit_s += step_s;
}
