/* SPDX-License-Identifier: MIT */
/* Marks of our pins, and what the hook makes of a definition that carries them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/backend/libvirt/pinmark.h"
#include "vmtop/migrate.h"

static struct cpuset set(const char *text)
{
	struct cpuset s;
	assert_int_equal(cpuset_parse(&s, text, NULL), 0);
	return s;
}

static void will(struct pinmarks *m, int vcpu, const char *now, bool pinned, const char *to)
{
	struct cpuset a = set(now), b = set(to);
	assert_int_equal(pinmarks_will(m, vcpu, &a, pinned, &b), 0);
}

/* As found stays what it was while the pins are ours, and is anew what somebody else made of it. */
static void test_found_stays(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	struct pinmarks m = {0}, again = {0};
	will(&m, 0, "0-3", false, "1");
	will(&m, 0, "1", true, "2");
	will(&m, 2, "0-3", false, "3");
	will(&m, 2, "0", true, "2"); /* 0 is somebody else's */
	char *text = pinmarks_text(&m);
	assert_non_null(text);
	assert_int_equal(pinmarks_read(&again, text, &e), 0);
	struct cpuset all = set("0-3"), zero = set("0"), one = set("1"), two = set("2");
	const struct pinmark *k = pinmarks_find(&again, 0);
	assert_true(cpuset_equal(&k->found, &all) && !k->pinned);
	assert_true(cpuset_equal(&k->wrote, &two) && cpuset_equal(&k->before, &one));
	k = pinmarks_find(&again, 2);
	assert_true(cpuset_equal(&k->found, &zero) && k->pinned);
	pinmarks_forget(&again, 0);
	pinmarks_forget(&again, 7);
	assert_null(pinmarks_find(&again, 0));
	assert_int_equal(again.n, 1);
	free(text);
	pinmarks_done(&m);
	pinmarks_done(&again);
}

#define HEAD       "<domain type='kvm'><name>a&lt;b</name><vcpu>4</vcpu>"
#define MARK(text) "<metadata><vmtop:pins xmlns:vmtop=\"" PINMARK_URI "\">" text "</vmtop:pins></metadata>"

/* The hook's answer, or NULL for none. */
static char *stripped(const char *xml)
{
	static char *out;
	struct err e = ERR_INIT;
	free(out);
	out = NULL;
	if (xml && migrate_strip(xml, &out, &e) < 0)
		assert_null(out);
	return out;
}

static void test_only_marked_pins_go(void **state)
{
	(void)state;
	const char *out =
		stripped(HEAD MARK("<vmtop:vcpu id='0' found='0-3' pinned='no' wrote='2' before='0-3'/>"
				   "<vmtop:vcpu id='1' found='0-3' pinned='no' wrote='2' before='3'/>"
				   "<vmtop:vcpu id='2' found='1' pinned='yes' wrote='2' before='1'/>"
				   "<vmtop:vcpu id='3' found='0-3' pinned='no' wrote='2' "
				   "before='0-3'/>") "<cputune><vcpupin vcpu='0' cpuset='2'/><vcpupin "
						     "vcpu='1' cpuset='3'/><vcpupin vcpu='2' "
						     "cpuset='2'/>"
						     "<vcpupin vcpu='3' cpuset='1'/><emulatorpin "
						     "cpuset='0'/></cputune></domain>");
	assert_non_null(out);
	assert_null(strstr(out, "vmtop"));
	assert_null(strstr(out, "<metadata"));
	assert_null(strstr(out, "vcpu=\"0\"")); /* ours */
	assert_null(strstr(out, "vcpu=\"1\"")); /* ours: the mark came before the pin */
	assert_non_null(
		strstr(out, "<vcpupin vcpu=\"2\" cpuset=\"1\"/>")); /* the administrator's is there again */
	assert_non_null(strstr(out, "<vcpupin vcpu=\"3\" cpuset=\"1\"/>")); /* somebody else's since */
	assert_non_null(strstr(out, "<emulatorpin cpuset=\"0\"/>"));
	assert_non_null(strstr(out, "<name>a&lt;b</name>"));
}

static void test_an_empty_rest_goes_too(void **state)
{
	(void)state;
	const char *out =
		stripped(HEAD "<metadata><x:y xmlns:x='z'/><vmtop:pins xmlns:vmtop='" PINMARK_URI
			      "'><vmtop:vcpu id='0' found='0' pinned='no' wrote='2'/></vmtop:pins></metadata>"
			      "<cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>");
	assert_non_null(out);
	assert_null(strstr(out, "cputune"));
	assert_non_null(strstr(out, "<x:y"));
}

/* Nothing is said where nothing is ours, and of what cannot be read. */
static void test_says_nothing(void **state)
{
	static const char *const texts[] = {HEAD "<cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>",
		HEAD "<metadata><p:pins xmlns:p='urn:else'><p:vcpu id='0' found='0' "
		     "wrote='2'/></p:pins></metadata>"
		     "<cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>",
		"", "<domain>", "<other/>", "\xff\xfe", "<domain><metadata>"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(stripped(texts[i]));
}

/* Marks that cannot be are passed over, and their pins stay. */
static void test_hostile_marks(void **state)
{
	static const char *const marks[] = {"<vmtop:vcpu/>", "<vmtop:vcpu id='-1' found='0' wrote='2'/>",
		"<vmtop:vcpu id='99999999999999' found='0' wrote='2'/>",
		"<vmtop:vcpu id='0' found='' wrote='2'/>", "<vmtop:vcpu id='0' found='0' wrote='nonsense'/>",
		"<vmtop:vcpu id='0' found='0-99999999' wrote='2'/>", "<vmtop:vcpu id='0' found='0'/>"};
	(void)state;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		char xml[1024];
		snprintf(xml, sizeof xml,
			HEAD MARK("%s") "<cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>",
			marks[i]);
		const char *out = stripped(xml);
		if (!out || !strstr(out, "<vcpupin vcpu=\"0\" cpuset=\"2\"/>") || strstr(out, "vmtop"))
			fail_msg("%s: %s", marks[i], out ? out : "no answer");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_stays),
		cmocka_unit_test(test_only_marked_pins_go),
		cmocka_unit_test(test_an_empty_rest_goes_too),
		cmocka_unit_test(test_says_nothing),
		cmocka_unit_test(test_hostile_marks),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	stripped(NULL);
	return failed;
}
