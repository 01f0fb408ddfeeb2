/* SPDX-License-Identifier: MIT */
/* Writes the parts of the shells' completions that come from tables. Invariant: nothing is listed here but
 * the URIs that are worth a try. Must not know: manuals. */
#include "doc_shell.h"

#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

static void words_of(FILE *out, const struct setting *setting)
{
	for (int i = 0; setting->choice && strcmp(setting->choice(i), "?") != 0; i++)
		fprintf(out, "%s%s", text_if(i, " "), setting->choice(i));
	if (strcmp(setting->option, "sort") == 0 || strcmp(setting->option, "columns") == 0)
		for (size_t i = 0; i < column_count(); i++)
			fprintf(out, "%s%s", text_if(i, " "), column_at(i)->key);
	if (strcmp(setting->option, "set") == 0)
		for (size_t i = 0; i < n_settings; i++)
			if (settings[i].key)
				fprintf(out, "%s%s=", text_if(i, " "), settings[i].key);
	if (strcmp(setting->option, "connect") == 0)
		fputs("qemu:///system qemu:///session test:///default sim:demo", out);
}

static void write_bash_options(FILE *out)
{
	fputs("\tlocal options='", out);
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].option)
			fprintf(out, "--%s ", settings[i].option);
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].letter)
			fprintf(out, "-%c ", settings[i].letter);
	fputs("'\n", out);
}

static void write_bash_values(FILE *out)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *setting = &settings[i];
		if (!setting->option || !setting_takes_value(setting))
			continue;
		fprintf(out, "\t--%s", setting->option);
		if (setting->letter)
			fprintf(out, " | -%c", setting->letter);
		fputs(") words='", out);
		words_of(out, setting);
		fputs("' ;;\n", out);
	}
}

/* Text within single quotes of a shell, without the characters that zsh's _arguments gives a meaning. */
static void shell_text(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else if (strchr("[]\\", *text))
			fputc(' ', out);
		else
			fputc(*text, out);
}

static void zsh_option(FILE *out, const struct setting *setting, const char *dashes, const char *name)
{
	bool value = setting_takes_value(setting), is_long = dashes[1] == '-';
	fprintf(out, "\t'*%s%s%s[", dashes, name, text_if(value && is_long, "="));
	shell_text(out, setting->help);
	fputs("]", out);
	if (value && strcmp(setting->arg, "FILE") == 0) {
		fputs(":FILE:_files", out);
	} else if (value) {
		fprintf(out, ":%s:( ", setting->arg);
		words_of(out, setting);
		fputs(")", out);
	}
	fputs("' \\\n", out);
}

static void write_zsh_options(FILE *out)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *setting = &settings[i];
		if (setting->letter)
			zsh_option(out, setting, "-", (char[]){setting->letter, '\0'});
		if (setting->option)
			zsh_option(out, setting, "--", setting->option);
	}
}

static void write_bash_commands(FILE *out)
{
	fputs("\tlocal commands='", out);
	for (size_t i = 0; subcommand_at(i); i++)
		fprintf(out, "%s ", subcommand_at(i)->name);
	fputs("'\n\tcase ${COMP_WORDS[1]} in\n", out);
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *sub = subcommand_at(i);
		fprintf(out, "\t%s) words='--help ", sub->name);
		for (size_t k = 0; k < SUB_OPTIONS && sub->options[k].option; k++)
			fprintf(out, "--%s ", sub->options[k].option);
		fputs("' ;;\n", out);
	}
	fputs("\tesac\n", out);
}

/* A policy to run may be "none" too, so these have lists of their own. */
static void sub_words(FILE *out, const struct sub_option *opt)
{
	for (int i = 0; opt->choice && strcmp(opt->choice(i), "?") != 0; i++)
		fprintf(out, "%s%s", text_if(i, " "), opt->choice(i));
}

static void zsh_sub_option(FILE *out, const struct sub_option *opt)
{
	fprintf(out, " \\\n\t'*--%s%s[", opt->option, text_if(opt->arg, "="));
	shell_text(out, opt->help);
	fputs("]", out);
	if (opt->arg) {
		fprintf(out, ":%s:( ", opt->arg);
		sub_words(out, opt);
		fputs(")", out);
	}
	fputs("'", out);
}

/* The name is not "commands", which zsh keeps for itself. */
static void write_zsh_commands(FILE *out)
{
	fputs("local -a subcommands=(\n", out);
	for (size_t i = 0; subcommand_at(i); i++) {
		fprintf(out, "\t'%s:", subcommand_at(i)->name);
		shell_text(out, subcommand_at(i)->help);
		fputs("'\n", out);
	}
	fputs(")\n", out);
}

static void write_zsh_cases(FILE *out)
{
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *sub = subcommand_at(i);
		fprintf(out, "%s)\n\t_arguments '--help[print a summary and end]'", sub->name);
		for (size_t k = 0; k < SUB_OPTIONS && sub->options[k].option; k++)
			zsh_sub_option(out, &sub->options[k]);
		fprintf(out, " \\\n\t'*:%s:%s'\n\treturn ;;\n", sub->args,
			strstr(sub->args, "FILE") ? "_files" : "( )");
	}
}

static void write_fish_commands(FILE *out)
{
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *sub = subcommand_at(i);
		fprintf(out, "complete -c vmtop -n __fish_use_subcommand -a %s -d '", sub->name);
		shell_text(out, sub->help);
		fputs("'\n", out);
		for (size_t k = 0; k < SUB_OPTIONS && sub->options[k].option; k++) {
			fprintf(out, "complete -c vmtop -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
				sub->name, sub->options[k].option, text_if(sub->options[k].arg, " -x"));
			shell_text(out, sub->options[k].help);
			if (sub->options[k].choice) {
				fputs("' -a '", out);
				sub_words(out, &sub->options[k]);
			}
			fputs("'\n", out);
		}
		if (strstr(sub->args, "FILE"))
			fprintf(out, "complete -c vmtop -n '__fish_seen_subcommand_from %s' -F\n", sub->name);
	}
}

static void write_fish_options(FILE *out)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *setting = &settings[i];
		if (!setting->option)
			continue;
		fprintf(out, "complete -c vmtop -l %s", setting->option);
		if (setting->letter)
			fprintf(out, " -s %c", setting->letter);
		if (setting_takes_value(setting) && strcmp(setting->arg, "FILE") == 0) {
			fputs(" -r -F", out);
		} else if (setting_takes_value(setting)) {
			fputs(" -x -a '", out);
			words_of(out, setting);
			fputs("'", out);
		}
		fputs(" -d '", out);
		shell_text(out, setting->help);
		fputs("'\n", out);
	}
}

const struct doc_part doc_shell_parts[] = {
	{"BASH_OPTIONS", write_bash_options},
	{"BASH_COMMANDS", write_bash_commands},
	{"BASH_VALUES", write_bash_values},
	{"ZSH_OPTIONS", write_zsh_options},
	{"ZSH_COMMANDS", write_zsh_commands},
	{"ZSH_CASES", write_zsh_cases},
	{"FISH_OPTIONS", write_fish_options},
	{"FISH_COMMANDS", write_fish_commands},
	{NULL, NULL},
};
