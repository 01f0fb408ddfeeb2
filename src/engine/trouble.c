/* SPDX-License-Identifier: MIT */
/* What is said of a hypervisor that does not answer, or answers late. Invariant: each kind of trouble is said
 * once, and once when all of it is over; what comes and goes with every other sample is one trouble. */
#include "trouble.h"

/* So many samples in a row without trouble end it. */
enum { GOOD_ENOUGH = 3 };

/* Waiting for an answer and waiting for a connection look alike from outside. */
static unsigned kind_of(enum link_state s)
{
	return 1U << (s == LINK_SLOW ? LINK_CONNECTING : s);
}

static void begin(
	struct trouble *t, struct talk *talk, enum link_state link, int64_t start_ns, const char *text)
{
	unsigned kind = kind_of(link);
	t->good = 0;
	if (!t->since_ns)
		t->since_ns = start_ns;
	if (!(t->told & kind))
		talk_event(talk, LOG_ERROR, "%s", text);
	t->told |= kind;
}

static void over(struct trouble *t, struct talk *talk, const char *uri, int64_t start_ns)
{
	if (!t->since_ns || ++t->good < GOOD_ENOUGH)
		return;
	talk_event(talk, LOG_EVENT, "%.200s answers again; it did not, or late, for %.0f s", uri,
		(double)(start_ns - t->since_ns) / 1e9);
	*t = (struct trouble){0};
}

void trouble_step(struct trouble *t, struct talk *talk, const struct backend_status *st, int64_t start_ns,
	const struct err *failed)
{
	if (failed)
		talk_notice(talk, "%.190s", *st->text ? st->text : failed->msg);
	if (failed && st->link == LINK_OK)
		talk_once(talk, LOG_ERROR, failed->msg);
	else if (st->link != LINK_OK)
		begin(t, talk, st->link, start_ns, failed ? failed->msg : st->text);
	else
		over(t, talk, st->uri, start_ns);
}
