/* SPDX-License-Identifier: MIT */
/* The loop of a fleet's screen: one poll over the keyboard, what is new, and signals. Invariant: nothing here
 * waits for a host; on every way out, and while a host is open, the terminal is given back first; moves that
 * were begun are followed to their end, and told on the way out. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fleet_private.h"
#include "keys_read.h"
#include "term.h"
#include "vmtop/carry.h"
#include "vmtop/clock.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/text.h"

enum { POLL_KEYS, POLL_NEWS, POLL_SIGNALS, POLL_LINE, POLL_MOVES, POLL_BESIDE, POLL_COUNT };
/* Hosts tell of themselves one after another: they are put together so often at most. */
enum { NEWS_MS = 250, AGE_MS = 1000 };
/* An abort takes its time; a host that hangs takes longer. */
enum { ABORT_S = 90 };

struct loop {
	const struct config *cfg;
	struct fleet_watch *watch;
	const struct fleet_door *door;
	struct fleet_view *view;
	struct terminal *term;
	struct fleet *shown;
	struct keys_reader keys;
	struct screen base, over;
	struct carry *carry; /* NULL: no moves are carried out */
	bool carry_over;
	int signals;
	int beside; /* -1: none, or it has ended */
	char said[1024], said_last[400];
	size_t n_said;
	int64_t taken_ms;
	bool news, dirty, done;
};

static int take(struct loop *l)
{
	struct fleet *f = fleet_watch_take(l->watch);
	if (!f)
		return -1;
	fleet_free(l->shown);
	l->shown = f;
	l->taken_ms = clock_ms();
	l->news = false;
	l->dirty = true;
	fleet_view_feed(l->view, f);
	return 0;
}

static int take_terminal(struct loop *l, struct err *e)
{
	l->term = term_open(l->cfg, e);
	if (!l->term)
		return -1;
	keys_read_init(&l->keys, term_names(l->term), l->cfg->mouse);
	l->base.ascii = l->over.ascii = term_ascii(l->term);
	l->base.console = l->over.console = term_console(l->term);
	l->dirty = true;
	return 0;
}

/* Keys of the host's screen that the terminal turned into signals were not meant for this one. */
static void forget_keys(struct loop *l)
{
	struct signalfd_siginfo si;
	while (read(l->signals, &si, sizeof si) == (ssize_t)sizeof si)
		l->done |= si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP;
}

static void open_host(struct loop *l)
{
	const struct fleet_host *h = fleet_view_host(l->view, l->shown);
	struct err e = ERR_INIT;
	if (!h)
		return;
	term_close(l->term);
	l->term = NULL;
	const char *word = l->door->open(l->door->arg, h->uri);
	forget_keys(l);
	if (take_terminal(l, &e) < 0)
		l->done = true;
	if (word)
		fleet_view_tell(l->view, word);
	take(l);
}

/* ---- moves ---- */

static void look_at_moves(struct loop *l)
{
	const struct moves *ms;
	carry_look(l->carry, &ms, &l->carry_over);
	l->done |= fleet_view_moves(l->view, ms, l->carry_over);
	l->dirty = true;
}

/* What was told is over: the next ones may begin. */
static void end_moves(struct loop *l)
{
	if (l->carry && l->carry_over && carry_end(l->carry, 5))
		l->carry = NULL;
}

static void begin_moves(struct loop *l)
{
	struct err e = ERR_INIT;
	struct moves ms = {.list = NULL};
	end_moves(l);
	if (l->cfg->readonly || l->cfg->dry_run || l->carry) {
		fleet_view_tell(l->view, l->carry ? "the moves of before still hang over a host"
						  : "read-only: nothing is carried out");
		return;
	}
	struct mover *by = mover_libvirt(l->cfg, &e);
	if (by && !moves_copy(&ms, fleet_view_planned(l->view))) {
		by->ops->close(by);
		err_set(&e, ERR_NOMEM, "out of memory");
		by = NULL;
	}
	l->carry_over = false;
	l->carry = by ? carry_start(&ms, by, &e) : NULL;
	if (l->carry)
		look_at_moves(l);
	else
		fleet_view_tell(l->view, e.msg);
}

