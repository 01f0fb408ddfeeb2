/* SPDX-License-Identifier: MIT */
/* One change to one VM: looks again, acts on the live VM only, reads back. Invariant: no call that would
 * change nothing, none that touches the persistent definition. Must not know: deadlines, plans, other VMs. */
#include "libvirt_change.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "domxml.h"
#include "pinmark.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"

enum { MAP_BYTES = CPUSET_CPUS / 8, VCPUS_MOST = 4096 };

/* The last look before a call: the process may have been stopped since the claim was renewed. */
static const char too_late[] = "too long since it was sure that nobody else steers this host";

/* Returns 0, so that callers can write `return end(...)`. */
static int end(struct action *action, enum outcome outcome, const char *text)
{
	action->outcome = outcome;
	snprintf(action->error, sizeof action->error, "%s", text);
	return 0;
}

static int fail(struct action *action, const char *what)
{
	struct err err = ERR_INIT;
	connect_err(&err, what);
	return end(action, err.code == ERR_GONE ? OUTCOME_SKIPPED : OUTCOME_FAILED, err.msg);
}

/* The true affinity of one vCPU; -1: it does not exist (or the call failed, then e is set). */
static int affinity_of(virDomainPtr dom, int vcpu, struct cpuset *set)
{
	int most = virDomainGetMaxVcpus(dom), found = -1;
	if (most < 1 || most > VCPUS_MOST)
		return -1;
	virVcpuInfo *info = calloc((size_t)most, sizeof *info);
	unsigned char *maps = calloc((size_t)most, MAP_BYTES);
	int n = info && maps ? virDomainGetVcpus(dom, info, most, maps, MAP_BYTES) : -1;
	for (int i = 0; i < n && found < 0; i++)
		if ((int)info[i].number == vcpu) {
			cpuset_from_map(set, maps + (size_t)i * MAP_BYTES, MAP_BYTES);
			found = 0;
		}
	free(info);
	free(maps);
	return found;
}

static int pin(virDomainPtr dom, int vcpu, const struct cpuset *to, int n_cpus)
{
	unsigned char map[MAP_BYTES];
	int len = VIR_CPU_MAPLEN(n_cpus);
	len = min_of(len, MAP_BYTES);
	cpuset_to_map(to, map, (size_t)len);
	int rc = virDomainPinVcpuFlags(dom, (unsigned)vcpu, map, len, VIR_DOMAIN_AFFECT_LIVE);
	/* On a running VM the plain call means the same; some drivers have only that one. */
	if (rc < 0 && connect_unsupported())
		rc = virDomainPinVcpu(dom, (unsigned)vcpu, map, len);
	return rc;
}

static void cut(struct cpuset *set, int n_cpus)
{
	struct cpuset all;
	cpuset_fill(&all, n_cpus);
	cpuset_and(set, &all);
}

/* A job (migration, save) holds the VM: a change would wait for its end. */
static bool is_busy(virDomainPtr dom)
{
	virDomainControlInfo info;
	return virDomainGetControlInfo(dom, &info, 0) == 0 && info.state == VIR_DOMAIN_CONTROL_JOB;
}

/* ---- the mark of our pins ---- */

/* Drivers without metadata do not migrate either. */
static int marks_read(virDomainPtr dom, struct pinmarks *marks, bool *can)
{
	struct err ignored;
	char *text =
		virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, PINMARK_URI, VIR_DOMAIN_AFFECT_LIVE);
	virErrorPtr error = text ? NULL : virGetLastError();
	*can = text || (error && error->code == VIR_ERR_NO_DOMAIN_METADATA) || !connect_unsupported();
	if (!text)
		return !*can || (error && error->code == VIR_ERR_NO_DOMAIN_METADATA) ? 0 : -1;
	/* What cannot be read is not ours, and is written anew. */
	if (pinmarks_read(marks, text, &ignored) < 0)
		pinmarks_done(marks);
	free(text);
	return 0;
}

static int marks_write(virDomainPtr dom, const struct pinmarks *marks)
{
	char *text = marks->n ? pinmarks_text(marks) : NULL;
	if (marks->n && !text)
		return -1;
	int rc = virDomainSetMetadata(
		dom, VIR_DOMAIN_METADATA_ELEMENT, text, PINMARK_PREFIX, PINMARK_URI, VIR_DOMAIN_AFFECT_LIVE);
	free(text);
	return rc;
}

/* A pin is marked as ours before it is made, so that there is none without a mark. */
static int mark(virDomainPtr dom, const struct action *action, const struct cpuset *now,
	const struct cpuset *to, struct pinmarks *marks)
{
	bool can;
	if (marks_read(dom, marks, &can) < 0)
		return -1;
	if (!can)
		return 0;
	return pinmarks_will(marks, action->vcpu, now, action->from_pinned, to) < 0 ? -1
										    : marks_write(dom, marks);
}

/* What was put back is nobody's. The pin is made by now: a mark that stays marks nothing. */
static void unmark(virDomainPtr dom, int vcpu, struct pinmarks *marks)
{
	if (!pinmarks_find(marks, vcpu))
		return;
	pinmarks_forget(marks, vcpu);
	marks_write(dom, marks);
}

