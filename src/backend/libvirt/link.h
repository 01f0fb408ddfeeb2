/* SPDX-License-Identifier: MIT */
/* One libvirt connection and the thread that makes its calls. The scheduler hands in requests and waits for
 * each no longer than its deadline; a request whose answer did not come belongs to the link from then on.
 * Also the link's inbox of events, filled by the loop thread. */
#ifndef VMTOP_BACKEND_LINK_H
#define VMTOP_BACKEND_LINK_H

#include <libvirt/libvirt.h>

#include "connect.h"
#include "vmtop/cpuset.h"
#include "vmtop/err.h"
#include "vmtop/sample.h"

struct link;

enum link_phase {
	PHASE_OPENING,
	PHASE_OPEN,
	PHASE_FAILED, /* never opened */
	PHASE_LOST,   /* was open; the hypervisor or the line went away */
};

/* Embed it as the first member. */
struct request {
	void (*run)(struct request *r, virConnectPtr conn); /* in the worker; sets rc and err */
	void (*drop)(struct request *r); /* frees it; called in the worker when the caller gave up */
	int rc;
	struct err err;
	/* the link's own */
	struct request *next;
	int state;
};

enum link_event_kind {
	EVENT_LIFECYCLE,
	EVENT_ENDED,   /* the same, and it ended for good: nothing of it was saved */
	EVENT_RETURNS, /* the same, and it is here, or was saved and will be */
	EVENT_PIN,     /* vcpu, map: a live pin was made, by whomever */
	EVENT_TUNABLE, /* another tunable changed */
	EVENT_BALLOON,
	EVENT_DEFINITION, /* devices or metadata changed */
	EVENT_OVERFLOW,   /* events were lost: everything may have changed */
};
struct link_event {
	enum link_event_kind kind;
	uint8_t uuid[UUID_BYTES];
	int vcpu;
	struct cpuset map;
	int64_t kib;     /* with EVENT_BALLOON: its size now */
	int64_t time_ns; /* CLOCK_MONOTONIC */
};

/* Starts the process's loop thread (once) and the worker, which opens the connection. notify_fd (an eventfd,
 * duplicated) is written when the phase changes or an event comes. */
struct link *link_start(const struct connect_wish *wish, bool events, int notify_fd, struct err *err);
enum link_phase link_phase(struct link *link, struct err *why);
/* Waits until it is no longer PHASE_OPENING, at most until then. */
enum link_phase link_wait_open(struct link *link, int64_t until_ns, struct err *why);
/* What was really connected. Only once the phase is PHASE_OPEN or PHASE_LOST. */
const struct connect_result *link_result(const struct link *link);

void link_submit(struct link *link, struct request *req);
/* True: finished, req is the caller's again. False: the time came first; wait again or give up. */
bool link_await(struct link *link, struct request *req, int64_t until_ns);
enum give_up {
	GAVE_UP_DONE,   /* it had just finished: r is the caller's */
	GAVE_UP_QUEUED, /* it never began and never will; r is dropped */
	GAVE_UP_BEGUN,  /* r is the worker's, which will drop it; the link should be left */
};
enum give_up link_give_up(struct link *link, struct request *req);
/* True when a submitted request has finished: then it is the caller's again. */
bool link_finished(struct link *link, struct request *req);

/* Moves up to max events out, oldest first. */
size_t link_events(struct link *link, struct link_event *out, size_t max);

/* Asks the worker to close the connection and end once its present call returns. Requests that wait are
 * dropped. */
void link_leave(struct link *link);
/* True when a link that was left has ended; it is freed then and must not be used again. */
bool link_reap(struct link *link);
/* Leaves; waits until then; frees. A worker that is still stuck frees the link itself, should it ever return.
 */
void link_free(struct link *link, int64_t until_ns);

#endif
