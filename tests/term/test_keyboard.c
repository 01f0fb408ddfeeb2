/* SPDX-License-Identifier: MIT */
/* vmtop at a real terminal: what its keyboard sends steers only when a person pressed it, and whenever and
 * however it ends the terminal has every mode back, also in the first moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/pty.h"

enum { PATIENCE_MS = 15000 }; /* a machine under load is slow, not wrong */

#define NO_SANITIZER                                                                                         \
	"ASAN_OPTIONS=handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:disable_" \
	"coredump=1"

static const char *vmtop(void)
{
	const char *path = getenv("VMTOP");
	return path ? path : "build/vmtop";
}

/* Until then what is sent to it comes to the test itself, which ignores some. */
static void await_program(const struct pty *p)
{
	char path[64], exe[512];
	const char *name = strrchr(vmtop(), '/');
	snprintf(path, sizeof path, "/proc/%d/exe", (int)p->pid);
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		ssize_t n = readlink(path, exe, sizeof exe - 1);
		exe[n > 0 ? n : 0] = '\0';
		if (n > 0 && strcmp(strrchr(exe, '/'), name ? name : vmtop()) == 0)
			return;
		usleep(1000);
	}
	fail_msg("%s does not start", vmtop());
}

static void start(struct pty *p, const char *term, const char *more)
{
	const char *argv[] = {vmtop(), "--no-config", "-c", "sim:cpu1", "-d", "0.5", more, NULL};
	const char *env[] = {term, "LC_ALL=C.UTF-8", NO_SANITIZER, NULL};
	pty_start(p, &(struct pty_setup){.rows = 40, .cols = 130, .argv = argv, .env = env});
	await_program(p);
}

static void type_slowly(struct pty *p, const char *keys, size_t n, int gap_ms)
{
	for (size_t i = 0; i < n; i++) {
		pty_type(p, keys + i, 1);
		for (int ms = 0; ms < gap_ms; ms += 20) {
			usleep(20000);
			pty_read(p, 0);
		}
	}
}

/* Drawn from nothing, does the screen hold this? */
static bool shows(struct pty *p, const char *text)
{
	size_t from = p->n;
	pty_type(p, "\014", 1);
	pty_read(p, 400);
	return p->n > from && memmem(p->seen + from, p->n - from, text, strlen(text));
}

/* The key is pressed again until its effect shows: where the machine is so slow that it comes together with
 * another it is none. */
static bool pressed_until(struct pty *p, const char *key, const char *text, bool shown)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 1400) {
		if (shows(p, text) == shown)
			return true;
		pty_read(p, 400);
		pty_type(p, key, 1);
		pty_read(p, 600);
	}
	return false;
}

enum { TERMS = 4 };

static void type_all(struct pty *p, const char *keys, size_t n, int then_ms)
{
	for (int i = 0; i < TERMS; i++)
		pty_type(&p[i], keys, n);
	for (int ms = 0; ms < then_ms; ms += 20) {
		usleep(20000);
		for (int i = 0; i < TERMS; i++)
			pty_read(&p[i], 0);
	}
}

/* Sequences that hold keys which steer, whole and a byte at a time with pauses in them. */
static void type_strange(struct pty *p)
{
	static const char *const strange[] = {"\033[B", "\033OB", "\033[b", "\033b", "\033[97;1u", "\033[O",
		"\033]11;rgb:b1e1/b\033\\", "\033[M bB", "\033P1+r62\033\\"};
	for (size_t k = 0; k < sizeof strange / sizeof strange[0]; k++) {
		type_all(p, strange[k], strlen(strange[k]), 60);
		for (const char *c = strange[k]; *c; c++)
			type_all(p, c, 1, k % 3 ? 60 : 160);
	}
}

/* Nor does pasted text without marks. What a person presses afterwards does. */
static void test_nothing_steers(void **state)
{
	static const char *const terms[TERMS] = {
		"TERM=xterm-256color", "TERM=screen-256color", "TERM=linux", "TERM=vt100"};
	static const char pasted[] = "b always restart the service\ry\rb B\ry";
	struct pty p[TERMS];
	(void)state;
	for (int i = 0; i < TERMS; i++)
		start(&p[i], terms[i], NULL);
	for (int i = 0; i < TERMS; i++)
		assert_true(pty_expect(&p[i], 0, "MANUAL", PATIENCE_MS));
	type_all(p, "0", 1, 1500); /* the second reading: what b would do is known */
	type_strange(p);
	type_all(p, pasted, sizeof pasted - 1, 1200);
	type_all(p, "\033", 1, 1200);
	type_all(p, "0", 1, 300);
	for (int i = 0; i < TERMS; i++) {
		assert_false(shows(&p[i], "rebalance"));
		assert_false(shows(&p[i], "AUTO on"));
		assert_false(shows(&p[i], "Sure?"));
	}
	for (int i = 0; i < TERMS; i++) {
		assert_true(pressed_until(&p[i], "b", "rebalance", true));
		pty_done(&p[i]);
	}
}

