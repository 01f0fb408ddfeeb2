/* SPDX-License-Identifier: MIT */
/* Small text files of /proc and /sys. Their contents are hostile where a process chooses its own name. */
#ifndef VMTOP_BACKEND_PROCFILE_H
#define VMTOP_BACKEND_PROCFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmtop/cpuset.h"

/* Reads at most len-1 bytes; -1 when the file cannot be read. Always terminates. */
ssize_t procfile_read(const char *path, char *buf, size_t len);
/* A file that holds one list of pCPUs or nodes. False: no such file, or not a list; set is empty then. */
bool procfile_list(const char *path, struct cpuset *set);
/* Of the text of a "stat" file what follows the last ')': field 3 (the state) and on. NULL: not such a text.
 */
const char *procfile_tail(const char *text);
/* Field number n (as in proc(5), at least 3) of such a tail; false: missing, no number, or out of range. */
bool procfile_field(const char *tail, int n, int64_t *v);
/* Numbers separated by blanks from the start of text. Returns how many were there, up to max. */
int procfile_numbers(const char *text, int64_t *v, int max);

#endif
