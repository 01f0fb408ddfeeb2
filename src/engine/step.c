/* SPDX-License-Identifier: MIT */
/* One step: sample -> model -> plan -> apply. Invariant: data flows one way; what a step decided is in
 * en->plan with reasons and outcomes. Knows no libvirt and no screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "priv.h"
#include "vmtop/record.h"
#include "vmtop/text.h"

const struct vm_memo *engine_memo(void *arg, const struct vm_sample *vm)
{
	const struct engine *en = arg;
	const struct vm_record *r = ledger_find(&en->ledger, vm->uuid);
	return r ? &r->memo : NULL;
}

bool engine_may_change(struct engine *en)
{
	if (!en->cfg.readonly && !en->status.readonly)
		return true;
	notice_set(en, "read-only: %s",
		*en->status.readonly_why ? en->status.readonly_why : "asked for by --readonly");
	return false;
}

/* An error is said once, until another one comes or it is over. */
static void say_error(struct engine *en, const struct err *e)
{
	notice_set(en, "%.190s", e->msg);
	if (strcmp(en->last_error, e->msg) == 0)
		return;
	snprintf(en->last_error, sizeof en->last_error, "%s", e->msg);
	log_event(en, LOG_ERROR, "%s", e->msg);
}

static void refresh_status(struct engine *en)
{
	char before[sizeof en->status.text];
	memcpy(before, en->status.text, sizeof before);
	en->b->ops->status(en->b, &en->status);
	if (strcmp(before, en->status.text) != 0 && *en->status.text && !en->status.replay)
		log_event(en, LOG_EVENT, "%s", en->status.text);
	if (en->status.readonly)
		en->cfg.auto_cpu = en->cfg.auto_memory = false;
}

/* Guest statistics cost more than all else, and guests fill them in every few seconds only: they are asked
 * for once a memory cycle, or when a round of it is to be made now. Between, the backend shows those it has.
 */
static unsigned groups_now(struct engine *en)
{
	int64_t slack = (int64_t)(en->cfg.delay_s * 1e8);
	unsigned groups = en->groups | (en->cfg.auto_memory ? SAMPLE_BALLOON : 0);
	en->memory_due = en->tick && en->start_ns >= en->next_memory_ns - slack;
	if (!en->memory_due && !en->want_fresh && en->have_sample)
		groups &= ~(unsigned)SAMPLE_BALLOON;
	en->want_fresh = false;
	/* What the host does besides its VMs is a load to be balanced too. */
	if (en->cfg.auto_cpu || en->want_rebalance || en->want_preview)
		groups |= SAMPLE_PCPUS;
	if (en->cfg.auto_cpu || en->cfg.auto_memory || en->want_rebalance || en->want_memory)
		groups |= SAMPLE_STEER;
	return groups | (en->want_memory ? SAMPLE_BALLOON : 0) | (en->tick ? SAMPLE_REGULAR : 0);
}

/* One memory cycle later; ticks that were missed are not made up for. */
static void memory_next(struct engine *en)
{
	int64_t cycle = (int64_t)(en->cfg.memory_cycle_s * 1e9), next = en->next_memory_ns + cycle;
	en->next_memory_ns = next > en->start_ns ? next : en->start_ns + cycle;
}

static int step_sample(struct engine *en, struct err *e)
{
	en->start_ns = en->b->ops->now(en->b);
	en->due = false;
	int rc = en->b->ops->sample(en->b, groups_now(en), &en->incoming, e);
	refresh_status(en);
	if (rc < 0) {
		say_error(en, e);
		return -1;
	}
	struct sample old = en->sample;
	en->sample = en->incoming;
	en->incoming = old;
	en->last_error[0] = '\0';
	en->have_sample = true;
	if (en->memory_due)
		memory_next(en);
	en->last_sample_ns = en->b->ops->now(en->b);
	return 0;
}

/* false: how some vCPU is pinned is not known yet. */
static bool pins_of_new_life(struct engine *en, struct vm_record *r, const struct vm_sample *vm)
{
	struct cpuset online;
	bool known = true;
	sample_online(&en->sample, &online);
	for (size_t i = r->n_vcpus; i-- > 0;) {
		const struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(&en->sample, vm, k->id);
		if (v && v->affinity_avail != AVAIL_OK)
			known = false;
		else if (!v || !vcpu_ours(k, &v->affinity, &online) || cpuset_equal(&v->affinity, &k->found))
			apply_forget(en, r, k->id);
	}
	return known;
}

