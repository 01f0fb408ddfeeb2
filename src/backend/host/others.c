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

/* By the name of the process; where that is an interpreter's, also by a part of its command line. */
static const struct {
	const char *comm, *command;
	uint32_t bit;
} known[] = {
	{"numad", NULL, OTHER_NUMAD},
	{"momd", NULL, OTHER_MOM},
	{"mom-vdsm", NULL, OTHER_MOM},
	{"pvestatd", NULL, OTHER_PROXMOX},
	{"vmtop", NULL, OTHER_VMTOP},
	{"pacemakerd", NULL, OTHER_PACEMAKER},
	{"nova-compute", NULL, OTHER_NOVA},
	{"python3", "/nova-compute", OTHER_NOVA},
	{"vdsmd", NULL, OTHER_VDSM},
	{"python3", "/vdsmd", OTHER_VDSM},
	{"java", "com.cloud.agent.AgentShell", OTHER_CLOUDSTACK},
	{"jsvc", "com.cloud.agent.AgentShell", OTHER_CLOUDSTACK},
	{"ruby", "/var/tmp/one/im/", OTHER_OPENNEBULA},
	{"vsched", NULL, OTHER_VSCHED},
	{"python3", "/vsched", OTHER_VSCHED},
	{"skylark", NULL, OTHER_SKYLARK},
	{"python3", "/skylark", OTHER_SKYLARK},
};

static bool command_has(const char *root, const char *pid, const char *part)
{
	char path[512], line[4096];
	snprintf(path, sizeof path, "%s/proc/%.20s/cmdline", root, pid);
	ssize_t n = procfile_read(path, line, sizeof line);
	return n > 0 && memmem(line, (size_t)n, part, strlen(part));
}

static uint32_t bit_of(const char *root, const char *pid)
{
	char path[512], comm[32];
	snprintf(path, sizeof path, "%s/proc/%.20s/comm", root, pid);
	if (procfile_read(path, comm, sizeof comm) < 0)
		return 0;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].comm, comm) == 0 &&
			(!known[i].command || command_has(root, pid, known[i].command)))
			return known[i].bit;
	return 0;
}

/* A cluster may run no VMs. The agent that runs them keeps a file for each. */
static bool pacemaker_has_vms(const char *root)
{
	char path[512];
	bool has = false;
	snprintf(path, sizeof path, "%s/run/resource-agents", root);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && !has && (entry = readdir(dir));)
		has = strncmp(entry->d_name, "VirtualDomain-", 14) == 0;
	if (dir)
		closedir(dir);
	return has;
}

uint32_t others_find(const char *root, pid_t self)
{
	char path[512];
	uint32_t found = 0;
	snprintf(path, sizeof path, "%s/proc", root);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (isdigit((unsigned char)entry->d_name[0]) && atol(entry->d_name) != (long)self)
			found |= bit_of(root, entry->d_name);
	if (dir)
		closedir(dir);
	if ((found & OTHER_PACEMAKER) && !pacemaker_has_vms(root))
		found &= ~(uint32_t)OTHER_PACEMAKER;
	return found;
}
