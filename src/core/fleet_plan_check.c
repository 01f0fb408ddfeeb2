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
static const char *limits_hold(const struct check *check, uint32_t u)
{
	const struct fleet_unit *unit = &check->units[u];
	double cpu = unit->own, peak = unit->own, mem = 0;
	for (size_t i = 0; i < check->n_tasks; i++) {
		const struct fleet_task *task = &check->tasks[i];
		if (check->at[i] != u)
			continue;
		cpu += task->cpu;
		peak += fmax(task->cpu, task->cpu_peak);
		mem += fmax(task->mem_mib, task->mem_peak_mib);
	}
	const double slack = 1e-6;
	if (cpu > unit->cpu * check->limits->cpu_part + slack)
		return "a host that receives is left with more demand than it can serve";
	if (peak > unit->cpu * (1 - check->limits->keep_part) + slack)
		return "a host that receives has no room for the peaks of its guests";
	return mem > unit->mem_mib + slack ? "a host that receives has no room for the memory of its guests"
					   : NULL;
}

static const char *apart_holds(const struct check *check, uint32_t task)
{
	const struct fleet_task *t = &check->tasks[task];
	const struct fleet_unit *unit = &check->units[check->at[task]];
	for (size_t i = 0; t->apart && i < check->n_tasks; i++) {
		if (i == task || check->tasks[i].apart != t->apart)
			continue;
		if (t->together && check->tasks[i].together == t->together)
			continue; /* what contradicts itself stays as it is */
		if (check->at[i] == check->at[task])
			return "two VMs that are kept apart share a host";
		if (t->apart_domain && unit->domain >= 0 && check->units[check->at[i]].domain == unit->domain)
			return "two VMs that are kept apart share a failure domain";
	}
	return NULL;
}

static const char *move_holds(struct check *check, const struct fleet_move *move, size_t n_units)
{
	if (move->task >= check->n_tasks || move->from >= n_units || move->to >= n_units ||
		move->from == move->to)
		return "a move is out of range";
	const struct fleet_task *task = &check->tasks[move->task];
	if (check->at[move->task] != move->from)
		return "a VM moves from where it is not";
	if (task->unit != move->from)
		return "a VM moves twice";
	if (task->fixed)
		return "a VM moves that may not";
	if (check->units[move->to].closed || (task->needs & ~check->units[move->to].has))
		return "a host cannot take the VM";
	if (check->units[move->to].pcpus && task->pcpus > check->units[move->to].pcpus)
		return "a host lacks a pCPU that the VM is pinned to";
	check->at[move->task] = move->to;
	return limits_hold(check, move->to);
}

/* Members that were together are. */
static const char *together_holds(const struct check *check)
{
	for (size_t i = 0; i < check->n_tasks; i++)
		for (size_t k = check->tasks[i].together ? i + 1 : check->n_tasks; k < check->n_tasks; k++)
			if (check->tasks[k].together == check->tasks[i].together &&
				check->tasks[k].unit == check->tasks[i].unit && check->at[k] != check->at[i])
				return "VMs that go together are parted";
	return NULL;
}

const char *fleet_plan_check(const struct fleet_unit *units, size_t n_units, const struct fleet_task *tasks,
	size_t n_tasks, const struct fleet_limits *limits, const struct fleet_plan *plan)
{
	struct check check = {units, tasks, limits, n_tasks, calloc(n_tasks + 1, sizeof *check.at)};
	const char *broken = check.at ? NULL : "out of memory";
	for (size_t i = 0; !broken && i < n_tasks; i++)
		check.at[i] = tasks[i].unit;
	for (size_t i = 0; !broken && i < plan->n; i++)
		broken = move_holds(&check, &plan->moves[i], n_units);
	for (size_t i = 0; !broken && i < plan->n; i++)
		broken = apart_holds(&check, plan->moves[i].task);
	if (!broken)
		broken = together_holds(&check);
	free(check.at);
	return broken;
}
