/* SPDX-License-Identifier: MIT */
/* Facts about one guest's memory: whether it may be touched at all and why not, how old its statistics are,
 * whether its balloon follows, whether somebody else moved it.
 * Invariant: a guest about which something is missing, stale or doubtful is never eligible. Works on copies
 * (mem_guest.m), so that looking changes nothing. Knows no policy. */
#include <math.h>
#include <string.h>

#include "mem_priv.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

#define NS 1000000000.0

static int64_t ns_of(double s)
{
	return (int64_t)(s * NS);
}

static double seconds_until(int64_t then_ns, int64_t now_ns)
{
	return (double)(then_ns - now_ns) / NS;
}

static double seconds_since(int64_t then_ns, int64_t now_ns)
{
	return (double)(now_ns - then_ns) / NS;
}

static void memo_begin(struct mem_guest *g)
{
	struct mem_memo *m = &g->m;
	memset(m, 0, sizeof *m);
	memcpy(m->uuid, g->vm->uuid, sizeof m->uuid);
	m->id = g->vm->id;
	m->asked_kib = -1;
	m->update_ns = m->acted_update_ns = -1;
	m->first_kib = vi64_or(g->vm->mem.balloon_kib, 0);
	m->balloon_kib = m->first_kib;
}

/* A guest that starts again forgets its balloon until its driver is back, and all its history is another's.
 */
static void memo_reboot(struct mem_guest *g, int64_t now_ns, const struct config *cfg)
{
	int64_t foreign = g->m.id == g->vm->id ? g->m.foreign_until_ns : 0;
	memo_begin(g);
	g->m.foreign_until_ns = foreign;
	g->m.foreign_ns = now_ns;
	g->m.boot_until_ns = now_ns + ns_of(cfg->mem_boot_s);
}

static bool counters_fell(const struct mem_guest *g)
{
	const struct vi64 faults = g->vm->mem.major_faults;
	return vi64_has(faults) && faults.v < g->m.major_faults;
}

/* What the guest's statistics say of their own age. */
static double told_age_s(struct vf64 age_s)
{
	if (vf64_has(age_s))
		return fmax(age_s.v, 0);
	return age_s.avail == AVAIL_STALE ? HUGE_VAL : 0;
}

/* The age by our own clock from the second statistics on: the clock of a remote host may be wrong. */
static void observe_age(struct mem_guest *g, int64_t now_ns)
{
	const struct vm_memory *mem = &g->vm->mem;
	struct mem_memo *m = &g->m;
	double told = told_age_s(g->rate->age_s);
	g->fresh = vi64_has(mem->last_update_ns) && mem->last_update_ns.v != m->update_ns;
	if (g->fresh) {
		double since = m->update_seen_ns ? seconds_since(m->update_look_ns, now_ns) : told;
		m->update_base_s = min_of(told, since);
		m->update_ns = mem->last_update_ns.v;
		m->update_seen_ns = now_ns;
	}
	if (vi64_has(mem->last_update_ns))
		m->update_look_ns = now_ns;
	g->age_s = m->update_base_s + seconds_since(m->update_seen_ns, now_ns);
}

static void observe_unused(struct mem_guest *g, int64_t before_kib)
{
	const struct vi64 unused = g->vm->mem.unused_kib;
	if (!g->fresh || !vi64_has(unused))
		return;
	g->m.falling = g->m.unused_kib > 0 && unused.v < g->m.unused_kib;
	g->m.unused_kib = unused.v;
	/* At the first look the balloon may be on its way down; the guest's total of that moment tells. Later
	 * it must not be asked: with deflate-on-oom it stays at the maximum. */
	const struct vi64 total = g->m.look_ns ? vi64_absent(AVAIL_NONE) : g->vm->mem.available_kib;
	g->m.unused_base_kib = max_of(max_of(g->balloon, before_kib), vi64_or(total, 0));
}

