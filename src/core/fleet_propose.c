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

static bool known(const struct fleet_host *h)
{
	return h->state == FLEET_OK && vf64_has(h->load_pct) && vi64_has(h->pcpus) && h->pcpus.v > 0;
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

static bool endless(const struct fleet *f, const struct fleet_vm *vm)
{
	return vf64_has(vm->dirty_mib_s) && f->link_mib_s > 0 && vm->dirty_mib_s.v >= f->link_mib_s;
}

/* What is written while it is sent is sent again, and so on. */
static double sends(const struct fleet *f, const struct fleet_vm *vm, double used_mib)
{
	enum { TIMES_MOST = 20 };
	if (!vf64_has(vm->dirty_mib_s) || !(f->link_mib_s > 0))
		return used_mib;
	double part = fmax(vm->dirty_mib_s.v, 0) / f->link_mib_s;
	return used_mib * (part < 1 - 1. / TIMES_MOST ? 1 / (1 - part) : TIMES_MOST);
}

static void task_fill(const struct fleet *f, const struct fleet_vm *vm, struct fleet_task *t)
{
	const struct fleet_host *h = &f->hosts[vm->host];
	t->unit = (uint32_t)vm->host;
	t->cpu = wants(vm);
	t->cpu_peak = fmax(t->cpu, vf64_has(vm->peak_pct) ? vm->peak_pct.v / 100 : 0);
	t->vcpus = vi64_has(vm->vcpus) && vm->vcpus.v > 0 ? (uint32_t)vm->vcpus.v : 0;
	t->pins = vm->pins;
	t->takes_pins = vm->takes_pins;
	t->mem_mib = mib(vm->balloon_kib);
	t->mem_peak_mib = t->mem_mib;
	t->cost_mib = sends(f, vm, vi64_has(vm->used_kib) ? mib(vm->used_kib) : t->mem_mib);
	t->endless = endless(f, vm);
	t->pcpus = vi64_has(vm->pin_pcpu) ? (uint32_t)vm->pin_pcpu.v + 1 : 0;
	t->fixed = !known(h) || !vf64_has(vm->cpu_pct) || !vi64_has(vm->balloon_kib) || vm->stays[0] ||
		   strcmp(vm->state, "running") != 0;
}

/* Memory is a reason to move only where the host is in need of it: what was promised beyond it is not. */
static void unit_fill(const struct fleet_host *h, double guests_cpu, double guests_mib, struct fleet_unit *u)
{
	double room = mib(h->total_kib) * (FLEET_RESERVE_PART - 1) / FLEET_RESERVE_PART;
	u->domain = FLEET_DOMAIN_NONE;
	u->closed = !known(h) || !vi64_has(h->total_kib) || strcmp(h->memory, "hard") == 0;
	u->cpu = known(h) ? (double)h->pcpus.v : CPU_NOT_KNOWN;
	u->pcpus = vi64_has(h->last_pcpu) ? (uint32_t)h->last_pcpu.v + 1 : 0;
	u->own = known(h) ? fmax(h->load_pct.v * u->cpu / 100 - guests_cpu, 0) : 0;
	u->mem_mib = strcmp(h->memory, "hard") == 0 ? room : fmax(room, guests_mib);
}

static void units_fill(const struct fleet *f, struct fleet_proposal *to)
{
	for (size_t i = 0; i < f->n_hosts; i++) {
		const struct fleet_host *h = &f->hosts[i];
		double cpu = 0, memory = 0;
		for (size_t k = h->first_vm; k < h->first_vm + h->n_vms; k++) {
			cpu += vf64_has(f->vms[k].cpu_pct) ? f->vms[k].cpu_pct.v / 100 : 0;
			memory += to->tasks[k].mem_mib;
		}
		unit_fill(h, cpu, memory, &to->units[i]);
	}
}

int fleet_propose(const struct fleet *f, struct fleet_proposal *to)
{
	fleet_proposal_done(to);
	to->n_units = f->n_hosts;
	to->n_tasks = f->n_vms;
	to->units = calloc(f->n_hosts + 1, sizeof *to->units);
	to->tasks = calloc(f->n_vms + 1, sizeof *to->tasks);
	if (!to->units || !to->tasks)
		return -1;
	for (size_t i = 0; i < f->n_vms; i++)
		task_fill(f, &f->vms[i], &to->tasks[i]);
	units_fill(f, to);
	to->unseen = 0;
	for (size_t i = 0; i < f->n_hosts; i++)
		to->unseen += !known(&f->hosts[i]);
	return fleet_plan_make(
		to->units, to->n_units, to->tasks, to->n_tasks, &fleet_limits_default, &to->plan);
}

void fleet_proposal_done(struct fleet_proposal *p)
{
	free(p->units);
	free(p->tasks);
	fleet_plan_done(&p->plan);
	*p = (struct fleet_proposal){.n_units = 0};
}

double fleet_proposal_load(const struct fleet_proposal *p, size_t host, size_t moves)
{
	double cpu = p->units[host].own;
	for (size_t i = 0; i < p->n_tasks; i++)
		cpu += p->tasks[i].unit == host ? p->tasks[i].cpu : 0;
	for (size_t i = 0; i < moves && i < p->plan.n; i++) {
		const struct fleet_move *m = &p->plan.moves[i];
		cpu += (m->to == host) * p->tasks[m->task].cpu - (m->from == host) * p->tasks[m->task].cpu;
	}
	return 100 * cpu / p->units[host].cpu;
}

/* What it costs, where QEMU measured what the guest writes. */
static void dirty_text(
	const struct fleet *f, const struct fleet_vm *vm, const struct fleet_task *t, char *buf, size_t len)
{
	char sent[16];
	text_kib(sent, sizeof sent, (int64_t)(t->cost_mib * 1024));
	if (!vf64_has(vm->dirty_mib_s) || !(f->link_mib_s > 0))
		buf[0] = '\0';
	else if (t->endless)
		snprintf(buf, len,
			"; it writes %.0f MiB/s and %.0f can be sent: the last choice, and it may not end",
			vm->dirty_mib_s.v, f->link_mib_s);
	else
		snprintf(buf, len, "; writes %.0f MiB/s: %s to send, %.0f s", vm->dirty_mib_s.v, sent,
			t->cost_mib / f->link_mib_s);
}

void fleet_move_text(
	const struct fleet *f, const struct fleet_proposal *p, size_t move, char *buf, size_t len)
{
	const struct fleet_move *m = &p->plan.moves[move];
	const struct fleet_task *t = &p->tasks[m->task];
	char vm[3 * VM_NAME_BYTES], from[3 * FLEET_NAME], to[3 * FLEET_NAME], size[16];
	text_escape(vm, sizeof vm, f->vms[m->task].name);
	text_escape(from, sizeof from, f->hosts[m->from].name);
	text_escape(to, sizeof to, f->hosts[m->to].name);
	text_kib(size, sizeof size, (int64_t)(t->mem_mib * 1024));
	snprintf(buf, len, "%s: %s -> %s, wants %.1f pCPUs, has %s; %s %.0f -> %.0f %%, %s %.0f -> %.0f %%",
		vm, from, to, t->cpu, size, from, fleet_proposal_load(p, m->from, move),
		fleet_proposal_load(p, m->from, move + 1), to, fleet_proposal_load(p, m->to, move),
		fleet_proposal_load(p, m->to, move + 1));
	size_t n = strlen(buf);
	dirty_text(f, &f->vms[m->task], t, buf + n, len - n);
}

void fleet_proposal_text(const struct fleet_proposal *p, char *buf, size_t len)
{
	const struct fleet_plan *x = &p->plan;
	if (p->unseen == p->n_units)
		snprintf(buf, len, "no plan: no host is seen");
	else if (x->overloaded == 0)
		snprintf(buf, len, "nothing to move: no host's guests want more than it has");
	else if (x->n == 0)
		snprintf(buf, len,
			"%zu host%s %s guests that want more than it has, and no move would help: "
			"no VM that may move finds room at its peak",
			x->overloaded, text_s(x->overloaded), x->overloaded == 1 ? "has" : "have");
	else
		snprintf(buf, len, "%zu move%s would help %zu of %zu overloaded host%s", x->n, text_s(x->n),
			x->cured, x->overloaded, text_s(x->overloaded));
	size_t n = strlen(buf);
	if (p->unseen && p->unseen < p->n_units)
		snprintf(buf + n, len - n, "; %zu host%s that %s not seen %s left out", p->unseen,
			text_s(p->unseen), p->unseen == 1 ? "is" : "are", p->unseen == 1 ? "is" : "are");
}

/* VMs that move, and those on the hosts that receive them, of which no peak is known. */
static size_t without_peak(const struct fleet *f, const struct fleet_proposal *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_tasks; i++) {
		bool counts = false;
		for (size_t k = 0; k < p->plan.n; k++)
			counts |= p->plan.moves[k].task == i || p->plan.moves[k].to == p->tasks[i].unit;
		n += counts && !vf64_has(f->vms[i].peak_pct) && strcmp(f->vms[i].state, "running") == 0;
	}
	return n;
}

