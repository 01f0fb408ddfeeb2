/* SPDX-License-Identifier: MIT */
/* The screen's loop: one poll over the keyboard, the scheduler and signals. Invariant: nothing here waits for
 * a hypervisor, and on every way out the terminal is given back before anything else. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "aside.h"
#include "farewell.h"
#include "keys_guard.h"
#include "term.h"
#include "vmtop/clock.h"
#include "vmtop/engine.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"
#include "vmtop/view.h"

enum { POLL_KEYS, POLL_WAKE, POLL_SIGNALS, POLL_LINE, POLL_COUNT };

struct loop {
	const struct config *cfg;
	setup_saver save;
	struct scheduler *sched;
	struct view *view;
	struct terminal *term;
	struct snapshot *shown;
	int64_t received_ns, born_ns;
	struct screen base, over;
	int signals;
	bool dirty, done, restore;
	int status;
	unsigned groups;
	struct command unsent;
	bool has_unsent;
	const char *theme; /* that the terminal has, */
	bool mouse;        /* and whether it reports the mouse */
	struct keys_guard keys;
	int64_t sent_ns,
		heard_ns;       /* the last key that changes guests: when sent, and what the engine heard */
	bool waits, said_waits; /* the engine has it and waits; the screen says so */
};

enum { ANSWER_MS = 500 }; /* without a word for so long the user wonders */

/* Under the name of a layout, or as what the screen begins with. */
static void save_setup(struct loop *loop, const char *layout)
{
	struct config now = *loop->cfg;
	struct err err = ERR_INIT;
	char path[CFG_TEXT], text[CFG_TEXT + 32];
	view_setup(loop->view, &now);
	if (loop->save(&now, loop->cfg, text_or(layout, NULL), path, &err) < 0)
		snprintf(text, sizeof text, "not saved: %s", err.msg);
	else
		snprintf(text, sizeof text, "saved to %s", path);
	view_tell(loop->view, text);
}

/* Another program has the terminal; the engine goes on meanwhile. Keys that the terminal made signals of were
 * meant for that program. */
static void lend_terminal(struct loop *loop, const char *what)
{
	struct signalfd_siginfo info;
	char buf[200];
	term_lend(loop->term);
	const char *word = aside_run(loop->cfg, what, buf, sizeof buf);
	while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info)
		loop->done = loop->done || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP;
	tcflush(STDIN_FILENO, TCIFLUSH);
	keys_guard_init(&loop->keys, term_names(loop->term), loop->mouse);
	term_resume(loop->term);
	if (word)
		view_tell(loop->view, word);
	loop->dirty = true;
}

/* Returns false when the pipe is full: then it goes with a later turn. */
static bool carry_out(struct loop *loop, const struct command *cmd)
{
	if (cmd->kind == CMD_SAVE) {
		save_setup(loop, cmd->text);
		return true;
	}
	if (cmd->kind == CMD_ASIDE) {
		lend_terminal(loop, cmd->text);
		return true;
	}
	if (cmd->kind == CMD_QUIT) {
		loop->done = true;
		loop->restore = cmd->on;
	}
	struct command sent = *cmd;
	sent.at_ns = clock_ns();
	if (command_ages(cmd))
		loop->sent_ns = sent.at_ns;
	loop->has_unsent = scheduler_send(loop->sched, &sent) < 0;
	if (loop->has_unsent)
		loop->unsent = sent;
	return !loop->has_unsent;
}

/* What does not go into the pipe now goes with the next turn; the view keeps the rest. */
static void send_commands(struct loop *loop)
{
	struct command cmd;
	if (loop->has_unsent && scheduler_send(loop->sched, &loop->unsent) < 0)
		return;
	loop->has_unsent = false;
	while (view_more(loop->view, &cmd) && carry_out(loop, &cmd))
		;
}

static bool waiting(const struct loop *loop)
{
	return loop->sent_ns && (loop->heard_ns < loop->sent_ns || loop->waits);
}

/* Says that a key waits, while it does. */
static void tell_waiting(struct loop *loop)
{
	bool late = waiting(loop) && clock_ns() - loop->sent_ns > ANSWER_MS * INT64_C(1000000);
	if (late == loop->said_waits)
		return;
	view_tell(loop->view, text_if(late, "waiting for libvirt; Esc drops what was asked"));
	loop->said_waits = late;
	loop->dirty = true;
}

static void drop(struct loop *loop)
{
	scheduler_drop(loop->sched, clock_ns());
	loop->has_unsent = loop->has_unsent && !command_ages(&loop->unsent);
	loop->sent_ns = 0;
	loop->said_waits = false;
	view_tell(loop->view, "dropped: what has not begun is not done");
}

static void take_key(struct loop *loop, const struct key_event *event)
{
	struct command cmd;
	loop->dirty = true;
	if (event->key == VK_ESC && loop->said_waits)
		drop(loop);
	else if (event->key == VK_CTRL('L')) /* whatever is open stays open */
		term_redraw(loop->term);
	else if (event->key >= VK_CLICK && event->key <= VK_WHEEL_DOWN)
		view_mouse(loop->view, event->row, event->col, event->key, loop->shown);
	else if (view_key(loop->view, event->key, loop->shown, &cmd) && !loop->has_unsent)
		carry_out(loop, &cmd);
}

