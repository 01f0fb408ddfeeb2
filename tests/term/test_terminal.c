/* SPDX-License-Identifier: MIT */
/* vmtop at a real terminal: whatever happens to it, the terminal is as it was before, the program ends, and a
 * line that takes nothing holds up neither the readings nor the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/pty.h"

#define LEFT_XTERM "\033[?1049l"
#define TABLE      "router" /* a guest of the demo host: shown once there was a reading */

enum { PATIENCE_MS = 15000 }; /* a machine under load is slow, not wrong */

static const char *vmtop(void)
{
	const char *path = getenv("VMTOP");
	return path ? path : "build/vmtop";
}

static void start_with(struct pty *p, struct pty_setup s, const char *const *args)
{
	const char *argv[16] = {vmtop(), "--no-config"};
	size_t n = 2;
	while (*args && n < 15)
		argv[n++] = *args++;
	argv[n] = NULL;
	s.argv = argv;
	s.rows = s.rows ? s.rows : 24;
	s.cols = s.cols ? s.cols : 80;
	pty_start(p, &s);
}

static const char *const demo[] = {"-c", "sim:demo", "-d", "0.2", NULL};

/* Up and running: the first table is on the screen. */
static void start(struct pty *p, const char *const *env)
{
	start_with(p, (struct pty_setup){.env = env}, demo);
	assert_true(pty_expect(p, 0, TABLE, PATIENCE_MS));
}

static void expect_exit(struct pty *p, int code)
{
	struct pty_status st;
	assert_true(pty_status(p, &st, PATIENCE_MS, true));
	assert_true(WIFEXITED(st.status));
	assert_int_equal(WEXITSTATUS(st.status), code);
}

/* The last that came out is what leaves the screen, and the modes are back. */
static void expect_left(struct pty *p)
{
	pty_read(p, 50);
	assert_true(pty_sane(p));
	const char *last = NULL;
	for (const char *at = p->seen; (at = strstr(at, LEFT_XTERM)); at++)
		last = at;
	assert_non_null(last);
	assert_null(strstr(last, "\033[?1049h"));
	assert_null(strstr(last, "\033[?2026h"));
	assert_non_null(strstr(p->seen, "\033[?25h"));
	assert_non_null(strstr(p->seen, "\033[?2004l"));
	assert_true(p->n - (size_t)(last - p->seen) < 60);
}

static void test_ending_signals(void **state)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
	(void)state;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct pty p;
		start(&p, (const char *[]){"TERM=xterm-256color", NULL});
		assert_false(pty_sane(&p));
		kill(p.pid, signals[i]);
		expect_exit(&p, 0);
		expect_left(&p);
		pty_done(&p);
	}
}

static void test_ending_keys(void **state)
{
	static const char keys[] = {'q', 3, 034}; /* also ^C and ^\ */
	(void)state;
	for (size_t i = 0; i < sizeof keys; i++) {
		struct pty p;
		start(&p, (const char *[]){"TERM=xterm-256color", NULL});
		pty_type(&p, &keys[i], 1);
		expect_exit(&p, 0);
		expect_left(&p);
		pty_done(&p);
	}
}

static void test_crashes(void **state)
{
	static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
	(void)state;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct pty p;
		struct pty_status st;
		/* no memory image, and a sanitizer must not take the signal for its own */
		start(&p, (const char *[]){"TERM=xterm-256color",
				  "ASAN_OPTIONS=handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:"
				  "handle_sigill=0:disable_coredump=1",
				  NULL});
		kill(p.pid, signals[i]);
		assert_true(pty_status(&p, &st, PATIENCE_MS, true));
		assert_true(WIFSIGNALED(st.status));
		assert_int_equal(WTERMSIG(st.status), signals[i]);
		expect_left(&p);
		pty_done(&p);
	}
}

