/* SPDX-License-Identifier: MIT */
/* Guests that travel: pins that vmtop made on one host mean nothing on another. libvirt's hook calls
 * `vmtop hook` there, which takes out of the definition what is marked as ours. */
#ifndef VMTOP_MIGRATE_H
#define VMTOP_MIGRATE_H

#include "vmtop/err.h"

/* Where libvirt (6.5 and later) looks for it on each host. */
#define MIGRATE_HOOK "/etc/libvirt/hooks/qemu.d/vmtop"

/* The definition of a guest without the pins that vmtop marked as its own, those that it found put back. *out
 * is the caller's to free, or NULL: there is nothing of ours in it. Returns 0, or -1 with err set. */
int migrate_strip(const char *xml, char **out, struct err *err);

#endif
