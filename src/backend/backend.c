/* SPDX-License-Identifier: MIT */
/* What holds for every backend, whatever wraps it. */
#include "vmtop/backend.h"

const char *backend_name(const struct backend *b)
{
	return b->ops->inner_name ? b->ops->inner_name(b) : b->ops->name;
}
