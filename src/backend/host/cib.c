/* SPDX-License-Identifier: MIT */
/* Reading a cluster's configuration. Invariant: what it says is copied into bounded buffers; nothing in it is
 * believed to be short, plain or there. */
#include "cib.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "procfile.h"

enum { CONFIG_MOST = 256 << 10 };

bool cib_plain(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
	return *name && *name != '-' && name[strspn(name, allowed)] == '\0';
}

/* Of the name-value pairs in the sets of this kind. */
static bool pair(xmlNodePtr node, const char *sets, const char *name, char *value, size_t len)
{
	value[0] = '\0';
	XML_EACH(set, node, sets)
	XML_EACH(nv, set, "nvpair")
	if (xml_attr_is(nv, "name", name) && xml_attr(nv, "value", value, len))
		return true;
	return false;
}

bool cib_yes(const char *value)
{
	static const char *const words[] = {"true", "yes", "on", "1", "y"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

static xmlNodePtr template_of(xmlNodePtr resources, xmlNodePtr primitive)
{
	char name[MOVE_OWNER];
	if (!xml_attr(primitive, "template", name, sizeof name))
		return primitive;
	XML_EACH(t, resources, "template")
	if (xml_attr_is(t, "id", name))
		return t;
	return primitive;
}

/* Its value, or its template's. Empty: neither has one. */
static void option(
	const struct cib_resource *res, const char *sets, const char *name, char *value, size_t len)
{
	if (!pair(res->node, sets, name, value, len))
		pair(res->tmpl, sets, name, value, len);
}

struct cib_resource cib_resource(xmlNodePtr resources, xmlNodePtr primitive)
{
	struct cib_resource res = {.node = primitive, .tmpl = template_of(resources, primitive)};
	xml_attr(primitive, "id", res.id, sizeof res.id);
	if (cib_is_guest(&res))
		option(&res, "instance_attributes", "config", res.config, sizeof res.config);
	return res;
}

bool cib_is_guest(const struct cib_resource *res)
{
	return xml_attr_is(res->tmpl, "type", "VirtualDomain") && xml_attr_is(res->tmpl, "class", "ocf");
}

/* Its own, else as all resources have it. */
static void meta(xmlNodePtr cib, const struct cib_resource *res, const char *name, char *value, size_t len)
{
	option(res, "meta_attributes", name, value, len);
	if (!*value)
		pair(xml_path(cib, "configuration/rsc_defaults"), "meta_attributes", name, value, len);
}

bool cib_live(xmlNodePtr cib, const struct cib_resource *res)
{
	char value[32];
	meta(cib, res, "allow-migrate", value, sizeof value);
	return cib_yes(value);
}

void cib_property(xmlNodePtr cib, const char *name, char *value, size_t len)
{
	pair(xml_path(cib, "configuration/crm_config"), "cluster_property_set", name, value, len);
}

bool cib_maintained(xmlNodePtr cib, const struct cib_resource *res)
{
	char value[32];
	cib_property(cib, "maintenance-mode", value, sizeof value);
	if (cib_yes(value))
		return true;
	meta(cib, res, "maintenance", value, sizeof value);
	if (cib_yes(value))
		return true;
	meta(cib, res, "is-managed", value, sizeof value);
	return *value && !cib_yes(value);
}

bool cib_moved_by_hand(xmlNodePtr cib, const char *id, char *name, size_t len)
{
	XML_EACH(c, xml_path(cib, "configuration/constraints"), "rsc_location")
	if (xml_attr_is(c, "rsc", id) && xml_attr(c, "id", name, len) &&
		(strncmp(name, "cli-prefer-", 11) == 0 || strncmp(name, "cli-ban-", 8) == 0 ||
			strncmp(name, "cli-standby-", 12) == 0))
		return true;
	return false;
}

bool cib_definition(const char *path, struct cib_definition *to)
{
	char word[VM_NAME_BYTES], *text = malloc(CONFIG_MOST);
	struct stat st;
	bool read = text && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    procfile_read(path, text, CONFIG_MOST) > 0;
	xmlDocPtr doc = read ? xml_read(text, "domain", NULL) : NULL;
	free(text);
	if (!doc)
		return false;
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	to->has_uuid = xml_text(xml_child(dom, "uuid"), word, sizeof word) && uuid_parse(to->uuid, word) == 0;
	xml_text(xml_child(dom, "name"), to->vm, sizeof to->vm);
	return xml_done(doc);
}

bool cib_same_host(const char *a, const char *b)
{
	size_t n = strcspn(a, "."), m = strcspn(b, ".");
	return *a && *b &&
	       (strcasecmp(a, b) == 0 || (n == m && (!a[n] || !b[m]) && strncasecmp(a, b, n) == 0));
}
