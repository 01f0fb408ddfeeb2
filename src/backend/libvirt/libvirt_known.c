/* SPDX-License-Identifier: MIT */
/* ops->known of the libvirt backend: samples show what runs; this also finds what is only defined. */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_priv.h"
#include "vmtop/clock.h"

struct known_request {
	struct request r;
	uint8_t uuid[UUID_BYTES];
};

static void known_run(struct request *r, virConnectPtr c)
{
	virResetLastError();
	virDomainPtr dom = virDomainLookupByUUID(c, ((struct known_request *)r)->uuid);
	virErrorPtr le = virGetLastError();
	if (dom)
		r->rc = virDomainHasManagedSaveImage(dom, 0) == 1 ? KNOWN_SAVED : KNOWN_YES;
	else
		r->rc = le && le->code == VIR_ERR_NO_DOMAIN ? KNOWN_NOT : KNOWN_UNSURE;
	if (dom)
		virDomainFree(dom);
}

static void known_drop(struct request *r)
{
	free(r);
}

enum known lv_known(struct backend *b, const uint8_t uuid[UUID_BYTES])
{
	struct lv *lv = (struct lv *)b;
	struct err e;
	int64_t until = clock_ns() + lv->change_limit_ns;
	struct known_request *q = lv_ensure_link(lv, until, &e) < 0 ? NULL : calloc(1, sizeof *q);
	if (!q)
		return KNOWN_UNSURE;
	q->r.run = known_run;
	q->r.drop = known_drop;
	memcpy(q->uuid, uuid, UUID_BYTES);
	if (!lv_ask(lv, &q->r, until))
		return KNOWN_UNSURE;
	enum known known = (enum known)q->r.rc;
	free(q);
	/* virsh save FILE leaves no trace in libvirt but the event. */
	return known == KNOWN_NOT && lv_ended(lv, uuid) ? KNOWN_ENDED : known;
}
