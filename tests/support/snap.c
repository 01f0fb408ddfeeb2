/* SPDX-License-Identifier: MIT */
/* The two-VM snapshot that output tests print. */
#include "support/snap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char snap_hostile[] = "b\"a,d\n\x1b[31m\xff";

static void snap_memory(struct vm_sample *vm)
{
	vm->mem.max_kib = vi64_ok(2 << 20);
	vm->mem.balloon_kib = vi64_ok(1 << 20);
	vm->mem.unused_kib = vi64_ok(300000);
	vm->mem.usable_kib = vi64_ok(400000);
	vm->mem.rss_kib = vi64_ok(900000);
}

static void snap_actions(struct snap *p)
{
	struct action *a = p->actions;
	a[0].kind = ACTION_PIN;
	memcpy(a[0].uuid, p->s.sample.vms[0].uuid, UUID_BYTES);
	a[0].vcpu = 1;
	cpuset_add(&a[0].from, 0);
	cpuset_add(&a[0].from, 1);
	cpuset_add(&a[0].to, 1);
	a[0].outcome = OUTCOME_DONE;
	why_set(&a[0].why, REASON_GREEDY, "least load so far, 12.0 %%");
	a[1].kind = ACTION_BALLOON;
	memcpy(a[1].uuid, p->s.sample.vms[1].uuid, UUID_BYTES);
	a[1].vm = 1;
	a[1].vcpu = -1;
	a[1].from_kib = 1 << 20;
	a[1].to_kib = 1 << 19;
	a[1].outcome = OUTCOME_FAILED;
	why_set(&a[1].why, REASON_CLAIM, NULL);
	snprintf(a[1].error, sizeof a[1].error, "refused");
	p->s.actions = a;
	p->s.n_actions = 2;
}

void snap_init(struct snap *p, struct fixture *f)
{
	fx_init(f, &(struct fx_host){.pcpus = 2});
	fx_vm(f, 1, 2);
	fx_vm(f, 2, 1);
	fx_pin(f, 1, 0, "0");
	snprintf(fx_vm_sample(f, 1)->name, VM_NAME_BYTES, "web-1");
	snprintf(fx_vm_sample(f, 2)->name, VM_NAME_BYTES, "%s", snap_hostile);
	snap_memory(fx_vm_sample(f, 1));
	fx_load(f, 1, 0, 75, 12.5);
	fx_load(f, 1, 1, 25, 0);
	fx_load(f, 2, 0, 50, 0);
	snprintf(f->s.host.hostname, sizeof f->s.host.hostname, "host");
	f->s.host.total_kib = vi64_ok(8 << 20);
	fx_start(f);
	fx_advance(f, 2);
	memset(p, 0, sizeof *p);
	p->vm_status = calloc(2, sizeof *p->vm_status);
	p->vcpu_status = calloc(3, sizeof *p->vcpu_status);
	p->s = (struct snapshot){.sample = f->s,
		.vcpu_rates = f->m.vcpus,
		.vm_rates = f->m.vms,
		.pcpu_rates = f->m.pcpus,
		.vm_status = p->vm_status,
		.vcpu_status = p->vcpu_status,
		.elapsed_s = 2,
		.busy_pct = f->m.busy_pct,
		.load_stddev_pct = f->m.load_stddev_pct,
		.cpu_policy = CPU_POLICY_ORIGIN_C,
		.mem_policy = MEM_POLICY_ORIGIN_C,
		.granularity = GRAN_CPU,
		.tick = true,
		.delay_s = 2};
	p->s.sample.wall_ns = INT64_C(1700000000123000000);
	snprintf(p->s.backend.uri, sizeof p->s.backend.uri, "sim:test");
	why_set(&p->s.cpu.why, REASON_MANUAL, NULL);
	why_set(&p->vm_status[0].mem.why, REASON_MEM_OK, NULL);
	why_set(&p->vm_status[1].mem.why, REASON_NO_STATS, NULL);
	snap_actions(p);
	p->log[0] =
		(struct log_line){.seq = 7, .wall_ns = p->s.sample.wall_ns, .text = "web-1 vCPU 1: 0-1 -> 1"};
	p->s.log = p->log;
	p->s.n_log = 1;
}

void snap_done(struct snap *p, struct fixture *f)
{
	free(p->vm_status);
	free(p->vcpu_status);
	fx_done(f);
}
