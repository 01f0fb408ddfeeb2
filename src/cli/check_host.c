/* SPDX-License-Identifier: MIT */
/* The machine in three lines of --check. Invariant: only what was told is counted; an offline pCPU has no
 * core and no cache. */
#include "check_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { LIST_MOST = 100, NAMED_MOST = 3 };

__attribute__((format(printf, 3, 4))) static void add(char *to, size_t len, const char *fmt, ...)
{
	size_t n = strlen(to);
	va_list args;
	va_start(args, fmt);
	vsnprintf(to + n, len - n, fmt, args);
	va_end(args);
}

/* "pCPUs 0-3,8", or how many where that would be a long list. */
static void add_list(char *to, size_t len, const struct cpuset *s)
{
	char text[LIST_MOST + 1];
	int n = cpuset_count(s);
	if (cpuset_format(s, text, sizeof text) > LIST_MOST)
		add(to, len, "%d pCPU%s", n, text_s((size_t)n));
	else
		add(to, len, "pCPU%s %s", text_s((size_t)n), text);
}

/* ---- the shape ---- */

/* How many there are of what pCPUs share, and how many pCPUs the least and the most of them have. */
struct share {
	int n, least, most;
};

static void share_count(const struct host_sample *h, int (*of)(const struct pcpu_sample *p), struct share *x)
{
	int members[CPUSET_CPUS] = {0};
	*x = (struct share){0, CPUSET_CPUS, 0};
	for (size_t i = 0; i < h->n_pcpus; i++) {
		int id = of(&h->pcpus[i]);
		if (h->pcpus[i].online && id >= 0 && id < CPUSET_CPUS)
			members[id]++;
	}
	for (int i = 0; i < CPUSET_CPUS; i++) {
		if (!members[i])
			continue;
		x->n++;
		x->least = min_of(members[i], x->least);
		x->most = max_of(members[i], x->most);
	}
}

static int socket_of(const struct pcpu_sample *p)
{
	return p->socket;
}

static int core_of(const struct pcpu_sample *p)
{
	return p->core;
}

static int llc_of(const struct pcpu_sample *p)
{
	return p->llc;
}

static void add_share(char *to, size_t len, const struct share *x, const char *thing, const char *member)
{
	add(to, len, "%s%d %s%s of ", *to ? ", " : "", x->n, thing, text_s((size_t)x->n));
	if (x->least < x->most)
		add(to, len, "%d to ", x->least);
	add(to, len, "%d %s%s", x->most, member, text_s((size_t)x->most));
}

/* The largest of the lesser kinds, then the next. */
static void add_capacities(const struct host_sample *h, char *to, size_t len)
{
	for (int below = PCPU_LARGEST, most; below > 0; below = most) {
		struct cpuset s;
		cpuset_clear(&s);
		most = 0;
		for (size_t i = 0; i < h->n_pcpus; i++)
			if (h->pcpus[i].online && h->pcpus[i].capacity < below && h->pcpus[i].capacity > most)
				most = h->pcpus[i].capacity;
		for (size_t i = 0; i < h->n_pcpus; i++)
			if (h->pcpus[i].online && most && h->pcpus[i].capacity == most)
				cpuset_add(&s, h->pcpus[i].id);
		if (!most)
			break;
		add(to, len, "; ");
		add_list(to, len, &s);
		add(to, len, " do %.0f %% of the others", 100. * most / PCPU_LARGEST);
	}
}

void check_host_shape(const struct snapshot *s, char *to, size_t len)
{
	const struct host_sample *h = &s->sample.host;
	struct share x;
	*to = '\0';
	share_count(h, socket_of, &x);
	if (x.n)
		add(to, len, "%d socket%s", x.n, text_s((size_t)x.n));
	share_count(h, core_of, &x);
	if (x.n)
		add_share(to, len, &x, "core", "thread");
	share_count(h, llc_of, &x);
	if (x.n)
		add_share(to, len, &x, "last-level cache", "pCPU");
	if (*to)
		add_capacities(h, to, len);
}

/* ---- where vCPUs may be put ---- */

static void add_part(char *to, size_t len, const char *what, const struct cpuset *s)
{
	if (cpuset_empty(s))
		return;
	add(to, len, "%s ", what);
	add_list(to, len, s);
}

void check_host_room(const struct snapshot *s, char *to, size_t len)
{
	const struct host_sample *h = &s->sample.host;
	struct cpuset usable, online, isolated, offline, nohz;
	*to = '\0';
	sample_usable(&s->sample, &usable);
	sample_online(&s->sample, &online);
	isolated = online;
	cpuset_andnot(&isolated, &usable);
	cpuset_clear(&offline);
	cpuset_clear(&nohz);
	for (size_t i = 0; i < h->n_pcpus; i++) {
		if (!h->pcpus[i].online)
			cpuset_add(&offline, h->pcpus[i].id);
		if (h->pcpus[i].online && h->pcpus[i].nohz_full)
			cpuset_add(&nohz, h->pcpus[i].id);
	}
	add_part(to, len, "vCPUs may be put on", &usable);
	add_part(to, len, "; offline:", &offline);
	add_part(to, len, "; isolated, for guests that name them:", &isolated);
	add_part(to, len, "; nohz_full:", &nohz);
}

/* ---- who is kept on fewer ---- */

static bool is_kept(const struct snapshot *s, const struct vm_sample *vm, struct cpuset *on)
{
	struct cpuset usable;
	sample_usable(&s->sample, &usable);
	cpuset_clear(on);
	for (size_t v = vm->first_vcpu; v < vm->first_vcpu + vm->n_vcpus; v++)
		cpuset_or(on, &s->sample.vcpus[v].allowed);
	return vm->n_vcpus && !cpuset_subset(&usable, on);
}

static void add_name(char *to, size_t len, const struct vm_sample *vm)
{
	char name[VM_NAME_BYTES * 4];
	text_escape(name, sizeof name, vm->name);
	add(to, len, "%.60s", name);
}

static void add_kept(const struct snapshot *s, char *to, size_t len)
{
	size_t said = 0;
	struct cpuset on;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		if (!is_kept(s, &s->sample.vms[i], &on) || said++ >= NAMED_MOST)
			continue;
		add(to, len, said == 1 ? "rules and control groups keep " : ", ");
		add_name(to, len, &s->sample.vms[i]);
		add(to, len, " on ");
		add_list(to, len, &on);
	}
	if (said > NAMED_MOST)
		add(to, len, " and %zu more on some", said - NAMED_MOST);
}

/* A group that an earlier VM is in has been told of. */
static bool is_told(const struct snapshot *s, size_t vm)
{
	bool told = false;
	for (size_t i = 0; i < vm; i++)
		told |= s->sample.vms[vm].quota_group && vf64_has(s->sample.vms[i].group_quota_pct) &&
			s->sample.vms[i].quota_group == s->sample.vms[vm].quota_group;
	return told;
}

static void add_quotas(const struct snapshot *s, char *to, size_t len)
{
	for (size_t i = 0, said = 0; i < s->sample.n_vms && said < NAMED_MOST; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		if (!vf64_has(vm->group_quota_pct) || is_told(s, i))
			continue;
		add(to, len, *to ? "; " : "");
		add_name(to, len, vm);
		add(to, len, vm->quota_group ? " and all others in its group get " : " gets ");
		add(to, len, "%.0f %% of a pCPU at most", vm->group_quota_pct.v);
		said++;
	}
}

void check_host_bounds(const struct snapshot *s, char *to, size_t len)
{
	*to = '\0';
	add_kept(s, to, len);
	add_quotas(s, to, len);
}
