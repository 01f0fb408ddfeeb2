/* SPDX-License-Identifier: MIT */
/* ncurses. Invariant: whatever ends the program, the terminal is as it was before, and no call waits for a
 * slow line: frames go through out.c. Knows nothing of what the cells mean. */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "term_private.h"
#include "vmtop/text.h"
#include "vmtop/view.h"

enum { LEAVE_MS = 500 }; /* for a slow line to take what waits, at an end */

/* Descendants of xterm: a frame goes between the two marks of mode 2026, drawn at once where that is known.
 */
static bool draws_at_once(void)
{
	static const char *const names[] = {"xterm", "tmux", "foot", "alacritty", "kitty", "ghostty",
		"wezterm", "contour", "konsole", "vte", "mintty", "iterm", "rio", "st-"};
	const char *term = getenv("TERM");
	for (size_t i = 0; term && i < sizeof names / sizeof names[0]; i++)
		if (!strncmp(term, names[i], strlen(names[i])))
			return true;
	return false;
}

/* ncurses sets the keyboard's modes while it still holds the terminal itself. */
static void keyboard_modes(struct terminal *t)
{
	cbreak();
	noecho();
	nonl();
	set_escdelay(25);
	intrflush(stdscr, FALSE);
	typeahead(-1); /* frames are whole: what is typed meanwhile must not cut them */
	tcgetattr(STDIN_FILENO, &t->during);
}

static void settings(struct terminal *t, const struct config *cfg)
{
	curs_set(0);
	keypad(stdscr, TRUE); /* keys send what terminfo says */
	term_key_names(&t->names);
	t->sync = draws_at_once();
	if (term_takes_modes()) {
		t->on = cfg->mouse ? PASTE_START MOUSE_START : PASTE_START;
		t->off = MOUSE_STOP PASTE_STOP; /* it may be switched on later */
	}
	t->color = term_colors(cfg);
	term_theme(t, cfg->theme);
}

/* What ncurses would send at an end is what a crash must send too: it is asked for once, and kept. */
static void learn_leave(struct terminal *t)
{
	char copy[CRASH_BYTES];
	doupdate();
	out_discard(&t->out, copy, 0);
	endwin();
	size_t n = (size_t)snprintf(t->leave, sizeof t->leave, "%s%s", t->sync ? SYNC_END : "", t->off);
	t->n_leave = n + out_discard(&t->out, t->leave + n, sizeof t->leave - n);
}

/* Terminals come before their entry in terminfo does, or travel by ssh to where there is none: those that say
 * whose kin they are get the entry of that. */
static const char *kin_of(const char *name)
{
	static const struct {
		const char *begins, *is;
	} kin[] = {{"xterm", "xterm-256color"}, {"ghostty", "xterm-256color"}, {"kitty", "xterm-256color"},
		{"foot", "xterm-256color"}, {"alacritty", "xterm-256color"}, {"wezterm", "xterm-256color"},
		{"contour", "xterm-256color"}, {"konsole", "xterm-256color"}, {"vte", "xterm-256color"},
		{"gnome", "xterm-256color"}, {"mintty", "xterm-256color"}, {"iterm", "xterm-256color"},
		{"rio", "xterm-256color"}, {"st-", "xterm-256color"}, {"putty", "xterm"},
		{"tmux", "screen-256color"}, {"screen", "screen-256color"}, {"rxvt", "rxvt"},
		{"linux", "linux"}, {"vt", "vt100"}};
	for (size_t i = 0; i < sizeof kin / sizeof *kin; i++)
		if (strncmp(name, kin[i].begins, strlen(kin[i].begins)) == 0)
			return kin[i].is;
	return NULL;
}

static SCREEN *screen_for(const char *name, FILE *out)
{
	SCREEN *s = newterm(name, out, stdin);
	const char *kin = s ? NULL : kin_of(name);
	if (kin)
		s = newterm(kin, out, stdin);
	return s;
}

static int open_screen(struct terminal *t, const char *name, struct err *e)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	t->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!t->file)
		return err_set(e, ERR_RUNTIME, "the terminal cannot be opened: %s", strerror(errno));
	t->screen = screen_for(name, t->file);
	if (!t->screen)
		return err_set(e, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s, which terminfo does not know here); install its entry, set TERM=xterm-256color if it is like xterm, or use --batch",
			name);
	keyboard_modes(t);
	if (out_open(&t->out, STDOUT_FILENO, fd) < 0)
		return err_set(e, ERR_RUNTIME, "cannot make a memory file for frames: %s", strerror(errno));
	return 0;
}

static void take_over(struct terminal *t)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &t->during);
	out_add(&t->out, t->on);
}

