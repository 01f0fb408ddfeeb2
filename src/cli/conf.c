/* SPDX-License-Identifier: MIT */
/* Config files: where they are and how their lines become settings. inih splits the lines; this file counts
 * them, because the message must name the line, and refuses what inih would cut silently.
 * Invariant: on failure the config is as it was before the file. */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/folder.h"
#include "vmtop/layout.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/text.h"

enum { CONF_SECTION_MAX = 49, CONF_LINE_MAX = INI_MAX_LINE - 3 }; /* inih's own limits */

struct conf_file {
	FILE *f;
	char *line_text; /* of getline() */
	size_t line_cap;
	int line;
	bool steer_seen, hosts_seen, peers_seen;
	unsigned layouts_seen; /* a bit each: this file has a section of it */
	struct config *c;      /* a scratch copy */
	struct err err;        /* the first one */
	const char *path;
};

static int conf_fail(struct conf_file *conf, const char *what)
{
	if (!conf->err.code) {
		char path[200];
		text_escape(path, sizeof path, conf->path);
		err_set(&conf->err, ERR_USAGE, "%s:%d: %s", path, conf->line, what);
	}
	return 0;
}

/* inih's reader, a drop-in for fgets(). Blanks at the start go, or inih would take the line for the
 * continuation of the one before. */
static char *conf_line(char *to, int size, void *stream)
{
	struct conf_file *conf = stream;
	ssize_t n = conf->err.code ? -1 : getline(&conf->line_text, &conf->line_cap, conf->f);
	if (n < 0)
		return NULL;
	conf->line++;
	const char *p = conf->line_text;
	if (strlen(p) != (size_t)n)
		conf_fail(conf, "a zero byte, expected text");
	p += strspn(p, " \t");
	size_t len = strcspn(p, "\r\n");
	if (len > CONF_LINE_MAX || len + 2 > (size_t)size) {
		conf_fail(conf, "line too long, expected at most 197 characters");
		len = 0;
	}
	if (*p == '[' && strcspn(p, "]") > CONF_SECTION_MAX)
		conf_fail(conf, "section name too long, expected at most 48 characters");
	memcpy(to, p, len);
	memcpy(to + len, "\n", 2);
	return to;
}

/* The rule of section [vm PATTERN], made on first sight. */
static struct vm_setting *conf_vm(struct conf_file *conf, const char *pattern)
{
	struct config *cfg = conf->c;
	for (size_t i = 0; i < cfg->n_vm; i++)
		if (strcmp(cfg->vm[i].pattern, pattern) == 0)
			return &cfg->vm[i];
	if (cfg->n_vm == CFG_VM_RULES)
		return NULL;
	struct vm_setting *vm = &cfg->vm[cfg->n_vm++];
	memset(vm, 0, sizeof *vm);
	snprintf(vm->pattern, sizeof vm->pattern, "%s", pattern);
	return vm;
}

static int conf_key_unknown(struct conf_file *conf, const char *key, const char *where)
{
	char what[160], shown[80];
	text_escape(shown, sizeof shown, key);
	snprintf(what, sizeof what, "unknown key '%s'%s, expected one of vmtop.conf(5)", shown, where);
	return conf_fail(conf, what);
}

static int conf_apply_failed(struct conf_file *conf, const char *key, struct err *err)
{
	err_prefix(err, "%s", key);
	return conf_fail(conf, err->msg);
}

static int conf_vm_value(struct conf_file *conf, const char *pattern, const char *key, const char *value)
{
	struct err err = ERR_INIT;
	const struct setting *setting = vm_setting_by_key(key);
	if (!setting)
		return conf_key_unknown(conf, key, " of a [vm] section");
	struct vm_setting *vm = conf_vm(conf, pattern);
	if (!vm)
		return conf_fail(conf, "too many [vm] sections, expected at most 256");
	return vm_setting_apply(vm, setting, value, &err) < 0 ? conf_apply_failed(conf, key, &err) : 1;
}

/* The layout of a section, made on first sight; a file read later replaces the one of an earlier file. */
static struct named_layout *conf_layout(struct conf_file *conf, const char *name)
{
	struct config *cfg = conf->c;
	size_t at = 0;
	while (at < cfg->n_layouts && strcmp(cfg->layouts[at].name, name) != 0)
		at++;
	if (at == CFG_LAYOUTS)
		return NULL;
	struct named_layout *layout = &cfg->layouts[at];
	if (at == cfg->n_layouts || !(conf->layouts_seen & 1U << at)) {
		memset(layout, 0, sizeof *layout);
		snprintf(layout->name, sizeof layout->name, "%s", name);
	}
	cfg->n_layouts += at == cfg->n_layouts;
	conf->layouts_seen |= 1U << at;
	return layout;
}

static int conf_layout_value(struct conf_file *conf, const char *name, const char *key, const char *value)
{
	struct err err = ERR_INIT;
	const struct setting *setting = setting_by_key(key);
	if (!layout_name_ok(name))
		return conf_fail(conf, "a layout has a name of at most 31 letters, digits and . _ -");
	if (!setting || !layout_has(setting))
		return conf_key_unknown(conf, key, " of a [layout] section");
	struct named_layout *layout = conf_layout(conf, name);
	if (!layout)
		return conf_fail(conf, "too many [layout] sections, expected at most 16");
	return layout_add(layout, setting, value, &err) < 0 ? conf_apply_failed(conf, key, &err) : 1;
}

