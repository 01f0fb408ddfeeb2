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
#include "vmtop/minmax.h"
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

static int take(struct loop *loop)
{
	struct fleet *fleet = fleet_watch_take(loop->watch);
	if (!fleet)
		return -1;
	fleet_free(loop->shown);
	loop->shown = fleet;
	loop->taken_ms = clock_ms();
	loop->news = false;
	loop->dirty = true;
	fleet_view_feed(loop->view, fleet);
	return 0;
}

static int take_terminal(struct loop *loop, struct err *err)
{
	loop->term = term_open(loop->cfg, err);
	if (!loop->term)
		return -1;
	keys_read_init(&loop->keys, term_names(loop->term), loop->cfg->mouse);
	loop->base.ascii = loop->over.ascii = term_ascii(loop->term);
	loop->base.console = loop->over.console = term_console(loop->term);
	loop->dirty = true;
	return 0;
}

/* Keys of the host's screen that the terminal turned into signals were not meant for this one. */
static void forget_keys(struct loop *loop)
{
	struct signalfd_siginfo info;
	while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info)
		loop->done |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP;
}

static void open_host(struct loop *loop)
{
	const struct fleet_host *host = fleet_view_host(loop->view, loop->shown);
	struct err err = ERR_INIT;
	if (!host)
		return;
	term_close(loop->term);
	loop->term = NULL;
	const char *word = loop->door->open(loop->door->arg, host->uri);
	forget_keys(loop);
	if (take_terminal(loop, &err) < 0)
		loop->done = true;
	if (word)
		fleet_view_tell(loop->view, word);
	take(loop);
}

/* ---- moves ---- */

static void look_at_moves(struct loop *loop)
{
	const struct moves *moves;
	carry_look(loop->carry, &moves, &loop->carry_over);
	loop->done |= fleet_view_moves(loop->view, moves, loop->carry_over);
	loop->dirty = true;
}

/* What was told is over: the next ones may begin. */
static void end_moves(struct loop *loop)
{
	if (loop->carry && loop->carry_over && carry_end(loop->carry, 5))
		loop->carry = NULL;
}

static void begin_moves(struct loop *loop)
{
	struct err err = ERR_INIT;
	struct moves moves = {.list = NULL};
	end_moves(loop);
	if (loop->cfg->readonly || loop->cfg->dry_run || loop->carry) {
		fleet_view_tell(loop->view, loop->carry ? "the moves of before still hang over a host"
							: "read-only: nothing is carried out");
		return;
	}
	struct mover *by = mover_libvirt(loop->cfg, &err);
	if (by && !moves_copy(&moves, fleet_view_planned(loop->view))) {
		by->ops->close(by);
		err_set(&err, ERR_NOMEM, "out of memory");
		by = NULL;
	}
	loop->carry_over = false;
	loop->carry = by ? carry_start(&moves, by, &err) : NULL;
	if (loop->carry)
		look_at_moves(loop);
	else
		fleet_view_tell(loop->view, err.msg);
}

/* ---- what runs beside it ---- */

static void take_line(struct loop *loop, size_t n)
{
	loop->said[n] = '\0';
	snprintf(loop->said_last, sizeof loop->said_last, "%.399s", loop->said);
	fleet_view_auto(loop->view, loop->said);
	loop->dirty = true;
}

/* A line that is too long is cut into several. */
static void read_beside(struct loop *loop)
{
	size_t room = loop->n_said < sizeof loop->said ? sizeof loop->said - 1 - loop->n_said : 0;
	ssize_t n = read(loop->beside, loop->said + loop->n_said, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (loop->n_said)
			take_line(loop, loop->n_said);
		char text[sizeof loop->said_last + 80];
		snprintf(
			text, sizeof text, "it has ended, and nobody is moved any more: %s", loop->said_last);
		fleet_view_auto(loop->view, text);
		loop->beside = -1;
		loop->dirty = true;
		return;
	}
	loop->n_said += (size_t)n;
	for (char *end; (end = memchr(loop->said, '\n', loop->n_said)) != NULL;) {
		size_t used = (size_t)(end - loop->said);
		take_line(loop, used);
		loop->n_said -= used + 1;
		memmove(loop->said, end + 1, loop->n_said);
	}
	if (loop->n_said == sizeof loop->said - 1) {
		take_line(loop, loop->n_said);
		loop->n_said = 0;
	}
}

/* On the way out, where they stay in sight after the screen has gone. */
static void print_moves(const struct moves *moves)
{
	char title[2 * MOVE_TEXT], text[MOVE_TEXT];
	for (size_t i = 0; i < moves->n; i++) {
		move_title(&moves->list[i], title, sizeof title);
		move_text(&moves->list[i], clock_ms() * 1000000, text, sizeof text);
		printf("vmtop: %s: %s\n", title, text);
	}
	fflush(stdout);
}

/* Whatever ended the screen: a migration that runs is taken back. */
static int leave_moves(struct loop *loop, struct err *err)
{
	const struct moves *moves;
	if (!loop->carry)
		return 0;
	int64_t until = clock_ms() + ABORT_S * INT64_C(1000);
	carry_look(loop->carry, &moves, &loop->carry_over);
	if (!loop->carry_over)
		printf("vmtop: aborting the migration that runs\n");
	fflush(stdout);
	carry_abort(loop->carry);
	while (!loop->carry_over && clock_ms() < until) {
		struct pollfd fds = {.fd = carry_fd(loop->carry), .events = POLLIN};
		poll(&fds, 1, 1000);
		carry_look(loop->carry, &moves, &loop->carry_over);
	}
	print_moves(moves);
	return loop->carry_over && carry_end(loop->carry, 5)
		       ? 0
		       : err_set(err, ERR_TIMEOUT,
				 "a host does not answer: look there (virsh list, virsh domjobinfo) how the migration ends");
}

