/* SPDX-License-Identifier: MIT */
/* Reads load curves and memory appetites of a scenario line:
 *     50%   steps 0s:20% 30s:80% [loop 60s]   square 80% 10% every 30s [for 10s] [shift 5s]
 *     wave 20% 80% every 60s [shift 5s]   bursts 90% 5% every 20s for 3s      each with [open] [noise 5%]
 *     20M/s [to 1900M] [after 10s] [for 60s] [hold 10s] [keep] [every 5min] */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

static bool read_steady(struct reader *r, struct curve *c)
{
	c->kind = CURVE_STEADY;
	return want_level(r, &c->hi, 1);
}

/* "30s:80%": cuts the word in two and reads both. */
static bool read_step(struct reader *r, struct curve *c)
{
	char pair[64], *level;
	if (c->n_steps == SCN_STEPS)
		return reader_fail(r, "more than %d steps", SCN_STEPS);
	snprintf(pair, sizeof pair, "%s", r->word[r->at]);
	level = strchr(pair, ':');
	*level++ = '\0';
	struct curve_step *s = &c->steps[c->n_steps];
	const char *word = r->word[r->at];
	size_t at = r->at;
	r->word[at] = pair;
	bool ok = want_time(r, &s->at_ns, true);
	r->at = at;
	r->word[at] = level;
	ok = ok && want_level(r, &s->level, 1);
	r->word[at] = word; /* pair does not outlive this call */
	r->at = at + 1;
	if (ok && c->n_steps && s->at_ns <= s[-1].at_ns)
		return reader_fail(r, "the step \"%.40s\" is not later than the one before", word);
	c->n_steps++;
	return ok;
}

static bool read_steps(struct reader *r, struct curve *c)
{
	c->kind = CURVE_STEPS;
	while (reader_peek(r) && strchr(reader_peek(r), ':'))
		if (!read_step(r, c))
			return false;
	if (!c->n_steps)
		return reader_fail(r, "steps without a step");
	if (!reader_accept(r, "loop"))
		return true;
	return want_time(r, &c->period_ns, false) &&
	       (c->period_ns > c->steps[c->n_steps - 1].at_ns ||
		       reader_fail(r, "the loop ends before the last step"));
}

static bool read_levels(struct reader *r, struct curve *c)
{
	return want_level(r, &c->hi, 1) && want_level(r, &c->lo, 1);
}

static bool read_every(struct reader *r, struct curve *c)
{
	if (!reader_accept(r, "every"))
		return reader_fail(r, "\"every TIME\" is missing");
	if (!want_time(r, &c->period_ns, false))
		return false;
	return c->period_ns >= 200000000 || reader_fail(r, "a period below 200ms cannot be simulated");
}

static bool read_shift(struct reader *r, struct curve *c)
{
	return !reader_accept(r, "shift") || want_time(r, &c->phase_ns, true);
}

static bool read_for(struct reader *r, struct curve *c, bool needed)
{
	c->on_ns = c->period_ns / 2;
	if (!reader_accept(r, "for"))
		return !needed || reader_fail(r, "\"for TIME\" is missing");
	if (!want_time(r, &c->on_ns, false))
		return false;
	return c->on_ns < c->period_ns || reader_fail(r, "it is high for longer than its period");
}

static bool read_square(struct reader *r, struct curve *c)
{
	c->kind = CURVE_SQUARE;
	return read_levels(r, c) && read_every(r, c) && read_for(r, c, false) && read_shift(r, c);
}

static bool read_wave(struct reader *r, struct curve *c)
{
	c->kind = CURVE_WAVE;
	return read_levels(r, c) && read_every(r, c) && read_shift(r, c);
}

static bool read_bursts(struct reader *r, struct curve *c)
{
	c->kind = CURVE_BURSTS;
	return read_levels(r, c) && read_every(r, c) && read_for(r, c, true);
}

static bool read_shape(struct reader *r, struct curve *c)
{
	static const struct {
		const char *word;
		bool (*read)(struct reader *r, struct curve *c);
	} shapes[] = {
		{"steps", read_steps}, {"square", read_square}, {"wave", read_wave}, {"bursts", read_bursts}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (reader_accept(r, shapes[i].word))
			return shapes[i].read(r, c);
	return read_steady(r, c);
}

bool want_curve(struct reader *r, int *index)
{
	struct curve c = {0};
	if (!read_shape(r, &c))
		return false;
	for (;;) {
		if (reader_accept(r, "open"))
			c.open = true;
		else if (reader_accept(r, "closed"))
			c.open = false;
		else if (!reader_accept(r, "noise"))
			break;
		else if (!want_level(r, &c.noise, 1))
			return false;
	}
	struct scenario *s = r->s;
	void *items = s->curves;
	struct curve *to =
		reader_grow(r, &items, &s->n_curves, &s->cap_curves, SCN_CURVES, sizeof c, "loads");
	s->curves = items;
	if (!to)
		return false;
	*to = c;
	*index = (int)s->n_curves - 1;
	return true;
}

bool want_open_curve(struct reader *r, int *index)
{
	if (!want_curve(r, index))
		return false;
	r->s->curves[*index].open = true;
	return true;
}

static bool read_appetite(struct reader *r, struct eat *eat)
{
	for (;;) {
		bool ok = true;
		if (reader_accept(r, "to"))
			ok = want_size(r, &eat->to_kib);
		else if (reader_accept(r, "after"))
			ok = want_time(r, &eat->after_ns, true);
		else if (reader_accept(r, "for"))
			ok = want_time(r, &eat->for_ns, false);
		else if (reader_accept(r, "hold"))
			ok = want_time(r, &eat->hold_ns, true);
		else if (reader_accept(r, "every"))
			ok = want_time(r, &eat->every_ns, false);
		else if (reader_accept(r, "keep"))
			eat->keep = true;
		else
			return true;
		if (!ok)
			return false;
	}
}

bool want_eat(struct reader *r, struct eat *eat)
{
	*eat = (struct eat){0};
	if (reader_accept(r, "nothing"))
		return true;
	if (!want_rates(r, &eat->rate_lo_kib_s, &eat->rate_hi_kib_s) || !read_appetite(r, eat))
		return false;
	if (!eat->to_kib && !eat->for_ns)
		return reader_fail(r, "neither \"to SIZE\" nor \"for TIME\" says when it stops eating");
	return true;
}
