/* SPDX-License-Identifier: MIT */
/* Moves between hosts beside ganeti's hbal (package ganeti-htools): the same fleets, 64 VMs on 16 hosts and
 * 400 on 64. hbal balances, vmtop moves against suffering alone: hence hbal a second time with as many moves
 * as vmtop. To hbal a CPU is a hundredth of a pCPU, of which a guest has as many as it wants, no host is to
 * be given more than vmtop would, and all hosts share storage; its time is that of its process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/fleet_oracle.h"
#include "times.h"

enum { SECONDS = 45, TIMEOUT = 124, OWN_MIB = 1024 };

/* What is left after a plan, added up over all fleets. */
struct result {
	double ms, moves, over, wait_pcpus, lacks_mib, sent_mib, deviation_pct;
	unsigned stopped; /* fleets of which it was not done in time: what it had found until then */
};

/* ---- the same fleet for hbal ---- */

static FILE *made(char *path)
{
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		perror(path);
	return f;
}

static void write_nodes(FILE *f, const struct fleet_case *c)
{
	for (size_t u = 0; u < c->n_units; u++) {
		const struct fleet_unit *h = &c->units[u];
		double guests = 0;
		for (size_t i = 0; i < c->n_tasks; i++)
			guests += c->tasks[i].unit == u ? c->tasks[i].mem_mib : 0;
		fprintf(f, "n%zu|%.0f|%d|%.0f|1048576|1048576|%.0f|%c|uuid-g|1||N|1|%ld|1.0\n", u,
			h->mem_mib + OWN_MIB, OWN_MIB, fmax(h->mem_mib - guests, 0), 100 * h->cpu,
			u ? 'N' : 'M', lround(100 * h->own));
	}
}

static bool write_fleet(char *data, const struct fleet_case *c)
{
	FILE *f = made(data);
	if (!f)
		return false;
	fputs("g|uuid-g|preferred||\n\n", f);
	write_nodes(f, c);
	fputs("\n", f);
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct fleet_task *t = &c->tasks[i];
		fprintf(f, "i%zu|%.0f|0|%ld|running|Y|n%u||rbd||1|-\n", i, t->mem_mib,
			lround(fmax(100 * t->cpu, 1)), t->unit);
	}
	fputs("\n\n", f);
	return fclose(f) == 0;
}

/* most < 0: until it is content. false: it does not answer. */
static bool hbal(const struct fleet_case *c, long most, uint32_t *at, struct result *r)
{
	char data[] = "/tmp/vmtop-hbal.XXXXXX", limit[32] = "", command[300], line[500];
	bool content = false, good = write_fleet(data, c);
	if (most >= 0)
		snprintf(limit, sizeof limit, " -l %ld", most);
	snprintf(command, sizeof command,
		"exec timeout %d hbal -t %s --ignore-dynu --max-cpu %.2f%s 2>/dev/null", SECONDS, data,
		fleet_limits_default.cpu_part, limit);
	FILE *out = good ? popen(command, "r") : NULL;
	while (out && fgets(line, sizeof line, out)) {
		unsigned n, i, from, to;
		if (sscanf(line, " %u. i%u n%u => n%u", &n, &i, &from, &to) == 4 && i < c->n_tasks &&
			to < c->n_units) {
			at[i] = to;
			r->moves++;
		}
		content |= strstr(line, "score improved") || strstr(line, "No solution") ||
			   strstr(line, "doing nothing");
	}
	int status = out ? pclose(out) : -1;
	bool stopped = WIFEXITED(status) && WEXITSTATUS(status) == TIMEOUT;
	r->stopped += stopped;
	unlink(data);
	return stopped || (status == 0 && content);
}

/* ---- what is left ---- */

static void judge(const struct fleet_case *c, const uint32_t *at, struct result *to)
{
	double sum = 0, squares = 0;
	for (size_t u = 0; u < c->n_units; u++) {
		const struct fleet_unit *h = &c->units[u];
		double cpu = h->own, mem = 0;
		for (size_t i = 0; i < c->n_tasks; i++) {
			cpu += at[i] == u ? c->tasks[i].cpu : 0;
			mem += at[i] == u ? c->tasks[i].mem_mib : 0;
		}
		to->over += cpu > h->cpu * fleet_limits_default.cpu_part + 1e-9 || mem > h->mem_mib + 1e-9;
		to->wait_pcpus += fmax(cpu - h->cpu, 0);
		to->lacks_mib += fmax(mem - h->mem_mib, 0);
		sum += 100 * cpu / h->cpu;
		squares += pow(100 * cpu / h->cpu, 2);
	}
	double n = (double)c->n_units;
	to->deviation_pct += sqrt(fmax(squares / n - pow(sum / n, 2), 0));
	for (size_t i = 0; i < c->n_tasks; i++)
		to->sent_mib += at[i] != c->tasks[i].unit ? c->tasks[i].cost_mib : 0;
}

