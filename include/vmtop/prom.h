/* SPDX-License-Identifier: MIT */
/* A Prometheus that scrapes the vmtops of many hosts, as a source of a fleet's rows. */
#ifndef VMTOP_PROM_H
#define VMTOP_PROM_H

#include "vmtop/config.h"
#include "vmtop/err.h"
#include "vmtop/fleet.h"

struct prom;

/* uri: prom:http://host:9090 or prom:https://... */
struct prom *prom_open(const char *uri, const struct config *cfg, struct err *err);
void prom_close(struct prom *prom);
/* Reads anew what hosts tell that have news, some hundreds of them at most, so that it does not last; the
 * others keep their rows. Those that have not been read yet have names alone, and no readings. Bounded in
 * time. NULL: there is no answer. now_ns, wall_ns: the clocks now; a row is seen when its host was, on the
 * first. */
struct fleet *prom_fetch(struct prom *prom, int64_t now_ns, int64_t wall_ns, struct err *err);
/* More hosts had news than were read: the next can be fetched at once. */
bool prom_more(const struct prom *prom);

/* The same from answers that are there already. */
struct prom_text {
	const char *text; /* NULL: none */
	size_t len;
	bool metrics; /* as text, of federation; else JSON, of a query */
};
struct fleet *prom_fold(const struct prom_text *answers, size_t n, double scrape_s, int64_t now_ns,
	int64_t wall_ns, struct err *err);
/* What opens a host that calls itself `host` and says that its vmtop is connected to `uri`: both come from
 * the network, and a URI may name a command to run. Empty: nothing that is safe to open. */
void prom_uri(const char *host, const char *uri, char to[FLEET_URI]);

#endif
