/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmtop/options.h"
#include "vmtop/settings.h"

static char folder[] = "/tmp/vmtop-test-config-XXXXXX";
static struct config cfg;
static struct err err;

static const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *write_file(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path_of(name);
}

static int read_text(const char *text)
{
	const char *path = write_file("a.conf", text, strlen(text));
	err = (struct err)ERR_INIT;
	config_defaults(&cfg);
	return conf_read(&cfg, path, false, &err);
}

/* The message after "FOLDER/a.conf:". */
static void refused(const char *text, const char *message)
{
	struct config defaults;
	config_defaults(&defaults);
	assert_int_equal(read_text(text), -1);
	assert_int_equal(err.code, ERR_USAGE);
	char want[400];
	snprintf(want, sizeof want, "%s/a.conf:%s", folder, message);
	assert_string_equal(err.msg, want);
	assert_memory_equal(&cfg, &defaults, sizeof cfg);
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(read_text("# comment\n"
				   "delay = 3\n"
				   "  cpu-policy = minmove   ; indented, and a comment\n"
				   "steer = web-*, db1\n"
				   "steer = app\n"
				   "\n"
				   "[vm db*]\n"
				   "exclude_memory = yes\n"
				   "mem_min = 1G\n"
				   "[layout night]\n"
				   "theme = light\n"
				   "columns = name,cpu\n"
				   "[vm  11111111-2222-3333-4444-555555555555]\n"
				   "cpu_weight = 4\r\n"),
		0);
	assert_float_equal(cfg.delay_s, 3, 0);
	assert_int_equal(cfg.cpu_policy, CPU_POLICY_MINMOVE);
	assert_int_equal(cfg.n_patterns, 3);
	assert_string_equal(cfg.patterns[2], "app");
	assert_int_equal(cfg.n_layouts, 1);
	assert_string_equal(cfg.layouts[0].name, "night");
	assert_string_equal(cfg.layouts[0].text, "theme = light\ncolumns = name,cpu\n");
	assert_int_equal(cfg.n_vm, 2);
	assert_string_equal(cfg.vm[0].pattern, "db*");
	assert_true(cfg.vm[0].exclude_memory && !cfg.vm[0].exclude_cpu);
	assert_int_equal(cfg.vm[0].mem_min_kib, 1 << 20);
	assert_string_equal(cfg.vm[1].pattern, "11111111-2222-3333-4444-555555555555");
	assert_float_equal(cfg.vm[1].cpu_weight, 4, 0);
}

static void test_refusals(void **state)
{
	(void)state;
	refused("delay = 3\ndelay = soon\n", "2: delay: bad value 'soon', expected seconds from 0.2 to 3600");
	refused("\n\nspeed = 9\n", "3: unknown key 'speed', expected one of vmtop.conf(5)");
	refused("[vm a]\ndelay = 3\n",
		"2: unknown key 'delay' of a [vm] section, expected one of vmtop.conf(5)");
	refused("[host]\ndelay = 3\n", "2: unknown section, expected [fleet], [layout NAME] or [vm PATTERN]");
	refused("[layout a]\ndelay = 3\n",
		"2: unknown key 'delay' of a [layout] section, expected one of vmtop.conf(5)");
	refused("[layout a]\ntheme = pink\n",
		"2: theme: bad value 'pink', expected one of default, light, contrast, mono");
	refused("[layout a/b]\ntheme = light\n",
		"2: a layout has a name of at most 31 letters, digits and . _ -");
	refused("delay 3\n", "1: not understood, expected KEY = VALUE or [vm PATTERN]");
	refused("delay = 3\n[vm a\n", "2: not understood, expected KEY = VALUE or [vm PATTERN]");
	refused("[vm aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee]\ncpu_weight = 1\n",
		"1: section name too long, expected at most 48 characters");
	char text[400];
	snprintf(text, sizeof text, "delay = 2\nsteer = %0250d\n", 0);
	refused(text, "2: line too long, expected at most 197 characters");
}

static void test_not_text(void **state)
{
	(void)state;
	static const char zero[] = "delay = 3\n\0\0\0\n";
	const char *path = write_file("zero.conf", zero, sizeof zero - 1);
	config_defaults(&cfg);
	assert_int_equal(conf_read(&cfg, path, false, &err), -1);
	assert_non_null(strstr(err.msg, "zero.conf:2: a zero byte, expected text"));
	assert_int_equal(conf_read(&cfg, folder, false, &err), -1);
	assert_non_null(strstr(err.msg, "Is a directory"));
	assert_int_equal(conf_read(&cfg, "/nonexistent", true, &err), 0);
}

