/* SPDX-License-Identifier: MIT */
/* A text that is kept in a file. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

/* Fails the test when the file holds another text; with VMTOP_GOLDEN=write (`make golden`) writes it anew. */
void golden_is(const char *path, const char *now);

#endif
