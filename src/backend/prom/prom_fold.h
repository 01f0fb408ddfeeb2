/* SPDX-License-Identifier: MIT */
/* Rows from what a Prometheus answered, and which instance each host is of, so that later answers need only
 * tell of hosts that have something new. Private to src/backend. */
#ifndef BACKEND_PROM_FOLD_H
#define BACKEND_PROM_FOLD_H

#include "prom_read.h"
#include "vmtop/prom.h"

struct prom_instance {
	char key[PROM_TEXT]; /* its label */
	double stamp;        /* of its newest sample; 0: not told, or not read yet */
};

struct prom_rows {
	struct fleet *fleet;
	struct prom_instance *of; /* by host */
};

struct prom_moment {
	double scrape_s;
	int64_t now_ns, wall_ns;
};

/* Hosts that were not asked for, of the first n, are as they were. */
struct prom_kept {
	const struct prom_rows *was;
	const bool *asked;
	size_t n;
};

/* kept: NULL, all of them were asked for. */
int prom_rows_read(struct prom_rows *to, const struct prom_text *answers, size_t n,
	const struct prom_moment *moment, const struct prom_kept *kept, struct err *err);
void prom_rows_done(struct prom_rows *rows);
/* Whether a host has told something since. */
bool prom_rows_news(const struct prom_rows *now, size_t host, const struct prom_rows *was);
/* Names of all metrics that become something in a row, as a regular expression. */
void prom_names(char *buf, size_t len);

#endif
