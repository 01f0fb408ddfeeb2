/* SPDX-License-Identifier: MIT */
/* What a view has at hand: the header's clock and counts, the column that rows are sorted by, marks and holds
 * of all VMs, the VM before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/dump.h"
#include "support/seat.h"
#include "vmtop/keys.h"

static char text[300 * 100 * 8];

static bool shows(struct seat *t, const char *words)
{
	return strstr(shown(t, text, sizeof text), words) != NULL;
}

/* The same at another width. */
static bool shows_wide(struct seat *t, int cols, const char *words)
{
	struct screen s;
	assert_int_equal(screen_init(&s, 24, cols), 0);
	view_draw(t->v, t->s, &s, 0, 0);
	char *all = screen_dump(&s);
	bool has = strstr(all, words) != NULL;
	free(all);
	screen_done(&s);
	return has;
}

static void test_header(void **state)
{
	struct seat *t = *state;
	assert_true(shows(t, " · 15:06:40 · 16 VMs: 1 paused, 1 hung · busy 55 %"));
	assert_true(shows_wide(t, 140, "· 16 VMs: 14 running, 1 paused, 1 hung · busy 55 %"));
	assert_false(shows(t, "STALE"));
	t->s->age_s = 12;
	assert_true(shows(t, "STALE 12 s"));
	t->s->busy_pct = vf64_absent(AVAIL_UNSUPPORTED);
	assert_false(shows(t, "busy")); /* not known is not said */
	for (size_t i = 0; i < t->s->sample.n_vms; i++) {
		t->s->sample.vms[i].state = VM_RUNNING;
		t->s->sample.vms[i].hung_since_ns = 0;
	}
	assert_true(shows_wide(t, 140, "· 16 VMs running"));
}

/* The letters of the head, between its first and its last line end. */
static bool in_head(struct seat *t, const char *head)
{
	shown(t, text, sizeof text);
	char *line = strstr(text, "NAME");
	assert_non_null(line);
	line[strcspn(line, "\n")] = '\0';
	return strstr(line, head) != NULL;
}

static void test_sorted_column_is_seen(void **state)
{
	struct seat *t = *state;
	static const struct {
		int key;
		const char *head;
	} sorts[] = {{'T', "TIME"}, {'N', "ID"}, {'S', "SUFFER%"}, {'A', "WAIT%"}, {'M', "BALL"}};
	assert_false(in_head(t, "TIME"));
	for (int view = '0'; view <= '2'; view += 2)
		for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
			press(t, view);
			press(t, sorts[i].key);
			if (!in_head(t, sorts[i].head))
				fail_msg("view %c, %c: %s", view, sorts[i].key, text);
		}
	press(t, '0'); /* among columns that somebody chose, too, and scrolled */
	press(t, VK_RIGHT);
	press(t, VK_RIGHT);
	press(t, 'T');
	assert_true(in_head(t, "TIME"));
	press(t, 'P');
	assert_false(in_head(t, "TIME"));
	assert_true(in_head(t, "CPU%"));
}

static void test_chosen_columns_keep_the_sorted_one(void **state)
{
	(void)state;
	struct seat *t;
	sit_with((void **)&t,
		&(struct config){.delay_s = 2,
			.columns = "name,state,wait,cpu,demand,pins,balloon,max,used,usable,note,mem,rss"});
	assert_false(in_head(t, "RSS"));
	assert_true(in_head(t, "NEED%"));
	press(t, 'T');
	assert_true(in_head(t, "TIME"));
	rise((void **)&t);
}

static void test_mark_all(void **state)
{
	struct seat *t = *state;
	struct command c;
	press(t, '\\');
	type(t, "^web");
	press(t, VK_ENTER);
	press(t, '*');
	assert_true(shows(t, "3 VMs marked"));
	assert_int_equal(press(t, 'X'), CMD_EXCLUDE);
	int n = 1;
	while (view_more(t->v, &c))
		n += c.kind == CMD_EXCLUDE;
	assert_int_equal(n, 3);
	press(t, '*');
	assert_true(shows(t, "0 VMs marked"));
	press(t, 'x');
	press(t, '*'); /* the rest of them too */
	assert_true(shows(t, "3 VMs marked"));
}

