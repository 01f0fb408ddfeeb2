/* SPDX-License-Identifier: MIT */
/* ncurses. Invariant: whatever ends the program, the terminal is as it was before: term_close() on orderly
 * ends, a handler that only writes prepared bytes and a saved termios on a crash. Knows nothing of what the
 * cells mean. */
#include "term.h"

#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <panel.h>
#include <term.h>

#include "vmtop/theme.h"
#include "vmtop/view.h"

struct terminal {
	SCREEN *screen;
	WINDOW *input; /* a pad: reading keys from it draws nothing */
	WINDOW *over;
	PANEL *panel;
	attr_t attr[STYLE_COUNT];
	short pair[STYLE_COUNT];
	bool ascii, console, sync, color;
};

/* For the crash handler alone: set once before it is installed, read only there. */
static struct {
	struct termios tty;
	char leave[128];
	size_t n;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction crash_before[sizeof crash_signals / sizeof crash_signals[0]];

/* Restores the terminal, then lets happen what would have happened without us: the fault strikes again. */
static void on_crash(int sig, siginfo_t *info, void *context)
{
	(void)context;
	ssize_t ignored = write(STDOUT_FILENO, crash.leave, crash.n);
	(void)ignored;
	tcsetattr(STDIN_FILENO, TCSANOW, &crash.tty);
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		if (crash_signals[i] == sig)
			sigaction(sig, &crash_before[i], NULL);
	if (info->si_code <= 0) /* sent, not a fault: it would not come again by itself */
		raise(sig);
}

/* Adds a terminal string without its padding marks. */
static void crash_add(const char *cap)
{
	const char *s = tigetstr(cap);
	if (!s || s == (const char *)-1)
		return;
	while (*s && crash.n < sizeof crash.leave) {
		if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
			s = strchr(s, '>') + 1;
		else
			crash.leave[crash.n++] = *s++;
	}
}

static void crash_install(void)
{
	struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = SA_NODEFER | SA_SIGINFO};
	crash.n = 0;
	crash_add("sgr0");
	crash_add("cnorm");
	crash_add("rmkx");
	crash_add("rmcup");
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &sa, &crash_before[i]);
}

static void crash_remove(void)
{
	for (size_t i = 0; i < sizeof crash_signals / sizeof crash_signals[0]; i++)
		sigaction(crash_signals[i], &crash_before[i], NULL);
}

static attr_t attributes(unsigned look)
{
	return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_DIM ? A_DIM : 0) |
	       (look & LOOK_REVERSE ? A_REVERSE : 0) | (look & LOOK_UNDERLINE ? A_UNDERLINE : 0);
}

static bool start_colors(const struct config *cfg)
{
	const char *no = getenv("NO_COLOR");
	if (cfg->no_color || (no && no[0]) || !has_colors())
		return false;
	start_color();
	return use_default_colors() == OK && COLOR_PAIRS > STYLE_COUNT;
}

void term_theme(struct terminal *t, const char *name)
{
	const struct theme *theme = theme_find(name);
	theme = theme ? theme : theme_find(NULL);
	bool color = t->color && theme->looks;
	const struct look *looks = theme->looks ? theme->looks : theme_find(NULL)->looks;
	for (short i = 0; i < STYLE_COUNT; i++) {
		const struct look *l = &looks[i];
		bool rich = COLORS >= 256;
		short fg = rich ? l->fg : l->fg8, bg = rich ? l->bg : l->bg8;
		t->attr[i] = attributes(color ? l->attr : l->mono);
		t->pair[i] = 0;
		/* Grey is dim where there are only eight colours. */
		if (color && !rich && l->fg8 < 0 && l->fg >= 0)
			t->attr[i] |= A_DIM;
		if (color && (fg >= 0 || bg >= 0) && init_pair((short)(i + 1), fg, bg) == OK)
			t->pair[i] = (short)(i + 1);
	}
}

