/* SPDX-License-Identifier: MIT */
#include "support/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void driver_open(struct driver *d, const char *uri)
{
	struct err e = ERR_INIT;
	config_defaults(&d->cfg);
	d->cfg.sample_deadline_s = d->cfg.change_deadline_s = 30; /* however busy the machine */
	snprintf(d->cfg.uri, sizeof d->cfg.uri, "%s", uri);
	d->b = backend_libvirt_open(&d->cfg, &e);
	if (!d->b)
		fail_msg("%s", e.msg);
	sample_init(&d->s);
}

void driver_open_file(struct driver *d, const char *file)
{
	char cwd[300], uri[400];
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(uri, sizeof uri, "test://%s/tests/unit/data/%.60s", cwd, file);
	driver_open(d, uri);
}

void driver_close(struct driver *d)
{
	sample_done(&d->s);
	d->b->ops->close(d->b);
}

void driver_take(struct driver *d, unsigned groups)
{
	struct err e = ERR_INIT;
	if (d->b->ops->sample(d->b, groups, &d->s, &e) < 0)
		fail_msg("%s", e.msg);
}

const struct vm_sample *driver_vm(const struct driver *d, const char *name)
{
	for (size_t i = 0; i < d->s.n_vms; i++)
		if (strcmp(d->s.vms[i].name, name) == 0)
			return &d->s.vms[i];
	fail_msg("no VM %s", name);
	return NULL;
}
