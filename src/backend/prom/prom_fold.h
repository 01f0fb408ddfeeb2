/* SPDX-License-Identifier: MIT */
/* Rows from what a Prometheus answered, and which instance each host is of, so that later answers need only
 * tell of hosts that have something new. Private to src/backend. */
#ifndef BACKEND_PROM_FOLD_H
#define BACKEND_PROM_FOLD_H

#include "prom_read.h"
#include "vmtop/prom.h"

/* Of which the most VMs have nothing: asked for where there is something, and how many are known at all. */
enum { TOLD_WAIT, TOLD_SUFFERS, TOLD };

struct prom_instance {
	char key[PROM_TEXT]; /* its label */
	double told[TOLD];
	double stamp; /* of its newest sample; 0: not told */
};

struct prom_rows {
	struct fleet *f;
	struct prom_instance *of; /* by host */
};

struct prom_moment {
	double scrape_s;
	int64_t now_ns, wall_ns;
};

/* was: rows that hosts keep which these answers name, but no VM of; may be NULL. */
int prom_rows_read(struct prom_rows *to, const struct prom_text *answers, size_t n,
	const struct prom_moment *m, const struct prom_rows *was, struct err *e);
void prom_rows_done(struct prom_rows *r);
/* Whether a host has told something since. */
bool prom_rows_news(const struct prom_rows *now, size_t host, const struct prom_rows *was);

#endif
