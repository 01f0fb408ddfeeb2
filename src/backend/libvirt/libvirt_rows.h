/* SPDX-License-Identifier: MIT */
/* Inside of a reader, shared by its files only: libvirt_reader.c (the course of a reading), libvirt_bulk.c
 * (libvirt's lists), libvirt_local.c (/proc), libvirt_vm.c (one VM: what is read now and then, reasons). */
#ifndef VMTOP_BACKEND_LIBVIRT_ROWS_H
#define VMTOP_BACKEND_LIBVIRT_ROWS_H

#include "../host/localhost.h"
#include "../host/localvm.h"
#include "libvirt_reader.h"
#include "libvirt_vmcache.h"

enum { STATS_LISTS = 8 };

/* One VM during one reading. */
struct row {
	struct vm_cache *vm;
	virDomainPtr dom;              /* borrowed from a list */
	virDomainStatsRecordPtr state; /* of the first call; NULL: the driver has no bulk call */
	virDomainStatsRecordPtr more;  /* of a later one, or NULL */
	unsigned want;                 /* statistics still to be asked for: enum virDomainStatsTypes */
	bool hung;                     /* its monitor must not be asked */
	bool local;                    /* vCPUs come from /proc */
	bool balloon;                  /* guest statistics were asked for in this reading */
	struct local_process process;  /* when local */
};

struct lv_reader {
	uint32_t others;   /* enum host_other */
	int64_t others_ns; /* when they were looked for last */
	struct sample sample;
	struct connect_result host;
	struct vm_caches caches;
	uint64_t round;
	bool no_nowait, no_bulk, no_control;
	unsigned seen; /* enum stats_seen of any VM, ever: what this driver reports */
	size_t turn;   /* whose slow facts are read first */

	struct host_known known;
	struct localhost_speeds speeds;
	struct local_root proc;
	enum { OURS_UNKNOWN, OURS_NO, OURS_YES } ours; /* is the hypervisor's host this machine? */

	/* of this reading */
	const struct read_order *order;
	virConnectPtr conn;
	struct row *rows; /* by UUID */
	size_t n_rows, cap_rows;
	virDomainStatsRecordPtr *lists[STATS_LISTS]; /* own the records of rows */
	size_t n_lists;
	virDomainPtr *doms; /* in place of records, where there is no bulk call */
	uint8_t hung[READ_HUNG_MOST][UUID_BYTES];
	size_t n_hung;
	bool local;          /* /proc describes this host and shows its VMs */
	int64_t bulk_ns;     /* how long libvirt's lists took */
	int64_t until_ns;    /* end of the budget for slow facts */
	size_t unread;       /* VMs whose rules have to wait */
	size_t helper_looks; /* threads that are no vCPUs, looked at in this reading */
	struct cpuset online;
};

/* Books the time since then as spent waiting for n answers. */
void reader_waited(struct lv_reader *reader, int64_t since_ns, int n);

/* libvirt_bulk.c: fills rows with at least the state of each running VM, unsorted and without vm. */
int bulk_list(struct lv_reader *reader, unsigned stats, struct err *err);
/* Asks for what rows want, one call for each set of wishes. */
int bulk_fetch(struct lv_reader *reader, struct err *err);
void bulk_free(struct lv_reader *reader);
/* Statistics that come from a monitor, for one whose vCPUs /proc shows or does not. */
unsigned bulk_groups(const struct lv_reader *reader, bool local);

/* libvirt_local.c: may /proc be asked at all? */
bool local_may(struct lv_reader *reader);
/* Finds processes, looks at each, sets local and process of the rows and reader->local. */
void local_rows(struct lv_reader *reader);
/* Adds the vCPUs of the VM added last. False: they cannot be had there, and none were added. */
bool local_fill(struct lv_reader *reader, struct row *row);

/* libvirt_vm.c: rules of VMs that are new, as far as the time allows: they say what is worth asking for. */
void vm_learn(struct lv_reader *reader);
/* What is read now and then, as far as the time allows. */
void vm_slow(struct lv_reader *reader);
/* Rules, memory that was read before, reasons for what is absent. */
void vm_settle(struct lv_reader *reader, struct row *row, struct vm_sample *vm);
/* The row's record in the sample, with what the lists and /proc said. */
void vm_fill(struct lv_reader *reader, struct row *row, struct vm_sample *vm);

#endif
