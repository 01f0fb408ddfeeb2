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
#include "vmtop/text.h"

enum { NODES_MOST = 4096, GUESTS_MOST = 65536, ACTIONS_MOST = 4096, MARKS_MOST = 64, DEEP = 4 };

void cluster_actions_done(struct cluster_actions *actions)
{
	free(actions->list);
	*actions = (struct cluster_actions){.list = NULL};
}

void cluster_trial_done(struct cluster_trial *trial)
{
	cluster_actions_done(&trial->does);
	cluster_actions_done(&trial->after);
}

void cluster_done(struct cluster *cluster)
{
	free(cluster->cib);
	free(cluster->nodes);
	free(cluster->guests);
	free(cluster->marks);
	cluster_actions_done(&cluster->does);
	*cluster = (struct cluster){.cib = NULL};
}

#define MORE(list, n, cap, most) array_more(&(list), &(n), &(cap), (most), sizeof *(list))

static int too_many(struct err *err, const char *what)
{
	return err_set(err, ERR_RUNTIME, "the cluster has more %s than can be read here", what);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
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

static int read_nodes(struct cluster *cluster, xmlNodePtr cib, struct err *err)
{
	XML_EACH(node, xml_path(cib, "configuration/nodes"), "node")
	{
		struct cluster_node x, *to;
		if (!name_of(node, "uname", x.name) || !name_of(node, "id", x.id))
			return err_set(err, ERR_RUNTIME,
				"a node of the cluster has a name with characters that are not taken");
		to = MORE(cluster->nodes, cluster->n_nodes, cluster->cap_nodes, NODES_MOST);
		if (!to)
			return too_many(err, "nodes");
		*to = x;
	}
	return 0;
}

static void name_guest(const struct cib_resource *res, struct cluster_guest *guest)
{
	struct cib_definition def;
	if (*res->config == '/' && cib_definition(res->config, &def)) {
		memcpy(guest->vm, def.vm, sizeof guest->vm);
		memcpy(guest->uuid, def.uuid, sizeof guest->uuid);
		guest->has_uuid = def.has_uuid;
		return;
	}
	const char *base = strrchr(res->config, '/');
	base = base ? base + 1 : res->config;
	size_t n = strlen(base), end = n > 4 && strcmp(base + n - 4, ".xml") == 0 ? n - 4 : n;
	snprintf(guest->vm, sizeof guest->vm, "%.*s", (int)end, base);
}

static const char *stays(xmlNodePtr cib, const struct cib_resource *res)
{
	char name[MOVE_OWNER];
	return !cib_live(cib, res)        ? "would be stopped and started: allow-migrate is not set"
	       : cib_maintained(cib, res) ? "is in maintenance, or not managed"
					  : text_if(cib_moved_by_hand(cib, res->id, name, sizeof name),
						    "was moved by hand: crm_resource --clear first");
}

/* Members of groups too; copies of a clone are no guests that move. */
static int read_guests(struct cluster *cluster, xmlNodePtr cib, xmlNodePtr at, int deep, struct err *err)
{
	xmlNodePtr resources = xml_path(cib, "configuration/resources");
	XML_EACH(node, at, "primitive")
	{
		struct cib_resource res = cib_resource(resources, node);
		if (!cib_is_guest(&res) || !cib_plain(res.id) || strlen(res.id) >= CLUSTER_NAME)
			continue;
		struct cluster_guest *guest =
			MORE(cluster->guests, cluster->n_guests, cluster->cap_guests, GUESTS_MOST);
		if (!guest)
			return too_many(err, "guests");
		memcpy(guest->resource, res.id, strlen(res.id) + 1);
		guest->node = CLUSTER_NOWHERE;
		name_guest(&res, guest);
		snprintf(guest->why, sizeof guest->why, "%s", stays(cib, &res));
	}
	if (deep)
		XML_EACH(group, at, "group")
	if (read_guests(cluster, cib, group, deep - 1, err) < 0)
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

static int add_marks(struct cluster *cluster, xmlNodePtr at, struct err *err)
{
	XML_EACH(set, at, "utilization")
	{
		struct cluster_mark m, *to = NULL;
		if (!read_mark(set, &m))
			continue;
		for (size_t i = 0; i < cluster->n_marks; i++)
			if (same(&cluster->marks[i], &m))
				to = &cluster->marks[i];
		if (!to && !(to = MORE(cluster->marks, cluster->n_marks, cluster->cap_marks, MARKS_MOST)))
			return too_many(err, "vmtops");
		*to = m;
	}
	return 0;
}

/* Whatever holds sets: nodes, primitives, those of groups. */
static int each_holder(xmlNodePtr at, int deep, int (*f)(void *, xmlNodePtr), void *arg)
{
	for (xmlNodePtr node = at ? at->children : NULL; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE &&
			(f(arg, node) < 0 || (deep && each_holder(node, deep - 1, f, arg) < 0)))
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

static int read_marks(struct cluster *cluster, xmlNodePtr cib, struct err *err)
{
	struct marks_of m = {cluster, err};
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
	xmlNodePtr cib = xmlDocGetRootElement(doc);
	if (!cib)
		return SIZE_MAX;
	each_holder(xml_path(cib, "configuration/nodes"), 0, count_of, &count);
	each_holder(xml_path(cib, "configuration/resources"), DEEP, count_of, &count);
	return xml_done(doc) ? count.n : SIZE_MAX;
}

/* ---- what crm_simulate says ---- */

static size_t node_named(const struct cluster *cluster, const char *name)
{
	for (size_t i = 0; i < cluster->n_nodes; i++)
		if (strcmp(cluster->nodes[i].name, name) == 0)
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

static void place_guest(struct cluster *cluster, xmlNodePtr resource, struct cluster_guest *guest)
{
	char name[CLUSTER_NAME];
	bool one = xml_attr_is(resource, "nodes_running_on", "1");
	if (one && name_of(xml_child(resource, "node"), "name", name))
		guest->node = node_named(cluster, name);
	guest->moving = (!one && !xml_attr_is(resource, "nodes_running_on", "0")) ||
			xml_attr_is(resource, "pending", "Migrating") ||
			xml_attr_is(resource, "pending", "Stopping") ||
			xml_attr_is(resource, "pending", "Starting");
	if (*guest->why)
		return;
	if (!is(resource, "managed") || is(resource, "blocked") || is(resource, "failed") ||
		is(resource, "orphaned"))
		snprintf(guest->why, sizeof guest->why, "%s", "has failed, is blocked or not managed");
	else if (!xml_attr_is(resource, "role", "Started") || guest->node == CLUSTER_NOWHERE)
		snprintf(guest->why, sizeof guest->why, "%s", "does not run on one node");
}

static void place_guests(struct cluster *cluster, xmlNodePtr at, int deep)
{
	char id[CLUSTER_NAME];
	XML_EACH(r, at, "resource")
	if (name_of(r, "id", id))
		for (size_t i = 0; i < cluster->n_guests; i++)
			if (strcmp(cluster->guests[i].resource, id) == 0)
				place_guest(cluster, r, &cluster->guests[i]);
	if (deep)
		XML_EACH(group, at, "group")
	place_guests(cluster, group, deep - 1);
}

static int read_status(struct cluster *cluster, const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "pacemaker-result", err);
	xmlNodePtr root = xmlDocGetRootElement(doc);
	size_t seen = 0;
	if (!root)
		return err_prefix(err, "crm_simulate");
	XML_EACH(node, xml_path(root, "cluster_status/nodes"), "node")
	{
		char name[CLUSTER_NAME];
		const char *why = ails(node);
		seen++;
		if (why && !*cluster->stop)
			snprintf(cluster->stop, sizeof cluster->stop, "node %s %s",
				name_of(node, "name", name) ? name : "?", why);
	}
	if (seen < cluster->n_nodes && !*cluster->stop)
		snprintf(cluster->stop, sizeof cluster->stop, "crm_simulate does not tell of every node");
	place_guests(cluster, xml_path(root, "cluster_status/resources"), DEEP);
	if (!xml_done(doc))
		return no_memory(err);
	for (size_t i = 0; i < cluster->n_guests; i++)
		if (cluster->guests[i].node == CLUSTER_NOWHERE && !*cluster->guests[i].why)
			snprintf(cluster->guests[i].why, sizeof cluster->guests[i].why,
				"does not run on one node");
	return 0;
}

int cluster_read_actions(struct cluster_actions *to, const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "pacemaker-result", err);
	xmlNodePtr root = xmlDocGetRootElement(doc), actions = xml_child(root, "actions");
	int rc = 0;
	if (!root)
		return err_prefix(err, "crm_simulate");
	if (!actions || !xml_attr_is(xml_child(root, "status"), "code", "0"))
		rc = err_set(err, ERR_RUNTIME, "crm_simulate does not tell what Pacemaker would do");
	for (xmlNodePtr node = rc == 0 ? actions->children : NULL; node && rc == 0; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		struct cluster_action *action = MORE(to->list, to->n, to->cap, ACTIONS_MOST);
		if (!action) {
			rc = too_many(err, "actions");
			continue;
		}
		/* Of what is no resource (fencing) only that it is there. */
		if (!xml_attr(node, "action", action->what, sizeof action->what))
			snprintf(action->what, sizeof action->what, "%.20s", (const char *)node->name);
		name_of(node, "resource", action->resource);
		if (!name_of(node, "source", action->from))
			name_of(node, "node", action->from);
		name_of(node, "dest", action->to);
	}
	return xml_done(doc) ? rc : no_memory(err);
}

static void read_whole(struct cluster *cluster, xmlNodePtr cib)
{
	char value[64], epoch[24];
	xml_attr(cib, "admin_epoch", value, sizeof epoch);
	xml_attr(cib, "epoch", epoch, sizeof epoch);
	snprintf(cluster->version, sizeof cluster->version, "%.20s.%.20s", value, epoch);
	cib_property(cib, "placement-strategy", cluster->strategy, sizeof cluster->strategy);
	if (!*cluster->strategy)
		snprintf(cluster->strategy, sizeof cluster->strategy, "default");
	if (!xml_attr_is(cib, "have-quorum", "1"))
		snprintf(cluster->stop, sizeof cluster->stop, "the cluster has no quorum");
	else if (!xml_attr(cib, "dc-uuid", value, sizeof value) || !*value)
		snprintf(cluster->stop, sizeof cluster->stop, "the cluster has no DC");
	cib_property(cib, "maintenance-mode", value, sizeof value);
	if (cib_yes(value))
		snprintf(cluster->stop, sizeof cluster->stop, "Pacemaker is in maintenance mode");
	cib_property(cib, "stop-all-resources", value, sizeof value);
	if (cib_yes(value))
		snprintf(cluster->stop, sizeof cluster->stop, "the cluster's stop-all-resources is set");
}

int cluster_read(struct cluster *cluster, const char *text, const char *simulated, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "cib", err);
	xmlNodePtr cib = xmlDocGetRootElement(doc);
	if (!cib)
		return err_prefix(err, "cibadmin");
	read_whole(cluster, cib);
	int rc = read_nodes(cluster, cib, err);
	if (rc == 0)
		rc = read_guests(cluster, cib, xml_path(cib, "configuration/resources"), DEEP, err);
	if (rc == 0)
		rc = read_marks(cluster, cib, err);
	if (!xml_done(doc)) /* what is not known to be so is not so: nothing is decided on that */
		rc = no_memory(err);
	if (rc == 0)
		rc = read_status(cluster, simulated, err);
	return rc == 0 ? cluster_read_actions(&cluster->does, simulated, err) : rc;
}
