/* SPDX-License-Identifier: MIT */
/* libvirt's bulk calls: which VMs run, and the statistics of many with one call. Invariant: a monitor is
 * asked here only, and never for a hung VM. Must not know: what the statistics mean. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_rows.h"
#include "link.h"
#include "vmtop/array.h"
#include "vmtop/clock.h"

unsigned bulk_groups(const struct lv_reader *reader, bool local)
{
	unsigned g = reader->order->groups,
		 stats = local ? 0 : VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU;
	if (reader->order->safe_only)
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
	struct lv_reader *reader, virDomainPtr *doms, size_t n, unsigned stats, virDomainStatsRecordPtr **out)
{
	unsigned nowait = VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
		 active = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE;
	for (bool with = !reader->no_nowait;; with = false) {
		unsigned flags = with ? nowait : 0;
		int64_t start = clock_ns();
		int got = n ? virDomainListGetStats(doms, stats, out, flags)
			    : virConnectGetAllDomainStats(reader->conn, stats, out, flags | active);
		reader_waited(reader, start, 1);
		if (got >= 0)
			reader->no_nowait = !with;
		if (got >= 0 || !with || !connect_unsupported() || virConnectIsAlive(reader->conn) != 1)
			return got;
	}
}

static bool rows_room(struct lv_reader *reader, size_t n)
{
	if (!array_grow(&reader->rows, &reader->cap_rows, n, sizeof *reader->rows))
		return false;
	if (n)
		memset(reader->rows, 0, n * sizeof *reader->rows);
	reader->n_rows = n;
	return true;
}

static int list_plain(struct lv_reader *reader, struct err *err)
{
	int n = virConnectListAllDomains(reader->conn, &reader->doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0)
		return connect_err(err, "listing the VMs");
	if (!rows_room(reader, (size_t)n)) {
		for (int i = 0; i < n; i++)
			virDomainFree(reader->doms[i]);
		return err_set(err, ERR_NOMEM, "out of memory for a list of VMs");
	}
	for (int i = 0; i < n; i++)
		reader->rows[i].dom = reader->doms[i];
	return 0;
}

int bulk_list(struct lv_reader *reader, unsigned stats, struct err *err)
{
	virDomainStatsRecordPtr *list = NULL;
	if (reader->no_bulk)
		return list_plain(reader, err);
	int n = get_stats(reader, NULL, 0, stats, &list);
	if (n < 0 && connect_unsupported() && virConnectIsAlive(reader->conn) == 1) {
		reader->no_bulk = true;
		return list_plain(reader, err);
	}
	if (n < 0)
		return connect_err(err, "reading the statistics of all VMs");
	reader->lists[reader->n_lists++] = list;
	if (!rows_room(reader, (size_t)n))
		return err_set(err, ERR_NOMEM, "out of memory for a list of VMs");
	for (int i = 0; i < n; i++) {
		reader->rows[i].state = list[i];
		reader->rows[i].dom = list[i]->dom;
	}
	return 0;
}

static int by_uuid(const void *key, const void *item)
{
	const struct row *row = item;
	return uuid_compare(key, row->vm->uuid);
}

static struct row *row_of(const struct lv_reader *reader, const uint8_t *uuid)
{
	return reader->n_rows ? bsearch(uuid, reader->rows, reader->n_rows, sizeof *reader->rows, by_uuid)
			      : NULL;
}

/* One call for all rows that want exactly this. */
static int fetch_set(struct lv_reader *reader, unsigned want, virDomainPtr *doms)
{
	virDomainStatsRecordPtr *list = NULL;
	uint8_t uuid[UUID_BYTES];
	size_t n = 0;
	for (size_t i = 0; i < reader->n_rows; i++)
		if (reader->rows[i].want == want) {
			doms[n++] = reader->rows[i].dom;
			reader->rows[i].want = 0;
		}
	doms[n] = NULL;
	int got = get_stats(reader, doms, n, want, &list);
	if (got < 0)
		return -1;
	reader->lists[reader->n_lists++] = list;
	for (int i = 0; i < got; i++) {
		struct row *row = virDomainGetUUID(list[i]->dom, uuid) == 0 ? row_of(reader, uuid) : NULL;
		if (row)
			row->more = list[i];
	}
	return 0;
}

int bulk_fetch(struct lv_reader *reader, struct err *err)
{
	virDomainPtr *doms = calloc(reader->n_rows + 1, sizeof(virDomainPtr));
	int rc = 0;
	if (!doms)
		return err_set(err, ERR_NOMEM, "out of memory for a list of VMs");
	for (size_t i = 0; i < reader->n_rows && rc == 0 && reader->n_lists < STATS_LISTS; i++)
		if (reader->rows[i].want)
			rc = fetch_set(reader, reader->rows[i].want, doms);
	free(doms);
	return rc < 0 ? connect_err(err, "reading the statistics of VMs") : 0;
}

void bulk_free(struct lv_reader *reader)
{
	for (size_t i = 0; i < reader->n_lists; i++)
		virDomainStatsRecordListFree(reader->lists[i]);
	reader->n_lists = 0;
	for (size_t i = 0; reader->doms && i < reader->n_rows; i++)
		virDomainFree(reader->doms[i]);
	free(reader->doms);
	reader->doms = NULL;
	reader->n_rows = 0;
}
