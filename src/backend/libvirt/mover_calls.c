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
#include "vmtop/text.h"

static const double MIB = 1048576.0;

static int failed(struct ask *ask, const char *what)
{
	const char *text = virGetLastErrorMessage();
	snprintf(ask->error, sizeof ask->error, "%s%s%s", what, text_if(*what, ": "),
		text && *text ? text : "no answer and no reason given");
	return ask->r.rc = -1;
}

static virDomainPtr guest(struct ask *ask, virConnectPtr conn)
{
	virResetLastError();
	return conn ? virDomainLookupByUUID(conn, ask->uuid) : NULL;
}

static bool is_gone(void)
{
	virErrorPtr error = virGetLastError();
	return error && error->code == VIR_ERR_NO_DOMAIN;
}

/* ---- look ---- */

static void read_needs(struct ask *ask, virDomainPtr dom, const char *xml)
{
	if (domneeds_read(&ask->look.needs, &ask->cpu, xml, ask->local ? STORAGE_MOUNTS : NULL, &ask->r.err) <
		0)
		snprintf(ask->error, sizeof ask->error, "its definition: %s", ask->r.err.msg);
	char *host = ask->cpu.host ? virConnectGetCapabilities(virDomainGetConnect(dom)) : NULL;
	if (host)
		domneeds_host_cpu(&ask->cpu, host);
	free(host);
}

static void read_xml(struct ask *ask, virDomainPtr dom)
{
	struct dom_facts facts;
	char *xml = virDomainGetXMLDesc(dom, 0);
	dom_facts_init(&facts);
	if (!xml)
		failed(ask, "its definition");
	else if (domxml_parse(&facts, xml, NULL, &ask->r.err) < 0)
		snprintf(ask->error, sizeof ask->error, "its definition: %s", ask->r.err.msg);
	ask->look.flags = facts.flags;
	if (xml)
		owner_of(xml, ask->look.owner, sizeof ask->look.owner);
	if (xml && !*ask->error)
		read_needs(ask, dom, xml);
	dom_facts_done(&facts);
	free(xml);
}

