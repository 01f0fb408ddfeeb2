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
static void add_list(char *to, size_t len, const struct cpuset *set)
{
	char text[LIST_MOST + 1];
	int n = cpuset_count(set);
	if (cpuset_format(set, text, sizeof text) > LIST_MOST)
		add(to, len, "%d pCPU%s", n, text_s((size_t)n));
	else
		add(to, len, "pCPU%s %s", text_s((size_t)n), text);
}

/* ---- the shape ---- */

/* How many there are of what pCPUs share, and how many pCPUs the least and the most of them have. */
struct share {
	int n, least, most;
};

static void share_count(
	const struct host_sample *host, int (*of)(const struct pcpu_sample *pcpu), struct share *share)
{
	int members[CPUSET_CPUS] = {0};
	*share = (struct share){0, CPUSET_CPUS, 0};
	for (size_t i = 0; i < host->n_pcpus; i++) {
		int id = of(&host->pcpus[i]);
		if (host->pcpus[i].online && id >= 0 && id < CPUSET_CPUS)
			members[id]++;
	}
	for (int i = 0; i < CPUSET_CPUS; i++) {
		if (!members[i])
			continue;
		share->n++;
		share->least = min_of(members[i], share->least);
		share->most = max_of(members[i], share->most);
	}
}

static int socket_of(const struct pcpu_sample *pcpu)
{
	return pcpu->socket;
}

static int core_of(const struct pcpu_sample *pcpu)
{
	return pcpu->core;
}

static int llc_of(const struct pcpu_sample *pcpu)
{
	return pcpu->llc;
}

static void add_share(char *to, size_t len, const struct share *share, const char *thing, const char *member)
{
	add(to, len, "%s%d %s%s of ", text_if(*to, ", "), share->n, thing, text_s((size_t)share->n));
	if (share->least < share->most)
		add(to, len, "%d to ", share->least);
	add(to, len, "%d %s%s", share->most, member, text_s((size_t)share->most));
}

/* The largest of the lesser kinds, then the next. */
static void add_capacities(const struct host_sample *host, char *to, size_t len)
{
	for (int below = PCPU_LARGEST, most; below > 0; below = most) {
		struct cpuset set;
		cpuset_clear(&set);
		most = 0;
		for (size_t i = 0; i < host->n_pcpus; i++)
			if (host->pcpus[i].online && host->pcpus[i].capacity < below &&
				host->pcpus[i].capacity > most)
				most = host->pcpus[i].capacity;
		for (size_t i = 0; i < host->n_pcpus; i++)
			if (host->pcpus[i].online && most && host->pcpus[i].capacity == most)
				cpuset_add(&set, host->pcpus[i].id);
		if (!most)
			break;
		add(to, len, "; ");
		add_list(to, len, &set);
		add(to, len, " do %.0f %% of the others", 100. * most / PCPU_LARGEST);
	}
}

void check_host_shape(const struct snapshot *snap, char *to, size_t len)
{
	const struct host_sample *host = &snap->sample.host;
	struct share share;
	*to = '\0';
	share_count(host, socket_of, &share);
	if (share.n)
		add(to, len, "%d socket%s", share.n, text_s((size_t)share.n));
	share_count(host, core_of, &share);
	if (share.n)
		add_share(to, len, &share, "core", "thread");
	share_count(host, llc_of, &share);
	if (share.n)
		add_share(to, len, &share, "last-level cache", "pCPU");
	if (*to)
		add_capacities(host, to, len);
}

/* ---- where vCPUs may be put ---- */

static void add_part(char *to, size_t len, const char *what, const struct cpuset *set)
{
	if (cpuset_empty(set))
		return;
	add(to, len, "%s ", what);
	add_list(to, len, set);
}

void check_host_room(const struct snapshot *snap, char *to, size_t len)
{
	const struct host_sample *host = &snap->sample.host;
	struct cpuset usable, online, isolated, offline, nohz;
	*to = '\0';
	sample_usable(&snap->sample, &usable);
	sample_online(&snap->sample, &online);
	isolated = online;
	cpuset_andnot(&isolated, &usable);
	cpuset_clear(&offline);
	cpuset_clear(&nohz);
	for (size_t i = 0; i < host->n_pcpus; i++) {
		if (!host->pcpus[i].online)
			cpuset_add(&offline, host->pcpus[i].id);
		if (host->pcpus[i].online && host->pcpus[i].nohz_full)
			cpuset_add(&nohz, host->pcpus[i].id);
	}
	add_part(to, len, "vCPUs may be put on", &usable);
	add_part(to, len, "; offline:", &offline);
	add_part(to, len, "; isolated, for guests that name them:", &isolated);
	add_part(to, len, "; nohz_full:", &nohz);
}

/* ---- who is kept on fewer ---- */

static bool is_kept(const struct snapshot *snap, const struct vm_sample *vm, struct cpuset *on)
{
	struct cpuset usable;
	sample_usable(&snap->sample, &usable);
	cpuset_clear(on);
	for (size_t v = vm->first_vcpu; v < vm->first_vcpu + vm->n_vcpus; v++)
		cpuset_or(on, &snap->sample.vcpus[v].allowed);
	return vm->n_vcpus && !cpuset_subset(&usable, on);
}

static void add_name(char *to, size_t len, const struct vm_sample *vm)
{
	char name[VM_NAME_BYTES * 4];
	text_escape(name, sizeof name, vm->name);
	add(to, len, "%.60s", name);
}

static void add_kept(const struct snapshot *snap, char *to, size_t len)
{
	size_t said = 0;
	struct cpuset on;
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		if (!is_kept(snap, &snap->sample.vms[i], &on) || said++ >= NAMED_MOST)
			continue;
		add(to, len, said == 1 ? "rules and control groups keep " : ", ");
		add_name(to, len, &snap->sample.vms[i]);
		add(to, len, " on ");
		add_list(to, len, &on);
	}
	if (said > NAMED_MOST)
		add(to, len, " and %zu more on some", said - NAMED_MOST);
}

/* A group that an earlier VM is in has been told of. */
static bool is_told(const struct snapshot *snap, size_t vm)
{
	bool told = false;
	for (size_t i = 0; i < vm; i++)
		told |= snap->sample.vms[vm].quota_group && vf64_has(snap->sample.vms[i].group_quota_pct) &&
			snap->sample.vms[i].quota_group == snap->sample.vms[vm].quota_group;
	return told;
}

static void add_quotas(const struct snapshot *snap, char *to, size_t len)
{
	for (size_t i = 0, said = 0; i < snap->sample.n_vms && said < NAMED_MOST; i++) {
		const struct vm_sample *vm = &snap->sample.vms[i];
		if (!vf64_has(vm->group_quota_pct) || is_told(snap, i))
			continue;
		add(to, len, "%s", text_if(*to, "; "));
		add_name(to, len, vm);
		add(to, len, vm->quota_group ? " and all others in its group get " : " gets ");
		add(to, len, "%.0f %% of a pCPU at most", vm->group_quota_pct.v);
		said++;
	}
}

void check_host_bounds(const struct snapshot *snap, char *to, size_t len)
{
	*to = '\0';
	add_kept(snap, to, len);
	add_quotas(snap, to, len);
}
