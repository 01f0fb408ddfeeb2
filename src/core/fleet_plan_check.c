/* SPDX-License-Identifier: MIT */
/* Whether a plan of migrations may be carried out: each rule after each move, added up anew and without what
 * the planner knows. */
#include <math.h>
#include <stdlib.h>

#include "vmtop/fleet_plan.h"

struct check {
	const struct fleet_unit *units;
	const struct fleet_task *tasks;
	const struct fleet_limits *limits;
	size_t n_tasks;
	uint32_t *at; /* unit by task */
};

/* After the move before this one. */
static const char *limits_hold(const struct check *c, uint32_t u)
{
	const struct fleet_unit *h = &c->units[u];
	double cpu = h->own, peak = h->own, mem = 0;
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct fleet_task *t = &c->tasks[i];
		if (c->at[i] != u)
			continue;
		cpu += t->cpu;
		peak += fmax(t->cpu, t->cpu_peak);
		mem += fmax(t->mem_mib, t->mem_peak_mib);
	}
	const double slack = 1e-6;
	if (cpu > h->cpu * c->limits->cpu_part + slack)
		return "a host that receives is left with more demand than it can serve";
	if (peak > h->cpu * (1 - c->limits->keep_part) + slack)
		return "a host that receives has no room for the peaks of its guests";
	return mem > h->mem_mib + slack ? "a host that receives has no room for the memory of its guests"
					: NULL;
}

static const char *apart_holds(const struct check *c, uint32_t task)
{
	const struct fleet_task *t = &c->tasks[task];
	const struct fleet_unit *h = &c->units[c->at[task]];
	for (size_t i = 0; t->apart && i < c->n_tasks; i++) {
		if (i == task || c->tasks[i].apart != t->apart)
			continue;
		if (t->together && c->tasks[i].together == t->together)
			continue; /* what contradicts itself stays as it is */
		if (c->at[i] == c->at[task])
			return "two VMs that are kept apart share a host";
		if (t->apart_domain && h->domain >= 0 && c->units[c->at[i]].domain == h->domain)
			return "two VMs that are kept apart share a failure domain";
	}
	return NULL;
}

static const char *move_holds(struct check *c, const struct fleet_move *m, size_t n_units)
{
	if (m->task >= c->n_tasks || m->from >= n_units || m->to >= n_units || m->from == m->to)
		return "a move is out of range";
	const struct fleet_task *t = &c->tasks[m->task];
	if (c->at[m->task] != m->from)
		return "a VM moves from where it is not";
	if (t->unit != m->from)
		return "a VM moves twice";
	if (t->fixed)
		return "a VM moves that may not";
	if (c->units[m->to].closed || (t->needs & ~c->units[m->to].has))
		return "a host cannot take the VM";
	if (c->units[m->to].pcpus && t->pcpus > c->units[m->to].pcpus)
		return "a host lacks a pCPU that the VM is pinned to";
	c->at[m->task] = m->to;
	return limits_hold(c, m->to);
}

/* Members that were together are. */
static const char *together_holds(const struct check *c)
{
	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t k = c->tasks[i].together ? i + 1 : c->n_tasks; k < c->n_tasks; k++)
			if (c->tasks[k].together == c->tasks[i].together &&
				c->tasks[k].unit == c->tasks[i].unit && c->at[k] != c->at[i])
				return "VMs that go together are parted";
	return NULL;
}

const char *fleet_plan_check(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, const struct fleet_plan *p)
{
	struct check c = {units, tasks, limits, n_tasks, calloc(n_tasks + 1, sizeof *c.at)};
	const char *broken = c.at ? NULL : "out of memory";
	for (size_t i = 0; !broken && i < n_tasks; i++)
		c.at[i] = tasks[i].unit;
	for (size_t i = 0; !broken && i < p->n; i++)
		broken = move_holds(&c, &p->moves[i], n_units);
	for (size_t i = 0; !broken && i < p->n; i++)
		broken = apart_holds(&c, p->moves[i].task);
	broken = broken ? broken : together_holds(&c);
	free(c.at);
	return broken;
}