struct terminal *term_open(const struct config *cfg, struct err *e)
{
	const char *name = getenv("TERM");
	if (!name || !name[0] || !strcmp(name, "dumb")) {
		err_set(e, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s); use --batch, or set TERM",
			name && name[0] ? name : "not set");
		return NULL;
	}
	struct terminal *t = calloc(1, sizeof *t);
	if (!t) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	t->out = (struct out){.fd = -1, .mem = -1};
	t->on = t->off = "";
	if (tcgetattr(STDIN_FILENO, &t->before) < 0) {
		err_set(e, ERR_RUNTIME,
			"no keyboard: standard input is not a terminal; -b prints text instead");
		free(t);
		return NULL;
	}
	crash_install(STDOUT_FILENO, &t->before); /* before anything is changed that must be put back */
	if (open_screen(t, name, e) < 0) {
		term_close(t);
		return NULL;
	}
	t->ascii = text_charset() == TEXT_ASCII;
	t->console = !strcmp(name, "linux");
	if (t->console && !t->ascii)
		text_charset_set(TEXT_CONSOLE);
	settings(t, cfg);
	learn_leave(t);
	crash_leaves(t->out.fd, t->leave, t->n_leave);
	take_over(t);
	return t;
}

/* The terminal as it was before; what it did not take within the time given is thrown away. */
static void give_back(struct terminal *t)
{
	out_add(&t->out, t->off); /* also before the first frame */
	if (!isendwin()) {
		endwin();
		out_take(&t->out, "", "", NULL);
	}
	if (!out_drain(&t->out, LEAVE_MS))
		out_cut(&t->out, t->leave, t->n_leave);
	tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
}

void term_close(struct terminal *t)
{
	if (!t)
		return;
	if (t->panel)
		del_panel(t->panel);
	if (t->over)
		delwin(t->over);
	screen_done(&t->drawn);
	if (t->screen) {
		give_back(t);
		delscreen(t->screen);
	}
	crash_remove();
	if (t->file)
		fclose(t->file);
	out_done(&t->out);
	free(t);
}

bool term_busy(const struct terminal *t, int *fd)
{
	*fd = out_waits(&t->out) ? t->out.fd : -1;
	return *fd >= 0;
}

bool term_shown(const struct terminal *t)
{
	int waits = 0; /* in the kernel, for a line with a speed */
	return !out_waits(&t->out) && (ioctl(t->out.fd, TIOCOUTQ, &waits) < 0 || waits == 0);
}

void term_flush(struct terminal *t)
{
	out_flush(&t->out);
}

ssize_t term_read(unsigned char *bytes, size_t len, short events)
{
	int waiting = 0;
	/* Readable with nothing to read is the end of the terminal. */
	if (ioctl(STDIN_FILENO, FIONREAD, &waiting) < 0 || waiting == 0 ||
		(events & (POLLHUP | POLLERR | POLLNVAL)))
		return -1;
	ssize_t n = read(STDIN_FILENO, bytes, len);
	if (n > 0)
		return n;
	return n < 0 && errno == EINTR ? 0 : -1;
}

int term_signals(void)
{
	static const int wanted[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		sigaddset(&set, wanted[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void term_size(const struct terminal *t, int *rows, int *cols)
{
	(void)t;
	getmaxyx(stdscr, *rows, *cols);
}

bool term_ascii(const struct terminal *t)
{
	return t->ascii;
}

bool term_console(const struct terminal *t)
{
	return t->console;
}

enum graph term_graph(const struct terminal *t)
{
	const char *name = getenv("TERM");
	bool old = name && (!strncmp(name, "vt", 2) || !strcmp(name, "ansi"));
	return t->ascii || old ? GRAPH_ASCII : t->console ? GRAPH_BLOCK : GRAPH_BRAILLE;
}

const struct key_names *term_names(const struct terminal *t)
{
	return &t->names;
}

void term_resize(struct terminal *t)
{
	struct winsize ws;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0)
		resizeterm(ws.ws_row, ws.ws_col);
	term_redraw(t);
}

void term_redraw(struct terminal *t)
{
	t->drawn.rows = 0;
	clearok(curscr, TRUE);
}

void term_suspend(struct terminal *t)
{
	sigset_t stop, old;
	struct sigaction dfl = {.sa_handler = SIG_DFL}, before;
	give_back(t);
	sigaction(SIGTSTP, &dfl, &before);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stop, &old);
	raise(SIGTSTP);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	sigaction(SIGTSTP, &before, NULL);
	term_resume(t);
}

void term_lend(struct terminal *t)
{
	give_back(t);
}

void term_mouse(struct terminal *t, bool on)
{
	if (!*t->on)
		return;
	t->on = on ? PASTE_START MOUSE_START : PASTE_START;
	out_add(&t->out, on ? MOUSE_START : MOUSE_STOP);
}

void term_resume(struct terminal *t)
{
	take_over(t);
	term_resize(t);
}
