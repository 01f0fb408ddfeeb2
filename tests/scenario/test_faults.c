/* SPDX-License-Identifier: MIT */
/* Faults are inputs: in a short run every single allocation, and every single call of the hypervisor, fails
 * once. Invariant that is shown: no crash, no leak, nothing changed without a journal line and a log line,
 * and the engine goes on with the next reading. Linked with --wrap for the allocator (Makefile). */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../src/backend/prom/http.h"
#include "../../src/cli/fleet_out.h"
#include "support/descriptors.h"
#include "support/faulty_heap.h"
#include "support/run_scenario.h"
#include "support/spy.h"
#include "vmtop/batch.h"
#include "vmtop/carry.h"
#include "vmtop/fleet_auto.h"
#include "vmtop/fleet_propose.h"
#include "vmtop/fleet_rows.h"
#include "vmtop/fleet_view.h"
#include "vmtop/fleet_watch.h"
#include "vmtop/listen.h"
#include "vmtop/prom.h"
#include "vmtop/record.h"
#include "vmtop/scenario.h"
#include "vmtop/screen.h"
#include "vmtop/trace.h"
#include "vmtop/view.h"

/* --- a short run -------------------------------------------------------------------------------------- */

static const char scenario[] = "host\n\tpcpus 4\n\tmemory 4G\n"
			       "vm a x3\n\tload 60%\n\tpin 0\n\tmemory 512M max 1G\n\tstats 2\n"
			       "vm b\n\tvcpus 2\n\tload 30%\n\tmemory 512M max 1G\n"
			       "at 3s stop a-2\nat 4s start a-2\nat 5s vcpus b 3\n";

/* Thousands of journals: in memory where that can be had. */
static char folder[] = "/dev/shm/vmtop-test-XXXXXX", on_disk[] = "/tmp/vmtop-test-XXXXXX";
static const char *state_home;
static struct spy host;
static struct config cfg;

/* Changes that were tried, and lines of the log about changes. */
static long done_lines, told_lines;

static void book(struct engine *en, uint64_t *seen)
{
	struct snapshot *s = engine_snapshot(en);
	s = s ? s : engine_snapshot(en); /* one allocation fails, not two */
	assert_non_null(s);
	for (size_t i = 0; i < s->n_log; i++) {
		if (s->log[i].seq <= *seen)
			continue;
		*seen = s->log[i].seq;
		told_lines += s->log[i].kind == LOG_ACTION;
	}
	snapshot_free(s);
}

static void count_done(void *arg, const struct action *a, size_t n)
{
	(void)arg;
	(void)a;
	done_lines += (long)n;
}

/* What the program does: look, steer, preview, undo by hand, put back. True: it came to its end. */
static bool short_run(void)
{
	struct err e = ERR_INIT;
	uint64_t seen = 0;
	done_lines = told_lines = 0;
	struct engine *en = engine_new(&cfg, &host.base, &e);
	if (!en)
		return false;
	for (int i = 0; i < 9; i++) {
		if (i == 2)
			engine_command(en, &(struct command){.kind = CMD_REBALANCE});
		if (i == 3)
			engine_command(en, &(struct command){.kind = CMD_PREVIEW});
		if (i == 4)
			engine_command(en, &(struct command){.kind = CMD_PREVIEW_APPLY});
		if (i == 6)
			engine_command(en, &(struct command){.kind = CMD_UNDO});
		if (i == 7)
			engine_command(en, &(struct command){.kind = CMD_MEM_POLICY, .number = 1});
		engine_step(en, &e);
		book(en, &seen);
		if (!engine_wait(en, -1))
			break;
	}
	engine_leave(en, true);
	book(en, &seen);
	engine_free(en);
	return true;
}

static void open_host(void)
{
	spy_open(&host, scenario);
	host.after = count_done;
	run_config(&cfg, true, true, 1);
	cfg.cpu_policy = CPU_POLICY_MINMOVE;
	cfg.memory_cycle_s = 2;
	cfg.batch = false; /* plans ahead, as with a screen */
}

/* Nothing of ours remains in force that the journal does not know. */
static void put_back_later(void)
{
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	int rc = engine_restore_journal(&cfg, &host.base, NULL, out, -1, &e);
	fclose(out);
	if (rc != 0)
		fail_msg("restore after a fault: %s", e.msg);
	free(text);
	for (int i = 1; i <= 3; i++) {
		char name[8];
		snprintf(name, sizeof name, "a-%d", i);
		assert_string_equal(spy_pin(&host, name, 0), "0");
	}
}

