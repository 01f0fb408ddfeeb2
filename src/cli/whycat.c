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

static int take_options(struct asked *asked, const struct sub_line *line, struct err *err)
{
	*asked = (struct asked){.line = line, .samples = LOOKS};
	for (size_t i = 0; i < line->n_values; i++) {
		const char *value = line->values[i].value;
		int64_t n;
		switch (line->values[i].option) {
		case OPT_CONNECT:
			asked->uri = value;
			break;
		case OPT_DELAY:
			asked->delay = value;
			break;
		case OPT_JSON:
			asked->json = true;
			break;
		default:
			if (!quantity_whole(value, 2, 10000, &n))
				return err_set(err, ERR_USAGE, "why: option --samples: expected 2 to 10000");
			asked->samples = (int)n;
		}
	}
	return 0;
}

/* As vmtop itself would be started with these. */
static int configure(const struct asked *asked, struct config *cfg, struct err *err)
{
	/* What is looked at is not steered, whatever the configuration says. */
	char name[] = "vmtop", batch[] = "--batch", ro[] = "--readonly", manual[] = "--auto=none";
	char c[] = "--connect", d[] = "--delay";
	char uri[CFG_TEXT], delay[64];
	char *argv[9] = {name, batch, ro, manual};
	int argc = 4;
	if (asked->uri) {
		snprintf(uri, sizeof uri, "%s", asked->uri);
		argv[argc++] = c;
		argv[argc++] = uri;
	}
	snprintf(delay, sizeof delay, "%s", asked->delay ? asked->delay : "1");
	argv[argc++] = d;
	argv[argc++] = delay;
	struct options_action ignored;
	return options_parse(argc, argv, cfg, &ignored, err);
}

static bool wanted(const struct asked *asked, const struct snapshot *snap, size_t vm)
{
	for (size_t i = 0; i < asked->line->n_words; i++)
		if (rules_match(asked->line->words[i], &snap->sample.vms[vm]))
			return true;
	return asked->line->n_words == 0 && snap->vm_status[vm].suffer.n > 0;
}

static void print_finding(const struct snapshot *snap, size_t vm, const struct finding *finding)
{
	struct suffer_look look = snapshot_look(snap);
	char text[400], safe[800];
	printf("  %3.0f %%  %s: %s (for %.0f s)\n", finding->weight_pct, cause_key(finding->cause),
		cause_text(finding->cause), (double)(snap->sample.time_ns - finding->since_ns) / 1e9);
	suffer_evidence(&look, vm, finding, text, sizeof text);
	text_safe(safe, sizeof safe, text);
	printf("         %s\n", safe);
	suffer_cure(&look, vm, finding, text, sizeof text);
	text_safe(safe, sizeof safe, text);
	printf("         cure: %s\n", safe);
}

static void print_vm(const struct snapshot *snap, size_t vm)
{
	struct suffer_look look = snapshot_look(snap);
	const struct suffering *hurt = &snap->vm_status[vm].suffer;
	char name[800], verdict[200], unknown[300];
	text_escape(name, sizeof name, snap->sample.vms[vm].name);
	suffer_verdict(hurt, verdict, sizeof verdict);
	printf("%s%s %s\n", name, text_if(!hurt->n, ":"), verdict);
	for (int i = 0; i < hurt->n; i++)
		print_finding(snap, vm, &hurt->found[i]);
	suffer_unknown(&look, vm, unknown, sizeof unknown);
	if (*unknown)
		printf("         not known: %s\n", unknown);
}

/* The worst of those that are not printed yet; -1: none is left. */
static long next_worst(const struct asked *asked, const struct snapshot *snap, long last)
{
	long best = -1;
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		double score = snap->vm_status[i].suffer.score_pct;
		double before = last >= 0 ? snap->vm_status[last].suffer.score_pct : 0;
		bool after = last < 0 || score < before || (score <= before && (long)i > last);
		if (wanted(asked, snap, i) && after &&
			(best < 0 || score > snap->vm_status[best].suffer.score_pct))
			best = (long)i;
	}
	return best;
}

static int print(const struct asked *asked, const struct snapshot *snap, struct err *err)
{
	size_t n = 0, sick = 0;
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		sick += snap->vm_status[i].suffer.n > 0;
	for (long i = next_worst(asked, snap, -1); i >= 0; i = next_worst(asked, snap, i)) {
		n++;
		if (asked->json && why_json(snap, (size_t)i, err) < 0)
			return -1;
		if (!asked->json)
			print_vm(snap, (size_t)i);
	}
	if (asked->line->n_words && !n)
		return err_set(err, ERR_RUNTIME,
			"why: no running VM matches %.200s%s; a name, a pattern or a UUID was expected",
			asked->line->words[0], text_if(asked->line->n_words > 1, " or what follows it"));
	if (!asked->json && !asked->line->n_words)
		printf("%zu of %zu VM%s suffer%s\n", sick, snap->sample.n_vms, text_s(snap->sample.n_vms),
			text_if(sick == 1, "s"));
	return 0;
}

/* The last of so many samples; a cause is named when two of them show it. */
static int look(const struct asked *asked, struct engine *engine, struct err *err)
{
	struct snapshot *snap = NULL;
	engine_command(engine, &(struct command){.kind = CMD_GROUPS,
				       .number = SAMPLE_BALLOON | SAMPLE_PCPUS | SAMPLE_BLOCK});
	for (int i = 0; i < asked->samples; i++) {
		if (i && !engine_wait(engine, -1))
			break;
		if (engine_step(engine, err) < 0)
			return -1;
	}
	snap = engine_snapshot(engine);
	int rc = snap ? print(asked, snap, err) : err_set(err, ERR_NOMEM, "out of memory");
	snapshot_free(snap);
	return rc;
}

int why_run(const struct sub_line *line, struct err *err)
{
	struct asked asked;
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = take_options(&asked, line, err);
	if (rc >= 0)
		rc = configure(&asked, cfg, err);
	struct backend *backend = rc < 0 ? NULL : backend_open(cfg, err);
	struct engine *engine = backend ? engine_new(cfg, backend, err) : NULL;
	rc = engine ? look(&asked, engine, err) : -1;
	engine_free(engine);
	free(cfg);
	return rc;
}
