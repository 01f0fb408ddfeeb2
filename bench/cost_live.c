/* SPDX-License-Identifier: MIT */
/* What a tick costs the whole host: the program, libvirtd and every QEMU, in ms
 * of CPU, against the bare bulk call in the same run. Started by bench/cost
 * inside its private libvirtd: cost_live VMTOP TEMPLATE TICKS GUESTS... starts
 * guests up to each number in turn and measures; cost_live bare SECONDS is
 * a client that makes the bulk call every two seconds. What guests burn by
 * themselves is measured first and taken off. */
#include <dirent.h>
#include <errno.h>
#include <libvirt/libvirt.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../src/backend/libvirt/libvirt_priv.h"
#include "vmtop/clock.h"
#include "vmtop/config.h"

enum { TICK_S = 2, MEMORY_PERIOD_S = 2, BASE_S = 6, BULK_CALLS = 5, REMOTE_CALLS = 9, PATH_BYTES = 300 };
enum {
	FULL = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU |
	       VIR_DOMAIN_STATS_BALLOON
};

static void die(const char *what)
{
	fprintf(stderr, "cost_live: %s\n", what);
	exit(1);
}

static double now_ms(void)
{
	return (double)clock_ns() / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_size);
	return v[n / 2];
}

/* ---- CPU time of processes ---- */

static bool slurp(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, len - 1, f) : 0;
	buf[n] = '\0';
	if (f)
		fclose(f);
	return n > 0;
}

/* All threads, to the nanosecond. */
static double cpu_ms(int pid)
{
	char path[PATH_BYTES], text[128];
	double sum = 0;
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && (d = readdir(dir));) {
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pid, d->d_name);
		if (d->d_name[0] != '.' && slurp(path, text, sizeof text))
			sum += strtod(text, NULL) / 1e6;
	}
	if (dir)
		closedir(dir);
	return sum;
}

struct spent {
	double daemon, qemus, client, wall;
};

/* Of libvirtd and all QEMUs in this PID namespace, and of one client (0: this
 * process). */
static struct spent spent_now(int client)
{
	char path[PATH_BYTES], comm[64];
	struct spent s = {.client = cpu_ms(client ? client : getpid())};
	DIR *dir = opendir("/proc");
	for (struct dirent *d; dir && (d = readdir(dir));) {
		int pid = atoi(d->d_name);
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		if (pid <= 0 || !slurp(path, comm, sizeof comm))
			continue;
		if (strncmp(comm, "libvirtd", 8) == 0)
			s.daemon += cpu_ms(pid);
		else if (strncmp(comm, "qemu-system", 11) == 0)
			s.qemus += cpu_ms(pid);
	}
	if (dir)
		closedir(dir);
	s.wall = now_ms();
	return s;
}

static struct spent since(const struct spent *then, int client)
{
	struct spent s = spent_now(client);
	return (struct spent){
		s.daemon - then->daemon, s.qemus - then->qemus, s.client - then->client, s.wall - then->wall};
}

/* Per tick, without what runs anyway. */
static struct spent per_tick(struct spent s, const struct spent *base, double ticks)
{
	double part = s.wall / base->wall, daemon = s.daemon - base->daemon * part,
	       qemus = s.qemus - base->qemus * part;
	/* What guests do by themselves varies by more than a reading that never asks
	 * them costs. */
	s.daemon = daemon > 0 ? daemon / ticks : 0;
	s.qemus = qemus > 0 ? qemus / ticks : 0;
	s.client /= ticks;
	return s;
}

static double total(const struct spent *s)
{
	return s->daemon + s->qemus + s->client;
}

static void print_spent(const char *name, const struct spent *s, double wall_ms)
{
	printf("  %-46s %8.2f %8.2f %8.2f %9.2f", name, s->client, s->daemon, s->qemus, total(s));
	if (wall_ms >= 0)
		printf(" %8.1f", wall_ms);
}

/* The targets are those of a host of this size; with few guests what does not depend on them weighs more. */
enum { JUDGED_GUESTS = 200 };

static void print_verdict(bool met, int guests)
{
	if (guests >= JUDGED_GUESTS)
		printf(": %s)\n", met ? "met" : "MISSED");
	else
		printf(" at %d guests)\n", JUDGED_GUESTS);
}

static void print_ratio(const struct spent *s, const struct spent *bulk, double target, int guests)
{
	double r = total(s) / total(bulk);
	printf("          1/%-6.0f (target 1/%.0f", 1 / (r > 1e-4 ? r : 1e-4), 1 / target);
	print_verdict(r <= target, guests);
}

