/* SPDX-License-Identifier: MIT */
/* Where outputs go: standard output, a file, or a file that is replaced as a whole each time. Invariant: who
 * reads a replaced file sees one output, never a part of it. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/minmax.h"
#include "vmtop/text.h"

#include "signals.h"

static int open_file(const struct output *output, enum output_how how, struct err *err)
{
	int flags = how == OUTPUT_ANEW ? O_TRUNC : O_APPEND;
	int fd = open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	return fd < 0 ? err_set(err, ERR_RUNTIME, "cannot write %.200s: %s", output->path, strerror(errno))
		      : fd;
}

static bool stays_open(const struct output *output)
{
	return *output->path && output->how != OUTPUT_REPLACE;
}

int output_open(struct output *output, const char *path, enum output_how how, struct err *err)
{
	*output = (struct output){.path = path, .how = how, .fd = STDOUT_FILENO};
	if (stays_open(output))
		output->fd = open_file(output, how, err);
	return output->fd < 0 ? -1 : 0;
}

int output_reopen(struct output *output, struct err *err)
{
	int fd = stays_open(output) ? open_file(output, OUTPUT_ADD, err) : output->fd;
	struct stat s;
	if (fd < 0 || fd == output->fd)
		return fd < 0 ? -1 : 0;
	close(output->fd);
	output->fd = fd;
	return fstat(fd, &s) == 0 && s.st_size == 0;
}

void output_close(struct output *output)
{
	if (output->fd > STDOUT_FILENO)
		close(output->fd);
	output->fd = STDOUT_FILENO;
}

/* A reader that does not read must not keep a farewell from its pins: once the end was asked for, it is
 * waited for two seconds at most. */
static bool can_write(int fd, int *patience_ms)
{
	enum { SLICE_MS = 100 };
	struct pollfd fds = {.fd = fd, .events = POLLOUT};
	while (poll(&fds, 1, SLICE_MS) <= 0)
		if (signals_quit() && (*patience_ms -= SLICE_MS) <= 0)
			return false;
	return true;
}

static int write_all(int fd, const char *name, const char *text, size_t len, struct err *err)
{
	int patience_ms = 2000;
	while (len > 0) {
		if (!can_write(fd, &patience_ms))
			return 0;
		/* So much a pipe that is ready takes without blocking. */
		ssize_t n = write(fd, text, min_of(len, PIPE_BUF));
		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EPIPE) {
			return 0;
		} else if (errno != EINTR && errno != EAGAIN) {
			return err_set(err, ERR_RUNTIME, "cannot write to %.200s: %s", name, strerror(errno));
		}
	}
	return 1;
}

/* A file beside it, not followed and not there before, takes its place. */
static int replace(const struct output *output, const char *text, size_t len, struct err *err)
{
	char temp[640];
	if (snprintf(temp, sizeof temp, "%.600s.new%d", output->path, (int)getpid()) >= (int)sizeof temp)
		return err_set(err, ERR_RUNTIME, "cannot write %.200s: the name is too long", output->path);
	unlink(temp);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, ERR_RUNTIME, "cannot create %.200s: %s", temp, strerror(errno));
	int r = write_all(fd, output->path, text, len, err);
	if (close(fd) < 0 && r > 0)
		r = err_set(err, ERR_RUNTIME, "cannot write %.200s: %s", output->path, strerror(errno));
	if (r > 0 && rename(temp, output->path) < 0)
		r = err_set(err, ERR_RUNTIME, "cannot replace %.200s: %s", output->path, strerror(errno));
	if (r <= 0)
		unlink(temp);
	return r;
}

int output_write(const struct output *output, const char *text, size_t len, struct err *err)
{
	if (output->how == OUTPUT_REPLACE && *output->path)
		return replace(output, text, len, err);
	return write_all(output->fd, text_or(output->path, "standard output"), text, len, err);
}
