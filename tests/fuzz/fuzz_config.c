/* SPDX-License-Identifier: MIT */
/* Config files: what is read prints as values that are read again as the same; what is refused leaves the
 * config as it was and names file and line. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"

static void prints_and_reads_again(const struct config *c)
{
	struct config *again = malloc(sizeof *again);
	struct err e = ERR_INIT;
	char value[4 * CFG_TEXT], second[sizeof value];
	FUZZ_HOLDS(again);
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (!s->key || s->type == SET_ACTION || s->type == SET_ALIAS || s->type == SET_STEER)
			continue;
		setting_format(c, s, value, sizeof value);
		config_defaults(again);
		FUZZ_HOLDS(setting_apply(again, s, value, &e) == 0);
		setting_format(again, s, second, sizeof second);
		FUZZ_HOLDS(strcmp(value, second) == 0);
	}
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct err e = ERR_INIT;
	struct config *c = malloc(2 * sizeof *c), *before = c ? c + 1 : NULL;
	char path[64];
	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	/* As it is made, everybody may write it, and it would be refused unread. */
	FUZZ_HOLDS(fd >= 0 && c && ftruncate(fd, 0) == 0 && fchmod(fd, 0600) == 0);
	FUZZ_HOLDS(pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	memset(c, 0, 2 * sizeof *c);
	config_defaults(c);
	*before = *c;
	if (conf_read(c, path, false, &e) == 0) {
		FUZZ_HOLDS(c->n_vm <= CFG_VM_RULES && c->n_patterns <= CFG_PATTERNS);
		prints_and_reads_again(c);
	} else {
		FUZZ_HOLDS(strstr(e.msg, path) && memcmp(c, before, sizeof *c) == 0);
		FUZZ_HOLDS(strncmp(e.msg, "config file not read", 20) != 0); /* then nothing was tried */
	}
	free(c);
	return 0;
}
