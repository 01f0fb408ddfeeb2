/* SPDX-License-Identifier: MIT */
/* Rows of a fleet as hosts and VMs to plan for, and the plan in words. */
#include "vmtop/fleet_propose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/moves.h"
#include "vmtop/text.h"

enum { CPU_NOT_KNOWN = 1000000 }; /* pCPUs of a host of which nothing is known: nobody is in need there */

static bool known(const struct fleet_host *host)
{
	return host->state == FLEET_OK && vf64_has(host->load_pct) && vi64_has(host->pcpus) &&
	       host->pcpus.v > 0;
}

static double mib(struct vi64 kib)
{
	return vi64_has(kib) ? (double)kib.v / 1024 : 0;
}

/* What it got and what it waited for, in pCPUs. */
static double wants(const struct fleet_vm *vm)
{
	double got = vf64_or(vm->cpu_pct, 0), waited = vf64_or(vm->wait_pct, 0);
	return fmax(got + waited, 0) / 100;
}

static bool endless(const struct fleet *fleet, const struct fleet_vm *vm)
{
	return vf64_has(vm->dirty_mib_s) && fleet->link_mib_s > 0 && vm->dirty_mib_s.v >= fleet->link_mib_s;
}

/* What is written while it is sent is sent again, and so on. */
static double sends(const struct fleet *fleet, const struct fleet_vm *vm, double used_mib)
{
	enum { TIMES_MOST = 20 };
	if (!vf64_has(vm->dirty_mib_s) || !(fleet->link_mib_s > 0))
		return used_mib;
	double part = fmax(vm->dirty_mib_s.v, 0) / fleet->link_mib_s;
	return used_mib * (part < 1 - 1. / TIMES_MOST ? 1 / (1 - part) : TIMES_MOST);
}

static void task_fill(const struct fleet *fleet, const struct fleet_vm *vm, struct fleet_task *task)
{
	const struct fleet_host *host = &fleet->hosts[vm->host];
	task->unit = (uint32_t)vm->host;
	task->cpu = wants(vm);
	task->cpu_peak = fmax(task->cpu, vf64_has(vm->peak_pct) ? vm->peak_pct.v / 100 : 0);
	task->vcpus = vi64_has(vm->vcpus) && vm->vcpus.v > 0 ? (uint32_t)vm->vcpus.v : 0;
	task->pins = vm->pins;
	task->takes_pins = vm->takes_pins;
	task->mem_mib = mib(vm->balloon_kib);
	task->mem_peak_mib = task->mem_mib;
	task->cost_mib = sends(fleet, vm, vi64_has(vm->used_kib) ? mib(vm->used_kib) : task->mem_mib);
	task->endless = endless(fleet, vm);
	task->pcpus = vi64_has(vm->pin_pcpu) ? (uint32_t)vm->pin_pcpu.v + 1 : 0;
	task->fixed = !known(host) || !vf64_has(vm->cpu_pct) || !vi64_has(vm->balloon_kib) || vm->stays[0] ||
		      strcmp(vm->state, "running") != 0;
}

/* Memory is a reason to move only where the host is in need of it: what was promised beyond it is not. */
static void unit_fill(
	const struct fleet_host *host, double guests_cpu, double guests_mib, struct fleet_unit *unit)
{
	double room = mib(host->total_kib) * (FLEET_RESERVE_PART - 1) / FLEET_RESERVE_PART;
	unit->domain = FLEET_DOMAIN_NONE;
	unit->closed = !known(host) || !vi64_has(host->total_kib) || strcmp(host->memory, "hard") == 0;
	unit->cpu = known(host) ? (double)host->pcpus.v : CPU_NOT_KNOWN;
	unit->pcpus = vi64_has(host->last_pcpu) ? (uint32_t)host->last_pcpu.v + 1 : 0;
	unit->own = known(host) ? fmax(host->load_pct.v * unit->cpu / 100 - guests_cpu, 0) : 0;
	unit->mem_mib = strcmp(host->memory, "hard") == 0 ? room : fmax(room, guests_mib);
}

