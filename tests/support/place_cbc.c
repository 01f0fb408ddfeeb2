/* SPDX-License-Identifier: MIT */
/* Proven fewest moves by cbc. A pattern of a unit is a set of its tasks that leave and a set of others that
 * come; a plan is one pattern for each unit such that whoever leaves arrives once. So the squares of the
 * deviations are plain costs, and the linear program behind it is tight. Is there a plan of k moves? is asked
 * for k = a lower bound, and one more until the answer is yes. Of the patterns only those are written with
 * which the target could still be met if all other units were as good as that many moves can make them. */
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place_oracle.h"

extern char **environ;

enum { MAX_N = 128, MAX_M = 32, MAX_OWN = 16, MAX_K = 24, MAX_SIDE = 8, MAX_PATTERNS = 400000 };

struct pattern {
	double q;
	uint8_t unit, n_out, n_in, out[MAX_SIDE], in[MAX_SIDE];
};

/* Lowest sum of squares by how many leave and how many come. */
struct table {
	double q[MAX_K + 1][MAX_K + 1];
};

struct search {
	const struct place_case *c;
	int n, m, k;
	double dev[MAX_M], target_q;
	uint8_t own[MAX_M][MAX_OWN], n_own[MAX_M];
	uint8_t other[MAX_M][MAX_N], n_other[MAX_M]; /* that may come, smallest first */
	struct table least[MAX_M], rest[MAX_M];      /* of one unit; of all but that one */
	struct table all;
	struct pattern *patterns;
	size_t n_patterns;
	bool overflow;
	char dir[64], mps[96], solution[96];
};

bool oracle_have_cbc(void)
{
	return access("/usr/bin/cbc", X_OK) == 0;
}

static double demand(const struct search *s, int t)
{
	return s->c->tasks[t].demand_pct;
}

/* --- bounds ------------------------------------------------------------------------------------------- */

static void table_fill(struct table *t, double q)
{
	for (int a = 0; a <= MAX_K; a++)
		for (int b = 0; b <= MAX_K; b++)
			t->q[a][b] = q;
}

/* The square of what is left of `dev` when anything between lo and hi comes. */
static double square_left(double dev, double lo, double hi)
{
	double y = dev + lo > 0 ? dev + lo : dev + hi < 0 ? dev + hi : 0;
	return y * y;
}

static void least_of(struct search *s, int u)
{
	table_fill(&s->least[u], INFINITY);
	for (uint32_t set = 0; set < UINT32_C(1) << s->n_own[u]; set++) {
		double dev = s->dev[u], lo = 0, hi = 0;
		int a = __builtin_popcount(set);
		for (int i = 0; i < s->n_own[u]; i++)
			dev -= set >> i & 1 ? demand(s, s->own[u][i]) : 0;
		for (int b = 0; a <= MAX_K && b <= MAX_K && b <= s->n_other[u]; b++) {
			double *q = &s->least[u].q[a][b];
			*q = fmin(*q, square_left(dev, lo, hi));
			if (b < s->n_other[u]) {
				lo += demand(s, s->other[u][b]);
				hi += demand(s, s->other[u][s->n_other[u] - 1 - b]);
			}
		}
	}
}

static struct table table_join(const struct table *x, const struct table *y)
{
	struct table sum;
	table_fill(&sum, INFINITY);
	for (int a = 0; a <= MAX_K; a++)
		for (int b = 0; b <= MAX_K; b++)
			for (int i = 0; i <= a && isfinite(x->q[0][0] + y->q[0][0]); i++)
				for (int j = 0; j <= b; j++)
					sum.q[a][b] = fmin(sum.q[a][b], x->q[i][j] + y->q[a - i][b - j]);
	return sum;
}

static void bounds_find(struct search *s)
{
	struct table before[MAX_M + 1], after;
	table_fill(&before[0], INFINITY);
	before[0].q[0][0] = 0;
	after = before[0];
	for (int u = 0; u < s->m; u++) {
		least_of(s, u);
		before[u + 1] = table_join(&before[u], &s->least[u]);
	}
	s->all = before[s->m];
	for (int u = s->m - 1; u >= 0; u--) {
		s->rest[u] = table_join(&before[u], &after);
		after = table_join(&after, &s->least[u]);
	}
}

/* What the others leave to unit u when `a` leave it and `b` come, and no more than k moves are made. */
static double room_left(const struct search *s, int u, int a, int b)
{
	double rest = INFINITY;
	for (int t = a > b ? a : b; t <= s->k; t++)
		rest = fmin(rest, s->rest[u].q[t - a][t - b]);
	return s->target_q - rest;
}

static int moves_bound(const struct search *s)
{
	int k = 0;
	while (k <= MAX_K && k <= s->n && s->all.q[k][k] > s->target_q)
		k++;
	return k;
}

/* --- patterns ----------------------------------------------------------------------------------------- */

