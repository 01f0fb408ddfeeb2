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

static void memo_begin(struct mem_guest *guest)
{
	struct mem_memo *memo = &guest->m;
	memset(memo, 0, sizeof *memo);
	memcpy(memo->uuid, guest->vm->uuid, sizeof memo->uuid);
	memo->id = guest->vm->id;
	memo->asked_kib = -1;
	memo->update_ns = memo->acted_update_ns = -1;
	memo->first_kib = vi64_or(guest->vm->mem.balloon_kib, 0);
	memo->balloon_kib = memo->first_kib;
}

/* A guest that starts again forgets its balloon until its driver is back, and all its history is another's.
 */
static void memo_reboot(struct mem_guest *guest, int64_t now_ns, const struct config *cfg)
{
	int64_t foreign = guest->m.id == guest->vm->id ? guest->m.foreign_until_ns : 0;
	memo_begin(guest);
	guest->m.foreign_until_ns = foreign;
	guest->m.foreign_ns = now_ns;
	guest->m.boot_until_ns = now_ns + ns_of(cfg->mem_boot_s);
}

static bool counters_fell(const struct mem_guest *guest)
{
	const struct vi64 faults = guest->vm->mem.major_faults;
	return vi64_has(faults) && faults.v < guest->m.major_faults;
}

/* What the guest's statistics say of their own age. */
static double told_age_s(struct vf64 age_s)
{
	if (vf64_has(age_s))
		return fmax(age_s.v, 0);
	return age_s.avail == AVAIL_STALE ? HUGE_VAL : 0;
}

/* The age by our own clock from the second statistics on: the clock of a remote host may be wrong. */
static void observe_age(struct mem_guest *guest, int64_t now_ns)
{
	const struct vm_memory *mem = &guest->vm->mem;
	struct mem_memo *memo = &guest->m;
	double told = told_age_s(guest->rate->age_s);
	guest->fresh = vi64_has(mem->last_update_ns) && mem->last_update_ns.v != memo->update_ns;
	if (guest->fresh) {
		double since = memo->update_seen_ns ? seconds_since(memo->update_look_ns, now_ns) : told;
		memo->update_base_s = min_of(told, since);
		memo->update_ns = mem->last_update_ns.v;
		memo->update_seen_ns = now_ns;
	}
	if (vi64_has(mem->last_update_ns))
		memo->update_look_ns = now_ns;
	guest->age_s = memo->update_base_s + seconds_since(memo->update_seen_ns, now_ns);
}

static void observe_unused(struct mem_guest *guest, int64_t before_kib)
{
	const struct vi64 unused = guest->vm->mem.unused_kib;
	if (!guest->fresh || !vi64_has(unused))
		return;
	guest->m.falling = guest->m.unused_kib > 0 && unused.v < guest->m.unused_kib;
	guest->m.unused_kib = unused.v;
	/* At the first look the balloon may be on its way down; the guest's total of that moment tells. Later
	 * it must not be asked: with deflate-on-oom it stays at the maximum. */
	const struct vi64 total = guest->m.look_ns ? vi64_absent(AVAIL_NONE) : guest->vm->mem.available_kib;
	guest->m.unused_base_kib = max_of(max_of(guest->balloon, before_kib), vi64_or(total, 0));
}

/* A target set by hand through us is ours too. */
static void adopt_target(struct mem_guest *guest, int64_t now_ns)
{
	if (!guest->rule || guest->rule->target_kib < 0)
		return;
	int64_t set_ns = now_ns - guest->rule->target_age_ns;
	if (set_ns <= guest->m.asked_ns || set_ns <= guest->m.foreign_ns)
		return;
	balloon_watch_asked(&guest->m.watch, guest->balloon, guest->rule->target_kib, set_ns, false);
	if (balloon_watch_asks(&guest->rule->balloon))
		guest->m.watch = guest->rule->balloon;
	guest->m.given_up = false;
	guest->m.asked_kib = guest->rule->target_kib;
	guest->m.asked_from_kib = guest->balloon;
	guest->m.asked_ns = set_ns;
	guest->m.asked_why = REASON_USER;
	guest->m.found_kib = guest->rule->target_kib;
	guest->m.moved_kib = guest->balloon;
	guest->m.moved_ns = set_ns;
}

