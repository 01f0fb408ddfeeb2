/* SPDX-License-Identifier: MIT */
/* The container of one reading. Invariant after sample_finish(): the shape that sample.h states. */
#include "vmtop/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/err.h"

enum { VCPU_IDS = 65536 };

const char *vm_state_text(enum vm_state state)
{
	static const char *const text[] = {
		[VM_NOSTATE] = "unknown",
		[VM_RUNNING] = "running",
		[VM_BLOCKED] = "blocked",
		[VM_PAUSED] = "paused",
		[VM_SHUTDOWN] = "shutdown",
		[VM_SHUTOFF] = "shutoff",
		[VM_CRASHED] = "crashed",
		[VM_SUSPENDED] = "suspended",
	};
	return (unsigned)state <= VM_SUSPENDED ? text[state] : text[VM_NOSTATE];
}

void sample_init(struct sample *sample)
{
	memset(sample, 0, sizeof *sample);
}

void sample_done(struct sample *sample)
{
	free(sample->host.pcpus);
	free(sample->vms);
	free(sample->vcpus);
	memset(sample, 0, sizeof *sample);
}

void sample_reset(struct sample *sample)
{
	struct sample kept = {.vms = sample->vms,
		.cap_vms = sample->cap_vms,
		.vcpus = sample->vcpus,
		.cap_vcpus = sample->cap_vcpus};
	kept.host.pcpus = sample->host.pcpus;
	kept.cap_pcpus = sample->cap_pcpus;
	*sample = kept;
}

struct pcpu_sample *sample_add_pcpu(struct sample *sample, int id)
{
	if (!array_grow(&sample->host.pcpus, &sample->cap_pcpus, sample->host.n_pcpus + 1,
		    sizeof *sample->host.pcpus))
		return NULL;
	struct pcpu_sample *pcpu = &sample->host.pcpus[sample->host.n_pcpus++];
	*pcpu = (struct pcpu_sample){.id = id, .node = -1, .socket = -1, .core = -1, .llc = -1};
	return pcpu;
}

struct vm_sample *sample_add_vm(struct sample *sample, const uint8_t uuid[UUID_BYTES])
{
	struct vm_sample *vm =
		array_more(&sample->vms, &sample->n_vms, &sample->cap_vms, SIZE_MAX, sizeof *vm);
	if (!vm)
		return NULL;
	memcpy(vm->uuid, uuid, UUID_BYTES);
	vm->id = -1;
	vm->first_vcpu = sample->n_vcpus;
	vm->mem.balloon_device = true;
	return vm;
}

struct vcpu_sample *sample_append_vcpu(struct sample *sample, struct vm_sample *vm, int id)
{
	bool apart = vm->n_vcpus && vm->first_vcpu + vm->n_vcpus != sample->n_vcpus;
	struct vcpu_sample *vcpu = apart ? NULL
					 : array_more(&sample->vcpus, &sample->n_vcpus, &sample->cap_vcpus,
						   SIZE_MAX, sizeof *vcpu);
	if (!vcpu)
		return NULL;
	if (!vm->n_vcpus)
		vm->first_vcpu = sample->n_vcpus - 1;
	vcpu->id = id;
	vm->n_vcpus++;
	return vcpu;
}

struct vcpu_sample *sample_add_vcpu(struct sample *sample, int id)
{
	return sample->n_vms ? sample_append_vcpu(sample, &sample->vms[sample->n_vms - 1], id) : NULL;
}

int uuid_compare(const uint8_t a[UUID_BYTES], const uint8_t b[UUID_BYTES])
{
	return memcmp(a, b, UUID_BYTES);
}

static int by_uuid(const void *a, const void *b)
{
	return uuid_compare(((const struct vm_sample *)a)->uuid, ((const struct vm_sample *)b)->uuid);
}

