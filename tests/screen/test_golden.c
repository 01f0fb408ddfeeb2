/* SPDX-License-Identifier: MIT */
/* Golden screens: what each view shows of made-up hosts, as text. `make golden` writes them anew
 * (VMTOP_GOLDEN=write); read the difference as a diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/bigsnap.h"
#include "support/dump.h"
#include "vmtop/view.h"

#define SECOND INT64_C(1000000000)

struct shot {
	const char *name; /* of the file; sizes and hosts are appended */
	const char *keys; /* typed before */
	int vms, pcpus, rows, cols;
	bool ascii, console, readonly, automatic, stale, first, preview;
	enum graph graph;
	int ticks;   /* that came before; 0: five */
	bool styles; /* not the text but what each cell means, from which a theme makes its colour */
};

static struct view *open_view(struct snapshot *s, int ticks)
{
	struct config cfg = {.delay_s = 2, .on_exit = ON_EXIT_DEFAULT, .sparklines = true};
	struct view *v = view_new(&cfg);
	assert_non_null(v);
	for (int i = 0; i < ticks && !s->first; i++) {
		view_feed(v, s);
		bigsnap_tick(s);
	}
	view_feed(v, s);
	return v;
}

/* \001 Down, \002 Right, \003 F2 */
static int key_of(char c)
{
	static const struct {
		char c;
		int key;
	} keys[] = {{'\r', VK_ENTER}, {'\033', VK_ESC}, {'\t', VK_TAB}, {'\001', VK_DOWN}, {'\002', VK_RIGHT},
		{'\003', VK_F1 + 1}};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].c == c)
			return keys[i].key;
	return c;
}

static void type(struct view *v, const struct snapshot *s, const char *keys)
{
	struct command c;
	for (; *keys; keys++)
		for (bool more = view_key(v, key_of(*keys), s, &c); more;)
			more = view_more(v, &c);
}

/* A letter a cell, by enum style; what is normal and empty is blank, and lines end where only that follows.
 */
static char *dump_styles(const struct screen *s)
{
	static const char letters[STYLE_COUNT + 1] = ".dBthSsmkKgwb123WPHaGfL";
	char *out = malloc((size_t)s->rows * ((size_t)s->cols + 1) + 1), *at = out;
	assert_non_null(out);
	for (int r = 0; r < s->rows; r++) {
		char *end = at;
		for (int c = 0; c < s->cols; c++) {
			const struct cell *x = &s->cells[r * s->cols + c];
			bool blank = x->style == STYLE_NORMAL && (x->ch == ' ' || !x->ch);
			*at++ = blank ? ' ' : letters[x->style];
			end = blank ? end : at;
		}
		at = end;
		*at++ = '\n';
	}
	*at = '\0';
	return out;
}

static char *shoot(const struct shot *t)
{
	struct snapshot *s = bigsnap_new(t->vms, t->pcpus);
	struct screen base, over;
	int row, col;
	s->first = t->first;
	s->readonly = t->readonly;
	s->auto_cpu = s->auto_memory = t->automatic;
	s->n_changed = 5;
	if (t->first)
		snprintf(s->backend.text, sizeof s->backend.text, "connecting to qemu:///system");
	if (t->preview)
		bigsnap_preview(s, true);
	if (t->stale)
		s->backend.link = LINK_LOST;
	struct view *v = open_view(s, t->ticks ? t->ticks : 5);
	assert_int_equal(screen_init(&base, t->rows, t->cols), 0);
	assert_int_equal(screen_init(&over, 1, 1), 0);
	base.ascii = over.ascii = t->ascii;
	base.console = over.console = t->console;
	base.graph = t->graph;
	int64_t now = t->stale ? 12 * SECOND : 0;
	view_draw(v, s, &base, now, 0); /* pages are known after the first frame */
	type(v, s, t->keys);
	view_draw(v, s, &base, now, 0);
	if (view_overlay(v, s, &over, t->rows, t->cols, &row, &col))
		screen_blit(&base, &over, row, col);
	char *text = t->styles ? dump_styles(&base) : screen_dump(&base);
	assert_non_null(text);
	screen_done(&base);
	screen_done(&over);
	view_free(v);
	bigsnap_free(s);
	return text;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	if (!f)
		return text;
	size_t n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void check(const struct shot *t)
{
	char path[256];
	const char *mode = getenv("VMTOP_GOLDEN");
	snprintf(path, sizeof path, "tests/screen/golden/%s-%dx%d-%dvms-%dcpus%s.txt", t->name, t->cols,
		t->rows, t->vms, t->pcpus, t->styles ? "-styles" : "");
	char *now = shoot(t);
	if (mode && !strcmp(mode, "write")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fputs(now, f);
		fclose(f);
	} else {
		char *then = read_file(path);
		if (strcmp(now, then))
			fail_msg("%s differs (make golden writes it anew). Now:\n%s", path, now);
		free(then);
	}
	free(now);
}

static const char *const views[] = {"overview", "pcpus", "memory", "decisions", "vm"};
static const char *const view_keys[] = {"0", "1", "2", "3", "\0014"};

static void test_sizes(void **state)
{
	static const int sizes[][2] = {{24, 80}, {40, 120}, {60, 200}, {90, 300}, {12, 40}, {6, 20}};
	(void)state;
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
			check(&(struct shot){
				views[i], view_keys[i], 40, 64, sizes[k][0], .cols = sizes[k][1]});
}

/* Small and large hosts at every size; the other pairs of VMs and pCPUs at the usual size. */
static void test_hosts(void **state)
{
	static const int sizes[][2] = {{24, 80}, {40, 120}, {60, 200}, {12, 40}, {6, 20}};
	static const int hosts[][2] = {{3, 2}, {1000, 512}};
	static const int pairs[][2] = {{3, 64}, {3, 512}, {40, 2}, {40, 512}, {1000, 2}, {1000, 64}};
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 2; k++)
			for (size_t z = 0; z < 5; z++)
				check(&(struct shot){views[i], view_keys[i], hosts[k][0], hosts[k][1],
					sizes[z][0], .cols = sizes[z][1]});
		for (size_t k = 0; k < 6; k++)
			check(&(struct shot){
				views[i], view_keys[i], pairs[k][0], pairs[k][1], 24, .cols = 80});
	}
}

