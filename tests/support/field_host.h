/* SPDX-License-Identifier: MIT */
/* A host of the field as vmtop sees it: libvirt's test driver has its guests, a made-up /proc and /sys in a
 * folder of its own the machine and the guests' threads. vmtop's own reader of libvirt and of this machine
 * reads them; time is virtual. */
#ifndef TESTS_FIELD_HOST_H
#define TESTS_FIELD_HOST_H

#include "support/field.h"
#include "vmtop/backend.h"

/* Fails the test when it cannot be had. Nothing is ever changed there: apply() fails the test. */
struct backend *field_host_open(const struct field_kind *kind);

#endif
