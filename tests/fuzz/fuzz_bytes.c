/* SPDX-License-Identifier: MIT */
/* Any bytes at any times, at ten terminals: what comes out as a command had its key alone, outside of every
 * escape sequence, and answers only what was shown. An input is the terminal, then pairs of a pause and a
 * byte. */
#include <locale.h>

#include "fuzz.h"
#include "support/typist.h"

static void nothing_wrong(const struct typist *t)
{
	if (t->wrong[0])
		fprintf(stderr, "%s\n", t->wrong);
	FUZZ_HOLDS(t->wrong[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int16_t pauses[] = {
		0, 0, 1, 10, 24, 26, 60, 99, 100, 101, 200, 301, 999, 1001, 2999, 3001};
	struct typist t;
	setlocale(LC_CTYPE, "C.UTF-8");
	FUZZ_HOLDS(typist_open(&t, typist_term(size ? data[0] : 0)));
	for (size_t i = 1; i + 1 < size && i < 600; i += 2) {
		unsigned char b[2] = {data[i + 1], i + 2 < size ? data[i + 2] : 0};
		typist_wait(&t, pauses[data[i] & 15]);
		t.blind = data[i] & 16;
		typist_bytes(&t, (const char *)b, data[i] & 32 ? 2 : 1);
		nothing_wrong(&t);
	}
	typist_wait(&t, 5000);
	nothing_wrong(&t);
	FUZZ_HOLDS(keys_guard_due(&t.guard) == -1);
	typist_close(&t);
	return 0;
}
