/* SPDX-License-Identifier: MIT */
/* What vmtop costs the line and the host: bytes of a tick at a real pseudo terminal of 160x50, how often it
 * wakes between ticks, and how soon a key shows while the hypervisor answers nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
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
#include <utmp.h>

#include "../src/ui/term.h"
#include "support/bigsnap.h"
#include "vmtop/engine.h"
#include "vmtop/setup.h"
#include "vmtop/view.h"

enum { ROWS = 50, COLS = 160, TICKS = 60, WARM = 70, KEYS = 41, BUSY = 10, HTOP_BYTES = 534 };

static double clock_ms(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* What a frame takes must not hang on who else runs here. */
static double cpu_ms(void)
{
	return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double quantile(double *t, int n, int percent)
{
	qsort(t, (size_t)n, sizeof *t, by_size);
	int at = n * percent / 100;
	return t[at < n ? at : n - 1];
}

/* Reads what the terminal was sent until nothing has come for quiet_ms; how many bytes. */
static long drain(int fd, int quiet_ms)
{
	char buf[65536];
	long n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (poll(&p, 1, quiet_ms) == 1) {
		ssize_t got = read(fd, buf, sizeof buf);
		if (got <= 0)
			break;
		n += got;
	}
	return n;
}

struct child {
	int terminal; /* master */
	int go, done; /* pipes: one byte each way a step */
	pid_t pid;
};

static void child_start(struct child *c, void (*work)(int go, int done, const void *arg), const void *arg)
{
	struct winsize ws = {.ws_row = ROWS, .ws_col = COLS};
	int slave, go[2], done[2];
	if (openpty(&c->terminal, &slave, NULL, NULL, &ws) < 0 || pipe(go) < 0 || pipe(done) < 0)
		abort();
	fflush(stdout);
	c->pid = fork();
	if (c->pid == 0) {
		close(c->terminal);
		login_tty(slave);
		setenv("TERM", "xterm-256color", 1);
		work(go[0], done[1], arg);
		_exit(0);
	}
	close(slave);
	close(go[0]);
	close(done[1]);
	c->go = go[1];
	c->done = done[0];
}

static void child_end(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->terminal);
	close(c->go);
	close(c->done);
}

/* --- bytes of a tick --- */

/* The next tick, in which only every tenth VM, vCPU and pCPU has a new figure. */
static void tick(struct snapshot *s)
{
	size_t nv = s->sample.n_vms, nc = s->sample.n_vcpus, np = s->sample.host.n_pcpus;
	struct vm_rate *vm = malloc((nv + 1) * sizeof *vm);
	struct vcpu_rate *vcpu = malloc((nc + 1) * sizeof *vcpu);
	struct pcpu_rate *pcpu = malloc((np + 1) * sizeof *pcpu);
	if (!vm || !vcpu || !pcpu)
		abort();
	memcpy(vm, s->vm_rates, nv * sizeof *vm);
	memcpy(vcpu, s->vcpu_rates, nc * sizeof *vcpu);
	memcpy(pcpu, s->pcpu_rates, np * sizeof *pcpu);
	bigsnap_tick(s);
	for (size_t i = 0; i < nv; i++) {
		const struct vm_sample *m = &s->sample.vms[i];
		if ((i + s->seq) % BUSY == 0)
			continue;
		s->vm_rates[i] = vm[i];
		memcpy(&s->vcpu_rates[m->first_vcpu], &vcpu[m->first_vcpu], m->n_vcpus * sizeof *vcpu);
	}
	for (size_t i = 0; i < np; i++)
		if ((i + s->seq) % BUSY)
			s->pcpu_rates[i] = pcpu[i];
	free(vm);
	free(vcpu);
	free(pcpu);
}

struct host {
	struct config cfg;
	int vms, pcpus;
};

/* Draws a tick for each byte that comes, and answers with the ms that it took. */
static void draw_ticks(int go, int done, const void *arg)
{
	const struct host *h = arg;
	const struct config *cfg = &h->cfg;
	struct err e = ERR_INIT;
	struct terminal *t = term_open(cfg, &e);
	struct view *v = view_new(cfg);
	struct snapshot *s = bigsnap_new(h->vms, h->pcpus);
	struct screen to;
	char byte;
	int rows, cols, fd;
	if (!t || !v || screen_init(&to, 1, 1) < 0)
		_exit(1);
	term_size(t, &rows, &cols);
	screen_resize(&to, rows, cols);
	to.graph = term_graph(t);
	while (read(go, &byte, 1) == 1) {
		tick(s);
		double begun = cpu_ms();
		view_receive(v, s);
		view_draw(v, s, &to, 0, 0);
		term_draw(t, &to, NULL, 0, 0);
		double took = cpu_ms() - begun;
		view_keep(v, s);
		while (term_busy(t, &fd))
			term_flush(t);
		if (write(done, &took, sizeof took) != (ssize_t)sizeof took)
			break;
	}
}

