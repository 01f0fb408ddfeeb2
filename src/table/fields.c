/* SPDX-License-Identifier: MIT */
/* The rows of the table of output fields. Invariant: what is not known is FIELD_NULL, never 0; a row is the
 * only place where its key is written. */
#include "vmtop/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "field_rows.h"
#include "vmtop/text.h"

static void set_text(struct field_value *val, const char *text)
{
	if (text && *text)
		*val = (struct field_value){.kind = FIELD_TEXT, .text = text};
}

static void set_bool(struct field_value *val, bool on)
{
	val->kind = FIELD_BOOL;
	val->num = on;
}

static void set_int(struct field_value *val, int64_t n)
{
	val->kind = FIELD_INT;
	val->num = n;
}

static void set_real(struct field_value *val, double x)
{
	if (!isfinite(x))
		return;
	val->kind = FIELD_REAL;
	val->real = x;
}

/* --- pCPUs ---------------------------------------------------------------------------------------------- */

static void pcpu_capacity_of(const struct field_at *at, struct field_value *val)
{
	const struct pcpu_sample *pcpu = &at->snap->sample.host.pcpus[at->index];
	if (pcpu->capacity)
		set_real(val, pcpu_capacity(pcpu));
}

static void all_pcpus(const struct field_at *at, size_t *first, size_t *n)
{
	*first = 0;
	*n = at->snap->sample.host.n_pcpus;
}

static const struct field pcpu_rows[] = {
	{"id", "", "number of the pCPU", PCPU(id)},
	{"node", "", "its NUMA node", PCPU(node), .or_null = true},
	{"capacity", "", "what it does compared with the largest pCPU, which has 1; only where they differ",
		.get = pcpu_capacity_of},
	{"busy_pct", "%", "time that it was not idle", PCPU_RATE(busy_pct)},
	{"load_pct", "%", "usage by the vCPUs mapped to it", PCPU_RATE(load_pct)},
	{"demand_pct", "%", "what those vCPUs want", PCPU_RATE(demand_pct)},
	{"online", "", "the kernel may use it", PCPU(online)},
};
static SET(pcpu_set, pcpu_rows);

/* --- the host ------------------------------------------------------------------------------------------- */

static void cpu_verdict_key(const struct field_at *at, struct field_value *val)
{
	set_text(val, reason_key(at->snap->cpu.why.code));
}

static void memory_state_of(const struct field_at *at, struct field_value *val)
{
	set_text(val, memory_state_name(at->snap->memory.state));
}

static const struct field host_cpu_rows[] = {
	{"busy_pct", "%", "mean busy time of the online pCPUs", SNAPSHOT(busy_pct)},
	{"load_stddev_pct", "%", "older name of stddev_pct", SNAPSHOT(cpu.stddev_pct)},
	{"pcpus", "", "the pCPUs", .set = &pcpu_set, .range = all_pcpus},
	{"stddev_pct", "%", "standard deviation of the pCPUs' load: the number that the policy goes by",
		SNAPSHOT(cpu.stddev_pct)},
	{"limit_pct", "%", "deviation above which the policy acts", SNAPSHOT(cpu.limit_pct)},
	{"found_pct", "%", "deviation of the best placement known", SNAPSHOT(cpu.found_pct)},
	{"bound_pct", "%", "no placement has less deviation than this", SNAPSHOT(cpu.bound_pct)},
	{"verdict", "", "code of the reason for what the CPU policy did; see REASONS",
		.get = cpu_verdict_key},
	{"why", "", "the same in words, with numbers", SNAPSHOT(cpu.why.text), .or_null = true},
};
static SET(host_cpu_set, host_cpu_rows);

static const struct field host_memory_rows[] = {
	{"total_kib", "KiB", "memory of the host", SNAPSHOT(sample.host.total_kib)},
	{"available_kib", "KiB", "memory that the host could give out", SNAPSHOT(sample.host.available_kib)},
	{"arc_kib", "KiB", "cache of ZFS that the host would give back; counted as available",
		SNAPSHOT(sample.host.arc_kib)},
	{"reserve_kib", "KiB", "memory that the memory policy keeps free", SNAPSHOT(memory.reserve_kib)},
	{"state", "", "ok, soft (below the reserve) or hard (short of memory)", .get = memory_state_of},
};
static SET(host_memory_set, host_memory_rows);

