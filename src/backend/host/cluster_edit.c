/* SPDX-License-Identifier: MIT */
/* A cluster's configuration with vmtop's sets, and without. Invariant: nothing but sets that carry a mark is
 * added or taken away, and the version is the next one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../xml.h"
#include "cib.h"
#include "cluster_xml.h"

enum { DEEP = 5 };

/* libxml2 makes attributes without a name or a value where memory runs out in between. */
static bool put(xmlNodePtr node, const char *name, const char *value)
{
	xmlAttrPtr attr = node ? xmlSetProp(node, (const xmlChar *)name, (const xmlChar *)value) : NULL;
	return attr && attr->name && attr->children && attr->children->content &&
	       strcmp((const char *)attr->children->content, value) == 0;
}

static xmlNodePtr child_of(xmlNodePtr node, const char *name, const char *id)
{
	xmlNodePtr child = node ? xmlNewChild(node, NULL, (const xmlChar *)name, NULL) : NULL;
	return child && child->name && put(child, "id", id) ? child : NULL;
}

static bool add_pair(xmlNodePtr set, const char *name, const char *id, const char *key, long v)
{
	char text[3 * CLUSTER_NAME], value[32];
	snprintf(text, sizeof text, "vmtop-%s.%s", name, id);
	xmlNodePtr node = child_of(set, "nvpair", text);
	snprintf(value, sizeof value, "%ld", v);
	return put(node, "name", key) && put(node, "value", value);
}

/* The set ends by itself. */
static bool add_rule(xmlNodePtr set, const char *id, const struct cluster_mark *mark)
{
	char text[3 * CLUSTER_NAME], end[32];
	time_t until = (time_t)mark->until_s;
	struct tm t;
	snprintf(text, sizeof text, "vmtop-rule.%s", id);
	xmlNodePtr rule = child_of(set, "rule", text), date;
	cluster_mark_id(mark, text, sizeof text);
	size_t n = strlen(text);
	snprintf(text + n, sizeof text - n, "%s", id);
	date = child_of(rule, "date_expression", text);
	strftime(end, sizeof end, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &t));
	return put(rule, "score", "INFINITY") && put(rule, "boolean-op", "and") &&
	       put(date, "operation", "lt") && put(date, "end", end);
}

static bool add_set(xmlNodePtr to, const char *kind, const char *id, struct cluster_load load,
	const struct cluster_mark *mark)
{
	char key[2 * CLUSTER_NAME], text[3 * CLUSTER_NAME];
	if (load.cpu < 0)
		return true;
	snprintf(key, sizeof key, "%s.%s", kind, id);
	snprintf(text, sizeof text, "vmtop-set.%s", key);
	xmlNodePtr set = child_of(to, "utilization", text);
	return add_rule(set, key, mark) && add_pair(set, "cpu", key, "vmtop_cpu", load.cpu) &&
	       add_pair(set, "memory", key, "vmtop_memory", load.mem_mib);
}

static xmlNodePtr primitive(xmlNodePtr at, const char *id, int deep)
{
	XML_EACH(p, at, "primitive")
	if (xml_attr_is(p, "id", id))
		return p;
	if (deep)
		XML_EACH(group, at, "group")
		{
			xmlNodePtr node = primitive(group, id, deep - 1);
			if (node)
				return node;
		}
	return NULL;
}

/* false: out of memory, and what was added is not whole. */
static bool add_all(xmlNodePtr cib, const struct cluster *cluster, const struct cluster_demand *demand,
	const struct cluster_mark *mark)
{
	xmlNodePtr resources = xml_path(cib, "configuration/resources");
	bool whole = true;
	XML_EACH(node, xml_path(cib, "configuration/nodes"), "node")
	for (size_t i = 0; i < cluster->n_nodes; i++)
		if (xml_attr_is(node, "id", cluster->nodes[i].id))
			whole &= add_set(node, "node", cluster->nodes[i].id, demand->nodes[i], mark);
	for (size_t i = 0; i < cluster->n_guests; i++) {
		xmlNodePtr p = demand->guests[i].cpu < 0
				       ? NULL
				       : primitive(resources, cluster->guests[i].resource, DEEP);
		if (p)
			whole &= add_set(p, "guest", cluster->guests[i].resource, demand->guests[i], mark);
	}
	return whole;
}

static bool ours(xmlNodePtr set)
{
	char id[3 * CLUSTER_NAME];
	return xml_attr(xml_path(set, "rule/date_expression"), "id", id, sizeof id) &&
	       strncmp(id, "vmtop-until.", 12) == 0;
}

static void remove_from(xmlNodePtr at, int deep)
{
	for (xmlNodePtr node = at ? at->children : NULL, next; node; node = next) {
		next = node->next;
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (strcmp((const char *)node->name, "utilization") == 0 && ours(node)) {
			xmlUnlinkNode(node);
			xmlFreeNode(node);
		} else if (deep) {
			remove_from(node, deep - 1);
		}
	}
}

/* A change that is applied as a difference needs a version that is newer. */
static int next_version(xmlNodePtr cib, struct err *err)
{
	char text[32];
	int64_t epoch;
	if (!xml_attr_num(cib, "epoch", INT64_MAX / 2, &epoch))
		return err_set(err, ERR_RUNTIME, "cibadmin: the configuration has no version");
	snprintf(text, sizeof text, "%lld", (long long)epoch + 1);
	if (!put(cib, "epoch", text) || !put(cib, "num_updates", "0"))
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

static char *text_of(xmlDocPtr doc, struct err *err)
{
	xmlChar *dump = NULL;
	int n = 0;
	xmlDocDumpMemory(doc, &dump, &n);
	char *text = dump && n > 0 ? strdup((const char *)dump) : NULL;
	xmlFree(dump);
	if (!text)
		err_set(err, ERR_NOMEM, "out of memory");
	return text;
}

/* Text that was made of a document while memory ran out is none. */
static char *only_whole(xmlDocPtr doc, char *text, struct err *err)
{
	if (xml_done(doc))
		return text;
	err_set(err, ERR_NOMEM, "out of memory");
	free(text);
	return NULL;
}

char *cluster_with(const char *text, const struct cluster *cluster, const struct cluster_demand *demand,
	const struct cluster_mark *mark, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "cib", err);
	xmlNodePtr cib = doc ? xmlDocGetRootElement(doc) : NULL;
	char *out = NULL;
	if (!cib)
		return NULL;
	if (!add_all(cib, cluster, demand, mark))
		err_set(err, ERR_NOMEM, "out of memory");
	else if (next_version(cib, err) == 0)
		out = text_of(doc, err);
	return only_whole(doc, out, err);
}

char *cluster_without(const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "cib", err);
	if (!doc)
		return NULL;
	remove_from(xml_path(xmlDocGetRootElement(doc), "configuration/nodes"), DEEP);
	remove_from(xml_path(xmlDocGetRootElement(doc), "configuration/resources"), DEEP);
	return only_whole(doc, text_of(doc, err), err);
}