struct choice {
	struct pattern p;
	double dev, most; /* with what was chosen so far; the largest deviation that will do */
};

static void pattern_add(struct search *s, const struct choice *x)
{
	if (s->n_patterns == MAX_PATTERNS) {
		s->overflow = true;
		return;
	}
	s->patterns[s->n_patterns] = x->p;
	s->patterns[s->n_patterns++].q = x->dev * x->dev;
}

/* `left` more come, out of the first `n` of the sorted ones. */
static void arrivals_choose(struct search *s, struct choice *x, int n, int left)
{
	const uint8_t *other = s->other[x->p.unit];
	double lo = 0, hi = 0;
	if (left == 0) {
		if (fabs(x->dev) <= x->most)
			pattern_add(s, x);
		return;
	}
	if (left > n || s->overflow)
		return;
	for (int i = 0; i < left; i++) {
		lo += demand(s, other[i]);
		hi += demand(s, other[n - 1 - i]);
	}
	if (x->dev + lo > x->most || x->dev + hi < -x->most)
		return;
	arrivals_choose(s, x, n - 1, left);
	double d = demand(s, other[n - 1]);
	x->p.in[left - 1] = other[n - 1];
	x->dev += d;
	arrivals_choose(s, x, n - 1, left - 1);
	x->dev -= d;
}

static void patterns_of(struct search *s, int u, uint32_t set)
{
	struct choice x = {.p = {.unit = (uint8_t)u}, .dev = s->dev[u]};
	int a = __builtin_popcount(set), most = s->k < MAX_SIDE ? s->k : MAX_SIDE;
	if (a > s->k)
		return;
	if (a > MAX_SIDE) {
		s->overflow |= room_left(s, u, a, 0) >= 0;
		return;
	}
	for (int i = 0; i < s->n_own[u]; i++) {
		if (!(set >> i & 1))
			continue;
		x.p.out[x.p.n_out++] = s->own[u][i];
		x.dev -= demand(s, s->own[u][i]);
	}
	for (int b = 0; b <= s->k; b++) {
		double room = room_left(s, u, a, b);
		if (room < 0)
			continue;
		s->overflow |= b > most;
		x.p.n_in = (uint8_t)b;
		x.most = sqrt(room);
		if (b <= most)
			arrivals_choose(s, &x, s->n_other[u], b);
	}
}

static void patterns_find(struct search *s)
{
	s->n_patterns = 0;
	s->overflow = false;
	for (int u = 0; u < s->m; u++)
		for (uint32_t set = 0; set < UINT32_C(1) << s->n_own[u] && !s->overflow; set++)
			patterns_of(s, u, set);
}

/* --- cbc ---------------------------------------------------------------------------------------------- */

static void column_write(FILE *f, size_t i, const struct pattern *p, double target_q)
{
	fprintf(f, " P%zu Q %.12g C %.12g\n P%zu U%d 1 K %d\n", i, p->q / target_q, p->q / target_q, i,
		p->unit, p->n_in);
	for (int j = 0; j < p->n_out; j++)
		fprintf(f, " P%zu T%d 1\n", i, p->out[j]);
	for (int j = 0; j < p->n_in; j++)
		fprintf(f, " P%zu T%d -1\n", i, p->in[j]);
}

static bool program_write(const struct search *s)
{
	FILE *f = fopen(s->mps, "w");
	if (!f)
		return false;
	fprintf(f, "NAME MOVES FREE\nROWS\n N C\n L Q\n L K\n");
	for (int u = 0; u < s->m; u++)
		fprintf(f, " E U%d\n", u);
	for (int t = 0; t < s->n; t++)
		fprintf(f, " E T%d\n", t);
	fprintf(f, "COLUMNS\n M1 'MARKER' 'INTORG'\n");
	for (size_t i = 0; i < s->n_patterns; i++)
		column_write(f, i, &s->patterns[i], s->target_q);
	fprintf(f, " M2 'MARKER' 'INTEND'\nRHS\n R Q %.12g K %d\n", 1 + 1e-7, s->k);
	for (int u = 0; u < s->m; u++)
		fprintf(f, " R U%d 1\n", u);
	fprintf(f, "BOUNDS\n");
	for (size_t i = 0; i < s->n_patterns; i++)
		fprintf(f, " BV B P%zu\n", i);
	fprintf(f, "ENDATA\n");
	return fclose(f) == 0;
}

