/* SPDX-License-Identifier: MIT */
/* One owner per host: the claim is a secret of a fixed usage inside the libvirt of the host that is steered.
 * libvirt refuses a second one, whoever asks and from where, and lets nobody define one who may not change
 * guests; it lives in libvirtd's memory alone. Its description says who holds it and changes with each beat.
 *
 * The UUID is the holder's token. To define it again is to renew it, and fails once somebody else holds the
 * claim. One that has not been renewed for CLAIM_EXPIRY_S, as seen by whoever wants it, is removed by its
 * UUID; so only one of several can take it over. Whoever was silent for long takes a new UUID rather than
 * renew: a removal that is under way must not hit it.
 *
 * Every function that takes a connection may block and is called by a link's worker only. */
#ifndef VMTOP_BACKEND_CLAIM_H
#define VMTOP_BACKEND_CLAIM_H

#include <libvirt/libvirt.h>

#include "vmtop/backend.h"
#include "vmtop/sample.h"

/* Longer than libvirtd keeps a client that does not answer (30 s): what such a client sent is not carried
 * out after somebody else has taken over. */
enum { CLAIM_EXPIRY_S = 40, CLAIM_FRESH_S = 10, CLAIM_BEAT_S = 5, CLAIM_RECHECK_MS = 1000 };

/* Who this process is; the same for its whole life. */
struct claim_self {
	char host[64], user[32], boot[40];
	unsigned long pid_namespace;
	long pid;
	int64_t since_s;
};

struct claim {
	struct claim_self self;
	char uuid[UUID_TEXT];   /* ours; empty: none yet */
	int64_t beat_ns;        /* when its last renewal was begun; 0: it is not ours */
	char other[UUID_TEXT];  /* the holder's, */
	char other_text[400];   /* its description as seen last, */
	int64_t other_since_ns; /* and since when it has been that */
	struct claim_status status;
};

void claim_init(struct claim *claim);
/* Since boot, sleep included: a machine that slept must not believe that it still holds the claim. */
int64_t claim_clock_ns(void);
/* Who holds it, into status. */
void claim_look(virConnectPtr conn, struct claim *claim, struct err *err);
/* Takes or renews it. 0: it is ours, or this libvirt has none; -1: err says who has it or what is missing. */
int claim_take(virConnectPtr conn, struct claim *claim, struct err *err);
void claim_drop(virConnectPtr conn, struct claim *claim);
/* Renewed lately enough for a change to be made now; without a call. NULL: nobody has to hold it. */
bool claim_fresh(const struct claim *claim);

/* The description, and what a description says (false: it is none of vmtop's). */
void claim_text(const struct claim_self *self, int64_t beat, char *buf, size_t len);
bool claim_parse(struct claim_self *of, const char *text);

#endif
