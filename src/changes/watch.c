/* SPDX-License-Identifier: MIT */
/* Who came, who went, who else is at work: what the ledger learns from a sample. Invariant: what is no longer
 * as we wrote it is forgotten as soon as that is known. Decides nothing but that AUTO leaves a VM to a
 * rival. */
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

/* So long a VM may be away before its changes are forgotten: a script that restarts it needs a moment. */
#define GONE_GRACE_NS INT64_C(600000000000)
#define AGE_STAMP_NS  INT64_C(21600000000000)

/* Keeps those pins that are still as we wrote them. false: the pins of some vCPU are not known yet. */
static bool pins_of_new_life(struct changes *ch, struct vm_record *r, const struct vm_sample *vm)
{
	struct cpuset online;
	bool known = true;
	sample_online(ch->sample, &online);
	for (size_t i = r->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(ch->sample, vm, k->id);
		if (v && v->affinity_avail != AVAIL_OK)
			known = false;
		else if ((!v || !vcpu_ours(k, &v->affinity, &online) ||
				 cpuset_equal(&v->affinity, &k->found)) &&
			 apply_disown(ch, r, k->id) < 0)
			known = false;
	}
	return known;
}

static bool memory_of_new_life(struct changes *ch, struct vm_record *r, const struct vm_memory *m)
{
	if (m->balloon_device && !(vi64_has(m->balloon_kib) && vi64_has(m->period_s)))
		return r->wrote_kib < 0 && r->period.wrote < 0;
	if (r->wrote_kib >= 0 && !(vi64_has(m->balloon_kib) && balloon_ours(r, m->balloon_kib.v, false)))
		apply_forget(ch, r, JOURNAL_BALLOON);
	if (r->period.wrote >= 0 && !(vi64_has(m->period_s) && kept_ours(&r->period, (int)m->period_s.v)))
		apply_forget(ch, r, JOURNAL_PERIOD);
	return true;
}

/* A VM with another id has started again, with the pins and the size of its definition or those it was saved
 * with: only what is still as we wrote it is ours. Looked at until all of it is known. */
static void new_life(struct changes *ch, struct vm_record *r, const struct vm_sample *vm)
{
	if (r->life >= 0)
		balloon_watch_drop(&r->memo.balloon);
	r->seen_max_kib = 0;
	const struct vi64 *shares = &vm->facts.cpu_shares;
	if (r->shares.wrote >= 0 && vi64_has(*shares) && !kept_ours(&r->shares, (int)shares->v))
		apply_forget(ch, r, JOURNAL_SHARES);
	bool pins = pins_of_new_life(ch, r, vm), memory = memory_of_new_life(ch, r, &vm->mem);
	if (pins && memory)
		r->life = vm->id;
}

/* A sample that shows its pins is the read-back of a change without an answer. On the way out
 * restore_settle() does this, and counts. */
static void read_back(struct changes *ch, struct vm_record *r, const struct vm_sample *vm)
{
	struct cpuset online;
	if (ch->leaving || !r->unknown_ns || vm->hung_since_ns || ch->sample->time_ns <= r->unknown_ns)
		return;
	r->unknown_ns = 0;
	sample_online(ch->sample, &online);
	for (size_t i = 0; i < r->n_vcpus; i++) {
		struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(ch->sample, vm, k->id);
		if (k->unsure && v && v->affinity_avail == AVAIL_OK && vcpu_ours(k, &v->affinity, &online))
			vcpu_is(k, &v->affinity);
	}
}

/* While it is being started or brought back from disk, its threads are there and its pins are not yet. */
static bool runs(const struct vm_sample *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
}

/* The balloon targets of an earlier run are watched as if this run had set them. */
static void watch_inherited(struct vm_record *r, const struct vm_memory *m, int64_t now_ns)
{
	if (r->wrote_kib < 0 || balloon_watch_asks(&r->memo.balloon) || !balloon_ours_now(r, m, now_ns))
		return;
	balloon_watch_asked(&r->memo.balloon, r->low_kib, r->high_kib, now_ns, false);
	balloon_watch_asked(&r->memo.balloon, m->balloon_kib.v, r->wrote_kib, now_ns, false);
}

/* Somebody else's balloon stays as they set it. */
static void watch_balloon(struct changes *ch, struct vm_record *r, const struct vm_sample *vm)
{
	char name[128];
	if (balloon_plugged(r, &vm->mem))
		apply_found_anew(ch, r);
	watch_inherited(r, &vm->mem, ch->sample->time_ns);
	if (balloon_look(r, &vm->mem, ch->sample->time_ns))
		return;
	balloon_watch_drop(&r->memo.balloon);
	r->astray_ns = 0;
	if (r->wrote_kib < 0)
		return;
	text_escape(name, sizeof name, vm->name);
	talk_event(ch->talk, LOG_EVENT, "%s: somebody else set its balloon: it stays so at the end", name);
	apply_forget(ch, r, JOURNAL_BALLOON);
}

