/* SPDX-License-Identifier: MIT */
/* vmtop log: the decision log of a recording as lines for people or as JSON Lines. A recording that is still
 * written can be read. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/record.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

static void print_text(const struct log_line *line, void *arg)
{
	char time[48], text[1200];
	(void)arg;
	text_time(time, sizeof time, line->wall_ns);
	text_safe(text, sizeof text, line->text);
	printf("%s %-6s %s\n", time, log_kind_name(line->kind), text);
}

static void print_json(const struct log_line *l, void *arg)
{
	char time[48], vm[VM_NAME_BYTES * 3], text[2000];
	(void)arg;
	text_time(time, sizeof time, l->wall_ns);
	text_utf8(vm, sizeof vm, l->vm);
	text_utf8(text, sizeof text, l->text);
	bool action = l->kind == LOG_ACTION;
	json_t *obj = json_pack("{s:i, s:s, s:s, s:s?, s:o, s:s?, s:s?, s:s}", "schema", 1, "time", time,
		"kind", log_kind_name(l->kind), "vm", text_or(vm, NULL), "vcpu",
		l->vcpu >= 0 ? json_integer(l->vcpu) : json_null(), "reason",
		action ? reason_key(l->reason) : NULL, "outcome", action ? outcome_text(l->outcome) : NULL,
		"text", text);
	char *line = json_dumps(obj, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (line)
		puts(line);
	free(line);
	json_decref(obj);
}

int logcat_run(const struct sub_line *line, struct err *err)
{
	bool json = line->n_values > 0; /* its only option */
	if (recording_log(line->words[0], json ? print_json : print_text, NULL, err) < 0)
		return -1;
	/* A reader that has seen enough, such as head, is no failure. */
	return fflush(stdout) == 0 || errno == EPIPE
		       ? 0
		       : err_set(err, ERR_RUNTIME, "cannot write to standard output: %s", strerror(errno));
}