static int conf_value(void *user, const char *section, const char *key, const char *value)
{
	struct conf_file *conf = user;
	struct err err = ERR_INIT;
	if (strncmp(section, "vm ", 3) == 0 && section[3 + strspn(section + 3, " ")])
		return conf_vm_value(conf, section + 3 + strspn(section + 3, " "), key, value);
	if (strncmp(section, "layout ", 7) == 0)
		return conf_layout_value(conf, section + 7 + strspn(section + 7, " "), key, value);
	bool fleet = strcmp(section, "fleet") == 0;
	char name[80];
	if (*section && !fleet)
		return conf_fail(conf, "unknown section, expected [fleet], [layout NAME] or [vm PATTERN]");
	snprintf(name, sizeof name, "%s%s", text_if(fleet, "fleet_"), key);
	const struct setting *setting = setting_by_key(name);
	if (!setting)
		return conf_key_unknown(conf, key, text_if(fleet, " of section [fleet]"));
	if (setting->type == SET_STEER && !conf->steer_seen) { /* may be given on several lines */
		conf->steer_seen = true;
		conf->c->n_patterns = 0;
	}
	bool *seen =
		setting->at == offsetof(struct config, fleet_peers) ? &conf->peers_seen : &conf->hosts_seen;
	if (setting->type == SET_HOSTS && !*seen) /* the same */
		*seen = setting_apply(conf->c, setting, "", &err) == 0;
	return setting_apply(conf->c, setting, value, &err) < 0 ? conf_apply_failed(conf, key, &err) : 1;
}

/* Rules of the file just read come first; those of the files before it fill what is left. */
static int conf_merge(struct config *to, struct config *from)
{
	if (from->n_vm + to->n_vm > CFG_VM_RULES)
		return -1;
	memcpy(&from->vm[from->n_vm], to->vm, to->n_vm * sizeof to->vm[0]);
	from->n_vm += to->n_vm;
	*to = *from;
	return 0;
}

static int conf_parse(struct conf_file *conf, struct config *cfg, struct err *err)
{
	*conf->c = *cfg;
	conf->c->n_vm = 0;
	int bad = ini_parse_stream(conf_line, conf, conf_value, conf);
	if (!conf->err.code && ferror(conf->f))
		return err_set(err, ERR_USAGE, "cannot read config file %s: %s", conf->path, strerror(errno));
	if (!conf->err.code && bad) {
		conf->line = bad;
		conf_fail(conf, "not understood, expected KEY = VALUE or [vm PATTERN]");
	}
	if (!conf->err.code && conf_merge(cfg, conf->c) < 0)
		conf_fail(conf, "too many [vm] sections, expected at most 256");
	return conf->err.code ? err_set(err, conf->err.code, "%s", conf->err.msg) : 0;
}

int conf_read(struct config *cfg, const char *path, bool absent_ok, struct err *err)
{
	struct conf_file conf = {.f = fopen(path, "re"), .path = path};
	if (!conf.f && absent_ok && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!conf.f)
		return err_set(err, ERR_USAGE, "cannot read config file %s: %s", path, strerror(errno));
	struct err why = ERR_INIT;
	int dir = folder_of_open(path, true, &why);
	bool refused = (dir < 0 && errno == EPERM) || folder_file_check(fileno(conf.f), path, &why) < 0;
	if (dir >= 0)
		close(dir);
	if (refused) {
		fclose(conf.f);
		return err_set(
			err, ERR_USAGE, "config file not read: %s; --no-config leaves it out", why.msg);
	}
	conf.c = malloc(sizeof *conf.c);
	int r = conf.c ? conf_parse(&conf, cfg, err) : err_set(err, ERR_NOMEM, "out of memory");
	free(conf.c);
	free(conf.line_text);
	fclose(conf.f);
	return r;
}

/* XDG_CONFIG_DIRS names the most important folder first; files are read from the least important on. */
static size_t conf_system_paths(char paths[CONF_PATHS][CFG_TEXT], size_t n)
{
	const char *dirs = getenv("XDG_CONFIG_DIRS");
	if (!dirs || !*dirs)
		dirs = "/etc/xdg";
	const char *end = dirs + strlen(dirs);
	while (end > dirs && n < CONF_PATHS - 1) {
		const char *start = end;
		while (start > dirs && start[-1] != ':')
			start--;
		int w = snprintf(paths[n], CFG_TEXT, "%.*s/vmtop/vmtop.conf", (int)(end - start), start);
		if (*start == '/' && w < CFG_TEXT) /* the specification: a relative path counts as none */
			n++;
		end = start > dirs ? start - 1 : dirs;
	}
	return n;
}

bool conf_user_path(char *path)
{
	const char *home = getenv("XDG_CONFIG_HOME"), *rest = "/vmtop/vmtop.conf";
	if (!home || *home != '/') {
		home = getenv("HOME");
		rest = "/.config/vmtop/vmtop.conf";
	}
	return home && *home == '/' && snprintf(path, CFG_TEXT, "%s%s", home, rest) < CFG_TEXT;
}

size_t conf_paths(char paths[CONF_PATHS][CFG_TEXT])
{
	size_t n = 0;
	snprintf(paths[n++], CFG_TEXT, "/etc/vmtop.conf");
	n = conf_system_paths(paths, n);
	n += conf_user_path(paths[n]);
	return n;
}
