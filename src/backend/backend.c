/* SPDX-License-Identifier: MIT */
/* What holds for every backend, whatever wraps it. */
#include "vmtop/backend.h"

#include <poll.h>

#include "vmtop/clock.h"
#include "vmtop/minmax.h"

int64_t backend_real_now(struct backend *b)
{
	(void)b;
	return clock_ns();
}

enum wake backend_real_wait(struct backend *b, int64_t until_ns, int fd)
{
	const int64_t most = INT64_C(3600000000000);
	int64_t left = until_ns - backend_real_now(b);
	left = clamp(left, 0, most);
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
	b = backend_innermost(b);
	return b->ops->wall ? b->ops->wall(b) : clock_wall_ns();
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
