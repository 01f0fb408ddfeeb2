/* SPDX-License-Identifier: MIT */
/* The rows of the table of metrics. Invariant: what is not known has no value, never 0; a row is the only
 * place where its name is written. */
#include "vmtop/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "field_rows.h"
#include "vmtop/text.h"

static void set_num(struct field_value *val, double x)
{
	val->kind = FIELD_REAL;
	val->real = x;
}

static void set_count(struct field_value *val, int64_t n)
{
	val->kind = FIELD_INT;
	val->num = n;
}

static void one(const struct field_at *at, struct field_value *val)
{
	(void)at;
	set_count(val, 1);
}

static void add_label(struct metric_labels *to, const char *name, const char *raw)
{
	to->of[to->n++] = (struct metric_label){.name = name, .raw = raw};
}

/* --- the host ------------------------------------------------------------------------------------------- */

static void connected(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->snap->backend.link == LINK_OK);
}

static void auto_waits(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->snap->waits_cpu || at->snap->waits_memory);
}

static void sample_age(const struct field_at *at, struct field_value *val)
{
	set_num(val, fmax(0, at->snap->age_s + at->tally->late_s));
}

static void sample_time(const struct field_at *at, struct field_value *val)
{
	set_num(val, (double)at->snap->sample.wall_ns / 1e9);
}

static void n_vms(const struct field_at *at, struct field_value *val)
{
	set_count(val, (int64_t)at->snap->sample.n_vms);
}

static void n_vcpus(const struct field_at *at, struct field_value *val)
{
	set_count(val, (int64_t)at->snap->sample.n_vcpus);
}

static void n_pcpus(const struct field_at *at, struct field_value *val)
{
	set_count(val, 0);
	for (size_t i = 0; i < at->snap->sample.host.n_pcpus; i++)
		val->num += at->snap->sample.host.pcpus[i].online;
}

static void n_suffering(const struct field_at *at, struct field_value *val)
{
	set_count(val, 0);
	for (size_t i = 0; i < at->snap->sample.n_vms; i++)
		val->num += at->snap->vm_status[i].suffer.n > 0;
}

static void left_behind(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->snap->left_behind ? at->snap->n_changed : 0);
}

