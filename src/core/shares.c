/* SPDX-License-Identifier: MIT */
/* CPU shares, where no placement helps: each guest's group has the same weight however many vCPUs it has, so
 * on a full host a guest with many busy vCPUs gets less for each of them. It is lifted towards what it would
 * have if all busy vCPUs were equal, in steps, each looked at again. Invariant: never
 * above that, never above what its found shares say of it when they are below the rule, and never while a
 * pCPU that it may use has room. Knows no libvirt and no control groups. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/config.h"
#include "vmtop/control.h"
#include "vmtop/err.h"

#define S_NS INT64_C(1000000000)

enum {
	RULE_WEIGHT = 100,
	MEAN_S = 20,
	SHORT_S = 20, /* it must last */
	GONE_S = 60,  /* so must the end of it */
	TRIAL_S = 60,
	REST_S = 120,
	REST_HARM_S = 600,
	REST_MOST_S = 4 * 3600,
	SETTLED_S = 1800, /* who needed help for so long may have it at once again */
	LIFTS_MOST = 8,   /* in one round */
	STEP = 4,         /* times what it had */
	TIMES_MOST = 16,  /* times what was found */
};
/* Of what it wants: waiting that counts; by so much less than the others get; worth a change; told apart. */
static const double waits_part = .2, less_part = .9, worth = 1.25, told = .05;

struct past {
	uint32_t birth;
	int64_t since_ns, lifted_ns, rest_until_ns;
	double used, wait;         /* pCPUs, means */
	double short_s, gone_s;    /* for so long it has got less than its due, has had no need for more */
	double got_before, rest_s; /* got_before: at the last lift of anybody; below 0: was not there */
	bool in_trial;
	int was; /* shares before the lift that is on trial */
};

/* One VM as it is now. */
struct guest {
	struct past *past;
	struct cpuset place; /* where its vCPUs may run */
	double busy, got;    /* vCPUs that want to run; the part of that which they get */
	double weight;       /* of its group; below 0: not known */
	int now;             /* CPU shares */
};

struct shares_ctl {
	struct past *past; /* by slot */
	struct guest *guests;
	size_t n_past, cap_past, cap_guests;
	struct cpuset usable;
	int64_t last_ns, trial_until_ns; /* 0: no trial */
};

struct shares_ctl *shares_ctl_new(void)
{
	return calloc(1, sizeof(struct shares_ctl));
}

void shares_ctl_free(struct shares_ctl *ctl)
{
	if (!ctl)
		return;
	free(ctl->past);
	free(ctl->guests);
	free(ctl);
}

/* --- what there is ------------------------------------------------------------------------------------ */

static bool room(struct shares_ctl *ctl, const struct round *round)
{
	size_t n = round->model->n_vm_slots;
	if (!array_grow(&ctl->past, &ctl->cap_past, n, sizeof *ctl->past) ||
		!array_grow(&ctl->guests, &ctl->cap_guests, round->sample->n_vms, sizeof *ctl->guests))
		return false;
	for (; ctl->n_past < n; ctl->n_past++)
		memset(&ctl->past[ctl->n_past], 0, sizeof *ctl->past);
	return true;
}

static void take_place(struct guest *guest, const struct round *round, const struct vm_sample *vm)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *vcpu = &round->sample->vcpus[k];
		cpuset_or(&guest->place,
			vcpu->affinity_avail == AVAIL_OK ? &vcpu->affinity : &round->model->vcpus[k].target);
	}
}

static void take_means(struct past *past, const struct vm_rate *rate, int64_t now_ns, double dt_s)
{
	if (past->birth != rate->birth)
		*past = (struct past){.birth = rate->birth, .since_ns = now_ns, .got_before = -1};
	if (!vf64_has(rate->cpu_pct) || !vf64_has(rate->wait_pct))
		return;
	double age_s = (double)(now_ns - past->since_ns) / (double)S_NS;
	double part = age_s <= dt_s ? 1 : fmax(1 - exp(-dt_s / MEAN_S), dt_s / age_s);
	past->used += part * (rate->cpu_pct.v / 100 - past->used);
	past->wait += part * (rate->wait_pct.v / 100 - past->wait);
}

/* The fact may be older than our last change. */
static void take_weight(struct guest *guest, const struct vm_rule *rule, const struct vm_facts *facts)
{
	guest->weight = -1;
	if (!vi64_has(facts->weight) || !vi64_has(facts->cpu_shares) || facts->cpu_shares.v <= 0)
		return;
	guest->now = rule->shares_now > 0 ? rule->shares_now : (int)facts->cpu_shares.v;
	guest->weight = (double)facts->weight.v * guest->now / (double)facts->cpu_shares.v;
}

