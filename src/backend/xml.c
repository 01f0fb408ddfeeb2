/* SPDX-License-Identifier: MIT */
/* Walking an XML tree whose content is not trusted: every text is copied into a bounded buffer, every number
 * has a range. Must not know what the elements mean. */
#include "xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

enum { XML_MOST = 16 << 20 }; /* a domain with thousands of devices stays well below */

static void quiet(void *ctx, const char *msg, ...)
{
	(void)ctx;
	(void)msg;
}

xmlDocPtr xml_read(const char *text, const char *root, struct err *e)
{
	size_t n = strnlen(text, (size_t)XML_MOST + 1);
	if (n > XML_MOST) {
		err_set(e, ERR_RUNTIME, "XML of more than %d MiB", XML_MOST >> 20);
		return NULL;
	}
	xmlParserCtxtPtr ctx = xmlNewParserCtxt();
	if (!ctx) {
		err_set(e, ERR_NOMEM, "out of memory for XML");
		return NULL;
	}
	if (ctx->sax)
		ctx->sax->error = ctx->sax->warning = quiet;
	xmlDocPtr doc = xmlCtxtReadMemory(ctx, text, (int)n, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	xmlFreeParserCtxt(ctx);
	xmlNodePtr top = doc ? xmlDocGetRootElement(doc) : NULL;
	if (!top || strcmp((const char *)top->name, root) != 0) {
		err_set(e, ERR_RUNTIME, top ? "XML without <%s>" : "malformed XML where <%s> was expected",
			root);
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

static xmlNodePtr element(xmlNodePtr n, const char *name, size_t len)
{
	while (n && (n->type != XML_ELEMENT_NODE || strncmp((const char *)n->name, name, len) != 0 ||
			    n->name[len]))
		n = n->next;
	return n;
}

xmlNodePtr xml_child(xmlNodePtr node, const char *name)
{
	return node ? element(node->children, name, strlen(name)) : NULL;
}

xmlNodePtr xml_next(xmlNodePtr node)
{
	const char *name = (const char *)node->name;
	return element(node->next, name, strlen(name));
}

xmlNodePtr xml_path(xmlNodePtr node, const char *path)
{
	while (node && *path) {
		size_t n = strcspn(path, "/");
		node = element(node->children, path, n);
		path += path[n] ? n + 1 : n;
	}
	return node;
}

/* Takes s, which may be NULL. */
static bool keep(xmlChar *s, char *buf, size_t len)
{
	size_t n = s ? strlen((const char *)s) : 0;
	bool fits = s && n < len;
	if (fits)
		memcpy(buf, s, n);
	buf[fits ? n : 0] = '\0';
	xmlFree(s);
	return fits;
}

bool xml_attr(xmlNodePtr node, const char *name, char *buf, size_t len)
{
	return keep(node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL, buf, len);
}

bool xml_text(xmlNodePtr node, char *buf, size_t len)
{
	return keep(node ? xmlNodeGetContent(node) : NULL, buf, len);
}

bool xml_attr_is(xmlNodePtr node, const char *name, const char *value)
{
	char buf[64];
	return xml_attr(node, name, buf, sizeof buf) && strcmp(buf, value) == 0;
}

static bool number(const char *s, int64_t most, int64_t *v)
{
	char *end;
	s += strspn(s, " \t\r\n");
	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	long long x = strtoll(s, &end, 10);
	end += strspn(end, " \t\r\n");
	if (errno || *end || x > most)
		return false;
	*v = x;
	return true;
}

bool xml_attr_num(xmlNodePtr node, const char *name, int64_t most, int64_t *v)
{
	char buf[32];
	return xml_attr(node, name, buf, sizeof buf) && number(buf, most, v);
}

bool xml_text_num(xmlNodePtr node, int64_t most, int64_t *v)
{
	char buf[32];
	return xml_text(node, buf, sizeof buf) && number(buf, most, v);
}

static const struct {
	const char *name;
	int64_t bytes;
} units[] = {
	{"b", 1},
	{"bytes", 1},
	{"KB", 1000},
	{"k", 1 << 10},
	{"KiB", 1 << 10},
	{"MB", 1000000},
	{"M", 1 << 20},
	{"MiB", 1 << 20},
	{"GB", 1000000000},
	{"G", 1 << 30},
	{"GiB", 1 << 30},
	{"TB", INT64_C(1000000000000)},
	{"T", INT64_C(1) << 40},
	{"TiB", INT64_C(1) << 40},
};

bool xml_kib(xmlNodePtr node, int64_t *kib)
{
	char unit[16];
	int64_t scale = 1 << 10, v;
	if (!xml_text_num(node, INT64_MAX, &v))
		return false;
	if (xml_attr(node, "unit", unit, sizeof unit)) {
		scale = 0;
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if (strcmp(units[i].name, unit) == 0)
				scale = units[i].bytes;
	}
	if (!scale || v > INT64_MAX / scale)
		return false;
	*kib = v * scale / 1024;
	return true;
}
