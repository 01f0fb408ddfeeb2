/* SPDX-License-Identifier: MIT */
/* The journal on disk. Invariant: what a VM was like is on disk, synced, before the first call that changes
 * it, and what it is to become is written before every call. A line is written whole or not at all; a torn
 * last line is passed over when reading. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/err.h"
#include "vmtop/folder.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

enum { JOURNAL_MAX = 64 << 20, COMPACT_ABOVE = 256 << 10, COMPACT_FACTOR = 4 };

struct journal {
	int fd;
	int dir;     /* that it is in; nothing is done by path */
	off_t size;  /* of whole lines */
	off_t clean; /* after it was written anew last */
	char path[JOURNAL_PATH];
	const char *name; /* in dir: the end of path */
	char uri[512];
};

static int fail(struct err *err, const char *what, const char *path)
{
	return err_set(err, ERR_RUNTIME, "cannot %s the journal %s: %s", what, path, strerror(errno));
}

/* Locks of the open file, not of the process: they go with the descriptor, also after a crash. */
static int lock(int fd, int how, struct flock *l)
{
	*l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, how, l);
}

static long named_owner(int fd)
{
	char line[1024];
	ssize_t n = pread(fd, line, sizeof line - 1, 0);
	if (n <= 0)
		return -1;
	line[n] = '\0';
	const char *p = strstr(line, "\"pid\":");
	long pid = p ? strtol(p + 6, NULL, 10) : 0;
	return pid > 0 ? pid : -1;
}

/* The folder of a journal; *name becomes what the journal is called in it. -1: errno, and err if any, say
 * why.
 */
static int open_folder(const char *path, const char **name, struct err *err)
{
	char dir[JOURNAL_PATH];
	*name = strrchr(path, '/') + 1;
	snprintf(dir, sizeof dir, "%.*s", (int)(*name - path - 1), path);
	return folder_open(text_or(dir, "/"), err);
}

long journal_owner(const char *uri)
{
	char path[JOURNAL_PATH];
	const char *name;
	struct flock l;
	int dir = journal_path(path, sizeof path, uri) < 0 ? -1 : open_folder(path, &name, NULL);
	int fd = dir < 0 ? -1 : openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0)
		close(dir);
	if (fd < 0)
		return 0;
	long owner = lock(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK ? named_owner(fd) : 0;
	close(fd);
	return owner;
}

/* Takes back what was written of a line that did not fit: a full disk must not spoil the next one. */
static int append(struct journal *journal, const char *text, size_t len)
{
	ssize_t n = write(journal->fd, text, len);
	if (n == (ssize_t)len) {
		journal->size += n;
		return 0;
	}
	int saved = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(journal->fd, journal->size) < 0)
		saved = errno;
	errno = saved;
	return -1;
}

static int write_head(struct journal *journal)
{
	json_t *head = json_pack(
		"{s:i, s:i, s:s}", "vmtop", JOURNAL_FORMAT, "pid", (int)getpid(), "uri", journal->uri);
	char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	errno = ENOMEM;
	int rc = text && append(journal, text, strlen(text)) == 0 ? append(journal, "\n", 1) : -1;
	free(text);
	return rc;
}

