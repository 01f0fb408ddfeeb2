/* SPDX-License-Identifier: MIT */
/* Faults. Invariant: the handler only writes prepared bytes and a saved termios, both safe in a handler, then
 * lets happen what would have happened without us. Knows nothing of ncurses. */
#include "crash.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Set before the handler is installed, read only there. */
static struct {
	struct termios tty;
	char leave[CRASH_BYTES];
	size_t n;
	int fd;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction crash_before[sizeof crash_signals / sizeof crash_signals[0]];

static void on_crash(int sig, siginfo_t *info, void *context)
{
	(void)context;
	ssize_t ignored = write(crash.fd, crash.leave, crash.n);
	(void)ignored;
	tcsetattr(STDIN_FILENO, TCSANOW, &crash.tty);
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		if (crash_signals[i] == sig)
			sigaction(sig, &crash_before[i], NULL);
	if (info->si_code <= 0) /* sent, not a fault: it would not come again by itself */
		raise(sig);
}

void crash_install(int fd, const struct termios *tty, const char *leave, size_t n)
{
	struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = SA_NODEFER | SA_SIGINFO};
	crash.fd = fd;
	crash.tty = *tty;
	crash.n = n < sizeof crash.leave ? n : sizeof crash.leave;
	memcpy(crash.leave, leave, crash.n);
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &sa, &crash_before[i]);
}

void crash_remove(void)
{
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &crash_before[i], NULL);
}
