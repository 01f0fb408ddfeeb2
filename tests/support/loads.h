/* SPDX-License-Identifier: MIT */
/* Simulated hosts on which a controller is judged by what guests suffer: written ones, each with a trap of
 * its own, the shipped scenarios, and a generator that goes through sizes, loads, pins and topologies. */
#ifndef VMTOP_LOADS_H
#define VMTOP_LOADS_H

#include <stdbool.h>
#include <stddef.h>

enum { LOAD_TEXT = 4096 };

struct load {
	char name[48];
	const char *shipped; /* name of a shipped scenario; else NULL and the text below */
	char text[LOAD_TEXT];
	bool curable;         /* a placement that lasts takes (nearly) all the waiting away */
	char best[LOAD_TEXT]; /* the same host placed so from the start; "" with a shipped one: not known */
	size_t pcpus;
};

size_t load_count(void);
void load_get(size_t i, struct load *l);
/* Memory loads, drawn by number. */
void memory_load_get(unsigned number, struct load *l);

/* What came out of one run: totals of the simulator's own truth. */
struct harm {
	double waiting_s, late_s; /* vCPU-seconds; late: in the second half alone */
	double starved_s, work_s, starved_guest_s, overcommit_s;
	long kills, pins, balloons;
};

/* As the defaults steer, CPU and memory; or nobody. */
enum harm_policy { HARM_MANUAL, HARM_AUTO };
void harm_run(const char *name, const char *text, unsigned seed, double seconds, enum harm_policy p,
	struct harm *to);
/* Load l under AUTO against the same without; what is wrong goes into `why`, "" when nothing is. */
struct harm_pair {
	struct harm manual, with, best; /* best: of curable loads */
	char why[200];
};
void harm_judge(const struct load *l, unsigned seed, double seconds, struct harm_pair *to);

#endif
