/* SPDX-License-Identifier: MIT */
/* How the threads on one pCPU share it. Each is a closed loop that computes and sleeps; whoever is runnable
 * gets an equal share. This queue (processor sharing with sources) has an exact solution that depends on the
 * duties alone: the weight of "exactly the threads of S are runnable" is |S|! prod(S) d_i prod(not S) (1 -
 * d_i). With k! = int x^k exp(-x) dx all sums over S become integrals of exp(-x) prod (1 - d_i + d_i x). It
 * gives run/(1-wait) = duty exactly, never leaves a pCPU idle while somebody wants to run, and two threads of
 * 43 % wait 16 % each, as measured on hardware. Must not know what a thread is. */
#include <math.h>

#include "sim.h"

/* Gauss-Laguerre: exact for polynomials of degree 63, so for up to 64 threads. */
enum { POINTS = 32, EXACT = 64, STEPS = 512 };
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

static double log_weight(const double *duty, int n, double x)
{
	double sum = -x;
	for (int i = 0; i < n; i++)
		sum += log(1 - duty[i] + duty[i] * x);
	return sum;
}

/* Many threads: midpoints, over where the mass is, scaled by the highest value so that nothing overflows. */
static double add_many(const double *duty, double *run, double *wait, int n, double sum)
{
	double step = (40 + sum + 12 * sqrt(sum + 1)) / STEPS, top = -INFINITY, total = 0;
	for (int k = 0; k < STEPS; k++)
		top = fmax(top, log_weight(duty, n, step * (k + .5)));
	for (int k = 0; k < STEPS; k++) {
		double x = step * (k + .5), weight = exp(log_weight(duty, n, x) - top);
		add_point(duty, run, wait, n, x, weight);
		total += weight;
	}
	return total;
}

void share_closed(const double *duty, double *run, double *wait, int n)
{
	double total = 0, sum = 0;
	for (int i = 0; i < n; i++) {
		run[i] = wait[i] = 0;
		sum += duty[i];
	}
	if (n == 1) {
		run[0] = duty[0];
		return;
	}
	total = n <= EXACT ? add_exact(duty, run, wait, n) : add_many(duty, run, wait, n, sum);
	for (int i = 0; i < n; i++) {
		run[i] /= total;
		wait[i] = fmax(0, wait[i] / total - run[i]);
	}
}
