/* SPDX-License-Identifier: MIT */
/* Text for Prometheus: one exposition of the table of metrics, in the format of OpenMetrics, ended by "#
 * EOF", or in the older one of Prometheus, which names a counter with its ending. Invariant: an absent value
 * has no line, a family without a line has no head, and a name has no control characters.
 */
#include <stdlib.h>
#include <string.h>

#include "exposition.h"
#include "vmtop/batch.h"
#include "vmtop/text.h"

/* In both formats what HELP and a label may not hold as it is, but for the quotation mark in HELP. */
static void escaped(FILE *out, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "\\\"");
		fwrite(text, 1, plain, out);
		text += plain;
		if (*text)
			fprintf(out, "\\%c", *text++);
	}
}

static void help_out(FILE *out, const struct exposition *expo, const char *help)
{
	if (expo->openmetrics)
		escaped(out, help);
	else
		fputs(help, out);
	fputc('\n', out);
}

static void head(FILE *out, const struct exposition *expo, const struct field *field)
{
	enum metric_type type = metric_type(field);
	int n = (int)strlen(field->key);
	const char *unit = metric_unit(field), *word = metric_type_name(type);
	if (expo->openmetrics && type == METRIC_COUNTER)
		n -= (int)strlen("_total");
	else if (type == METRIC_INFO)
		word = "gauge"; /* whoever reads the older format refuses the whole text for a type that it
				   has not */
	fprintf(out, "# TYPE %.*s %s\n", n, field->key, word);
	if (expo->openmetrics && *unit)
		fprintf(out, "# UNIT %.*s %s\n", n, field->key, unit);
	fprintf(out, "# HELP %.*s ", n, field->key);
	help_out(out, expo, field->help);
}

/* The labels of each series of a set, written once for all its rows. */
struct labels {
	char *text;
	size_t len, *at; /* where each begins; one more: the end */
};

static void labels_done(struct labels *labels)
{
	free(labels->text);
	free(labels->at);
}

static void label_out(FILE *out, const struct metric_labels *labels)
{
	for (int i = 0; i < labels->n; i++) {
		char clean[4 * VM_NAME_BYTES];
		text_safe_utf8(
			clean, sizeof clean, labels->of[i].raw ? labels->of[i].raw : labels->of[i].buf);
		fprintf(out, "%c%s=\"", i ? ',' : '{', labels->of[i].name);
		escaped(out, clean);
		fputc('"', out);
	}
	if (labels->n)
		fputc('}', out);
}

static int labels_of(
	struct labels *labels, const struct exposition *expo, const struct metric_set *set, size_t n)
{
	memset(labels, 0, sizeof *labels);
	labels->at = calloc(n + 1, sizeof *labels->at);
	FILE *out = labels->at ? open_memstream(&labels->text, &labels->len) : NULL;
	if (!out)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct metric_labels of = {0};
		if (set->label)
			set->label(&(struct field_at){expo->s, i, expo->t}, &of);
		labels->at[i] = (size_t)ftell(out);
		label_out(out, &of);
	}
	labels->at[n] = (size_t)ftell(out);
	return fclose(out) == 0 ? 0 : -1;
}

static void row_out(FILE *out, const struct exposition *expo, const struct field *field,
	const struct labels *labels, size_t n)
{
	bool begun = false;
	double v;
	for (size_t i = 0; i < n; i++) {
		if (!metric_value(field, &(struct field_at){expo->s, i, expo->t}, &v))
			continue;
		if (!begun)
			head(out, expo, field);
		begun = true;
		fprintf(out, "%s%.*s %.12g\n", field->key, (int)(labels->at[i + 1] - labels->at[i]),
			labels->text + labels->at[i], v);
	}
}

static int set_out(FILE *out, const struct exposition *expo, const struct metric_set *set)
{
	struct labels labels;
	size_t n = set->count ? set->count(&(struct field_at){expo->s, 0, expo->t}) : 1;
	if (set->of_vcpus && n > expo->vcpus_most)
		n = expo->vcpus_most;
	int r = n ? labels_of(&labels, expo, set, n) : 0;
	for (size_t i = 0; n && r == 0 && i < set->rows.n; i++)
		row_out(out, expo, &set->rows.fields[i], &labels, n);
	if (n)
		labels_done(&labels);
	return r;
}

int exposition_write(FILE *out, const struct exposition *expo)
{
	for (size_t i = 0; i < n_metric_sets; i++)
		if (set_out(out, expo, &metric_sets[i]) < 0)
			return -1;
	if (expo->openmetrics)
		fputs("# EOF\n", out);
	return 0;
}

int openmetrics_see(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	if (!out->tally)
		out->tally = tally_new();
	if (!out->tally || tally_see(out->tally, snap) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	exposition_own(&out->tally->own);
	return 0;
}

int openmetrics_write(struct batch_out *out, const struct snapshot *snap, struct err *err)
{
	if (openmetrics_see(out, snap, err) < 0)
		return -1;
	struct exposition expo = {snap, out->tally, true, (size_t)out->cfg->vcpu_metrics};
	return exposition_write(out->to, &expo) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}
