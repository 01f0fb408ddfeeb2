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
static void save_setup(struct loop *l, const char *layout)
{
	struct config now = *l->cfg;
	struct err e = ERR_INIT;
	char path[CFG_TEXT], text[CFG_TEXT + 32];
	view_setup(l->view, &now);
	if (l->save(&now, l->cfg, layout[0] ? layout : NULL, path, &e) < 0)
		snprintf(text, sizeof text, "not saved: %s", e.msg);
	else
		snprintf(text, sizeof text, "saved to %s", path);
	view_tell(l->view, text);
}

/* Another program has the terminal; the engine goes on meanwhile. Keys that the terminal made signals of were
 * meant for that program. */
static void lend_terminal(struct loop *l, const char *what)
{
	struct signalfd_siginfo si;
	char buf[200];
	term_lend(l->term);
	const char *word = aside_run(l->cfg, what, buf, sizeof buf);
	while (read(l->signals, &si, sizeof si) == (ssize_t)sizeof si)
		l->done = l->done || si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP;
	tcflush(STDIN_FILENO, TCIFLUSH);
	keys_guard_init(&l->keys, term_names(l->term), l->mouse);
	term_resume(l->term);
	if (word)
		view_tell(l->view, word);
	l->dirty = true;
}

/* Returns false when the pipe is full: then it goes with a later turn. */
static bool carry_out(struct loop *l, const struct command *c)
{
	if (c->kind == CMD_SAVE) {
		save_setup(l, c->text);
		return true;
	}
	if (c->kind == CMD_ASIDE) {
		lend_terminal(l, c->text);
		return true;
	}
	if (c->kind == CMD_QUIT) {
		l->done = true;
		l->restore = c->on;
	}
	struct command sent = *c;
	sent.at_ns = clock_ns();
	if (command_ages(c))
		l->sent_ns = sent.at_ns;
	l->has_unsent = scheduler_send(l->sched, &sent) < 0;
	if (l->has_unsent)
		l->unsent = sent;
	return !l->has_unsent;
}

/* What does not go into the pipe now goes with the next turn; the view keeps the rest. */
static void send_commands(struct loop *l)
{
	struct command c;
	if (l->has_unsent && scheduler_send(l->sched, &l->unsent) < 0)
		return;
	l->has_unsent = false;
	while (view_more(l->view, &c) && carry_out(l, &c))
		;
}

static bool waiting(const struct loop *l)
{
	return l->sent_ns && (l->heard_ns < l->sent_ns || l->waits);
}

/* Says that a key waits, while it does. */
static void tell_waiting(struct loop *l)
{
	bool late = waiting(l) && clock_ns() - l->sent_ns > ANSWER_MS * INT64_C(1000000);
	if (late == l->said_waits)
		return;
	view_tell(l->view, late ? "waiting for libvirt; Esc drops what was asked" : "");
	l->said_waits = late;
	l->dirty = true;
}

static void drop(struct loop *l)
{
	scheduler_drop(l->sched, clock_ns());
	l->has_unsent = l->has_unsent && !command_ages(&l->unsent);
	l->sent_ns = 0;
	l->said_waits = false;
	view_tell(l->view, "dropped: what has not begun is not done");
}

static void take_key(struct loop *l, const struct key_event *ev)
{
	struct command c;
	l->dirty = true;
	if (ev->key == VK_ESC && l->said_waits)
		drop(l);
	else if (ev->key == VK_CTRL('L')) /* whatever is open stays open */
		term_redraw(l->term);
	else if (ev->key >= VK_CLICK && ev->key <= VK_WHEEL_DOWN)
		view_mouse(l->view, ev->row, ev->col, ev->key, l->shown);
	else if (view_key(l->view, ev->key, l->shown, &c) && !l->has_unsent)
		carry_out(l, &c);
}

static void tell_refused(struct loop *l)
{
	char word[160];
	if (!keys_guard_word(&l->keys, word, sizeof word))
		return;
	view_tell(l->view, word);
	l->dirty = true;
}

static void read_keys(struct loop *l, short events)
{
	unsigned char bytes[512];
	struct key_event ev;
	ssize_t n = term_read(bytes, sizeof bytes, events);
	l->done |= n < 0;
	keys_guard_put(&l->keys, bytes, n > 0 ? (size_t)n : 0, clock_ns() / 1000000);
	while (!l->done && keys_guard_next(&l->keys, l->view, l->shown, &ev))
		take_key(l, &ev);
	tell_refused(l);
}

