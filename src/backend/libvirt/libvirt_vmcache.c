/* SPDX-License-Identifier: MIT */
/* The VMs a reader knows, by UUID. Invariant: sorted, each UUID once. Must not know: connections. */
#include "libvirt_vmcache.h"
#include "vmtop/array.h"

#include <stdlib.h>
#include <string.h>

static int by_uuid(const void *key, const void *item)
{
	const struct vm_cache *const *vm = item;
	return uuid_compare(key, (*vm)->uuid);
}

static size_t position(const struct vm_caches *c, const uint8_t uuid[UUID_BYTES], bool *found)
{
	size_t at = array_place(uuid, c->vms, c->n, sizeof *c->vms, by_uuid);
	*found = at < c->n && uuid_compare(c->vms[at]->uuid, uuid) == 0;
	return at;
}

static void forget(struct vm_cache *vm)
{
	dom_facts_done(&vm->facts);
	local_vm_done(&vm->local);
	free(vm->vcpus);
}

static void begin(struct vm_cache *vm, const uint8_t uuid[UUID_BYTES], int id)
{
	memset(vm, 0, sizeof *vm);
	memcpy(vm->uuid, uuid, UUID_BYTES);
	vm->id = id;
	dom_facts_init(&vm->facts);
}

struct vm_cache *vm_cache_find(const struct vm_caches *c, const uint8_t uuid[UUID_BYTES])
{
	bool found;
	size_t at = position(c, uuid, &found);
	return found ? c->vms[at] : NULL;
}

struct vm_cache *vm_cache_get(struct vm_caches *c, const uint8_t uuid[UUID_BYTES], int id)
{
	bool found;
	size_t at = position(c, uuid, &found);
	if (found && c->vms[at]->id != id) {
		forget(c->vms[at]);
		begin(c->vms[at], uuid, id);
	}
	if (found)
		return c->vms[at];
	bool room = array_grow(&c->vms, &c->cap, c->n + 1, sizeof *c->vms);
	struct vm_cache *vm = room ? malloc(sizeof *vm) : NULL;
	if (!vm)
		return NULL;
	begin(vm, uuid, id);
	memmove(c->vms + at + 1, c->vms + at, (c->n - at) * sizeof(struct vm_cache *));
	c->vms[at] = vm;
	c->n++;
	return vm;
}

void vm_cache_prune(struct vm_caches *c, uint64_t round)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (c->vms[i]->round == round) {
			c->vms[n++] = c->vms[i];
		} else {
			forget(c->vms[i]);
			free(c->vms[i]);
		}
	}
	c->n = n;
}

void vm_cache_done(struct vm_caches *c)
{
	vm_cache_prune(c, UINT64_MAX);
	free(c->vms);
	memset(c, 0, sizeof *c);
}
