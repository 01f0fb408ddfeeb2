/* SPDX-License-Identifier: MIT */
/* Takes one sample through a libvirt connection. A reader is one object that is either the scheduler's or,
 * while a request runs, the worker's; what it remembers between samples (XML facts, threads, affinities) can
 * all be read again, so a reader lost with a hung link is no loss. */
#ifndef VMTOP_BACKEND_LIBVIRT_READER_H
#define VMTOP_BACKEND_LIBVIRT_READER_H

#include <libvirt/libvirt.h>

#include "connect.h"
#include "vmtop/backend.h"

struct lv_reader;

enum { READ_HUNG_MOST = 256 };

struct read_order {
	unsigned groups;   /* enum sample_group */
	int64_t budget_ns; /* for what can wait for the next sample: XML, affinities */
	bool safe_only;    /* nothing that could ask a monitor */
	bool use_proc;     /* false: act as if the host were remote */
	uint8_t hung[READ_HUNG_MOST][UUID_BYTES];
	size_t n_hung;
};

struct lv_reader *lv_reader_new(const struct connect_result *host, struct err *err);
void lv_reader_free(struct lv_reader *reader);
/* In the worker. On success the sample is in lv_reader_sample(), not yet finished. */
int lv_reader_run(
	struct lv_reader *reader, virConnectPtr conn, const struct read_order *order, struct err *err);
struct sample *lv_reader_sample(struct lv_reader *reader);
/* Must be read again, of one VM or (NULL) of all. */
enum reader_dirty { DIRTY_FACTS = 1 << 0, DIRTY_VCPUS = 1 << 1 };
void lv_reader_dirty(struct lv_reader *reader, const uint8_t *uuid, unsigned what);
/* The process of a VM that /proc shows, or NULL. */
struct local_vm;
const struct local_vm *lv_reader_process(const struct lv_reader *reader, const uint8_t *uuid);
/* An event told the size of a balloon. */
void lv_reader_balloon(struct lv_reader *reader, const uint8_t *uuid, int64_t kib);

/* Which running VMs' monitors have been busy with one command for longer than min_ms; never blocks on them.
 * Returns how many, up to max. -1: the driver cannot tell. In the worker. */
int lv_reader_stuck(
	virConnectPtr conn, int64_t min_ms, uint8_t (*uuids)[UUID_BYTES], int max, struct err *err);

/* What a connection has told about its host once and for all. A zeroed one knows nothing. */
struct host_known {
	int cpu_params, mem_params; /* -1: the driver has no such call */
	int max_cpus;
	enum avail no_times;
};
struct host_order {
	int64_t budget_ns; /* the times of pCPUs are left out when they would take longer */
	bool times;        /* or when nobody needs them: they cost a call each */
};
/* Host facts through libvirt: pCPUs, memory. Returns how many calls it made. In the worker. */
int host_read(
	virConnectPtr conn, struct host_known *known, struct sample *sample, const struct host_order *order);
/* Its memory alone, exactly. False: the driver cannot tell. */
bool host_memory(virConnectPtr conn, struct host_known *known, struct host_sample *host);

#endif
