/* SPDX-License-Identifier: MIT */
/* The journal on disk. Invariant: what a VM was like is on disk, synced, before the first call that changes
 * it. A line is written with one write(); a torn last line is ignored when reading. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/err.h"
#include "vmtop/text.h"

enum { JOURNAL_MAX = 64 << 20, SET_TEXT = 4096 };

struct journal {
	int fd;
	char path[1024];
};

/* Under sudo HOME may still be the caller's: nothing owned by root may be left there. */
static const char *home_folder(void)
{
	struct stat st;
	const char *home = getenv("HOME");
	if (home && *home == '/' && stat(home, &st) == 0 && st.st_uid == geteuid())
		return home;
	struct passwd *pw = getpwuid(geteuid());
	return pw ? pw->pw_dir : NULL;
}

static int state_folder(char *buf, size_t len)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	struct stat st;
	if (xdg && *xdg == '/' && (stat(xdg, &st) != 0 || st.st_uid == geteuid()))
		return snprintf(buf, len, "%s/vmtop", xdg) < (int)len ? 0 : -1;
	const char *home = home_folder();
	if (!home)
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

/* mkdir -p of the folder that holds path. */
static int make_folders(const char *path)
{
	char part[1024];
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

static void lock_owner(int fd, char *buf, size_t len)
{
	char line[256];
	ssize_t n = pread(fd, line, sizeof line - 1, 0);
	long pid = 0;
	if (n > 0) {
		line[n] = '\0';
		const char *p = strstr(line, "\"pid\":");
		pid = p ? strtol(p + 6, NULL, 10) : 0;
	}
	snprintf(buf, len, pid > 0 ? "vmtop with process id %ld" : "another vmtop", pid);
}

static int write_line(struct journal *j, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (!text)
		return -1;
	size_t n = strlen(text);
	text[n] = '\n'; /* in place of the terminator */
	ssize_t got = write(j->fd, text, n + 1);
	free(text);
	return got == (ssize_t)(n + 1) ? 0 : -1;
}

struct journal *journal_open(const char *uri, struct err *e)
{
	struct journal *j = calloc(1, sizeof *j);
	if (!j) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	j->fd = -1;
	if (journal_path(j->path, sizeof j->path, uri) < 0)
		err_set(e, ERR_RUNTIME, "no home folder for the journal: set XDG_STATE_HOME");
	else if (make_folders(j->path) < 0)
		err_set(e, ERR_RUNTIME, "cannot create the folder of %s: %s", j->path, strerror(errno));
	else if ((j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		err_set(e, ERR_RUNTIME, "cannot open the journal %s: %s", j->path, strerror(errno));
	else if (flock(j->fd, LOCK_EX | LOCK_NB) < 0) {
		char who[64];
		lock_owner(j->fd, who, sizeof who);
		err_set(e, ERR_RUNTIME, "%s steers this host already; this one only watches", who);
	} else if (write_line(j, json_pack("{s:i, s:s, s:i}", "vmtop", 1, "uri", uri, "pid", (int)getpid())) <
		   0)
		err_set(e, ERR_RUNTIME, "cannot write the journal %s: %s", j->path, strerror(errno));
	else
		return j;
	if (j->fd >= 0)
		close(j->fd);
	free(j);
	return NULL;
}

void journal_close(struct journal *j, bool remove)
{
	if (!j)
		return;
	if (remove)
		unlink(j->path);
	close(j->fd);
	free(j);
}

static json_t *vm_line(const struct vm_record *r)
{
	char uuid[UUID_TEXT], name[VM_NAME_BYTES * 4];
	uuid_format(r->uuid, uuid);
	text_utf8(name, sizeof name, r->name);
	return json_pack("{s:s, s:s}", "uuid", uuid, "name", name);
}

static json_t *with_set(json_t *o, const char *key, const struct cpuset *s)
{
	char text[SET_TEXT];
	cpuset_format(s, text, sizeof text);
	json_object_set_new(o, key, json_string(text));
	return o;
}

static int write_as(struct journal *j, const char *key, json_t *o)
{
	return write_line(j, o ? json_pack("{s:o}", key, o) : NULL);
}

int journal_found_vcpu(
	struct journal *j, const struct vm_record *r, const struct vcpu_record *v, struct err *e)
{
	json_t *o = with_set(vm_line(r), "cpus", &v->found);
	json_object_set_new(o, "vcpu", json_integer(v->id));
	json_object_set_new(o, "pinned", json_boolean(v->found_pinned));
	if (write_as(j, "found", o) < 0)
		return err_set(e, ERR_RUNTIME, "cannot write the journal %s: %s", j->path, strerror(errno));
	return 0;
}

int journal_found_vm(struct journal *j, const struct vm_record *r, struct err *e)
{
	json_t *o = vm_line(r);
	json_object_set_new(o, "balloon_kib", json_integer(r->found_kib));
	json_object_set_new(o, "period_s", json_integer(r->period_found));
	if (write_as(j, "found", o) < 0)
		return err_set(e, ERR_RUNTIME, "cannot write the journal %s: %s", j->path, strerror(errno));
	return 0;
}

int journal_wrote_vcpu(struct journal *j, const struct vm_record *r, const struct vcpu_record *v)
{
	json_t *o = with_set(vm_line(r), "cpus", &v->wrote);
	json_object_set_new(o, "vcpu", json_integer(v->id));
	return write_as(j, "wrote", o);
}

int journal_wrote_vm(struct journal *j, const struct vm_record *r)
{
	json_t *o = vm_line(r);
	json_object_set_new(o, "balloon_kib", json_integer(r->wrote_kib));
	json_object_set_new(o, "period_s", json_integer(r->period_wrote));
	return write_as(j, "wrote", o);
}

int journal_sync(struct journal *j, struct err *e)
{
	if (fdatasync(j->fd) < 0)
		return err_set(e, ERR_RUNTIME, "cannot sync the journal %s: %s", j->path, strerror(errno));
	return 0;
}

static void load_vcpu(struct vm_record *r, const json_t *o, bool found)
{
	struct cpuset cpus;
	const char *text = json_string_value(json_object_get(o, "cpus"));
	json_int_t id = json_integer_value(json_object_get(o, "vcpu"));
	if (!text || id < 0 || id > 1 << 20 || cpuset_parse(&cpus, text, NULL) < 0 || cpuset_empty(&cpus))
		return;
	bool known = record_vcpu(r, (int)id) != NULL;
	struct vcpu_record *v = record_vcpu_get(r, (int)id);
	if (!v)
		return;
	if (found && !known) { /* the first one is the state before any change */
		v->found = v->wrote = cpus;
		v->found_pinned = json_is_true(json_object_get(o, "pinned"));
	} else if (!found) {
		v->wrote = cpus;
	}
}

static void load_vm(struct vm_record *r, const json_t *o, bool found)
{
	json_int_t kib = json_integer_value(json_object_get(o, "balloon_kib"));
	json_int_t period = json_integer_value(json_object_get(o, "period_s"));
	if (kib > 0 && found && r->found_kib < 0)
		r->found_kib = kib;
	else if (kib > 0 && !found)
		r->wrote_kib = kib;
	else if (!found && r->wrote_kib >= 0) /* it was ours, and is no more */
		r->found_kib = r->wrote_kib = -1;
	if (period >= 0 && period <= 3600 && found && r->period_found < 0)
		r->period_found = (int)period;
	else if (period >= 0 && period <= 3600 && !found)
		r->period_wrote = (int)period;
	else if (!found && r->period_wrote >= 0)
		r->period_found = r->period_wrote = -1;
}

static void load_line(struct ledger *l, const char *line, size_t len)
{
	json_t *root = json_loadb(line, len, 0, NULL);
	for (int found = 0; found < 2; found++) {
		json_t *o = json_object_get(root, found ? "found" : "wrote");
		uint8_t uuid[UUID_BYTES];
		const char *text = json_string_value(json_object_get(o, "uuid"));
		const char *name = json_string_value(json_object_get(o, "name"));
		if (!text || !name || uuid_parse(uuid, text) < 0)
			continue;
		struct vm_record *r = ledger_get(l, uuid, name);
		if (!r)
			continue;
		r->on_disk = true;
		if (json_object_get(o, "vcpu"))
			load_vcpu(r, o, found);
		else
			load_vm(r, o, found);
	}
	json_decref(root);
}

int journal_load(const char *uri, struct ledger *l, struct err *e)
{
	char path[1024];
	struct stat st;
	if (journal_path(path, sizeof path, uri) < 0)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > JOURNAL_MAX) {
		err_set(e, ERR_RUNTIME, "cannot read the journal %s: %s", path,
			f && st.st_size > JOURNAL_MAX ? "too large" : strerror(errno));
		if (f)
			fclose(f);
		else if (fd >= 0)
			close(fd);
		return -1;
	}
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	while ((n = getline(&line, &cap, f)) > 0)
		if (line[n - 1] == '\n')
			load_line(l, line, (size_t)n);
	free(line);
	fclose(f);
	return 1;
}
