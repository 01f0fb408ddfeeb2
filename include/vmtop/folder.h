/* SPDX-License-Identifier: MIT */
/* The one check of folders whose files are believed or written: state, run, configuration, reports,
 * recordings. Whoever may rename or replace what is in one of them, or a folder above it, could have root
 * read or write what he likes. */
#ifndef VMTOP_FOLDER_H
#define VMTOP_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "vmtop/err.h"

/* Opens a folder that is no link, belongs to us (root's and, under sudo, the caller's count too), and that
 * nobody else may write to, nor to those above it unless they are sticky. Returns a descriptor to be closed,
 * or -1: err names the folder, what is wrong and what to do. errno is ENOENT when there is none. */
int folder_open(const char *path, struct err *err);
/* The same of the folder that a file is in. sticky_ok: /tmp will do, where each file belongs to its owner. */
int folder_of_open(const char *path, bool sticky_ok, struct err *err);
/* The names in a folder that is open, to be closed with closedir(); the descriptor stays. NULL: errno says
 * why. */
DIR *folder_list(int dir);
/* A file that was opened is one that only we, root or the caller of sudo can have written. */
int folder_file_check(int fd, const char *path, struct err *err);
/* Makes a file NAME.XXXXXX, or a folder of mode 0700 that is ours, in dir; `name` ends in XXXXXX and is
 * filled in. Returns its descriptor. -1: errno says why. */
int folder_temporary(int dir, char *name, int flags);
int folder_temporary_folder(int dir, char *name);

#endif
