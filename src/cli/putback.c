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

static void tell(const struct err *err, double left_s)
{
	char why[640];
	text_safe(why, sizeof why, err->msg);
	printf("%s; trying for %.0f s more, Ctrl-C stops that\n", why, left_s);
	fflush(stdout);
}

static struct backend *open_patiently(const struct config *cfg, struct err *err)
{
	double until_s = clock_s() + cfg->restore_deadline_s;
	for (bool told = false;; told = true) {
		*err = (struct err)ERR_INIT;
		struct backend *backend = backend_open(cfg, err);
		double left_s = until_s - clock_s();
		if (backend || err->code != ERR_AWAY || left_s <= 0 || !engine_any_journal())
			return backend;
		if (!told)
			tell(err, left_s);
		poll(NULL, 0, AGAIN_MS);
	}
}

int putback_run(const struct config *cfg, const char *pattern, struct err *err)
{
	struct config mine = *cfg;
	mine.open_deadline_s = cfg->restore_deadline_s;
	struct backend *backend = open_patiently(&mine, err);
	if (!backend)
		return -1;
	int fd = signals_open();
	int r = engine_restore_journal(cfg, backend, pattern, stdout, fd, err);
	if (fd >= 0)
		signals_close(fd);
	return r;
}
