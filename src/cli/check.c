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

static void check_connection(const struct snapshot *s, struct checked *f)
{
	const struct backend_status *b = &s->backend;
	snprintf(f->text, sizeof f->text, "%s, driver %s%s, a sample takes %.0f ms", b->uri,
		s->sample.host.hypervisor, s->sample.host.local ? " on this machine" : "",
		(double)s->sample.took_ns / 1e6);
	if (!b->readonly)
		return;
	size_t n = strlen(f->text);
	snprintf(f->text + n, sizeof f->text - n, "; read-only: %s", b->readonly_why);
	f->level = LEVEL_WARN;
	f->advice = "it can show, not steer; run as root or as a member of the group libvirt, "
		    "without --readonly";
}

static bool all_excluded(const struct snapshot *s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (runs(&s->sample.vms[i]) && s->vm_status[i].cpu != REASON_EXCLUDED)
			return false;
	return s->n_eligible_memory == 0;
}

static void check_guests(const struct snapshot *s, struct checked *f)
{
	size_t running = 0, hung = 0;
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		running += runs(&s->sample.vms[i]);
		hung += s->sample.vms[i].hung_since_ns != 0;
	}
	snprintf(f->text, sizeof f->text, "%zu running, %d may be steered on CPUs, %d in memory", running,
		s->n_eligible_cpu, s->n_eligible_memory);
	if (hung) {
		size_t n = strlen(f->text);
		snprintf(f->text + n, sizeof f->text - n, "; %zu do not answer", hung);
		f->level = LEVEL_WARN;
		f->advice = "a stopped QEMU process? The others are served without it";
	} else if (running && all_excluded(s)) {
		f->level = LEVEL_WARN;
		f->advice = "none of them is what the patterns name, or all are excluded by the config";
	} else if (running == 0) {
		f->level = LEVEL_NOTE;
		f->advice = "virsh -c URI list shows what a URI has; -c sim:demo is a host to try things on";
	}
}

/* Of all vCPUs that run, those that lack a fact, and the reason of the first. */
struct lack {
	size_t of, without;
	enum avail why;
};

static void lack_count(struct lack *l, enum avail a)
{
	l->of++;
	if (a == AVAIL_OK)
		return;
	if (l->without++ == 0)
		l->why = a;
}

enum vcpu_fact { FACT_TIME, FACT_DELAY, FACT_PCPU, FACT_AFFINITY };

static enum avail vcpu_fact(const struct vcpu_sample *v, enum vcpu_fact fact)
{
	const enum avail facts[] = {
		[FACT_TIME] = v->time_ns.avail,
		[FACT_DELAY] = v->delay_ns.avail,
		[FACT_PCPU] = v->pcpu.avail,
		[FACT_AFFINITY] = v->affinity_avail,
	};
	return facts[fact];
}

static void lack_say(const struct lack *l, const char *things, struct checked *f)
{
	if (l->of == 0)
		snprintf(f->text, sizeof f->text, "no %s to look at", things);
	else if (l->without == 0)
		snprintf(f->text, sizeof f->text, "known for %zu of %zu %s", l->of, l->of, things);
	else
		snprintf(f->text, sizeof f->text, "known for %zu of %zu %s; else: %s", l->of - l->without,
			l->of, things, avail_text(l->why));
}

static void check_vcpus(const struct snapshot *s, enum vcpu_fact fact, enum level level, const char *advice,
	struct checked *f)
{
	struct lack l = {0};
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		for (size_t v = vm->first_vcpu; runs(vm) && v < vm->first_vcpu + vm->n_vcpus; v++)
			if (s->sample.vcpus[v].online)
				lack_count(&l, vcpu_fact(&s->sample.vcpus[v], fact));
	}
	lack_say(&l, "vCPUs", f);
	if (l.without) {
		f->level = l.without == l.of ? level : LEVEL_WARN;
		f->advice = advice;
	}
}

static void check_time(const struct snapshot *s, struct checked *f)
{
	check_vcpus(s, FACT_TIME, LEVEL_FAIL, "without run times there is nothing to balance", f);
}

static void check_delay(const struct snapshot *s, struct checked *f)
{
	check_vcpus(s, FACT_DELAY, LEVEL_WARN,
		"starved vCPUs cannot be told from idle ones; needs libvirt 7.2 and a kernel with schedstats",
		f);
}

static void check_pcpu(const struct snapshot *s, struct checked *f)
{
	check_vcpus(s, FACT_PCPU, LEVEL_WARN, "unpinned vCPUs count for no pCPU", f);
}

static void check_pins(const struct snapshot *s, struct checked *f)
{
	check_vcpus(s, FACT_AFFINITY, LEVEL_WARN, "vCPUs whose pins are not known are left alone", f);
}

static void check_pcpus(const struct snapshot *s, struct checked *f)
{
	struct lack l = {0};
	for (size_t i = 0; i < s->sample.host.n_pcpus; i++)
		if (s->sample.host.pcpus[i].online)
			lack_count(&l, s->sample.host.pcpus[i].busy_ns.avail);
	lack_say(&l, "pCPUs", f);
	if (l.without) {
		f->level = LEVEL_WARN;
		f->advice = "load that is not vCPUs is not seen, and origin-b cannot work";
	}
}

