/* SPDX-License-Identifier: MIT */
/* --help, --version and the list of columns, from the tables.
 * Invariant: no option is named here by hand. */
#include <stdio.h>
#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"

enum { HELP_LEFT = 28, HELP_RIGHT = 79 };

/* Prints text from column `left` on, broken at blanks; the cursor is at column `at`. */
static void help_wrap(FILE *to, size_t at, size_t left, const char *text)
{
	if (at + 2 > left) {
		fputc('\n', to);
		at = 0;
	}
	fprintf(to, "%*s", (int)(left - at), "");
	for (size_t used = left; *text;) {
		size_t n = strcspn(text, " ");
		if (used > left && used + 1 + n > HELP_RIGHT) {
			fprintf(to, "\n%*s", (int)left, "");
			used = left;
		}
		used += (size_t)fprintf(to, "%s%.*s", used > left ? " " : "", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	fputc('\n', to);
}

static void help_option(FILE *to, const struct setting *s)
{
	char head[64], text[400], choices[200] = "";
	int n = s->letter ? snprintf(head, sizeof head, "  -%c, --%s", s->letter, s->option)
			  : snprintf(head, sizeof head, "      --%s", s->option);
	if (s->arg)
		snprintf(head + n, sizeof head - (size_t)n, s->type == SET_AUTO ? "[=%s]" : " %s", s->arg);
	if (s->choice) {
		setting_expects(s, choices, sizeof choices);
		memmove(choices, choices + strlen("one of "), strlen(choices + strlen("one of ")) + 1);
	}
	bool plain = s->type == SET_FLAG || s->type == SET_ALIAS || s->type == SET_ACTION || !*s->initial ||
		     strcmp(s->initial, "0") == 0 || strcmp(s->initial, "none") == 0;
	snprintf(text, sizeof text, "%s%s%s%s%s%s", s->help, *choices ? ": " : "", choices,
		plain ? "" : " (default ", plain ? "" : s->initial, plain ? "" : ")");
	fputs(head, to);
	help_wrap(to, strlen(head), HELP_LEFT, text);
}

void options_help(FILE *to)
{
	fputs("Usage: vmtop [OPTION]... [SECONDS] [PATTERN]...\n"
	      "       vmtop COMMAND [OPTION]... WORD...\n"
	      "top for a KVM host that can also steer it: vCPUs, pins and balloons of every\n"
	      "running VM, live; changes nothing until asked. PATTERNs (shell patterns or\n"
	      "UUIDs) name the VMs that may be steered.\n",
		to);
	fputs("\nCommands:\n", to);
	for (size_t i = 0; subcommand_at(i); i++) {
		char head[64];
		int n = snprintf(
			head, sizeof head, "  %s %s", subcommand_at(i)->name, subcommand_at(i)->args);
		fputs(head, to);
		help_wrap(to, (size_t)n, HELP_LEFT, subcommand_at(i)->help);
	}
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool head = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].option)
				continue;
			if (!head)
				fprintf(to, "\n%s:\n", setting_section_text((enum setting_section)sec));
			head = true;
			help_option(to, &settings[i]);
		}
	}
	fputs("\nExit status: 0 ended well, 1 runtime error, 2 usage, 3 cannot connect.\n"
	      "More settings, for -s and the config file: vmtop.conf(5). Manual: vmtop(1).\n",
		to);
}

void options_version(FILE *to)
{
	fputs("vmtop " VMTOP_VERSION "\n", to);
}

void options_columns(FILE *to)
{
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *c = column_at(i);
		int n = fprintf(to, "%-9s %-7s", c->key, c->head);
		help_wrap(to, n < 0 ? 0 : (size_t)n, 18, c->help);
	}
}
