/* SPDX-License-Identifier: MIT */
/* Whose job it is to move a guest. */
#ifndef VMTOP_BACKEND_OWNER_H
#define VMTOP_BACKEND_OWNER_H

#include <stddef.h>

/* How the namespaces of OpenStack begin. */
#define OWNER_OPENSTACK "http://openstack.org/"

/* What a cloud's manager has noted down in the guest's definition, as words on whose it is and how it is
 * moved there; "": nobody's. */
void owner_of(const char *xml, char *buf, size_t len);

#endif
