/* SPDX-License-Identifier: MIT */
/* Bytes to keys, on ten terminals: what terminals send is one key or nothing, in one piece, in two with every
 * pause between, and byte by byte; nothing of it steers. What a person types alone, and answers after having
 * seen the question, does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "support/typist.h"

/* Sequences of which a part looks like keys that steer. */
static const char *const strange[] = {
	"\033[B",
	"\033OB",
	"\033OO",
	"\033[O",
	"\033[I",
	"\033[b",
	"\033[a",
	"\033b",
	"\033B",
	"\033u",
	"\033[97;1u",
	"\033[98;1u",
	"\033[98u",
	"\033[27;5;98~",
	"\033[27;2;66~",
	"\033[1;5B",
	"\033[1;2B",
	"\033[2;5u",
	"\033[97;1:3u",
	"\033[?1;2c",
	"\033[>0;276;0c",
	"\033[12;5R",
	"\033[4;600;800t",
	"\033[?2004;1$y",
	"\033[7$",
	"\033[23^",
	"\033[24@",
	"\033[[A",
	"\033[[B",
	"\033[[E",
	"\033[M bB",
	"\033[MaBm",
	"\033[M\303\204\303\204",
	"\033[<0;10;10M",
	"\033[<0;10;10m",
	"\033[32;10;10M",
	"\033]11;rgb:a1e1/b1e1/a1e1\033\\",
	"\033]11;rgb:a1e1/b1e1/a1e1\a",
	"\033]4;1;rgb:bb/bb/bb\033\\",
	"\033]52;c;YmFVVUJC\a",
	"\033P1+r62=62\033\\",
	"\033P>|XTerm(380)b\033\\",
	"\033_Gi=1;OK b a m\033\\",
	"\033^bamU\033\\",
	"\033Xbamu\007b\033\\",
	"\033Nb",
	"\033O5B",
	"\033O2P",
	"\033\033[B",
	"\033\033OB",
	"\033[11~",
	"\033[25~",
	"\033[200~",
	"\233B",
	"\233"
	"97;1u",
	"\217B",
	"\302\2332B",
	"\235"
	"11;rgb:b/b/b\234",
	"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17b",
	"\033[Tbambam",
	"\033[tbb",
	"\033[<35;b",
	"\033]l title b\033\\",
	"\033P$q b\033\\",
	"\033[?1049;1b",

};
enum { N_STRANGE = sizeof strange / sizeof strange[0] };

static void open_at(struct typist *t, const char *term)
{
	if (!typist_open(t, term))
		fail_msg("terminfo does not know %s", term);
	typist_wait(t, 5000);
}

