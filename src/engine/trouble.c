/* SPDX-License-Identifier: MIT */
/* What is said of a hypervisor that does not answer, or answers late. Invariant: each kind of trouble is said
 * once, and once when all of it is over; what comes and goes with every other sample is one trouble. */
#include "trouble.h"
#include "vmtop/text.h"

/* So many samples in a row without trouble end it. */
enum { GOOD_ENOUGH = 3 };

/* Waiting for an answer and waiting for a connection look alike from outside. */
static unsigned kind_of(enum link_state state)
{
	return 1U << (state == LINK_SLOW ? LINK_CONNECTING : state);
}

static void begin(
	struct trouble *trouble, struct talk *talk, enum link_state link, int64_t start_ns, const char *text)
{
	unsigned kind = kind_of(link);
	trouble->good = 0;
	if (!trouble->since_ns)
		trouble->since_ns = start_ns;
	if (!(trouble->told & kind))
		talk_event(talk, LOG_ERROR, "%s", text);
	trouble->told |= kind;
}

static void over(struct trouble *trouble, struct talk *talk, const char *uri, int64_t start_ns)
{
	if (!trouble->since_ns || ++trouble->good < GOOD_ENOUGH)
		return;
	talk_event(talk, LOG_EVENT, "%.200s answers again; it did not, or late, for %.0f s", uri,
		(double)(start_ns - trouble->since_ns) / 1e9);
	*trouble = (struct trouble){0};
}

void trouble_step(struct trouble *trouble, struct talk *talk, const struct backend_status *status,
	int64_t start_ns, const struct err *failed)
{
	if (failed)
		talk_notice(talk, "%.190s", text_or(status->text, failed->msg));
	if (failed && status->link == LINK_OK)
		talk_once(talk, LOG_ERROR, failed->msg);
	else if (status->link != LINK_OK)
		begin(trouble, talk, status->link, start_ns, failed ? failed->msg : status->text);
	else
		over(trouble, talk, status->uri, start_ns);
}
