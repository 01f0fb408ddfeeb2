/* SPDX-License-Identifier: MIT */
/* What holds for every backend, whatever wraps it. */
#include "vmtop/backend.h"

struct backend *backend_innermost(struct backend *b)
{
	while (b->ops->inner)
		b = b->ops->inner(b);
	return b;
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
