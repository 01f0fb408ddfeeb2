/* SPDX-License-Identifier: MIT */
/* See libvirt_standin.h. Invariant: asks nobody, so that nothing can block it; a VM that libvirt has not told
 * of is not invented. Must not know: links. */
#include "libvirt_standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../host/localhost.h"
#include "link.h"
#include "vmtop/array.h"
#include "vmtop/clock.h"

void standin_init(struct standin *standin)
{
	memset(standin, 0, sizeof *standin);
	sample_init(&standin->last);
	local_root_init(&standin->proc, "");
}

void standin_done(struct standin *standin)
{
	sample_done(&standin->last);
	free(standin->vms);
	free(standin->pool);
	memset(standin, 0, sizeof *standin);
}

static bool make_room(struct standin *standin, const struct sample *from)
{
	return array_grow(&standin->vms, &standin->cap, from->n_vms, sizeof *standin->vms) &&
	       array_grow(&standin->pool, &standin->cap_pool, from->n_vcpus, sizeof *standin->pool);
}

void standin_learn(struct standin *standin, const struct lv_reader *reader, const struct sample *from)
{
	size_t used = 0;
	standin->n = 0;
	standin->ready = from->host.local && from->n_vms && make_room(standin, from) &&
			 sample_copy(&standin->last, from) == 0;
	for (size_t i = 0; standin->ready && i < from->n_vms; i++) {
		const struct local_vm *vm = lv_reader_process(reader, from->vms[i].uuid);
		if (!vm || used + vm->n_vcpus > standin->cap_pool)
			continue;
		struct standin_vm *known = &standin->vms[standin->n++];
		memcpy(known->uuid, from->vms[i].uuid, UUID_BYTES);
		known->vm = *vm;
		known->vm.vcpus = standin->pool + used;
		known->vm.helpers = NULL; /* the reader's */
		known->vm.n_helpers = 0;
		memcpy(known->vm.vcpus, vm->vcpus, vm->n_vcpus * sizeof *vm->vcpus);
		used += vm->n_vcpus;
	}
}

/* Parallel to the VMs of the sample, but for those without a process. */
static const struct standin_vm *find(const struct standin *standin, const uint8_t *uuid)
{
	return UUID_FIND(uuid, standin->vms, standin->n, struct standin_vm);
}

static void host_now(const struct standin *standin, const struct topology *topo, struct sample *to)
{
	struct host_sample was = to->host;
	memset(&to->host, 0, sizeof to->host);
	to->host.pcpus = was.pcpus;
	to->host.local = true;
	to->host.others = was.others;
	memcpy(to->host.hostname, was.hostname, sizeof was.hostname);
	memcpy(to->host.hypervisor, was.hypervisor, sizeof was.hypervisor);
	if (localhost_host(standin->proc.root, to) < 0) {
		struct pcpu_sample *pcpus = to->host.pcpus;
		to->host = was;
		to->host.pcpus = pcpus;
	}
	topology_apply(topo, to);
}

static void absent(struct vcpu_sample *vcpu, enum avail why)
{
	vcpu->time_ns = vcpu->delay_ns = vi64_absent(why);
	vcpu->pcpu = vi64_absent(why);
}

static bool vcpu_now(const struct standin *standin, const struct standin_vm *known, struct vcpu_sample *vcpu)
{
	struct local_thread now;
	for (size_t i = 0; i < known->vm.n_vcpus; i++) {
		if (known->vm.vcpus[i].id != vcpu->id)
			continue;
		if (local_thread(&standin->proc, &known->vm, &known->vm.vcpus[i], &now) < 0)
			return false;
		vcpu->time_ns = vi64_ok(now.time_ns);
		vcpu->delay_ns = vi64_ok(now.delay_ns);
		vcpu->pcpu = vi64_ok(now.pcpu);
		vcpu->affinity = now.affinity;
		vcpu->affinity_avail = AVAIL_OK;
		return true;
	}
	return false;
}

static bool ends(char state)
{
	return state == 'T' || state == 't' || state == 'Z' || state == 'X';
}

static void vm_now(const struct standin *standin, int64_t since_ns, struct sample *to, struct vm_sample *vm)
{
	struct local_process proc = {0};
	const struct standin_vm *known = find(standin, vm->uuid);
	bool gone = known && (local_process(&standin->proc, &known->vm, &proc) < 0 || ends(proc.state));
	if (gone && !vm->hung_since_ns)
		vm->hung_since_ns = since_ns;
	if (known && !gone)
		vm->cpu_time_ns = vi64_ok(proc.cpu_ns);
	for (size_t i = vm->first_vcpu; i < vm->first_vcpu + vm->n_vcpus; i++)
		if (!known || gone || !vcpu_now(standin, known, &to->vcpus[i]))
			absent(&to->vcpus[i], gone ? AVAIL_HUNG : AVAIL_STALE);
}

int standin_sample(const struct standin *standin, const struct topology *topo, int64_t since_ns,
	struct sample *to, struct err *err)
{
	int64_t start = clock_ns();
	if (sample_copy(to, &standin->last) < 0)
		return err_set(err, ERR_NOMEM, "out of memory for a sample");
	host_now(standin, topo, to);
	to->time_ns = clock_ns();
	to->wall_ns = clock_wall_ns();
	for (size_t i = 0; i < to->n_vms; i++)
		vm_now(standin, since_ns, to, &to->vms[i]);
	to->took_ns = clock_ns() - start;
	snprintf(to->note, sizeof to->note, "libvirt does not answer: VMs as known, vCPUs from /proc");
	return sample_finish(to, err);
}
