/* SPDX-License-Identifier: MIT */
/* Which backend a configuration means, and what is wrapped around it. Must not know what a backend does. */
#include <string.h>

#include "vmtop/backend.h"
#include "vmtop/record.h"

static struct backend *open_bare(const struct config *cfg, struct err *err)
{
	if (*cfg->replay)
		return backend_replay_open(cfg, err);
	if (strncmp(cfg->uri, "sim:", 4) == 0)
		return backend_sim_open(cfg, cfg->uri + 4, cfg->virtual_time, err);
	return backend_libvirt_open(cfg, err);
}

struct backend *backend_open(const struct config *cfg, struct err *err)
{
	struct backend *backend = open_bare(cfg, err);
	struct backend_status status;
	if (!backend)
		return NULL;
	backend->ops->status(backend, &status);
	if (cfg->readonly && !status.readonly)
		backend = backend_readonly(backend, "asked for by --readonly", err);
	if (backend && *cfg->record)
		backend = backend_record(backend, cfg, err);
	return backend;
}
