/* SPDX-License-Identifier: MIT */
/* Where a guest's memory must come from: the nodes that it is bound to, the control group that it shares with
 * others. Invariant: what is granted on a node was seen free there, less the node's part of the host's
 * reserve and what is still in flight to it; guests of a group together never get more than its limit. A node
 * or a group of which nothing is known bounds nobody. */
#include "mem_priv.h"

enum { OVERHEAD_LEAST = 64 * MIB }; /* what QEMU itself needs, next to its guest */

static bool bound_to(const struct mem_guest *guest, int node)
{
	return guest->vm->mem_nodes_strict && (guest->vm->mem_nodes >> node & 1);
}

/* What its process takes beyond the balloon's size. */
static int64_t overhead(const struct vm_memory *mem, int64_t limit_kib)
{
	int64_t seen = vi64_has(mem->rss_kib) && vi64_has(mem->balloon_kib)
			       ? mem->rss_kib.v - mem->balloon_kib.v
			       : 0;
	int64_t plugged = vi64_has(mem->plugged_kib) ? max_of(mem->plugged_kib.v, 0) : 0;
	return min_of(max_of(seen, plugged + OVERHEAD_LEAST), limit_kib / 2);
}

int64_t mem_limit_kib(const struct vm_memory *mem)
{
	if (!vi64_has(mem->limit_kib) || mem->limit_kib.v <= 0)
		return SAMPLE_KIB_MOST;
	return mem->limit_kib.v - overhead(mem, mem->limit_kib.v);
}

static int64_t node_part(const struct mem_ctl *ctl, int node, int64_t kib)
{
	return (int64_t)((double)kib * ctl->node[node].part);
}

void mem_scopes_fill(struct mem_ctl *ctl)
{
	const struct host_sample *host = &ctl->r->sample->host;
	for (int i = 0; i < MAX_NODES; i++)
		ctl->node[i].known = false;
	for (size_t i = 0; i < host->n_nodes && ctl->host_known; i++) {
		const struct node_sample *n = &host->nodes[i];
		if (n->id < 0 || n->id >= MAX_NODES || !vi64_has(n->free_kib) || !vi64_has(n->total_kib))
			continue;
		ctl->node[n->id].known = true;
		ctl->node[n->id].free_kib = n->free_kib.v;
		ctl->node[n->id].part = (double)n->total_kib.v / (double)host->total_kib.v;
	}
	for (size_t i = 0; i < ctl->n; i++)
		mem_scope_spend(ctl, &ctl->guest[i], mem_guest_in_flight(&ctl->guest[i]));
}

/* Taken off its nodes, as far as they reach, one after the other. */
void mem_scope_spend(struct mem_ctl *ctl, struct mem_guest *guest, int64_t kib)
{
	guest->spent_kib += kib;
	for (int i = 0; i < MAX_NODES && kib > 0; i++) {
		if (!bound_to(guest, i) || ctl->node[i].free_kib <= 0)
			continue;
		int64_t part = min_of(kib, ctl->node[i].free_kib);
		ctl->node[i].free_kib -= part;
		kib -= part;
	}
}

/* SAMPLE_KIB_MOST: it is bound to none, or one of them is not known. */
static int64_t nodes_room(const struct mem_ctl *ctl, const struct mem_guest *guest, int64_t keep_kib)
{
	int64_t room = 0;
	bool any = false;
	for (int i = 0; i < MAX_NODES; i++) {
		if (!bound_to(guest, i))
			continue;
		if (!ctl->node[i].known)
			return SAMPLE_KIB_MOST;
		room += max_of(ctl->node[i].free_kib - node_part(ctl, i, keep_kib), 0);
		any = true;
	}
	return any ? room : SAMPLE_KIB_MOST;
}

static bool same_group(const struct mem_guest *a, const struct mem_guest *b)
{
	return a->vm->mem.limit_group == b->vm->mem.limit_group;
}

/* What a VM may take of its group without being asked again. */
static int64_t taken_of_group(const struct mem_guest *guest, int64_t limit)
{
	const struct vm_memory *mem = &guest->vm->mem;
	int64_t size =
		vi64_has(mem->balloon_kib) ? guest->balloon + guest->spent_kib : vi64_or(mem->rss_kib, 0);
	return size + overhead(mem, limit);
}

static int64_t group_room(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	const struct vi64 limit = guest->vm->mem.group_limit_kib;
	if (!vi64_has(limit) || !guest->vm->mem.limit_group)
		return SAMPLE_KIB_MOST;
	int64_t room = limit.v;
	for (size_t i = 0; i < ctl->n; i++)
		if (same_group(&ctl->guest[i], guest))
			room -= taken_of_group(&ctl->guest[i], limit.v);
	return max_of(room, 0);
}

int64_t mem_scope_room(const struct mem_ctl *ctl, const struct mem_guest *guest, int64_t keep_kib)
{
	return min_of(nodes_room(ctl, guest, keep_kib), group_room(ctl, guest));
}

struct mem_scope mem_scope_of(const struct mem_ctl *ctl, const struct mem_guest *guest)
{
	int64_t nodes = nodes_room(ctl, guest, ctl->levels.reserve), group = group_room(ctl, guest);
	if (min_of(nodes, group) >= max_of(ctl->pool_kib, 1))
		return MEM_ANYWHERE;
	return nodes <= group ? (struct mem_scope){guest->vm->mem_nodes, 0}
			      : (struct mem_scope){UINT64_MAX, guest->vm->mem.limit_group};
}

bool mem_scope_same(struct mem_scope a, struct mem_scope b)
{
	return a.nodes == b.nodes && a.group == b.group;
}

bool mem_scope_any(struct mem_scope scope)
{
	return mem_scope_same(scope, MEM_ANYWHERE);
}

bool mem_scope_inside(struct mem_scope scope, struct mem_scope of)
{
	return (scope.nodes & ~of.nodes) == 0 && (!of.group || scope.group == of.group);
}

/* Memory of a guest that is bound to several nodes may lie on any of them. */
bool mem_scope_has(struct mem_scope scope, const struct mem_guest *guest)
{
	if (scope.group && guest->vm->mem.limit_group != scope.group)
		return false;
	return scope.nodes == UINT64_MAX ||
	       (guest->vm->mem_nodes && (guest->vm->mem_nodes & ~scope.nodes) == 0);
}

static int order_of(struct mem_scope scope)
{
	if (scope.group)
		return 0;
	return scope.nodes == UINT64_MAX ? MAX_NODES + 1 : __builtin_popcountll(scope.nodes);
}

/* Of those that hungry guests lack memory of, the narrowest first. */
size_t mem_scopes_list(const struct mem_ctl *ctl, struct mem_scope *to)
{
	size_t n = 0;
	for (size_t i = 0; i < ctl->n; i++) {
		const struct mem_guest *guest = &ctl->guest[i];
		size_t at = 0, up;
		while (at < n && !mem_scope_same(to[at], guest->scope))
			at++;
		if (!guest->hungry || at < n || n == MEM_SCOPES)
			continue;
		for (up = n++; up > 0 && order_of(to[up - 1]) > order_of(guest->scope); up--)
			to[up] = to[up - 1];
		to[up] = guest->scope;
	}
	return n;
}
