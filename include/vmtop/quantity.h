/* SPDX-License-Identifier: MIT */
/* Numbers with units, read in one way wherever a person writes them: settings, prompts, scenarios, options.
 * Decimal digits with a point, whatever the locale says; no sign, no exponent, no hexadecimal, no inf. What
 * is refused leaves the value as it was. Pure. */
#ifndef VMTOP_QUANTITY_H
#define VMTOP_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* The whole text is such a quantity, without a unit: */
bool quantity_seconds(const char *text, double *s); /* seconds; 500ms, 10s, 5min, 5m, 2h, 1d */
bool quantity_kib(
	const char *text, double *kib); /* KiB, and whole ones; 512M, 4G, 4GiB; as in libvirt 4GB is 4e9 */
bool quantity_percent(const char *text, double *pct); /* percent; 50% */
/* Digits alone, from lo to hi; neither is negative. */
bool quantity_whole(const char *text, int64_t lo, int64_t hi, int64_t *v);

#endif