static const struct field host_rows[] = {
	{"vmtop_host_connected", "", "1 while the hypervisor answers", .get = connected},
	{"vmtop_host_vms", "", "VMs that are seen", .get = n_vms},
	{"vmtop_host_vcpus", "", "their vCPUs", .get = n_vcpus},
	{"vmtop_host_pcpus", "", "pCPUs that are online", .get = n_pcpus},
	{"vmtop_host_vms_suffering", "", "VMs of which a cause of suffering is named", .get = n_suffering},
	{"vmtop_host_busy_ratio", "%", "mean busy time of the online pCPUs", SNAPSHOT(busy_pct)},
	{"vmtop_host_busy_seconds_total", "ns", "time that its pCPUs were not idle, summed", TALLY(busy_ns)},
	{"vmtop_host_steal_seconds_total", "ns",
		"time taken away from its pCPUs, summed, where the host is a guest itself", TALLY(steal_ns)},
	{"vmtop_host_deviation_ratio", "%",
		"standard deviation of the pCPUs' load: the number that the CPU policy goes by",
		SNAPSHOT(cpu.stddev_pct)},
	{"vmtop_host_deviation_limit_ratio", "%", "deviation above which the policy acts",
		SNAPSHOT(cpu.limit_pct)},
	{"vmtop_host_deviation_reachable_ratio", "%", "deviation of the best placement known",
		SNAPSHOT(cpu.found_pct)},
	{"vmtop_host_deviation_bound_ratio", "%", "no placement has less deviation than this",
		SNAPSHOT(cpu.bound_pct)},
	{"vmtop_host_memory_bytes", "KiB", "memory of the host", SNAPSHOT(sample.host.total_kib)},
	{"vmtop_host_memory_available_bytes", "KiB", "memory that the host could give out",
		SNAPSHOT(sample.host.available_kib)},
	{"vmtop_host_memory_reserve_bytes", "KiB", "memory that the memory policy keeps free",
		SNAPSHOT(memory.reserve_kib)},
	{"vmtop_host_swap_free_bytes", "KiB", "free room in the host's own swap",
		SNAPSHOT(sample.host.swap_free_kib)},
	{"vmtop_host_memory_pressure_ratio", "%", "PSI of the host's memory, some, 10 s",
		SNAPSHOT(sample.host.psi_some_avg10)},
	{"vmtop_host_auto_cpu", "", "1 while AUTO steers CPUs", SNAPSHOT(auto_cpu)},
	{"vmtop_host_auto_memory", "", "1 while AUTO steers memory", SNAPSHOT(auto_memory)},
	{"vmtop_host_auto_waits", "", "1 while AUTO stands back because somebody else steers this host",
		.get = auto_waits},
	{"vmtop_host_dry_run", "", "1 while plans are not carried out", SNAPSHOT(dry_run)},
	{"vmtop_host_readonly", "", "1 while nothing can be changed", SNAPSHOT(readonly)},
	{"vmtop_host_changes_in_force", "", "vCPUs, balloons and periods that are not as found, by vmtop",
		SNAPSHOT(n_changed)},
	{"vmtop_host_changes_left_behind", "",
		"of them, those that an earlier vmtop left in its journal and nobody takes care of",
		.get = left_behind},
	{"vmtop_host_sample_timestamp_seconds", "s", "when the newest sample was taken, in Unix time",
		.get = sample_time},
	{"vmtop_host_sample_age_seconds", "s", "how old the newest sample is", .get = sample_age},
	{"vmtop_host_sample_age_max_seconds", "s", "how old it was at most in the last two minutes",
		TALLY(age.most)},
	{"vmtop_host_samples_total", "", "samples taken", TALLY(samples)},
	{"vmtop_host_sample_seconds_total", "ns", "time that reading them took", TALLY(sample_ns)},
	{"vmtop_host_plan_seconds_total", "ns", "time spent on rates, rules and plans", TALLY(plan_ns)},
	{"vmtop_host_apply_seconds_total", "ns", "time spent waiting for changes", TALLY(apply_ns)},
	{"vmtop_host_step_max_seconds", "s", "the longest step, all of it, in the last two minutes",
		TALLY(step.most)},
	{"vmtop_process_cpu_seconds_total", "ns", "CPU time of vmtop itself", TALLY(own.cpu_ns)},
	{"vmtop_process_resident_memory_bytes", "KiB", "memory of vmtop itself", TALLY(own.rss_kib)},
};

static const struct field info_rows[] = {
	{"vmtop_host_info", "",
		"what is watched; source: libvirt, simulator or recording; uri: what vmtop is connected to",
		.get = one},
};

static void info_labels(const struct field_at *at, struct metric_labels *to)
{
	static const char *const sources[] = {[SOURCE_LIBVIRT] = "libvirt",
		[SOURCE_SIMULATOR] = "simulator",
		[SOURCE_RECORDING] = "recording"};
	add_label(to, "host", at->snap->sample.host.hostname);
	add_label(to, "uri", at->snap->backend.uri);
	add_label(to, "hypervisor", at->snap->sample.host.hypervisor);
	add_label(to, "source", sources[at->snap->source]);
	add_label(to, "version", VMTOP_VERSION);
}

/* --- one of several states ------------------------------------------------------------------------------ */

static size_t memory_states(const struct field_at *at)
{
	(void)at;
	return HOST_MEM_HARD + 1;
}

static void memory_state_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "state", memory_state_name((enum host_mem_state)at->index));
}

static void memory_state_is(const struct field_at *at, struct field_value *val)
{
	set_count(val, (size_t)at->snap->memory.state == at->index);
}

static void memory_state_for(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->tally->memory_ns[at->index]);
}

static const struct field memory_state_rows[] = {
	{"vmtop_host_memory_state", "",
		"1 for the state that the host's memory is in: ok, soft (below the reserve) or hard (short)",
		.get = memory_state_is},
	{"vmtop_host_memory_state_seconds_total", "ns", "time in this state", .get = memory_state_for},
};

static size_t claim_states(const struct field_at *at)
{
	(void)at;
	return CLAIM_DENIED + 1;
}