static int by_vcpu(const void *a, const void *b)
{
	const struct vcpu_sample *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static int by_pcpu(const void *a, const void *b)
{
	const struct pcpu_sample *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void finish_pcpus(struct sample *sample)
{
	struct pcpu_sample *pcpu = sample->host.pcpus;
	size_t n = 0;
	if (sample->host.n_pcpus)
		qsort(pcpu, sample->host.n_pcpus, sizeof *pcpu, by_pcpu);
	for (size_t i = 0; i < sample->host.n_pcpus; i++)
		if (pcpu[i].id >= 0 && pcpu[i].id < CPUSET_CPUS && (!n || pcpu[n - 1].id != pcpu[i].id))
			pcpu[n++] = pcpu[i];
	sample->host.n_pcpus = n;
}

/* Sorts the vCPUs of one VM and drops doubles in place. */
static void finish_vcpus(struct sample *sample, struct vm_sample *vm)
{
	if (!vm->n_vcpus)
		return;
	struct vcpu_sample *vcpu = sample->vcpus + vm->first_vcpu;
	size_t n = 0;
	qsort(vcpu, vm->n_vcpus, sizeof *vcpu, by_vcpu);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (vcpu[i].id >= 0 && vcpu[i].id < VCPU_IDS && (!n || vcpu[n - 1].id != vcpu[i].id))
			vcpu[n++] = vcpu[i];
	vm->n_vcpus = n;
}

int sample_finish(struct sample *sample, struct err *err)
{
	sample_bound(sample);
	finish_pcpus(sample);
	for (size_t i = 0; i < sample->n_vms; i++) {
		struct vm_sample *vm = &sample->vms[i];
		if (vm->first_vcpu + vm->n_vcpus > sample->n_vcpus)
			return err_set(
				err, ERR_RUNTIME, "VM %zu of the sample claims vCPUs that are not there", i);
		finish_vcpus(sample, vm);
	}
	size_t n = 0;
	if (sample->n_vms)
		qsort(sample->vms, sample->n_vms, sizeof *sample->vms, by_uuid);
	for (size_t i = 0; i < sample->n_vms; i++)
		if (!n || uuid_compare(sample->vms[n - 1].uuid, sample->vms[i].uuid) != 0)
			sample->vms[n++] = sample->vms[i];
	sample->n_vms = n;
	return 0;
}

int sample_copy(struct sample *to, const struct sample *from)
{
	if (!array_grow(&to->vms, &to->cap_vms, from->n_vms, sizeof *to->vms) ||
		!array_grow(&to->vcpus, &to->cap_vcpus, from->n_vcpus, sizeof *to->vcpus) ||
		!array_grow(&to->host.pcpus, &to->cap_pcpus, from->host.n_pcpus, sizeof *to->host.pcpus))
		return -1;
	struct sample kept = *to;
	*to = *from;
	to->vms = kept.vms;
	to->cap_vms = kept.cap_vms;
	to->vcpus = kept.vcpus;
	to->cap_vcpus = kept.cap_vcpus;
	to->host.pcpus = kept.host.pcpus;
	to->cap_pcpus = kept.cap_pcpus;
	if (from->n_vms)
		memcpy(to->vms, from->vms, from->n_vms * sizeof *to->vms);
	if (from->n_vcpus)
		memcpy(to->vcpus, from->vcpus, from->n_vcpus * sizeof *to->vcpus);
	if (from->host.n_pcpus)
		memcpy(to->host.pcpus, from->host.pcpus, from->host.n_pcpus * sizeof *to->host.pcpus);
	return 0;
}

static int key_uuid(const void *key, const void *item)
{
	return uuid_compare(key, item);
}

size_t uuid_place(const uint8_t uuid[UUID_BYTES], const void *items, size_t n, size_t size, size_t offset)
{
	return n ? array_place(uuid, (const char *)items + offset, n, size, key_uuid) : 0;
}

void *uuid_find(const uint8_t uuid[UUID_BYTES], void *items, size_t n, size_t size, size_t offset)
{
	size_t at = uuid_place(uuid, items, n, size, offset);
	char *item = at < n ? (char *)items + at * size : NULL;
	return item && memcmp(item + offset, uuid, UUID_BYTES) == 0 ? item : NULL;
}

const struct vm_sample *sample_vm_by_uuid(const struct sample *sample, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, sample->vms, sample->n_vms, struct vm_sample);
}

const struct vcpu_sample *sample_vcpu(const struct sample *sample, const struct vm_sample *vm, int id)
{
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (sample->vcpus[vm->first_vcpu + i].id == id)
			return &sample->vcpus[vm->first_vcpu + i];
	return NULL;
}

static int by_id(const void *key, const void *item)
{
	const int *id = key;
	const struct pcpu_sample *pcpu = item;
	return *id < pcpu->id ? -1 : *id > pcpu->id;
}

const struct pcpu_sample *sample_pcpu(const struct sample *sample, int id)
{
	const struct pcpu_sample *pcpu = sample->host.pcpus;
	size_t at = array_place(&id, pcpu, sample->host.n_pcpus, sizeof *pcpu, by_id);
	return at < sample->host.n_pcpus && pcpu[at].id == id ? &pcpu[at] : NULL;
}

void sample_online(const struct sample *sample, struct cpuset *online)
{
	cpuset_clear(online);
	for (size_t i = 0; i < sample->host.n_pcpus; i++)
		if (sample->host.pcpus[i].online)
			cpuset_add(online, sample->host.pcpus[i].id);
}

void sample_usable(const struct sample *sample, struct cpuset *usable)
{
	cpuset_clear(usable);
	for (size_t i = 0; i < sample->host.n_pcpus; i++)
		if (sample->host.pcpus[i].online && !sample->host.pcpus[i].isolated)
			cpuset_add(usable, sample->host.pcpus[i].id);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int uuid_parse(uint8_t uuid[UUID_BYTES], const char *text)
{
	uint8_t out[UUID_BYTES];
	const char *p = text;
	for (int i = 0; i < UUID_BYTES; i++) {
		if (*p == '-')
			p++;
		int hi = hex(*p), lo = hi < 0 ? -1 : hex(p[1]);
		if (lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
		p += 2;
	}
	if (*p)
		return -1;
	memcpy(uuid, out, UUID_BYTES);
	return 0;
}

void uuid_format(const uint8_t u[UUID_BYTES], char text[UUID_TEXT])
{
	snprintf(text, UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
}