static void tell_refused(struct loop *loop)
{
	char word[160];
	if (!keys_guard_word(&loop->keys, word, sizeof word))
		return;
	view_tell(loop->view, word);
	loop->dirty = true;
}

static void read_keys(struct loop *loop, short events)
{
	unsigned char bytes[512];
	struct key_event event;
	ssize_t n = term_read(bytes, sizeof bytes, events);
	loop->done |= n < 0;
	keys_guard_put(&loop->keys, bytes, (size_t)max_of(n, 0), clock_ns() / 1000000);
	while (!loop->done && keys_guard_next(&loop->keys, loop->view, loop->shown, &event))
		take_key(loop, &event);
	tell_refused(loop);
}

/* Nothing has come: what waited to be alone is. */
static void idle_keys(struct loop *loop)
{
	struct key_event event;
	int64_t now = clock_ns() / 1000000;
	while (!loop->done && keys_guard_idle(&loop->keys, now, &event))
		take_key(loop, &event);
	tell_refused(loop);
}

/* What is asked can be read from the moment on at which the frame has left for the terminal. */
static void note_seen(struct loop *loop)
{
	if (!loop->dirty && term_shown(loop->term))
		keys_guard_seen(&loop->keys, view_asked(loop->view, loop->shown), clock_ns() / 1000000);
}

static void read_signals(struct loop *loop)
{
	struct signalfd_siginfo info;
	while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			term_resize(loop->term);
			loop->dirty = true;
			break;
		case SIGTSTP:
			term_suspend(loop->term);
			loop->dirty = true;
			break;
		case SIGCONT:
			term_resume(loop->term);
			loop->dirty = true;
			break;
		default:
			loop->done = true;
		}
	}
}

static void take_snapshot(struct loop *loop)
{
	struct snapshot *snap = scheduler_take(loop->sched);
	if (!snap)
		return;
	loop->heard_ns = snap->heard_ns;
	loop->waits = snap->waits;
	if (snap->over) {
		loop->done = true;
		loop->status = snap->exit_status;
	}
	if (view_paused(loop->view) && !snap->over) {
		snapshot_free(snap);
		return;
	}
	view_keep(loop->view, loop->shown); /* in case no frame came between */
	snapshot_free(loop->shown);
	loop->shown = snap;
	loop->received_ns = clock_ns();
	view_receive(loop->view, snap);
	loop->dirty = true;
}

static void tell_groups(struct loop *loop)
{
	unsigned groups = view_groups(loop->view);
	struct command cmd = {.kind = CMD_GROUPS, .number = groups};
	if (groups != loop->groups && scheduler_send(loop->sched, &cmd) == 0)
		loop->groups = groups;
}

/* Bytes that this thread has written so far; the kernel counts them. */
static struct vi64 written(void)
{
	char text[512];
	FILE *file = fopen("/proc/thread-self/io", "re");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file)
		fclose(file);
	text[n] = '\0';
	const char *p = strstr(text, "wchar: ");
	return p ? vi64_ok(strtoll(p + strlen("wchar: "), NULL, 10)) : vi64_absent(AVAIL_UNSUPPORTED);
}

static void note_cost(struct loop *loop, int64_t start_ns, struct vi64 before)
{
	struct timespec cpu;
	struct vi64 after = written();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	struct own_cost cost = {.draw_ns = clock_ns() - start_ns,
		.bytes = vi64_has(after) && vi64_has(before) ? vi64_ok(after.v - before.v) : after,
		.cpu_ns = cpu.tv_sec * INT64_C(1000000000) + cpu.tv_nsec,
		.since_ns = clock_ns() - loop->born_ns};
	view_cost(loop->view, &cost);
}

static void draw(struct loop *loop)
{
	int rows, cols, row = 0, col = 0;
	int64_t start = clock_ns();
	bool measure = view_wants_cost(loop->view);
	struct vi64 before = measure ? written() : vi64_absent(AVAIL_NOT_ASKED);
	term_size(loop->term, &rows, &cols);
	if (screen_resize(&loop->base, rows, cols) < 0)
		return;
	loop->base.graph = term_graph(loop->term);
	if (loop->theme != view_theme(loop->view))
		term_theme(loop->term, loop->theme = view_theme(loop->view));
	if (loop->mouse != view_wants_mouse(loop->view)) {
		loop->mouse = loop->keys.reader.mouse = !loop->mouse;
		term_mouse(loop->term, loop->mouse);
	}
	view_draw(loop->view, loop->shown, &loop->base, clock_ns(), loop->received_ns);
	bool over = view_overlay(loop->view, loop->shown, &loop->over, rows, cols, &row, &col);
	term_draw(loop->term, &loop->base, over ? &loop->over : NULL, row, col);
	if (!view_paused(loop->view))
		view_keep(loop->view, loop->shown);
	if (measure)
		note_cost(loop, start, before);
	loop->dirty = false;
}

