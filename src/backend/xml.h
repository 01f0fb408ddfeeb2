/* SPDX-License-Identifier: MIT */
/* Short names for walking an XML tree whose content is not trusted. */
#ifndef VMTOP_BACKEND_XML_H
#define VMTOP_BACKEND_XML_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmtop/cpuset.h"
#include "vmtop/err.h"

/* libxml2 writes nothing to stderr from this thread; libvirt too reads files with it. */
void xml_quiet(void);
/* NULL with err set: too large, malformed, another root, or with a document type declaration, which is where
 * entities come from. The network is not touched. */
xmlDocPtr xml_read(const char *text, const char *root, struct err *err);
/* Frees it. false: memory ran out for a text of it since it was read, and that was taken for absent. NULL is
 * fine. */
bool xml_done(xmlDocPtr doc);
/* First child element of that name; NULL also when node is. */
xmlNodePtr xml_child(xmlNodePtr node, const char *name);
/* The next sibling element of the same name. */
xmlNodePtr xml_next(xmlNodePtr node);
/* The child at the end of a path like "a/b/c". */
xmlNodePtr xml_path(xmlNodePtr node, const char *path);
/* Attribute or text into buf; false: absent or too long, buf is then empty. */
bool xml_attr(xmlNodePtr node, const char *name, char *buf, size_t len);
bool xml_text(xmlNodePtr node, char *buf, size_t len);
bool xml_attr_is(xmlNodePtr node, const char *name, const char *value);
/* A whole number in [0, most]; false otherwise. */
bool xml_attr_num(xmlNodePtr node, const char *name, int64_t most, int64_t *v);
bool xml_text_num(xmlNodePtr node, int64_t most, int64_t *v);
/* A list of CPUs or nodes, however long; ids that a set cannot hold are left out. False: the attribute is
 * absent. A list that cannot be read becomes the empty set. */
bool xml_cpus(xmlNodePtr node, const char *name, struct cpuset *set);
/* Text with a unit attribute (b, KB, KiB, MiB ... EiB) in KiB, rounded up; libvirt's default is KiB. */
bool xml_kib(xmlNodePtr node, int64_t *kib);
bool xml_attr_kib(xmlNodePtr node, const char *name, int64_t *kib); /* the same of a number beside it */

#define XML_EACH(node, parent, name)                                                                         \
	for (xmlNodePtr node = xml_child((parent), (name)); node; node = xml_next(node))

#endif
