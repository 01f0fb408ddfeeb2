/* SPDX-License-Identifier: MIT */
/* Memory loads drawn by number: hosts of 8 to 256 GiB and two to four groups of guests with an appetite of
 * their own. Three kinds, in turn: all that guests may ever have fits the host; what they were given fits; it
 * does not fit from the start. The same number is the same load for ever. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/loads.h"

struct draw {
	struct load *l;
	size_t at;
	unsigned long long state;
};

/* 0 .. n - 1 */
static unsigned draw(struct draw *d, unsigned n)
{
	d->state = d->state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(d->state >> 33) % n;
}

static unsigned between(struct draw *d, unsigned least, unsigned most)
{
	return least + draw(d, most - least + 1);
}

__attribute__((format(printf, 2, 3))) static void add(struct draw *d, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	d->at += (size_t)vsnprintf(d->l->text + d->at, LOAD_TEXT - d->at, format, ap);
	va_end(ap);
	if (d->at >= LOAD_TEXT)
		abort();
}

/* What it eats: fast or slow, seldom or often, to what it has or beyond. */
static void add_appetite(struct draw *d, unsigned base_mib, unsigned has_mib, unsigned max_mib)
{
	static const unsigned rates[] = {5, 20, 60, 100, 200, 400}, every_s[] = {90, 180, 300, 600, 1200};
	unsigned to = draw(d, 2) ? has_mib * between(d, 75, 105) / 100 : max_mib * between(d, 50, 90) / 100;
	if (to <= base_mib + 50)
		return;
	add(d, " eat %uM/s to %uM after %us", rates[draw(d, 6)], to, between(d, 10, 900));
	if (draw(d, 6) == 0)
		add(d, " keep\n");
	else
		add(d, " hold %us every %us\n", between(d, 10, 60), every_s[draw(d, 5)]);
}

static void add_oddity(struct draw *d, unsigned has_mib)
{
	switch (draw(d, 12)) {
	case 0:
		add(d, " balloon speed %uM/s\n", between(d, 20, 200));
		break;
	case 1:
		add(d, " balloon stuck %uM\n", has_mib * 9 / 10);
		break;
	case 2:
		add(d, " balloon refuses\n");
		break;
	case 3:
		add(d, " lie %uM\n", has_mib / 4);
		break;
	default:
		break;
	}
}

/* Guests that hold `budget_mib` together, or as near as whole ones come. */
static void add_guests(struct draw *d, int group, unsigned budget_mib, bool max_counts)
{
	unsigned has = 512u << draw(d, 4), max = has * (draw(d, 2) ? 1 : between(d, 2, 4));
	while (has > 512 && (max_counts ? max : has) > budget_mib) {
		has /= 2;
		max /= 2;
	}
	unsigned n = budget_mib / (max_counts ? max : has), base = has * between(d, 25, 75) / 100;
	n = n > 24 ? 24 : n;
	if (n == 0)
		return;
	add(d, "vm g%d x%u\n memory %uM max %uM\n base %uM\n stats %d\n", group, n, has, max, base,
		draw(d, 4) ? 2 : 10);
	if (draw(d, 2))
		add(d, " swap %uM\n", has / 2);
	if (draw(d, 3) == 0)
		add(d, " cache %uM\n", (has - base) / 2);
	if (draw(d, 4))
		add_appetite(d, base, has, max);
	add_oddity(d, has);
}

void memory_load_get(unsigned number, struct load *l)
{
	static const char *const kinds[] = {"fits", "given", "over"};
	struct draw d = {.l = l, .state = number * 2654435761ull + 12345};
	unsigned kind = number % 3, gib = 8u << draw(&d, 6), used = gib / 16 + 1;
	int groups = (int)between(&d, 2, 4);
	for (int i = 0; i < 4; i++) /* near numbers begin alike */
		draw(&d, 2);
	*l = (struct load){.pcpus = 8};
	snprintf(l->name, sizeof l->name, "memory-%s-%u", kinds[kind], number);
	add(&d, "host\n pcpus 8\n memory %uG\n used %uG\n", gib, used);
	unsigned part_pct = kind == 2 ? between(&d, 105, 150) : between(&d, 70, 98);
	unsigned each_mib = (gib - used) * 1024 / 100 * part_pct / (unsigned)groups;
	for (int g = 0; g < groups; g++)
		add_guests(&d, g, each_mib, kind == 0);
	if (draw(&d, 4) == 0)
		add(&d, "at %us every 20min used %uG\nat %us every 20min used %uG\n", between(&d, 60, 600),
			used + gib / 16 + 1, between(&d, 700, 1100), used);
}
