/* SPDX-License-Identifier: MIT */
/* The toy host. Invariant: everything follows from the seed; nothing reads a clock. Knows the controller only
 * through its public contract. */
#include "mem_toy.h"
#include "plan_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

uint32_t toy_random(struct toy *t, uint32_t below)
{
	t->seed = t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below ? (uint32_t)(t->seed >> 33) % below : 0;
}

void toy_init(struct toy *t, int64_t total, int64_t base)
{
	struct err e = ERR_INIT;
	memset(t, 0, sizeof *t);
	t->total = t->lowest_free = total;
	t->base = base;
	t->seed = 1;
	t->psi_some = t->psi_full = -1;
	config_defaults(&t->cfg);
	t->cfg.mem_boot_s = 0;
	sample_init(&t->sample);
	plan_init(&t->plan);
	t->ctl = mem_ctl_new(&t->cfg, &e);
	if (!t->ctl || model_init(&t->model, &t->cfg, &e) < 0)
		abort();
}

void toy_done(struct toy *t)
{
	mem_ctl_free(t->ctl);
	model_done(&t->model);
	sample_done(&t->sample);
	plan_done(&t->plan);
	rules_done(&t->rules);
}

struct toy_guest *toy_add(struct toy *t, int64_t max, int64_t balloon, int64_t want)
{
	struct toy_guest *g = &t->g[t->n++];
	memset(g, 0, sizeof *g);
	g->max = max;
	g->balloon = g->target = g->lowest = g->highest = balloon;
	g->want = g->used = want;
	g->touched = want;
	g->speed = 512 * TOY_MIB;
	g->period = 2;
	g->state = VM_RUNNING;
	g->id = (int)t->n;
	g->s_time_s = -1;
	g->rule = (struct vm_rule){.cpu_weight = 1, .mem_shares = 1, .target_kib = -1};
	return g;
}

int64_t toy_available(const struct toy *t)
{
	int64_t free = t->total - t->base;
	for (size_t i = 0; i < t->n; i++)
		free -= t->g[i].touched;
	return free;
}

/* --- a second of a guest --- */

static void balloon_move(struct toy_guest *g)
{
	if (g->manner == TOY_STUCK || g->hung)
		return;
	int64_t d = g->target - g->balloon;
	g->balloon += d > 0 ? least(d, g->speed) : -least(-d, g->speed);
}

static void programs_run(struct toy_guest *g)
{
	int64_t room = most(g->balloon + g->plugged - 8 * TOY_MIB, 0);
	bool lacks = g->want > room;
	g->kills += g->swapless && lacks && !g->killed;
	g->killed = g->swapless && lacks;
	g->used = g->killed ? room / 2 : least(g->want, room);
	if (lacks) {
		g->starved_s++;
		g->swap_in += 256;
	}
	g->cache = most(least(g->cache + g->cache_rate, room - g->used), 0);
	g->faults += 1;
	g->touched = most(g->touched, g->used + g->cache);
	g->touched = least(g->touched, g->balloon + g->plugged);
}

static void figures_write(struct toy *t, struct toy_guest *g)
{
	if (!g->period || t->now_s % g->period || g->manner == TOY_SILENT || g->hung)
		return;
	g->s_balloon = g->balloon;
	g->s_usable = most(g->balloon + g->plugged - g->used, 0);
	g->s_unused = most(g->s_usable - g->cache, 0);
	g->s_time_s = t->now_s;
	if (g->manner == TOY_LIAR) {
		g->s_usable = (int64_t)toy_random(t, (uint32_t)g->max);
		g->s_unused = (int64_t)toy_random(t, (uint32_t)g->s_usable + 1);
	}
}

void toy_second(struct toy *t)
{
	t->now_s++;
	for (size_t i = 0; i < t->n; i++) {
		struct toy_guest *g = &t->g[i];
		if (g->gone || (g->state != VM_RUNNING && g->state != VM_BLOCKED))
			continue;
		balloon_move(g);
		programs_run(g);
		figures_write(t, g);
		g->lowest = least(g->lowest, g->balloon);
		g->highest = most(g->highest, g->balloon);
	}
	int64_t free = toy_available(t);
	t->lowest_free = least(t->lowest_free, free);
	t->over_s += free < 0;
	t->below5_s += free < t->total / 20;
}

