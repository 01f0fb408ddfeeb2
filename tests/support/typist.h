/* SPDX-License-Identifier: MIT */
/* Somebody, or something, that types bytes at certain times into the reader, the guard and the view, as the
 * screen's loop does, and a judge who does not know how they work: each command that comes out must have had
 * its key alone. */
#ifndef TESTS_TYPIST_H
#define TESTS_TYPIST_H

#include "../../src/ui/keys_guard.h"
#include "support/bigsnap.h"

enum { TYPIST_BYTES = 1024, TYPIST_TERMS = 10 };

struct typist {
	struct view *v;
	struct snapshot *s;
	struct keys_guard guard;
	struct key_names names;
	int64_t now_ms, shown_ms;
	unsigned shown; /* what was asked by the frame shown last */
	bool blind;     /* no frame comes through */
	unsigned char bytes[TYPIST_BYTES];
	int64_t at_ms[TYPIST_BYTES];
	size_t n;
	struct command last; /* that came out */
	int commands;        /* so many that change something */
	int keys;            /* that the view got */
	int key;             /* the last of them */
	char wrong[160];     /* the judge's complaint; empty: none */
};

/* One of ten terminals that every ncurses knows. */
const char *typist_term(unsigned i);
/* With 16 VMs on 8 pCPUs, of which some would be moved. False: terminfo does not know the terminal. */
bool typist_open(struct typist *t, const char *term);
void typist_close(struct typist *t);
/* Nothing comes for so long. */
void typist_wait(struct typist *t, int64_t ms);
/* These bytes come together. */
void typist_bytes(struct typist *t, const char *bytes, size_t n);
/* Each byte by itself, so long after the one before. */
void typist_slowly(struct typist *t, const char *bytes, size_t n, int64_t gap_ms);
/* One by one as a person types: 300 ms between. */
void typist_keys(struct typist *t, const char *keys);

#endif
