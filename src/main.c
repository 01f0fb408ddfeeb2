/* SPDX-License-Identifier: MIT */
/* Options -> backend -> engine -> UI. No logic of its own. */
#include <stdio.h>

int main(void)
{
	puts("vmtop " VMTOP_VERSION);
	return 0;
}
