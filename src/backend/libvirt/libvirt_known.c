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

static void known_run(struct request *req, virConnectPtr conn)
{
	virResetLastError();
	virDomainPtr dom = virDomainLookupByUUID(conn, ((struct known_request *)req)->uuid);
	virErrorPtr error = virGetLastError();
	if (dom)
		req->rc = virDomainHasManagedSaveImage(dom, 0) == 1 ? KNOWN_SAVED : KNOWN_YES;
	else
		req->rc = error && error->code == VIR_ERR_NO_DOMAIN ? KNOWN_NOT : KNOWN_UNSURE;
	if (dom)
		virDomainFree(dom);
}

static void known_drop(struct request *req)
{
	free(req);
}

enum known lv_known(struct backend *backend, const uint8_t uuid[UUID_BYTES])
{
	struct lv *lv = (struct lv *)backend;
	struct err err;
	int64_t until = clock_ns() + lv->change_limit_ns;
	struct known_request *req = lv_ensure_link(lv, until, &err) < 0 ? NULL : calloc(1, sizeof *req);
	if (!req)
		return KNOWN_UNSURE;
	req->r.run = known_run;
	req->r.drop = known_drop;
	memcpy(req->uuid, uuid, UUID_BYTES);
	if (!lv_ask(lv, &req->r, until))
		return KNOWN_UNSURE;
	enum known known = (enum known)req->r.rc;
	free(req);
	/* virsh save FILE leaves no trace in libvirt but the event. */
	return known == KNOWN_NOT && lv_ended(lv, uuid) ? KNOWN_ENDED : known;
}
