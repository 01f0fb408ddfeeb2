/* SPDX-License-Identifier: MIT */
/* What a move asks of libvirt, as requests for a link's worker. Private to the mover. */
#ifndef VMTOP_BACKEND_MOVER_CALLS_H
#define VMTOP_BACKEND_MOVER_CALLS_H

#include "domneeds.h"
#include "link.h"
#include "vmtop/moves.h"

/* One question; on the heap, for it outlives a caller who gave up. */
struct ask {
	struct request r;
	uint8_t uuid[UUID_BYTES];
	char vm[VM_NAME_BYTES], peer[FLEET_URI + 16];
	bool persistent, autostart;
	bool local;         /* the host is this machine */
	struct dom_cpu cpu; /* of the guest: ask_source() reads it, ask_target() compares */
	/* answers; error: libvirt's words, empty: none */
	char error[MOVE_TEXT];
	struct move_look look; /* of one side */
	struct move_progress progress;
	enum move_place place;
	bool busy, defined; /* a job runs; it is still defined, but off */
};

/* rc < 0: error says why. */
void ask_source(struct request *req, virConnectPtr conn);  /* look: the guest */
void ask_target(struct request *req, virConnectPtr conn);  /* look: room, what it needs, is it there */
void ask_migrate(struct request *req, virConnectPtr conn); /* blocks until it is over */
void ask_progress(struct request *req, virConnectPtr conn);
void ask_abort(struct request *req, virConnectPtr conn);
void ask_place(struct request *req, virConnectPtr conn);   /* place, busy, defined */
void ask_arrived(struct request *req, virConnectPtr conn); /* how it went; sets autostart */

#endif
