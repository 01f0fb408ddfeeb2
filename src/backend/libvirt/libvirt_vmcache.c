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

static size_t position(const struct vm_caches *caches, const uint8_t uuid[UUID_BYTES], bool *found)
{
	size_t at = array_place(uuid, caches->vms, caches->n, sizeof *caches->vms, by_uuid);
	*found = at < caches->n && uuid_compare(caches->vms[at]->uuid, uuid) == 0;
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

struct vm_cache *vm_cache_find(const struct vm_caches *caches, const uint8_t uuid[UUID_BYTES])
{
	bool found;
	size_t at = position(caches, uuid, &found);
	return found ? caches->vms[at] : NULL;
}

struct vm_cache *vm_cache_get(struct vm_caches *caches, const uint8_t uuid[UUID_BYTES], int id)
{
	bool found;
	size_t at = position(caches, uuid, &found);
	if (found && caches->vms[at]->id != id) {
		forget(caches->vms[at]);
		begin(caches->vms[at], uuid, id);
	}
	if (found)
		return caches->vms[at];
	bool room = array_grow(&caches->vms, &caches->cap, caches->n + 1, sizeof *caches->vms);
	struct vm_cache *vm = room ? malloc(sizeof *vm) : NULL;
	if (!vm)
		return NULL;
	begin(vm, uuid, id);
	memmove(caches->vms + at + 1, caches->vms + at, (caches->n - at) * sizeof(struct vm_cache *));
	caches->vms[at] = vm;
	caches->n++;
	return vm;
}

void vm_cache_prune(struct vm_caches *caches, uint64_t round)
{
	size_t n = 0;
	for (size_t i = 0; i < caches->n; i++) {
		if (caches->vms[i]->round == round) {
			caches->vms[n++] = caches->vms[i];
		} else {
			forget(caches->vms[i]);
			free(caches->vms[i]);
		}
	}
	caches->n = n;
}

void vm_cache_done(struct vm_caches *caches)
{
	vm_cache_prune(caches, UINT64_MAX);
	free(caches->vms);
	memset(caches, 0, sizeof *caches);
}
