/* SPDX-License-Identifier: MIT */
/* Dirty rates by libvirt: a connection for each host, a request on each that begins the measuring of its
 * guests, lets it be for as long as it takes, and reads what came of it. Invariant: nothing else is asked. */
#include "vmtop/dirtyrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "vmtop/clock.h"
#include "vmtop/control.h"

#define SECOND INT64_C(1000000000)

/* libvirt measures whole seconds; what it has read last is asked for until it is there. */
enum { GUESTS_MOST = 16, HOSTS_MOST = 32, CALC_S = 1, TRIES = 8, TRY_MS = 150 };

/* The guests of one host; on the heap, for it outlives a caller who gave up. */
struct host_ask {
	struct request r;
	size_t n, of[GUESTS_MOST]; /* which of the caller's */
	uint8_t uuids[GUESTS_MOST][UUID_BYTES];
	struct vf64 mib_s[GUESTS_MOST];
};

struct host {
	struct link *link;
	struct host_ask *ask;
	const char *uri;
	bool asked;
};

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void take(struct host_ask *ask, const virDomainStatsRecord *r)
{
	uint8_t uuid[UUID_BYTES];
	int status = 0;
	long long mib = 0;
	if (virDomainGetUUID(r->dom, uuid) < 0 ||
		virTypedParamsGetInt(r->params, r->nparams, "dirtyrate.calc_status", &status) != 1 ||
		status != VIR_DOMAIN_DIRTYRATE_MEASURED ||
		virTypedParamsGetLLong(r->params, r->nparams, "dirtyrate.megabytes_per_second", &mib) != 1)
		return;
	for (size_t i = 0; i < ask->n; i++)
		if (memcmp(ask->uuids[i], uuid, UUID_BYTES) == 0 && mib >= 0 && mib < SAMPLE_KIB_MOST)
			ask->mib_s[i] = vf64_ok((double)mib);
}

static bool all_told(const struct host_ask *ask, const bool *begun)
{
	for (size_t i = 0; i < ask->n; i++)
		if (begun[i] && !vf64_has(ask->mib_s[i]))
			return false;
	return true;
}

static void read_rates(struct host_ask *ask, virDomainPtr *doms)
{
	virDomainStatsRecordPtr *got = NULL;
	int n = virDomainListGetStats(
		doms, VIR_DOMAIN_STATS_DIRTYRATE, &got, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	for (int i = 0; i < n; i++)
		take(ask, got[i]);
	if (n >= 0)
		virDomainStatsRecordListFree(got);
}

static void measure(struct request *req, virConnectPtr conn)
{
	struct host_ask *ask = (struct host_ask *)req;
	virDomainPtr doms[GUESTS_MOST + 1] = {NULL};
	bool begun[GUESTS_MOST] = {false};
	size_t n = 0;
	for (size_t i = 0; conn && i < ask->n; i++) {
		virDomainPtr dom = virDomainLookupByUUID(conn, ask->uuids[i]);
		begun[i] = dom && virDomainStartDirtyRateCalc(dom, CALC_S, 0) == 0;
		if (begun[i])
			doms[n++] = dom;
		else if (dom)
			virDomainFree(dom);
	}
	nap_ms(n ? CALC_S * 1000 + TRY_MS : 0);
	for (int i = 0; n && i < TRIES && !all_told(ask, begun); i++) {
		if (i)
			nap_ms(TRY_MS);
		read_rates(ask, doms);
	}
	while (n)
		virDomainFree(doms[--n]);
}

static void drop(struct request *req)
{
	free(req);
}

static struct host *host_of(struct host *hosts, size_t *n, const char *uri)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(hosts[i].uri, uri) == 0)
			return &hosts[i];
	struct host_ask *ask = *n < HOSTS_MOST ? calloc(1, sizeof *ask) : NULL;
	if (!ask)
		return NULL;
	ask->r.run = measure;
	ask->r.drop = drop;
	hosts[*n] = (struct host){.ask = ask, .uri = uri};
	return &hosts[(*n)++];
}

static void begin(struct host *host, int notify)
{
	struct connect_wish wish = {.readonly = false, .ask = false};
	struct err err = ERR_INIT;
	snprintf(wish.uri, sizeof wish.uri, "%s", host->uri);
	host->link = strstr(host->uri, "://") ? link_start(&wish, false, notify, &err) : NULL;
}

static void submit(struct host *host, int64_t until_ns)
{
	struct err err = ERR_INIT;
	host->asked = host->link && link_wait_open(host->link, until_ns, &err) == PHASE_OPEN &&
		      !link_result(host->link)->readonly;
	if (host->asked)
		link_submit(host->link, &host->ask->r);
}

static void finish(struct host *host, struct dirty_ask *asks, int64_t until_ns)
{
	bool mine = !host->asked || link_await(host->link, &host->ask->r, until_ns) ||
		    link_give_up(host->link, &host->ask->r) == GAVE_UP_DONE;
	for (size_t i = 0; mine && i < host->ask->n; i++)
		asks[host->ask->of[i]].mib_s = host->ask->mib_s[i];
	if (mine)
		free(host->ask);
	link_free(host->link, clock_ns() + SECOND);
}

void dirty_rates(struct dirty_ask *asks, size_t n, double timeout_s)
{
	struct host hosts[HOSTS_MOST];
	size_t n_hosts = 0;
	int notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int64_t until = clock_ns() + (int64_t)(timeout_s * 1e9);
	for (size_t i = 0; i < n; i++) {
		struct host *host = host_of(hosts, &n_hosts, asks[i].uri);
		asks[i].mib_s = vf64_absent(AVAIL_NONE);
		if (!host || host->ask->n == GUESTS_MOST)
			continue;
		memcpy(host->ask->uuids[host->ask->n], asks[i].uuid, UUID_BYTES);
		host->ask->of[host->ask->n++] = i;
	}
	for (size_t i = 0; i < n_hosts; i++)
		begin(&hosts[i], notify);
	for (size_t i = 0; i < n_hosts; i++)
		submit(&hosts[i], until);
	for (size_t i = 0; i < n_hosts; i++)
		finish(&hosts[i], asks, until);
	if (notify >= 0)
		close(notify);
}
