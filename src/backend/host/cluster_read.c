/* SPDX-License-Identifier: MIT */
/* A cluster from its configuration and from crm_simulate's answer to it. Invariant: a name that is no plain
 * word is not taken over; what is not said to be well is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../xml.h"
#include "cib.h"
#include "cluster_xml.h"
#include "vmtop/array.h"

enum { NODES_MOST = 4096, GUESTS_MOST = 65536, ACTIONS_MOST = 4096, MARKS_MOST = 64, DEEP = 4 };

void cluster_actions_done(struct cluster_actions *a)
{
	free(a->list);
	*a = (struct cluster_actions){.list = NULL};
}

void cluster_trial_done(struct cluster_trial *t)
{
	cluster_actions_done(&t->does);
	cluster_actions_done(&t->after);
}

void cluster_done(struct cluster *c)
{
	free(c->cib);
	free(c->nodes);
	free(c->guests);
	free(c->marks);
	cluster_actions_done(&c->does);
	*c = (struct cluster){.cib = NULL};
}

#define MORE(list, n, cap, most) array_more(&(list), &(n), &(cap), (most), sizeof *(list))

static int too_many(struct err *e, const char *what)
{
	return err_set(e, ERR_RUNTIME, "the cluster has more %s than can be read here", what);
}

static bool name_of(xmlNodePtr node, const char *attr, char name[CLUSTER_NAME])
{
	return xml_attr(node, attr, name, CLUSTER_NAME) && cib_plain(name);
}

static bool is(xmlNodePtr node, const char *attr)
{
	return xml_attr_is(node, attr, "true");
}

/* ---- the configuration ---- */

static int read_nodes(struct cluster *c, xmlNodePtr cib, struct err *e)
{
	XML_EACH(node, xml_path(cib, "configuration/nodes"), "node")
	{
		struct cluster_node x, *to;
		if (!name_of(node, "uname", x.name) || !name_of(node, "id", x.id))
			return err_set(e, ERR_RUNTIME,
				"a node of the cluster has a name with characters that are not taken");
		to = MORE(c->nodes, c->n_nodes, c->cap_nodes, NODES_MOST);
		if (!to)
			return too_many(e, "nodes");
		*to = x;
	}
	return 0;
}

static void name_guest(const struct cib_resource *r, struct cluster_guest *g)
{
	struct cib_definition d;
	if (*r->config == '/' && cib_definition(r->config, &d)) {
		memcpy(g->vm, d.vm, sizeof g->vm);
		memcpy(g->uuid, d.uuid, sizeof g->uuid);
		g->has_uuid = d.has_uuid;
		return;
	}
	const char *base = strrchr(r->config, '/');
	base = base ? base + 1 : r->config;
	size_t n = strlen(base), end = n > 4 && strcmp(base + n - 4, ".xml") == 0 ? n - 4 : n;
	snprintf(g->vm, sizeof g->vm, "%.*s", (int)end, base);
}

static const char *stays(xmlNodePtr cib, const struct cib_resource *r)
{
	char name[MOVE_OWNER];
	return !cib_live(cib, r)        ? "would be stopped and started: allow-migrate is not set"
	       : cib_maintained(cib, r) ? "is in maintenance, or not managed"
	       : cib_moved_by_hand(cib, r->id, name, sizeof name)
		       ? "was moved by hand: crm_resource --clear first"
		       : "";
}

/* Members of groups too; copies of a clone are no guests that move. */
static int read_guests(struct cluster *c, xmlNodePtr cib, xmlNodePtr at, int deep, struct err *e)
{
	xmlNodePtr resources = xml_path(cib, "configuration/resources");
	XML_EACH(node, at, "primitive")
	{
		struct cib_resource r = cib_resource(resources, node);
		if (!cib_is_guest(&r) || !cib_plain(r.id) || strlen(r.id) >= CLUSTER_NAME)
			continue;
		struct cluster_guest *g = MORE(c->guests, c->n_guests, c->cap_guests, GUESTS_MOST);
		if (!g)
			return too_many(e, "guests");
		memcpy(g->resource, r.id, strlen(r.id) + 1);
		g->node = CLUSTER_NOWHERE;
		name_guest(&r, g);
		snprintf(g->why, sizeof g->why, "%s", stays(cib, &r));
	}
	if (deep)
		XML_EACH(group, at, "group")
	if (read_guests(c, cib, group, deep - 1, e) < 0)
		return -1;
	return 0;
}

/* ---- marks ---- */

static bool number(const char **p, int64_t *v)
{
	int64_t n = 0;
	const char *s = *p;
	for (; *s >= '0' && *s <= '9' && n < INT64_MAX / 10 - 10; s++)
		n = 10 * n + (*s - '0');
	if (s == *p || *s != '.')
		return false;
	*p = s + 1;
	*v = n;
	return true;
}

static const char mark[] = "vmtop-until.";

void cluster_mark_id(const struct cluster_mark *m, char *buf, size_t len)
{
	snprintf(buf, len, "%s%lld.%lld.%lld.", mark, (long long)m->node, (long long)m->pid,
		(long long)m->start);
}

