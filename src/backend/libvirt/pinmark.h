/* SPDX-License-Identifier: MIT */
/* The mark that vmtop puts into the live metadata of a guest before it pins one of its vCPUs: which pins are
 * ours, and what was there before. Where the guest arrives by migration the hook takes them out again. */
#ifndef VMTOP_BACKEND_PINMARK_H
#define VMTOP_BACKEND_PINMARK_H

#include "../xml.h"
#include "vmtop/cpuset.h"
#include "vmtop/err.h"

#define PINMARK_URI    "urn:vmtop:pins:1"
#define PINMARK_PREFIX "vmtop"

struct pinmark {
	int vcpu;
	bool pinned; /* as found it had a pin of its own */
	struct cpuset found;
	struct cpuset wrote, before; /* it is one of these while the mark holds */
};
struct pinmarks {
	struct pinmark *v;
	size_t n, cap;
};

void pinmarks_done(struct pinmarks *marks);
/* The element as libvirt gives it; what cannot be is passed over. -1: not to be read at all. */
int pinmarks_read(struct pinmarks *marks, const char *text, struct err *err);
/* A vCPU that is pinned to `now` is to be pinned to `to`. -1: out of memory. */
int pinmarks_will(
	struct pinmarks *marks, int vcpu, const struct cpuset *now, bool pinned, const struct cpuset *to);
void pinmarks_forget(struct pinmarks *marks, int vcpu);
const struct pinmark *pinmarks_find(const struct pinmarks *marks, int vcpu);
/* Takes the mark and the pins that are ours out of a definition, and puts back those that were found. 1:
 * there were some, 0: not, -1: out of memory, with err set. */
int pinmarks_strip(xmlNodePtr dom, struct err *err);
/* The element, for the caller to free; NULL: out of memory. */
char *pinmarks_text(const struct pinmarks *marks);

#endif
