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

static void ask_groups(const struct batch_out *out, struct engine *engine)
{
	bool all = out->cfg->format == OUT_JSON || out->cfg->format == OUT_OPENMETRICS;
	unsigned groups = (all ? SAMPLE_BALLOON : 0) | (out->cfg->format != OUT_CSV ? SAMPLE_PCPUS : 0);
	for (int i = 0; i < out->n_columns; i++)
		groups |= column_at(out->columns[i])->group;
	engine_command(engine, &(struct command){.kind = CMD_GROUPS, .number = groups});
}

/* An output is made in memory and written whole, so that errno is that of the write. */
static int batch_write(
	struct batch_out *out, batch_writer writer, const struct snapshot *snap, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	out->to = open_memstream(&text, &len);
	if (!out->to)
		return err_set(err, ERR_NOMEM, "out of memory");
	int r = writer(out, snap, err);
	if (fclose(out->to) != 0 && r == 0)
		r = err_set(err, ERR_NOMEM, "out of memory");
	if (r == 0)
		r = output_write(out->out, text, len, err);
	free(text);
	return r;
}

/* Outputs begin with the first sample that has rates: -n 1 takes two, or more where the interval is shorter
 * than what a rate needs. What was done between ticks is printed too. */
static bool worth_printing(const struct batch_out *out, const struct snapshot *snap, bool have_first)
{
	if (!have_first || snap->first)
		return false;
	if (out->ticks == 0 && snap->cpu.why.code == REASON_FIRST)
		return false;
	return snap->tick || snap->n_actions;
}

static int batch_print(struct batch_out *out, const struct snapshot *snap, bool *have_first, struct err *err)
{
	bool worth = worth_printing(out, snap, *have_first), log = out->cfg->format == OUT_LOG;
	*have_first |= !snap->first;
	if (!worth && !log)
		return 1;
	int r = batch_write(out, writers[out->cfg->format], snap, err);
	out->ticks += worth;
	return r;
}

static void complain(const char *line)
{
	char text[4 * sizeof(struct log_line)];
	text_safe(text, sizeof text, line);
	fprintf(stderr, "vmtop: %s\n", text);
}

/* Until another one comes. */
static void say_once(struct batch_out *out, const char *text)
{
	if (strcmp(out->said, text) == 0)
		return;
	snprintf(out->said, sizeof out->said, "%s", text);
	complain(text);
}

/* SIGHUP: whoever rotates logs has moved the file away. */
static void open_output_again(struct batch_out *out, struct engine *engine)
{
	struct err err = ERR_INIT;
	int rc = output_reopen(out->out, &err);
	if (rc < 0)
		engine_complain(engine, "the output goes on into the file from before: %s", err.msg);
	out->headed = out->headed && rc <= 0;
}

static void read_config_again(const struct batch_source *from, struct engine *engine)
{
	struct err err = ERR_INIT;
	struct config *cfg = malloc(sizeof *cfg);
	if (!cfg)
		err_set(&err, ERR_NOMEM, "out of memory");
	else if (from->read(from->arg, cfg, &err) == 0)
		engine_configure(engine, cfg);
	if (err.code)
		engine_complain(engine, "the settings stay as they are: %s", err.msg);
	free(cfg);
}

/* A recording that was given up does not end the run, but whoever wanted it must know. */
static void say_lost(struct batch_out *out, const struct snapshot *snap)
{
	if (!snap->backend.recording_lost || out->said_lost)
		return;
	complain(snap->backend.text);
	out->said_lost = true;
}

/* Outputs that are data have no place for the log: why nothing was read, why AUTO is off, or why nothing was
 * changed, goes to stderr; a reading that failed does so in every output but the log's own. */
static void say_errors(struct batch_out *out, const struct snapshot *snap, bool failed)
{
	enum out_format format = out->cfg->format;
	bool aloud = format == OUT_JSON || format == OUT_CSV || format == OUT_OPENMETRICS ||
		     (failed && format != OUT_LOG);
	for (size_t i = 0; i < snap->n_log; i++) {
		const struct log_line *line = &snap->log[i];
		if (line->seq <= out->said_seq)
			continue;
		out->said_seq = line->seq;
		if (aloud && line->kind == LOG_ERROR)
			complain(line->text);
	}
}

