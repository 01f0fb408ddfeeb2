/* SPDX-License-Identifier: MIT */
/* Hostile text made safe: VM names, metadata, messages from outside. */
#ifndef VMTOP_TEXT_H
#define VMTOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What whoever reads can be shown; set once, before there are threads. */
enum text_charset {
	TEXT_UTF8,
	TEXT_CONSOLE, /* the kernel's console: ASCII and the letters that all its fonts have */
	TEXT_ASCII,
};
/* Combining marks that one character may carry. */
enum { TEXT_MARKS = 2 };
void text_charset_set(enum text_charset charset);
enum text_charset text_charset(void);

/* A name, or another word from outside, so that two that differ never read alike: control characters, what
 * hides or looks like a blank, invalid UTF-8 and what the character set in force has not become \xNN or
 * \u{NNNN}, a backslash two, a blank at either end \x20. Writes at most len-1 bytes; what is too long loses
 * its middle, and is never cut inside a character. Always terminates. Returns bytes written. */
size_t text_escape(char *buf, size_t len, const char *raw);
/* A text of our own whose names are escaped already: as text_escape, but backslashes and blanks stay, and our
 * own signs become ASCII where they have to. */
size_t text_safe(char *buf, size_t len, const char *text);
/* The same for data that is UTF-8 wherever it is read. */
size_t text_safe_utf8(char *buf, size_t len, const char *text);
/* What stands for a character of such a text, NULL: itself. buf: room for it; byte: where ch is invalid. */
const char *text_stand_in(uint32_t ch, unsigned char byte, enum text_charset charset, char buf[16]);
/* As text_safe_utf8, but turns invalid bytes into U+FFFD and keeps everything else: for JSON and recordings.
 */
size_t text_utf8(char *buf, size_t len, const char *raw);
/* Decodes one character; returns bytes used (at least 1 unless at the end), *ch is UINT32_MAX when invalid.
 */
size_t text_decode(const char *s, uint32_t *ch);
/* Terminal columns of a character: 0 combining, 1, 2 wide; -1 control. Own table of the C library's wcwidth.
 */
int text_width(uint32_t ch);
/* "4.0G", "512M": KiB to at most 5 characters. */
size_t text_kib(char *buf, size_t len, int64_t kib);
/* The ending of a noun of which there are n: "" or "s". */
const char *text_s(size_t n);
/* A text where there is one to be said, else "". */
const char *text_if(bool said, const char *text);
/* The text, or another where it is NULL or empty. */
const char *text_or(const char *text, const char *otherwise);
/* ISO 8601 with zone, local time. */
size_t text_time(char *buf, size_t len, int64_t wall_ns);

#endif
