/* SPDX-License-Identifier: MIT */
/* Frames on their way to the terminal. Invariant: bytes leave in the order in which ncurses made them, none
 * is lost but by out_cut(), and no call waits for a line longer than it was told to. Knows nothing of what
 * the bytes mean. */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "vmtop/array.h"
#include "vmtop/clock.h"
#include "vmtop/minmax.h"

/* After sudo -u the terminal may belong to somebody else and cannot be opened again: then it is used as it
 * is, in pieces that a line with any room takes at once. */
enum { SMALL_PIECE = 256 };

int out_open(struct out *out, int tty_fd, int curses_fd)
{
	*out = (struct out){.fd = tty_fd, .mem = memfd_create("vmtop-frame", MFD_CLOEXEC)};
	if (out->mem < 0 || dup2(out->mem, curses_fd) < 0) {
		out_done(out);
		return -1;
	}
	char path[] = "/proc/self/fd/N";
	path[sizeof path - 2] = (char)('0' + tty_fd);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	out->own = fd >= 0;
	out->fd = fd >= 0 ? fd : tty_fd;
	return 0;
}

void out_done(struct out *out)
{
	if (out->own)
		close(out->fd);
	if (out->mem >= 0)
		close(out->mem);
	free(out->buf);
	*out = (struct out){.fd = -1, .mem = -1};
}

/* Room for n more bytes behind what waits. */
static bool make_room(struct out *out, size_t n)
{
	if (out->at) {
		memmove(out->buf, out->buf + out->at, out->len - out->at);
		out->len -= out->at;
		out->at = 0;
	}
	return array_grow(&out->buf, &out->room, out->len + n, 1);
}

static void add(struct out *out, const char *text, size_t n)
{
	memcpy(out->buf + out->len, text, n);
	out->len += n;
}

void out_add(struct out *out, const char *text)
{
	if (make_room(out, strlen(text)))
		add(out, text, strlen(text));
}

static size_t written(const struct out *out)
{
	off_t n = lseek(out->mem, 0, SEEK_CUR);
	return (size_t)max_of(n, 0);
}

/* The pages are kept: to give them back and take them again would cost more than a frame. */
static void rewind_memory(const struct out *out)
{
	lseek(out->mem, 0, SEEK_SET);
}

size_t out_discard(struct out *out, char *copy, size_t room)
{
	size_t n = written(out);
	n = min_of(n, room);
	ssize_t got = n ? pread(out->mem, copy, n, 0) : 0;
	rewind_memory(out);
	return (size_t)max_of(got, 0);
}

void out_take(
	struct out *out, const char *before, const char *after, size_t (*shorten)(char *bytes, size_t n))
{
	size_t n = written(out), marks = strlen(before) + strlen(after);
	if (!n || !make_room(out, n + marks))
		return;
	add(out, before, strlen(before));
	ssize_t got = pread(out->mem, out->buf + out->len, n, 0);
	size_t took = (size_t)max_of(got, 0);
	out->len += took && shorten ? shorten(out->buf + out->len, took) : took;
	add(out, after, strlen(after));
	rewind_memory(out);
}

bool out_waits(const struct out *out)
{
	return out->at < out->len;
}

static bool has_room(const struct out *out)
{
	struct pollfd fds = {.fd = out->fd, .events = POLLOUT};
	return poll(&fds, 1, 0) == 1;
}

bool out_flush(struct out *out)
{
	while (out_waits(out)) {
		size_t n = out->len - out->at;
		if (!out->own) {
			if (!has_room(out))
				return false;
			n = min_of(n, SMALL_PIECE);
		}
		ssize_t done = write(out->fd, out->buf + out->at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			return false;
		if (done < 0) /* the terminal is gone; the keyboard says so too, and the loop ends */
			out->at = out->len;
		else
			out->at += (size_t)done;
	}
	out->at = out->len = 0;
	return true;
}

bool out_drain(struct out *out, int ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	while (!out_flush(out)) {
		struct pollfd fds = {.fd = out->fd, .events = POLLOUT};
		if (left <= 0 || (poll(&fds, 1, (int)left) < 0 && errno != EINTR))
			return false;
		left = until - clock_ms();
	}
	return true;
}

void out_cut(struct out *out, const char *last, size_t n)
{
	tcflush(out->fd, TCOFLUSH);
	out->at = out->len = 0;
	if (!make_room(out, n + 1))
		return;
	add(out, "\030", 1); /* CAN: ends an escape sequence that was cut in two */
	add(out, last, n);
	out_flush(out);
}