static void look(struct shares_ctl *ctl, const struct round *round)
{
	const struct sample *sample = round->sample;
	double dt_s = ctl->last_ns ? fmax(0, (double)(sample->time_ns - ctl->last_ns) / (double)S_NS) : 0;
	ctl->last_ns = sample->time_ns;
	sample_usable(sample, &ctl->usable);
	for (size_t i = 0; i < sample->n_vms; i++) {
		struct guest *guest = &ctl->guests[i];
		const struct vm_rate *rate = &round->model->vms[i];
		memset(guest, 0, sizeof *guest);
		guest->past = &ctl->past[rate->slot];
		take_means(guest->past, rate, sample->time_ns, dt_s);
		take_place(guest, round, &sample->vms[i]);
		take_weight(guest, &round->rules->vms[i], &sample->vms[i].facts);
		guest->busy = guest->past->used + guest->past->wait;
		guest->got = guest->busy > 0 ? guest->past->used / guest->busy : 1;
	}
}

/* How much of these pCPUs idles, in percent of one; below 0: not known. */
static double idle_pct(
	const struct shares_ctl *ctl, const struct round *round, const struct cpuset *place, int *n)
{
	double sum = 0;
	*n = 0;
	for (size_t i = 0; i < round->sample->host.n_pcpus; i++) {
		const struct pcpu_rate *rate = &round->model->pcpus[i];
		int id = round->sample->host.pcpus[i].id;
		if (!cpuset_has(place, id) || !cpuset_has(&ctl->usable, id))
			continue;
		struct vf64 busy = vf64_has(rate->busy_pct) ? rate->busy_pct : rate->load_pct;
		if (!vf64_has(busy))
			return -1;
		sum += fmax(0, 100 - busy.v);
		(*n)++;
	}
	return *n ? sum : -1;
}

/* Those who may run where it may, together. */
struct others {
	double used, busy, weight; /* weight: of each of their busy vCPUs, times those */
	bool known;
};

static void see_others(
	const struct shares_ctl *ctl, const struct round *round, size_t vm, struct others *others)
{
	const struct guest *g = &ctl->guests[vm];
	*others = (struct others){.known = true};
	for (size_t i = 0; i < round->sample->n_vms; i++) {
		const struct guest *k = &ctl->guests[i];
		if (i == vm || k->busy < .01 || !cpuset_intersects(&k->place, &g->place))
			continue;
		others->known &= k->weight > 0;
		others->used += k->got * k->busy;
		others->busy += k->busy;
		others->weight += k->busy * k->weight / fmax(1, k->busy);
	}
}

/* The weight at which each of its busy vCPUs counts as much as those of the others. Who was given less than
 * the rule gets less of that, too. */
static double due(const struct guest *guest, const struct others *others, double found)
{
	double each = others->busy > 0 ? others->weight / others->busy : 0;
	return fmin(
		fmin(each * fmax(1, guest->busy) * fmin(1, found / RULE_WEIGHT), found * TIMES_MOST), 10000);
}

static double weight_found(const struct guest *guest, const struct vm_rule *rule)
{
	return rule->shares_found > 0 ? guest->weight * rule->shares_found / guest->now : guest->weight;
}

/* --- actions ------------------------------------------------------------------------------------------ */

static struct action *change(
	const struct shares_ctl *ctl, const struct round *round, size_t vm, int to, struct plan *plan)
{
	struct action *action = plan_add(plan, ACTION_SHARES);
	if (!action)
		return NULL;
	memcpy(action->uuid, round->sample->vms[vm].uuid, UUID_BYTES);
	action->vm = vm;
	action->from_shares = ctl->guests[vm].now;
	action->to_shares = to;
	return action;
}

/* It gets less of what it wants than the others, and placement cannot help. */
static bool falls_short(
	const struct shares_ctl *ctl, const struct round *round, size_t vm, const struct others *others)
{
	const struct guest *guest = &ctl->guests[vm];
	int n;
	double idle = idle_pct(ctl, round, &guest->place, &n);
	return others->busy > 0 && guest->got < less_part * others->used / others->busy && idle >= 0 &&
	       idle <= fmax(50, 3 * n);
}

static bool may_lift(const struct shares_ctl *ctl, const struct round *round, size_t vm)
{
	const struct vm_rule *rule = &round->rules->vms[vm];
	return rule->cpu == REASON_NONE && !rule->shares_rest &&
	       ctl->last_ns >= ctl->guests[vm].past->rest_until_ns;
}

