/* SPDX-License-Identifier: MIT */
/* What the rows of commands say: which are too late when late, and what is no command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "vmtop/command.h"

static bool ages(enum command_kind kind, bool on)
{
	return command_ages(&(struct command){.kind = kind, .on = on});
}

/* What changes guests surprises when it comes late; what is turned off, or only looks, does not. */
static void what_steers_ages(void **state)
{
	(void)state;
	for (int on = 0; on < 2; on++) {
		assert_true(ages(CMD_PIN, on) && ages(CMD_BALLOON, on) && ages(CMD_RESTORE, on));
		assert_false(ages(CMD_HOLD, on) || ages(CMD_INTERVAL, on) || ages(CMD_NONE, on));
	}
	assert_true(ages(CMD_AUTO_CPU, true) && ages(CMD_STATS_PERIOD, true));
	assert_false(ages(CMD_AUTO_CPU, false) || ages(CMD_STATS_PERIOD, false));
}

/* Words of a recording may be of any version: a number that is no command has no word and steers nothing. */
static void what_is_no_command(void **state)
{
	(void)state;
	static const int numbers[] = {CMD_NONE, COMMAND_COUNT, 1 << 24, INT_MAX, -1, -(1 << 24), INT_MIN};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		assert_null(command_word(numbers[i]));
		assert_null(command_choice(numbers[i], 0));
	}
	assert_string_equal(command_word(CMD_PIN), "pin");
}

static void numbers_with_names(void **state)
{
	(void)state;
	assert_string_equal(command_choice(CMD_CPU_POLICY, 0), "minmove");
	assert_null(command_choice(CMD_INTERVAL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_steers_ages),
		cmocka_unit_test(what_is_no_command),
		cmocka_unit_test(numbers_with_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
