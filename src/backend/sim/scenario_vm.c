/* SPDX-License-Identifier: MIT */
/* Statements of a `vm` block. Each line applies to every VM of the block (`vm web x8` makes eight). */
#include <string.h>

#include "scenario_text.h"

/* The lines work on the first VM of the group; the group gets the result. */
static struct scn_vm *first(struct reader *r)
{
	return &r->s->vms[r->first_vm];
}

static bool add_pick(struct reader *r, struct vcpu_pick *picks, size_t *n, struct vcpu_pick pick)
{
	if (*n == SCN_RULES)
		return reader_fail(r, "more than %d such lines for one VM", SCN_RULES);
	picks[(*n)++] = pick;
	return true;
}

static bool read_vcpu(struct reader *r, int *vcpu)
{
	*vcpu = PICK_ALL;
	return !reader_accept(r, "vcpu") || want_int(r, vcpu, 0, SCN_VM_VCPUS - 1);
}

static bool read_load(struct reader *r)
{
	struct vcpu_pick p;
	return read_vcpu(r, &p.vcpu) && want_curve(r, &p.index) &&
	       add_pick(r, first(r)->loads, &first(r)->n_loads, p);
}

static bool read_pin(struct reader *r)
{
	struct vcpu_pick p = {.vcpu = PICK_EACH};
	if (!reader_accept(r, "each") && !read_vcpu(r, &p.vcpu))
		return false;
	return want_set(r, &p.index) && add_pick(r, first(r)->pins, &first(r)->n_pins, p);
}

static bool read_cpuset(struct reader *r)
{
	return want_set(r, &first(r)->allowed);
}

static bool read_place(struct reader *r)
{
	return want_set(r, &first(r)->place);
}

static bool read_vcpus(struct reader *r)
{
	struct scn_vm *vm = first(r);
	int n;
	if (reader_accept(r, "ids")) {
		if (!want_cpus(r, &vm->vcpu_ids))
			return false;
		return cpuset_next(&vm->vcpu_ids, SCN_VM_VCPUS - 1) < 0 ||
		       reader_fail(r, "vCPU numbers end at %d", SCN_VM_VCPUS - 1);
	}
	if (!want_int(r, &n, 1, SCN_VM_VCPUS))
		return false;
	cpuset_fill(&vm->vcpu_ids, n);
	return true;
}

static bool read_uuid(struct reader *r)
{
	const char *w = "";
	if (!want_word(r, &w, "a UUID"))
		return false;
	if (r->n_group > 1)
		return reader_fail(r, "one UUID for a group of VMs");
	return uuid_parse(first(r)->uuid, w) == 0 || reader_fail(r, "\"%.40s\" is not a UUID", w);
}

static bool read_quota(struct reader *r)
{
	struct scn_vm *vm = first(r);
	return want_level(r, &vm->quota, 1) && (vm->quota > 0 || reader_fail(r, "a quota of nothing"));
}

static bool read_emulator(struct reader *r)
{
	return want_open_curve(r, &first(r)->emulator);
}

static bool read_memory(struct reader *r)
{
	struct scn_vm *vm = first(r);
	if (!want_size(r, &vm->memory_kib))
		return false;
	vm->max_kib = vm->memory_kib;
	if (reader_accept(r, "max") && !want_size(r, &vm->max_kib))
		return false;
	if (vm->memory_kib < 16 * 1024)
		return reader_fail(r, "less than 16M of memory");
	return vm->max_kib >= vm->memory_kib || reader_fail(r, "the maximum is below the size");
}

static bool read_base(struct reader *r)
{
	return want_size(r, &first(r)->base_kib);
}

static bool read_cache(struct reader *r)
{
	return want_size(r, &first(r)->cache_kib);
}

static bool read_swap(struct reader *r)
{
	return want_size(r, &first(r)->swap_kib);
}

static bool read_guarantee(struct reader *r)
{
	return want_size(r, &first(r)->guarantee_kib);
}

static bool read_lie(struct reader *r)
{
	return want_size(r, &first(r)->lie_kib);
}

static bool read_eat(struct reader *r)
{
	return want_eat(r, &first(r)->eat);
}

static bool read_balloon(struct reader *r)
{
	static const struct {
		const char *word;
		enum balloon_mode mode;
	} modes[] = {{"follows", BALLOON_FOLLOW}, {"refuses", BALLOON_REFUSE},
		{"no-driver", BALLOON_NO_DRIVER}, {"no-device", BALLOON_NO_DEVICE}};
	struct scn_vm *vm = first(r);
	int64_t lo;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (reader_accept(r, modes[i].word)) {
			vm->balloon = modes[i].mode;
			return true;
		}
	if (reader_accept(r, "stuck"))
		return want_size(r, &vm->stuck_kib);
	if (reader_accept(r, "speed"))
		return want_rates(r, &lo, &vm->speed_kib_s);
	return reader_fail(r, "\"%.40s\" is not a kind of balloon", reader_peek(r) ? reader_peek(r) : "");
}

static bool read_stats(struct reader *r)
{
	struct scn_vm *vm = first(r);
	if (reader_accept(r, "never")) {
		vm->no_stats = true;
		return true;
	}
	return want_int(r, &vm->period_s, 0, 3600);
}

static bool read_node(struct reader *r)
{
	struct scn_vm *vm = first(r);
	int node;
	if (!want_int(r, &node, 0, MAX_NODES - 1))
		return false;
	vm->nodes |= UINT64_C(1) << node;
	vm->nodes_strict = reader_accept(r, "strict");
	return true;
}

static bool read_flags(struct reader *r)
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
		if (!want_word(r, &w, "a flag"))
			return false;
		while (i < sizeof flags / sizeof *flags && strcmp(flags[i].word, w) != 0)
			i++;
		if (i == sizeof flags / sizeof *flags)
			return reader_fail(r, "\"%.40s\" is not a flag", w);
		first(r)->flags |= flags[i].flag;
	} while (reader_peek(r));
	return true;
}

static bool read_transient(struct reader *r)
{
	first(r)->flags &= ~(uint32_t)VM_FLAG_PERSISTENT;
	return true;
}

static bool read_start(struct reader *r)
{
	struct scn_vm *vm = first(r);
	if (reader_accept(r, "never")) {
		vm->start_ns = INT64_MAX;
		return true;
	}
	return want_time(r, &vm->start_ns, true);
}

static bool read_stop(struct reader *r)
{
	return want_time(r, &first(r)->stop_ns, false);
}

static bool read_traffic(struct reader *r, double *in, double *out)
{
	int64_t lo, hi;
	if (!want_rates(r, &lo, &hi))
		return false;
	*in = (double)hi * 1024;
	if (!want_rates(r, &lo, &hi))
		return false;
	*out = (double)hi * 1024;
	return true;
}

static bool read_disk(struct reader *r)
{
	return read_traffic(r, &first(r)->rd_bytes_s, &first(r)->wr_bytes_s);
}

static bool read_net(struct reader *r)
{
	return read_traffic(r, &first(r)->rx_bytes_s, &first(r)->tx_bytes_s);
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
