/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/options.h"
#include "vmtop/settings.h"

enum { ARGS_MAX = 20 };

static struct config cfg;
static struct options_action what;
static struct err err;

/* Arguments separated by blanks; no config files. */
static int parse(const char *line)
{
	static char buf[1024];
	char *argv[ARGS_MAX] = {(char[]){"vmtop"}};
	int argc = 1;
	snprintf(buf, sizeof buf, "%s", line);
	for (char *w = strtok(buf, " "); w && argc < ARGS_MAX - 1; w = strtok(NULL, " "))
		argv[argc++] = w;
	err = (struct err)ERR_INIT;
	return options_parse(argc, argv, &cfg, &what, &err);
}

static void refused(const char *line, const char *message)
{
	cfg.delay_s = -77;
	assert_int_equal(parse(line), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_string_equal(err.msg, message);
	assert_float_equal(cfg.delay_s, -77, 0);
}

static int setup(void **state)
{
	(void)state;
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	setenv("XDG_CONFIG_DIRS", "/nonexistent", 1);
	setenv("TERM", "xterm", 1);
	unsetenv("LIBVIRT_DEFAULT_URI");
	unsetenv("NO_COLOR");
	return 0;
}

static void test_forms(void **state)
{
	(void)state;
	assert_int_equal(parse("-bn5 -d0.5 --connect=sim:x --cpu-policy minmove -s mem_min=1G"), 0);
	assert_int_equal(what.what, OPTIONS_RUN);
	assert_true(cfg.batch);
	assert_int_equal(cfg.iterations, 5);
	assert_float_equal(cfg.delay_s, 0.5, 1e-12);
	assert_string_equal(cfg.uri, "sim:x");
	assert_int_equal(cfg.cpu_policy, CPU_POLICY_MINMOVE);
	assert_int_equal(cfg.mem_min_kib, 1 << 20);
	assert_int_equal(parse("-n 3 --auto -c test:///default"), 0);
	assert_true(cfg.auto_cpu && cfg.auto_memory);
	assert_int_equal(parse("--auto=memory"), 0);
	assert_true(!cfg.auto_cpu && cfg.auto_memory);
	assert_int_equal(parse("--json"), 0);
	assert_int_equal(cfg.format, OUT_JSON);
	assert_true(cfg.batch);
	assert_int_equal(parse("--csv"), 0);
	assert_int_equal(cfg.format, OUT_CSV);
	assert_int_equal(parse("--format openmetrics"), 0);
	assert_int_equal(cfg.format, OUT_OPENMETRICS);
	assert_int_equal(parse("-b"), 0);
	assert_int_equal(cfg.format, OUT_TEXT);
	assert_int_equal(parse("--listen 19177"), 0);
	assert_string_equal(cfg.listen, "19177");
	assert_int_equal(parse("--listen [::1]:19177 --batch"), 0);
	assert_int_equal(parse("--listen 0.0.0.0:19177"), 0);
	assert_int_equal(parse("-d 3 -d 4"), 0); /* the last one counts */
	assert_float_equal(cfg.delay_s, 4, 0);
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(parse("5 web-* db1"), 0);
	assert_float_equal(cfg.delay_s, 5, 0);
	assert_int_equal(cfg.n_patterns, 2);
	assert_string_equal(cfg.patterns[0], "web-*");
	assert_int_equal(parse("-- 5 --json"), 0);
	assert_float_equal(cfg.delay_s, 2, 0);
	assert_int_equal(cfg.n_patterns, 2);
	assert_string_equal(cfg.patterns[0], "5");
	assert_string_equal(cfg.patterns[1], "--json");
	assert_int_equal(parse("-s steer=a,b web"), 0); /* the command line replaces steer */
	assert_int_equal(cfg.n_patterns, 1);
	assert_string_equal(cfg.patterns[0], "web");
}

static void test_no_run(void **state)
{
	(void)state;
	assert_int_equal(parse("--help --bogus"), 0);
	assert_int_equal(what.what, OPTIONS_HELP);
	assert_int_equal(parse("-b -V --config /nonexistent"), 0);
	assert_int_equal(what.what, OPTIONS_VERSION);
	assert_int_equal(parse("-o help"), 0);
	assert_int_equal(what.what, OPTIONS_COLUMNS);
}

static void test_refusals(void **state)
{
	(void)state;
	refused("--jsn", "unknown option '--jsn', did you mean --json? try 'vmtop --help'");
	refused("--frobnicate", "unknown option '--frobnicate'; try 'vmtop --help'");
	refused("-x", "unknown option '-x'; try 'vmtop --help'");
	refused("-bx", "unknown option '-bx'; try 'vmtop --help'");
	refused("-d", "option -d needs a value (SECS); try 'vmtop --help'");
	refused("--batch=yes", "option --batch takes no value; try 'vmtop --help'");
	refused("-d 0.1", "option -d: bad value '0.1', expected seconds from 0.2 to 3600");
	refused("--delay=x", "option --delay: bad value 'x', expected seconds from 0.2 to 3600");
	refused("0.01", "interval: bad value '0.01', expected seconds from 0.2 to 3600");
	refused("-s nope=1", "--set: unknown key in 'nope=1', see vmtop.conf(5)");
	refused("-s delay", "--set: bad value 'delay', expected KEY=VALUE");
	refused("-s delay=0", "--set delay: bad value '0', expected seconds from 0.2 to 3600");
	refused("-o nope", "sort: no column is called 'nope', vmtop -o help lists them");
	refused("--auto --readonly",
		"AUTO and --readonly exclude each other: --auto=none leaves AUTO off, --dry-run shows plans");
	refused("-s stop_at_pct=9", "stop_at_pct 9 is above act_above_pct 5, expected at most that");
	refused("--config /nonexistent/x",
		"cannot read config file /nonexistent/x: No such file or directory");
	assert_int_equal(parse("--columns name,nope"), -1);
	assert_int_equal(err.code, ERR_USAGE);
}

static void test_environment(void **state)
{
	(void)state;
	setenv("LIBVIRT_DEFAULT_URI", "test:///default", 1);
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(parse(""), 0);
	assert_string_equal(cfg.uri, "test:///default");
	assert_true(cfg.no_color);
	assert_int_equal(parse("-c sim:demo"), 0);
	assert_string_equal(cfg.uri, "sim:demo");
	setenv("NO_COLOR", "", 1);
	assert_int_equal(parse(""), 0);
	assert_false(cfg.no_color);
}

static void test_settle(void **state)
{
	(void)state;
	struct config c;
	err = (struct err)ERR_INIT;
	config_defaults(&c);
	assert_int_equal(options_settle(&c, true, "xterm", &err), 0);
	assert_false(c.batch);
	assert_int_equal(options_settle(&c, true, "dumb", &err), -1);
	assert_int_equal(options_settle(&c, true, NULL, &err), -1);
	assert_string_equal(
		err.msg, "the terminal cannot show a screen (TERM is not set); use --batch, or set TERM");
	assert_int_equal(options_settle(&c, false, NULL, &err), 0);
	assert_true(c.batch);
	assert_int_equal(c.format, OUT_TEXT);
}

/* Walks the table: the parser knows every option in every form, --help names each one. */
static void test_every_option_is_parsed_and_helped(void **state)
{
	(void)state;
	char *help = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&help, &len);
	assert_non_null(f);
	options_help(f);
	fclose(f);
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char want[64], line[128];
		if (!s->option)
			continue;
		snprintf(want, sizeof want, "--%s%s", s->option,
			s->arg ? s->type == SET_AUTO ? "[=" : " " : "\n");
		if (!strstr(help, want) && !s->arg) /* help may follow on the same line */
			snprintf(want, sizeof want, "--%s ", s->option);
		assert_non_null(strstr(help, want));
		bool value = setting_takes_value(s);
		const char *sample = s->choice                           ? s->choice(0)
				     : strcmp(s->option, "set") == 0     ? "delay=3"
				     : strcmp(s->option, "config") == 0  ? "/dev/null"
				     : strcmp(s->option, "columns") == 0 ? "name"
				     : strcmp(s->option, "listen") == 0  ? "19177"
				     : s->type == SET_CPUS               ? "0-3,7"
				     : *s->initial                       ? s->initial
									 : "x";
		snprintf(line, sizeof line, "--%s%s%s", s->option, value ? "=" : "", value ? sample : "");
		/* A recording is opened for its configuration, a layout is one of the configuration's: those
		 * that are not there are refused. */
		bool must_be = strcmp(s->option, "replay") == 0 || strcmp(s->option, "layout") == 0;
		assert_int_equal(parse(line), must_be ? -1 : 0);
	}
	for (const char *p = help, *end; *p; p = end + 1) { /* no line wider than a terminal */
		end = strchr(p, '\n');
		assert_true(end - p < 80);
	}
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_forms, setup),
		cmocka_unit_test_setup(test_words, setup),
		cmocka_unit_test_setup(test_no_run, setup),
		cmocka_unit_test_setup(test_refusals, setup),
		cmocka_unit_test_setup(test_environment, setup),
		cmocka_unit_test_setup(test_settle, setup),
		cmocka_unit_test_setup(test_every_option_is_parsed_and_helped, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
