/* SPDX-License-Identifier: MIT */
/* The configuration of a Pacemaker cluster, as XML that is read. Pure but for the definitions of guests. */
#ifndef VMTOP_BACKEND_CIB_H
#define VMTOP_BACKEND_CIB_H

#include "../xml.h"
#include "vmtop/moves.h"

/* A primitive, and the template that it takes from what it lacks (itself, without one). */
struct cib_resource {
	xmlNodePtr node, tmpl;
	char id[MOVE_OWNER], config[512]; /* config: of a guest, the file with its definition */
};
struct cib_resource cib_resource(xmlNodePtr resources, xmlNodePtr primitive);
/* A guest of libvirt, ocf:heartbeat:VirtualDomain. */
bool cib_is_guest(const struct cib_resource *res);
/* Moved live, by itself or as all resources are. */
bool cib_live(xmlNodePtr cib, const struct cib_resource *res);
/* It, or the whole cluster, is in maintenance or not managed. */
bool cib_maintained(xmlNodePtr cib, const struct cib_resource *res);
/* A constraint that a move by hand left behind; taking it away is for whoever made it. */
bool cib_moved_by_hand(xmlNodePtr cib, const char *id, char *name, size_t len);
/* A property of the cluster; empty: not set. */
void cib_property(xmlNodePtr cib, const char *name, char *value, size_t len);

/* What is in a guest's definition; false: it cannot be read here. */
struct cib_definition {
	bool has_uuid;
	uint8_t uuid[UUID_BYTES];
	char vm[VM_NAME_BYTES];
};
bool cib_definition(const char *path, struct cib_definition *to);

/* A word that can be an argument. */
bool cib_plain(const char *name);
bool cib_yes(const char *value);
/* kvm1 and kvm1.example.org are one. */
bool cib_same_host(const char *a, const char *b);

#endif
