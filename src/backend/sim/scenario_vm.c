/* SPDX-License-Identifier: MIT */
/* Statements of a `vm` block. Each line applies to every VM of the block (`vm web x8` makes eight). */
#include <string.h>

#include "scenario_text.h"

/* The lines work on the first VM of the group; the group gets the result. */
static struct scn_vm *first(struct reader *reader)
{
	return &reader->scn->vms[reader->first_vm];
}

static bool add_pick(struct reader *reader, struct vcpu_pick *picks, size_t *n, struct vcpu_pick pick)
{
	if (*n == SCN_RULES)
		return reader_fail(reader, "more than %d such lines for one VM", SCN_RULES);
	picks[(*n)++] = pick;
	return true;
}

static bool read_vcpu(struct reader *reader, int *vcpu)
{
	*vcpu = PICK_ALL;
	return !reader_accept(reader, "vcpu") || want_int(reader, vcpu, 0, SCN_VM_VCPUS - 1);
}

static bool read_load(struct reader *reader)
{
	struct vcpu_pick pick;
	return read_vcpu(reader, &pick.vcpu) && want_curve(reader, &pick.index) &&
	       add_pick(reader, first(reader)->loads, &first(reader)->n_loads, pick);
}

static bool read_pin(struct reader *reader)
{
	struct vcpu_pick pick = {.vcpu = PICK_EACH};
	if (!reader_accept(reader, "each") && !read_vcpu(reader, &pick.vcpu))
		return false;
	return want_set(reader, &pick.index) &&
	       add_pick(reader, first(reader)->pins, &first(reader)->n_pins, pick);
}

static bool read_cpuset(struct reader *reader)
{
	return want_set(reader, &first(reader)->allowed);
}

static bool read_place(struct reader *reader)
{
	return want_set(reader, &first(reader)->place);
}

static bool read_vcpus(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	int n;
	if (reader_accept(reader, "ids")) {
		if (!want_cpus(reader, &vm->vcpu_ids))
			return false;
		return cpuset_next(&vm->vcpu_ids, SCN_VM_VCPUS - 1) < 0 ||
		       reader_fail(reader, "vCPU numbers end at %d", SCN_VM_VCPUS - 1);
	}
	if (!want_int(reader, &n, 1, SCN_VM_VCPUS))
		return false;
	cpuset_fill(&vm->vcpu_ids, n);
	return true;
}

static bool read_uuid(struct reader *reader)
{
	const char *w = "";
	if (!want_word(reader, &w, "a UUID"))
		return false;
	if (reader->n_group > 1)
		return reader_fail(reader, "one UUID for a group of VMs");
	return uuid_parse(first(reader)->uuid, w) == 0 || reader_fail(reader, "\"%.40s\" is not a UUID", w);
}

static bool read_quota(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	return want_level(reader, &vm->quota, 1) &&
	       (vm->quota > 0 || reader_fail(reader, "a quota of nothing"));
}

static bool read_emulator(struct reader *reader)
{
	return want_open_curve(reader, &first(reader)->emulator);
}

static bool read_memory(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	if (!want_size(reader, &vm->memory_kib))
		return false;
	vm->max_kib = vm->memory_kib;
	if (reader_accept(reader, "max") && !want_size(reader, &vm->max_kib))
		return false;
	if (vm->memory_kib < 16 * 1024)
		return reader_fail(reader, "less than 16M of memory");
	return vm->max_kib >= vm->memory_kib || reader_fail(reader, "the maximum is below the size");
}

static bool read_base(struct reader *reader)
{
	return want_size(reader, &first(reader)->base_kib);
}

static bool read_cache(struct reader *reader)
{
	return want_size(reader, &first(reader)->cache_kib);
}

static bool read_swap(struct reader *reader)
{
	return want_size(reader, &first(reader)->swap_kib);
}

static bool read_guarantee(struct reader *reader)
{
	return want_size(reader, &first(reader)->guarantee_kib);
}

static bool read_lie(struct reader *reader)
{
	return want_size(reader, &first(reader)->lie_kib);
}

static bool read_eat(struct reader *reader)
{
	return want_eat(reader, &first(reader)->eat);
}

static bool read_balloon(struct reader *reader)
{
	static const struct {
		const char *word;
		enum balloon_mode mode;
	} modes[] = {{"follows", BALLOON_FOLLOW}, {"refuses", BALLOON_REFUSE},
		{"no-driver", BALLOON_NO_DRIVER}, {"no-device", BALLOON_NO_DEVICE}};
	struct scn_vm *vm = first(reader);
	int64_t lo;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (reader_accept(reader, modes[i].word)) {
			vm->balloon = modes[i].mode;
			return true;
		}
	if (reader_accept(reader, "stuck"))
		return want_size(reader, &vm->stuck_kib);
	if (reader_accept(reader, "speed"))
		return want_rates(reader, &lo, &vm->speed_kib_s);
	return reader_fail(
		reader, "\"%.40s\" is not a kind of balloon", reader_peek(reader) ? reader_peek(reader) : "");
}

