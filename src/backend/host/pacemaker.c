/* SPDX-License-Identifier: MIT */
/* Pacemaker by its commands (cibadmin, crm_resource). Invariant: a name of the cluster becomes an argument
 * only when it is a plain word; a constraint that was made is taken away whatever comes, and ends by itself
 * should vmtop not live to do it. The running migration is never broken off: Pacemaker would stop the guest
 * and start it anew. */
#include "pacemaker.h"

#include <errno.h>
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
static bool config_is(const char *path, const struct pacemaker_question *ask, bool *is)
{
	struct cib_definition def;
	if (!cib_definition(path, &def))
		return false;
	*is = def.has_uuid ? memcmp(def.uuid, ask->uuid, UUID_BYTES) == 0 : strcmp(def.vm, ask->vm) == 0;
	return true;
}

/* By its definition; where that is not on this machine, by its file's name or its own. */
static bool is_guest(struct cib_resource *res, const struct pacemaker_question *ask)
{
	char want[VM_NAME_BYTES + 8];
	bool is = false;
	if (!cib_is_guest(res))
		return false;
	if (*res->config == '/' && config_is(res->config, ask, &is))
		return is;
	const char *base = strrchr(res->config, '/');
	snprintf(want, sizeof want, "%s.xml", ask->vm);
	return strcmp(base ? base + 1 : res->config, want) == 0 || strcmp(res->id, ask->vm) == 0;
}

/* Groups and clones hold others. */
static bool find(xmlNodePtr resources, xmlNodePtr at, int deep, const struct pacemaker_question *ask,
	struct cib_resource *to)
{
	static const char *const nests[] = {"group", "clone", "master", "bundle"};
	XML_EACH(node, at, "primitive")
	{
		*to = cib_resource(resources, node);
		if (*to->id && is_guest(to, ask))
			return true;
	}
	for (size_t i = 0; deep && i < sizeof nests / sizeof *nests; i++)
		XML_EACH(nest, at, nests[i])
	if (find(resources, nest, deep - 1, ask, to))
		return true;
	return false;
}

static bool find_node(xmlNodePtr cib, const struct pacemaker_question *ask, char *node, size_t len)
{
	XML_EACH(n, xml_path(cib, "configuration/nodes"), "node")
	if (xml_attr(n, "uname", node, len) &&
		(cib_same_host(node, ask->target) || cib_same_host(node, ask->target_host)))
		return true;
	node[0] = '\0';
	return false;
}

/* Why Pacemaker would not move it live, or not at our word. */
static void judge(xmlNodePtr cib, const struct cib_resource *res, const struct pacemaker_question *ask,
	struct move_look *to)
{
	char value[MOVE_OWNER], id[120], target[80], why[MOVE_OWNER] = "";
	text_escape(id, sizeof id, res->id);
	text_escape(target, sizeof target, ask->target);
	if (!cib_live(cib, res))
		snprintf(why, sizeof why, "would be stopped and started: allow-migrate is not set");
	else if (cib_maintained(cib, res))
		snprintf(why, sizeof why, "is in maintenance, or not managed");
	else if (!find_node(cib, ask, to->node, sizeof to->node))
		snprintf(why, sizeof why, "is not for %s: no node of the cluster", target);
	else if (cib_moved_by_hand(cib, res->id, value, sizeof value))
		snprintf(why, sizeof why, "was moved by hand: crm_resource --clear first");
	else if (!cib_plain(res->id) || !cib_plain(to->node))
		snprintf(why, sizeof why, "or its node has a name with characters that are not taken");
	if (*why)
		snprintf(to->owner, sizeof to->owner, "Pacemaker's resource %.60s %.110s", id, why);
	else
		memcpy(to->resource, res->id, sizeof to->resource);
}

static void not_known(struct move_look *to)
{
	to->resource[0] = '\0';
	snprintf(to->owner, sizeof to->owner,
		"Pacemaker's configuration cannot be read: whether the guest is its resource is not known");
}

void pacemaker_read(const struct pacemaker_question *ask, const char *text, struct move_look *to)
{
	struct cib_resource res;
	xmlDocPtr doc = xml_read(text, "cib", NULL);
	xmlNodePtr cib = xmlDocGetRootElement(doc),
		   resources = cib ? xml_path(cib, "configuration/resources") : NULL;
	if (cib && find(resources, resources, DEEP, ask, &res))
		judge(cib, &res, ask, to);
	if (!xml_done(doc) || !cib)
		not_known(to);
}

/* The agent keeps a file for each guest that it runs. */
static bool agent_has(const struct pacemaker_question *ask)
{
	char path[512];
	int n = snprintf(
		path, sizeof path, "%s/run/resource-agents/VirtualDomain-%s-emu.state", ask->root, ask->vm);
	return ask->local && (size_t)n < sizeof path && !strchr(ask->vm, '/') && access(path, F_OK) == 0;
}

void pacemaker_look(const struct pacemaker_question *ask, struct move_look *to)
{
	static const char *const argv[] = {"cibadmin", "--query", NULL};
	struct child child;
	bool asked = child_start(&child, argv, CIB_MOST, CIB_S);
	bool here = asked || (errno != ENOENT && errno != EACCES && errno != ENOTDIR);
	if (asked)
		child_wait(&child);
	if (asked && child.status == 0 && child.out)
		pacemaker_read(ask, child.out, to);
	else if (here && (!asked || child.no_memory))
		not_known(to);
	else if (agent_has(ask))
		snprintf(to->owner, sizeof to->owner,
			"it is Pacemaker's, which does not answer here: crm_resource --move on a node of it");
	child_done(&child);
}

/* ---- a move ---- */

enum { STEP_MOVE, STEP_SETTLE, STEP_CLEAR, STEP_SETTLED, STEP_END };

static void say_no_command(struct pacemaker_move *move)
{
	if (!*move->said)
		snprintf(move->said, sizeof move->said, "crm_resource cannot be started");
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

void pacemaker_begin(struct pacemaker_move *move, const char *resource, const char *node)
{
	*move = (struct pacemaker_move){.child.fd = -1};
	snprintf(move->resource, sizeof move->resource, "%s", resource);
	snprintf(move->node, sizeof move->node, "%s", node);
	step_start(move);
}

bool pacemaker_poll(struct pacemaker_move *move)
{
	static const char *const what[] = {"crm_resource --move", "waiting for Pacemaker",
		"crm_resource --clear (the constraint ends by itself within two hours)",
		"waiting for Pacemaker"};
	while (move->step < STEP_END && child_poll(&move->child)) {
		bool bad = move->child.status != 0, told = move->child.out && *move->child.out;
		if (move->child.status == 127 &&
			!told) /* as a shell says it; not every system tells at once */
			say_no_command(move);
		else if (bad && !*move->said)
			snprintf(move->said, sizeof move->said, "%s: %.800s", what[move->step],
				told ? move->child.out : "it was ended");
		move->step = bad && move->step == STEP_MOVE ? STEP_END : move->step + 1;
		child_done(&move->child);
		if (move->step < STEP_END)
			step_start(move);
	}
	return move->step == STEP_END;
}

/* The constraint goes whatever we leave behind. */
void pacemaker_done(struct pacemaker_move *move)
{
	bool made = move->step == STEP_SETTLE || move->step == STEP_CLEAR;
	child_done(&move->child);
	if (made) {
		move->step = STEP_CLEAR;
		step_start(move);
		child_wait(&move->child);
		child_done(&move->child);
	}
	move->step = STEP_END;
}