static void units_fill(const struct fleet *fleet, struct fleet_proposal *to)
{
	for (size_t i = 0; i < fleet->n_hosts; i++) {
		const struct fleet_host *host = &fleet->hosts[i];
		double cpu = 0, memory = 0;
		for (size_t k = host->first_vm; k < host->first_vm + host->n_vms; k++) {
			cpu += vf64_has(fleet->vms[k].cpu_pct) ? fleet->vms[k].cpu_pct.v / 100 : 0;
			memory += to->tasks[k].mem_mib;
		}
		unit_fill(host, cpu, memory, &to->units[i]);
	}
}

int fleet_propose(const struct fleet *fleet, struct fleet_proposal *to)
{
	fleet_proposal_done(to);
	to->n_units = fleet->n_hosts;
	to->n_tasks = fleet->n_vms;
	to->units = calloc(fleet->n_hosts + 1, sizeof *to->units);
	to->tasks = calloc(fleet->n_vms + 1, sizeof *to->tasks);
	if (!to->units || !to->tasks)
		return -1;
	for (size_t i = 0; i < fleet->n_vms; i++)
		task_fill(fleet, &fleet->vms[i], &to->tasks[i]);
	units_fill(fleet, to);
	to->unseen = 0;
	for (size_t i = 0; i < fleet->n_hosts; i++)
		to->unseen += !known(&fleet->hosts[i]);
	return fleet_plan_make(
		to->units, to->n_units, to->tasks, to->n_tasks, &fleet_limits_default, &to->plan);
}

void fleet_proposal_done(struct fleet_proposal *proposal)
{
	free(proposal->units);
	free(proposal->tasks);
	fleet_plan_done(&proposal->plan);
	*proposal = (struct fleet_proposal){.n_units = 0};
}

double fleet_proposal_load(const struct fleet_proposal *proposal, size_t host, size_t moves)
{
	double cpu = proposal->units[host].own;
	for (size_t i = 0; i < proposal->n_tasks; i++)
		cpu += proposal->tasks[i].unit == host ? proposal->tasks[i].cpu : 0;
	for (size_t i = 0; i < moves && i < proposal->plan.n; i++) {
		const struct fleet_move *move = &proposal->plan.moves[i];
		cpu += (move->to == host) * proposal->tasks[move->task].cpu -
		       (move->from == host) * proposal->tasks[move->task].cpu;
	}
	return 100 * cpu / proposal->units[host].cpu;
}

/* What it costs, where QEMU measured what the guest writes. */
static void dirty_text(const struct fleet *fleet, const struct fleet_vm *vm, const struct fleet_task *task,
	char *buf, size_t len)
{
	char sent[16];
	text_kib(sent, sizeof sent, (int64_t)(task->cost_mib * 1024));
	if (!vf64_has(vm->dirty_mib_s) || !(fleet->link_mib_s > 0))
		buf[0] = '\0';
	else if (task->endless)
		snprintf(buf, len,
			"; it writes %.0f MiB/s and %.0f can be sent: the last choice, and it may not end",
			vm->dirty_mib_s.v, fleet->link_mib_s);
	else
		snprintf(buf, len, "; writes %.0f MiB/s: %s to send, %.0f s", vm->dirty_mib_s.v, sent,
			task->cost_mib / fleet->link_mib_s);
}

void fleet_move_text(
	const struct fleet *fleet, const struct fleet_proposal *proposal, size_t move, char *buf, size_t len)
{
	const struct fleet_move *m = &proposal->plan.moves[move];
	const struct fleet_task *task = &proposal->tasks[m->task];
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], size[16];
	text_escape(vm, sizeof vm, fleet->vms[m->task].name);
	text_escape(from, sizeof from, fleet->hosts[m->from].name);
	text_escape(to, sizeof to, fleet->hosts[m->to].name);
	text_kib(size, sizeof size, (int64_t)(task->mem_mib * 1024));
	snprintf(buf, len, "%s: %s -> %s, wants %.1f pCPUs, has %s; %s %.0f -> %.0f %%, %s %.0f -> %.0f %%",
		vm, from, to, task->cpu, size, from, fleet_proposal_load(proposal, m->from, move),
		fleet_proposal_load(proposal, m->from, move + 1), to,
		fleet_proposal_load(proposal, m->to, move), fleet_proposal_load(proposal, m->to, move + 1));
	size_t n = strlen(buf);
	dirty_text(fleet, &fleet->vms[m->task], task, buf + n, len - n);
}

