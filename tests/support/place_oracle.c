/* SPDX-License-Identifier: MIT */
/* Proven optima. The program for cbc: a binary for every task and other unit, fewest of them 1, the sum of
 * squares of deviations at or below the target. Squares are replaced by tangents from below; each answer that
 * misses the true target gets tangents of its own, until none does: so the last answer is exact. */
#include "place_oracle.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_N = 128, MAX_M = 32, MAX_CUTS = 64 };

struct walk {
	const struct place_case *c;
	double load[MAX_M], mean, best_q, target_q;
	int fewest;
};

static double walk_q(const struct walk *w)
{
	double q = 0;
	for (size_t j = 0; j < w->c->p.n_units; j++)
		q += (w->load[j] - w->mean) * (w->load[j] - w->mean);
	return q;
}

static void walk_on(struct walk *w, size_t t, int moves)
{
	if (w->fewest >= 0 && moves >= w->fewest && w->target_q >= 0)
		return;
	if (t == w->c->p.n_tasks) {
		double q = walk_q(w);
		w->best_q = fmin(w->best_q, q);
		if (q <= w->target_q * (1 + 1e-9) + 1e-9)
			w->fewest = moves;
		return;
	}
	const struct place_task *task = &w->c->tasks[t];
	for (int u = 0; u < (int)w->c->p.n_units; u++) {
		if (!cpuset_has(task->allowed, u))
			continue;
		double before = w->load[u];
		w->load[u] += task->demand_pct;
		walk_on(w, t + 1, moves + (u != task->unit));
		w->load[u] = before;
	}
}

static struct walk walk_all(const struct place_case *c, double target_q)
{
	struct walk w = {.c = c, .best_q = INFINITY, .target_q = target_q, .fewest = -1};
	for (size_t j = 0; j < c->p.n_units; j++)
		w.mean += w.load[j] = c->units[j].background_pct;
	for (size_t i = 0; i < c->p.n_tasks; i++)
		w.mean += c->tasks[i].demand_pct;
	w.mean /= (double)c->p.n_units;
	walk_on(&w, 0, 0);
	return w;
}

double oracle_best_sigma(const struct place_case *c)
{
	return sqrt(walk_all(c, -1).best_q / (double)c->p.n_units);
}

int oracle_fewest_moves(const struct place_case *c, double target)
{
	return walk_all(c, target * target * (double)c->p.n_units).fewest;
}

bool oracle_have_cbc(void)
{
	return access("/usr/bin/cbc", X_OK) == 0;
}

struct program {
	const struct place_case *c;
	double cut[MAX_M][MAX_CUTS];
	int n_cuts[MAX_M];
	double mean, target_q;
	int least; /* a bound from below, so that cbc may stop there */
	char dir[64], lp[96], solution[96];
	uint8_t placed[MAX_N]; /* of the last answer: unit */
	int moves;
	bool proven;
};

static bool may_go(const struct place_case *c, size_t t, int u)
{
	return u != c->tasks[t].unit && cpuset_has(c->tasks[t].allowed, u);
}

/* All binaries, or with t >= 0 those of one task. */
static void binaries_write(const struct program *p, FILE *f, long t, const char *before)
{
	size_t lo = t < 0 ? 0 : (size_t)t, hi = t < 0 ? p->c->p.n_tasks : lo + 1;
	for (size_t i = lo; i < hi; i++)
		for (int u = 0; u < (int)p->c->p.n_units; u++)
			if (may_go(p->c, i, u))
				fprintf(f, " %sx%zu_%d\n", before, i, u);
}

/* y of a unit: its deviation from the mean. */
static void deviation_write(const struct program *p, FILE *f, int u)
{
	const struct place_problem *q = &p->c->p;
	double load = q->units[u].background_pct - p->mean;
	fprintf(f, " l%d: y%d", u, u);
	for (size_t i = 0; i < q->n_tasks; i++) {
		double d = q->tasks[i].demand_pct;
		bool here = q->tasks[i].unit == u;
		load += here ? d : 0;
		for (int v = 0; v < (int)q->n_units; v++)
			if (may_go(p->c, i, v) && (here || v == u))
				fprintf(f, " %c %.9f x%zu_%d\n", here ? '+' : '-', d, i, v);
	}
	fprintf(f, " = %.9f\n", load);
	for (int k = 0; k < p->n_cuts[u]; k++) {
		double at = p->cut[u][k];
		fprintf(f, " t%d_%d: q%d %c %.9f y%d >= %.9f\n", u, k, u, at > 0 ? '-' : '+', 2 * fabs(at), u,
			-at * at);
	}
}

static void program_write(const struct program *p)
{
	size_t n = p->c->p.n_tasks;
	int m = (int)p->c->p.n_units;
	FILE *f = fopen(p->lp, "w");
	if (!f)
		return;
	fprintf(f, "Minimize\n obj:");
	binaries_write(p, f, -1, "+ ");
	fprintf(f, "Subject To\n");
	for (int u = 0; u < m; u++)
		deviation_write(p, f, u);
	fprintf(f, " total:");
	for (int u = 0; u < m; u++)
		fprintf(f, " + q%d", u);
	fprintf(f, " <= %.9f\n", p->target_q * (1 + 1e-7));
	fprintf(f, " least:\n");
	binaries_write(p, f, -1, "+ ");
	fprintf(f, " >= %d\n", p->least);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, " o%zu: z%zu\n", i, i);
		binaries_write(p, f, (long)i, "+ ");
		fprintf(f, " <= 1\n");
	}
	fprintf(f, "Bounds\n");
	for (int u = 0; u < m; u++)
		fprintf(f, " y%d free\n", u);
	fprintf(f, "Binaries\n");
	binaries_write(p, f, -1, "");
	fprintf(f, "End\n");
	fclose(f);
}