static int open_descriptors(void)
{
	int n = 0;
	for (int fd = 0; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A file that others may write is refused unread, and that leaves no descriptor open. */
static void test_written_by_others(void **state)
{
	(void)state;
	const char *path = write_file("w.conf", "delay = 3\n", 10);
	assert_int_equal(chmod(path, 0666), 0);
	int before = open_descriptors();
	config_defaults(&cfg);
	assert_int_equal(conf_read(&cfg, path, false, &err), -1);
	assert_non_null(strstr(err.msg, "config file not read: "));
	assert_non_null(strstr(err.msg, "w.conf: others may write to the file (mode 0666)"));
	assert_int_equal(open_descriptors(), before);
}

/* Whatever bytes a file holds, reading ends and either succeeds or names a line. */
static void test_garbage(void **state)
{
	(void)state;
	unsigned seed = 12345;
	for (int round = 0; round < 300; round++) {
		char text[300];
		static const char bits[] = "[]=:;#\n\r\t vmdelay=3steer\\\"'\xff\x80\x01";
		for (size_t i = 0; i < sizeof text; i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = bits[(seed >> 16) % (sizeof bits - 1)];
		}
		const char *path = write_file("g.conf", text, sizeof text);
		config_defaults(&cfg);
		err = (struct err)ERR_INIT;
		if (conf_read(&cfg, path, false, &err) < 0)
			assert_non_null(strstr(err.msg, "g.conf:"));
		else
			assert_int_equal(err.code, ERR_NONE);
	}
}

static void put(const char *dir, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/%s/vmtop", folder, dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/vmtop/vmtop.conf", dir);
	write_file(path, text, strlen(text));
}

static void test_precedence(void **state)
{
	(void)state;
	char dirs[128];
	put("sys1", "delay = 11\niterations = 11\nuri = sim:sys\nmem_hold = 11\n[vm a*]\ncpu_weight = 11\n");
	put("sys2", "delay = 12\nmem_hold = 12\nmem_boot = 12\n");
	put("user", "delay = 13\nuri = sim:user\n[vm a*]\ncpu_weight = 13\n");
	snprintf(dirs, sizeof dirs, "%s/sys1:%s/sys2", folder, folder);
	setenv("XDG_CONFIG_DIRS", dirs, 1);
	setenv("XDG_CONFIG_HOME", path_of("user"), 1);
	setenv("LIBVIRT_DEFAULT_URI", "sim:env", 1);
	struct options_action what;
	char *argv[] = {(char[]){"vmtop"}, (char[]){"-b"}, (char[]){"-d14"}, NULL};
	assert_int_equal(options_parse(3, argv, &cfg, &what, &err), 0);
	assert_float_equal(cfg.delay_s, 14, 0);    /* flag over user over system */
	assert_string_equal(cfg.uri, "sim:env");   /* environment over user */
	assert_int_equal(cfg.iterations, 11);      /* system over default */
	assert_float_equal(cfg.mem_hold_s, 11, 0); /* the first folder of XDG_CONFIG_DIRS over the second */
	assert_float_equal(cfg.mem_boot_s, 12, 0);
	assert_int_equal(cfg.n_vm, 2);
	assert_float_equal(cfg.vm[0].cpu_weight, 13, 0); /* the user's rules are matched first */
	assert_float_equal(cfg.vm[1].cpu_weight, 11, 0);
	argv[1] = (char[]){"--no-config"};
	assert_int_equal(options_parse(2, argv, &cfg, &what, &err), 0);
	assert_float_equal(cfg.delay_s, 2, 0);
	unsetenv("LIBVIRT_DEFAULT_URI");
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	static const char *const made[] = {"a.conf", "zero.conf", "w.conf", "g.conf", "sys1/vmtop/vmtop.conf",
		"sys2/vmtop/vmtop.conf", "user/vmtop/vmtop.conf", "sys1/vmtop", "sys2/vmtop", "user/vmtop",
		"sys1", "sys2", "user"};
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		remove(path_of(made[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_text),
		cmocka_unit_test(test_written_by_others),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_precedence),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