/* A target set by hand through us is ours too. */
static void adopt_target(struct mem_guest *g, int64_t now_ns)
{
	if (!g->rule || g->rule->target_kib < 0)
		return;
	int64_t set_ns = now_ns - g->rule->target_age_ns;
	if (set_ns <= g->m.asked_ns || set_ns <= g->m.foreign_ns)
		return;
	balloon_watch_asked(&g->m.watch, g->balloon, g->rule->target_kib, set_ns, false);
	if (balloon_watch_asks(&g->rule->balloon))
		g->m.watch = g->rule->balloon;
	g->m.given_up = false;
	g->m.asked_kib = g->rule->target_kib;
	g->m.asked_from_kib = g->balloon;
	g->m.asked_ns = set_ns;
	g->m.asked_why = REASON_USER;
	g->m.found_kib = g->rule->target_kib;
	g->m.moved_kib = g->balloon;
	g->m.moved_ns = set_ns;
}

/* After a start the balloon moves by itself, to the size that the VM was defined with, as soon as the guest's
 * driver is there: nobody's change. It has arrived when it stands still and the driver reports. */
static void observe_settling(struct mem_guest *g, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	bool still = g->balloon - m->balloon_kib < MIB && m->balloon_kib - g->balloon < MIB;
	if (!m->still_ns || !still)
		m->still_ns = now_ns;
	if (m->settled)
		return;
	m->first_kib = g->balloon;
	m->settled =
		m->asked_kib >= 0 || (m->update_seen_ns && seconds_since(m->still_ns, now_ns) >= SETTLED_S);
}

/* Where it is not because of what we asked for, and was not before, somebody pushed it. */
static bool pushed_by_others(const struct mem_guest *g)
{
	const struct mem_memo *m = &g->m;
	if (!m->look_ns || !m->settled)
		return false;
	int64_t slack = mem_small_kib(g->max);
	if (m->asked_kib >= 0)
		return !balloon_watch_ours(&m->watch, g->balloon, slack);
	return g->balloon < m->balloon_kib - slack || g->balloon > m->balloon_kib + slack;
}

static void begin_foreign(struct mem_guest *g, int64_t now_ns, const struct config *cfg)
{
	g->m.foreign_ns = now_ns;
	g->m.foreign_until_ns = now_ns + ns_of(cfg->foreign_hold_s);
	g->m.found_kib = g->balloon;
	g->m.peak_kib = fmax(g->m.peak_kib, (double)g->balloon);
	g->m.asked_kib = -1;
	balloon_watch_drop(&g->m.watch);
	g->m.unseen_kib = 0;
	g->m.before_shrink_kib = 0;
}

/* A guest that reboots has all its memory until its driver is back, and then comes down again by itself. One
 * that stays there was sent there. */
static void observe_foreign(struct mem_guest *g, int64_t now_ns, const struct config *cfg)
{
	struct mem_memo *m = &g->m;
	bool full =
		vi64_has(g->vm->mem.max_kib) && g->balloon >= g->vm->mem.max_kib.v - mem_small_kib(g->max);
	if (pushed_by_others(g) && full && m->foreign_until_ns <= now_ns) {
		memo_reboot(g, now_ns, cfg);
		m->perhaps_reboot = true;
	} else if (pushed_by_others(g)) {
		begin_foreign(g, now_ns, cfg);
	} else if (m->perhaps_reboot && (!full || m->settled)) {
		m->perhaps_reboot = false;
		if (full)
			begin_foreign(g, now_ns, cfg);
	}
}

static void observe_progress(struct mem_guest *g, int64_t now_ns)
{
	struct mem_memo *m = &g->m;
	if (m->asked_kib < 0 || m->given_up)
		return;
	int64_t left = m->asked_kib - g->balloon, was = m->asked_kib - m->moved_kib;
	g->moving = left > mem_small_kib(g->max) || left < -mem_small_kib(g->max);
	if (!g->moving) {
		m->strikes = 0;
		m->moved_kib = g->balloon;
		m->moved_ns = now_ns;
	} else if ((was > 0 && was - left >= MIB) || (was < 0 && left - was >= MIB)) {
		m->moved_kib = g->balloon;
		m->moved_ns = now_ns;
	}
}