static void check_topology(const struct snapshot *s, struct checked *f)
{
	const struct host_sample *h = &s->sample.host;
	char apart[32] = "isolated not known";
	size_t online = 0, isolated = 0;
	for (size_t i = 0; i < h->n_pcpus; i++) {
		online += h->pcpus[i].online;
		isolated += h->pcpus[i].isolated;
	}
	if (h->has_isolation)
		snprintf(apart, sizeof apart, "%zu isolated", isolated);
	snprintf(f->text, sizeof f->text,
		"%zu pCPU%s, %zu online, %s, %zu NUMA node%s, caches %s; granularity %s", h->n_pcpus,
		text_s(h->n_pcpus), online, apart, h->n_nodes, text_s(h->n_nodes),
		h->has_llc ? "known" : "not known", granularity_name(s->granularity));
	if (h->n_pcpus == 0) {
		f->level = LEVEL_FAIL;
		f->advice = "the host does not tell its pCPUs";
	} else if (!h->has_isolation) {
		f->level = LEVEL_WARN;
		f->advice =
			"libvirt tells neither isolated CPUs nor the cpusets of control groups: name with "
			"cpus or exclude_cpus where vCPUs may be put";
	} else if (!h->has_llc) {
		f->level = LEVEL_NOTE;
		f->advice = "moves are not kept within a last-level cache";
	}
}

static void check_processors(const struct snapshot *s, struct checked *f)
{
	check_host_shape(s, f->text, sizeof f->text);
}

static void check_room(const struct snapshot *s, struct checked *f)
{
	check_host_room(s, f->text, sizeof f->text);
}

static void check_bounds(const struct snapshot *s, struct checked *f)
{
	check_host_bounds(s, f->text, sizeof f->text);
}

static void check_statistics(const struct snapshot *s, struct checked *f)
{
	struct lack l = {0};
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_memory *m = &s->sample.vms[i].mem;
		if (runs(&s->sample.vms[i]))
			lack_count(&l, vi64_has(m->unused_kib) ? AVAIL_OK : m->usable_kib.avail);
	}
	lack_say(&l, "guests", f);
	if (l.without) {
		f->level = LEVEL_WARN;
		f->advice = l.why == AVAIL_NO_PERIOD
				    ? "memory AUTO, the key p or --stats-period 2 turns statistics on; they "
				      "are put back at the end"
				    : "these guests are never ballooned; see REASONS in vmtop(1)";
	}
}

static void check_memory(const struct snapshot *s, struct checked *f)
{
	const struct host_sample *h = &s->sample.host;
	char total[24] = "-", available[24] = "-";
	if (vi64_has(h->total_kib))
		text_kib(total, sizeof total, h->total_kib.v);
	if (vi64_has(h->available_kib))
		text_kib(available, sizeof available, h->available_kib.v);
	snprintf(f->text, sizeof f->text, "%s available of %s, pressure figures %s", available, total,
		vf64_has(h->psi_full_avg10) ? "known" : "not known");
	if (!vi64_has(h->available_kib)) {
		f->level = LEVEL_WARN;
		f->advice = "without it no guest is given memory";
	}
}

static void check_claim(const struct snapshot *s, struct checked *f)
{
	const struct claim_status *c = &s->backend.claim;
	switch (c->state) {
	case CLAIM_OTHER:
		snprintf(f->text, sizeof f->text, "%s steers this host", c->who);
		f->level = LEVEL_WARN;
		f->advice = "AUTO waits until it ends; --restore and --release work all the same";
		return;
	case CLAIM_LEFT:
		snprintf(f->text, sizeof f->text, "%s steered this host and is gone", c->who);
		return;
	case CLAIM_NONE:
		if (!*s->backend.host) {
			snprintf(f->text, sizeof f->text, "nothing to claim here");
			return;
		}
		snprintf(f->text, sizeof f->text, "this hypervisor keeps none");
		f->level = LEVEL_NOTE;
		f->advice = "vmtops of other users and machines are not noticed here";
		return;
	case CLAIM_DENIED:
	case CLAIM_UNKNOWN:
		snprintf(f->text, sizeof f->text, "whether another vmtop steers this host is not known");
		f->level = LEVEL_WARN;
		f->advice =
			"vmtop keeps a secret in libvirt that says who steers; without the right to it, it steers nothing";
		return;
	default:
		snprintf(f->text, sizeof f->text, "nobody steers this host");
	}
}

static void check_left(const struct snapshot *s, struct checked *f)
{
	int here = s->n_changed - s->n_changed_away;
	int n = snprintf(f->text, sizeof f->text, "%d change%s of an earlier vmtop %s still in place", here,
		text_s((size_t)here), here == 1 ? "is" : "are");
	if (s->n_changed_away) {
		snprintf(f->text + n, sizeof f->text - (size_t)n, "; %d of VMs that do not run now",
			s->n_changed_away);
		f->level = LEVEL_NOTE;
		f->advice =
			"kept for a week, for a saved VM comes back with its pins; vmtop --restore forgets "
			"those of VMs that are no more";
	}
	if (here) {
		f->level = LEVEL_WARN;
		f->advice = "vmtop --restore puts them back";
	}
}