/* --- what a backend reads --- */

static struct vi64 figure(const struct toy_guest *g, int64_t v)
{
	if (g->hung)
		return vi64_absent(AVAIL_HUNG);
	if (g->no_device)
		return vi64_absent(AVAIL_NO_DEVICE);
	if (!g->period)
		return vi64_absent(AVAIL_NO_PERIOD);
	return g->s_time_s < 0 ? vi64_absent(AVAIL_NO_DRIVER) : vi64_ok(v);
}

static void guest_sample(const struct toy *t, const struct toy_guest *g, struct vm_sample *vm, size_t i)
{
	const int64_t epoch_s = 1600000000;
	snprintf(vm->name, sizeof vm->name, "toy%zu", i);
	vm->id = g->id;
	vm->state = g->state;
	vm->flags = g->flags;
	vm->hung_since_ns = g->hung ? t->now_s * INT64_C(1000000000) - 1 : 0;
	vm->mem.balloon_device = !g->no_device;
	vm->mem.max_kib = vi64_ok(g->max);
	vm->mem.balloon_kib = g->hung ? vi64_absent(AVAIL_HUNG) : vi64_ok(g->balloon);
	vm->mem.unused_kib = figure(g, g->s_unused);
	vm->mem.usable_kib = figure(g, g->s_usable);
	vm->mem.available_kib = figure(g, g->s_balloon);
	vm->mem.last_update_ns = figure(g, (epoch_s + g->s_time_s) * INT64_C(1000000000));
	vm->mem.rss_kib = vi64_ok(g->touched + 64 * TOY_MIB);
	vm->mem.swap_in_kib = figure(g, g->swapless ? 0 : g->swap_in);
	vm->mem.swap_out_kib = figure(g, g->swapless ? 0 : g->swap_in);
	vm->mem.plugged_kib = g->plugged ? vi64_ok(g->plugged) : vi64_absent(AVAIL_NONE);
	vm->mem.major_faults = figure(g, g->faults);
	vm->mem.period_s = vi64_ok(g->period);
	vm->mem.min_guarantee_kib =
		g->min_guarantee ? vi64_ok(g->min_guarantee) : vi64_absent(AVAIL_UNSUPPORTED);
	vm->mem.limit_kib = g->limit ? vi64_ok(g->limit) : vi64_absent(AVAIL_NONE);
	vm->mem.group_limit_kib = g->group_limit ? vi64_ok(g->group_limit) : vi64_absent(AVAIL_NONE);
	vm->mem.limit_group = g->group_limit ? 77 : 0;
	vm->mem_nodes = g->node ? UINT64_C(1) << (g->node - 1) : 0;
	vm->mem_nodes_strict = g->node != 0;
}

static struct vf64 pressure(int64_t pct)
{
	return pct < 0 ? vf64_absent(AVAIL_REMOTE) : vf64_ok((double)pct);
}

static void rules_fill(struct toy *t)
{
	struct err e = ERR_INIT;
	if (rules_build(&t->rules, &t->cfg, &t->sample, NULL) < 0)
		abort();
	for (size_t i = 0; i < t->sample.n_vms; i++) {
		const struct toy_guest *g = &t->g[t->sample.vms[i].uuid[15]];
		if (t->rules.vms[i].memory == REASON_NONE)
			t->rules.vms[i] = g->rule;
		t->rules.vms[i].target_age_ns = t->sample.time_ns - g->set_ns;
	}
	if (model_update(&t->model, &t->sample, &e) < 0)
		abort();
}

/* The host's own memory, and that of guests that are bound to no node, lies everywhere. */
static void nodes_fill(const struct toy *t, struct host_sample *h)
{
	for (int k = 0; k < t->nodes; k++) {
		int64_t free = (t->total - t->base) / t->nodes;
		for (size_t i = 0; i < t->n; i++)
			free -= !t->g[i].node           ? t->g[i].touched / t->nodes
				: t->g[i].node == k + 1 ? t->g[i].touched
							: 0;
		h->nodes[h->n_nodes++] =
			(struct node_sample){k, vi64_ok(t->total / t->nodes), vi64_ok(most(free, 0))};
	}
}

