/* SPDX-License-Identifier: MIT */
/* Wraps any backend so that nothing can be changed through it. Invariant: no action reaches the inner
 * backend. */
#include <stdio.h>
#include <stdlib.h>

#include "vmtop/backend.h"

struct readonly {
	struct backend b;
	struct backend *inner;
	char why[120];
};

static struct backend *inner(const struct backend *backend)
{
	return ((const struct readonly *)backend)->inner;
}

static int readonly_sample(struct backend *backend, unsigned groups, struct sample *to, struct err *err)
{
	return inner(backend)->ops->sample(inner(backend), groups, to, err);
}

static void readonly_apply(struct backend *backend, struct action *actions, size_t n)
{
	const struct readonly *readonly = (const struct readonly *)backend;
	for (size_t i = 0; i < n; i++) {
		actions[i].outcome = OUTCOME_SKIPPED;
		snprintf(actions[i].error, sizeof actions[i].error, "read-only: %s", readonly->why);
	}
}

static enum wake readonly_wait(struct backend *backend, int64_t until_ns, int fd)
{
	return inner(backend)->ops->wait(inner(backend), until_ns, fd);
}

static void readonly_close(struct backend *backend)
{
	inner(backend)->ops->close(inner(backend));
	free(backend);
}

static int64_t readonly_now(struct backend *backend)
{
	return inner(backend)->ops->now(inner(backend));
}

static void readonly_status(struct backend *backend, struct backend_status *status)
{
	const struct readonly *readonly = (const struct readonly *)backend;
	inner(backend)->ops->status(inner(backend), status);
	status->readonly = true;
	if (!status->readonly_why[0])
		snprintf(status->readonly_why, sizeof status->readonly_why, "%s", readonly->why);
}

struct backend *backend_readonly(struct backend *in, const char *why, struct err *err)
{
	static const struct backend_ops ops = {
		.sample = readonly_sample,
		.apply = readonly_apply,
		.wait = readonly_wait,
		.close = readonly_close,
		.now = readonly_now,
		.status = readonly_status,
		.inner = inner,
	};
	struct readonly *readonly = calloc(1, sizeof *readonly);
	if (!readonly) {
		in->ops->close(in);
		err_set(err, ERR_NOMEM, "out of memory for the read-only wrapper");
		return NULL;
	}
	readonly->b.ops = &ops;
	readonly->inner = in;
	snprintf(readonly->why, sizeof readonly->why, "%s", why);
	return &readonly->b;
}
