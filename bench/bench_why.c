/* SPDX-License-Identifier: MIT */
/* 200 faults of every kind put into simulated hosts, and the guests beside them that have none: what is named
 * first, as a matrix. ARGS: faults of each kind. */
#include <stdio.h>
#include <stdlib.h>

#include "support/why_faults.h"

int main(int argc, char **argv)
{
	static struct why_matrix m;
	unsigned each = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 12;
	for (int kind = 0; kind < CAUSE_COUNT; kind++)
		for (unsigned n = 0; n < each; n++)
			why_inject(&m, (enum cause)kind, n);
	why_print(&m);
	return m.right * 100 < m.faults * 95 || m.accused;
}