/* Of the rule of a set; false: vmtop did not write it. */
static bool read_mark(xmlNodePtr set, struct cluster_mark *m)
{
	char id[3 * CLUSTER_NAME], end[32];
	struct tm t;
	xmlNodePtr date = xml_path(set, "rule/date_expression");
	const char *p = id + sizeof mark - 1;
	if (!xml_attr(date, "id", id, sizeof id) || strncmp(id, mark, sizeof mark - 1) != 0)
		return false;
	*m = (struct cluster_mark){.until_s = INT64_MAX};
	memset(&t, 0, sizeof t);
	if (xml_attr(date, "end", end, sizeof end) && strptime(end, "%Y-%m-%dT%H:%M:%SZ", &t))
		m->until_s = timegm(&t);
	return number(&p, &m->node) && number(&p, &m->pid) && number(&p, &m->start);
}

static bool same(const struct cluster_mark *a, const struct cluster_mark *b)
{
	return a->node == b->node && a->pid == b->pid && a->start == b->start;
}

static int add_marks(struct cluster *c, xmlNodePtr at, struct err *e)
{
	XML_EACH(set, at, "utilization")
	{
		struct cluster_mark m, *to = NULL;
		if (!read_mark(set, &m))
			continue;
		for (size_t i = 0; i < c->n_marks; i++)
			if (same(&c->marks[i], &m))
				to = &c->marks[i];
		if (!to && !(to = MORE(c->marks, c->n_marks, c->cap_marks, MARKS_MOST)))
			return too_many(e, "vmtops");
		*to = m;
	}
	return 0;
}

/* Whatever holds sets: nodes, primitives, those of groups. */
static int each_holder(xmlNodePtr at, int deep, int (*f)(void *, xmlNodePtr), void *arg)
{
	for (xmlNodePtr x = at ? at->children : NULL; x; x = x->next)
		if (x->type == XML_ELEMENT_NODE &&
			(f(arg, x) < 0 || (deep && each_holder(x, deep - 1, f, arg) < 0)))
			return -1;
	return 0;
}

struct marks_of {
	struct cluster *c;
	struct err *e;
};

static int marks_of(void *arg, xmlNodePtr holder)
{
	struct marks_of *m = arg;
	return add_marks(m->c, holder, m->e);
}

static int read_marks(struct cluster *c, xmlNodePtr cib, struct err *e)
{
	struct marks_of m = {c, e};
	return each_holder(xml_path(cib, "configuration/nodes"), 0, marks_of, &m) < 0 ||
			       each_holder(xml_path(cib, "configuration/resources"), DEEP, marks_of, &m) < 0
		       ? -1
		       : 0;
}

struct count_of {
	const struct cluster_mark *m;
	size_t n;
};

static int count_of(void *arg, xmlNodePtr holder)
{
	struct count_of *count = arg;
	struct cluster_mark m;
	XML_EACH(set, holder, "utilization")
	count->n += read_mark(set, &m) && same(&m, count->m);
	return 0;
}

size_t cluster_written(const char *text, const struct cluster_mark *m)
{
	struct count_of count = {.m = m};
	xmlDocPtr doc = xml_read(text, "cib", NULL);
	xmlNodePtr cib = doc ? xmlDocGetRootElement(doc) : NULL;
	if (!cib)
		return SIZE_MAX;
	each_holder(xml_path(cib, "configuration/nodes"), 0, count_of, &count);
	each_holder(xml_path(cib, "configuration/resources"), DEEP, count_of, &count);
	xmlFreeDoc(doc);
	return count.n;
}

/* ---- what crm_simulate says ---- */

static size_t node_named(const struct cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (strcmp(c->nodes[i].name, name) == 0)
			return i;
	return CLUSTER_NOWHERE;
}

/* NULL: all is well with it. */
static const char *ails(xmlNodePtr node)
{
	return is(node, "unclean")                                 ? "is unclean"
	       : is(node, "standby") || is(node, "standby_onfail") ? "is standby"
	       : is(node, "maintenance")                           ? "is in maintenance"
	       : is(node, "pending") || is(node, "shutdown")       ? "joins or leaves"
	       : is(node, "online")                                ? NULL
								   : "is offline";
}

static void place_guest(struct cluster *c, xmlNodePtr resource, struct cluster_guest *g)
{
	char name[CLUSTER_NAME];
	bool one = xml_attr_is(resource, "nodes_running_on", "1");
	if (one && name_of(xml_child(resource, "node"), "name", name))
		g->node = node_named(c, name);
	g->moving = (!one && !xml_attr_is(resource, "nodes_running_on", "0")) ||
		    xml_attr_is(resource, "pending", "Migrating") ||
		    xml_attr_is(resource, "pending", "Stopping") ||
		    xml_attr_is(resource, "pending", "Starting");
	if (*g->why)
		return;
	if (!is(resource, "managed") || is(resource, "blocked") || is(resource, "failed") ||
		is(resource, "orphaned"))
		snprintf(g->why, sizeof g->why, "%s", "has failed, is blocked or not managed");
	else if (!xml_attr_is(resource, "role", "Started") || g->node == CLUSTER_NOWHERE)
		snprintf(g->why, sizeof g->why, "%s", "does not run on one node");
}

