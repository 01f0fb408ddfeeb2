/* SPDX-License-Identifier: MIT */
#include "support/why_faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fixture.h"
#include "support/run_scenario.h"
#include "vmtop/engine.h"

/* The fault comes between two ticks; it must be named at the third after it. */
enum { DELAY_S = 2, FAULT_DS = 201, NAMED_S = 26, END_S = 36, HEALTHY = 4 };

struct text {
	char buf[8192];
	size_t n;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->buf + t->n, sizeof t->buf - t->n, fmt, ap);
	va_end(ap);
}

/* A host on which pCPU 0 and 1 are the victim's, each guest beside has one of its own, and the last four are
 * idle or, for who waits, as busy as a healthy guest makes them. */
struct host {
	int pcpus, home; /* home: how many pCPUs the victim has, from 0 */
	int first_free;  /* pCPUs from here on have nobody */
	int vcpus, load;
	bool full;
	struct fx_random r;
};

static void write_host(struct text *t, struct host *h, enum cause kind, unsigned seed)
{
	h->vcpus = 1 + (int)fx_random(&h->r, 2);
	h->home = h->vcpus;
	h->load = kind == CAUSE_SLOW || kind == CAUSE_SMALL ? 92 : 55 + (int)fx_random(&h->r, 30);
	h->full = kind == CAUSE_WAIT || kind == CAUSE_SHARES;
	h->first_free = 2 + HEALTHY;
	h->pcpus = h->first_free + (h->full ? 0 : 2 + 2 * (int)fx_random(&h->r, 12));
	if (h->full && h->home < 2)
		h->pcpus = h->first_free;
	add(t, "title fault\nseed %u\nhost\n  pcpus %d\n", seed, h->pcpus);
	if (h->pcpus % 2 == 0)
		add(t, "  nodes 2\n");
	if (kind == CAUSE_SMALL)
		add(t, "  capacity 40%% %d\n", h->pcpus - 1);
	add(t, "  memory 64G\n");
}

static void write_healthy(struct text *t, struct host *h)
{
	for (int i = 0; i < HEALTHY; i++)
		add(t,
			"vm healthy%d\n  vcpus 1\n  memory 2G max 2G\n  base 600M\n  stats 1\n  load %d%% "
			"noise 5%%\n"
			"  pin %d\n",
			i, h->full ? 60 + (int)fx_random(&h->r, 15) : 5 + (int)fx_random(&h->r, 60), 2 + i);
	if (h->full && h->home < 2)
		add(t, "vm beside\n  vcpus 1\n  memory 1G\n  load 70%%\n  pin 1\n");
}

static void write_victim(struct text *t, const struct host *h, enum cause kind)
{
	int node = kind == CAUSE_NODE ? 0 : -1;
	add(t, "vm victim\n  vcpus %d\n  memory 2G max 4G\n  base 700M\n  stats 1\n  load %d%%\n  pin 0-%d\n",
		h->vcpus, h->load, h->home - 1);
	if (kind == CAUSE_SWAP)
		add(t, "  swap 16G\n");
	if (node >= 0)
		add(t, "  node 0\n");
	if (kind == CAUSE_WAIT || kind == CAUSE_SHARES || kind == CAUSE_PINS)
		add(t, "vm hog\n  vcpus %d\n  memory 1G\n  load 3%%\n  pin %s0-%d\n", h->vcpus, "",
			h->home - 1);
}

static void write_fault(struct text *t, struct host *h, enum cause kind)
{
	int some = (int)fx_random(&h->r, 100);
	add(t, "at %d.%ds ", FAULT_DS / 10, FAULT_DS % 10);
	switch (kind) {
	case CAUSE_HUNG:
		add(t, "hang victim\n");
		return;
	case CAUSE_WAIT:
	case CAUSE_PINS:
		add(t, "load hog 97%%\n");
		return;
	case CAUSE_SHARES:
		add(t, "load hog 97%%\nat 0s fault victim weight %d\n", 2 + some / 4);
		return;
	case CAUSE_QUOTA:
		add(t, "fault victim quota %d\n", 10 + some / 4);
		return;
	case CAUSE_EMULATOR:
		add(t, "emulator victim on 0 %d%%\n", 90 + some / 15);
		return;
	case CAUSE_STEAL:
		add(t, "steal 0-1 %d\n", 20 + some / 2);
		return;
	case CAUSE_SWAP:
		add(t, "eat victim 900M/s to 9G\n");
		return;
	case CAUSE_SHORT:
		add(t, "eat victim 2G/s to 2010M keep\n");
		return;
	case CAUSE_HOST_SWAP:
		add(t, "fault victim swapped %d\n", 200 + 10 * some);
		return;
	case CAUSE_NODE:
		add(t, "pin victim %d-%d\n", h->pcpus - h->vcpus, h->pcpus - 1);
		return;
	case CAUSE_EXITS:
		add(t, "fault victim exits %d\n", (200000 + 4000 * some) * h->vcpus);
		return;
	case CAUSE_STORAGE:
		add(t, "fault victim disk-ms %d\n", 80 + 5 * some);
		return;
	case CAUSE_PRESSURE:
		add(t, "fault victim %s-pressure %d\n", some % 2 ? "memory" : "io", 45 + some / 2);
		return;
	case CAUSE_SLOW:
		add(t, "speed 0-1 %d\n", 25 + some * 2 / 5);
		return;
	case CAUSE_SMALL:
		add(t, "pin victim vcpu 0 %d\n", h->pcpus - 1);
		return;
	default:
		add(t, "migrate victim takes 60s\n");
	}
}