static void test_states(void **state)
{
	static const struct shot shots[] = {
		{"help", "?", 16, 8, 24, .cols = 80},
		{"ask-auto", "a", 16, 8, 24, .cols = 80},
		{"ask-quit", "q", 16, 8, 24, .cols = 80},
		{"prompt-interval", "i", 16, 8, 24, .cols = 80},
		{"search", "/wide\033/db\r", 16, 8, 24, .cols = 80},
		{"filter", "\\db\r", 16, 8, 24, .cols = 80},
		{"sort", "F", 16, 8, 24, .cols = 80},
		{"setup", "\003", 16, 8, 24, .cols = 80},
		{"pin-editor", "E\002\002 ", 16, 8, 24, .cols = 80},
		{"merged", "1!!", 16, 64, 24, .cols = 80},
		{"ascii", "", 16, 8, 24, .cols = 80, .ascii = true},
		{"ascii-vm", "\0014", 16, 8, 24, .cols = 80, .ascii = true},
		{"console", "", 16, 8, 24, .cols = 80, .console = true},
		{"console-vm", "\0014", 16, 8, 24, .cols = 80, .console = true},
		{"block-vm", "\0014", 16, 8, 24, .cols = 80, .graph = GRAPH_BLOCK},
		{"help-pins", "E?", 16, 8, 24, .cols = 80},
		{"help-setup", "\003?", 16, 8, 24, .cols = 80},
		{"help-vm", "4?", 16, 8, 24, .cols = 80},
		{"setup-columns", "\003\001\001\001\001\001\001\001\001\001\001\001\001\001 >>s", 16, 8, 24,
			.cols = 80},
		{"of-host", "I", 16, 8, 24, .cols = 80},
		{"strip-node", "1!!!", 16, 512, 24, .cols = 80},
		{"preview", "1", 16, 8, 24, .cols = 80, .preview = true},
		{"plan", "\001\001", 16, 8, 24, .cols = 80, .preview = true},
		{"plan", "", 40, 8, 40, .cols = 120, .preview = true},
		{"plan", "", 3, 8, 12, .cols = 40, .preview = true},
		{"plan", "", 3, 8, 6, .cols = 20, .preview = true},
		{"plan-help", "?", 16, 8, 24, .cols = 80, .preview = true},
		{"readonly", "", 16, 8, 24, .cols = 80, .readonly = true},
		{"auto", "", 16, 8, 24, .cols = 80, .automatic = true},
		{"stale", "", 16, 8, 24, .cols = 80, .stale = true},
		{"paused", "Z", 16, 8, 24, .cols = 80},
		{"first", "", 0, 8, 24, .cols = 80, .first = true},
		{"empty", "", 0, 8, 24, .cols = 80},
		{"marked", "x\001x", 16, 8, 24, .cols = 80},
	};
	(void)state;
	for (size_t i = 0; i < sizeof shots / sizeof shots[0]; i++)
		check(&shots[i]);
}

