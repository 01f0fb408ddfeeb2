/* SPDX-License-Identifier: MIT */
/* Fewest migrations against suffering. For each overloaded host: one VM that is enough, else two, else the
 * largest one after the other; the cheapest of those, each to a host that has room for it at its peak; where
 * none has, to one that makes room by a move of its own. Done in four ways where time allows, VMs sent to the
 * emptiest host or to the fullest that will do, the worst host first or last; what cures more, then moves
 * less, then costs less is taken. One that writes its memory faster than it could be sent goes only where the
 * host cannot be cured without it. Invariant: at no point of the plan is a host that received beyond its
 * limits. */
#include "vmtop/fleet_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/minmax.h"

/* Hosts that are looked at for pairs and chains, in all: what bounds the time of a large fleet that is full.
 */
enum { LOOKS_MOST = 1500000, LOOKS_ALL = 2000000, WAYS = 4, PARTS_MOST = 16384 };
static const double eps = 1e-9;

const struct fleet_limits fleet_limits_default = {.cpu_part = .95, .keep_part = .05};

struct load {
	double cpu, cpu_peak, mem, mem_peak;
};

/* VMs that move together, mostly one. */
struct item {
	uint32_t first, n; /* of members[] */
	uint32_t unit;     /* as planned so far */
	bool fixed, endless;
	struct load need;
	double cost;
	uint64_t needs;
	uint32_t pcpus;
};

struct member {
	uint32_t group, task;
};

/* What may still come to a unit, at peaks where they count. */
struct spare {
	double left; /* the part of it that is free, of CPU or memory, the less */
	double cpu, cpu_peak, mem_peak;
};

struct unit_over {
	double part;
	uint32_t unit;
};

struct work {
	const struct fleet_unit *units;
	const struct fleet_task *tasks;
	const struct fleet_limits *limits;
	size_t n_units, n_tasks, n_items, n_apart, n_worst;
	struct member *members; /* all tasks, those of an item side by side */
	struct member *apart;   /* those of a group that is kept apart, by group */
	struct item *items;
	uint32_t *item_of; /* by task */
	uint32_t *by_unit,
		*unit_end; /* items by the unit where they were found; where each unit's part ends */
	uint32_t *takers;  /* units that may ever have room for somebody */
	size_t n_takers;
	const struct item *trial; /* is put somewhere to see whether others fit then too; no move yet */
	struct fleet_part *parts; /* room for the vCPUs of one host */
	size_t cap_parts;
	struct spare *spare;     /* by unit, as planned so far */
	struct load *load;       /* by unit, as planned so far */
	struct unit_over *worst; /* overloaded units, the worst first */
	bool fullest;            /* targets: the fullest that will do, else the emptiest */
	bool least_first;        /* order of the overloaded hosts */
	bool all;                /* also those that write faster than is sent */
	size_t looks;
	struct fleet_plan *plan;
};

static void add(struct load *to, const struct load *load, double sign)
{
	to->cpu += sign * load->cpu;
	to->cpu_peak += sign * load->cpu_peak;
	to->mem += sign * load->mem;
	to->mem_peak += sign * load->mem_peak;
}

/* --- what there is ------------------------------------------------------------------------------------- */

static bool room(struct work *work)
{
	size_t t = work->n_tasks + 1, unit = work->n_units + 1;
	work->members = calloc(t, sizeof *work->members);
	work->apart = calloc(t, sizeof *work->apart);
	work->items = calloc(t, sizeof *work->items);
	work->item_of = calloc(t, sizeof *work->item_of);
	work->by_unit = calloc(t, sizeof *work->by_unit);
	work->unit_end = calloc(unit, sizeof *work->unit_end);
	work->load = calloc(unit, sizeof *work->load);
	work->worst = calloc(unit, sizeof *work->worst);
	work->spare = calloc(unit, sizeof *work->spare);
	work->takers = calloc(unit, sizeof *work->takers);
	return work->members && work->apart && work->items && work->item_of && work->by_unit &&
	       work->unit_end && work->load && work->worst && work->spare && work->takers;
}

static void work_done(struct work *work)
{
	free(work->members);
	free(work->apart);
	free(work->items);
	free(work->item_of);
	free(work->by_unit);
	free(work->unit_end);
	free(work->load);
	free(work->worst);
	free(work->spare);
	free(work->takers);
	free(work->parts);
}