static void claim_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "state", claim_state_name((enum claim_state)at->index));
}

static void claim_is(const struct field_at *at, struct field_value *val)
{
	set_count(val, (size_t)at->snap->backend.claim.state == at->index);
}

static const struct field claim_rows[] = {
	{"vmtop_host_claim", "", "1 for the state of the claim on the host, as in claim.state of JSON",
		.get = claim_is},
};

static size_t controllers(const struct field_at *at)
{
	return *at->snap->backend.claim.who != '\0';
}

static void controller_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "who", at->snap->backend.claim.who);
}

static const struct field controller_rows[] = {
	{"vmtop_host_controller_info", "", "which vmtop steers this host: host, user, process", .get = one},
};

static const struct {
	uint32_t bit;
	const char *name;
} programs[] = {
	{OTHER_NUMAD, "numad"},
	{OTHER_MOM, "mom"},
	{OTHER_PROXMOX, "pvestatd"},
	{OTHER_VMTOP, "vmtop"},
	{OTHER_PACEMAKER, "pacemaker"},
	{OTHER_NOVA, "nova-compute"},
	{OTHER_VDSM, "vdsm"},
	{OTHER_CLOUDSTACK, "cloudstack-agent"},
	{OTHER_OPENNEBULA, "opennebula"},
	{OTHER_VSCHED, "vsched"},
	{OTHER_SKYLARK, "skylark"},
};

static size_t all_programs(const struct field_at *at)
{
	(void)at;
	return sizeof programs / sizeof *programs;
}

static void program_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "program", programs[at->index].name);
}

static void program_runs(const struct field_at *at, struct field_value *val)
{
	if (at->snap->sample.host.local)
		set_count(val, (at->snap->sample.host.others & programs[at->index].bit) != 0);
}

static const struct field program_rows[] = {
	{"vmtop_host_other_controller", "", "1 while this program, which moves or resizes guests too, runs",
		.get = program_runs},
};

/* --- what was done and decided -------------------------------------------------------------------------- */

static size_t kinds_outcomes(const struct field_at *at)
{
	(void)at;
	return (size_t)TALLY_KINDS * TALLY_OUTCOMES;
}

static void kind_outcome_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "kind", action_kind_text((enum action_kind)(at->index / TALLY_OUTCOMES)));
	add_label(to, "outcome", outcome_text((enum outcome)(at->index % TALLY_OUTCOMES)));
}

static void changes_of(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->tally->changes[at->index / TALLY_OUTCOMES][at->index % TALLY_OUTCOMES]);
}

static const struct field change_rows[] = {
	{"vmtop_host_changes_total", "",
		"changes by kind (pin, balloon, period, shares) and outcome: done, failed, skipped (refused at "
		"the last look), unknown (no answer) or planned (dry run)",
		.get = changes_of},
};

static size_t kinds_reasons(const struct field_at *at)
{
	(void)at;
	return (size_t)TALLY_KINDS * REASON_COUNT;
}

static void kind_reason_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "kind", action_kind_text((enum action_kind)(at->index / REASON_COUNT)));
	add_label(to, "reason", reason_key((enum reason)(at->index % REASON_COUNT)));
}

static void reasons_of(const struct field_at *at, struct field_value *val)
{
	int64_t n = at->tally->reasons[at->index / REASON_COUNT][at->index % REASON_COUNT];
	if (n)
		set_count(val, n);
}

static const struct field reason_rows[] = {
	{"vmtop_host_change_reasons_total", "",
		"the same changes by reason, as in REASONS; a reason appears with its first change",
		.get = reasons_of},
};

static size_t policies_reasons(const struct field_at *at)
{
	(void)at;
	return (size_t)2 * REASON_COUNT;
}

static void policy_reason_label(const struct field_at *at, struct metric_labels *to)
{
	add_label(to, "policy", at->index < REASON_COUNT ? "cpu" : "memory");
	add_label(to, "reason", reason_key((enum reason)(at->index % REASON_COUNT)));
}

static void rounds_of(const struct field_at *at, struct field_value *val)
{
	int64_t n = at->tally->rounds[at->index / REASON_COUNT][at->index % REASON_COUNT];
	if (n)
		set_count(val, n);
}