static void expect_nothing(struct typist *t, const char *what, size_t cut, int64_t gap)
{
	typist_wait(t, 5000);
	if (t->commands || t->wrong[0]) {
		char text[200];
		size_t n = 0;
		for (const char *p = what; *p; p++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%02x ", (unsigned char)*p);
		fail_msg("%scut at %zu, %d ms: %d commands. %s", text, cut, (int)gap, t->commands, t->wrong);
	}
}

static const int64_t gaps[] = {0, 10, 26, 60, 99, 120, 250, 500, 900};
enum { N_GAPS = sizeof gaps / sizeof gaps[0] };

/* Every sequence, cut at every place, with every pause, on every terminal. */
static void test_cut_everywhere(void **state)
{
	struct typist t;
	(void)state;
	for (unsigned term = 0; term < TYPIST_TERMS; term++) {
		open_at(&t, typist_term(term));
		for (size_t i = 0; i < N_STRANGE; i++)
			for (size_t cut = 0; cut <= strlen(strange[i]); cut++)
				for (size_t g = 0; g < N_GAPS; g++) {
					t.n = 0;
					typist_bytes(&t, strange[i], cut);
					typist_wait(&t, gaps[g]);
					typist_bytes(&t, strange[i] + cut, strlen(strange[i]) - cut);
					expect_nothing(&t, strange[i], cut, gaps[g]);
				}
		typist_close(&t);
	}
}

static void test_byte_by_byte(void **state)
{
	struct typist t;
	(void)state;
	for (unsigned term = 0; term < TYPIST_TERMS; term++) {
		open_at(&t, typist_term(term));
		for (size_t i = 0; i < N_STRANGE; i++)
			for (size_t g = 0; g < N_GAPS; g++) {
				t.n = 0;
				typist_slowly(&t, strange[i], strlen(strange[i]), gaps[g]);
				expect_nothing(&t, strange[i], 0, gaps[g]);
			}
		typist_close(&t);
	}
}

/* What comes right behind a sequence, without a pause or after a short one, steers nothing either. */
static void test_right_after(void **state)
{
	struct typist t;
	(void)state;
	open_at(&t, "xterm-256color");
	for (size_t i = 0; i < N_STRANGE; i++)
		for (int64_t gap = 0; gap < KEYS_ALONE_MS; gap += 33) {
			t.n = 0;
			typist_bytes(&t, strange[i], strlen(strange[i]));
			typist_wait(&t, gap);
			typist_bytes(&t, "b", 1);
			expect_nothing(&t, strange[i], 0, gap);
		}
	typist_close(&t);
}

/* The usual keys of the usual terminals. */
static const struct {
	const char *bytes;
	int key;
} usual[] = {
	{"\033[A", VK_UP},
	{"\033OA", VK_UP},
	{"\033[D", VK_LEFT},
	{"\033OC", VK_RIGHT},
	{"\033[H", VK_HOME},
	{"\033OF", VK_END},
	{"\033[1~", VK_HOME},
	{"\033[4~", VK_END},
	{"\033[7~", VK_HOME},
	{"\033[8~", VK_END},
	{"\033[2~", VK_INSERT},
	{"\033[3~", VK_DELETE},
	{"\033[5~", VK_PGUP},
	{"\033[6~", VK_PGDN},
	{"\033[Z", VK_BTAB},
	{"\033OP", VK_F1},
	{"\033[11~", VK_F1},
	{"\033[[A", VK_F1},
	{"\033[P", VK_F1},
	{"\033OQ", VK_F1 + 1},
	{"\033[13~", VK_F1 + 2},
	{"\033[[C", VK_F1 + 2},
	{"\033OS", VK_F1 + 3},
	{"\033[15~", VK_F1 + 4},
	{"\033[[E", VK_F1 + 4},
	{"\033OT", VK_F1 + 4},
	{"\033[17~", VK_F1 + 5},
	{"\033[21~", VK_F1 + 9},
	{"\033[24~", VK_F12},
	{"\033[1;2D", VK_SLEFT},
	{"\033[d", VK_SLEFT},
	{"\033[1;2C", VK_SRIGHT},
	{"\033OM", VK_ENTER},
	{"\033[13u", VK_ENTER},
	{"\033[27u", VK_ESC},
	{"\033[9;2u", VK_BTAB},
	{"\033[1;1:1A", VK_UP},
	{"\033[1;129B", VK_DOWN},
	{"\033[3;1:2~", VK_DELETE},
	{"\033[57420u", VK_DOWN},
	{"\033[57400u", '1'},
	{"\033[106u", 'j'},
	{"\033[112;2u", 'P'},
	{"\033[27;1;106~", 'j'},
	{"\033[108;5u", VK_CTRL('L')},
	{"\233A", VK_UP},
	{"\217P", VK_F1},
	{"\303\251", 0xe9},
	{"\342\202\254", 0x20ac},
	{"\360\237\230\200", 0x1f600},
	{"\t", VK_TAB},
	{"\r", VK_ENTER},
	{"\177", VK_BACKSPACE},
	{"j", 'j'},
	{"\014", VK_CTRL('L')},
};

static void test_keys_of_terminals(void **state)
{
	struct typist t;
	(void)state;
	open_at(&t, "xterm-256color");
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		for (int slow = 0; slow < 2; slow++) {
			t.keys = t.key = 0;
			typist_keys(&t, "/"); /* a line takes any key */
			assert_int_equal(t.keys, 1);
			typist_slowly(&t, usual[i].bytes, strlen(usual[i].bytes), slow ? 20 : 0);
			typist_wait(&t, 5000);
			if (t.key != usual[i].key || t.keys != 2)
				fail_msg("key %zu, %s: 0x%x, %d keys", i, slow ? "slow" : "at once", t.key,
					t.keys - 1);
			typist_keys(&t, "\033");
			typist_wait(&t, 5000);
		}
	typist_close(&t);
}

/* What it does not know is nothing: no key at all comes of it. */
static void test_unknown_is_nothing(void **state)
{
	static const char *const none[] = {"\033[O", "\033[I", "\033[?1;2c", "\033[12;5R", "\033[?2004;1$y",
		"\033[23$", "\033b", "\033[1;5A", "\033[97;1:3u", "\033[M bB", "\033[<0;3;3M",
		"\033]11;rgb:a/b/c\033\\", "\033P1+r\033\\", "\033[999~", "\033[0~", "\033[200;3~",
		"\033[99999999999999999999u", "\033[1;99999999999A", "\033\303\251", "\033(b", "\033 b",
		"\033#(u", "\377", "\033[55296u", "\033[1114112u", "\033[133u"};
	struct typist t;
	(void)state;
	open_at(&t, "xterm-256color");
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		t.keys = 0;
		typist_bytes(&t, none[i], strlen(none[i]));
		typist_wait(&t, 5000);
		if (t.keys)
			fail_msg("%zu: key 0x%x", i, t.key);
		typist_keys(&t, "j"); /* and it is over */
		assert_int_equal(t.keys, 1);
	}
	typist_close(&t);
}