/* What the engine says of the guests, tick by tick. */
struct watch {
	int first; /* cause of the victim at the tick at which it must be named */
	unsigned accused;
	char what[160];
};

static void look_at(struct watch *w, const struct snapshot *s)
{
	double t = (double)(s->sample.time_ns - INT64_C(1000000000000)) / 1e9;
	struct suffer_look look = snapshot_look(s);
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct suffering *x = &s->vm_status[i].suffer;
		const char *name = s->sample.vms[i].name;
		if (!strcmp(name, "victim") && t < NAMED_S + .5)
			w->first = x->n ? (int)x->found[0].cause : WHY_NOTHING;
		if (!strcmp(name, "victim") && t < FAULT_DS / 10. && x->n)
			w->accused |= 1U << HEALTHY;
		if (strncmp(name, "healthy", 7) != 0 || !x->n)
			continue;
		w->accused |= 1U << (name[7] - '0');
		char text[120];
		suffer_evidence(&look, i, &x->found[0], text, sizeof text);
		snprintf(w->what, sizeof w->what, "%s: %.120s", cause_key(x->found[0].cause), text);
	}
}

static void run(const char *text, struct watch *w)
{
	struct err e = ERR_INIT;
	struct config cfg;
	run_config(&cfg, false, false, DELAY_S);
	struct engine *en = engine_new(&cfg, run_open(text), &e);
	if (!en)
		abort();
	engine_command(en, &(struct command){.kind = CMD_GROUPS,
				   .number = SAMPLE_BALLOON | SAMPLE_PCPUS | SAMPLE_BLOCK});
	for (int i = 0; i <= END_S / DELAY_S; i++) {
		if (engine_step(en, &e) < 0)
			abort();
		struct snapshot *s = engine_snapshot(en);
		look_at(w, s);
		snapshot_free(s);
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
}

void why_inject(struct why_matrix *m, enum cause kind, unsigned n)
{
	struct text t = {.n = 0};
	struct host h = {.r = {n * 7919U + (unsigned)kind * 104729U + 1}};
	struct watch w = {.first = WHY_NOTHING};
	write_host(&t, &h, kind, n + 1);
	write_healthy(&t, &h);
	write_victim(&t, &h, kind);
	write_fault(&t, &h, kind);
	run(t.buf, &w);
	m->named[kind][w.first]++;
	m->faults++;
	m->right += w.first == (int)kind;
	m->healthy += HEALTHY + 1; /* the victim too, before the fault */
	m->accused += __builtin_popcount(w.accused);
	if ((w.first != (int)kind || w.accused) && !m->first_wrong[0])
		snprintf(m->first_wrong, sizeof m->first_wrong, "%s %u: %s named; beside it %s",
			cause_key(kind), n,
			w.first == WHY_NOTHING ? "nothing" : cause_key((enum cause)w.first),
			w.accused ? w.what : "nobody was accused");
}

void why_print(const struct why_matrix *m)
{
	printf("%-10s", "is \\ named");
	for (int c = 0; c < CAUSE_COUNT; c++)
		printf(" %4.4s", cause_key((enum cause)c));
	printf(" %4s\n", "-");
	for (int k = 0; k < CAUSE_COUNT; k++) {
		printf("%-10s", cause_key((enum cause)k));
		for (int c = 0; c < WHY_ROW; c++)
			printf(m->named[k][c] ? " %4d" : "    .", m->named[k][c]);
		printf("\n");
	}
	printf("the true cause first within three ticks: %d of %d (%.1f %%)\n", m->right, m->faults,
		m->faults ? 100.0 * m->right / m->faults : 0);
	printf("accused without a fault: %d of %d guests\n", m->accused, m->healthy);
	if (m->first_wrong[0])
		printf("the first that is not as it should be: %s\n", m->first_wrong);
}
