/* SPDX-License-Identifier: MIT */
/* A Pacemaker cluster that vmtop lets decide: what it has, what it would do if guests' demand and nodes'
 * capacity were written into it, and writing and taking away both. Through Pacemaker's own commands, on a
 * node of it.
 *
 * What is written are sets of utilization (vmtop_cpu in hundredths of a pCPU, vmtop_memory in MiB) whose ids
 * say who wrote them, beside whatever the administrator has; all in one update, which fails when the
 * configuration has changed since it was read. Each ends by itself, by a rule with a date, should vmtop not
 * live to take it away. */
#ifndef VMTOP_CLUSTER_H
#define VMTOP_CLUSTER_H

#include "vmtop/err.h"
#include "vmtop/sample.h"

enum { CLUSTER_NAME = 128, CLUSTER_TEXT = 320, CLUSTER_LASTS_S = 1800 };
#define CLUSTER_NOWHERE SIZE_MAX

struct cluster_node {
	char name[CLUSTER_NAME], id[CLUSTER_NAME]; /* plain words */
};

struct cluster_guest { /* a resource that is a guest of libvirt */
	char resource[CLUSTER_NAME];
	char vm[VM_NAME_BYTES]; /* by its definition, else by its file's name; raw */
	uint8_t uuid[UUID_BYTES];
	bool has_uuid;
	size_t node;  /* where it runs; CLUSTER_NOWHERE */
	bool moving;  /* on two nodes, or from one to the other: as long as a migration is under way */
	char why[80]; /* why Pacemaker would not move it live, or may not; empty: it would */
};

/* "migrate", "stop", "start", "move", ... as crm_simulate calls it. */
struct cluster_action {
	char what[24], resource[CLUSTER_NAME], from[CLUSTER_NAME], to[CLUSTER_NAME];
};

struct cluster_actions {
	struct cluster_action *list;
	size_t n, cap;
};

/* Whoever wrote sets: a process of a node, by its number. */
struct cluster_mark {
	int64_t node, pid, start;
	int64_t until_s; /* wall clock; INT64_MAX: not known */
};

struct cluster {
	char *cib;               /* as it was read */
	char version[48];        /* of what administrators configure */
	char strategy[32];       /* placement-strategy; "default" where it is not set */
	char stop[CLUSTER_TEXT]; /* why nothing may be written now; empty: it may */
	struct cluster_node *nodes;
	struct cluster_guest *guests;
	struct cluster_mark *marks; /* one for each writer */
	size_t n_nodes, cap_nodes, n_guests, cap_guests, n_marks, cap_marks;
	struct cluster_actions does; /* what Pacemaker is about to do */
};
void cluster_done(struct cluster *cluster);
void cluster_actions_done(struct cluster_actions *actions);

struct cluster_load {
	long cpu, mem_mib; /* cpu < 0: none is written */
};
struct cluster_demand {
	struct cluster_load *nodes, *guests; /* as many as the cluster has */
};

/* What Pacemaker would do with a demand, and what once that is done and the demand taken away again. */
struct cluster_trial {
	struct cluster_actions does, after;
};
void cluster_trial_done(struct cluster_trial *trial);

/* This process on its node. */
struct cluster_self {
	struct cluster_mark mark;
	char node[CLUSTER_NAME];
};
/* ERR_CONNECT: this machine is no node of a cluster that runs. */
int cluster_self(struct cluster_self *to, struct err *err);
/* cluster is zeroed before its first use, and the caller's. now_s: wall clock. */
int cluster_look(struct cluster *cluster, const struct cluster_self *self, int64_t now_s, struct err *err);
/* Nothing is written. */
int cluster_try(const struct cluster *cluster, const struct cluster_self *self,
	const struct cluster_demand *demand, int64_t now_s, struct cluster_trial *to, struct err *err);
int cluster_write(const struct cluster *cluster, const struct cluster_self *self,
	const struct cluster_demand *demand, int64_t now_s, struct err *err);
/* Whatever this writer has written, if anything; fails until all of it is gone. */
int cluster_clear(const struct cluster_mark *mark, struct err *err);
/* A process of this node that lives no more, or sets that have ended: nobody misses them. */
bool cluster_left_over(const struct cluster_mark *mark, const struct cluster_self *self, int64_t now_s);

#endif