/* The file that was opened may have been removed by its last owner before it could be locked. */
static bool still_there(const struct journal *journal)
{
	struct stat a, b;
	return fstat(journal->fd, &a) == 0 &&
	       fstatat(journal->dir, journal->name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The error for whoever comes second; pid as journal_owner() says. Returns -1. */
static int taken(long pid, struct err *err)
{
	char who[64] = "another vmtop";
	if (pid > 0)
		snprintf(who, sizeof who, "vmtop with process id %ld", pid);
	return err_set(err, ERR_RUNTIME, "%s steers this host already; this one only watches", who);
}

static int open_locked(struct journal *journal, struct err *err)
{
	struct flock l;
	for (int tries = 0; tries < 8; tries++) {
		journal->fd = openat(journal->dir, journal->name,
			O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (journal->fd < 0)
			return fail(err, "open", journal->path);
		if (lock(journal->fd, F_OFD_SETLK, &l) < 0)
			return errno == EAGAIN || errno == EACCES ? taken(named_owner(journal->fd), err)
								  : fail(err, "lock", journal->path);
		if (still_there(journal))
			return 0;
		close(journal->fd);
		journal->fd = -1;
	}
	errno = EAGAIN;
	return fail(err, "open", journal->path);
}

/* A torn line at the end of a crashed run must not swallow the next one. */
static int begin(struct journal *journal, struct err *err)
{
	struct stat st;
	char last = '\n';
	if (fstat(journal->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(err, "open", journal->path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_RUNTIME,
			"the journal %s belongs to another user: look at it, move it away, and start again",
			journal->path);
	journal->size = journal->clean = st.st_size;
	if (st.st_size && pread(journal->fd, &last, 1, st.st_size - 1) != 1)
		return fail(err, "read", journal->path);
	if ((last != '\n' && append(journal, "\n", 1) < 0) || write_head(journal) < 0)
		return fail(err, "write", journal->path);
	journal_sweep(journal->dir, journal->name);
	return 0;
}

struct journal *journal_open(const char *uri, struct err *err)
{
	struct journal *journal = calloc(1, sizeof *journal);
	if (!journal) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	journal->fd = journal->dir = -1;
	snprintf(journal->uri, sizeof journal->uri, "%s", uri);
	if (journal_path(journal->path, sizeof journal->path, uri) < 0)
		err_set(err, ERR_RUNTIME, "no home folder for the journal: set XDG_STATE_HOME");
	else if (journal_folders(journal->path) < 0)
		err_set(err, ERR_RUNTIME, "cannot create the folder of %s: %s", journal->path,
			strerror(errno));
	else if ((journal->dir = open_folder(journal->path, &journal->name, err)) >= 0 &&
		 open_locked(journal, err) == 0 && begin(journal, err) == 0)
		return journal;
	if (journal->fd >= 0)
		close(journal->fd);
	if (journal->dir >= 0)
		close(journal->dir);
	free(journal);
	return NULL;
}

void journal_close(struct journal *journal, bool remove)
{
	if (!journal)
		return;
	if (remove)
		unlinkat(journal->dir, journal->name, 0);
	close(journal->fd);
	close(journal->dir);
	free(journal);
}

int journal_note(struct journal *journal, enum journal_word word, const struct vm_record *rec, int object,
	struct err *err)
{
	size_t len = 0;
	char *text = journal_line(word, rec, object, &len);
	errno = ENOMEM;
	int rc = text ? append(journal, text, len) : -1;
	free(text);
	return rc < 0 ? fail(err, "write", journal->path) : 0;
}

int journal_sync(struct journal *journal, struct err *err)
{
	return fdatasync(journal->fd) < 0 ? fail(err, "sync", journal->path) : 0;
}

/* The lines that lead to the record as it is. */
static int write_vcpu(
	struct journal *journal, const struct vm_record *rec, const struct vcpu_record *vcpu, struct err *err)
{
	struct vcpu_record only = *vcpu;
	struct vm_record one = *rec;
	one.vcpus = &only;
	one.n_vcpus = 1;
	if (journal_note(journal, JOURNAL_FOUND, &one, vcpu->id, err) < 0)
		return -1;
	only.wrote = vcpu->before;
	if (vcpu->unsure && journal_note(journal, JOURNAL_WROTE, &one, vcpu->id, err) < 0)
		return -1;
	only.wrote = vcpu->wrote;
	return journal_note(journal, vcpu->unsure ? JOURNAL_WILL : JOURNAL_WROTE, &one, vcpu->id, err);
}

static int write_balloon(struct journal *journal, const struct vm_record *rec, struct err *err)
{
	const int64_t steps[] = {rec->low_kib, rec->high_kib, rec->wrote_kib};
	struct vm_record one = *rec;
	int rc = journal_note(journal, JOURNAL_FOUND, rec, JOURNAL_BALLOON, err);
	for (size_t i = 0; i < 3 && rc == 0; i++) {
		one.wrote_kib = steps[i];
		rc = journal_note(journal, JOURNAL_WROTE, &one, JOURNAL_BALLOON, err);
	}
	return rc;
}

static int write_kept(struct journal *journal, const struct vm_record *rec, const struct kept *kept,
	int object, struct err *err)
{
	struct vm_record one = *rec;
	*(object == JOURNAL_PERIOD ? &one.period : &one.shares) = (struct kept){.wrote = kept->before};
	if (journal_note(journal, JOURNAL_FOUND, rec, object, err) < 0 ||
		journal_note(journal, JOURNAL_WROTE, &one, object, err) < 0)
		return -1;
	return kept->before == kept->wrote ? 0 : journal_note(journal, JOURNAL_WILL, rec, object, err);
}

static int write_record(struct journal *journal, const struct vm_record *rec, struct err *err)
{
	for (size_t i = 0; i < rec->n_vcpus; i++)
		if (write_vcpu(journal, rec, &rec->vcpus[i], err) < 0)
			return -1;
	if (rec->wrote_kib >= 0 && write_balloon(journal, rec, err) < 0)
		return -1;
	if (rec->period.wrote >= 0 && write_kept(journal, rec, &rec->period, JOURNAL_PERIOD, err) < 0)
		return -1;
	return rec->shares.wrote >= 0 ? write_kept(journal, rec, &rec->shares, JOURNAL_SHARES, err) : 0;
}

static int write_anew(struct journal *journal, const struct ledger *ledger, struct err *err)
{
	struct flock how;
	if (lock(journal->fd, F_OFD_SETLK, &how) < 0 || write_head(journal) < 0)
		return fail(err, "write", journal->path);
	for (size_t i = 0; i < ledger->n; i++)
		if (record_changes(&ledger->vms[i]) && write_record(journal, &ledger->vms[i], err) < 0)
			return -1;
	return journal_sync(journal, err);
}

int journal_compact(struct journal *journal, const struct ledger *ledger, bool now, struct err *err)
{
	off_t limit = max_of(COMPACT_FACTOR * journal->clean, COMPACT_ABOVE);
	if (!now && journal->size < limit)
		return 0;
	struct journal fresh = *journal;
	char temporary[JOURNAL_PATH];
	if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", journal->name) >= (int)sizeof temporary)
		return err_set(err, ERR_RUNTIME, "the path of the journal is too long: %s", journal->path);
	fresh.fd = folder_temporary(journal->dir, temporary, O_APPEND);
	fresh.size = 0;
	if (fresh.fd < 0)
		return fail(err, "write anew", journal->path);
	if (write_anew(&fresh, ledger, err) < 0 ||
		renameat(journal->dir, temporary, journal->dir, journal->name) < 0) {
		if (!err->code)
			fail(err, "write anew", journal->path);
		unlinkat(journal->dir, temporary, 0);
		close(fresh.fd);
		return -1;
	}
	fsync(journal->dir); /* the rename counts once the folder is on disk too */
	close(journal->fd);
	journal->fd = fresh.fd;
	journal->size = journal->clean = fresh.size;
	return 0;
}

/* A run of a newer vmtop has written into it. */
static bool is_newer(FILE *file)
{
	static const char head[] = "{\"vmtop\":";
	char *line = NULL;
	size_t cap = 0;
	bool newer = false;
	while (!newer && getline(&line, &cap, file) > 0)
		newer = strncmp(line, head, sizeof head - 1) == 0 &&
			strtol(line + sizeof head - 1, NULL, 10) > JOURNAL_FORMAT;
	free(line);
	rewind(file);
	return newer;
}

/* A line that cannot be is counted, the first one is named; the others count all the same. */
static void load_stream(FILE *file, struct ledger *ledger, struct journal_doubts *doubts)
{
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t n;
	while ((n = getline(&line, &cap, file)) > 0) {
		const char *why = NULL;
		number++;
		if (line[n - 1] == '\n') /* else torn off by a crash */
			why = journal_take_line(ledger, line, (size_t)n);
		if (why && doubts->n++ < JOURNAL_DOUBTS) {
			doubts->lines[doubts->n - 1] = number;
			doubts->why[doubts->n - 1] = why;
		}
	}
	free(line);
}

static int refuse_file(const char *path, const struct stat *st, struct err *err)
{
	const char *why = "too large";
	if (!S_ISREG(st->st_mode))
		why = "not a file";
	else if (st->st_uid != geteuid())
		why = "it belongs to another user";
	else if (st->st_mode & 022)
		why = "others may write to it";
	return err_set(err, ERR_RUNTIME, "cannot read the journal %s: %s", path, why);
}

static int load_fd(
	int fd, const char *path, struct ledger *ledger, struct journal_doubts *doubts, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fail(err, "read", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022 || st.st_size > JOURNAL_MAX)
		return refuse_file(path, &st, err);
	int own = dup(fd);
	FILE *file = own < 0 ? NULL : fdopen(own, "r");
	if (!file) {
		if (own >= 0)
			close(own);
		return fail(err, "read", path);
	}
	bool newer = is_newer(file);
	if (newer)
		err_set(err, ERR_RUNTIME,
			"the journal %s is of a newer vmtop: only that one can put back what it says", path);
	else
		load_stream(file, ledger, doubts);
	fclose(file);
	return newer ? -1 : 1;
}

int journal_load(const char *uri, struct ledger *ledger, struct journal_doubts *doubts, struct err *err)
{
	char path[JOURNAL_PATH];
	const char *name;
	doubts->n = 0;
	if (journal_path(path, sizeof path, uri) < 0)
		return 0;
	int dir = open_folder(path, &name, err);
	if (dir < 0)
		return errno == ENOENT ? (err->code = ERR_NONE, 0) : -1;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), saved = errno;
	close(dir);
	errno = saved;
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(err, "read", path);
	int rc = load_fd(fd, path, ledger, doubts, err);
	close(fd);
	return rc;
}
