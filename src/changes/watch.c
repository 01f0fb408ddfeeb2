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
static bool pins_of_new_life(struct changes *changes, struct vm_record *rec, const struct vm_sample *vm)
{
	struct cpuset online;
	bool known = true;
	sample_online(changes->sample, &online);
	for (size_t i = rec->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &rec->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(changes->sample, vm, k->id);
		if (v && v->affinity_avail != AVAIL_OK)
			known = false;
		else if ((!v || !vcpu_ours(k, &v->affinity, &online) ||
				 cpuset_equal(&v->affinity, &k->found)) &&
			 apply_disown(changes, rec, k->id) < 0)
			known = false;
	}
	return known;
}

static bool memory_of_new_life(struct changes *changes, struct vm_record *rec, const struct vm_memory *mem)
{
	if (mem->balloon_device && !(vi64_has(mem->balloon_kib) && vi64_has(mem->period_s)))
		return rec->wrote_kib < 0 && rec->period.wrote < 0;
	if (rec->wrote_kib >= 0 &&
		!(vi64_has(mem->balloon_kib) && balloon_ours(rec, mem->balloon_kib.v, false)))
		apply_forget(changes, rec, JOURNAL_BALLOON);
	if (rec->period.wrote >= 0 &&
		!(vi64_has(mem->period_s) && kept_ours(&rec->period, (int)mem->period_s.v)))
		apply_forget(changes, rec, JOURNAL_PERIOD);
	return true;
}

/* A VM with another id has started again, with the pins and the size of its definition or those it was saved
 * with: only what is still as we wrote it is ours. Looked at until all of it is known. */
static void new_life(struct changes *changes, struct vm_record *rec, const struct vm_sample *vm)
{
	if (rec->life >= 0)
		balloon_watch_drop(&rec->memo.balloon);
	rec->seen_max_kib = 0;
	const struct vi64 *shares = &vm->facts.cpu_shares;
	if (rec->shares.wrote >= 0 && vi64_has(*shares) && !kept_ours(&rec->shares, (int)shares->v))
		apply_forget(changes, rec, JOURNAL_SHARES);
	bool pins = pins_of_new_life(changes, rec, vm), memory = memory_of_new_life(changes, rec, &vm->mem);
	if (pins && memory)
		rec->life = vm->id;
}

/* A sample that shows its pins is the read-back of a change without an answer. On the way out
 * restore_settle() does this, and counts. */
