/* SPDX-License-Identifier: MIT */
#include "support/fleet_oracle.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- drawing ------------------------------------------------------------------------------------------- */

static unsigned draw(unsigned long long *state, unsigned n)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(*state >> 33) % n;
}

static void draw_rules(struct fleet_task *t, unsigned long long *s, size_t n_units)
{
	t->fixed = draw(s, 8) == 0;
	t->apart = draw(s, 4) ? 0 : 1 + draw(s, (unsigned)n_units);
	t->apart_domain = draw(s, 2);
	t->together = t->apart || draw(s, 6) ? 0 : 1 + draw(s, (unsigned)n_units);
	t->needs = draw(s, 5) ? 0 : 1u << draw(s, 2);
}

static void draw_tasks(
	struct fleet_case *c, size_t u, size_t per_unit, double part, unsigned long long *s, bool rules)
{
	double want = c->units[u].cpu * part * (u % 10 == 0 ? 2 : 1) / (double)per_unit;
	double mem = c->units[u].mem_mib * .75 / (double)per_unit;
	for (size_t i = 0; i < per_unit; i++) {
		struct fleet_task *t = &c->tasks[c->n_tasks++];
		t->unit = (uint32_t)u;
		t->cpu = want * (20 + draw(s, 161)) / 100;
		t->cpu_peak = t->cpu * (100 + draw(s, 20)) / 100;
		t->mem_mib = floor(mem * (20 + draw(s, 161)) / 100);
		t->mem_peak_mib = floor(t->mem_mib * (100 + draw(s, 10)) / 100);
		t->cost_mib = floor(t->mem_mib * (30 + draw(s, 100)) / 100);
		if (rules)
			draw_rules(t, s, c->n_units);
	}
}

void fleet_case_draw(
	struct fleet_case *c, unsigned number, size_t n_units, size_t per_unit, double part, bool rules)
{
	unsigned long long s = number * 2654435761ull + 99991;
	for (int i = 0; i < 4; i++)
		draw(&s, 2);
	*c = (struct fleet_case){.n_units = n_units};
	c->units = calloc(n_units, sizeof *c->units);
	c->tasks = calloc(n_units * per_unit, sizeof *c->tasks);
	if (!c->units || !c->tasks)
		abort();
	for (size_t u = 0; u < n_units; u++) {
		struct fleet_unit *h = &c->units[u];
		h->cpu = 16 * (1 + draw(&s, 3));
		h->own = draw(&s, 100) / 100.;
		h->mem_mib = h->cpu * 4096;
		h->domain = rules ? (int)(u % 3) - 1 : FLEET_DOMAIN_NONE;
		h->has = rules ? draw(&s, 4) : 3;
		h->closed = rules && draw(&s, 10) == 0;
		draw_tasks(c, u, per_unit, part, &s, rules);
	}
	/* Nobody is where it cannot be. */
	for (size_t i = 0; i < c->n_tasks; i++)
		c->tasks[i].needs &= c->units[c->tasks[i].unit].has;
}

void fleet_case_done(struct fleet_case *c)
{
	free(c->units);
	free(c->tasks);
}

/* --- all of them --------------------------------------------------------------------------------------- */

enum { ENUM_UNITS = 5, ENUM_TASKS = 12 };

struct sum {
	double cpu, peak, mem, mem_peak;
	bool receives;
};

static void add_up(const struct fleet_case *c, const uint32_t *at, struct sum *s)
{
	for (size_t u = 0; u < c->n_units; u++)
		s[u] = (struct sum){c->units[u].own, c->units[u].own, 0, 0, false};
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct fleet_task *t = &c->tasks[i];
		struct sum *x = &s[at[i]];
		x->cpu += t->cpu;
		x->peak += t->cpu_peak;
		x->mem += t->mem_mib;
		x->mem_peak += t->mem_peak_mib;
		x->receives |= at[i] != t->unit;
	}
}

static bool over(const struct fleet_unit *h, const struct sum *s, const struct fleet_limits *l)
{
	return s->cpu > h->cpu * l->cpu_part + 1e-9 || s->mem > h->mem_mib + 1e-9;
}

static bool may_receive(const struct fleet_unit *h, const struct sum *s, const struct fleet_limits *l)
{
	return s->cpu <= h->cpu * l->cpu_part + 1e-9 && s->peak <= h->cpu * (1 - l->keep_part) + 1e-9 &&
	       s->mem_peak <= h->mem_mib + 1e-9;
}