/* ^Z and SIGTSTP give the terminal back, SIGCONT takes it again and draws all. */
static void test_stop_and_continue(void **state)
{
	(void)state;
	struct pty p;
	struct pty_status st;
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	for (int i = 0; i < 2; i++) {
		if (i)
			kill(p.pid, SIGTSTP);
		else
			pty_type(&p, "\032", 1);
		assert_true(pty_status(&p, &st, PATIENCE_MS, true));
		assert_true(WIFSTOPPED(st.status));
		expect_left(&p);
		size_t from = p.n;
		kill(p.pid, SIGCONT);
		assert_true(pty_expect(&p, from, TABLE, PATIENCE_MS));
		assert_non_null(memmem(p.seen + from, p.n - from, "\033[?1049h", 8));
		assert_false(pty_sane(&p));
	}
	pty_type(&p, "q", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
}

/* A stop that could not be seen coming, and a shell that set its own modes meanwhile. */
static void test_hard_stop(void **state)
{
	(void)state;
	struct pty p;
	struct pty_status st;
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	kill(p.pid, SIGSTOP);
	assert_true(pty_status(&p, &st, PATIENCE_MS, true));
	assert_true(WIFSTOPPED(st.status));
	pty_read(&p, 50);
	tcsetattr(p.slave, TCSANOW, &p.before);
	size_t from = p.n;
	kill(p.pid, SIGCONT);
	assert_true(pty_expect(&p, from, TABLE, PATIENCE_MS));
	assert_false(pty_sane(&p));
	pty_type(&p, "q", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
}

/* The line breaks: the program ends, soon and without spinning, also when nohup keeps the signal away. */
static void test_lost_terminal(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pty p;
		struct pty_status st;
		start_with(&p, (struct pty_setup){.no_hup = i, .env = (const char *[]){"TERM=xterm", NULL}},
			demo);
		assert_true(pty_expect(&p, 0, TABLE, PATIENCE_MS));
		close(p.master);
		p.master = -1;
		assert_true(pty_status(&p, &st, PATIENCE_MS, false));
		assert_true(WIFEXITED(st.status));
		assert_int_equal(WEXITSTATUS(st.status), 0);
		assert_true(st.cpu_s < 3);
		pty_done(&p);
	}
}

/* How many readings a recording holds. */
static int readings(const char *path)
{
	char command[512];
	int n = 0;
	snprintf(command, sizeof command, "'%s' --no-config --replay '%s' --json 2>/dev/null", vmtop(), path);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	pclose(f);
	return n;
}

/* Somebody who takes `baud` bits a second, or nothing, of what vmtop writes, and it is more than the line
 * holds. It takes readings all the same, and ends when asked. */
static void slow_line(const char *key, int baud)
{
	struct pty p;
	struct pty_status st;
	char path[] = "/tmp/vmtop-term.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	const char *const args[] = {"-c", "sim:demo", "-d", "0.2", "--record", path, NULL};
	struct pty_setup setup = {
		.rows = 60, .cols = 200, .env = (const char *[]){"TERM=xterm-256color", NULL}};
	start_with(&p, setup, args);
	assert_true(pty_expect(&p, 0, TABLE, PATIENCE_MS));
	for (int k = 0; k < 60; k++) {
		char some[64];
		if (k < 12)
			pty_type(&p, "\014", 1);
		usleep(50000);
		if (baud && read(p.master, some, (size_t)(baud / 10 / 20)) < 0)
			break;
	}
	if (key)
		pty_type(&p, key, 1);
	else
		kill(p.pid, SIGTERM);
	assert_true(pty_status(&p, &st, 5000, false));
	assert_true(WIFEXITED(st.status));
	assert_int_equal(WEXITSTATUS(st.status), 0);
	expect_left(&p);
	assert_true(readings(path) >= 8); /* of some 15 */
	pty_done(&p);
	unlink(path);
}

static void test_slow_line(void **state)
{
	(void)state;
	slow_line("q", 0);
	slow_line(NULL, 0);
	slow_line("q", 1200);
}

/* Output stopped by ^S: keys still work. */
static void test_flow_control(void **state)
{
	(void)state;
	struct pty p;
	struct pty_status st;
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	tcflow(p.slave, TCOOFF);
	usleep(500000);
	pty_type(&p, "q", 1);
	assert_true(pty_status(&p, &st, PATIENCE_MS, true));
	assert_true(WIFEXITED(st.status));
	assert_true(pty_sane(&p));
	pty_done(&p);
}

static void garbage(char *buf, size_t n)
{
	unsigned seed = 7;
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245U + 12345U;
		buf[i] = (char)(seed >> 16);
		/* these end the program by right: q, ^C, ^\; ^Z stops it, ^S its output */
		if (strchr("qQ\003\034\032\033\023", buf[i]) || !buf[i])
			buf[i] = 'j';
	}
}

