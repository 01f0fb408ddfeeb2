/* SPDX-License-Identifier: MIT */
/* Pacemaker by its commands (cibadmin, crm_resource). Invariant: a name of the cluster becomes an argument
 * only when it is a plain word; a constraint that was made is taken away whatever comes, and ends by itself
 * should vmtop not live to do it. The running migration is never broken off: Pacemaker would stop the guest
 * and start it anew. */
#include "pacemaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../xml.h"
#include "cib.h"
#include "vmtop/text.h"

static const double CIB_S = 15, STEP_S = 60, SETTLE_S = 1800;
enum { CIB_MOST = 16 << 20, OUT_MOST = 1 << 20, DEEP = 4 };

/* ---- the cluster's configuration ---- */

/* false: its definition cannot be read here. */
static bool config_is(const char *path, const struct pacemaker_question *q, bool *is)
{
	struct cib_definition d;
	if (!cib_definition(path, &d))
		return false;
	*is = d.has_uuid ? memcmp(d.uuid, q->uuid, UUID_BYTES) == 0 : strcmp(d.vm, q->vm) == 0;
	return true;
}

/* By its definition; where that is not on this machine, by its file's name or its own. */
static bool is_guest(struct cib_resource *r, const struct pacemaker_question *q)
{
	char want[VM_NAME_BYTES + 8];
	bool is = false;
	if (!cib_is_guest(r))
		return false;
	if (*r->config == '/' && config_is(r->config, q, &is))
		return is;
	const char *base = strrchr(r->config, '/');
	snprintf(want, sizeof want, "%s.xml", q->vm);
	return strcmp(base ? base + 1 : r->config, want) == 0 || strcmp(r->id, q->vm) == 0;
}

/* Groups and clones hold others. */
static bool find(xmlNodePtr resources, xmlNodePtr at, int deep, const struct pacemaker_question *q,
	struct cib_resource *to)
{
	static const char *const nests[] = {"group", "clone", "master", "bundle"};
	XML_EACH(node, at, "primitive")
	{
		*to = cib_resource(resources, node);
		if (*to->id && is_guest(to, q))
			return true;
	}
	for (size_t i = 0; deep && i < sizeof nests / sizeof *nests; i++)
		XML_EACH(nest, at, nests[i])
	if (find(resources, nest, deep - 1, q, to))
		return true;
	return false;
}

static bool find_node(xmlNodePtr cib, const struct pacemaker_question *q, char *node, size_t len)
{
	XML_EACH(n, xml_path(cib, "configuration/nodes"), "node")
	if (xml_attr(n, "uname", node, len) &&
		(cib_same_host(node, q->target) || cib_same_host(node, q->target_host)))
		return true;
	node[0] = '\0';
	return false;
}

/* Why Pacemaker would not move it live, or not at our word. */
static void judge(xmlNodePtr cib, const struct cib_resource *r, const struct pacemaker_question *q,
	struct move_look *to)
{
	char value[MOVE_OWNER], id[120], target[80], why[MOVE_OWNER] = "";
	text_escape(id, sizeof id, r->id);
	text_escape(target, sizeof target, q->target);
	if (!cib_live(cib, r))
		snprintf(why, sizeof why, "would be stopped and started: allow-migrate is not set");
	else if (cib_maintained(cib, r))
		snprintf(why, sizeof why, "is in maintenance, or not managed");
	else if (!find_node(cib, q, to->node, sizeof to->node))
		snprintf(why, sizeof why, "is not for %s: no node of the cluster", target);
	else if (cib_moved_by_hand(cib, r->id, value, sizeof value))
		snprintf(why, sizeof why, "was moved by hand: crm_resource --clear first");
	else if (!cib_plain(r->id) || !cib_plain(to->node))
		snprintf(why, sizeof why, "or its node has a name with characters that are not taken");
	if (*why)
		snprintf(to->owner, sizeof to->owner, "Pacemaker's resource %.60s %.110s", id, why);
	else
		memcpy(to->resource, r->id, sizeof to->resource);
}

