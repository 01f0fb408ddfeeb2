/* SPDX-License-Identifier: MIT */
/* What holds for every backend, whatever wraps it. */
#include "vmtop/backend.h"

#include <poll.h>

#include "vmtop/clock.h"
#include "vmtop/minmax.h"

int64_t backend_real_now(struct backend *backend)
{
	(void)backend;
	return clock_ns();
}

enum wake backend_real_wait(struct backend *backend, int64_t until_ns, int fd)
{
	const int64_t most = INT64_C(3600000000000);
	int64_t left = until_ns - backend_real_now(backend);
	left = clamp(left, 0, most);
	struct pollfd fds = {.fd = fd, .events = POLLIN};
	return poll(&fds, 1, (int)((left + 999999) / 1000000)) > 0 ? WAKE_INPUT : WAKE_TIMER;
}

struct backend *backend_innermost(struct backend *backend)
{
	while (backend->ops->inner)
		backend = backend->ops->inner(backend);
	return backend;
}

int64_t backend_wall(struct backend *backend)
{
	backend = backend_innermost(backend);
	return backend->ops->wall ? backend->ops->wall(backend) : clock_wall_ns();
}

void backend_note(struct backend *backend, const struct log_line *line)
{
	for (; backend; backend = backend->ops->inner ? backend->ops->inner(backend) : NULL)
		if (backend->ops->note)
			backend->ops->note(backend, line);
}

void backend_obeyed(struct backend *backend, const struct command *cmd)
{
	for (; backend; backend = backend->ops->inner ? backend->ops->inner(backend) : NULL)
		if (backend->ops->obeyed)
			backend->ops->obeyed(backend, cmd);
}

void backend_decided(struct backend *backend, const struct decision *decision)
{
	for (; backend; backend = backend->ops->inner ? backend->ops->inner(backend) : NULL)
		if (backend->ops->decided)
			backend->ops->decided(backend, decision);
}

void backend_configured(struct backend *backend, const struct config *was, const struct config *now)
{
	for (; backend; backend = backend->ops->inner ? backend->ops->inner(backend) : NULL)
		if (backend->ops->configured)
			backend->ops->configured(backend, was, now);
}