static void check_hook(const struct snapshot *s, struct checked *f)
{
	bool here = s->sample.host.local, there = access(MIGRATE_HOOK, X_OK) == 0;
	snprintf(f->text, sizeof f->text, "%s %s", MIGRATE_HOOK,
		!here   ? "is not seen from here"
		: there ? "is there: guests that arrive lose the pins of vmtop elsewhere"
			: "is not there");
	if (here && there)
		return;
	f->level = LEVEL_NOTE;
	f->advice =
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

static int print_checks(const struct snapshot *s, FILE *to)
{
	int count[LEVEL_FAIL + 1] = {0};
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct checked f = {LEVEL_OK, "", NULL};
		char shown[1600];
		checks[i].check(s, &f);
		if (!f.text[0])
			continue;
		text_safe(shown, sizeof shown, f.text);
		fprintf(to, "%-4s  %-16s  %s\n", level_names[f.level], checks[i].name, shown);
		if (f.advice)
			fprintf(to, "%24s%s\n", "", f.advice);
		count[f.level]++;
	}
	fprintf(to, "%d ok, %d to know, %d warning%s, %d failure%s\n", count[LEVEL_OK], count[LEVEL_NOTE],
		count[LEVEL_WARN], text_s((size_t)count[LEVEL_WARN]), count[LEVEL_FAIL],
		text_s((size_t)count[LEVEL_FAIL]));
	return count[LEVEL_FAIL];
}

/* Moves first, then pins in place, each with what it would do. */
static int print_pins(const struct snapshot *s, FILE *to)
{
	struct suffer_look look = snapshot_look(s);
	struct effect *effects = calloc(s->n_actions + 1, sizeof *effects);
	size_t n = effects ? effects_of(&look, s->actions, s->n_actions, effects) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct action *a = &s->actions[effects[i].action];
		char name[VM_NAME_BYTES * 4], where[64], does[300];
		text_escape(name, sizeof name, s->sample.vms[effects[i].vm].name);
		effect_where(&look, &effects[i], a, where, sizeof where);
		effect_text(&effects[i], does, sizeof does);
		fprintf(to, "  %s  %s vCPU %d  %s  %s  (%s)\n", effects[i].moves ? "move" : "pin ", name,
			a->vcpu, where, does, a->why.text);
	}
	free(effects);
	return effects ? 0 : -1;
}

/* All pins; then what else was logged since `seen`: balloons, and why there is nothing to do. */
static int print_plan(const struct snapshot *s, uint64_t seen, FILE *to)
{
	fprintf(to, "\nA CPU round and a memory cycle would now do this; nothing was changed:\n");
	int rc = print_pins(s, to);
	for (size_t i = 0; i < s->n_log; i++) {
		const struct log_line *l = &s->log[i];
		if (l->seq > seen && l->kind != LOG_EVENT && (l->kind != LOG_ACTION || l->vcpu < 0))
			fprintf(to, "  %s\n", l->text);
	}
	return rc;
}

/* The second sample with rates: guests fill in their first statistics a little later than the host. */
static struct snapshot *settled(struct engine *en, struct err *e)
{
	for (int i = 0, with_rates = 0; i < STEPS_MOST; i++) {
		if (engine_step(en, e) < 0)
			return NULL;
		struct snapshot *s = engine_snapshot(en);
		if (!s)
			return NULL;
		with_rates += !s->first && s->cpu.why.code != REASON_FIRST;
		if (with_rates == 2)
			return s;
		snapshot_free(s);
		if (!engine_wait(en, -1))
			break;
	}
	err_set(e, ERR_RUNTIME,
		"no rates: the hypervisor did not give two samples; try again, or look at its log");
	return NULL;
}

int check_run(struct engine *en, FILE *to, struct err *e)
{
	struct snapshot *s = settled(en, e);
	if (!s)
		return e->msg[0] ? -1 : err_set(e, ERR_NOMEM, "out of memory");
	int failures = print_checks(s, to);
	uint64_t seen = s->n_log ? s->log[s->n_log - 1].seq : 0;
	snapshot_free(s);
	engine_command(en, &(struct command){.kind = CMD_REBALANCE});
	engine_command(en, &(struct command){.kind = CMD_MEMORY_CYCLE});
	engine_wait(en, -1);
	s = engine_step(en, e) < 0 ? NULL : engine_snapshot(en);
	if (!s)
		return e->msg[0] ? -1 : err_set(e, ERR_NOMEM, "out of memory");
	int rc = print_plan(s, seen, to);
	snapshot_free(s);
	if (rc < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	return failures ? err_set(e, ERR_RUNTIME, "the check failed, see above") : 0;
}
