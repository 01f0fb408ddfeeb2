/* SPDX-License-Identifier: MIT */
/* Writes the parts of manuals that come from tables, and fills templates.
 * Invariant: what the program knows by a table is in the manual by the same table; nothing is listed here. */
#include "vmtop/doc.h"

#include <string.h>

#include "doc_shell.h"
#include "vmtop/avail.h"
#include "vmtop/columns.h"
#include "vmtop/fields.h"
#include "vmtop/fleet_rows.h"
#include "vmtop/keys.h"
#include "vmtop/line.h"
#include "vmtop/metrics.h"
#include "vmtop/options.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/suffer.h"
#include "vmtop/text.h"
#include "vmtop/why.h"

enum { MDOC_WIDTH = 78 };

static void mdoc_char(FILE *out, char c)
{
	if (c == '\\')
		fputs("\\e", out);
	else if (c == '"')
		fputs("\\(dq", out);
	else
		fputc(c, out);
}

/* Text for mdoc, broken at blanks into short lines, none of which starts with a dot or a quote. */
static void mdoc_text(FILE *out, const char *text)
{
	for (size_t used = 0; *text;) {
		size_t n = strcspn(text, " ");
		if (used && used + 1 + n > MDOC_WIDTH) {
			fputc('\n', out);
			used = 0;
		} else if (used) {
			used += fputc(' ', out) == ' ';
		}
		if (!used && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		used += n;
		for (; n; n--)
			mdoc_char(out, *text++);
		text += strspn(text, " ");
	}
}

/* A macro's argument, always quoted, since a word such as "Fl" would be taken for a macro. */
static void mdoc_word(FILE *out, const char *text)
{
	fputc('"', out);
	if (strlen(text) <= 3)
		fputs("\\&", out);
	mdoc_text(out, text);
	fputc('"', out);
}

/* With a capital letter, unless the first word is a name such as vCPU or origin-a. */
static void mdoc_sentence(FILE *out, const char *text)
{
	size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	char sentence[1000];
	snprintf(sentence, sizeof sentence, "%s", text);
	if (plain && text[plain] == ' ')
		sentence[0] = (char)(*text - 'a' + 'A');
	mdoc_text(out, sentence);
	fputs(".\n", out);
}

static const char list_begin[] = ".Bl -tag -width Ds\n", list_end[] = ".El\n";

/* ".It Cm word", and a sentence on it. */
static void mdoc_item(FILE *out, const char *macro, const char *word, const char *help)
{
	fprintf(out, ".It %s ", macro);
	mdoc_word(out, word);
	fputc('\n', out);
	if (help)
		mdoc_sentence(out, help);
}

static void mdoc_choices(FILE *out, const struct setting *setting)
{
	fputs("One of\n", out);
	for (int i = 0; strcmp(setting->choice(i), "?") != 0; i++) {
		bool more = strcmp(setting->choice(i + 1), "?") != 0;
		fprintf(out, ".Cm %s %s\n", setting->choice(i), more ? "," : ".");
	}
}

static bool has_default(const struct setting *setting)
{
	return *setting->initial && setting->type != SET_ACTION && setting->type != SET_ALIAS;
}

static void option_item(FILE *out, const struct setting *setting)
{
	fputs(".It", out);
	if (setting->letter)
		fprintf(out, " Fl %c ,", setting->letter);
	fprintf(out, " Fl \\-%s", setting->option);
	if (setting->arg && setting->type == SET_AUTO)
		fprintf(out, " Ns Op = Ns Ar %s", setting->arg);
	else if (setting->arg)
		fprintf(out, " Ar %s", setting->arg);
	fputc('\n', out);
	mdoc_sentence(out, setting->help);
	if (setting->choice)
		mdoc_choices(out, setting);
	if (has_default(setting) && setting->type != SET_FLAG)
		fprintf(out, "Default: %s.\n", setting->initial);
}

static void write_options(FILE *out)
{
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool open = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].option)
				continue;
			if (!open)
				fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n",
					setting_section_text((enum setting_section)sec));
			open = true;
			option_item(out, &settings[i]);
		}
		if (open)
			fputs(list_end, out);
	}
}

static void config_item(FILE *out, const struct setting *setting)
{
	char expects[200];
	setting_expects(setting, expects, sizeof expects);
	fprintf(out, ".It Cm %s\n", setting->key);
	mdoc_sentence(out, setting->help);
	fputs("Expected: ", out);
	mdoc_sentence(out, expects);
	if (has_default(setting))
		fprintf(out, "Default: %s.\n", setting->initial);
}