/* ---- guests ---- */

static void add_guests(virConnectPtr c, const char *template, int from, int to)
{
	static char xml[8192];
	const char *mark = strstr(template, "@N@");
	if (!mark)
		die("the template has no @N@");
	for (int i = from; i < to; i++) {
		snprintf(xml, sizeof xml, "%.*s%d%s", (int)(mark - template), template, i, mark + 3);
		virDomainPtr d = virDomainCreateXML(c, xml, 0);
		if (!d)
			die("a guest does not start");
		virDomainFree(d);
	}
}

static void set_periods(virConnectPtr c, int seconds)
{
	virDomainPtr *doms = NULL;
	int n = virConnectListAllDomains(c, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	for (int i = 0; i < n; i++) {
		if (virDomainSetMemoryStatsPeriod(doms[i], seconds, VIR_DOMAIN_AFFECT_LIVE) < 0)
			die("a statistics period cannot be set");
		virDomainFree(doms[i]);
	}
	free(doms);
}

static void bulk_call(virConnectPtr c, unsigned stats)
{
	virDomainStatsRecordPtr *list = NULL;
	unsigned flags = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
	if (virConnectGetAllDomainStats(c, stats, &list, flags) < 0)
		die("the bulk call fails");
	virDomainStatsRecordListFree(list);
}

static struct spent measure_bulk(virConnectPtr c, unsigned stats, const struct spent *base)
{
	struct spent start = spent_now(0);
	for (int i = 0; i < BULK_CALLS; i++)
		bulk_call(c, stats);
	return per_tick(since(&start, 0), base, BULK_CALLS);
}

/* ---- the program in a terminal ---- */

struct shown {
	int pid, fd;
	double start_ms, first_ms, sample_ms; /* since the start: first frame, first VM on the screen */
	size_t bytes;
};

/* Takes what it draws until then; looks for the first VM. */
static void watch(struct shown *v, double until_ms)
{
	static char buf[1 << 16];
	for (double left; (left = until_ms - now_ms()) > 0;) {
		struct pollfd p = {v->fd, POLLIN, 0};
		if (poll(&p, 1, (int)left + 1) <= 0)
			continue;
		ssize_t n = read(v->fd, buf, sizeof buf);
		if (n <= 0)
			die("vmtop ended");
		v->bytes += (size_t)n;
		if (!v->first_ms && v->bytes > 500)
			v->first_ms = now_ms() - v->start_ms;
		if (!v->sample_ms && memmem(buf, (size_t)n, "guest-", 6))
			v->sample_ms = now_ms() - v->start_ms;
	}
}

static struct shown show(const char *vmtop, const char *delay)
{
	struct winsize size = {.ws_row = 50, .ws_col = 160};
	struct shown v = {.start_ms = now_ms()};
	v.pid = forkpty(&v.fd, NULL, NULL, &size);
	if (v.pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		execl(vmtop, vmtop, "--no-config", "--on-exit", "keep", "-d", delay, (char *)NULL);
		_exit(127);
	}
	if (v.pid < 0)
		die("no terminal");
	return v;
}

static void hide(struct shown *v)
{
	kill(v->pid, SIGTERM);
	for (char buf[4096]; read(v->fd, buf, sizeof buf) > 0;)
		;
	waitpid(v->pid, NULL, 0);
	close(v->fd);
}

/* Switches to a view and measures whole ticks there. */
static struct spent measure_view(struct shown *v, const char *key, int ticks, const struct spent *base)
{
	if (write(v->fd, key, strlen(key)) < 0)
		die("vmtop takes no keys");
	watch(v, now_ms() + 1500);
	struct spent start = spent_now(v->pid);
	v->bytes = 0;
	watch(v, now_ms() + ticks * TICK_S * 1000);
	return per_tick(since(&start, v->pid), base, ticks);
}

/* ---- memory ---- */

static long smaps(int pid, const char *key)
{
	static char text[8192];
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	const char *p = slurp(path, text, sizeof text) ? strstr(text, key) : NULL;
	return p ? strtol(p + strlen(key), NULL, 10) : -1;
}

static long private_kib(int pid)
{
	return smaps(pid, "Private_Clean:") + smaps(pid, "Private_Dirty:");
}

static void bare_client(int seconds)
{
	virConnectPtr c = virConnectOpen("qemu:///system");
	if (!c)
		die("no connection");
	for (int i = 0; i < seconds; i += TICK_S) {
		bulk_call(c, FULL);
		sleep(TICK_S);
	}
	virConnectClose(c);
}

static void print_memory(const struct shown *v)
{
	int pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "cost_live", "bare", "60", (char *)NULL);
		_exit(127);
	}
	usleep(2500000);
	long rss = smaps(v->pid, "Rss:"), bare = smaps(pid, "Rss:"), own = private_kib(v->pid),
	     theirs = private_kib(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("  private memory %.1f MiB (target 8: %s); a bare client's %.1f\n", (double)own / 1024,
		own <= 8 << 10 ? "met" : "MISSED", (double)theirs / 1024);
	printf("  RSS %.1f MiB, %.2f x a bare client's %.1f (target 1.5: %s)\n", (double)rss / 1024,
		(double)rss / (double)bare, (double)bare / 1024,
		(double)rss <= 1.5 * (double)bare ? "met" : "MISSED");
}