static int batch_step(struct batch_out *out, struct engine *engine, bool *have_first, struct err *err)
{
	struct err tick = ERR_INIT;
	bool failed = engine_step(engine, &tick) < 0, log = out->cfg->format == OUT_LOG;
	struct snapshot *snap = engine_snapshot(engine);
	int r = 1;
	if (!snap) {
		say_once(out, "out of memory: nothing is printed for this reading");
		return r;
	}
	if (failed && snap->moment == MOMENT_PLAYED)
		say_once(out, tick.msg); /* a recording keeps no log of its own reading */
	say_errors(out, snap, failed);
	say_lost(out, snap);
	if (out->cfg->format == OUT_OPENMETRICS && openmetrics_see(out, snap, err) < 0)
		r = -1;
	else if (!failed || log)
		r = batch_print(out, snap, have_first, err);
	snapshot_free(snap);
	return r;
}

/* As many outputs as were asked for are out: no more follow. */
static bool counted_out(const struct batch_out *out)
{
	return out->cfg->iterations && out->ticks >= out->cfg->iterations;
}

static int batch_loop(struct batch_out *out, struct engine *engine, int fd, const struct batch_source *from,
	struct err *err)
{
	bool have_first = false;
	for (;;) {
		int r = batch_step(out, engine, &have_first, err);
		if (r <= 0)
			return r;
		if (counted_out(out))
			return 0;
		if (!engine_wait(engine, fd)) {
			*err = *engine_failed(engine);
			return err->code ? -1 : 0;
		}
		if (signals_hangup()) {
			open_output_again(out, engine);
			read_config_again(from, engine);
		}
	}
}

static uint64_t last_line(const struct engine *engine)
{
	struct snapshot *snap = engine_snapshot(engine);
	uint64_t seq = snap && snap->n_log ? snap->log[snap->n_log - 1].seq : 0;
	snapshot_free(snap);
	return seq;
}

static void lines_to_stderr(const struct snapshot *snap, uint64_t after, bool actions)
{
	for (size_t i = 0; i < snap->n_log; i++)
		if (snap->log[i].seq > after && (actions || snap->log[i].kind != LOG_ACTION))
			complain(snap->log[i].text);
}

struct way_out {
	struct batch_out *o;
	uint64_t told; /* lines of the log up to this one */
};

/* What is put back on the way out is said too, while it goes on: in the output where that has a place for it,
 * else on stderr. */
static void tell_way_out(void *arg, struct engine *engine)
{
	struct way_out *way = arg;
	struct err ignored = ERR_INIT;
	enum out_format format = way->o->cfg->format;
	struct snapshot *snap = engine_snapshot(engine);
	if (!snap)
		return;
	if (format == OUT_TEXT || format == OUT_LOG)
		batch_write(way->o, format == OUT_LOG ? log_write : text_write_log, snap, &ignored);
	else
		lines_to_stderr(snap, way->told, format != OUT_JSON || counted_out(way->o));
	if (snap->n_log)
		way->told = snap->log[snap->n_log - 1].seq;
	snapshot_free(snap);
}

static int batch_leave(struct batch_out *out, struct engine *engine, int fd)
{
	struct err ignored = ERR_INIT;
	struct way_out way = {out, last_line(engine)};
	engine_watch(engine, &(struct leave_watch){fd, tell_way_out, &way});
	int r = engine_leave(engine, engine_wants_restore(engine));
	tell_way_out(&way, engine);
	struct snapshot *snap =
		out->cfg->format == OUT_JSON && !counted_out(out) ? engine_snapshot(engine) : NULL;
	if (snap && snap->n_actions)
		batch_write(out, json_write, snap, &ignored);
	snapshot_free(snap);
	return r;
}

static enum output_how how_written(enum out_format format)
{
	if (format == OUT_OPENMETRICS)
		return OUTPUT_REPLACE;
	return format == OUT_LOG ? OUTPUT_ADD : OUTPUT_ANEW;
}

int batch_run(
	const struct config *cfg, struct engine *engine, const struct batch_source *from, struct err *err)
{
	struct output out;
	struct batch_out o = {.cfg = cfg, .out = &out};
	if (batch_columns(&o, err) < 0 || output_open(&out, cfg->output, how_written(cfg->format), err) < 0)
		return -1;
	int fd = signals_open();
	if (fd < 0) {
		output_close(&out);
		return err_set(err, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	}
	ask_groups(&o, engine);
	if (cfg->format == OUT_LOG)
		engine_announce(engine, "vmtop begins");
	int r = batch_loop(&o, engine, fd, from, err);
	if (batch_leave(&o, engine, fd) < 0) {
		if (r < 0)
			complain(engine_left(engine)->msg);
		else
			*err = *engine_left(engine);
		r = -1;
	}
	signals_close(fd);
	output_close(&out);
	tally_free(o.tally);
	return r;
}
