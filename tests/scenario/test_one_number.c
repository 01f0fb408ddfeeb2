/* SPDX-License-Identifier: MIT */
/* One number, one source: the deviation with its limit, the best found and the bound are the same in the
 * header, JSON, OpenMetrics, batch text, verdict, log and recording of the same tick, and a round acts by
 * what is shown. Whole runs of many hosts under each policy, every tick, with previews and rebalances by key.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "support/dump.h"
#include "support/recorded.h"
#include "support/run_scenario.h"
#include "vmtop/batch.h"
#include "vmtop/record.h"
#include "vmtop/view.h"

/* Beside those that are shipped. */
#define FLOATS "host\n pcpus 8\n smt 2\nvm a x6\n load 35% noise 20%\nvm b x5\n load 20%\n"
#define STRAYS                                                                                               \
	"host\n pcpus 6\n nodes 2\nvm a x8\n load 30% noise 30%\n pin 0\nvm b x4\n cpuset 3-5\n load "       \
	"40%\n"                                                                                              \
	" pin each 3-5\nat 20s pin b-1 0\nat 40s pin b-2 1\n"
#define HELD "host\n pcpus 2\nvm a x2\n load 20%\n pin 0\nat 1s pin a-1 0\nat 1s pin a-2 0\n"

static const char *const hosts[] = {
	"demo", "churn", "cpu1", "cpu7", "cpuset3", "nodes", "overload", FLOATS, STRAYS, HELD};

enum { STEPS = 50, COMPARED = 4 }; /* deviation, limit, found, bound */

struct shown {
	const char *host;
	int n, compared, logged, planned;
	double kept[STEPS][COMPARED]; /* NAN: absent */
};

static void numbers_of(const struct cpu_verdict *v, double to[COMPARED])
{
	const struct vf64 from[] = {v->stddev_pct, v->limit_pct, v->found_pct, v->bound_pct};
	for (int i = 0; i < COMPARED; i++)
		to[i] = vf64_has(from[i]) ? from[i].v : NAN;
}

static bool near(double a, double b, double by)
{
	return isnan(a) ? isnan(b) : fabs(a - b) <= by;
}

/* Text has a tenth of a point. */
static void same(const struct shown *x, const char *where, double is, double want, const char *text)
{
	if (!near(want, is, 0.0501))
		fail_msg("%s, step %d: %s says %.2f, the verdict %.2f: %s", x->host, x->n, where, is, want,
			text);
}

static double after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	char *end = NULL;
	double x = at ? strtod(at + strlen(word), &end) : NAN;
	return at && end > at + strlen(word) ? x : NAN; /* "-": absent */
}

/* "... 12.3 %, found 9.8 %, no plan below 9.1 %, limit 11.3 %", or "sd 12.3 % > 5.0 %" of the origin's. */
static bool look_at_why(const struct shown *x, const char *where, const char *text, const double v[COMPARED])
{
	const char *found = strstr(text, " %, found "), *sd = strstr(text, "sd ");
	if (found) {
		const char *from = found;
		while (from > text && strchr("0123456789.", from[-1]))
			from--;
		same(x, where, strtod(from, NULL), v[0], text);
		same(x, where, after(text, "found "), v[2], text);
		same(x, where, after(text, "no plan below "), v[3], text);
		same(x, where, after(text, "limit "), v[1], text);
	} else if (sd) {
		const char *limit = strpbrk(sd, "<>");
		same(x, where, strtod(sd + 3, NULL), v[0], text);
		same(x, where, limit ? strtod(limit + 1 + (limit[1] == '='), NULL) : NAN, v[1], text);
	}
	return found || sd;
}

/* Every line about a CPU round that is new with this step. */
static void look_at_log(struct shown *x, const struct snapshot *s, uint64_t since, const double v[COMPARED])
{
	static const char *const rounds[] = {"CPU: ", "preview: ", "no action: "};
	for (size_t i = 0; i < s->n_log; i++)
		for (size_t k = 0; k < 3 && s->log[i].seq > since; k++)
			if (strncmp(s->log[i].text, rounds[k], strlen(rounds[k])) == 0)
				x->logged += look_at_why(x, "the log", s->log[i].text, v);
}

