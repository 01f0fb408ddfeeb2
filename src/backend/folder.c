/* SPDX-License-Identifier: MIT */
/* See folder.h. Invariant: what is checked is what was opened: descriptors and their "..", never a path a
 * second time. */
#include "vmtop/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { DEPTH_MOST = 64, TRIES = 16 };

/* Who could do as much anyway. */
static bool trusted(uid_t uid)
{
	const char *sudo = getenv("SUDO_UID");
	char *end;
	if (uid == 0 || uid == geteuid())
		return true;
	if (geteuid() != 0 || !sudo || !*sudo)
		return false;
	unsigned long caller = strtoul(sudo, &end, 10);
	return !*end && caller == uid;
}

/* A group of one's own is nobody else. */
static bool others_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && st->st_gid != getegid() && st->st_gid != 0);
}

static int refuse(struct err *err, const char *path, const char *which, const struct stat *st)
{
	errno = EPERM;
	if (!trusted(st->st_uid))
		return err_set(err, ERR_RUNTIME,
			"%.200s: %s belongs to user %u, who could replace what is in it", path, which,
			(unsigned)st->st_uid);
	return err_set(err, ERR_RUNTIME,
		"%.200s: others may write to %s (mode %04o) and replace what is in it; chmod go-w mends that",
		path, which, (unsigned)(st->st_mode & 07777));
}

/* The folders above, as they lie on disk. */
static int check_above(int fd, const char *path, struct err *err)
{
	struct stat st, below;
	int up = dup(fd);
	int rc = up < 0 ? -1 : fstat(up, &below);
	for (int i = 0; rc == 0 && i < DEPTH_MOST; i++) {
		int next = openat(up, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(up);
		up = next;
		if (up < 0 || fstat(up, &st) < 0 || (st.st_dev == below.st_dev && st.st_ino == below.st_ino))
			break;
		below = st;
		if (!trusted(st.st_uid) || (others_write(&st) && !(st.st_mode & S_ISVTX)))
			rc = refuse(err, path, "a folder above it", &st);
	}
	if (up >= 0)
		close(up);
	return rc;
}

static int open_checked(const char *path, const char *shown, bool link_ok, bool sticky_ok, struct err *err)
{
	struct stat st;
	int fd = open(path, O_DIRECTORY | O_CLOEXEC | (link_ok ? O_PATH : O_RDONLY | O_NOFOLLOW));
	if (fd < 0) {
		int saved = errno;
		err_set(err, ERR_RUNTIME, "cannot open the folder %.200s: %s", path,
			saved == ELOOP || saved == ENOTDIR ? "it is a link or no folder" : strerror(saved));
		errno = saved;
		return -1;
	}
	bool bad = fstat(fd, &st) < 0 || !trusted(st.st_uid) ||
		   (others_write(&st) && !(sticky_ok && (st.st_mode & S_ISVTX)));
	if (bad ? refuse(err, shown, "the folder", &st) < 0 : check_above(fd, shown, err) < 0) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

int folder_open(const char *path, struct err *err)
{
	return open_checked(path, path, false, false, err);
}

int folder_of_open(const char *path, bool sticky_ok, struct err *err)
{
	char dir[1024];
	if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir)
		return err_set(err, ERR_RUNTIME, "the path is too long: %.200s", path);
	char *slash = strrchr(dir, '/');
	if (!slash)
		snprintf(dir, sizeof dir, ".");
	else
		slash[slash == dir] = '\0';
	return open_checked(dir, path, true, sticky_ok, err);
}

DIR *folder_list(int dir)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	if (!d && again >= 0)
		close(again);
	return d;
}

int folder_file_check(int fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_RUNTIME, "cannot read %.200s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && (!trusted(st.st_uid) || others_write(&st)))
		return refuse(err, path, "the file", &st);
	return 0;
}

static void fill_in(char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char raw[6] = {0};
	if (getrandom(raw, sizeof raw, 0) < 0)
		raw[0] = (unsigned char)getpid();
	for (size_t i = 0; i < sizeof raw; i++)
		name[strlen(name) - 6 + i] = letters[raw[i] % 32];
}

int folder_temporary(int dir, char *name, int flags)
{
	int fd = -1;
	for (int i = 0; i < TRIES && (fd < 0 && (i == 0 || errno == EEXIST)); i++) {
		fill_in(name);
		fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	}
	return fd;
}

int folder_temporary_folder(int dir, char *name)
{
	struct stat st;
	int rc = -1;
	for (int i = 0; i < TRIES && (rc < 0 && (i == 0 || errno == EEXIST)); i++) {
		fill_in(name);
		rc = mkdirat(dir, name, 0700);
	}
	int fd = rc < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Whoever owns dir may have put another one there meanwhile. */
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077))) {
		close(fd);
		errno = EPERM;
		fd = -1;
	}
	return fd;
}
