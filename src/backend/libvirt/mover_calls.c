/* SPDX-License-Identifier: MIT */
/* libvirt's calls for one move, each run by the worker of a connection. Invariant: only ask_migrate(),
 * ask_abort() and ask_arrived() change anything, and the last one only puts back that the guest starts with
 * its host. Flags that make libvirt overlook a danger (unsafe, force) are never given. */
#include "mover_calls.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/storage.h"
#include "domxml.h"
#include "libvirt_reader.h"
#include "owner.h"

static const double MIB = 1048576.0;

static int failed(struct ask *q, const char *what)
{
	const char *text = virGetLastErrorMessage();
	snprintf(q->error, sizeof q->error, "%s%s%s", what, *what ? ": " : "",
		text && *text ? text : "no answer and no reason given");
	return q->r.rc = -1;
}

static virDomainPtr guest(struct ask *q, virConnectPtr c)
{
	virResetLastError();
	return c ? virDomainLookupByUUID(c, q->uuid) : NULL;
}

static bool is_gone(void)
{
	virErrorPtr le = virGetLastError();
	return le && le->code == VIR_ERR_NO_DOMAIN;
}

/* ---- look ---- */

static void read_needs(struct ask *q, virDomainPtr dom, const char *xml)
{
	if (domneeds_read(&q->look.needs, &q->cpu, xml, q->local ? STORAGE_MOUNTS : NULL, &q->r.err) < 0)
		snprintf(q->error, sizeof q->error, "its definition: %s", q->r.err.msg);
	char *host = q->cpu.host ? virConnectGetCapabilities(virDomainGetConnect(dom)) : NULL;
	if (host)
		domneeds_host_cpu(&q->cpu, host);
	free(host);
}

static void read_xml(struct ask *q, virDomainPtr dom)
{
	struct dom_facts facts;
	char *xml = virDomainGetXMLDesc(dom, 0);
	dom_facts_init(&facts);
	if (!xml)
		failed(q, "its definition");
	else if (domxml_parse(&facts, xml, NULL, &q->r.err) < 0)
		snprintf(q->error, sizeof q->error, "its definition: %s", q->r.err.msg);
	q->look.flags = facts.flags;
	if (xml)
		owner_of(xml, q->look.owner, sizeof q->look.owner);
	if (xml && !*q->error)
		read_needs(q, dom, xml);
	dom_facts_done(&facts);
	free(xml);
}

