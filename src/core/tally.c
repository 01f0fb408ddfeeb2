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

static void most_init(struct tally_most *most)
{
	for (int i = 0; i < TALLY_BUCKETS; i++)
		most->in[i] = -1;
	most->most = vf64_absent(AVAIL_FIRST);
}

/* `turns` buckets have begun since the last time; now: NAN for not known. */
static void most_feed(struct tally_most *m, const struct tally *tally, int turns, double now)
{
	float most = -1;
	for (int i = 0; i < turns; i++)
		m->in[(tally->bucket + TALLY_BUCKETS - i) % TALLY_BUCKETS] = -1;
	if (now >= 0)
		m->in[tally->bucket] = max_of(m->in[tally->bucket], (float)now);
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
	const struct snapshot *snap;
	int64_t gap_ns;   /* since the sample before; 0: there is none, or it is the same */
	int64_t state_ns; /* of it, what a state that is seen now stands for */
	int turns;
};

static const size_t count_at[VM_COUNT_COUNT] = {
#define VM_COUNT_AT(name, member) offsetof(struct vm_sample, member),
	VM_COUNTS(VM_COUNT_AT)
#undef VM_COUNT_AT
};

static void vcpu_born(struct vcpu_tally *tally, int id)
{
	memset(tally, 0, sizeof *tally);
	tally->id = id;
	most_init(&tally->wait_most);
}

static void vm_born(struct vm_tally *tally, const struct vm_sample *vm)
{
	struct tally_most *const most[] = {
		&tally->wait, &tally->score, &tally->hung, &tally->age, &tally->wanted};
	memset(tally, 0, sizeof *tally);
	memcpy(tally->uuid, vm->uuid, UUID_BYTES);
	tally->id = vm->id;
	for (size_t i = 0; i < sizeof most / sizeof *most; i++)
		most_init(most[i]);
	tally->starved_ns = tally->hung_ns = vi64_ok(0);
}

/* Percent of the time since the last sample that it waited; NAN: not known. */
static double vcpu_step(const struct step *step, struct tally *t, struct vm_tally *m, size_t i)
{
	const struct vcpu_sample *vcpu = &step->snap->sample.vcpus[i];
	struct vcpu_tally *v = &t->vcpus[i];
	bool rated = vi64_has(v->wait.total) && vi64_has(vcpu->delay_ns) && step->gap_ns > 0;
	int64_t ran = count(&v->run, vcpu->time_ns), waited = count(&v->wait, vcpu->delay_ns);
	double share = rated ? fmin(100, 100.0 * (double)waited / (double)step->gap_ns) : NAN;
	if (vi64_has(vcpu->time_ns))
		add(&m->run_ns, ran);
	if (vi64_has(vcpu->delay_ns))
		add(&m->wait_ns, waited);
	most_feed(&v->wait_most, t, step->turns, share);
	return share;
}

/* worst: of them, what one waited; wanted: what all ran and waited, where all are known. */
static void vcpus_step(const struct step *step, struct tally *t, size_t i, double *worst, double *wanted)
{
	const struct vm_sample *vm = &step->snap->sample.vms[i];
	struct vm_tally *m = &t->vms[i];
	int64_t was = m->run_ns.v + m->wait_ns.v;
	bool all = vm->n_vcpus > 0;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		double share = vcpu_step(step, t, m, k);
		*worst = fmax(*worst, share); /* of a number and NAN it is the number */
		all &= !isnan(share);
	}
	if (all)
		*wanted = fmin(100.0 * (double)(m->run_ns.v + m->wait_ns.v - was) / (double)step->gap_ns,
			100.0 * (double)vm->n_vcpus);
}

static void vm_alarms(const struct step *step, struct vm_tally *tally, const struct suffering *hurt)
{
	bool on[ALARM_COUNT] = {false};
	for (int i = 0; i < hurt->n; i++)
		on[cause_alarm(hurt->found[i].cause)] = true;
	for (int a = 0; a < ALARM_COUNT; a++)
		tally->alarm_ns[a] = added(tally->alarm_ns[a], on[a] ? step->state_ns : 0);
}

static void vm_step(const struct step *step, struct tally *t, size_t i)
{
	const struct vm_sample *vm = &step->snap->sample.vms[i];
	const struct suffering *hurt = &step->snap->vm_status[i].suffer;
	struct vm_tally *m = &t->vms[i];
	double worst = NAN, wanted = NAN;
	for (int k = 0; k < VM_COUNT_COUNT; k++) {
		struct vi64 now;
		memcpy(&now, (const char *)vm + count_at[k], sizeof now);
		count(&m->count[k], now);
	}
	vcpus_step(step, t, i, &worst, &wanted);
	add(&m->starved_ns, worst >= STARVED_PCT ? step->state_ns : 0);
	add(&m->hung_ns, vm->hung_since_ns ? step->state_ns : 0);
	vm_alarms(step, m, hurt);
	m->score_pct = hurt->n || vf64_has(hurt->got_pct) ? vf64_ok(hurt->score_pct) : hurt->got_pct;
	m->hung_s = vf64_ok(vm->hung_since_ns
				    ? fmax(0, (double)(step->snap->sample.time_ns - vm->hung_since_ns) / 1e9)
				    : 0);
	most_feed(&m->wait, t, step->turns, worst);
	most_feed(&m->wanted, t, step->turns, wanted);
	most_feed(&m->score, t, step->turns, or_nan(m->score_pct));
	most_feed(&m->hung, t, step->turns, m->hung_s.v);
	most_feed(&m->age, t, step->turns, or_nan(step->snap->vm_rates[i].age_s));
}