void pacemaker_read(const struct pacemaker_question *q, const char *text, struct move_look *to)
{
	struct cib_resource r;
	xmlDocPtr doc = xml_read(text, "cib", NULL);
	xmlNodePtr cib = doc ? xmlDocGetRootElement(doc) : NULL,
		   resources = cib ? xml_path(cib, "configuration/resources") : NULL;
	if (!cib)
		snprintf(to->owner, sizeof to->owner,
			"Pacemaker's configuration cannot be read: whether the guest is its resource is not known");
	else if (find(resources, resources, DEEP, q, &r))
		judge(cib, &r, q, to);
	xmlFreeDoc(doc);
}

/* The agent keeps a file for each guest that it runs. */
static bool agent_has(const struct pacemaker_question *q)
{
	char path[512];
	int n = snprintf(
		path, sizeof path, "%s/run/resource-agents/VirtualDomain-%s-emu.state", q->root, q->vm);
	return q->local && (size_t)n < sizeof path && !strchr(q->vm, '/') && access(path, F_OK) == 0;
}

void pacemaker_look(const struct pacemaker_question *q, struct move_look *to)
{
	static const char *const argv[] = {"cibadmin", "--query", NULL};
	struct child c;
	bool asked = child_start(&c, argv, CIB_MOST, CIB_S);
	if (asked)
		child_wait(&c);
	if (asked && c.status == 0 && c.out)
		pacemaker_read(q, c.out, to);
	else if (agent_has(q))
		snprintf(to->owner, sizeof to->owner,
			"it is Pacemaker's, which does not answer here: crm_resource --move on a node of it");
	child_done(&c);
}

/* ---- a move ---- */

enum { STEP_MOVE, STEP_SETTLE, STEP_CLEAR, STEP_SETTLED, STEP_END };

static void say_no_command(struct pacemaker_move *p)
{
	if (!*p->said)
		snprintf(p->said, sizeof p->said, "crm_resource cannot be started");
}

/* The constraint ends by itself after the longest that we wait for it. */
static void step_start(struct pacemaker_move *p)
{
	const char *const move[] = {"crm_resource", "--resource", p->resource, "--move", "--node", p->node,
		"--lifetime", "PT2H", NULL};
	const char *const clear[] = {"crm_resource", "--resource", p->resource, "--clear", NULL};
	const char *const settle[] = {"crm_resource", "--wait", "--timeout", "1800", NULL};
	const char *const *steps[] = {move, settle, clear, settle};
	bool waits = p->step == STEP_SETTLE || p->step == STEP_SETTLED;
	if (!child_start(&p->child, steps[p->step], OUT_MOST, waits ? SETTLE_S : STEP_S))
		say_no_command(p);
}

void pacemaker_begin(struct pacemaker_move *p, const char *resource, const char *node)
{
	*p = (struct pacemaker_move){.child.fd = -1};
	snprintf(p->resource, sizeof p->resource, "%s", resource);
	snprintf(p->node, sizeof p->node, "%s", node);
	step_start(p);
}

bool pacemaker_poll(struct pacemaker_move *p)
{
	static const char *const what[] = {"crm_resource --move", "waiting for Pacemaker",
		"crm_resource --clear (the constraint ends by itself within two hours)",
		"waiting for Pacemaker"};
	while (p->step < STEP_END && child_poll(&p->child)) {
		bool bad = p->child.status != 0, told = p->child.out && *p->child.out;
		if (p->child.status == 127 && !told) /* as a shell says it; not every system tells at once */
			say_no_command(p);
		else if (bad && !*p->said)
			snprintf(p->said, sizeof p->said, "%s: %.800s", what[p->step],
				told ? p->child.out : "it was ended");
		p->step = bad && p->step == STEP_MOVE ? STEP_END : p->step + 1;
		child_done(&p->child);
		if (p->step < STEP_END)
			step_start(p);
	}
	return p->step == STEP_END;
}

/* The constraint goes whatever we leave behind. */
void pacemaker_done(struct pacemaker_move *p)
{
	bool made = p->step == STEP_SETTLE || p->step == STEP_CLEAR;
	child_done(&p->child);
	if (made) {
		p->step = STEP_CLEAR;
		step_start(p);
		child_wait(&p->child);
		child_done(&p->child);
	}
	p->step = STEP_END;
}
