/* SPDX-License-Identifier: MIT */
/* Counters and largest values over all snapshots. Invariant: within the life of a VM no total goes down, and
 * what was never known stays absent. Objects are told apart as samples are sorted: VMs by UUID, the rest by
 * number. */
#include "vmtop/tally.h"
#include "vmtop/minmax.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"

enum { LONGEST_S = 60 }; /* a state seen after a longer gap is not put to the whole of it */

static int64_t added(int64_t total, int64_t more)
{
	return total > INT64_MAX - more ? more : total + more; /* a hostile guest's counter: begins anew */
}

static void add(struct vi64 *total, int64_t more)
{
	*total = vi64_ok(added(total->v, more));
}

/* Returns what was added. A source that falls far back has begun anew; one that falls back a little was read
 * in two ways, and is waited for. */
static int64_t count(struct tally_count *c, struct vi64 now)
{
	if (!vi64_has(now))
		return 0;
	int64_t more = now.v - c->last;
	if (more < 0)
		more = now.v < c->last / 2 ? now.v : 0;
	if (more > 0 || now.v == 0)
		c->last = now.v;
	add(&c->total, more);
	return more;
}

/* --- largest values ------------------------------------------------------------------------------------- */

static void most_init(struct tally_most *m)
{
	for (int i = 0; i < TALLY_BUCKETS; i++)
		m->in[i] = -1;
	m->most = vf64_absent(AVAIL_FIRST);
}

/* `turns` buckets have begun since the last time; now: NAN for not known. */
static void most_feed(struct tally_most *m, const struct tally *t, int turns, double now)
{
	float most = -1;
	for (int i = 0; i < turns; i++)
		m->in[(t->bucket + TALLY_BUCKETS - i) % TALLY_BUCKETS] = -1;
	if (now >= 0)
		m->in[t->bucket] = max_of(m->in[t->bucket], (float)now);
	for (int i = 0; i < TALLY_BUCKETS; i++)
		most = max_of(most, m->in[i]);
	m->most = most < 0 ? vf64_absent(AVAIL_NONE) : vf64_ok((double)most);
}

static double or_nan(struct vf64 x)
{
	return vf64_or(x, NAN);
}

/* --- one step ------------------------------------------------------------------------------------------- */

struct step {
	const struct snapshot *s;
	int64_t gap_ns;   /* since the sample before; 0: there is none, or it is the same */
	int64_t state_ns; /* of it, what a state that is seen now stands for */
	int turns;
};

static const size_t count_at[VM_COUNT_COUNT] = {
#define VM_COUNT_AT(name, member) offsetof(struct vm_sample, member),
	VM_COUNTS(VM_COUNT_AT)
#undef VM_COUNT_AT
};

static void vcpu_born(struct vcpu_tally *v, int id)
{
	memset(v, 0, sizeof *v);
	v->id = id;
	most_init(&v->wait_most);
}

static void vm_born(struct vm_tally *m, const struct vm_sample *vm)
{
	struct tally_most *const most[] = {&m->wait, &m->score, &m->hung, &m->age, &m->wanted};
	memset(m, 0, sizeof *m);
	memcpy(m->uuid, vm->uuid, UUID_BYTES);
	m->id = vm->id;
	for (size_t i = 0; i < sizeof most / sizeof *most; i++)
		most_init(most[i]);
	m->starved_ns = m->hung_ns = vi64_ok(0);
}

/* Percent of the time since the last sample that it waited; NAN: not known. */
static double vcpu_step(const struct step *x, struct tally *t, struct vm_tally *m, size_t i)
{
	const struct vcpu_sample *c = &x->s->sample.vcpus[i];
	struct vcpu_tally *v = &t->vcpus[i];
	bool rated = vi64_has(v->wait.total) && vi64_has(c->delay_ns) && x->gap_ns > 0;
	int64_t ran = count(&v->run, c->time_ns), waited = count(&v->wait, c->delay_ns);
	double share = rated ? fmin(100, 100.0 * (double)waited / (double)x->gap_ns) : NAN;
	if (vi64_has(c->time_ns))
		add(&m->run_ns, ran);
	if (vi64_has(c->delay_ns))
		add(&m->wait_ns, waited);
	most_feed(&v->wait_most, t, x->turns, share);
	return share;
}

