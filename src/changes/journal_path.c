/* SPDX-License-Identifier: MIT */
/* Where journals are: $XDG_STATE_HOME/vmtop, for root without that variable /var/lib/vmtop, which the service
 * and a shell share. Invariant: under sudo nothing of root's is ever put into somebody else's home. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "vmtop/folder.h"

/* Whether the folder, or the nearest one above it that exists, belongs to whoever we are. */
static bool ours(const char *folder)
{
	char path[800];
	struct stat st;
	if (*folder != '/' || snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
		return false;
	while (stat(path, &st) != 0) {
		char *slash = strrchr(path, '/');
		if ((errno != ENOENT && errno != ENOTDIR) || !slash)
			return false;
		if (slash == path)
			return geteuid() == 0;
		*slash = '\0';
	}
	return st.st_uid == geteuid();
}

static int state_folder(char *buf, size_t len)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (xdg && *xdg && ours(xdg))
		return snprintf(buf, len, "%s/vmtop", xdg) < (int)len ? 0 : -1;
	if (geteuid() == 0)
		return snprintf(buf, len, "/var/lib/vmtop") < (int)len ? 0 : -1;
	if (!home || !*home || !ours(home)) {
		struct passwd *user = getpwuid(geteuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home || *home != '/')
		return -1;
	return snprintf(buf, len, "%s/.local/state/vmtop", home) < (int)len ? 0 : -1;
}

static uint32_t hash32(const char *s)
{
	uint32_t h = 2166136261u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

int journal_path(char *buf, size_t len, const char *uri)
{
	char dir[800], name[96];
	if (state_folder(dir, sizeof dir) < 0)
		return -1;
	size_t n = 0;
	for (const char *p = uri; *p && n < sizeof name - 1; p++)
		name[n++] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-", *p)
				    ? *p
				    : '_';
	name[n] = '\0';
	return snprintf(buf, len, "%s/%s-%08x.journal", dir, name, hash32(uri)) < (int)len ? 0 : -1;
}

bool journal_any(void)
{
	char dir[800];
	bool any = false;
	DIR *d = state_folder(dir, sizeof dir) == 0 ? opendir(dir) : NULL;
	for (const struct dirent *entry; d && !any && (entry = readdir(d));)
		any = entry->d_name[0] != '.';
	if (d)
		closedir(d);
	return any;
}

int journal_folders(const char *path)
{
	char part[JOURNAL_PATH];
	snprintf(part, sizeof part, "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return 0;
}

/* "NAME.XXXXXX" in the same folder: of a journal that was written anew. */
static bool is_unfinished(const char *name, const char *base)
{
	size_t n = strlen(base);
	return strncmp(name, base, n) == 0 && name[n] == '.' && strlen(name + n + 1) == 6;
}

void journal_sweep(int dir, const char *base)
{
	DIR *d = folder_list(dir);
	if (!d)
		return;
	for (struct dirent *entry; (entry = readdir(d));)
		if (is_unfinished(entry->d_name, base))
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
}
