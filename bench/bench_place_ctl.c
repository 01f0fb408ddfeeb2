/* SPDX-License-Identifier: MIT */
/* What a round of the whole CPU controller costs, from sample and model to pins: plain hosts, hosts on which
 * every vCPU has an allowed set of its own, LLCs as units, and pCPU numbers with holes. CPU time of one core,
 * medians. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/fixture.h"

enum { ROUNDS = 24, VM_VCPUS = 4 };

struct setup {
	const char *name;
	int vms, pcpus, id_step, smt, llc, nodes;
	enum granularity units;
	bool distinct; /* an allowed set for each vCPU */
	double target_ms;
};

static const struct setup setups[] = {
	{"64 x 16", 16, 16, 1, 1, 8, 1, GRAN_CPU, false, 0.05},
	{"10,000 x 1,024", 2500, 1024, 1, 1, 16, 8, GRAN_CPU, false, 5},
	{"the same, LLCs as units", 2500, 1024, 1, 1, 16, 8, GRAN_LLC, false, 5},
	{"the same, SMT", 2500, 1024, 1, 2, 16, 8, GRAN_CPU, false, 5},
	{"10,000 sets, pCPUs as units", 2500, 1024, 1, 1, 16, 8, GRAN_CPU, true, 5},
	{"10,000 sets, LLCs as units", 2500, 1024, 1, 1, 16, 8, GRAN_LLC, true, 5},
	{"10,000 sets, SMT", 2500, 1024, 1, 2, 16, 8, GRAN_CPU, true, 5},
	{"10,000 sets, every 2nd id", 2500, 512, 2, 1, 16, 8, GRAN_CPU, true, 5},
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct times {
	double ms[ROUNDS];
	size_t n;
};

static double quantile(struct times *t, double q)
{
	if (!t->n)
		return NAN;
	qsort(t->ms, t->n, sizeof *t->ms, compare);
	return t->ms[(size_t)(q * (double)(t->n - 1) + .5)];
}

/* About half of the pCPUs, those where it runs among them. */
static void any_set(struct fixture *f, struct fx_random *r, struct vcpu_sample *v)
{
	cpuset_clear(&v->allowed);
	for (size_t i = 0; i < f->s.host.n_pcpus; i++)
		if (fx_random(r, 2))
			cpuset_add(&v->allowed, f->s.host.pcpus[i].id);
	cpuset_or(&v->allowed, &v->affinity);
}

static void host_build(struct fixture *f, const struct setup *x, struct fx_random *r, double *base)
{
	fx_init(f, &(struct fx_host){.pcpus = x->pcpus,
			   .nodes = x->nodes,
			   .llc_cpus = x->llc,
			   .smt = x->smt,
			   .id_step = x->id_step});
	f->cfg.cpu_policy = CPU_POLICY_MINMOVE;
	f->cfg.granularity = x->units;
	f->cfg.cross_node = true;
	for (unsigned vm = 1; vm <= (unsigned)x->vms; vm++)
		fx_vm(f, vm, VM_VCPUS);
	for (size_t i = 0; i < f->s.n_vcpus; i++) {
		struct vcpu_sample *v = &f->s.vcpus[i];
		int cpu = f->s.host.pcpus[fx_random(r, (uint32_t)x->pcpus)].id;
		char id[12];
		snprintf(id, sizeof id, "%d", cpu);
		fx_pin(f, (unsigned)(i / VM_VCPUS) + 1, (int)(i % VM_VCPUS), id);
		if (x->distinct)
			any_set(f, r, v);
		base[i] = fx_random_real(r, 0, 120.0 * x->pcpus / (double)f->s.n_vcpus);
	}
	fx_start(f);
}

static void setup_run(const struct setup *x)
{
	static struct fixture f;
	struct fx_random r = {7};
	struct times first = {{0}, 0}, quiet = {{0}, 0}, acts = {{0}, 0};
	double *base = calloc((size_t)x->vms * VM_VCPUS, sizeof *base);
	struct cpu_verdict v;
	size_t allocated = 0, pins = 0;
	if (!base)
		return;
	host_build(&f, x, &r, base);
	struct cpu_ctl *c = cpu_ctl_new(&f.cfg, &f.e);
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < f.s.n_vcpus; k++)
			f.load[k].usage_pct = fmin(100, base[k] * fx_random_real(&r, .97, 1.03));
		fx_advance(&f, 2);
		const struct round *round = fx_round(&f, ROUND_AUTO);
		size_t heap = mallinfo2().uordblks;
		double t0 = now_ms();
		cpu_ctl_plan(c, round, &f.plan, &v, &f.e);
		double t1 = now_ms();
		allocated += i > 0 && !f.plan.n && mallinfo2().uordblks != heap;
		struct times *to = i == 0 ? &first : f.plan.n ? &acts : &quiet;
		to->ms[to->n++] = t1 - t0;
		pins += f.plan.n;
		fx_apply(&f);
		cpu_ctl_applied(c, round, &f.plan);
	}
	printf("%-28s %9.3f %9.3f %9.3f %9.3f %9.3f %8.2f %6zu %6.1f %6.1f %5zu\n", x->name,
		quantile(&first, .5), quantile(&quiet, .5), quantile(&quiet, 1), quantile(&acts, .5),
		quantile(&acts, 1), x->target_ms, pins, v.stddev_pct.v, v.found_pct.v, allocated);
	cpu_ctl_free(c);
	fx_done(&f);
	free(base);
}

int main(int argc, char **argv)
{
	struct utsname u;
	uname(&u);
	printf("host: %ld CPUs, %s %s; milliseconds of CPU a round, %d rounds; uniform demand\n",
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release, ROUNDS);
	printf("%-28s %9s %9s %9s %9s %9s %8s %6s %6s %6s %5s\n", "vCPUs x pCPUs", "first", "quiet", "worst",
		"acts", "worst", "target", "pins", "now", "found", "alloc");
	for (size_t i = 0; i < sizeof setups / sizeof *setups; i++)
		if (argc < 2 || (size_t)atoi(argv[1]) == i)
			setup_run(&setups[i]);
	return 0;
}