/* What is emphasised, dimmed, lit, warned of: the same screens by the meaning of their cells. */
/* Since when: run and wait, balloon and use, the host, over minutes. */
static void test_graphs(void **state)
{
	static const struct shot shots[] = {
		{"graphs-vm", "\0014", 3, 8, 40, .cols = 120, .ticks = 400},
		{"graphs-vm", "\0014", 3, 8, 24, .cols = 80, .ticks = 400},
		{"graphs-vm-block", "\0014", 3, 8, 40, .cols = 120, .ticks = 400, .graph = GRAPH_BLOCK},
		{"graphs-vm-ascii", "\0014", 3, 8, 40, .cols = 120, .ticks = 400, .ascii = true},
		{"graphs-vm-console", "\0014", 3, 8, 40, .cols = 120, .ticks = 400, .console = true},
		{"graphs-host", "3", 7, 8, 40, .cols = 120, .ticks = 400},
		{"graphs-host", "3", 7, 8, 24, .cols = 80, .ticks = 400},
		{"past", "[[[[[[[[", 7, 8, 24, .cols = 80, .ticks = 40},
		{"past", "4g-30s\r", 3, 8, 40, .cols = 120, .ticks = 40},
		{"past", "[[[[[[[[", 3, 2, 16, .cols = 60, .ticks = 40, .ascii = true},
		{"past", "[[[[[[[[", 7, 8, 24, .cols = 80, .ticks = 40, .styles = true},
		{"graphs-overview", "0", 7, 8, 60, .cols = 200, .ticks = 400},
		{"graphs-vm", "\0014", 3, 8, 40, .cols = 120, .ticks = 400, .styles = true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof shots / sizeof shots[0]; i++)
		check(&shots[i]);
}

static void test_styles(void **state)
{
	static const struct shot shots[] = {
		{"overview", "0", 16, 8, 24, .cols = 80, .styles = true},
		{"pcpus", "1\002", 16, 8, 24, .cols = 80, .styles = true},
		{"memory", "2", 16, 8, 24, .cols = 80, .styles = true},
		{"decisions", "3", 16, 8, 24, .cols = 80, .styles = true},
		{"vm", "\0014", 16, 8, 24, .cols = 80, .styles = true},
		{"strip", "1", 16, 512, 24, .cols = 80, .styles = true},
		{"help", "?", 16, 8, 24, .cols = 80, .styles = true},
		{"setup", "\003", 16, 8, 24, .cols = 80, .styles = true},
		{"ask-auto", "a", 16, 8, 24, .cols = 80, .styles = true},
		{"pin-editor", "E\002\002 ", 16, 8, 24, .cols = 80, .styles = true},
		{"preview", "1", 16, 8, 24, .cols = 80, .preview = true, .styles = true},
		{"plan", "\001\001", 16, 8, 24, .cols = 80, .preview = true, .styles = true},
		{"readonly", "", 16, 8, 24, .cols = 80, .readonly = true, .styles = true},
		{"auto", "", 16, 8, 24, .cols = 80, .automatic = true, .styles = true},
		{"stale", "", 16, 8, 24, .cols = 80, .stale = true, .styles = true},
		{"marked", "x\001x", 16, 8, 24, .cols = 80, .styles = true},
		{"search", "/db\r", 16, 8, 24, .cols = 80, .styles = true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof shots / sizeof shots[0]; i++)
		check(&shots[i]);
}

/* Every state is a word; hostile names cannot reach the terminal. */
static void test_words(void **state)
{
	struct shot t = {"", "", 16, 8, 60, .cols = 120, .readonly = true, .stale = true};
	(void)state;
	char *text = shoot(&t);
	static const char *const words[] = {
		"MANUAL", "READ-ONLY", "STALE 12 s", "RECONNECTING", "HELD", "HUNG 22 s", "paused"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strstr(text, words[i]))
			fail_msg("\"%s\" is not on the screen:\n%s", words[i], text);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p != 0x7f));
	assert_null(strstr(text, "\xe2\x80\xae"));
	free(text);
}

/* The row that a message has, in a screen of so many: beside who suffers, or that of the keys; -1: there is
 * none. */
static int word_row(int rows)
{
	return rows >= 12 ? 3 : rows >= 6 ? rows - 1 : -1;
}

static void same_but_for(const struct screen *a, const struct screen *b, int row, const char *what)
{
	for (int r = 0; r < a->rows; r++)
		if (r != row && memcmp(&a->cells[r * a->cols], &b->cells[r * b->cols],
					(size_t)a->cols * sizeof *a->cells) != 0)
			fail_msg("%s, %dx%d: row %d is not what it was", what, a->cols, a->rows, r);
}

