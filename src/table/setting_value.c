/* SPDX-License-Identifier: MIT */
/* Reads and writes one value by its row in the settings table.
 * Invariant: a value outside its row's range never reaches struct config; what is refused changes nothing.
 * Does not depend on the locale: the decimal point is a point. */
#include "vmtop/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/fleet.h"
#include "vmtop/quantity.h"
#include "vmtop/text.h"

static void expects_choice(const struct setting *setting, char *buf, size_t len)
{
	size_t used = (size_t)snprintf(buf, len, "one of");
	for (int i = 0; strcmp(setting->choice(i), "?") != 0 && used < len; i++)
		used += (size_t)snprintf(
			buf + used, len - used, "%s %s", text_if(i, ","), setting->choice(i));
}

/* Without a name it would be nobody's. */
static bool of_peers(const struct setting *setting)
{
	return setting->type == SET_HOSTS && setting->at == offsetof(struct config, fleet_peers);
}

void setting_expects(const struct setting *setting, char *buf, size_t len)
{
	static const char *const what[] = {
		[SET_FLAG] = "yes or no",
		[SET_INT] = "a whole number",
		[SET_LONG] = "a whole number",
		[SET_REAL] = "a number",
		[SET_SECONDS] = "seconds",
		[SET_KIB] = "a size such as 512MiB",
		[SET_CPUS] = "pCPUs such as 0-3,7",
		[SET_AUTO] = "cpu, memory, cpu,memory or none",
		[SET_STEER] = "shell patterns or UUIDs",
		[SET_HOSTS] = "a name and a URI, or a URI",
	};
	if (setting->choice)
		expects_choice(setting, buf, len);
	else if (of_peers(setting))
		snprintf(buf, len, "a name and a URI");
	else if (setting->type == SET_TEXT)
		snprintf(buf, len, "at most %zu characters", setting->size - 1);
	else if (setting->type == SET_INT || setting->type == SET_LONG || setting->type == SET_REAL ||
		 setting->type == SET_SECONDS)
		snprintf(buf, len, "%s from %.10g to %.10g", what[setting->type], setting->min, setting->max);
	else
		snprintf(buf, len, "%s",
			setting->type <= SET_HOSTS && what[setting->type] ? what[setting->type] : "no value");
}

static int parse_flag(const char *v, bool *to)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(v, words[i]) == 0) {
			*to = i % 2 == 1;
			return 0;
		}
	return -1;
}

static bool read_whole(const struct setting *setting, const char *value, double *to)
{
	int64_t n;
	if (!quantity_whole(value, 0, INT64_MAX, &n))
		return false;
	*to = (double)n;
	return setting->type == SET_INT || setting->type == SET_LONG;
}

static bool read_number(const struct setting *setting, const char *value, double *to)
{
	switch (setting->type) {
	case SET_SECONDS:
		return quantity_seconds(value + (*value == '+'), to);
	case SET_REAL:
		return quantity_percent(value, to);
	case SET_KIB:
		return quantity_kib(value, to);
	default:
		return read_whole(setting, value, to);
	}
}

/* Numbers of every type: read, check the range, store with the type of the field. */
static int apply_number(void *base, const struct setting *setting, const char *value)
{
	double x = 0;
	if (!read_number(setting, value, &x) || !(x >= setting->min && x <= setting->max))
		return -1;
	char *field = (char *)base + setting->at;
	if (setting->type == SET_INT)
		memcpy(field, &(int){(int)x}, sizeof(int));
	else if (setting->type == SET_LONG)
		memcpy(field, &(long){(long)x}, sizeof(long));
	else if (setting->type == SET_KIB)
		memcpy(field, &(int64_t){(int64_t)x}, sizeof(int64_t));
	else
		memcpy(field, &x, sizeof x);
	return 0;
}

/* -1: not on the list. */
static int choice_index(const struct setting *setting, const char *value)
{
	for (int i = 0; strcmp(setting->choice(i), "?") != 0; i++)
		if (strcmp(setting->choice(i), value) == 0)
			return i;
	return -1;
}