/* Nothing wakes us while the data is younger than one interval; then its age counts up once a second. */
static int age_ms(const struct loop *loop)
{
	if (loop->has_unsent)
		return 50;
	if (loop->shown->first || view_paused(loop->view))
		return -1;
	double age = loop->shown->age_s + (double)(clock_ns() - loop->received_ns) / 1e9,
	       delay = loop->shown->delay_s;
	double wait = age < delay ? delay - age : 1 - (age - (double)(long)age);
	return (int)(wait * 1000) + 20;
}

static int next_ms(const struct loop *loop)
{
	int ms = age_ms(loop);
	int64_t due = keys_guard_due(&loop->keys), now = clock_ns() / 1000000;
	if (waiting(loop) && !loop->said_waits && (ms < 0 || ms > ANSWER_MS))
		ms = ANSWER_MS;
	/* a question that a slow line has not shown yet */
	if (view_asked(loop->view, loop->shown) != loop->keys.seen && (ms < 0 || ms > 50))
		ms = 50;
	if (due >= 0 && (ms < 0 || due - now < ms))
		ms = (int)excess(due, now);
	return ms;
}

/* A frame that the line has not taken yet goes first: a slow line slows the frames, nothing else. */
static void turn(struct loop *loop)
{
	int out;
	bool busy = term_busy(loop->term, &out);
	struct pollfd fds[POLL_COUNT] = {
		[POLL_KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
		[POLL_WAKE] = {.fd = scheduler_wake_fd(loop->sched), .events = POLLIN},
		[POLL_SIGNALS] = {.fd = loop->signals, .events = POLLIN},
		[POLL_LINE] = {.fd = busy ? out : -1, .events = POLLOUT},
	};
	int n = poll(fds, POLL_COUNT, next_ms(loop));
	if (n < 0 && errno != EINTR)
		loop->done = true;
	if (n == 0)
		loop->dirty = true; /* an age to count up */
	if (n >= 0 && !fds[POLL_KEYS].revents)
		idle_keys(loop);
	if (n <= 0)
		return;
	if (fds[POLL_LINE].revents)
		term_flush(loop->term);
	if (fds[POLL_SIGNALS].revents)
		read_signals(loop);
	if (fds[POLL_WAKE].revents)
		take_snapshot(loop);
	if (fds[POLL_KEYS].revents && !loop->done)
		read_keys(loop, fds[POLL_KEYS].revents);
}

static int loop_open(struct loop *loop, struct err *err)
{
	loop->view = view_new(loop->cfg);
	loop->shown = calloc(1, sizeof *loop->shown);
	if (!loop->view || !loop->shown || screen_init(&loop->base, 1, 1) < 0 ||
		screen_init(&loop->over, 1, 1) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	loop->shown->first = true;
	loop->shown->delay_s = loop->cfg->delay_s;
	loop->signals = term_signals();
	if (loop->signals < 0)
		return err_set(err, ERR_RUNTIME, "signals: %s", strerror(errno));
	loop->term = term_open(loop->cfg, err);
	if (!loop->term)
		return -1;
	loop->mouse = loop->cfg->mouse;
	keys_guard_init(&loop->keys, term_names(loop->term), loop->mouse);
	loop->base.ascii = loop->over.ascii = term_ascii(loop->term);
	loop->base.console = loop->over.console = term_console(loop->term);
	loop->received_ns = loop->born_ns = clock_ns();
	loop->dirty = true;
	return 0;
}

/* What is waited for and told on the way out. */
static struct farewell way_out(const struct loop *loop)
{
	bool restore = loop->restore || loop->cfg->on_exit == ON_EXIT_RESTORE;
	return (struct farewell){
		loop->sched, loop->cfg, loop->signals, restore, loop->shown && loop->shown->n_changed > 0};
}

static void loop_close(struct loop *loop)
{
	term_close(loop->term);
	loop->term = NULL;
	view_free(loop->view);
	screen_done(&loop->base);
	screen_done(&loop->over);
	snapshot_free(loop->shown);
}

static void complain(const struct err *err)
{
	char line[640];
	text_safe(line, sizeof line, err->msg); /* TERM may hold anything */
	fprintf(stderr, "vmtop: %s\n", line);
}

int ui_run(const struct config *cfg, struct scheduler *sched, setup_saver save)
{
	struct loop loop = {.cfg = cfg, .sched = sched, .save = save, .signals = -1};
	struct err err = ERR_INIT;
	if (loop_open(&loop, &err) < 0) {
		loop.status = err_exit_status(&err);
		loop.done = true;
	} else {
		take_snapshot(&loop);
	}
	while (!loop.done) {
		int out;
		if (loop.dirty && !term_busy(loop.term, &out))
			draw(&loop);
		note_seen(&loop);
		turn(&loop);
		tell_waiting(&loop);
		send_commands(&loop);
		tell_groups(&loop);
	}
	struct farewell out = way_out(&loop);
	loop_close(&loop);
	if (err.code)
		complain(&err);
	int left = farewell(&out);
	if (loop.signals >= 0)
		close(loop.signals);
	return left ? left : loop.status;
}
