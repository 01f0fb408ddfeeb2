/* SPDX-License-Identifier: MIT */
/* From libvirt's lists of typed parameters to fields of a sample. Invariant: an unknown field, a strange
 * type, a number out of range or a list cut short leaves values absent and nothing else. Must not know:
 * connections. */
#include "libvirt_stats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { VCPU_ID_MOST = 65535 };

static bool number(const virTypedParameter *param, int64_t *v)
{
	switch (param->type) {
	case VIR_TYPED_PARAM_INT:
		*v = param->value.i;
		break;
	case VIR_TYPED_PARAM_UINT:
		*v = param->value.ui;
		break;
	case VIR_TYPED_PARAM_LLONG:
		*v = param->value.l;
		break;
	case VIR_TYPED_PARAM_ULLONG:
		if (param->value.ul > INT64_MAX)
			return false;
		*v = (int64_t)param->value.ul;
		break;
	default:
		return false;
	}
	return *v >= 0;
}

enum vm_state stats_state(int state)
{
	static const enum vm_state map[] = {
		[VIR_DOMAIN_NOSTATE] = VM_NOSTATE,
		[VIR_DOMAIN_RUNNING] = VM_RUNNING,
		[VIR_DOMAIN_BLOCKED] = VM_BLOCKED,
		[VIR_DOMAIN_PAUSED] = VM_PAUSED,
		[VIR_DOMAIN_SHUTDOWN] = VM_SHUTDOWN,
		[VIR_DOMAIN_SHUTOFF] = VM_SHUTOFF,
		[VIR_DOMAIN_CRASHED] = VM_CRASHED,
		[VIR_DOMAIN_PMSUSPENDED] = VM_SUSPENDED,
	};
	return state >= 0 && state <= VIR_DOMAIN_PMSUSPENDED ? map[state] : VM_NOSTATE;
}

/* Fields with one value: name after the group, place in vm_sample. */
static const struct {
	const char *name;
	size_t at;
} plain[] = {
	{"cpu.time", offsetof(struct vm_sample, cpu_time_ns)},
	{"balloon.current", offsetof(struct vm_sample, mem.balloon_kib)},
	{"balloon.maximum", offsetof(struct vm_sample, mem.max_kib)},
	{"balloon.unused", offsetof(struct vm_sample, mem.unused_kib)},
	{"balloon.usable", offsetof(struct vm_sample, mem.usable_kib)},
	{"balloon.available", offsetof(struct vm_sample, mem.available_kib)},
	{"balloon.disk_caches", offsetof(struct vm_sample, mem.caches_kib)},
	{"balloon.rss", offsetof(struct vm_sample, mem.rss_kib)},
	{"balloon.swap_in", offsetof(struct vm_sample, mem.swap_in_kib)},
	{"balloon.swap_out", offsetof(struct vm_sample, mem.swap_out_kib)},
	{"balloon.major_fault", offsetof(struct vm_sample, mem.major_faults)},
};

/* Fields that are summed over all devices or vCPUs of a VM: "net.0.rx.bytes". A field may be part of several
 * sums. */
#define IO(member)    offsetof(struct vm_sample, io.member)
#define FACTS(member) offsetof(struct vm_sample, facts.member)
static const struct {
	const char *group, *name;
	size_t at;
} summed[] = {
	{"net.", "rx.bytes", IO(rx_bytes)},
	{"net.", "tx.bytes", IO(tx_bytes)},
	{"net.", "rx.pkts", IO(rx_pkts)},
	{"net.", "tx.pkts", IO(tx_pkts)},
	{"block.", "rd.reqs", IO(rd_reqs)},
	{"block.", "wr.reqs", IO(wr_reqs)},
	{"block.", "rd.bytes", IO(rd_bytes)},
	{"block.", "wr.bytes", IO(wr_bytes)},
	{"block.", "rd.reqs", FACTS(disk_reqs)},
	{"block.", "wr.reqs", FACTS(disk_reqs)},
	{"block.", "fl.reqs", FACTS(disk_reqs)},
	{"block.", "rd.times", FACTS(disk_ns)},
	{"block.", "wr.times", FACTS(disk_ns)},
	{"block.", "fl.times", FACTS(disk_ns)},
	{"vcpu.", "exits.sum", FACTS(exits)},
	{"vcpu.", "halt_poll_success_ns.sum", FACTS(polled_ns)},
	{"vcpu.", "halt_poll_fail_ns.sum", FACTS(polled_ns)},
};
#undef IO
#undef FACTS

