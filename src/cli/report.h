/* SPDX-License-Identifier: MIT */
/* What a report is made of, shared by report*.c only. */
#ifndef VMTOP_CLI_REPORT_H
#define VMTOP_CLI_REPORT_H

#include <stdio.h>

#include "vmtop/snapshot.h"

enum { REPORT_GUESTS = 12, REPORT_ROWS = 5000, REPORT_MARKS = 200 };

struct report_tick {
	double at_s;
	struct vf64 stddev_pct, limit_pct, found_pct, bound_pct;
	struct vi64 available_kib, reserve_kib;
	long pins, balloons; /* done in this tick */
};
struct report_need { /* of one guest at one tick, KiB; absent: unknown */
	struct vi64 balloon, used, lo, hi;
};
struct report_guest {
	uint8_t uuid[UUID_BYTES];
	char name[VM_NAME_BYTES];
	int64_t least_kib, most_kib; /* of its balloon, and how far use went */
	int64_t least_used_kib, most_used_kib;
	struct report_need *needs; /* by tick; NULL: not one of the chosen */
};
struct report_row { /* a line of the table of decisions */
	int64_t wall_ns;
	char vm[VM_NAME_BYTES];
	struct action a;
};
struct report_mark {
	double at_s;
	char text[640];
};

struct report {
	const char *file, *dir;
	int dir_fd;
	char host[128], uri[256], policies[120];
	int64_t start_wall_ns, first_ns;
	struct report_tick *ticks;
	size_t n_ticks, cap_ticks;
	float *load; /* tick by tick, n_pcpus each; below 0: unknown */
	size_t cap_load;
	int pcpu_ids[CPUSET_CPUS];
	size_t n_pcpus;
	struct report_guest *guests;
	size_t n_guests, cap_guests;
	struct report_row *rows;
	size_t n_rows, cap_rows, more_rows; /* more_rows: left out */
	struct report_mark marks[REPORT_MARKS];
	size_t n_marks;
	bool figures; /* gnuplot drew them */
};

struct report_figure {
	const char *name, *caption; /* of the files without their ending; what it shows */
	int width, height;          /* pixels */
	void (*body)(const struct report *r, FILE *f);
	bool memory; /* only where guests tell of theirs */
};
extern const struct report_figure report_figures[];
extern const size_t n_report_figures;
bool report_has_figure(const struct report *report, const struct report_figure *fig);

/* A new file in the folder, never through a link; NULL with err set. */
FILE *report_create(const struct report *report, const char *name, struct err *err);
int report_close(FILE *file, const char *name, struct err *err);
bool report_has_memory(const struct report *report); /* there are guests to draw */
/* report_plot.c: data files, scripts, figures. A missing gnuplot is said on stderr and is no failure. */
int report_plot(struct report *report, struct err *err);
/* report_page.c: index.html. */
int report_page(const struct report *report, struct err *err);

#endif