static void read_guest(struct ask *ask, virDomainPtr dom)
{
	virDomainInfo info;
	virDomainJobInfo job;
	int autostart = 0;
	if (virDomainGetInfo(dom, &info) < 0) {
		failed(ask, "its state");
		return;
	}
	ask->look.running = info.state == VIR_DOMAIN_RUNNING || info.state == VIR_DOMAIN_BLOCKED;
	ask->look.memory_kib = vi64_ok((int64_t)info.memory);
	ask->look.job = virDomainGetJobInfo(dom, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
	ask->look.persistent = virDomainIsPersistent(dom) == 1;
	ask->look.autostart =
		ask->look.persistent && virDomainGetAutostart(dom, &autostart) == 0 && autostart == 1;
	read_xml(ask, dom);
}

void ask_source(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	virDomainPtr dom = guest(ask, conn);
	ask->look.found = dom != NULL;
	if (dom) {
		read_guest(ask, dom);
		virDomainFree(dom);
	} else if (!is_gone()) {
		failed(ask, "");
	}
}

static bool has(virDomainPtr dom)
{
	if (dom)
		virDomainFree(dom);
	return dom != NULL;
}

static void read_pcpus(struct cpuset *to, virConnectPtr conn)
{
	unsigned char *map = NULL;
	int n = virNodeGetCPUMap(conn, &map, NULL, 0);
	if (n > 0)
		cpuset_from_map(to, map, ((size_t)n + 7) / 8);
	free(map);
}

static void read_pages(struct move_pages *pages, virConnectPtr conn)
{
	unsigned size = (unsigned)pages->size_kib;
	unsigned long long n = 0;
	if (virNodeGetFreePages(conn, 1, &size, -1, 1, &n, 0) > 0 && n < SAMPLE_KIB_MOST)
		pages->free_kib = vi64_ok((int64_t)n * pages->size_kib);
}

/* A guest without KVM has what QEMU emulates, which only the newer call knows. */
static enum move_cpu compare_cpu(virConnectPtr conn, const struct dom_cpu *cpu)
{
	int rc = VIR_CPU_COMPARE_ERROR;
	if (!*cpu->xml)
		return MOVE_CPU_NOT_COMPARED;
	if (!cpu->host)
		rc = virConnectCompareHypervisorCPU(conn, NULL, cpu->arch, NULL, cpu->virt, cpu->xml, 0);
	if (rc == VIR_CPU_COMPARE_ERROR && strcmp(cpu->virt, "qemu") != 0)
		rc = virConnectCompareCPU(conn, cpu->xml, 0);
	if (rc == VIR_CPU_COMPARE_INCOMPATIBLE)
		return MOVE_CPU_LACKS;
	return rc == VIR_CPU_COMPARE_ERROR ? MOVE_CPU_NOT_COMPARED : MOVE_CPU_FITS;
}

static void compare_needs(struct ask *ask, virConnectPtr conn)
{
	struct move_needs *n = &ask->look.needs;
	read_pcpus(&n->pcpus, conn);
	for (size_t i = 0; i < n->n_pages; i++)
		read_pages(&n->pages[i], conn);
	n->cpu = compare_cpu(conn, &ask->cpu);
}

void ask_target(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	struct host_known known = {.mem_params = 0};
	struct host_sample host = {.local = false};
	ask->look.exists = has(guest(ask, conn));
	if (!ask->look.exists && !is_gone())
		failed(ask, "");
	ask->look.exists |= has(virDomainLookupByName(conn, ask->vm));
	if (host_memory(conn, &known, &host)) {
		ask->look.room_kib = host.available_kib;
		ask->look.total_kib = host.total_kib;
	}
	compare_needs(ask, conn);
}

/* ---- move ---- */

void ask_migrate(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	unsigned flags = 0;
#define ADD(name, word, defined) flags |= ask->persistent || !(defined) ? VIR_MIGRATE_##name : 0;
	MOVE_FLAG_TABLE(ADD)
#undef ADD
	virDomainPtr dom = guest(ask, conn);
	if (!dom) {
		failed(ask, "");
		return;
	}
	if (virDomainMigrateToURI3(dom, ask->peer, NULL, 0, flags) < 0)
		failed(ask, "");
	virDomainFree(dom);
}

static void take_stats(struct move_progress *progress, virTypedParameterPtr params, int n)
{
	unsigned long long total, left, bps, pages, size, ms;
#define HAS(name, to) (virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_##name, to) == 1)
	if (HAS(DATA_TOTAL, &total) && HAS(DATA_REMAINING, &left) && total && left <= total) {
		progress->pct = vf64_ok(100 * (1 - (double)left / (double)total));
		progress->left_mib = vf64_ok((double)left / MIB);
	}
	if (HAS(MEMORY_BPS, &bps))
		progress->sent_mib_s = vf64_ok((double)bps / MIB);
	if (HAS(MEMORY_DIRTY_RATE, &pages)) {
		if (!HAS(MEMORY_PAGE_SIZE, &size))
			size = 4096;
		progress->dirty_mib_s = vf64_ok((double)pages * (double)size / MIB);
	}
	if (HAS(TIME_ELAPSED, &ms))
		progress->took_ms = vf64_ok((double)ms);
	if (HAS(DOWNTIME, &ms))
		progress->downtime_ms = vf64_ok((double)ms);
#undef HAS
}

static int read_stats(struct ask *ask, virDomainPtr dom, unsigned flags)
{
	virTypedParameterPtr params = NULL;
	int type, n = 0;
	if (virDomainGetJobStats(dom, &type, &params, &n, flags) < 0)
		return -1;
	ask->busy = !flags && type != VIR_DOMAIN_JOB_NONE;
	take_stats(&ask->progress, params, n);
	virTypedParamsFree(params, n);
	return 0;
}

void ask_progress(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	virDomainPtr dom = guest(ask, conn);
	if (!dom || read_stats(ask, dom, 0) < 0)
		failed(ask, "");
	if (dom)
		virDomainFree(dom);
}

void ask_abort(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	virDomainPtr dom = guest(ask, conn);
	if (!dom || virDomainAbortJob(dom) < 0)
		failed(ask, "");
	if (dom)
		virDomainFree(dom);
}

/* ---- find ---- */

void ask_place(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	virDomainPtr dom = guest(ask, conn);
	int active = dom ? virDomainIsActive(dom) : -1;
	ask->place = active == 1                          ? PLACE_ACTIVE
		     : active == 0 || (!dom && is_gone()) ? PLACE_ABSENT
							  : PLACE_UNKNOWN;
	ask->defined = active == 0;
	if (ask->place == PLACE_UNKNOWN)
		failed(ask, "");
	if (ask->place == PLACE_ACTIVE)
		read_stats(ask, dom, 0);
	if (dom)
		virDomainFree(dom);
}

void ask_arrived(struct request *req, virConnectPtr conn)
{
	struct ask *ask = (struct ask *)req;
	virDomainPtr dom = guest(ask, conn);
	if (!dom) {
		failed(ask, "");
		return;
	}
	read_stats(ask, dom, VIR_DOMAIN_JOB_STATS_COMPLETED);
	if (ask->autostart && virDomainSetAutostart(dom, 1) < 0)
		failed(ask, "it does not start with its new host");
	virDomainFree(dom);
}
