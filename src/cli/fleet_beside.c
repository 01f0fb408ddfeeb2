/* SPDX-License-Identifier: MIT */
/* The process that lets Pacemaker move guests while the screen shows what it says. Invariant: it ends when
 * the screen does: asked to by a signal, or by the end of what reads it. */
#include "fleet_beside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtop/clock.h"

enum { END_S = 240 }; /* Pacemaker ends what it has begun, and demand is taken away */

/* Of a group of its own: keys of the terminal are the screen's. */
static int spawn(struct fleet_beside *beside, int out, const char *const *argv)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	union {
		const char *const *from;
		char *const *to;
	} words = {argv};
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
	int rc = posix_spawn(&beside->pid, "/proc/self/exe", &files, &attr, words.to, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

int fleet_beside_start(struct fleet_beside *beside, const char *const *argv, struct err *err)
{
	int fd[2];
	*beside = (struct fleet_beside){.fd = -1};
	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(err, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	int rc = spawn(beside, fd[1], argv);
	close(fd[1]);
	if (rc) {
		close(fd[0]);
		beside->pid = 0;
		return err_set(err, ERR_RUNTIME, "fleet: --auto=fleet cannot be started: %s", strerror(rc));
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	beside->fd = fd[0];
	return 0;
}

/* Until it has closed it; it says nothing that is not printable. */
static void relay(const struct fleet_beside *beside, int64_t until_ms)
{
	char text[4096];
	ssize_t n = 1;
	while (n != 0 && clock_ms() < until_ms) {
		struct pollfd fds = {.fd = beside->fd, .events = POLLIN};
		poll(&fds, 1, 1000);
		n = read(beside->fd, text, sizeof text);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n > 0)
			fwrite(text, 1, (size_t)n, stdout);
	}
	fflush(stdout);
}

int fleet_beside_stop(struct fleet_beside *beside, struct err *err)
{
	int64_t until = clock_ms() + END_S * INT64_C(1000);
	int status = 0;
	pid_t ended = 0;
	if (!beside->pid)
		return 0;
	kill(beside->pid, SIGTERM);
	relay(beside, until);
	close(beside->fd);
	while ((ended = waitpid(beside->pid, &status, WNOHANG)) == 0 && clock_ms() < until)
		poll(NULL, 0, 50);
	if (ended != beside->pid)
		return err_set(
			err, ERR_TIMEOUT, "fleet: --auto=fleet does not end: process %ld", (long)beside->pid);
	beside->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : err_set(err, ERR_RUNTIME,
				 "fleet: --auto=fleet ended with an error, which it has told");
}
