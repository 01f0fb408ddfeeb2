/* SPDX-License-Identifier: MIT */
/* What is said of a hypervisor that does not answer, or answers late. Invariant: each kind of trouble is said
 * once, and once when all of it is over; what comes and goes with every other sample is one trouble. */
#include <stdio.h>

#include "priv.h"

/* So many samples in a row without trouble end it. */
enum { GOOD_ENOUGH = 3 };

/* Waiting for an answer and waiting for a connection look alike from outside. */
static unsigned kind_of(enum link_state s)
{
	return 1U << (s == LINK_SLOW ? LINK_CONNECTING : s);
}

static void begin(struct engine *en, const char *text)
{
	struct trouble *t = &en->trouble;
	unsigned kind = kind_of(en->status.link);
	t->good = 0;
	if (!t->since_ns)
		t->since_ns = en->start_ns;
	if (!(t->told & kind))
		talk_event(&en->talk, LOG_ERROR, "%s", text);
	t->told |= kind;
}

static void over(struct engine *en)
{
	struct trouble *t = &en->trouble;
	if (!t->since_ns || ++t->good < GOOD_ENOUGH)
		return;
	talk_event(&en->talk, LOG_EVENT, "%.200s answers again; it did not, or late, for %.0f s",
		en->status.uri, (double)(en->start_ns - t->since_ns) / 1e9);
	*t = (struct trouble){0};
}

void trouble_step(struct engine *en, int rc, const struct err *e)
{
	if (rc < 0)
		talk_notice(&en->talk, "%.190s", *en->status.text ? en->status.text : e->msg);
	if (rc < 0 && en->status.link == LINK_OK)
		talk_once(&en->talk, LOG_ERROR, e->msg);
	else if (en->status.link != LINK_OK)
		begin(en, rc < 0 ? e->msg : en->status.text);
	else
		over(en);
}
