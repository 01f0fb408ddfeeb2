/* SPDX-License-Identifier: MIT */
/* Rules of two peers on the toy host. Invariant: they see what their originals see (balloon, MemFree, host
 * memory) and nothing of what the guests want. */
#include "mem_peers.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 10 };
#define MIBS(x) ((int64_t)(x)*TOY_MIB)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t samples[PEER_GUESTS][2][WINDOW], host_samples[WINDOW];
static int n_samples;

static void order(struct toy *t, size_t i, int64_t to)
{
	struct toy_guest *g = &t->g[i];
	to = least(most(to, MIBS(64)), g->max);
	if (to == g->target)
		return;
	struct action *a = plan_add(&t->plan, ACTION_BALLOON);
	if (!a)
		abort();
	memcpy(a->uuid, t->sample.vms[i].uuid, sizeof a->uuid);
	a->vm = i;
	a->from_kib = g->target;
	a->to_kib = to;
}

static double mean(const int64_t *v)
{
	int n = n_samples < WINDOW ? n_samples : WINDOW;
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += (double)v[i];
	return n ? sum / n : 0;
}

/* MoM samples every 5 s, decides every 10 s on the mean of its last ten samples, one direction for all. */
static void mom_sample(struct toy *t)
{
	int k = n_samples++ % WINDOW;
	host_samples[k] = most(toy_available(t), 0);
	for (int i = 0; i < (int)t->n; i++) {
		samples[i][0][k] = t->g[i].balloon;
		samples[i][1][k] = t->g[i].s_unused;
	}
}

static void mom_guest(struct toy *t, size_t i, double host_free)
{
	struct toy_guest *g = &t->g[i];
	double cur = (double)g->balloon, used = mean(samples[i][0]) - mean(samples[i][1]), to;
	if (host_free < 0.20) {
		double keep = host_free <= 0.05 ? host_free - 0.05 : 0.20 * host_free / 0.20;
		to = cur * 0.95 > used + keep * cur ? cur * 0.95 : used + keep * cur;
		if (to < (double)MIBS(PEER_LEAST_MIB))
			to = (double)MIBS(PEER_LEAST_MIB);
		if (to > cur)
			return;
	} else {
		if (g->balloon >= g->max)
			return;
		to = cur * 1.05 < (double)g->max ? cur * 1.05 : (double)g->max;
		if (to < used + 0.20 * (double)g->max)
			to = used + 0.20 * (double)g->max;
	}
	if (to - cur > 0.0025 * cur || cur - to > 0.0025 * cur)
		order(t, i, (int64_t)to);
}

void mom_decide(struct toy *t)
{
	mom_sample(t);
	if (n_samples % 2)
		return;
	for (size_t i = 0; i < t->n; i++)
		mom_guest(t, i, mean(host_samples) / (double)t->total);
}

/* Proxmox steers the host to 80 % used, 100 MiB a guest and 10 s at most: first those under pressure grow,
 * first those with free memory shrink, in proportion to shares above the minimum. */
static int64_t pve_change(struct toy *t, const bool *in, int64_t *res, int64_t bytes)
{
	const int64_t step = MIBS(100), minimum = MIBS(PEER_LEAST_MIB);
	int64_t rest = bytes;
	bool done[PEER_GUESTS] = {false}, again = true;
	while (rest && again) {
		int64_t alloc = rest, shares = 0, changes = 0;
		for (int i = 0; i < (int)t->n; i++)
			if (in[i] && !done[i]) {
				alloc += res[i] - minimum;
				shares++;
			}
		for (int i = 0; i < (int)t->n; i++) {
			if (!in[i] || done[i])
				continue;
			int64_t cur = t->g[i].balloon;
			int64_t want = least(most(minimum + alloc / shares, minimum), t->g[i].max);
			if ((want > cur && bytes <= 0) || want == cur) {
				done[i] = true;
				continue;
			}
			int64_t to = want > cur ? least(cur + step, want) : most(cur - step, want);
			changes += to - res[i];
			res[i] = to;
		}
		again = changes != 0;
		rest -= changes;
	}
	return rest;
}

void pve_decide(struct toy *t)
{
	if (t->now_s % 10)
		return;
	bool all[PEER_GUESTS], pressed[PEER_GUESTS], free[PEER_GUESTS];
	int64_t res[PEER_GUESTS], goal = most(toy_available(t), 0) - t->total / 5;
	for (int i = 0; i < (int)t->n; i++) {
		const struct toy_guest *g = &t->g[i];
		all[i] = true;
		res[i] = g->balloon;
		free[i] = g->s_unused > MIBS(PEER_LEAST_MIB) / 4 && g->balloon >= MIBS(PEER_LEAST_MIB);
		pressed[i] = !free[i];
	}
	if (goal > MIBS(10)) {
		if (pve_change(t, pressed, res, goal) >= goal)
			pve_change(t, all, res, goal);
	} else if (goal < -MIBS(10)) {
		if (pve_change(t, free, res, goal) <= goal)
			pve_change(t, all, res, goal);
	}
	for (size_t i = 0; i < t->n; i++)
		order(t, i, res[i]);
}

void peers_begin(void)
{
	n_samples = 0;
}