static const struct field round_rows[] = {
	{"vmtop_host_rounds_total", "",
		"ticks by what the policy decided and why, as in REASONS; a reason appears with its first tick",
		.get = rounds_of},
};

/* --- pCPUs ---------------------------------------------------------------------------------------------- */

static size_t pcpus(const struct field_at *at)
{
	return at->tally->n_pcpus;
}

static void pcpu_label(const struct field_at *at, struct metric_labels *to)
{
	struct metric_label *label = &to->of[to->n++];
	*label = (struct metric_label){.name = "pcpu"};
	snprintf(label->buf, sizeof label->buf, "%d", at->tally->pcpus[at->index].id);
}

static const struct field pcpu_rows[] = {
	{"vmtop_pcpu_busy_ratio", "%", "time that it was not idle", PCPU_RATE(busy_pct)},
	{"vmtop_pcpu_load_ratio", "%", "usage by the vCPUs mapped to it", PCPU_RATE(load_pct)},
	{"vmtop_pcpu_busy_seconds_total", "ns", "time that it was not idle", PCPU_TALLY(busy.total)},
	{"vmtop_pcpu_steal_seconds_total", "ns", "time taken away from it, where the host is a guest itself",
		PCPU_TALLY(steal.total)},
};

/* --- VMs ------------------------------------------------------------------------------------------------ */

static void name_vm(const struct field_at *at, size_t vm, struct metric_labels *to)
{
	add_label(to, "vm", at->snap->sample.vms[vm].name);
	struct metric_label *label = &to->of[to->n++];
	*label = (struct metric_label){.name = "uuid"};
	uuid_format(at->snap->sample.vms[vm].uuid, label->buf);
}

static size_t vms(const struct field_at *at)
{
	return at->tally->n_vms;
}

static void vm_label(const struct field_at *at, struct metric_labels *to)
{
	name_vm(at, at->index, to);
}

static const struct vm_tally *tally_of(const struct field_at *at)
{
	return &at->tally->vms[at->index];
}

static void vm_running(const struct field_at *at, struct field_value *val)
{
	enum vm_state state = at->snap->sample.vms[at->index].state;
	set_count(val, state == VM_RUNNING || state == VM_BLOCKED || state == VM_NOSTATE);
}

static void vm_vcpus(const struct field_at *at, struct field_value *val)
{
	set_count(val, (int64_t)at->snap->sample.vms[at->index].n_vcpus);
}

static void vm_hung(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->snap->sample.vms[at->index].hung_since_ns != 0);
}

static int64_t failures(const int64_t of[TALLY_OUTCOMES])
{
	return of[OUTCOME_FAILED] + of[OUTCOME_UNKNOWN];
}

static void vm_pins(const struct field_at *at, struct field_value *val)
{
	set_count(val, tally_of(at)->changes[ACTION_PIN][OUTCOME_DONE]);
}

static void vm_balloons(const struct field_at *at, struct field_value *val)
{
	set_count(val, tally_of(at)->changes[ACTION_BALLOON][OUTCOME_DONE]);
}

static void vm_refused(const struct field_at *at, struct field_value *val)
{
	set_count(val, 0);
	for (int k = 0; k < TALLY_KINDS; k++)
		val->num += tally_of(at)->changes[k][OUTCOME_SKIPPED];
}

static void vm_failed(const struct field_at *at, struct field_value *val)
{
	set_count(val, 0);
	for (int k = 0; k < TALLY_KINDS; k++)
		val->num += failures(tally_of(at)->changes[k]);
}

#define VM_COUNT(name) VM_TALLY(count[COUNT_##name].total)