static void every_allocation_fails_once(void **state)
{
	(void)state;
	long n = 0;
	json_set_alloc_funcs(malloc, free);
	for (bool more = true; more; n += STRIDE) {
		open_host();
		heap.calls = 0;
		heap.fail_at = n;
		heap.failed = false;
		heap.counting = true;
		short_run();
		heap.counting = false;
		more = n == 0 || heap.failed;
		if (heap.n_live)
			fail_msg("allocation %ld fails: %ld blocks are not freed", n, heap.n_live);
		if (told_lines != done_lines)
			fail_msg("allocation %ld: %ld changes, %ld lines", n, done_lines, told_lines);
		put_back_later();
		spy_free(&host);
	}
	print_message("%ld allocations\n", n - 2);
	assert_true(n > 60);
}

static void every_call_fails_once(void **state)
{
	(void)state;
	for (int unknown = 0; unknown < 2; unknown++) {
		long n = 0;
		for (bool more = true; more; n++) {
			open_host();
			host.fail_at = n;
			host.unknown = unknown;
			assert_true(short_run());
			more = n == 0 || host.failed;
			if (told_lines != done_lines)
				fail_msg("call %ld fails: %ld changes tried, %ld lines", n, done_lines,
					told_lines);
			put_back_later();
			spy_free(&host);
		}
		print_message("%ld calls\n", n - 2);
		assert_true(n > 20);
	}
}

/* --- recordings --------------------------------------------------------------------------------------- */

static const char small[] = "host\n\tpcpus 2\n\tmemory 4G\n"
			    "vm a x2\n\tload 60%\n\tpin 0\n\tmemory 512M max 1G\n\tstats 2\n";

enum { TICKS = 5 };
static struct snapshot *kept[TICKS]; /* of a recording that is played while all is well */

static void steps(struct engine *en, struct snapshot **keep)
{
	struct err e = ERR_INIT;
	for (int i = 0; en && i < TICKS; i++) {
		engine_step(en, &e);
		struct snapshot *s = engine_snapshot(en);
		if (keep)
			keep[i] = s;
		else
			snapshot_free(s);
		if (!engine_wait(en, -1))
			break;
	}
	engine_free(en);
}

static void write_one(void)
{
	struct err e = ERR_INIT;
	struct scenario *s = scenario_parse("test", small, sizeof small - 1, &e);
	struct backend *b = s ? backend_sim_new(s, true, &e) : NULL;
	b = b ? backend_record(b, &cfg, &e) : NULL;
	steps(b ? engine_new(&cfg, b, &e) : NULL, NULL);
}

static void play(struct snapshot **keep)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_replay_open(&cfg, &e);
	steps(b ? engine_new(&cfg, b, &e) : NULL, keep);
}

static void play_one(void)
{
	play(NULL);
}

/* What was played, as JSON. Apart from playing it: that takes a hundred times as long. */
static void json_one(void)
{
	struct err e = ERR_INIT;
	struct batch_out json = {.cfg = &cfg, .to = fopen("/dev/null", "we")};
	assert_non_null(json.to);
	for (int i = 0; i < TICKS; i++)
		json_write(&json, kept[i], &e);
	fclose(json.to);
}

/* As compare takes it: read whole, */
static void trace_one(void)
{
	struct err e = ERR_INIT;
	trace_free(trace_read(&cfg, 5, &e));
}

static struct trace *traced; /* what was read while all was well */

/* and played under another policy. */
static void try_one(void)
{
	struct err e = ERR_INIT;
	struct backend *b = trace_backend(traced, 1, INFINITY, &e);
	steps(b ? engine_new(&cfg, b, &e) : NULL, NULL);
}

static void record_anew(void)
{
	unlink(cfg.record);
}

static long each_allocation(void (*run)(void), bool anew)
{
	return each_allocation_of(run, anew ? record_anew : NULL);
}

