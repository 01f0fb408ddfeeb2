/* SPDX-License-Identifier: MIT */
/* The libvirt backend over libvirt's in-process test driver. */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include "vmtop/backend.h"
#include "vmtop/config.h"

struct driver {
	struct config cfg;
	struct backend *b;
	struct sample s; /* of the last driver_take() */
};

/* Each fails the test when it cannot do it. */
void driver_open(struct driver *d, const char *uri);
void driver_open_file(struct driver *d, const char *file); /* below tests/unit/data */
void driver_close(struct driver *d);
void driver_take(struct driver *d, unsigned groups);
const struct vm_sample *driver_vm(const struct driver *d, const char *name);

#endif