static int cbc_run(const struct search *s, double seconds)
{
	char limit[32];
	snprintf(limit, sizeof(limit), "%.0f", fmax(1, seconds));
	char *argv[] = {(char[]){"cbc"}, (char *)(uintptr_t)s->mps, (char[]){"sec"}, limit,
		(char[]){"maxSolutions"}, (char[]){"1"}, (char[]){"solve"}, (char[]){"solu"},
		(char *)(uintptr_t)s->solution, NULL};
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

enum answer { NO, YES, DO_NOT_KNOW };

/* Yes is believed only when the patterns make a plan: it is added up here. */
static enum answer solution_read(const struct search *s)
{
	char line[256];
	double value, q = 0;
	int moves = 0, units = 0, balance[MAX_N] = {0};
	FILE *f = fopen(s->solution, "r");
	if (!f)
		return DO_NOT_KNOW;
	bool no = fgets(line, sizeof(line), f) && strstr(line, "nfeasible");
	while (!no && fgets(line, sizeof(line), f)) {
		size_t i;
		if (sscanf(line, " %*d P%zu %lf", &i, &value) != 2 || i >= s->n_patterns || value < 0.5)
			continue;
		const struct pattern *p = &s->patterns[i];
		q += p->q;
		moves += p->n_in;
		units++;
		for (int j = 0; j < p->n_out; j++)
			balance[p->out[j]]++;
		for (int j = 0; j < p->n_in; j++)
			balance[p->in[j]]--;
	}
	fclose(f);
	for (int t = 0; t < s->n; t++)
		if (balance[t])
			units = 0;
	if (no)
		return NO;
	return units == s->m && moves <= s->k && q <= s->target_q * (1 + 1e-6) ? YES : DO_NOT_KNOW;
}

/* Every unit has a pattern? Without it there is nothing to solve. */
static bool patterns_cover(const struct search *s)
{
	uint32_t seen = 0;
	for (size_t i = 0; i < s->n_patterns; i++)
		seen |= UINT32_C(1) << s->patterns[i].unit;
	return __builtin_popcount(seen) == s->m;
}

/* Is there a plan of at most k moves? */
static enum answer ask(struct search *s, double seconds)
{
	patterns_find(s);
	if (s->overflow)
		return DO_NOT_KNOW;
	if (!patterns_cover(s))
		return NO;
	if (!program_write(s) || cbc_run(s, seconds) != 0)
		return DO_NOT_KNOW;
	return solution_read(s);
}

/* --- the whole ---------------------------------------------------------------------------------------- */

static int smaller_first(const void *a, const void *b, void *search)
{
	double x = demand(search, *(const uint8_t *)a), y = demand(search, *(const uint8_t *)b);
	return (x > y) - (x < y);
}

static bool search_load(struct search *s, const struct place_case *c, double target)
{
	double mean = 0;
	if (c->p.n_tasks > MAX_N || c->p.n_units > MAX_M)
		return false;
	s->c = c;
	s->n = (int)c->p.n_tasks;
	s->m = (int)c->p.n_units;
	s->target_q = target * target * s->m;
	for (int u = 0; u < s->m; u++)
		mean += (s->dev[u] = c->units[u].background_pct) / s->m;
	for (int t = 0; t < s->n; t++) {
		int home = c->tasks[t].unit;
		mean += demand(s, t) / s->m;
		s->dev[home] += demand(s, t);
		if (s->n_own[home] == MAX_OWN)
			return false;
		s->own[home][s->n_own[home]++] = (uint8_t)t;
		for (int u = 0; u < s->m; u++)
			if (u != home && cpuset_has(c->tasks[t].allowed, u))
				s->other[u][s->n_other[u]++] = (uint8_t)t;
	}
	for (int u = 0; u < s->m; u++) {
		s->dev[u] -= mean;
		qsort_r(s->other[u], s->n_other[u], 1, smaller_first, s);
	}
	return true;
}

static struct oracle_moves search_run(struct search *s, int known, double seconds)
{
	struct oracle_moves out = {.known = known};
	enum answer x = NO;
	bounds_find(s);
	for (out.least = moves_bound(s); known < 0 || out.least < known; out.least++) {
		s->k = out.least;
		if (s->k > MAX_K || s->k > s->n || (x = ask(s, seconds)) != NO)
			break;
	}
	if (x == YES)
		out.known = out.least;
	return out;
}

static bool folder_make(struct search *s)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(s->dir, sizeof(s->dir), "%.40s/place-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s->dir))
		return false;
	snprintf(s->mps, sizeof(s->mps), "%s/m.mps", s->dir);
	snprintf(s->solution, sizeof(s->solution), "%s/m.sol", s->dir);
	return true;
}

static void folder_remove(const struct search *s)
{
	unlink(s->mps);
	unlink(s->solution);
	rmdir(s->dir);
}

struct oracle_moves oracle_cbc_moves(const struct place_case *c, double target, int known, double seconds)
{
	struct oracle_moves out = {.least = 0, .known = known};
	struct search *s = calloc(1, sizeof(*s));
	struct pattern *patterns = malloc(MAX_PATTERNS * sizeof(*patterns));
	if (s && patterns && oracle_have_cbc() && search_load(s, c, target) && folder_make(s)) {
		s->patterns = patterns;
		out = search_run(s, known, seconds);
		folder_remove(s);
	}
	free(patterns);
	free(s);
	return out;
}