/* Medians of the bytes and the time of a tick, and what else there is to say of the bytes. */
struct cost {
	double bytes, mean, most, ms;
};

static struct cost ticks(const struct host *h)
{
	static double n[TICKS], ms[TICKS];
	struct child c;
	struct cost cost = {0};
	double took;
	child_start(&c, draw_ticks, h);
	for (int i = -WARM; i < TICKS; i++) {
		long got = 0;
		if (write(c.go, "", 1) != 1)
			abort();
		struct pollfd p = {.fd = c.done, .events = POLLIN};
		while (poll(&p, 1, 0) == 0)
			got += drain(c.terminal, 1);
		if (read(c.done, &took, sizeof took) != (ssize_t)sizeof took)
			abort();
		got += drain(c.terminal, 1);
		if (i < 0)
			continue;
		n[i] = (double)got;
		ms[i] = took;
		cost.mean += n[i] / TICKS;
	}
	child_end(&c);
	cost.bytes = quantile(n, TICKS, 50);
	cost.most = quantile(n, TICKS, 90);
	cost.ms = quantile(ms, TICKS, 50);
	return cost;
}

static void bytes(bool sparklines, int target)
{
	struct host h = {.vms = 100, .pcpus = 32};
	config_defaults(&h.cfg);
	h.cfg.sparklines = sparklines;
	snprintf(h.cfg.sort, sizeof h.cfg.sort, "name");
	struct cost c = ticks(&h);
	printf("  a tick, %-19s %6.0f bytes (mean %.0f, 90 %% of ticks below %.0f), target %d\n",
		sparklines ? "with sparklines" : "without sparklines", c.bytes, c.mean, c.most, target);
}

static void frame_time(void)
{
	struct host h = {.vms = 1000, .pcpus = 512};
	config_defaults(&h.cfg);
	printf("  a frame of 1,000 VMs and 512 pCPUs, from snapshot to terminal: %.2f ms of CPU, target 2\n",
		ticks(&h).ms);
}

/* --- a whole program whose hypervisor can be made to hang --- */

struct slow {
	struct backend base;
	struct backend *inner;
	int readings; /* after so many sample() does not return */
};

static int slow_sample(struct backend *b, unsigned groups, struct sample *to, struct err *e)
{
	struct slow *s = (struct slow *)b;
	while (s->readings == 0)
		pause();
	s->readings--;
	return s->inner->ops->sample(s->inner, groups, to, e);
}
static void slow_apply(struct backend *b, struct action *a, size_t n)
{
	struct slow *s = (struct slow *)b;
	s->inner->ops->apply(s->inner, a, n);
}
static enum wake slow_wait(struct backend *b, int64_t until_ns, int fd)
{
	struct slow *s = (struct slow *)b;
	return s->inner->ops->wait(s->inner, until_ns, fd);
}
static void slow_close(struct backend *b)
{
	(void)b;
}
static int64_t slow_now(struct backend *b)
{
	struct slow *s = (struct slow *)b;
	return s->inner->ops->now(s->inner);
}
static void slow_status(struct backend *b, struct backend_status *st)
{
	struct slow *s = (struct slow *)b;
	s->inner->ops->status(s->inner, st);
}
static struct backend *slow_inner(const struct backend *b)
{
	return ((const struct slow *)b)->inner;
}

struct run {
	const char *uri;
	double delay_s;
	int readings; /* INT_MAX: it never hangs */
};

static void whole_program(int go, int done, const void *arg)
{
	static const struct backend_ops ops = {.sample = slow_sample,
		.apply = slow_apply,
		.wait = slow_wait,
		.close = slow_close,
		.now = slow_now,
		.status = slow_status,
		.inner = slow_inner};
	const struct run *r = arg;
	struct err e = ERR_INIT;
	struct config cfg;
	(void)go, (void)done;
	config_defaults(&cfg);
	cfg.delay_s = r->delay_s;
	snprintf(cfg.uri, sizeof cfg.uri, "%s", r->uri);
	struct slow s = {{&ops}, backend_open(&cfg, &e), r->readings};
	struct engine *en = s.inner ? engine_new(&cfg, &s.base, &e) : NULL;
	struct scheduler *sched = en ? scheduler_start(en, &e) : NULL;
	_exit(sched ? ui_run(&cfg, sched, setup_save) : 1);
}

/* Times that any thread of the program went to sleep of its own accord. */
static long switches(pid_t pid)
{
	char path[300], line[200];
	long sum = 0, n;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, e->d_name);
		FILE *f = fopen(path, "r");
		while (f && fgets(line, sizeof line, f))
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}

