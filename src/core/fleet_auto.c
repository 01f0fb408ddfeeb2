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

static void find_hosts(struct fleet_auto *a)
{
	for (size_t i = 0; i < a->cluster->n_nodes; i++) {
		a->host[i] = FLEET_AUTO_NONE;
		for (size_t k = 0; k < a->fleet->n_hosts && a->host[i] == FLEET_AUTO_NONE; k++)
			if (same_name(a->cluster->nodes[i].name, a->fleet->hosts[k].name))
				a->host[i] = k;
	}
}

static bool is_vm(const struct cluster_guest *g, const struct fleet_vm *vm)
{
	return g->has_uuid ? memcmp(g->uuid, vm->uuid, UUID_BYTES) == 0 : strcmp(g->vm, vm->name) == 0;
}

/* Where Pacemaker has it; a guest that is nowhere may still be told whose it is. */
static void find_guests(struct fleet_auto *a)
{
	for (size_t i = 0; i < a->fleet->n_vms; i++) {
		a->guest[i] = FLEET_AUTO_NONE;
		for (size_t k = 0; k < a->cluster->n_guests && a->guest[i] == FLEET_AUTO_NONE; k++)
			if (is_vm(&a->cluster->guests[k], &a->fleet->vms[i]))
				a->guest[i] = k;
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

static bool where_it_should_be(const struct fleet_auto *a, const struct cluster_guest *g, size_t vm)
{
	return g->node != CLUSTER_NOWHERE && a->host[g->node] == a->fleet->vms[vm].host;
}

static bool given(const struct fleet_auto *a, size_t vm)
{
	const struct cluster_guest *g =
		a->guest[vm] == FLEET_AUTO_NONE ? NULL : &a->cluster->guests[a->guest[vm]];
	return g && !*g->why && where_it_should_be(a, g, vm) && !a->proposal->tasks[vm].fixed &&
	       steered(a->cfg, &a->fleet->vms[vm]);
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

static void guests_fill(struct fleet_auto *a, struct sums *s)
{
	for (size_t i = 0; i < a->fleet->n_vms; i++) {
		const struct fleet_task *t = &a->proposal->tasks[i];
		struct sums *x = &s[t->unit];
		bool gives = given(a, i);
		x->cpu += t->cpu;
		x->mem += t->mem_mib;
		x->rise += fmax(t->cpu_peak - t->cpu, 0);
		x->other_cpu += gives ? 0 : t->cpu;
		x->other_mem += gives ? 0 : t->mem_mib;
		if (!gives)
			continue;
		struct cluster_load *d = &a->demand.guests[a->guest[i]];
		d->cpu = nearest(100 * t->cpu, CPU_STEP);
		d->mem_mib = MEM_STEP * (long)ceil(t->mem_mib / MEM_STEP);
		x->given.cpu += d->cpu;
		x->given.mem_mib += d->mem_mib;
		a->n_given++;
	}
}

static double cpu_limit(const struct fleet_unit *u)
{
	return u->cpu * fleet_limits_default.cpu_part - u->own;
}

static bool cpu_over(const struct fleet_unit *u, const struct sums *s)
{
	return s->cpu > cpu_limit(u) + 1e-9;
}

static bool mem_over(const struct fleet_unit *u, const struct sums *s)
{
	return s->mem > u->mem_mib + 1e-9;
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
static struct cluster_load capacity_of(const struct fleet_unit *u, const struct sums *s, double comes)
{
	bool cpu = cpu_over(u, s), mem = mem_over(u, s);
	double spare = cpu ? 0 : s->rise + comes;
	struct cluster_load to;
	to.cpu = capacity(u->closed ? 0 : 100 * (cpu_limit(u) - s->other_cpu - spare), CPU_STEP, s->given.cpu,
		cpu && !u->closed);
	to.mem_mib =
		capacity(u->closed && !mem ? 0 : u->mem_mib - s->other_mem, MEM_STEP, s->given.mem_mib, mem);
	return to;
}

static double rise_of_movers(const struct fleet_auto *a)
{
	double most = 0;
	for (size_t i = 0; i < a->fleet->n_vms; i++)
		if (a->over[a->fleet->vms[i].host] && given(a, i))
			most = fmax(most, a->proposal->tasks[i].cpu_peak - a->proposal->tasks[i].cpu);
	return most;
}

static void nodes_fill(struct fleet_auto *a, const struct sums *s)
{
	double comes;
	for (size_t h = 0; h < a->fleet->n_hosts; h++)
		a->over[h] = s[h].given.mem_mib > 0 && (cpu_over(&a->proposal->units[h], &s[h]) ||
							       mem_over(&a->proposal->units[h], &s[h]));
	comes = rise_of_movers(a);
	for (size_t i = 0; i < a->cluster->n_nodes; i++) {
		size_t h = a->host[i];
		if (h == FLEET_AUTO_NONE)
			continue;
		a->demand.nodes[i] = capacity_of(&a->proposal->units[h], &s[h], comes);
		a->n_over += a->over[h];
	}
}

static void nothing(struct cluster_load *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l[i] = (struct cluster_load){-1, 0};
}

int fleet_auto_make(struct fleet_auto *to, const struct fleet *f, const struct fleet_proposal *p,
	const struct cluster *c, const struct config *cfg)
{
	*to = (struct fleet_auto){.fleet = f, .proposal = p, .cluster = c, .cfg = cfg};
	struct sums *s = calloc(f->n_hosts + 1, sizeof *s);
	to->host = calloc(c->n_nodes + 1, sizeof *to->host);
	to->guest = calloc(f->n_vms + 1, sizeof *to->guest);
	to->over = calloc(f->n_hosts + 1, sizeof *to->over);
	to->demand.nodes = calloc(c->n_nodes + 1, sizeof *to->demand.nodes);
	to->demand.guests = calloc(c->n_guests + 1, sizeof *to->demand.guests);
	bool room = s && to->host && to->guest && to->over && to->demand.nodes && to->demand.guests;
	if (room) {
		nothing(to->demand.nodes, c->n_nodes);
		nothing(to->demand.guests, c->n_guests);
		find_hosts(to);
		find_guests(to);
		guests_fill(to, s);
		nodes_fill(to, s);
	} else {
		fleet_auto_done(to);
	}
	free(s);
	return room ? 0 : -1;
}

void fleet_auto_done(struct fleet_auto *a)
{
	free(a->host);
	free(a->guest);
	free(a->over);
	free(a->demand.nodes);
	free(a->demand.guests);
	*a = (struct fleet_auto){.fleet = NULL};
}

/* ---- whose job ---- */

bool fleet_auto_unfit(const struct fleet_auto *a, char *buf, size_t len)
{
	char name[160];
	for (size_t i = 0; i < a->fleet->n_hosts; i++) {
		bool found = false;
		for (size_t k = 0; k < a->cluster->n_nodes; k++)
			found |= a->host[k] == i;
		text_escape(name, sizeof name, a->fleet->hosts[i].name);
		if (!found) {
			snprintf(buf, len,
				"host '%s' is no node of the cluster (of %zu, the first is %s): name hosts as the "
				"cluster does, NODE=URI",
				name, a->cluster->n_nodes,
				a->cluster->n_nodes ? a->cluster->nodes[0].name : "-");
			return true;
		}
	}
	if (strcmp(a->cluster->strategy, "default") != 0)
		return false;
	snprintf(buf, len,
		"Pacemaker heeds no demand while placement-strategy is default: crm_attribute --type crm_config "
		"--name placement-strategy --update utilization (or balanced)");
	return true;
}

/* NULL: a resource that may move. */
static const char *why_left(const struct fleet_auto *a, size_t i)
{
	const struct fleet_vm *vm = &a->fleet->vms[i];
	const struct cluster_guest *g =
		a->guest[i] == FLEET_AUTO_NONE ? NULL : &a->cluster->guests[a->guest[i]];
	if (vm->stays[0])
		return vm->stays;
	if (!g)
		return "no resource of Pacemaker: vmtop fleet --plan --carry-out moves it";
	if (*g->why)
		return g->why;
	if (!steered(a->cfg, vm))
		return "not among the VMs that vmtop may steer (steer of the config)";
	if (!where_it_should_be(a, g, i))
		return "not where Pacemaker has it";
	return a->proposal->tasks[i].fixed ? "not running, or too little is known of it" : NULL;
}

bool fleet_auto_left(const struct fleet_auto *a, size_t vm, char *buf, size_t len)
{
	const char *why = why_left(a, vm);
	char name[3 * VM_NAME_BYTES];
	text_escape(name, sizeof name, a->fleet->vms[vm].name);
	if (why)
		snprintf(buf, len, "%s is left alone: %s", name, why);
	return why != NULL;
}

/* ---- is it harmless? ---- */

static size_t vm_of(const struct fleet_auto *a, const char *resource)
{
	for (size_t i = 0; i < a->fleet->n_vms; i++)
		if (a->guest[i] != FLEET_AUTO_NONE && given(a, i) &&
			strcmp(a->cluster->guests[a->guest[i]].resource, resource) == 0)
			return i;
	return FLEET_AUTO_NONE;
}

static size_t host_of(const struct fleet_auto *a, const char *node)
{
	for (size_t i = 0; i < a->cluster->n_nodes; i++)
		if (strcmp(a->cluster->nodes[i].name, node) == 0)
			return a->host[i];
	return FLEET_AUTO_NONE;
}

void fleet_auto_action_text(const struct fleet_auto *a, const struct cluster_action *x, char *buf, size_t len)
{
	char name[160] = "", what[80];
	size_t vm = vm_of(a, x->resource);
	text_escape(what, sizeof what, x->what);
	if (vm != FLEET_AUTO_NONE)
		text_escape(name, sizeof name, a->fleet->vms[vm].name);
	snprintf(buf, len, "%s %s%s%s%s%s%s%s%s", what, *x->resource ? x->resource : "something",
		*name ? " (" : "", name, *name ? ")" : "", *x->from ? ": " : "", x->from,
		*x->to ? " -> " : "", x->to);
}

/* One that is no help: not a live migration of a guest with demand, away from where it waits. */
static bool harms(const struct fleet_auto *a, const struct cluster_action *x, struct fleet_move *to)
{
	size_t vm = vm_of(a, x->resource), from = host_of(a, x->from), into = host_of(a, x->to);
	if (strcmp(x->what, "migrate") != 0 || vm == FLEET_AUTO_NONE || from == FLEET_AUTO_NONE ||
		into == FLEET_AUTO_NONE || !a->over[from])
		return true;
	*to = (struct fleet_move){(uint32_t)vm, (uint32_t)from, (uint32_t)into};
	return false;
}

/* What other nodes have left at most for a guest that Pacemaker would stop. */
static void stop_text(const struct fleet_auto *a, const struct cluster_action *x, char *buf, size_t len)
{
	size_t vm = vm_of(a, x->resource), best = FLEET_AUTO_NONE;
	long most = -1;
	buf[0] = '\0';
	if (strcmp(x->what, "stop") != 0 || vm == FLEET_AUTO_NONE)
		return;
	for (size_t i = 0; i < a->cluster->n_nodes; i++) {
		long left = a->demand.nodes[i].cpu;
		for (size_t k = 0; k < a->cluster->n_guests; k++)
			left -= a->cluster->guests[k].node == i && a->demand.guests[k].cpu > 0
					? a->demand.guests[k].cpu
					: 0;
		if (strcmp(a->cluster->nodes[i].name, x->from) == 0 || left <= most)
			continue;
		most = left;
		best = i;
	}
	if (best == FLEET_AUTO_NONE)
		return;
	size_t host = a->host[best];
	double peaks = rise_of_movers(a);
	for (size_t i = 0; i < a->fleet->n_vms; i++)
		if (a->fleet->vms[i].host == host)
			peaks += fmax(a->proposal->tasks[i].cpu_peak - a->proposal->tasks[i].cpu, 0);
	snprintf(buf, len,
		": it wants %ld %% of a pCPU, and of the other nodes %.100s has most left, %ld %%; it does %.0f %% "
		"itself and keeps %.0f %% for peaks",
		a->demand.guests[a->guest[vm]].cpu, a->cluster->nodes[best].name, most,
		host == FLEET_AUTO_NONE ? 0 : 100 * a->proposal->units[host].own, 100 * peaks);
}

/* It would not stay. A restart is no prediction: the history that crm_simulate makes up lacks the digests of
 * what was started. */
static bool leaves(const struct cluster_action *x)
{
	return strcmp(x->what, "migrate") == 0 || strcmp(x->what, "move") == 0 ||
	       strcmp(x->what, "stop") == 0;
}

static bool breaks(const struct fleet_auto *a, struct fleet_plan *plan, char *buf, size_t len)
{
	const struct fleet_proposal *p = a->proposal;
	const char *why =
		fleet_plan_check(p->units, p->n_units, p->tasks, p->n_tasks, &fleet_limits_default, plan);
	if (why)
		snprintf(buf, len, "what Pacemaker would do does not help: %s", why);
	return why != NULL;
}

bool fleet_auto_refuses(const struct fleet_auto *a, const struct cluster_trial *t, char *buf, size_t len)
{
	char text[3 * CLUSTER_TEXT], why[CLUSTER_TEXT];
	if (!t->does.n) {
		snprintf(buf, len, "Pacemaker would move nobody");
		return true;
	}
	struct fleet_plan plan = {.moves = calloc(t->does.n, sizeof *plan.moves), .n = t->does.n};
	bool refuses = !plan.moves;
	if (refuses)
		snprintf(buf, len, "out of memory");
	for (size_t i = 0; i < t->does.n && !refuses; i++)
		if ((refuses = harms(a, &t->does.list[i], &plan.moves[i]))) {
			fleet_auto_action_text(a, &t->does.list[i], text, sizeof text);
			stop_text(a, &t->does.list[i], why, sizeof why);
			snprintf(buf, len, "Pacemaker would also %s%s", text, why);
		}
	refuses = refuses || breaks(a, &plan, buf, len);
	for (size_t i = 0; i < t->after.n && !refuses; i++)
		if ((refuses = leaves(&t->after.list[i]))) {
			fleet_auto_action_text(a, &t->after.list[i], text, sizeof text);
			snprintf(buf, len,
				"without the demand Pacemaker would then %s: give guests a resource-stickiness",
				text);
		}
	free(plan.moves);
	return refuses;
}