/* --- who is who ----------------------------------------------------------------------------------------- */

static bool make_room(struct tally *tally, const struct sample *sample)
{
	return array_grow(&tally->old_vms, &tally->cap[3], sample->n_vms, sizeof *tally->vms) &&
	       array_grow(&tally->old_vcpus, &tally->cap[4], sample->n_vcpus, sizeof *tally->vcpus) &&
	       array_grow(&tally->old_pcpus, &tally->cap[5], sample->host.n_pcpus, sizeof *tally->pcpus);
}

#define SWAP(type, a, b)                                                                                     \
	do {                                                                                                 \
		type swap_ = (a);                                                                            \
		(a) = (b);                                                                                   \
		(b) = swap_;                                                                                 \
	} while (0)

static void turn_over(struct tally *tally)
{
	SWAP(struct vm_tally *, tally->vms, tally->old_vms);
	SWAP(struct vcpu_tally *, tally->vcpus, tally->old_vcpus);
	SWAP(struct pcpu_tally *, tally->pcpus, tally->old_pcpus);
	for (int i = 0; i < 3; i++)
		SWAP(size_t, tally->cap[i], tally->cap[i + 3]);
	tally->n_old_vms = tally->n_vms;
	tally->n_old_pcpus = tally->n_pcpus;
}

static void join_vcpus(struct tally *tally, const struct sample *sample, size_t i, const struct vm_tally *was)
{
	const struct vm_sample *vm = &sample->vms[i];
	size_t j = was ? was->first_vcpu : 0, end = was ? j + was->n_vcpus : 0;
	for (size_t k = vm->first_vcpu; k < vm->first_vcpu + vm->n_vcpus; k++) {
		while (j < end && tally->old_vcpus[j].id < sample->vcpus[k].id)
			j++;
		if (j < end && tally->old_vcpus[j].id == sample->vcpus[k].id)
			tally->vcpus[k] = tally->old_vcpus[j];
		else
			vcpu_born(&tally->vcpus[k], sample->vcpus[k].id);
		tally->vcpus[k].vm = i;
	}
}

/* Another number of libvirt: the VM was started anew. */
static bool same_life(const struct vm_tally *was, const struct vm_sample *vm)
{
	return uuid_compare(was->uuid, vm->uuid) == 0 && (was->id == vm->id || was->id < 0 || vm->id < 0);
}

static void join_vms(struct tally *tally, const struct sample *sample)
{
	size_t j = 0;
	for (size_t i = 0; i < sample->n_vms; i++) {
		const struct vm_sample *vm = &sample->vms[i];
		while (j < tally->n_old_vms && uuid_compare(tally->old_vms[j].uuid, vm->uuid) < 0)
			j++;
		const struct vm_tally *was =
			j < tally->n_old_vms && same_life(&tally->old_vms[j], vm) ? &tally->old_vms[j] : NULL;
		if (was)
			tally->vms[i] = *was;
		else
			vm_born(&tally->vms[i], vm);
		join_vcpus(tally, sample, i, was);
		if (vm->id >= 0)
			tally->vms[i].id = vm->id;
		tally->vms[i].first_vcpu = vm->first_vcpu;
		tally->vms[i].n_vcpus = vm->n_vcpus;
	}
	tally->n_vms = sample->n_vms;
	tally->n_vcpus = sample->n_vcpus;
}

static void join_pcpus(struct tally *tally, const struct host_sample *host)
{
	size_t j = 0;
	for (size_t i = 0; i < host->n_pcpus; i++) {
		while (j < tally->n_old_pcpus && tally->old_pcpus[j].id < host->pcpus[i].id)
			j++;
		if (j < tally->n_old_pcpus && tally->old_pcpus[j].id == host->pcpus[i].id)
			tally->pcpus[i] = tally->old_pcpus[j];
		else
			tally->pcpus[i] = (struct pcpu_tally){.id = host->pcpus[i].id};
		if (vi64_has(host->pcpus[i].busy_ns))
			add(&tally->busy_ns, count(&tally->pcpus[i].busy, host->pcpus[i].busy_ns));
		if (vi64_has(host->pcpus[i].steal_ns))
			add(&tally->steal_ns, count(&tally->pcpus[i].steal, host->pcpus[i].steal_ns));
	}
	tally->n_pcpus = host->n_pcpus;
}

/* --- the host and the policies -------------------------------------------------------------------------- */

