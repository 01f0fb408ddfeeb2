/* SPDX-License-Identifier: MIT */
/* Which backend a URI means. Must not know what a backend does. */
#include <string.h>

#include "vmtop/backend.h"
#include "vmtop/config.h"

struct backend *backend_open(const struct config *cfg, struct err *e)
{
	if (strncmp(cfg->uri, "sim:", 4) == 0)
		return backend_sim_open(cfg, cfg->uri + 4, false, e);
	return backend_libvirt_open(cfg, e);
}
