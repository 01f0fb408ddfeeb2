/* SPDX-License-Identifier: MIT */
/* A folder of its own for journals: $XDG_STATE_HOME of the test. */
#ifndef TESTS_STATE_HOME_H
#define TESTS_STATE_HOME_H

/* cmocka's group set-up and tear-down; the latter fails when something was left there. */
int state_home_make(void **state);
int state_home_remove(void **state);
const char *state_home(void);

#endif
