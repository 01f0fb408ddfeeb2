/* SPDX-License-Identifier: MIT */
/* The column table and the getters behind it. Invariant: a getter only reads the snapshot, and what the
 * snapshot does not know stays absent, with its reason. Knows nothing of screens, files and formats. */
#include "vmtop/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmtop/err.h"
#include "vmtop/minmax.h"
#include "vmtop/text.h"

static const struct vm_sample *vm_of(const struct column_env *env, size_t vm)
{
	return &env->snap->sample.vms[vm];
}

static const struct vm_rate *rate_of(const struct column_env *env, size_t vm)
{
	return &env->snap->vm_rates[vm];
}

static void set_i(struct value *val, struct vi64 x)
{
	val->avail = x.avail;
	val->num = (double)x.v;
}

static void set_f(struct value *val, struct vf64 x)
{
	val->avail = x.avail;
	val->num = x.v;
}

static void set_num(struct value *val, double x)
{
	val->avail = AVAIL_OK;
	val->num = x;
}

static int online_pcpus(const struct snapshot *snap)
{
	int n = 0;
	for (size_t i = 0; i < snap->sample.host.n_pcpus; i++)
		n += snap->sample.host.pcpus[i].online;
	return max_of(n, 1);
}

static void set_pct(const struct column_env *env, struct value *val, struct vf64 x)
{
	set_f(val, x);
	if (env->of_host)
		val->num /= online_pcpus(env->snap);
}

static void get_id(const struct column_env *env, size_t vm, struct value *val)
{
	int id = vm_of(env, vm)->id;
	val->avail = id < 0 ? AVAIL_PAUSED : AVAIL_OK;
	val->num = id;
}

static void get_name(const struct column_env *env, size_t vm, struct value *val)
{
	val->avail = AVAIL_OK;
	snprintf(val->text, sizeof val->text, "%s", vm_of(env, vm)->name);
}

static void get_title(const struct column_env *env, size_t vm, struct value *val)
{
	const char *title = vm_of(env, vm)->title;
	val->avail = title[0] ? AVAIL_OK : AVAIL_NONE;
	snprintf(val->text, sizeof val->text, "%s", title);
}

static void get_uuid(const struct column_env *env, size_t vm, struct value *val)
{
	val->avail = AVAIL_OK;
	uuid_format(vm_of(env, vm)->uuid, val->text);
}

bool column_held(const struct snapshot *snap, size_t vm)
{
	enum reason reason = snap->vm_status[vm].cpu;
	const struct vm_sample *m = &snap->sample.vms[vm];
	for (size_t i = 0; i < m->n_vcpus && reason != REASON_HELD && reason != REASON_FOREIGN; i++)
		reason = snap->vcpu_status[m->first_vcpu + i].cpu;
	return reason == REASON_HELD || reason == REASON_FOREIGN;
}

/* A hung monitor hides the true state, so it takes the place of the state; a held VM is running. */
static void get_state(const struct column_env *env, size_t vm, struct value *val)
{
	const struct vm_sample *m = vm_of(env, vm);
	val->avail = AVAIL_OK;
	if (m->hung_since_ns) {
		double s = (double)(env->snap->sample.time_ns - m->hung_since_ns) / 1e9;
		if (s < 99.5) /* nine columns hold all of it */
			snprintf(val->text, sizeof val->text, "HUNG %.0f s", max_of(s, 0));
		else if (s < 99.5 * 60)
			snprintf(val->text, sizeof val->text, "HUNG %.0fm", s / 60);
		else
			snprintf(val->text, sizeof val->text, "HUNG %.0fh", s / 3600);
	} else if (m->state == VM_RUNNING && column_held(env->snap, vm)) {
		snprintf(val->text, sizeof val->text, "HELD");
	} else {
		snprintf(val->text, sizeof val->text, "%s", vm_state_text(m->state));
	}
}

static void get_vcpus(const struct column_env *env, size_t vm, struct value *val)
{
	const struct vm_sample *m = vm_of(env, vm);
	int n = 0;
	for (size_t i = 0; i < m->n_vcpus; i++)
		n += env->snap->sample.vcpus[m->first_vcpu + i].online;
	set_num(val, n);
}

