/* SPDX-License-Identifier: MIT */
/* JSON Lines: one object a tick, by the contract of vmtop(1), OUTPUT. Within schema 1 keys may be added,
 * never renamed, removed or retyped. Invariant: what is unknown is null, never 0 and never left out. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/batch.h"
#include "vmtop/text.h"

/* Every value goes through put(), so that a single flag tells whether memory ran out. */
struct json_builder {
	bool failed;
};

static json_t *keep(struct json_builder *b, json_t *v)
{
	b->failed |= !v;
	return v;
}

static void put(struct json_builder *b, json_t *object, const char *key, json_t *v)
{
	b->failed |= json_object_set_new(object, key, v) < 0;
}

static void push(struct json_builder *b, json_t *array, json_t *v)
{
	b->failed |= json_array_append_new(array, v) < 0;
}

static json_t *json_f(struct vf64 x)
{
	return vf64_has(x) && isfinite(x.v) ? json_real(round(x.v * 1000) / 1000) : json_null();
}

static json_t *json_i(struct vi64 x)
{
	return vi64_has(x) ? json_integer(x.v) : json_null();
}

static json_t *json_id(int64_t id)
{
	return id >= 0 ? json_integer(id) : json_null();
}

/* Raw bytes from outside as valid UTF-8. */
static json_t *json_raw(const char *raw)
{
	char clean[3 * VM_NAME_BYTES];
	text_utf8(clean, sizeof clean, raw);
	return json_string(clean);
}

static json_t *json_text_or_null(const char *text)
{
	return text && *text ? json_raw(text) : json_null();
}

static json_t *json_cpus(const struct cpuset *set)
{
	char text[CPUSET_CPUS * 5];
	cpuset_format(set, text, sizeof text);
	return json_string(text);
}

static json_t *json_pcpu(struct json_builder *b, const struct pcpu_sample *p, const struct pcpu_rate *r)
{
	json_t *o = keep(b, json_object());
	put(b, o, "id", json_integer(p->id));
	put(b, o, "node", json_id(p->node));
	put(b, o, "capacity", p->capacity ? json_real(pcpu_capacity(p)) : json_null());
	put(b, o, "busy_pct", json_f(r->busy_pct));
	put(b, o, "load_pct", json_f(r->load_pct));
	put(b, o, "demand_pct", json_f(r->demand_pct));
	put(b, o, "online", json_boolean(p->online));
	return o;
}

static json_t *json_host_cpu(struct json_builder *b, const struct snapshot *s)
{
	json_t *o = keep(b, json_object()), *pcpus = keep(b, json_array());
	put(b, o, "busy_pct", json_f(s->busy_pct));
	put(b, o, "load_stddev_pct", json_f(s->cpu.stddev_pct)); /* the older name of stddev_pct */
	for (size_t i = 0; i < s->sample.host.n_pcpus; i++)
		push(b, pcpus, json_pcpu(b, &s->sample.host.pcpus[i], &s->pcpu_rates[i]));
	put(b, o, "pcpus", pcpus);
	put(b, o, "stddev_pct", json_f(s->cpu.stddev_pct));
	put(b, o, "limit_pct", json_f(s->cpu.limit_pct));
	put(b, o, "found_pct", json_f(s->cpu.found_pct));
	put(b, o, "bound_pct", json_f(s->cpu.bound_pct));
	put(b, o, "verdict", json_string(reason_key(s->cpu.why.code)));
	put(b, o, "why", json_text_or_null(s->cpu.why.text));
	return o;
}

static json_t *json_host(struct json_builder *b, const struct snapshot *s)
{
	json_t *o = keep(b, json_object()), *memory = keep(b, json_object());
	put(b, o, "name", json_raw(s->sample.host.hostname));
	put(b, o, "cpu", json_host_cpu(b, s));
	put(b, memory, "total_kib", json_i(s->sample.host.total_kib));
	put(b, memory, "available_kib", json_i(s->sample.host.available_kib));
	put(b, memory, "arc_kib", json_i(s->sample.host.arc_kib));
	put(b, memory, "reserve_kib", json_i(s->memory.reserve_kib));
	put(b, memory, "state", json_string(memory_state_name(s->memory.state)));
	put(b, o, "memory", memory);
	return o;
}