static void recordings_survive_it(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	json_set_alloc_funcs(malloc, free);
	run_config(&cfg, true, true, 1);
	cfg.batch = true;
	snprintf(cfg.record, sizeof cfg.record, "%s/r.vmrec", state_home);
	long writing = each_allocation(write_one, true);
	unlink(cfg.record);
	write_one();
	snprintf(cfg.replay, sizeof cfg.replay, "%s", cfg.record);
	cfg.record[0] = '\0';
	long playing = each_allocation(play_one, false), reading = each_allocation(trace_one, false);
	play(kept);
	traced = trace_read(&cfg, 5, &e);
	assert_true(traced && kept[TICKS - 1]);
	long telling = each_allocation(json_one, false), trying = each_allocation(try_one, false);
	for (int i = 0; i < TICKS; i++)
		snapshot_free(kept[i]);
	trace_free(traced);
	print_message(
		"%ld allocations while writing, %ld while playing, %ld in JSON\n", writing, playing, telling);
	print_message("%ld for compare, %ld while it plays\n", reading, trying);
	assert_true(writing > 40 && playing > 40 && telling > 300 && reading > 20 && trying > 40);
	unlink(cfg.replay);
}

/* ---- fleets ---- */

enum { FLEET_VMS_HERE = 6 };
static char *answer; /* of a Prometheus: a host that is overloaded, one that idles */

static void series(FILE *to, const char *name, int h, int vm, double value)
{
	fprintf(to, "%s{\"metric\":{\"__name__\":\"%s\",\"instance\":\"h%d:9\",\"host\":\"h%d\"",
		ftell(to) > 70 ? "," : "", name, h, h);
	if (strcmp(name, "vmtop_host_info") == 0)
		fputs(",\"uri\":\"qemu:///system\",\"version\":\"1\"", to);
	if (vm >= 0)
		fprintf(to, ",\"vm\":\"vm-%d\",\"uuid\":\"09248ee2-185e-4c46-b0e9-59d53b5757%02d\"", vm, vm);
	fprintf(to, "},\"value\":[1700000000,\"%.9g\"]}", value);
}

static void answer_make(void)
{
	size_t len;
	FILE *to = open_memstream(&answer, &len);
	assert_non_null(to);
	fputs("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[", to);
	for (int h = 0; h < 2; h++) {
		series(to, "vmtop_host_info", h, -1, 1);
		series(to, "vmtop_host_connected", h, -1, 1);
		series(to, "vmtop_host_busy_ratio", h, -1, h ? .02 : 1);
		series(to, "vmtop_host_pcpus", h, -1, h ? 16 : 4);
		series(to, "vmtop_host_memory_bytes", h, -1, 64e9);
		series(to, "vmtop_host_memory_available_bytes", h, -1, 32e9);
	}
	for (int vm = 0; vm < FLEET_VMS_HERE; vm++) {
		series(to, "vmtop_vm_cpu_ratio", 0, vm, .66);
		series(to, "vmtop_vm_wait_ratio", 0, vm, .34);
		series(to, "vmtop_vm_suffering_ratio", 0, vm, .34);
		series(to, "vmtop_vm_memory_balloon_bytes", 0, vm, 1e9);
	}
	fputs("]}}", to);
	fclose(to);
}

/* Either it cannot be had, for want of memory, or it is all there. */
static void fleet_once(void)
{
	struct err e = ERR_INIT;
	const struct prom_text text = {.text = answer, .len = strlen(answer)};
	struct fleet_proposal p = {0};
	size_t rows[FLEET_VMS_HERE];
	struct fleet *f = prom_fold(&text, 1, 60, INT64_C(1000000000000), INT64_C(1700000000000000000), &e);
	if (!f) {
		if (!strstr(e.msg, "out of memory"))
			fail_msg("allocation %ld fails, and it says: %s", heap.fail_at, e.msg);
		return;
	}
	assert_int_equal(f->n_hosts, 2);
	assert_int_equal(f->n_vms, FLEET_VMS_HERE);
	for (size_t i = 0; i < FLEET_VMS_HERE; i++)
		rows[i] = FLEET_VMS_HERE - 1 - i;
	int cpu = fleet_column_find(FLEET_VMS, "cpu");
	if (fleet_sort(f, FLEET_VMS, (size_t)cpu, false, rows, FLEET_VMS_HERE) < 0)
		assert_int_equal(rows[0], FLEET_VMS_HERE - 1); /* as it was */
	if (fleet_propose(f, &p) == 0)
		assert_true(p.plan.n > 0);
	fleet_proposal_done(&p);
	fleet_free(f);
}

static struct fleet *known; /* what was folded while all was well */

/* As text, JSON and CSV, with the plan; all of it, or an error that says why. */
static void tell_once(void)
{
	static const enum out_format formats[] = {OUT_TEXT, OUT_JSON, OUT_CSV};
	for (int i = 0; i < 6; i++) {
		struct err e = ERR_INIT;
		struct fleet_out o = {.format = formats[i % 3], .vms = i > 2, .plan = true};
		FILE *to = fopen("/dev/null", "we");
		assert_non_null(to);
		if (fleet_write(to, &o, known, &e) < 0)
			assert_non_null(strstr(e.msg, "out of memory"));
		fclose(to);
	}
}

