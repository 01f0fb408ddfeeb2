/* SPDX-License-Identifier: MIT */
/* vmtop --check: samples until there are rates, plans one CPU round and one memory cycle without carrying
 * anything out, and says what it found: a line a check, each with what to do about it, then the plan.
 * Invariant: nothing is changed (the engine is in a dry run), and only what is of no use at all is a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_host.h"
#include "vmtop/batch.h"
#include "vmtop/effect.h"
#include "vmtop/migrate.h"
#include "vmtop/text.h"

enum { STEPS_MOST = 6 };

enum level { LEVEL_OK, LEVEL_NOTE, LEVEL_WARN, LEVEL_FAIL };
static const char *const level_names[] = {
	[LEVEL_OK] = "ok", [LEVEL_NOTE] = "note", [LEVEL_WARN] = "warn", [LEVEL_FAIL] = "FAIL"};

struct checked {
	enum level level;
	char text[800];
	const char *advice; /* NULL: nothing to do */
};

static bool runs(const struct vm_sample *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_BLOCKED;
}

static void check_connection(const struct snapshot *snap, struct checked *found)
{
	const struct backend_status *status = &snap->backend;
	snprintf(found->text, sizeof found->text, "%s, driver %s%s, a sample takes %.0f ms", status->uri,
		snap->sample.host.hypervisor, text_if(snap->sample.host.local, " on this machine"),
		(double)snap->sample.took_ns / 1e6);
	if (!status->readonly)
		return;
	size_t n = strlen(found->text);
	snprintf(found->text + n, sizeof found->text - n, "; read-only: %s", status->readonly_why);
	found->level = LEVEL_WARN;
	found->advice = "it can show, not steer; run as root or as a member of the group libvirt, "
			"without --readonly";
}

static bool all_excluded(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->sample.n_vms; i++)
		if (runs(&snap->sample.vms[i]) && snap->vm_status[i].cpu != REASON_EXCLUDED)
			return false;
	return snap->n_eligible_memory == 0;
}

static void check_guests(const struct snapshot *snap, struct checked *found)
{
	size_t running = 0, hung = 0;
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		running += runs(&snap->sample.vms[i]);
		hung += snap->sample.vms[i].hung_since_ns != 0;
	}
	snprintf(found->text, sizeof found->text, "%zu running, %d may be steered on CPUs, %d in memory",
		running, snap->n_eligible_cpu, snap->n_eligible_memory);
	if (hung) {
		size_t n = strlen(found->text);
		snprintf(found->text + n, sizeof found->text - n, "; %zu do not answer", hung);
		found->level = LEVEL_WARN;
		found->advice = "a stopped QEMU process? The others are served without it";
	} else if (running && all_excluded(snap)) {
		found->level = LEVEL_WARN;
		found->advice = "none of them is what the patterns name, or all are excluded by the config";
	} else if (running == 0) {
		found->level = LEVEL_NOTE;
		found->advice =
			"virsh -c URI list shows what a URI has; -c sim:demo is a host to try things on";
	}
}

/* Of all vCPUs that run, those that lack a fact, and the reason of the first. */
struct lack {
	size_t of, without;
	enum avail why;
};

static void lack_count(struct lack *lack, enum avail avail)
{
	lack->of++;
	if (avail == AVAIL_OK)
		return;
	if (lack->without++ == 0)
		lack->why = avail;
}

enum vcpu_fact { FACT_TIME, FACT_DELAY, FACT_PCPU, FACT_AFFINITY };

static enum avail vcpu_fact(const struct vcpu_sample *vcpu, enum vcpu_fact fact)
{
	const enum avail facts[] = {
		[FACT_TIME] = vcpu->time_ns.avail,
		[FACT_DELAY] = vcpu->delay_ns.avail,
		[FACT_PCPU] = vcpu->pcpu.avail,
		[FACT_AFFINITY] = vcpu->affinity_avail,
	};
	return facts[fact];
}

static void lack_say(const struct lack *lack, const char *things, struct checked *found)
{
	if (lack->of == 0)
		snprintf(found->text, sizeof found->text, "no %s to look at", things);
	else if (lack->without == 0)
		snprintf(found->text, sizeof found->text, "known for %zu of %zu %s", lack->of, lack->of,
			things);
	else
		snprintf(found->text, sizeof found->text, "known for %zu of %zu %s; else: %s",
			lack->of - lack->without, lack->of, things, avail_text(lack->why));
}