static json_t *json_vcpu(struct json_builder *b, const struct vcpu_sample *v, const struct vcpu_rate *r)
{
	json_t *o = keep(b, json_object());
	put(b, o, "id", json_integer(v->id));
	put(b, o, "usage_pct", json_f(r->usage_pct));
	put(b, o, "wait_pct", json_f(r->wait_pct));
	put(b, o, "demand_pct", json_f(r->demand_pct));
	put(b, o, "pcpu", json_i(v->pcpu));
	put(b, o, "affinity", v->affinity_avail == AVAIL_OK ? json_cpus(&v->affinity) : json_null());
	put(b, o, "pinned", v->affinity_avail == AVAIL_OK ? json_boolean(v->pinned) : json_null());
	return o;
}

/* Why memory control does or leaves what it does; without a controller's word, why there are no numbers. */
static json_t *json_memory_reason(const struct vm_sample *vm, const struct vm_status *st)
{
	if (st->mem.why.code != REASON_NONE)
		return json_string(reason_key(st->mem.why.code));
	return vi64_has(vm->mem.usable_kib) ? json_null() : json_string(avail_key(vm->mem.usable_kib.avail));
}

static json_t *json_memory(struct json_builder *b, const struct vm_sample *vm, const struct vm_rate *r,
	const struct vm_status *st)
{
	json_t *o = keep(b, json_object());
	put(b, o, "max_kib", json_i(vm->mem.max_kib));
	put(b, o, "balloon_kib", json_i(vm->mem.balloon_kib));
	put(b, o, "plugged_kib", json_i(vm->mem.plugged_kib));
	put(b, o, "limit_kib", json_i(vm->mem.limit_kib));
	put(b, o, "group_limit_kib", json_i(vm->mem.group_limit_kib));
	put(b, o, "target_kib", json_i(st->target_kib));
	put(b, o, "unused_kib", json_i(vm->mem.unused_kib));
	put(b, o, "usable_kib", json_i(vm->mem.usable_kib));
	put(b, o, "rss_kib", json_i(vm->mem.rss_kib));
	put(b, o, "used_kib", json_i(r->used_kib));
	put(b, o, "age_s", json_f(r->age_s));
	put(b, o, "reason", json_memory_reason(vm, st));
	put(b, o, "why", json_text_or_null(st->mem.why.text));
	return o;
}

static json_t *json_vm(struct json_builder *b, const struct snapshot *s, size_t i)
{
	const struct vm_sample *vm = &s->sample.vms[i];
	const struct vm_status *st = &s->vm_status[i];
	char uuid[UUID_TEXT];
	json_t *o = keep(b, json_object()), *vcpus = keep(b, json_array());
	uuid_format(vm->uuid, uuid);
	put(b, o, "name", json_raw(vm->name));
	put(b, o, "uuid", json_string(uuid));
	put(b, o, "id", json_id(vm->id));
	put(b, o, "state", json_string(vm_state_text(vm->state)));
	put(b, o, "cpu_pct", json_f(s->vm_rates[i].cpu_pct));
	put(b, o, "wait_pct", json_f(s->vm_rates[i].wait_pct));
	put(b, o, "demand_pct", json_f(s->vm_rates[i].demand_pct));
	for (size_t k = 0; k < vm->n_vcpus; k++) {
		size_t v = vm->first_vcpu + k;
		push(b, vcpus, json_vcpu(b, &s->sample.vcpus[v], &s->vcpu_rates[v]));
	}
	put(b, o, "vcpus", vcpus);
	put(b, o, "memory", json_memory(b, vm, &s->vm_rates[i], st));
	put(b, o, "hung", json_boolean(vm->hung_since_ns != 0));
	put(b, o, "cpu_reason", st->cpu == REASON_NONE ? json_null() : json_string(reason_key(st->cpu)));
	return o;
}

