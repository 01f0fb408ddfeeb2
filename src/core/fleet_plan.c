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

static void add(struct load *to, const struct load *l, double sign)
{
	to->cpu += sign * l->cpu;
	to->cpu_peak += sign * l->cpu_peak;
	to->mem += sign * l->mem;
	to->mem_peak += sign * l->mem_peak;
}

/* --- what there is ------------------------------------------------------------------------------------- */

static bool room(struct work *w)
{
	size_t t = w->n_tasks + 1, u = w->n_units + 1;
	w->members = calloc(t, sizeof *w->members);
	w->apart = calloc(t, sizeof *w->apart);
	w->items = calloc(t, sizeof *w->items);
	w->item_of = calloc(t, sizeof *w->item_of);
	w->by_unit = calloc(t, sizeof *w->by_unit);
	w->unit_end = calloc(u, sizeof *w->unit_end);
	w->load = calloc(u, sizeof *w->load);
	w->worst = calloc(u, sizeof *w->worst);
	w->spare = calloc(u, sizeof *w->spare);
	w->takers = calloc(u, sizeof *w->takers);
	return w->members && w->apart && w->items && w->item_of && w->by_unit && w->unit_end && w->load &&
	       w->worst && w->spare && w->takers;
}

static void work_done(struct work *w)
{
	free(w->members);
	free(w->apart);
	free(w->items);
	free(w->item_of);
	free(w->by_unit);
	free(w->unit_end);
	free(w->load);
	free(w->worst);
	free(w->spare);
	free(w->takers);
	free(w->parts);
}

