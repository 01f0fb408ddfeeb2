/* SPDX-License-Identifier: MIT */
/* What every thread beside the main one has in common: signals are not its business, but a fault in it must
 * come to the handler that gives the terminal back. A fault whose signal is blocked kills without asking. */
#ifndef VMTOP_THREAD_H
#define VMTOP_THREAD_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/minmax.h"

/* Blocks all signals but those of faults, for threads that are made then. */
static inline void thread_signals_off(sigset_t *old)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	sigset_t most;
	sigfillset(&most);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&most, faults[i]);
	pthread_sigmask(SIG_SETMASK, &most, old);
}

static inline int thread_create(pthread_t *t, void *(*fn)(void *), void *arg)
{
	sigset_t old;
	thread_signals_off(&old);
	int rc = pthread_create(t, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* Joins the thread once it has hung up its end of the pipe whose other end is `done`. false: it has not by
 * then, on the clock of clock_ns(). */
static inline bool thread_ends(pthread_t t, int done, int64_t until_ns)
{
	struct pollfd fds = {.fd = done};
	int n;
	do {
		int64_t left_ms = (until_ns - clock_ns() + 999999) / 1000000;
		n = poll(&fds, 1, (int)max_of(left_ms, 0));
	} while (n < 0 && errno == EINTR);
	return n > 0 && pthread_join(t, NULL) == 0;
}

/* Ends that are closed already are -1. */
static inline void pipe_close(const int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

#endif