static void write_config(FILE *out)
{
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool open = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].key)
				continue;
			if (!open)
				fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n",
					setting_section_text((enum setting_section)sec));
			open = true;
			config_item(out, &settings[i]);
		}
		if (open)
			fputs(list_end, out);
	}
}

static void write_vm_config(FILE *out)
{
	fputs(list_begin, out);
	for (size_t i = 0; i < n_vm_settings; i++)
		config_item(out, &vm_settings[i]);
	fputs(list_end, out);
}

static void write_keys(FILE *out)
{
	for (int sec = 0; sec < KEYS_SECTIONS; sec++) {
		fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", key_section_text((enum key_section)sec));
		for (size_t i = 0; i < key_count(); i++) {
			const struct key_row *key = key_at(i);
			if ((int)key->section != sec || !*key->name)
				continue;
			mdoc_item(out, "Ic", key->name, key->help);
		}
		fputs(list_end, out);
	}
}

static void write_line(FILE *out)
{
	fputs(list_begin, out);
	for (size_t i = 0; i < line_count(); i++) {
		const struct line_row *row = line_at(i);
		fputs(".It Cm ", out);
		mdoc_word(out, row->word);
		if (*line_arg(row)) {
			fputs(" No ", out);
			mdoc_word(out, line_arg(row));
		}
		fputc('\n', out);
		mdoc_sentence(out, line_help(row));
	}
	fputs(list_end, out);
}

static void write_columns(FILE *out)
{
	fputs(list_begin, out);
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *column = column_at(i);
		fputs(".It Cm ", out);
		mdoc_word(out, column->key);
		fputs(" Pq ", out);
		mdoc_word(out, column->head);
		fputc('\n', out);
		mdoc_text(out, column->help);
		fprintf(out, "%s%s.\n", text_if(*column->unit, "; unit: "), column->unit);
	}
	fputs(list_end, out);
}

static void write_field(const char *path, const struct field *field, void *arg)
{
	FILE *out = arg;
	mdoc_item(out, "Li", path, NULL);
	mdoc_text(out, field->help);
	fprintf(out, "%s%s.\n", text_if(*field->unit, "; unit: "), field->unit);
}

static void write_fields(FILE *out)
{
	fputs(".Bl -tag -width Ds -compact\n", out);
	fields_each(&json_fields, write_field, out);
	fputs(list_end, out);
}

static void write_metric(FILE *out, const struct field *field)
{
	enum metric_type type = metric_type(field);
	mdoc_item(out, "Li", field->key, NULL);
	mdoc_text(out, field->help);
	if (type != METRIC_INFO)
		fprintf(out, ".\n%s%s%s", type == METRIC_COUNTER ? "Counter" : "Gauge",
			text_if(*metric_unit(field), ", in "), metric_unit(field));
	fputs(".\n", out);
}

static void write_metrics(FILE *out)
{
	for (size_t k = 0; k < n_metric_sets; k++) {
		const struct metric_set *set = &metric_sets[k];
		fprintf(out, ".Ss %s\n", set->what);
		if (*set->labels)
			fprintf(out, "Labels: %s.\n", set->labels);
		fputs(".Bl -tag -width Ds -compact\n", out);
		for (size_t i = 0; i < set->rows.n; i++)
			write_metric(out, &set->rows.fields[i]);
		fputs(list_end, out);
	}
}

static void write_reasons(FILE *out)
{
	fputs(list_begin, out);
	for (int i = 0; i < REASON_COUNT; i++)
		mdoc_item(out, "Cm", reason_key((enum reason)i), reason_text((enum reason)i));
	fputs(list_end, out);
}

static void write_cpu_policies(FILE *out)
{
	fputs(list_begin, out);
	for (int i = 0; i < CPU_POLICY_COUNT; i++)
		mdoc_item(out, "Cm", cpu_policy_name((enum cpu_policy_id)i),
			cpu_policy_help((enum cpu_policy_id)i));
	fputs(list_end, out);
}

static void write_memory_policies(FILE *out)
{
	fputs(list_begin, out);
	for (int i = 0; i < MEM_POLICY_COUNT; i++)
		mdoc_item(out, "Cm", mem_policy_name((enum mem_policy_id)i),
			mem_policy_help((enum mem_policy_id)i));
	fputs(list_end, out);
}

static void write_causes(FILE *out)
{
	fputs(list_begin, out);
	for (int i = 0; i < CAUSE_COUNT; i++)
		mdoc_item(out, "Cm", cause_key((enum cause)i), cause_text((enum cause)i));
	fputs(list_end, out);
}

