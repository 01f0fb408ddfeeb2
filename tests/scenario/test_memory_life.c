/* SPDX-License-Identifier: MIT */
/* What happens to guests and administrators while memory is steered: restarts, reboots, other people's
 * setmem, sizes set by hand, minima, maxima, shares, guests that cannot be ballooned, a host under pressure.
 * The whole engine over simulated guests in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run_scenario.h"
#include "vmtop/backend.h"
#include "vmtop/engine.h"
#include "vmtop/err.h"
#include "vmtop/options.h"

enum { MIB = 1024 };

static struct config cfg;
static struct engine *en;
static struct backend *b;
static struct snapshot *s;
static int calls; /* balloon changes carried out since the start */
static const char *never_reason;

static void begin(const char *text)
{
	struct err e = ERR_INIT;
	struct scenario *scn = scenario_parse("test", text, strlen(text), &e);
	b = scn ? backend_sim_new(scn, true, &e) : NULL;
	if (!b)
		fail_msg("%s", e.msg);
	en = engine_new(&cfg, b, &e);
	assert_non_null(en);
	calls = 0;
	never_reason = NULL;
}

static double now_s(void)
{
	struct sim_report r;
	assert_int_equal(sim_report_get(b, &r), 0);
	return r.time_s;
}

static void look(void)
{
	snapshot_free(s);
	s = engine_snapshot(en);
	assert_non_null(s);
	for (size_t i = 0; i < s->n_actions; i++)
		calls += s->actions[i].kind == ACTION_BALLOON && s->actions[i].outcome == OUTCOME_DONE;
	for (size_t i = 0; never_reason && i < s->sample.n_vms; i++)
		if (strcmp(reason_key(s->vm_status[i].mem.why.code), never_reason) == 0)
			fail_msg("%.0f s: %s is %s", now_s(), s->sample.vms[i].name, never_reason);
}

/* Goes on to this time. */
static void until(double t_s)
{
	struct err e = ERR_INIT;
	while (now_s() < t_s) {
		engine_step(en, &e);
		look();
		if (!engine_wait(en, -1))
			break;
	}
}

static void end(void)
{
	engine_free(en);
	snapshot_free(s);
	s = NULL;
}

static size_t index_of(const char *name)
{
	for (size_t i = 0; i < s->sample.n_vms; i++)
		if (strcmp(s->sample.vms[i].name, name) == 0)
			return i;
	fail_msg("no VM %s", name);
	return 0;
}

static int balloon(const char *name)
{
	return (int)(s->sample.vms[index_of(name)].mem.balloon_kib.v / MIB);
}

static const struct vm_status *status(const char *name)
{
	return &s->vm_status[index_of(name)];
}

static void tell(enum command_kind kind, const char *name, double number, bool on)
{
	struct command c = {.kind = kind, .number = number, .on = on};
	memcpy(c.uuid, s->sample.vms[index_of(name)].uuid, UUID_BYTES);
	engine_command(en, &c);
}

static int logged(const char *text)
{
	int n = 0;
	for (size_t i = 0; i < s->n_log; i++)
		n += strstr(s->log[i].text, text) != NULL;
	return n;
}

static int setup(void **state)
{
	(void)state;
	run_config(&cfg, false, true, 2);
	cfg.reclaim = RECLAIM_PROACTIVE; /* so that something happens by itself */
	return 0;
}

/* --- other lives --- */

/* What was asked of it in the life before is forgotten; statistics are turned on anew, and it is steered. */
static void another_life_begins_anew(void **state)
{
	(void)state;
	begin("vm a\n memory 2G max 4G\nvm b\n memory 1G max 2G\nat 60s stop a\nat 90s start a\n");
	until(58);
	assert_true(balloon("a") < 1700);
	assert_true(vi64_has(status("a")->target_kib));
	until(96);
	assert_int_equal(balloon("a"), 2048);
	assert_false(vi64_has(status("a")->target_kib));
	assert_int_equal(status("a")->mem.why.code, REASON_BOOTING);
	until(200);
	assert_true(balloon("a") < 1000);
	assert_int_equal(s->sample.vms[index_of("a")].mem.period_s.v, 2);
	end();
}

