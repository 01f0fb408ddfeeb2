/* SPDX-License-Identifier: MIT */
/* --listen: metrics over HTTP. A thread of its own answers from copies of what the engine published; it never
 * touches the hypervisor, and nobody waits for it. */
#ifndef VMTOP_LISTEN_H
#define VMTOP_LISTEN_H

#include "vmtop/engine.h"

struct listener;

/* Whether this is "[ADDRESS:]PORT"; else ERR_USAGE. */
int listen_check(const char *text, struct err *err);
/* Opens the port that cfg names and answers from now on; until there is a sample with 503. NULL with err set.
 */
struct listener *listener_open(const struct config *cfg, struct err *err);
/* Shows each step of the engine from now on. */
void listener_follow(struct listener *listener, struct engine *engine);
/* Accepts NULL. After the engine's end: it must not step any more. */
void listener_close(struct listener *listener);

#endif
