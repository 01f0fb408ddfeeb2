/* SPDX-License-Identifier: MIT */
/* Names causes and takes them back. Invariant: a cause is named only while samples show it, at most one
 * sample longer, and what is remembered of a VM goes with it. Must not know what a cause means. */
#include <stdlib.h>
#include <string.h>

#include "suffer_priv.h"
#include "vmtop/array.h"
#include "vmtop/minmax.h"

enum { NAME_AFTER = 2, GONE_AFTER = 2 };
static const double off_part = .6; /* of the weight from which a cause is named: below it is not seen */

static const struct {
	const char *key;
	enum alarm alarm;
	double from_pct;
	bool at_once;
	const char *text;
} rows[] = {
#define ROW(code, key, alarm, from_pct, at_once, text) [code] = {key, alarm, from_pct, at_once, text},
	CAUSE_TABLE(ROW)
#undef ROW
};
static const char *const words[] = {
#define WORD(code, word) [code] = word,
	ALARM_TABLE(WORD)
#undef WORD
};

struct cause_past {
	uint8_t shown, quiet; /* samples in a row */
	bool named;
	int64_t since_ns;
	struct seen last;
};

struct vm_past {
	uint32_t birth;
	struct cause_past causes[CAUSE_COUNT];
};

struct suffer {
	struct ground ground;
	struct vm_past *vms; /* by slot */
	size_t n, cap;
	struct suffering *out; /* by VM of the sample */
	size_t cap_out;
};

const char *cause_key(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? rows[cause].key : "?";
}

const char *cause_text(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? rows[cause].text : "?";
}

enum alarm cause_alarm(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? rows[cause].alarm : ALARM_SLOWED;
}

const char *alarm_word(enum alarm alarm)
{
	return (unsigned)alarm < ALARM_COUNT ? words[alarm] : "?";
}

struct suffer *suffer_new(void)
{
	return calloc(1, sizeof(struct suffer));
}

void suffer_free(struct suffer *suffer)
{
	if (!suffer)
		return;
	free(suffer->vms);
	free(suffer->out);
	free(suffer);
}

static bool grow(struct suffer *suffer, size_t n_slots, size_t n_vms)
{
	if (!array_grow(&suffer->vms, &suffer->cap, n_slots, sizeof *suffer->vms) ||
		!array_grow(&suffer->out, &suffer->cap_out, n_vms, sizeof *suffer->out))
		return false;
	for (; suffer->n < n_slots; suffer->n++)
		memset(&suffer->vms[suffer->n], 0, sizeof *suffer->vms);
	memset(suffer->out, 0, n_vms * sizeof *suffer->out);
	return true;
}

static void weigh(struct cause_past *past, enum cause cause, const struct seen *now, int64_t time_ns)
{
	bool at_once = rows[cause].at_once;
	double from = rows[cause].from_pct * (past->named ? off_part : 1);
	if (now->weight_pct < from) {
		past->shown = 0;
		past->quiet += past->quiet < GONE_AFTER;
		if (at_once || past->quiet == GONE_AFTER)
			past->named = false;
		past->last.other = -1; /* it may not be there any more */
		return;
	}
	if (!past->shown++ && !past->named)
		past->since_ns = time_ns;
	past->shown = min_of(past->shown, NAME_AFTER);
	past->quiet = 0;
	past->named |= at_once || past->shown >= NAME_AFTER;
	/* Smoothed, so that two causes of like weight do not take turns. */
	double before = past->last.weight_pct;
	past->last = *now;
	if (past->named && before > 0 && before < 100 && now->weight_pct < 100)
		past->last.weight_pct = (before + now->weight_pct) / 2;
}

/* Into the list by weight; the lightest falls off its end. */
static void name(struct suffering *to, enum cause cause, const struct cause_past *past)
{
	struct finding finding = {cause, past->last.weight_pct, past->since_ns,
		{past->last.num[0], past->last.num[1], past->last.num[2]}, past->last.pcpu, past->last.other};
	int at = to->n;
	while (at > 0 && to->found[at - 1].weight_pct < finding.weight_pct)
		at--;
	if (at == FINDINGS)
		return;
	int last = to->n < FINDINGS ? to->n++ : FINDINGS - 1;
	memmove(&to->found[at + 1], &to->found[at], (size_t)(last - at) * sizeof finding);
	to->found[at] = finding;
	to->score_pct = to->found[0].weight_pct;
}

static void judge(struct vm_past *past, const struct suffer_look *look, size_t vm,
	const struct ground *ground, struct suffering *to)
{
	struct seen seen[CAUSE_COUNT];
	const struct vm_rate *rate = &look->vms[vm];
	if (past->birth != rate->birth) {
		memset(past, 0, sizeof *past);
		past->birth = rate->birth;
	}
	suffer_see(ground, look, vm, seen, &to->got_pct);
	for (int c = 0; c < CAUSE_COUNT; c++) {
		weigh(&past->causes[c], (enum cause)c, &seen[c], look->sample->time_ns);
		if (past->causes[c].named)
			name(to, (enum cause)c, &past->causes[c]);
	}
}

const struct suffering *suffer_update(struct suffer *suffer, const struct suffer_look *look, size_t n_slots)
{
	if (!grow(suffer, n_slots, look->sample->n_vms))
		return NULL;
	suffer_ground(&suffer->ground, look);
	for (size_t i = 0; i < look->sample->n_vms; i++)
		if (look->vms[i].slot < suffer->n)
			judge(&suffer->vms[look->vms[i].slot], look, i, &suffer->ground, &suffer->out[i]);
	return suffer->out;
}