static void read_back(struct changes *changes, struct vm_record *rec, const struct vm_sample *vm)
{
	struct cpuset online;
	if (changes->leaving || !rec->unknown_ns || vm->hung_since_ns ||
		changes->sample->time_ns <= rec->unknown_ns)
		return;
	rec->unknown_ns = 0;
	sample_online(changes->sample, &online);
	for (size_t i = 0; i < rec->n_vcpus; i++) {
		struct vcpu_record *k = &rec->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(changes->sample, vm, k->id);
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
static void watch_inherited(struct vm_record *rec, const struct vm_memory *mem, int64_t now_ns)
{
	if (rec->wrote_kib < 0 || balloon_watch_asks(&rec->memo.balloon) ||
		!balloon_ours_now(rec, mem, now_ns))
		return;
	balloon_watch_asked(&rec->memo.balloon, rec->low_kib, rec->high_kib, now_ns, false);
	balloon_watch_asked(&rec->memo.balloon, mem->balloon_kib.v, rec->wrote_kib, now_ns, false);
}

/* Somebody else's balloon stays as they set it. */
static void watch_balloon(struct changes *changes, struct vm_record *rec, const struct vm_sample *vm)
{
	char name[128];
	if (balloon_plugged(rec, &vm->mem))
		apply_found_anew(changes, rec);
	watch_inherited(rec, &vm->mem, changes->sample->time_ns);
	if (balloon_look(rec, &vm->mem, changes->sample->time_ns))
		return;
	balloon_watch_drop(&rec->memo.balloon);
	rec->astray_ns = 0;
	if (rec->wrote_kib < 0)
		return;
	text_escape(name, sizeof name, vm->name);
	talk_event(
		changes->talk, LOG_EVENT, "%s: somebody else set its balloon: it stays so at the end", name);
	apply_forget(changes, rec, JOURNAL_BALLOON);
}

/* Somebody else's CPU shares stay as they set them. */
static void watch_shares(struct changes *changes, struct vm_record *rec, const struct vm_sample *vm)
{
	char name[128];
	const struct vi64 *now = &vm->facts.cpu_shares;
	if (rec->shares.wrote < 0 || !vi64_has(*now))
		return;
	rec->shares_astray = kept_ours(&rec->shares, (int)now->v) ? 0 : rec->shares_astray + 1;
	if (rec->shares_astray < SHARES_ASTRAY)
		return;
	rec->shares_astray = 0;
	rec->memo.shares_rival_ns = changes->sample->time_ns;
	text_escape(name, sizeof name, vm->name);
	talk_event(changes->talk, LOG_EVENT,
		"%s: somebody else set its CPU shares: they stay so at the end; AUTO leaves them alone for %.0f s",
		name, changes->cfg->foreign_hold_s);
	apply_forget(changes, rec, JOURNAL_SHARES);
}

static void vm_came(struct changes *changes, const struct vm_sample *vm, bool first)
{
	char name[128];
	struct vm_record *rec = ledger_get(&changes->ledger, vm->uuid, vm->name);
	if (!rec)
		return;
	text_escape(name, sizeof name, vm->name);
	if (!rec->here && !first)
		talk_event(changes->talk, LOG_EVENT, "%s appeared", name);
	if (strcmp(rec->name, vm->name) != 0)
		snprintf(rec->name, sizeof rec->name, "%s", vm->name);
	rec->here = true;
	rec->away_ns = 0;
	rec->seen_s = changes->sample->wall_ns / 1000000000;
	if (vm->id >= 0 && vm->id != rec->life && runs(vm))
		new_life(changes, rec, vm);
	read_back(changes, rec, vm);
	watch_balloon(changes, rec, vm);
	watch_shares(changes, rec, vm);
	rec->memo.shares_found = rec->shares.wrote > 0 ? rec->shares.found : 0;
	rec->memo.shares_now = max_of(rec->shares.wrote, 0);
}

/* Whether somebody just put this vCPU back as it was found: a release before a migration, no rivalry. */
static bool was_released(
	const struct changes *changes, const struct vcpu_record *k, const struct vcpu_sample *v)
{
	struct cpuset online, found = k->found, now = v->affinity;
	sample_online(changes->sample, &online);
	cpuset_and(&found, &online);
	cpuset_and(&now, &online);
	return v->affinity_avail == AVAIL_OK && cpuset_equal(&found, &now);
}

/* Somebody pins a vCPU that we had pinned, for the second time: two controllers fight over it. Putting it
 * back as it was found is taken for a release, not a fight, the first two times. */
static bool is_rival(const struct changes *changes, struct vm_record *rec, struct vcpu_record *k,
	const struct vcpu_sample *v)
{
	struct vcpu_fights *fights = record_fights(rec, k->id);
	k->foreign_ns = v->foreign_pin_ns.v;
	if (k->lost || !fights)
		return false;
	k->lost = true;
	if (!fights->fights && was_released(changes, k, v) && fights->releases++ < 2)
		return false;
	return ++fights->fights > 1;
}

/* AUTO leaves this guest to the other controller, twice as long each time, and goes on with the others. */
static void leave_to_rival(struct changes *changes, struct vm_record *rec)
{
	enum { DOUBLINGS_MOST = 5 };
	char name[128];
	double rest_s = changes->cfg->foreign_hold_s;
	for (int i = 0; i <= rec->rivalries && i < DOUBLINGS_MOST; i++)
		rest_s *= 2;
	rec->rivalries++;
	rec->memo.rival_until_ns = changes->sample->time_ns + (int64_t)(rest_s * 1e9);
	text_escape(name, sizeof name, rec->name);
	if (rest_s > 0)
		talk_event(changes->talk, LOG_EVENT,
			"%s: somebody else pins the same vCPUs again and again; CPU AUTO leaves this VM alone for %.0f s",
			name, rest_s);
}

/* Looks for guests over whose vCPUs another controller fights with us: both would only undo each other's
 * pins. A single pin by somebody else is no fight: foreign_hold keeps us from that vCPU alone. */
static void watch_rivals(struct changes *changes)
{
	for (size_t i = 0; i < changes->sample->n_vms; i++) {
		const struct vm_sample *vm = &changes->sample->vms[i];
		struct vm_record *rec = ledger_find(&changes->ledger, vm->uuid);
		bool rival = false;
		for (size_t k = vm->first_vcpu; rec && rec->n_vcpus && k < vm->first_vcpu + vm->n_vcpus;
			k++) {
			const struct vcpu_sample *vcpu = &changes->sample->vcpus[k];
			struct vcpu_record *ours = record_vcpu(rec, vcpu->id);
			if (ours && vi64_has(vcpu->foreign_pin_ns) &&
				vcpu->foreign_pin_ns.v > ours->foreign_ns)
				rival |= is_rival(changes, rec, ours, vcpu);
		}
		if (rival)
			leave_to_rival(changes, rec);
	}
}

/* Said once: who else may move guests here, and whose pins are not an accident. */
static void say_others(struct changes *changes)
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
	uint32_t fresh = changes->sample->host.others & ~changes->said_others;
	changes->said_others |= fresh;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (fresh & rows[i].bit)
			talk_event(changes->talk, LOG_EVENT, "%s", rows[i].text);
	size_t nova = 0;
	for (size_t i = 0; i < changes->sample->n_vms; i++)
		nova += (changes->sample->vms[i].flags & VM_FLAG_OPENSTACK) != 0;
	if (nova && !changes->said_nova)
		talk_event(changes->talk, LOG_EVENT,
			"%zu VM%s of OpenStack: pins of flavors are rules here, and nova may set them anew",
			nova, nova == 1 ? " is" : "s are");
	changes->said_nova |= nova > 0;
}

/* What the journal says of those that are away must not fall far behind: a crash may come. */
static void stamp_ages(struct changes *changes)
{
	struct err err = ERR_INIT;
	bool any = false;
	for (size_t i = 0; i < changes->ledger.n; i++)
		any |= !changes->ledger.vms[i].here && record_changes(&changes->ledger.vms[i]);
	if (!any || !changes->stamped_ns)
		changes->stamped_ns = changes->sample->time_ns;
	if (changes->sample->time_ns - changes->stamped_ns < AGE_STAMP_NS)
		return;
	changes->stamped_ns = changes->sample->time_ns;
	journal_compact(changes->journal, &changes->ledger, true, &err); /* the next one comes */
}

/* Who came, who went, what is known of them. */
void changes_watch(struct changes *changes, bool first)
{
	struct ledger *ledger = &changes->ledger;
	for (size_t i = 0; i < ledger->n; i++) {
		bool gone = ledger->vms[i].here && !sample_vm_by_uuid(changes->sample, ledger->vms[i].uuid);
		if (!gone)
			continue;
		char name[128];
		text_escape(name, sizeof name, ledger->vms[i].name);
		talk_event(changes->talk, LOG_EVENT, "%s is gone", name);
		ledger->vms[i].here = false;
	}
	for (size_t i = 0; i < changes->sample->n_vms; i++)
		vm_came(changes, &changes->sample->vms[i], first);
	watch_rivals(changes);
	say_others(changes);
	ledger_age(ledger, changes->aged_ns ? changes->sample->time_ns - changes->aged_ns : 0);
	changes->aged_ns = changes->sample->time_ns;
	if (changes->journal) {
		restore_close(changes, NULL, GONE_GRACE_NS);
		restore_saved(changes);
		stamp_ages(changes);
	}
	ledger_forget(ledger);
}

void changes_foreign_balloons(struct changes *changes, const struct mem_status *status)
{
	for (size_t i = 0; i < changes->sample->n_vms; i++) {
		const struct vm_sample *vm = &changes->sample->vms[i];
		bool foreign = status[i].foreign;
		struct vm_record *rec = ledger_find(&changes->ledger, vm->uuid);
		if (!rec || rec->foreign_balloon == foreign)
			continue;
		rec->foreign_balloon = foreign;
		if (!foreign)
			continue;
		char name[128];
		text_escape(name, sizeof name, vm->name);
		talk_event(changes->talk, LOG_EVENT,
			"%s: somebody else set its balloon; AUTO does not shrink it for %.0f s", name,
			changes->cfg->foreign_hold_s);
		if (balloon_ours_now(rec, &vm->mem, changes->sample->time_ns))
			continue;
		balloon_watch_drop(&rec->memo.balloon);
		if (rec->wrote_kib >= 0)
			apply_forget(changes, rec, JOURNAL_BALLOON);
	}
}