/* ---- what runs beside it ---- */

static void take_line(struct loop *l, size_t n)
{
	l->said[n] = '\0';
	snprintf(l->said_last, sizeof l->said_last, "%.399s", l->said);
	fleet_view_auto(l->view, l->said);
	l->dirty = true;
}

/* A line that is too long is cut into several. */
static void read_beside(struct loop *l)
{
	size_t room = l->n_said < sizeof l->said ? sizeof l->said - 1 - l->n_said : 0;
	ssize_t n = read(l->beside, l->said + l->n_said, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (l->n_said)
			take_line(l, l->n_said);
		char text[sizeof l->said_last + 80];
		snprintf(text, sizeof text, "it has ended, and nobody is moved any more: %s", l->said_last);
		fleet_view_auto(l->view, text);
		l->beside = -1;
		l->dirty = true;
		return;
	}
	l->n_said += (size_t)n;
	for (char *end; (end = memchr(l->said, '\n', l->n_said)) != NULL;) {
		size_t used = (size_t)(end - l->said);
		take_line(l, used);
		l->n_said -= used + 1;
		memmove(l->said, end + 1, l->n_said);
	}
	if (l->n_said == sizeof l->said - 1) {
		take_line(l, l->n_said);
		l->n_said = 0;
	}
}

/* On the way out, where they stay in sight after the screen has gone. */
static void print_moves(const struct moves *ms)
{
	char title[2 * MOVE_TEXT], text[MOVE_TEXT];
	for (size_t i = 0; i < ms->n; i++) {
		move_title(&ms->list[i], title, sizeof title);
		move_text(&ms->list[i], clock_ms() * 1000000, text, sizeof text);
		printf("vmtop: %s: %s\n", title, text);
	}
	fflush(stdout);
}

/* Whatever ended the screen: a migration that runs is taken back. */
static int leave_moves(struct loop *l, struct err *e)
{
	const struct moves *ms;
	if (!l->carry)
		return 0;
	int64_t until = clock_ms() + ABORT_S * INT64_C(1000);
	carry_look(l->carry, &ms, &l->carry_over);
	if (!l->carry_over)
		printf("vmtop: aborting the migration that runs\n");
	fflush(stdout);
	carry_abort(l->carry);
	while (!l->carry_over && clock_ms() < until) {
		struct pollfd p = {.fd = carry_fd(l->carry), .events = POLLIN};
		poll(&p, 1, 1000);
		carry_look(l->carry, &ms, &l->carry_over);
	}
	print_moves(ms);
	return l->carry_over && carry_end(l->carry, 5)
		       ? 0
		       : err_set(e, ERR_TIMEOUT,
				 "a host does not answer: look there (virsh list, virsh domjobinfo) how the migration ends");
}

static void take_key(struct loop *l, const struct key_event *ev)
{
	l->dirty = true;
	if (ev->key == VK_CTRL('L')) {
		term_redraw(l->term);
	} else if (ev->key >= VK_CLICK && ev->key <= VK_WHEEL_DOWN) {
		fleet_view_mouse(l->view, ev->row, ev->key, l->shown);
	} else {
		enum fleet_wish wish = fleet_view_key(l->view, ev->key, l->shown);
		l->done |= wish == FLEET_QUIT;
		if (wish == FLEET_OPEN)
			open_host(l);
		if (wish == FLEET_CARRY)
			begin_moves(l);
		if (wish == FLEET_ABORT && l->carry)
			carry_abort(l->carry);
	}
}