/* One is held by the user (fixture), one more for a pin that somebody else has set on a vCPU of it. */
static void test_release_all(void **state)
{
	struct seat *t = *state;
	struct command c;
	const struct vm_sample *m = &t->s->sample.vms[7];
	t->s->vcpu_status[m->first_vcpu].cpu = REASON_FOREIGN;
	assert_int_equal(press(t, 'G'), CMD_NONE);
	assert_true(asks(t, "Release 2 held VMs?"));
	assert_int_equal(press(t, 'n'), CMD_NONE);
	press(t, 'G');
	assert_int_equal(press(t, 'y'), CMD_HOLD);
	assert_false(t->c.on);
	assert_true(view_more(t->v, &c));
	assert_int_equal(c.kind, CMD_HOLD);
	assert_false(c.on);
	assert_false(view_more(t->v, &c));
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		t->s->vm_status[i].cpu = REASON_NONE;
	for (size_t i = 0; i < t->s->sample.n_vcpus; i++)
		t->s->vcpu_status[i].cpu = REASON_NONE;
	assert_int_equal(press(t, 'G'), CMD_NONE);
	assert_true(shows(t, "no VM is held"));
}

/* After an undo the row says which key lets go of the VM; not where that key is none. */
static void test_held_row_names_its_key(void **state)
{
	struct seat *t = *state;
	for (size_t i = 0; i < t->s->sample.n_vms; i++)
		if (t->s->vm_status[i].cpu == REASON_HELD)
			t->s->vm_status[i].held_for_s = -1;
	view_feed(t->v, t->s);
	press(t, 'N');
	assert_true(shows(t, "HELD (H)"));
	assert_true(shows_wide(t, 200, "H releases"));
	t->s->readonly = true;
	view_feed(t->v, t->s);
	assert_false(shows(t, "HELD (H)"));
	assert_true(shows(t, "HELD"));
}

/* The table alone: a head, and nineteen rows of 24. */
static void test_zoom(void **state)
{
	struct seat *t = *state;
	bigsnap_free(t->s);
	t->s = bigsnap_new(40, 8);
	view_feed(t->v, t->s);
	press(t, 'z');
	for (const char *view = "02"; *view; view++) {
		press(t, *view);
		shown(t, text, sizeof text);
		assert_non_null(strstr(text, "1-17 of 40"));
		assert_null(strstr(text, "Pin map"));
		assert_null(strstr(text, "Decisions"));
	}
	press(t, '1');
	shown(t, text, sizeof text);
	assert_non_null(strstr(text, "Pin map"));
	assert_null(strstr(text, "choose a pCPU and tell"));
	press(t, 'z');
	press(t, '0');
	assert_true(shows(t, "Pin map"));
}

static void test_next_vm_in_its_view(void **state)
{
	struct seat *t = *state;
	uint8_t first[UUID_BYTES];
	press(t, VK_ENTER);
	assert_int_equal(press(t, 'H'), CMD_HOLD);
	memcpy(first, t->c.uuid, UUID_BYTES);
	press(t, VK_RIGHT);
	press(t, 'H');
	assert_memory_not_equal(t->c.uuid, first, UUID_BYTES);
	shows(t, "");
	press(t, VK_TAB); /* to what was decided about it */
	press(t, VK_LEFT);
	press(t, 'H');
	assert_memory_equal(t->c.uuid, first, UUID_BYTES);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
#define SEATED(test) cmocka_unit_test_setup_teardown(test, sit, rise)
	const struct CMUnitTest tests[] = {
		SEATED(test_header),
		SEATED(test_sorted_column_is_seen),
		cmocka_unit_test(test_chosen_columns_keep_the_sorted_one),
		SEATED(test_mark_all),
		SEATED(test_release_all),
		SEATED(test_held_row_names_its_key),
		SEATED(test_zoom),
		SEATED(test_next_vm_in_its_view),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
