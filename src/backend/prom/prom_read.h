/* SPDX-License-Identifier: MIT */
/* What Prometheus answers, series by series: to an instant query (JSON), and as federation (the text in which
 * it reads metrics itself). Private to src/backend. */
#ifndef BACKEND_PROM_READ_H
#define BACKEND_PROM_READ_H

#include <stddef.h>

#include "vmtop/err.h"

/* Labels that are of interest; others are skipped. What is longer than there is room for is cut. */
enum prom_label {
	PROM_NAME,
	PROM_INSTANCE,
	PROM_HOST,
	PROM_URI,
	PROM_VERSION,
	PROM_VM,
	PROM_UUID,
	PROM_STATE,
	PROM_CAUSE,
	PROM_WHO,
	PROM_LABELS
};
enum { PROM_TEXT = 512 };

struct prom_series {
	char label[PROM_LABELS][PROM_TEXT]; /* empty: it has none */
	double value;                       /* may be NaN or infinite */
};

/* Calls each() for every series of a vector. Fails, having called it for those before, where the text is not
 * an answer, or says that the query failed. */
int prom_read(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *series),
	void *arg, struct err *err);
/* The same for metrics as text. Nothing at all is an answer. */
int prom_read_metrics(const char *text, size_t len, void (*each)(void *arg, const struct prom_series *series),
	void *arg, struct err *err);
/* The label of that name; -1: of no interest. */
int prom_label(const char *name, size_t len);

#endif
