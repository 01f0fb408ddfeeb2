/* SPDX-License-Identifier: MIT */
/* The files of recordings. Invariant: what is written is new, ours and private: never an existing file, never
 * through a link; what is removed is a recording of this name that nobody writes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record_priv.h"
#include "vmtop/folder.h"

/* What SQLite keeps beside a file. */
static const char *const tails[] = {"-wal", "-shm", "-journal"};
enum { TAILS = sizeof tails / sizeof *tails, TIME_NAME = 16, NAMES_A_SECOND = 9 };

/* SQLite would take a write-ahead log that lies there for ours. */
static int refuse_leftovers(const char *path, struct err *err)
{
	for (size_t i = 0; i < TAILS; i++) {
		char name[CFG_TEXT + 64];
		struct stat s;
		snprintf(name, sizeof name, "%s%s", path, tails[i]);
		if (lstat(name, &s) == 0)
			return err_set(err, ERR_RUNTIME,
				"cannot create the recording %.150s: %.20s of an older one lies beside it",
				path, tails[i]);
	}
	return 0;
}

/* -1: errno is EEXIST where something is there. */
static int create(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		int saved = errno;
		err_set(err, ERR_RUNTIME, "cannot create the recording %.200s: %s", path,
			saved == EEXIST ? "it exists already; vmtop does not write over a recording"
					: strerror(saved));
		errno = saved;
		return -1;
	}
	fchmod(fd, 0600); /* whatever the umask */
	close(fd);
	return 0;
}

static bool is_file(const char *path)
{
	struct stat s;
	return lstat(path, &s) == 0 && S_ISREG(s.st_mode);
}

/* FILE.20261130T020105Z, and with -2 to -9 behind it for those of the same second. */
static int create_beside(struct record *rec, struct err *err)
{
	char when[TIME_NAME + 1] = "";
	time_t now = time(NULL);
	struct tm tm;
	if (gmtime_r(&now, &tm))
		strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
	rec->others = true;
	for (int i = 1; i <= NAMES_A_SECOND; i++) {
		snprintf(rec->path, sizeof rec->path, i == 1 ? "%s.%s" : "%s.%s-%d", rec->name, when, i);
		if (refuse_leftovers(rec->path, err) < 0)
			continue;
		err->code = ERR_NONE;
		if (create(rec->path, err) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return -1;
}

int record_file_new(struct record *rec, struct err *err)
{
	snprintf(rec->path, sizeof rec->path, "%s", rec->name);
	int dir = folder_of_open(rec->path, true, err); /* SQLite goes by path */
	if (dir < 0 && errno == EPERM)
		return err_prefix(err, "cannot create the recording");
	if (dir >= 0)
		close(dir);
	rec->others = rec->room > 0;
	if (rec->room > 0 && is_file(rec->name))
		return create_beside(rec, err);
	return refuse_leftovers(rec->path, err) < 0 ? -1 : create(rec->path, err);
}

/* ---- those of earlier runs ---- */

static bool digits(const char *s, size_t n)
{
	return strspn(s, "0123456789") >= n;
}

/* What follows the name: nothing, or the time as above. */
static bool is_ours(const char *rest)
{
	if (!*rest)
		return true;
	if (rest[0] != '.' || !digits(rest + 1, 8) || rest[9] != 'T' || !digits(rest + 10, 6) ||
		rest[16] != 'Z')
		return false;
	rest += 17;
	return !*rest || (rest[0] == '-' && rest[1] >= '2' && rest[1] <= '9' && !rest[2]);
}

/* A recording of an earlier run, with its write-ahead log. */
struct other {
	char name[NAME_MAX + 1];
	int64_t bytes;
	struct timespec written;
	bool open; /* somebody writes it */
};

/* Whoever writes a recording holds a lock on these bytes of it all the time. (Who reads one goes on with a
 * file that has lost its name.) Not to be asked of one that this process has open: closing it would take its
 * own locks away. */
static bool is_open(int fd)
{
	enum { SHARED_FIRST = 0x40000002, SHARED_SIZE = 510 };
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARED_FIRST, .l_len = SHARED_SIZE};
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static bool is_recording(int fd)
{
	unsigned char head[72];
	uint32_t id = 0;
	if (pread(fd, head, sizeof head, 0) != sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
		return false;
	for (int i = 0; i < 4; i++)
		id = id << 8 | head[68 + i];
	return id == RECORDING_APPLICATION_ID;
}

static bool look_at(int dir, const char *name, struct other *other)
{
	char beside[NAME_MAX + 8];
	struct stat s;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool good = fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() &&
		    is_recording(fd);
	if (good) {
		snprintf(other->name, sizeof other->name, "%s", name);
		other->bytes = s.st_size;
		other->written = s.st_mtim;
		other->open = is_open(fd);
	}
	if (fd >= 0)
		close(fd);
	snprintf(beside, sizeof beside, "%s%s", name, tails[0]);
	if (good && fstatat(dir, beside, &s, AT_SYMLINK_NOFOLLOW) == 0)
		other->bytes += s.st_size;
	return good;
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static DIR *folder_of(const struct record *rec)
{
	struct err ignored = ERR_INIT;
	int dir = folder_of_open(rec->name, true, &ignored);
	DIR *d = dir < 0 ? NULL : folder_list(dir);
	if (dir >= 0)
		close(dir);
	return d;
}

/* Bytes of all. oldest: of those that nobody writes the one written longest ago; its name is empty: none.
 */
static int64_t look_at_others(const struct record *rec, DIR *dir, struct other *oldest)
{
	const char *name = last_of(rec->name);
	size_t n = strlen(name);
	int64_t all = 0;
	oldest->name[0] = '\0';
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct other other;
		if (strncmp(entry->d_name, name, n) != 0 || !is_ours(entry->d_name + n) ||
			strcmp(entry->d_name, last_of(rec->path)) == 0 ||
			!look_at(dirfd(dir), entry->d_name, &other))
			continue;
		all += other.bytes;
		if (!other.open && (!*oldest->name || earlier(&other.written, &oldest->written)))
			*oldest = other;
	}
	return all;
}

int64_t record_others_bytes(const struct record *rec)
{
	struct other oldest;
	DIR *dir = folder_of(rec);
	int64_t all = dir ? look_at_others(rec, dir, &oldest) : 0;
	if (dir)
		closedir(dir);
	return all;
}

/* The file goes last: what is left beside one that is gone would be in the way of the next of this name. */
bool record_others_drop(const struct record *rec)
{
	struct other oldest = {0};
	char beside[NAME_MAX + 16];
	DIR *dir = folder_of(rec);
	if (dir)
		look_at_others(rec, dir, &oldest);
	for (size_t i = 0; i < TAILS && *oldest.name; i++) {
		snprintf(beside, sizeof beside, "%s%s", oldest.name, tails[i]);
		unlinkat(dirfd(dir), beside, 0);
	}
	bool gone = *oldest.name && unlinkat(dirfd(dir), oldest.name, 0) == 0;
	if (dir)
		closedir(dir);
	return gone;
}