/* 1: lifted, 0: not, -1: out of memory. */
static int lift(
	struct shares_ctl *ctl, const struct round *round, size_t vm, struct plan *plan, struct why *why)
{
	struct guest *guest = &ctl->guests[vm];
	struct past *past = guest->past;
	struct others others;
	if (past->wait < fmax(.1, waits_part * guest->busy) || !may_lift(ctl, round, vm)) {
		past->short_s = 0;
		return 0;
	}
	see_others(ctl, round, vm, &others);
	past->short_s = falls_short(ctl, round, vm, &others) ? past->short_s + round->model->elapsed_s : 0;
	if (past->short_s < SHORT_S)
		return 0;
	if (guest->weight <= 0 || !others.known) {
		why_set(why, REASON_NO_DATA,
			"not available: what CPU shares the guests have is not known here");
		return 0;
	}
	double most = due(guest, &others, weight_found(guest, &round->rules->vms[vm]));
	int to = (int)lrint(guest->now * fmin(STEP, most / guest->weight));
	if (most < worth * guest->weight || to <= guest->now || to > CPU_SHARES_MOST)
		return 0;
	struct action *action = change(ctl, round, vm, to, plan);
	if (!action)
		return -1;
	why_set(&action->why, REASON_LIFT,
		"its %.1f busy vCPUs get %.0f %% of what they want, those of others here %.0f %%, and no pCPU has room; "
		"as equals it would have %.0f shares",
		guest->busy, 100 * guest->got, 100 * others.used / others.busy,
		guest->now * most / guest->weight);
	return 1;
}

/* Why it needs less than it has; where to it goes, 0: it stays. */
static int lower_to(struct shares_ctl *ctl, const struct round *round, size_t vm, struct why *why)
{
	const struct guest *guest = &ctl->guests[vm];
	const struct vm_rule *rule = &round->rules->vms[vm];
	struct others others;
	int n;
	if (!round->cfg->shares) {
		why_set(why, REASON_LOWER, "as found: shares are switched off");
		return rule->shares_found;
	}
	double idle = idle_pct(ctl, round, &guest->place, &n), found = weight_found(guest, rule);
	see_others(ctl, round, vm, &others);
	double most = fmax(found, due(guest, &others, found));
	bool calm = idle > fmax(100, 10 * n), high = others.known && guest->weight > worth * most;
	guest->past->gone_s = calm || high ? guest->past->gone_s + round->model->elapsed_s : 0;
	if (guest->past->gone_s < (calm ? GONE_S : MEAN_S))
		return 0;
	why_set(why, REASON_LOWER,
		calm ? "as found: pCPUs that it may use have had room for a minute"
		     : "its %.1f busy vCPUs are due less than that by now",
		guest->busy);
	int to = (int)lrint(guest->now * most / guest->weight);
	return calm || most < worth * found ? rule->shares_found : to;
}

static int lower(struct shares_ctl *ctl, const struct round *round, size_t vm, struct plan *plan)
{
	const struct vm_rule *rule = &round->rules->vms[vm];
	struct why why = {0};
	if (rule->shares_now <= 0 || rule->shares_now == rule->shares_found || rule->cpu != REASON_NONE ||
		ctl->guests[vm].weight <= 0)
		return 0;
	int to = lower_to(ctl, round, vm, &why);
	if (to <= 0 || to == ctl->guests[vm].now)
		return 0;
	struct action *action = change(ctl, round, vm, to, plan);
	if (!action)
		return -1;
	action->why = why;
	return 1;
}

/* --- look again --------------------------------------------------------------------------------------- */

/* Who gets less than before, and less than those who were lifted; n_vms: nobody. */
static size_t who_pays(const struct shares_ctl *ctl, const struct round *round)
{
	double least = 1;
	for (size_t i = 0; i < round->sample->n_vms; i++)
		if (ctl->guests[i].past->in_trial)
			least = fmin(least, ctl->guests[i].got);
	size_t i = 0;
	for (; i < round->sample->n_vms; i++) {
		const struct guest *guest = &ctl->guests[i];
		bool less = guest->got < guest->past->got_before - told && guest->got < least - told;
		if (less && !guest->past->in_trial && guest->past->wait >= .1)
			break;
	}
	return i;
}