static void print(const char *who, const struct result *r, unsigned n)
{
	printf("  %-22s %6.1f ms %6.1f moves %8.1f GiB sent  %5.1f hosts over  %6.2f pCPUs wanted and not there  "
	       "%6.1f GiB lack  deviation %5.1f %%\n",
		who, r->ms / n, r->moves / n, r->sent_mib / n / 1024, r->over / n, r->wait_pcpus / n,
		r->lacks_mib / n / 1024, r->deviation_pct / n);
}

static void stay(const struct fleet_case *c, uint32_t *at)
{
	for (size_t i = 0; i < c->n_tasks; i++)
		at[i] = c->tasks[i].unit;
}

static bool by_vmtop(const struct fleet_case *c, uint32_t *at, struct result *r, long *moves)
{
	struct fleet_plan p = {.n = 0};
	double t = clock_ms(CLOCK_MONOTONIC);
	bool good =
		fleet_plan_make(c->units, c->n_units, c->tasks, c->n_tasks, &fleet_limits_default, &p) == 0;
	r->ms += clock_ms(CLOCK_MONOTONIC) - t;
	stay(c, at);
	for (size_t i = 0; i < p.n; i++)
		at[p.moves[i].task] = p.moves[i].to;
	*moves = (long)p.n;
	r->moves += (double)p.n;
	judge(c, at, r);
	fleet_plan_done(&p);
	return good;
}

static bool by_hbal(const struct fleet_case *c, long most, uint32_t *at, struct result *r)
{
	stay(c, at);
	double t = clock_ms(CLOCK_MONOTONIC);
	bool good = hbal(c, most, at, r);
	r->ms += clock_ms(CLOCK_MONOTONIC) - t;
	judge(c, at, r);
	return good;
}

/* Of every host's guests so many, and one less on the last ones: n in all. */
static void draw(struct fleet_case *c, unsigned number, size_t hosts, size_t n, double part)
{
	size_t each = (n + hosts - 1) / hosts, less = each * hosts - n, kept = 0;
	fleet_case_draw(c, number, hosts, each, part, false);
	for (size_t i = 0; i < c->n_tasks; i++)
		if (i % each != each - 1 || i / each < hosts - less)
			c->tasks[kept++] = c->tasks[i];
	c->n_tasks = kept;
}

static bool beside(size_t n, size_t hosts, double part, unsigned cases)
{
	struct result was = {0}, ours = {0}, theirs = {0}, same = {0};
	bool good = true;
	for (unsigned i = 0; i < cases && good; i++) {
		struct fleet_case c;
		long moves = 0;
		draw(&c, i, hosts, n, part);
		uint32_t *at = calloc(c.n_tasks + 1, sizeof *at);
		good = at != NULL;
		if (good) {
			stay(&c, at);
			judge(&c, at, &was);
		}
		good = good && by_vmtop(&c, at, &ours, &moves) && by_hbal(&c, -1, at, &theirs) &&
		       by_hbal(&c, moves, at, &same);
		free(at);
		fleet_case_done(&c);
	}
	printf("%zu VMs, %zu hosts, %.0f %% busy, mean of %u fleet%s%s\n", n, hosts, part * 100, cases,
		cases > 1 ? "s" : "", good ? "" : ": hbal does not answer");
	print("as they were", &was, cases);
	print("vmtop", &ours, cases);
	print("hbal", &theirs, cases);
	print("hbal, as many moves", &same, cases);
	if (theirs.stopped + same.stopped)
		printf("  hbal was stopped after %d s, %u time%s: not judged\n", SECONDS,
			theirs.stopped + same.stopped, theirs.stopped + same.stopped > 1 ? "s" : "");
	else
		/* The promise: no more moves than hbal, and no more hosts over than hbal leaves by as many.
		 */
		printf("  no more moves than hbal, no more hosts over than hbal by as many: %s\n",
			(good &= ours.moves <= theirs.moves && ours.over <= same.over) ? "met" : "MISSED");
	return good;
}

int main(void)
{
	bool good = true;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (system("command -v hbal >/dev/null") != 0) {
		printf("skipped: hbal (package ganeti-htools) is not installed\n");
		return 0;
	}
	good &= beside(64, 16, .5, 10);
	good &= beside(400, 64, .5, 1);
	return !good;
}
