/* SPDX-License-Identifier: MIT */
/* The promise of moves between hosts, kept in the simulator: no guest of a host that receives waits who did
 * not. An overloaded host and two that may receive are drawn, watched in virtual time as the fleet's screen
 * watches them, and planned for; then the hosts go on, once without the moves and once with them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cli/exposition.h"
#include "vmtop/engine.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/prom.h"
#include "vmtop/scenario.h"

enum { HOSTS = 3, GUESTS = 40, TEXT = 16384, WATCHED_S = 120, AFTER_S = 240, DRAWS = 60 };
/* Of a pCPU, for each vCPU, on average over all that follows: what a kernel that balances now and then costs
 * on a host that is nearly full. And a guest that waits, in all that vmtop shows. */
static const double nothing_pct = 2, waits_pct = 10;

struct host {
	char text[TEXT]; /* its guests, as a scenario */
	int pcpus, guests;
};
struct guest {
	char name[40], load[240]; /* its lines */
	int host, vcpus;
	bool pinned; /* where it was; such pins stay behind, as vmtop's own do */
};

static struct host hosts[HOSTS];
static struct guest guests[HOSTS * GUESTS];
static int n_guests;
static unsigned state;
static bool by_prom; /* they are known by what their vmtops tell a Prometheus, which knows no pins */

static int draw(int n)
{
	state = state * 1664525u + 1013904223u;
	return (int)((state >> 8) % (unsigned)n);
}

/* ---- what is drawn ---- */

/* Loads whose peaks the watching sees: what nobody saw nobody can keep room for. */
static void draw_load(char *to, size_t len, int pct)
{
	int low = pct / 3;
	switch (draw(4)) {
	case 0:
		snprintf(to, len, " load %d%% noise 5%%\n", pct);
		break;
	case 1:
		snprintf(to, len, " load wave %d%% %d%% every 50s shift %ds noise 3%%\n", pct, low, draw(50));
		break;
	case 2:
		snprintf(to, len, " load square %d%% %d%% every 30s shift %ds\n", pct, low, draw(30));
		break;
	default:
		snprintf(to, len, " load bursts %d%% %d%% every 10s for 4s\n", pct, low);
	}
}

static void draw_guest(int host, int pct)
{
	struct guest *g = &guests[n_guests];
	char load[120];
	snprintf(g->name, sizeof g->name, "h%d-vm%d", host, hosts[host].guests++);
	g->host = host;
	g->vcpus = 1 + draw(3);
	draw_load(load, sizeof load, pct);
	snprintf(g->load, sizeof g->load, " uuid 00000000-0000-4000-8000-%012d\n vcpus %d\n memory 512M\n%s",
		n_guests + 1, g->vcpus, load);
	g->pinned = host && !draw(6) && !by_prom;
	n_guests++;
}

/* The first has more than it can do; the others from little to nearly full. */
static void draw_hosts(unsigned number)
{
	state = number * 7919 + 1;
	n_guests = 0;
	for (int h = 0; h < HOSTS; h++) {
		hosts[h] = (struct host){.pcpus = 4 + draw(5)};
		double want = 0, most = hosts[h].pcpus * (h ? (20 + draw(70)) / 100. : 1.3);
		while (want < most && hosts[h].guests < GUESTS) {
			int pct = 10 + draw(85);
			draw_guest(h, pct);
			want += pct / 100. * 1.5; /* of one to three vCPUs, and not always at its peak */
		}
	}
}

/* With those who came by a move at this time. */
static void write_host(int h, const int *moved_to, char *text)
{
	size_t n = (size_t)snprintf(
		text, TEXT, "seed 5\nhost\n name host%d\n pcpus %d\n memory 64G\n", h, hosts[h].pcpus);
	for (int i = 0; i < n_guests; i++) {
		const struct guest *g = &guests[i];
		if (g->host == h)
			n += (size_t)snprintf(text + n, TEXT - n, "vm %s\n%s%s", g->name, g->load,
				g->pinned ? " pin each 0-3\n" : "");
		else if (moved_to[i] == h)
			n += (size_t)snprintf(
				text + n, TEXT - n, "vm %s\n%s start %ds\n", g->name, g->load, WATCHED_S);
	}
	for (int i = 0; i < n_guests; i++)
		if (guests[i].host == h && moved_to[i] >= 0)
			n += (size_t)snprintf(
				text + n, TEXT - n, "at %ds stop %s\n", WATCHED_S, guests[i].name);
}

