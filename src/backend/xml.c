/* SPDX-License-Identifier: MIT */
/* Walking an XML tree whose content is not trusted: every text is copied into a bounded buffer, every number
 * has a range. Must not know what the elements mean. */
#include "xml.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { XML_MOST = 16 << 20 }; /* a domain with thousands of devices stays well below */

/* Texts that are there, and for which there was no memory; and whether libxml2 had none for a tree. */
static _Thread_local uintptr_t texts_lost;
static _Thread_local bool no_memory;

static void quiet(void *ctx, const char *msg, ...)
{
	(void)ctx;
	(void)msg;
}

#if LIBXML_VERSION >= 21200
static void quiet_error(void *ctx, const xmlError *error)
#else
static void quiet_error(void *ctx, xmlError *error)
#endif
{
	(void)ctx;
	no_memory |= error && error->code == XML_ERR_NO_MEMORY;
}

void xml_quiet(void)
{
	xmlSetGenericErrorFunc(NULL, quiet);
	xmlSetStructuredErrorFunc(NULL, quiet_error);
}

/* Entities are declared in a document type, and a few lines of them grow into gigabytes. libvirt writes none.
 */
static void no_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	xmlParserCtxtPtr parser = ctx;
	(void)name;
	(void)external;
	(void)system;
	*(bool *)parser->_private = true;
	xmlStopParser(parser);
}

static xmlDocPtr parse(const char *text, size_t n, bool *doctype, struct err *err)
{
	xml_quiet();
	no_memory = false;
	xmlParserCtxtPtr ctx = xmlNewParserCtxt();
	if (!ctx || !ctx->sax) {
		xmlFreeParserCtxt(ctx);
		err_set(err, ERR_NOMEM, "out of memory for XML");
		return NULL;
	}
	ctx->_private = doctype;
	ctx->sax->internalSubset = no_doctype;
	xmlDocPtr doc = xmlCtxtReadMemory(ctx, text, (int)n, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	/* libxml2 gives out as much of a tree as it had memory for. */
	if (!*doctype && (no_memory || (!doc && ctx->wellFormed))) {
		err_set(err, ERR_NOMEM, "out of memory for XML");
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctx);
	return doc;
}

xmlDocPtr xml_read(const char *text, const char *root, struct err *err)
{
	size_t n = strnlen(text, (size_t)XML_MOST + 1);
	if (n > XML_MOST) {
		err_set(err, ERR_RUNTIME, "XML of more than %d MiB, which is refused", XML_MOST >> 20);
		return NULL;
	}
	bool doctype = false;
	struct err why = ERR_INIT;
	xmlDocPtr doc = parse(text, n, &doctype, &why);
	xmlNodePtr top = xmlDocGetRootElement(doc);
	if (doctype || why.code) {
		if (doctype)
			err_set(&why, ERR_RUNTIME, "XML with a document type declaration, which is refused");
		err_set(err, why.code, "%s", why.msg);
		xmlFreeDoc(doc);
		return NULL;
	}
	if (!top || strcmp((const char *)top->name, root) != 0) {
		err_set(err, ERR_RUNTIME, top ? "XML without <%s>" : "malformed XML where <%s> was expected",
			root);
		xmlFreeDoc(doc);
		return NULL;
	}
	doc->_private = (void *)texts_lost;
	return doc;
}

bool xml_done(xmlDocPtr doc)
{
	bool whole = !doc || doc->_private == (void *)texts_lost;
	xmlFreeDoc(doc);
	return whole;
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

static xmlChar *attribute(xmlNodePtr node, const char *name)
{
	xmlChar *text = node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
	texts_lost += !text && node && xmlHasNsProp(node, (const xmlChar *)name, NULL);
	return text;
}

bool xml_attr(xmlNodePtr node, const char *name, char *buf, size_t len)
{
	return keep(attribute(node, name), buf, len);
}

bool xml_text(xmlNodePtr node, char *buf, size_t len)
{
	xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
	texts_lost += !text && node;
	return keep(text, buf, len);
}

bool xml_attr_is(xmlNodePtr node, const char *name, const char *value)
{
	char buf[64];
	return xml_attr(node, name, buf, sizeof buf) && strcmp(buf, value) == 0;
}

bool xml_cpus(xmlNodePtr node, const char *name, struct cpuset *set)
{
	xmlChar *list = attribute(node, name);
	if (!list || cpuset_parse_clipped(set, (const char *)list) < 0)
		cpuset_clear(set);
	xmlFree(list);
	return list;
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

/* Bytes to a unit, as libvirt spells them in any case: b, byte, bytes, or k, KiB and KB to E. 0: none. */
static int64_t unit_bytes(const char *unit)
{
	static const char letters[] = "kmgtpe";
	if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 || strcasecmp(unit, "bytes") == 0)
		return 1;
	const char *at = *unit ? strchr(letters, tolower((unsigned char)*unit)) : NULL;
	bool binary = at && (!unit[1] || strcasecmp(unit + 1, "iB") == 0);
	if (!at || (!binary && strcasecmp(unit + 1, "b") != 0))
		return 0;
	int64_t bytes = 1;
	for (ptrdiff_t i = at - letters; i >= 0; i--)
		bytes *= binary ? 1024 : 1000;
	return bytes;
}

static bool in_kib(xmlNodePtr node, int64_t v, int64_t *kib)
{
	char unit[16];
	int64_t scale = !node || !xmlHasProp(node, (const xmlChar *)"unit") ? 1024
			: xml_attr(node, "unit", unit, sizeof unit)         ? unit_bytes(unit)
									    : 0;
	if (!scale || v > INT64_MAX / scale)
		return false;
	*kib = v * scale / 1024 + (v * scale % 1024 != 0); /* rounded up, as libvirt does */
	return true;
}

bool xml_kib(xmlNodePtr node, int64_t *kib)
{
	int64_t v;
	return xml_text_num(node, INT64_MAX, &v) && in_kib(node, v, kib);
}

bool xml_attr_kib(xmlNodePtr node, const char *name, int64_t *kib)
{
	int64_t v;
	return xml_attr_num(node, name, INT64_MAX, &v) && in_kib(node, v, kib);
}
