/* SPDX-License-Identifier: MIT */
/* vmtop --restore and --release. Invariant: a hypervisor that is not there just now (libvirtd is being
 * upgraded) is waited for as long as putting back may take; where nothing can be left it is an error at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"
#include "vmtop/batch.h"
#include "vmtop/clock.h"
#include "vmtop/text.h"

enum { AGAIN_MS = 500 };

static void tell(const struct err *e, double left_s)
{
	char why[640];
	text_safe(why, sizeof why, e->msg);
	printf("%s; trying for %.0f s more, Ctrl-C stops that\n", why, left_s);
	fflush(stdout);
}

static struct backend *open_patiently(const struct config *cfg, struct err *e)
{
	double until_s = clock_s() + cfg->restore_deadline_s;
	for (bool told = false;; told = true) {
		*e = (struct err)ERR_INIT;
		struct backend *b = backend_open(cfg, e);
		double left_s = until_s - clock_s();
		if (b || e->code != ERR_AWAY || left_s <= 0 || !engine_any_journal())
			return b;
		if (!told)
			tell(e, left_s);
		poll(NULL, 0, AGAIN_MS);
	}
}

int putback_run(const struct config *cfg, const char *pattern, struct err *e)
{
	struct config mine = *cfg;
	mine.open_deadline_s = cfg->restore_deadline_s;
	struct backend *b = open_patiently(&mine, e);
	if (!b)
		return -1;
	int fd = signals_open();
	int r = engine_restore_journal(cfg, b, pattern, stdout, fd, e);
	if (fd >= 0)
		signals_close(fd);
	return r;
}
