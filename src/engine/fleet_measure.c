/* SPDX-License-Identifier: MIT */
/* Which guests' dirty rates a plan wants to know: those that it would move, and those that might go in their
 * place. */
#include <stdlib.h>
#include <string.h>

#include "vmtop/dirtyrate.h"
#include "vmtop/fleet_propose.h"

enum { OF_A_HOST = 8 };
static const double MEASURE_S = 8;

static bool moves_it(const struct fleet_plan *p, size_t vm)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->moves[i].task == vm)
			return true;
	return false;
}

static bool gives(const struct fleet_plan *p, size_t host)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->moves[i].from == host)
			return true;
	return false;
}

static void ask_for(const struct fleet *f, size_t vm, struct dirty_ask *to, size_t *of)
{
	memcpy(to->uri, f->hosts[f->vms[vm].host].uri, sizeof to->uri);
	memcpy(to->uuid, f->vms[vm].uuid, UUID_BYTES);
	*of = vm;
}

/* Of a host that gives: the moved ones first, then others, a few in all. */
static size_t candidates(
	const struct fleet *f, const struct fleet_proposal *p, size_t host, struct dirty_ask *to, size_t *of)
{
	const struct fleet_host *h = &f->hosts[host];
	size_t n = 0;
	for (int moved = 1; moved >= 0; moved--)
		for (size_t i = h->first_vm; i < h->first_vm + h->n_vms && n < OF_A_HOST; i++)
			if (!p->tasks[i].fixed && p->tasks[i].cpu > 0 && moves_it(&p->plan, i) == moved) {
				ask_for(f, i, &to[n], &of[n]);
				n++;
			}
	return n;
}

static size_t collect(const struct fleet *f, const struct fleet_proposal *p, struct dirty_ask *asks,
	size_t *of, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; i < f->n_hosts && n + OF_A_HOST <= most; i++)
		if (gives(&p->plan, i))
			n += candidates(f, p, i, &asks[n], &of[n]);
	return n;
}

void fleet_measure(struct fleet *f)
{
	enum { MOST = 256 };
	struct fleet_proposal p = {.n_units = 0};
	struct dirty_ask *asks = calloc(MOST, sizeof *asks);
	size_t *of = calloc(MOST, sizeof *of);
	size_t n = asks && of && fleet_propose(f, &p) == 0 ? collect(f, &p, asks, of, MOST) : 0;
	if (n)
		dirty_rates(asks, n, MEASURE_S);
	if (fleet_own_vms(f) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		f->vms[of[i]].dirty_mib_s = asks[i].mib_s;
	fleet_proposal_done(&p);
	free(asks);
	free(of);
}