/* "GROUP.N.rest": the number and the rest. */
static const char *indexed(const char *field, const char *group, long *index)
{
	size_t n = strlen(group);
	if (strncmp(field, group, n) != 0 || !isdigit((unsigned char)field[n]))
		return NULL;
	char *end;
	*index = strtol(field + n, &end, 10);
	return *end == '.' && *index >= 0 ? end + 1 : NULL;
}

static struct vi64 *place(void *base, size_t at)
{
	return (struct vi64 *)(void *)((char *)base + at);
}

static bool fill_plain(struct vm_sample *vm, const char *field, int64_t v)
{
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcmp(plain[i].name, field) == 0) {
			*place(vm, plain[i].at) = vi64_ok(v);
			return true;
		}
	return false;
}

static void fill_summed(struct vm_sample *vm, const char *field, int64_t v)
{
	long index;
	for (size_t i = 0; i < sizeof summed / sizeof *summed; i++) {
		const char *rest = indexed(field, summed[i].group, &index);
		if (!rest || strcmp(rest, summed[i].name) != 0)
			continue;
		struct vi64 *to = place(vm, summed[i].at);
		if (to->v <= INT64_MAX - v)
			*to = vi64_ok(to->v + v);
	}
}

/* The vCPU of this id in the VM added last; they come in order, so it is nearly always the newest. */
static struct vcpu_sample *vcpu_of(struct sample *sample, long id)
{
	const struct vm_sample *vm = &sample->vms[sample->n_vms - 1];
	if (id > VCPU_ID_MOST)
		return NULL;
	for (size_t i = vm->n_vcpus; i-- > 0;)
		if (sample->vcpus[vm->first_vcpu + i].id == id)
			return &sample->vcpus[vm->first_vcpu + i];
	return sample_add_vcpu(sample, (int)id);
}

static unsigned fill_vcpu(struct sample *sample, const char *field, int64_t v)
{
	long id;
	const char *rest = indexed(field, "vcpu.", &id);
	bool state = rest && strcmp(rest, "state") == 0, time = rest && strcmp(rest, "time") == 0,
	     delay = rest && strcmp(rest, "delay") == 0;
	struct vcpu_sample *vcpu = state || time || delay ? vcpu_of(sample, id) : NULL;
	if (!vcpu) {
		fill_summed(&sample->vms[sample->n_vms - 1], field, v);
		return 0;
	}
	if (state)
		vcpu->online = v != VIR_VCPU_OFFLINE;
	if (time)
		vcpu->time_ns = vi64_ok(v);
	if (delay)
		vcpu->delay_ns = vi64_ok(v);
	return delay ? SEEN_VCPU | SEEN_DELAY : SEEN_VCPU;
}

static unsigned fill_one(struct sample *sample, const char *field, int64_t v)
{
	struct vm_sample *vm = &sample->vms[sample->n_vms - 1];
	if (strncmp(field, "vcpu.", 5) == 0)
		return fill_vcpu(sample, field, v);
	if (strcmp(field, "state.state") == 0) {
		vm->state = stats_state(v > VIR_DOMAIN_PMSUSPENDED ? VIR_DOMAIN_NOSTATE : (int)v);
		return 0;
	}
	if (strcmp(field, "balloon.last-update") == 0) {
		if (v > 0 && v < INT64_MAX / 1000000000)
			vm->mem.last_update_ns = vi64_ok(v * 1000000000);
		return SEEN_BALLOON;
	}
	if (fill_plain(vm, field, v))
		return field[0] != 'b'                     ? SEEN_CPU
		       : strcmp(field, "balloon.rss") == 0 ? SEEN_BALLOON | SEEN_RSS
							   : SEEN_BALLOON;
	fill_summed(vm, field, v);
	return 0;
}

