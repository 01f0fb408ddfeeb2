/* SPDX-License-Identifier: MIT */
/* Whether other hosts see a file of this machine, by the table of mounts. */
#ifndef VMTOP_BACKEND_STORAGE_H
#define VMTOP_BACKEND_STORAGE_H

#include "vmtop/moves.h"

#define STORAGE_MOUNTS "/proc/self/mountinfo" /* of this machine */

/* mounts: a file like /proc/self/mountinfo. DISKS_SHARED, DISKS_LOCAL, or DISKS_JUDGED where the path is not
 * to be followed. Touches nothing on a file system of the network, which may hang. */
enum move_disks storage_of_file(const char *path, const char *mounts);
/* A block device, by its name alone. */
enum move_disks storage_of_device(const char *path);

#endif