static bool row_has(const struct screen *s, int row, const char *word)
{
	char *text = screen_dump(s), *line = text;
	for (int r = 0; line && r < row; r++)
		line = strchr(line, '\n') + 1;
	char *end = strchr(line, '\n');
	*end = '\0';
	bool has = strstr(line, word) != NULL;
	free(text);
	return has;
}

/* A word comes, from the view, the engine and the connection, beside who suffers or not, and goes again. */
static void stays_in_place(const char *keys, int rows, int cols, bool suffers)
{
	struct snapshot *s = bigsnap_new(16, 8);
	struct screen quiet, says;
	if (suffers) {
		s->vm_status[1].suffer = (struct suffering){.n = 1, .score_pct = 60};
		s->vm_status[1].suffer.found[0] =
			(struct finding){.cause = CAUSE_SWAP, .weight_pct = 60, .other = -1};
	}
	struct view *v = open_view(s, 0);
	assert_int_equal(screen_init(&quiet, rows, cols), 0);
	assert_int_equal(screen_init(&says, rows, cols), 0);
	view_draw(v, s, &quiet, 0, 0);
	type(v, s, keys);
	type(v, s, "l"); /* no key: a word of the one before goes */
	view_draw(v, s, &quiet, 0, 0);
	char *const words[] = {s->notice, s->backend.text};
	for (size_t i = 0; i < 2; i++) {
		snprintf(words[i], 40, "WORD and what is behind it");
		view_draw(v, s, &says, 0, 0);
		same_but_for(&quiet, &says, word_row(rows), keys);
		if (word_row(rows) >= 0 && cols >= 20)
			assert_true(row_has(&says, word_row(rows), "WORD"));
		words[i][0] = '\0';
	}
	view_tell(v, "WORD");
	view_draw(v, s, &says, 0, 0);
	same_but_for(&quiet, &says, word_row(rows), keys);
	if (suffers && rows >= 12 && cols >= 40)
		assert_true(row_has(&says, 3, "SWAPPING 1:") && row_has(&says, 3, "WORD"));
	screen_done(&quiet);
	screen_done(&says);
	view_free(v);
	bigsnap_free(s);
}

static void test_no_message_moves_a_row(void **state)
{
	static const char *const ways[] = {"0", "1", "2", "3", "4", "w", "E", "0\t", "1!!", "x"};
	static const int sizes[][2] = {{60, 200}, {50, 200}, {40, 120}, {24, 80}, {13, 80}, {12, 40},
		{11, 80}, {8, 30}, {6, 20}, {5, 20}, {2, 10}, {1, 1}};
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
			for (int suffers = 0; suffers < 2; suffers++)
				stays_in_place(ways[i], sizes[k][0], sizes[k][1], suffers);
}

/* What the rows of two VMs show of their names, up to the state. */
static void names_of(struct snapshot *s, int cols, const char *keys, char a[200], char b[200])
{
	struct screen screen;
	struct view *v = open_view(s, 0);
	assert_int_equal(screen_init(&screen, 50, cols), 0);
	view_draw(v, s, &screen, 0, 0);
	type(v, s, keys);
	view_draw(v, s, &screen, 0, 0);
	char *text = screen_dump(&screen), *to[2] = {a, b};
	int n = 0;
	for (char *line = strtok(text, "\n"); line && n < 2; line = strtok(NULL, "\n")) {
		char *at = strstr(line, "prod-eu");
		if (at && (at - line) < 8)
			snprintf(to[n++], 200, "%.*s", (int)strcspn(at, " "), at);
	}
	assert_int_equal(n, 2);
	free(text);
	screen_done(&screen);
	view_free(v);
}

/* Names of 44 characters that differ in their middle alone. */
static void test_no_two_names_read_alike(void **state)
{
	static const int widths[] = {80, 120, 160, 200, 300};
	char a[200], b[200];
	(void)state;
	struct snapshot *s = bigsnap_new(3, 8);
	for (int i = 0; i < 2; i++)
		snprintf(s->sample.vms[i].name, VM_NAME_BYTES,
			"prod-eu-central-1-billing-%04d-worker-postgres", i);
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		names_of(s, widths[i], "", a, b);
		assert_string_not_equal(a, b);
	}
	names_of(s, 200, "1", a, b); /* the pin map has room for all of it */
	assert_int_equal(strlen(a), 46);
	assert_string_not_equal(a, b);
	bigsnap_free(s);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_graphs),
		cmocka_unit_test(test_styles),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_no_message_moves_a_row),
		cmocka_unit_test(test_no_two_names_read_alike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
