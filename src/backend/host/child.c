/* SPDX-License-Identifier: MIT */
/* Commands of this machine. Invariant: what was started has been waited for when child_done() returns. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtop/array.h"
#include "vmtop/clock.h"

enum { PIECE = 65536 };

/* Signals as a shell would hand them on, in a process group of its own. */
static int spawn(pid_t *pid, const char *const *argv, int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int rc = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

bool child_start(struct child *c, const char *const *argv, size_t most, double timeout_s)
{
	int fd[2];
	*c = (struct child){.fd = -1, .most = most, .status = -1};
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	fcntl(fd[1], F_SETFL, 0); /* the command need not know */
	int rc = spawn(&c->pid, argv, fd[1]);
	close(fd[1]);
	c->fd = fd[0];
	c->until_ns = clock_ns() + (int64_t)(timeout_s * 1e9);
	if (rc == 0)
		return true;
	c->pid = 0;
	child_done(c);
	return false;
}

/* false: its end, or that of our patience. */
static bool read_some(struct child *c)
{
	if (!array_grow(&c->out, &c->cap, c->n + PIECE, 1))
		return false;
	ssize_t n = read(c->fd, c->out + c->n, PIECE - 1);
	if (n > 0)
		c->n += (size_t)n;
	c->out[c->n] = '\0';
	return n > 0 ? c->n < c->most : n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void reap(struct child *c, bool stop)
{
	int status = 0;
	if (stop)
		kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->status = !stop && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	c->pid = 0;
}

bool child_poll(struct child *c)
{
	size_t before;
	if (!c->pid)
		return true;
	do {
		before = c->n;
		if (!read_some(c)) {
			reap(c, c->n >= c->most);
			return true;
		}
	} while (c->n > before);
	if (clock_ns() < c->until_ns)
		return false;
	reap(c, true);
	return true;
}

void child_wait(struct child *c)
{
	while (!child_poll(c)) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		poll(&p, 1, 100);
	}
}

void child_done(struct child *c)
{
	if (c->pid)
		reap(c, true);
	if (c->fd >= 0)
		close(c->fd);
	free(c->out);
	*c = (struct child){.fd = -1};
}
