/* SPDX-License-Identifier: MIT */
/* Faults. Invariant: the handler only writes prepared bytes and a saved termios, both safe in a handler, then
 * lets happen what would have happened without us. Knows nothing of ncurses. */
#include "crash.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Read by the handler only; n is set last. */
static struct {
	struct termios tty;
	char leave[CRASH_BYTES];
	volatile sig_atomic_t n;
	int fd;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction crash_before[sizeof crash_signals / sizeof crash_signals[0]];

/* A line that takes nothing now loses what waits for it, as at an orderly end. */
static void send_leave(void)
{
	size_t n = (size_t)crash.n;
	ssize_t done = n ? write(crash.fd, crash.leave, n) : 0;
	if (done == (ssize_t)n)
		return;
	tcflush(crash.fd, TCOFLUSH);
	done = write(crash.fd, "\030", 1); /* CAN: ends a sequence that was cut in two */
	if (done == 1)
		done = write(crash.fd, crash.leave, n);
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	(void)context;
	send_leave();
	tcsetattr(STDIN_FILENO, TCSANOW, &crash.tty);
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		if (crash_signals[i] == sig)
			sigaction(sig, &crash_before[i], NULL);
	if (info->si_code <= 0) /* sent, not a fault: it would not come again by itself */
		raise(sig);
}

void crash_install(int tty_fd, const struct termios *tty)
{
	struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = SA_NODEFER | SA_SIGINFO};
	crash.n = 0;
	crash.fd = tty_fd;
	crash.tty = *tty;
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &sa, &crash_before[i]);
}

void crash_leaves(int fd, const char *leave, size_t n)
{
	crash.n = 0;
	crash.fd = fd;
	n = n < sizeof crash.leave ? n : sizeof crash.leave;
	memcpy(crash.leave, leave, n);
	crash.n = (sig_atomic_t)n;
}

void crash_remove(void)
{
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &crash_before[i], NULL);
}
