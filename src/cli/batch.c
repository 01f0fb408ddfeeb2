/* SPDX-License-Identifier: MIT */
/* The loop without a screen: step, print, wait. Signals become commands in a pipe that engine_wait() reads.
 * Invariant: what was printed is flushed before the next wait, and every way out passes engine_leave().
 * Does not know how an output looks. */
#include "vmtop/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "signals.h"
#include "vmtop/columns.h"
#include "vmtop/text.h"

typedef int (*batch_writer)(struct batch_out *o, const struct snapshot *s, struct err *e);
static const batch_writer writers[] = {
	[OUT_SCREEN] = text_write,
	[OUT_TEXT] = text_write,
	[OUT_JSON] = json_write,
	[OUT_CSV] = csv_write,
	[OUT_OPENMETRICS] = openmetrics_write,
	[OUT_LOG] = log_write,
};

static void ask_groups(const struct batch_out *o, struct engine *en)
{
	bool all = o->cfg->format == OUT_JSON || o->cfg->format == OUT_OPENMETRICS;
	unsigned groups = (all ? SAMPLE_BALLOON : 0) | (o->cfg->format != OUT_CSV ? SAMPLE_PCPUS : 0);
	for (int i = 0; i < o->n_columns; i++)
		groups |= column_at(o->columns[i])->group;
	engine_command(en, &(struct command){.kind = CMD_GROUPS, .number = groups});
}

/* An output is made in memory and written whole, so that errno is that of the write. */
static int batch_write(struct batch_out *o, batch_writer writer, const struct snapshot *s, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	o->to = open_memstream(&text, &len);
	if (!o->to)
		return err_set(e, ERR_NOMEM, "out of memory");
	int r = writer(o, s, e);
	if (fclose(o->to) != 0 && r == 0)
		r = err_set(e, ERR_NOMEM, "out of memory");
	if (r == 0)
		r = output_write(o->out, text, len, e);
	free(text);
	return r;
}

/* Outputs begin with the first sample that has rates: -n 1 takes two, or more where the interval is shorter
 * than what a rate needs. What was done between ticks is printed too. */
static bool worth_printing(const struct batch_out *o, const struct snapshot *s, bool have_first)
{
	if (!have_first || s->first)
		return false;
	if (o->ticks == 0 && s->cpu.why.code == REASON_FIRST)
		return false;
	return s->tick || s->n_actions;
}

static int batch_print(struct batch_out *o, const struct snapshot *s, bool *have_first, struct err *e)
{
	bool worth = worth_printing(o, s, *have_first), log = o->cfg->format == OUT_LOG;
	*have_first |= !s->first;
	if (!worth && !log)
		return 1;
	int r = batch_write(o, writers[o->cfg->format], s, e);
	o->ticks += worth;
	return r;
}

static void complain(const char *line)
{
	char text[4 * sizeof(struct log_line)];
	text_safe(text, sizeof text, line);
	fprintf(stderr, "vmtop: %s\n", text);
}

/* Until another one comes. */
static void say_once(struct batch_out *o, const char *text)
{
	if (strcmp(o->said, text) == 0)
		return;
	snprintf(o->said, sizeof o->said, "%s", text);
	complain(text);
}

/* SIGHUP: whoever rotates logs has moved the file away. */
static void open_output_again(struct batch_out *o, struct engine *en)
{
	struct err e = ERR_INIT;
	int rc = output_reopen(o->out, &e);
	if (rc < 0)
		engine_complain(en, "the output goes on into the file from before: %s", e.msg);
	o->headed = o->headed && rc <= 0;
}

static void read_config_again(const struct batch_source *from, struct engine *en)
{
	struct err e = ERR_INIT;
	struct config *c = malloc(sizeof *c);
	if (!c)
		err_set(&e, ERR_NOMEM, "out of memory");
	else if (from->read(from->arg, c, &e) == 0)
		engine_configure(en, c);
	if (e.code)
		engine_complain(en, "the settings stay as they are: %s", e.msg);
	free(c);
}

/* A recording that was given up does not end the run, but whoever wanted it must know. */
static void say_lost(struct batch_out *o, const struct snapshot *s)
{
	if (!s->backend.recording_lost || o->said_lost)
		return;
	complain(s->backend.text);
	o->said_lost = true;
}

/* Outputs that are data have no place for the log: why nothing was read, why AUTO is off, or why nothing was
 * changed, goes to stderr; a reading that failed does so in every output but the log's own. */
static void say_errors(struct batch_out *o, const struct snapshot *s, bool failed)
{
	enum out_format f = o->cfg->format;
	bool aloud = f == OUT_JSON || f == OUT_CSV || f == OUT_OPENMETRICS || (failed && f != OUT_LOG);
	for (size_t i = 0; i < s->n_log; i++) {
		const struct log_line *l = &s->log[i];
		if (l->seq <= o->said_seq)
			continue;
		o->said_seq = l->seq;
		if (aloud && l->kind == LOG_ERROR)
			complain(l->text);
	}
}

