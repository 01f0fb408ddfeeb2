/* SPDX-License-Identifier: MIT */
/* Builds hosts and VMs for tests, without a backend: one sample whose counters advance by given rates, the
 * model that reads it, rules that forbid nothing, and settings at their documented defaults.
 *
 *	struct fixture f;
 *	fx_init(&f, &(struct fx_host){.pcpus = 4});
 *	for (unsigned i = 1; i <= 8; i++)
 *		fx_pin(&f, fx_vm(&f, i, 1), 0, "0");
 *	fx_start(&f);                       // first sample
 *	fx_load(&f, 1, 0, 12.5, 87.5);      // VM 1, vCPU 0: ran 12.5 %, waited 87.5 %
 *	fx_advance(&f, 1.0);                // second sample, rates exist
 *	...
 *	fx_done(&f);
 *
 * VMs are called by number: the number is their UUID, so their order is the order of the numbers. */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "vmtop/config.h"
#include "vmtop/control.h"
#include "vmtop/err.h"
#include "vmtop/model.h"

struct fx_host {
	int pcpus;
	int nodes;    /* 0: 1; pCPUs are dealt to nodes in equal blocks */
	int llc_cpus; /* pCPUs in an LLC, in blocks; 0: LLC unknown */
	int smt;      /* threads of a core; siblings are adjacent; 0: 1 */
	int id_step;  /* ids are 0, step, 2 step, ...; 0: 1 */
};

enum { FX_VCPUS = 32768 };

struct fx_vcpu {
	double usage_pct, wait_pct; /* of the next fx_advance() */
};

struct fixture {
	struct config cfg;
	struct sample s;
	struct model m;
	struct rules rules;
	struct plan plan;
	struct err e;
	struct fx_vcpu *load;           /* parallel to s.vcpus */
	double background[CPUSET_CPUS]; /* by pCPU id, percent */
	struct round round;             /* of the last fx_round() */
};

/* The settings of config.h with the defaults stated there. */
void fx_config(struct config *cfg);

void fx_init(struct fixture *f, const struct fx_host *host);
void fx_done(struct fixture *f);

/* Adds a VM (in any order of numbers) or removes one; returns its number. vCPUs are unpinned, online, last
 * ran on pCPU 0 and may run anywhere. */
unsigned fx_vm(struct fixture *f, unsigned number, int vcpus);
void fx_remove_vm(struct fixture *f, unsigned number);
/* Good until VMs are added or removed. */
struct vm_sample *fx_vm_sample(struct fixture *f, unsigned number);
struct vcpu_sample *fx_vcpu(struct fixture *f, unsigned number, int vcpu);
size_t fx_vm_index(const struct fixture *f, unsigned number);
size_t fx_vcpu_index(const struct fixture *f, unsigned number, int vcpu);
const struct vcpu_rate *fx_vcpu_rate(const struct fixture *f, unsigned number, int vcpu);

void fx_pin(
	struct fixture *f, unsigned number, int vcpu, const char *cpus); /* also runs on the first of them */
void fx_allow(struct fixture *f, unsigned number, int vcpu, const char *cpus);
void fx_runs_on(struct fixture *f, unsigned number, int vcpu, int pcpu);
void fx_load(struct fixture *f, unsigned number, int vcpu, double usage_pct, double wait_pct);
void fx_background(struct fixture *f, int pcpu, double pct);

/* Gives the sample as it stands to the model. */
void fx_start(struct fixture *f);
/* Lets time pass at the set loads, then gives the sample to the model. */
void fx_advance(struct fixture *f, double seconds);

/* Empties the plan and returns a round over sample, model, rules and settings. */
const struct round *fx_round(struct fixture *f, enum round_mode mode);
/* Carries out the pins of the plan in the sample and marks them done. */
void fx_apply(struct fixture *f);
/* Number of vCPUs whose pCPU (model_vcpu_pcpu) is this one. */
int fx_on_pcpu(const struct fixture *f, int pcpu);

/* Small generator for property tests: the same seed gives the same numbers everywhere. */
struct fx_random {
	uint64_t state;
};
uint32_t fx_random(struct fx_random *r, uint32_t below);
double fx_random_real(struct fx_random *r, double lo, double hi);

#endif