static int disown(virDomainPtr dom, int vcpu)
{
	struct pinmarks marks = {0};
	bool can;
	int rc = marks_read(dom, &marks, &can);
	if (rc == 0 && pinmarks_find(&marks, vcpu)) {
		pinmarks_forget(&marks, vcpu);
		rc = is_busy(dom) ? -1 : marks_write(dom, &marks);
	}
	pinmarks_done(&marks);
	return rc;
}

int change_disown(virConnectPtr conn, const uint8_t uuid[UUID_BYTES], int vcpu)
{
	virResetLastError();
	virDomainPtr dom = virDomainLookupByUUID(conn, uuid);
	virErrorPtr error = virGetLastError();
	if (!dom) /* a mark goes with its guest */
		return error && error->code == VIR_ERR_NO_DOMAIN ? 0 : -1;
	int rc = virDomainIsActive(dom) == 0 ? 0 : disown(dom, vcpu);
	virDomainFree(dom);
	return rc;
}

static int pin_marked(virDomainPtr dom, const struct action *action, const struct cpuset *now,
	const struct cpuset *to, int n_cpus)
{
	struct pinmarks marks = {0};
	int rc = mark(dom, action, now, to, &marks);
	if (rc == 0)
		rc = pin(dom, action->vcpu, to, n_cpus);
	/* Without the journal's owner there is nobody else to do it: a release beside a vmtop that steers. */
	if (rc == 0 && action->why.code == REASON_RESTORE)
		unmark(dom, action->vcpu, &marks);
	pinmarks_done(&marks);
	return rc;
}

/* The kernel's or the control group's no; anything else may pass. */
static bool is_refusal(void)
{
	virErrorPtr error = virGetLastError();
	return error && error->code == VIR_ERR_SYSTEM_ERROR;
}

/* What was not made must not have done half of it: libvirt writes a cpuset before it sets the affinity. */
static void put_back(virDomainPtr dom, int vcpu, const struct cpuset *was, int n_cpus)
{
	struct cpuset now;
	if (affinity_of(dom, vcpu, &now) < 0)
		return;
	cut(&now, n_cpus);
	if (!cpuset_equal(&now, was))
		pin(dom, vcpu, was, n_cpus);
}

/* Returns 1 when the target was refused. */
static int change_pin(virDomainPtr dom, struct action *action, int n_cpus, const struct claim *claim)
{
	struct cpuset was, now, to = action->to;
	char list[80];
	cut(&to, n_cpus);
	if (cpuset_empty(&to))
		return end(action, OUTCOME_SKIPPED, "none of these pCPUs exists");
	if (affinity_of(dom, action->vcpu, &now) < 0)
		return end(action, OUTCOME_SKIPPED, "the vCPU is gone");
	cut(&now, n_cpus);
	if (cpuset_equal(&now, &to))
		return end(action, OUTCOME_SKIPPED, "it is there already");
	if (is_busy(dom))
		return end(action, OUTCOME_SKIPPED, "a job runs on the VM");
	if (!claim_fresh(claim))
		return end(action, OUTCOME_SKIPPED, too_late);
	was = now;
	if (pin_marked(dom, action, &was, &to, n_cpus) < 0) {
		bool refused = is_refusal();
		fail(action, "pinning");
		put_back(dom, action->vcpu, &was, n_cpus);
		return refused && action->outcome == OUTCOME_FAILED;
	}
	if (affinity_of(dom, action->vcpu, &now) < 0)
		return end(action, OUTCOME_UNKNOWN, "pinned, but it could not be read back");
	cut(&now, n_cpus);
	/* Offline pCPUs in a wide map do not read back. */
	if (!cpuset_empty(&now) && cpuset_subset(&now, &to))
		return end(action, OUTCOME_DONE, "");
	cpuset_format(&now, list, sizeof list);
	end(action, OUTCOME_FAILED, "");
	snprintf(action->error, sizeof action->error, "pinned, but it reads back as %s", list);
	put_back(dom, action->vcpu, &was, n_cpus);
	return 1;
}

/* What a balloon may be at most now; 0: not known. */
static int64_t balloon_most(virDomainPtr dom)
{
	struct dom_facts facts;
	char *live = virDomainGetXMLDesc(dom, 0);
	int64_t most = 0;
	dom_facts_init(&facts);
	if (live && domxml_parse(&facts, live, NULL, NULL) == 0 && vi64_has(facts.max_kib))
		most = facts.max_kib.v;
	dom_facts_done(&facts);
	free(live);
	return most;
}