static int batch_step(struct batch_out *o, struct engine *en, bool *have_first, struct err *e)
{
	struct err tick = ERR_INIT;
	bool failed = engine_step(en, &tick) < 0, log = o->cfg->format == OUT_LOG;
	struct snapshot *s = engine_snapshot(en);
	int r = 1;
	if (!s) {
		say_once(o, "out of memory: nothing is printed for this reading");
		return r;
	}
	if (failed && s->moment == MOMENT_PLAYED)
		say_once(o, tick.msg); /* a recording keeps no log of its own reading */
	say_errors(o, s, failed);
	say_lost(o, s);
	if (o->cfg->format == OUT_OPENMETRICS && openmetrics_see(o, s, e) < 0)
		r = -1;
	else if (!failed || log)
		r = batch_print(o, s, have_first, e);
	snapshot_free(s);
	return r;
}

/* As many outputs as were asked for are out: no more follow. */
static bool counted_out(const struct batch_out *o)
{
	return o->cfg->iterations && o->ticks >= o->cfg->iterations;
}

static int batch_loop(
	struct batch_out *o, struct engine *en, int fd, const struct batch_source *from, struct err *e)
{
	bool have_first = false;
	for (;;) {
		int r = batch_step(o, en, &have_first, e);
		if (r <= 0)
			return r;
		if (counted_out(o))
			return 0;
		if (!engine_wait(en, fd)) {
			*e = *engine_failed(en);
			return e->code ? -1 : 0;
		}
		if (signals_hangup()) {
			open_output_again(o, en);
			read_config_again(from, en);
		}
	}
}

static uint64_t last_line(const struct engine *en)
{
	struct snapshot *s = engine_snapshot(en);
	uint64_t seq = s && s->n_log ? s->log[s->n_log - 1].seq : 0;
	snapshot_free(s);
	return seq;
}

static void lines_to_stderr(const struct snapshot *s, uint64_t after, bool actions)
{
	for (size_t i = 0; i < s->n_log; i++)
		if (s->log[i].seq > after && (actions || s->log[i].kind != LOG_ACTION))
			complain(s->log[i].text);
}

struct way_out {
	struct batch_out *o;
	uint64_t told; /* lines of the log up to this one */
};

/* What is put back on the way out is said too, while it goes on: in the output where that has a place for it,
 * else on stderr. */
static void tell_way_out(void *arg, struct engine *en)
{
	struct way_out *w = arg;
	struct err ignored = ERR_INIT;
	enum out_format f = w->o->cfg->format;
	struct snapshot *s = engine_snapshot(en);
	if (!s)
		return;
	if (f == OUT_TEXT || f == OUT_LOG)
		batch_write(w->o, f == OUT_LOG ? log_write : text_write_log, s, &ignored);
	else
		lines_to_stderr(s, w->told, f != OUT_JSON || counted_out(w->o));
	if (s->n_log)
		w->told = s->log[s->n_log - 1].seq;
	snapshot_free(s);
}

static int batch_leave(struct batch_out *o, struct engine *en, int fd)
{
	struct err ignored = ERR_INIT;
	struct way_out w = {o, last_line(en)};
	engine_watch(en, &(struct leave_watch){fd, tell_way_out, &w});
	int r = engine_leave(en, engine_wants_restore(en));
	tell_way_out(&w, en);
	struct snapshot *s = o->cfg->format == OUT_JSON && !counted_out(o) ? engine_snapshot(en) : NULL;
	if (s && s->n_actions)
		batch_write(o, json_write, s, &ignored);
	snapshot_free(s);
	return r;
}

static enum output_how how_written(enum out_format f)
{
	if (f == OUT_OPENMETRICS)
		return OUTPUT_REPLACE;
	return f == OUT_LOG ? OUTPUT_ADD : OUTPUT_ANEW;
}

int batch_run(const struct config *cfg, struct engine *en, const struct batch_source *from, struct err *e)
{
	struct output out;
	struct batch_out o = {.cfg = cfg, .out = &out};
	if (batch_columns(&o, e) < 0 || output_open(&out, cfg->output, how_written(cfg->format), e) < 0)
		return -1;
	int fd = signals_open();
	if (fd < 0) {
		output_close(&out);
		return err_set(e, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	}
	ask_groups(&o, en);
	if (cfg->format == OUT_LOG)
		engine_announce(en, "vmtop begins");
	int r = batch_loop(&o, en, fd, from, e);
	if (batch_leave(&o, en, fd) < 0) {
		if (r < 0)
			complain(engine_left(en)->msg);
		else
			*e = *engine_left(en);
		r = -1;
	}
	signals_close(fd);
	output_close(&out);
	tally_free(o.tally);
	return r;
}
