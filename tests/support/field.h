/* SPDX-License-Identifier: MIT */
/* Hosts of the field: one row a kind says what a machine is made of; from it comes what the machine, libvirt
 * and the simulator would tell of it. Made up from public descriptions of such machines. */
#ifndef TESTS_FIELD_H
#define TESTS_FIELD_H

#include "vmtop/snapshot.h"

enum { FIELD_GUESTS = 4, FIELD_FILES = 6, FIELD_LINES = 6 };

/* vCPU n of a guest is bound to the n-th pCPU of `on`, from the start again after the last. NULL: it floats.
 */
struct field_guest {
	const char *name;
	int vcpus;
	const char *on;
	int load_pct;
};

struct field_kind {
	const char *name, *what;
	/* Of one socket: nodes and caches have equal parts of its cores. No nodes: one of all. No caches:
	 * none are told. */
	int sockets, nodes, caches, cores, threads;
	int lesser;            /* cores of one thread and the lesser kind, after the others */
	bool apart;            /* threads of a core are a whole host apart, else neighbours */
	int first, stride;     /* id of the first pCPU; from socket to socket (0: without a gap) */
	int node_step;         /* from node id to node id; 0: 1 */
	int threads_on;        /* threads of each core that are online; 0: all */
	const char *offline;   /* besides these threads */
	const char *far_nodes; /* nodes of memory alone */
	const char *isolated, *nohz_full, *isolated_by_group;
	int khz, lesser_khz;       /* highest frequency; 0: none is told */
	int rating, lesser_rating; /* cpu_capacity, as Arm has it */
	int steal_pct;
	const char *arch;
	/* Control groups: what /proc/PID/cgroup says, with %s for the guest, and files below /sys/fs/cgroup.
	 */
	const char *group;
	const char *files[FIELD_FILES][2];
	const char *group_cpus; /* where these groups keep every guest; NULL: anywhere */
	struct field_guest guests[FIELD_GUESTS];
	/* What --check must say, and what it must not. */
	const char *says[FIELD_LINES];
	/* Where the guest that is stacked belongs; where it may be let float, NULL: the same. */
	const char *cure, *room;
};

extern const struct field_kind field_kinds[];
extern const size_t n_field_kinds;
/* Fails the test when there is none of that name. */
const struct field_kind *field_kind(const char *name);

struct field_cpu {
	int id, node, socket, core, cache, thread;
	bool online, lesser;
};
struct field {
	const struct field_kind *kind;
	struct field_cpu cpus[CPUSET_CPUS];
	size_t n_cpus;
	int cores, caches, nodes;
	char root[200];
};

/* The machine of a kind; nothing is written. */
void field_make(struct field *f, const struct field_kind *kind);
/* Where guests may be put that nothing keeps elsewhere: online, not isolated, in their control groups. */
void field_usable(const struct field *f, struct cpuset *s);
/* n-th pCPU of a list; guests that float are dealt from the last usable pCPU down. */
int field_place(const struct field *f, const struct field_guest *g, int vcpu);
/* Fails the test when a pin of the snapshot's plan leads to where no guest may be put, or one of the guest db
 * out of `room`. Returns how many of db there are. */
int field_plan_fits(const struct field *f, const struct snapshot *s, const char *room);
/* Fails the test when two vCPUs of a guest are where they share a core. */
void field_cores_apart(const struct field *f, const struct sample *s, const char *guest);
/* Texts, to be freed. */
char *field_capabilities(const struct field *f);
char *field_scenario(const struct field *f);
char *field_node_xml(const struct field *f); /* for libvirt's test driver */
/* Its /sys, and /proc without what changes. root: an empty folder. */
void field_write(const struct field *f);
void field_write_more(const struct field *f); /* what libvirt reads of it besides; vmtop does not */

#endif