static void read_guest(struct ask *q, virDomainPtr dom)
{
	virDomainInfo info;
	virDomainJobInfo job;
	int autostart = 0;
	if (virDomainGetInfo(dom, &info) < 0) {
		failed(q, "its state");
		return;
	}
	q->look.running = info.state == VIR_DOMAIN_RUNNING || info.state == VIR_DOMAIN_BLOCKED;
	q->look.memory_kib = vi64_ok((int64_t)info.memory);
	q->look.job = virDomainGetJobInfo(dom, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
	q->look.persistent = virDomainIsPersistent(dom) == 1;
	q->look.autostart =
		q->look.persistent && virDomainGetAutostart(dom, &autostart) == 0 && autostart == 1;
	read_xml(q, dom);
}

void ask_source(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	virDomainPtr dom = guest(q, c);
	q->look.found = dom != NULL;
	if (dom) {
		read_guest(q, dom);
		virDomainFree(dom);
	} else if (!is_gone()) {
		failed(q, "");
	}
}

static bool has(virDomainPtr dom)
{
	if (dom)
		virDomainFree(dom);
	return dom != NULL;
}

static void read_pcpus(struct cpuset *to, virConnectPtr c)
{
	unsigned char *map = NULL;
	int n = virNodeGetCPUMap(c, &map, NULL, 0);
	if (n > 0)
		cpuset_from_map(to, map, ((size_t)n + 7) / 8);
	free(map);
}

static void read_pages(struct move_pages *p, virConnectPtr c)
{
	unsigned size = (unsigned)p->size_kib;
	unsigned long long n = 0;
	if (virNodeGetFreePages(c, 1, &size, -1, 1, &n, 0) > 0 && n < SAMPLE_KIB_MOST)
		p->free_kib = vi64_ok((int64_t)n * p->size_kib);
}

/* A guest without KVM has what QEMU emulates, which only the newer call knows. */
static enum move_cpu compare_cpu(virConnectPtr c, const struct dom_cpu *cpu)
{
	int rc = VIR_CPU_COMPARE_ERROR;
	if (!*cpu->xml)
		return MOVE_CPU_NOT_COMPARED;
	if (!cpu->host)
		rc = virConnectCompareHypervisorCPU(c, NULL, cpu->arch, NULL, cpu->virt, cpu->xml, 0);
	if (rc == VIR_CPU_COMPARE_ERROR && strcmp(cpu->virt, "qemu") != 0)
		rc = virConnectCompareCPU(c, cpu->xml, 0);
	if (rc == VIR_CPU_COMPARE_INCOMPATIBLE)
		return MOVE_CPU_LACKS;
	return rc == VIR_CPU_COMPARE_ERROR ? MOVE_CPU_NOT_COMPARED : MOVE_CPU_FITS;
}

static void compare_needs(struct ask *q, virConnectPtr c)
{
	struct move_needs *n = &q->look.needs;
	read_pcpus(&n->pcpus, c);
	for (size_t i = 0; i < n->n_pages; i++)
		read_pages(&n->pages[i], c);
	n->cpu = compare_cpu(c, &q->cpu);
}

void ask_target(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	struct host_known known = {.mem_params = 0};
	struct host_sample h = {.local = false};
	q->look.exists = has(guest(q, c));
	if (!q->look.exists && !is_gone())
		failed(q, "");
	q->look.exists |= has(virDomainLookupByName(c, q->vm));
	if (host_memory(c, &known, &h)) {
		q->look.room_kib = h.available_kib;
		q->look.total_kib = h.total_kib;
	}
	compare_needs(q, c);
}

/* ---- move ---- */

void ask_migrate(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	unsigned flags = 0;
#define ADD(name, word, defined) flags |= q->persistent || !(defined) ? VIR_MIGRATE_##name : 0;
	MOVE_FLAG_TABLE(ADD)
#undef ADD
	virDomainPtr dom = guest(q, c);
	if (!dom) {
		failed(q, "");
		return;
	}
	if (virDomainMigrateToURI3(dom, q->peer, NULL, 0, flags) < 0)
		failed(q, "");
	virDomainFree(dom);
}

static void take_stats(struct move_progress *p, virTypedParameterPtr params, int n)
{
	unsigned long long total, left, bps, pages, size, ms;
#define HAS(name, to) (virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_##name, to) == 1)
	if (HAS(DATA_TOTAL, &total) && HAS(DATA_REMAINING, &left) && total && left <= total) {
		p->pct = vf64_ok(100 * (1 - (double)left / (double)total));
		p->left_mib = vf64_ok((double)left / MIB);
	}
	if (HAS(MEMORY_BPS, &bps))
		p->sent_mib_s = vf64_ok((double)bps / MIB);
	if (HAS(MEMORY_DIRTY_RATE, &pages)) {
		size = HAS(MEMORY_PAGE_SIZE, &size) ? size : 4096;
		p->dirty_mib_s = vf64_ok((double)pages * (double)size / MIB);
	}
	if (HAS(TIME_ELAPSED, &ms))
		p->took_ms = vf64_ok((double)ms);
	if (HAS(DOWNTIME, &ms))
		p->downtime_ms = vf64_ok((double)ms);
#undef HAS
}

static int read_stats(struct ask *q, virDomainPtr dom, unsigned flags)
{
	virTypedParameterPtr params = NULL;
	int type, n = 0;
	if (virDomainGetJobStats(dom, &type, &params, &n, flags) < 0)
		return -1;
	q->busy = !flags && type != VIR_DOMAIN_JOB_NONE;
	take_stats(&q->progress, params, n);
	virTypedParamsFree(params, n);
	return 0;
}

void ask_progress(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	virDomainPtr dom = guest(q, c);
	if (!dom || read_stats(q, dom, 0) < 0)
		failed(q, "");
	if (dom)
		virDomainFree(dom);
}

void ask_abort(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	virDomainPtr dom = guest(q, c);
	if (!dom || virDomainAbortJob(dom) < 0)
		failed(q, "");
	if (dom)
		virDomainFree(dom);
}

/* ---- find ---- */

void ask_place(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	virDomainPtr dom = guest(q, c);
	int active = dom ? virDomainIsActive(dom) : -1;
	q->place = active == 1                          ? PLACE_ACTIVE
		   : active == 0 || (!dom && is_gone()) ? PLACE_ABSENT
							: PLACE_UNKNOWN;
	q->defined = active == 0;
	if (q->place == PLACE_UNKNOWN)
		failed(q, "");
	if (q->place == PLACE_ACTIVE)
		read_stats(q, dom, 0);
	if (dom)
		virDomainFree(dom);
}

void ask_arrived(struct request *r, virConnectPtr c)
{
	struct ask *q = (struct ask *)r;
	virDomainPtr dom = guest(q, c);
	if (!dom) {
		failed(q, "");
		return;
	}
	read_stats(q, dom, VIR_DOMAIN_JOB_STATS_COMPLETED);
	if (q->autostart && virDomainSetAutostart(dom, 1) < 0)
		failed(q, "it does not start with its new host");
	virDomainFree(dom);
}
