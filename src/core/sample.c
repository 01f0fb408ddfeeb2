/* SPDX-License-Identifier: MIT */
/* The container of one reading. Invariant after sample_finish(): the shape that sample.h states. */
#include "vmtop/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/array.h"
#include "vmtop/err.h"

enum { VCPU_IDS = 65536 };

const char *vm_state_text(enum vm_state s)
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
	return (unsigned)s <= VM_SUSPENDED ? text[s] : text[VM_NOSTATE];
}

void sample_init(struct sample *s)
{
	memset(s, 0, sizeof *s);
}

void sample_done(struct sample *s)
{
	free(s->host.pcpus);
	free(s->vms);
	free(s->vcpus);
	memset(s, 0, sizeof *s);
}

void sample_reset(struct sample *s)
{
	struct sample kept = {
		.vms = s->vms, .cap_vms = s->cap_vms, .vcpus = s->vcpus, .cap_vcpus = s->cap_vcpus};
	kept.host.pcpus = s->host.pcpus;
	kept.cap_pcpus = s->cap_pcpus;
	*s = kept;
}

struct pcpu_sample *sample_add_pcpu(struct sample *s, int id)
{
	if (!array_grow(&s->host.pcpus, &s->cap_pcpus, s->host.n_pcpus + 1, sizeof *s->host.pcpus))
		return NULL;
	struct pcpu_sample *p = &s->host.pcpus[s->host.n_pcpus++];
	*p = (struct pcpu_sample){.id = id, .node = -1, .socket = -1, .core = -1, .llc = -1};
	return p;
}

struct vm_sample *sample_add_vm(struct sample *s, const uint8_t uuid[UUID_BYTES])
{
	struct vm_sample *vm = array_more(&s->vms, &s->n_vms, &s->cap_vms, SIZE_MAX, sizeof *vm);
	if (!vm)
		return NULL;
	memcpy(vm->uuid, uuid, UUID_BYTES);
	vm->id = -1;
	vm->first_vcpu = s->n_vcpus;
	vm->mem.balloon_device = true;
	return vm;
}

struct vcpu_sample *sample_append_vcpu(struct sample *s, struct vm_sample *vm, int id)
{
	bool apart = vm->n_vcpus && vm->first_vcpu + vm->n_vcpus != s->n_vcpus;
	struct vcpu_sample *v =
		apart ? NULL : array_more(&s->vcpus, &s->n_vcpus, &s->cap_vcpus, SIZE_MAX, sizeof *v);
	if (!v)
		return NULL;
	if (!vm->n_vcpus)
		vm->first_vcpu = s->n_vcpus - 1;
	v->id = id;
	vm->n_vcpus++;
	return v;
}

struct vcpu_sample *sample_add_vcpu(struct sample *s, int id)
{
	return s->n_vms ? sample_append_vcpu(s, &s->vms[s->n_vms - 1], id) : NULL;
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

static void finish_pcpus(struct sample *s)
{
	struct pcpu_sample *p = s->host.pcpus;
	size_t n = 0;
	if (s->host.n_pcpus)
		qsort(p, s->host.n_pcpus, sizeof *p, by_pcpu);
	for (size_t i = 0; i < s->host.n_pcpus; i++)
		if (p[i].id >= 0 && p[i].id < CPUSET_CPUS && (!n || p[n - 1].id != p[i].id))
			p[n++] = p[i];
	s->host.n_pcpus = n;
}

/* Sorts the vCPUs of one VM and drops doubles in place. */
static void finish_vcpus(struct sample *s, struct vm_sample *vm)
{
	if (!vm->n_vcpus)
		return;
	struct vcpu_sample *v = s->vcpus + vm->first_vcpu;
	size_t n = 0;
	qsort(v, vm->n_vcpus, sizeof *v, by_vcpu);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (v[i].id >= 0 && v[i].id < VCPU_IDS && (!n || v[n - 1].id != v[i].id))
			v[n++] = v[i];
	vm->n_vcpus = n;
}

int sample_finish(struct sample *s, struct err *e)
{
	sample_bound(s);
	finish_pcpus(s);
	for (size_t i = 0; i < s->n_vms; i++) {
		struct vm_sample *vm = &s->vms[i];
		if (vm->first_vcpu + vm->n_vcpus > s->n_vcpus)
			return err_set(
				e, ERR_RUNTIME, "VM %zu of the sample claims vCPUs that are not there", i);
		finish_vcpus(s, vm);
	}
	size_t n = 0;
	if (s->n_vms)
		qsort(s->vms, s->n_vms, sizeof *s->vms, by_uuid);
	for (size_t i = 0; i < s->n_vms; i++)
		if (!n || uuid_compare(s->vms[n - 1].uuid, s->vms[i].uuid) != 0)
			s->vms[n++] = s->vms[i];
	s->n_vms = n;
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

const struct vm_sample *sample_vm_by_uuid(const struct sample *s, const uint8_t uuid[UUID_BYTES])
{
	return UUID_FIND(uuid, s->vms, s->n_vms, struct vm_sample);
}

const struct vcpu_sample *sample_vcpu(const struct sample *s, const struct vm_sample *vm, int id)
{
	for (size_t i = 0; i < vm->n_vcpus; i++)
		if (s->vcpus[vm->first_vcpu + i].id == id)
			return &s->vcpus[vm->first_vcpu + i];
	return NULL;
}

static int by_id(const void *key, const void *item)
{
	const int *id = key;
	const struct pcpu_sample *p = item;
	return *id < p->id ? -1 : *id > p->id;
}

const struct pcpu_sample *sample_pcpu(const struct sample *s, int id)
{
	const struct pcpu_sample *p = s->host.pcpus;
	size_t at = array_place(&id, p, s->host.n_pcpus, sizeof *p, by_id);
	return at < s->host.n_pcpus && p[at].id == id ? &p[at] : NULL;
}

void sample_online(const struct sample *s, struct cpuset *online)
{
	cpuset_clear(online);
	for (size_t i = 0; i < s->host.n_pcpus; i++)
		if (s->host.pcpus[i].online)
			cpuset_add(online, s->host.pcpus[i].id);
}

void sample_usable(const struct sample *s, struct cpuset *usable)
{
	cpuset_clear(usable);
	for (size_t i = 0; i < s->host.n_pcpus; i++)
		if (s->host.pcpus[i].online && !s->host.pcpus[i].isolated)
			cpuset_add(usable, s->host.pcpus[i].id);
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