/* Somebody else's CPU shares stay as they set them. */
static void watch_shares(struct changes *ch, struct vm_record *r, const struct vm_sample *vm)
{
	char name[128];
	const struct vi64 *now = &vm->facts.cpu_shares;
	if (r->shares.wrote < 0 || !vi64_has(*now))
		return;
	r->shares_astray = kept_ours(&r->shares, (int)now->v) ? 0 : r->shares_astray + 1;
	if (r->shares_astray < SHARES_ASTRAY)
		return;
	r->shares_astray = 0;
	r->memo.shares_rival_ns = ch->sample->time_ns;
	text_escape(name, sizeof name, vm->name);
	talk_event(ch->talk, LOG_EVENT,
		"%s: somebody else set its CPU shares: they stay so at the end; AUTO leaves them alone for %.0f s",
		name, ch->cfg->foreign_hold_s);
	apply_forget(ch, r, JOURNAL_SHARES);
}

static void vm_came(struct changes *ch, const struct vm_sample *vm, bool first)
{
	char name[128];
	struct vm_record *r = ledger_get(&ch->ledger, vm->uuid, vm->name);
	if (!r)
		return;
	text_escape(name, sizeof name, vm->name);
	if (!r->here && !first)
		talk_event(ch->talk, LOG_EVENT, "%s appeared", name);
	if (strcmp(r->name, vm->name) != 0)
		snprintf(r->name, sizeof r->name, "%s", vm->name);
	r->here = true;
	r->away_ns = 0;
	r->seen_s = ch->sample->wall_ns / 1000000000;
	if (vm->id >= 0 && vm->id != r->life && runs(vm))
		new_life(ch, r, vm);
	read_back(ch, r, vm);
	watch_balloon(ch, r, vm);
	watch_shares(ch, r, vm);
	r->memo.shares_found = r->shares.wrote > 0 ? r->shares.found : 0;
	r->memo.shares_now = max_of(r->shares.wrote, 0);
}

/* Whether somebody just put this vCPU back as it was found: a release before a migration, no rivalry. */
static bool was_released(const struct changes *ch, const struct vcpu_record *k, const struct vcpu_sample *v)
{
	struct cpuset online, found = k->found, now = v->affinity;
	sample_online(ch->sample, &online);
	cpuset_and(&found, &online);
	cpuset_and(&now, &online);
	return v->affinity_avail == AVAIL_OK && cpuset_equal(&found, &now);
}

/* Somebody pins a vCPU that we had pinned, for the second time: two controllers fight over it. Putting it
 * back as it was found is taken for a release, not a fight, the first two times. */
static bool is_rival(
	const struct changes *ch, struct vm_record *r, struct vcpu_record *k, const struct vcpu_sample *v)
{
	struct vcpu_fights *f = record_fights(r, k->id);
	k->foreign_ns = v->foreign_pin_ns.v;
	if (k->lost || !f)
		return false;
	k->lost = true;
	if (!f->fights && was_released(ch, k, v) && f->releases++ < 2)
		return false;
	return ++f->fights > 1;
}

/* AUTO leaves this guest to the other controller, twice as long each time, and goes on with the others. */
static void leave_to_rival(struct changes *ch, struct vm_record *r)
{
	enum { DOUBLINGS_MOST = 5 };
	char name[128];
	double rest_s = ch->cfg->foreign_hold_s;
	for (int i = 0; i <= r->rivalries && i < DOUBLINGS_MOST; i++)
		rest_s *= 2;
	r->rivalries++;
	r->memo.rival_until_ns = ch->sample->time_ns + (int64_t)(rest_s * 1e9);
	text_escape(name, sizeof name, r->name);
	if (rest_s > 0)
		talk_event(ch->talk, LOG_EVENT,
			"%s: somebody else pins the same vCPUs again and again; CPU AUTO leaves this VM alone for %.0f s",
			name, rest_s);
}

/* Looks for guests over whose vCPUs another controller fights with us: both would only undo each other's
 * pins. A single pin by somebody else is no fight: foreign_hold keeps us from that vCPU alone. */
static void watch_rivals(struct changes *ch)
{
	for (size_t i = 0; i < ch->sample->n_vms; i++) {
		const struct vm_sample *vm = &ch->sample->vms[i];
		struct vm_record *r = ledger_find(&ch->ledger, vm->uuid);
		bool rival = false;
		for (size_t k = vm->first_vcpu; r && r->n_vcpus && k < vm->first_vcpu + vm->n_vcpus; k++) {
			const struct vcpu_sample *v = &ch->sample->vcpus[k];
			struct vcpu_record *ours = record_vcpu(r, v->id);
			if (ours && vi64_has(v->foreign_pin_ns) && v->foreign_pin_ns.v > ours->foreign_ns)
				rival |= is_rival(ch, r, ours, v);
		}
		if (rival)
			leave_to_rival(ch, r);
	}
}