static bool memory_of_new_life(struct engine *en, struct vm_record *r, const struct vm_memory *m)
{
	if (m->balloon_device && !(vi64_has(m->balloon_kib) && vi64_has(m->period_s)))
		return r->wrote_kib < 0 && r->period_wrote < 0;
	if (r->wrote_kib >= 0 && !(vi64_has(m->balloon_kib) && balloon_ours(r, m->balloon_kib.v, false)))
		apply_forget(en, r, JOURNAL_BALLOON);
	if (r->period_wrote >= 0 && !(vi64_has(m->period_s) && m->period_s.v == r->period_wrote))
		apply_forget(en, r, JOURNAL_PERIOD);
	return true;
}

/* A VM with another id has started again, with the pins and the size of its definition or those it was saved
 * with: only what is still as we wrote it is ours. Looked at until all of it is known. */
static void new_life(struct engine *en, struct vm_record *r, const struct vm_sample *vm)
{
	if (r->life >= 0)
		r->memo.target_kib = -1;
	bool pins = pins_of_new_life(en, r, vm), memory = memory_of_new_life(en, r, &vm->mem);
	if (pins && memory)
		r->life = vm->id;
}

/* A sample that shows its pins is the read-back of a change without an answer. */
static void read_back(struct engine *en, struct vm_record *r, const struct vm_sample *vm)
{
	struct cpuset online;
	if (!r->memo.unknown || vm->hung_since_ns || en->sample.time_ns <= r->unknown_ns)
		return;
	r->memo.unknown = false;
	sample_online(&en->sample, &online);
	for (size_t i = 0; i < r->n_vcpus; i++) {
		struct vcpu_record *k = &r->vcpus[i];
		const struct vcpu_sample *v = sample_vcpu(&en->sample, vm, k->id);
		if (k->unsure && v && v->affinity_avail == AVAIL_OK && vcpu_ours(k, &v->affinity, &online))
			vcpu_is(k, &v->affinity);
	}
}

static void vm_came(struct engine *en, const struct vm_sample *vm, bool first)
{
	char name[128];
	struct vm_record *r = ledger_get(&en->ledger, vm->uuid, vm->name);
	if (!r)
		return;
	text_escape(name, sizeof name, vm->name);
	if (!r->here && !first)
		log_event(en, LOG_EVENT, "%s appeared", name);
	if (strcmp(r->name, vm->name) != 0)
		snprintf(r->name, sizeof r->name, "%s", vm->name);
	r->here = true;
	r->seen_s = en->sample.wall_ns / 1000000000;
	if (vm->id >= 0 && vm->id != r->life)
		new_life(en, r, vm);
	read_back(en, r, vm);
}

/* Whether somebody just put this vCPU back as it was found: a release before a migration, no rivalry. */
static bool was_released(const struct engine *en, const struct vcpu_record *k, const struct vcpu_sample *v)
{
	struct cpuset online, found = k->found, now = v->affinity;
	sample_online(&en->sample, &online);
	cpuset_and(&found, &online);
	cpuset_and(&now, &online);
	return v->affinity_avail == AVAIL_OK && cpuset_equal(&found, &now);
}

/* A pin by somebody else on a vCPU that we pinned. Returns whether it is the second within a minute. */
static bool is_rival(struct engine *en, struct vcpu_record *k, const struct vcpu_sample *v)
{
	int64_t at = v->foreign_pin_ns.v, before = en->rival_ns;
	k->foreign_ns = at;
	if (was_released(en, k, v))
		return false;
	en->rival_ns = at > before ? at : before;
	return before && (at > before ? at - before : before - at) <= INT64_C(60000000000);
}

static void step_back(struct engine *en)
{
	en->rival_ns = 0;
	if (!en->cfg.auto_cpu)
		return;
	en->cfg.auto_cpu = false;
	log_event(en, LOG_ERROR,
		"CPU: MANUAL now: somebody else re-pinned two of our vCPUs within a minute; is another "
		"controller (numad, a second vmtop) running?");
	notice_set(en, "CPU AUTO switched off: somebody else re-pins the same vCPUs");
}

