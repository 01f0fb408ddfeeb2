/* SPDX-License-Identifier: MIT */
/* Marks of our pins, and a definition without the pins that they mark. Invariant: a pin is ours only while it
 * is as the mark says; one that somebody else has changed since stays. Must not know: connections. */
#include "pinmark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../xml.h"
#include "vmtop/array.h"
#include "vmtop/migrate.h"

enum { VCPU_MOST = 4096, SET_TEXT = CPUSET_CPUS * 5, LINE = 3 * SET_TEXT + 128 };

void pinmarks_done(struct pinmarks *m)
{
	free(m->v);
	memset(m, 0, sizeof *m);
}

static struct pinmark *find(const struct pinmarks *m, int vcpu)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].vcpu == vcpu)
			return &m->v[i];
	return NULL;
}

const struct pinmark *pinmarks_find(const struct pinmarks *m, int vcpu)
{
	return find(m, vcpu);
}

static struct pinmark *get(struct pinmarks *m, int vcpu)
{
	struct pinmark *k = find(m, vcpu);
	if (k)
		return k;
	k = array_more(&m->v, &m->n, &m->cap, SIZE_MAX, sizeof *k);
	if (k)
		k->vcpu = vcpu;
	return k;
}

static bool read_set(xmlNodePtr node, const char *name, struct cpuset *s)
{
	char text[SET_TEXT];
	return xml_attr(node, name, text, sizeof text) && cpuset_parse(s, text, NULL) == 0 &&
	       !cpuset_empty(s);
}

static int take(struct pinmarks *m, xmlNodePtr node, struct err *e)
{
	struct pinmark k = {0};
	int64_t id;
	if (!xml_attr_num(node, "id", VCPU_MOST, &id) || !read_set(node, "found", &k.found) ||
		!read_set(node, "wrote", &k.wrote))
		return 0;
	if (!read_set(node, "before", &k.before))
		k.before = k.wrote;
	k.vcpu = (int)id;
	k.pinned = xml_attr_is(node, "pinned", "yes");
	struct pinmark *to = get(m, k.vcpu);
	if (!to)
		return err_set(e, ERR_NOMEM, "out of memory for marks");
	*to = k;
	return 0;
}

static int take_all(struct pinmarks *m, xmlNodePtr pins, struct err *e)
{
	XML_EACH(v, pins, "vcpu")
	if (take(m, v, e) < 0)
		return -1;
	return 0;
}

int pinmarks_read(struct pinmarks *m, const char *text, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "pins", e);
	if (!doc)
		return -1;
	int rc = take_all(m, xmlDocGetRootElement(doc), e);
	xmlFreeDoc(doc);
	return rc;
}

static bool still(const struct pinmark *k, const struct cpuset *now)
{
	return cpuset_equal(&k->wrote, now) || cpuset_equal(&k->before, now);
}

int pinmarks_will(
	struct pinmarks *m, int vcpu, const struct cpuset *now, bool pinned, const struct cpuset *to)
{
	struct pinmark *k = find(m, vcpu);
	bool ours = k && still(k, now);
	k = get(m, vcpu);
	if (!k)
		return -1;
	if (!ours) {
		k->found = *now;
		k->pinned = pinned;
	}
	k->before = *now;
	k->wrote = *to;
	return 0;
}

void pinmarks_forget(struct pinmarks *m, int vcpu)
{
	struct pinmark *k = find(m, vcpu);
	if (k)
		*k = m->v[--m->n];
}

char *pinmarks_text(const struct pinmarks *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	fputs("<pins>", f);
	for (size_t i = 0; i < m->n; i++) {
		char found[SET_TEXT], wrote[SET_TEXT], before[SET_TEXT];
		const struct pinmark *k = &m->v[i];
		cpuset_format(&k->found, found, sizeof found);
		cpuset_format(&k->wrote, wrote, sizeof wrote);
		cpuset_format(&k->before, before, sizeof before);
		fprintf(f, "<vcpu id='%d' found='%s' pinned='%s' wrote='%s' before='%s'/>", k->vcpu, found,
			k->pinned ? "yes" : "no", wrote, before);
	}
	fputs("</pins>", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- a definition that is on its way ---- */

static void drop(xmlNodePtr node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

static void drop_if_empty(xmlNodePtr node)
{
	if (node && !xmlFirstElementChild(node))
		drop(node);
}

static xmlNodePtr pins_of(xmlNodePtr dom)
{
	XML_EACH(p, xml_child(dom, "metadata"), "pins")
	if (p->ns && p->ns->href && strcmp((const char *)p->ns->href, PINMARK_URI) == 0)
		return p;
	return NULL;
}

/* As found: without a pin, or with the one that was there. */
static void put_back(xmlNodePtr pin, const struct pinmark *k)
{
	char text[SET_TEXT];
	if (!k->pinned) {
		drop(pin);
		return;
	}
	cpuset_format(&k->found, text, sizeof text);
	xmlSetProp(pin, (const xmlChar *)"cpuset", (const xmlChar *)text);
}

static void strip(xmlNodePtr tune, const struct pinmarks *m)
{
	for (xmlNodePtr pin = xml_child(tune, "vcpupin"), next; pin; pin = next) {
		struct cpuset now;
		int64_t id;
		next = xml_next(pin);
		const struct pinmark *k =
			xml_attr_num(pin, "vcpu", VCPU_MOST, &id) ? pinmarks_find(m, (int)id) : NULL;
		if (k && read_set(pin, "cpuset", &now) && still(k, &now))
			put_back(pin, k);
	}
}

int pinmarks_strip(xmlNodePtr dom, struct err *e)
{
	struct pinmarks m = {0};
	xmlNodePtr pins = pins_of(dom);
	int rc = pins ? take_all(&m, pins, e) : 0;
	if (pins && rc == 0) {
		strip(xml_child(dom, "cputune"), &m);
		drop_if_empty(xml_child(dom, "cputune"));
		drop(pins);
		drop_if_empty(xml_child(dom, "metadata"));
		rc = 1;
	}
	pinmarks_done(&m);
	return rc;
}

int migrate_strip(const char *xml, char **out, struct err *e)
{
	*out = NULL;
	xmlDocPtr doc = xml_read(xml, "domain", e);
	if (!doc)
		return -1;
	int rc = pinmarks_strip(xmlDocGetRootElement(doc), e);
	if (rc > 0) {
		xmlChar *text = NULL;
		int len = 0;
		xmlDocDumpMemory(doc, &text, &len);
		*out = text ? strdup((const char *)text) : NULL;
		xmlFree(text);
		rc = *out ? 0 : err_set(e, ERR_NOMEM, "out of memory for a definition");
	}
	xmlFreeDoc(doc);
	return rc;
}
