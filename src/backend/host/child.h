/* SPDX-License-Identifier: MIT */
/* A command of this machine, started with an argument vector and no shell; its output, standard error
 * included, is read without waiting. Not stopped by a ^C that is meant for us. */
#ifndef VMTOP_BACKEND_CHILD_H
#define VMTOP_BACKEND_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* 0: none runs */
	int fd;
	char *out; /* terminated; the owner frees it with child_done() */
	size_t n, cap, most;
	int64_t until_ns;
	int status;     /* once it has ended: its exit status; -1: it was killed, by us too */
	bool no_memory; /* for its output: it was killed for that */
};

/* false: it cannot be started, and errno says why. Output beyond `most` bytes ends it. */
bool child_start(struct child *child, const char *const *argv, size_t most, double timeout_s);
/* true: it has ended, or its time was over. */
bool child_poll(struct child *child);
/* Waits for that. */
void child_wait(struct child *child);
void child_done(struct child *child);

#endif
