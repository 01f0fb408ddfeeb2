/* SPDX-License-Identifier: MIT */
/* Other controllers on this machine. */
#ifndef VMTOP_BACKEND_OTHERS_H
#define VMTOP_BACKEND_OTHERS_H

#include <sys/types.h>

#include "vmtop/sample.h"

/* Bits of enum host_other. `root` is put in front of /proc; self does not count. */
uint32_t others_find(const char *root, pid_t self);

#endif
