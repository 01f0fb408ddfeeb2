/* SPDX-License-Identifier: MIT */
/* What every fuzz target has. A target is tests/fuzz/fuzz_NAME.c with this one function; its seeds, if any,
 * are the files of tests/fuzz/corpus/NAME/. `make fuzz` runs all of them with clang's libFuzzer, and
 * `make check` plays the seeds with any compiler. */
#ifndef VMTOP_FUZZ_H
#define VMTOP_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold: a breach is a crash that the fuzzer keeps. */
#define FUZZ_HOLDS(what)                                                                                     \
	do {                                                                                                 \
		if (!(what)) {                                                                               \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);            \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

/* The input as a string of its own, so that a read past its end is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