/* An answer typed ahead of its question is none; one after it is. */
static void test_typed_ahead(void **state)
{
	(void)state;
	struct pty p;
	start(&p, "TERM=screen-256color", NULL);
	assert_true(pty_expect(&p, 0, "MANUAL", PATIENCE_MS));
	pty_read(&p, 1200);
	pty_type(&p, "a", 1);
	usleep(110000);
	pty_type(&p, "y", 1);
	pty_read(&p, 600);
	assert_true(shows(&p, "MANUAL"));
	assert_true(pressed_until(&p, "a", "Sure?", true));
	pty_read(&p, 600);
	assert_true(pressed_until(&p, "y", "Sure?", false));
	assert_true(pressed_until(&p, "\014", "AUTO", true));
	pty_done(&p);
}

static void test_interval_is_replaced(void **state)
{
	(void)state;
	struct pty p;
	start(&p, "TERM=xterm", NULL);
	assert_true(pty_expect(&p, 0, "MANUAL", PATIENCE_MS));
	pty_read(&p, 600);
	type_slowly(&p, "i5\r", 3, 300);
	assert_true(shows(&p, "every 5 s") || shows(&p, "5.0 s") || shows(&p, "5 s"));
	pty_done(&p);
}

/* Private modes as the bytes left them, after the terminal was fresh: one that is on at the start counts the
 * other way round. */
struct modes {
	bool changed[4096];
	bool keypad;
};

static bool on_at_start(int mode)
{
	return mode == 7 || mode == 25;
}

static void follow(struct modes *m, const char *s, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++) {
		if (s[i] != 033)
			continue;
		m->keypad = s[i + 1] == '=' ? true : s[i + 1] == '>' ? false : m->keypad;
		if (s[i + 1] != '[' || s[i + 2] != '?')
			continue;
		int numbers[16] = {0}, count = 0;
		size_t k = i + 3;
		for (; k < n && ((s[k] >= '0' && s[k] <= '9') || s[k] == ';') && count < 15; k++)
			if (s[k] == ';')
				count++;
			else if (numbers[count] < 100000)
				numbers[count] = numbers[count] * 10 + s[k] - '0';
		for (int j = 0; k < n && (s[k] == 'h' || s[k] == 'l') && j <= count; j++)
			if (numbers[j] < 4096)
				m->changed[numbers[j]] = (s[k] == 'h') != on_at_start(numbers[j]);
	}
}

/* A private mode that the bytes so far left changed; KEYPAD: the keypad; 0: none. */
enum { KEYPAD = 4096 };
static int mode_left(const struct pty *p)
{
	struct modes m = {0};
	int left = 0;
	follow(&m, p->seen ? p->seen : "", p->n);
	for (int i = 1; i < 4096 && !left; i++)
		left = m.changed[i] ? i : 0;
	return left ? left : m.keypad ? KEYPAD : 0;
}

/* It has ended; what it wrote last may still be on its way through the kernel. */
static void expect_as_before(struct pty *p, const char *how, int after_ms)
{
	struct termios now;
	int left = 0;
	assert_int_equal(tcgetattr(p->slave, &now), 0);
	if (now.c_iflag != p->before.c_iflag || now.c_oflag != p->before.c_oflag ||
		now.c_lflag != p->before.c_lflag || now.c_cflag != p->before.c_cflag ||
		memcmp(now.c_cc, p->before.c_cc, sizeof now.c_cc) != 0)
		fail_msg("%s after %d ms: the modes of the line are not as before", how, after_ms);
	for (int ms = 0; ms < 3000; ms += 50) {
		pty_read(p, 50);
		left = mode_left(p);
		if (!left)
			return;
	}
	fail_msg("%s after %d ms: mode %d is left changed (%d: the keypad's)", how, after_ms, left, KEYPAD);
}

