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

const char *cause_key(enum cause c)
{
	return (unsigned)c < CAUSE_COUNT ? rows[c].key : "?";
}

const char *cause_text(enum cause c)
{
	return (unsigned)c < CAUSE_COUNT ? rows[c].text : "?";
}

enum alarm cause_alarm(enum cause c)
{
	return (unsigned)c < CAUSE_COUNT ? rows[c].alarm : ALARM_SLOWED;
}

const char *alarm_word(enum alarm a)
{
	return (unsigned)a < ALARM_COUNT ? words[a] : "?";
}

struct suffer *suffer_new(void)
{
	return calloc(1, sizeof(struct suffer));
}

void suffer_free(struct suffer *x)
{
	if (!x)
		return;
	free(x->vms);
	free(x->out);
	free(x);
}

static bool grow(struct suffer *x, size_t n_slots, size_t n_vms)
{
	if (!array_grow(&x->vms, &x->cap, n_slots, sizeof *x->vms) ||
		!array_grow(&x->out, &x->cap_out, n_vms, sizeof *x->out))
		return false;
	for (; x->n < n_slots; x->n++)
		memset(&x->vms[x->n], 0, sizeof *x->vms);
	memset(x->out, 0, n_vms * sizeof *x->out);
	return true;
}

static void weigh(struct cause_past *p, enum cause c, const struct seen *now, int64_t time_ns)
{
	bool at_once = rows[c].at_once;
	double from = rows[c].from_pct * (p->named ? off_part : 1);
	if (now->weight_pct < from) {
		p->shown = 0;
		p->quiet += p->quiet < GONE_AFTER;
		if (at_once || p->quiet == GONE_AFTER)
			p->named = false;
		p->last.other = -1; /* it may not be there any more */
		return;
	}
	if (!p->shown++ && !p->named)
		p->since_ns = time_ns;
	p->shown = min_of(p->shown, NAME_AFTER);
	p->quiet = 0;
	p->named |= at_once || p->shown >= NAME_AFTER;
	/* Smoothed, so that two causes of like weight do not take turns. */
	double before = p->last.weight_pct;
	p->last = *now;
	if (p->named && before > 0 && before < 100 && now->weight_pct < 100)
		p->last.weight_pct = (before + now->weight_pct) / 2;
}

/* Into the list by weight; the lightest falls off its end. */
static void name(struct suffering *to, enum cause c, const struct cause_past *p)
{
	struct finding f = {c, p->last.weight_pct, p->since_ns,
		{p->last.num[0], p->last.num[1], p->last.num[2]}, p->last.pcpu, p->last.other};
	int at = to->n;
	while (at > 0 && to->found[at - 1].weight_pct < f.weight_pct)
		at--;
	if (at == FINDINGS)
		return;
	int last = to->n < FINDINGS ? to->n++ : FINDINGS - 1;
	memmove(&to->found[at + 1], &to->found[at], (size_t)(last - at) * sizeof f);
	to->found[at] = f;
	to->score_pct = to->found[0].weight_pct;
}

static void judge(struct vm_past *p, const struct suffer_look *l, size_t vm, const struct ground *g,
	struct suffering *to)
{
	struct seen seen[CAUSE_COUNT];
	const struct vm_rate *r = &l->vms[vm];
	if (p->birth != r->birth) {
		memset(p, 0, sizeof *p);
		p->birth = r->birth;
	}
	suffer_see(g, l, vm, seen, &to->got_pct);
	for (int c = 0; c < CAUSE_COUNT; c++) {
		weigh(&p->causes[c], (enum cause)c, &seen[c], l->sample->time_ns);
		if (p->causes[c].named)
			name(to, (enum cause)c, &p->causes[c]);
	}
}

const struct suffering *suffer_update(struct suffer *x, const struct suffer_look *l, size_t n_slots)
{
	if (!grow(x, n_slots, l->sample->n_vms))
		return NULL;
	suffer_ground(&x->ground, l);
	for (size_t i = 0; i < l->sample->n_vms; i++)
		if (l->vms[i].slot < x->n)
			judge(&x->vms[l->vms[i].slot], l, i, &x->ground, &x->out[i]);
	return x->out;
}