/* ---- running ---- */

static void book_waits(const struct snapshot *s, double *waited_s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		const struct vm_sample *vm = &s->sample.vms[i];
		int at = vm->uuid[15] % 16 + vm->uuid[15] / 16 * 10 + vm->uuid[14] % 16 * 100 - 1;
		double sum = 0;
		for (size_t k = 0; k < vm->n_vcpus; k++)
			sum += (double)s->sample.vcpus[vm->first_vcpu + k].delay_ns.v / 1e9;
		waited_s[at] = sum;
	}
}

/* As a Prometheus tells it on: each series with the instance that it is of. */
static void tell(FILE *to, int h, const struct snapshot *s, const struct tally *t)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	assert_int_equal(exposition_write(mem, &(struct exposition){.s = s, .t = t}), 0);
	assert_int_equal(fclose(mem), 0);
	for (const char *line = text, *end; *line; line = end + 1) {
		int name = (int)strcspn(line, "{ ");
		end = strchr(line, '\n');
		if (*line == '#')
			continue;
		fprintf(to, "%.*s{instance=\"host%d:9177\"%c%.*s\n", name, line, h,
			line[name] == '{' ? ',' : '}', (int)(end - line) - name - (line[name] == '{'),
			line + name + (line[name] == '{'));
	}
	free(text);
}

/* What the fleet's screen knows of it in the end; told: what a Prometheus does. waited_s: NULL, or how long
 * each guest waited from then on. */