static const struct field host_rows[] = {
	{"name", "", "host name", SNAPSHOT(sample.host.hostname)},
	{"cpu", "", "its pCPUs", .set = &host_cpu_set},
	{"memory", "", "its memory", .set = &host_memory_set},
};
static SET(host_set, host_rows);

/* --- VMs ------------------------------------------------------------------------------------------------ */

static void vcpu_affinity(const struct field_at *at, struct field_value *val)
{
	const struct vcpu_sample *vcpu = &at->snap->sample.vcpus[at->index];
	if (vcpu->affinity_avail == AVAIL_OK)
		*val = (struct field_value){.kind = FIELD_CPUS, .cpus = &vcpu->affinity};
}

static void vcpu_pinned(const struct field_at *at, struct field_value *val)
{
	const struct vcpu_sample *vcpu = &at->snap->sample.vcpus[at->index];
	if (vcpu->affinity_avail == AVAIL_OK)
		set_bool(val, vcpu->pinned);
}

static void vcpus_of(const struct field_at *at, size_t *first, size_t *n)
{
	*first = at->snap->sample.vms[at->index].first_vcpu;
	*n = at->snap->sample.vms[at->index].n_vcpus;
}

static const struct field vcpu_rows[] = {
	{"id", "", "number of the vCPU", VCPU(id)},
	{"usage_pct", "%", "time that it ran, of one pCPU", VCPU_RATE(usage_pct)},
	{"wait_pct", "%", "time that it waited for a pCPU", VCPU_RATE(wait_pct)},
	{"demand_pct", "%", "what it wants", VCPU_RATE(demand_pct)},
	{"pcpu", "", "pCPU on which it ran last", VCPU(pcpu)},
	{"affinity", "", "pCPUs on which it may run, as a list", .get = vcpu_affinity},
	{"pinned", "", "the affinity leaves out some pCPU of the host", .get = vcpu_pinned},
};
static SET(vcpu_set, vcpu_rows);

static void vm_memory_busy(const struct field_at *at, struct field_value *val)
{
	set_bool(val, at->snap->sample.vms[at->index].flags & VM_FLAG_BUSY);
}

/* Why memory control does or leaves what it does; without a word of it, why there are no numbers. */
static void vm_memory_reason(const struct field_at *at, struct field_value *val)
{
	const struct vm_status *status = &at->snap->vm_status[at->index];
	const struct vm_sample *vm = &at->snap->sample.vms[at->index];
	struct vi64 usable = vm->mem.usable_kib;
	if (status->mem.why.code != REASON_NONE)
		set_text(val, reason_key(status->mem.why.code));
	else if (vm->flags & VM_FLAG_BUSY)
		set_text(val, reason_key(REASON_BUSY));
	else if (!vi64_has(usable))
		set_text(val, avail_key(usable.avail));
}

static const struct field vm_memory_rows[] = {
	{"max_kib", "KiB", "its maximum", VM(mem.max_kib)},
	{"balloon_kib", "KiB", "what the balloon leaves it now", VM(mem.balloon_kib)},
	{"plugged_kib", "KiB", "memory plugged in through virtio-mem, beside the balloon",
		VM(mem.plugged_kib)},
	{"limit_kib", "KiB", "hard_limit or memory.max of its own control group", VM(mem.limit_kib)},
	{"group_limit_kib", "KiB", "limit of a control group around it", VM(mem.group_limit_kib)},
	{"target_kib", "KiB", "balloon target that vmtop set last", VM_STATUS(target_kib)},
	{"unused_kib", "KiB", "free memory inside", VM(mem.unused_kib)},
	{"usable_kib", "KiB", "memory inside that could be had without swapping", VM(mem.usable_kib)},
	{"rss_kib", "KiB", "memory of the host that it holds", VM(mem.rss_kib)},
	{"used_kib", "KiB", "what it uses inside", VM_RATE(used_kib)},
	{"age_s", "s", "age of the guest's own numbers", VM_RATE(age_s)},
	{"busy", "", "another client held its job: the numbers are those of before", .get = vm_memory_busy},
	{"reason", "", "code of the reason for what was done to its memory, or why there are no numbers",
		.get = vm_memory_reason},
	{"why", "", "the same in words, with numbers", VM_STATUS(mem.why.text), .or_null = true},
};
static SET(vm_memory_set, vm_memory_rows);