static void see_actions(struct tally *tally, const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_actions; i++) {
		const struct action *action = &snap->actions[i];
		const struct vm_sample *vm = sample_vm_by_uuid(&snap->sample, action->uuid);
		if ((unsigned)action->kind >= TALLY_KINDS || (unsigned)action->outcome >= TALLY_OUTCOMES ||
			(unsigned)action->why.code >= REASON_COUNT)
			continue;
		tally->changes[action->kind][action->outcome]++;
		tally->reasons[action->kind][action->why.code]++;
		if (vm && (size_t)(vm - snap->sample.vms) < tally->n_vms)
			tally->vms[vm - snap->sample.vms].changes[action->kind][action->outcome]++;
	}
}

static void see_rounds(struct tally *tally, const struct snapshot *snap)
{
	const enum reason why[2] = {snap->cpu.why.code, snap->memory.why.code};
	for (int i = 0; i < 2 && snap->tick; i++)
		if ((unsigned)why[i] < REASON_COUNT)
			tally->rounds[i][why[i]]++;
}

static void see_sample(struct tally *tally, const struct step *step)
{
	const struct sample *sample = &step->snap->sample;
	turn_over(tally);
	join_pcpus(tally, &sample->host);
	join_vms(tally, sample);
	for (size_t i = 0; i < sample->n_vms; i++)
		vm_step(step, tally, i);
	see_rounds(tally, step->snap);
	if ((unsigned)step->snap->memory.state <= HOST_MEM_HARD)
		tally->memory_ns[step->snap->memory.state] =
			added(tally->memory_ns[step->snap->memory.state], step->state_ns);
	tally->samples++;
	tally->sample_ns = added(tally->sample_ns, sample->took_ns);
	tally->plan_ns = added(tally->plan_ns, step->snap->cost.plan_ns);
	tally->apply_ns = added(tally->apply_ns, step->snap->cost.apply_ns);
	double took = (double)(sample->took_ns + step->snap->cost.plan_ns + step->snap->cost.apply_ns) / 1e9;
	most_feed(&tally->step, tally, step->turns, took);
}

/* A recording that is played from an earlier place is another history. */
static void forget(struct tally *tally)
{
	tally->n_vms = tally->n_vcpus = tally->n_pcpus = 0;
	tally->busy_ns = tally->steal_ns = vi64_absent(AVAIL_FIRST);
	tally->begun = false;
	most_init(&tally->step);
	most_init(&tally->age);
}

static struct step step_of(struct tally *tally, const struct snapshot *snap)
{
	struct step step = {.snap = snap};
	int64_t bucket_ns = TALLY_BUCKET_S * INT64_C(1000000000), now = snap->sample.time_ns;
	if (tally->begun) {
		int64_t turns = now / bucket_ns - tally->time_ns / bucket_ns;
		step.turns = turns < TALLY_BUCKETS ? (int)turns : TALLY_BUCKETS;
		step.gap_ns = now - tally->time_ns;
	}
	double longest_s = fmax(LONGEST_S, 2 * snap->delay_s);
	step.state_ns = min_of(step.gap_ns, (int64_t)(longest_s * 1e9));
	tally->bucket = (int)(now / bucket_ns % TALLY_BUCKETS);
	return step;
}

int tally_see(struct tally *tally, const struct snapshot *snap)
{
	if (snap->first || (tally->begun && snap->seq == tally->seq))
		return 0;
	if (tally->begun && snap->sample.time_ns < tally->time_ns)
		forget(tally);
	bool news = !tally->begun || snap->sample.time_ns > tally->time_ns ||
		    snap->sample.n_vms != tally->n_vms || snap->sample.n_vcpus != tally->n_vcpus ||
		    snap->sample.host.n_pcpus != tally->n_pcpus;
	if (news && !make_room(tally, &snap->sample))
		return -1;
	struct step step = step_of(tally, snap);
	if (news)
		see_sample(tally, &step);
	most_feed(&tally->age, tally, step.turns, fmax(snap->age_s, (double)step.gap_ns / 1e9));
	see_actions(tally, snap);
	tally->begun = true;
	tally->seq = snap->seq;
	tally->time_ns = snap->sample.time_ns;
	return 0;
}

/* --- life ----------------------------------------------------------------------------------------------- */

struct tally *tally_new(void)
{
	struct tally *tally = calloc(1, sizeof *tally);
	if (tally)
		forget(tally);
	return tally;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	free(tally->vms);
	free(tally->vcpus);
	free(tally->pcpus);
	free(tally->old_vms);
	free(tally->old_vcpus);
	free(tally->old_pcpus);
	free(tally);
}

static void *copied(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1, size);
	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

struct tally *tally_copy(const struct tally *tally)
{
	struct tally *to = malloc(sizeof *to);
	if (!to)
		return NULL;
	*to = *tally;
	to->old_vms = NULL;
	to->old_vcpus = NULL;
	to->old_pcpus = NULL;
	to->vms = copied(tally->vms, tally->n_vms, sizeof *tally->vms);
	to->vcpus = copied(tally->vcpus, tally->n_vcpus, sizeof *tally->vcpus);
	to->pcpus = copied(tally->pcpus, tally->n_pcpus, sizeof *tally->pcpus);
	if (to->vms && to->vcpus && to->pcpus)
		return to;
	tally_free(to);
	return NULL;
}
