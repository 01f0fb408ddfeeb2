/* SPDX-License-Identifier: MIT */
/* The invariants of a plan, for tests and fuzzers. */
#ifndef TESTS_SUPPORT_PLAN_CHECK_H
#define TESTS_SUPPORT_PLAN_CHECK_H

#include "vmtop/plan.h"

/* Each object at most once, every target inside what the sample allows, no pin that changes nothing, floors.
 * NULL: holds; else what broke. */
const char *plan_check(const struct plan *p, const struct sample *s);

#endif
