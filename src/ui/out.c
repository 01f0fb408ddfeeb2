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

int out_open(struct out *o, int tty_fd, int curses_fd)
{
	*o = (struct out){.fd = tty_fd, .mem = memfd_create("vmtop-frame", MFD_CLOEXEC)};
	if (o->mem < 0 || dup2(o->mem, curses_fd) < 0) {
		out_done(o);
		return -1;
	}
	char path[] = "/proc/self/fd/N";
	path[sizeof path - 2] = (char)('0' + tty_fd);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	o->own = fd >= 0;
	o->fd = fd >= 0 ? fd : tty_fd;
	return 0;
}

void out_done(struct out *o)
{
	if (o->own)
		close(o->fd);
	if (o->mem >= 0)
		close(o->mem);
	free(o->buf);
	*o = (struct out){.fd = -1, .mem = -1};
}

/* Room for n more bytes behind what waits. */
static bool make_room(struct out *o, size_t n)
{
	if (o->at) {
		memmove(o->buf, o->buf + o->at, o->len - o->at);
		o->len -= o->at;
		o->at = 0;
	}
	return array_grow(&o->buf, &o->room, o->len + n, 1);
}

static void add(struct out *o, const char *text, size_t n)
{
	memcpy(o->buf + o->len, text, n);
	o->len += n;
}

void out_add(struct out *o, const char *text)
{
	if (make_room(o, strlen(text)))
		add(o, text, strlen(text));
}

static size_t written(const struct out *o)
{
	off_t n = lseek(o->mem, 0, SEEK_CUR);
	return n > 0 ? (size_t)n : 0;
}

/* The pages are kept: to give them back and take them again would cost more than a frame. */
static void rewind_memory(const struct out *o)
{
	lseek(o->mem, 0, SEEK_SET);
}

size_t out_discard(struct out *o, char *copy, size_t room)
{
	size_t n = written(o);
	n = min_of(n, room);
	ssize_t got = n ? pread(o->mem, copy, n, 0) : 0;
	rewind_memory(o);
	return got > 0 ? (size_t)got : 0;
}

void out_take(struct out *o, const char *before, const char *after, size_t (*shorten)(char *bytes, size_t n))
{
	size_t n = written(o), marks = strlen(before) + strlen(after);
	if (!n || !make_room(o, n + marks))
		return;
	add(o, before, strlen(before));
	ssize_t got = pread(o->mem, o->buf + o->len, n, 0);
	size_t took = got > 0 ? (size_t)got : 0;
	o->len += took && shorten ? shorten(o->buf + o->len, took) : took;
	add(o, after, strlen(after));
	rewind_memory(o);
}

bool out_waits(const struct out *o)
{
	return o->at < o->len;
}

static bool has_room(const struct out *o)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};
	return poll(&p, 1, 0) == 1;
}

bool out_flush(struct out *o)
{
	while (out_waits(o)) {
		size_t n = o->len - o->at;
		if (!o->own) {
			if (!has_room(o))
				return false;
			n = min_of(n, SMALL_PIECE);
		}
		ssize_t done = write(o->fd, o->buf + o->at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			return false;
		if (done < 0) /* the terminal is gone; the keyboard says so too, and the loop ends */
			o->at = o->len;
		else
			o->at += (size_t)done;
	}
	o->at = o->len = 0;
	return true;
}

bool out_drain(struct out *o, int ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	while (!out_flush(o)) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return false;
		left = until - clock_ms();
	}
	return true;
}

void out_cut(struct out *o, const char *last, size_t n)
{
	tcflush(o->fd, TCOFLUSH);
	o->at = o->len = 0;
	if (!make_room(o, n + 1))
		return;
	add(o, "\030", 1); /* CAN: ends an escape sequence that was cut in two */
	add(o, last, n);
	out_flush(o);
}
