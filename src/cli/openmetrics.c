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
static void escaped(FILE *to, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "\\\"");
		fwrite(text, 1, plain, to);
		text += plain;
		if (*text)
			fprintf(to, "\\%c", *text++);
	}
}

static void help_out(FILE *to, const struct exposition *x, const char *help)
{
	if (x->openmetrics)
		escaped(to, help);
	else
		fputs(help, to);
	fputc('\n', to);
}

static void head(FILE *to, const struct exposition *x, const struct field *f)
{
	enum metric_type type = metric_type(f);
	int n = (int)strlen(f->key);
	const char *unit = metric_unit(f), *word = metric_type_name(type);
	if (x->openmetrics && type == METRIC_COUNTER)
		n -= (int)strlen("_total");
	else if (type == METRIC_INFO)
		word = "gauge"; /* whoever reads the older format refuses the whole text for a type that it
				   has not */
	fprintf(to, "# TYPE %.*s %s\n", n, f->key, word);
	if (x->openmetrics && *unit)
		fprintf(to, "# UNIT %.*s %s\n", n, f->key, unit);
	fprintf(to, "# HELP %.*s ", n, f->key);
	help_out(to, x, f->help);
}

/* The labels of each series of a set, written once for all its rows. */
struct labels {
	char *text;
	size_t len, *at; /* where each begins; one more: the end */
};

static void labels_done(struct labels *l)
{
	free(l->text);
	free(l->at);
}

static void label_out(FILE *to, const struct metric_labels *l)
{
	for (int i = 0; i < l->n; i++) {
		char clean[4 * VM_NAME_BYTES];
		text_safe_utf8(clean, sizeof clean, l->of[i].raw ? l->of[i].raw : l->of[i].buf);
		fprintf(to, "%c%s=\"", i ? ',' : '{', l->of[i].name);
		escaped(to, clean);
		fputc('"', to);
	}
	if (l->n)
		fputc('}', to);
}

static int labels_of(struct labels *l, const struct exposition *x, const struct metric_set *set, size_t n)
{
	memset(l, 0, sizeof *l);
	l->at = calloc(n + 1, sizeof *l->at);
	FILE *to = l->at ? open_memstream(&l->text, &l->len) : NULL;
	if (!to)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct metric_labels of = {0};
		if (set->label)
			set->label(&(struct field_at){x->s, i, x->t}, &of);
		l->at[i] = (size_t)ftell(to);
		label_out(to, &of);
	}
	l->at[n] = (size_t)ftell(to);
	return fclose(to) == 0 ? 0 : -1;
}

static void row_out(
	FILE *to, const struct exposition *x, const struct field *f, const struct labels *l, size_t n)
{
	bool begun = false;
	double v;
	for (size_t i = 0; i < n; i++) {
		if (!metric_value(f, &(struct field_at){x->s, i, x->t}, &v))
			continue;
		if (!begun)
			head(to, x, f);
		begun = true;
		fprintf(to, "%s%.*s %.12g\n", f->key, (int)(l->at[i + 1] - l->at[i]), l->text + l->at[i], v);
	}
}

static int set_out(FILE *to, const struct exposition *x, const struct metric_set *set)
{
	struct labels l;
	size_t n = set->count ? set->count(&(struct field_at){x->s, 0, x->t}) : 1;
	if (set->of_vcpus && n > x->vcpus_most)
		n = x->vcpus_most;
	int r = n ? labels_of(&l, x, set, n) : 0;
	for (size_t i = 0; n && r == 0 && i < set->rows.n; i++)
		row_out(to, x, &set->rows.fields[i], &l, n);
	if (n)
		labels_done(&l);
	return r;
}

int exposition_write(FILE *to, const struct exposition *x)
{
	for (size_t i = 0; i < n_metric_sets; i++)
		if (set_out(to, x, &metric_sets[i]) < 0)
			return -1;
	if (x->openmetrics)
		fputs("# EOF\n", to);
	return 0;
}

int openmetrics_see(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	if (!o->tally)
		o->tally = tally_new();
	if (!o->tally || tally_see(o->tally, s) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	exposition_own(&o->tally->own);
	return 0;
}

int openmetrics_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	if (openmetrics_see(o, s, e) < 0)
		return -1;
	struct exposition x = {s, o->tally, true, (size_t)o->cfg->vcpu_metrics};
	return exposition_write(o->to, &x) < 0 ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}
