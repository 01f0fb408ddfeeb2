/* SPDX-License-Identifier: MIT */
/* Opening a libvirt connection: which URI, with which rights, and what to tell a user who has none.
 * Every function here may block and is called by a link's worker only. */
#ifndef VMTOP_BACKEND_CONNECT_H
#define VMTOP_BACKEND_CONNECT_H

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "vmtop/err.h"

struct connect_wish {
	char uri[512]; /* empty: the default search of vmtop(1), CONNECTION */
	bool readonly;
	bool ask; /* passwords may be asked on the terminal: only before the screen starts */
};

struct connect_result {
	char uri[512];
	char host[512];  /* the same for all spellings of the URI, as far as they show it */
	char driver[32]; /* "QEMU", "TEST", ... */
	char hostname[128];
	bool readonly;
	char readonly_why[120]; /* empty when it was asked for */
	bool local;             /* this machine's /proc describes the host */
};

/* NULL with err set. */
virConnectPtr connect_open(const struct connect_wish *wish, struct connect_result *result, struct err *err);
/* The last libvirt error of this thread as ours; something useful also when it is empty. Returns -1. */
int connect_err(struct err *err, const char *what);
/* The driver has no such call, or not with these flags. */
bool connect_unsupported(void);
/* Puts no_tty=1 into an ssh URI, so that a reconnect never asks on a terminal that shows a screen. */
void connect_no_tty(char *uri, size_t len);
/* What the host of this URI is called: without transport and user, and without a server when that is this
 * machine. Always terminated. */
void connect_host_name(char *to, size_t len, const char *uri);
/* The URI names no other machine. */
bool connect_uri_local(const char *uri);

#endif
