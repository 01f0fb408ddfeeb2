/* SPDX-License-Identifier: MIT */
/* Waits for the scheduler's end and says how putting back goes. Invariant: nobody is trapped (one more signal
 * ends it), and whoever leaves something behind is told so and gets status 1. Must not know: the terminal. */
#include "farewell.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmtop/clock.h"
#include "vmtop/text.h"

enum { HURRY_S = 1, CLOSE_S = 2, DEAF_S = 1 };

struct way_out {
	const struct farewell *f;
	double begun_s, until_s;
	uint64_t said; /* lines of the log up to this one */
	bool leaving;  /* the scheduler is putting back */
	bool over, hurried;
	int status;
};

static void say(const char *line)
{
	char text[4 * sizeof(struct log_line)];
	text_safe(text, sizeof text, line);
	fprintf(stderr, "vmtop: %s\n", text);
}

/* As long as the scheduler itself may take, and a little more. */
static double patience_s(const struct config *cfg, bool putting_back)
{
	return (putting_back ? cfg->restore_deadline_s : 0) + cfg->sample_deadline_s +
	       cfg->change_deadline_s + 1;
}

static void take(struct way_out *way)
{
	struct snapshot *snap = scheduler_take(way->f->sched);
	if (!snap)
		return;
	for (size_t i = 0; snap->leave_seq && i < snap->n_log; i++) {
		const struct log_line *line = &snap->log[i];
		if (line->seq < snap->leave_seq || line->seq <= way->said)
			continue;
		way->said = line->seq;
		if (line->kind != LOG_ACTION)
			say(line->text);
	}
	if (snap->leave_seq && !way->leaving)
		way->until_s = way->begun_s + patience_s(way->f->cfg, true);
	way->leaving |= snap->leave_seq != 0;
	if (snap->over) {
		way->over = true;
		way->status = snap->exit_status;
		way->until_s = clock_s() + CLOSE_S;
		if (snap->exit_status)
			say(snap->notice);
	}
	snapshot_free(snap);
}

/* One that comes with the first does not count: timeout(1) and others send theirs to the process and to its
 * group. */
static void take_signal(struct way_out *way)
{
	struct signalfd_siginfo info;
	while (read(way->f->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		bool end = info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
			   info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT;
		if (!end || way->hurried || clock_s() - way->begun_s < DEAF_S)
			continue;
		way->hurried = true;
		way->until_s = clock_s() + HURRY_S;
		scheduler_hurry(way->f->sched);
	}
}

/* False when the scheduler is through, or waited for no longer. */
static bool turn(struct way_out *way)
{
	struct pollfd fds[] = {{scheduler_done_fd(way->f->sched), POLLIN, 0},
		{scheduler_wake_fd(way->f->sched), POLLIN, 0}, {way->f->signals, POLLIN, 0}};
	double left = way->until_s - clock_s();
	if (left <= 0)
		return false;
	poll(fds, 3, (int)(left * 1e3) + 1);
	if (fds[2].revents)
		take_signal(way);
	if (fds[1].revents || fds[0].revents)
		take(way);
	return !fds[0].revents;
}

int farewell(const struct farewell *f)
{
	struct way_out way = {.f = f, .begun_s = clock_s()};
	way.until_s = way.begun_s + (f->restore || f->changed ? patience_s(f->cfg, f->restore) : CLOSE_S);
	if (f->restore && f->changed)
		say("putting everything back as found; Ctrl-C leaves the rest to vmtop --restore");
	scheduler_end(f->sched);
	while (turn(&way))
		;
	bool lost = !way.over && (way.leaving || (f->restore && f->changed) || way.hurried);
	if (scheduler_stop(f->sched, 0.01) == 0)
		return way.status;
	if (lost)
		say("the hypervisor does not answer; what is not put back is in the journal, and vmtop "
		    "--restore does it later");
	fflush(NULL);
	_exit(lost ? 1 : way.status);
}