static void check_vcpus(const struct snapshot *snap, enum vcpu_fact fact, enum level level,
	const char *advice, struct checked *found)
{
	struct lack lack = {0};
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		const struct vm_sample *vm = &snap->sample.vms[i];
		for (size_t v = vm->first_vcpu; runs(vm) && v < vm->first_vcpu + vm->n_vcpus; v++)
			if (snap->sample.vcpus[v].online)
				lack_count(&lack, vcpu_fact(&snap->sample.vcpus[v], fact));
	}
	lack_say(&lack, "vCPUs", found);
	if (lack.without) {
		found->level = lack.without == lack.of ? level : LEVEL_WARN;
		found->advice = advice;
	}
}

static void check_time(const struct snapshot *snap, struct checked *found)
{
	check_vcpus(snap, FACT_TIME, LEVEL_FAIL, "without run times there is nothing to balance", found);
}

static void check_delay(const struct snapshot *snap, struct checked *found)
{
	check_vcpus(snap, FACT_DELAY, LEVEL_WARN,
		"starved vCPUs cannot be told from idle ones; needs libvirt 7.2 and a kernel with schedstats",
		found);
}

static void check_pcpu(const struct snapshot *snap, struct checked *found)
{
	check_vcpus(snap, FACT_PCPU, LEVEL_WARN, "unpinned vCPUs count for no pCPU", found);
}

static void check_pins(const struct snapshot *snap, struct checked *found)
{
	check_vcpus(snap, FACT_AFFINITY, LEVEL_WARN, "vCPUs whose pins are not known are left alone", found);
}

static void check_pcpus(const struct snapshot *snap, struct checked *found)
{
	struct lack lack = {0};
	for (size_t i = 0; i < snap->sample.host.n_pcpus; i++)
		if (snap->sample.host.pcpus[i].online)
			lack_count(&lack, snap->sample.host.pcpus[i].busy_ns.avail);
	lack_say(&lack, "pCPUs", found);
	if (lack.without) {
		found->level = LEVEL_WARN;
		found->advice = "load that is not vCPUs is not seen, and origin-b cannot work";
	}
}

static void check_topology(const struct snapshot *snap, struct checked *found)
{
	const struct host_sample *host = &snap->sample.host;
	char apart[32] = "isolated not known";
	size_t online = 0, isolated = 0;
	for (size_t i = 0; i < host->n_pcpus; i++) {
		online += host->pcpus[i].online;
		isolated += host->pcpus[i].isolated;
	}
	if (host->has_isolation)
		snprintf(apart, sizeof apart, "%zu isolated", isolated);
	snprintf(found->text, sizeof found->text,
		"%zu pCPU%s, %zu online, %s, %zu NUMA node%s, caches %s; granularity %s", host->n_pcpus,
		text_s(host->n_pcpus), online, apart, host->n_nodes, text_s(host->n_nodes),
		host->has_llc ? "known" : "not known", granularity_name(snap->granularity));
	if (host->n_pcpus == 0) {
		found->level = LEVEL_FAIL;
		found->advice = "the host does not tell its pCPUs";
	} else if (!host->has_isolation) {
		found->level = LEVEL_WARN;
		found->advice =
			"libvirt tells neither isolated CPUs nor the cpusets of control groups: name with "
			"cpus or exclude_cpus where vCPUs may be put";
	} else if (!host->has_llc) {
		found->level = LEVEL_NOTE;
		found->advice = "moves are not kept within a last-level cache";
	}
}

static void check_processors(const struct snapshot *snap, struct checked *found)
{
	check_host_shape(snap, found->text, sizeof found->text);
}

static void check_room(const struct snapshot *snap, struct checked *found)
{
	check_host_room(snap, found->text, sizeof found->text);
}

static void check_bounds(const struct snapshot *snap, struct checked *found)
{
	check_host_bounds(snap, found->text, sizeof found->text);
}

static void check_statistics(const struct snapshot *snap, struct checked *found)
{
	struct lack lack = {0};
	for (size_t i = 0; i < snap->sample.n_vms; i++) {
		const struct vm_memory *mem = &snap->sample.vms[i].mem;
		if (runs(&snap->sample.vms[i]))
			lack_count(&lack, vi64_has(mem->unused_kib) ? AVAIL_OK : mem->usable_kib.avail);
	}
	lack_say(&lack, "guests", found);
	if (lack.without) {
		found->level = LEVEL_WARN;
		found->advice =
			lack.why == AVAIL_NO_PERIOD
				? "memory AUTO, the key p or --stats-period 2 turns statistics on; they "
				  "are put back at the end"
				: "these guests are never ballooned; see REASONS in vmtop(1)";
	}
}

