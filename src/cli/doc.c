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
#include "vmtop/why.h"

enum { MDOC_WIDTH = 78 };

static void mdoc_char(FILE *to, char c)
{
	if (c == '\\')
		fputs("\\e", to);
	else if (c == '"')
		fputs("\\(dq", to);
	else
		fputc(c, to);
}

/* Text for mdoc, broken at blanks into short lines, none of which starts with a dot or a quote. */
static void mdoc_text(FILE *to, const char *text)
{
	for (size_t used = 0; *text;) {
		size_t n = strcspn(text, " ");
		if (used && used + 1 + n > MDOC_WIDTH) {
			fputc('\n', to);
			used = 0;
		} else if (used) {
			used += fputc(' ', to) == ' ';
		}
		if (!used && (*text == '.' || *text == '\''))
			fputs("\\&", to);
		used += n;
		for (; n; n--)
			mdoc_char(to, *text++);
		text += strspn(text, " ");
	}
}

/* A macro's argument, always quoted, since a word such as "Fl" would be taken for a macro. */
static void mdoc_word(FILE *to, const char *text)
{
	fputc('"', to);
	if (strlen(text) <= 3)
		fputs("\\&", to);
	mdoc_text(to, text);
	fputc('"', to);
}

/* With a capital letter, unless the first word is a name such as vCPU or origin-a. */
static void mdoc_sentence(FILE *to, const char *text)
{
	size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	char sentence[1000];
	snprintf(sentence, sizeof sentence, "%s", text);
	if (plain && text[plain] == ' ')
		sentence[0] = (char)(*text - 'a' + 'A');
	mdoc_text(to, sentence);
	fputs(".\n", to);
}

static const char list_begin[] = ".Bl -tag -width Ds\n", list_end[] = ".El\n";

/* ".It Cm word", and a sentence on it. */
static void mdoc_item(FILE *to, const char *macro, const char *word, const char *help)
{
	fprintf(to, ".It %s ", macro);
	mdoc_word(to, word);
	fputc('\n', to);
	if (help)
		mdoc_sentence(to, help);
}

static void mdoc_choices(FILE *to, const struct setting *s)
{
	fputs("One of\n", to);
	for (int i = 0; strcmp(s->choice(i), "?") != 0; i++) {
		bool more = strcmp(s->choice(i + 1), "?") != 0;
		fprintf(to, ".Cm %s %s\n", s->choice(i), more ? "," : ".");
	}
}

static bool has_default(const struct setting *s)
{
	return *s->initial && s->type != SET_ACTION && s->type != SET_ALIAS;
}

static void option_item(FILE *to, const struct setting *s)
{
	fputs(".It", to);
	if (s->letter)
		fprintf(to, " Fl %c ,", s->letter);
	fprintf(to, " Fl \\-%s", s->option);
	if (s->arg && s->type == SET_AUTO)
		fprintf(to, " Ns Op = Ns Ar %s", s->arg);
	else if (s->arg)
		fprintf(to, " Ar %s", s->arg);
	fputc('\n', to);
	mdoc_sentence(to, s->help);
	if (s->choice)
		mdoc_choices(to, s);
	if (has_default(s) && s->type != SET_FLAG)
		fprintf(to, "Default: %s.\n", s->initial);
}

static void write_options(FILE *to)
{
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool open = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].option)
				continue;
			if (!open)
				fprintf(to, ".Ss %s\n.Bl -tag -width Ds\n",
					setting_section_text((enum setting_section)sec));
			open = true;
			option_item(to, &settings[i]);
		}
		if (open)
			fputs(list_end, to);
	}
}

static void config_item(FILE *to, const struct setting *s)
{
	char expects[200];
	setting_expects(s, expects, sizeof expects);
	fprintf(to, ".It Cm %s\n", s->key);
	mdoc_sentence(to, s->help);
	fputs("Expected: ", to);
	mdoc_sentence(to, expects);
	if (has_default(s))
		fprintf(to, "Default: %s.\n", s->initial);
}

