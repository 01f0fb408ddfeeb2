/* SPDX-License-Identifier: MIT */
/* Ages that outlive a run, by a clock that neither a wrong nor a corrected wall clock moves. */
#ifndef VMTOP_BOOT_H
#define VMTOP_BOOT_H

#include <stdint.h>

enum { BOOT_NAME = 48 };

int64_t boot_seconds(void);          /* CLOCK_BOOTTIME */
void boot_name(char buf[BOOT_NAME]); /* of this boot; "": not known, like no other */

#endif