static void get_cpu(const struct column_env *env, size_t vm, struct value *val)
{
	set_pct(env, val, rate_of(env, vm)->cpu_pct);
}

static void get_wait(const struct column_env *env, size_t vm, struct value *val)
{
	set_pct(env, val, rate_of(env, vm)->wait_pct);
}

static void get_demand(const struct column_env *env, size_t vm, struct value *val)
{
	set_pct(env, val, rate_of(env, vm)->demand_pct);
}

/* "3/97/-": usage of each vCPU; the screen draws the same as bars. */
static void get_bars(const struct column_env *env, size_t vm, struct value *val)
{
	const struct vm_sample *m = vm_of(env, vm);
	size_t at = 0;
	val->avail = m->n_vcpus ? AVAIL_OK : AVAIL_UNSUPPORTED;
	for (size_t i = 0; i < m->n_vcpus && at + 8 < sizeof val->text; i++) {
		struct vf64 u = env->snap->vcpu_rates[m->first_vcpu + i].usage_pct;
		const char *sep = text_if(i, "/");
		int n = vf64_has(u) ? snprintf(val->text + at, sizeof val->text - at, "%s%.0f", sep,
					      fmin(u.v, 999))
				    : snprintf(val->text + at, sizeof val->text - at, "%s-", sep);
		at += (size_t)max_of(n, 0);
	}
}

/* All pCPUs to which its vCPUs are pinned; "any" when none is, a "+" when some are not. */
static void get_pins(const struct column_env *env, size_t vm, struct value *val)
{
	const struct vm_sample *m = vm_of(env, vm);
	struct cpuset all;
	cpuset_clear(&all);
	size_t pinned = 0, known = 0;
	for (size_t i = 0; i < m->n_vcpus; i++) {
		const struct vcpu_sample *vcpu = &env->snap->sample.vcpus[m->first_vcpu + i];
		known += vcpu->affinity_avail == AVAIL_OK;
		if (vcpu->affinity_avail != AVAIL_OK || !vcpu->pinned)
			continue;
		pinned++;
		cpuset_or(&all, &vcpu->affinity);
	}
	if (!known) {
		val->avail = m->n_vcpus ? env->snap->sample.vcpus[m->first_vcpu].affinity_avail
					: AVAIL_UNSUPPORTED;
		return;
	}
	val->avail = AVAIL_OK;
	if (!pinned) {
		snprintf(val->text, sizeof val->text, "any");
		return;
	}
	if (cpuset_format(&all, val->text, sizeof val->text - 2) >= sizeof val->text - 2)
		snprintf(val->text, sizeof val->text, "%d pCPU%s", cpuset_count(&all),
			text_s((size_t)cpuset_count(&all)));
	if (pinned < known)
		memcpy(val->text + strlen(val->text), "+", 2);
}

static void get_balloon(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.balloon_kib);
}

static void get_target(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, env->snap->vm_status[vm].target_kib);
}

static void get_max(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.max_kib);
}

static void get_used(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, rate_of(env, vm)->used_kib);
}

static void get_usable(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.usable_kib);
}

static void get_unused(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.unused_kib);
}

static void get_caches(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.caches_kib);
}

static void get_rss(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->mem.rss_kib);
}

/* As virt-top: what the balloon holds of the host's memory. */
static void get_mem(const struct column_env *env, size_t vm, struct value *val)
{
	struct vi64 has = vm_of(env, vm)->mem.balloon_kib, all = env->snap->sample.host.total_kib;
	if (!vi64_has(has) || !vi64_has(all) || all.v <= 0) {
		val->avail = vi64_has(has) ? all.avail : has.avail;
		return;
	}
	set_num(val, 100.0 * (double)has.v / (double)all.v);
}

static void get_low(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, env->snap->vm_status[vm].mem.lo_kib);
}

static void get_high(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, env->snap->vm_status[vm].mem.hi_kib);
}

static void get_floor(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, env->snap->vm_status[vm].mem.floor_kib);
}

static void get_age(const struct column_env *env, size_t vm, struct value *val)
{
	set_f(val, rate_of(env, vm)->age_s);
}

static void get_swapin(const struct column_env *env, size_t vm, struct value *val)
{
	set_f(val, rate_of(env, vm)->swap_in_kib_s);
}