static struct fleet *run_host(int h, const int *moved_to, double seconds, double *waited_s, FILE *told)
{
	static char text[TEXT];
	struct err e = ERR_INIT;
	struct config *cfg = calloc(1, sizeof *cfg);
	struct fleet *known = NULL;
	struct snapshot *s = NULL;
	struct tally *t = tally_new();
	double at_start[HOSTS * GUESTS] = {0};
	config_defaults(cfg);
	cfg->batch = cfg->readonly = cfg->virtual_time = true;
	write_host(h, moved_to, text);
	struct scenario *scn = scenario_parse("drawn", text, strlen(text), &e);
	if (!scn)
		fail_msg("%s\n%s", e.msg, text);
	scn->end_ns = (int64_t)(seconds * 1e9);
	struct backend *b = backend_sim_new(scn, true, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	assert_non_null(en);
	do {
		engine_step(en, &e);
		snapshot_free(s);
		s = engine_snapshot(en);
		assert_int_equal(tally_see(t, s), 0);
		struct fleet *part = fleet_new();
		assert_int_equal(fleet_fold(part, s, s->sample.time_ns + 1), 0);
		if (known)
			fleet_keep_peaks(part, known, s->sample.time_ns + 1);
		fleet_free(known);
		known = part;
		if (waited_s && s->sample.time_ns <= WATCHED_S * INT64_C(1000000000))
			book_waits(s, at_start);
		if (waited_s)
			book_waits(s, waited_s);
	} while (engine_wait(en, -1));
	for (int i = 0; waited_s && i < n_guests; i++)
		waited_s[i] -= at_start[i];
	if (told)
		tell(told, h, s, t);
	snapshot_free(s);
	tally_free(t);
	engine_free(en);
	free(cfg);
	return known;
}

static struct fleet *watch_by_prom(void)
{
	int nobody[HOSTS * GUESTS];
	struct err e = ERR_INIT;
	struct prom_text all = {.metrics = true};
	char *text = NULL;
	FILE *told = open_memstream(&text, &all.len);
	int64_t seen_ns = 0;
	memset(nobody, -1, sizeof nobody);
	for (int h = 0; h < HOSTS; h++) {
		struct fleet *part = run_host(h, nobody, WATCHED_S, NULL, told);
		seen_ns = part->hosts[0].seen_ns;
		fleet_free(part);
	}
	assert_int_equal(fclose(told), 0);
	all.text = text;
	struct fleet *f = prom_fold(&all, 1, 60, seen_ns, seen_ns, &e);
	if (!f)
		fail_msg("%s", e.msg);
	free(text);
	fleet_settle(f, seen_ns, seen_ns);
	assert_int_equal(f->n_hosts, HOSTS);
	assert_int_equal(f->n_vms, n_guests);
	return f;
}

static struct fleet *watch_all(void)
{
	int nobody[HOSTS * GUESTS];
	struct fleet *f = fleet_new();
	memset(nobody, -1, sizeof nobody);
	for (int h = 0; h < HOSTS; h++) {
		struct fleet *part = run_host(h, nobody, WATCHED_S, NULL, NULL);
		assert_int_equal(fleet_put(f, part), 0);
		fleet_free(part);
	}
	fleet_settle(f, f->hosts[0].seen_ns, 1);
	return f;
}

struct result {
	int planned, moves, harmed, cases;
	double worst_pct, saved_s;
};

static void judge_host(int h, const int *moved_to, unsigned number, struct result *r)
{
	int nobody[HOSTS * GUESTS];
	double without[HOSTS * GUESTS] = {0}, with[HOSTS * GUESTS] = {0};
	memset(nobody, -1, sizeof nobody);
	fleet_free(run_host(h, nobody, WATCHED_S + AFTER_S, without, NULL));
	fleet_free(run_host(h, moved_to, WATCHED_S + AFTER_S, with, NULL));
	for (int i = 0; i < n_guests; i++) {
		double more = 100 * (with[i] - without[i]) / AFTER_S;
		r->saved_s += without[i] - with[i];
		if (guests[i].host != h || moved_to[i] >= 0 || h == 0)
			continue;
		r->worst_pct = fmax(r->worst_pct, more);
		bool waits = 100 * without[i] / AFTER_S < waits_pct && 100 * with[i] / AFTER_S >= waits_pct;
		if (more <= nothing_pct * guests[i].vcpus && !waits)
			continue;
		r->harmed++;
		print_message("draw %u: %s of host%d (%d pCPUs) waits %.1f %% of a pCPU more\n", number,
			guests[i].name, h, hosts[h].pcpus, more);
	}
}

static void judge(unsigned number, struct result *r)
{
	int moved_to[HOSTS * GUESTS];
	bool takes[HOSTS] = {true};
	struct fleet_proposal p = {.n_units = 0};
	draw_hosts(number);
	struct fleet *f = by_prom ? watch_by_prom() : watch_all();
	assert_int_equal(fleet_propose(f, &p), 0);
	memset(moved_to, -1, sizeof moved_to);
	for (size_t i = 0; i < p.plan.n; i++) {
		const struct fleet_move *m = &p.plan.moves[i];
		for (int k = 0; k < n_guests; k++)
			if (strcmp(guests[k].name, f->vms[m->task].name) == 0)
				moved_to[k] = (int)m->to;
		takes[m->to] = true;
	}
	r->cases++;
	r->planned += p.plan.n > 0;
	r->moves += (int)p.plan.n;
	for (int h = 0; p.plan.n && h < HOSTS; h++)
		if (takes[h])
			judge_host(h, moved_to, number, r);
	fleet_proposal_done(&p);
	fleet_free(f);
}

static void nobody_waits(unsigned least)
{
	struct result r = {0};
	const char *many = getenv("DRAWS"); /* more than a run of all tests has time for */
	unsigned draws = many ? (unsigned)strtoul(many, NULL, 10) : least;
	for (unsigned i = 0; i < draws; i++)
		judge(i, &r);
	print_message(
		"%d fleets, %d with a plan, %d moves; most that a guest of a host that receives waits more: "
		"%.2f %% of a pCPU; %.0f s of waiting saved in all\n",
		r.cases, r.planned, r.moves, r.worst_pct, r.saved_s);
	assert_true(r.planned > (int)draws / 4);
	assert_true(r.saved_s > 0);
	assert_int_equal(r.harmed, 0);
}

static void nobody_waits_who_did_not(void **unused)
{
	(void)unused;
	nobody_waits(DRAWS);
}

static void nor_where_a_prometheus_tells(void **unused)
{
	(void)unused;
	by_prom = true;
	nobody_waits(DRAWS / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_who_did_not), cmocka_unit_test(nor_where_a_prometheus_tells)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
