/* SPDX-License-Identifier: MIT */
/* Saving the setup. Invariant: a line that is not about a saved key is never touched, the old file stays
 * until the new one is complete, and nothing that root writes stays root's in a user's folder. */
#include "vmtop/setup.h"
#include "vmtop/minmax.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/array.h"
#include "vmtop/layout.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"

/* What W keeps. AUTO is not among it: vmtop starts in MANUAL unless the user writes otherwise. */
static const char *const saved[] = {"delay", "sort", "sort_reverse", "columns", "memory_columns",
	"cpu_policy", "memory_policy", "granularity", "theme", "graph", "sparklines", "hide_offline",
	"of_host", "merge"};
enum { N_SAVED = sizeof saved / sizeof saved[0], LINE_MOST = 190, FILE_MOST = 1 << 20 };

struct text {
	char *at;
	size_t n, cap;
	bool bad;
};

static void text_add(struct text *text, const char *s, size_t n)
{
	if (!array_grow(&text->at, &text->cap, text->n + n + 1, 1)) {
		text->bad = true;
		return;
	}
	memcpy(text->at + text->n, s, n);
	text->n += n;
	text->at[text->n] = '\0';
}

static void add_key(struct text *text, const struct config *cfg, const struct setting *setting)
{
	char line[CFG_TEXT + 64], value[CFG_TEXT];
	setting_format(cfg, setting, value, sizeof value);
	int n = snprintf(line, sizeof line, "%s = %s\n", setting->key, value);
	text_add(text, line, (size_t)n);
}

/* Which saved key a line of the file sets, -1: none. */
static int key_of(const char *line, size_t len)
{
	char word[40];
	while (len && (*line == ' ' || *line == '\t'))
		line++, len--;
	size_t n = 0;
	while (n < len && n < sizeof word - 1 && !strchr("=: \t\r\n", line[n]))
		n++;
	memcpy(word, line, n);
	word[n] = '\0';
	size_t rest = n;
	while (rest < len && (line[rest] == ' ' || line[rest] == '\t'))
		rest++;
	if (rest == len || !strchr("=:", line[rest]))
		return -1;
	const struct setting *setting = setting_by_key(word);
	for (int i = 0; i < N_SAVED && setting; i++)
		if (setting == setting_by_key(saved[i]))
			return i;
	return -1;
}

static bool differs(const struct config *a, const struct config *b, const struct setting *setting)
{
	char x[CFG_TEXT], y[CFG_TEXT];
	setting_format(a, setting, x, sizeof x);
	setting_format(b, setting, y, sizeof y);
	return strcmp(x, y) != 0;
}

static int check_lengths(const struct config *now, struct err *err)
{
	char value[CFG_TEXT];
	for (int i = 0; i < N_SAVED; i++) {
		setting_format(now, setting_by_key(saved[i]), value, sizeof value);
		if (strlen(saved[i]) + 3 + strlen(value) > LINE_MOST)
			return err_set(err, ERR_USAGE, "%s: too many columns for a line of the config file",
				saved[i]);
	}
	return 0;
}

/* Keys that the file does not have yet and that say something. */
static void add_missing(struct text *text, const bool *done, const struct config *now,
	const struct config *before, const struct config *defaults)
{
	for (int i = 0; i < N_SAVED; i++) {
		const struct setting *setting = setting_by_key(saved[i]);
		if (!done[i] && (differs(now, before, setting) || differs(now, defaults, setting)))
			add_key(text, now, setting);
	}
}