static void look_at_header(
	const struct shown *x, struct view *view, const struct snapshot *s, const double v[COMPARED])
{
	struct screen to;
	screen_init(&to, 24, 200);
	view_feed(view, s);
	view_draw(view, s, &to, 0, 0);
	char *text = screen_dump(&to);
	assert_non_null(strstr(text, "deviation "));
	same(x, "the header", after(text, "deviation "), v[0], text);
	const char *over = strstr(text, "over limit "), *within = strstr(text, "within limit ");
	if (!isnan(v[0]) && !isnan(v[1])) {
		assert_true(!over != !within);
		assert_int_equal(over != NULL, v[0] > v[1]);
		same(x, "the header", after(text, " limit "), v[1], text);
	}
	free(text);
	screen_done(&to);
}

static char *output(int (*write)(struct batch_out *, const struct snapshot *, struct err *),
	const struct snapshot *s, enum out_format f)
{
	struct config cfg;
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	config_defaults(&cfg);
	cfg.format = f;
	struct batch_out o = {.cfg = &cfg, .to = open_memstream(&text, &len), .log_seen = UINT64_MAX};
	assert_int_equal(batch_columns(&o, &e), 0);
	assert_int_equal(write(&o, s, &e), 0);
	fclose(o.to);
	tally_free(o.tally);
	return text;
}

static void look_at_json(const struct shown *x, const struct snapshot *s, const double v[COMPARED])
{
	static const struct {
		const char *key;
		int at;
	} keys[] = {{"stddev_pct", 0}, {"load_stddev_pct", 0}, {"limit_pct", 1}, {"found_pct", 2},
		{"bound_pct", 3}};
	char *text = output(json_write, s, OUT_JSON);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *cpu = json_object_get(json_object_get(root, "host"), "cpu");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const json_t *is = json_object_get(cpu, keys[i].key);
		assert_non_null(is);
		same(x, keys[i].key, json_is_null(is) ? NAN : json_real_value(is), v[keys[i].at], "JSON");
	}
	json_decref(root);
	free(text);
}

static void look_at_outputs(const struct shown *x, const struct snapshot *s, const double v[COMPARED])
{
	char *text = output(text_write, s, OUT_TEXT), *om = output(openmetrics_write, s, OUT_OPENMETRICS);
	assert_non_null(strstr(text, "deviation "));
	same(x, "batch text", after(text, "deviation "), v[0], text);
	same(x, "batch text", after(text, "(limit "), v[1], text);
	static const char *const names[] = {"\nvmtop_host_deviation_ratio ",
		"\nvmtop_host_deviation_limit_ratio ", "\nvmtop_host_deviation_reachable_ratio ",
		"\nvmtop_host_deviation_bound_ratio "};
	for (int i = 0; i < COMPARED; i++)
		same(x, "OpenMetrics", 100 * after(om, names[i]), v[i], names[i] + 1);
	free(text);
	free(om);
	look_at_json(x, s, v);
}

/* Who moves says what there is to cure; "balanced" is not said above the limit, nor "over" below it. */
static void look_at_verdict(const struct shown *x, const struct snapshot *s, const double v[COMPARED])
{
	const struct why *w = &s->cpu.why;
	if (isnan(v[0]) || isnan(v[1]) || s->granularity == GRAN_AUTO || s->cpu_policy != CPU_POLICY_MINMOVE)
		return;
	if (w->code == REASON_BALANCED && v[0] > v[1])
		fail_msg("%s, step %d: balanced above the limit: %s", x->host, x->n, w->text);
	bool acts = w->code == REASON_MOVE || w->code == REASON_CONFIRM || w->code == REASON_COOLDOWN;
	bool cause = strstr(w->text, "cores differ") || strstr(w->text, "wanted by more");
	if (acts && s->auto_cpu && v[0] <= v[1] && !cause)
		fail_msg("%s, step %d: acts within the limit: %s", x->host, x->n, w->text);
}

static void look(struct shown *x, struct view *view, const struct snapshot *s, uint64_t since)
{
	double *v = x->kept[x->n];
	numbers_of(&s->cpu, v);
	x->compared += look_at_why(x, "the verdict", s->cpu.why.text, v);
	look_at_log(x, s, since, v);
	look_at_header(x, view, s, v);
	look_at_outputs(x, s, v);
	look_at_verdict(x, s, v);
	x->planned += (int)s->n_actions;
	x->n++;
}

static void press(struct engine *en, int step, bool automatic)
{
	static const enum command_kind keys[] = {CMD_PREVIEW, CMD_PREVIEW_DROP, CMD_NONE, CMD_REBALANCE};
	enum command_kind k = step % 8 < 4 && !automatic ? keys[step % 8] : CMD_NONE;
	if (k == CMD_REBALANCE && step % 24 != 19)
		k = CMD_NONE;
	if (k != CMD_NONE)
		engine_command(en, &(struct command){.kind = k});
}

