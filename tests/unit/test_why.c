/* SPDX-License-Identifier: MIT */
/* Reasons and absent values: every row of both tables, the record, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "vmtop/avail.h"
#include "vmtop/err.h"
#include "vmtop/why.h"

static void every_reason_has_a_key_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++) {
		const char *key = reason_key((enum reason)i);
		assert_true(key[0] && reason_text((enum reason)i)[0]);
		for (const char *p = key; *p; p++)
			assert_true(islower((unsigned char)*p) || *p == '-');
		for (int k = 0; k < i; k++)
			assert_string_not_equal(key, reason_key((enum reason)k));
	}
	assert_string_equal(reason_key(REASON_BALANCED), "balanced");
	assert_string_equal(reason_key((enum reason)REASON_COUNT), "none");
	assert_string_equal(reason_text((enum reason)12345), reason_text(REASON_NONE));
}

static void every_absence_has_a_key_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < AVAIL_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(avail_key((enum avail)i), avail_key((enum avail)k));
	assert_string_equal(avail_text(AVAIL_OK), "");
	assert_string_equal(avail_key((enum avail)AVAIL_COUNT), "not-read");
	const struct vi64 zeroed = {0, 0};
	assert_false(vi64_has(zeroed));
	assert_true(vi64_has(vi64_ok(0)));
	assert_false(vf64_has(vf64_absent(AVAIL_HUNG)));
	assert_int_equal(vf64_absent(AVAIL_HUNG).avail, AVAIL_HUNG);
}

static void why_is_set_and_cut(void **state)
{
	(void)state;
	struct why w;
	why_set(&w, REASON_SINGLE, NULL);
	assert_int_equal(w.code, REASON_SINGLE);
	assert_string_equal(w.text, "its allowed set has one pCPU");
	why_set(&w, REASON_MOVE, "%d to %s", 3, "four");
	assert_string_equal(w.text, "3 to four");
	why_set(&w, REASON_MOVE, "%0500d", 1);
	assert_int_equal(strlen(w.text), sizeof w.text - 1);
}

static void errors_carry_code_and_message(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	assert_int_equal(err_set(NULL, ERR_RUNTIME, "x"), -1);
	assert_int_equal(err_set(&e, ERR_USAGE, "line %d", 4), -1);
	assert_int_equal(err_prefix(&e, "file %s", "a.conf"), -1);
	assert_string_equal(e.msg, "file a.conf: line 4");
	assert_int_equal(e.code, ERR_USAGE);
	char most[sizeof e.msg];
	memset(most, 'y', sizeof most - 1);
	most[sizeof most - 1] = '\0';
	err_prefix(&e, "%s", most);
	assert_true(strlen(e.msg) < sizeof e.msg);
	struct {
		struct err e;
		char after[8];
	} full = {.after = "intact"};
	err_set(&full.e, ERR_RUNTIME, "%s", most);
	err_prefix(&full.e, "ab"); /* what no longer fits is cut at the end */
	assert_int_equal(strlen(full.e.msg), sizeof e.msg - 1);
	assert_memory_equal(full.e.msg, "ab: yyyy", 8);
	assert_string_equal(full.after, "intact");
	static const struct {
		enum err_code code;
		int status;
	} rows[] = {{ERR_NONE, 0}, {ERR_RUNTIME, 1}, {ERR_USAGE, 2}, {ERR_CONNECT, 3}, {ERR_NOMEM, 1},
		{ERR_GONE, 1}, {ERR_TIMEOUT, 1}, {ERR_DENIED, 1}, {ERR_UNSUPPORTED, 1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		e.code = rows[i].code;
		assert_int_equal(err_exit_status(&e), rows[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_key_of_its_own),
		cmocka_unit_test(every_absence_has_a_key_of_its_own),
		cmocka_unit_test(why_is_set_and_cut),
		cmocka_unit_test(errors_carry_code_and_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
