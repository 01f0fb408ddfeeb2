/* SPDX-License-Identifier: MIT */
/* key_times PROGRAM [ARG...]: how soon vmtop answers keys, without a terminal program between. It runs in a
 * terminal of its own; each line on standard input makes it answer with one on standard output:
 *     see SECONDS TEXT  waits until TEXT is on the screen: "yes" or "no"
 *     keys              opens and closes the help at all phases of a tick: "MEDIAN WORST", ms
 * and at the end of input it is left by its key: "status N". */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/pty.h"

/* A word of the help that no view has in its place. */
#define HELP "Moving"

enum { KEYS = 9, STEP_MS = 83, QUIET_MS = 30, LIMIT_MS = 10000, REDRAW_MS = 500, LINE_BYTES = 512 };
/* A key that ends the program counts when nothing came right before it. */
enum { ALONE_MS = 400 };

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double key_ms(struct pty *p)
{
	size_t from = p->n;
	double start = now_ms();
	pty_type(p, "?", 1);
	double took = pty_expect(p, from, HELP, LIMIT_MS) ? now_ms() - start : LIMIT_MS;
	/* The next key must not come before Esc was read: together they would be one key, which does nothing.
	 */
	from = p->n;
	pty_type(p, "\033", 1);
	while (p->n == from && now_ms() < start + 2 * LIMIT_MS)
		pty_read(p, QUIET_MS);
	pty_read(p, QUIET_MS);
	return took;
}

static void keys(struct pty *p)
{
	double ms[KEYS];
	struct timespec step = {0, STEP_MS * 1000000L};
	for (int i = 0; i < KEYS; i++) {
		nanosleep(&step, NULL);
		pty_read(p, 0);
		ms[i] = key_ms(p);
	}
	qsort(ms, KEYS, sizeof *ms, by_size);
	printf("%.0f %.0f\n", ms[KEYS / 2], ms[KEYS - 1]);
}

/* Drawn from nothing again and again: of a screen that changes only the changes are sent. */
static void see(struct pty *p, const char *line)
{
	int at = 0, seconds = 0;
	bool yes = false;
	if (sscanf(line, "%d %n", &seconds, &at) != 1 || !at)
		seconds = 0;
	for (double until = now_ms() + seconds * 1e3; !yes && now_ms() < until;) {
		size_t from = p->n;
		pty_type(p, "\f", 1);
		yes = pty_expect(p, from, line + at, REDRAW_MS);
	}
	puts(yes ? "yes" : "no");
}

/* Takes what is drawn until a line is there. */
static bool next_line(struct pty *p, char *line)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	while (poll(&in, 1, STEP_MS) == 0)
		pty_read(p, 0);
	return fgets(line, LINE_BYTES, stdin);
}

static void leave(struct pty *p)
{
	struct pty_status st = {0};
	pty_read(p, ALONE_MS);
	pty_type(p, "q", 1);
	bool ended = pty_status(p, &st, LIMIT_MS, true);
	printf("status %d\n", ended && WIFEXITED(st.status) ? WEXITSTATUS(st.status) : -1);
	pty_done(p);
}

int main(int argc, char **argv)
{
	static const char *const env[] = {"TERM=xterm-256color", NULL};
	char line[LINE_BYTES];
	struct pty p;
	if (argc < 2) {
		fprintf(stderr, "usage: key_times PROGRAM [ARG...]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	pty_start(&p, &(struct pty_setup){
			      .rows = 40, .cols = 120, .argv = (const char *const *)argv + 1, .env = env});
	while (next_line(&p, line)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "see ", 4) == 0)
			see(&p, line + 4);
		else
			keys(&p);
	}
	leave(&p);
	return 0;
}
