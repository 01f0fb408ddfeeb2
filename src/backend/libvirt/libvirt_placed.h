/* SPDX-License-Identifier: MIT */
/* Where a guest was placed by what its XML only names. */
#ifndef VMTOP_BACKEND_LIBVIRT_PLACED_H
#define VMTOP_BACKEND_LIBVIRT_PLACED_H

#include <libvirt/libvirt.h>

#include "domxml.h"

/* Adds to the facts what they ask for. -1: it is there and could not be had: the facts are not whole. */
int placed_ask(struct dom_facts *facts, virDomainPtr dom, int *calls);

#endif