/* After a start the balloon moves by itself, to the size that the VM was defined with, as soon as the guest's
 * driver is there: nobody's change. It has arrived when it stands still and the driver reports. */
static void observe_settling(struct mem_guest *guest, int64_t now_ns)
{
	struct mem_memo *memo = &guest->m;
	bool still = guest->balloon - memo->balloon_kib < MIB && memo->balloon_kib - guest->balloon < MIB;
	if (!memo->still_ns || !still)
		memo->still_ns = now_ns;
	if (memo->settled)
		return;
	memo->first_kib = guest->balloon;
	memo->settled = memo->asked_kib >= 0 ||
			(memo->update_seen_ns && seconds_since(memo->still_ns, now_ns) >= SETTLED_S);
}

/* Where it is not because of what we asked for, and was not before, somebody pushed it. */
static bool pushed_by_others(const struct mem_guest *guest)
{
	const struct mem_memo *memo = &guest->m;
	if (!memo->look_ns || !memo->settled)
		return false;
	int64_t slack = mem_small_kib(guest->max);
	if (memo->asked_kib >= 0)
		return !balloon_watch_ours(&memo->watch, guest->balloon, slack);
	return guest->balloon < memo->balloon_kib - slack || guest->balloon > memo->balloon_kib + slack;
}

static void begin_foreign(struct mem_guest *guest, int64_t now_ns, const struct config *cfg)
{
	guest->m.foreign_ns = now_ns;
	guest->m.foreign_until_ns = now_ns + ns_of(cfg->foreign_hold_s);
	guest->m.found_kib = guest->balloon;
	guest->m.peak_kib = fmax(guest->m.peak_kib, (double)guest->balloon);
	guest->m.asked_kib = -1;
	balloon_watch_drop(&guest->m.watch);
	guest->m.unseen_kib = 0;
	guest->m.before_shrink_kib = 0;
}

/* A guest that reboots has all its memory until its driver is back, and then comes down again by itself. One
 * that stays there was sent there. */
static void observe_foreign(struct mem_guest *guest, int64_t now_ns, const struct config *cfg)
{
	struct mem_memo *memo = &guest->m;
	bool full = vi64_has(guest->vm->mem.max_kib) &&
		    guest->balloon >= guest->vm->mem.max_kib.v - mem_small_kib(guest->max);
	if (pushed_by_others(guest) && full && memo->foreign_until_ns <= now_ns) {
		memo_reboot(guest, now_ns, cfg);
		memo->perhaps_reboot = true;
	} else if (pushed_by_others(guest)) {
		begin_foreign(guest, now_ns, cfg);
	} else if (memo->perhaps_reboot && (!full || memo->settled)) {
		memo->perhaps_reboot = false;
		if (full)
			begin_foreign(guest, now_ns, cfg);
	}
}

static void observe_progress(struct mem_guest *guest, int64_t now_ns)
{
	struct mem_memo *memo = &guest->m;
	if (memo->asked_kib < 0 || memo->given_up)
		return;
	int64_t left = memo->asked_kib - guest->balloon, was = memo->asked_kib - memo->moved_kib;
	guest->moving = left > mem_small_kib(guest->max) || left < -mem_small_kib(guest->max);
	if (!guest->moving) {
		memo->strikes = 0;
		memo->moved_kib = guest->balloon;
		memo->moved_ns = now_ns;
	} else if ((was > 0 && was - left >= MIB) || (was < 0 && left - was >= MIB)) {
		memo->moved_kib = guest->balloon;
		memo->moved_ns = now_ns;
	}
}

