/* SPDX-License-Identifier: MIT */
/* Marks from outside: a datagram socket in the user's run folder, and how to wait for it beside the pipe. */
#ifndef VMTOP_ENGINE_MARK_SOCKET_H
#define VMTOP_ENGINE_MARK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct mark_socket {
	bool open;
	int fd, poll_fd, watched; /* watched: the descriptor that poll_fd knows beside ours, -1 none */
	char path[108];           /* as long as an address may be */
};

void mark_socket_open(struct mark_socket *mark);
void mark_socket_close(struct mark_socket *mark);
/* A descriptor that is readable when fd or the socket is; fd itself while there is no socket. */
int mark_socket_watch(struct mark_socket *mark, int fd);
/* After it woke: fd has something too. */
bool mark_socket_other_waits(const struct mark_socket *mark, int fd);
/* vmtop mark: tells every running vmtop of this user. Returns how many heard, or -1. */
int mark_send(const char *text, struct err *err);
/* One mark, cut to whole characters; false: no more. */
bool mark_socket_take(struct mark_socket *mark, char *text, size_t len);

#endif
