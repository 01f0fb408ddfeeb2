/* SPDX-License-Identifier: MIT */
/* Demand and capacity for Pacemaker, from what a fleet's guests want. Invariant: a VM that may not move, is
 * no resource or is not known well enough gets no demand; it counts as its host's own load. */
#include "vmtop/fleet_auto.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/control.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* Hundredths of a pCPU, and MiB: what is finer is noise. */
enum { CPU_STEP = 5, MEM_STEP = 16 };

/* ---- who is who ---- */

/* kvm1 and kvm1.example.org are one. */
static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "."), m = strcspn(b, ".");
	return *a && (strcmp(a, b) == 0 || (n == m && (!a[n] || !b[m]) && strncmp(a, b, n) == 0));
}

static void find_hosts(struct fleet_auto *pair)
{
	for (size_t i = 0; i < pair->cluster->n_nodes; i++) {
		pair->host[i] = FLEET_AUTO_NONE;
		for (size_t k = 0; k < pair->fleet->n_hosts && pair->host[i] == FLEET_AUTO_NONE; k++)
			if (same_name(pair->cluster->nodes[i].name, pair->fleet->hosts[k].name))
				pair->host[i] = k;
	}
}

static bool is_vm(const struct cluster_guest *guest, const struct fleet_vm *vm)
{
	return guest->has_uuid ? memcmp(guest->uuid, vm->uuid, UUID_BYTES) == 0
			       : strcmp(guest->vm, vm->name) == 0;
}

/* Where Pacemaker has it; a guest that is nowhere may still be told whose it is. */
static void find_guests(struct fleet_auto *pair)
{
	for (size_t i = 0; i < pair->fleet->n_vms; i++) {
		pair->guest[i] = FLEET_AUTO_NONE;
		for (size_t k = 0; k < pair->cluster->n_guests && pair->guest[i] == FLEET_AUTO_NONE; k++)
			if (is_vm(&pair->cluster->guests[k], &pair->fleet->vms[i]))
				pair->guest[i] = k;
	}
}

static bool steered(const struct config *cfg, const struct fleet_vm *vm)
{
	struct vm_sample s;
	memset(&s, 0, sizeof s);
	memcpy(s.uuid, vm->uuid, UUID_BYTES);
	memcpy(s.name, vm->name, sizeof s.name);
	return rules_forbid(cfg, &s) == REASON_NONE;
}

static bool where_it_should_be(const struct fleet_auto *pair, const struct cluster_guest *guest, size_t vm)
{
	return guest->node != CLUSTER_NOWHERE && pair->host[guest->node] == pair->fleet->vms[vm].host;
}

static bool given(const struct fleet_auto *pair, size_t vm)
{
	const struct cluster_guest *guest =
		pair->guest[vm] == FLEET_AUTO_NONE ? NULL : &pair->cluster->guests[pair->guest[vm]];
	return guest && !*guest->why && where_it_should_be(pair, guest, vm) &&
	       !pair->proposal->tasks[vm].fixed && steered(pair->cfg, &pair->fleet->vms[vm]);
}

/* ---- numbers ---- */

static long nearest(double v, long step)
{
	return step * lround(v / (double)step);
}

static long below(double v, long step)
{
	return v <= 0 ? 0 : step * (long)floor(v / (double)step + 1e-9);
}

/* Of a host's guests: those with demand, and all others. */
struct sums {
	double cpu, mem, rise, other_cpu, other_mem;
	struct cluster_load given;
};

static void guests_fill(struct fleet_auto *pair, struct sums *s)
{
	for (size_t i = 0; i < pair->fleet->n_vms; i++) {
		const struct fleet_task *task = &pair->proposal->tasks[i];
		struct sums *x = &s[task->unit];
		bool gives = given(pair, i);
		x->cpu += task->cpu;
		x->mem += task->mem_mib;
		x->rise += fmax(task->cpu_peak - task->cpu, 0);
		x->other_cpu += gives ? 0 : task->cpu;
		x->other_mem += gives ? 0 : task->mem_mib;
		if (!gives)
			continue;
		struct cluster_load *load = &pair->demand.guests[pair->guest[i]];
		load->cpu = nearest(100 * task->cpu, CPU_STEP);
		load->mem_mib = MEM_STEP * (long)ceil(task->mem_mib / MEM_STEP);
		x->given.cpu += load->cpu;
		x->given.mem_mib += load->mem_mib;
		pair->n_given++;
	}
}

