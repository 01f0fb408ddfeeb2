/* SPDX-License-Identifier: MIT */
/* Hosts of the field: what --check says of each, and its first screen, through vmtop's own readers of
 * libvirt, /proc, /sys and control groups. `make golden` writes the screens anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/dump.h"
#include "support/field_host.h"
#include "support/golden.h"
#include "support/state_home.h"
#include "vmtop/batch.h"
#include "vmtop/config.h"
#include "vmtop/view.h"

enum { TICKS = 6 };

static struct engine *open_host(const struct field_kind *kind, bool dry_run)
{
	struct err e = ERR_INIT;
	struct config cfg;
	config_defaults(&cfg);
	cfg.delay_s = 2;
	cfg.dry_run = dry_run;
	cfg.batch = dry_run;
	struct engine *en = engine_new(&cfg, field_host_open(kind), &e);
	if (!en)
		fail_msg("%s: %s", kind->name, e.msg);
	return en;
}

/* The plan is there and fits the host, as it was printed. */
static void check_plan(const struct field_kind *kind, const struct engine *en)
{
	static struct field f;
	struct snapshot *s = engine_snapshot(en);
	assert_non_null(s);
	field_make(&f, kind);
	if (field_plan_fits(&f, s, kind->room ? kind->room : kind->cure) < 2)
		fail_msg("%s: there is no plan for the guest that is stacked", kind->name);
	snapshot_free(s);
}

static void check_says(const struct field_kind *kind)
{
	char *text = NULL;
	size_t n;
	struct err e = ERR_INIT;
	FILE *to = open_memstream(&text, &n);
	struct engine *en = open_host(kind, true);
	int rc = check_run(en, to, &e);
	fclose(to);
	check_plan(kind, en);
	engine_free(en);
	if (getenv("VMTOP_FIELD"))
		printf("---- %s: %s\n%s", kind->name, kind->what, text);
	if (rc < 0)
		fail_msg("%s: %s\n%s", kind->name, e.msg, text);
	for (int i = 0; i < FIELD_LINES && kind->says[i]; i++)
		if (!strstr(text, kind->says[i]))
			fail_msg("%s does not say \"%s\" but:\n%s", kind->name, kind->says[i], text);
	free(text);
}

static void what_check_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_field_kinds; i++)
		check_says(&field_kinds[i]);
}

/* ---- the first screen ---- */

static void shoot(const struct field_kind *kind, const struct snapshot *s, struct view *v, int rows, int cols)
{
	char path[160];
	struct screen o;
	assert_int_equal(screen_init(&o, rows, cols), 0);
	view_draw(v, s, &o, 0, 0); /* pages are known after the first frame */
	view_draw(v, s, &o, 0, 0);
	char *text = screen_dump(&o);
	assert_non_null(text);
	snprintf(path, sizeof path, "tests/screen/golden/field-%s-%dx%d.txt", kind->name, cols, rows);
	golden_is(path, text);
	free(text);
	screen_done(&o);
}

static void first_screen(const struct field_kind *kind)
{
	struct config cfg;
	config_defaults(&cfg);
	cfg.delay_s = 2;
	struct view *v = view_new(&cfg);
	struct engine *en = open_host(kind, false);
	struct snapshot *s = NULL;
	assert_non_null(v);
	for (int i = 0; i < TICKS; i++) {
		struct err e = ERR_INIT;
		if (engine_step(en, &e) < 0)
			fail_msg("%s: %s", kind->name, e.msg);
		snapshot_free(s);
		s = engine_snapshot(en);
		assert_non_null(s);
		view_feed(v, s);
		engine_wait(en, -1);
	}
	shoot(kind, s, v, 24, 80);
	shoot(kind, s, v, 40, 120);
	snapshot_free(s);
	view_free(v);
	engine_free(en);
}

static void what_is_seen_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_field_kinds; i++)
		first_screen(&field_kinds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_check_says),
		cmocka_unit_test(what_is_seen_first),
	};
	return cmocka_run_group_tests(tests, state_home_make, state_home_remove);
}
