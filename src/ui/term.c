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
static void keyboard_modes(struct terminal *term)
{
	cbreak();
	noecho();
	nonl();
	set_escdelay(25);
	intrflush(stdscr, FALSE);
	typeahead(-1); /* frames are whole: what is typed meanwhile must not cut them */
	tcgetattr(STDIN_FILENO, &term->during);
}

static void settings(struct terminal *term, const struct config *cfg)
{
	curs_set(0);
	keypad(stdscr, TRUE); /* keys send what terminfo says */
	term_key_names(&term->names);
	term->sync = draws_at_once();
	if (term_takes_modes()) {
		term->on = cfg->mouse ? PASTE_START MOUSE_START : PASTE_START;
		term->off = MOUSE_STOP PASTE_STOP; /* it may be switched on later */
	}
	term->color = term_colors(cfg);
	term_theme(term, cfg->theme);
}

/* What ncurses would send at an end is what a crash must send too: it is asked for once, and kept. */
static void learn_leave(struct terminal *term)
{
	char copy[CRASH_BYTES];
	doupdate();
	out_discard(&term->out, copy, 0);
	endwin();
	size_t n = (size_t)snprintf(
		term->leave, sizeof term->leave, "%s%s", term->sync ? SYNC_END : "", term->off);
	term->n_leave = n + out_discard(&term->out, term->leave + n, sizeof term->leave - n);
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

static int open_screen(struct terminal *term, const char *name, struct err *err)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	term->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!term->file)
		return err_set(err, ERR_RUNTIME, "the terminal cannot be opened: %s", strerror(errno));
	term->screen = screen_for(name, term->file);
	if (!term->screen)
		return err_set(err, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s, which terminfo does not know here); install its entry, set TERM=xterm-256color if it is like xterm, or use --batch",
			name);
	keyboard_modes(term);
	if (out_open(&term->out, STDOUT_FILENO, fd) < 0)
		return err_set(err, ERR_RUNTIME, "cannot make a memory file for frames: %s", strerror(errno));
	return 0;
}

static void take_over(struct terminal *term)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &term->during);
	out_add(&term->out, term->on);
}

struct terminal *term_open(const struct config *cfg, struct err *err)
{
	const char *name = getenv("TERM");
	if (!name || !name[0] || !strcmp(name, "dumb")) {
		err_set(err, ERR_USAGE,
			"the terminal cannot show a screen (TERM is %.60s); use --batch, or set TERM",
			name && name[0] ? name : "not set");
		return NULL;
	}
	struct terminal *term = calloc(1, sizeof *term);
	if (!term) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	term->out = (struct out){.fd = -1, .mem = -1};
	term->on = term->off = "";
	if (tcgetattr(STDIN_FILENO, &term->before) < 0) {
		err_set(err, ERR_RUNTIME,
			"no keyboard: standard input is not a terminal; -b prints text instead");
		free(term);
		return NULL;
	}
	crash_install(STDOUT_FILENO, &term->before); /* before anything is changed that must be put back */
	if (open_screen(term, name, err) < 0) {
		term_close(term);
		return NULL;
	}
	term->ascii = text_charset() == TEXT_ASCII;
	term->console = !strcmp(name, "linux");
	if (term->console && !term->ascii)
		text_charset_set(TEXT_CONSOLE);
	settings(term, cfg);
	learn_leave(term);
	crash_leaves(term->out.fd, term->leave, term->n_leave);
	take_over(term);
	return term;
}

/* The terminal as it was before; what it did not take within the time given is thrown away. */
static void give_back(struct terminal *term)
{
	out_add(&term->out, term->off); /* also before the first frame */
	if (!isendwin()) {
		endwin();
		out_take(&term->out, "", "", NULL);
	}
	if (!out_drain(&term->out, LEAVE_MS))
		out_cut(&term->out, term->leave, term->n_leave);
	tcsetattr(STDIN_FILENO, TCSANOW, &term->before);
}

void term_close(struct terminal *term)
{
	if (!term)
		return;
	if (term->panel)
		del_panel(term->panel);
	if (term->over)
		delwin(term->over);
	screen_done(&term->drawn);
	if (term->screen) {
		give_back(term);
		delscreen(term->screen);
	}
	crash_remove();
	if (term->file)
		fclose(term->file);
	out_done(&term->out);
	free(term);
}

bool term_busy(const struct terminal *term, int *fd)
{
	*fd = out_waits(&term->out) ? term->out.fd : -1;
	return *fd >= 0;
}

bool term_shown(const struct terminal *term)
{
	int waits = 0; /* in the kernel, for a line with a speed */
	return !out_waits(&term->out) && (ioctl(term->out.fd, TIOCOUTQ, &waits) < 0 || waits == 0);
}

void term_flush(struct terminal *term)
{
	out_flush(&term->out);
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

void term_size(const struct terminal *term, int *rows, int *cols)
{
	(void)term;
	getmaxyx(stdscr, *rows, *cols);
}

bool term_ascii(const struct terminal *term)
{
	return term->ascii;
}

bool term_console(const struct terminal *term)
{
	return term->console;
}

enum graph term_graph(const struct terminal *term)
{
	const char *name = getenv("TERM");
	bool old = name && (!strncmp(name, "vt", 2) || !strcmp(name, "ansi"));
	return term->ascii || old ? GRAPH_ASCII : term->console ? GRAPH_BLOCK : GRAPH_BRAILLE;
}

const struct key_names *term_names(const struct terminal *term)
{
	return &term->names;
}

void term_resize(struct terminal *term)
{
	struct winsize winsize;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &winsize) == 0 && winsize.ws_row > 0 && winsize.ws_col > 0)
		resizeterm(winsize.ws_row, winsize.ws_col);
	term_redraw(term);
}

void term_redraw(struct terminal *term)
{
	term->drawn.rows = 0;
	clearok(curscr, TRUE);
}

void term_suspend(struct terminal *term)
{
	sigset_t stop, old;
	struct sigaction dfl = {.sa_handler = SIG_DFL}, before;
	give_back(term);
	sigaction(SIGTSTP, &dfl, &before);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stop, &old);
	raise(SIGTSTP);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	sigaction(SIGTSTP, &before, NULL);
	term_resume(term);
}

void term_lend(struct terminal *term)
{
	give_back(term);
}

void term_mouse(struct terminal *term, bool on)
{
	if (!*term->on)
		return;
	term->on = on ? PASTE_START MOUSE_START : PASTE_START;
	out_add(&term->out, on ? MOUSE_START : MOUSE_STOP);
}

void term_resume(struct terminal *term)
{
	take_over(term);
	term_resize(term);
}
