/* SPDX-License-Identifier: MIT */
/* Saving the setup: what changes in the file, what stays, and whose the file is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/options.h"
#include "vmtop/setup.h"

static struct config before, now;

static int start(void **state)
{
	(void)state;
	config_defaults(&before);
	now = before;
	return 0;
}

static void becomes(const char *old, const char *want)
{
	struct err e = ERR_INIT;
	char *text = setup_text(old, &now, &before, &e);
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void test_only_what_differs(void **state)
{
	(void)state;
	becomes("", "# vmtop.conf(5) tells of every key.\n");
	strcpy(now.theme, "mono");
	now.delay_s = 5;
	now.graph = GRAPH_BLOCK;
	becomes("", "# vmtop.conf(5) tells of every key.\ndelay = 5\ntheme = mono\ngraph = block\n");
}

static void test_rest_of_the_file_stays(void **state)
{
	(void)state;
	strcpy(now.theme, "mono");
	strcpy(now.columns, "name,cpu,wait");
	becomes("; mine\n  theme=contrast\nuri = test:///default\n\n[vm web-*]\ntheme = 1\nexclude_cpu = yes",
		"; mine\ntheme = mono\nuri = test:///default\n\ncolumns = name,cpu,wait\n"
		"[vm web-*]\ntheme = 1\nexclude_cpu = yes\n");
	/* A key that is in the file follows even when it is back at its default. */
	strcpy(now.columns, "");
	strcpy(now.theme, "default");
	becomes("theme = contrast\n", "theme = default\n");
	/* What /etc says and the user has taken back must be written. */
	strcpy(before.theme, "mono");
	becomes("delay=2\n", "delay = 2\ntheme = default\n");
}

static void test_comments_are_no_keys(void **state)
{
	(void)state;
	strcpy(now.theme, "mono");
	becomes("# theme = x\nthemes = y\ntheme\n", "# theme = x\nthemes = y\ntheme\ntheme = mono\n");
}

static void test_too_long_is_refused(void **state)
{
	struct err e = ERR_INIT;
	(void)state;
	memset(now.columns, 'a', 300);
	assert_null(setup_text("", &now, &before, &e));
	assert_non_null(strstr(e.msg, "too many columns"));
}

static char folder[64];

static int start_folder(void **state)
{
	strcpy(folder, "/tmp/vmtop-setup.XXXXXX");
	assert_non_null(mkdtemp(folder));
	return start(state);
}

static int end_folder(void **state)
{
	char line[128];
	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", folder);
	return system(line);
}

/* Saved, then read back by the program's own reader. */
static void test_saved_and_read(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char path[CFG_TEXT], dir[128];
	(void)state;
	setenv("XDG_CONFIG_HOME", folder, 1);
	strcpy(now.theme, "mono");
	strcpy(now.sort, "wait");
	now.sparklines = false;
	now.merge = MERGE_LLC;
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, geteuid());
	snprintf(dir, sizeof dir, "%s/vmtop", folder);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	struct config got = before;
	assert_int_equal(conf_read(&got, path, false, &e), 0);
	assert_string_equal(got.theme, "mono");
	assert_string_equal(got.sort, "wait");
	assert_false(got.sparklines);
	assert_int_equal(got.merge, MERGE_LLC);
}

/* A link to the real file stays a link. */
static void test_link_is_followed(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char path[CFG_TEXT], real[128], link[128];
	(void)state;
	snprintf(real, sizeof real, "%s/real.conf", folder);
	snprintf(link, sizeof link, "%s/link.conf", folder);
	FILE *f = fopen(real, "w");
	fputs("theme = mono\n", f);
	fclose(f);
	assert_int_equal(symlink(real, link), 0);
	strcpy(now.config_file, link);
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	struct config got = before;
	strcpy(got.theme, "mono");
	assert_int_equal(conf_read(&got, real, false, &e), 0);
	assert_string_equal(got.theme, "default");
}

/* Under sudo: what root writes in a user's folder is the user's, and a user's link leads root nowhere. */
static void test_root_leaves_nothing_of_its_own(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char path[CFG_TEXT], home[96], dir[128], link[160];
	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(home, sizeof home, "%s/home", folder);
	assert_int_equal(mkdir(home, 0755), 0);
	assert_int_equal(chown(home, 4242, 4243), 0);
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", home, 1);
	strcpy(now.theme, "mono");
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 4242);
	assert_int_equal(st.st_gid, 4243);
	snprintf(dir, sizeof dir, "%s/.config/vmtop", home);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_uid, 4242);
	snprintf(link, sizeof link, "%s/other.conf", dir);
	assert_int_equal(symlink("/etc/hostname", link), 0);
	assert_int_equal(lchown(link, 4242, 4243), 0);
	strcpy(now.config_file, link);
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), -1);
	assert_non_null(strstr(e.msg, "another user's link"));
}

static void test_failures_are_words(void **state)
{
	struct err e = ERR_INIT;
	char path[CFG_TEXT];
	(void)state;
	now.no_config = true;
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), -1);
	assert_non_null(strstr(e.msg, "--no-config"));
	now.no_config = false;
	strcpy(now.config_file, "/proc/nosuch/vmtop.conf");
	e = (struct err)ERR_INIT;
	assert_int_equal(setup_save(&now, &before, NULL, path, &e), -1);
	assert_non_null(strstr(e.msg, "/proc/nosuch"));
}

/* A section of its own, replaced where it is there; what is around it stays. */
static void test_layout_section(void **state)
{
	struct err e = ERR_INIT;
	(void)state;
	config_defaults(&now);
	strcpy(now.columns, "name,cpu");
	now.tall = true;
	char *text = setup_layout_text(
		"delay = 5\n[layout wide]\ntheme = light\n[vm db*]\nexclude_cpu = yes\n", &now, "wide", &e);
	assert_string_equal(text,
		"delay = 5\n[vm db*]\nexclude_cpu = yes\n[layout wide]\ntall = yes\ncolumns = name,cpu\n");
	char *again = setup_layout_text(text, &now, "night", &e);
	assert_non_null(
		strstr(again, "[layout wide]\ntall = yes\ncolumns = name,cpu\n[layout night]\ntall = yes\n"));
	free(again);
	free(text);
	memset(now.columns, 'x', 300);
	now.columns[300] = '\0';
	assert_null(setup_layout_text("", &now, "wide", &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_section),
		cmocka_unit_test_setup(test_only_what_differs, start),
		cmocka_unit_test_setup(test_rest_of_the_file_stays, start),
		cmocka_unit_test_setup(test_comments_are_no_keys, start),
		cmocka_unit_test_setup(test_too_long_is_refused, start),
		cmocka_unit_test_setup_teardown(test_saved_and_read, start_folder, end_folder),
		cmocka_unit_test_setup_teardown(test_link_is_followed, start_folder, end_folder),
		cmocka_unit_test_setup_teardown(
			test_root_leaves_nothing_of_its_own, start_folder, end_folder),
		cmocka_unit_test_setup(test_failures_are_words, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
