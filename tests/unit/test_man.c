/* SPDX-License-Identifier: MIT */
/* Walks the tables: what the program knows is in the manuals and completions, each once, in mdoc that holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/columns.h"
#include "vmtop/config.h"
#include "vmtop/doc.h"
#include "vmtop/fleet_rows.h"
#include "vmtop/keys.h"
#include "vmtop/line.h"
#include "vmtop/settings.h"
#include "vmtop/subcommand.h"
#include "vmtop/why.h"

static char *expanded(const char *template)
{
	char *text = NULL;
	size_t len = 0;
	struct err e = ERR_INIT;
	FILE *from = fopen(template, "r"), *to = open_memstream(&text, &len);
	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(doc_expand(from, to, &e), 0);
	fclose(from);
	fclose(to);
	return text;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void test_options(void **state)
{
	(void)state;
	char *man = expanded("man/vmtop.1.in"), want[128];
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (!s->option)
			continue;
		snprintf(want, sizeof want, " Fl \\-%s%s", s->option,
			!s->arg               ? "\n"
			: s->type == SET_AUTO ? " Ns Op"
					      : " Ar ");
		assert_int_equal(count(strstr(man, ".Sh OPTIONS"), want), 1);
	}
	free(man);
}

static void test_keys_columns_reasons(void **state)
{
	(void)state;
	char *man = expanded("man/vmtop.1.in"), want[128];
	for (int i = 0; i < REASON_COUNT; i++) {
		const char *key = reason_key((enum reason)i);
		snprintf(want, sizeof want, ".It Cm \"%s%s\"\n", strlen(key) <= 3 ? "\\&" : "", key);
		assert_int_equal(count(strstr(man, ".Sh REASONS"), want), 1);
	}
	for (size_t i = 0; i < column_count(); i++) {
		const char *key = column_at(i)->key;
		snprintf(want, sizeof want, ".It Cm \"%s%s\" Pq ", strlen(key) <= 3 ? "\\&" : "", key);
		assert_int_equal(count(man, want), 1);
	}
	for (enum fleet_kind k = 0; k < FLEET_KINDS; k++)
		for (size_t i = 0; i < fleet_table(k)->n; i++) {
			const char *key = fleet_table(k)->columns[i].key;
			snprintf(want, sizeof want, ".It Cm \"%s%s\" , %s\n", strlen(key) <= 3 ? "\\&" : "",
				key, fleet_table(k)->columns[i].head);
			assert_in_range(count(strstr(man, ".Sh FLEET"), want), 1, FLEET_KINDS);
		}
	for (size_t i = 0; i < line_count(); i++) {
		const char *word = line_at(i)->word;
		snprintf(want, sizeof want, ".It Cm \"%s%s\"", strlen(word) <= 3 ? "\\&" : "", word);
		assert_in_range(count(strstr(man, ".Ss The command line"), want), 1, 2);
	}
	size_t named = 0;
	for (size_t i = 0; i < key_count(); i++)
		named += *key_at(i)->name != '\0';
	assert_true(named > 30);
	assert_int_equal(count(man, ".It Ic "), named);
	/* a first word of one letter is a word */
	assert_int_equal(count(man, "\nA page up or down.\n"), 1);
	free(man);
}

/* Each policy and format that can be chosen has its entry. */
static void test_policies(void **state)
{
	(void)state;
	char *man = expanded("man/vmtop.1.in"), want[64];
	const char *policies = strstr(man, ".Sh POLICIES");
	static const char *const keys[] = {"cpu_policy", "memory_policy"};
	for (size_t k = 0; k < 2; k++) {
		const struct setting *s = setting_by_key(keys[k]);
		for (int i = 0; strcmp(s->choice(i), "?") != 0; i++) {
			snprintf(want, sizeof want, ".It Cm \"%s\"\n", s->choice(i));
			assert_true(count(policies, want) >= 1);
		}
	}
	const struct setting *format = setting_by_key("format");
	for (int i = 1; strcmp(format->choice(i), "?") != 0; i++) {
		snprintf(want, sizeof want, ".It Cm %s\n", format->choice(i));
		assert_int_equal(count(strstr(man, ".Sh OUTPUT"), want), 1);
	}
	free(man);
}

static void test_config_keys(void **state)
{
	(void)state;
	char *man = expanded("man/vmtop.conf.5.in"), want[64];
	for (size_t i = 0; i < n_settings + n_vm_settings; i++) {
		const struct setting *s = i < n_settings ? &settings[i] : &vm_settings[i - n_settings];
		if (!s->key)
			continue;
		snprintf(want, sizeof want, ".It Cm %s\n", s->key);
		assert_in_range(count(man, want), 1, 2); /* mem_min is a key of both */
	}
	free(man);
}

static void test_completions(void **state)
{
	(void)state;
	char *bash = expanded("packaging/vmtop.bash.in"), *zsh = expanded("packaging/_vmtop.in"),
	     *fish = expanded("packaging/vmtop.fish.in"), want[64];
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (!s->option)
			continue;
		snprintf(want, sizeof want, "--%s ", s->option);
		assert_non_null(strstr(bash, want));
		snprintf(want, sizeof want, "'*--%s%s[", s->option, setting_takes_value(s) ? "=" : "");
		assert_int_equal(count(strstr(zsh, "_arguments -s"), want), 1);
		snprintf(want, sizeof want, "complete -c vmtop -l %s ", s->option);
		assert_int_equal(count(fish, want), 1);
	}
	free(bash);
	free(zsh);
	free(fish);
}

/* Subcommands and their options, in the manual and in each completion. */
static void test_commands(void **state)
{
	(void)state;
	char *man = expanded("man/vmtop.1.in"), *bash = expanded("packaging/vmtop.bash.in"),
	     *zsh = expanded("packaging/_vmtop.in"), *fish = expanded("packaging/vmtop.fish.in"), want[80];
	size_t n = 0;
	for (; subcommand_at(n); n++) {
		const struct subcommand *c = subcommand_at(n);
		snprintf(want, sizeof want, ".It Cm %s ", c->name);
		assert_int_equal(count(strstr(man, ".Sh COMMANDS"), want), 1);
		snprintf(want, sizeof want, "\t%s) words='--help ", c->name);
		assert_int_equal(count(bash, want), 1);
		snprintf(want, sizeof want, "\t'%s:", c->name);
		assert_int_equal(count(zsh, want), 1);
		snprintf(want, sizeof want, "-n __fish_use_subcommand -a %s -d", c->name);
		assert_int_equal(count(fish, want), 1);
		for (size_t k = 0; k < SUB_OPTIONS && c->options[k].option; k++) {
			snprintf(want, sizeof want, ".Fl \\-%s :\n", c->options[k].option);
			assert_true(count(man, want) >= 1);
		}
	}
	assert_int_equal(n, 7);
	free(man);
	free(bash);
	free(zsh);
	free(fish);
}

static void test_unknown_part_is_refused(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	char text[] = ".Sh X\n@NOPE@\n";
	FILE *from = fmemopen(text, sizeof text - 1, "r"), *to = fopen("/dev/null", "w");
	assert_int_equal(doc_expand(from, to, &e), -1);
	assert_string_equal(e.msg, "no part is called NOPE");
	fclose(from);
	fclose(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_keys_columns_reasons),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_config_keys),
		cmocka_unit_test(test_completions),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_unknown_part_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