/* Terminals that draw a frame at once between two marks (mode 2026) and those that are known to ignore them.
 */
static bool knows_sync(void)
{
	const char *term = getenv("TERM");
	return term &&
	       (!strncmp(term, "xterm", 5) || !strncmp(term, "tmux", 4) || !strncmp(term, "foot", 4) ||
		       !strncmp(term, "alacritty", 9) || !strncmp(term, "kitty", 5));
}

static void settings(struct terminal *t, const struct config *cfg)
{
	cbreak();
	noecho();
	nonl();
	set_escdelay(25);
	curs_set(0);
	intrflush(stdscr, FALSE);
	t->input = newpad(1, 1);
	if (t->input) {
		keypad(t->input, TRUE);
		nodelay(t->input, TRUE);
	}
	if (cfg->mouse)
		mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	t->color = start_colors(cfg);
	term_theme(t, cfg->theme);
}

struct terminal *term_open(const struct config *cfg, struct err *e)
{
	const char *name = getenv("TERM");
	if (!name || !name[0] || !strcmp(name, "dumb")) {
		err_set(e, ERR_RUNTIME, "the terminal cannot place text (TERM=%s); -b prints text instead",
			name && name[0] ? name : "unset");
		return NULL;
	}
	setlocale(LC_CTYPE, "");
	struct terminal *t = calloc(1, sizeof *t);
	if (!t) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	tcgetattr(STDIN_FILENO, &crash.tty);
	t->screen = newterm(NULL, stdout, stdin);
	if (!t->screen) {
		err_set(e, ERR_RUNTIME, "the terminal type %.60s is not known; -b prints text instead", name);
		free(t);
		return NULL;
	}
	t->ascii = cfg->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	t->console = !strcmp(name, "linux");
	t->sync = knows_sync();
	settings(t, cfg);
	crash_install();
	if (!t->input) {
		term_close(t);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return t;
}

void term_close(struct terminal *t)
{
	if (!t)
		return;
	if (t->panel)
		del_panel(t->panel);
	if (t->over)
		delwin(t->over);
	if (t->input)
		delwin(t->input);
	endwin();
	crash_remove();
	delscreen(t->screen);
	free(t);
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

void term_resize(struct terminal *t)
{
	struct winsize ws;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0)
		resizeterm(ws.ws_row, ws.ws_col);
	term_redraw(t);
}

void term_redraw(struct terminal *t)
{
	(void)t;
	clearok(curscr, TRUE);
}

/* A row of cells as ncurses takes them, wide characters once. */
static void draw_row(const struct terminal *t, WINDOW *w, const struct screen *s, int row, cchar_t *line)
{
	const struct cell *c = &s->cells[(size_t)row * (size_t)s->cols];
	int n = 0;
	for (int i = 0; i < s->cols; i++) {
		if (c[i].ch == 0)
			continue;
		wchar_t text[3] = {(wchar_t)c[i].ch, (wchar_t)c[i].mark, 0};
		enum style st = c[i].style < STYLE_COUNT ? c[i].style : STYLE_NORMAL;
		if (setcchar(&line[n], text, t->attr[st], t->pair[st], NULL) == OK)
			n++;
	}
	mvwadd_wchnstr(w, row, 0, line, n);
}

static void draw_window(const struct terminal *t, WINDOW *w, const struct screen *s)
{
	cchar_t *line = calloc((size_t)s->cols, sizeof *line);
	if (!line)
		return;
	werase(w);
	for (int r = 0; r < s->rows; r++)
		draw_row(t, w, s, r, line);
	free(line);
}

static void place_overlay(struct terminal *t, const struct screen *over, int row, int col)
{
	int rows = 0, cols = 0, y = -1, x = -1;
	if (t->over) {
		getmaxyx(t->over, rows, cols);
		getbegyx(t->over, y, x);
	}
	if (t->over && over && rows == over->rows && cols == over->cols && y == row && x == col)
		return;
	if (t->panel)
		del_panel(t->panel);
	if (t->over)
		delwin(t->over);
	t->panel = NULL;
	t->over = over ? newwin(over->rows, over->cols, row, col) : NULL;
	if (t->over)
		t->panel = new_panel(t->over);
}

void term_draw(struct terminal *t, const struct screen *base, const struct screen *over, int row, int col)
{
	draw_window(t, stdscr, base);
	place_overlay(t, over, row, col);
	if (t->over && over)
		draw_window(t, t->over, over);
	if (t->panel)
		update_panels();
	else
		wnoutrefresh(stdscr); /* the panel library takes stdscr along only when it has a panel */
	bool cursor = over && over->cursor_row >= 0 && t->over;
	curs_set(cursor);
	if (cursor) {
		wmove(t->over, over->cursor_row, over->cursor_col);
		wnoutrefresh(t->over);
	}
	if (t->sync) {
		fputs("\033[?2026h", stdout);
		fflush(stdout);
	}
	doupdate();
	if (t->sync) {
		fputs("\033[?2026l", stdout);
		fflush(stdout);
	}
}

static int named_key(int code)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{KEY_UP, VK_UP},
		{KEY_DOWN, VK_DOWN},
		{KEY_LEFT, VK_LEFT},
		{KEY_RIGHT, VK_RIGHT},
		{KEY_PPAGE, VK_PGUP},
		{KEY_NPAGE, VK_PGDN},
		{KEY_HOME, VK_HOME},
		{KEY_END, VK_END},
		{KEY_IC, VK_INSERT},
		{KEY_DC, VK_DELETE},
		{KEY_BACKSPACE, VK_BACKSPACE},
		{KEY_BTAB, VK_BTAB},
		{KEY_ENTER, VK_ENTER},
		{KEY_A1, VK_HOME},
		{KEY_A3, VK_PGUP},
		{KEY_C1, VK_END},
		{KEY_C3, VK_PGDN},
		{KEY_RESIZE, VK_RESIZE},
		{KEY_FIND, VK_HOME},
		{KEY_SELECT, VK_END},
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].curses == code)
			return keys[i].key;
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return VK_F1 + code - KEY_F(1);
	return VK_END_OF_KEYS; /* a key without a meaning */
}