static void write_config(FILE *to)
{
	for (int sec = 0; sec < SECTION_COUNT; sec++) {
		bool open = false;
		for (size_t i = 0; i < n_settings; i++) {
			if ((int)settings[i].section != sec || !settings[i].key)
				continue;
			if (!open)
				fprintf(to, ".Ss %s\n.Bl -tag -width Ds\n",
					setting_section_text((enum setting_section)sec));
			open = true;
			config_item(to, &settings[i]);
		}
		if (open)
			fputs(list_end, to);
	}
}

static void write_vm_config(FILE *to)
{
	fputs(list_begin, to);
	for (size_t i = 0; i < n_vm_settings; i++)
		config_item(to, &vm_settings[i]);
	fputs(list_end, to);
}

static void write_keys(FILE *to)
{
	for (int sec = 0; sec < KEYS_SECTIONS; sec++) {
		fprintf(to, ".Ss %s\n.Bl -tag -width Ds\n", key_section_text((enum key_section)sec));
		for (size_t i = 0; i < key_count(); i++) {
			const struct key_row *k = key_at(i);
			if ((int)k->section != sec || !*k->name)
				continue;
			mdoc_item(to, "Ic", k->name, k->help);
		}
		fputs(list_end, to);
	}
}

static void write_line(FILE *to)
{
	fputs(list_begin, to);
	for (size_t i = 0; i < line_count(); i++) {
		const struct line_row *r = line_at(i);
		fputs(".It Cm ", to);
		mdoc_word(to, r->word);
		if (*line_arg(r)) {
			fputs(" No ", to);
			mdoc_word(to, line_arg(r));
		}
		fputc('\n', to);
		mdoc_sentence(to, line_help(r));
	}
	fputs(list_end, to);
}

static void write_columns(FILE *to)
{
	fputs(list_begin, to);
	for (size_t i = 0; i < column_count(); i++) {
		const struct column *c = column_at(i);
		fputs(".It Cm ", to);
		mdoc_word(to, c->key);
		fputs(" Pq ", to);
		mdoc_word(to, c->head);
		fputc('\n', to);
		mdoc_text(to, c->help);
		fprintf(to, "%s%s.\n", *c->unit ? "; unit: " : "", c->unit);
	}
	fputs(list_end, to);
}

static void write_field(const char *path, const struct field *f, void *arg)
{
	FILE *to = arg;
	mdoc_item(to, "Li", path, NULL);
	mdoc_text(to, f->help);
	fprintf(to, "%s%s.\n", *f->unit ? "; unit: " : "", f->unit);
}

static void write_fields(FILE *to)
{
	fputs(".Bl -tag -width Ds -compact\n", to);
	fields_each(&json_fields, write_field, to);
	fputs(list_end, to);
}

static void write_metric(FILE *to, const struct field *f)
{
	enum metric_type type = metric_type(f);
	mdoc_item(to, "Li", f->key, NULL);
	mdoc_text(to, f->help);
	if (type != METRIC_INFO)
		fprintf(to, ".\n%s%s%s", type == METRIC_COUNTER ? "Counter" : "Gauge",
			*metric_unit(f) ? ", in " : "", metric_unit(f));
	fputs(".\n", to);
}

static void write_metrics(FILE *to)
{
	for (size_t k = 0; k < n_metric_sets; k++) {
		const struct metric_set *set = &metric_sets[k];
		fprintf(to, ".Ss %s\n", set->what);
		if (*set->labels)
			fprintf(to, "Labels: %s.\n", set->labels);
		fputs(".Bl -tag -width Ds -compact\n", to);
		for (size_t i = 0; i < set->rows.n; i++)
			write_metric(to, &set->rows.fields[i]);
		fputs(list_end, to);
	}
}

static void write_reasons(FILE *to)
{
	fputs(list_begin, to);
	for (int i = 0; i < REASON_COUNT; i++)
		mdoc_item(to, "Cm", reason_key((enum reason)i), reason_text((enum reason)i));
	fputs(list_end, to);
}

static void write_cpu_policies(FILE *to)
{
	fputs(list_begin, to);
	for (int i = 0; i < CPU_POLICY_COUNT; i++)
		mdoc_item(to, "Cm", cpu_policy_name((enum cpu_policy_id)i),
			cpu_policy_help((enum cpu_policy_id)i));
	fputs(list_end, to);
}