static void check_memory(const struct snapshot *snap, struct checked *found)
{
	const struct host_sample *host = &snap->sample.host;
	char total[24] = "-", available[24] = "-";
	if (vi64_has(host->total_kib))
		text_kib(total, sizeof total, host->total_kib.v);
	if (vi64_has(host->available_kib))
		text_kib(available, sizeof available, host->available_kib.v);
	snprintf(found->text, sizeof found->text, "%s available of %s, pressure figures %s", available, total,
		vf64_has(host->psi_full_avg10) ? "known" : "not known");
	if (!vi64_has(host->available_kib)) {
		found->level = LEVEL_WARN;
		found->advice = "without it no guest is given memory";
	}
}

static void check_claim(const struct snapshot *snap, struct checked *found)
{
	const struct claim_status *status = &snap->backend.claim;
	switch (status->state) {
	case CLAIM_OTHER:
		snprintf(found->text, sizeof found->text, "%s steers this host", status->who);
		found->level = LEVEL_WARN;
		found->advice = "AUTO waits until it ends; --restore and --release work all the same";
		return;
	case CLAIM_LEFT:
		snprintf(found->text, sizeof found->text, "%s steered this host and is gone", status->who);
		return;
	case CLAIM_NONE:
		if (!*snap->backend.host) {
			snprintf(found->text, sizeof found->text, "nothing to claim here");
			return;
		}
		snprintf(found->text, sizeof found->text, "this hypervisor keeps none");
		found->level = LEVEL_NOTE;
		found->advice = "vmtops of other users and machines are not noticed here";
		return;
	case CLAIM_DENIED:
	case CLAIM_UNKNOWN:
		snprintf(found->text, sizeof found->text,
			"whether another vmtop steers this host is not known");
		found->level = LEVEL_WARN;
		found->advice =
			"vmtop keeps a secret in libvirt that says who steers; without the right to it, it steers nothing";
		return;
	default:
		snprintf(found->text, sizeof found->text, "nobody steers this host");
	}
}

static void check_left(const struct snapshot *snap, struct checked *found)
{
	int here = snap->n_changed - snap->n_changed_away;
	int n = snprintf(found->text, sizeof found->text, "%d change%s of an earlier vmtop %s still in place",
		here, text_s((size_t)here), here == 1 ? "is" : "are");
	if (snap->n_changed_away) {
		snprintf(found->text + n, sizeof found->text - (size_t)n, "; %d of VMs that do not run now",
			snap->n_changed_away);
		found->level = LEVEL_NOTE;
		found->advice =
			"kept for a week, for a saved VM comes back with its pins; vmtop --restore forgets "
			"those of VMs that are no more";
	}
	if (here) {
		found->level = LEVEL_WARN;
		found->advice = "vmtop --restore puts them back";
	}
}

static void check_hook(const struct snapshot *snap, struct checked *found)
{
	bool here = snap->sample.host.local, there = access(MIGRATE_HOOK, X_OK) == 0;
	snprintf(found->text, sizeof found->text, "%s %s", MIGRATE_HOOK,
		!here   ? "is not seen from here"
		: there ? "is there: guests that arrive lose the pins of vmtop elsewhere"
			: "is not there");
	if (here && there)
		return;
	found->level = LEVEL_NOTE;
	found->advice =
		"without it a guest that arrives keeps the pins that vmtop made elsewhere, and cannot come "
		"where there are fewer pCPUs; make install puts it there";
}

static const struct {
	const char *name;
	void (*check)(const struct snapshot *s, struct checked *f);
} checks[] = {
	{"connection", check_connection},
	{"guests", check_guests},
	{"topology", check_topology},
	{"processors", check_processors},
	{"usable pCPUs", check_room},
	{"bounds", check_bounds},
	{"pCPU times", check_pcpus},
	{"vCPU run time", check_time},
	{"run-queue delay", check_delay},
	{"current pCPU", check_pcpu},
	{"pins", check_pins},
	{"guest statistics", check_statistics},
	{"host memory", check_memory},
	{"claim", check_claim},
	{"journal", check_left},
	{"migration hook", check_hook},
};

