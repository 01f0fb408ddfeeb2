/* SPDX-License-Identifier: MIT */
/* Recordings: a wrapper that writes what another backend says and does, and a backend that plays it again.
 * The file format is vmtop-recording(5). */
#ifndef VMTOP_RECORD_H
#define VMTOP_RECORD_H

#include "vmtop/config.h"
#include "vmtop/snapshot.h"

/* Wraps inner and owns it, also on failure: writes into cfg->record, a new file. */
struct backend *backend_record(struct backend *inner, const struct config *cfg, struct err *e);
/* Plays cfg->replay. apply() changes nothing; now() is the recording's time. */
struct backend *backend_replay_open(const struct config *cfg, struct err *e);

#endif
