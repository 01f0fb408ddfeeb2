/* SPDX-License-Identifier: MIT */
/* Other programs on this machine that pin or balloon guests, by the names of their processes. Invariant:
 * reads only. A name can be forged; what follows from it is a line in the log, nothing else. */
#include "others.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfile.h"

static const struct {
	const char *comm;
	uint32_t bit;
} known[] = {
	{"numad", OTHER_NUMAD},
	{"momd", OTHER_MOM},
	{"mom-vdsm", OTHER_MOM},
	{"pvestatd", OTHER_PROXMOX},
	{"vmtop", OTHER_VMTOP},
};

static uint32_t bit_of(const char *root, const char *pid)
{
	char path[512], comm[32];
	snprintf(path, sizeof path, "%s/proc/%.20s/comm", root, pid);
	if (procfile_read(path, comm, sizeof comm) < 0)
		return 0;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].comm, comm) == 0)
			return known[i].bit;
	return 0;
}

uint32_t others_find(const char *root, pid_t self)
{
	char path[512];
	uint32_t found = 0;
	snprintf(path, sizeof path, "%s/proc", root);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]) && atol(e->d_name) != (long)self)
			found |= bit_of(root, e->d_name);
	if (d)
		closedir(d);
	return found;
}