static bool read_stats(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	if (reader_accept(reader, "never")) {
		vm->no_stats = true;
		return true;
	}
	return want_int(reader, &vm->period_s, 0, 3600);
}

static bool read_node(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	int node;
	if (!want_int(reader, &node, 0, MAX_NODES - 1))
		return false;
	vm->nodes |= UINT64_C(1) << node;
	vm->nodes_strict = reader_accept(reader, "strict");
	return true;
}

static bool read_flags(struct reader *reader)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} flags[] = {{"vfio", VM_FLAG_VFIO}, {"sev", VM_FLAG_SEV}, {"locked", VM_FLAG_LOCKED},
		{"hugepages", VM_FLAG_HUGEPAGES}, {"job", VM_FLAG_JOB}, {"real-time", VM_FLAG_RT},
		{"no-steer", VM_FLAG_NO_STEER}, {"dedicated", VM_FLAG_DEDICATED},
		{"emulatorpin", VM_FLAG_EMULATOR_PIN}};
	do {
		const char *w;
		size_t i = 0;
		if (!want_word(reader, &w, "a flag"))
			return false;
		while (i < sizeof flags / sizeof *flags && strcmp(flags[i].word, w) != 0)
			i++;
		if (i == sizeof flags / sizeof *flags)
			return reader_fail(reader, "\"%.40s\" is not a flag", w);
		first(reader)->flags |= flags[i].flag;
	} while (reader_peek(reader));
	return true;
}

static bool read_transient(struct reader *reader)
{
	first(reader)->flags &= ~(uint32_t)VM_FLAG_PERSISTENT;
	return true;
}

static bool read_start(struct reader *reader)
{
	struct scn_vm *vm = first(reader);
	if (reader_accept(reader, "never")) {
		vm->start_ns = INT64_MAX;
		return true;
	}
	return want_time(reader, &vm->start_ns, true);
}

static bool read_stop(struct reader *reader)
{
	return want_time(reader, &first(reader)->stop_ns, false);
}

static bool read_traffic(struct reader *reader, double *in, double *out)
{
	int64_t lo, hi;
	if (!want_rates(reader, &lo, &hi))
		return false;
	*in = (double)hi * 1024;
	if (!want_rates(reader, &lo, &hi))
		return false;
	*out = (double)hi * 1024;
	return true;
}

static bool read_disk(struct reader *reader)
{
	return read_traffic(reader, &first(reader)->rd_bytes_s, &first(reader)->wr_bytes_s);
}

static bool read_net(struct reader *reader)
{
	return read_traffic(reader, &first(reader)->rx_bytes_s, &first(reader)->tx_bytes_s);
}

const struct statement scenario_vm_statements[] = {
	{"vcpus", "vcpus NUMBER | vcpus ids LIST", read_vcpus},
	{"load",
		"load [vcpu N] CURVE [open] [noise PERCENT]; CURVE is 50%, steps 0s:20% 30s:80% [loop TIME], square HIGH LOW every TIME [for TIME], wave HIGH LOW every TIME, bursts HIGH LOW every TIME for TIME",
		read_load},
	{"pin", "pin [vcpu N | each] CPULIST", read_pin},
	{"cpuset", "cpuset CPULIST", read_cpuset},
	{"place", "place CPULIST", read_place},
	{"quota", "quota PERCENT", read_quota},
	{"emulator", "emulator CURVE", read_emulator},
	{"memory", "memory SIZE [max SIZE]", read_memory},
	{"base", "base SIZE", read_base},
	{"cache", "cache SIZE", read_cache},
	{"swap", "swap SIZE", read_swap},
	{"eat", "eat RATE to SIZE | for TIME [after TIME] [hold TIME] [keep] [every TIME]", read_eat},
	{"guarantee", "guarantee SIZE", read_guarantee},
	{"lie", "lie SIZE", read_lie},
	{"balloon", "balloon follows | refuses | no-driver | no-device | stuck SIZE | speed RATE",
		read_balloon},
	{"stats", "stats SECONDS | stats never", read_stats},
	{"node", "node NUMBER [strict]", read_node},
	{"flags",
		"flags [vfio] [sev] [locked] [hugepages] [job] [real-time] [no-steer] [dedicated] [emulatorpin]",
		read_flags},
	{"transient", "transient", read_transient},
	{"uuid", "uuid UUID", read_uuid},
	{"start", "start TIME | start never", read_start},
	{"stop", "stop TIME", read_stop},
	{"disk", "disk READ/s WRITE/s", read_disk},
	{"net", "net RECEIVE/s SEND/s", read_net},
	{NULL, NULL, NULL},
};
