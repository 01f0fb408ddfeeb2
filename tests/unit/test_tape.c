/* SPDX-License-Identifier: MIT */
/* The last hour of snapshots: what is read back is what was shown, within the memory that was agreed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/ui/tape.h"
#include "support/bigsnap.h"
#include "support/dump.h"
#include "vmtop/view.h"

/* Every view of a snapshot, as text, without what the log says. */
static char *screens(struct snapshot *s)
{
	static const int keys[] = {'0', '1', '2', '3', '4', 'w'};
	struct config cfg;
	config_defaults(&cfg);
	cfg.sparklines = false; /* of the screen's own history */
	struct view *v = view_new(&cfg);
	struct screen to;
	struct command c;
	char *all = calloc(6, 200 * 60 * 4);
	assert_non_null(all);
	assert_int_equal(screen_init(&to, 60, 200), 0);
	s->n_log = 0;
	view_feed(v, s);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		view_key(v, keys[i], s, &c);
		view_draw(v, s, &to, 0, 0);
		char *text = screen_dump(&to);
		strcat(all, text);
		free(text);
	}
	screen_done(&to);
	view_free(v);
	return all;
}

static void same(const char *was, const char *is)
{
	while (*was && !strncmp(was, is, strcspn(was, "\n") + 1)) {
		is += strcspn(was, "\n") + 1;
		was += strcspn(was, "\n") + 1;
	}
	if (*was)
		fail_msg("\n%.*s\n%.*s", (int)strcspn(was, "\n"), was, (int)strcspn(is, "\n"), is);
}

/* A number in the middle between two tenths may be shown as either: the last bit is not kept. */
static void round_off(struct snapshot *s)
{
	for (size_t i = 0; i < s->sample.n_vms; i++) {
		s->vm_rates[i].cpu_pct.v = round(s->vm_rates[i].cpu_pct.v * 10) / 10;
		s->vm_rates[i].demand_pct.v = round(s->vm_rates[i].demand_pct.v * 10) / 10;
	}
	for (size_t i = 0; i < s->sample.n_vcpus; i++)
		s->vcpu_rates[i].demand_pct.v = round(s->vcpu_rates[i].demand_pct.v * 10) / 10;
}

static void test_comes_back(void **state)
{
	(void)state;
	struct tape *t = tape_new(300, 1 << 26);
	struct snapshot *s = bigsnap_new(40, 64);
	char *was[200];
	for (int i = 0; i < 200; i++) {
		bigsnap_tick(s);
		round_off(s);
		s->sample.n_vms -= i == 90; /* one goes */
		tape_feed(t, s);
		was[i] = i % 7 ? NULL : screens(s);
	}
	assert_int_equal(tape_end(t), 200);
	for (int i = 0; i < 200; i += 7) {
		struct snapshot *back = tape_read(t, (uint64_t)i);
		assert_non_null(back);
		assert_int_equal(back->sample.time_ns, tape_time_ns(t, (uint64_t)i));
		char *is = screens(back);

		same(was[i], is);
		snapshot_free(back);
		free(is);
		free(was[i]);
	}
	tape_free(t);
	bigsnap_free(s);
}

/* However little room there is, what is kept is within it and can be read. */
static void test_bounded(void **state)
{
	(void)state;
	static const size_t frames[] = {1, 7, 64, 100, 1000}, bytes[] = {1, 40000, 100000, 1 << 20};
	for (size_t f = 0; f < sizeof frames / sizeof frames[0]; f++)
		for (size_t b = 0; b < sizeof bytes / sizeof bytes[0]; b++) {
			struct tape *t = tape_new(frames[f], bytes[b]);
			struct snapshot *s = bigsnap_new(5, 8);
			size_t empty = tape_bytes(t), image = 0;
			for (int i = 0; i < 200; i++) {
				bigsnap_tick(s);
				tape_feed(t, s);
				image = image ? image : tape_bytes(t) - empty;
				assert_true(tape_end(t) - tape_first(t) <= frames[f]);
				assert_true(tape_bytes(t) <= empty + image + bytes[b] + 4096);
				for (uint64_t k = tape_first(t); i % 50 == 0 && k < tape_end(t); k++) {
					struct snapshot *x = tape_read(t, k);
					assert_int_equal(x->sample.time_ns, tape_time_ns(t, k));
					snapshot_free(x);
				}
			}
			assert_null(tape_read(t, tape_end(t)));
			tape_free(t);
			bigsnap_free(s);
		}
}

static void test_no_vm(void **state)
{
	(void)state;
	struct tape *t = tape_new(4, 1 << 20);
	struct snapshot *s = bigsnap_new(0, 1);
	tape_feed(t, s);
	struct snapshot *x = tape_read(t, 0);
	assert_int_equal(x->sample.n_vms, 0);
	snapshot_free(x);
	tape_free(t);
	bigsnap_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_no_vm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
