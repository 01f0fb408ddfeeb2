/* SPDX-License-Identifier: MIT */
/* Commands that tests put in the place of real ones: a folder of their own, and what they left in it. */
#ifndef VMTOP_TESTS_COMMANDS_H
#define VMTOP_TESTS_COMMANDS_H

/* Of a group of tests: makes the folder; takes it away, and PATH is as it was. */
int commands_begin(void **state);
int commands_end(void **state);

const char *commands_dir(void);
void commands_put(const char *name, const char *text); /* may be run */
const char *commands_left(const char *name);           /* what stands in a file there; "": nothing */
void commands_real(void);                              /* PATH as it was */

#endif
