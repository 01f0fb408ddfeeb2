/* SPDX-License-Identifier: MIT */
/* How the threads on one pCPU share it. Each is a closed loop that computes and sleeps; whoever is runnable
 * gets an equal share. This queue (processor sharing with sources) has an exact solution that depends on the
 * duties alone: the weight of "exactly the threads of S are runnable" is |S|! prod(S) d_i prod(not S) (1 -
 * d_i). With k! = int x^k exp(-x) dx all sums over S become integrals of exp(-x) prod (1 - d_i + d_i x). It
 * gives run/(1-wait) = duty exactly, never leaves a pCPU idle while somebody wants to run, and two threads of
 * 43 % wait 16 % each, as measured on hardware. Must not know what a thread is. */
#include <math.h>

#include "vmtop/minmax.h"

#include "sim.h"

/* Gauss-Laguerre: exact for polynomials of degree 63, so for up to SHARE_EXACT threads. */
enum { POINTS = 32 };
static const struct {
	double x, weight;
} points[POINTS] = {{0.044489365833267021, 0.10921834195238497}, {0.23452610951961853, 0.21044310793881324},
	{0.57688462930188644, 0.23521322966984801}, {1.0724487538178176, 0.19590333597288104},
	{1.7224087764446454, 0.12998378628607177}, {2.5283367064257947, 0.070578623865717435},
	{3.4922132730219944, 0.031760912509175072}, {4.6164567697497674, 0.011918214834838558},
	{5.9039585041742439, 0.0037388162946115247}, {7.358126733186241, 0.00098080330661495514},
	{8.9829409242125955, 0.0002148649188013642}, {10.783018632539973, 3.9203419679879469e-05},
	{12.763697986742725, 5.9345416128686326e-06}, {14.931139755522556, 7.4164045786675519e-07},
	{17.292454336715316, 7.6045678791207813e-08}, {19.855860940336054, 6.3506022266258064e-09},
	{22.630889013196775, 4.281382971040929e-10}, {25.628636022459247, 2.3058994918913362e-11},
	{28.862101816323474, 9.7993792887270935e-13}, {32.346629153964734, 3.2378016577292665e-14},
	{36.100494805751971, 8.1718234434207193e-16}, {40.14571977153944, 1.5421338333938235e-17},
	{44.509207995754934, 2.1197922901636187e-19}, {49.224394987308642, 2.0544296737880453e-21},
	{54.333721333396909, 1.3469825866373952e-23}, {59.892509162134019, 5.6612941303973588e-26},
	{65.975377287935046, 1.4185605454630368e-28}, {72.687628090662713, 1.9133754944542244e-31},
	{80.187446977913524, 1.1922487600982224e-34}, {88.735340417892402, 2.671511219240137e-38},
	{98.829542868283966, 1.3386169421062562e-42}, {111.7513980979377, 4.5105361938989741e-48}};

/* Adds one point of the integral: `weight` of the point times the integrand without its i-th factor, and that
 * times x. */
static void add_point(const double *duty, double *run, double *wait, int n, double x, double weight)
{
	for (int i = 0; i < n; i++) {
		double part = weight * duty[i] / (1 - duty[i] + duty[i] * x);
		run[i] += part;
		wait[i] += part * x;
	}
}

/* At most 1e132 and at least 1e-48 for 64 threads: no logarithms needed. */
static double add_exact(const double *duty, double *run, double *wait, int n)
{
	double total = 0;
	for (int k = 0; k < POINTS; k++) {
		double weight = points[k].weight;
		for (int i = 0; i < n; i++)
			weight *= 1 - duty[i] + duty[i] * points[k].x;
		add_point(duty, run, wait, n, points[k].x, weight);
		total += weight;
	}
	return total;
}

void share_closed(const double *duty, double *run, double *wait, int n)
{
	for (int i = 0; i < n; i++)
		run[i] = wait[i] = 0;
	if (n == 1) {
		run[0] = duty[0];
		return;
	}
	double total = add_exact(duty, run, wait, n);
	for (int i = 0; i < n; i++) {
		run[i] /= total;
		wait[i] = fmax(0, wait[i] / total - run[i]);
	}
}

/* Several pCPUs, or many loops. The weight of "exactly S is runnable" is c(|S|) prod(S) d_i prod(not S) (1 -
 * d_i), where c(k) is the product of max(1, j / pCPUs) for j up to k. The number of runnable loops is a sum
 * of independent ones, tilted to where c puts the mass: duties d t / (1 - d + d t), the tilt t taken off c
 * again. */
static double tilted(const double *duty, int n, double tilt, double *var)
{
	double mean = 0;
	*var = 0;
	for (int i = 0; i < n; i++) {
		double q = duty[i] * tilt / (1 - duty[i] + duty[i] * tilt);
		mean += q;
		*var += q * (1 - q);
	}
	return mean;
}

static double find_tilt(const double *duty, int n, int servers)
{
	double lo = 1, hi = fmax(1, (double)n / servers), var;
	for (int i = 0; i < 30; i++) {
		double tilt = (lo + hi) / 2;
		if (tilted(duty, n, tilt, &var) > tilt * servers)
			lo = tilt;
		else
			hi = tilt;
	}
	return lo;
}