static void put_from_to(struct json_builder *b, json_t *o, const struct action *a)
{
	if (a->kind == ACTION_PIN) {
		put(b, o, "from", cpuset_empty(&a->from) ? json_null() : json_cpus(&a->from));
		put(b, o, "to", json_cpus(&a->to));
	} else if (a->kind == ACTION_BALLOON) {
		put(b, o, "from", json_id(a->from_kib));
		put(b, o, "to", json_integer(a->to_kib));
	} else {
		put(b, o, "from", json_id(a->from_s));
		put(b, o, "to", json_integer(a->to_s));
	}
}

static json_t *json_action(struct json_builder *b, const struct snapshot *s, const struct action *a)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&s->sample, a->uuid);
	char uuid[UUID_TEXT];
	json_t *o = keep(b, json_object());
	uuid_format(a->uuid, uuid);
	put(b, o, "kind", json_string(action_kind_text(a->kind)));
	put(b, o, "vm", vm ? json_raw(vm->name) : json_null());
	put(b, o, "uuid", json_string(uuid));
	put(b, o, "vcpu", json_id(a->vcpu));
	put_from_to(b, o, a);
	put(b, o, "reason", json_string(reason_key(a->why.code)));
	put(b, o, "why", json_text_or_null(a->why.text[0] ? a->why.text : reason_text(a->why.code)));
	put(b, o, "outcome", json_string(outcome_text(a->outcome)));
	put(b, o, "error", json_text_or_null(a->error));
	return o;
}

static void put_modes(struct json_builder *b, json_t *o, const struct snapshot *s)
{
	json_t *mode = keep(b, json_object()), *policy = keep(b, json_object());
	put(b, mode, "cpu", json_string(s->auto_cpu ? "auto" : "manual"));
	put(b, mode, "memory", json_string(s->auto_memory ? "auto" : "manual"));
	put(b, mode, "dry_run", json_boolean(s->dry_run));
	put(b, mode, "readonly", json_boolean(s->readonly));
	put(b, mode, "waits", json_boolean(s->waits_cpu || s->waits_memory));
	put(b, o, "mode", mode);
	put(b, policy, "cpu", json_string(cpu_policy_name(s->cpu_policy)));
	put(b, policy, "memory", json_string(mem_policy_name(s->mem_policy)));
	put(b, policy, "granularity", json_string(granularity_name(s->granularity)));
	put(b, o, "policy", policy);
}

static void put_claim(struct json_builder *b, json_t *o, const struct claim_status *c)
{
	json_t *claim = keep(b, json_object());
	put(b, claim, "state", json_string(claim_state_name(c->state)));
	put(b, claim, "who", json_text_or_null(c->who));
	put(b, o, "claim", claim);
}

static json_t *json_snapshot(struct json_builder *b, const struct snapshot *s)
{
	char time[48];
	json_t *o = keep(b, json_object()), *vms = keep(b, json_array()), *actions = keep(b, json_array());
	text_time(time, sizeof time, s->sample.wall_ns);
	put(b, o, "schema", json_integer(1));
	put(b, o, "time", json_string(time));
	put(b, o, "elapsed_s", json_f(s->elapsed_s > 0 ? vf64_ok(s->elapsed_s) : vf64_absent(AVAIL_FIRST)));
	put(b, o, "uri", json_raw(s->backend.uri));
	put_modes(b, o, s);
	put_claim(b, o, &s->backend.claim);
	put(b, o, "host", json_host(b, s));
	for (size_t i = 0; i < s->sample.n_vms; i++)
		push(b, vms, json_vm(b, s, i));
	put(b, o, "vms", vms);
	for (size_t i = 0; i < s->n_actions; i++)
		push(b, actions, json_action(b, s, &s->actions[i]));
	put(b, o, "actions", actions);
	put(b, o, "note", json_text_or_null(s->sample.note));
	return o;
}

int json_write(struct batch_out *o, const struct snapshot *s, struct err *e)
{
	struct json_builder b = {false};
	json_t *root = json_snapshot(&b, s);
	char *line =
		b.failed ? NULL : json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	json_decref(root);
	if (!line)
		return err_set(e, ERR_NOMEM, "out of memory");
	fputs(line, o->to);
	fputc('\n', o->to);
	free(line);
	return 0;
}