static int print_checks(const struct snapshot *snap, FILE *out)
{
	int count[LEVEL_FAIL + 1] = {0};
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct checked found = {LEVEL_OK, "", NULL};
		char shown[1600];
		checks[i].check(snap, &found);
		if (!found.text[0])
			continue;
		text_safe(shown, sizeof shown, found.text);
		fprintf(out, "%-4s  %-16s  %s\n", level_names[found.level], checks[i].name, shown);
		if (found.advice)
			fprintf(out, "%24s%s\n", "", found.advice);
		count[found.level]++;
	}
	fprintf(out, "%d ok, %d to know, %d warning%s, %d failure%s\n", count[LEVEL_OK], count[LEVEL_NOTE],
		count[LEVEL_WARN], text_s((size_t)count[LEVEL_WARN]), count[LEVEL_FAIL],
		text_s((size_t)count[LEVEL_FAIL]));
	return count[LEVEL_FAIL];
}

/* Moves first, then pins in place, each with what it would do. */
static int print_pins(const struct snapshot *snap, FILE *out)
{
	struct suffer_look look = snapshot_look(snap);
	struct effect *effects = calloc(snap->n_actions + 1, sizeof *effects);
	size_t n = effects ? effects_of(&look, snap->actions, snap->n_actions, effects) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct action *action = &snap->actions[effects[i].action];
		char name[VM_NAME_BYTES * 4], where[64], does[300];
		text_escape(name, sizeof name, snap->sample.vms[effects[i].vm].name);
		effect_where(&look, &effects[i], action, where, sizeof where);
		effect_text(&effects[i], does, sizeof does);
		fprintf(out, "  %s  %s vCPU %d  %s  %s  (%s)\n", effects[i].moves ? "move" : "pin ", name,
			action->vcpu, where, does, action->why.text);
	}
	free(effects);
	return effects ? 0 : -1;
}

/* All pins; then what else was logged since `seen`: balloons, and why there is nothing to do. */
static int print_plan(const struct snapshot *snap, uint64_t seen, FILE *out)
{
	fprintf(out, "\nA CPU round and a memory cycle would now do this; nothing was changed:\n");
	int rc = print_pins(snap, out);
	for (size_t i = 0; i < snap->n_log; i++) {
		const struct log_line *line = &snap->log[i];
		if (line->seq > seen && line->kind != LOG_EVENT &&
			(line->kind != LOG_ACTION || line->vcpu < 0))
			fprintf(out, "  %s\n", line->text);
	}
	return rc;
}

/* The second sample with rates: guests fill in their first statistics a little later than the host. */
static struct snapshot *settled(struct engine *engine, struct err *err)
{
	for (int i = 0, with_rates = 0; i < STEPS_MOST; i++) {
		if (engine_step(engine, err) < 0)
			return NULL;
		struct snapshot *snap = engine_snapshot(engine);
		if (!snap)
			return NULL;
		with_rates += !snap->first && snap->cpu.why.code != REASON_FIRST;
		if (with_rates == 2)
			return snap;
		snapshot_free(snap);
		if (!engine_wait(engine, -1))
			break;
	}
	err_set(err, ERR_RUNTIME,
		"no rates: the hypervisor did not give two samples; try again, or look at its log");
	return NULL;
}

int check_run(struct engine *engine, FILE *out, struct err *err)
{
	struct snapshot *snap = settled(engine, err);
	if (!snap)
		return err->msg[0] ? -1 : err_set(err, ERR_NOMEM, "out of memory");
	int failures = print_checks(snap, out);
	uint64_t seen = snap->n_log ? snap->log[snap->n_log - 1].seq : 0;
	snapshot_free(snap);
	engine_command(engine, &(struct command){.kind = CMD_REBALANCE});
	engine_command(engine, &(struct command){.kind = CMD_MEMORY_CYCLE});
	engine_wait(engine, -1);
	snap = engine_step(engine, err) < 0 ? NULL : engine_snapshot(engine);
	if (!snap)
		return err->msg[0] ? -1 : err_set(err, ERR_NOMEM, "out of memory");
	int rc = print_plan(snap, seen, out);
	snapshot_free(snap);
	if (rc < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return failures ? err_set(err, ERR_RUNTIME, "the check failed, see above") : 0;
}
