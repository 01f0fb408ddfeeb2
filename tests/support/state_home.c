/* SPDX-License-Identifier: MIT */
#include "support/state_home.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/vmtop-test-XXXXXX";

int state_home_make(void **state)
{
	(void)state;
	return mkdtemp(folder) ? setenv("XDG_STATE_HOME", folder, 1) : -1;
}

int state_home_remove(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof path, "%s/vmtop", folder);
	rmdir(path);
	return rmdir(folder);
}

const char *state_home(void)
{
	return folder;
}
