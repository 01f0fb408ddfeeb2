/* SPDX-License-Identifier: MIT */
/* Inside the scenario parser: the reader of one line's words. Every want_*() fills the error with
 * "name:line: what it found, what was expected" and returns false. */
#ifndef VMTOP_SCENARIO_TEXT_H
#define VMTOP_SCENARIO_TEXT_H

#include "vmtop/err.h"
#include "vmtop/scenario.h"

enum { SCN_WORDS = 96, SCN_LINE = 8192 };

struct reader {
	struct scenario *scn;
	struct err *e;
	const char *name;
	int line;
	const char *usage;   /* of the statement that is being read */
	char text[SCN_LINE]; /* of the line, cut into words */
	const char *word[SCN_WORDS];
	bool quoted[SCN_WORDS];
	size_t n, at;
	bool in_host;
	size_t first_vm, n_group; /* the VMs of the block; n_group 0: not in one */
	struct scn_event *event;  /* of an `at` line */
	int64_t per_llc;          /* host: pCPUs per LLC, nodes, threads per core */
	int nodes, sockets, threads;
	bool threads_apart, node_lists;
};

bool reader_split(struct reader *reader, const char *line, size_t len);
bool reader_fail(struct reader *reader, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next word without taking it; NULL at the end of the line. */
const char *reader_peek(const struct reader *reader);
/* Takes the next word if it is this one. */
bool reader_accept(struct reader *reader, const char *word);
bool want_word(struct reader *reader, const char **word, const char *what);
bool want_time(struct reader *reader, int64_t *ns, bool zero_ok);
bool want_size(struct reader *reader, int64_t *kib);
bool want_rates(struct reader *reader, int64_t *lo_kib_s, int64_t *hi_kib_s);
bool want_level(struct reader *reader, double *level, double max); /* 50%, or bare 50 */
bool want_int(struct reader *reader, int *v, int lo, int hi);
bool want_cpus(struct reader *reader, struct cpuset *set);
/* As want_cpus, put into the pool of sets. */
bool want_set(struct reader *reader, int *index);
bool want_curve(struct reader *reader, int *index);
bool want_open_curve(struct reader *reader, int *index); /* always an open loop: threads of the host */
bool want_eat(struct reader *reader, struct eat *eat);

/* Statements of the blocks, in files of their own. */
struct statement {
	const char *word, *usage;
	bool (*read)(struct reader *r);
};
extern const struct statement scenario_top_statements[], scenario_host_statements[];
extern const struct statement scenario_vm_statements[], scenario_event_statements[];
/* At the end: topology that was given as numbers, contiguous and in even shares (scenario_host.c), then the
 * checks of the whole (scenario_check.c). */
void scenario_spread(struct reader *reader);
bool scenario_check(struct reader *reader);
/* Adds one to an array of the scenario; NULL with the error set at the bound or when memory is out. */
void *reader_grow(struct reader *reader, void **items, size_t *n, size_t *cap, size_t max, size_t size,
	const char *what);
/* Finds the statement and reads the rest of the line with it. */
bool scenario_reader_run(
	struct reader *reader, const struct statement *table, const char *word, const char *where);

#endif
