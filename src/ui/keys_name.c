/* SPDX-License-Identifier: MIT */
/* What the sequences of the usual terminals stand for: xterm and its kin, PuTTY, rxvt, the Linux console,
 * screen and tmux, kitty. Invariant: only whole sequences come here, and what is not in a table is no key. */
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "keys_read.h"
#include "vmtop/view.h"

enum { PARAMS = 4, SHIFT = 1, CONTROL = 4, LOCKS = 64 | 128 };

struct params {
	long v[PARAMS]; /* -1: not given */
	int n;
	long event;   /* kitty: 1 pressed, 2 again, 3 let go */
	bool private; /* < = > ? before the numbers: a report, no key */
};

/* Numbers with ; between; what follows a : refines the number before. */
static struct params params_of(const char *body, size_t n)
{
	struct params params = {.v = {-1, -1, -1, -1}, .event = 1};
	int sub = 0;
	for (size_t i = 0; i + 1 < n; i++) {
		char c = body[i];
		if (c >= '0' && c <= '9' && params.n < PARAMS) {
			long *to = sub == 0                    ? &params.v[params.n]
				   : sub == 1 && params.n == 1 ? &params.event
							       : NULL;
			if (to && *to < 1000000)
				*to = (sub && to == &params.event && body[i - 1] == ':') || *to < 0
					      ? c - '0'
					      : *to * 10 + c - '0';
		} else if (c == ';') {
			params.n++;
			sub = 0;
		} else if (c == ':') {
			sub++;
		} else {
			params.private = true;
		}
	}
	params.n++;
	return params;
}

/* Shift, Alt (2), Control: one more than their sum is sent. */
static long modifiers(const struct params *params, int at)
{
	long m = params->v[at] > 0 ? params->v[at] - 1 : 0;
	return m & ~(long)LOCKS;
}

/* A key with modifiers has no meaning but for two. */
static int with(int key, long mods)
{
	if (!mods)
		return key;
	if (mods == SHIFT && (key == VK_LEFT || key == VK_RIGHT))
		return key == VK_LEFT ? VK_SLEFT : VK_SRIGHT;
	return mods == SHIFT && key == VK_TAB ? VK_BTAB : VK_NONE;
}

static int by_letter(char c)
{
	static const struct {
		char c;
		int key;
	} rows[] = {{'A', VK_UP}, {'B', VK_DOWN}, {'C', VK_RIGHT}, {'D', VK_LEFT}, {'F', VK_END},
		{'H', VK_HOME}, {'P', VK_F1}, {'Q', VK_F1 + 1}, {'S', VK_F1 + 3}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].c == c)
			return rows[i].key;
	return VK_NONE;
}

/* CSI number ~ */
static int by_number(long n)
{
	static const int keys[] = {[1] = VK_HOME,
		[2] = VK_INSERT,
		[3] = VK_DELETE,
		[4] = VK_END,
		[5] = VK_PGUP,
		[6] = VK_PGDN,
		[7] = VK_HOME,
		[8] = VK_END,
		[11] = VK_F1,
		[12] = VK_F1 + 1,
		[13] = VK_F1 + 2,
		[14] = VK_F1 + 3,
		[15] = VK_F1 + 4,
		[17] = VK_F1 + 5,
		[18] = VK_F1 + 6,
		[19] = VK_F1 + 7,
		[20] = VK_F1 + 8,
		[21] = VK_F1 + 9,
		[23] = VK_F1 + 10,
		[24] = VK_F1 + 11};
	return n > 0 && n < (long)(sizeof keys / sizeof keys[0]) ? keys[n] : VK_NONE;
}

/* CSI letter without numbers, beside those that may have some: R with numbers is where the cursor stands, c
 * and d are rxvt's. The Linux console sends [[A to [[E. */
static int by_letter_alone(const char *body, size_t n)
{
	if (n == 2 && body[0] == '[' && body[1] >= 'A' && body[1] <= 'E')
		return VK_F1 + body[1] - 'A';
	switch (n == 1 ? body[0] : 0) {
	case 'Z':
		return VK_BTAB;
	case 'R':
		return VK_F1 + 2;
	case 'c':
		return VK_SRIGHT;
	case 'd':
		return VK_SLEFT;
	default:
		return VK_NONE;
	}
}

int keys_name_csi(const char *body, size_t n)
{
	int alone = by_letter_alone(body, n);
	if (alone)
		return alone;
	struct params params = params_of(body, n);
	char last = body[n - 1];
	if (params.private || params.event == 3 || params.n > 2)
		return VK_NONE;
	if (last == '~')
		return with(by_number(params.v[0]), modifiers(&params, 1));
	return n == 1 || (params.n == 2 && params.v[0] == 1) ? with(by_letter(last), modifiers(&params, 1))
							     : VK_NONE;
}

