/* SPDX-License-Identifier: MIT */
/* What holds for every backend, whatever wraps it. */
#include "vmtop/backend.h"

#include <poll.h>
#include <time.h>

int64_t backend_real_now(struct backend *b)
{
	struct timespec t;
	(void)b;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

enum wake backend_real_wait(struct backend *b, int64_t until_ns, int fd)
{
	const int64_t most = INT64_C(3600000000000);
	int64_t left = until_ns - backend_real_now(b);
	left = left < 0 ? 0 : left > most ? most : left;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, (int)((left + 999999) / 1000000)) > 0 ? WAKE_INPUT : WAKE_TIMER;
}

struct backend *backend_innermost(struct backend *b)
{
	while (b->ops->inner)
		b = b->ops->inner(b);
	return b;
}

int64_t backend_wall(struct backend *b)
{
	struct timespec t;
	b = backend_innermost(b);
	if (b->ops->wall)
		return b->ops->wall(b);
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void backend_note(struct backend *b, const struct log_line *line)
{
	for (; b; b = b->ops->inner ? b->ops->inner(b) : NULL)
		if (b->ops->note)
			b->ops->note(b, line);
}

void backend_obeyed(struct backend *b, const struct command *c)
{
	for (; b; b = b->ops->inner ? b->ops->inner(b) : NULL)
		if (b->ops->obeyed)
			b->ops->obeyed(b, c);
}

void backend_decided(struct backend *b, const struct decision *d)
{
	for (; b; b = b->ops->inner ? b->ops->inner(b) : NULL)
		if (b->ops->decided)
			b->ops->decided(b, d);
}

void backend_configured(struct backend *b, const struct config *was, const struct config *now)
{
	for (; b; b = b->ops->inner ? b->ops->inner(b) : NULL)
		if (b->ops->configured)
			b->ops->configured(b, was, now);
}
