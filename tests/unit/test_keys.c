/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmtop/keys.h"
#include "vmtop/theme.h"
#include "vmtop/view.h"

/* Within one place no key has two meanings. */
static void test_no_key_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < key_count(); i++)
		for (size_t j = i + 1; j < key_count(); j++)
			for (int a = 0; a < 4 && key_at(i)->keys[a]; a++)
				for (int b = 0; b < 4 && key_at(j)->keys[b]; b++)
					if (key_at(i)->keys[a] == key_at(j)->keys[b] &&
						(key_at(i)->where & key_at(j)->where))
						fail_msg("\"%s\" and \"%s\" share a key", key_at(i)->help,
							key_at(j)->help);
}

/* A name stands for each key or pair of keys, and each has a line of help. */
static void test_every_key_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < key_count(); i++) {
		const struct key_row *k = key_at(i);
		assert_int_equal(k->name[0] != '\0', k->help[0] != '\0');
		assert_int_equal(k->rank > 0, k->label && k->label[0]);
		assert_int_equal(k->rank > 0, k->footer && k->footer[0]);
		/* A key without a name is the second of a pair: the row before tells of both. */
		if (!k->name[0])
			assert_true(i > 0);
	}
}

static void test_readonly_has_no_steering(void **state)
{
	static const int steering[] = {'b', 'a', 'm', 'B', 'u', 'U', 'E', '=', 'H', 'G', 'X', 'O', 'p'};
	(void)state;
	for (size_t i = 0; i < sizeof steering / sizeof steering[0]; i++) {
		assert_non_null(key_find(steering[i], IN_VIEWS, false));
		assert_null(key_find(steering[i], IN_VIEWS, true));
	}
	assert_null(key_find('y', IN_PREVIEW, true));
	assert_int_equal(key_find('q', IN_VIEWS, true)->action, KEY_QUIT);
	assert_int_equal(key_find(VK_ESC, IN_EDIT, true)->action, KEY_DROP);
}

static void test_escape_and_enter_by_place(void **state)
{
	(void)state;
	assert_int_equal(key_find(VK_ESC, IN_VIEWS, false)->action, KEY_BACK);
	assert_int_equal(key_find(VK_ESC, IN_PREVIEW, false)->action, KEY_DROP);
	assert_int_equal(key_find(VK_ENTER, IN_VIEWS, false)->action, KEY_OPEN);
	assert_int_equal(key_find(VK_ENTER, IN_EDIT, false)->action, KEY_LIST);
	assert_int_equal(key_find(' ', IN_VIEWS, false)->action, KEY_SAMPLE);
	assert_int_equal(key_find(' ', IN_EDIT, false)->action, KEY_TOGGLE);
	assert_null(key_find('y', IN_VIEWS, false));
}

static bool in_footer(enum key_place where, unsigned view, bool readonly, int key, int width)
{
	const struct key_row *rows[64];
	size_t n = key_footer(where, view, readonly, rows, 64);
	for (size_t i = 0; i < n; i++) {
		width -= (int)(strlen(rows[i]->footer) + 2 + strlen(rows[i]->label));
		if (rows[i]->keys[0] == key)
			return width >= -1;
	}
	return false;
}

/* What matters in a view fits into 80 columns, and no key leads to where one is. */
static void test_footer_by_view(void **state)
{
	static const struct {
		unsigned view;
		int own; /* the key of this view */
		const char *first;
	} views[] = {{AT_OVERVIEW, '0', "q?bvamu/"}, {AT_PCPUS, '1', "q?bvE!u/"},
		{AT_MEMORY, '2', "q?mB=u/w"}, {AT_LOG, '3', "q?u[g'R"}, {AT_VM, VK_ENTER, "q?=Hwu/"},
		{AT_WHY, 0, "q?wub"}};
	(void)state;
	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		for (const char *k = views[i].first; *k; k++)
			if (!in_footer(IN_VIEWS, views[i].view, false, *k, 80))
				fail_msg("view %zu: %c is not in the footer", i, *k);
		assert_true(in_footer(IN_VIEWS, views[i].view, false, VK_F1 + 1, 80));
		assert_false(in_footer(IN_VIEWS, views[i].view, false, views[i].own, 9999));
		assert_int_equal(in_footer(IN_VIEWS, views[i].view, false, VK_ESC, 80), i > 0);
		assert_false(in_footer(IN_VIEWS, views[i].view, true, 'u', 9999));
	}
	assert_true(in_footer(IN_PREVIEW, AT_PLAN, false, 'y', 20));
	assert_true(in_footer(IN_REPLAY, AT_OVERVIEW, false, ' ', 40));
	assert_true(in_footer(IN_PAST, AT_PCPUS, false, VK_ESC, 40));
}

/* Never colour alone: what matters differs without colour too. */
static void test_themes(void **state)
{
	(void)state;
	assert_string_equal(theme_find(NULL)->name, "default");
	assert_string_equal(theme_find("")->name, "default");
	assert_null(theme_find("nosuch"));
	for (size_t i = 0; i < theme_count(); i++) {
		const struct look *l = theme_at(i)->looks;
		if (!l)
			continue;
		assert_int_not_equal(l[STYLE_SELECTED].mono, l[STYLE_NORMAL].mono);
		assert_int_not_equal(l[STYLE_BAD].mono, l[STYLE_NORMAL].mono);
		assert_int_not_equal(l[STYLE_KEY].mono, l[STYLE_KEY_TEXT].mono);
		assert_int_not_equal(l[STYLE_SORTED].mono, l[STYLE_HEADER].mono);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_key_twice),
		cmocka_unit_test(test_every_key_is_told),
		cmocka_unit_test(test_readonly_has_no_steering),
		cmocka_unit_test(test_escape_and_enter_by_place),
		cmocka_unit_test(test_footer_by_view),
		cmocka_unit_test(test_themes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