static void a_reboot_is_nobodys_change(void **state)
{
	(void)state;
	begin("vm a\n memory 1G max 4G\n eat 20M/s to 3G after 200s hold 1h\nat 100s reboot a\n");
	never_reason = reason_key(REASON_FOREIGN_BALLOON);
	until(90);
	assert_true(balloon("a") < 700);
	until(500);
	assert_true(balloon("a") > 3200);
	end();
}

/* --- somebody else --- */

static const char foreign[] = "vm a\n memory 1G max 4G\nvm b\n memory 1G max 4G\nat 100s balloon a 1500M\n";

static void a_foreign_balloon_is_noticed_logged_and_left(void **state)
{
	(void)state;
	begin(foreign);
	until(98);
	assert_int_equal(logged("a: somebody else"), 0);
	until(112);
	assert_int_equal(status("a")->mem.why.code, REASON_FOREIGN_BALLOON);
	assert_int_equal(logged("a: somebody else set its balloon; AUTO does not shrink it for 600 s"), 1);
	assert_false(vi64_has(status("a")->target_kib));
	until(698);
	assert_int_equal(balloon("a"), 1500);
	assert_int_equal(logged("a: somebody else"), 1);
	until(900);
	assert_true(balloon("a") < 1000);
	end();
}

/* To its maximum it looks like a reboot, until it stays there. */
static void a_foreign_balloon_at_the_maximum_is_left_too(void **state)
{
	(void)state;
	begin("vm a\n memory 1G max 4G\nat 100s balloon a 4G\n");
	until(150);
	assert_int_equal(status("a")->mem.why.code, REASON_FOREIGN_BALLOON);
	assert_int_equal(logged("a: somebody else set its balloon"), 1);
	until(690);
	assert_int_equal(balloon("a"), 4096);
	until(900);
	assert_true(balloon("a") < 2000);
	end();
}

/* A test that calls setMemory once must not leave its guest to the killer. */
static void a_foreign_balloon_may_grow(void **state)
{
	(void)state;
	begin("host\n memory 24G\nvm a x4\n memory 1G max 4G\n base 300M\n eat 20M/s to 2500M after 130s "
	      "hold 1h\n"
	      "at 100s balloon a-1 512M\nat 100s balloon a-2 512M\n");
	until(125);
	assert_int_equal(status("a-1")->mem.why.code, REASON_FOREIGN_BALLOON);
	assert_int_equal(balloon("a-1"), 512);
	until(400);
	struct sim_report r;
	assert_int_equal(sim_report_get(b, &r), 0);
	assert_int_equal(r.oom_kills, 0);
	assert_true(balloon("a-1") > 2500 && balloon("a-2") > 2500 && balloon("a-3") > 2500);
	assert_int_equal(logged("a-1: somebody else"), 1);
	end();
}

static void h_releases_a_foreign_balloon(void **state)
{
	(void)state;
	begin(foreign);
	until(120);
	assert_int_equal(balloon("a"), 1500);
	tell(CMD_HOLD, "a", 0, false);
	until(130);
	assert_true(balloon("a") < 1500);
	end();
}

/* At the end what somebody else set stays, what we set goes back. */
static void restore_leaves_a_foreign_balloon(void **state)
{
	(void)state;
	begin(foreign);
	until(120);
	assert_true(balloon("b") < 1000);
	engine_leave(en, true);
	engine_wait(en, -1);
	struct command stop = {.kind = CMD_AUTO_MEMORY};
	engine_command(en, &stop);
	until(now_s() + 6);
	assert_int_equal(balloon("a"), 1500);
	assert_int_equal(balloon("b"), 1024);
	end();
}

/* Somebody else's statistics period is neither lowered nor put back. */
static void a_foreign_period_stays(void **state)
{
	(void)state;
	begin("vm a\n memory 1G max 4G\n stats 10\nvm b\n memory 1G max 4G\nat 50s period b 7\n");
	until(120);
	assert_int_equal(s->sample.vms[index_of("a")].mem.period_s.v, 10);
	assert_int_equal(s->sample.vms[index_of("b")].mem.period_s.v, 7);
	assert_true(balloon("a") < 1000 && balloon("b") < 1000);
	engine_leave(en, true);
	until(now_s() + 4);
	assert_int_equal(s->sample.vms[index_of("a")].mem.period_s.v, 10);
	assert_int_equal(s->sample.vms[index_of("b")].mem.period_s.v, 7);
	end();
}

/* --- by hand --- */