/* worst: of them, what one waited; wanted: what all ran and waited, where all are known. */
static void vcpus_step(const struct step *x, struct tally *t, size_t i, double *worst, double *wanted)
{
	const struct vm_sample *vm = &x->s->sample.vms[i];
	struct vm_tally *m = &t->vms[i];
	int64_t was = m->run_ns.v + m->wait_ns.v;
	bool all = vm->n_vcpus > 0;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		double share = vcpu_step(x, t, m, k);
		*worst = fmax(*worst, share); /* of a number and NAN it is the number */
		all &= !isnan(share);
	}
	if (all)
		*wanted = fmin(100.0 * (double)(m->run_ns.v + m->wait_ns.v - was) / (double)x->gap_ns,
			100.0 * (double)vm->n_vcpus);
}

static void vm_alarms(const struct step *x, struct vm_tally *m, const struct suffering *f)
{
	bool on[ALARM_COUNT] = {false};
	for (int i = 0; i < f->n; i++)
		on[cause_alarm(f->found[i].cause)] = true;
	for (int a = 0; a < ALARM_COUNT; a++)
		m->alarm_ns[a] = added(m->alarm_ns[a], on[a] ? x->state_ns : 0);
}

static void vm_step(const struct step *x, struct tally *t, size_t i)
{
	const struct vm_sample *vm = &x->s->sample.vms[i];
	const struct suffering *f = &x->s->vm_status[i].suffer;
	struct vm_tally *m = &t->vms[i];
	double worst = NAN, wanted = NAN;
	for (int k = 0; k < VM_COUNT_COUNT; k++) {
		struct vi64 now;
		memcpy(&now, (const char *)vm + count_at[k], sizeof now);
		count(&m->count[k], now);
	}
	vcpus_step(x, t, i, &worst, &wanted);
	add(&m->starved_ns, worst >= STARVED_PCT ? x->state_ns : 0);
	add(&m->hung_ns, vm->hung_since_ns ? x->state_ns : 0);
	vm_alarms(x, m, f);
	m->score_pct = f->n || vf64_has(f->got_pct) ? vf64_ok(f->score_pct) : f->got_pct;
	m->hung_s = vf64_ok(
		vm->hung_since_ns ? fmax(0, (double)(x->s->sample.time_ns - vm->hung_since_ns) / 1e9) : 0);
	most_feed(&m->wait, t, x->turns, worst);
	most_feed(&m->wanted, t, x->turns, wanted);
	most_feed(&m->score, t, x->turns, or_nan(m->score_pct));
	most_feed(&m->hung, t, x->turns, m->hung_s.v);
	most_feed(&m->age, t, x->turns, or_nan(x->s->vm_rates[i].age_s));
}

/* --- who is who ----------------------------------------------------------------------------------------- */

static bool make_room(struct tally *t, const struct sample *s)
{
	return array_grow(&t->old_vms, &t->cap[3], s->n_vms, sizeof *t->vms) &&
	       array_grow(&t->old_vcpus, &t->cap[4], s->n_vcpus, sizeof *t->vcpus) &&
	       array_grow(&t->old_pcpus, &t->cap[5], s->host.n_pcpus, sizeof *t->pcpus);
}

#define SWAP(type, a, b)                                                                                     \
	do {                                                                                                 \
		type swap_ = (a);                                                                            \
		(a) = (b);                                                                                   \
		(b) = swap_;                                                                                 \
	} while (0)

static void turn_over(struct tally *t)
{
	SWAP(struct vm_tally *, t->vms, t->old_vms);
	SWAP(struct vcpu_tally *, t->vcpus, t->old_vcpus);
	SWAP(struct pcpu_tally *, t->pcpus, t->old_pcpus);
	for (int i = 0; i < 3; i++)
		SWAP(size_t, t->cap[i], t->cap[i + 3]);
	t->n_old_vms = t->n_vms;
	t->n_old_pcpus = t->n_pcpus;
}

