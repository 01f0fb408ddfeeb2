/* SPDX-License-Identifier: MIT */
/* libvirt's bulk calls: which VMs run, and the statistics of many with one call. Invariant: a monitor is
 * asked here only, and never for a hung VM. Must not know: what the statistics mean. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_rows.h"
#include "link.h"
#include "vmtop/array.h"
#include "vmtop/clock.h"

unsigned bulk_groups(const struct lv_reader *rd, bool local)
{
	unsigned g = rd->order->groups,
		 stats = local ? 0 : VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU;
	if (rd->order->safe_only)
		return 0;
	if (g & SAMPLE_BALLOON)
		stats |= VIR_DOMAIN_STATS_BALLOON;
	if (g & SAMPLE_BLOCK)
		stats |= VIR_DOMAIN_STATS_BLOCK;
	if (g & SAMPLE_NET)
		stats |= VIR_DOMAIN_STATS_INTERFACE;
	return stats;
}

/* Not every driver knows NOWAIT: then without. n == 0: all that run. */
static int get_stats(
	struct lv_reader *rd, virDomainPtr *doms, size_t n, unsigned stats, virDomainStatsRecordPtr **out)
{
	unsigned nowait = VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
		 active = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE;
	for (bool with = !rd->no_nowait;; with = false) {
		unsigned flags = with ? nowait : 0;
		int64_t start = clock_ns();
		int got = n ? virDomainListGetStats(doms, stats, out, flags)
			    : virConnectGetAllDomainStats(rd->conn, stats, out, flags | active);
		reader_waited(rd, start, 1);
		if (got >= 0)
			rd->no_nowait = !with;
		if (got >= 0 || !with || !connect_unsupported() || virConnectIsAlive(rd->conn) != 1)
			return got;
	}
}

static bool rows_room(struct lv_reader *rd, size_t n)
{
	if (!array_grow(&rd->rows, &rd->cap_rows, n, sizeof *rd->rows))
		return false;
	if (n)
		memset(rd->rows, 0, n * sizeof *rd->rows);
	rd->n_rows = n;
	return true;
}

static int list_plain(struct lv_reader *rd, struct err *e)
{
	int n = virConnectListAllDomains(rd->conn, &rd->doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0)
		return connect_err(e, "listing the VMs");
	if (!rows_room(rd, (size_t)n)) {
		for (int i = 0; i < n; i++)
			virDomainFree(rd->doms[i]);
		return err_set(e, ERR_NOMEM, "out of memory for a list of VMs");
	}
	for (int i = 0; i < n; i++)
		rd->rows[i].dom = rd->doms[i];
	return 0;
}

int bulk_list(struct lv_reader *rd, unsigned stats, struct err *e)
{
	virDomainStatsRecordPtr *list = NULL;
	if (rd->no_bulk)
		return list_plain(rd, e);
	int n = get_stats(rd, NULL, 0, stats, &list);
	if (n < 0 && connect_unsupported() && virConnectIsAlive(rd->conn) == 1) {
		rd->no_bulk = true;
		return list_plain(rd, e);
	}
	if (n < 0)
		return connect_err(e, "reading the statistics of all VMs");
	rd->lists[rd->n_lists++] = list;
	if (!rows_room(rd, (size_t)n))
		return err_set(e, ERR_NOMEM, "out of memory for a list of VMs");
	for (int i = 0; i < n; i++) {
		rd->rows[i].state = list[i];
		rd->rows[i].dom = list[i]->dom;
	}
	return 0;
}

static int by_uuid(const void *key, const void *item)
{
	const struct row *r = item;
	return uuid_compare(key, r->vm->uuid);
}

static struct row *row_of(const struct lv_reader *rd, const uint8_t *uuid)
{
	return rd->n_rows ? bsearch(uuid, rd->rows, rd->n_rows, sizeof *rd->rows, by_uuid) : NULL;
}

/* One call for all rows that want exactly this. */
static int fetch_set(struct lv_reader *rd, unsigned want, virDomainPtr *doms)
{
	virDomainStatsRecordPtr *list = NULL;
	uint8_t uuid[UUID_BYTES];
	size_t n = 0;
	for (size_t i = 0; i < rd->n_rows; i++)
		if (rd->rows[i].want == want) {
			doms[n++] = rd->rows[i].dom;
			rd->rows[i].want = 0;
		}
	doms[n] = NULL;
	int got = get_stats(rd, doms, n, want, &list);
	if (got < 0)
		return -1;
	rd->lists[rd->n_lists++] = list;
	for (int i = 0; i < got; i++) {
		struct row *row = virDomainGetUUID(list[i]->dom, uuid) == 0 ? row_of(rd, uuid) : NULL;
		if (row)
			row->more = list[i];
	}
	return 0;
}

int bulk_fetch(struct lv_reader *rd, struct err *e)
{
	virDomainPtr *doms = calloc(rd->n_rows + 1, sizeof(virDomainPtr));
	int rc = 0;
	if (!doms)
		return err_set(e, ERR_NOMEM, "out of memory for a list of VMs");
	for (size_t i = 0; i < rd->n_rows && rc == 0 && rd->n_lists < STATS_LISTS; i++)
		if (rd->rows[i].want)
			rc = fetch_set(rd, rd->rows[i].want, doms);
	free(doms);
	return rc < 0 ? connect_err(e, "reading the statistics of VMs") : 0;
}

void bulk_free(struct lv_reader *rd)
{
	for (size_t i = 0; i < rd->n_lists; i++)
		virDomainStatsRecordListFree(rd->lists[i]);
	rd->n_lists = 0;
	for (size_t i = 0; rd->doms && i < rd->n_rows; i++)
		virDomainFree(rd->doms[i]);
	free(rd->doms);
	rd->doms = NULL;
	rd->n_rows = 0;
}
