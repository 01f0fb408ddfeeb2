/* SPDX-License-Identifier: MIT */
/* The way out of the screen, once the terminal is given back. */
#ifndef VMTOP_UI_FAREWELL_H
#define VMTOP_UI_FAREWELL_H

#include "vmtop/engine.h"

struct farewell {
	struct scheduler *sched;
	const struct config *cfg;
	int signals;  /* a signalfd of those that end the program */
	bool restore; /* changes are to be put back */
	bool changed; /* there are some */
};

/* Ends the scheduler, tells on stderr how putting back goes, and frees it. Returns the exit status. When the
 * hypervisor keeps it for too long, or a signal comes once more, it says what that leaves and ends the
 * process. */
int farewell(const struct farewell *f);

#endif