/* Wake-ups while nothing new comes: from a while after a tick until shortly before the next. */
static void wakes_between(void)
{
	/* A host without events, or the simulator itself would look at it ten times a second. */
	struct run r = {"sim:cpu3", 5, INT_MAX};
	struct child c;
	child_start(&c, whole_program, &r);
	while (drain(c.terminal, 1000)) /* until a second of silence: a tick is over */
		;
	struct pollfd p = {.fd = c.terminal, .events = POLLIN};
	poll(&p, 1, 10000); /* the next */
	drain(c.terminal, 300);
	long before = switches(c.pid);
	usleep(3500000);
	long after = switches(c.pid), sent = drain(c.terminal, 0);
	printf("  wake-ups in 3.5 s between two ticks of 5 s: %ld, bytes %ld, target 0\n", after - before,
		sent);
	child_end(&c);
}

static void wakes_hung(void)
{
	struct run r = {"sim:demo", 0.5, 3};
	struct child c;
	child_start(&c, whole_program, &r);
	for (double end = now_ms() + 4000; now_ms() < end;)
		drain(c.terminal, 100);
	struct pollfd p = {.fd = c.terminal, .events = POLLIN};
	poll(&p, 1, 3000); /* from after one of them on, or there may be six in five seconds */
	drain(c.terminal, 200);
	long before = switches(c.pid), sent = 0;
	for (double end = now_ms() + 5000; now_ms() < end;)
		sent += drain(c.terminal, 100);
	printf("  wake-ups in 5 s while an age counts up: %ld, bytes %ld, target 5\n",
		switches(c.pid) - before, sent);
	child_end(&c);
}

/* From a key to the last byte that answers it, while the hypervisor has been silent for seconds. */
static void key_latency(void)
{
	struct run r = {"sim:demo", 0.5, 3};
	struct child c;
	double ms[KEYS];
	child_start(&c, whole_program, &r);
	for (double end = now_ms() + 4000; now_ms() < end;)
		drain(c.terminal, 100);
	for (int i = 0; i < KEYS; i++) {
		char buf[65536];
		struct pollfd p = {.fd = c.terminal, .events = POLLIN};
		drain(c.terminal, 37);
		double begun = now_ms(), last = begun;
		if (write(c.terminal, &"01234"[i % 5], 1) != 1)
			abort();
		while (poll(&p, 1, last > begun ? 10 : 2000) == 1 && read(c.terminal, buf, sizeof buf) > 0)
			last = now_ms();
		ms[i] = last > begun ? last - begun : 2000;
	}
	printf("  a key to the changed screen, the hypervisor hung: %.1f ms (90 %% below %.1f), target 50\n",
		quantile(ms, KEYS, 50), quantile(ms, KEYS, 90));
	child_end(&c);
}

static void other_program(int go, int done, const void *arg)
{
	(void)go, (void)done;
	execlp(arg, arg, (char *)NULL);
	_exit(127);
}

/* Bytes a second of a whole program as it comes, once it has settled; 0: there is none. */
static double bytes_a_second(void (*work)(int, int, const void *), const void *arg)
{
	enum { SECONDS = 8 };
	struct child c;
	long n = 0;
	child_start(&c, work, arg);
	for (double end = now_ms() + 3000; now_ms() < end;)
		drain(c.terminal, 100);
	for (double end = now_ms() + SECONDS * 1000; now_ms() < end && waitpid(c.pid, NULL, WNOHANG) == 0;)
		n += drain(c.terminal, 100);
	child_end(&c);
	return (double)n / SECONDS;
}

static void beside_htop(void)
{
	struct run r = {"sim:demo", 2, INT_MAX};
	double htop = bytes_a_second(other_program, "htop");
	printf("  vmtop on its demo host as it comes: %.0f bytes a second; htop here: ",
		bytes_a_second(whole_program, &r));
	if (htop > 0)
		printf("%.0f\n", htop);
	else
		printf("not installed, known figures: htop %d, top 2960, btop 9482\n", HTOP_BYTES);
}

int main(void)
{
	struct utsname u;
	uname(&u);
	signal(SIGPIPE, SIG_IGN);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	setlocale(LC_ALL, "");
	printf("at a terminal of %dx%d, xterm-256color, on %ld CPUs, %s %s\n", COLS, ROWS,
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
	printf("  (ticks: 100 VMs, 32 pCPUs, a tenth of the figures changes; medians)\n");
	bytes(false, 450);
	bytes(true, 1200);
	beside_htop();
	frame_time();
	wakes_between();
	wakes_hung();
	key_latency();
	return 0;
}
