/* SPDX-License-Identifier: MIT */
/* Guests that somebody else's manager would be surprised to find on another host, by what it notes down in
 * their definition: a namespace in <metadata>, or a word of <sysinfo>. A guest can be given these by anybody
 * who may define it; all that follows is that vmtop keeps its hands off. */
#include "owner.h"

#include <stdio.h>
#include <string.h>

#include "../xml.h"
#include "vmtop/text.h"

static const struct {
	const char *space, *sysinfo; /* how they begin */
	const char *words;
} managers[] = {
	{OWNER_OPENSTACK, "OpenStack",
		"it is OpenStack's: openstack server migrate --live-migration moves it"},
	{"http://ovirt.org/", "oVirt",
		"it is oVirt's: its engine moves it (Compute, Virtual Machines, Migrate)"},
	{"http://opennebula.org/", "OpenNebula", "it is OpenNebula's: onevm migrate --live moves it"},
	{"http://kubevirt.io", "KubeVirt", "it is KubeVirt's: virtctl migrate moves it"},
	{NULL, "CloudStack", "it is CloudStack's: its migrateVirtualMachine moves it"},
	{NULL, "Proxmox", "it is Proxmox's: qm migrate --online moves it"},
};
enum { N_MANAGERS = sizeof managers / sizeof *managers };

static const char *by_space(const xmlNs *ns)
{
	const char *href = ns && ns->href ? (const char *)ns->href : "";
	for (size_t i = 0; i < N_MANAGERS; i++)
		if (managers[i].space && strncmp(href, managers[i].space, strlen(managers[i].space)) == 0)
			return managers[i].words;
	return NULL;
}

static const char *by_metadata(xmlNodePtr dom)
{
	const char *words = NULL;
	xmlNodePtr meta = xml_child(dom, "metadata");
	for (xmlNodePtr n = meta ? meta->children : NULL; n && !words; n = n->next)
		words = n->type == XML_ELEMENT_NODE ? by_space(n->ns) : NULL;
	return words;
}

static const char *by_sysinfo(xmlNodePtr dom)
{
	char text[128];
	XML_EACH(entry, xml_path(dom, "sysinfo/system"), "entry")
	for (size_t i = 0; xml_text(entry, text, sizeof text) && i < N_MANAGERS; i++)
		if (strncmp(text, managers[i].sysinfo, strlen(managers[i].sysinfo)) == 0)
			return managers[i].words;
	return NULL;
}

void owner_of(const char *xml, char *buf, size_t len)
{
	struct err why = ERR_INIT;
	xmlDocPtr doc = xml_read(xml, "domain", &why);
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	const char *words = dom ? by_metadata(dom) : NULL;
	if (!words && dom)
		words = by_sysinfo(dom);
	if (!xml_done(doc) || why.code == ERR_NOMEM)
		words = "whose it is cannot be told: out of memory";
	snprintf(buf, len, "%s", text_or(words, ""));
}
