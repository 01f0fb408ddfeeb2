/* SPDX-License-Identifier: MIT */
/* Placement problems for tests and benches. Own random numbers, so that a seed means the same everywhere. */
#include "place_gen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double place_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

double place_random_normal(uint64_t *seed)
{
	double sum = -6;
	for (int i = 0; i < 12; i++)
		sum += place_random(seed);
	return sum;
}

static void config_minmove(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->act_above_pct = 5;
	cfg->stop_at_pct = 3;
	cfg->core_band_pct = 5;
	cfg->llc_band_pct = 10;
	cfg->node_band_pct = 17;
	cfg->min_gain_pct = 5;
	cfg->dwell_llc_s = 30;
	cfg->dwell_node_s = 60;
	cfg->dwell_cross_s = 300;
	cfg->dwell_max_s = 60;
	cfg->cooldown_rounds = 3;
	cfg->cooldown_rejected_rounds = 10;
	cfg->cross_node = true;
	cfg->search_ms = 2;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	if (!p)
		abort();
	return p;
}

void place_case_init(struct place_case *c, size_t n, size_t m)
{
	memset(c, 0, sizeof(*c));
	config_minmove(&c->cfg);
	c->units = zeroed(m, sizeof(*c->units));
	c->tasks = zeroed(n, sizeof(*c->tasks));
	c->sets = zeroed(n + 1, sizeof(*c->sets));
	cpuset_fill(&c->sets[n], (int)m);
	for (size_t j = 0; j < m; j++)
		c->units[j] = (struct place_unit){.cpu = (int)j, .n_cpus = 1, .core = -1, .busy_pct = -1};
	for (size_t i = 0; i < n; i++)
		c->tasks[i] = (struct place_task){
			.unit = 0,
			.pinned = true,
			.wait_pct = -1,
			.allowed = &c->sets[n],
			.vm = (uint32_t)i,
			.slot = (uint32_t)i,
			.birth = 1,
			.weight = 1,
		};
	c->p = (struct place_problem){
		.units = c->units,
		.n_units = m,
		.tasks = c->tasks,
		.n_tasks = n,
		.n_slots = n,
		.now_ns = 1000000000,
		.elapsed_s = 1,
		.cfg = &c->cfg,
	};
}

void place_case_done(struct place_case *c)
{
	free(c->units);
	free(c->tasks);
	free(c->sets);
	memset(c, 0, sizeof(*c));
}

void place_case_topology(struct place_case *c, int threads, int llc, int node)
{
	for (size_t j = 0; j < c->p.n_units; j++) {
		c->units[j].core = threads ? (int)j / threads : -1;
		c->units[j].llc = llc ? (int)j / llc : -1;
		c->units[j].node = node ? (int)j / node : -1;
	}
}

static double shape_draw(enum place_shape shape, uint64_t *seed)
{
	double u = place_random(seed);
	switch (shape) {
	case SHAPE_UNIFORM:
		return u;
	case SHAPE_BIMODAL:
		return u < 0.7 ? 0.05 + 0.1 * place_random(seed) : 0.7 + 0.3 * place_random(seed);
	case SHAPE_HEAVY:
		return pow(1 - u, -1 / 1.2) - 0.9; /* Pareto, no mean worth the name; cut below */
	default:
		return 0.5;
	}
}

void place_case_random(struct place_case *c, uint64_t seed, enum place_shape shape, double mean_load)
{
	double sum = 0;
	c->seed = seed * 7919 + 17;
	for (size_t i = 0; i < c->p.n_tasks; i++) {
		c->tasks[i].demand_pct = shape_draw(shape, &c->seed);
		c->tasks[i].unit = (int)(place_random(&c->seed) * (double)c->p.n_units);
		sum += c->tasks[i].demand_pct;
	}
	double scale = mean_load * (double)c->p.n_units / sum;
	for (size_t i = 0; i < c->p.n_tasks; i++)
		c->tasks[i].demand_pct = fmin(100, c->tasks[i].demand_pct * scale);
}

void place_case_restrict(struct place_case *c, size_t t, int lo, int hi)
{
	cpuset_clear(&c->sets[t]);
	for (int u = lo; u < hi; u++)
		cpuset_add(&c->sets[t], u);
	c->tasks[t].allowed = &c->sets[t];
}