static void take_key(struct loop *loop, const struct key_event *event)
{
	loop->dirty = true;
	if (event->key == VK_CTRL('L')) {
		term_redraw(loop->term);
	} else if (event->key >= VK_CLICK && event->key <= VK_WHEEL_DOWN) {
		fleet_view_mouse(loop->view, event->row, event->key, loop->shown);
	} else {
		enum fleet_wish wish = fleet_view_key(loop->view, event->key, loop->shown);
		loop->done |= wish == FLEET_QUIT;
		if (wish == FLEET_OPEN)
			open_host(loop);
		if (wish == FLEET_CARRY)
			begin_moves(loop);
		if (wish == FLEET_ABORT && loop->carry)
			carry_abort(loop->carry);
	}
}

/* Readable with nothing to read is the end of the terminal: leave instead of spinning. */
static void read_keys(struct loop *loop, short events)
{
	unsigned char bytes[512];
	struct key_event event;
	ssize_t n = term_read(bytes, sizeof bytes, events);
	loop->done |= n < 0;
	for (ssize_t i = 0; i < n && !loop->done; i++)
		if (keys_read_byte(&loop->keys, bytes[i], clock_ms(), &event))
			take_key(loop, &event);
}

static void read_signals(struct loop *loop)
{
	struct signalfd_siginfo info;
	while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		loop->dirty = true;
		if (info.ssi_signo == SIGWINCH)
			term_resize(loop->term);
		else if (info.ssi_signo == SIGTSTP)
			term_suspend(loop->term);
		else if (info.ssi_signo == SIGCONT)
			term_resume(loop->term);
		else
			loop->done = true;
	}
}

static void draw(struct loop *loop)
{
	int rows, cols, row = 0, col = 0;
	term_size(loop->term, &rows, &cols);
	if (screen_resize(&loop->base, rows, cols) < 0)
		return;
	fleet_view_draw(loop->view, loop->shown, &loop->base);
	bool over = fleet_view_overlay(loop->view, &loop->over, rows, cols, &row, &col);
	term_draw(loop->term, &loop->base, over ? &loop->over : NULL, row, col);
	loop->dirty = false;
}

/* Ages count up once a second. */
static int next_ms(const struct loop *loop)
{
	int64_t due = loop->taken_ms + (loop->news ? NEWS_MS : AGE_MS), keys = keys_read_due(&loop->keys);
	if (keys >= 0 && keys < due)
		due = keys;
	int64_t left = due - clock_ms();
	return (int)max_of(left, 0);
}

static void turn(struct loop *loop)
{
	int out;
	struct key_event event;
	bool busy = term_busy(loop->term, &out);
	struct pollfd fds[POLL_COUNT] = {
		[POLL_KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
		[POLL_NEWS] = {.fd = loop->news ? -1 : fleet_watch_fd(loop->watch), .events = POLLIN},
		[POLL_SIGNALS] = {.fd = loop->signals, .events = POLLIN},
		[POLL_LINE] = {.fd = busy ? out : -1, .events = POLLOUT},
		[POLL_MOVES] = {.fd = loop->carry && !loop->carry_over ? carry_fd(loop->carry) : -1,
			.events = POLLIN},
		[POLL_BESIDE] = {.fd = loop->beside, .events = POLLIN},
	};
	int n = poll(fds, POLL_COUNT, next_ms(loop));
	if (n < 0 && errno != EINTR)
		loop->done = true;
	if (n > 0 && fds[POLL_LINE].revents)
		term_flush(loop->term);
	if (n > 0 && fds[POLL_SIGNALS].revents)
		read_signals(loop);
	if (n > 0 && fds[POLL_NEWS].revents)
		loop->news = true;
	if (n > 0 && fds[POLL_MOVES].revents)
		look_at_moves(loop);
	if (n > 0 && fds[POLL_BESIDE].revents)
		read_beside(loop);
	if (clock_ms() - loop->taken_ms >= (loop->news ? NEWS_MS : AGE_MS))
		take(loop);
	if (n > 0 && fds[POLL_KEYS].revents && !loop->done)
		read_keys(loop, fds[POLL_KEYS].revents);
	else if (!loop->done && keys_read_idle(&loop->keys, clock_ms(), &event))
		take_key(loop, &event);
}

static int loop_open(struct loop *loop, struct err *err)
{
	loop->view = fleet_view_new(loop->cfg->delay_s);
	if (!loop->view || screen_init(&loop->base, 1, 1) < 0 || screen_init(&loop->over, 1, 1) < 0 ||
		take(loop) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	fleet_view_peers(loop->view, loop->cfg->fleet_peers);
	if (loop->beside >= 0)
		fleet_view_auto(loop->view, "begins");
	loop->signals = term_signals();
	if (loop->signals < 0)
		return err_set(err, ERR_RUNTIME, "signals: %s", strerror(errno));
	return take_terminal(loop, err);
}

int fleet_screen(
	const struct config *cfg, struct fleet_watch *watch, const struct fleet_door *door, struct err *err)
{
	struct loop loop = {.cfg = cfg, .watch = watch, .door = door, .signals = -1, .beside = door->beside};
	int rc = loop_open(&loop, err);
	while (rc == 0 && !loop.done) {
		int out;
		if (loop.dirty && !term_busy(loop.term, &out))
			draw(&loop);
		turn(&loop);
	}
	term_close(loop.term);
	if (leave_moves(&loop, err) < 0)
		rc = -1;
	fleet_view_free(loop.view);
	fleet_free(loop.shown);
	screen_done(&loop.base);
	screen_done(&loop.over);
	if (loop.signals >= 0)
		close(loop.signals);
	return rc;
}