static int by_group(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static void item_add(struct work *work, struct item *item, uint32_t task)
{
	const struct fleet_task *t = &work->tasks[task];
	const struct load need = {
		t->cpu, fmax(t->cpu_peak, t->cpu), t->mem_mib, fmax(t->mem_peak_mib, t->mem_mib)};
	add(&item->need, &need, 1);
	item->cost += t->cost_mib;
	item->endless |= t->endless;
	item->needs |= t->needs;
	item->pcpus = max_of(t->pcpus, item->pcpus);
	/* Those that should be together and are not are left where they are. */
	item->fixed |= t->fixed || t->unit != item->unit;
	work->item_of[task] = (uint32_t)(item - work->items);
	item->n++;
	add(&work->load[t->unit], &need, 1);
}

static void items_fill(struct work *work)
{
	for (size_t i = 0; i < work->n_tasks; i++)
		work->members[i] = (struct member){work->tasks[i].together, (uint32_t)i};
	qsort(work->members, work->n_tasks, sizeof *work->members, by_group);
	for (size_t i = 0; i < work->n_tasks; i++) {
		const struct member *member = &work->members[i];
		bool joins = member->group && i > 0 && work->members[i - 1].group == member->group;
		if (!joins)
			work->items[work->n_items++] =
				(struct item){.first = (uint32_t)i, .unit = work->tasks[member->task].unit};
		item_add(work, &work->items[work->n_items - 1], member->task);
	}
}

static void apart_fill(struct work *work)
{
	for (size_t i = 0; i < work->n_tasks; i++)
		if (work->tasks[i].apart)
			work->apart[work->n_apart++] = (struct member){work->tasks[i].apart, (uint32_t)i};
	if (work->n_apart)
		qsort(work->apart, work->n_apart, sizeof *work->apart, by_group);
}

static void units_fill(struct work *work)
{
	for (size_t i = 0; i < work->n_items; i++)
		work->unit_end[work->items[i].unit]++;
	for (size_t unit = 1; unit < work->n_units; unit++)
		work->unit_end[unit] += work->unit_end[unit - 1];
	for (size_t i = work->n_items; i-- > 0;)
		work->by_unit[--work->unit_end[work->items[i].unit]] = (uint32_t)i;
	/* Now these are where the parts begin. */
	memmove(work->unit_end, work->unit_end + 1, work->n_units * sizeof *work->unit_end);
	if (work->n_units)
		work->unit_end[work->n_units - 1] = (uint32_t)work->n_items;
}

static bool in_range(const struct work *work)
{
	for (size_t i = 0; i < work->n_tasks; i++)
		if (work->tasks[i].unit >= work->n_units)
			return false;
	return work->n_units < UINT32_MAX && work->n_tasks < UINT32_MAX;
}

/* --- limits -------------------------------------------------------------------------------------------- */

/* By how much a unit's guests want more than it has: below 0 is room. */
static double cpu_over(const struct work *work, size_t unit)
{
	return work->load[unit].cpu + work->units[unit].own - work->units[unit].cpu * work->limits->cpu_part;
}

static double mem_over(const struct work *work, size_t unit)
{
	return work->load[unit].mem - work->units[unit].mem_mib;
}

static bool overloaded(const struct work *work, size_t unit)
{
	return cpu_over(work, unit) > eps || mem_over(work, unit) > eps;
}

/* As a part of what the unit has, the worse of the two. */
static double over_part(const struct work *work, size_t unit)
{
	return fmax(cpu_over(work, unit) / fmax(work->units[unit].cpu, eps),
		mem_over(work, unit) / fmax(work->units[unit].mem_mib, eps));
}

static size_t apart_from(const struct work *work, uint32_t group)
{
	size_t lo = 0, hi = work->n_apart;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (work->apart[mid].group < group)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool task_apart(const struct work *work, const struct item *x, uint32_t task, size_t unit)
{
	const struct fleet_task *t = &work->tasks[task];
	int domain = work->units[unit].domain;
	for (size_t i = t->apart ? apart_from(work, t->apart) : work->n_apart;
		i < work->n_apart && work->apart[i].group == t->apart; i++) {
		const struct item *y = &work->items[work->item_of[work->apart[i].task]];
		if (y == x)
			continue;
		bool near = t->apart_domain && domain >= 0 && work->units[y->unit].domain == domain;
		if (y->unit == unit || near)
			return false;
	}
	return true;
}

static bool may_be_on(const struct work *work, const struct item *item, size_t u)
{
	const struct fleet_unit *unit = &work->units[u];
	if (unit->closed || u == item->unit || (item->needs & ~unit->has) ||
		(unit->pcpus && item->pcpus > unit->pcpus))
		return false;
	for (uint32_t i = 0; i < item->n; i++)
		if (!task_apart(work, item, work->members[item->first + i].task, u))
			return false;
	return true;
}

static void spare_fill(struct work *work, size_t u)
{
	const struct load *load = &work->load[u];
	const struct fleet_unit *unit = &work->units[u];
	work->spare[u] = (struct spare){-over_part(work, u),
		unit->cpu * work->limits->cpu_part - unit->own - load->cpu + eps,
		unit->cpu * (1 - work->limits->keep_part) - unit->own - load->cpu_peak + eps,
		unit->mem_mib - load->mem_peak + eps};
}

/* Room at all peaks at once. */
static bool has_room(const struct work *work, const struct load *need, size_t unit)
{
	const struct spare *spare = &work->spare[unit];
	return need->cpu_peak <= spare->cpu_peak && need->mem_peak <= spare->mem_peak &&
	       need->cpu <= spare->cpu;
}

/* The same after `less` has gone. */
static bool has_room_without(
	const struct work *work, const struct load *need, size_t unit, const struct load *less)
{
	const struct load more = {
		need->cpu - less->cpu, need->cpu_peak - less->cpu_peak, 0, need->mem_peak - less->mem_peak};
	return has_room(work, &more, unit);
}

/* --- moves --------------------------------------------------------------------------------------------- */

static bool say(struct work *work, const struct item *item, size_t to)
{
	struct fleet_plan *plan = work->plan;
	if (!array_grow(&plan->moves, &plan->cap, plan->n + item->n, sizeof *plan->moves))
		return false;
	for (uint32_t i = 0; i < item->n; i++)
		plan->moves[plan->n++] =
			(struct fleet_move){work->members[item->first + i].task, item->unit, (uint32_t)to};
	plan->cost_mib += item->cost;
	return true;
}

static void put(struct work *work, struct item *item, size_t to)
{
	add(&work->load[item->unit], &item->need, -1);
	add(&work->load[to], &item->need, 1);
	spare_fill(work, item->unit);
	spare_fill(work, to);
	item->unit = (uint32_t)to;
}

static bool move(struct work *work, struct item *item, size_t to)
{
	if (!say(work, item, to))
		return false;
	put(work, item, to);
	return true;
}

static size_t begin_of(const struct work *work, size_t unit)
{
	return unit ? work->unit_end[unit - 1] : 0;
}

/* false: out of memory, or more than any host has: nothing fits there. */
static bool add_parts(struct work *work, const struct item *item, bool here, size_t *n)
{
	for (uint32_t i = 0; i < item->n; i++) {
		const struct fleet_task *task = &work->tasks[work->members[item->first + i].task];
		uint32_t vcpus = task->vcpus;
		bool stays = here || task->takes_pins;
		if (*n + vcpus > PARTS_MOST ||
			!array_grow(&work->parts, &work->cap_parts, *n + vcpus, sizeof *work->parts))
			return false;
		for (uint32_t k = 0; k < vcpus; k++)
			work->parts[(*n)++] = (struct fleet_part){
				fmin(fmax(task->cpu_peak, task->cpu) / vcpus, 1), stays ? task->pins : 0};
	}
	return true;
}

/* As planned so far, with x and without y, each vCPU on a pCPU. */
static bool each_fits(struct work *work, const struct item *x, size_t u, const struct item *y)
{
	const struct fleet_unit *unit = &work->units[u];
	size_t n = 0;
	bool ok = add_parts(work, x, false, &n);
	if (!n)
		return ok;
	for (size_t i = begin_of(work, u); ok && i < work->unit_end[u]; i++) {
		const struct item *here = &work->items[work->by_unit[i]];
		if (here->unit == u && here != y)
			ok = add_parts(work, here, true, &n);
	}
	for (size_t i = 0; ok && i < work->plan->n; i++) {
		const struct fleet_move *move = &work->plan->moves[i];
		const struct item *came = &work->items[work->item_of[move->task]];
		bool first = work->members[came->first].task == move->task;
		if (move->to == u && came->unit == u && first)
			ok = add_parts(work, came, false, &n);
	}
	if (ok && work->trial && work->trial->unit == u)
		ok = add_parts(work, work->trial, false, &n);
	return ok && fleet_fits(work->parts, n, (size_t)unit->cpu, unit->own / fmax(unit->cpu, 1),
			     1 - work->limits->keep_part);
}

static bool sooner(const struct work *work, size_t unit, size_t than)
{
	return than == work->n_units || (work->fullest ? work->spare[unit].left < work->spare[than].left
						       : work->spare[unit].left > work->spare[than].left);
}

/* By sums; the next best after one that would not do. n_units: none. */
static size_t next_target(struct work *work, const struct item *item, size_t after)
{
	work->looks += work->n_takers;
	size_t best = work->n_units;
	for (size_t i = 0; i < work->n_takers; i++) {
		size_t unit = work->takers[i];
		if (has_room(work, &item->need, unit) &&
			(after == work->n_units || sooner(work, after, unit)) && sooner(work, unit, best) &&
			may_be_on(work, item, unit))
			best = unit;
	}
	return best;
}

/* n_units: none has room. */
static size_t target_of(struct work *work, const struct item *item)
{
	enum { TRIES = 4 };
	size_t best = work->n_units;
	for (int i = 0; i < TRIES; i++) {
		best = next_target(work, item, best);
		if (best == work->n_units || each_fits(work, item, best, NULL))
			return best;
	}
	return work->n_units;
}

/* --- one host ------------------------------------------------------------------------------------------ */

/* What has gone is enough to bring it below its limits. */
static bool enough(const struct work *work, size_t unit, const struct item *a, const struct item *b)
{
	double cpu = cpu_over(work, unit) - a->need.cpu - (b ? b->need.cpu : 0);
	double mem = mem_over(work, unit) - a->need.mem - (b ? b->need.mem : 0);
	return cpu <= eps && mem <= eps;
}

struct choice {
	struct item *a, *b;
	uint32_t moves;
	double cost;
};

static bool better(const struct choice *choice, const struct choice *than)
{
	return !than->a || choice->moves < than->moves ||
	       (choice->moves == than->moves && choice->cost < than->cost);
}

static struct choice choice_of(struct item *a, struct item *b)
{
	struct choice choice = {a, b, a->n, a->cost};
	if (b) {
		choice.moves += b->n;
		choice.cost += b->cost;
	}
	return choice;
}

static bool movable(const struct work *work, const struct item *item, size_t unit)
{
	return !item->fixed && (work->all || !item->endless) && item->unit == unit &&
	       (item->need.cpu > 0 || mem_over(work, unit) > 0);
}

/* The cheapest single item that is enough and has a target. */
static bool one_is_enough(struct work *work, size_t unit, bool *done)
{
	struct choice best = {.a = NULL};
	for (size_t i = begin_of(work, unit); i < work->unit_end[unit]; i++) {
		struct item *item = &work->items[work->by_unit[i]];
		struct choice choice = choice_of(item, NULL);
		if (movable(work, item, unit) && enough(work, unit, item, NULL) && better(&choice, &best) &&
			target_of(work, item) < work->n_units)
			best = choice;
	}
	*done = best.a != NULL;
	return !best.a || move(work, best.a, target_of(work, best.a));
}

/* Both find a place, one after the other; nothing is moved. */
static bool both_fit(struct work *work, const struct choice *choice)
{
	size_t from = choice->a->unit, to = target_of(work, choice->a);
	if (to == work->n_units)
		return false;
	put(work, choice->a, to);
	work->trial = choice->a;
	bool fit = target_of(work, choice->b) < work->n_units;
	work->trial = NULL;
	put(work, choice->a, from);
	return fit;
}

static bool two_are_enough(struct work *work, size_t unit, bool *done)
{
	struct choice best = {.a = NULL};
	for (size_t i = begin_of(work, unit); i < work->unit_end[unit]; i++)
		for (size_t k = i + 1; k < work->unit_end[unit] && work->looks < LOOKS_MOST; k++) {
			struct item *a = &work->items[work->by_unit[i]], *b = &work->items[work->by_unit[k]];
			struct choice choice = choice_of(a, b);
			if (!movable(work, a, unit) || !movable(work, b, unit) || !enough(work, unit, a, b) ||
				!better(&choice, &best))
				continue;
			if (both_fit(work, &choice))
				best = choice;
		}
	*done = best.a != NULL;
	return !best.a ||
	       (move(work, best.a, target_of(work, best.a)) && move(work, best.b, target_of(work, best.b)));
}

/* How much of the way an item goes, a move. */
static double part_of_way(const struct work *work, size_t unit, const struct item *item)
{
	double cpu = cpu_over(work, unit), mem = mem_over(work, unit);
	double way =
		(cpu > 0 ? fmin(item->need.cpu / cpu, 1) : 0) + (mem > 0 ? fmin(item->need.mem / mem, 1) : 0);
	return way / item->n;
}

/* The one that goes the farthest and has a target. */
static struct item *largest(struct work *work, size_t unit)
{
	struct item *best = NULL;
	double most = eps;
	for (size_t i = begin_of(work, unit); i < work->unit_end[unit]; i++) {
		struct item *item = &work->items[work->by_unit[i]];
		double part = movable(work, item, unit) ? part_of_way(work, unit, item) : 0;
		if ((part > most || (best && part == most && item->cost < best->cost)) &&
			target_of(work, item) < work->n_units) {
			best = item;
			most = part;
		}
	}
	return best;
}

/* An item of another host that goes elsewhere, so that x finds room there. */
static bool make_room(struct work *work, struct item *x, bool *done)
{
	for (size_t unit = 0; unit < work->n_units && work->looks < LOOKS_MOST; unit++) {
		if (!may_be_on(work, x, unit))
			continue;
		for (size_t i = begin_of(work, unit); i < work->unit_end[unit]; i++) {
			struct item *y = &work->items[work->by_unit[i]];
			size_t to;
			if (y->fixed || y->endless || y->unit != unit || y->n >= x->n + 1 ||
				!has_room_without(work, &x->need, unit, &y->need) ||
				!each_fits(work, x, unit, y))
				continue;
			to = target_of(work, y); /* before x has gone: it goes first */
			if (to == work->n_units)
				continue;
			*done = true;
			return move(work, y, to) && move(work, x, unit);
		}
	}
	return true;
}

/* alone: only for one that is enough. */
static bool by_chain(struct work *work, size_t unit, bool alone, bool *done)
{
	*done = false;
	for (size_t i = begin_of(work, unit); i < work->unit_end[unit] && !*done; i++) {
		struct item *item = &work->items[work->by_unit[i]];
		bool fits = movable(work, item, unit) && (!alone || enough(work, unit, item, NULL));
		if (fits && !make_room(work, item, done))
			return false;
	}
	return true;
}

static bool cure_with(struct work *work, size_t unit)
{
	bool done = false;
	while (overloaded(work, unit)) {
		if (!one_is_enough(work, unit, &done))
			return false;
		if (!done && !two_are_enough(work, unit, &done))
			return false;
		if (!done && !by_chain(work, unit, true, &done))
			return false;
		struct item *item = done ? NULL : largest(work, unit);
		if (item && !move(work, item, target_of(work, item)))
			return false;
		if (!item && !done && !by_chain(work, unit, false, &done))
			return false;
		if (!item && !done)
			return true; /* what can be done is done */
	}
	return true;
}

static void take_back(struct work *work, size_t n)
{
	struct fleet_plan *plan = work->plan;
	while (plan->n > n) {
		const struct fleet_move *move = &plan->moves[--plan->n];
		struct item *item = &work->items[work->item_of[move->task]];
		if (item->unit != move->from) { /* once for all that go together */
			put(work, item, move->from);
			plan->cost_mib -= item->cost;
		}
	}
}

static bool has_endless(const struct work *work, size_t unit)
{
	for (size_t i = begin_of(work, unit); i < work->unit_end[unit]; i++)
		if (work->items[work->by_unit[i]].endless && work->items[work->by_unit[i]].unit == unit)
			return true;
	return false;
}

static bool cure(struct work *work, size_t unit)
{
	size_t n = work->plan->n;
	work->all = false;
	if (!cure_with(work, unit))
		return false;
	if (!overloaded(work, unit) || !has_endless(work, unit))
		return true;
	take_back(work, n);
	work->all = true;
	return cure_with(work, unit);
}

/* --- all ----------------------------------------------------------------------------------------------- */

/* Takers are those with room for one who wants least of each, and those that may have when they are cured. */
static void takers_fill(struct work *work)
{
	struct load least = {INFINITY, INFINITY, INFINITY, INFINITY};
	for (size_t i = 0; i < work->n_items; i++) {
		const struct load *load = &work->items[i].need;
		least.cpu = fmin(least.cpu, load->cpu);
		least.cpu_peak = fmin(least.cpu_peak, load->cpu_peak);
		least.mem = fmin(least.mem, load->mem);
		least.mem_peak = fmin(least.mem_peak, load->mem_peak);
	}
	for (size_t unit = 0; unit < work->n_units; unit++) {
		spare_fill(work, unit);
		if (!work->units[unit].closed && (overloaded(work, unit) || has_room(work, &least, unit)))
			work->takers[work->n_takers++] = (uint32_t)unit;
	}
}

static bool fill(struct work *work)
{
	if (!room(work))
		return false;
	items_fill(work);
	apart_fill(work);
	units_fill(work);
	takers_fill(work);
	return true;
}

static int by_over(const void *a, const void *b)
{
	const struct unit_over *x = a, *y = b;
	if (x->part != y->part)
		return x->part > y->part ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static void worst_fill(struct work *work)
{
	for (size_t unit = 0; unit < work->n_units; unit++)
		if (overloaded(work, unit))
			work->worst[work->n_worst++] =
				(struct unit_over){over_part(work, unit), (uint32_t)unit};
	if (work->n_worst)
		qsort(work->worst, work->n_worst, sizeof *work->worst, by_over);
	work->plan->overloaded = work->n_worst;
}

/* Hosts that can be cured come before those that can only be helped: half a cure must not take the room that
 * would be a whole one elsewhere. */
static bool cure_all(struct work *work)
{
	worst_fill(work);
	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0; i < work->n_worst; i++) {
			size_t n = work->plan->n, at = work->least_first ? work->n_worst - 1 - i : i;
			size_t unit = work->worst[at].unit;
			if (!cure(work, unit))
				return false;
			if (whole && overloaded(work, unit))
				take_back(work, n);
		}
	for (size_t i = 0; i < work->n_worst; i++)
		work->plan->cured += !overloaded(work, work->worst[i].unit);
	return true;
}

static int plan_once(struct work work, unsigned way, struct fleet_plan *to, size_t *looks)
{
	work.fullest = way & 1;
	work.least_first = way & 2;
	work.plan = to;
	to->n = to->overloaded = to->cured = 0;
	to->cost_mib = 0;
	bool ok = fill(&work) && cure_all(&work);
	*looks += work.looks;
	work_done(&work);
	return ok ? 0 : -1;
}

static bool better_plan(const struct fleet_plan *plan, const struct fleet_plan *than)
{
	if (plan->cured != than->cured)
		return plan->cured > than->cured;
	return plan->n != than->n ? plan->n < than->n : plan->cost_mib < than->cost_mib;
}

int fleet_plan_make(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, struct fleet_plan *to)
{
	const struct work work = {
		.units = units, .tasks = tasks, .limits = limits, .n_units = n_units, .n_tasks = n_tasks};
	struct fleet_plan other = {.n = 0};
	size_t looks = 0;
	int rc = in_range(&work) ? plan_once(work, 0, to, &looks) : -1;
	for (unsigned way = 1; rc == 0 && to->overloaded && way < WAYS && looks < LOOKS_ALL; way++) {
		rc = plan_once(work, way, &other, &looks);
		if (rc == 0 && better_plan(&other, to)) {
			struct fleet_plan swap = *to;
			*to = other;
			other = swap;
		}
	}
	fleet_plan_done(&other);
	return rc;
}

void fleet_plan_done(struct fleet_plan *plan)
{
	free(plan->moves);
	*plan = (struct fleet_plan){.n = 0};
}