/* The recording has a decision for each step. */
static void look_at_recording(const struct shown *x, const char *path)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int n = 0;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db,
			"SELECT stddev_pct, limit_pct, found_pct, bound_pct FROM decision ORDER BY tick", -1,
			&q, NULL),
		SQLITE_OK);
	for (; sqlite3_step(q) == SQLITE_ROW && n < x->n; n++)
		for (int i = 0; i < COMPARED; i++) {
			double is =
				sqlite3_column_type(q, i) == SQLITE_NULL ? NAN : sqlite3_column_double(q, i);
			if (!near(x->kept[n][i], is, 1e-9))
				fail_msg("%s, step %d: %.9g recorded, %.9g shown", x->host, n, is,
					x->kept[n][i]);
		}
	assert_int_equal(n, x->n);
	sqlite3_finalize(q);
	sqlite3_close(db);
}

static void run_host(struct shown *x, const struct config *cfg, const char *path)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_record(run_open(x->host), cfg, &e);
	struct engine *en = b ? engine_new(cfg, b, &e) : NULL;
	struct view *view = view_new(cfg);
	uint64_t since = 0;
	if (!en)
		fail_msg("%s: %s", x->host, e.msg);
	for (int i = 0; i < STEPS; i++) {
		press(en, i, cfg->auto_cpu);
		engine_step(en, &e);
		struct snapshot *s = engine_snapshot(en);
		if (!s->first && x->n == i)
			look(x, view, s, since);
		since = s->n_log ? s->log[s->n_log - 1].seq : since;
		snapshot_free(s);
		if (!engine_wait(en, -1))
			break;
	}
	view_free(view);
	engine_free(en);
	look_at_recording(x, path);
}

static void each_host(enum cpu_policy_id policy, enum granularity g, bool automatic)
{
	int compared = 0, logged = 0, planned = 0;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		static struct shown x;
		struct config cfg;
		static int made;
		char path[256], name[32];
		run_config(&cfg, automatic, false, 2);
		cfg.batch = false; /* previews are worked out each step then */
		cfg.cpu_policy = policy;
		cfg.granularity = g;
		snprintf(name, sizeof name, "%d.rec", made++);
		snprintf(cfg.record, sizeof cfg.record, "%s", recorded_path(path, name));
		memset(&x, 0, sizeof x);
		x.host = hosts[i];
		run_host(&x, &cfg, path);
		assert_true(x.n > 20);
		compared += x.compared;
		logged += x.logged;
		planned += x.planned;
	}
	/* else nothing was looked at */
	assert_true(compared > 300);
	assert_true(logged >= (automatic ? 5 : 50));
	assert_true(planned >= 5);
}

static void test_minmove(void **state)
{
	(void)state;
	each_host(CPU_POLICY_MINMOVE, GRAN_AUTO, true);
	each_host(CPU_POLICY_MINMOVE, GRAN_CPU, true);
	each_host(CPU_POLICY_MINMOVE, GRAN_NODE, true);
}

static void test_by_hand(void **state)
{
	(void)state;
	each_host(CPU_POLICY_MINMOVE, GRAN_AUTO, false);
	each_host(CPU_POLICY_MINMOVE, GRAN_CORE, false);
}

static void test_origin(void **state)
{
	(void)state;
	for (enum cpu_policy_id p = CPU_POLICY_ORIGIN_A; p <= CPU_POLICY_ORIGIN_C; p++)
		for (int automatic = 0; automatic < 2; automatic++)
			each_host(p, GRAN_CPU, automatic);
}

/* All held: nobody moves, but the numbers are those that would have been decided by. */
static void test_all_held(void **state)
{
	(void)state;
	struct config cfg;
	struct run r;
	run_config(&cfg, true, false, 2);
	run_scenario(&r, &(struct run_options){.scenario = HELD, .cfg = &cfg, .seconds = 30});
	assert_int_equal(r.last->cpu.why.code, REASON_HELD);
	assert_true(vf64_has(r.last->cpu.stddev_pct));
	assert_float_equal(r.last->cpu.stddev_pct.v, 20, 3);
	run_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minmove),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_all_held),
	};
	return cmocka_run_group_tests(tests, NULL, recorded_teardown);
}
