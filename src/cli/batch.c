/* SPDX-License-Identifier: MIT */
/* The loop without a screen: step, print, wait. Signals become commands in a pipe that engine_wait() reads.
 * Invariant: what was printed is flushed before the next wait, and every way out passes engine_leave().
 * Does not know how an output looks. */
#include "vmtop/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmtop/columns.h"

typedef int (*batch_writer)(struct batch_out *o, const struct snapshot *s, struct err *e);
static const batch_writer writers[] = {
	[OUT_SCREEN] = text_write,
	[OUT_TEXT] = text_write,
	[OUT_JSON] = json_write,
	[OUT_CSV] = csv_write,
	[OUT_OPENMETRICS] = openmetrics_write,
};

/* Where the signal handler writes: the one mutable global of this folder, for a handler has no argument. */
static volatile sig_atomic_t signal_pipe = -1;

static const struct {
	int signal;
	enum command_kind kind;
	int flags; /* a second SIGINT or SIGTERM kills: nobody is trapped by a slow farewell */
} signals[] = {
	{SIGINT, CMD_QUIT, SA_RESETHAND},
	{SIGTERM, CMD_QUIT, SA_RESETHAND},
	{SIGHUP, CMD_QUIT, SA_RESETHAND},
	{SIGUSR1, CMD_REBALANCE, 0},
};

static void signal_came(int number)
{
	int saved = errno;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (signals[i].signal == number) {
			struct command c = {.kind = signals[i].kind};
			if (write(signal_pipe, &c, sizeof c) < 0)
				break; /* the pipe is full of commands that say the same */
		}
	errno = saved;
}

static void signals_set(bool ours)
{
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		struct sigaction sa = {.sa_flags = SA_RESTART | signals[i].flags};
		sa.sa_handler = ours ? signal_came : SIG_DFL;
		sigaction(signals[i].signal, &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

static void ask_groups(const struct batch_out *o, struct engine *en)
{
	bool all = o->cfg->format == OUT_JSON || o->cfg->format == OUT_OPENMETRICS;
	unsigned groups = all ? SAMPLE_BALLOON : 0;
	for (int i = 0; i < o->n_columns; i++)
		groups |= column_at(o->columns[i])->group;
	engine_command(en, &(struct command){.kind = CMD_GROUPS, .number = groups});
}

/* 1: all written, 0: the reader has gone, -1: failed. */
static int write_all(const char *text, size_t len, struct err *e)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);
		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EPIPE) {
			return 0;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		} else if (errno != EINTR) {
			return err_set(
				e, ERR_RUNTIME, "cannot write to standard output: %s", strerror(errno));
		}
	}
	return 1;
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
		r = write_all(text, len, e);
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
	bool worth = worth_printing(o, s, *have_first);
	*have_first |= !s->first;
	if (!worth)
		return 1;
	int r = batch_write(o, writers[o->cfg->format], s, e);
	o->ticks++;
	return r;
}

/* Errors of a tick go to stderr once, until another one comes. */
static void say_once(const struct err *now, char last[320])
{
	if (strcmp(last, now->msg) == 0)
		return;
	memcpy(last, now->msg, sizeof now->msg);
	if (now->msg[0])
		fprintf(stderr, "vmtop: %s\n", now->msg);
}

static int batch_loop(struct batch_out *o, struct engine *en, int fd, struct err *e)
{
	bool have_first = false;
	char last[320] = "";
	for (;;) {
		struct err tick = ERR_INIT;
		int r = 1;
		if (engine_step(en, &tick) == 0)
			tick.msg[0] = '\0';
		say_once(&tick, last);
		struct snapshot *s = tick.msg[0] ? NULL : engine_snapshot(en);
		if (!tick.msg[0] && !s)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (s)
			r = batch_print(o, s, &have_first, e);
		snapshot_free(s);
		if (r <= 0)
			return r;
		if (o->cfg->iterations && o->ticks >= o->cfg->iterations)
			return 0;
		if (!engine_wait(en, fd))
			return 0;
	}
}

/* What was put back on the way out is said too, where the output is made for people. */
static void batch_leave(struct batch_out *o, struct engine *en)
{
	struct err ignored = ERR_INIT;
	engine_leave(en, engine_wants_restore(en));
	struct snapshot *s = o->cfg->format == OUT_TEXT ? engine_snapshot(en) : NULL;
	if (s)
		batch_write(o, text_write_log, s, &ignored);
	snapshot_free(s);
}

int batch_run(const struct config *cfg, struct engine *en, struct err *e)
{
	struct batch_out o = {.cfg = cfg};
	int pipe_fd[2];
	if (batch_columns(&o, e) < 0)
		return -1;
	if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(e, ERR_RUNTIME, "cannot make a pipe: %s", strerror(errno));
	signal_pipe = pipe_fd[1];
	signals_set(true);
	ask_groups(&o, en);
	int r = batch_loop(&o, en, pipe_fd[0], e);
	batch_leave(&o, en);
	signals_set(false);
	signal_pipe = -1;
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return r;
}