static const struct end {
	const char *name;
	int signal; /* 0: the key */
	char key;
} ends[] = {{"q", 0, 'q'}, {"^C", 0, 3}, {"^\\", 0, 034}, {"SIGTERM", SIGTERM, 0}, {"SIGHUP", SIGHUP, 0},
	{"SIGINT", SIGINT, 0}, {"SIGQUIT", SIGQUIT, 0}, {"SIGSEGV", SIGSEGV, 0}, {"SIGABRT", SIGABRT, 0},
	{"SIGBUS", SIGBUS, 0}, {"SIGFPE", SIGFPE, 0}, {"SIGILL", SIGILL, 0}};
enum { N_ENDS = sizeof ends / sizeof ends[0] };

static void end_it(struct pty *p, const struct end *e)
{
	if (e->signal)
		kill(p->pid, e->signal);
	else
		pty_type(p, &e->key, 1);
}

static void try_end(const struct end *e, const char *term, const char *more, int after_ms)
{
	struct pty p;
	struct pty_status st;
	start(&p, term, more);
	if (after_ms > 100)
		assert_true(pty_expect(&p, 0, "MANUAL", PATIENCE_MS));
	else
		usleep((useconds_t)after_ms * 1000);
	end_it(&p, e);
	if (!pty_status(&p, &st, PATIENCE_MS, true))
		fail_msg("%s after %d ms: it did not end", e->name, after_ms);
	expect_as_before(&p, e->name, after_ms);
	pty_done(&p);
}

static void test_ends_early(void **state)
{
	static const char *const terms[] = {"TERM=xterm-256color", "TERM=screen", "TERM=linux"};
	unsigned seed = (unsigned)getpid();
	(void)state;
	print_message("seed %u\n", seed);
	for (size_t i = 0; i < N_ENDS; i++)
		for (int k = 0; k < 8; k++) {
			seed = seed * 1103515245U + 12345U;
			try_end(&ends[i], terms[k % 3], k % 2 ? "--mouse" : NULL, (int)(seed >> 16) % 100);
		}
}

static void test_ends_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ENDS; i++) {
		try_end(&ends[i], "TERM=xterm-256color", "--mouse", 1000);
		try_end(&ends[i], "TERM=rxvt", NULL, 1000);
	}
}

/* Terminals that terminfo does not know but that say whose kin they are. */
static void test_kin_of_known_terminals(void **state)
{
	static const char *const terms[] = {
		"TERM=xterm-nosuch", "TERM=screen.xterm-nosuch", "TERM=tmux-nosuch"};
	(void)state;
	for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
		try_end(&ends[0], terms[i], NULL, 1000);
}

/* A fault in another thread than the screen's gives the terminal back too. */
static void test_fault_in_a_thread(void **state)
{
	(void)state;
	struct pty p;
	struct pty_status st;
	char path[64];
	int sent = 0;
	start(&p, "TERM=xterm-256color", NULL);
	assert_true(pty_expect(&p, 0, "MANUAL", PATIENCE_MS));
	snprintf(path, sizeof path, "/proc/%d/task", (int)p.pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir)) && !sent;) {
		int tid = atoi(d->d_name);
		if (tid > 0 && tid != p.pid)
			sent = syscall(SYS_tgkill, p.pid, tid, SIGSEGV) == 0;
	}
	closedir(dir);
	assert_true(sent);
	assert_true(pty_status(&p, &st, PATIENCE_MS, true));
	assert_true(WIFSIGNALED(st.status));
	assert_int_equal(WTERMSIG(st.status), SIGSEGV);
	expect_as_before(&p, "a fault in a thread", 1000);
	pty_done(&p);
}

/* Where the terminal speaks by the standard pasted text comes marked, whatever it is called. */
static void test_marks_asked_for(void **state)
{
	static const char *const terms[] = {
		"TERM=xterm", "TERM=screen-256color", "TERM=linux", "TERM=rxvt-unicode", "TERM=vt100"};
	(void)state;
	for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
		struct pty p;
		start(&p, terms[i], NULL);
		assert_true(pty_expect(&p, 0, "MANUAL", PATIENCE_MS));
		assert_non_null(strstr(p.seen, "\033[?2004h"));
		pty_done(&p);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_steers),
		cmocka_unit_test(test_typed_ahead),
		cmocka_unit_test(test_interval_is_replaced),
		cmocka_unit_test(test_marks_asked_for),
		cmocka_unit_test(test_fault_in_a_thread),
		cmocka_unit_test(test_ends_later),
		cmocka_unit_test(test_kin_of_known_terminals),
		cmocka_unit_test(test_ends_early),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
