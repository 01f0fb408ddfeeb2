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

void shares_ctl_free(struct shares_ctl *c)
{
	if (!c)
		return;
	free(c->past);
	free(c->guests);
	free(c);
}

/* --- what there is ------------------------------------------------------------------------------------ */

static bool room(struct shares_ctl *c, const struct round *r)
{
	size_t n = r->model->n_vm_slots;
	if (!array_grow(&c->past, &c->cap_past, n, sizeof *c->past) ||
		!array_grow(&c->guests, &c->cap_guests, r->sample->n_vms, sizeof *c->guests))
		return false;
	for (; c->n_past < n; c->n_past++)
		memset(&c->past[c->n_past], 0, sizeof *c->past);
	return true;
}

static void take_place(struct guest *g, const struct round *r, const struct vm_sample *vm)
{
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		const struct vcpu_sample *v = &r->sample->vcpus[k];
		cpuset_or(
			&g->place, v->affinity_avail == AVAIL_OK ? &v->affinity : &r->model->vcpus[k].target);
	}
}

static void take_means(struct past *p, const struct vm_rate *rate, int64_t now_ns, double dt_s)
{
	if (p->birth != rate->birth)
		*p = (struct past){.birth = rate->birth, .since_ns = now_ns, .got_before = -1};
	if (!vf64_has(rate->cpu_pct) || !vf64_has(rate->wait_pct))
		return;
	double age_s = (double)(now_ns - p->since_ns) / (double)S_NS;
	double part = age_s <= dt_s ? 1 : fmax(1 - exp(-dt_s / MEAN_S), dt_s / age_s);
	p->used += part * (rate->cpu_pct.v / 100 - p->used);
	p->wait += part * (rate->wait_pct.v / 100 - p->wait);
}

/* The fact may be older than our last change. */
static void take_weight(struct guest *g, const struct vm_rule *rule, const struct vm_facts *f)
{
	g->weight = -1;
	if (!vi64_has(f->weight) || !vi64_has(f->cpu_shares) || f->cpu_shares.v <= 0)
		return;
	g->now = rule->shares_now > 0 ? rule->shares_now : (int)f->cpu_shares.v;
	g->weight = (double)f->weight.v * g->now / (double)f->cpu_shares.v;
}

static void look(struct shares_ctl *c, const struct round *r)
{
	const struct sample *s = r->sample;
	double dt_s = c->last_ns ? fmax(0, (double)(s->time_ns - c->last_ns) / (double)S_NS) : 0;
	c->last_ns = s->time_ns;
	sample_usable(s, &c->usable);
	for (size_t i = 0; i < s->n_vms; i++) {
		struct guest *g = &c->guests[i];
		const struct vm_rate *rate = &r->model->vms[i];
		memset(g, 0, sizeof *g);
		g->past = &c->past[rate->slot];
		take_means(g->past, rate, s->time_ns, dt_s);
		take_place(g, r, &s->vms[i]);
		take_weight(g, &r->rules->vms[i], &s->vms[i].facts);
		g->busy = g->past->used + g->past->wait;
		g->got = g->busy > 0 ? g->past->used / g->busy : 1;
	}
}