static void a_balloon_set_by_hand_stays_within_the_floor_and_is_held(void **state)
{
	(void)state;
	begin("vm a\n memory 1G max 4G\n base 700M\nvm b\n memory 1G max 4G\n");
	until(60);
	tell(CMD_BALLOON, "a", 100 * MIB, false);
	until(70);
	assert_int_equal(balloon("a"), 800); /* what it uses and 100 MiB */
	assert_int_equal(logged("100M is outside its floor and maximum, so 800M"), 1);
	assert_int_equal(status("a")->mem.why.code, REASON_HELD);
	tell(CMD_BALLOON, "a", 9000.0 * MIB, false);
	until(300);
	assert_int_equal(balloon("a"), 4096);
	tell(CMD_UNDO, "a", 0, false);
	until(330);
	assert_int_equal(balloon("a"), 800);
	end();
}

/* --- rules of the user, through a config file --- */

static void config_from(const char *text)
{
	struct err e = ERR_INIT;
	char path[] = "/tmp/vmtop-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	if (conf_read(&cfg, path, false, &e) < 0)
		fail_msg("%s", e.msg);
	unlink(path);
}

static void rules_of_the_config_hold(void **state)
{
	(void)state;
	config_from("[vm small*]\nmem_max = 1G\n[vm roomy]\nmem_min = 1500MiB\n[vm left*]\nexclude_memory = "
		    "yes\n");
	begin("vm small-1\n memory 512M max 4G\n swap 4G\n eat 20M/s to 2G after 60s hold 1h\n"
	      "vm roomy\n memory 2G max 4G\n"
	      "vm left-alone\n memory 2G max 4G\n"
	      "vm granted\n memory 2G max 4G\n guarantee 1200M\n"
	      "vm plain\n memory 2G max 4G\n");
	until(600);
	assert_int_equal(balloon("small-1"), 1024);
	assert_in_range(balloon("roomy"), 1500, 1516);
	assert_int_equal(balloon("left-alone"), 2048);
	assert_int_equal(status("left-alone")->mem.why.code, REASON_EXCLUDED);
	assert_in_range(balloon("granted"), 1200, 1216);
	assert_in_range(balloon("plain"), 512, 700);
	assert_int_equal(status("plain")->mem.floor_kib.v, 512 * MIB);
	end();
}

static void shares_divide_what_is_scarce(void **state)
{
	(void)state;
	config_from("[vm rich]\nmem_shares = 2\n");
	begin("host\n memory 6G\n used 3500M\n"
	      "vm rich\n memory 512M max 4G\n swap 8G\n eat 20M/s to 4G after 10s hold 24h\n"
	      "vm poor\n memory 512M max 4G\n swap 8G\n eat 20M/s to 4G after 10s hold 24h\n");
	until(600);
	int rich = balloon("rich"), poor = balloon("poor");
	assert_true(rich + poor > 1600);
	assert_true(rich >= poor + 100); /* both grow alike while there is enough */
	assert_true(s->sample.host.available_kib.v >= s->memory.reserve_kib.v);
	end();
}

/* --- who cannot be steered --- */

static void each_guest_that_is_left_alone_says_why(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum reason why;
	} rows[] = {
		{"vfio", REASON_VFIO},
		{"sev", REASON_SEV},
		{"locked", REASON_LOCKED},
		{"huge", REASON_HUGEPAGES},
		{"busy", REASON_JOB},
		{"private", REASON_FORBIDDEN},
		{"bare", REASON_NO_DEVICE},
		{"driverless", REASON_NO_DRIVER},
		{"mute", REASON_NO_DRIVER},
		{"late", REASON_BOOTING},
		{"frozen", REASON_NOT_RUNNING},
		{"deaf", REASON_HUNG},
		{"obstinate", REASON_UNCOOPERATIVE},
		{"steered", REASON_MEM_OK},
	};
	begin("vm vfio\n memory 1G max 2G\n flags vfio\nvm sev\n memory 1G max 2G\n flags sev\n"
	      "vm locked\n memory 1G max 2G\n flags locked\nvm huge\n memory 1G max 2G\n flags hugepages\n"
	      "vm busy\n memory 1G max 2G\n flags job\nvm private\n memory 1G max 2G\n flags no-steer\n"
	      "vm bare\n memory 1G max 2G\n balloon no-device\n"
	      "vm driverless\n memory 1G max 2G\n balloon no-driver\n"
	      "vm mute\n memory 1G max 2G\n stats never\nvm late\n memory 1G max 2G\n start 285s\n"
	      "vm frozen\n memory 1G max 2G\nvm deaf\n memory 1G max 2G\n"
	      "vm obstinate\n memory 1G max 2G\n balloon stuck 1G\n"
	      "vm steered\n memory 1G max 2G\nat 5s pause frozen\nat 5s hang deaf\n");
	until(300);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct mem_status *m = &status(rows[i].name)->mem;
		if (m->why.code != rows[i].why)
			fail_msg("%s: %s (%s)", rows[i].name, reason_key(m->why.code), m->why.text);
		assert_int_equal(m->eligible, rows[i].why == REASON_MEM_OK);
		assert_true(m->why.text[0]);
		if (rows[i].why != REASON_MEM_OK && s->sample.vms[index_of(rows[i].name)].mem.balloon_kib.v)
			assert_int_equal(balloon(rows[i].name), 1024);
	}
	assert_int_equal(s->n_eligible_memory, 1);
	end();
}