static void get_swapout(const struct column_env *env, size_t vm, struct value *val)
{
	set_f(val, rate_of(env, vm)->swap_out_kib_s);
}

static void get_time(const struct column_env *env, size_t vm, struct value *val)
{
	set_i(val, vm_of(env, vm)->cpu_time_ns);
	val->num /= 1e9;
}

#define IO_GETTER(name, field)                                                                               \
	static void get_##name(const struct column_env *env, size_t vm, struct value *v)                     \
	{                                                                                                    \
		set_f(v, rate_of(env, vm)->field);                                                           \
	}
IO_GETTER(rdrq, rd_reqs_s)
IO_GETTER(wrrq, wr_reqs_s)
IO_GETTER(rdby, rd_bytes_s)
IO_GETTER(wrby, wr_bytes_s)
IO_GETTER(rxby, rx_bytes_s)
IO_GETTER(txby, tx_bytes_s)
IO_GETTER(rxpk, rx_pkts_s)
IO_GETTER(txpk, tx_pkts_s)

/* "HELD", "HELD 9 min", or the key of what stands in the way; empty when nothing does. */
static void format_hold(char *buf, size_t len, const char *word, double for_s)
{
	if (for_s > 90)
		snprintf(buf, len, "%s %.0f min", word, ceil(for_s / 60));
	else if (for_s > 0)
		snprintf(buf, len, "%s %.0f s", word, ceil(for_s));
	else
		snprintf(buf, len, "%s", word);
}

static void get_note(const struct column_env *env, size_t vm, struct value *val)
{
	const struct vm_status *status = &env->snap->vm_status[vm];
	val->avail = AVAIL_OK;
	if (vm_of(env, vm)->hung_since_ns || status->cpu == REASON_NOT_RUNNING)
		return; /* the state says it */
	if (status->cpu == REASON_HELD)
		format_hold(val->text, sizeof val->text, "HELD", status->held_for_s);
	else if (status->cpu == REASON_FOREIGN)
		format_hold(val->text, sizeof val->text, "FOREIGN", status->held_for_s);
	else if (status->cpu != REASON_NONE)
		snprintf(val->text, sizeof val->text, "%s", reason_key(status->cpu));
	else if (status->stay_on_node)
		snprintf(val->text, sizeof val->text, "own node");
}

static const struct suffering *suffering_of(const struct column_env *env, size_t vm)
{
	return &env->snap->vm_status[vm].suffer;
}

static void get_suffers(const struct column_env *env, size_t vm, struct value *val)
{
	const struct suffering *hurt = suffering_of(env, vm);
	if (!hurt->n && !vf64_has(hurt->got_pct))
		val->avail = hurt->got_pct.avail;
	else
		set_num(val, hurt->score_pct);
}

static void get_why(const struct column_env *env, size_t vm, struct value *val)
{
	const struct suffering *hurt = suffering_of(env, vm);
	val->avail = AVAIL_OK;
	if (hurt->n)
		snprintf(val->text, sizeof val->text, "%s%s", cause_key(hurt->found[0].cause),
			text_if(hurt->n > 1, "+"));
}

static void get_helpers(const struct column_env *env, size_t vm, struct value *val)
{
	struct vf64 x = rate_of(env, vm)->helper_ns_s;
	x.v /= 1e7;
	set_pct(env, val, x);
}

static void get_memory_why(const struct column_env *env, size_t vm, struct value *val)
{
	const struct mem_status *status = &env->snap->vm_status[vm].mem;
	val->avail = AVAIL_OK;
	snprintf(val->text, sizeof val->text, "%s", text_or(status->why.text, reason_text(status->why.code)));
}

