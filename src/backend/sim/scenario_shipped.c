/* SPDX-License-Identifier: MIT */
/* Where scenarios come from: the ones built into the program, and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/err.h"
#include "vmtop/scenario.h"

/* Made from src/backend/scenarios/NAME.scn at build time: arrays of bytes and the table shipped[]. */
#include "scenarios.inc"

enum { N_SHIPPED = sizeof shipped / sizeof *shipped };

const char *scenario_name(size_t i)
{
	return i < N_SHIPPED ? shipped[i].name : NULL;
}

const char *scenario_text(size_t i, size_t *len)
{
	if (i >= N_SHIPPED)
		return NULL;
	*len = shipped[i].len;
	return (const char *)shipped[i].text;
}

static struct scenario *open_shipped(const char *name, struct err *err, bool *found)
{
	*found = false;
	for (size_t i = 0; i < N_SHIPPED; i++)
		if (strcmp(shipped[i].name, name) == 0) {
			*found = true;
			return scenario_parse(name, (const char *)shipped[i].text, shipped[i].len, err);
		}
	return NULL;
}

static void unknown(const char *name, struct err *err)
{
	char known[sizeof err->msg] = "";
	for (size_t i = 0; i < N_SHIPPED; i++) {
		size_t n = strlen(known);
		snprintf(known + n, sizeof known - n, " %s", shipped[i].name);
	}
	err_set(err, ERR_USAGE, "no scenario \"%.40s\"; there are%s, or give a file", name, known);
}

/* Reads at most one byte more than a scenario may have; the parser refuses that. */
static struct scenario *parse_stream(const char *path, FILE *file, struct err *err)
{
	char *text = malloc(SCN_BYTES + 1);
	if (!text) {
		err_set(err, ERR_NOMEM, "out of memory for the scenario");
		return NULL;
	}
	size_t len = fread(text, 1, SCN_BYTES + 1, file);
	struct scenario *scn = NULL;
	if (ferror(file))
		err_set(err, ERR_USAGE, "%s: cannot be read: %s", path, strerror(errno));
	else
		scn = scenario_parse(path, text, len, err);
	free(text);
	return scn;
}

static struct scenario *open_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
	struct stat st;
	if (fd < 0 && errno == ENOENT && !strchr(path, '/')) {
		unknown(path, err);
		return NULL;
	}
	FILE *file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (!file) {
		err_set(err, ERR_USAGE, "%s: cannot be read: %s", path,
			fd >= 0 ? "not a file" : strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct scenario *scn = parse_stream(path, file, err);
	fclose(file);
	return scn;
}

struct scenario *scenario_open(const char *name, struct err *err)
{
	bool found;
	struct scenario *scn = open_shipped(name, err, &found);
	return found ? scn : open_file(name, err);
}
