/* SPDX-License-Identifier: MIT */
/* Recordings: a wrapper that writes what another backend says and does, and a backend that plays it again.
 * The file format is vmtop-recording(5). */
#ifndef VMTOP_RECORD_H
#define VMTOP_RECORD_H

#include "vmtop/config.h"
#include "vmtop/snapshot.h"

/* What a step decided and did, and the modes in which it did. */
struct decision {
	bool leaving; /* only the actions count: things were put back at the end */
	const struct action *actions;
	size_t n_actions;
	bool auto_cpu, auto_memory, dry_run;
	enum cpu_policy_id cpu_policy;
	enum mem_policy_id mem_policy;
	enum granularity granularity; /* in force */
	double delay_s;
	struct cpu_verdict cpu;
	struct mem_verdict memory;
};

/* Wraps inner and owns it, also on failure: writes into cfg->record, a new file. */
struct backend *backend_record(struct backend *inner, const struct config *cfg, struct err *err);
/* The same in the middle of a run: on failure inner is as it was, and still the caller's. */
struct backend *backend_record_begin(struct backend *inner, const struct config *cfg, struct err *err);
/* Ends it: the file is whole and closed. Returns what it was around; backend itself when that is no recorder.
 */
struct backend *backend_record_end(struct backend *backend);
/* Puts the policies and settings with which a recording was made onto cfg; those that this version does not
 * know are left out. */
int recording_config(const char *path, struct config *cfg, struct err *err);
/* Each line of the decision log of a recording, in order. */
int recording_log(
	const char *path, void (*each)(const struct log_line *line, void *arg), void *arg, struct err *err);
/* Plays cfg->replay. apply() changes nothing; now() is the recording's time. */
struct backend *backend_replay_open(const struct config *cfg, struct err *err);

#endif