/* A DIMM was plugged or taken away. */
static void observe_plugged(struct mem_guest *guest)
{
	struct mem_memo *memo = &guest->m;
	int64_t max = vi64_or(guest->vm->mem.max_kib, 0), by = max - memo->max_kib;
	bool known = memo->max_kib > 0 && max > 0;
	memo->max_kib = max;
	if (!known || !balloon_watch_plugged(
			      &memo->watch, memo->balloon_kib, guest->balloon, by, mem_small_kib(guest->max)))
		return;
	balloon_watch_shift(&memo->watch, by);
	int64_t *const sizes[] = {&memo->asked_kib, &memo->asked_from_kib, &memo->balloon_kib,
		&memo->moved_kib, &memo->unused_base_kib};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (*sizes[i] > 0)
			*sizes[i] = max_of(*sizes[i] + by, MIB);
}

static void observe_balloon(struct mem_ctl *ctl, struct mem_guest *guest)
{
	int64_t now = ctl->r->sample->time_ns;
	observe_plugged(guest);
	adopt_target(guest, now);
	observe_settling(guest, now);
	if (mem_guarded(ctl, MEM_GUARD_FOREIGN))
		observe_foreign(guest, now, ctl->r->cfg);
	observe_progress(guest, now);
	balloon_watch_seen(&guest->m.watch, guest->balloon, now);
	guest->m.balloon_kib = guest->balloon;
}

/* A grant counts against the host's free memory until the host shows it used, or the balloon has taken it
 * back. Without a resident size: for one cycle after it has arrived. */
static void observe_unseen(const struct mem_ctl *ctl, struct mem_guest *guest, int64_t before_kib)
{
	struct mem_memo *memo = &guest->m;
	const struct vi64 rss = guest->vm->mem.rss_kib;
	memo->unseen_kib -= max_of(before_kib - guest->balloon, 0);
	if (vi64_has(rss) && memo->rss_kib > 0)
		memo->unseen_kib -= max_of(rss.v - memo->rss_kib, 0);
	else if (seconds_since(memo->grant_ns, ctl->r->sample->time_ns) > ctl->cycle_s)
		memo->unseen_kib = 0;
	if (vi64_has(rss))
		memo->rss_kib = rss.v;
	memo->unseen_kib = max_of(memo->unseen_kib, 0);
}