static void write_fleet(FILE *out, enum fleet_kind kind)
{
	const struct fleet_table *table = fleet_table(kind);
	fputs(list_begin, out);
	for (size_t i = 0; i < table->n; i++) {
		fputs(".It Cm ", out);
		mdoc_word(out, table->columns[i].key);
		fprintf(out, " , %s\n", table->columns[i].head);
		mdoc_sentence(out, table->columns[i].help);
	}
	fputs(list_end, out);
}

static void write_fleet_hosts(FILE *out)
{
	write_fleet(out, FLEET_HOSTS);
}

static void write_fleet_vms(FILE *out)
{
	write_fleet(out, FLEET_VMS);
}

static void write_events(FILE *out)
{
	fputs(".Bl -tag -width 4n -compact\n", out);
	for (int i = 0; i < TIMELINE_KINDS; i++) {
		const char sign[] = {timeline_sign((enum timeline_kind)i), '\0'};
		mdoc_item(out, "Li", sign, timeline_name((enum timeline_kind)i));
	}
	fputs(list_end, out);
}

static void write_absent(FILE *out)
{
	fputs(list_begin, out);
	for (int i = 0; i < AVAIL_COUNT; i++)
		if (i != AVAIL_OK)
			mdoc_item(out, "Cm", avail_key((enum avail)i), avail_text((enum avail)i));
	fputs(list_end, out);
}

static void write_commands(FILE *out)
{
	fputs(list_begin, out);
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *sub = subcommand_at(i);
		fprintf(out, ".It Cm %s", sub->name);
		for (size_t k = 0; k < SUB_OPTIONS && sub->options[k].option; k++)
			fprintf(out, " Oo Fl \\-%s%s%s Oc", sub->options[k].option,
				text_if(sub->options[k].arg, " Ar "), text_or(sub->options[k].arg, ""));
		fprintf(out, " Ar %s\n", sub->args);
		mdoc_sentence(out, sub->help);
		for (size_t k = 0; k < SUB_OPTIONS && sub->options[k].option; k++) {
			fprintf(out, ".Fl \\-%s :\n", sub->options[k].option);
			mdoc_text(out, sub->options[k].help);
			fputs(".\n", out);
		}
	}
	fputs(list_end, out);
}

/* Each line of the list kept beside the manuals: who, and what it does differently and why. */
static void write_deviations(FILE *out)
{
	char line[2048];
	FILE *file = fopen("man/origin-deviations.txt", "r");
	fputs(".Bl -bullet\n", out);
	while (file && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		fputs(".It\n", out);
		mdoc_text(out, line);
		fputc('\n', out);
	}
	fputs(list_end, out);
	if (file)
		fclose(file);
}

static const struct doc_part manual_parts[] = {
	{"OPTIONS", write_options},
	{"COMMANDS", write_commands},
	{"CONFIG", write_config},
	{"VM_CONFIG", write_vm_config},
	{"KEYS", write_keys},
	{"LINE", write_line},
	{"COLUMNS", write_columns},
	{"FIELDS", write_fields},
	{"METRICS", write_metrics},
	{"REASONS", write_reasons},
	{"CPU_POLICIES", write_cpu_policies},
	{"MEMORY_POLICIES", write_memory_policies},
	{"CAUSES", write_causes},
	{"EVENTS", write_events},
	{"FLEET_HOSTS", write_fleet_hosts},
	{"FLEET_VMS", write_fleet_vms},
	{"ABSENT", write_absent},
	{"DEVIATIONS", write_deviations},
	{NULL, NULL},
};

static const struct doc_part *part_named(const struct doc_part *in, const char *name, size_t len)
{
	for (; in->name; in++)
		if (strlen(in->name) == len && strncmp(in->name, name, len) == 0)
			return in;
	return NULL;
}

static int doc_generate(FILE *out, const char *name, size_t len, struct err *err)
{
	const struct doc_part *part = part_named(manual_parts, name, len);
	if (!part)
		part = part_named(doc_shell_parts, name, len);
	if (!part)
		return err_set(err, ERR_USAGE, "no part is called %.*s", (int)len, name);
	part->write(out);
	return 0;
}

int doc_expand(FILE *from, FILE *out, struct err *err)
{
	char line[2048];
	while (fgets(line, sizeof line, from)) {
		size_t n = strcspn(line, "\n");
		if (n > 2 && line[0] == '@' && line[n - 1] == '@') {
			if (doc_generate(out, line + 1, n - 2, err) < 0)
				return -1;
		} else {
			fputs(line, out);
		}
	}
	return 0;
}