static void wild_units(struct place_case *c, uint64_t *r, bool one_cpu)
{
	int threads = place_random(r) < 0.3 ? 2 : 0, llc = place_random(r) < 0.6 ? 4 : 0;
	place_case_topology(c, threads, llc, llc && place_random(r) < 0.6 ? 8 : 0);
	bool dealt = place_random(r) < 0.4; /* siblings and neighbours have any numbers */
	for (size_t j = 0; j < c->p.n_units; j++) {
		struct place_unit *u = &c->units[j];
		struct place_unit *other = &c->units[(size_t)(place_random(r) * (double)c->p.n_units)],
				  was = *u;
		if (dealt) {
			u->core = other->core, u->llc = other->llc, u->node = other->node;
			other->core = was.core, other->llc = was.llc, other->node = was.node;
		}
		u->n_cpus = one_cpu || place_random(r) < 0.5 ? 1 : 1 + (int)(place_random(r) * 4);
		u->background_pct = place_random(r) < 0.3 ? 80 * place_random(r) : 0;
	}
}

/* A set of units with holes, never empty. */
static void wild_set(struct place_case *c, size_t t, uint64_t *r)
{
	int m = (int)c->p.n_units, lo = (int)(place_random(r) * m), hi = lo + 1 + (int)(place_random(r) * m);
	place_case_restrict(c, t, lo, hi < m ? hi : m);
	double keep = place_random(r);
	for (int u = lo + 1; u < m; u++)
		if (place_random(r) > keep)
			cpuset_del(&c->sets[t], u);
}

void place_case_wild(struct place_case *c, uint64_t seed, size_t max_n, size_t max_m, bool one_cpu)
{
	uint64_t r = seed * 1000033;
	size_t n = 1 + (size_t)(place_random(&r) * (double)max_n),
	       m = 1 + (size_t)(place_random(&r) * (double)max_m);
	place_case_init(c, n, m);
	place_case_random(c, seed, (enum place_shape)(place_random(&r) * 3), 20 + 60 * place_random(&r));
	wild_units(c, &r, one_cpu);
	for (size_t t = 0; t < n; t++) {
		struct place_task *k = &c->tasks[t];
		if (place_random(&r) < 0.3)
			wild_set(c, t, &r);
		k->unit = place_random(&r) < 0.05 ? -1 : cpuset_first(k->allowed);
		for (int i = 0; i < 3 && k->unit >= 0; i++)
			if (place_random(&r) < 0.6 && cpuset_next(k->allowed, k->unit) >= 0)
				k->unit = cpuset_next(k->allowed, k->unit);
		k->weight = place_random(&r) < 0.2 ? 0.5 + place_random(&r) : 1;
		k->mem_nodes = place_random(&r) < 0.3 ? 1 + (uint64_t)(place_random(&r) * 3) : 0;
		k->fixed = place_random(&r) < 0.05 ? REASON_HELD : REASON_NONE;
		k->stay_on_node = place_random(&r) < 0.1;
	}
}

size_t place_case_apply(struct place_case *c, const struct place_result *r, double seconds)
{
	size_t moved = 0;
	for (size_t i = 0; i < r->n_moves; i++) {
		struct place_task *t = &c->tasks[r->moves[i].task];
		moved += r->moves[i].why.code != REASON_ASSIGN;
		t->unit = r->moves[i].to;
		t->pinned = true;
	}
	c->p.now_ns += (int64_t)(seconds * 1e9);
	return moved;
}

static void loads(const struct place_case *c, double *load)
{
	for (size_t j = 0; j < c->p.n_units; j++)
		load[j] = c->units[j].background_pct;
	for (size_t i = 0; i < c->p.n_tasks; i++)
		if (c->tasks[i].unit >= 0)
			load[c->tasks[i].unit] += c->tasks[i].demand_pct;
	for (size_t j = 0; j < c->p.n_units; j++)
		load[j] /= c->units[j].n_cpus;
}

double place_case_sigma(const struct place_case *c)
{
	double *load = zeroed(c->p.n_units, sizeof(*load)), mean = 0, q = 0, pcpus = 0;
	loads(c, load);
	for (size_t j = 0; j < c->p.n_units; j++) {
		pcpus += c->units[j].n_cpus;
		mean += load[j] * c->units[j].n_cpus;
	}
	mean /= pcpus;
	for (size_t j = 0; j < c->p.n_units; j++)
		q += (load[j] - mean) * (load[j] - mean) * c->units[j].n_cpus;
	free(load);
	return sqrt(q / pcpus);
}

double place_case_highest(const struct place_case *c)
{
	double *load = zeroed(c->p.n_units, sizeof(*load)), top = 0;
	loads(c, load);
	for (size_t j = 0; j < c->p.n_units; j++)
		top = fmax(top, load[j]);
	free(load);
	return top;
}
