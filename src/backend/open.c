/* SPDX-License-Identifier: MIT */
/* Which backend a configuration means, and what is wrapped around it. Must not know what a backend does. */
#include <string.h>

#include "vmtop/backend.h"
#include "vmtop/record.h"

static struct backend *open_bare(const struct config *cfg, struct err *e)
{
	if (*cfg->replay)
		return backend_replay_open(cfg, e);
	if (strncmp(cfg->uri, "sim:", 4) == 0)
		return backend_sim_open(cfg, cfg->uri + 4, cfg->virtual_time, e);
	return backend_libvirt_open(cfg, e);
}

struct backend *backend_open(const struct config *cfg, struct err *e)
{
	struct backend *b = open_bare(cfg, e);
	struct backend_status st;
	if (!b)
		return NULL;
	b->ops->status(b, &st);
	if (cfg->readonly && !st.readonly)
		b = backend_readonly(b, "asked for by --readonly", e);
	if (b && *cfg->record)
		b = backend_record(b, cfg, e);
	return b;
}