/* Two pins of others on ours within a minute mean that another controller is at work, and AUTO steps back:
 * two controllers only undo each other. */
static void watch_rivals(struct engine *en)
{
	bool rival = false;
	for (size_t i = 0; i < en->sample.n_vms; i++) {
		const struct vm_sample *vm = &en->sample.vms[i];
		const struct vm_record *r = ledger_find(&en->ledger, vm->uuid);
		for (size_t k = vm->first_vcpu; r && r->n_vcpus && k < vm->first_vcpu + vm->n_vcpus; k++) {
			const struct vcpu_sample *v = &en->sample.vcpus[k];
			struct vcpu_record *ours = record_vcpu(r, v->id);
			if (ours && vi64_has(v->foreign_pin_ns) && v->foreign_pin_ns.v > ours->foreign_ns)
				rival |= is_rival(en, ours, v);
		}
	}
	if (rival)
		step_back(en);
}

/* Said once: who else may move guests here, and whose pins are not an accident. */
static void say_others(struct engine *en)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} rows[] = {
		{OTHER_NUMAD, "numad runs on this host: it moves guests too"},
		{OTHER_MOM, "MoM runs on this host: it balloons guests too"},
		{OTHER_PROXMOX, "Proxmox's pvestatd runs on this host: it balloons guests too"},
		{OTHER_VMTOP, "another vmtop runs on this host"},
	};
	uint32_t fresh = en->sample.host.others & ~en->others_said;
	en->others_said |= fresh;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (fresh & rows[i].bit)
			log_event(en, LOG_EVENT, "%s", rows[i].text);
	size_t nova = 0;
	for (size_t i = 0; i < en->sample.n_vms; i++)
		nova += (en->sample.vms[i].flags & VM_FLAG_OPENSTACK) != 0;
	if (nova && !en->nova_said)
		log_event(en, LOG_EVENT,
			"%zu VM%s of OpenStack: pins of flavors are rules here, and nova may set them anew",
			nova, nova == 1 ? " is" : "s are");
	en->nova_said |= nova > 0;
}

/* Who came, who went, what is known of them. */
static void step_ledger(struct engine *en, bool first)
{
	struct ledger *l = &en->ledger;
	for (size_t i = 0; i < l->n; i++) {
		bool gone = l->vms[i].here && !sample_vm_by_uuid(&en->sample, l->vms[i].uuid);
		if (!gone)
			continue;
		char name[128];
		text_escape(name, sizeof name, l->vms[i].name);
		log_event(en, LOG_EVENT, "%s is gone", name);
		l->vms[i].here = false;
	}
	for (size_t i = 0; i < en->sample.n_vms; i++)
		vm_came(en, &en->sample.vms[i], first);
	watch_rivals(en);
	say_others(en);
	ledger_forget(l, en->sample.wall_ns / 1000000000);
}