static void vm_uuid(const struct field_at *at, struct field_value *val)
{
	uuid_format(at->snap->sample.vms[at->index].uuid, val->buf);
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static void vm_state(const struct field_at *at, struct field_value *val)
{
	set_text(val, vm_state_text(at->snap->sample.vms[at->index].state));
}

static void vm_hung(const struct field_at *at, struct field_value *val)
{
	set_bool(val, at->snap->sample.vms[at->index].hung_since_ns != 0);
}

static void vm_cpu_reason(const struct field_at *at, struct field_value *val)
{
	enum reason reason = at->snap->vm_status[at->index].cpu;
	set_text(val, reason == REASON_NONE ? NULL : reason_key(reason));
}

static void all_vms(const struct field_at *at, size_t *first, size_t *n)
{
	*first = 0;
	*n = at->snap->sample.n_vms;
}

/* Findings are numbered over all VMs: FINDINGS places each. */
static const struct finding *finding_of(const struct field_at *at)
{
	return &at->snap->vm_status[at->index / FINDINGS].suffer.found[at->index % FINDINGS];
}

static void causes_of(const struct field_at *at, size_t *first, size_t *n)
{
	*first = at->index * FINDINGS;
	*n = (size_t)at->snap->vm_status[at->index].suffer.n;
}

static void cause_key_of(const struct field_at *at, struct field_value *val)
{
	set_text(val, cause_key(finding_of(at)->cause));
}

static void cause_weight(const struct field_at *at, struct field_value *val)
{
	set_real(val, finding_of(at)->weight_pct);
}

static void cause_for(const struct field_at *at, struct field_value *val)
{
	set_real(val, (double)(at->snap->sample.time_ns - finding_of(at)->since_ns) / 1e9);
}

static void cause_evidence(const struct field_at *at, struct field_value *val)
{
	struct suffer_look look = snapshot_look(at->snap);
	suffer_evidence(&look, at->index / FINDINGS, finding_of(at), val->buf, sizeof val->buf);
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static void cause_cure(const struct field_at *at, struct field_value *val)
{
	struct suffer_look look = snapshot_look(at->snap);
	suffer_cure(&look, at->index / FINDINGS, finding_of(at), val->buf, sizeof val->buf);
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static const struct field cause_rows[] = {
	{"cause", "", "code of the cause; see WHO SUFFERS", .get = cause_key_of},
	{"weight_pct", "%", "what of its speed it is thought to cost", .get = cause_weight},
	{"for_s", "s", "since when it is seen", .get = cause_for},
	{"evidence", "", "the numbers behind it, in words", .get = cause_evidence},
	{"cure", "", "what would cure it", .get = cause_cure},
};
static SET(cause_set, cause_rows);

static void suffer_score(const struct field_at *at, struct field_value *val)
{
	const struct suffering *hurt = &at->snap->vm_status[at->index].suffer;
	if (hurt->n || vf64_has(hurt->got_pct))
		set_real(val, hurt->score_pct);
}

static void suffer_got(const struct field_at *at, struct field_value *val)
{
	struct vf64 got = at->snap->vm_status[at->index].suffer.got_pct;
	if (vf64_has(got))
		set_real(val, got.v);
}

static void suffer_not_known(const struct field_at *at, struct field_value *val)
{
	struct suffer_look look = snapshot_look(at->snap);
	suffer_unknown(&look, at->index, val->buf, sizeof val->buf);
	if (!val->buf[0])
		return;
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static const struct field suffer_rows[] = {
	{"score_pct", "%", "0: it has what it wants; else the weight of the heaviest cause",
		.get = suffer_score},
	{"got_pct", "%", "of the CPU time that its vCPUs wanted, what they got", .get = suffer_got},
	{"causes", "", "why, the heaviest first; empty: nothing found", .set = &cause_set,
		.range = causes_of},
	{"not_known", "", "what could not be read, so that it accuses nobody", .get = suffer_not_known},
};
static SET(suffer_set, suffer_rows);

static const struct field vm_rows[] = {
	{"name", "", "its name", VM(name)},
	{"title", "", "the name that people know: nova's, or <title> of the definition", VM(title),
		.or_null = true},
	{"uuid", "", "its UUID", .get = vm_uuid},
	{"id", "", "libvirt's number of a running VM", VM(id), .or_null = true},
	{"state", "", "running, paused and so on", .get = vm_state},
	{"cpu_pct", "%", "time of its vCPUs, of one pCPU", VM_RATE(cpu_pct)},
	{"wait_pct", "%", "time that its vCPUs waited for a pCPU, summed", VM_RATE(wait_pct)},
	{"demand_pct", "%", "what its vCPUs want, summed", VM_RATE(demand_pct)},
	{"vcpus", "", "its vCPUs", .set = &vcpu_set, .range = vcpus_of},
	{"memory", "", "its memory", .set = &vm_memory_set},
	{"hung", "", "its monitor does not answer", .get = vm_hung},
	{"cpu_reason", "", "code of the reason why AUTO leaves its vCPUs alone", .get = vm_cpu_reason},
	{"suffers", "", "whether it suffers, and why", .set = &suffer_set},
};
static SET(vm_set, vm_rows);

static void line_time(const struct field_at *at, struct field_value *val);
static const struct field why_rows[] = {
	{"time", "", "ISO 8601 with zone", .get = line_time},
	{"name", "", "its name", VM(name)},
	{"uuid", "", "its UUID", .get = vm_uuid},
	{"suffers", "", "whether it suffers, and why", .set = &suffer_set},
};
SET(why_fields, why_rows);

/* --- actions -------------------------------------------------------------------------------------------- */

static const struct action *action_of(const struct field_at *at)
{
	return &at->snap->actions[at->index];
}

static void action_kind_of(const struct field_at *at, struct field_value *val)
{
	set_text(val, action_kind_text(action_of(at)->kind));
}

static void action_vm(const struct field_at *at, struct field_value *val)
{
	const struct vm_sample *vm = sample_vm_by_uuid(&at->snap->sample, action_of(at)->uuid);
	if (vm)
		*val = (struct field_value){.kind = FIELD_TEXT, .text = vm->name};
}

static void action_uuid(const struct field_at *at, struct field_value *val)
{
	uuid_format(action_of(at)->uuid, val->buf);
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static void set_change(
	struct field_value *val, const struct action *action, const struct cpuset *cpus, int64_t kib, int s)
{
	if (action->kind == ACTION_PIN && !cpuset_empty(cpus))
		*val = (struct field_value){.kind = FIELD_CPUS, .cpus = cpus};
	else if (action->kind == ACTION_BALLOON && kib >= 0)
		set_int(val, kib);
	else if (action->kind != ACTION_PIN && action->kind != ACTION_BALLOON && s >= 0)
		set_int(val, s);
}

static void action_from(const struct field_at *at, struct field_value *val)
{
	const struct action *action = action_of(at);
	set_change(val, action, &action->from, action->from_kib, action->from_s);
}

static void action_to(const struct field_at *at, struct field_value *val)
{
	const struct action *action = action_of(at);
	set_change(val, action, &action->to, action->to_kib, action->to_s);
}

static void action_reason(const struct field_at *at, struct field_value *val)
{
	set_text(val, reason_key(action_of(at)->why.code));
}

static void action_why(const struct field_at *at, struct field_value *val)
{
	const struct why *why = &action_of(at)->why;
	set_text(val, text_or(why->text, reason_text(why->code)));
}

static void action_outcome(const struct field_at *at, struct field_value *val)
{
	set_text(val, outcome_text(action_of(at)->outcome));
}

static void all_actions(const struct field_at *at, size_t *first, size_t *n)
{
	*first = 0;
	*n = at->snap->n_actions;
}

static const struct field action_rows[] = {
	{"kind", "", "pin, balloon, period or shares", .get = action_kind_of},
	{"vm", "", "name of the VM", .get = action_vm},
	{"uuid", "", "UUID of the VM", .get = action_uuid},
	{"vcpu", "", "number of the vCPU that is pinned", ACTION(vcpu), .or_null = true},
	{"from", "", "what was in force: a list of pCPUs, KiB, seconds, or CPU shares", .get = action_from},
	{"to", "", "what is to be in force", .get = action_to},
	{"reason", "", "code of the reason; see REASONS", .get = action_reason},
	{"why", "", "the same in words, with numbers", .get = action_why},
	{"outcome", "", "planned, done, failed, skipped or unknown", .get = action_outcome},
	{"error", "", "what the hypervisor said", ACTION(error), .or_null = true},
};
static SET(action_set, action_rows);

/* --- the line ------------------------------------------------------------------------------------------- */

static void mode_cpu(const struct field_at *at, struct field_value *val)
{
	set_text(val, at->snap->auto_cpu ? "auto" : "manual");
}

static void mode_memory(const struct field_at *at, struct field_value *val)
{
	set_text(val, at->snap->auto_memory ? "auto" : "manual");
}

static void mode_waits(const struct field_at *at, struct field_value *val)
{
	set_bool(val, at->snap->waits_cpu || at->snap->waits_memory);
}

static const struct field mode_rows[] = {
	{"cpu", "", "auto or manual", .get = mode_cpu},
	{"memory", "", "auto or manual", .get = mode_memory},
	{"dry_run", "", "plans are shown and not carried out", SNAPSHOT(dry_run)},
	{"readonly", "", "nothing can be changed", SNAPSHOT(readonly)},
	{"waits", "", "AUTO goes on by itself once nobody else steers this host", .get = mode_waits},
};
static SET(mode_set, mode_rows);

static void policy_cpu(const struct field_at *at, struct field_value *val)
{
	set_text(val, cpu_policy_name(at->snap->cpu_policy));
}

static void policy_memory(const struct field_at *at, struct field_value *val)
{
	set_text(val, mem_policy_name(at->snap->mem_policy));
}

static void policy_granularity(const struct field_at *at, struct field_value *val)
{
	set_text(val, granularity_name(at->snap->granularity));
}

static const struct field policy_rows[] = {
	{"cpu", "", "CPU policy", .get = policy_cpu},
	{"memory", "", "memory policy", .get = policy_memory},
	{"granularity", "", "what vCPUs are pinned to", .get = policy_granularity},
};
static SET(policy_set, policy_rows);

static void claim_state_of(const struct field_at *at, struct field_value *val)
{
	set_text(val, claim_state_name(at->snap->backend.claim.state));
}

static const struct field claim_rows[] = {
	{"state", "", "free, left behind, ours, other, denied, unknown or none", .get = claim_state_of},
	{"who", "", "host, user and process that steer this host", SNAPSHOT(backend.claim.who),
		.or_null = true},
};
static SET(claim_set, claim_rows);

static void schema_number(const struct field_at *at, struct field_value *val)
{
	(void)at;
	set_int(val, 1);
}

static void line_time(const struct field_at *at, struct field_value *val)
{
	text_time(val->buf, sizeof val->buf, at->snap->sample.wall_ns);
	val->kind = FIELD_TEXT;
	val->text = val->buf;
}

static void line_elapsed(const struct field_at *at, struct field_value *val)
{
	if (at->snap->elapsed_s > 0)
		set_real(val, at->snap->elapsed_s);
}

static const struct field line_rows[] = {
	{"schema", "", "1; keys may be added within it", .get = schema_number},
	{"time", "", "ISO 8601 with zone", .get = line_time},
	{"elapsed_s", "s", "measured time since the sample before", .get = line_elapsed},
	{"uri", "", "what vmtop is connected to", SNAPSHOT(backend.uri)},
	{"mode", "", "whether AUTO steers", .set = &mode_set},
	{"policy", "", "what is in force", .set = &policy_set},
	{"claim", "", "who steers this host", .set = &claim_set},
	{"host", "", "the host", .set = &host_set},
	{"vms", "", "the VMs", .set = &vm_set, .range = all_vms},
	{"actions", "", "what was done in this interval", .set = &action_set, .range = all_actions},
	{"note", "", "what the sample lacks", SNAPSHOT(sample.note), .or_null = true},
};
SET(json_fields, line_rows);

/* --- reading them --------------------------------------------------------------------------------------- */

static const void *object_of(enum field_base base, const struct field_at *at)
{
	const struct snapshot *snap = at->snap;
	switch (base) {
	case FIELD_OF_SNAPSHOT:
		return snap;
	case FIELD_OF_PCPU:
		return &snap->sample.host.pcpus[at->index];
	case FIELD_OF_PCPU_RATE:
		return &snap->pcpu_rates[at->index];
	case FIELD_OF_VM:
		return &snap->sample.vms[at->index];
	case FIELD_OF_VM_RATE:
		return &snap->vm_rates[at->index];
	case FIELD_OF_VM_STATUS:
		return &snap->vm_status[at->index];
	case FIELD_OF_VCPU:
		return &snap->sample.vcpus[at->index];
	case FIELD_OF_VCPU_RATE:
		return &snap->vcpu_rates[at->index];
	case FIELD_OF_ACTION:
		return &snap->actions[at->index];
	case FIELD_OF_TALLY:
		return at->tally;
	case FIELD_OF_VM_TALLY:
		return &at->tally->vms[at->index];
	case FIELD_OF_VCPU_TALLY:
		return &at->tally->vcpus[at->index];
	case FIELD_OF_PCPU_TALLY:
		return &at->tally->pcpus[at->index];
	case FIELD_COMPUTED:
		break;
	}
	return NULL;
}

static void get_member(const struct field *field, const void *member, struct field_value *val)
{
	struct vf64 real;
	struct vi64 whole;
	int64_t large;
	int number;
	switch (field->type) {
	case 'f':
		memcpy(&real, member, sizeof real);
		if (vf64_has(real))
			set_real(val, real.v);
		break;
	case 'i':
		memcpy(&whole, member, sizeof whole);
		if (vi64_has(whole))
			set_int(val, whole.v);
		break;
	case 'l':
		memcpy(&large, member, sizeof large);
		set_int(val, large);
		break;
	case 'n':
		memcpy(&number, member, sizeof number);
		if (number >= 0 || !field->or_null)
			set_int(val, number);
		break;
	case 'b':
		set_bool(val, *(const bool *)member);
		break;
	case 't':
		if (*(const char *)member || !field->or_null)
			*val = (struct field_value){.kind = FIELD_TEXT, .text = member};
		break;
	}
}

void field_get(const struct field *field, const struct field_at *at, struct field_value *val)
{
	val->kind = FIELD_NULL;
	if (field->get)
		field->get(at, val);
	else if (field->base != FIELD_COMPUTED)
		get_member(field, (const char *)object_of(field->base, at) + field->at, val);
}

struct walk {
	void (*leaf)(const char *path, const struct field *f, void *arg);
	void *arg;
};

static void walk_set(const struct walk *walk, const struct field_set *set, const char *above)
{
	char path[160];
	for (size_t i = 0; i < set->n; i++) {
		const struct field *field = &set->fields[i];
		snprintf(path, sizeof path, "%s%s%s", above, field->key,
			field->range ? "[]." : text_if(field->set, "."));
		if (field->set)
			walk_set(walk, field->set, path);
		else
			walk->leaf(path, field, walk->arg);
	}
}

void fields_each(const struct field_set *set,
	void (*leaf)(const char *path, const struct field *field, void *arg), void *arg)
{
	walk_set(&(struct walk){leaf, arg}, set, "");
}