/* Of two that were moved or not: rules count where one has moved. */
static bool pair_holds(const struct fleet_case *c, const uint32_t *at, size_t i, size_t k)
{
	const struct fleet_task *a = &c->tasks[i], *b = &c->tasks[k];
	bool moved = at[i] != a->unit || at[k] != b->unit;
	if (!moved)
		return true;
	if (a->together && a->together == b->together)
		return a->unit == b->unit && at[i] == at[k];
	if (!a->apart || a->apart != b->apart)
		return true;
	int domain = c->units[at[i]].domain;
	bool near = (a->apart_domain || b->apart_domain) && domain >= 0 && c->units[at[k]].domain == domain;
	return at[i] != at[k] && !near;
}

static bool rules_hold(const struct fleet_case *c, const uint32_t *at)
{
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct fleet_task *t = &c->tasks[i];
		if (at[i] != t->unit &&
			(t->fixed || c->units[at[i]].closed || (t->needs & ~c->units[at[i]].has)))
			return false;
		for (size_t k = i + 1; k < c->n_tasks; k++)
			if (!pair_holds(c, at, i, k))
				return false;
	}
	return true;
}

/* One after the other, so that no host that receives is beyond its limits at any time. */
static bool reachable(
	const struct fleet_case *c, const struct fleet_limits *l, uint32_t *now, const uint32_t *at)
{
	struct sum s[ENUM_UNITS];
	bool there = true;
	for (size_t i = 0; i < c->n_tasks; i++) {
		uint32_t from = now[i];
		if (from == at[i])
			continue;
		there = false;
		now[i] = at[i];
		add_up(c, now, s);
		bool good = may_receive(&c->units[at[i]], &s[at[i]], l) && reachable(c, l, now, at);
		now[i] = from;
		if (good)
			return true;
	}
	return there;
}

static bool in_order(const struct fleet_case *c, const struct fleet_limits *l, const uint32_t *at)
{
	uint32_t now[ENUM_TASKS];
	for (size_t i = 0; i < c->n_tasks; i++)
		now[i] = c->tasks[i].unit;
	return reachable(c, l, now, at);
}

static void judge(const struct fleet_case *c, const struct fleet_limits *l, const uint32_t *at,
	const struct sum *before, struct fleet_best *best)
{
	struct sum s[ENUM_UNITS];
	long moves = 0, cured = 0;
	for (size_t i = 0; i < c->n_tasks; i++)
		moves += at[i] != c->tasks[i].unit;
	add_up(c, at, s);
	for (size_t u = 0; u < c->n_units; u++) {
		if (s[u].receives && !may_receive(&c->units[u], &s[u], l))
			return;
		cured += over(&c->units[u], &before[u], l) && !over(&c->units[u], &s[u], l);
	}
	bool better = cured > best->cured || (cured == best->cured && moves < best->moves);
	if (better && rules_hold(c, at) && in_order(c, l, at))
		*best = (struct fleet_best){moves, cured};
}

struct fleet_best fleet_enumerate(const struct fleet_case *c, const struct fleet_limits *l)
{
	uint32_t at[ENUM_TASKS];
	struct sum before[ENUM_UNITS];
	struct fleet_best best = {0, 0};
	if (c->n_units > ENUM_UNITS || c->n_tasks > ENUM_TASKS)
		abort();
	for (size_t i = 0; i < c->n_tasks; i++)
		at[i] = c->tasks[i].unit;
	add_up(c, at, before);
	memset(at, 0, sizeof at);
	for (;;) {
		size_t i = 0;
		judge(c, l, at, before, &best);
		while (i < c->n_tasks && ++at[i] == c->n_units)
			at[i++] = 0;
		if (i == c->n_tasks)
			return best;
	}
}

/* --- cbc ----------------------------------------------------------------------------------------------- */

static void row(
	FILE *f, const struct fleet_case *c, size_t u, double (*of)(const struct fleet_task *t), double most)
{
	fprintf(f, "\n r%ld:", ftell(f));
	for (size_t i = 0; i < c->n_tasks; i++)
		fprintf(f, " + %.9f x%zu_%zu", of(&c->tasks[i]), i, u);
	fprintf(f, " <= %.9f", most);
}

