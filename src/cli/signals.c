/* SPDX-License-Identifier: MIT */
/* What signals do in batch mode. Invariant: a handler writes one command or sets one flag, nothing else. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "vmtop/command.h"

/* The mutable globals of this folder, for a handler has no argument. */
static volatile sig_atomic_t signal_pipe = -1, quit_seen, hangup_seen;

static const struct {
	int signal;
	enum command_kind kind;
	int flags;
} signals[] = {
	{SIGINT, CMD_QUIT, 0},
	{SIGTERM, CMD_QUIT, 0},
	{SIGHUP, CMD_QUIT, 0},
	{SIGUSR1, CMD_REBALANCE, SA_RESTART},
};
enum { N_SIGNALS = sizeof signals / sizeof *signals };

static void send(enum command_kind kind)
{
	struct command cmd = {.kind = kind};
	if (write(signal_pipe, &cmd, sizeof cmd) < 0)
		return; /* the pipe is full of commands that say the same */
}

/* The first asks for the end, the second to leave what is still to be put back, a third kills, so that nobody
 * is trapped by a slow farewell. One that comes with the one before does not count: timeout(1) and others
 * send theirs to the process and to its group. */
static bool quit_counts(int number)
{
	static struct timespec last;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (quit_seen && now.tv_sec - last.tv_sec <= 1)
		return false;
	if (quit_seen == 2) {
		signal(number, SIG_DFL);
		raise(number);
	}
	last = now;
	quit_seen = quit_seen + 1;
	return true;
}

static void signal_came(int number)
{
	int saved = errno;
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (signals[i].signal == number && (signals[i].kind != CMD_QUIT || quit_counts(number)))
			send(signals[i].kind);
	errno = saved;
}

static void hangup_came(int number)
{
	int saved = errno;
	(void)number;
	hangup_seen = 1;
	send(CMD_NONE); /* ends the wait */
	errno = saved;
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void signals_set(void)
{
	bool terminal = has_terminal();
	for (size_t i = 0; i < N_SIGNALS; i++) {
		bool hangup = signals[i].signal == SIGHUP && !terminal;
		struct sigaction sa = {.sa_flags = hangup ? SA_RESTART : signals[i].flags}, now;
		sa.sa_handler = hangup ? hangup_came : signal_came;
		sigaction(signals[i].signal, NULL, &now);
		if (signals[i].signal != SIGHUP || now.sa_handler != SIG_IGN)
			sigaction(signals[i].signal, &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

int signals_open(void)
{
	int fd[2];
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	signal_pipe = fd[1];
	signals_set();
	return fd[0];
}

void signals_close(int fd)
{
	int end = signal_pipe;
	signal_pipe = -1; /* the handlers stay: what comes on the way out must not break it off */
	close(end);
	close(fd);
}

bool signals_quit(void)
{
	return quit_seen > 0;
}

bool signals_hangup(void)
{
	if (!hangup_seen)
		return false;
	hangup_seen = 0; /* one that comes from here on is seen next time */
	return true;
}