static int by_group(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

static void item_add(struct work *w, struct item *x, uint32_t task)
{
	const struct fleet_task *t = &w->tasks[task];
	const struct load need = {
		t->cpu, fmax(t->cpu_peak, t->cpu), t->mem_mib, fmax(t->mem_peak_mib, t->mem_mib)};
	add(&x->need, &need, 1);
	x->cost += t->cost_mib;
	x->endless |= t->endless;
	x->needs |= t->needs;
	x->pcpus = max_of(t->pcpus, x->pcpus);
	/* Those that should be together and are not are left where they are. */
	x->fixed |= t->fixed || t->unit != x->unit;
	w->item_of[task] = (uint32_t)(x - w->items);
	x->n++;
	add(&w->load[t->unit], &need, 1);
}

static void items_fill(struct work *w)
{
	for (size_t i = 0; i < w->n_tasks; i++)
		w->members[i] = (struct member){w->tasks[i].together, (uint32_t)i};
	qsort(w->members, w->n_tasks, sizeof *w->members, by_group);
	for (size_t i = 0; i < w->n_tasks; i++) {
		const struct member *m = &w->members[i];
		bool joins = m->group && i > 0 && w->members[i - 1].group == m->group;
		if (!joins)
			w->items[w->n_items++] =
				(struct item){.first = (uint32_t)i, .unit = w->tasks[m->task].unit};
		item_add(w, &w->items[w->n_items - 1], m->task);
	}
}

static void apart_fill(struct work *w)
{
	for (size_t i = 0; i < w->n_tasks; i++)
		if (w->tasks[i].apart)
			w->apart[w->n_apart++] = (struct member){w->tasks[i].apart, (uint32_t)i};
	if (w->n_apart)
		qsort(w->apart, w->n_apart, sizeof *w->apart, by_group);
}

static void units_fill(struct work *w)
{
	for (size_t i = 0; i < w->n_items; i++)
		w->unit_end[w->items[i].unit]++;
	for (size_t u = 1; u < w->n_units; u++)
		w->unit_end[u] += w->unit_end[u - 1];
	for (size_t i = w->n_items; i-- > 0;)
		w->by_unit[--w->unit_end[w->items[i].unit]] = (uint32_t)i;
	/* Now these are where the parts begin. */
	memmove(w->unit_end, w->unit_end + 1, w->n_units * sizeof *w->unit_end);
	if (w->n_units)
		w->unit_end[w->n_units - 1] = (uint32_t)w->n_items;
}

static bool in_range(const struct work *w)
{
	for (size_t i = 0; i < w->n_tasks; i++)
		if (w->tasks[i].unit >= w->n_units)
			return false;
	return w->n_units < UINT32_MAX && w->n_tasks < UINT32_MAX;
}

/* --- limits -------------------------------------------------------------------------------------------- */

/* By how much a unit's guests want more than it has: below 0 is room. */
static double cpu_over(const struct work *w, size_t u)
{
	return w->load[u].cpu + w->units[u].own - w->units[u].cpu * w->limits->cpu_part;
}

static double mem_over(const struct work *w, size_t u)
{
	return w->load[u].mem - w->units[u].mem_mib;
}

static bool overloaded(const struct work *w, size_t u)
{
	return cpu_over(w, u) > eps || mem_over(w, u) > eps;
}

/* As a part of what the unit has, the worse of the two. */
static double over_part(const struct work *w, size_t u)
{
	return fmax(
		cpu_over(w, u) / fmax(w->units[u].cpu, eps), mem_over(w, u) / fmax(w->units[u].mem_mib, eps));
}

static size_t apart_from(const struct work *w, uint32_t group)
{
	size_t lo = 0, hi = w->n_apart;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (w->apart[mid].group < group)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool task_apart(const struct work *w, const struct item *x, uint32_t task, size_t u)
{
	const struct fleet_task *t = &w->tasks[task];
	int domain = w->units[u].domain;
	for (size_t i = t->apart ? apart_from(w, t->apart) : w->n_apart;
		i < w->n_apart && w->apart[i].group == t->apart; i++) {
		const struct item *y = &w->items[w->item_of[w->apart[i].task]];
		if (y == x)
			continue;
		bool near = t->apart_domain && domain >= 0 && w->units[y->unit].domain == domain;
		if (y->unit == u || near)
			return false;
	}
	return true;
}

static bool may_be_on(const struct work *w, const struct item *x, size_t u)
{
	const struct fleet_unit *h = &w->units[u];
	if (h->closed || u == x->unit || (x->needs & ~h->has) || (h->pcpus && x->pcpus > h->pcpus))
		return false;
	for (uint32_t i = 0; i < x->n; i++)
		if (!task_apart(w, x, w->members[x->first + i].task, u))
			return false;
	return true;
}

static void spare_fill(struct work *w, size_t u)
{
	const struct load *l = &w->load[u];
	const struct fleet_unit *h = &w->units[u];
	w->spare[u] = (struct spare){-over_part(w, u), h->cpu * w->limits->cpu_part - h->own - l->cpu + eps,
		h->cpu * (1 - w->limits->keep_part) - h->own - l->cpu_peak + eps,
		h->mem_mib - l->mem_peak + eps};
}

/* Room at all peaks at once. */
static bool has_room(const struct work *w, const struct load *need, size_t u)
{
	const struct spare *s = &w->spare[u];
	return need->cpu_peak <= s->cpu_peak && need->mem_peak <= s->mem_peak && need->cpu <= s->cpu;
}

/* The same after `less` has gone. */
static bool has_room_without(const struct work *w, const struct load *need, size_t u, const struct load *less)
{
	const struct load more = {
		need->cpu - less->cpu, need->cpu_peak - less->cpu_peak, 0, need->mem_peak - less->mem_peak};
	return has_room(w, &more, u);
}

/* --- moves --------------------------------------------------------------------------------------------- */

static bool say(struct work *w, const struct item *x, size_t to)
{
	struct fleet_plan *p = w->plan;
	if (!array_grow(&p->moves, &p->cap, p->n + x->n, sizeof *p->moves))
		return false;
	for (uint32_t i = 0; i < x->n; i++)
		p->moves[p->n++] = (struct fleet_move){w->members[x->first + i].task, x->unit, (uint32_t)to};
	p->cost_mib += x->cost;
	return true;
}

static void put(struct work *w, struct item *x, size_t to)
{
	add(&w->load[x->unit], &x->need, -1);
	add(&w->load[to], &x->need, 1);
	spare_fill(w, x->unit);
	spare_fill(w, to);
	x->unit = (uint32_t)to;
}

static bool move(struct work *w, struct item *x, size_t to)
{
	if (!say(w, x, to))
		return false;
	put(w, x, to);
	return true;
}

static size_t begin_of(const struct work *w, size_t u)
{
	return u ? w->unit_end[u - 1] : 0;
}

/* false: out of memory, or more than any host has: nothing fits there. */
static bool add_parts(struct work *w, const struct item *x, bool here, size_t *n)
{
	for (uint32_t i = 0; i < x->n; i++) {
		const struct fleet_task *t = &w->tasks[w->members[x->first + i].task];
		uint32_t vcpus = t->vcpus;
		bool stays = here || t->takes_pins;
		if (*n + vcpus > PARTS_MOST ||
			!array_grow(&w->parts, &w->cap_parts, *n + vcpus, sizeof *w->parts))
			return false;
		for (uint32_t k = 0; k < vcpus; k++)
			w->parts[(*n)++] = (struct fleet_part){
				fmin(fmax(t->cpu_peak, t->cpu) / vcpus, 1), stays ? t->pins : 0};
	}
	return true;
}

/* As planned so far, with x and without y, each vCPU on a pCPU. */
static bool each_fits(struct work *w, const struct item *x, size_t u, const struct item *y)
{
	const struct fleet_unit *h = &w->units[u];
	size_t n = 0;
	bool ok = add_parts(w, x, false, &n);
	if (!n)
		return ok;
	for (size_t i = begin_of(w, u); ok && i < w->unit_end[u]; i++) {
		const struct item *here = &w->items[w->by_unit[i]];
		if (here->unit == u && here != y)
			ok = add_parts(w, here, true, &n);
	}
	for (size_t i = 0; ok && i < w->plan->n; i++) {
		const struct fleet_move *m = &w->plan->moves[i];
		const struct item *came = &w->items[w->item_of[m->task]];
		bool first = w->members[came->first].task == m->task;
		if (m->to == u && came->unit == u && first)
			ok = add_parts(w, came, false, &n);
	}
	if (ok && w->trial && w->trial->unit == u)
		ok = add_parts(w, w->trial, false, &n);
	return ok &&
	       fleet_fits(w->parts, n, (size_t)h->cpu, h->own / fmax(h->cpu, 1), 1 - w->limits->keep_part);
}

static bool sooner(const struct work *w, size_t u, size_t than)
{
	return than == w->n_units ||
	       (w->fullest ? w->spare[u].left < w->spare[than].left : w->spare[u].left > w->spare[than].left);
}

/* By sums; the next best after one that would not do. n_units: none. */
static size_t next_target(struct work *w, const struct item *x, size_t after)
{
	w->looks += w->n_takers;
	size_t best = w->n_units;
	for (size_t i = 0; i < w->n_takers; i++) {
		size_t u = w->takers[i];
		if (has_room(w, &x->need, u) && (after == w->n_units || sooner(w, after, u)) &&
			sooner(w, u, best) && may_be_on(w, x, u))
			best = u;
	}
	return best;
}

/* n_units: none has room. */
static size_t target_of(struct work *w, const struct item *x)
{
	enum { TRIES = 4 };
	size_t best = w->n_units;
	for (int i = 0; i < TRIES; i++) {
		best = next_target(w, x, best);
		if (best == w->n_units || each_fits(w, x, best, NULL))
			return best;
	}
	return w->n_units;
}

/* --- one host ------------------------------------------------------------------------------------------ */

/* What has gone is enough to bring it below its limits. */
static bool enough(const struct work *w, size_t u, const struct item *a, const struct item *b)
{
	double cpu = cpu_over(w, u) - a->need.cpu - (b ? b->need.cpu : 0);
	double mem = mem_over(w, u) - a->need.mem - (b ? b->need.mem : 0);
	return cpu <= eps && mem <= eps;
}

struct choice {
	struct item *a, *b;
	uint32_t moves;
	double cost;
};

static bool better(const struct choice *x, const struct choice *than)
{
	return !than->a || x->moves < than->moves || (x->moves == than->moves && x->cost < than->cost);
}

static struct choice choice_of(struct item *a, struct item *b)
{
	struct choice c = {a, b, a->n, a->cost};
	if (b) {
		c.moves += b->n;
		c.cost += b->cost;
	}
	return c;
}

static bool movable(const struct work *w, const struct item *x, size_t u)
{
	return !x->fixed && (w->all || !x->endless) && x->unit == u &&
	       (x->need.cpu > 0 || mem_over(w, u) > 0);
}

/* The cheapest single item that is enough and has a target. */
static bool one_is_enough(struct work *w, size_t u, bool *done)
{
	struct choice best = {.a = NULL};
	for (size_t i = begin_of(w, u); i < w->unit_end[u]; i++) {
		struct item *x = &w->items[w->by_unit[i]];
		struct choice c = choice_of(x, NULL);
		if (movable(w, x, u) && enough(w, u, x, NULL) && better(&c, &best) &&
			target_of(w, x) < w->n_units)
			best = c;
	}
	*done = best.a != NULL;
	return !best.a || move(w, best.a, target_of(w, best.a));
}

/* Both find a place, one after the other; nothing is moved. */
static bool both_fit(struct work *w, const struct choice *c)
{
	size_t from = c->a->unit, to = target_of(w, c->a);
	if (to == w->n_units)
		return false;
	put(w, c->a, to);
	w->trial = c->a;
	bool fit = target_of(w, c->b) < w->n_units;
	w->trial = NULL;
	put(w, c->a, from);
	return fit;
}

static bool two_are_enough(struct work *w, size_t u, bool *done)
{
	struct choice best = {.a = NULL};
	for (size_t i = begin_of(w, u); i < w->unit_end[u]; i++)
		for (size_t k = i + 1; k < w->unit_end[u] && w->looks < LOOKS_MOST; k++) {
			struct item *a = &w->items[w->by_unit[i]], *b = &w->items[w->by_unit[k]];
			struct choice c = choice_of(a, b);
			if (!movable(w, a, u) || !movable(w, b, u) || !enough(w, u, a, b) ||
				!better(&c, &best))
				continue;
			if (both_fit(w, &c))
				best = c;
		}
	*done = best.a != NULL;
	return !best.a || (move(w, best.a, target_of(w, best.a)) && move(w, best.b, target_of(w, best.b)));
}

/* How much of the way an item goes, a move. */
static double part_of_way(const struct work *w, size_t u, const struct item *x)
{
	double cpu = cpu_over(w, u), mem = mem_over(w, u);
	double way = (cpu > 0 ? fmin(x->need.cpu / cpu, 1) : 0) + (mem > 0 ? fmin(x->need.mem / mem, 1) : 0);
	return way / x->n;
}

/* The one that goes the farthest and has a target. */
static struct item *largest(struct work *w, size_t u)
{
	struct item *best = NULL;
	double most = eps;
	for (size_t i = begin_of(w, u); i < w->unit_end[u]; i++) {
		struct item *x = &w->items[w->by_unit[i]];
		double part = movable(w, x, u) ? part_of_way(w, u, x) : 0;
		if ((part > most || (best && part == most && x->cost < best->cost)) &&
			target_of(w, x) < w->n_units) {
			best = x;
			most = part;
		}
	}
	return best;
}

/* An item of another host that goes elsewhere, so that x finds room there. */
static bool make_room(struct work *w, struct item *x, bool *done)
{
	for (size_t u = 0; u < w->n_units && w->looks < LOOKS_MOST; u++) {
		if (!may_be_on(w, x, u))
			continue;
		for (size_t i = begin_of(w, u); i < w->unit_end[u]; i++) {
			struct item *y = &w->items[w->by_unit[i]];
			size_t to;
			if (y->fixed || y->endless || y->unit != u || y->n >= x->n + 1 ||
				!has_room_without(w, &x->need, u, &y->need) || !each_fits(w, x, u, y))
				continue;
			to = target_of(w, y); /* before x has gone: it goes first */
			if (to == w->n_units)
				continue;
			*done = true;
			return move(w, y, to) && move(w, x, u);
		}
	}
	return true;
}

/* alone: only for one that is enough. */
static bool by_chain(struct work *w, size_t u, bool alone, bool *done)
{
	*done = false;
	for (size_t i = begin_of(w, u); i < w->unit_end[u] && !*done; i++) {
		struct item *x = &w->items[w->by_unit[i]];
		bool fits = movable(w, x, u) && (!alone || enough(w, u, x, NULL));
		if (fits && !make_room(w, x, done))
			return false;
	}
	return true;
}

static bool cure_with(struct work *w, size_t u)
{
	bool done = false;
	while (overloaded(w, u)) {
		if (!one_is_enough(w, u, &done))
			return false;
		if (!done && !two_are_enough(w, u, &done))
			return false;
		if (!done && !by_chain(w, u, true, &done))
			return false;
		struct item *x = done ? NULL : largest(w, u);
		if (x && !move(w, x, target_of(w, x)))
			return false;
		if (!x && !done && !by_chain(w, u, false, &done))
			return false;
		if (!x && !done)
			return true; /* what can be done is done */
	}
	return true;
}

static void take_back(struct work *w, size_t n)
{
	struct fleet_plan *p = w->plan;
	while (p->n > n) {
		const struct fleet_move *m = &p->moves[--p->n];
		struct item *x = &w->items[w->item_of[m->task]];
		if (x->unit != m->from) { /* once for all that go together */
			put(w, x, m->from);
			p->cost_mib -= x->cost;
		}
	}
}

static bool has_endless(const struct work *w, size_t u)
{
	for (size_t i = begin_of(w, u); i < w->unit_end[u]; i++)
		if (w->items[w->by_unit[i]].endless && w->items[w->by_unit[i]].unit == u)
			return true;
	return false;
}

static bool cure(struct work *w, size_t u)
{
	size_t n = w->plan->n;
	w->all = false;
	if (!cure_with(w, u))
		return false;
	if (!overloaded(w, u) || !has_endless(w, u))
		return true;
	take_back(w, n);
	w->all = true;
	return cure_with(w, u);
}

/* --- all ----------------------------------------------------------------------------------------------- */

/* Takers are those with room for one who wants least of each, and those that may have when they are cured. */
static void takers_fill(struct work *w)
{
	struct load least = {INFINITY, INFINITY, INFINITY, INFINITY};
	for (size_t i = 0; i < w->n_items; i++) {
		const struct load *l = &w->items[i].need;
		least.cpu = fmin(least.cpu, l->cpu);
		least.cpu_peak = fmin(least.cpu_peak, l->cpu_peak);
		least.mem = fmin(least.mem, l->mem);
		least.mem_peak = fmin(least.mem_peak, l->mem_peak);
	}
	for (size_t u = 0; u < w->n_units; u++) {
		spare_fill(w, u);
		if (!w->units[u].closed && (overloaded(w, u) || has_room(w, &least, u)))
			w->takers[w->n_takers++] = (uint32_t)u;
	}
}

static bool fill(struct work *w)
{
	if (!room(w))
		return false;
	items_fill(w);
	apart_fill(w);
	units_fill(w);
	takers_fill(w);
	return true;
}

static int by_over(const void *a, const void *b)
{
	const struct unit_over *x = a, *y = b;
	if (x->part != y->part)
		return x->part > y->part ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static void worst_fill(struct work *w)
{
	for (size_t u = 0; u < w->n_units; u++)
		if (overloaded(w, u))
			w->worst[w->n_worst++] = (struct unit_over){over_part(w, u), (uint32_t)u};
	if (w->n_worst)
		qsort(w->worst, w->n_worst, sizeof *w->worst, by_over);
	w->plan->overloaded = w->n_worst;
}

/* Hosts that can be cured come before those that can only be helped: half a cure must not take the room that
 * would be a whole one elsewhere. */
static bool cure_all(struct work *w)
{
	worst_fill(w);
	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0; i < w->n_worst; i++) {
			size_t n = w->plan->n, at = w->least_first ? w->n_worst - 1 - i : i;
			size_t u = w->worst[at].unit;
			if (!cure(w, u))
				return false;
			if (whole && overloaded(w, u))
				take_back(w, n);
		}
	for (size_t i = 0; i < w->n_worst; i++)
		w->plan->cured += !overloaded(w, w->worst[i].unit);
	return true;
}

static int plan_once(struct work w, unsigned way, struct fleet_plan *to, size_t *looks)
{
	w.fullest = way & 1;
	w.least_first = way & 2;
	w.plan = to;
	to->n = to->overloaded = to->cured = 0;
	to->cost_mib = 0;
	bool ok = fill(&w) && cure_all(&w);
	*looks += w.looks;
	work_done(&w);
	return ok ? 0 : -1;
}

static bool better_plan(const struct fleet_plan *a, const struct fleet_plan *than)
{
	if (a->cured != than->cured)
		return a->cured > than->cured;
	return a->n != than->n ? a->n < than->n : a->cost_mib < than->cost_mib;
}

int fleet_plan_make(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, struct fleet_plan *to)
{
	const struct work w = {
		.units = units, .tasks = tasks, .limits = limits, .n_units = n_units, .n_tasks = n_tasks};
	struct fleet_plan other = {.n = 0};
	size_t looks = 0;
	int rc = in_range(&w) ? plan_once(w, 0, to, &looks) : -1;
	for (unsigned way = 1; rc == 0 && to->overloaded && way < WAYS && looks < LOOKS_ALL; way++) {
		rc = plan_once(w, way, &other, &looks);
		if (rc == 0 && better_plan(&other, to)) {
			struct fleet_plan swap = *to;
			*to = other;
			other = swap;
		}
	}
	fleet_plan_done(&other);
	return rc;
}

void fleet_plan_done(struct fleet_plan *p)
{
	free(p->moves);
	*p = (struct fleet_plan){.n = 0};
}