static int mouse_key(int *row, int *col)
{
	MEVENT ev;
	if (getmouse(&ev) != OK)
		return VK_END_OF_KEYS;
	*row = ev.y;
	*col = ev.x;
	if (ev.bstate & BUTTON4_PRESSED)
		return VK_WHEEL_UP;
	if (ev.bstate & BUTTON5_PRESSED)
		return VK_WHEEL_DOWN;
	return VK_CLICK;
}

int term_key(struct terminal *t, int *row, int *col)
{
	wint_t ch;
	int rc = wget_wch(t->input, &ch);
	if (rc == ERR)
		return VK_NONE;
	if (rc == KEY_CODE_YES)
		return ch == KEY_MOUSE ? mouse_key(row, col) : named_key((int)ch);
	switch (ch) {
	case '\t':
		return VK_TAB;
	case '\r':
	case '\n':
		return VK_ENTER;
	case 0x1b:
		return VK_ESC;
	case 0x7f:
	case '\b':
		return VK_BACKSPACE;
	default:
		return ch == 0 || ch >= 0x110000 ? VK_END_OF_KEYS : (int)ch;
	}
}

void term_suspend(struct terminal *t)
{
	sigset_t stop, old;
	struct sigaction dfl = {.sa_handler = SIG_DFL}, before;
	endwin();
	sigaction(SIGTSTP, &dfl, &before);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stop, &old);
	raise(SIGTSTP);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	sigaction(SIGTSTP, &before, NULL);
	term_resume(t);
}

void term_resume(struct terminal *t)
{
	reset_prog_mode();
	term_resize(t);
}