/* Probabilities of 0 .. n runnable loops, tilted. */
static void count_runnable(const double *duty, int n, double tilt, double *p)
{
	p[0] = 1;
	for (int i = 0; i < n; i++) {
		double q = duty[i] * tilt / (1 - duty[i] + duty[i] * tilt);
		p[i + 1] = p[i] * q;
		for (int k = i; k > 0; k--)
			p[k] = p[k] * (1 - q) + p[k - 1] * q;
		p[0] *= 1 - q;
	}
}

/* Weights of 0 .. n runnable loops, their sum 1; returns the pCPUs that are busy on average. */
static double weigh(const double *p, double *weight, int n, int servers, double tilt)
{
	double c = 0, top = -INFINITY, sum = 0, busy = 0;
	for (int k = 0; k <= n; k++) {
		c += k ? log(fmax(1, (double)k / servers) / tilt) : 0;
		weight[k] = p[k] > 0 ? log(p[k]) + c : -INFINITY;
		top = fmax(top, weight[k]);
	}
	for (int k = 0; k <= n; k++)
		sum += weight[k] = exp(weight[k] - top);
	for (int k = 0; k <= n; k++) {
		weight[k] /= sum;
		busy += weight[k] * fmin(k, servers);
	}
	return busy;
}

/* What a loop runs. in: the probability that it is among k runnable ones, from that of k - 1 or, for a busy
 * loop, of k + 1: the direction in which errors die out. step[k]: p[k - 1] / p[k]; served[k]: weight times
 * what each of k gets. */
static double idle_loop_runs(const double *step, const double *served, int from, int to, double odds)
{
	double run = 0, in = 0;
	for (int k = from; k <= to; k++) {
		in = odds * (1 - in) * step[k];
		in = clamp(in, 0, 1);
		run += served[k] * in;
	}
	return run;
}

static double busy_loop_runs(const double *step, const double *served, int from, int to, double odds)
{
	double run = 0, in = 1;
	for (int k = to; k >= from; k--) {
		in = clamp(in, 0, 1);
		run += served[k] * in;
		in = 1 - in / (odds * step[k]);
	}
	return run;
}

/* The numbers of runnable loops that matter, and some beside them from which the errors die out. */
static void find_window(const double *weight, int n, int *from, int *to)
{
	const double least = 1e-12;
	const int beside = 8;
	int lo = 1, hi = n;
	while (lo < hi && weight[lo] < least)
		lo++;
	while (hi > lo && weight[hi] < least)
		hi--;
	*from = max_of(lo - beside, 1);
	*to = min_of(hi + beside, n);
}

static double run_each(const double *duty, double *run, int n, double tilt, const double *step,
	const double *served, int from, int to)
{
	double sum = 0;
	for (int i = 0; i < n; i++) {
		double odds = duty[i] < 1 ? duty[i] * tilt / (1 - duty[i]) : INFINITY;
		if (i > 0 && duty[i] == duty[i - 1])
			run[i] = run[i - 1];
		else
			run[i] = odds < 1 ? idle_loop_runs(step, served, from, to, odds)
					  : busy_loop_runs(step, served, from, to, odds);
		sum += run[i];
	}
	return sum;
}

void share_pool(const double *duty, double *run, int n, int servers, double *scratch)
{
	double var, mean = tilted(duty, n, 1, &var);
	if (servers == 1 && n <= SHARE_EXACT) {
		share_closed(duty, run, scratch, n);
		return;
	}
	for (int i = 0; i < n; i++)
		run[i] = duty[i];
	if (n <= servers || mean + 7 * sqrt(var) + 2 < servers)
		return;
	double *p = scratch, *weight = p + n + 1, *step = weight + n + 1, tilt = find_tilt(duty, n, servers);
	count_runnable(duty, n, tilt, p);
	double busy = weigh(p, weight, n, servers, tilt);
	int from, to;
	find_window(weight, n, &from, &to);
	for (int k = from; k <= to; k++) {
		step[k] = p[k - 1] > 0 && p[k] > 0 ? p[k - 1] / p[k] : 1;
		weight[k] *= k > servers ? (double)servers / k : 1;
	}
	double sum = run_each(duty, run, n, tilt, step, weight, from, to);
	for (int i = 0; i < n; i++)
		run[i] = fmin(duty[i], run[i] * busy / sum);
}

/* What a loop runs that gets this part of the time in which it is runnable. */
static double runs_at(double duty, double part)
{
	return part >= 1 ? duty : duty / (1 + duty * (1 / part - 1));
}

/* Of the time in which it is runnable, by what it runs. */
static double part_of(double duty, double run)
{
	return run >= duty ? 1 : 1 / (1 + (1 / run - 1 / duty));
}

static double run_all(const double *duty, const double *part, double *run, int n, double scale)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += run[i] = runs_at(duty[i], scale * part[i]);
	return sum;
}

/* Each gets a part of its runnable time in proportion to its weight; how much, follows from the pCPUs. Exact
 * where all are always runnable, and where the weights are equal. */
void share_weighted(const double *duty, const double *weight, double *run, double *part, int n)
{
	double all = 0, lo = 0, hi = 0;
	for (int i = 0; i < n; i++) {
		all += run[i];
		part[i] = weight[i] * part_of(duty[i], fmax(run[i], 1e-9));
		hi = fmax(hi, 1 / part[i]);
	}
	for (int k = 0; k < 60; k++) {
		double scale = (lo + hi) / 2;
		if (run_all(duty, part, run, n, scale) < all)
			lo = scale;
		else
			hi = scale;
	}
	run_all(duty, part, run, n, hi);
}