#define BAL SAMPLE_BALLOON
#define BLK SAMPLE_BLOCK
#define NET SAMPLE_NET
/* In the order of the default set. */
static const struct column columns[] = {
	{"id", "ID", "", "libvirt's number of the running VM", .width = 4, .ascending = true, .rank = 13,
		.type = VALUE_INT, .get = get_id},
	{"name", "NAME", "", "name of the VM, with odd characters escaped", .width = 12, .left = true,
		.ascending = true, .rank = 1, .type = VALUE_TEXT, .get = get_name},
	{"state", "STATE", "", "state; HUNG: its monitor does not answer; HELD (H): H releases it",
		.width = 9, .left = true, .ascending = true, .rank = 6, .type = VALUE_TEXT, .get = get_state},
	{"vcpus", "vCPU", "", "online vCPUs", .width = 4, .rank = 12, .type = VALUE_INT, .get = get_vcpus},
	{"bars", "USE", "%", "usage of each vCPU, a bar each", .width = 8, .left = true, .rank = 7,
		.type = VALUE_TEXT, .get = get_bars},
	{"cpu", "CPU%", "%", "CPU used by its vCPUs, percent of one pCPU (I: of the host)", .width = 6,
		.rank = 2, .type = VALUE_PCT, .get = get_cpu},
	{"wait", "WAIT%", "%", "waiting of its vCPUs for a pCPU, summed; coloured from 10 on", .width = 6,
		.rank = 3, .type = VALUE_PCT, .get = get_wait},
	{"demand", "NEED%", "%", "CPU it would use if each vCPU had an idle pCPU", .width = 6, .rank = 9,
		.type = VALUE_PCT, .get = get_demand},
	{"pins", "PINS", "", "pCPUs its vCPUs are pinned to; + when some are not pinned", .width = 8,
		.left = true, .ascending = true, .rank = 4, .type = VALUE_TEXT, .get = get_pins},
	{"balloon", "BALL", "KiB", "memory the guest has: the balloon's actual size", .width = 5, .rank = 5,
		.group = BAL, .type = VALUE_KIB, .get = get_balloon},
	{"target", "TARGET", "KiB", "balloon target last set from here", .width = 6, .rank = 11,
		.type = VALUE_KIB, .get = get_target},
	{"max", "MAX", "KiB", "most memory the guest can have", .width = 5, .rank = 8, .group = BAL,
		.type = VALUE_KIB, .get = get_max},
	{"used", "USED", "KiB", "memory the guest cannot do without: balloon less usable", .width = 5,
		.rank = 5, .group = BAL, .type = VALUE_KIB, .get = get_used},
	{"usable", "FREE", "KiB", "memory the guest could still use without swapping (usable)", .width = 5,
		.rank = 8, .group = BAL, .type = VALUE_KIB, .get = get_usable},
	{"why", "WHY", "", "why it suffers: the heaviest cause, + when there are more; w tells all",
		.width = 9, .left = true, .ascending = true, .rank = 7, .type = VALUE_TEXT, .get = get_why},
	{"note", "NOTE", "", "HELD, FOREIGN, why AUTO leaves it alone, or own node", .width = 12,
		.left = true, .ascending = true, .rank = 10, .type = VALUE_TEXT, .get = get_note},
	{"mem", "%MEM", "%", "the balloon's share of the host's memory", .width = 5, .rank = 15, .group = BAL,
		.type = VALUE_SHARE, .get = get_mem},
	{"time", "TIME", "s", "CPU time since the VM started, emulator included", .width = 9, .rank = 14,
		.type = VALUE_SECONDS, .get = get_time},
	{"suffers", "SUFFER%", "%", "how much it suffers: the weight of the heaviest cause", .width = 7,
		.type = VALUE_SHARE, .get = get_suffers},
	{"helpers", "QEMU%", "%", "CPU of its QEMU's threads that are no vCPUs (emulator, iothreads, vhost)",
		.width = 6, .type = VALUE_PCT, .get = get_helpers},
	{"unused", "UNUSED", "KiB", "memory the guest has not touched (MemFree)", .width = 6, .group = BAL,
		.type = VALUE_KIB, .get = get_unused},
	{"caches", "CACHE", "KiB", "disk caches of the guest, tmpfs included", .width = 5, .group = BAL,
		.type = VALUE_KIB, .get = get_caches},
	{"rss", "RSS", "KiB", "memory its QEMU holds on the host", .width = 5, .rank = 16, .group = BAL,
		.type = VALUE_KIB, .get = get_rss},
	{"low", "LOW", "KiB", "low watermark: below it the guest is given memory", .width = 5, .group = BAL,
		.type = VALUE_KIB, .get = get_low},
	{"high", "HIGH", "KiB", "high watermark: above it the guest may give memory back", .width = 5,
		.group = BAL, .type = VALUE_KIB, .get = get_high},
	{"floor", "FLOOR", "KiB", "the balloon is never set below this", .width = 5, .group = BAL,
		.type = VALUE_KIB, .get = get_floor},
	{"age", "AGE", "s", "age of the guest's memory statistics", .width = 5, .group = BAL,
		.type = VALUE_AGE, .get = get_age},
	{"swapin", "SWIN", "KiB/s", "swapped in by the guest", .width = 6, .group = BAL, .type = VALUE_KIB_S,
		.get = get_swapin},
	{"swapout", "SWOUT", "KiB/s", "swapped out by the guest", .width = 6, .group = BAL,
		.type = VALUE_KIB_S, .get = get_swapout},
	{"rdrq", "RDRQ", "1/s", "block read requests", .width = 6, .group = BLK, .type = VALUE_RATE,
		.get = get_rdrq},
	{"wrrq", "WRRQ", "1/s", "block write requests", .width = 6, .group = BLK, .type = VALUE_RATE,
		.get = get_wrrq},
	{"rdby", "RDBY", "B/s", "bytes read from block devices", .width = 6, .group = BLK,
		.type = VALUE_BYTES_S, .get = get_rdby},
	{"wrby", "WRBY", "B/s", "bytes written to block devices", .width = 6, .group = BLK,
		.type = VALUE_BYTES_S, .get = get_wrby},
	{"rxby", "RXBY", "B/s", "bytes received", .width = 6, .group = NET, .type = VALUE_BYTES_S,
		.get = get_rxby},
	{"txby", "TXBY", "B/s", "bytes sent", .width = 6, .group = NET, .type = VALUE_BYTES_S,
		.get = get_txby},
	{"rxpk", "RXPK", "1/s", "packets received", .width = 6, .group = NET, .type = VALUE_RATE,
		.get = get_rxpk},
	{"txpk", "TXPK", "1/s", "packets sent", .width = 6, .group = NET, .type = VALUE_RATE,
		.get = get_txpk},
	{"memwhy", "MEMORY", "", "what memory control does with it, and why", .width = 40, .left = true,
		.ascending = true, .type = VALUE_TEXT, .get = get_memory_why},
	{"title", "TITLE", "", "what people call it: nova's name of it, or the <title> of its definition",
		.width = 24, .left = true, .ascending = true, .type = VALUE_TEXT, .get = get_title},
	{"uuid", "UUID", "", "UUID of the VM", .width = 36, .left = true, .ascending = true,
		.type = VALUE_TEXT, .get = get_uuid},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };
