/* SPDX-License-Identifier: MIT */
/* vmtop why: looks at the host for a few samples and says who suffers, or why the VMs named do. Invariant:
 * nothing is changed; what is said comes from the same judgement that the screen shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/batch.h"
#include "vmtop/control.h"
#include "vmtop/fields.h"
#include "vmtop/options.h"
#include "vmtop/quantity.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

enum { LOOKS = 4 };

enum { OPT_CONNECT, OPT_DELAY, OPT_SAMPLES, OPT_JSON };

struct asked {
	const struct sub_line *line;
	const char *uri, *delay;
	int samples;
	bool json;
};

static int take_options(struct asked *a, const struct sub_line *line, struct err *e)
{
	*a = (struct asked){.line = line, .samples = LOOKS};
	for (size_t i = 0; i < line->n_values; i++) {
		const char *value = line->values[i].value;
		int64_t n;
		switch (line->values[i].option) {
		case OPT_CONNECT:
			a->uri = value;
			break;
		case OPT_DELAY:
			a->delay = value;
			break;
		case OPT_JSON:
			a->json = true;
			break;
		default:
			if (!quantity_whole(value, 2, 10000, &n))
				return err_set(e, ERR_USAGE, "why: option --samples: expected 2 to 10000");
			a->samples = (int)n;
		}
	}
	return 0;
}

/* As vmtop itself would be started with these. */
static int configure(const struct asked *a, struct config *cfg, struct err *e)
{
	/* What is looked at is not steered, whatever the configuration says. */
	char name[] = "vmtop", batch[] = "--batch", ro[] = "--readonly", manual[] = "--auto=none";
	char c[] = "--connect", d[] = "--delay";
	char uri[CFG_TEXT], delay[64];
	char *argv[9] = {name, batch, ro, manual};
	int argc = 4;
	if (a->uri) {
		snprintf(uri, sizeof uri, "%s", a->uri);
		argv[argc++] = c;
		argv[argc++] = uri;
	}
	snprintf(delay, sizeof delay, "%s", a->delay ? a->delay : "1");
	argv[argc++] = d;
	argv[argc++] = delay;
	struct options_action ignored;
	return options_parse(argc, argv, cfg, &ignored, e);
}

static bool wanted(const struct asked *a, const struct snapshot *s, size_t vm)
{
	for (size_t i = 0; i < a->line->n_words; i++)
		if (rules_match(a->line->words[i], &s->sample.vms[vm]))
			return true;
	return a->line->n_words == 0 && s->vm_status[vm].suffer.n > 0;
}

static void print_finding(const struct snapshot *s, size_t vm, const struct finding *f)
{
	struct suffer_look look = snapshot_look(s);
	char text[400], safe[800];
	printf("  %3.0f %%  %s: %s (for %.0f s)\n", f->weight_pct, cause_key(f->cause), cause_text(f->cause),
		(double)(s->sample.time_ns - f->since_ns) / 1e9);
	suffer_evidence(&look, vm, f, text, sizeof text);
	text_safe(safe, sizeof safe, text);
	printf("         %s\n", safe);
	suffer_cure(&look, vm, f, text, sizeof text);
	text_safe(safe, sizeof safe, text);
	printf("         cure: %s\n", safe);
}

static void print_vm(const struct snapshot *s, size_t vm)
{
	struct suffer_look look = snapshot_look(s);
	const struct suffering *x = &s->vm_status[vm].suffer;
	char name[800], verdict[200], unknown[300];
	text_escape(name, sizeof name, s->sample.vms[vm].name);
	suffer_verdict(x, verdict, sizeof verdict);
	printf("%s%s %s\n", name, x->n ? "" : ":", verdict);
	for (int i = 0; i < x->n; i++)
		print_finding(s, vm, &x->found[i]);
	suffer_unknown(&look, vm, unknown, sizeof unknown);
	if (*unknown)
		printf("         not known: %s\n", unknown);
}

/* The worst of those that are not printed yet; -1: none is left. */
static long next_worst(const struct asked *a, const struct snapshot *s, long last)
{
	long best = -1;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		double score = s->vm_status[i].suffer.score_pct;
		double before = last >= 0 ? s->vm_status[last].suffer.score_pct : 0;
		bool after = last < 0 || score < before || (score <= before && (long)i > last);
		if (wanted(a, s, i) && after && (best < 0 || score > s->vm_status[best].suffer.score_pct))
			best = (long)i;
	}
	return best;
}

static int print(const struct asked *a, const struct snapshot *s, struct err *e)
{
	size_t n = 0, sick = 0;
	for (size_t i = 0; i < s->sample.n_vms; i++)
		sick += s->vm_status[i].suffer.n > 0;
	for (long i = next_worst(a, s, -1); i >= 0; i = next_worst(a, s, i)) {
		n++;
		if (a->json && why_json(s, (size_t)i, e) < 0)
			return -1;
		if (!a->json)
			print_vm(s, (size_t)i);
	}
	if (a->line->n_words && !n)
		return err_set(e, ERR_RUNTIME,
			"why: no running VM matches %.200s%s; a name, a pattern or a UUID was expected",
			a->line->words[0], a->line->n_words > 1 ? " or what follows it" : "");
	if (!a->json && !a->line->n_words)
		printf("%zu of %zu VM%s suffer%s\n", sick, s->sample.n_vms, text_s(s->sample.n_vms),
			sick == 1 ? "s" : "");
	return 0;
}

/* The last of so many samples; a cause is named when two of them show it. */
static int look(const struct asked *a, struct engine *en, struct err *e)
{
	struct snapshot *s = NULL;
	engine_command(en, &(struct command){.kind = CMD_GROUPS,
				   .number = SAMPLE_BALLOON | SAMPLE_PCPUS | SAMPLE_BLOCK});
	for (int i = 0; i < a->samples; i++) {
		if (i && !engine_wait(en, -1))
			break;
		if (engine_step(en, e) < 0)
			return -1;
	}
	s = engine_snapshot(en);
	int rc = s ? print(a, s, e) : err_set(e, ERR_NOMEM, "out of memory");
	snapshot_free(s);
	return rc;
}

int why_run(const struct sub_line *line, struct err *e)
{
	struct asked a;
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg)
		return err_set(e, ERR_NOMEM, "out of memory");
	int rc = take_options(&a, line, e);
	rc = rc < 0 ? rc : configure(&a, cfg, e);
	struct backend *b = rc < 0 ? NULL : backend_open(cfg, e);
	struct engine *en = b ? engine_new(cfg, b, e) : NULL;
	rc = en ? look(&a, en, e) : -1;
	engine_free(en);
	free(cfg);
	return rc;
}
