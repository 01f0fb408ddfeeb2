/* SPDX-License-Identifier: MIT */
/* Keys and texts of absent values, from the one table in avail.h. */
#include "vmtop/avail.h"

static const struct {
	const char *key, *text;
} rows[] = {
#define ROW(code, key, text) [code] = {key, text},
	AVAIL_TABLE(ROW)
#undef ROW
};

const char *avail_key(enum avail avail)
{
	return (unsigned)avail < AVAIL_COUNT ? rows[avail].key : "not-read";
}

const char *avail_text(enum avail avail)
{
	return (unsigned)avail < AVAIL_COUNT ? rows[avail].text : "not read";
}