static const struct field vm_rows[] = {
	{"vmtop_vm_running", "", "1 while it runs", .get = vm_running},
	{"vmtop_vm_vcpus", "", "its vCPUs", .get = vm_vcpus},
	{"vmtop_vm_cpu_ratio", "%", "time of its vCPUs, of one pCPU, now", VM_RATE(cpu_pct)},
	{"vmtop_vm_wait_ratio", "%", "time that its vCPUs waited for a pCPU, summed, now", VM_RATE(wait_pct)},
	{"vmtop_vm_demand_ratio", "%", "what its vCPUs want, summed, now", VM_RATE(demand_pct)},
	{"vmtop_vm_wanted_max_ratio", "%",
		"time that its vCPUs ran or waited for a pCPU, summed; the largest in the last two minutes",
		VM_TALLY(wanted.most)},
	{"vmtop_vm_cpu_seconds_total", "ns", "time that its vCPUs ran", VM_TALLY(run_ns)},
	{"vmtop_vm_wait_seconds_total", "ns", "time that its vCPUs waited for a pCPU", VM_TALLY(wait_ns)},
	{"vmtop_vm_wait_max_ratio", "%",
		"of the time between two samples, what the worst of its vCPUs waited; the largest in the last "
		"two minutes",
		VM_TALLY(wait.most)},
	{"vmtop_vm_starved_seconds_total", "ns",
		"time between samples of which one of its vCPUs waited for a fifth or more",
		VM_TALLY(starved_ns)},
	{"vmtop_vm_throttled_seconds_total", "ns", "time that its vCPUs were stopped by a quota",
		VM_COUNT(THROTTLED)},
	{"vmtop_vm_kvm_exits_total", "", "exits from guest mode", VM_COUNT(EXITS)},
	{"vmtop_vm_polled_seconds_total", "ns", "time that KVM polled while it was halted", VM_COUNT(POLLED)},
	{"vmtop_vm_helpers_cpu_seconds_total", "ns",
		"time that threads of its QEMU other than vCPUs ran, those that are known",
		VM_COUNT(HELPERS)},
	{"vmtop_vm_helpers_wait_seconds_total", "ns", "time that those waited for a pCPU",
		VM_COUNT(HELPERS_WAIT)},
	{"vmtop_vm_disk_seconds_total", "ns", "time that its disk requests took", VM_COUNT(DISK)},
	{"vmtop_vm_disk_requests_total", "", "its disk requests", VM_COUNT(DISK_REQS)},
	{"vmtop_vm_disk_read_bytes_total", "B", "read from its disks; with --columns rdby",
		VM_COUNT(RD_BYTES)},
	{"vmtop_vm_disk_written_bytes_total", "B", "written to its disks; with --columns wrby",
		VM_COUNT(WR_BYTES)},
	{"vmtop_vm_network_received_bytes_total", "B", "received; with --columns rxby", VM_COUNT(RX_BYTES)},
	{"vmtop_vm_network_sent_bytes_total", "B", "sent; with --columns txby", VM_COUNT(TX_BYTES)},
	{"vmtop_vm_memory_max_bytes", "KiB", "its maximum", VM(mem.max_kib)},
	{"vmtop_vm_memory_balloon_bytes", "KiB", "what the balloon leaves it", VM(mem.balloon_kib)},
	{"vmtop_vm_memory_target_bytes", "KiB", "balloon target that vmtop set last", VM_STATUS(target_kib)},
	{"vmtop_vm_memory_used_bytes", "KiB", "what it uses inside", VM_RATE(used_kib)},
	{"vmtop_vm_memory_usable_bytes", "KiB", "memory inside that could be had without swapping",
		VM(mem.usable_kib)},
	{"vmtop_vm_memory_unused_bytes", "KiB", "free memory inside", VM(mem.unused_kib)},
	{"vmtop_vm_memory_cache_bytes", "KiB", "its disk caches, tmpfs included", VM(mem.caches_kib)},
	{"vmtop_vm_memory_low_bytes", "KiB", "below this the policy gives it more", VM_STATUS(mem.lo_kib)},
	{"vmtop_vm_memory_high_bytes", "KiB", "above this it is idle to the policy", VM_STATUS(mem.hi_kib)},
	{"vmtop_vm_memory_floor_bytes", "KiB", "its balloon is not set below this", VM_STATUS(mem.floor_kib)},
	{"vmtop_vm_memory_resident_bytes", "KiB", "memory of the host that it holds", VM(mem.rss_kib)},
	{"vmtop_vm_memory_swapped_bytes", "KiB", "part of it that is in the host's swap",
		VM(facts.swapped_kib)},
	{"vmtop_vm_memory_age_seconds", "s", "age of the guest's own numbers", VM_RATE(age_s)},
	{"vmtop_vm_memory_age_max_seconds", "s", "the same, the largest in the last two minutes",
		VM_TALLY(age.most)},
	{"vmtop_vm_swap_in_bytes_total", "KiB", "swapped in by the guest", VM_COUNT(SWAP_IN)},
	{"vmtop_vm_swap_out_bytes_total", "KiB", "swapped out by the guest", VM_COUNT(SWAP_OUT)},
	{"vmtop_vm_major_faults_total", "", "page faults of the guest that had to read",
		VM_COUNT(MAJOR_FAULTS)},
	{"vmtop_vm_hung", "", "1 while its monitor does not answer", .get = vm_hung},
	{"vmtop_vm_hung_age_seconds", "s", "since when; 0: it answers", VM_TALLY(hung_s)},
	{"vmtop_vm_hung_age_max_seconds", "s", "the same, the largest in the last two minutes",
		VM_TALLY(hung.most)},
	{"vmtop_vm_hung_seconds_total", "ns", "time in which its monitor did not answer", VM_TALLY(hung_ns)},
	{"vmtop_vm_suffering_ratio", "%", "0: it has what it wants; else the weight of the heaviest cause",
		VM_TALLY(score_pct)},
	{"vmtop_vm_suffering_max_ratio", "%", "the same, the largest in the last two minutes",
		VM_TALLY(score.most)},
	{"vmtop_vm_got_ratio", "%", "of the CPU time that its vCPUs wanted, what they got",
		VM_STATUS(suffer.got_pct)},
	{"vmtop_vm_pins_total", "", "pins made on its vCPUs", .get = vm_pins},
	{"vmtop_vm_balloons_total", "", "balloon targets set", .get = vm_balloons},
	{"vmtop_vm_changes_refused_total", "", "changes of it that were refused at the last look",
		.get = vm_refused},
	{"vmtop_vm_changes_failed_total", "", "changes of it that failed, or had no answer",
		.get = vm_failed},
};