static int apply_choice(void *base, const struct setting *setting, const char *value)
{
	int i = choice_index(setting, value);
	if (i < 0)
		return -1;
	memcpy((char *)base + setting->at, &(unsigned){(unsigned)i}, sizeof(unsigned));
	return 0;
}
_Static_assert(sizeof(enum cpu_policy_id) == sizeof(unsigned), "apply_choice() writes enums as unsigned");

static int apply_text(void *base, const struct setting *setting, const char *value)
{
	if (strlen(value) >= setting->size)
		return -1;
	if (setting->choice && choice_index(setting, value) < 0)
		return -1;
	memset((char *)base + setting->at, 0, setting->size);
	memcpy((char *)base + setting->at, value, strlen(value));
	return 0;
}

/* Words separated by commas and blanks; next word of *at, its length in *n, NULL at the end. */
static const char *next_word(const char **at, size_t *n)
{
	const char *word = *at + strspn(*at, ", \t");
	*n = strcspn(word, ", \t");
	*at = word + *n;
	return *n ? word : NULL;
}

static int apply_auto(struct config *cfg, const char *value)
{
	bool cpu = false, memory = false, none = false;
	size_t n;
	for (const char *w; (w = next_word(&value, &n)) != NULL;) {
		if (n == 3 && strncmp(w, "cpu", n) == 0)
			cpu = true;
		else if (n == 6 && strncmp(w, "memory", n) == 0)
			memory = true;
		else if (n == 4 && strncmp(w, "none", n) == 0)
			none = true;
		else
			return -1;
	}
	if (none && (cpu || memory))
		return -1;
	cfg->auto_cpu = cpu;
	cfg->auto_memory = memory;
	return 0;
}

int setting_add_pattern(struct config *cfg, const char *pattern, size_t len, struct err *err)
{
	if (len == 0 || len >= sizeof cfg->patterns[0])
		return err_set(err, ERR_USAGE, "bad pattern of %zu bytes, expected 1 to %zu", len,
			sizeof cfg->patterns[0] - 1);
	if (cfg->n_patterns == CFG_PATTERNS)
		return err_set(err, ERR_USAGE, "too many patterns, expected at most %d", CFG_PATTERNS);
	memset(cfg->patterns[cfg->n_patterns], 0, sizeof cfg->patterns[0]);
	memcpy(cfg->patterns[cfg->n_patterns++], pattern, len);
	return 0;
}

/* Adds to the patterns that are there; callers that mean to replace them clear the list first. */
static int apply_steer(struct config *cfg, const char *value)
{
	size_t before = cfg->n_patterns, n;
	for (const char *w; (w = next_word(&value, &n)) != NULL;)
		if (setting_add_pattern(cfg, w, n, NULL) < 0) {
			cfg->n_patterns = before;
			return -1;
		}
	return 0;
}

/* Adds a line; an empty value empties the list, as a file that begins anew does. */
static int apply_hosts(void *base, const struct setting *setting, const char *value)
{
	char *lines = (char *)base + setting->at, name[FLEET_NAME], uri[FLEET_URI];
	size_t n = strlen(lines);
	if (!*value) {
		memset(lines, 0, setting->size);
		return 0;
	}
	if (fleet_target(value, name, uri) < 0 || (of_peers(setting) && !*name) ||
		n + strlen(name) + strlen(uri) + 3 > setting->size)
		return -1;
	snprintf(lines + n, setting->size - n, "%s%s%s\n", name, text_if(*name, " "), uri);
	return 0;
}

static int apply_alias(struct config *cfg, const struct setting *setting, struct err *err)
{
	char key[32];
	size_t n = strcspn(setting->initial, "=");
	if (n >= sizeof key)
		return -1;
	memcpy(key, setting->initial, n);
	key[n] = '\0';
	return setting_apply(cfg, setting_by_key(key), setting->initial + n + 1, err);
}