static void join_vcpus(struct tally *t, const struct sample *s, size_t i, const struct vm_tally *was)
{
	const struct vm_sample *vm = &s->vms[i];
	size_t j = was ? was->first_vcpu : 0, end = was ? j + was->n_vcpus : 0;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		while (j < end && t->old_vcpus[j].id < s->vcpus[k].id)
			j++;
		if (j < end && t->old_vcpus[j].id == s->vcpus[k].id)
			t->vcpus[k] = t->old_vcpus[j];
		else
			vcpu_born(&t->vcpus[k], s->vcpus[k].id);
		t->vcpus[k].vm = i;
	}
}

/* Another number of libvirt: the VM was started anew. */
static bool same_life(const struct vm_tally *was, const struct vm_sample *vm)
{
	return uuid_compare(was->uuid, vm->uuid) == 0 && (was->id == vm->id || was->id < 0 || vm->id < 0);
}

static void join_vms(struct tally *t, const struct sample *s)
{
	size_t j = 0;
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vm_sample *vm = &s->vms[i];
		while (j < t->n_old_vms && uuid_compare(t->old_vms[j].uuid, vm->uuid) < 0)
			j++;
		const struct vm_tally *was =
			j < t->n_old_vms && same_life(&t->old_vms[j], vm) ? &t->old_vms[j] : NULL;
		if (was)
			t->vms[i] = *was;
		else
			vm_born(&t->vms[i], vm);
		join_vcpus(t, s, i, was);
		t->vms[i].id = vm->id >= 0 ? vm->id : t->vms[i].id;
		t->vms[i].first_vcpu = vm->first_vcpu;
		t->vms[i].n_vcpus = vm->n_vcpus;
	}
	t->n_vms = s->n_vms;
	t->n_vcpus = s->n_vcpus;
}

static void join_pcpus(struct tally *t, const struct host_sample *h)
{
	size_t j = 0;
	for (size_t i = 0; i < h->n_pcpus; i++) {
		while (j < t->n_old_pcpus && t->old_pcpus[j].id < h->pcpus[i].id)
			j++;
		if (j < t->n_old_pcpus && t->old_pcpus[j].id == h->pcpus[i].id)
			t->pcpus[i] = t->old_pcpus[j];
		else
			t->pcpus[i] = (struct pcpu_tally){.id = h->pcpus[i].id};
		if (vi64_has(h->pcpus[i].busy_ns))
			add(&t->busy_ns, count(&t->pcpus[i].busy, h->pcpus[i].busy_ns));
		if (vi64_has(h->pcpus[i].steal_ns))
			add(&t->steal_ns, count(&t->pcpus[i].steal, h->pcpus[i].steal_ns));
	}
	t->n_pcpus = h->n_pcpus;
}

/* --- the host and the policies -------------------------------------------------------------------------- */

static void see_actions(struct tally *t, const struct snapshot *s)
{
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct action *a = &s->actions[i];
		const struct vm_sample *vm = sample_vm_by_uuid(&s->sample, a->uuid);
		if ((unsigned)a->kind >= TALLY_KINDS || (unsigned)a->outcome >= TALLY_OUTCOMES ||
			(unsigned)a->why.code >= REASON_COUNT)
			continue;
		t->changes[a->kind][a->outcome]++;
		t->reasons[a->kind][a->why.code]++;
		if (vm && (size_t)(vm - s->sample.vms) < t->n_vms)
			t->vms[vm - s->sample.vms].changes[a->kind][a->outcome]++;
	}
}

static void see_rounds(struct tally *t, const struct snapshot *s)
{
	const enum reason why[2] = {s->cpu.why.code, s->memory.why.code};
	for (int i = 0; i < 2 && s->tick; i++)
		if ((unsigned)why[i] < REASON_COUNT)
			t->rounds[i][why[i]]++;
}

