/* SPDX-License-Identifier: MIT */
/* 100,000 readings of a host where everything happens to VMs again and again, in virtual time, both
 * controllers on, with a journal: memory and file descriptors after a tenth of it and at the end must be the
 * same. Ends with status 1 when they are not. BENCH_TICKS sets another number. */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/spy.h"

static const char scenario[] =
	"seed 5\n"
	"host\n\tpcpus 8\n\tmemory 24G\n"
	"vm a x6\n\tload 45% noise 10%\n\tpin 0\n\tmemory 512M max 2G\n\tstats 2\n"
	"vm b x4\n\tvcpus 2\n\tload square 80% 10% every 90s for 45s\n\tmemory 512M max 2G\n"
	"\teat 16-21M/s to 1500M after 20s hold 30s every 200s\n"
	"vm c x2\n\tload 30%\n\tmemory 512M max 1G\n\tstats 2\n"
	"at 31s every 97s stop a-1\nat 47s every 97s start a-1\n"
	"at 13s every 41s stop a-2\nat 20s every 41s start a-2\n"
	"at 70s every 301s hang c-1\nat 90s every 301s answer c-1\n"
	"at 120s every 211s reboot b-1\n"
	"at 55s every 173s vcpus b-2 3\nat 99s every 173s vcpus b-2 ids 0,2\n"
	"at 140s every 509s pin a-5 3\n"
	"at 200s every 601s offline 7\nat 260s every 601s online 7\n"
	"at 300s every 701s disconnect\nat 309s every 701s connect\n"
	"at 333s every 433s migrate c-2 takes 4s\nat 353s every 433s start c-2\n"
	"at 80s every 151s pause b-3\nat 92s every 151s resume b-3\n";

static int open_files(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long rss_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct mark {
	long tick, heap_kib, rss_kib, changes;
	int files;
	double s;
};

static double now_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct mark mark_now(long tick, const struct spy *host, double begun)
{
	return (struct mark){.tick = tick,
		.heap_kib = (long)(mallinfo2().uordblks / 1024),
		.rss_kib = rss_kib(),
		.changes = host->changes,
		.files = open_files(),
		.s = now_s() - begun};
}

static void show(const struct mark *m)
{
	printf("%8ld %10ld %10ld %8d %10ld %8.1f\n", m->tick, m->heap_kib, m->rss_kib, m->files, m->changes,
		m->s);
}

/* Policies by turns; the default one, whose search for the best placement takes nearly all of the time,
 * seldom.
 */
static void change_policy(struct engine *en, long tick)
{
	enum { TURN = 500, SELDOM = 40 };
	long turn = tick / TURN;
	if (tick % TURN)
		return;
	int cpu = turn % SELDOM == 0 ? CPU_POLICY_MINMOVE : CPU_POLICY_ORIGIN_A + (int)(turn % 3);
	int memory = turn % 4 == 0 ? MEM_POLICY_ORIGIN_C : MEM_POLICY_WATERMARK;
	engine_command(en, &(struct command){.kind = CMD_CPU_POLICY, .number = cpu});
	engine_command(en, &(struct command){.kind = CMD_MEM_POLICY, .number = memory});
	engine_command(en, &(struct command){.kind = CMD_AUTO_CPU, .on = true}); /* after rivals */
}

static bool step(struct engine *en, long tick)
{
	struct err e = ERR_INIT;
	change_policy(en, tick);
	engine_step(en, &e); /* without a connection there is none */
	snapshot_free(engine_snapshot(en));
	return engine_wait(en, -1);
}

static bool soak(struct spy *host, struct engine *en, long ticks)
{
	struct mark tenth = {0}, end;
	double begun = now_s();
	printf("%8s %10s %10s %8s %10s %8s\n", "tick", "heap KiB", "RSS KiB", "files", "changes", "s");
	for (long i = 0; i < ticks && step(en, i); i++)
		if (i == ticks / 10) {
			tenth = mark_now(i, host, begun);
			show(&tenth);
		}
	end = mark_now(ticks, host, begun);
	show(&end);
	bool flat = end.heap_kib - tenth.heap_kib <= 256 && end.rss_kib - tenth.rss_kib <= 1024 &&
		    end.files == tenth.files;
	printf("growth over the last nine tenths: heap %ld KiB (target: at most 256), RSS %ld KiB (1024), "
	       "files %d "
	       "(0): %s\n",
		end.heap_kib - tenth.heap_kib, end.rss_kib - tenth.rss_kib, end.files - tenth.files,
		flat ? "flat" : "GROWS");
	return flat;
}

int main(void)
{
	struct utsname u;
	struct spy host;
	struct config *cfg = malloc(sizeof *cfg);
	const char *ticks = getenv("BENCH_TICKS");
	char folder[] = "/dev/shm/vmtop-bench-XXXXXX";
	if (!cfg || uname(&u) < 0 || !mkdtemp(folder))
		return 1;
	setenv("XDG_STATE_HOME", folder, 1);
	printf("host: %ld CPUs, Linux %s\n", sysconf(_SC_NPROCESSORS_ONLN), u.release);
	config_defaults(cfg);
	cfg->auto_cpu = cfg->auto_memory = true;
	cfg->delay_s = 1;
	cfg->batch = true;  /* no plans ahead for a screen */
	cfg->search_ms = 0; /* effort that is measured elsewhere */
	spy_open(&host, scenario);
	struct engine *en = spy_engine(&host, cfg);
	bool flat = soak(&host, en, ticks ? atol(ticks) : 100000);
	engine_leave(en, true);
	engine_free(en);
	spy_free(&host);
	free(cfg);
	char command[128];
	snprintf(command, sizeof command, "%s/vmtop", folder);
	rmdir(command);
	rmdir(folder);
	return !flat;
}
