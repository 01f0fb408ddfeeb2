/* SPDX-License-Identifier: MIT */
/* The one table of settings: what the command line, the config file, --help, the manuals and the shell
 * completions know about comes from here. A row is an option, a config key, or both. */
#ifndef VMTOP_SETTINGS_H
#define VMTOP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmtop/config.h"
#include "vmtop/err.h"

enum setting_type {
	SET_FLAG,    /* bool: yes, no, on, off, true, false, 1, 0; as an option it takes no value */
	SET_INT,     /* int */
	SET_LONG,    /* long */
	SET_REAL,    /* double; a trailing % is accepted */
	SET_SECONDS, /* double: "2", "0.5s", "10min", "1h" */
	SET_KIB,     /* int64_t: "512MiB", "4G", bare numbers are KiB */
	SET_TEXT,    /* char[size] */
	SET_CPUS,    /* struct cpuset: "0-3,7"; empty text: none named */
	SET_CHOICE,  /* an enum, by name */
	SET_AUTO,    /* --auto[=cpu,memory]; key: auto = cpu,memory | none */
	SET_STEER,   /* patterns of the VMs that may be steered */
	SET_HOSTS,   /* char[size]: each value adds a line, [NAME] URI */
	SET_ALIAS,   /* short for another setting: initial is "key=value" */
	SET_ACTION,  /* --help and the like: options.c knows what it does */
};

enum setting_section {
	SECTION_CONNECTION,
	SECTION_OUTPUT,
	SECTION_STEERING,
	SECTION_SCREEN,
	SECTION_FILES,
	SECTION_CPU,
	SECTION_MEMORY,
	SECTION_DEADLINES,
	SECTION_FLEET,
	SECTION_COUNT
};

struct setting {
	const char *option; /* long option without dashes; NULL: config key only */
	char letter;        /* short option, 0: none */
	const char *key;    /* config key; NULL: command line only */
	enum setting_section section;
	enum setting_type type;
	size_t at, size;     /* of the field in struct config */
	double min, max;     /* of numbers */
	const char *initial; /* the default, as it would be written in the config file; "" : empty text */
	const char *arg;     /* name of the value in help; NULL: takes none */
	const char *(*choice)(int); /* with SET_CHOICE: name of value i, "?" after the last */
	const char *help;           /* one sentence without full stop; the manual prints it too */
};

extern const struct setting settings[];
extern const size_t n_settings;
/* Keys of a [vm PATTERN] section; `at` counts within struct vm_setting. */
extern const struct setting vm_settings[];
extern const size_t n_vm_settings;

const char *setting_section_text(enum setting_section section);
/* - and _ are the same in names. */
bool setting_called(const char *name, const char *given, size_t len);
/* NULL: no such row. Keys and options may be written with - or _. */
const struct setting *setting_by_key(const char *key);
const struct setting *vm_setting_by_key(const char *key);
bool setting_takes_value(const struct setting *setting); /* as an option */
/* What a value must look like: "seconds from 0.2 to 3600", "one of minmove, origin-a". */
void setting_expects(const struct setting *setting, char *buf, size_t len);
/* Parses value into cfg. Fails with ERR_USAGE and a message "bad value 'x', expected ...". */
int setting_apply(struct config *cfg, const struct setting *setting, const char *value, struct err *err);
int vm_setting_apply(
	struct vm_setting *vm, const struct setting *setting, const char *value, struct err *err);
/* Adds one pattern of VMs that may be steered. */
int setting_add_pattern(struct config *cfg, const char *pattern, size_t len, struct err *err);
/* The value as it would be written in the config file. */
void setting_format(const struct config *cfg, const struct setting *setting, char *buf, size_t len);
void vm_setting_format(const struct vm_setting *vm, const struct setting *setting, char *buf, size_t len);

#endif
