/* SPDX-License-Identifier: MIT */
/* A program at a pseudo terminal. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static void set_env(const char *const *env)
{
	for (; env && *env; env++) {
		char name[64];
		const char *eq = strchr(*env, '=');
		snprintf(name, sizeof name, "%.*s", (int)(eq ? (size_t)(eq - *env) : strlen(*env)), *env);
		if (eq)
			setenv(name, eq + 1, 1);
		else
			unsetenv(name);
	}
}

static _Noreturn void program(const struct pty_setup *s)
{
	setpgid(0, 0);
	tcsetpgrp(STDOUT_FILENO, getpid());
	signal(SIGTTOU, SIG_DFL);
	signal(SIGHUP, s->no_hup ? SIG_IGN : SIG_DFL);
	/* A shell has what it starts with & ignore them, a terminal does not. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	set_env(s->env);
	if (s->no_input) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
	}
	/* execv() promises not to write through it */
	execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
	perror(s->argv[0]);
	_exit(127);
}

/* Leads the session; tells of the program's pid, then of each of its stops and of its end. */
static _Noreturn void nurse(const struct pty_setup *s, int slave, int tell)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	login_tty(slave);
	pid_t pid = fork();
	if (pid == 0)
		program(s);
	setpgid(pid, pid);
	tcsetpgrp(STDOUT_FILENO, pid);
	if (write(tell, &pid, sizeof pid) < 0)
		_exit(1);
	for (;;) {
		struct pty_status st = {0};
		struct rusage ru;
		if (wait4(pid, &st.status, WUNTRACED, &ru) < 0)
			_exit(1);
		st.cpu_s = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
			   (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
		if (write(tell, &st, sizeof st) < 0 || !WIFSTOPPED(st.status))
			break;
	}
	/* The leader stays, or the end of the session would tidy up the terminal. */
	for (;;)
		pause();
}

void pty_start(struct pty *p, const struct pty_setup *s)
{
	struct winsize ws = {.ws_row = (unsigned short)s->rows, .ws_col = (unsigned short)s->cols};
	int tell[2];
	*p = (struct pty){0};
	must(openpty(&p->master, &p->slave, NULL, NULL, &ws) == 0, "openpty");
	must(pipe2(tell, O_CLOEXEC) == 0, "pipe");
	fcntl(p->master, F_SETFD, FD_CLOEXEC);
	fcntl(p->slave, F_SETFD, FD_CLOEXEC);
	must(tcgetattr(p->slave, &p->before) == 0, "tcgetattr");
	p->nurse = fork();
	must(p->nurse >= 0, "fork");
	if (p->nurse == 0) {
		close(p->master);
		close(tell[0]);
		nurse(s, p->slave, tell[1]);
	}
	close(tell[1]);
	p->status_fd = tell[0];
	must(read(tell[0], &p->pid, sizeof p->pid) == (ssize_t)sizeof p->pid, "nurse");
}

void pty_done(struct pty *p)
{
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
	if (p->nurse > 0) {
		kill(p->nurse, SIGKILL);
		waitpid(p->nurse, NULL, 0);
	}
	if (p->master >= 0)
		close(p->master);
	close(p->slave);
	close(p->status_fd);
	free(p->seen);
	*p = (struct pty){.master = -1};
}

void pty_type(struct pty *p, const char *keys, size_t n)
{
	int64_t until = now_ms() + 10000;
	/* The line discipline holds some 4 KB of keys: more goes as the program reads. */
	fcntl(p->master, F_SETFL, O_NONBLOCK);
	for (size_t at = 0; at < n && now_ms() < until;) {
		ssize_t done = write(p->master, keys + at, n - at < 1024 ? n - at : 1024);
		if (done > 0)
			at += (size_t)done;
		else
			pty_read(p, 10);
	}
	fcntl(p->master, F_SETFL, 0);
}

void pty_size(struct pty *p, int rows, int cols)
{
	struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	ioctl(p->master, TIOCSWINSZ, &ws);
}

/* One piece of output; false: none came. */
static bool take(struct pty *p, int ms)
{
	struct pollfd fd = {.fd = p->master, .events = POLLIN};
	if (poll(&fd, 1, ms) != 1 || !(fd.revents & POLLIN))
		return false;
	if (p->n + 65537 > p->room) {
		p->room = p->n * 2 + 65537;
		p->seen = realloc(p->seen, p->room);
		must(p->seen, "memory");
	}
	ssize_t got = read(p->master, p->seen + p->n, 65536);
	p->n += got > 0 ? (size_t)got : 0;
	p->seen[p->n] = 0;
	return got > 0;
}

void pty_read(struct pty *p, int quiet_ms)
{
	int64_t until = now_ms() + 2 * quiet_ms;
	while (take(p, quiet_ms) && (!quiet_ms || now_ms() < until))
		;
}

bool pty_expect(struct pty *p, size_t from, const char *text, int ms)
{
	int64_t until = now_ms() + ms;
	for (;;) {
		if (p->n > from && memmem(p->seen + from, p->n - from, text, strlen(text)))
			return true;
		int64_t left = until - now_ms();
		if (left <= 0)
			return false;
		take(p, (int)left);
	}
}

bool pty_status(struct pty *p, struct pty_status *st, int ms, bool reading)
{
	int64_t until = now_ms() + ms;
	for (;;) {
		struct pollfd fd = {.fd = p->status_fd, .events = POLLIN};
		if (poll(&fd, 1, 10) == 1) {
			bool ok = read(p->status_fd, st, sizeof *st) == (ssize_t)sizeof *st;
			if (ok && !WIFSTOPPED(st->status))
				p->pid = 0;
			if (reading)
				pty_read(p, 0);
			return ok;
		}
		if (now_ms() >= until)
			return false;
		if (reading)
			pty_read(p, 0);
	}
}

bool pty_sane(const struct pty *p)
{
	struct termios now;
	return tcgetattr(p->slave, &now) == 0 && now.c_lflag == p->before.c_lflag &&
	       now.c_iflag == p->before.c_iflag && now.c_oflag == p->before.c_oflag;
}