static void place_guests(struct cluster *c, xmlNodePtr at, int deep)
{
	char id[CLUSTER_NAME];
	XML_EACH(r, at, "resource")
	if (name_of(r, "id", id))
		for (size_t i = 0; i < c->n_guests; i++)
			if (strcmp(c->guests[i].resource, id) == 0)
				place_guest(c, r, &c->guests[i]);
	if (deep)
		XML_EACH(group, at, "group")
	place_guests(c, group, deep - 1);
}

static int read_status(struct cluster *c, const char *text, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "pacemaker-result", e);
	xmlNodePtr root = doc ? xmlDocGetRootElement(doc) : NULL;
	size_t seen = 0;
	if (!root)
		return err_prefix(e, "crm_simulate");
	XML_EACH(node, xml_path(root, "cluster_status/nodes"), "node")
	{
		char name[CLUSTER_NAME];
		const char *why = ails(node);
		seen++;
		if (why && !*c->stop)
			snprintf(c->stop, sizeof c->stop, "node %s %s",
				name_of(node, "name", name) ? name : "?", why);
	}
	if (seen < c->n_nodes && !*c->stop)
		snprintf(c->stop, sizeof c->stop, "crm_simulate does not tell of every node");
	place_guests(c, xml_path(root, "cluster_status/resources"), DEEP);
	xmlFreeDoc(doc);
	for (size_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].node == CLUSTER_NOWHERE && !*c->guests[i].why)
			snprintf(c->guests[i].why, sizeof c->guests[i].why, "does not run on one node");
	return 0;
}

int cluster_read_actions(struct cluster_actions *to, const char *text, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "pacemaker-result", e);
	xmlNodePtr root = doc ? xmlDocGetRootElement(doc) : NULL, actions = xml_child(root, "actions");
	int rc = 0;
	if (!root)
		return err_prefix(e, "crm_simulate");
	if (!actions || !xml_attr_is(xml_child(root, "status"), "code", "0"))
		rc = err_set(e, ERR_RUNTIME, "crm_simulate does not tell what Pacemaker would do");
	for (xmlNodePtr x = rc == 0 ? actions->children : NULL; x && rc == 0; x = x->next) {
		if (x->type != XML_ELEMENT_NODE)
			continue;
		struct cluster_action *a = MORE(to->list, to->n, to->cap, ACTIONS_MOST);
		if (!a) {
			rc = too_many(e, "actions");
			continue;
		}
		/* Of what is no resource (fencing) only that it is there. */
		if (!xml_attr(x, "action", a->what, sizeof a->what))
			snprintf(a->what, sizeof a->what, "%.20s", (const char *)x->name);
		name_of(x, "resource", a->resource);
		if (!name_of(x, "source", a->from))
			name_of(x, "node", a->from);
		name_of(x, "dest", a->to);
	}
	xmlFreeDoc(doc);
	return rc;
}

static void read_whole(struct cluster *c, xmlNodePtr cib)
{
	char value[64], epoch[24];
	xml_attr(cib, "admin_epoch", value, sizeof epoch);
	xml_attr(cib, "epoch", epoch, sizeof epoch);
	snprintf(c->version, sizeof c->version, "%.20s.%.20s", value, epoch);
	cib_property(cib, "placement-strategy", c->strategy, sizeof c->strategy);
	if (!*c->strategy)
		snprintf(c->strategy, sizeof c->strategy, "default");
	if (!xml_attr_is(cib, "have-quorum", "1"))
		snprintf(c->stop, sizeof c->stop, "the cluster has no quorum");
	else if (!xml_attr(cib, "dc-uuid", value, sizeof value) || !*value)
		snprintf(c->stop, sizeof c->stop, "the cluster has no DC");
	cib_property(cib, "maintenance-mode", value, sizeof value);
	if (cib_yes(value))
		snprintf(c->stop, sizeof c->stop, "Pacemaker is in maintenance mode");
	cib_property(cib, "stop-all-resources", value, sizeof value);
	if (cib_yes(value))
		snprintf(c->stop, sizeof c->stop, "the cluster's stop-all-resources is set");
}

int cluster_read(struct cluster *c, const char *text, const char *simulated, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "cib", e);
	xmlNodePtr cib = doc ? xmlDocGetRootElement(doc) : NULL;
	if (!cib)
		return err_prefix(e, "cibadmin");
	read_whole(c, cib);
	int rc = read_nodes(c, cib, e);
	if (rc == 0)
		rc = read_guests(c, cib, xml_path(cib, "configuration/resources"), DEEP, e);
	if (rc == 0)
		rc = read_marks(c, cib, e);
	xmlFreeDoc(doc);
	if (rc == 0)
		rc = read_status(c, simulated, e);
	return rc == 0 ? cluster_read_actions(&c->does, simulated, e) : rc;
}