/* 100 KB pasted where the terminal marks what is pasted: no key of it counts. */
static void test_paste(void **state)
{
	(void)state;
	enum { MUCH = 100000 };
	struct pty p;
	char *text = malloc(MUCH);
	assert_non_null(text);
	garbage(text, MUCH);
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	assert_non_null(strstr(p.seen, "\033[?2004h"));
	pty_type(&p, "\033[200~", 6);
	pty_type(&p, text, MUCH);
	pty_type(&p, "aybyUymy\r", 9);
	pty_type(&p, "\033[201~", 6);
	/* a filter typed now works, and takes a paste */
	size_t from = p.n;
	pty_type(&p, "\\\033[200~zz\ny\033[201~", 17);
	assert_true(pty_expect(&p, from, "zz", PATIENCE_MS));
	pty_type(&p, "\r", 1);
	assert_true(pty_expect(&p, from, "0 of ", PATIENCE_MS));
	assert_null(strstr(p.seen, "AUTO"));
	pty_type(&p, "q", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
	free(text);
}

/* The same where it does not: anything may happen on the screen, but the program lives and can be ended. */
static void test_garbage(void **state)
{
	(void)state;
	enum { MUCH = 100000 };
	struct pty p;
	char *text = malloc(MUCH);
	assert_non_null(text);
	garbage(text, MUCH);
	start_with(&p, (struct pty_setup){.env = (const char *[]){"TERM=xterm-256color", NULL}},
		(const char *const[]){"-c", "sim:demo", "-d", "0.2", "--readonly", NULL});
	assert_true(pty_expect(&p, 0, TABLE, PATIENCE_MS));
	pty_type(&p, text, MUCH);
	pty_read(&p, 200);
	pty_type(&p, "\003", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
	free(text);
}

static void test_resize_storm(void **state)
{
	(void)state;
	struct pty p;
	unsigned seed = 5;
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	for (int i = 0; i < 300; i++) {
		seed = seed * 1103515245U + 12345U;
		if (i % 40 == 0)
			pty_type(&p, &"0?\0331/x\033F4"[(i / 40) % 9], 1);
		pty_size(&p, 1 + (int)(seed >> 16) % 100, 1 + (int)(seed >> 8 & 0xffff) % 300);
		pty_read(&p, 2);
	}
	pty_size(&p, 24, 80);
	size_t from = p.n;
	for (const char *k = "\033\0330\014"; *k; k++) {
		pty_type(&p, k, 1);
		pty_read(&p, 100);
	}
	assert_true(pty_expect(&p, from, TABLE, PATIENCE_MS));
	pty_type(&p, "q", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
}

/* Frames stand between the marks of mode 2026 where the terminal knows private modes, else there are none. */
static void test_synchronized(void **state)
{
	(void)state;
	struct pty p;
	start(&p, (const char *[]){"TERM=xterm-256color", NULL});
	pty_read(&p, 50);
	const char *begin = strstr(p.seen, "\033[?2026h");
	assert_non_null(begin);
	const char *end = strstr(begin, "\033[?2026l");
	assert_non_null(end);
	begin = strstr(begin + 1, "\033[?2026h");
	assert_true(!begin || begin > end);
	pty_done(&p);
	start(&p, (const char *[]){"TERM=linux", NULL});
	pty_read(&p, 300);
	assert_null(strstr(p.seen, "2026"));
	pty_done(&p);
}

static bool has_colour(const char *s)
{
	while ((s = strstr(s, "\033["))) {
		s += 2;
		const char *end = s + strspn(s, "0123456789;");
		if (*end == 'm')
			for (const char *at = s; at < end; at += strcspn(at, ";m") + 1)
				if ((*at == '3' || *at == '4' || *at == '9') && at + 1 < end &&
					at[1] != ';' && at[1] != '9')
					return true;
	}
	return false;
}

static void test_colour(void **state)
{
	static const char *const plain[] = {"-c", "sim:demo", "-d", "0.2", "--no-color", NULL};
	(void)state;
	struct pty p;
	start(&p, (const char *[]){"TERM=xterm-256color", "NO_COLOR", NULL});
	pty_read(&p, 300);
	assert_true(has_colour(p.seen));
	pty_done(&p);
	start(&p, (const char *[]){"TERM=xterm-256color", "NO_COLOR=", NULL});
	pty_read(&p, 300);
	assert_true(has_colour(p.seen)); /* empty is not set */
	pty_done(&p);
	start(&p, (const char *[]){"TERM=xterm-256color", "NO_COLOR=1", NULL});
	pty_read(&p, 300);
	assert_false(has_colour(p.seen));
	assert_non_null(strstr(p.seen, "\033[0;1m") ? p.seen : strstr(p.seen, ";1m"));
	pty_done(&p);
	start_with(&p, (struct pty_setup){.env = (const char *[]){"TERM=xterm-256color", NULL}}, plain);
	assert_true(pty_expect(&p, 0, TABLE, PATIENCE_MS));
	pty_read(&p, 300);
	assert_false(has_colour(p.seen));
	pty_done(&p);
}

/* Every byte of every view in a C locale is ASCII. */
static void test_c_locale(void **state)
{
	(void)state;
	struct pty p;
	start(&p, (const char *[]){"TERM=xterm-256color", "LC_ALL=C", NULL});
	for (const char *k = "1234v?\0330"; *k; k++) {
		pty_type(&p, k, 1);
		pty_read(&p, 100);
	}
	for (size_t i = 0; i < p.n; i++)
		assert_true((unsigned char)p.seen[i] < 0x80);
	pty_done(&p);
}

/* Terminals that cannot show a screen: a clear word, an exit status, nothing changed. */
static void test_no_screen(void **state)
{
	static const struct {
		const char *term, *word;
		int status;
	} cases[] = {
		{"TERM=dumb", "TERM is dumb", 2},
		{"TERM", "TERM is not set", 2},
		{"TERM=", "TERM is not set", 2},
		{"TERM=no-such-thing", "no-such-thing, which terminfo does not know", 2},
		{"TERM=\033[31m;../../x", "which terminfo does not know", 2},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct pty p;
		start_with(&p, (struct pty_setup){.env = (const char *[]){cases[i].term, NULL}}, demo);
		expect_exit(&p, cases[i].status);
		pty_read(&p, 50);
		assert_non_null(p.seen);
		assert_non_null(strstr(p.seen, cases[i].word));
		assert_null(strchr(p.seen, 033));
		assert_true(pty_sane(&p));
		pty_done(&p);
	}
}

static void test_no_keyboard(void **state)
{
	(void)state;
	struct pty p;
	start_with(
		&p, (struct pty_setup){.no_input = true, .env = (const char *[]){"TERM=xterm", NULL}}, demo);
	expect_exit(&p, 1);
	pty_read(&p, 50);
	assert_non_null(strstr(p.seen, "standard input is not a terminal"));
	assert_null(strchr(p.seen, 033));
	pty_done(&p);
}

/* A fleet, one of its hosts, back with Esc, again and back with q, and out; ^C in the host ends the host. */
static void test_fleet(void **state)
{
	static const char *const keys[] = {"\033", "q", "\003"};
	const char *const argv[] = {vmtop(), "fleet", "--config", "/dev/null", "-d", "0.2", "sim:demo", NULL};
	struct pty p;
	(void)state;
	pty_start(&p, &(struct pty_setup){.rows = 24, .cols = 80, .argv = argv});
	assert_true(pty_expect(&p, 0, "WHAT IS WRONG", PATIENCE_MS));
	assert_true(pty_expect(&p, 0, "kvm1.example", PATIENCE_MS));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t from = p.n;
		pty_type(&p, "\r", 1);
		assert_true(pty_expect(&p, from, TABLE, PATIENCE_MS));
		pty_read(&p, 300);
		from = p.n;
		pty_type(&p, keys[i], 1);
		assert_true(pty_expect(&p, from, "WHAT IS WRONG", PATIENCE_MS));
		pty_read(&p, 300);
	}
	pty_type(&p, "q", 1);
	expect_exit(&p, 0);
	expect_left(&p);
	pty_done(&p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ending_signals),
		cmocka_unit_test(test_ending_keys),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_stop_and_continue),
		cmocka_unit_test(test_hard_stop),
		cmocka_unit_test(test_lost_terminal),
		cmocka_unit_test(test_slow_line),
		cmocka_unit_test(test_flow_control),
		cmocka_unit_test(test_paste),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_resize_storm),
		cmocka_unit_test(test_synchronized),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_c_locale),
		cmocka_unit_test(test_no_screen),
		cmocka_unit_test(test_fleet),
		cmocka_unit_test(test_no_keyboard),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