static void peaks_text(const struct fleet *f, const struct fleet_proposal *p, char *buf, size_t len)
{
	size_t n = without_peak(f, p);
	buf[0] = '\0';
	if (n)
		snprintf(buf, len,
			"; no peak is known of %zu VM%s there: what they want now was taken for it", n,
			text_s(n));
	else if (f->peaks_s > 0 && f->peaks_s < 3600)
		snprintf(buf, len,
			"; peaks of the last %.0f s only: the rules that are shipped record an hour",
			f->peaks_s);
}

/* Prometheus knows no definitions; over libvirt those were read, and of this machine's guests the disks too.
 */
void fleet_proposal_unsure(const struct fleet *f, const struct fleet_proposal *p, char *buf, size_t len)
{
	bool defined = true;
	buf[0] = '\0';
	if (!p->plan.n)
		return;
	for (size_t i = 0; i < p->plan.n; i++)
		defined &= f->vms[p->plan.moves[i].task].defined;
	int n = snprintf(buf, len, "%s not compared yet: looked at right before each move",
		defined ? "CPU model and shared files" : "pins, disks, huge pages and CPU model");
	if (n > 0 && (size_t)n < len)
		peaks_text(f, p, buf + n, len - (size_t)n);
}

/* Of letters, digits and what stands in names and URIs: a shell takes it as it is. */
static bool plain(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+@-";
	return *text && *text != '-' && text[strspn(text, allowed)] == '\0';
}

void fleet_move_command(
	const struct fleet *f, const struct fleet_proposal *p, size_t move, char *buf, size_t len)
{
	const struct fleet_move *m = &p->plan.moves[move];
	const char *vm = f->vms[m->task].name, *from = f->hosts[m->from].uri, *to = f->hosts[m->to].uri;
	char options[80];
	buf[0] = '\0';
	move_options(!f->vms[m->task].transient, options, sizeof options);
	if (plain(vm) && plain(from) && plain(to) && strstr(from, "://") && strstr(to, "://"))
		snprintf(buf, len, "virsh -c %s migrate %s %s %s", from, options, vm, to);
}
