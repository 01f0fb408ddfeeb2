/* SPDX-License-Identifier: MIT */
/* The command line: each word does something, Tab completes, what is wrong gets one line and changes nothing;
 * the mouse on the footer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/seat.h"
#include "vmtop/columns.h"
#include "vmtop/layout.h"
#include "vmtop/line.h"
#include "vmtop/settings.h"

static char text[24 * 80 * 8];

static bool shows(struct seat *t, const char *words)
{
	return strstr(shown(t, text, sizeof text), words) != NULL;
}

static enum command_kind command(struct seat *t, const char *line)
{
	assert_int_equal(press(t, ':'), CMD_NONE);
	type(t, line);
	return press(t, VK_ENTER);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < line_count(); i++) {
		const struct line_row *r = line_at(i);
		assert_ptr_equal(line_find(r->word, strlen(r->word)), r);
		assert_true(*line_help(r));
		if (r->action == LINE_SETTING)
			assert_non_null(line_setting(r));
		for (size_t k = i + 1; k < line_count(); k++)
			assert_string_not_equal(r->word, line_at(k)->word);
	}
	assert_string_equal(line_find("th", 2)->word, "theme"); /* the only one that begins so */
	assert_null(line_find("s", 1));
	assert_null(line_find("nosuch", 6));
	assert_string_equal(line_find("sort", 4)->word, "sort"); /* not sort_reverse */
}

static void a_flag_is_yes_or_no(void **state)
{
	(void)state;
	const struct line_row *r = line_find("mouse", 5);
	assert_non_null(r);
	assert_string_equal(line_value(r, 0), "yes");
	assert_string_equal(line_value(r, 1), "no");
	assert_null(line_value(r, 2));
	assert_string_equal(line_arg(r), "yes or no");
	assert_string_equal(line_arg(line_find("theme", 5)), setting_by_key("theme")->arg);
}

static void test_commands(void **state)
{
	struct seat *t = *state;
	struct config c;
	assert_int_equal(command(t, "mark load doubled"), CMD_MARK);
	assert_string_equal(t->c.text, "load doubled");
	assert_int_equal(command(t, "record day.rec"), CMD_RECORD);
	assert_true(t->c.on);
	assert_int_equal(command(t, "record"), CMD_NONE);
	assert_true(shows(t, "nothing is being recorded"));
	snprintf(t->s->backend.recording, sizeof t->s->backend.recording, "day.rec");
	assert_int_equal(command(t, "record"), CMD_RECORD);
	assert_false(t->c.on);
	assert_int_equal(command(t, "man vmtop.conf"), CMD_ASIDE);
	assert_string_equal(t->c.text, "man vmtop.conf");
	assert_int_equal(command(t, "host qemu+ssh://db1/system"), CMD_ASIDE);
	assert_string_equal(t->c.text, "host qemu+ssh://db1/system");
	assert_int_equal(command(t, "delay 5"), CMD_INTERVAL);
	assert_true(t->c.number == 5);
	assert_int_equal(command(t, "theme light"), CMD_NONE);
	assert_string_equal(view_theme(t->v), "light");
	assert_int_equal(command(t, "sort name"), CMD_NONE);
	assert_int_equal(command(t, "of_host"), CMD_NONE); /* the other way round */
	assert_int_equal(command(t, "columns name,cpu,pins"), CMD_NONE);
	assert_false(view_wants_mouse(t->v));
	assert_int_equal(command(t, "mouse yes"), CMD_NONE);
	assert_true(view_wants_mouse(t->v));
	config_defaults(&c);
	view_setup(t->v, &c);
	assert_string_equal(c.sort, "name");
	assert_string_equal(c.columns, "name,cpu,pins");
	assert_true(c.of_host);
	assert_int_equal(command(t, "filter ^db"), CMD_NONE);
	assert_true(shows(t, "FILTER ^db"));
	assert_int_equal(command(t, "filter"), CMD_NONE);
	assert_false(shows(t, "FILTER"));
	assert_int_equal(command(t, "quit"), CMD_QUIT);
	assert_int_equal(command(t, ""), CMD_NONE);
	assert_int_equal(command(t, "help"), CMD_NONE);
	assert_true(asks(t, "Help: overview"));
}