/* A DIMM was plugged or taken away. */
static void observe_plugged(struct mem_guest *g)
{
	struct mem_memo *m = &g->m;
	int64_t max = vi64_or(g->vm->mem.max_kib, 0), by = max - m->max_kib;
	bool known = m->max_kib > 0 && max > 0;
	m->max_kib = max;
	if (!known ||
		!balloon_watch_plugged(&m->watch, m->balloon_kib, g->balloon, by, mem_small_kib(g->max)))
		return;
	balloon_watch_shift(&m->watch, by);
	int64_t *const sizes[] = {
		&m->asked_kib, &m->asked_from_kib, &m->balloon_kib, &m->moved_kib, &m->unused_base_kib};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (*sizes[i] > 0)
			*sizes[i] = max_of(*sizes[i] + by, MIB);
}

static void observe_balloon(struct mem_ctl *c, struct mem_guest *g)
{
	int64_t now = c->r->sample->time_ns;
	observe_plugged(g);
	adopt_target(g, now);
	observe_settling(g, now);
	if (mem_guarded(c, MEM_GUARD_FOREIGN))
		observe_foreign(g, now, c->r->cfg);
	observe_progress(g, now);
	balloon_watch_seen(&g->m.watch, g->balloon, now);
	g->m.balloon_kib = g->balloon;
}

/* A grant counts against the host's free memory until the host shows it used, or the balloon has taken it
 * back. Without a resident size: for one cycle after it has arrived. */
static void observe_unseen(const struct mem_ctl *c, struct mem_guest *g, int64_t before_kib)
{
	struct mem_memo *m = &g->m;
	const struct vi64 rss = g->vm->mem.rss_kib;
	m->unseen_kib -= max_of(before_kib - g->balloon, 0);
	if (vi64_has(rss) && m->rss_kib > 0)
		m->unseen_kib -= max_of(rss.v - m->rss_kib, 0);
	else if (seconds_since(m->grant_ns, c->r->sample->time_ns) > c->cycle_s)
		m->unseen_kib = 0;
	if (vi64_has(rss))
		m->rss_kib = rss.v;
	m->unseen_kib = max_of(m->unseen_kib, 0);
}

int64_t mem_guest_in_flight(const struct mem_guest *g)
{
	bool waits = g->m.asked_kib >= 0 && !g->m.given_up;
	int64_t coming = waits ? max_of(g->m.asked_kib - g->balloon, 0) : 0;
	return max_of(coming, g->m.unseen_kib);
}

/* --- eligibility: one row per reason, in the order in which they are told --- */

