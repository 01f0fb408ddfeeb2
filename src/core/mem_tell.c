/* SPDX-License-Identifier: MIT */
/* What a memory cycle says of itself: the status of each guest and the verdict of the round. Invariant: words
 * and numbers come from the very values that the orders were made from; nothing is decided here. */
#include <stdio.h>
#include <string.h>

#include "mem_priv.h"
#include "vmtop/text.h"

static void explain_moving(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	char to[16], at[16];
	int64_t now = ctl->r->sample->time_ns;
	bool moves = now - guest->m.moved_ns < (int64_t)(ctl->cycle_s * 1e9) &&
		     guest->m.moved_ns > guest->m.asked_ns;
	text_kib(to, sizeof to, guest->m.asked_kib);
	text_kib(at, sizeof at, guest->balloon);
	const char *state = now > guest->m.asked_ns ? ", not moving" : "";
	if (moves)
		state = ", moving";
	why_set(&guest->why, guest->m.asked_why, "asked %s %.0f s ago, at %s%s", to,
		(double)(now - guest->m.asked_ns) / 1e9, at, state);
}

void mem_tell_guest(const struct mem_ctl *ctl, struct mem_guest *guest, struct mem_status *status)
{
	memset(status, 0, sizeof *status);
	if (guest->eligible && guest->moving && !guest->called && !guest->let_go)
		explain_moving(ctl, guest);
	status->why = guest->why;
	if (ctl->r->mode == ROUND_WATCH && !ctl->r->cfg->auto_memory && mem_would_act(ctl, guest))
		why_set(&status->why, guest->why.code, "if AUTO: %.240s", guest->why.text);
	status->eligible = guest->eligible;
	status->foreign = guest->grow_only;
	status->used_kib = guest->rate->used_kib;
	if (vi64_has(guest->vm->mem.max_kib))
		status->floor_kib = vi64_ok(guest->floor);
	if (!guest->eligible)
		return;
	status->lo_kib = vi64_ok(guest->lo);
	status->hi_kib = vi64_ok(guest->hi);
	status->want_kib = vi64_ok(guest->tgt);
}

struct changes {
	size_t n;
	int64_t grow, shrink;
};

static void changes_add(struct changes *changes, int64_t from, int64_t to)
{
	changes->n++;
	changes->grow += max_of(to - from, 0);
	changes->shrink += max_of(from - to, 0);
}

/* What was ordered; when nobody may be touched, what would be. */
static struct changes changes_of(const struct mem_ctl *ctl, const struct plan *plan, size_t first)
{
	struct changes changes = {0};
	for (size_t i = first; i < plan->n; i++)
		changes_add(&changes, plan->actions[i].from_kib, plan->actions[i].to_kib);
	for (size_t i = 0; ctl->r->mode == ROUND_WATCH && i < ctl->n; i++)
		if (mem_would_act(ctl, &ctl->guest[i]))
			changes_add(&changes, ctl->guest[i].target, mem_target(ctl, &ctl->guest[i]));
	return changes;
}

static void changes_text(const struct changes *changes, char *buf, size_t len)
{
	char up[16], down[16];
	text_kib(up, sizeof up, changes->grow);
	text_kib(down, sizeof down, changes->shrink);
	if (changes->grow && changes->shrink)
		snprintf(buf, len, "%s given and %s taken, %zu guest%s in all", up, down, changes->n,
			text_s(changes->n));
	else if (changes->grow || changes->shrink)
		snprintf(buf, len, "%s %s %zu guest%s", changes->grow ? up : down,
			changes->grow ? "given to" : "taken from", changes->n, text_s(changes->n));
	else
		snprintf(buf, len, "%zu balloon%s asked for again", changes->n, text_s(changes->n));
}

static void sum_up(struct mem_ctl *ctl, const struct plan *plan, size_t first, struct mem_verdict *verdict)
{
	struct changes sum = changes_of(ctl, plan, first);
	size_t able = 0;
	char text[80];
	for (size_t i = 0; i < ctl->n; i++)
		able += ctl->guest[i].eligible;
	changes_text(&sum, text, sizeof text);
	if (!ctl->n)
		why_set(&verdict->why, REASON_NO_VMS, NULL);
	else if (!ctl->host_known)
		why_set(&verdict->why, REASON_NO_DATA, "the memory of the host is not known");
	else if (sum.n && ctl->r->mode == ROUND_WATCH)
		why_set(&verdict->why, REASON_MANUAL, "AUTO is off; on, it would do this: %s", text);
	else if (sum.n)
		why_set(&verdict->why, sum.grow ? REASON_GIVE : REASON_CLAIM, "%s", text);
	else
		why_set(&verdict->why, REASON_MEM_OK, "%s",
			able ? "no guest needs a change" : "no guest is eligible");
}

void mem_tell_round(struct mem_ctl *ctl, const struct plan *plan, size_t first, struct mem_verdict *verdict)
{
	memset(verdict, 0, sizeof *verdict);
	verdict->state = ctl->next_state;
	if (ctl->host_known) {
		verdict->reserve_kib = vi64_ok(ctl->levels.reserve);
		verdict->free_kib = vi64_ok(max_of(ctl->free_kib - ctl->levels.reserve, 0));
	}
	sum_up(ctl, plan, first, verdict);
	verdict->new_line = verdict->why.code != ctl->last_why || verdict->state != ctl->state ||
			    ctl->r->mode == ROUND_FORCED;
}