/* The screen: hosts, VMs, a search, the plan and what is to be carried out. Without memory it shows less. */
static void show_once(void)
{
	static const int keys[] = {
		VK_TAB, '/', 'v', 'm', VK_ENTER, VK_ESC, VK_TAB, 'p', VK_DOWN, 'y', VK_ESC, '?'};
	struct screen base = {0}, over = {0};
	struct fleet_view *v = fleet_view_new(1);
	int row, col;
	bool good = v && screen_init(&base, 24, 100) == 0 && screen_init(&over, 1, 1) == 0;
	for (size_t i = 0; good && i < sizeof keys / sizeof *keys; i++) {
		fleet_view_feed(v, known);
		fleet_view_key(v, keys[i], known);
		fleet_view_draw(v, known, &base);
		fleet_view_overlay(v, &over, 24, 100, &row, &col);
	}
	screen_done(&base);
	screen_done(&over);
	fleet_view_free(v);
}

/* What Pacemaker is told: nothing, where that cannot be worked out. */
static void auto_once(void)
{
	struct cluster_node nodes[2] = {{"h0", "1"}, {"h1", "2"}};
	struct cluster_guest guests[2] = {
		{.resource = "vm-0", .vm = "vm-0"}, {.resource = "vm-1", .vm = "vm-1"}};
	struct cluster c = {
		.nodes = nodes, .guests = guests, .n_nodes = 2, .n_guests = 2, .strategy = "balanced"};
	struct fleet_auto_pace pace = {.after_s = 1, .rest_s = 1};
	struct fleet_proposal p = {0};
	struct fleet_auto a = {0};
	if (fleet_propose(known, &p) == 0 && fleet_auto_make(&a, known, &p, &c, &cfg) == 0) {
		assert_int_equal(a.n_over, 1);
		if (fleet_auto_tried(&pace, &a, INT64_C(1000000000)) < 0)
			assert_true(fleet_auto_changed(&pace, &a)); /* it is tried again */
		else
			assert_false(fleet_auto_changed(&pace, &a));
	}
	fleet_auto_pace_done(&pace);
	fleet_auto_done(&a);
	fleet_proposal_done(&p);
}

/* A host that is watched over libvirt: its snapshot becomes a row, or none. */
static void watch_once(void)
{
	struct err e = ERR_INIT;
	struct scenario *scn = scenario_parse("test", small, sizeof small - 1, &e);
	struct backend *b = scn ? backend_sim_new(scn, true, &e) : NULL;
	struct engine *en = b ? engine_new(&cfg, b, &e) : NULL;
	struct fleet *all = fleet_new();
	for (int i = 0; en && all && i < 3; i++) {
		struct snapshot *s = engine_step(en, &e) == 0 ? engine_snapshot(en) : NULL;
		struct fleet *part = fleet_new();
		if (s && part && fleet_fold(part, s, s->sample.time_ns) == 0) {
			size_t before = all->n_vms;
			int rc = fleet_put(all, part);
			assert_int_equal(all->n_vms, before + (rc == 0 ? part->n_vms : 0));
		}
		fleet_free(part);
		snapshot_free(s);
		engine_wait(en, -1);
	}
	fleet_free(all);
	engine_free(en);
}

static void http_once(void)
{
	struct err e = ERR_INIT;
	struct http_answer a[2];
	struct http *h = http_new("secret", "", &e);
	if (!h)
		return;
	http_get(h, (const char *const[]){"http://127.0.0.1:1/", "http://127.0.0.1:1/x"}, 2, a, 1, 4096);
	for (int i = 0; i < 2; i++) {
		assert_null(a[i].text);
		assert_true(a[i].err.code != ERR_NONE && a[i].err.msg[0]);
	}
	http_free(h);
}

/* What a scrape is answered from. */
static void metrics_once(void)
{
	struct err e = ERR_INIT;
	struct batch_out o = {.cfg = &cfg, .to = fopen("/dev/null", "we")};
	assert_non_null(o.to);
	struct scenario *scn = scenario_parse("test", small, sizeof small - 1, &e);
	struct backend *b = scn ? backend_sim_new(scn, true, &e) : NULL;
	struct engine *en = b ? engine_new(&cfg, b, &e) : NULL;
	for (int i = 0; en && i < 5; i++) {
		struct snapshot *s = engine_step(en, &e) == 0 ? engine_snapshot(en) : NULL;
		if (s && openmetrics_see(&o, s, &e) == 0)
			openmetrics_write(&o, s, &e);
		snapshot_free(s);
		engine_wait(en, -1);
	}
	engine_free(en);
	tally_free(o.tally);
	fclose(o.to);
}