/* Memory may have been plugged or taken away since the plan: less is better than nothing. */
static int refused_balloon(virDomainPtr dom, struct action *action, const struct claim *claim)
{
	struct err err = ERR_INIT;
	connect_err(&err, "setting the balloon");
	int64_t most = balloon_most(dom);
	if (most <= action->from_kib || most >= action->to_kib || !claim_fresh(claim) ||
		virDomainSetMemoryFlags(dom, (unsigned long)most, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return end(action, err.code == ERR_GONE ? OUTCOME_SKIPPED : OUTCOME_FAILED, err.msg);
	action->to_kib = most;
	return end(action, OUTCOME_DONE, "");
}

static int change_balloon(
	virDomainPtr dom, struct action *action, const virDomainInfo *info, const struct claim *claim)
{
	if (action->to_kib <= 0 || (unsigned long)action->to_kib > info->maxMem)
		return end(action, OUTCOME_SKIPPED, "the target is outside what the VM can have");
	if (is_busy(dom))
		return end(action, OUTCOME_SKIPPED, "a job runs on the VM");
	if (!claim_fresh(claim))
		return end(action, OUTCOME_SKIPPED, too_late);
	if (virDomainSetMemoryFlags(dom, (unsigned long)action->to_kib, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return refused_balloon(dom, action, claim);
	return end(action, OUTCOME_DONE, "");
}

static int change_period(virDomainPtr dom, struct action *action, const struct claim *claim)
{
	if (is_busy(dom))
		return end(action, OUTCOME_SKIPPED, "a job runs on the VM");
	if (!claim_fresh(claim))
		return end(action, OUTCOME_SKIPPED, too_late);
	if (virDomainSetMemoryStatsPeriod(dom, action->to_s, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return fail(action, "setting the statistics period");
	return end(action, OUTCOME_DONE, "");
}

/* ---- CPU shares ---- */

/* -1: there are none, and libvirt said why. */
static int shares_now(virDomainPtr dom, unsigned long long *shares)
{
	enum { MOST = 16 }; /* what libvirt's protocol takes: one more is an error */
	virTypedParameter param[MOST];
	int n = MOST;
	memset(param, 0, sizeof param);
	if (virDomainGetSchedulerParametersFlags(dom, param, &n, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return -1;
	int has = virTypedParamsGetULLong(param, n, VIR_DOMAIN_SCHEDULER_CPU_SHARES, shares);
	virTypedParamsClear(param, n);
	return has == 1 ? 0 : -1;
}

static int set_shares(virDomainPtr dom, int to)
{
	virTypedParameterPtr p = NULL;
	int n = 0, cap = 0;
	int rc = virTypedParamsAddULLong(
		&p, &n, &cap, VIR_DOMAIN_SCHEDULER_CPU_SHARES, (unsigned long long)to);
	if (rc == 0)
		rc = virDomainSetSchedulerParametersFlags(dom, p, n, VIR_DOMAIN_AFFECT_LIVE);
	virTypedParamsFree(p, n);
	return rc;
}

static int change_shares(virDomainPtr dom, struct action *action, const struct claim *claim)
{
	unsigned long long now;
	virResetLastError();
	if (shares_now(dom, &now) < 0)
		return virGetLastError() ? fail(action, "CPU shares are not available")
					 : end(action, OUTCOME_FAILED, "this driver has no CPU shares");
	if (now == (unsigned long long)action->to_shares)
		return end(action, OUTCOME_DONE, "");
	if (now != (unsigned long long)action->from_shares)
		return end(action, OUTCOME_SKIPPED, "somebody else has set its CPU shares");
	if (is_busy(dom))
		return end(action, OUTCOME_SKIPPED, "a job runs on the VM");
	if (!claim_fresh(claim))
		return end(action, OUTCOME_SKIPPED, too_late);
	if (set_shares(dom, action->to_shares) < 0)
		return fail(action, "setting the CPU shares");
	if (shares_now(dom, &now) < 0)
		return end(action, OUTCOME_UNKNOWN, "set, but they could not be read back");
	if (now == (unsigned long long)action->to_shares)
		return end(action, OUTCOME_DONE, "");
	end(action, OUTCOME_FAILED, "");
	snprintf(action->error, sizeof action->error, "set, but they read back as %llu", now);
	set_shares(dom, action->from_shares);
	return 0;
}

bool change_apply(virConnectPtr conn, struct action *action, int n_cpus, const struct claim *claim)
{
	virDomainInfo info;
	bool refused = false;
	virDomainPtr dom = virDomainLookupByUUID(conn, action->uuid);
	if (!dom) {
		fail(action, "finding the VM");
		return false;
	}
	bool got = virDomainGetInfo(dom, &info) == 0;
	if (!got)
		fail(action, "looking at the VM");
	else if (info.state != VIR_DOMAIN_RUNNING && info.state != VIR_DOMAIN_BLOCKED &&
		 info.state != VIR_DOMAIN_PAUSED)
		end(action, OUTCOME_SKIPPED, "the VM does not run");
	else if (action->kind == ACTION_PIN)
		refused = change_pin(dom, action, n_cpus, claim) == 1;
	else if (action->kind == ACTION_BALLOON)
		change_balloon(dom, action, &info, claim);
	else if (action->kind == ACTION_SHARES)
		change_shares(dom, action, claim);
	else
		change_period(dom, action, claim);
	virDomainFree(dom);
	return refused;
}