/* How much of these pCPUs idles, in percent of one; below 0: not known. */
static double idle_pct(const struct shares_ctl *c, const struct round *r, const struct cpuset *place, int *n)
{
	double sum = 0;
	*n = 0;
	for (size_t i = 0; i < r->sample->host.n_pcpus; i++) {
		const struct pcpu_rate *p = &r->model->pcpus[i];
		int id = r->sample->host.pcpus[i].id;
		if (!cpuset_has(place, id) || !cpuset_has(&c->usable, id))
			continue;
		struct vf64 busy = vf64_has(p->busy_pct) ? p->busy_pct : p->load_pct;
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

static void see_others(const struct shares_ctl *c, const struct round *r, size_t vm, struct others *o)
{
	const struct guest *g = &c->guests[vm];
	*o = (struct others){.known = true};
	for (size_t i = 0; i < r->sample->n_vms; i++) {
		const struct guest *k = &c->guests[i];
		if (i == vm || k->busy < .01 || !cpuset_intersects(&k->place, &g->place))
			continue;
		o->known &= k->weight > 0;
		o->used += k->got * k->busy;
		o->busy += k->busy;
		o->weight += k->busy * k->weight / fmax(1, k->busy);
	}
}

/* The weight at which each of its busy vCPUs counts as much as those of the others. Who was given less than
 * the rule gets less of that, too. */
static double due(const struct guest *g, const struct others *o, double found)
{
	double each = o->busy > 0 ? o->weight / o->busy : 0;
	return fmin(fmin(each * fmax(1, g->busy) * fmin(1, found / RULE_WEIGHT), found * TIMES_MOST), 10000);
}

static double weight_found(const struct guest *g, const struct vm_rule *rule)
{
	return rule->shares_found > 0 ? g->weight * rule->shares_found / g->now : g->weight;
}

/* --- actions ------------------------------------------------------------------------------------------ */

static struct action *change(
	const struct shares_ctl *c, const struct round *r, size_t vm, int to, struct plan *plan)
{
	struct action *a = plan_add(plan, ACTION_SHARES);
	if (!a)
		return NULL;
	memcpy(a->uuid, r->sample->vms[vm].uuid, UUID_BYTES);
	a->vm = vm;
	a->from_shares = c->guests[vm].now;
	a->to_shares = to;
	return a;
}

/* It gets less of what it wants than the others, and placement cannot help. */
static bool falls_short(const struct shares_ctl *c, const struct round *r, size_t vm, const struct others *o)
{
	const struct guest *g = &c->guests[vm];
	int n;
	double idle = idle_pct(c, r, &g->place, &n);
	return o->busy > 0 && g->got < less_part * o->used / o->busy && idle >= 0 && idle <= fmax(50, 3 * n);
}

static bool may_lift(const struct shares_ctl *c, const struct round *r, size_t vm)
{
	const struct vm_rule *rule = &r->rules->vms[vm];
	return rule->cpu == REASON_NONE && !rule->shares_rest &&
	       c->last_ns >= c->guests[vm].past->rest_until_ns;
}

/* 1: lifted, 0: not, -1: out of memory. */
static int lift(struct shares_ctl *c, const struct round *r, size_t vm, struct plan *plan, struct why *why)
{
	struct guest *g = &c->guests[vm];
	struct past *p = g->past;
	struct others o;
	if (p->wait < fmax(.1, waits_part * g->busy) || !may_lift(c, r, vm)) {
		p->short_s = 0;
		return 0;
	}
	see_others(c, r, vm, &o);
	p->short_s = falls_short(c, r, vm, &o) ? p->short_s + r->model->elapsed_s : 0;
	if (p->short_s < SHORT_S)
		return 0;
	if (g->weight <= 0 || !o.known) {
		why_set(why, REASON_NO_DATA,
			"not available: what CPU shares the guests have is not known here");
		return 0;
	}
	double most = due(g, &o, weight_found(g, &r->rules->vms[vm]));
	int to = (int)lrint(g->now * fmin(STEP, most / g->weight));
	if (most < worth * g->weight || to <= g->now || to > CPU_SHARES_MOST)
		return 0;
	struct action *a = change(c, r, vm, to, plan);
	if (!a)
		return -1;
	why_set(&a->why, REASON_LIFT,
		"its %.1f busy vCPUs get %.0f %% of what they want, those of others here %.0f %%, and no pCPU has room; "
		"as equals it would have %.0f shares",
		g->busy, 100 * g->got, 100 * o.used / o.busy, g->now * most / g->weight);
	return 1;
}

/* Why it needs less than it has; where to it goes, 0: it stays. */
static int lower_to(struct shares_ctl *c, const struct round *r, size_t vm, struct why *why)
{
	const struct guest *g = &c->guests[vm];
	const struct vm_rule *rule = &r->rules->vms[vm];
	struct others o;
	int n;
	if (!r->cfg->shares) {
		why_set(why, REASON_LOWER, "as found: shares are switched off");
		return rule->shares_found;
	}
	double idle = idle_pct(c, r, &g->place, &n), found = weight_found(g, rule);
	see_others(c, r, vm, &o);
	double most = fmax(found, due(g, &o, found));
	bool calm = idle > fmax(100, 10 * n), high = o.known && g->weight > worth * most;
	g->past->gone_s = calm || high ? g->past->gone_s + r->model->elapsed_s : 0;
	if (g->past->gone_s < (calm ? GONE_S : MEAN_S))
		return 0;
	why_set(why, REASON_LOWER,
		calm ? "as found: pCPUs that it may use have had room for a minute"
		     : "its %.1f busy vCPUs are due less than that by now",
		g->busy);
	int to = (int)lrint(g->now * most / g->weight);
	return calm || most < worth * found ? rule->shares_found : to;
}

static int lower(struct shares_ctl *c, const struct round *r, size_t vm, struct plan *plan)
{
	const struct vm_rule *rule = &r->rules->vms[vm];
	struct why why = {0};
	if (rule->shares_now <= 0 || rule->shares_now == rule->shares_found || rule->cpu != REASON_NONE ||
		c->guests[vm].weight <= 0)
		return 0;
	int to = lower_to(c, r, vm, &why);
	if (to <= 0 || to == c->guests[vm].now)
		return 0;
	struct action *a = change(c, r, vm, to, plan);
	if (!a)
		return -1;
	a->why = why;
	return 1;
}

/* --- look again --------------------------------------------------------------------------------------- */

/* Who gets less than before, and less than those who were lifted; n_vms: nobody. */
static size_t who_pays(const struct shares_ctl *c, const struct round *r)
{
	double least = 1;
	for (size_t i = 0; i < r->sample->n_vms; i++)
		if (c->guests[i].past->in_trial)
			least = fmin(least, c->guests[i].got);
	size_t i = 0;
	for (; i < r->sample->n_vms; i++) {
		const struct guest *k = &c->guests[i];
		bool less = k->got < k->past->got_before - told && k->got < least - told;
		if (less && !k->past->in_trial && k->past->wait >= .1)
			break;
	}
	return i;
}

/* After a lift: no good, or at the cost of somebody who has less now, is taken back. */
static int review(struct shares_ctl *c, const struct round *r, struct plan *plan)
{
	size_t pays = who_pays(c, r);
	for (size_t i = 0; i < r->sample->n_vms; i++) {
		const struct guest *g = &c->guests[i];
		const struct vm_rule *rule = &r->rules->vms[i];
		bool helped = g->got > g->past->got_before * (1 + told);
		if (!g->past->in_trial)
			continue;
		g->past->in_trial = false;
		if ((helped && pays == r->sample->n_vms) || rule->cpu != REASON_NONE || g->weight <= 0 ||
			rule->shares_now <= 0 || rule->shares_now == g->past->was)
			continue;
		struct action *a = change(c, r, i, g->past->was, plan);
		if (!a)
			return -1;
		why_set(&a->why, REASON_TAKE_BACK,
			pays < r->sample->n_vms
				? "another guest got less than this one for it: it gets %.0f %% of what it wants, before %.0f %%"
				: "it did not help: it gets %.0f %% of what it wants, before %.0f %%",
			100 * g->got, 100 * g->past->got_before);
	}
	c->trial_until_ns = 0;
	return 0;
}

static void trial_close(struct shares_ctl *c)
{
	for (size_t i = 0; i < c->n_past; i++)
		c->past[i].in_trial = false;
	c->trial_until_ns = 0;
}

static bool any_ours(const struct round *r)
{
	for (size_t i = 0; i < r->sample->n_vms; i++)
		if (r->rules->vms[i].shares_now > 0)
			return true;
	return false;
}

static bool has_pins(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->actions[i].kind == ACTION_PIN)
			return true;
	return false;
}

static int plan_changes(struct shares_ctl *c, const struct round *r, struct plan *plan, struct why *why)
{
	bool placing = has_pins(plan);
	size_t lifts = 0;
	if (c->trial_until_ns && c->last_ns >= c->trial_until_ns)
		return review(c, r, plan);
	for (size_t i = 0; i < r->sample->n_vms; i++) {
		int rc = lower(c, r, i, plan);
		bool may = rc == 0 && r->cfg->shares && !placing && !c->trial_until_ns && lifts < LIFTS_MOST;
		rc = may ? lift(c, r, i, plan, why) : rc;
		if (rc < 0)
			return -1;
		lifts += may && rc > 0;
	}
	return 0;
}

int shares_ctl_plan(
	struct shares_ctl *c, const struct round *r, struct plan *plan, struct why *why, struct err *e)
{
	size_t before = plan->n;
	*why = (struct why){0};
	if (!r->cfg->shares && !any_ours(r))
		return 0;
	if (!room(c, r))
		return err_set(e, ERR_NOMEM, "out of memory");
	look(c, r);
	if (!r->cfg->auto_cpu) /* the user has taken over */
		trial_close(c);
	if (r->mode != ROUND_AUTO || r->model->window_s <= 0)
		return 0;
	if (plan_changes(c, r, plan, why) == 0)
		return 0;
	plan->n = before;
	return err_set(e, ERR_NOMEM, "out of memory");
}

static void rests(struct shares_ctl *c, struct past *p, double least_s)
{
	bool settled = c->last_ns - p->lifted_ns > SETTLED_S * S_NS;
	p->rest_s = settled ? least_s : fmin(REST_MOST_S, fmax(least_s, 2 * p->rest_s));
	p->rest_until_ns = c->last_ns + (int64_t)(p->rest_s * (double)S_NS);
	p->gone_s = 0;
}

void shares_ctl_applied(struct shares_ctl *c, const struct round *r, const struct plan *plan)
{
	bool any = false;
	for (size_t i = 0; i < plan->n; i++) {
		const struct action *a = &plan->actions[i];
		size_t slot = r->model->vms[a->vm].slot;
		/* Put back while the setting is off: nothing is known of it here. */
		if (a->kind != ACTION_SHARES || a->outcome != OUTCOME_DONE || slot >= c->n_past)
			continue;
		struct past *p = &c->past[slot];
		p->short_s = 0;
		if (a->why.code == REASON_LIFT) {
			any = p->in_trial = true;
			p->was = a->from_shares;
			p->lifted_ns = c->last_ns;
		} else if (a->why.code == REASON_TAKE_BACK ||
			   a->to_shares == r->rules->vms[a->vm].shares_found) {
			rests(c, p, a->why.code == REASON_TAKE_BACK ? REST_HARM_S : REST_S);
		}
	}
	if (!any)
		return;
	for (size_t i = 0; i < r->sample->n_vms; i++)
		c->guests[i].past->got_before = c->guests[i].got;
	c->trial_until_ns = c->last_ns + TRIAL_S * S_NS;
}