/* As in the setup: what decides over guests asks first. */
static void test_policies_ask(void **state)
{
	struct seat *t = *state;
	assert_int_equal(command(t, "cpu_policy origin-b"), CMD_NONE);
	assert_true(asks(t, "origin-b instead of minmove?"));
	assert_int_equal(press(t, 'n'), CMD_NONE);
	assert_int_equal(command(t, "granularity core"), CMD_NONE);
	assert_int_equal(press(t, 'y'), CMD_GRANULARITY);
	assert_int_equal((int)t->c.number, GRAN_CORE);
}

static void test_wrong_words(void **state)
{
	struct seat *t = *state;
	static const struct {
		const char *line, *says;
	} rows[] = {{"nosuch", "no command nosuch; Tab lists them"},
		{"theme pink", "bad value 'pink', expected one of"}, {"theme", "theme is default"},
		{"sort nosuch", "there is no column nosuch"}, {"columns cpu,nosuch", "nosuch"},
		{"delay 0.01", "expected seconds from 0.2"}, {"mouse maybe", "expected yes or no"},
		{"mark", "mark wants a text"}, {"host", "host wants a name"}, {"s cpu", "no command s"},
		{"filter (", "not a regular expression"}, {"search nobody", "no VM matches nobody"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(command(t, rows[i].line), CMD_NONE);
		if (!shows(t, rows[i].says))
			fail_msg("%s: not \"%s\":\n%s", rows[i].line, rows[i].says, text);
	}
	assert_string_equal(view_theme(t->v), "default");
	t->s->moment = MOMENT_PLAYED;
	assert_int_equal(command(t, "mark x"), CMD_NONE);
	assert_true(shows(t, "what is shown is a recording"));
}

static void test_completion(void **state)
{
	struct seat *t = *state;
	press(t, ':');
	assert_true(asks(t, "host record mark"));
	type(t, "th");
	assert_true(asks(t, "theme"));
	press(t, VK_TAB);
	assert_true(asks(t, ":theme"));
	assert_true(asks(t, "light"));
	type(t, "l");
	press(t, VK_TAB);
	assert_int_equal(press(t, VK_ENTER), CMD_NONE);
	assert_string_equal(view_theme(t->v), "light");
	press(t, ':');
	type(t, "columns name,wa");
	press(t, VK_TAB);
	assert_true(asks(t, ":columns name,wait"));
	press(t, VK_ESC);
	press(t, ':');
	type(t, "nosuch");
	press(t, VK_TAB); /* nothing to complete */
	assert_true(asks(t, "no such command"));
	press(t, VK_ESC);
	press(t, ':');
	for (int i = 0; i < 300; i++)
		press(t, 'x');
	press(t, VK_TAB);
	press(t, VK_ENTER);
	assert_true(shows(t, "no command xxx"));
}

static int sit_fleet(void **state)
{
	struct config *cfg = calloc(1, sizeof *cfg);
	cfg->delay_s = 2;
	snprintf(cfg->fleet_hosts, sizeof cfg->fleet_hosts,
		"db1 qemu+ssh://db1/system\nqemu+tcp://web/system\n");
	int r = sit_with(state, cfg);
	free(cfg);
	return r;
}

static void test_hosts_of_the_fleet(void **state)
{
	struct seat *t = *state;
	press(t, ':');
	type(t, "host ");
	assert_true(asks(t, "db1 qemu+tcp://web/system"));
	type(t, "d");
	press(t, VK_TAB);
	assert_int_equal(press(t, VK_ENTER), CMD_ASIDE);
	assert_string_equal(t->c.text, "host db1");
}

static void test_layouts(void **state)
{
	struct seat *t = *state;
	struct config c;
	assert_int_equal(command(t, "layout"), CMD_NONE);
	assert_true(shows(t, "no layout is kept yet"));
	assert_int_equal(command(t, "layout nosuch"), CMD_NONE);
	assert_true(shows(t, "there is no layout nosuch"));
	assert_int_equal(command(t, "layout save a/b"), CMD_NONE);
	assert_true(shows(t, "letters, digits"));
	command(t, "columns name,wait,cpu");
	command(t, "theme light");
	press(t, '2');
	press(t, 'z');
	assert_int_equal(command(t, "layout save night"), CMD_SAVE);
	assert_string_equal(t->c.text, "night");
	press(t, 'z');
	press(t, '0');
	command(t, "theme default");
	command(t, "columns");
	assert_int_equal(command(t, "layout save plain"), CMD_SAVE);
	press(t, ':');
	type(t, "layout ni");
	press(t, VK_TAB);
	assert_int_equal(press(t, VK_ENTER), CMD_NONE);
	config_defaults(&c);
	view_setup(t->v, &c);
	assert_string_equal(c.columns, "name,wait,cpu");
	assert_string_equal(c.theme, "light");
	assert_int_equal(c.view, FIRST_MEMORY);
	assert_true(c.tall);
	command(t, "layout plain");
	view_setup(t->v, &c);
	assert_string_equal(c.columns, "");
	assert_string_equal(c.theme, "default");
	assert_false(c.tall);
	assert_true(shows(t, "Pin map"));
}

/* One of the file, from the start on. */
static void test_layout_to_begin_with(void **state)
{
	(void)state;
	struct seat *t;
	struct config *cfg = calloc(1, sizeof *cfg);
	config_defaults(cfg);
	strcpy(cfg->layout, "calm");
	cfg->n_layouts = 1;
	strcpy(cfg->layouts[0].name, "calm");
	strcpy(cfg->layouts[0].text, "view = memory\nsort = name\n");
	sit_with((void **)&t, cfg);
	view_setup(t->v, cfg);
	assert_string_equal(cfg->sort, "name");
	assert_int_equal(cfg->view, FIRST_MEMORY);
	rise((void **)&t);
	strcpy(cfg->layout, "gone");
	sit_with((void **)&t, cfg);
	assert_true(shows(t, "there is no layout gone"));
	rise((void **)&t);
	free(cfg);
}

/* Where a word stands in the last line. */
static int foot_col(struct seat *t, const char *word)
{
	shown(t, text, sizeof text);
	char *last = text;
	for (char *p = text; (p = strchr(p, '\n')) && p[1]; p++)
		last = p + 1;
	char *at = strstr(last, word);
	assert_non_null(at);
	return (int)(at - last);
}

static void click(struct seat *t, const char *word)
{
	view_mouse(t->v, 23, foot_col(t, word), VK_CLICK, t->s);
}

/* The pages of `man`, each with its word, and no more of them. */
static void test_pages(void **state)
{
	(void)state;
	const struct line_row *man = line_find("man", 3);
	size_t n = 0;
	assert_non_null(man);
	for (const char *page; (page = line_value(man, n)) != NULL; n++)
		assert_memory_equal(page, "vmtop", 5);
	assert_true(n > 3 && n < 20);
	assert_null(line_value(man, n + 1));
	assert_null(line_value(man, (size_t)1 << 40));
}

static void test_names_of_layouts(void **state)
{
	char name[LAYOUT_NAME + 1];
	(void)state;
	assert_true(layout_name_ok("a") && layout_name_ok("a-b_c.9") && layout_name_ok("9"));
	assert_false(
		layout_name_ok("") || layout_name_ok("-a") || layout_name_ok("a/b") || layout_name_ok("a b"));
	memset(name, 'x', sizeof name);
	name[LAYOUT_NAME] = '\0';
	assert_false(layout_name_ok(name));
	name[LAYOUT_NAME - 1] = '\0';
	assert_true(layout_name_ok(name));
}

static void test_footer_is_clicked(void **state)
{
	struct seat *t = *state;
	struct command c;
	click(t, "Help");
	assert_true(asks(t, "Help: overview"));
	press(t, VK_ESC);
	click(t, "F2");
	assert_true(asks(t, "Setup"));
	press(t, VK_ESC);
	click(t, "Balance"); /* with the key it would be done at once */
	assert_true(asks(t, "Balance: rebalance now"));
	assert_false(view_more(t->v, &c));
	assert_int_equal(press(t, 'n'), CMD_NONE);
	click(t, "Balance");
	assert_int_equal(press(t, 'y'), CMD_REBALANCE);
	click(t, "Auto CPU");
	assert_true(asks(t, "AUTO CPU: 13 guests eligible"));
	press(t, VK_ESC);
	t->s->readonly = true;
	view_feed(t->v, t->s);
	shown(t, text, sizeof text);
	view_mouse(t->v, 23, 15, VK_CLICK, t->s);
	assert_false(view_more(t->v, &c) && command_ages(&c));
}

int main(void)
{
#define SEATED(test) cmocka_unit_test_setup_teardown(test, sit, rise)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(a_flag_is_yes_or_no),
		SEATED(test_commands),
		SEATED(test_policies_ask),
		SEATED(test_wrong_words),
		SEATED(test_completion),
		cmocka_unit_test_setup_teardown(test_hosts_of_the_fleet, sit_fleet, rise),
		SEATED(test_layouts),
		cmocka_unit_test(test_layout_to_begin_with),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_names_of_layouts),
		SEATED(test_footer_is_clicked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