/* Nothing has come: what waited to be alone is. */
static void idle_keys(struct loop *l)
{
	struct key_event ev;
	int64_t now = clock_ns() / 1000000;
	while (!l->done && keys_guard_idle(&l->keys, now, &ev))
		take_key(l, &ev);
	tell_refused(l);
}

/* What is asked can be read from the moment on at which the frame has left for the terminal. */
static void note_seen(struct loop *l)
{
	if (!l->dirty && term_shown(l->term))
		keys_guard_seen(&l->keys, view_asked(l->view, l->shown), clock_ns() / 1000000);
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo si;
	while (read(l->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		switch (si.ssi_signo) {
		case SIGWINCH:
			term_resize(l->term);
			l->dirty = true;
			break;
		case SIGTSTP:
			term_suspend(l->term);
			l->dirty = true;
			break;
		case SIGCONT:
			term_resume(l->term);
			l->dirty = true;
			break;
		default:
			l->done = true;
		}
	}
}

static void take_snapshot(struct loop *l)
{
	struct snapshot *s = scheduler_take(l->sched);
	if (!s)
		return;
	l->heard_ns = s->heard_ns;
	l->waits = s->waits;
	if (s->over) {
		l->done = true;
		l->status = s->exit_status;
	}
	if (view_paused(l->view) && !s->over) {
		snapshot_free(s);
		return;
	}
	view_keep(l->view, l->shown); /* in case no frame came between */
	snapshot_free(l->shown);
	l->shown = s;
	l->received_ns = clock_ns();
	view_receive(l->view, s);
	l->dirty = true;
}

static void tell_groups(struct loop *l)
{
	unsigned groups = view_groups(l->view);
	struct command c = {.kind = CMD_GROUPS, .number = groups};
	if (groups != l->groups && scheduler_send(l->sched, &c) == 0)
		l->groups = groups;
}

/* Bytes that this thread has written so far; the kernel counts them. */
static struct vi64 written(void)
{
	char text[512];
	FILE *f = fopen("/proc/thread-self/io", "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	if (f)
		fclose(f);
	text[n] = '\0';
	const char *p = strstr(text, "wchar: ");
	return p ? vi64_ok(strtoll(p + strlen("wchar: "), NULL, 10)) : vi64_absent(AVAIL_UNSUPPORTED);
}

static void note_cost(struct loop *l, int64_t start_ns, struct vi64 before)
{
	struct timespec cpu;
	struct vi64 after = written();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	struct own_cost c = {.draw_ns = clock_ns() - start_ns,
		.bytes = vi64_has(after) && vi64_has(before) ? vi64_ok(after.v - before.v) : after,
		.cpu_ns = cpu.tv_sec * INT64_C(1000000000) + cpu.tv_nsec,
		.since_ns = clock_ns() - l->born_ns};
	view_cost(l->view, &c);
}

static void draw(struct loop *l)
{
	int rows, cols, row = 0, col = 0;
	int64_t start = clock_ns();
	bool measure = view_wants_cost(l->view);
	struct vi64 before = measure ? written() : vi64_absent(AVAIL_NOT_ASKED);
	term_size(l->term, &rows, &cols);
	if (screen_resize(&l->base, rows, cols) < 0)
		return;
	l->base.graph = term_graph(l->term);
	if (l->theme != view_theme(l->view))
		term_theme(l->term, l->theme = view_theme(l->view));
	if (l->mouse != view_wants_mouse(l->view)) {
		l->mouse = l->keys.reader.mouse = !l->mouse;
		term_mouse(l->term, l->mouse);
	}
	view_draw(l->view, l->shown, &l->base, clock_ns(), l->received_ns);
	bool over = view_overlay(l->view, l->shown, &l->over, rows, cols, &row, &col);
	term_draw(l->term, &l->base, over ? &l->over : NULL, row, col);
	if (!view_paused(l->view))
		view_keep(l->view, l->shown);
	if (measure)
		note_cost(l, start, before);
	l->dirty = false;
}

/* Nothing wakes us while the data is younger than one interval; then its age counts up once a second. */
static int age_ms(const struct loop *l)
{
	if (l->has_unsent)
		return 50;
	if (l->shown->first || view_paused(l->view))
		return -1;
	double age = l->shown->age_s + (double)(clock_ns() - l->received_ns) / 1e9, delay = l->shown->delay_s;
	double wait = age < delay ? delay - age : 1 - (age - (double)(long)age);
	return (int)(wait * 1000) + 20;
}

static int next_ms(const struct loop *l)
{
	int ms = age_ms(l);
	int64_t due = keys_guard_due(&l->keys), now = clock_ns() / 1000000;
	if (waiting(l) && !l->said_waits && (ms < 0 || ms > ANSWER_MS))
		ms = ANSWER_MS;
	/* a question that a slow line has not shown yet */
	if (view_asked(l->view, l->shown) != l->keys.seen && (ms < 0 || ms > 50))
		ms = 50;
	if (due >= 0 && (ms < 0 || due - now < ms))
		ms = due > now ? (int)(due - now) : 0;
	return ms;
}

/* A frame that the line has not taken yet goes first: a slow line slows the frames, nothing else. */
static void turn(struct loop *l)
{
	int out;
	bool busy = term_busy(l->term, &out);
	struct pollfd fds[POLL_COUNT] = {
		[POLL_KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
		[POLL_WAKE] = {.fd = scheduler_wake_fd(l->sched), .events = POLLIN},
		[POLL_SIGNALS] = {.fd = l->signals, .events = POLLIN},
		[POLL_LINE] = {.fd = busy ? out : -1, .events = POLLOUT},
	};
	int n = poll(fds, POLL_COUNT, next_ms(l));
	if (n < 0 && errno != EINTR)
		l->done = true;
	if (n == 0)
		l->dirty = true; /* an age to count up */
	if (n >= 0 && !fds[POLL_KEYS].revents)
		idle_keys(l);
	if (n <= 0)
		return;
	if (fds[POLL_LINE].revents)
		term_flush(l->term);
	if (fds[POLL_SIGNALS].revents)
		read_signals(l);
	if (fds[POLL_WAKE].revents)
		take_snapshot(l);
	if (fds[POLL_KEYS].revents && !l->done)
		read_keys(l, fds[POLL_KEYS].revents);
}

static int loop_open(struct loop *l, struct err *e)
{
	l->view = view_new(l->cfg);
	l->shown = calloc(1, sizeof *l->shown);
	if (!l->view || !l->shown || screen_init(&l->base, 1, 1) < 0 || screen_init(&l->over, 1, 1) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	l->shown->first = true;
	l->shown->delay_s = l->cfg->delay_s;
	l->signals = term_signals();
	if (l->signals < 0)
		return err_set(e, ERR_RUNTIME, "signals: %s", strerror(errno));
	l->term = term_open(l->cfg, e);
	if (!l->term)
		return -1;
	l->mouse = l->cfg->mouse;
	keys_guard_init(&l->keys, term_names(l->term), l->mouse);
	l->base.ascii = l->over.ascii = term_ascii(l->term);
	l->base.console = l->over.console = term_console(l->term);
	l->received_ns = l->born_ns = clock_ns();
	l->dirty = true;
	return 0;
}

/* What is waited for and told on the way out. */
static struct farewell way_out(const struct loop *l)
{
	bool restore = l->restore || l->cfg->on_exit == ON_EXIT_RESTORE;
	return (struct farewell){l->sched, l->cfg, l->signals, restore, l->shown && l->shown->n_changed > 0};
}

static void loop_close(struct loop *l)
{
	term_close(l->term);
	l->term = NULL;
	view_free(l->view);
	screen_done(&l->base);
	screen_done(&l->over);
	snapshot_free(l->shown);
}

static void complain(const struct err *e)
{
	char line[640];
	text_safe(line, sizeof line, e->msg); /* TERM may hold anything */
	fprintf(stderr, "vmtop: %s\n", line);
}

int ui_run(const struct config *cfg, struct scheduler *s, setup_saver save)
{
	struct loop l = {.cfg = cfg, .sched = s, .save = save, .signals = -1};
	struct err e = ERR_INIT;
	if (loop_open(&l, &e) < 0) {
		l.status = err_exit_status(&e);
		l.done = true;
	} else {
		take_snapshot(&l);
	}
	while (!l.done) {
		int out;
		if (l.dirty && !term_busy(l.term, &out))
			draw(&l);
		note_seen(&l);
		turn(&l);
		tell_waiting(&l);
		send_commands(&l);
		tell_groups(&l);
	}
	struct farewell out = way_out(&l);
	loop_close(&l);
	if (e.code)
		complain(&e);
	int left = farewell(&out);
	if (l.signals >= 0)
		close(l.signals);
	return left ? left : l.status;
}
