/* SPDX-License-Identifier: MIT */
/* The journal: the ledger's "as found" and "wrote" on disk, one file per host, so that a crash loses nothing.
 * JSON Lines. Before a change: {"found":{...}}, once, and {"will":{...}}; after one that was not made:
 * {"wrote":{...}}, what it is instead; when nothing of ours is left on an object: {"forgot":{...}}.
 * The file is locked by the vmtop that steers; owner.c holds off those with a journal elsewhere. */
#ifndef VMTOP_JOURNAL_H
#define VMTOP_JOURNAL_H

#include "ledger.h"

struct err;
struct journal;

/* JOURNAL_FORMAT stands in the head of each run. What a newer format says may not be understood here: nothing
 * of such a journal is used, nor changed. */
enum { JOURNAL_PATH = 1024, JOURNAL_FORMAT = 1 };
enum journal_word { JOURNAL_FOUND, JOURNAL_WILL, JOURNAL_WROTE, JOURNAL_FORGOT, JOURNAL_WORDS };
/* What a line is about: a vCPU by its id, or one of these. */
enum journal_object { JOURNAL_BALLOON = -1, JOURNAL_PERIOD = -2, JOURNAL_VM = -3, JOURNAL_SHARES = -4 };

/* Path of the journal for this URI; -1 when no state folder can be found. */
int journal_path(char *buf, size_t len, const char *uri);
bool journal_any(void);                /* of any host */
int journal_folders(const char *path); /* mkdir -p, 0700, of the folder that holds path */
/* Removes what a vmtop that was killed while it wrote the journal anew has left; for the holder of the lock.
 */
void journal_sweep(int dir, const char *name);
/* Opens (creates 0600, follows no symlink) and locks. NULL: err says who holds it or what failed. */
struct journal *journal_open(const char *uri, struct err *err);
/* remove: nothing of ours is left on the host. */
void journal_close(struct journal *journal, bool remove);
/* Who holds the lock: the process id, 0 nobody, -1 somebody who left no name. */
long journal_owner(const char *uri);
/* Adds the line `word` on one object of rec, as rec is now. A line that could not be written whole leaves no
 * trace. */
int journal_note(struct journal *journal, enum journal_word word, const struct vm_record *rec, int object,
	struct err *err);
int journal_sync(struct journal *journal, struct err *err);
/* Writes the file anew, with what ledger says and nothing else, when it has grown well beyond that; `now` at
 * once. The lock goes over to the new file. */
int journal_compact(struct journal *journal, const struct ledger *ledger, bool now, struct err *err);
/* Lines of a journal that cannot be: how many, and what is wrong with the first of them. */
enum { JOURNAL_DOUBTS = 8 };
struct journal_doubts {
	size_t n, lines[JOURNAL_DOUBTS];
	const char *why[JOURNAL_DOUBTS];
};
/* Reads the journal of an earlier run into the ledger. 1: there was one, 0: none, -1: unreadable. A line that
 * was cut off by a crash is passed over. */
int journal_load(const char *uri, struct ledger *ledger, struct journal_doubts *doubts, struct err *err);

/* journal_line.c. The text, *len bytes with its line break and no terminator, is the caller's to free.
 * NULL: out of memory. */
char *journal_line(enum journal_word word, const struct vm_record *rec, int object, size_t *len);
/* NULL, or why the line cannot be; the ledger is then as before. */
const char *journal_take_line(struct ledger *ledger, const char *line, size_t len);

#endif