static void fleets_and_metrics_survive_it(void **state)
{
	(void)state;
	answer_make();
	run_config(&cfg, true, true, 1);
	cfg.batch = true;
	cfg.format = OUT_OPENMETRICS;
	long folding = each_allocation(fleet_once, false), asking = each_allocation(http_once, false),
	     telling = each_allocation(metrics_once, false);
	print_message("%ld allocations over a fleet, %ld while asking, %ld while telling\n", folding, asking,
		telling);
	assert_true(folding > 5 && asking > 1 && telling > 40);
}

static void a_fleet_is_shown_in_spite_of_it(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	const struct prom_text text = {.text = answer, .len = strlen(answer)};
	run_config(&cfg, true, true, 1);
	cfg.batch = true;
	known = prom_fold(&text, 1, 60, INT64_C(1000000000000), INT64_C(1700000000000000000), &e);
	assert_non_null(known);
	long telling = each_allocation(tell_once, false), showing = each_allocation(show_once, false),
	     planning = each_allocation(auto_once, false), watching = each_allocation(watch_once, false);
	print_message("%ld allocations in outputs, %ld on the screen, %ld for Pacemaker, %ld over libvirt\n",
		telling, showing, planning, watching);
	assert_true(telling > 20 && showing > 10 && planning > 5 && watching > 40);
	fleet_free(known);
	free(answer);
}

/* ---- threads of a fleet ---- */

/* Hands that find no guest to move. */
static void not_there(struct mover *mv, const struct move *m, struct move_look *to)
{
	(void)mv, (void)m;
	*to = (struct move_look){.found = false};
}

static void put_down(struct mover *mv)
{
	mv->ops = NULL;
}

/* Until it is over: what came of each move is told, even if a copy of it could not be handed over. */
static void follow_moves(struct carry *c)
{
	const struct moves *ms = NULL;
	for (bool over = false; !over; carry_look(c, &ms, &over))
		poll(&(struct pollfd){.fd = carry_fd(c), .events = POLLIN}, 1, 20000);
	assert_int_equal(ms->list[0].state, MOVE_FAILED);
	assert_int_equal(ms->list[1].state, MOVE_NOT_BEGUN);
}

/* Both are given back where it cannot begin. */
static bool carry_once(void)
{
	static const struct mover_ops ops = {.look = not_there, .close = put_down};
	struct mover by = {&ops};
	struct err e = ERR_INIT;
	struct moves ms;
	if (!moves_init(&ms, 2))
		return false;
	struct carry *c = carry_start(&ms, &by, &e);
	assert_null(ms.list);
	if (c) {
		follow_moves(c);
		assert_true(carry_end(c, 20));
	} else {
		assert_true(e.code != ERR_NONE && *e.msg);
	}
	assert_null(by.ops);
	return c != NULL;
}

/* Two hosts and a Prometheus that is not there. */
static bool hosts_once(void)
{
	struct err e = ERR_INIT;
	snprintf(cfg.fleet_hosts, sizeof cfg.fleet_hosts,
		"a sim:cpu1\nb sim:cpu1\np prom:http://127.0.0.1:1\n");
	struct fleet_watch *w = fleet_watch_start(&cfg, &e);
	if (!w) {
		assert_true(e.code != ERR_NONE && *e.msg);
		return false;
	}
	for (int i = 0; i < 2; i++) {
		struct fleet *f = fleet_watch_take(w);
		assert_true(!f || f->n_hosts == 2);
		fleet_free(f);
		poll(&(struct pollfd){.fd = fleet_watch_fd(w), .events = POLLIN}, 1, 20);
	}
	assert_int_equal(fleet_watch_stop(w, 20), 0);
	return true;
}

static struct engine *listened_to; /* it has stepped before */

/* The first line of the answer; empty: none came. */
static void scrape(const struct sockaddr_in *at, char line[64])
{
	static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof *at), 0);
	assert_int_equal(write(fd, ask, sizeof ask - 1), sizeof ask - 1);
	ssize_t n = read(fd, line, 63), more = n;
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\r")] = '\0';
	for (char rest[4096]; more > 0;)
		more = read(fd, rest, sizeof rest);
	close(fd);
}

