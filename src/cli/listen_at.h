/* SPDX-License-Identifier: MIT */
/* Where to listen. Private to src/cli. */
#ifndef VMTOP_CLI_LISTEN_AT_H
#define VMTOP_CLI_LISTEN_AT_H

#include <sys/socket.h>

#include "vmtop/err.h"

struct listen_at {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* "19177", "127.0.0.1:19177", "localhost:19177", "[::1]:19177": an address is a number, so that nothing is
 * looked up; without one it is 127.0.0.1. ERR_USAGE for all else. */
int listen_parse(struct listen_at *to, const char *text, struct err *err);
/* A socket that listens there; ERR_RUNTIME. */
int listen_socket(const struct listen_at *at, const char *text, struct err *err);

#endif