static int step_model(struct engine *en, struct err *e)
{
	bool first = en->model.samples == 0;
	/* In virtual time a second look at the same moment tells nothing new. */
	bool again = !first && en->sample.time_ns == en->model.time_ns &&
		     en->sample.n_vms == en->model.n_vms && en->sample.n_vcpus == en->model.n_vcpus;
	if (!again && model_update(&en->model, &en->sample, e) < 0) {
		/* The model is as before, so the sample must be. */
		struct sample fresh = en->sample;
		en->sample = en->incoming;
		en->incoming = fresh;
		en->have_sample = !first;
		say_error(en, e);
		return -1;
	}
	step_ledger(en, first);
	if (en->sample.n_vms > en->cap_mem_status) {
		size_t cap = en->sample.n_vms * 2;
		struct mem_status *p = reallocarray(en->mem_status, cap, sizeof *p);
		if (!p)
			return err_set(e, ERR_NOMEM, "out of memory");
		en->mem_status = p;
		en->cap_mem_status = cap;
	}
	if (en->sample.n_vms)
		memset(en->mem_status, 0, en->sample.n_vms * sizeof *en->mem_status);
	if (rules_build(&en->rules, &en->cfg, &en->sample, engine_memo, en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

int engine_look(struct engine *en, struct err *e)
{
	return step_sample(en, e) < 0 ? -1 : step_model(en, e);
}

static struct round round_of(struct engine *en, enum round_mode mode)
{
	return (struct round){&en->sample, &en->model, &en->rules, &en->cfg, mode};
}

static enum round_mode cpu_mode(struct engine *en, bool previewed)
{
	if (previewed || replay_shows(en)) /* a policy's pins would meet those of the preview */
		return ROUND_WATCH;
	if (en->want_rebalance)
		return ROUND_FORCED;
	return en->cfg.auto_cpu && en->tick ? ROUND_AUTO : ROUND_WATCH;
}

/* A forced round before the second sample waits for it, and says so once. */
static void forced_cpu_done(struct engine *en, size_t pins)
{
	if (en->cpu_verdict.why.code == REASON_FIRST) {
		if (!en->said_waiting)
			log_event(en, LOG_ROUND, "rebalance: waiting for the second sample");
		en->said_waiting = true;
		return;
	}
	en->want_rebalance = en->said_waiting = false;
	log_event(en, LOG_ROUND, "rebalance: %zu pin%s, %s", pins, pins == 1 ? "" : "s",
		en->cpu_verdict.why.text);
	notice_set(en, "rebalance: %zu pin%s, %.150s", pins, pins == 1 ? "" : "s", en->cpu_verdict.why.text);
}

static int plan_cpu(struct engine *en, struct round *r, bool previewed, struct err *e)
{
	size_t before = en->plan.n;
	*r = round_of(en, cpu_mode(en, previewed));
	if (cpu_ctl_plan(en->cpu, r, &en->plan, &en->cpu_verdict, e) < 0)
		return -1;
	if (r->mode == ROUND_FORCED)
		forced_cpu_done(en, en->plan.n - before);
	else if (r->mode == ROUND_AUTO && en->cpu_verdict.new_line)
		log_event(en, LOG_ROUND, "CPU: %s", en->cpu_verdict.why.text);
	return 0;
}

static enum round_mode memory_mode(struct engine *en)
{
	if (en->want_memory)
		return ROUND_FORCED;
	return en->cfg.auto_memory && en->memory_due ? ROUND_AUTO : ROUND_WATCH;
}

/* Somebody else's balloon: said once, and not ours to put back. */
static void note_foreign_balloons(struct engine *en)
{
	for (size_t i = 0; i < en->sample.n_vms; i++) {
		const struct vm_sample *vm = &en->sample.vms[i];
		bool foreign = en->mem_status[i].why.code == REASON_FOREIGN_BALLOON;
		struct vm_record *r = ledger_find(&en->ledger, vm->uuid);
		if (!r || r->foreign_balloon == foreign)
			continue;
		r->foreign_balloon = foreign;
		if (!foreign)
			continue;
		char name[128];
		text_escape(name, sizeof name, vm->name);
		log_event(en, LOG_EVENT, "%s: somebody else set its balloon; AUTO leaves it alone for %.0f s",
			name, en->cfg.foreign_hold_s);
		r->memo.target_kib = -1;
		if (r->wrote_kib >= 0)
			apply_forget(en, r, JOURNAL_BALLOON);
	}
}

static int plan_memory(struct engine *en, struct round *r, struct err *e)
{
	size_t before = en->plan.n;
	struct why last = en->mem_verdict.why;
	*r = round_of(en, memory_mode(en));
	if (mem_ctl_plan(en->mem, r, &en->plan, en->mem_status, &en->mem_verdict, e) < 0)
		return -1;
	if (r->mode == ROUND_WATCH && en->cfg.auto_memory && last.code != REASON_NONE)
		en->mem_verdict.why = last; /* between cycles: what the last one did */
	if (r->mode != ROUND_WATCH)
		note_foreign_balloons(en);
	if (r->mode == ROUND_FORCED) {
		en->want_memory = false;
		log_event(en, LOG_ROUND, "memory cycle: %zu change%s, %s", en->plan.n - before,
			en->plan.n - before == 1 ? "" : "s", en->mem_verdict.why.text);
	} else if (r->mode == ROUND_AUTO && en->mem_verdict.new_line) {
		log_event(en, LOG_ROUND, "memory: %s", en->mem_verdict.why.text);
	}
	return 0;
}

/* What `b` and `B` would do now, for their questions and for ghosts. */
static int plan_ahead(struct engine *en, struct err *e)
{
	struct round r = round_of(en, ROUND_PREVIEW);
	struct cpu_verdict v;
	struct mem_verdict m;
	memset(&v, 0, sizeof v);
	memset(&m, 0, sizeof m);
	plan_reset(&en->scratch);
	if (cpu_ctl_plan(en->cpu, &r, &en->scratch, &v, e) < 0)
		return -1;
	en->n_rebalance = v.why.code == REASON_FIRST ? -1 : (int)en->scratch.n;
	if (en->want_preview) {
		en->want_preview = false;
		en->previewing = en->scratch.n > 0;
		en->preview_after_pct = v.after_pct;
		struct plan swap = en->preview;
		en->preview = en->scratch;
		en->scratch = swap;
		log_event(en, LOG_ROUND, "preview: %d pins, %s", en->n_rebalance, v.why.text);
		if (!en->previewing)
			notice_set(en, "preview: nothing to move, %.150s", v.why.text);
	}
	plan_reset(&en->scratch);
	struct mem_status *unused = calloc(en->sample.n_vms + 1, sizeof *unused);
	int rc = unused ? mem_ctl_plan(en->mem, &r, &en->scratch, unused, &m, e) : -1;
	free(unused);
	en->n_memory = rc < 0 ? -1 : (int)en->scratch.n;
	return rc;
}

static int step_plan(struct engine *en, struct round *cpu, struct round *memory, struct err *e)
{
	bool previewed = en->want_apply;
	if (previewed) {
		en->want_apply = false;
		if (preview_apply(en) < 0)
			return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (manual_plan(en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	/* A change by hand and a policy's idea for the same VM must not meet: the holds are in force now. */
	if (en->plan.n && rules_build(&en->rules, &en->cfg, &en->sample, engine_memo, en) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (plan_cpu(en, cpu, previewed, e) < 0 || plan_memory(en, memory, e) < 0)
		return -1;
	if (replay_shows(en))
		return replay_decisions(en, e);
	return en->cfg.batch && !en->want_preview ? 0 : plan_ahead(en, e);
}

/* For recorders. */
static void tell_decision(struct engine *en)
{
	struct decision d = {.actions = en->plan.actions,
		.n_actions = en->plan.n,
		.auto_cpu = en->cfg.auto_cpu,
		.auto_memory = en->cfg.auto_memory,
		.dry_run = en->cfg.dry_run,
		.cpu_policy = en->cfg.cpu_policy,
		.mem_policy = en->cfg.mem_policy,
		.granularity = cpu_ctl_granularity(en->cpu, &en->cfg, &en->sample),
		.delay_s = en->cfg.delay_s,
		.cpu = en->cpu_verdict,
		.memory = en->mem_verdict};
	backend_decided(en->b, &d);
}

/* By the clock on the wall also where time is virtual: it is our own. */
static int64_t own_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int engine_step(struct engine *en, struct err *e)
{
	struct round cpu, memory;
	plan_reset(&en->plan);
	en->seq++;
	if (replay_catch_up(en, e) < 0)
		return -1;
	if (!en->due) {
		en->tick = false; /* only modes changed: the snapshot shows them */
		return 0;
	}
	if (step_sample(en, e) < 0)
		return -1;
	int64_t sampled = own_clock();
	if (step_model(en, e) < 0)
		return -1;
	replay_lines(en);
	if (step_plan(en, &cpu, &memory, e) < 0) {
		plan_reset(&en->plan); /* half a plan is none */
		say_error(en, e);
		return -1;
	}
	int64_t planned = own_clock();
	apply_plan(en, cpu.mode == ROUND_WATCH || en->foreign_plan ? NULL : &cpu,
		memory.mode == ROUND_WATCH ? NULL : &memory);
	en->cost = (struct step_cost){planned - sampled, own_clock() - planned};
	tell_decision(en);
	return 0;
}