/* --- modes and pressure --- */

static void pressure_mode_takes_only_under_pressure(void **state)
{
	(void)state;
	cfg.reclaim = RECLAIM_PRESSURE;
	begin("host\n memory 8G\n used 1G\n swap 0M\nvm idle x2\n memory 2G max 4G\nat 200s used 2500M\n"
	      "at 300s used 3800M\n");
	until(198);
	assert_int_equal(calls, 0);
	assert_int_equal(balloon("idle-1"), 2048);
	until(298); /* below twice its reserve, and nobody needs it: what guests were found with stays */
	assert_int_equal(s->memory.state, HOST_MEM_SOFT);
	assert_int_equal(calls, 0);
	until(360);
	assert_true(s->sample.host.available_kib.v > s->memory.reserve_kib.v / 2);
	assert_true(calls >= 2);
	assert_true(balloon("idle-1") < 1900 || balloon("idle-2") < 1900);
	end();
	cfg.reclaim = RECLAIM_PROACTIVE;
	begin("host\n memory 8G\n used 1G\nvm idle x2\n memory 2G max 4G\n");
	until(198);
	assert_true(balloon("idle-1") < 700 && balloon("idle-2") < 700);
	end();
}

static void memory_pressure_of_the_host_makes_the_state(void **state)
{
	(void)state;
	begin("host\n memory 32G\nvm idle\n memory 1G max 2G\nat 50s pressure 12 1\nat 100s pressure 12 6\n"
	      "at 150s pressure 0 0\n");
	until(48);
	assert_int_equal(s->memory.state, HOST_MEM_OK);
	until(70);
	assert_int_equal(s->memory.state, HOST_MEM_SOFT);
	until(120);
	assert_int_equal(s->memory.state, HOST_MEM_HARD);
	until(170);
	assert_int_equal(s->memory.state, HOST_MEM_OK);
	end();
}

/* Guests that want more than there is, for ever: they are told once, and then nothing moves. */
static void constant_hunger_ends_in_silence(void **state)
{
	(void)state;
	begin("host\n memory 6G\n used 2176M\nvm hungry x4\n memory 512M max 2048M\n swap 4G\n"
	      " eat 16-21M/s to 1900M after 10s hold 24h\nvm idle\n memory 512M max 2G\n");
	until(1500);
	int before = calls;
	until(1800);
	assert_int_equal(calls, before);
	end();
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(another_life_begins_anew),
		T(a_reboot_is_nobodys_change),
		T(a_foreign_balloon_is_noticed_logged_and_left),
		T(a_foreign_balloon_at_the_maximum_is_left_too),
		T(a_foreign_balloon_may_grow),
		T(h_releases_a_foreign_balloon),
		T(restore_leaves_a_foreign_balloon),
		T(a_foreign_period_stays),
		T(a_balloon_set_by_hand_stays_within_the_floor_and_is_held),
		T(rules_of_the_config_hold),
		T(shares_divide_what_is_scarce),
		T(each_guest_that_is_left_alone_says_why),
		T(pressure_mode_takes_only_under_pressure),
		T(memory_pressure_of_the_host_makes_the_state),
		T(constant_hunger_ends_in_silence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