static double cpu_limit(const struct fleet_unit *unit)
{
	return unit->cpu * fleet_limits_default.cpu_part - unit->own;
}

static bool cpu_over(const struct fleet_unit *unit, const struct sums *sums)
{
	return sums->cpu > cpu_limit(unit) + 1e-9;
}

static bool mem_over(const struct fleet_unit *unit, const struct sums *sums)
{
	return sums->mem > unit->mem_mib + 1e-9;
}

/* What is over has to be seen to be over; who waits for nothing stays. */
static long capacity(double room, long step, long sum, bool over)
{
	long v = below(room, step);
	if (!over)
		return max_of(v, sum);
	return v < sum ? v : max_of(sum - 1, 0);
}

/* comes: what a guest that comes may want more at its peak. */
static struct cluster_load capacity_of(const struct fleet_unit *unit, const struct sums *sums, double comes)
{
	bool cpu = cpu_over(unit, sums), mem = mem_over(unit, sums);
	double spare = cpu ? 0 : sums->rise + comes;
	struct cluster_load to;
	to.cpu = capacity(unit->closed ? 0 : 100 * (cpu_limit(unit) - sums->other_cpu - spare), CPU_STEP,
		sums->given.cpu, cpu && !unit->closed);
	to.mem_mib = capacity(unit->closed && !mem ? 0 : unit->mem_mib - sums->other_mem, MEM_STEP,
		sums->given.mem_mib, mem);
	return to;
}

static double rise_of_movers(const struct fleet_auto *pair)
{
	double most = 0;
	for (size_t i = 0; i < pair->fleet->n_vms; i++)
		if (pair->over[pair->fleet->vms[i].host] && given(pair, i))
			most = fmax(most, pair->proposal->tasks[i].cpu_peak - pair->proposal->tasks[i].cpu);
	return most;
}

static void nodes_fill(struct fleet_auto *pair, const struct sums *sums)
{
	double comes;
	for (size_t h = 0; h < pair->fleet->n_hosts; h++)
		pair->over[h] =
			sums[h].given.mem_mib > 0 && (cpu_over(&pair->proposal->units[h], &sums[h]) ||
							     mem_over(&pair->proposal->units[h], &sums[h]));
	comes = rise_of_movers(pair);
	for (size_t i = 0; i < pair->cluster->n_nodes; i++) {
		size_t h = pair->host[i];
		if (h == FLEET_AUTO_NONE)
			continue;
		pair->demand.nodes[i] = capacity_of(&pair->proposal->units[h], &sums[h], comes);
		pair->n_over += pair->over[h];
	}
}

static void nothing(struct cluster_load *load, size_t n)
{
	for (size_t i = 0; i < n; i++)
		load[i] = (struct cluster_load){-1, 0};
}

int fleet_auto_make(struct fleet_auto *to, const struct fleet *fleet, const struct fleet_proposal *proposal,
	const struct cluster *cluster, const struct config *cfg)
{
	*to = (struct fleet_auto){.fleet = fleet, .proposal = proposal, .cluster = cluster, .cfg = cfg};
	struct sums *sums = calloc(fleet->n_hosts + 1, sizeof *sums);
	to->host = calloc(cluster->n_nodes + 1, sizeof *to->host);
	to->guest = calloc(fleet->n_vms + 1, sizeof *to->guest);
	to->over = calloc(fleet->n_hosts + 1, sizeof *to->over);
	to->demand.nodes = calloc(cluster->n_nodes + 1, sizeof *to->demand.nodes);
	to->demand.guests = calloc(cluster->n_guests + 1, sizeof *to->demand.guests);
	bool room = sums && to->host && to->guest && to->over && to->demand.nodes && to->demand.guests;
	if (room) {
		nothing(to->demand.nodes, cluster->n_nodes);
		nothing(to->demand.guests, cluster->n_guests);
		find_hosts(to);
		find_guests(to);
		guests_fill(to, sums);
		nodes_fill(to, sums);
	} else {
		fleet_auto_done(to);
	}
	free(sums);
	return room ? 0 : -1;
}

