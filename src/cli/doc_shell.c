/* SPDX-License-Identifier: MIT */
/* Writes the parts of the shells' completions that come from tables. Invariant: nothing is listed here but
 * the URIs that are worth a try. Must not know: manuals. */
#include "doc_shell.h"

#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"

static void words_of(FILE *to, const struct setting *s)
{
	for (int i = 0; s->choice && strcmp(s->choice(i), "?") != 0; i++)
		fprintf(to, "%s%s", i ? " " : "", s->choice(i));
	if (strcmp(s->option, "sort") == 0 || strcmp(s->option, "columns") == 0)
		for (size_t i = 0; i < column_count(); i++)
			fprintf(to, "%s%s", i ? " " : "", column_at(i)->key);
	if (strcmp(s->option, "set") == 0)
		for (size_t i = 0; i < n_settings; i++)
			if (settings[i].key)
				fprintf(to, "%s%s=", i ? " " : "", settings[i].key);
	if (strcmp(s->option, "connect") == 0)
		fputs("qemu:///system qemu:///session test:///default sim:demo", to);
}

static void write_bash_options(FILE *to)
{
	fputs("\tlocal options='", to);
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].option)
			fprintf(to, "--%s ", settings[i].option);
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].letter)
			fprintf(to, "-%c ", settings[i].letter);
	fputs("'\n", to);
}

static void write_bash_values(FILE *to)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (!s->option || !setting_takes_value(s))
			continue;
		fprintf(to, "\t--%s", s->option);
		if (s->letter)
			fprintf(to, " | -%c", s->letter);
		fputs(") words='", to);
		words_of(to, s);
		fputs("' ;;\n", to);
	}
}

/* Text within single quotes of a shell, without the characters that zsh's _arguments gives a meaning. */
static void shell_text(FILE *to, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", to);
		else if (strchr("[]\\", *text))
			fputc(' ', to);
		else
			fputc(*text, to);
}

static void zsh_option(FILE *to, const struct setting *s, const char *dashes, const char *name)
{
	bool value = setting_takes_value(s), is_long = dashes[1] == '-';
	fprintf(to, "\t'*%s%s%s[", dashes, name, value && is_long ? "=" : "");
	shell_text(to, s->help);
	fputs("]", to);
	if (value && strcmp(s->arg, "FILE") == 0) {
		fputs(":FILE:_files", to);
	} else if (value) {
		fprintf(to, ":%s:( ", s->arg);
		words_of(to, s);
		fputs(")", to);
	}
	fputs("' \\\n", to);
}

static void write_zsh_options(FILE *to)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (s->letter)
			zsh_option(to, s, "-", (char[]){s->letter, '\0'});
		if (s->option)
			zsh_option(to, s, "--", s->option);
	}
}

static void write_bash_commands(FILE *to)
{
	fputs("\tlocal commands='", to);
	for (size_t i = 0; subcommand_at(i); i++)
		fprintf(to, "%s ", subcommand_at(i)->name);
	fputs("'\n\tcase ${COMP_WORDS[1]} in\n", to);
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *c = subcommand_at(i);
		fprintf(to, "\t%s) words='--help ", c->name);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++)
			fprintf(to, "--%s ", c->options[k].option);
		fputs("' ;;\n", to);
	}
	fputs("\tesac\n", to);
}

/* A policy to run may be "none" too, so these have lists of their own. */
static void sub_words(FILE *to, const struct sub_option *o)
{
	for (int i = 0; o->choice && strcmp(o->choice(i), "?") != 0; i++)
		fprintf(to, "%s%s", i ? " " : "", o->choice(i));
}

static void zsh_sub_option(FILE *to, const struct sub_option *o)
{
	fprintf(to, " \\\n\t'*--%s%s[", o->option, o->arg ? "=" : "");
	shell_text(to, o->help);
	fputs("]", to);
	if (o->arg) {
		fprintf(to, ":%s:( ", o->arg);
		sub_words(to, o);
		fputs(")", to);
	}
	fputs("'", to);
}

/* The name is not "commands", which zsh keeps for itself. */
static void write_zsh_commands(FILE *to)
{
	fputs("local -a subcommands=(\n", to);
	for (size_t i = 0; subcommand_at(i); i++) {
		fprintf(to, "\t'%s:", subcommand_at(i)->name);
		shell_text(to, subcommand_at(i)->help);
		fputs("'\n", to);
	}
	fputs(")\n", to);
}

static void write_zsh_cases(FILE *to)
{
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *c = subcommand_at(i);
		fprintf(to, "%s)\n\t_arguments '--help[print a summary and end]'", c->name);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++)
			zsh_sub_option(to, &c->options[k]);
		fprintf(to, " \\\n\t'*:%s:%s'\n\treturn ;;\n", c->args,
			strstr(c->args, "FILE") ? "_files" : "( )");
	}
}

static void write_fish_commands(FILE *to)
{
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *c = subcommand_at(i);
		fprintf(to, "complete -c vmtop -n __fish_use_subcommand -a %s -d '", c->name);
		shell_text(to, c->help);
		fputs("'\n", to);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++) {
			fprintf(to, "complete -c vmtop -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
				c->name, c->options[k].option, c->options[k].arg ? " -x" : "");
			shell_text(to, c->options[k].help);
			if (c->options[k].choice) {
				fputs("' -a '", to);
				sub_words(to, &c->options[k]);
			}
			fputs("'\n", to);
		}
		if (strstr(c->args, "FILE"))
			fprintf(to, "complete -c vmtop -n '__fish_seen_subcommand_from %s' -F\n", c->name);
	}
}

static void write_fish_options(FILE *to)
{
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (!s->option)
			continue;
		fprintf(to, "complete -c vmtop -l %s", s->option);
		if (s->letter)
			fprintf(to, " -s %c", s->letter);
		if (setting_takes_value(s) && strcmp(s->arg, "FILE") == 0) {
			fputs(" -r -F", to);
		} else if (setting_takes_value(s)) {
			fputs(" -x -a '", to);
			words_of(to, s);
			fputs("'", to);
		}
		fputs(" -d '", to);
		shell_text(to, s->help);
		fputs("'\n", to);
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