static size_t vms_alarms(const struct field_at *at)
{
	return at->tally->n_vms * ALARM_COUNT;
}

/* "SHORT OF MEMORY": short-of-memory */
static void add_alarm(struct metric_labels *to, enum alarm alarm)
{
	struct metric_label *label = &to->of[to->n++];
	*label = (struct metric_label){.name = "alarm"};
	snprintf(label->buf, sizeof label->buf, "%s", alarm_word(alarm));
	for (char *p = label->buf; *p; p++)
		*p = *p == ' ' ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
}

static void vm_alarm_label(const struct field_at *at, struct metric_labels *to)
{
	name_vm(at, at->index / ALARM_COUNT, to);
	add_alarm(to, (enum alarm)(at->index % ALARM_COUNT));
}

static void alarm_for(const struct field_at *at, struct field_value *val)
{
	set_count(val, at->tally->vms[at->index / ALARM_COUNT].alarm_ns[at->index % ALARM_COUNT]);
}

static const struct field vm_alarm_rows[] = {
	{"vmtop_vm_alarm_seconds_total", "ns",
		"time in which a cause of this alarm was named: hung, starving, swapping, short-of-memory, "
		"throttled or slowed",
		.get = alarm_for},
};

static void vm_cause_label(const struct field_at *at, struct metric_labels *to)
{
	const struct suffering *hurt = &at->snap->vm_status[at->index].suffer;
	name_vm(at, at->index, to);
	if (!hurt->n)
		return;
	add_label(to, "cause", cause_key(hurt->found[0].cause));
	add_alarm(to, cause_alarm(hurt->found[0].cause));
}

static void vm_cause(const struct field_at *at, struct field_value *val)
{
	if (at->snap->vm_status[at->index].suffer.n)
		set_count(val, 1);
}

static const struct field vm_cause_rows[] = {
	{"vmtop_vm_cause_info", "", "the heaviest cause of its suffering now, as in WHO SUFFERS",
		.get = vm_cause},
};

/* --- vCPUs ---------------------------------------------------------------------------------------------- */

static size_t vcpus(const struct field_at *at)
{
	return at->tally->n_vcpus;
}