static enum reason flag_reason(const struct vm_sample *vm)
{
	static const struct {
		uint32_t flag;
		enum reason why;
	} rows[] = {
		{VM_FLAG_JOB, REASON_JOB},
		{VM_FLAG_VFIO, REASON_VFIO},
		{VM_FLAG_SEV, REASON_SEV},
		{VM_FLAG_LOCKED, REASON_LOCKED},
		{VM_FLAG_HUGEPAGES, REASON_HUGEPAGES},
		{VM_FLAG_NO_STEER, REASON_FORBIDDEN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (vm->flags & rows[i].flag)
			return rows[i].why;
	return vm->mem.balloon_device ? REASON_NONE : REASON_NO_DEVICE;
}

static bool refuse_user(struct mem_guest *g)
{
	if (!g->rule || g->rule->memory == REASON_NONE)
		return false;
	if (g->rule->held_for_s > 0)
		why_set(&g->why, g->rule->memory, "%s; hands off for another %.0f s",
			reason_text(g->rule->memory), g->rule->held_for_s);
	else
		why_set(&g->why, g->rule->memory, NULL);
	return true;
}

static bool refuse_state(struct mem_guest *g, int64_t now_ns)
{
	if (g->vm->state != VM_RUNNING && g->vm->state != VM_BLOCKED)
		why_set(&g->why, REASON_NOT_RUNNING, "the VM is %s", vm_state_text(g->vm->state));
	else if (g->vm->hung_since_ns)
		why_set(&g->why, REASON_HUNG, "its monitor does not answer for %.0f s",
			seconds_since(g->vm->hung_since_ns, now_ns));
	else
		return false;
	return true;
}

static bool refuse_facts(struct mem_guest *g)
{
	enum reason why = flag_reason(g->vm);
	if (why != REASON_NONE)
		why_set(&g->why, why, NULL);
	return why != REASON_NONE;
}

/* Why the guest's statistics are not enough; AVAIL_OK: they are. */
static enum avail stats_lack(const struct mem_guest *g)
{
	const struct vm_memory *mem = &g->vm->mem;
	if (!vi64_has(mem->last_update_ns))
		return mem->last_update_ns.avail;
	return vi64_has(mem->unused_kib) ? g->rate->used_kib.avail : mem->unused_kib.avail;
}

static enum reason lack_reason(enum avail lack)
{
	if (lack == AVAIL_NO_DRIVER)
		return REASON_NO_DRIVER;
	return lack == AVAIL_BUSY ? REASON_BUSY : REASON_NO_STATS;
}

/* Without these nothing can be worked out, whatever guards are on. */
static bool refuse_data(struct mem_guest *g)
{
	const struct vm_memory *mem = &g->vm->mem;
	struct vi64 need = !vi64_has(mem->max_kib) ? mem->max_kib : mem->balloon_kib;
	enum avail lack = stats_lack(g);
	if (!vi64_has(mem->max_kib) || !vi64_has(mem->balloon_kib)) {
		why_set(&g->why, REASON_NO_DATA, "balloon size: %s", avail_text(need.avail));
	} else if (mem->max_kib.v <= 0 || mem->balloon_kib.v <= 0) {
		why_set(&g->why, REASON_NO_DATA, "its balloon size makes no sense");
	} else if (vi64_has(mem->period_s) && mem->period_s.v <= 0) {
		why_set(&g->why, REASON_NO_STATS, "%s", avail_text(AVAIL_NO_PERIOD));
	} else if (lack != AVAIL_OK) {
		why_set(&g->why, lack_reason(lack), "%s", avail_text(lack));
	} else {
		return false;
	}
	return true;
}

static bool refuse_stale(const struct mem_ctl *c, struct mem_guest *g)
{
	const struct config *cfg = c->r->cfg;
	const struct vm_memory *mem = &g->vm->mem;
	double period = vi64_has(mem->period_s) && mem->period_s.v > 0 ? (double)mem->period_s.v : 2;
	double limit = cfg->mem_stale_s > 0 ? cfg->mem_stale_s : 3 * period + c->cycle_s;
	/* Just after a driver has loaded everything reads zero; nobody has no memory at all. */
	bool empty = mem->unused_kib.v <= 0 && (!vi64_has(mem->usable_kib) || mem->usable_kib.v <= 0);
	bool absurd = mem->unused_kib.v < 0 || g->rate->used_kib.v < 0 || mem->unused_kib.v > mem->max_kib.v;
	if (isinf(g->age_s))
		why_set(&g->why, REASON_STALE, "guest statistics are years old, or their clock is wrong");
	else if (g->age_s > limit && g->vm->flags & VM_FLAG_BUSY)
		why_set(&g->why, REASON_BUSY, "%s; guest statistics are %.0f s old, limit %.0f s",
			reason_text(REASON_BUSY), g->age_s, limit);
	else if (g->age_s > limit)
		why_set(&g->why, REASON_STALE, "guest statistics are %.0f s old, limit %.0f s", g->age_s,
			limit);
	else if (empty || absurd)
		why_set(&g->why, REASON_NO_STATS,
			empty ? "guest statistics are still empty" : "guest statistics make no sense");
	else
		return false;
	return true;
}

static bool refuse_boot(struct mem_ctl *c, struct mem_guest *g, int64_t now_ns)
{
	double left = seconds_until(g->m.boot_until_ns, now_ns);
	if (g->rate->first_seen_ns > c->born_ns) {
		double young = c->r->cfg->mem_boot_s - seconds_since(g->rate->first_seen_ns, now_ns);
		left = max_of(young, left);
	}
	if (left <= 0)
		return false;
	why_set(&g->why, REASON_BOOTING, "just started; hands off for another %.0f s", left);
	return true;
}

/* Somebody else's wish is not undone, but no reason to let the guest run dry: it may grow. */
static bool foreign_holds(const struct mem_guest *g, int64_t now_ns)
{
	return g->m.foreign_until_ns > now_ns && !(g->rule && g->rule->released_ns > g->m.foreign_ns);
}

static bool refuse_uncooperative(struct mem_guest *g, int64_t now_ns)
{
	double left = seconds_until(g->m.uncooperative_until_ns, now_ns);
	if (left <= 0)
		return false;
	why_set(&g->why, REASON_UNCOOPERATIVE, "its balloon did not follow %d time%s; next try in %.0f s",
		g->m.strikes, text_s((size_t)g->m.strikes), left);
	return true;
}

static bool refuse(struct mem_ctl *c, struct mem_guest *g)
{
	int64_t now = c->r->sample->time_ns;
	return (mem_guarded(c, MEM_GUARD_STATE) && refuse_state(g, now)) ||
	       (mem_guarded(c, MEM_GUARD_USER) && refuse_user(g)) ||
	       (mem_guarded(c, MEM_GUARD_FACTS) && refuse_facts(g)) || refuse_data(g) ||
	       (mem_guarded(c, MEM_GUARD_STALE) && refuse_stale(c, g)) ||
	       (mem_guarded(c, MEM_GUARD_BOOT) && refuse_boot(c, g, now)) ||
	       (mem_guarded(c, MEM_GUARD_PROGRESS) && refuse_uncooperative(g, now));
}

static void figures_fill(struct mem_ctl *c, struct mem_guest *g)
{
	const struct vm_memory *mem = &g->vm->mem;
	g->used = vi64_has(g->rate->used_kib) ? clamp(g->rate->used_kib.v, 0, mem->max_kib.v) : 0;
	g->unused = vi64_or(mem->unused_kib, 0);
	g->usable = vi64_or(mem->usable_kib, g->unused);
	g->floor = mem_guarded(c, MEM_GUARD_FLOOR) ? mem_guest_floor(g, c->r->cfg) : MIB;
	g->target = g->moving ? g->m.asked_kib : g->balloon;
	g->promised = max_of(g->target, g->balloon);
}

void mem_guest_observe(struct mem_ctl *c, struct mem_guest *g, bool known)
{
	const struct vm_memory *mem = &g->vm->mem;
	int64_t now = c->r->sample->time_ns;
	if (!known)
		memo_begin(g);
	else if (g->m.id != g->vm->id || counters_fell(g))
		memo_reboot(g, now, c->r->cfg);
	if (vi64_has(mem->major_faults))
		g->m.major_faults = mem->major_faults.v;
	g->max = mem_guest_max(g->vm, g->rule) * (mem_guarded(c, MEM_GUARD_MAX) ? 1 : 8);
	int64_t before = g->m.balloon_kib;
	g->balloon = before;
	observe_age(g, now);
	if (vi64_has(mem->balloon_kib) && mem->balloon_kib.v > 0) {
		g->balloon = mem->balloon_kib.v;
		if (!g->m.first_kib)
			g->m.first_kib = g->m.balloon_kib = g->balloon;
		observe_balloon(c, g);
	}
	observe_unused(g, before);
	observe_unseen(c, g, before);
	g->eligible = !refuse(c, g);
	g->grow_only = g->eligible && mem_guarded(c, MEM_GUARD_FOREIGN) && foreign_holds(g, now);
	figures_fill(c, g);
	g->m.look_ns = now;
}
