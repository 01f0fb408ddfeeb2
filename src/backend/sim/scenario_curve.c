/* SPDX-License-Identifier: MIT */
/* Reads load curves and memory appetites of a scenario line:
 *     50%   steps 0s:20% 30s:80% [loop 60s]   square 80% 10% every 30s [for 10s] [shift 5s]
 *     wave 20% 80% every 60s [shift 5s]   bursts 90% 5% every 20s for 3s      each with [open] [noise 5%]
 *     20M/s [to 1900M] [after 10s] [for 60s] [hold 10s] [keep] [every 5min] */
#include <stdio.h>
#include <string.h>

#include "scenario_text.h"

static bool read_steady(struct reader *reader, struct curve *curve)
{
	curve->kind = CURVE_STEADY;
	return want_level(reader, &curve->hi, 1);
}

/* "30s:80%": cuts the word in two and reads both. */
static bool read_step(struct reader *reader, struct curve *curve)
{
	char pair[64], *level;
	if (curve->n_steps == SCN_STEPS)
		return reader_fail(reader, "more than %d steps", SCN_STEPS);
	snprintf(pair, sizeof pair, "%s", reader->word[reader->at]);
	level = strchr(pair, ':');
	*level++ = '\0';
	struct curve_step *step = &curve->steps[curve->n_steps];
	const char *word = reader->word[reader->at];
	size_t at = reader->at;
	reader->word[at] = pair;
	bool ok = want_time(reader, &step->at_ns, true);
	reader->at = at;
	reader->word[at] = level;
	ok = ok && want_level(reader, &step->level, 1);
	reader->word[at] = word; /* pair does not outlive this call */
	reader->at = at + 1;
	if (ok && curve->n_steps && step->at_ns <= step[-1].at_ns)
		return reader_fail(reader, "the step \"%.40s\" is not later than the one before", word);
	curve->n_steps++;
	return ok;
}

static bool read_steps(struct reader *reader, struct curve *curve)
{
	curve->kind = CURVE_STEPS;
	while (reader_peek(reader) && strchr(reader_peek(reader), ':'))
		if (!read_step(reader, curve))
			return false;
	if (!curve->n_steps)
		return reader_fail(reader, "steps without a step");
	if (!reader_accept(reader, "loop"))
		return true;
	return want_time(reader, &curve->period_ns, false) &&
	       (curve->period_ns > curve->steps[curve->n_steps - 1].at_ns ||
		       reader_fail(reader, "the loop ends before the last step"));
}

static bool read_levels(struct reader *reader, struct curve *curve)
{
	return want_level(reader, &curve->hi, 1) && want_level(reader, &curve->lo, 1);
}

static bool read_every(struct reader *reader, struct curve *curve)
{
	if (!reader_accept(reader, "every"))
		return reader_fail(reader, "\"every TIME\" is missing");
	if (!want_time(reader, &curve->period_ns, false))
		return false;
	return curve->period_ns >= 200000000 ||
	       reader_fail(reader, "a period below 200ms cannot be simulated");
}

static bool read_shift(struct reader *reader, struct curve *curve)
{
	return !reader_accept(reader, "shift") || want_time(reader, &curve->phase_ns, true);
}

static bool read_for(struct reader *reader, struct curve *curve, bool needed)
{
	curve->on_ns = curve->period_ns / 2;
	if (!reader_accept(reader, "for"))
		return !needed || reader_fail(reader, "\"for TIME\" is missing");
	if (!want_time(reader, &curve->on_ns, false))
		return false;
	return curve->on_ns < curve->period_ns ||
	       reader_fail(reader, "it is high for longer than its period");
}

static bool read_square(struct reader *reader, struct curve *curve)
{
	curve->kind = CURVE_SQUARE;
	return read_levels(reader, curve) && read_every(reader, curve) && read_for(reader, curve, false) &&
	       read_shift(reader, curve);
}

static bool read_wave(struct reader *reader, struct curve *curve)
{
	curve->kind = CURVE_WAVE;
	return read_levels(reader, curve) && read_every(reader, curve) && read_shift(reader, curve);
}

static bool read_bursts(struct reader *reader, struct curve *curve)
{
	curve->kind = CURVE_BURSTS;
	return read_levels(reader, curve) && read_every(reader, curve) && read_for(reader, curve, true);
}

static bool read_shape(struct reader *reader, struct curve *curve)
{
	static const struct {
		const char *word;
		bool (*read)(struct reader *reader, struct curve *curve);
	} shapes[] = {
		{"steps", read_steps}, {"square", read_square}, {"wave", read_wave}, {"bursts", read_bursts}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (reader_accept(reader, shapes[i].word))
			return shapes[i].read(reader, curve);
	return read_steady(reader, curve);
}

bool want_curve(struct reader *reader, int *index)
{
	struct curve curve = {0};
	if (!read_shape(reader, &curve))
		return false;
	for (;;) {
		if (reader_accept(reader, "open"))
			curve.open = true;
		else if (reader_accept(reader, "closed"))
			curve.open = false;
		else if (!reader_accept(reader, "noise"))
			break;
		else if (!want_level(reader, &curve.noise, 1))
			return false;
	}
	struct scenario *scn = reader->scn;
	void *items = scn->curves;
	struct curve *to = reader_grow(
		reader, &items, &scn->n_curves, &scn->cap_curves, SCN_CURVES, sizeof curve, "loads");
	scn->curves = items;
	if (!to)
		return false;
	*to = curve;
	*index = (int)scn->n_curves - 1;
	return true;
}

bool want_open_curve(struct reader *reader, int *index)
{
	if (!want_curve(reader, index))
		return false;
	reader->scn->curves[*index].open = true;
	return true;
}

static bool read_appetite(struct reader *reader, struct eat *eat)
{
	for (;;) {
		bool ok = true;
		if (reader_accept(reader, "to"))
			ok = want_size(reader, &eat->to_kib);
		else if (reader_accept(reader, "after"))
			ok = want_time(reader, &eat->after_ns, true);
		else if (reader_accept(reader, "for"))
			ok = want_time(reader, &eat->for_ns, false);
		else if (reader_accept(reader, "hold"))
			ok = want_time(reader, &eat->hold_ns, true);
		else if (reader_accept(reader, "every"))
			ok = want_time(reader, &eat->every_ns, false);
		else if (reader_accept(reader, "keep"))
			eat->keep = true;
		else
			return true;
		if (!ok)
			return false;
	}
}

bool want_eat(struct reader *reader, struct eat *eat)
{
	*eat = (struct eat){0};
	if (reader_accept(reader, "nothing"))
		return true;
	if (!want_rates(reader, &eat->rate_lo_kib_s, &eat->rate_hi_kib_s) || !read_appetite(reader, eat))
		return false;
	if (!eat->to_kib && !eat->for_ns)
		return reader_fail(reader, "neither \"to SIZE\" nor \"for TIME\" says when it stops eating");
	return true;
}