/* Types whose value is one field at setting->at, in struct config or struct vm_setting. */
static int apply_field(void *base, const struct setting *setting, const char *value)
{
	switch (setting->type) {
	case SET_FLAG:
		return parse_flag(value, (bool *)((char *)base + setting->at));
	case SET_TEXT:
		return apply_text(base, setting, value);
	case SET_CPUS:
		return cpuset_parse((struct cpuset *)(void *)((char *)base + setting->at), value, NULL);
	case SET_CHOICE:
		return apply_choice(base, setting, value);
	case SET_HOSTS:
		return apply_hosts(base, setting, value);
	case SET_ACTION:
		return -1;
	default:
		return apply_number(base, setting, value);
	}
}

static int apply_failed(const struct setting *setting, const char *value, struct err *err)
{
	char shown[64], expected[200];
	text_escape(shown, sizeof shown, value);
	setting_expects(setting, expected, sizeof expected);
	return err_set(err, ERR_USAGE, "bad value '%s', expected %s", shown, expected);
}

int setting_apply(struct config *cfg, const struct setting *setting, const char *value, struct err *err)
{
	if (setting->type == SET_ALIAS)
		return apply_alias(cfg, setting, err);
	int r = setting->type == SET_AUTO    ? apply_auto(cfg, value)
		: setting->type == SET_STEER ? apply_steer(cfg, value)
					     : apply_field(cfg, setting, value);
	return r < 0 ? apply_failed(setting, value, err) : 0;
}

int vm_setting_apply(struct vm_setting *vm, const struct setting *setting, const char *value, struct err *err)
{
	return apply_field(vm, setting, value) < 0 ? apply_failed(setting, value, err) : 0;
}

static void format_list(const struct config *cfg, const struct setting *setting, char *buf, size_t len)
{
	size_t used = 0;
	buf[0] = '\0';
	if (setting->type == SET_AUTO) {
		snprintf(buf, len, "%s%s%s", cfg->auto_cpu ? "cpu" : text_if(!cfg->auto_memory, "none"),
			text_if(cfg->auto_cpu && cfg->auto_memory, ","), text_if(cfg->auto_memory, "memory"));
		return;
	}
	for (size_t i = 0; setting->type == SET_STEER && i < cfg->n_patterns && used < len; i++)
		used += (size_t)snprintf(buf + used, len - used, "%s%s", text_if(i, " "), cfg->patterns[i]);
}

static void format_field(const void *base, const struct setting *setting, char *buf, size_t len)
{
	const char *field = (const char *)base + setting->at;
	double x = 0;
	int64_t kib = 0;
	int i = 0;
	long l = 0;
	if (setting->type == SET_FLAG)
		snprintf(buf, len, "%s", *(const bool *)field ? "yes" : "no");
	else if (setting->type == SET_TEXT || setting->type == SET_HOSTS)
		snprintf(buf, len, "%s", field);
	else if (setting->type == SET_CPUS)
		cpuset_format((const struct cpuset *)(const void *)field, buf, len);
	else if (setting->type == SET_CHOICE)
		snprintf(buf, len, "%s", setting->choice(memcpy(&i, field, sizeof i) ? i : 0));
	else if (setting->type == SET_REAL || setting->type == SET_SECONDS)
		snprintf(buf, len, "%.15g", memcpy(&x, field, sizeof x) ? x : 0);
	else if (setting->type == SET_KIB)
		snprintf(buf, len, "%lld", memcpy(&kib, field, sizeof kib) ? (long long)kib : 0);
	else if (setting->type == SET_INT)
		snprintf(buf, len, "%d", memcpy(&i, field, sizeof i) ? i : 0);
	else if (setting->type == SET_LONG)
		snprintf(buf, len, "%ld", memcpy(&l, field, sizeof l) ? l : 0);
}

void setting_format(const struct config *cfg, const struct setting *setting, char *buf, size_t len)
{
	if (setting->type == SET_AUTO || setting->type == SET_STEER)
		format_list(cfg, setting, buf, len);
	else
		format_field(cfg, setting, buf, len);
}

void vm_setting_format(const struct vm_setting *vm, const struct setting *setting, char *buf, size_t len)
{
	format_field(vm, setting, buf, len);
}