/* Said once: who else may move guests here, and whose pins are not an accident. */
static void say_others(struct changes *ch)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} rows[] = {
		{OTHER_NUMAD, "numad runs on this host: it moves guests too"},
		{OTHER_MOM, "MoM runs on this host: it balloons guests too"},
		{OTHER_PROXMOX, "Proxmox's pvestatd runs on this host: it balloons guests too"},
		{OTHER_VMTOP, "another vmtop runs on this host"},
		{OTHER_PACEMAKER, "Pacemaker runs VMs of this host: it starts, stops and migrates them"},
		{OTHER_NOVA, "nova-compute runs on this host: it pins, resizes and migrates guests too"},
		{OTHER_VDSM, "VDSM runs on this host: it pins, balloons and migrates guests too"},
		{OTHER_CLOUDSTACK,
			"CloudStack's agent runs on this host: it pins, resizes and migrates guests too"},
		{OTHER_OPENNEBULA, "OpenNebula manages this host: it pins, resizes and migrates guests too"},
		{OTHER_VSCHED, "openEuler's VSched runs on this host: it moves vCPUs too"},
		{OTHER_SKYLARK, "openEuler's Skylark runs on this host: it limits the CPUs of guests too"},
	};
	uint32_t fresh = ch->sample->host.others & ~ch->said_others;
	ch->said_others |= fresh;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (fresh & rows[i].bit)
			talk_event(ch->talk, LOG_EVENT, "%s", rows[i].text);
	size_t nova = 0;
	for (size_t i = 0; i < ch->sample->n_vms; i++)
		nova += (ch->sample->vms[i].flags & VM_FLAG_OPENSTACK) != 0;
	if (nova && !ch->said_nova)
		talk_event(ch->talk, LOG_EVENT,
			"%zu VM%s of OpenStack: pins of flavors are rules here, and nova may set them anew",
			nova, nova == 1 ? " is" : "s are");
	ch->said_nova |= nova > 0;
}

/* What the journal says of those that are away must not fall far behind: a crash may come. */
static void stamp_ages(struct changes *ch)
{
	struct err e = ERR_INIT;
	bool any = false;
	for (size_t i = 0; i < ch->ledger.n; i++)
		any |= !ch->ledger.vms[i].here && record_changes(&ch->ledger.vms[i]);
	if (!any || !ch->stamped_ns)
		ch->stamped_ns = ch->sample->time_ns;
	if (ch->sample->time_ns - ch->stamped_ns < AGE_STAMP_NS)
		return;
	ch->stamped_ns = ch->sample->time_ns;
	journal_compact(ch->journal, &ch->ledger, true, &e); /* the next one comes */
}

/* Who came, who went, what is known of them. */
void changes_watch(struct changes *ch, bool first)
{
	struct ledger *l = &ch->ledger;
	for (size_t i = 0; i < l->n; i++) {
		bool gone = l->vms[i].here && !sample_vm_by_uuid(ch->sample, l->vms[i].uuid);
		if (!gone)
			continue;
		char name[128];
		text_escape(name, sizeof name, l->vms[i].name);
		talk_event(ch->talk, LOG_EVENT, "%s is gone", name);
		l->vms[i].here = false;
	}
	for (size_t i = 0; i < ch->sample->n_vms; i++)
		vm_came(ch, &ch->sample->vms[i], first);
	watch_rivals(ch);
	say_others(ch);
	ledger_age(l, ch->aged_ns ? ch->sample->time_ns - ch->aged_ns : 0);
	ch->aged_ns = ch->sample->time_ns;
	if (ch->journal) {
		restore_close(ch, NULL, GONE_GRACE_NS);
		restore_saved(ch);
		stamp_ages(ch);
	}
	ledger_forget(l);
}

void changes_foreign_balloons(struct changes *ch, const struct mem_status *status)
{
	for (size_t i = 0; i < ch->sample->n_vms; i++) {
		const struct vm_sample *vm = &ch->sample->vms[i];
		bool foreign = status[i].foreign;
		struct vm_record *r = ledger_find(&ch->ledger, vm->uuid);
		if (!r || r->foreign_balloon == foreign)
			continue;
		r->foreign_balloon = foreign;
		if (!foreign)
			continue;
		char name[128];
		text_escape(name, sizeof name, vm->name);
		talk_event(ch->talk, LOG_EVENT,
			"%s: somebody else set its balloon; AUTO does not shrink it for %.0f s", name,
			ch->cfg->foreign_hold_s);
		if (balloon_ours_now(r, &vm->mem, ch->sample->time_ns))
			continue;
		balloon_watch_drop(&r->memo.balloon);
		if (r->wrote_kib >= 0)
			apply_forget(ch, r, JOURNAL_BALLOON);
	}
}
