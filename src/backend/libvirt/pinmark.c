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

void pinmarks_done(struct pinmarks *marks)
{
	free(marks->v);
	memset(marks, 0, sizeof *marks);
}

static struct pinmark *find(const struct pinmarks *marks, int vcpu)
{
	for (size_t i = 0; i < marks->n; i++)
		if (marks->v[i].vcpu == vcpu)
			return &marks->v[i];
	return NULL;
}

const struct pinmark *pinmarks_find(const struct pinmarks *marks, int vcpu)
{
	return find(marks, vcpu);
}

static struct pinmark *get(struct pinmarks *marks, int vcpu)
{
	struct pinmark *mark = find(marks, vcpu);
	if (mark)
		return mark;
	mark = array_more(&marks->v, &marks->n, &marks->cap, SIZE_MAX, sizeof *mark);
	if (mark)
		mark->vcpu = vcpu;
	return mark;
}

static bool read_set(xmlNodePtr node, const char *name, struct cpuset *set)
{
	char text[SET_TEXT];
	return xml_attr(node, name, text, sizeof text) && cpuset_parse(set, text, NULL) == 0 &&
	       !cpuset_empty(set);
}

static int take(struct pinmarks *marks, xmlNodePtr node, struct err *err)
{
	struct pinmark mark = {0};
	int64_t id;
	if (!xml_attr_num(node, "id", VCPU_MOST, &id) || !read_set(node, "found", &mark.found) ||
		!read_set(node, "wrote", &mark.wrote))
		return 0;
	if (!read_set(node, "before", &mark.before))
		mark.before = mark.wrote;
	mark.vcpu = (int)id;
	mark.pinned = xml_attr_is(node, "pinned", "yes");
	struct pinmark *to = get(marks, mark.vcpu);
	if (!to)
		return err_set(err, ERR_NOMEM, "out of memory for marks");
	*to = mark;
	return 0;
}

static int take_all(struct pinmarks *marks, xmlNodePtr pins, struct err *err)
{
	XML_EACH(v, pins, "vcpu")
	if (take(marks, v, err) < 0)
		return -1;
	return 0;
}

int pinmarks_read(struct pinmarks *marks, const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "pins", err);
	if (!doc)
		return -1;
	int rc = take_all(marks, xmlDocGetRootElement(doc), err);
	xmlFreeDoc(doc);
	return rc;
}

static bool still(const struct pinmark *mark, const struct cpuset *now)
{
	return cpuset_equal(&mark->wrote, now) || cpuset_equal(&mark->before, now);
}

int pinmarks_will(
	struct pinmarks *marks, int vcpu, const struct cpuset *now, bool pinned, const struct cpuset *to)
{
	struct pinmark *mark = find(marks, vcpu);
	bool ours = mark && still(mark, now);
	mark = get(marks, vcpu);
	if (!mark)
		return -1;
	if (!ours) {
		mark->found = *now;
		mark->pinned = pinned;
	}
	mark->before = *now;
	mark->wrote = *to;
	return 0;
}

void pinmarks_forget(struct pinmarks *marks, int vcpu)
{
	struct pinmark *mark = find(marks, vcpu);
	if (mark)
		*mark = marks->v[--marks->n];
}

char *pinmarks_text(const struct pinmarks *marks)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	if (!file)
		return NULL;
	fputs("<pins>", file);
	for (size_t i = 0; i < marks->n; i++) {
		char found[SET_TEXT], wrote[SET_TEXT], before[SET_TEXT];
		const struct pinmark *mark = &marks->v[i];
		cpuset_format(&mark->found, found, sizeof found);
		cpuset_format(&mark->wrote, wrote, sizeof wrote);
		cpuset_format(&mark->before, before, sizeof before);
		fprintf(file, "<vcpu id='%d' found='%s' pinned='%s' wrote='%s' before='%s'/>", mark->vcpu,
			found, mark->pinned ? "yes" : "no", wrote, before);
	}
	fputs("</pins>", file);
	if (fclose(file) == 0)
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
static void put_back(xmlNodePtr pin, const struct pinmark *mark)
{
	char text[SET_TEXT];
	if (!mark->pinned) {
		drop(pin);
		return;
	}
	cpuset_format(&mark->found, text, sizeof text);
	xmlSetProp(pin, (const xmlChar *)"cpuset", (const xmlChar *)text);
}

static void strip(xmlNodePtr tune, const struct pinmarks *marks)
{
	for (xmlNodePtr pin = xml_child(tune, "vcpupin"), next; pin; pin = next) {
		struct cpuset now;
		int64_t id;
		next = xml_next(pin);
		const struct pinmark *mark =
			xml_attr_num(pin, "vcpu", VCPU_MOST, &id) ? pinmarks_find(marks, (int)id) : NULL;
		if (mark && read_set(pin, "cpuset", &now) && still(mark, &now))
			put_back(pin, mark);
	}
}

int pinmarks_strip(xmlNodePtr dom, struct err *err)
{
	struct pinmarks marks = {0};
	xmlNodePtr pins = pins_of(dom);
	int rc = pins ? take_all(&marks, pins, err) : 0;
	if (pins && rc == 0) {
		strip(xml_child(dom, "cputune"), &marks);
		drop_if_empty(xml_child(dom, "cputune"));
		drop(pins);
		drop_if_empty(xml_child(dom, "metadata"));
		rc = 1;
	}
	pinmarks_done(&marks);
	return rc;
}

int migrate_strip(const char *xml, char **out, struct err *err)
{
	*out = NULL;
	xmlDocPtr doc = xml_read(xml, "domain", err);
	if (!doc)
		return -1;
	int rc = pinmarks_strip(xmlDocGetRootElement(doc), err);
	if (rc > 0) {
		xmlChar *text = NULL;
		int len = 0;
		xmlDocDumpMemory(doc, &text, &len);
		*out = text ? strdup((const char *)text) : NULL;
		xmlFree(text);
		rc = *out ? 0 : err_set(err, ERR_NOMEM, "out of memory for a definition");
	}
	xmlFreeDoc(doc);
	return rc;
}