/* Only where y of the unit is 1; without, `all` are no more than all. */
static void row_if(FILE *f, const struct fleet_case *c, size_t u, double (*of)(const struct fleet_task *t),
	double most, double all)
{
	fprintf(f, "\n r%ld:", ftell(f));
	for (size_t i = 0; i < c->n_tasks; i++)
		fprintf(f, " + %.9f x%zu_%zu", of(&c->tasks[i]), i, u);
	fprintf(f, " + %.9f y%zu <= %.9f", all, u, most + all);
}

static double cpu_of(const struct fleet_task *t)
{
	return t->cpu;
}

static double peak_of(const struct fleet_task *t)
{
	return t->cpu_peak;
}

static double mem_of(const struct fleet_task *t)
{
	return t->mem_mib;
}

static double mem_peak_of(const struct fleet_task *t)
{
	return t->mem_peak_mib;
}

/* Beyond its peaks a host may be as it was found, but then it receives nobody: y tells whether it does. */
static void unit_rows(FILE *f, const struct fleet_case *c, const struct fleet_limits *l, size_t u)
{
	const struct fleet_unit *h = &c->units[u];
	double peak = h->cpu * (1 - l->keep_part) - h->own, most_peak = 0, most_mem = 0;
	for (size_t i = 0; i < c->n_tasks; i++) {
		most_peak += c->tasks[i].cpu_peak;
		most_mem += c->tasks[i].mem_peak_mib;
	}
	row(f, c, u, cpu_of, h->cpu * l->cpu_part - h->own);
	row(f, c, u, mem_of, h->mem_mib);
	row_if(f, c, u, peak_of, peak, most_peak);
	row_if(f, c, u, mem_peak_of, h->mem_mib, most_mem);
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].unit != u)
			fprintf(f, "\n n%zu_%zu: x%zu_%zu - y%zu <= 0", i, u, i, u, u);
}

static bool program_write(const char *path, const struct fleet_case *c, const struct fleet_limits *l)
{
	FILE *f = fopen(path, "w");
	if (!f)
		abort();
	fprintf(f, "Minimize\n moves:");
	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t u = 0; u < c->n_units; u++)
			if (u != c->tasks[i].unit)
				fprintf(f, " + x%zu_%zu", i, u);
	fprintf(f, "\nSubject To");
	for (size_t u = 0; u < c->n_units; u++)
		unit_rows(f, c, l, u);
	for (size_t i = 0; i < c->n_tasks; i++) {
		fprintf(f, "\n t%zu:", i);
		for (size_t u = 0; u < c->n_units; u++)
			fprintf(f, " + x%zu_%zu", i, u);
		fprintf(f, " = 1");
	}
	fprintf(f, "\nBinaries\n");
	for (size_t u = 0; u < c->n_units; u++)
		fprintf(f, " y%zu\n", u);
	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t u = 0; u < c->n_units; u++)
			fprintf(f, " x%zu_%zu\n", i, u);
	fprintf(f, "End\n");
	return fclose(f) == 0;
}

static int cbc_run(const char *lp, const char *solution, double seconds)
{
	char limit[32];
	snprintf(limit, sizeof limit, "%.0f", seconds);
	char *argv[] = {(char[]){"cbc"}, (char *)(uintptr_t)lp, (char[]){"sec"}, limit, (char[]){"solve"},
		(char[]){"solu"}, (char *)(uintptr_t)solution, NULL};
	posix_spawn_file_actions_t to_null;
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", 1 /* O_WRONLY */, 0);
	pid_t pid;
	int status = -1, failed = posix_spawn(&pid, "/usr/bin/cbc", &to_null, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&to_null);
	return failed || waitpid(pid, &status, 0) < 0 ? -1 : status;
}

struct fleet_best fleet_cbc(const struct fleet_case *c, const struct fleet_limits *l, double seconds)
{
	char dir[] = "/tmp/vmtop-fleet-XXXXXX", lp[64], solution[64], line[256];
	struct fleet_best best = {-1, -1};
	double moves = -1;
	if (!mkdtemp(dir))
		return best;
	snprintf(lp, sizeof lp, "%s/p.lp", dir);
	snprintf(solution, sizeof solution, "%s/s.txt", dir);
	FILE *f =
		program_write(lp, c, l) && cbc_run(lp, solution, seconds) == 0 ? fopen(solution, "r") : NULL;
	if (f && fgets(line, sizeof line, f) && sscanf(line, "Optimal - objective value %lf", &moves) == 1)
		best = (struct fleet_best){lround(moves), 0};
	if (f)
		fclose(f);
	unlink(lp);
	unlink(solution);
	rmdir(dir);
	return best;
}
