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

void standin_init(struct standin *s)
{
	memset(s, 0, sizeof *s);
	sample_init(&s->last);
	local_root_init(&s->proc, "");
}

void standin_done(struct standin *s)
{
	sample_done(&s->last);
	free(s->vms);
	free(s->pool);
	memset(s, 0, sizeof *s);
}

static bool make_room(struct standin *s, const struct sample *from)
{
	return array_grow(&s->vms, &s->cap, from->n_vms, sizeof *s->vms) &&
	       array_grow(&s->pool, &s->cap_pool, from->n_vcpus, sizeof *s->pool);
}

void standin_learn(struct standin *s, const struct lv_reader *rd, const struct sample *from)
{
	size_t used = 0;
	s->n = 0;
	s->ready = from->host.local && from->n_vms && make_room(s, from) && sample_copy(&s->last, from) == 0;
	for (size_t i = 0; s->ready && i < from->n_vms; i++) {
		const struct local_vm *vm = lv_reader_process(rd, from->vms[i].uuid);
		if (!vm || used + vm->n_vcpus > s->cap_pool)
			continue;
		struct standin_vm *k = &s->vms[s->n++];
		memcpy(k->uuid, from->vms[i].uuid, UUID_BYTES);
		k->vm = *vm;
		k->vm.vcpus = s->pool + used;
		k->vm.helpers = NULL; /* the reader's */
		k->vm.n_helpers = 0;
		memcpy(k->vm.vcpus, vm->vcpus, vm->n_vcpus * sizeof *vm->vcpus);
		used += vm->n_vcpus;
	}
}

/* Parallel to the VMs of the sample, but for those without a process. */
static const struct standin_vm *find(const struct standin *s, const uint8_t *uuid)
{
	return UUID_FIND(uuid, s->vms, s->n, struct standin_vm);
}

static void host_now(const struct standin *s, const struct topology *t, struct sample *to)
{
	struct host_sample was = to->host;
	memset(&to->host, 0, sizeof to->host);
	to->host.pcpus = was.pcpus;
	to->host.local = true;
	to->host.others = was.others;
	memcpy(to->host.hostname, was.hostname, sizeof was.hostname);
	memcpy(to->host.hypervisor, was.hypervisor, sizeof was.hypervisor);
	if (localhost_host(s->proc.root, to) < 0) {
		struct pcpu_sample *pcpus = to->host.pcpus;
		to->host = was;
		to->host.pcpus = pcpus;
	}
	topology_apply(t, to);
}

static void absent(struct vcpu_sample *v, enum avail why)
{
	v->time_ns = v->delay_ns = vi64_absent(why);
	v->pcpu = vi64_absent(why);
}

static bool vcpu_now(const struct standin *s, const struct standin_vm *k, struct vcpu_sample *v)
{
	struct local_thread now;
	for (size_t i = 0; i < k->vm.n_vcpus; i++) {
		if (k->vm.vcpus[i].id != v->id)
			continue;
		if (local_thread(&s->proc, &k->vm, &k->vm.vcpus[i], &now) < 0)
			return false;
		v->time_ns = vi64_ok(now.time_ns);
		v->delay_ns = vi64_ok(now.delay_ns);
		v->pcpu = vi64_ok(now.pcpu);
		v->affinity = now.affinity;
		v->affinity_avail = AVAIL_OK;
		return true;
	}
	return false;
}

static bool ends(char state)
{
	return state == 'T' || state == 't' || state == 'Z' || state == 'X';
}

static void vm_now(const struct standin *s, int64_t since_ns, struct sample *to, struct vm_sample *vm)
{
	struct local_process p = {0};
	const struct standin_vm *k = find(s, vm->uuid);
	bool gone = k && (local_process(&s->proc, &k->vm, &p) < 0 || ends(p.state));
	if (gone && !vm->hung_since_ns)
		vm->hung_since_ns = since_ns;
	if (k && !gone)
		vm->cpu_time_ns = vi64_ok(p.cpu_ns);
	for (size_t i = vm->first_vcpu; i < vm->first_vcpu + vm->n_vcpus; i++)
		if (!k || gone || !vcpu_now(s, k, &to->vcpus[i]))
			absent(&to->vcpus[i], gone ? AVAIL_HUNG : AVAIL_STALE);
}

int standin_sample(
	const struct standin *s, const struct topology *t, int64_t since_ns, struct sample *to, struct err *e)
{
	int64_t start = clock_ns();
	if (sample_copy(to, &s->last) < 0)
		return err_set(e, ERR_NOMEM, "out of memory for a sample");
	host_now(s, t, to);
	to->time_ns = clock_ns();
	to->wall_ns = clock_wall_ns();
	for (size_t i = 0; i < to->n_vms; i++)
		vm_now(s, since_ns, to, &to->vms[i]);
	to->took_ns = clock_ns() - start;
	snprintf(to->note, sizeof to->note, "libvirt does not answer: VMs as known, vCPUs from /proc");
	return sample_finish(to, e);
}
