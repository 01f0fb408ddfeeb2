/* SPDX-License-Identifier: MIT */
/* Hostile text made safe: VM names, metadata, messages from outside. */
#ifndef VMTOP_TEXT_H
#define VMTOP_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Copies at most len-1 bytes; control characters, escape sequences, bidirectional overrides, invalid UTF-8
 * and line breaks become \xNN or \u{NNNN}; never cuts inside a character. Always terminates. Returns bytes
 * written. */
size_t text_escape(char *buf, size_t len, const char *raw);
/* As text_escape, but turns invalid bytes into U+FFFD and keeps everything else: for JSON and recordings. */
size_t text_utf8(char *buf, size_t len, const char *raw);
/* Decodes one character; returns bytes used (at least 1 unless at the end), *ch is UINT32_MAX when invalid.
 */
size_t text_decode(const char *s, uint32_t *ch);
/* Terminal columns of a character: 0 combining, 1, 2 wide; -1 control. Own table of the C library's wcwidth.
 */
int text_width(uint32_t ch);
/* "4.0G", "512M": KiB to at most 5 characters. */
size_t text_kib(char *buf, size_t len, int64_t kib);
/* "4G", "512MiB", "1048576" (KiB without a unit); -1: not a size. */
int text_parse_kib(const char *s, int64_t *kib);
/* The ending of a noun of which there are n: "" or "s". */
const char *text_s(size_t n);
/* ISO 8601 with zone, local time. */
size_t text_time(char *buf, size_t len, int64_t wall_ns);

#endif