unsigned stats_fill(struct sample *sample, const virTypedParameter *params, int n)
{
	unsigned seen = 0;
	int64_t v;
	for (int i = 0; i < n; i++)
		if (number(&params[i], &v))
			seen |= fill_one(sample, params[i].field, v);
	return seen;
}

void stats_memory(struct vm_memory *mem, const virDomainMemoryStatStruct *stats, int n)
{
	static const struct {
		int tag;
		size_t at;
	} tags[] = {
		{VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, offsetof(struct vm_memory, balloon_kib)},
		{VIR_DOMAIN_MEMORY_STAT_UNUSED, offsetof(struct vm_memory, unused_kib)},
		{VIR_DOMAIN_MEMORY_STAT_USABLE, offsetof(struct vm_memory, usable_kib)},
		{VIR_DOMAIN_MEMORY_STAT_AVAILABLE, offsetof(struct vm_memory, available_kib)},
		{VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, offsetof(struct vm_memory, caches_kib)},
		{VIR_DOMAIN_MEMORY_STAT_RSS, offsetof(struct vm_memory, rss_kib)},
		{VIR_DOMAIN_MEMORY_STAT_SWAP_IN, offsetof(struct vm_memory, swap_in_kib)},
		{VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, offsetof(struct vm_memory, swap_out_kib)},
		{VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, offsetof(struct vm_memory, major_faults)},
	};
	for (int i = 0; i < n; i++) {
		if (stats[i].val > INT64_MAX / 1000000000)
			continue;
		int64_t v = (int64_t)stats[i].val;
		if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE && v > 0)
			mem->last_update_ns = vi64_ok(v * 1000000000);
		for (size_t t = 0; t < sizeof tags / sizeof *tags; t++)
			if (stats[i].tag == tags[t].tag)
				*place(mem, tags[t].at) = vi64_ok(v);
	}
}

static enum avail host_reason(const struct stats_why *why)
{
	if (!why->asked)
		return AVAIL_NOT_ASKED;
	if (why->hung)
		return AVAIL_HUNG;
	return why->reported ? AVAIL_NONE : AVAIL_UNSUPPORTED;
}

static enum avail guest_reason(const struct vm_memory *mem, const struct stats_why *w)
{
	enum avail why = host_reason(w);
	if (why == AVAIL_NOT_ASKED || why == AVAIL_HUNG)
		return why;
	if (!mem->balloon_device)
		return AVAIL_NO_DEVICE;
	if (why != AVAIL_NONE)
		return why;
	if (w->busy)
		return AVAIL_BUSY;
	if (!w->has_period)
		return AVAIL_NONE;
	if (w->period_s == 0)
		return AVAIL_NO_PERIOD;
	return w->running ? AVAIL_NO_DRIVER : AVAIL_PAUSED;
}

static void give_reason(struct vi64 *v, enum avail why)
{
	if (!vi64_has(*v))
		v->avail = why;
}

void stats_memory_reasons(struct vm_memory *mem, const struct stats_why *w)
{
	struct vi64 *guest[] = {&mem->unused_kib, &mem->usable_kib, &mem->available_kib, &mem->caches_kib,
		&mem->swap_in_kib, &mem->swap_out_kib, &mem->major_faults, &mem->last_update_ns};
	struct vi64 *host[] = {&mem->max_kib, &mem->balloon_kib, &mem->rss_kib};
	bool zero = vi64_has(mem->unused_kib) && !mem->unused_kib.v &&
		    (!vi64_has(mem->available_kib) || !mem->available_kib.v);
	/* A guest whose driver has just begun to report fills in zeros all over. */
	enum avail why = zero ? AVAIL_FIRST : guest_reason(mem, w);
	for (size_t i = 0; zero && i < sizeof guest / sizeof *guest; i++)
		*guest[i] = vi64_absent(AVAIL_NONE);
	for (size_t i = 0; i < sizeof guest / sizeof *guest; i++)
		give_reason(guest[i], why);
	for (size_t i = 0; i < sizeof host / sizeof *host; i++)
		give_reason(host[i], host_reason(w));
}
