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

bool child_start(struct child *child, const char *const *argv, size_t most, double timeout_s)
{
	int fd[2];
	*child = (struct child){.fd = -1, .most = most, .status = -1};
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	fcntl(fd[1], F_SETFL, 0); /* the command need not know */
	int rc = spawn(&child->pid, argv, fd[1]);
	close(fd[1]);
	child->fd = fd[0];
	child->until_ns = clock_ns() + (int64_t)(timeout_s * 1e9);
	if (rc == 0)
		return true;
	child->pid = 0;
	child_done(child);
	errno = rc;
	return false;
}

/* false: its end, or that of our patience or memory. */
static bool read_some(struct child *child)
{
	child->no_memory = !array_grow(&child->out, &child->cap, child->n + PIECE, 1);
	if (child->no_memory)
		return false;
	ssize_t n = read(child->fd, child->out + child->n, PIECE - 1);
	if (n > 0)
		child->n += (size_t)n;
	child->out[child->n] = '\0';
	return n > 0 ? child->n < child->most : n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void reap(struct child *child, bool stop)
{
	int status = 0;
	if (stop)
		kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->status = !stop && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	child->pid = 0;
}

bool child_poll(struct child *child)
{
	size_t before;
	if (!child->pid)
		return true;
	do {
		before = child->n;
		if (!read_some(child)) {
			reap(child, child->no_memory || child->n >= child->most);
			return true;
		}
	} while (child->n > before);
	if (clock_ns() < child->until_ns)
		return false;
	reap(child, true);
	return true;
}

void child_wait(struct child *child)
{
	while (!child_poll(child)) {
		struct pollfd fds = {.fd = child->fd, .events = POLLIN};
		poll(&fds, 1, 100);
	}
}

void child_done(struct child *child)
{
	if (child->pid)
		reap(child, true);
	if (child->fd >= 0)
		close(child->fd);
	free(child->out);
	*child = (struct child){.fd = -1};
}