_Static_assert(N_COLUMNS <= 64, "the screen keeps sets of columns in 64 places");

size_t column_count(void)
{
	return N_COLUMNS;
}

const struct column *column_at(size_t i)
{
	return i < N_COLUMNS ? &columns[i] : NULL;
}

int column_find(const char *name)
{
	for (int i = 0; i < N_COLUMNS; i++)
		if (!strcasecmp(name, columns[i].key))
			return i;
	for (int i = 0; i < N_COLUMNS; i++)
		if (!strcasecmp(name, columns[i].head))
			return i;
	return -1;
}

void column_get(const struct column *column, const struct column_env *env, size_t vm, struct value *val)
{
	val->type = column->type;
	val->avail = AVAIL_NONE;
	val->num = 0;
	val->text[0] = '\0';
	column->get(env, vm, val);
}

int column_parse(const char *list, uint8_t *out, size_t cap, struct err *err)
{
	uint8_t got[N_COLUMNS];
	int n = 0;
	const char *p = list;
	while (*p) {
		char word[32];
		size_t len = strcspn(p, ", ");
		snprintf(word, sizeof word, "%.*s", (int)min_of(len, sizeof word), p);
		p += len + strspn(p + len, ", ");
		if (!len)
			continue;
		int i = len < sizeof word ? column_find(word) : -1;
		if (i < 0) {
			char shown[160];
			text_escape(shown, sizeof shown, word);
			return err_set(err, ERR_USAGE,
				"no column is called \"%s\" (`vmtop -o help` lists them)", shown);
		}
		if (!memchr(got, i, (size_t)n))
			got[n++] = (uint8_t)i;
	}
	if (!n)
		return err_set(err, ERR_USAGE, "the list of columns is empty");
	if ((size_t)n > cap)
		n = (int)cap;
	memcpy(out, got, (size_t)n);
	return n;
}