static void write_memory_policies(FILE *to)
{
	fputs(list_begin, to);
	for (int i = 0; i < MEM_POLICY_COUNT; i++)
		mdoc_item(to, "Cm", mem_policy_name((enum mem_policy_id)i),
			mem_policy_help((enum mem_policy_id)i));
	fputs(list_end, to);
}

static void write_causes(FILE *to)
{
	fputs(list_begin, to);
	for (int i = 0; i < CAUSE_COUNT; i++)
		mdoc_item(to, "Cm", cause_key((enum cause)i), cause_text((enum cause)i));
	fputs(list_end, to);
}

static void write_fleet(FILE *to, enum fleet_kind k)
{
	const struct fleet_table *t = fleet_table(k);
	fputs(list_begin, to);
	for (size_t i = 0; i < t->n; i++) {
		fputs(".It Cm ", to);
		mdoc_word(to, t->columns[i].key);
		fprintf(to, " , %s\n", t->columns[i].head);
		mdoc_sentence(to, t->columns[i].help);
	}
	fputs(list_end, to);
}

static void write_fleet_hosts(FILE *to)
{
	write_fleet(to, FLEET_HOSTS);
}

static void write_fleet_vms(FILE *to)
{
	write_fleet(to, FLEET_VMS);
}

static void write_events(FILE *to)
{
	fputs(".Bl -tag -width 4n -compact\n", to);
	for (int i = 0; i < TIMELINE_KINDS; i++) {
		const char sign[] = {timeline_sign((enum timeline_kind)i), '\0'};
		mdoc_item(to, "Li", sign, timeline_name((enum timeline_kind)i));
	}
	fputs(list_end, to);
}

static void write_absent(FILE *to)
{
	fputs(list_begin, to);
	for (int i = 0; i < AVAIL_COUNT; i++)
		if (i != AVAIL_OK)
			mdoc_item(to, "Cm", avail_key((enum avail)i), avail_text((enum avail)i));
	fputs(list_end, to);
}

static void write_commands(FILE *to)
{
	fputs(list_begin, to);
	for (size_t i = 0; subcommand_at(i); i++) {
		const struct subcommand *c = subcommand_at(i);
		fprintf(to, ".It Cm %s", c->name);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++)
			fprintf(to, " Oo Fl \\-%s%s%s Oc", c->options[k].option,
				c->options[k].arg ? " Ar " : "", c->options[k].arg ? c->options[k].arg : "");
		fprintf(to, " Ar %s\n", c->args);
		mdoc_sentence(to, c->help);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++) {
			fprintf(to, ".Fl \\-%s :\n", c->options[k].option);
			mdoc_text(to, c->options[k].help);
			fputs(".\n", to);
		}
	}
	fputs(list_end, to);
}

/* Each line of the list kept beside the manuals: who, and what it does differently and why. */
static void write_deviations(FILE *to)
{
	char line[2048];
	FILE *f = fopen("man/origin-deviations.txt", "r");
	fputs(".Bl -bullet\n", to);
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		fputs(".It\n", to);
		mdoc_text(to, line);
		fputc('\n', to);
	}
	fputs(list_end, to);
	if (f)
		fclose(f);
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

static int doc_generate(FILE *to, const char *name, size_t len, struct err *e)
{
	const struct doc_part *p = part_named(manual_parts, name, len);
	if (!p)
		p = part_named(doc_shell_parts, name, len);
	if (!p)
		return err_set(e, ERR_USAGE, "no part is called %.*s", (int)len, name);
	p->write(to);
	return 0;
}

int doc_expand(FILE *from, FILE *to, struct err *e)
{
	char line[2048];
	while (fgets(line, sizeof line, from)) {
		size_t n = strcspn(line, "\n");
		if (n > 2 && line[0] == '@' && line[n - 1] == '@') {
			if (doc_generate(to, line + 1, n - 2, e) < 0)
				return -1;
		} else {
			fputs(line, to);
		}
	}
	return 0;
}