static int cbc_run(const struct program *p, double seconds)
{
	char limit[32];
	snprintf(limit, sizeof(limit), "%.0f", seconds);
	char *argv[] = {(char[]){"cbc"}, (char *)(uintptr_t)p->lp, (char[]){"sec"}, limit, (char[]){"solve"},
		(char[]){"solu"}, (char *)(uintptr_t)p->solution, NULL};
	posix_spawn_file_actions_t to_null;
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", 1 /* O_WRONLY */, 0);
	pid_t pid;
	int status = -1, failed = posix_spawn(&pid, "/usr/bin/cbc", &to_null, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&to_null);
	if (failed || waitpid(pid, &status, 0) < 0)
		return -1;
	return status;
}

/* The answer: where each task is, and whether it was proven. */
static int solution_read(struct program *p)
{
	char line[256], name[64];
	double value;
	FILE *f = fopen(p->solution, "r");
	if (!f)
		return -1;
	for (size_t i = 0; i < p->c->p.n_tasks; i++)
		p->placed[i] = (uint8_t)p->c->tasks[i].unit;
	p->moves = 0;
	p->proven = fgets(line, sizeof(line), f) && strncmp(line, "Optimal", 7) == 0;
	while (fgets(line, sizeof(line), f)) {
		size_t t;
		int u;
		if (sscanf(line, " %*d %63s %lf", name, &value) != 2 || sscanf(name, "x%zu_%d", &t, &u) != 2)
			continue;
		if (value > 0.5 && t < p->c->p.n_tasks) {
			p->placed[t] = (uint8_t)u;
			p->moves++;
		}
	}
	fclose(f);
	return 0;
}

/* Tangents where the answer is; returns its true Q. */
static double cuts_add(struct program *p)
{
	const struct place_problem *q = &p->c->p;
	double total = 0;
	for (int u = 0; u < (int)q->n_units; u++) {
		double y = q->units[u].background_pct - p->mean;
		for (size_t i = 0; i < q->n_tasks; i++)
			y += p->placed[i] == u ? q->tasks[i].demand_pct : 0;
		total += y * y;
		if (p->n_cuts[u] < MAX_CUTS)
			p->cut[u][p->n_cuts[u]++] = y;
	}
	return total;
}

static void cuts_begin(struct program *p, double step)
{
	for (size_t u = 0; u < p->c->p.n_units; u++)
		for (int k = -12; k <= 12; k++)
			p->cut[u][p->n_cuts[u]++] = k * step;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x < y) - (x > y);
}

/* A move touches one unit above the mean and one below at most: k moves leave the rest of the squares. */
static int moves_bound(const struct program *p)
{
	const struct place_problem *q = &p->c->p;
	double over[MAX_M] = {0}, under[MAX_M] = {0}, rest = 0;
	int m = (int)q->n_units, k = 0;
	for (int u = 0; u < m; u++) {
		double y = q->units[u].background_pct - p->mean;
		for (size_t i = 0; i < q->n_tasks; i++)
			y += q->tasks[i].unit == u ? q->tasks[i].demand_pct : 0;
		*(y > 0 ? &over[u] : &under[u]) = y * y;
		rest += y * y;
	}
	qsort(over, (size_t)m, sizeof(*over), descending);
	qsort(under, (size_t)m, sizeof(*under), descending);
	for (; k < m && rest > p->target_q * (1 + 1e-6) + 1e-6; k++)
		rest -= over[k] + under[k];
	return k;
}

static int program_solve(struct program *p, double seconds)
{
	for (int round = 0; round < 30; round++) {
		program_write(p);
		if (cbc_run(p, seconds) != 0 || solution_read(p) < 0)
			return -1;
		if (!p->proven || cuts_add(p) <= p->target_q * (1 + 1e-6))
			return p->moves;
	}
	p->proven = false;
	return p->moves;
}

int oracle_cbc_moves(const struct place_case *c, double target, double seconds, bool *proven)
{
	struct program p = {.c = c, .target_q = target * target * (double)c->p.n_units};
	const char *tmp = getenv("TMPDIR");
	if (c->p.n_tasks > MAX_N || c->p.n_units > MAX_M || !oracle_have_cbc())
		return -1;
	snprintf(p.dir, sizeof(p.dir), "%.40s/place-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(p.dir))
		return -1;
	snprintf(p.lp, sizeof(p.lp), "%s/m.lp", p.dir);
	snprintf(p.solution, sizeof(p.solution), "%s/m.sol", p.dir);
	for (size_t j = 0; j < c->p.n_units; j++)
		p.mean += c->units[j].background_pct;
	for (size_t i = 0; i < c->p.n_tasks; i++)
		p.mean += c->tasks[i].demand_pct;
	p.mean /= (double)c->p.n_units;
	p.least = moves_bound(&p);
	cuts_begin(&p, target > 0.5 ? target : 0.5);
	int moves = program_solve(&p, seconds);
	*proven = p.proven;
	unlink(p.lp);
	unlink(p.solution);
	rmdir(p.dir);
	return moves;
}