char *setup_text(const char *old, const struct config *now, const struct config *before, struct err *err)
{
	struct config *defaults = malloc(sizeof *defaults);
	struct text text = {0};
	bool done[N_SAVED] = {false}, global = true;
	if (!defaults || check_lengths(now, err) < 0) {
		free(defaults);
		if (!err->code)
			err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	config_defaults(defaults);
	static const char intro[] = "# vmtop.conf(5) tells of every key.\n";
	text_add(&text, "", 0);
	if (!*old)
		text_add(&text, intro, strlen(intro));
	for (const char *p = old; *p;) {
		size_t len = strcspn(p, "\n");
		int key = global ? key_of(p, len) : -1;
		if (global && p[strspn(p, " \t")] == '[') {
			add_missing(&text, done, now, before, defaults);
			global = false;
		}
		if (key >= 0)
			add_key(&text, now, setting_by_key(saved[key]));
		else
			text_add(&text, p, len), text_add(&text, "\n", 1);
		if (key >= 0)
			done[key] = true;
		p += len + (p[len] == '\n');
	}
	if (global)
		add_missing(&text, done, now, before, defaults);
	free(defaults);
	if (text.bad) {
		free(text.at);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return text.at;
}

static int choose_path(const struct config *cfg, char *path, struct err *err)
{
	if (cfg->config_file[0])
		snprintf(path, CFG_TEXT, "%s", cfg->config_file);
	else if (cfg->no_config)
		return err_set(err, ERR_USAGE, "--no-config leaves no file to save to");
	else if (!conf_user_path(path))
		return err_set(err, ERR_USAGE, "neither XDG_CONFIG_HOME nor HOME names a folder");
	/* A link to a file that is kept elsewhere is followed, unless another user could have laid it. */
	struct stat st;
	char real[4096];
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		if (st.st_uid != geteuid())
			return err_set(err, ERR_RUNTIME, "%.300s is another user's link", path);
		if (realpath(path, real) && strlen(real) < CFG_TEXT)
			memcpy(path, real, strlen(real) + 1);
	}
	return 0;
}

/* Makes the folders above path; each new one belongs to whom its parent belongs. */
static int make_folders(const char *path, struct err *err)
{
	char dir[CFG_TEXT];
	struct stat st;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	snprintf(dir, sizeof dir, "%s", path);
	for (char *p = dir + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (stat(dir, &st) == 0) {
			uid = st.st_uid;
			gid = st.st_gid;
		} else if (mkdir(dir, 0700) < 0 || (geteuid() == 0 && lchown(dir, uid, gid) < 0)) {
			return err_set(err, ERR_RUNTIME, "cannot make %.300s: %s", dir, strerror(errno));
		}
		*p = '/';
	}
	return 0;
}

/* Whose the file must be: as before, else the owner of its folder. */
static int set_owner(int fd, const char *path)
{
	char dir[CFG_TEXT];
	struct stat st;
	snprintf(dir, sizeof dir, "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	if (geteuid() != 0 || (lstat(path, &st) < 0 && stat(slash ? dir : ".", &st) < 0))
		return 0;
	return fchown(fd, st.st_uid, st.st_gid);
}

static int write_all(int fd, const char *text)
{
	for (size_t n = strlen(text); n > 0;) {
		ssize_t w = write(fd, text, n);
		if (w < 0 && errno != EINTR)
			return -1;
		text += max_of(w, 0);
		n -= (size_t)max_of(w, 0);
	}
	return fsync(fd);
}

static int replace_file(const char *path, const char *text, struct err *err)
{
	char temp[CFG_TEXT + 16];
	if (make_folders(path, err) < 0)
		return -1;
	snprintf(temp, sizeof temp, "%s.XXXXXX", path);
	int fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return err_set(err, ERR_RUNTIME, "cannot write %.300s: %s", path, strerror(errno));
	int bad = write_all(fd, text) < 0 || set_owner(fd, path) < 0;
	bad |= close(fd) < 0;
	if (bad || rename(temp, path) < 0) {
		err_set(err, ERR_RUNTIME, "cannot write %.300s: %s", path, strerror(errno));
		unlink(temp);
		return -1;
	}
	return 0;
}

/* The file as it is; empty when there is none. NULL: it cannot be read. */
static char *read_old(const char *path, struct err *err)
{
	char *text = calloc(1, FILE_MOST + 1);
	FILE *file = text ? fopen(path, "re") : NULL;
	if (!text || (!file && errno != ENOENT && errno != ENOTDIR)) {
		err_set(err, ERR_RUNTIME, "cannot read %.300s: %s", path, strerror(errno));
		free(text);
		return NULL;
	}
	if (!file)
		return text;
	size_t n = fread(text, 1, FILE_MOST, file);
	bool whole = !ferror(file) && fgetc(file) == EOF && strlen(text) == n;
	fclose(file);
	if (whole)
		return text;
	err_set(err, ERR_RUNTIME, "%.300s is not a config file", path);
	free(text);
	return NULL;
}

/* The line begins a section; of this layout. */
static bool begins_layout(const char *line, size_t len, const char *name)
{
	char head[LAYOUT_NAME + 16];
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	int n = snprintf(head, sizeof head, "[layout %s]", name);
	return (size_t)n == len && !strncmp(line, head, len);
}

char *setup_layout_text(const char *old, const struct config *now, const char *layout, struct err *err)
{
	struct text text = {0};
	char lines[LAYOUT_TEXT], head[LAYOUT_NAME + 16];
	bool skip = false;
	if (!layout_format(now, lines)) {
		err_set(err, ERR_USAGE, "too many columns for a line of the config file");
		return NULL;
	}
	text_add(&text, "", 0);
	for (const char *p = old; *p;) {
		size_t len = strcspn(p, "\n"), blank = strspn(p, " \t");
		if (p[blank] == '[')
			skip = begins_layout(p + blank, len - blank, layout);
		if (!skip)
			text_add(&text, p, len), text_add(&text, "\n", 1);
		p += len + (p[len] == '\n');
	}
	int n = snprintf(head, sizeof head, "[layout %s]\n", layout);
	text_add(&text, head, (size_t)n);
	text_add(&text, text_or(lines, "view = overview\n"), strlen(text_or(lines, "view = overview\n")));
	if (!text.bad)
		return text.at;
	free(text.at);
	err_set(err, ERR_NOMEM, "out of memory");
	return NULL;
}

int setup_save(const struct config *now, const struct config *before, const char *layout, char *path,
	struct err *err)
{
	if (choose_path(now, path, err) < 0)
		return -1;
	char *old = read_old(path, err);
	char *text = !old     ? NULL
		     : layout ? setup_layout_text(old, now, layout, err)
			      : setup_text(old, now, before, err);
	int r = text ? replace_file(path, text, err) : -1;
	free(old);
	free(text);
	return r;
}
