/* SPDX-License-Identifier: MIT */
/* What this process costs. Invariant: what cannot be read is absent. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "exposition.h"

static struct vi64 resident_kib(void)
{
	long long all, resident;
	FILE *file = fopen("/proc/self/statm", "re");
	int n = file ? fscanf(file, "%lld %lld", &all, &resident) : 0;
	if (file)
		fclose(file);
	return n == 2 ? vi64_ok(resident * (sysconf(_SC_PAGESIZE) / 1024)) : vi64_absent(AVAIL_UNSUPPORTED);
}

void exposition_own(struct tally_own *own)
{
	struct timespec t;
	own->cpu_ns = vi64_absent(AVAIL_UNSUPPORTED);
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
		own->cpu_ns = vi64_ok((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
	own->rss_kib = resident_kib();
}
