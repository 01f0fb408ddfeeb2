/* SPDX-License-Identifier: MIT */
/* A program at a terminal of its own: what it writes is kept, keys, sizes and signals are sent to it. A nurse
 * process between leads the session, as a shell does, so that stopping and ending are as in real life. */
#ifndef TESTS_PTY_H
#define TESTS_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct pty {
	int master, slave; /* the slave is kept open to look at its modes after the end */
	int status_fd;     /* from the nurse: one struct pty_status whenever the program stops or ends */
	pid_t pid, nurse;
	struct termios before;
	char *seen; /* all that came out, and a 0 */
	size_t n, room;
};
struct pty_status {
	int status; /* of waitpid() */
	double cpu_s;
};
struct pty_setup {
	int rows, cols;
	const char *const *argv; /* argv[0] is what to run; NULL ends */
	const char *const *env;  /* "NAME=VALUE", or "NAME" to unset; NULL ends; may be NULL */
	bool no_hup;             /* SIGHUP is ignored, as nohup does */
	bool no_input;           /* standard input is /dev/null */
};

/* Aborts when the machine gives no terminal. */
void pty_start(struct pty *p, const struct pty_setup *s);
/* Ends whatever is left. */
void pty_done(struct pty *p);
void pty_type(struct pty *p, const char *keys, size_t n);
void pty_size(struct pty *p, int rows, int cols);
/* Reads until nothing has come for quiet_ms, or for twice as long: the screen has a clock. */
void pty_read(struct pty *p, int quiet_ms);
/* Reads until `text` stands somewhere behind byte `from`; false: it did not within ms. */
bool pty_expect(struct pty *p, size_t from, const char *text, int ms);
/* The next stop or end, while reading what is written (read: false leaves it unread); false: none within ms.
 */
bool pty_status(struct pty *p, struct pty_status *st, int ms, bool read);
/* The keyboard's modes are what they were at the start. */
bool pty_sane(const struct pty *p);

#endif
