/* SPDX-License-Identifier: MIT */
/* vmtop without a screen: runs the engine in this thread and prints one output a tick. */
#ifndef VMTOP_BATCH_H
#define VMTOP_BATCH_H

#include <stdio.h>

#include "vmtop/engine.h"
#include "vmtop/tally.h"

/* Where the settings came from, to read them again on SIGHUP. */
struct batch_source {
	int (*read)(void *arg, struct config *to, struct err *e);
	void *arg;
};

/* Until -n, --end-time, a signal, the end of the scenario or a closed stdout. SIGINT and SIGTERM end it in
 * good order, SIGUSR1 rebalances, SIGHUP reads the settings again when there is no terminal. Calls
 * engine_leave(); the caller frees the engine. Failure: stdout cannot be written (a closed pipe is no
 * failure). */
int batch_run(
	const struct config *cfg, struct engine *engine, const struct batch_source *from, struct err *err);

/* vmtop --check: what the host gives, what is missing, what would be done, on `to`. The engine is in a dry
 * run. Fails when there is no sample, or something is missing without which nothing works. */
int check_run(struct engine *engine, FILE *out, struct err *err);

/* vmtop --restore and --release (then with a pattern, or NULL for all), on standard output. */
int putback_run(const struct config *cfg, const char *pattern, struct err *err);

struct output;
/* What an output knows beside the snapshot. */
struct batch_out {
	FILE *to;
	struct output *out; /* where it goes then */
	const struct config *cfg;
	uint8_t columns[64]; /* indices of the column table */
	int n_columns;
	uint64_t log_seen;   /* seq of the last log line printed */
	long ticks;          /* outputs so far */
	bool headed;         /* CSV: the file has its heading */
	uint64_t said_seq;   /* lines of the log up to this one were looked at */
	char said[320];      /* on stderr, last */
	bool said_lost;      /* that the recording was given up */
	struct tally *tally; /* with OUT_OPENMETRICS; the caller frees it */
};

/* Chooses the columns: --columns, else the default of the format. */
int batch_columns(struct batch_out *out, struct err *err);
/* One output each; they return 0, or -1 when memory is out. What the stream says is the caller's to check. */
int text_write(struct batch_out *out, const struct snapshot *snap, struct err *err);
int text_write_log(
	struct batch_out *out, const struct snapshot *snap, struct err *err); /* new log lines only */
int log_write(
	struct batch_out *out, const struct snapshot *snap, struct err *err); /* as lines of a log file */
int why_json(const struct snapshot *snap, size_t vm, struct err *err);        /* one VM, to standard output */
int json_write(struct batch_out *out, const struct snapshot *snap, struct err *err);
int csv_write(struct batch_out *out, const struct snapshot *snap, struct err *err);
/* Takes each snapshot, also those that are not printed. */
int openmetrics_see(struct batch_out *out, const struct snapshot *snap, struct err *err);
int openmetrics_write(struct batch_out *out, const struct snapshot *snap, struct err *err);

#endif