int64_t mem_guest_in_flight(const struct mem_guest *guest)
{
	bool waits = guest->m.asked_kib >= 0 && !guest->m.given_up;
	int64_t coming = waits ? max_of(guest->m.asked_kib - guest->balloon, 0) : 0;
	return max_of(coming, guest->m.unseen_kib);
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

static bool refuse_user(struct mem_guest *guest)
{
	if (!guest->rule || guest->rule->memory == REASON_NONE)
		return false;
	if (guest->rule->held_for_s > 0)
		why_set(&guest->why, guest->rule->memory, "%s; hands off for another %.0f s",
			reason_text(guest->rule->memory), guest->rule->held_for_s);
	else
		why_set(&guest->why, guest->rule->memory, NULL);
	return true;
}

static bool refuse_state(struct mem_guest *guest, int64_t now_ns)
{
	if (guest->vm->state != VM_RUNNING && guest->vm->state != VM_BLOCKED)
		why_set(&guest->why, REASON_NOT_RUNNING, "the VM is %s", vm_state_text(guest->vm->state));
	else if (guest->vm->hung_since_ns)
		why_set(&guest->why, REASON_HUNG, "its monitor does not answer for %.0f s",
			seconds_since(guest->vm->hung_since_ns, now_ns));
	else
		return false;
	return true;
}

static bool refuse_facts(struct mem_guest *guest)
{
	enum reason why = flag_reason(guest->vm);
	if (why != REASON_NONE)
		why_set(&guest->why, why, NULL);
	return why != REASON_NONE;
}

/* Why the guest's statistics are not enough; AVAIL_OK: they are. */
static enum avail stats_lack(const struct mem_guest *guest)
{
	const struct vm_memory *mem = &guest->vm->mem;
	if (!vi64_has(mem->last_update_ns))
		return mem->last_update_ns.avail;
	return vi64_has(mem->unused_kib) ? guest->rate->used_kib.avail : mem->unused_kib.avail;
}

static enum reason lack_reason(enum avail lack)
{
	if (lack == AVAIL_NO_DRIVER)
		return REASON_NO_DRIVER;
	return lack == AVAIL_BUSY ? REASON_BUSY : REASON_NO_STATS;
}

/* Without these nothing can be worked out, whatever guards are on. */
static bool refuse_data(struct mem_guest *guest)
{
	const struct vm_memory *mem = &guest->vm->mem;
	struct vi64 need = !vi64_has(mem->max_kib) ? mem->max_kib : mem->balloon_kib;
	enum avail lack = stats_lack(guest);
	if (!vi64_has(mem->max_kib) || !vi64_has(mem->balloon_kib)) {
		why_set(&guest->why, REASON_NO_DATA, "balloon size: %s", avail_text(need.avail));
	} else if (mem->max_kib.v <= 0 || mem->balloon_kib.v <= 0) {
		why_set(&guest->why, REASON_NO_DATA, "its balloon size makes no sense");
	} else if (vi64_has(mem->period_s) && mem->period_s.v <= 0) {
		why_set(&guest->why, REASON_NO_STATS, "%s", avail_text(AVAIL_NO_PERIOD));
	} else if (lack != AVAIL_OK) {
		why_set(&guest->why, lack_reason(lack), "%s", avail_text(lack));
	} else {
		return false;
	}
	return true;
}

static bool refuse_stale(const struct mem_ctl *ctl, struct mem_guest *guest)
{
	const struct config *cfg = ctl->r->cfg;
	const struct vm_memory *mem = &guest->vm->mem;
	double period = vi64_has(mem->period_s) && mem->period_s.v > 0 ? (double)mem->period_s.v : 2;
	double limit = cfg->mem_stale_s > 0 ? cfg->mem_stale_s : 3 * period + ctl->cycle_s;
	/* Just after a driver has loaded everything reads zero; nobody has no memory at all. */
	bool empty = mem->unused_kib.v <= 0 && (!vi64_has(mem->usable_kib) || mem->usable_kib.v <= 0);
	bool absurd =
		mem->unused_kib.v < 0 || guest->rate->used_kib.v < 0 || mem->unused_kib.v > mem->max_kib.v;
	if (isinf(guest->age_s))
		why_set(&guest->why, REASON_STALE, "guest statistics are years old, or their clock is wrong");
	else if (guest->age_s > limit && guest->vm->flags & VM_FLAG_BUSY)
		why_set(&guest->why, REASON_BUSY, "%s; guest statistics are %.0f s old, limit %.0f s",
			reason_text(REASON_BUSY), guest->age_s, limit);
	else if (guest->age_s > limit)
		why_set(&guest->why, REASON_STALE, "guest statistics are %.0f s old, limit %.0f s",
			guest->age_s, limit);
	else if (empty || absurd)
		why_set(&guest->why, REASON_NO_STATS,
			empty ? "guest statistics are still empty" : "guest statistics make no sense");
	else
		return false;
	return true;
}

static bool refuse_boot(struct mem_ctl *ctl, struct mem_guest *guest, int64_t now_ns)
{
	double left = seconds_until(guest->m.boot_until_ns, now_ns);
	if (guest->rate->first_seen_ns > ctl->born_ns) {
		double young = ctl->r->cfg->mem_boot_s - seconds_since(guest->rate->first_seen_ns, now_ns);
		left = max_of(young, left);
	}
	if (left <= 0)
		return false;
	why_set(&guest->why, REASON_BOOTING, "just started; hands off for another %.0f s", left);
	return true;
}

/* Somebody else's wish is not undone, but no reason to let the guest run dry: it may grow. */
static bool foreign_holds(const struct mem_guest *guest, int64_t now_ns)
{
	return guest->m.foreign_until_ns > now_ns &&
	       !(guest->rule && guest->rule->released_ns > guest->m.foreign_ns);
}

static bool refuse_uncooperative(struct mem_guest *guest, int64_t now_ns)
{
	double left = seconds_until(guest->m.uncooperative_until_ns, now_ns);
	if (left <= 0)
		return false;
	why_set(&guest->why, REASON_UNCOOPERATIVE, "its balloon did not follow %d time%s; next try in %.0f s",
		guest->m.strikes, text_s((size_t)guest->m.strikes), left);
	return true;
}

static bool refuse(struct mem_ctl *ctl, struct mem_guest *guest)
{
	int64_t now = ctl->r->sample->time_ns;
	return (mem_guarded(ctl, MEM_GUARD_STATE) && refuse_state(guest, now)) ||
	       (mem_guarded(ctl, MEM_GUARD_USER) && refuse_user(guest)) ||
	       (mem_guarded(ctl, MEM_GUARD_FACTS) && refuse_facts(guest)) || refuse_data(guest) ||
	       (mem_guarded(ctl, MEM_GUARD_STALE) && refuse_stale(ctl, guest)) ||
	       (mem_guarded(ctl, MEM_GUARD_BOOT) && refuse_boot(ctl, guest, now)) ||
	       (mem_guarded(ctl, MEM_GUARD_PROGRESS) && refuse_uncooperative(guest, now));
}

static void figures_fill(struct mem_ctl *ctl, struct mem_guest *guest)
{
	const struct vm_memory *mem = &guest->vm->mem;
	guest->used = vi64_has(guest->rate->used_kib) ? clamp(guest->rate->used_kib.v, 0, mem->max_kib.v) : 0;
	guest->unused = vi64_or(mem->unused_kib, 0);
	guest->usable = vi64_or(mem->usable_kib, guest->unused);
	guest->floor = mem_guarded(ctl, MEM_GUARD_FLOOR) ? mem_guest_floor(guest, ctl->r->cfg) : MIB;
	guest->target = guest->moving ? guest->m.asked_kib : guest->balloon;
	guest->promised = max_of(guest->target, guest->balloon);
}

void mem_guest_observe(struct mem_ctl *ctl, struct mem_guest *guest, bool known)
{
	const struct vm_memory *mem = &guest->vm->mem;
	int64_t now = ctl->r->sample->time_ns;
	if (!known)
		memo_begin(guest);
	else if (guest->m.id != guest->vm->id || counters_fell(guest))
		memo_reboot(guest, now, ctl->r->cfg);
	if (vi64_has(mem->major_faults))
		guest->m.major_faults = mem->major_faults.v;
	guest->max = mem_guest_max(guest->vm, guest->rule) * (mem_guarded(ctl, MEM_GUARD_MAX) ? 1 : 8);
	int64_t before = guest->m.balloon_kib;
	guest->balloon = before;
	observe_age(guest, now);
	if (vi64_has(mem->balloon_kib) && mem->balloon_kib.v > 0) {
		guest->balloon = mem->balloon_kib.v;
		if (!guest->m.first_kib)
			guest->m.first_kib = guest->m.balloon_kib = guest->balloon;
		observe_balloon(ctl, guest);
	}
	observe_unused(guest, before);
	observe_unseen(ctl, guest, before);
	guest->eligible = !refuse(ctl, guest);
	guest->grow_only =
		guest->eligible && mem_guarded(ctl, MEM_GUARD_FOREIGN) && foreign_holds(guest, now);
	figures_fill(ctl, guest);
	guest->m.look_ns = now;
}
