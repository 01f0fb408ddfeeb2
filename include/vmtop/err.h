/* SPDX-License-Identifier: MIT */
/* One error, owned by the caller. A function that fails returns a negative value, leaves its output
 * untouched and fills the error; each layer on the way up may put one noun in front of it.
 * Nothing below main prints or exits. */
#ifndef VMTOP_ERR_H
#define VMTOP_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_RUNTIME,     /* exit 1 */
	ERR_USAGE,       /* exit 2: option, pattern, configuration or scenario text */
	ERR_CONNECT,     /* exit 3 */
	ERR_AWAY,        /* exit 3: nobody answers there now; a moment later somebody may */
	ERR_NOMEM,       /* exit 1 */
	ERR_UNSUPPORTED, /* the hypervisor driver has no such call */
	ERR_DENIED,      /* no rights */
	ERR_TIMEOUT,     /* no answer within the deadline: the effect is unknown */
	ERR_GONE,        /* the VM, vCPU or connection vanished */
};

struct err {
	enum err_code code;
	char msg[320]; /* one line, plain English, no trailing newline */
};

#define ERR_INIT                                                                                             \
	{                                                                                                    \
		ERR_NONE, ""                                                                                 \
	}

/* Fills err (which may be NULL) and returns -1, so that callers can write `return err_set(...)`. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "noun: " in front of the message that is there; returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Exit status of the program for this error: 0, 1, 2 or 3. */
int err_exit_status(const struct err *err);

#endif