/* At an address of its own, so that no other run has the port. */
static struct listener *listen_at(struct sockaddr_in *at)
{
	struct err e = ERR_INIT;
	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9177)};
	at->sin_addr.s_addr = htonl(0x7f400000u | ((uint32_t)getpid() & 0x3fffff));
	const unsigned char *b = (const unsigned char *)&at->sin_addr.s_addr;
	snprintf(cfg.listen, sizeof cfg.listen, "%d.%d.%d.%d:9177", b[0], b[1], b[2], b[3]);
	struct listener *l = listener_open(&cfg, &e);
	assert_true(l || (e.code != ERR_NONE && *e.msg));
	return l;
}

static bool open_once(void)
{
	struct sockaddr_in at;
	struct listener *l = listen_at(&at);
	listener_close(l);
	return l != NULL;
}

/* A scrape is answered with what there is, or with an error. */
static bool listen_once(void)
{
	struct err e = ERR_INIT;
	char line[64];
	struct sockaddr_in at;
	struct listener *l = listen_at(&at);
	if (!l)
		return false;
	listener_follow(l, listened_to);
	engine_step(listened_to, &e);
	scrape(&at, line);
	if (strcmp(line, "HTTP/1.1 200 OK") != 0 && strncmp(line, "HTTP/1.1 50", 11) != 0)
		fail_msg("allocation %ld fails: %s", heap.fail_at, line);
	engine_seen_by(listened_to, NULL, NULL);
	listener_close(l);
	return true;
}

static bool (*now_run)(void);

static void run_it(void)
{
	now_run();
}

static long allocations(bool (*run)(void), bool others)
{
	now_run = run;
	heap.others = others;
	long n = each_allocation(run_it, false);
	heap.others = false;
	return n;
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
static long threads_left = -1; /* so many can still be made; -1: any number */

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	if (threads_left == 0)
		return EAGAIN;
	threads_left -= threads_left > 0;
	return __real_pthread_create(t, a, fn, arg);
}

/* With too few threads for it: it says so, and leaves nothing open. Returns how many it took. */
static int needs_threads(bool (*run)(void))
{
	int before = open_files();
	for (threads_left = 0;; threads_left++) {
		long had = threads_left;
		bool made = run();
		threads_left = had;
		assert_int_equal(open_files(), before);
		if (made)
			break;
	}
	int n = (int)threads_left;
	threads_left = -1;
	return n;
}

static void threads_of_a_fleet_survive_it(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	run_config(&cfg, false, false, .05);
	cfg.batch = true;
	struct scenario *scn = scenario_parse("test", small, sizeof small - 1, &e);
	listened_to = engine_new(&cfg, backend_sim_new(scn, true, &e), &e);
	assert_non_null(listened_to);
	for (int i = 0; i < 3; i++)
		engine_step(listened_to, &e), engine_wait(listened_to, -1);
	long carrying = allocations(carry_once, false), told = allocations(carry_once, true),
	     watching = allocations(hosts_once, false), seen = allocations(listen_once, false),
	     answering = allocations(listen_once, true);
	print_message("%ld allocations to carry moves out, %ld in its thread, %ld to watch hosts\n", carrying,
		told, watching);
	print_message("%ld where it is listened to, %ld where a scrape is answered\n", seen, answering);
	assert_true(carrying > 2 && told > 4 && watching > 4 && seen > 10);
	assert_int_equal(needs_threads(carry_once), 1);
	assert_int_equal(needs_threads(hosts_once), 3);
	assert_true(
		needs_files(carry_once) >= 6 && needs_files(hosts_once) >= 10 && needs_files(open_once) >= 1);
	engine_free(listened_to);
}

static int make_folder(void **state)
{
	(void)state;
	state_home = mkdtemp(folder);
	if (!state_home)
		state_home = mkdtemp(on_disk);
	return state_home ? setenv("XDG_STATE_HOME", state_home, 1) : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof path, "%s/vmtop", state_home);
	rmdir(path);
	return rmdir(state_home);
}

int main(void)
{
	is_main = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_fails_once),
		cmocka_unit_test(every_call_fails_once),
		cmocka_unit_test(recordings_survive_it),
		cmocka_unit_test(fleets_and_metrics_survive_it),
		cmocka_unit_test(a_fleet_is_shown_in_spite_of_it),
		cmocka_unit_test(threads_of_a_fleet_survive_it),
	};
	return cmocka_run_group_tests_name("faults", tests, make_folder, remove_folder);
}