static void test_escape(void **state)
{
	struct typist t;
	char word[200];
	(void)state;
	open_at(&t, "xterm-256color");
	typist_bytes(&t, "\033", 1);
	typist_wait(&t, KEYS_ESC_MS + 1);
	assert_int_equal(t.key, VK_ESC); /* at once */
	typist_wait(&t, 500);
	typist_bytes(&t, "2", 1);
	assert_int_equal(t.key, '2'); /* what only shows works */
	typist_wait(&t, 200);
	typist_bytes(&t, "u", 1); /* what steers does not, and says so */
	typist_wait(&t, 300);
	assert_int_equal(t.commands, 0);
	assert_true(keys_guard_word(&t.guard, word, sizeof word));
	assert_non_null(strstr(word, "u did nothing: it came right after Esc"));
	assert_false(keys_guard_word(&t.guard, word, sizeof word));
	typist_wait(&t, 1000);
	typist_keys(&t, "u");
	assert_int_equal(t.commands, 1);
	/* a string that never ends gives the keys back */
	typist_keys(&t, "\033");
	typist_keys(&t, "PPP");
	typist_wait(&t, 1000);
	assert_true(keys_guard_word(&t.guard, word, sizeof word));
	typist_wait(&t, 1000);
	typist_keys(&t, "u");
	assert_int_equal(t.commands, 2);
	assert_string_equal(t.wrong, "");
	typist_close(&t);
}

static void test_alone(void **state)
{
	struct typist t;
	char word[200];
	(void)state;
	open_at(&t, "xterm-256color");
	typist_bytes(&t, "u", 1);
	typist_wait(&t, KEYS_ALONE_MS - 1);
	assert_int_equal(t.commands, 0);
	typist_wait(&t, 2);
	assert_int_equal(t.commands, 1);
	typist_bytes(&t, "uj", 2); /* together */
	typist_wait(&t, 50);
	typist_bytes(&t, "u", 1); /* right after */
	typist_wait(&t, 500);
	typist_bytes(&t, "u", 1); /* right before */
	typist_wait(&t, 99);
	typist_bytes(&t, "j", 1);
	typist_wait(&t, 500);
	assert_int_equal(t.commands, 1);
	assert_true(keys_guard_word(&t.guard, word, sizeof word));
	assert_non_null(strstr(word, "together"));
	typist_slowly(&t, "uuuuuuuuuu", 10, 33); /* a key that is held down */
	typist_wait(&t, 500);
	assert_int_equal(t.commands, 1);
	typist_close(&t);
}

