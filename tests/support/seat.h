/* SPDX-License-Identifier: MIT */
/* Somebody in front of a view: presses keys, reads what is asked and shown. */
#ifndef TESTS_SEAT_H
#define TESTS_SEAT_H

#include "support/bigsnap.h"
#include "vmtop/view.h"

struct seat {
	struct view *v;
	struct snapshot *s;
	struct command c; /* that the last key gave */
};

/* cmocka's set-up and tear-down: 16 VMs on 8 pCPUs. */
int sit(void **state);
int sit_yes(void **state);
int rise(void **state);
int sit_with(void **state, const struct config *cfg);
/* CMD_NONE when the key gives no command. */
enum command_kind press(struct seat *t, int key);
void type(struct seat *t, const char *text);
bool asks(struct seat *t, const char *words);
/* The screen at 80x24 as text. */
const char *shown(struct seat *t, char *buf, size_t len);

#endif
