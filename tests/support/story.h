/* SPDX-License-Identifier: MIT */
/* A story: what a controller says and does on a host in which a lot happens, line by line, compared with the
 * one that is kept in tests/scenario/golden. `make golden` writes it anew (VMTOP_GOLDEN=write); read the
 * difference as a diff: each line that changes is a decision that changes. */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

void story_begin(const char *name);
__attribute__((format(printf, 1, 2))) void story_line(const char *format, ...);
/* Fails the test at the first line that is not as it was. */
void story_end(void);

#endif
