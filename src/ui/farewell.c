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
static double patience_s(const struct config *c, bool putting_back)
{
	return (putting_back ? c->restore_deadline_s : 0) + c->sample_deadline_s + c->change_deadline_s + 1;
}

static void take(struct way_out *w)
{
	struct snapshot *s = scheduler_take(w->f->sched);
	if (!s)
		return;
	for (size_t i = 0; s->leave_seq && i < s->n_log; i++) {
		const struct log_line *l = &s->log[i];
		if (l->seq < s->leave_seq || l->seq <= w->said)
			continue;
		w->said = l->seq;
		if (l->kind != LOG_ACTION)
			say(l->text);
	}
	if (s->leave_seq && !w->leaving)
		w->until_s = w->begun_s + patience_s(w->f->cfg, true);
	w->leaving |= s->leave_seq != 0;
	if (s->over) {
		w->over = true;
		w->status = s->exit_status;
		w->until_s = clock_s() + CLOSE_S;
		if (s->exit_status)
			say(s->notice);
	}
	snapshot_free(s);
}

/* One that comes with the first does not count: timeout(1) and others send theirs to the process and to its
 * group. */
static void take_signal(struct way_out *w)
{
	struct signalfd_siginfo si;
	while (read(w->f->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		bool end = si.ssi_signo == SIGINT || si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP ||
			   si.ssi_signo == SIGQUIT;
		if (!end || w->hurried || clock_s() - w->begun_s < DEAF_S)
			continue;
		w->hurried = true;
		w->until_s = clock_s() + HURRY_S;
		scheduler_hurry(w->f->sched);
	}
}

/* False when the scheduler is through, or waited for no longer. */
static bool turn(struct way_out *w)
{
	struct pollfd p[] = {{scheduler_done_fd(w->f->sched), POLLIN, 0},
		{scheduler_wake_fd(w->f->sched), POLLIN, 0}, {w->f->signals, POLLIN, 0}};
	double left = w->until_s - clock_s();
	if (left <= 0)
		return false;
	poll(p, 3, (int)(left * 1e3) + 1);
	if (p[2].revents)
		take_signal(w);
	if (p[1].revents || p[0].revents)
		take(w);
	return !p[0].revents;
}

int farewell(const struct farewell *f)
{
	struct way_out w = {.f = f, .begun_s = clock_s()};
	w.until_s = w.begun_s + (f->restore || f->changed ? patience_s(f->cfg, f->restore) : CLOSE_S);
	if (f->restore && f->changed)
		say("putting everything back as found; Ctrl-C leaves the rest to vmtop --restore");
	scheduler_end(f->sched);
	while (turn(&w))
		;
	bool lost = !w.over && (w.leaving || (f->restore && f->changed) || w.hurried);
	if (scheduler_stop(f->sched, 0.01) == 0)
		return w.status;
	if (lost)
		say("the hypervisor does not answer; what is not put back is in the journal, and vmtop "
		    "--restore does it later");
	fflush(NULL);
	_exit(lost ? 1 : w.status);
}