static void test_question_is_seen_first(void **state)
{
	struct typist t;
	char word[200];
	(void)state;
	open_at(&t, "xterm-256color");
	typist_bytes(&t, "a", 1);
	typist_wait(&t, KEYS_ALONE_MS + 1); /* it is asked now */
	assert_true(view_asked(t.v, t.s) != 0);
	typist_wait(&t, 150);
	typist_bytes(&t, "y", 1);
	typist_wait(&t, 150);
	assert_int_equal(t.commands, 0);
	assert_true(view_asked(t.v, t.s) != 0); /* and still is */
	assert_true(keys_guard_word(&t.guard, word, sizeof word));
	assert_non_null(strstr(word, "before the question"));
	typist_wait(&t, 100);
	typist_bytes(&t, "y", 1);
	typist_wait(&t, 150);
	assert_int_equal(t.commands, 1);
	assert_int_equal(t.last.kind, CMD_AUTO_CPU);
	/* a line that takes nothing: what is asked is never seen, and Esc still drops it */
	t.blind = true;
	typist_keys(&t, "U");
	typist_keys(&t, "m");
	typist_keys(&t, "yyyy");
	assert_int_equal(t.commands, 1);
	typist_keys(&t, "\033");
	assert_int_equal(view_asked(t.v, t.s), 0);
	assert_string_equal(t.wrong, "");
	typist_close(&t);
}

/* All at once or fast, marked or not: pasted text steers nothing, whatever is open. */
static void test_paste(void **state)
{
	static const char *const open[] = {"", "a", "v", "E", "=", "i", "\\", "'"};
	static const char text[] = "always restart the service\ny\nb\nbB u U =4G\r y\ray\r";
	(void)state;
	for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
		for (int64_t gap = 0; gap < 100; gap += 24)
			for (int marked = 0; marked < 2; marked++) {
				struct typist t;
				open_at(&t, typist_term((unsigned)i));
				typist_keys(&t, open[i]);
				int before = t.commands;
				if (marked)
					typist_slowly(&t, "\033[200~", 6, gap);
				typist_slowly(&t, text, sizeof text - 1, gap);
				if (marked)
					typist_slowly(&t, "\033[201~", 6, gap);
				typist_wait(&t, 5000);
				if (t.commands != before || t.wrong[0])
					fail_msg("'%s', %d ms, %s: %d commands. %s", open[i], (int)gap,
						marked ? "marked" : "plain", t.commands - before, t.wrong);
				typist_close(&t);
			}
}

/* A pasted filter is typed into its line, without its end; a paste that never ends is over after a while. */
static void test_paste_into_line(void **state)
{
	struct typist t;
	(void)state;
	open_at(&t, "xterm-256color");
	typist_keys(&t, "i");
	typist_bytes(&t, "\033[200~7\r\033[31m5\033[201~", 20);
	typist_wait(&t, 2000);
	assert_int_equal(t.commands, 0);
	typist_keys(&t, "\r");
	assert_int_equal(t.commands, 1);
	assert_true(t.last.kind == CMD_INTERVAL && t.last.number == 75);
	typist_bytes(&t, "\033[200~bb", 8);
	typist_wait(&t, 2000);
	typist_bytes(&t, "u", 1);
	typist_wait(&t, 5000);
	assert_int_equal(t.commands, 1);
	typist_keys(&t, "u");
	assert_int_equal(t.commands, 2);
	typist_close(&t);
}

static void test_steers_by_hand(void **state)
{
	struct typist t;
	(void)state;
	open_at(&t, "linux");
	typist_keys(&t, "v");
	assert_int_equal(t.last.kind, CMD_PREVIEW);
	typist_keys(&t, "y");
	assert_int_equal(t.last.kind, CMD_PREVIEW_APPLY);
	typist_keys(&t, "=8G\r");
	assert_int_equal(t.last.kind, CMD_BALLOON);
	typist_keys(&t, "H");
	assert_int_equal(t.last.kind, CMD_HOLD);
	typist_bytes(&t, "\033[12~", 5); /* F2; Right asks for another policy */
	typist_wait(&t, 300);
	typist_bytes(&t, "\033[C", 3);
	typist_wait(&t, 300);
	assert_int_equal(t.last.kind, CMD_HOLD);
	typist_keys(&t, "y");
	assert_int_equal(t.last.kind, CMD_CPU_POLICY);
	int before = t.commands;
	typist_bytes(&t, "\033[C\033[C", 6);
	typist_wait(&t, 300);
	assert_int_equal(t.commands, before);
	assert_string_equal(t.wrong, "");
	typist_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_of_terminals),
		cmocka_unit_test(test_unknown_is_nothing),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_question_is_seen_first),
		cmocka_unit_test(test_paste),
		cmocka_unit_test(test_paste_into_line),
		cmocka_unit_test(test_steers_by_hand),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_right_after),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
