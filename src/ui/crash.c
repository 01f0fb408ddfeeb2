/* SPDX-License-Identifier: MIT */
/* Faults. Invariant: the handler only writes prepared bytes and a saved termios, both safe in a handler, and
 * nothing of ours reaches the terminal after them; then it lets happen what would have happened without us.
 * Knows nothing of ncurses. */
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/minmax.h"

enum { SEND_TRIES = 100, SEND_PAUSE_MS = 5 };

/* Read by the handler only; n is set last. */
static struct {
	struct termios tty;
	char leave[CRASH_BYTES];
	volatile sig_atomic_t n;
	int fd;    /* that frames are written to */
	int own;   /* the same for the handler alone; -1: none */
	int blind; /* takes everything and shows nothing; -1: none */
} crash = {.own = -1, .blind = -1};

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction crash_before[sizeof crash_signals / sizeof crash_signals[0]];

/* The fault may have come in another thread than the screen's, which goes on for a moment: its frames go
 * nowhere from here on, or the next one would take the terminal again. */
static int alone_at_the_terminal(void)
{
	if (crash.own < 0 || crash.blind < 0 || dup2(crash.blind, crash.fd) < 0)
		return crash.fd;
	return crash.own;
}

/* A frame that is being written at this moment keeps the line for as long as it takes. */
static bool sent(int fd, const char *bytes, size_t n)
{
	for (int tries = 0; tries < SEND_TRIES; tries++) {
		ssize_t done = write(fd, bytes, n);
		if (done >= 0 || (errno != EAGAIN && errno != EINTR))
			return done == (ssize_t)n;
		poll(NULL, 0, SEND_PAUSE_MS);
	}
	return false;
}

/* A line that takes nothing now loses what waits for it, as at an orderly end. */
static void send_leave(void)
{
	size_t n = (size_t)crash.n;
	if (!n)
		return;
	int fd = alone_at_the_terminal();
	if (sent(fd, crash.leave, n))
		return;
	tcflush(fd, TCOFLUSH);
	if (sent(fd, "\030", 1)) /* CAN: ends a sequence that was cut in two */
		sent(fd, crash.leave, n);
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
	crash.own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	crash.blind = open("/dev/null", O_WRONLY | O_CLOEXEC);
	n = min_of(n, sizeof crash.leave);
	memcpy(crash.leave, leave, n);
	crash.n = (sig_atomic_t)n;
}

void crash_remove(void)
{
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &crash_before[i], NULL);
	crash.n = 0;
	if (crash.own >= 0)
		close(crash.own);
	if (crash.blind >= 0)
		close(crash.blind);
	crash.own = crash.blind = -1;
}