/* The keypad's digits are what they are without Num Lock. */
int keys_name_ss3(const char *body, size_t n)
{
	static const struct {
		char c;
		int key;
	} rows[] = {{'M', VK_ENTER}, {'I', VK_TAB}, {'R', VK_F1 + 2}, {'p', VK_INSERT}, {'n', VK_DELETE},
		{'q', VK_END}, {'r', VK_DOWN}, {'s', VK_PGDN}, {'t', VK_LEFT}, {'v', VK_RIGHT},
		{'w', VK_HOME}, {'x', VK_UP}, {'y', VK_PGUP}, {'j', '*'}, {'k', '+'}, {'m', '-'}, {'o', '/'}};
	if (n != 1)
		return VK_NONE;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].c == body[0])
			return rows[i].key;
	if (body[0] >= 'T' && body[0] <= '[') /* PuTTY's VT100+ */
		return VK_F1 + 4 + body[0] - 'T';
	return by_letter(body[0]);
}

/* kitty's own codes for the keypad. */
static int by_code(long code)
{
	static const int keypad[] = {
		VK_LEFT, VK_RIGHT, VK_UP, VK_DOWN, VK_PGUP, VK_PGDN, VK_HOME, VK_END, VK_INSERT, VK_DELETE};
	if (code >= 57399 && code <= 57408)
		return '0' + (int)code - 57399;
	if (code >= 57417 && code <= 57426)
		return keypad[code - 57417];
	switch (code) {
	case 9:
		return VK_TAB;
	case 13:
	case 57414:
		return VK_ENTER;
	case 27:
		return VK_ESC;
	case 8:
	case 127:
		return VK_BACKSPACE;
	default:
		return code >= 0x20 && code < 0xd800 && (code < 0x7f || code >= 0xa0) ? (int)code : VK_NONE;
	}
}

/* CSI code ; modifiers u, and CSI 27 ; modifiers ; code ~ */
int keys_name_coded(const char *body, size_t n)
{
	struct params params = params_of(body, n);
	bool u = body[n - 1] == 'u' && params.n <= 3,
	     tilde = body[n - 1] == '~' && params.n == 3 && params.v[0] == 27;
	if (params.private || params.event == 3 || !(u || tilde))
		return VK_NONE;
	long mods = modifiers(&params, 1);
	int key = by_code(u ? params.v[0] : params.v[2]);
	if (key >= VK_BASE || key == VK_NONE)
		return with(key, mods);
	if (mods == SHIFT)
		return key < 0x80 ? (int)towupper((wint_t)key) : VK_NONE;
	if (mods == CONTROL && key >= 'a' && key <= 'z')
		return VK_CTRL(key);
	return mods ? VK_NONE : key;
}

static int mouse_key(long button, bool pressed)
{
	button &= ~28L; /* Shift, Alt and Control do not matter */
	if (!pressed)
		return VK_NONE;
	switch (button) {
	case 0:
		return VK_CLICK;
	case 64:
		return VK_WHEEL_UP;
	case 65:
		return VK_WHEEL_DOWN;
	default:
		return VK_NONE;
	}
}

/* CSI < button ; column ; row M, the same without < and with 32 more, or M and three bytes. */
int keys_name_mouse(const char *body, size_t n, int *row, int *col)
{
	long button, x, y;
	if (n == 4 && body[0] == 'M') {
		button = (unsigned char)body[1] - 32;
		x = (unsigned char)body[2] - 32;
		y = (unsigned char)body[3] - 32;
	} else {
		bool sgr = n > 1 && body[0] == '<';
		struct params params = params_of(body + sgr, n - sgr);
		if (params.n != 3 || params.private)
			return VK_NONE;
		button = sgr ? params.v[0] : params.v[0] - 32;
		x = params.v[1];
		y = params.v[2];
	}
	if (x < 1 || y < 1 || x > 10000 || y > 10000)
		return VK_NONE;
	*row = (int)y - 1;
	*col = (int)x - 1;
	return mouse_key(button, body[n - 1] == 'M' || body[0] == 'M');
}

int keys_name_known(const struct key_names *names, const char *bytes, size_t n, bool *more)
{
	*more = false;
	for (size_t i = 0; i < names->n; i++) {
		const struct key_name *key = &names->rows[i];
		if (key->n < n || memcmp(key->bytes, bytes, n) != 0)
			continue;
		if (key->n == n)
			return key->key;
		*more = true;
	}
	return VK_NONE;
}
