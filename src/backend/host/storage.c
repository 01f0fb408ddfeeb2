/* SPDX-License-Identifier: MIT */
/* Where a guest's disk lies, as far as this machine tells. Symbolic links are followed one part of the path
 * after another, each only once its own file system is known to be of this machine. Invariant: nothing of a
 * network's file system is asked. Must not know: libvirt. */
#include "storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096, LINE = 8192, TYPE = 64, LINKS_MOST = 16 };

/* \040 and the like, as the kernel writes blanks there. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *p = text; *p; to++) {
		bool octal = p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
			     p[3] >= '0' && p[3] <= '7';
		*to = octal ? (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')) : *p;
		p += octal ? 4 : 1;
	}
	*to = '\0';
}

/* "36 35 98:0 /root /point rw - type source options"; of two with one point the later lies on top. */
static bool read_mount(char *line, char **point, char **type)
{
	char *save, *word = strtok_r(line, " ", &save);
	*point = *type = NULL;
	for (int i = 0; word; i++, word = strtok_r(NULL, " ", &save)) {
		if (i == 4)
			*point = word;
		if (i > 5 && strcmp(word, "-") == 0) {
			*type = strtok_r(NULL, " \n", &save);
			break;
		}
	}
	if (*point)
		unescape(*point);
	return *point && *type;
}

static bool under(const char *path, const char *point, size_t n)
{
	return strncmp(path, point, n) == 0 && (n == 1 || path[n] == '/' || path[n] == '\0');
}

static bool type_of(const char *path, const char *mounts, char type[TYPE])
{
	char line[LINE], *point, *found;
	size_t longest = 0;
	FILE *file = fopen(mounts, "re");
	type[0] = '\0';
	while (file && fgets(line, sizeof line, file)) {
		if (!read_mount(line, &point, &found))
			continue;
		size_t n = strlen(point);
		if (n < longest || !under(path, point, n))
			continue;
		longest = n;
		snprintf(type, TYPE, "%s", found);
	}
	if (file)
		fclose(file);
	return type[0];
}

/* Those that several hosts mount at once; the same that libvirt takes for safe, and a few more of the kind.
 */
static bool is_shared(const char *type)
{
	static const char *const shared[] = {"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.ceph",
		"fuse.glusterfs", "glusterfs", "gfs2", "ocfs2", "gpfs", "lustre", "beegfs", "afs", "acfs",
		"vxfs", "quobyte", "fuse.quobyte", "fuse.moosefs", "fuse.mfs", "fuse.lizardfs",
		"fuse.linstor"};
	for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
		if (strcmp(type, shared[i]) == 0)
			return true;
	return false;
}

/* Puts what a link says in place of the first n bytes of path. */
static bool follow(char path[PATH], size_t n, const char *link)
{
	char next[PATH];
	size_t dir = n;
	while (dir && path[dir - 1] != '/')
		dir--;
	int len = snprintf(next, sizeof next, "%.*s%s%s", *link == '/' ? 0 : (int)dir, path, link, path + n);
	if (len < 0 || len >= PATH)
		return false;
	memcpy(path, next, (size_t)len + 1);
	return true;
}

/* The end of the first part of path that is a link; false: none is, as far as it may be looked. */
static bool find_link(const char *path, const char *mounts, size_t *at, char link[PATH])
{
	char part[PATH], type[TYPE];
	for (size_t n = 1; path[n - 1]; n++) {
		if (path[n] && path[n] != '/')
			continue;
		snprintf(part, sizeof part, "%.*s", (int)n, path);
		if (!type_of(part, mounts, type) || is_shared(type) || strncmp(type, "fuse", 4) == 0)
			return false;
		ssize_t got = readlink(part, link, PATH - 1);
		if (got > 0) {
			link[got] = '\0';
			*at = n;
			return true;
		}
	}
	return false;
}

enum move_disks storage_of_file(const char *path, const char *mounts)
{
	char real[PATH], link[PATH], type[TYPE];
	size_t at;
	if (*path != '/' || strlen(path) >= PATH || strstr(path, "/../"))
		return DISKS_JUDGED;
	snprintf(real, sizeof real, "%s", path);
	for (int i = 0; find_link(real, mounts, &at, link); i++)
		if (i >= LINKS_MOST || strstr(link, "..") || !follow(real, at, link))
			return DISKS_JUDGED;
	bool known = type_of(real, mounts, type) && (is_shared(type) || strncmp(type, "fuse", 4) != 0);
	if (!known)
		return DISKS_JUDGED;
	return is_shared(type) ? DISKS_SHARED : DISKS_LOCAL;
}

/* Names that mean one disk everywhere: a host has it, or has nothing of that name. Not /dev/rbd0 or
 * /dev/mapper/mpatha, which each host numbers by itself, and not volumes of LVM, which may be of one host. */
enum move_disks storage_of_device(const char *path)
{
	static const char *const shared[] = {"/dev/rbd/", "/dev/drbd", "/dev/disk/by-id/wwn-",
		"/dev/disk/by-id/dm-uuid-mpath-", "/dev/disk/by-id/scsi-3", "/dev/mapper/36",
		"/dev/storpool/"};
	for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
		if (strncmp(path, shared[i], strlen(shared[i])) == 0)
			return DISKS_SHARED;
	bool by_path = strncmp(path, "/dev/disk/by-path/", 18) == 0;
	return by_path && (strstr(path, "-iscsi-") || strstr(path, "-fc-")) ? DISKS_SHARED : DISKS_UNKNOWN;
}