void fleet_auto_done(struct fleet_auto *pair)
{
	free(pair->host);
	free(pair->guest);
	free(pair->over);
	free(pair->demand.nodes);
	free(pair->demand.guests);
	*pair = (struct fleet_auto){.fleet = NULL};
}

/* ---- whose job ---- */

bool fleet_auto_unfit(const struct fleet_auto *pair, char *buf, size_t len)
{
	char name[160];
	for (size_t i = 0; i < pair->fleet->n_hosts; i++) {
		bool found = false;
		for (size_t k = 0; k < pair->cluster->n_nodes; k++)
			found |= pair->host[k] == i;
		text_escape(name, sizeof name, pair->fleet->hosts[i].name);
		if (!found) {
			snprintf(buf, len,
				"host '%s' is no node of the cluster (of %zu, the first is %s): name hosts as the "
				"cluster does, NODE=URI",
				name, pair->cluster->n_nodes,
				pair->cluster->n_nodes ? pair->cluster->nodes[0].name : "-");
			return true;
		}
	}
	if (strcmp(pair->cluster->strategy, "default") != 0)
		return false;
	snprintf(buf, len,
		"Pacemaker heeds no demand while placement-strategy is default: crm_attribute --type crm_config "
		"--name placement-strategy --update utilization (or balanced)");
	return true;
}

/* NULL: a resource that may move. */
static const char *why_left(const struct fleet_auto *pair, size_t i)
{
	const struct fleet_vm *vm = &pair->fleet->vms[i];
	const struct cluster_guest *guest =
		pair->guest[i] == FLEET_AUTO_NONE ? NULL : &pair->cluster->guests[pair->guest[i]];
	if (vm->stays[0])
		return vm->stays;
	if (!guest)
		return "no resource of Pacemaker: vmtop fleet --plan --carry-out moves it";
	if (*guest->why)
		return guest->why;
	if (!steered(pair->cfg, vm))
		return "not among the VMs that vmtop may steer (steer of the config)";
	if (!where_it_should_be(pair, guest, i))
		return "not where Pacemaker has it";
	return pair->proposal->tasks[i].fixed ? "not running, or too little is known of it" : NULL;
}

bool fleet_auto_left(const struct fleet_auto *pair, size_t vm, char *buf, size_t len)
{
	const char *why = why_left(pair, vm);
	char name[3 * VM_NAME_BYTES];
	text_escape(name, sizeof name, pair->fleet->vms[vm].name);
	if (why)
		snprintf(buf, len, "%s is left alone: %s", name, why);
	return why != NULL;
}

/* ---- is it harmless? ---- */

static size_t vm_of(const struct fleet_auto *pair, const char *resource)
{
	for (size_t i = 0; i < pair->fleet->n_vms; i++)
		if (pair->guest[i] != FLEET_AUTO_NONE && given(pair, i) &&
			strcmp(pair->cluster->guests[pair->guest[i]].resource, resource) == 0)
			return i;
	return FLEET_AUTO_NONE;
}

static size_t host_of(const struct fleet_auto *pair, const char *node)
{
	for (size_t i = 0; i < pair->cluster->n_nodes; i++)
		if (strcmp(pair->cluster->nodes[i].name, node) == 0)
			return pair->host[i];
	return FLEET_AUTO_NONE;
}

void fleet_auto_action_text(
	const struct fleet_auto *pair, const struct cluster_action *action, char *buf, size_t len)
{
	char name[160] = "", what[80];
	size_t vm = vm_of(pair, action->resource);
	text_escape(what, sizeof what, action->what);
	if (vm != FLEET_AUTO_NONE)
		text_escape(name, sizeof name, pair->fleet->vms[vm].name);
	snprintf(buf, len, "%s %s%s%s%s%s%s%s%s", what, text_or(action->resource, "something"),
		text_if(*name, " ("), name, text_if(*name, ")"), text_if(*action->from, ": "), action->from,
		text_if(*action->to, " -> "), action->to);
}

/* One that is no help: not a live migration of a guest with demand, away from where it waits. */
static bool harms(const struct fleet_auto *pair, const struct cluster_action *action, struct fleet_move *to)
{
	size_t vm = vm_of(pair, action->resource), from = host_of(pair, action->from),
	       into = host_of(pair, action->to);
	if (strcmp(action->what, "migrate") != 0 || vm == FLEET_AUTO_NONE || from == FLEET_AUTO_NONE ||
		into == FLEET_AUTO_NONE || !pair->over[from])
		return true;
	*to = (struct fleet_move){(uint32_t)vm, (uint32_t)from, (uint32_t)into};
	return false;
}

