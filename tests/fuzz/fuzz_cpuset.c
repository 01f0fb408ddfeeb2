/* SPDX-License-Identifier: MIT */
/* CPU lists: what parses prints as a list that parses to the same set. */
#include "fuzz.h"
#include "vmtop/cpuset.h"
#include "vmtop/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpuset set, again;
	struct err e = ERR_INIT;
	char *text = fuzz_text(data, size), buf[CPUSET_CPUS * 5], small[9];
	if (cpuset_parse(&set, text, &e) == 0) {
		size_t n = cpuset_format(&set, buf, sizeof buf);
		FUZZ_HOLDS(n < sizeof buf && strlen(buf) == n);
		FUZZ_HOLDS(cpuset_parse(&again, buf, &e) == 0 && cpuset_equal(&set, &again));
		FUZZ_HOLDS(cpuset_format(&set, small, sizeof small) == n);
		FUZZ_HOLDS(strlen(small) < sizeof small && strncmp(small, buf, strlen(small)) == 0);
		FUZZ_HOLDS(cpuset_count(&set) >= 0 && cpuset_count(&set) <= CPUSET_CPUS);
	} else {
		FUZZ_HOLDS(e.msg[0]);
	}
	free(text);
	return 0;
}
