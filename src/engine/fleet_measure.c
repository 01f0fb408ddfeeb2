/* SPDX-License-Identifier: MIT */
/* Which guests' dirty rates a plan wants to know: those that it would move, and those that might go in their
 * place. */
#include <stdlib.h>
#include <string.h>

#include "vmtop/dirtyrate.h"
#include "vmtop/fleet_propose.h"

enum { OF_A_HOST = 8 };
static const double MEASURE_S = 8;

static bool moves_it(const struct fleet_plan *plan, size_t vm)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->moves[i].task == vm)
			return true;
	return false;
}

static bool gives(const struct fleet_plan *plan, size_t host)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->moves[i].from == host)
			return true;
	return false;
}

static void ask_for(const struct fleet *fleet, size_t vm, struct dirty_ask *to, size_t *of)
{
	memcpy(to->uri, fleet->hosts[fleet->vms[vm].host].uri, sizeof to->uri);
	memcpy(to->uuid, fleet->vms[vm].uuid, UUID_BYTES);
	*of = vm;
}

/* Of a host that gives: the moved ones first, then others, a few in all. */
static size_t candidates(const struct fleet *fleet, const struct fleet_proposal *proposal, size_t host,
	struct dirty_ask *to, size_t *of)
{
	const struct fleet_host *h = &fleet->hosts[host];
	size_t n = 0;
	for (int moved = 1; moved >= 0; moved--)
		for (size_t i = h->first_vm; i < h->first_vm + h->n_vms && n < OF_A_HOST; i++)
			if (!proposal->tasks[i].fixed && proposal->tasks[i].cpu > 0 &&
				moves_it(&proposal->plan, i) == moved) {
				ask_for(fleet, i, &to[n], &of[n]);
				n++;
			}
	return n;
}

static size_t collect(const struct fleet *fleet, const struct fleet_proposal *proposal,
	struct dirty_ask *asks, size_t *of, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; i < fleet->n_hosts && n + OF_A_HOST <= most; i++)
		if (gives(&proposal->plan, i))
			n += candidates(fleet, proposal, i, &asks[n], &of[n]);
	return n;
}

void fleet_measure(struct fleet *fleet)
{
	enum { MOST = 256 };
	struct fleet_proposal proposal = {.n_units = 0};
	struct dirty_ask *asks = calloc(MOST, sizeof *asks);
	size_t *of = calloc(MOST, sizeof *of);
	size_t n = asks && of && fleet_propose(fleet, &proposal) == 0
			   ? collect(fleet, &proposal, asks, of, MOST)
			   : 0;
	if (n)
		dirty_rates(asks, n, MEASURE_S);
	if (fleet_own_vms(fleet) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		fleet->vms[of[i]].dirty_mib_s = asks[i].mib_s;
	fleet_proposal_done(&proposal);
	free(asks);
	free(of);
}