/* Readable with nothing to read is the end of the terminal: leave instead of spinning. */
static void read_keys(struct loop *l, short events)
{
	unsigned char bytes[512];
	struct key_event ev;
	ssize_t n = term_read(bytes, sizeof bytes, events);
	l->done |= n < 0;
	for (ssize_t i = 0; i < n && !l->done; i++)
		if (keys_read_byte(&l->keys, bytes[i], clock_ms(), &ev))
			take_key(l, &ev);
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo si;
	while (read(l->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		l->dirty = true;
		if (si.ssi_signo == SIGWINCH)
			term_resize(l->term);
		else if (si.ssi_signo == SIGTSTP)
			term_suspend(l->term);
		else if (si.ssi_signo == SIGCONT)
			term_resume(l->term);
		else
			l->done = true;
	}
}

static void draw(struct loop *l)
{
	int rows, cols, row = 0, col = 0;
	term_size(l->term, &rows, &cols);
	if (screen_resize(&l->base, rows, cols) < 0)
		return;
	fleet_view_draw(l->view, l->shown, &l->base);
	bool over = fleet_view_overlay(l->view, &l->over, rows, cols, &row, &col);
	term_draw(l->term, &l->base, over ? &l->over : NULL, row, col);
	l->dirty = false;
}

/* Ages count up once a second. */
static int next_ms(const struct loop *l)
{
	int64_t due = l->taken_ms + (l->news ? NEWS_MS : AGE_MS), keys = keys_read_due(&l->keys);
	due = keys >= 0 && keys < due ? keys : due;
	int64_t left = due - clock_ms();
	return left > 0 ? (int)left : 0;
}

static void turn(struct loop *l)
{
	int out;
	struct key_event ev;
	bool busy = term_busy(l->term, &out);
	struct pollfd fds[POLL_COUNT] = {
		[POLL_KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
		[POLL_NEWS] = {.fd = l->news ? -1 : fleet_watch_fd(l->watch), .events = POLLIN},
		[POLL_SIGNALS] = {.fd = l->signals, .events = POLLIN},
		[POLL_LINE] = {.fd = busy ? out : -1, .events = POLLOUT},
		[POLL_MOVES] = {.fd = l->carry && !l->carry_over ? carry_fd(l->carry) : -1, .events = POLLIN},
		[POLL_BESIDE] = {.fd = l->beside, .events = POLLIN},
	};
	int n = poll(fds, POLL_COUNT, next_ms(l));
	if (n < 0 && errno != EINTR)
		l->done = true;
	if (n > 0 && fds[POLL_LINE].revents)
		term_flush(l->term);
	if (n > 0 && fds[POLL_SIGNALS].revents)
		read_signals(l);
	if (n > 0 && fds[POLL_NEWS].revents)
		l->news = true;
	if (n > 0 && fds[POLL_MOVES].revents)
		look_at_moves(l);
	if (n > 0 && fds[POLL_BESIDE].revents)
		read_beside(l);
	if (clock_ms() - l->taken_ms >= (l->news ? NEWS_MS : AGE_MS))
		take(l);
	if (n > 0 && fds[POLL_KEYS].revents && !l->done)
		read_keys(l, fds[POLL_KEYS].revents);
	else if (!l->done && keys_read_idle(&l->keys, clock_ms(), &ev))
		take_key(l, &ev);
}

static int loop_open(struct loop *l, struct err *e)
{
	l->view = fleet_view_new(l->cfg->delay_s);
	if (!l->view || screen_init(&l->base, 1, 1) < 0 || screen_init(&l->over, 1, 1) < 0 || take(l) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	fleet_view_peers(l->view, l->cfg->fleet_peers);
	if (l->beside >= 0)
		fleet_view_auto(l->view, "begins");
	l->signals = term_signals();
	if (l->signals < 0)
		return err_set(e, ERR_RUNTIME, "signals: %s", strerror(errno));
	return take_terminal(l, e);
}

int fleet_screen(
	const struct config *cfg, struct fleet_watch *w, const struct fleet_door *door, struct err *e)
{
	struct loop l = {.cfg = cfg, .watch = w, .door = door, .signals = -1, .beside = door->beside};
	int rc = loop_open(&l, e);
	while (rc == 0 && !l.done) {
		int out;
		if (l.dirty && !term_busy(l.term, &out))
			draw(&l);
		turn(&l);
	}
	term_close(l.term);
	rc = leave_moves(&l, e) < 0 ? -1 : rc;
	fleet_view_free(l.view);
	fleet_free(l.shown);
	screen_done(&l.base);
	screen_done(&l.over);
	if (l.signals >= 0)
		close(l.signals);
	return rc;
}
