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

static struct backend *inner(const struct backend *b)
{
	return ((const struct readonly *)b)->inner;
}

static int readonly_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	return inner(b)->ops->sample(inner(b), groups, to, e);
}

static void readonly_apply(struct backend *b, struct action *actions, size_t n)
{
	const struct readonly *r = (const struct readonly *)b;
	for (size_t i = 0; i < n; i++) {
		actions[i].outcome = OUTCOME_SKIPPED;
		snprintf(actions[i].error, sizeof actions[i].error, "read-only: %s", r->why);
	}
}

static enum wake readonly_wait(struct backend *b, int64_t until_ns, int fd)
{
	return inner(b)->ops->wait(inner(b), until_ns, fd);
}

static void readonly_close(struct backend *b)
{
	inner(b)->ops->close(inner(b));
	free(b);
}

static int64_t readonly_now(struct backend *b)
{
	return inner(b)->ops->now(inner(b));
}

static void readonly_status(struct backend *b, struct backend_status *st)
{
	const struct readonly *r = (const struct readonly *)b;
	inner(b)->ops->status(inner(b), st);
	st->readonly = true;
	if (!st->readonly_why[0])
		snprintf(st->readonly_why, sizeof st->readonly_why, "%s", r->why);
}

struct backend *backend_readonly(struct backend *in, const char *why, struct err *e)
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
	struct readonly *r = calloc(1, sizeof *r);
	if (!r) {
		in->ops->close(in);
		err_set(e, ERR_NOMEM, "out of memory for the read-only wrapper");
		return NULL;
	}
	r->b.ops = &ops;
	r->inner = in;
	snprintf(r->why, sizeof r->why, "%s", why);
	return &r->b;
}