static void vcpu_label(const struct field_at *at, struct metric_labels *to)
{
	const struct vcpu_tally *tally = &at->tally->vcpus[at->index];
	name_vm(at, tally->vm, to);
	struct metric_label *label = &to->of[to->n++];
	*label = (struct metric_label){.name = "vcpu"};
	snprintf(label->buf, sizeof label->buf, "%d", tally->id);
}

static const struct field vcpu_rows[] = {
	{"vmtop_vcpu_cpu_seconds_total", "ns", "time that it ran", VCPU_TALLY(run.total)},
	{"vmtop_vcpu_wait_seconds_total", "ns", "time that it waited for a pCPU", VCPU_TALLY(wait.total)},
	{"vmtop_vcpu_wait_max_ratio", "%",
		"of the time between two samples, what it waited; the largest in the last two minutes",
		VCPU_TALLY(wait_most.most)},
};

/* --- the sets ------------------------------------------------------------------------------------------- */

#define ROWS(rows)                                                                                           \
	{                                                                                                    \
		rows, sizeof(rows) / sizeof(rows)[0]                                                         \
	}

const struct metric_set metric_sets[] = {
	{"The host and vmtop", "", ROWS(host_rows), NULL, NULL, false},
	{"What is watched", "host, uri, hypervisor, source, version", ROWS(info_rows), NULL, info_labels,
		false},
	{"States of the host's memory", "state", ROWS(memory_state_rows), memory_states, memory_state_label,
		false},
	{"The claim on the host", "state", ROWS(claim_rows), claim_states, claim_label, false},
	{"Its holder", "who", ROWS(controller_rows), controllers, controller_label, false},
	{"Other programs that steer", "program", ROWS(program_rows), all_programs, program_label, false},
	{"Changes by outcome", "kind, outcome", ROWS(change_rows), kinds_outcomes, kind_outcome_label, false},
	{"Changes by reason", "kind, reason", ROWS(reason_rows), kinds_reasons, kind_reason_label, false},
	{"Decisions of the policies", "policy, reason", ROWS(round_rows), policies_reasons,
		policy_reason_label, false},
	{"Each pCPU", "pcpu", ROWS(pcpu_rows), pcpus, pcpu_label, false},
	{"Each VM", "vm, uuid", ROWS(vm_rows), vms, vm_label, false},
	{"Each VM and alarm", "vm, uuid, alarm", ROWS(vm_alarm_rows), vms_alarms, vm_alarm_label, false},
	{"Each VM that suffers", "vm, uuid, cause, alarm", ROWS(vm_cause_rows), vms, vm_cause_label, false},
	{"Each vCPU", "vm, uuid, vcpu", ROWS(vcpu_rows), vcpus, vcpu_label, true},
};
const size_t n_metric_sets = sizeof metric_sets / sizeof *metric_sets;

/* --- reading them --------------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);
	return n > len && strcmp(name + n - len, end) == 0;
}

enum metric_type metric_type(const struct field *field)
{
	return ends_in(field->key, "_total")  ? METRIC_COUNTER
	       : ends_in(field->key, "_info") ? METRIC_INFO
					      : METRIC_GAUGE;
}

const char *metric_type_name(enum metric_type type)
{
	if (type == METRIC_COUNTER)
		return "counter";
	return type == METRIC_INFO ? "info" : "gauge";
}

static const struct unit {
	const char *of, *name;
	double factor;
} units[] = {
	{"", "", 1},
	{"%", "ratio", 1e-2},
	{"s", "seconds", 1},
	{"ns", "seconds", 1e-9},
	{"KiB", "bytes", 1024},
	{"B", "bytes", 1},
};

static const struct unit *unit_of(const struct field *field)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].of, field->unit) == 0)
			return &units[i];
	return &units[0];
}

const char *metric_unit(const struct field *field)
{
	return unit_of(field)->name;
}

bool metric_value(const struct field *field, const struct field_at *at, double *to)
{
	struct field_value val;
	field_get(field, at, &val);
	*to = (val.kind == FIELD_REAL ? val.real : (double)val.num) * unit_of(field)->factor;
	return val.kind != FIELD_NULL && isfinite(*to);
}