/* What other nodes have left at most for a guest that Pacemaker would stop. */
static void stop_text(
	const struct fleet_auto *pair, const struct cluster_action *action, char *buf, size_t len)
{
	size_t vm = vm_of(pair, action->resource), best = FLEET_AUTO_NONE;
	long most = -1;
	buf[0] = '\0';
	if (strcmp(action->what, "stop") != 0 || vm == FLEET_AUTO_NONE)
		return;
	for (size_t i = 0; i < pair->cluster->n_nodes; i++) {
		long left = pair->demand.nodes[i].cpu;
		for (size_t k = 0; k < pair->cluster->n_guests; k++)
			left -= pair->cluster->guests[k].node == i && pair->demand.guests[k].cpu > 0
					? pair->demand.guests[k].cpu
					: 0;
		if (strcmp(pair->cluster->nodes[i].name, action->from) == 0 || left <= most)
			continue;
		most = left;
		best = i;
	}
	if (best == FLEET_AUTO_NONE)
		return;
	size_t host = pair->host[best];
	double peaks = rise_of_movers(pair);
	for (size_t i = 0; i < pair->fleet->n_vms; i++)
		if (pair->fleet->vms[i].host == host)
			peaks += fmax(pair->proposal->tasks[i].cpu_peak - pair->proposal->tasks[i].cpu, 0);
	snprintf(buf, len,
		": it wants %ld %% of a pCPU, and of the other nodes %.100s has most left, %ld %%; it does %.0f %% "
		"itself and keeps %.0f %% for peaks",
		pair->demand.guests[pair->guest[vm]].cpu, pair->cluster->nodes[best].name, most,
		host == FLEET_AUTO_NONE ? 0 : 100 * pair->proposal->units[host].own, 100 * peaks);
}

/* It would not stay. A restart is no prediction: the history that crm_simulate makes up lacks the digests of
 * what was started. */
static bool leaves(const struct cluster_action *action)
{
	return strcmp(action->what, "migrate") == 0 || strcmp(action->what, "move") == 0 ||
	       strcmp(action->what, "stop") == 0;
}

static bool breaks(const struct fleet_auto *pair, struct fleet_plan *plan, char *buf, size_t len)
{
	const struct fleet_proposal *proposal = pair->proposal;
	const char *why = fleet_plan_check(proposal->units, proposal->n_units, proposal->tasks,
		proposal->n_tasks, &fleet_limits_default, plan);
	if (why)
		snprintf(buf, len, "what Pacemaker would do does not help: %s", why);
	return why != NULL;
}

bool fleet_auto_refuses(
	const struct fleet_auto *pair, const struct cluster_trial *trial, char *buf, size_t len)
{
	char text[3 * CLUSTER_TEXT], why[CLUSTER_TEXT];
	if (!trial->does.n) {
		snprintf(buf, len, "Pacemaker would move nobody");
		return true;
	}
	struct fleet_plan plan = {.moves = calloc(trial->does.n, sizeof *plan.moves), .n = trial->does.n};
	bool refuses = !plan.moves;
	if (refuses)
		snprintf(buf, len, "out of memory");
	for (size_t i = 0; i < trial->does.n && !refuses; i++)
		if ((refuses = harms(pair, &trial->does.list[i], &plan.moves[i]))) {
			fleet_auto_action_text(pair, &trial->does.list[i], text, sizeof text);
			stop_text(pair, &trial->does.list[i], why, sizeof why);
			snprintf(buf, len, "Pacemaker would also %s%s", text, why);
		}
	refuses = refuses || breaks(pair, &plan, buf, len);
	for (size_t i = 0; i < trial->after.n && !refuses; i++)
		if ((refuses = leaves(&trial->after.list[i]))) {
			fleet_auto_action_text(pair, &trial->after.list[i], text, sizeof text);
			snprintf(buf, len,
				"without the demand Pacemaker would then %s: give guests a resource-stickiness",
				text);
		}
	free(plan.moves);
	return refuses;
}