static void see_sample(struct tally *t, const struct step *x)
{
	const struct sample *s = &x->s->sample;
	turn_over(t);
	join_pcpus(t, &s->host);
	join_vms(t, s);
	for (size_t i = 0; i < s->n_vms; i++)
		vm_step(x, t, i);
	see_rounds(t, x->s);
	if ((unsigned)x->s->memory.state <= HOST_MEM_HARD)
		t->memory_ns[x->s->memory.state] = added(t->memory_ns[x->s->memory.state], x->state_ns);
	t->samples++;
	t->sample_ns = added(t->sample_ns, s->took_ns);
	t->plan_ns = added(t->plan_ns, x->s->cost.plan_ns);
	t->apply_ns = added(t->apply_ns, x->s->cost.apply_ns);
	double took = (double)(s->took_ns + x->s->cost.plan_ns + x->s->cost.apply_ns) / 1e9;
	most_feed(&t->step, t, x->turns, took);
}

/* A recording that is played from an earlier place is another history. */
static void forget(struct tally *t)
{
	t->n_vms = t->n_vcpus = t->n_pcpus = 0;
	t->busy_ns = t->steal_ns = vi64_absent(AVAIL_FIRST);
	t->begun = false;
	most_init(&t->step);
	most_init(&t->age);
}

static struct step step_of(struct tally *t, const struct snapshot *s)
{
	struct step x = {.s = s};
	int64_t bucket_ns = TALLY_BUCKET_S * INT64_C(1000000000), now = s->sample.time_ns;
	if (t->begun) {
		int64_t turns = now / bucket_ns - t->time_ns / bucket_ns;
		x.turns = turns < TALLY_BUCKETS ? (int)turns : TALLY_BUCKETS;
		x.gap_ns = now - t->time_ns;
	}
	double longest_s = fmax(LONGEST_S, 2 * s->delay_s);
	x.state_ns = min_of(x.gap_ns, (int64_t)(longest_s * 1e9));
	t->bucket = (int)(now / bucket_ns % TALLY_BUCKETS);
	return x;
}

int tally_see(struct tally *t, const struct snapshot *s)
{
	if (s->first || (t->begun && s->seq == t->seq))
		return 0;
	if (t->begun && s->sample.time_ns < t->time_ns)
		forget(t);
	bool news = !t->begun || s->sample.time_ns > t->time_ns || s->sample.n_vms != t->n_vms ||
		    s->sample.n_vcpus != t->n_vcpus || s->sample.host.n_pcpus != t->n_pcpus;
	if (news && !make_room(t, &s->sample))
		return -1;
	struct step x = step_of(t, s);
	if (news)
		see_sample(t, &x);
	most_feed(&t->age, t, x.turns, fmax(s->age_s, (double)x.gap_ns / 1e9));
	see_actions(t, s);
	t->begun = true;
	t->seq = s->seq;
	t->time_ns = s->sample.time_ns;
	return 0;
}

/* --- life ----------------------------------------------------------------------------------------------- */

struct tally *tally_new(void)
{
	struct tally *t = calloc(1, sizeof *t);
	if (t)
		forget(t);
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	free(t->vms);
	free(t->vcpus);
	free(t->pcpus);
	free(t->old_vms);
	free(t->old_vcpus);
	free(t->old_pcpus);
	free(t);
}

static void *copied(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1, size);
	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

struct tally *tally_copy(const struct tally *t)
{
	struct tally *to = malloc(sizeof *to);
	if (!to)
		return NULL;
	*to = *t;
	to->old_vms = NULL;
	to->old_vcpus = NULL;
	to->old_pcpus = NULL;
	to->vms = copied(t->vms, t->n_vms, sizeof *t->vms);
	to->vcpus = copied(t->vcpus, t->n_vcpus, sizeof *t->vcpus);
	to->pcpus = copied(t->pcpus, t->n_pcpus, sizeof *t->pcpus);
	if (to->vms && to->vcpus && to->pcpus)
		return to;
	tally_free(to);
	return NULL;
}
