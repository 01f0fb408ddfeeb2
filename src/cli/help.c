/* SPDX-License-Identifier: MIT */
/* --help, --version and the list of columns, from the tables.
 * Invariant: no option is named here by hand. */
#include <stdio.h>
#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/minmax.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

enum { HELP_LEFT = 28, HELP_RIGHT = 79 };

/* Prints text from column `left` on, broken at blanks; the cursor is at column `at`. */
static void help_wrap(FILE *out, size_t at, size_t left, const char *text)
{
	if (at + 2 > left) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s", (int)(left - at), "");
	for (size_t used = left; *text;) {
		size_t n = strcspn(text, " ");
		if (used > left && used + 1 + n > HELP_RIGHT) {
			fprintf(out, "\n%*s", (int)left, "");
			used = left;
		}
		used += (size_t)fprintf(out, "%s%.*s", text_if(used > left, " "), (int)n, text);
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static void help_option(FILE *out, const struct setting *setting)
{
	char head[64], text[400], choices[200] = "";
	int n = setting->letter ? snprintf(head, sizeof head, "  -%c, --%s", setting->letter, setting->option)
				: snprintf(head, sizeof head, "      --%s", setting->option);
	if (setting->arg)
		snprintf(head + n, sizeof head - (size_t)n, setting->type == SET_AUTO ? "[=%s]" : " %s",
			setting->arg);
	if (setting->choice) {
		setting_expects(setting, choices, sizeof choices);
		memmove(choices, choices + strlen("one of "), strlen(choices + strlen("one of ")) + 1);
	}
	bool plain = setting->type == SET_FLAG || setting->type == SET_ALIAS || setting->type == SET_ACTION ||
		     !*setting->initial || strcmp(setting->initial, "0") == 0 ||
		     strcmp(setting->initial, "none") == 0;
	snprintf(text, sizeof text, "%s%s%s%s%s%s", setting->help, text_if(*choices, ": "), choices,
		text_if(!plain, " (default "), plain ? "" : setting->initial, text_if(!plain, ")"));
	fputs(head, out);
	help_wrap(out, strlen(head), HELP_LEFT, text);
}

void options_help(FILE *out)
{
	fputs("Usage: vmtop [OPTION]... [SECONDS] [PATTERN]...\n"
	      "       vmtop COMMAND [OPTION]... WORD...\n"
	      "top for a KVM host that can also steer it: vCPUs, pins and balloons of every\n"
	      "running VM, live; changes nothing until asked. PATTERNs (shell patterns or\n"
	      "UUIDs) name the VMs that may be steered.\n",
		out);
	fputs("\nCommands:\n", out);
	for (size_t i = 0; subcommand_at(i); i++) {
		char head[64];
		int n = snprintf(
			head, sizeof head, "  %s %s", subcommand_at(i)->name, subcommand_at(i)->args);
		fputs(head, out);
		help_wrap(out, (size_t)n, HELP_LEFT, subcommand_at(i)->help);
	}
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool head = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].option)
				continue;
			if (!head)
				fprintf(out, "\n%s:\n", setting_section_text((enum setting_section)sec));
			head = true;
			help_option(out, &settings[i]);
		}
	}
	fputs("\nExit status: 0 ended well, 1 runtime error, 2 usage, 3 cannot connect.\n"
	      "More settings, for -s and the config file: vmtop.conf(5). Manual: vmtop(1).\n",
		out);
}

void options_version(FILE *out)
{
	fputs("vmtop " VMTOP_VERSION "\n", out);
}

void options_columns(FILE *out)
{
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *column = column_at(i);
		int n = fprintf(out, "%-9s %-7s", column->key, column->head);
		help_wrap(out, (size_t)max_of(n, 0), 18, column->help);
	}
}
