/* SPDX-License-Identifier: MIT */
/* The libvirt backend's own structures. Everything here belongs to the scheduler thread; what a worker
 * touches is inside a request. */
#ifndef VMTOP_BACKEND_LIBVIRT_PRIV_H
#define VMTOP_BACKEND_LIBVIRT_PRIV_H

#include "../host/topology.h"
#include "claim.h"
#include "libvirt_notes.h"
#include "libvirt_reader.h"
#include "libvirt_standin.h"
#include "link.h"
#include "vmtop/backend.h"

enum { PARKED_MOST = 3 };

/* A sample, a list of stuck VMs, a change, the capabilities: each a request that owns what it works on. */
struct sample_request {
	struct request r;
	struct lv_reader *reader;
	struct read_order order;
};
struct stuck_request {
	struct request r;
	uint8_t uuids[READ_HUNG_MOST][UUID_BYTES];
	int64_t min_ms;
	int n; /* -1: this driver cannot tell */
};
struct change_request {
	struct request r;
	struct action action;
	int n_cpus;
	bool refused; /* the host does not take this pin */
	bool guarded; /* only while the claim holds */
	struct claim claim;
};
struct claim_request {
	struct request r;
	enum claim_op { CLAIM_LOOK, CLAIM_TAKE, CLAIM_DROP } op;
	struct claim claim;
};
struct topology_request {
	struct request r;
	struct topology topology;
};

enum { ENDED_MOST = 256 };
struct lv {
	struct backend b;
	struct connect_wish wish;
	struct connect_result host; /* of the last connection */
	int64_t sample_limit_ns, change_limit_ns;
	bool use_proc;
	int notify_fd;

	struct link *link;                /* the one that samples and changes; NULL: none */
	struct link *side;                /* a second one, to find out why the first does not answer */
	struct link *parked[PARKED_MOST]; /* left while a call is stuck */
	size_t n_parked;
	int64_t no_link_until_ns;
	bool adopted; /* reader and host facts belong to this link */
	bool fresh;   /* the link was opened since the last sample: resync */

	struct lv_reader *reader;    /* NULL while a request has it */
	struct sample_request *late; /* submitted to link, not answered yet */
	int64_t late_since_ns;

	struct link *topology_link;
	struct topology_request *topology_request;
	struct topology topology;

	struct claim claim;
	struct claim_request *claim_request; /* submitted to link, not answered yet */
	bool claim_wanted;                   /* changes are carried out only while it is ours */
	int64_t claim_due_ns;                /* of the next look or beat */

	struct standin standin;
	int64_t patient_ns; /* when libvirt was waited for last although it did not answer */
	bool glance;        /* this sample does not wait */

	struct notes notes;
	uint8_t ended[ENDED_MOST][UUID_BYTES]; /* VMs that were seen to end without being saved; a ring */
	size_t ended_at;
	int n_cpus; /* of the host, offline included; 0 unknown */
	bool wake;  /* a new sample is worth taking at once */
	enum link_state state;
	int64_t trouble_ns; /* since when state is not LINK_OK */
	char trouble[160];
};

/* libvirt_links.c */
int lv_ensure_link(struct lv *lv, int64_t until_ns, struct err *err);
void lv_reap(struct lv *lv);
/* The link's present call is stuck: park it. */
void lv_park(struct lv *lv);
/* Submits and waits. True: answered, req is the caller's again. Else req is gone, and a link that is still
 * busy with it is parked. */
bool lv_ask(struct lv *lv, struct request *req, int64_t until_ns);
/* The link is lost: drop it. */
void lv_drop_link(struct lv *lv);
void lv_trouble(struct lv *lv, enum link_state state, const char *text);
/* Looks through a second link which monitors are stuck, and makes that the link if some are.
 * 1: switched, 0: nobody is stuck, -1: it could not be found out. */
int lv_hunt(struct lv *lv, int64_t until_ns);

/* libvirt_claim.c: none of these waits unless told until when. */
/* Looks who steers, or keeps our own claim alive, when that is due. True: the state has changed. */
bool lv_claim_step(struct lv *lv);
/* When lv_claim_step() must be called next. */
int64_t lv_claim_due(const struct lv *lv);
/* Waits for what is under way. -1: no answer. */
int lv_claim_settle(struct lv *lv, int64_t until_ns, struct err *err);
void lv_claim_merge(struct lv *lv, const struct claim *as_known);
/* The link goes: what was asked through it has no answer. */
void lv_claim_forget(struct lv *lv);
int lv_claim_now(struct lv *lv, enum claim_op op, int64_t until_ns, struct err *err);
int lv_claim(struct backend *backend, bool take, struct err *err);

/* libvirt_sample.c */
int lv_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err);
/* libvirt_known.c */
bool lv_ended(struct lv *lv, const uint8_t uuid[UUID_BYTES]); /* seen to end, and not saved */
enum known lv_known(struct backend *backend, const uint8_t uuid[UUID_BYTES]);
/* libvirt_apply.c */
void lv_apply(struct backend *backend, struct action *actions, size_t n);
int lv_disown(struct backend *backend, const uint8_t uuid[UUID_BYTES], int vcpu);
/* libvirt_topology_task: starts, collects. */
void lv_topology_step(struct lv *lv);
/* Moves events into notes and reader; true when one is worth a sample. */
bool lv_events(struct lv *lv);

#endif