/* ---- between two ticks ---- */

/* How often its threads have gone to sleep, which is how often they were woken. */
static long sleeps(int pid)
{
	static char text[8192];
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[PATH_BYTES];
	long sum = 0;
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && (d = readdir(dir));) {
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", pid, d->d_name);
		const char *p =
			d->d_name[0] != '.' && slurp(path, text, sizeof text) ? strstr(text, key) : NULL;
		sum += p ? strtol(p + strlen(key), NULL, 10) : 0;
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* A line that is idle for five seconds is asked whether it lives: the window ends before. */
static void print_wakes(const char *vmtop)
{
	struct shown v = show(vmtop, "5");
	watch(&v, now_ms() + 1900);
	long before = sleeps(v.pid);
	watch(&v, now_ms() + 2500);
	long woken = sleeps(v.pid) - before;
	printf("  wake-ups in 2.5 s between two ticks, all threads: %ld (target 0: %s)\n", woken,
		woken == 0 ? "met" : "MISSED");
	hide(&v);
}

/* ---- the guest half of a tick on a remote host ---- */

static double bare_ms(virConnectPtr c)
{
	double start = now_ms();
	bulk_call(c, FULL);
	return now_ms() - start;
}

static double ours_ms(struct backend *b, struct sample *s)
{
	struct err e = ERR_INIT;
	if (b->ops->sample(b, SAMPLE_BALLOON | SAMPLE_PCPUS, s, &e) < 0)
		die(e.msg);
	return (double)(s->took_ns - s->cost.host_ns) / 1e6;
}

/* Each is compared with its neighbour in time, and comes first in turn: other work on the machine changes. */
static void print_remote(virConnectPtr c, int guests)
{
	static struct config cfg;
	struct err e = ERR_INIT;
	struct sample s;
	double bare[REMOTE_CALLS], ours[REMOTE_CALLS], ratio[REMOTE_CALLS];
	config_defaults(&cfg);
	cfg.sample_deadline_s = 30;
	snprintf(cfg.uri, sizeof cfg.uri, "qemu:///system");
	struct backend *b = backend_libvirt_open(&cfg, &e);
	if (!b)
		die(e.msg);
	((struct lv *)b)->use_proc = false;
	sample_init(&s);
	ours_ms(b, &s); /* the first one learns */
	for (int i = 0; i < REMOTE_CALLS; i++) {
		if (i % 2)
			ours[i] = ours_ms(b, &s);
		bare[i] = bare_ms(c);
		if (i % 2 == 0)
			ours[i] = ours_ms(b, &s);
		ratio[i] = ours[i] / bare[i];
		usleep(500000);
	}
	double x = median(bare, REMOTE_CALLS), y = median(ours, REMOTE_CALLS),
	       r = median(ratio, REMOTE_CALLS);
	printf("  as a remote host: bulk call %.1f ms, guest half of a tick %.1f ms; side by side %+.1f %% "
	       "(target 5",
		x, y, 100 * (r - 1));
	print_verdict(r <= 1.05, guests);
	sample_done(&s);
	b->ops->close(b);
}

/* ---- one number of guests ---- */

static struct spent print_bulk(virConnectPtr c, const char *name, unsigned stats, const struct spent *base)
{
	struct spent s = measure_bulk(c, stats, base);
	print_spent(name, &s, s.wall / BULK_CALLS);
	puts("");
	return s;
}

enum { SIZES_MOST = 8 };

/* The pCPU view by number of guests, for the last line. */
struct growth {
	int n, guests[SIZES_MOST];
	double ms[SIZES_MOST];
};

static double slope(const struct growth *g, int from, int to)
{
	return 1000 * (g->ms[to] - g->ms[from]) / (g->guests[to] - g->guests[from]);
}

static void print_growth(const struct growth *g)
{
	int last = g->n - 1, mid = last - 1;
	if (g->n < 3)
		return;
	double few = slope(g, 0, mid), many = slope(g, mid, last);
	printf("\nvmtop and libvirtd, pCPU view: a guest more costs %.1f us a tick "
	       "from %d to %d guests, %.1f us from %d to %d: "
	       "%.2f x (linear: target 1.5, %s)\n",
		few, g->guests[0], g->guests[mid], many, g->guests[mid], g->guests[last], many / few,
		many <= 1.5 * few ? "met" : "MISSED");
}

static struct spent print_view(struct shown *v, const char *name, const char *key, int guests, int ticks,
	const struct spent *base, const struct spent *bulk, double target)
{
	struct spent s = measure_view(v, key, ticks, base);
	print_spent(name, &s, -1);
	print_ratio(&s, bulk, target, guests);
	printf("  %-46s %.1f us of CPU a guest; %zu bytes to the terminal\n", "", 1000 * total(&s) / guests,
		v->bytes / (size_t)ticks);
	return s;
}

static void measure(virConnectPtr c, const char *vmtop, int guests, int ticks, struct growth *g)
{
	printf("\n%d guests, each with a balloon          ms of CPU per tick: client "
	       "libvirtd    QEMUs       "
	       "all  wall ms\n",
		guests);
	struct spent start = spent_now(0);
	sleep(BASE_S);
	struct spent base = since(&start, 0);
	printf("  (the guests themselves: %.1f ms per tick)\n", base.qemus * TICK_S / BASE_S);
	struct spent bulk = print_bulk(c, "bulk call: STATE CPU_TOTAL VCPU BALLOON", FULL, &base);
	print_bulk(c, "STATE alone", VIR_DOMAIN_STATS_STATE, &base);
	struct shown v = show(vmtop, "2");
	watch(&v, now_ms() + 4000);
	printf("  first frame after %.0f ms (target 150: %s), first VM on the screen after %.0f ms\n",
		v.first_ms, v.first_ms <= 150 ? "met" : "MISSED", v.sample_ms);
	struct spent s = print_view(
		&v, "vmtop, pCPU view, no guest statistics", "1", guests, ticks, &base, &bulk, 1.0 / 50);
	if (g->n < SIZES_MOST) {
		g->guests[g->n] = guests;
		g->ms[g->n++] = s.client + s.daemon;
	}
	print_view(&v, "vmtop, memory view, no guest statistics", "2", guests, ticks, &base, &bulk, 1.0 / 50);
	set_periods(c, MEMORY_PERIOD_S);
	hide(&v);
	start = spent_now(0);
	sleep(BASE_S);
	base = since(&start, 0); /* guests that fill in statistics do a little more by themselves */
	struct spent with = print_bulk(c, "bulk call, statistics on in all guests", FULL, &base);
	v = show(vmtop, "2");
	watch(&v, now_ms() + 4000);
	print_view(&v, "vmtop, pCPU view, statistics on", "1", guests, ticks, &base, &with, 1.0 / 50);
	print_view(&v, "vmtop, memory view, 5 s cycle", "2", guests, ticks, &base, &with, 1.0 / 4);
	print_memory(&v);
	hide(&v);
	print_wakes(vmtop);
	print_remote(c, guests);
	set_periods(c, 0);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static char template[8192];
	struct utsname u;
	struct growth growth = {.n = 0};
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && strcmp(argv[1], "bare") == 0) {
		bare_client(atoi(argv[2]));
		return 0;
	}
	if (argc < 5 || !slurp(argv[2], template, sizeof template))
		die("usage: cost_live VMTOP TEMPLATE TICKS GUESTS...");
	uname(&u);
	printf("CPU cost of watching, %d ticks of %d s a row, on %ld CPUs, %s %s\n", atoi(argv[3]), TICK_S,
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	virConnectPtr c = virConnectOpen("qemu:///system");
	if (!c)
		die("no connection");
	for (int i = 4, have = 0; i < argc; have = atoi(argv[i++])) {
		add_guests(c, template, have, atoi(argv[i]));
		sleep(3);
		measure(c, argv[1], atoi(argv[i]), atoi(argv[3]), &growth);
	}
	print_growth(&growth);
	virConnectClose(c);
	return 0;
}