void toy_sample(struct toy *t)
{
	struct err e = ERR_INIT;
	sample_reset(&t->sample);
	t->sample.time_ns = (t->now_s + 1) * INT64_C(1000000000);
	t->sample.wall_ns = (t->now_s + 1600000000) * INT64_C(1000000000);
	t->sample.host.local = true;
	t->sample.host.total_kib = vi64_ok(t->total);
	t->sample.host.available_kib = vi64_ok(most(toy_available(t), 0));
	t->sample.host.swap_used_kib = vi64_ok(t->swap_used);
	t->sample.host.psi_some_avg10 = pressure(t->psi_some);
	t->sample.host.psi_full_avg10 = pressure(t->psi_full);
	nodes_fill(t, &t->sample.host);
	for (size_t i = 0; i < t->n; i++) {
		uint8_t uuid[UUID_BYTES] = {[0] = 1, [15] = (uint8_t)i};
		struct vm_sample *vm = t->g[i].gone ? NULL : sample_add_vm(&t->sample, uuid);
		if (vm)
			guest_sample(t, &t->g[i], vm, i);
	}
	if (sample_finish(&t->sample, &e) < 0)
		abort();
	rules_fill(t);
}

/* --- a cycle --- */

static void order_book(struct toy_guest *g, const struct action *a)
{
	int64_t dir = a->to_kib > a->from_kib ? 1 : -1;
	g->calls++;
	g->up_steps += dir > 0;
	g->reversals += g->last_dir && dir != g->last_dir;
	g->last_dir = dir;
	if (a->to_kib < g->balloon)
		g->largest_drop_pct = most(g->largest_drop_pct, (g->balloon - a->to_kib) * 100 / g->balloon);
}

void toy_apply(struct toy *t)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		struct action *a = &t->plan.actions[i];
		struct toy_guest *g = &t->g[a->uuid[15]];
		order_book(g, a);
		a->outcome = g->manner == TOY_REFUSE ? OUTCOME_FAILED
			     : g->hung               ? OUTCOME_UNKNOWN
						     : OUTCOME_DONE;
		if (a->outcome != OUTCOME_DONE)
			continue;
		g->target = g->rule.target_kib = a->to_kib;
		g->set_ns = t->sample.time_ns;
	}
}

static void toy_check(struct toy *t)
{
	const char *broken = plan_check(&t->plan, &t->sample);
	if (broken && !t->broken[0])
		snprintf(t->broken, sizeof t->broken, "%" PRId64 " s: %s", t->now_s, broken);
}

void toy_cycle(struct toy *t, enum round_mode mode)
{
	struct err e = ERR_INIT;
	struct round r = {.sample = &t->sample,
		.model = &t->model,
		.rules = &t->rules,
		.cfg = &t->cfg,
		.mode = mode,
		.early = t->early};
	plan_reset(&t->plan);
	if (mem_ctl_plan(t->ctl, &r, &t->plan, t->status, &t->verdict, &e) < 0)
		abort();
	toy_check(t);
	if (mode != ROUND_AUTO && mode != ROUND_FORCED)
		return;
	toy_apply(t);
	mem_ctl_applied(t->ctl, &r, &t->plan);
}

void toy_run(struct toy *t, int64_t seconds, void (*want)(struct toy *t))
{
	for (int64_t i = 0; i < seconds; i++) {
		if (want)
			want(t);
		toy_second(t);
		toy_beat(t);
	}
}

void toy_beat(struct toy *t)
{
	int64_t cycle = most((int64_t)mem_cycle_s(&t->cfg), 1);
	t->early = t->now_s % cycle != 0;
	if (t->early && (t->now_s % 2 || !mem_ctl_watchful(t->ctl))) {
		t->early = false;
		return;
	}
	toy_sample(t);
	toy_cycle(t, ROUND_AUTO);
	t->early = false;
}

void toy_by_hand(struct toy *t, size_t guest, int64_t kib)
{
	struct toy_guest *g = &t->g[guest];
	g->target = g->rule.target_kib = kib;
	g->set_ns = t->now_s * INT64_C(1000000000) + 1;
}

void toy_foreign(struct toy *t, size_t guest, int64_t kib)
{
	t->g[guest].target = kib;
}

void toy_reboot(struct toy *t, size_t guest)
{
	struct toy_guest *g = &t->g[guest];
	g->balloon = g->max;
	g->used = g->cache = 0;
	g->swap_in = g->faults = 0;
	g->s_time_s = -1;
}