/* After a lift: no good, or at the cost of somebody who has less now, is taken back. */
static int review(struct shares_ctl *ctl, const struct round *round, struct plan *plan)
{
	size_t pays = who_pays(ctl, round);
	for (size_t i = 0; i < round->sample->n_vms; i++) {
		const struct guest *guest = &ctl->guests[i];
		const struct vm_rule *rule = &round->rules->vms[i];
		bool helped = guest->got > guest->past->got_before * (1 + told);
		if (!guest->past->in_trial)
			continue;
		guest->past->in_trial = false;
		if ((helped && pays == round->sample->n_vms) || rule->cpu != REASON_NONE ||
			guest->weight <= 0 || rule->shares_now <= 0 || rule->shares_now == guest->past->was)
			continue;
		struct action *action = change(ctl, round, i, guest->past->was, plan);
		if (!action)
			return -1;
		why_set(&action->why, REASON_TAKE_BACK,
			pays < round->sample->n_vms
				? "another guest got less than this one for it: it gets %.0f %% of what it wants, before %.0f %%"
				: "it did not help: it gets %.0f %% of what it wants, before %.0f %%",
			100 * guest->got, 100 * guest->past->got_before);
	}
	ctl->trial_until_ns = 0;
	return 0;
}

static void trial_close(struct shares_ctl *ctl)
{
	for (size_t i = 0; i < ctl->n_past; i++)
		ctl->past[i].in_trial = false;
	ctl->trial_until_ns = 0;
}

static bool any_ours(const struct round *round)
{
	for (size_t i = 0; i < round->sample->n_vms; i++)
		if (round->rules->vms[i].shares_now > 0)
			return true;
	return false;
}

static bool has_pins(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->actions[i].kind == ACTION_PIN)
			return true;
	return false;
}

static int plan_changes(struct shares_ctl *ctl, const struct round *round, struct plan *plan, struct why *why)
{
	bool placing = has_pins(plan);
	size_t lifts = 0;
	if (ctl->trial_until_ns && ctl->last_ns >= ctl->trial_until_ns)
		return review(ctl, round, plan);
	for (size_t i = 0; i < round->sample->n_vms; i++) {
		int rc = lower(ctl, round, i, plan);
		bool may = rc == 0 && round->cfg->shares && !placing && !ctl->trial_until_ns &&
			   lifts < LIFTS_MOST;
		if (may)
			rc = lift(ctl, round, i, plan, why);
		if (rc < 0)
			return -1;
		lifts += may && rc > 0;
	}
	return 0;
}

int shares_ctl_plan(struct shares_ctl *ctl, const struct round *round, struct plan *plan, struct why *why,
	struct err *err)
{
	size_t before = plan->n;
	*why = (struct why){0};
	if (!round->cfg->shares && !any_ours(round))
		return 0;
	if (!room(ctl, round))
		return err_set(err, ERR_NOMEM, "out of memory");
	look(ctl, round);
	if (!round->cfg->auto_cpu) /* the user has taken over */
		trial_close(ctl);
	if (round->mode != ROUND_AUTO || round->model->window_s <= 0)
		return 0;
	if (plan_changes(ctl, round, plan, why) == 0)
		return 0;
	plan->n = before;
	return err_set(err, ERR_NOMEM, "out of memory");
}

static void rests(struct shares_ctl *ctl, struct past *past, double least_s)
{
	bool settled = ctl->last_ns - past->lifted_ns > SETTLED_S * S_NS;
	past->rest_s = settled ? least_s : fmin(REST_MOST_S, fmax(least_s, 2 * past->rest_s));
	past->rest_until_ns = ctl->last_ns + (int64_t)(past->rest_s * (double)S_NS);
	past->gone_s = 0;
}

void shares_ctl_applied(struct shares_ctl *ctl, const struct round *round, const struct plan *plan)
{
	bool any = false;
	for (size_t i = 0; i < plan->n; i++) {
		const struct action *action = &plan->actions[i];
		size_t slot = round->model->vms[action->vm].slot;
		/* Put back while the setting is off: nothing is known of it here. */
		if (action->kind != ACTION_SHARES || action->outcome != OUTCOME_DONE || slot >= ctl->n_past)
			continue;
		struct past *past = &ctl->past[slot];
		past->short_s = 0;
		if (action->why.code == REASON_LIFT) {
			any = past->in_trial = true;
			past->was = action->from_shares;
			past->lifted_ns = ctl->last_ns;
		} else if (action->why.code == REASON_TAKE_BACK ||
			   action->to_shares == round->rules->vms[action->vm].shares_found) {
			rests(ctl, past, action->why.code == REASON_TAKE_BACK ? REST_HARM_S : REST_S);
		}
	}
	if (!any)
		return;
	for (size_t i = 0; i < round->sample->n_vms; i++)
		ctl->guests[i].past->got_before = ctl->guests[i].got;
	ctl->trial_until_ns = ctl->last_ns + TRIAL_S * S_NS;
}