void fleet_proposal_text(const struct fleet_proposal *proposal, char *buf, size_t len)
{
	const struct fleet_plan *plan = &proposal->plan;
	if (proposal->unseen == proposal->n_units)
		snprintf(buf, len, "no plan: no host is seen");
	else if (plan->overloaded == 0)
		snprintf(buf, len, "nothing to move: no host's guests want more than it has");
	else if (plan->n == 0)
		snprintf(buf, len,
			"%zu host%s %s guests that want more than it has, and no move would help: "
			"no VM that may move finds room at its peak",
			plan->overloaded, text_s(plan->overloaded), plan->overloaded == 1 ? "has" : "have");
	else
		snprintf(buf, len, "%zu move%s would help %zu of %zu overloaded host%s", plan->n,
			text_s(plan->n), plan->cured, plan->overloaded, text_s(plan->overloaded));
	size_t n = strlen(buf);
	if (proposal->unseen && proposal->unseen < proposal->n_units)
		snprintf(buf + n, len - n, "; %zu host%s that %s not seen %s left out", proposal->unseen,
			text_s(proposal->unseen), proposal->unseen == 1 ? "is" : "are",
			proposal->unseen == 1 ? "is" : "are");
}

/* VMs that move, and those on the hosts that receive them, of which no peak is known. */
static size_t without_peak(const struct fleet *fleet, const struct fleet_proposal *proposal)
{
	size_t n = 0;
	for (size_t i = 0; i < proposal->n_tasks; i++) {
		bool counts = false;
		for (size_t k = 0; k < proposal->plan.n; k++)
			counts |= proposal->plan.moves[k].task == i ||
				  proposal->plan.moves[k].to == proposal->tasks[i].unit;
		n += counts && !vf64_has(fleet->vms[i].peak_pct) &&
		     strcmp(fleet->vms[i].state, "running") == 0;
	}
	return n;
}

static void peaks_text(
	const struct fleet *fleet, const struct fleet_proposal *proposal, char *buf, size_t len)
{
	size_t n = without_peak(fleet, proposal);
	buf[0] = '\0';
	if (n)
		snprintf(buf, len,
			"; no peak is known of %zu VM%s there: what they want now was taken for it", n,
			text_s(n));
	else if (fleet->peaks_s > 0 && fleet->peaks_s < 3600)
		snprintf(buf, len,
			"; peaks of the last %.0f s only: the rules that are shipped record an hour",
			fleet->peaks_s);
}

/* Prometheus knows no definitions; over libvirt those were read, and of this machine's guests the disks too.
 */
void fleet_proposal_unsure(
	const struct fleet *fleet, const struct fleet_proposal *proposal, char *buf, size_t len)
{
	bool defined = true;
	buf[0] = '\0';
	if (!proposal->plan.n)
		return;
	for (size_t i = 0; i < proposal->plan.n; i++)
		defined &= fleet->vms[proposal->plan.moves[i].task].defined;
	int n = snprintf(buf, len, "%s not compared yet: looked at right before each move",
		defined ? "CPU model and shared files" : "pins, disks, huge pages and CPU model");
	if (n > 0 && (size_t)n < len)
		peaks_text(fleet, proposal, buf + n, len - (size_t)n);
}

/* Of letters, digits and what stands in names and URIs: a shell takes it as it is. */
static bool plain(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+@-";
	return *text && *text != '-' && text[strspn(text, allowed)] == '\0';
}

void fleet_move_command(
	const struct fleet *fleet, const struct fleet_proposal *proposal, size_t move, char *buf, size_t len)
{
	const struct fleet_move *m = &proposal->plan.moves[move];
	const char *vm = fleet->vms[m->task].name, *from = fleet->hosts[m->from].uri,
		   *to = fleet->hosts[m->to].uri;
	char options[80];
	buf[0] = '\0';
	move_options(!fleet->vms[m->task].transient, options, sizeof options);
	if (plain(vm) && plain(from) && plain(to) && strstr(from, "://") && strstr(to, "://"))
		snprintf(buf, len, "virsh -c %s migrate %s %s %s", from, options, vm, to);
}
