/* SPDX-License-Identifier: MIT */
/* pCPUs as they are shown: ordered by node, LLC and core so that neighbours stand side by side, merged on
 * request. Knows nothing of drawing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_private.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

const char *merge_text(enum merge merge)
{
	static const char *const text[] = {"pCPU", "core", "LLC", "node"};
	return (unsigned)merge < MERGE_COUNT ? text[merge] : text[0];
}

/* A place that is not known comes last. */
static int order(int a, int b)
{
	unsigned x = (unsigned)a, y = (unsigned)b;
	return (x > y) - (x < y);
}

static int by_place(const void *x, const void *y)
{
	const struct pcpu_sample *a = *(const struct pcpu_sample *const *)x,
				 *b = *(const struct pcpu_sample *const *)y;
	int c = order(a->node, b->node);
	if (!c)
		c = order(a->llc, b->llc);
	if (!c)
		c = order(pcpu_lesser(a), pcpu_lesser(b));
	if (!c)
		c = order(a->core, b->core);
	return c ? c : order(a->id, b->id);
}

/* The number that pCPUs of one unit share; a pCPU whose place is not known stays alone. */
static int group_of(const struct pcpu_sample *pcpu, enum merge merge)
{
	int g = -1;
	if (merge == MERGE_CORE)
		g = pcpu->core;
	else if (merge == MERGE_LLC)
		g = pcpu->llc;
	else if (merge == MERGE_NODE)
		g = pcpu->node;
	return g < 0 ? -1 - pcpu->id : g;
}

static void mean_add(struct vf64 *sum, struct vf64 x, int *n)
{
	if (!vf64_has(x))
		return;
	sum->v += x.v;
	sum->avail = AVAIL_OK;
	++*n;
}

static void mean_end(struct vf64 *sum, int n)
{
	if (n)
		sum->v /= n;
}

/* Of the n pCPUs that a unit has. */
static void unit_numbers(
	struct unit *unit, const struct snapshot *snap, const struct pcpu_sample *const *at, size_t n)
{
	int busy = 0, load = 0, demand = 0;
	for (size_t k = 0; k < n; k++) {
		const struct pcpu_sample *pcpu = at[k];
		size_t i = (size_t)(pcpu - snap->sample.host.pcpus);
		unit->online = unit->online || pcpu->online;
		unit->isolated = unit->isolated && pcpu->isolated;
		unit->n_vcpus += snap->pcpu_rates[i].n_vcpus;
		mean_add(&unit->busy_pct, snap->pcpu_rates[i].busy_pct, &busy);
		mean_add(&unit->load_pct, snap->pcpu_rates[i].load_pct, &load);
		mean_add(&unit->demand_pct, snap->pcpu_rates[i].demand_pct, &demand);
	}
	mean_end(&unit->busy_pct, busy);
	mean_end(&unit->load_pct, load);
	mean_end(&unit->demand_pct, demand);
}

static void unit_label(struct unit *unit, const struct pcpu_sample *pcpu, enum merge merge)
{
	if (merge == MERGE_CORE && pcpu->core >= 0)
		snprintf(unit->label, sizeof unit->label, "c%d", pcpu->core);
	else if (merge == MERGE_LLC && pcpu->llc >= 0)
		snprintf(unit->label, sizeof unit->label, "L%d", pcpu->llc);
	else if (merge == MERGE_NODE && pcpu->node >= 0)
		snprintf(unit->label, sizeof unit->label, "n%d", pcpu->node);
	else
		snprintf(unit->label, sizeof unit->label, "%d%s", pcpu->id, text_if(pcpu_lesser(pcpu), "e"));
}

/* In their order, without the offline ones where these are hidden; returns how many. */
static size_t units_order(struct units *units, const struct snapshot *snap, const struct pcpu_sample **at)
{
	size_t n = 0;
	for (size_t i = 0; i < snap->sample.host.n_pcpus; i++)
		if (snap->sample.host.pcpus[i].online || !units->hide_offline)
			at[n++] = &snap->sample.host.pcpus[i];
	units->n_hidden = snap->sample.host.n_pcpus - n;
	qsort(at, n, sizeof *at, by_place);
	return n;
}

/* Threads that are switched off for good (nosmt, SMT on POWER) would fill the screen: where half of the pCPUs
 * or more are offline they are hidden from the start, until the user wants to see them. */
static void offline_at_first(struct units *units, const struct snapshot *snap)
{
	struct cpuset online;
	if (units->offline_settled)
		return;
	sample_online(&snap->sample, &online);
	units->offline_settled = true;
	units->hide_offline |= 2 * (size_t)cpuset_count(&online) <= snap->sample.host.n_pcpus;
}

void units_update(struct units *units, const struct snapshot *snap)
{
	size_t n = snap->sample.host.n_pcpus;
	units->n = units->n_hidden = 0;
	if (snap->first || !n)
		return;
	offline_at_first(units, snap);
	bool room = array_grow(&units->list, &units->cap, n, sizeof *units->list);
	const struct pcpu_sample **at = calloc(n, sizeof *at);
	if (room && at) {
		n = units_order(units, snap, at);
		for (size_t i = 0; i < n; i++) {
			struct unit *unit = units->n ? &units->list[units->n - 1] : NULL;
			if (!i || group_of(at[i], units->merge) != group_of(at[i - 1], units->merge)) {
				unit = &units->list[units->n++];
				*unit = (struct unit){
					.first = at[i]->id, .node = at[i]->node, .llc = at[i]->llc};
				unit->isolated = true;
				unit->lesser = pcpu_lesser(at[i]);
				unit_label(unit, at[i], units->merge);
			}
			unit->n++;
			unit->first = min_of(unit->first, at[i]->id);
			cpuset_add(&unit->cpus, at[i]->id);
		}
	}
	for (size_t i = 0, from = 0; i < units->n; from += (size_t)units->list[i++].n)
		unit_numbers(&units->list[i], snap, at + from, (size_t)units->list[i].n);
	free(at);
}

long units_find(const struct units *units, int cpu)
{
	for (size_t i = 0; i < units->n; i++)
		if (cpuset_has(&units->list[i].cpus, cpu))
			return (long)i;
	return -1;
}
