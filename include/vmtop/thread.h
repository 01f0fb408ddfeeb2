/* SPDX-License-Identifier: MIT */
/* What every thread beside the main one has in common: signals are not its business, but a fault in it must
 * come to the handler that gives the terminal back. A fault whose signal is blocked kills without asking. */
#ifndef VMTOP_THREAD_H
#define VMTOP_THREAD_H

#include <pthread.h>
#include <signal.h>

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

#endif
