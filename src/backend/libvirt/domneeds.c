/* SPDX-License-Identifier: MIT */
/* What a guest's live definition asks of a host: pCPUs of its pins, disks, huge pages, its CPU. Invariant: of
 * several disks the worst counts; what cannot be understood is never called shared. Must not know:
 * connections.
 */
#include "domneeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "../host/storage.h"
#include "../xml.h"
#include "pinmark.h"

/* ---- pins ---- */

static void add_pins(struct move_needs *n, xmlNodePtr at)
{
	struct cpuset cpus;
	if (at && xml_cpus(at, "cpuset", &cpus))
		cpuset_or(&n->pins, &cpus);
}

static void read_pins(struct move_needs *n, xmlNodePtr dom)
{
	static const char *const kinds[] = {"vcpupin", "emulatorpin", "iothreadpin"};
	xmlNodePtr tune = xml_child(dom, "cputune"), vcpu = xml_child(dom, "vcpu");
	if (!xml_attr_is(vcpu, "placement", "auto"))
		add_pins(n, vcpu);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		XML_EACH(pin, tune, kinds[i])
	add_pins(n, pin);
}

/* ---- disks ---- */

/* -1: its type says nothing, and the image's path does. */
static int by_type(const char *type)
{
	static const struct {
		const char *type;
		enum move_disks is;
	} rows[] = {{"network", DISKS_SHARED}, {"volume", DISKS_JUDGED}, {"vhostuser", DISKS_LOCAL},
		{"nvme", DISKS_LOCAL}, {"vhostvdpa", DISKS_LOCAL}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(type, rows[i].type) == 0)
			return (int)rows[i].is;
	return -1;
}

static void worse(struct move_needs *n, enum move_disks is, const char *what)
{
	if (is <= n->disks)
		return;
	n->disks = is;
	snprintf(n->disk, sizeof n->disk, "%.*s", (int)sizeof n->disk - 1, what);
}

/* Of a disk or one of its backing images; an empty drive has no source. */
static void read_image(struct move_needs *n, xmlNodePtr image, const char *mounts)
{
	char type[16], path[MOVE_OWNER * 4];
	xmlNodePtr source = xml_child(image, "source");
	if (!source || !xml_attr(image, "type", type, sizeof type))
		return;
	int known = by_type(type);
	bool device = strcmp(type, "block") == 0;
	if (!xml_attr(source, device ? "dev" : strcmp(type, "dir") == 0 ? "dir" : "file", path, sizeof path))
		snprintf(path, sizeof path, "of type %s", type);
	if (known < 0)
		known = device   ? (int)storage_of_device(path)
			: mounts ? (int)storage_of_file(path, mounts)
				 : DISKS_JUDGED;
	worse(n, (enum move_disks)known, path);
}

/* As libvirt itself: what is only read, and what the administrator called shareable, is safe. */
static void read_disks(struct move_needs *n, xmlNodePtr dom, const char *mounts)
{
	enum { DEEP = 200 };
	XML_EACH(disk, xml_child(dom, "devices"), "disk")
	{
		if (xml_child(disk, "readonly") || xml_child(disk, "shareable"))
			continue;
		xmlNodePtr image = disk;
		for (int i = 0; image && i < DEEP; i++, image = xml_child(image, "backingStore"))
			read_image(n, image, mounts);
	}
}

/* ---- huge pages ---- */

static void add_pages(struct move_needs *n, int64_t size_kib, int64_t need_kib)
{
	size_t i = 0;
	while (i < n->n_pages && n->pages[i].size_kib != size_kib)
		i++;
	if (i == MOVE_PAGES)
		return;
	if (i == n->n_pages)
		n->n_pages = i + 1;
	n->pages[i].size_kib = size_kib;
	n->pages[i].need_kib += need_kib;
}

/* Memory of the guest's cells that a <page nodeset> names; all of it without one. */
static int64_t cells_kib(xmlNodePtr dom, xmlNodePtr page)
{
	struct cpuset nodes;
	int64_t sum = 0, all = 0, id = 0, kib, at = 0;
	xml_kib(xml_child(dom, "memory"), &all);
	if (!page || !xml_cpus(page, "nodeset", &nodes))
		return all;
	XML_EACH(cell, xml_path(dom, "cpu/numa"), "cell")
	{
		if (!xml_attr_num(cell, "id", CPUSET_CPUS - 1, &id))
			id = at;
		if (cpuset_has(&nodes, (int)id) && xml_attr_num(cell, "memory", SAMPLE_KIB_MOST, &kib))
			sum += kib;
		at = id + 1;
	}
	return min_of(sum, all);
}

/* Without a size it is the host's usual one, mostly of 2 MiB. */
static void read_pages(struct move_needs *n, xmlNodePtr dom)
{
	enum { USUAL_KIB = 2048 };
	xmlNodePtr huge = xml_path(dom, "memoryBacking/hugepages");
	if (huge && !xml_child(huge, "page"))
		add_pages(n, USUAL_KIB, cells_kib(dom, NULL));
	XML_EACH(page, huge, "page")
	{
		int64_t size = 0;
		if (xml_attr_kib(page, "size", &size) && size > 0)
			add_pages(n, size, cells_kib(dom, page));
	}
}

/* ---- CPU ---- */

/* false: out of memory. */
static bool copy_xml(struct dom_cpu *cpu, xmlNodePtr at)
{
	xmlBufferPtr buf = at ? xmlBufferCreate() : NULL;
	int n = buf ? xmlNodeDump(buf, at->doc, at, 0, 0) : -1;
	if (n > 0 && (size_t)n < sizeof cpu->xml)
		snprintf(cpu->xml, sizeof cpu->xml, "%s", (const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	return !at || n >= 0;
}

void domneeds_host_cpu(struct dom_cpu *cpu, const char *capabilities)
{
	xmlDocPtr doc = xml_read(capabilities, "capabilities", NULL);
	if (doc)
		copy_xml(cpu, xml_path(xmlDocGetRootElement(doc), "host/cpu"));
	xmlFreeDoc(doc);
}

/* One that was never checked against a host need not be the same on the next. */
static bool read_cpu(struct dom_cpu *cpu, xmlNodePtr dom)
{
	xmlNodePtr at = xml_child(dom, "cpu");
	xml_attr(dom, "type", cpu->virt, sizeof cpu->virt);
	xml_attr(xml_path(dom, "os/type"), "arch", cpu->arch, sizeof cpu->arch);
	cpu->host = xml_attr_is(at, "mode", "host-passthrough");
	bool compared = !cpu->host && !xml_attr_is(at, "check", "none") && xml_child(at, "model");
	return !compared || copy_xml(cpu, at);
}

int domneeds_read(
	struct move_needs *n, struct dom_cpu *cpu, const char *xml, const char *mounts, struct err *err)
{
	memset(n, 0, sizeof *n);
	memset(cpu, 0, sizeof *cpu);
	xmlDocPtr doc = xml_read(xml, "domain", err);
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	int rc = dom && pinmarks_strip(dom, err) >= 0 ? 0 : -1;
	bool whole = true;
	if (rc == 0) {
		read_pins(n, dom);
		read_disks(n, dom, mounts);
		read_pages(n, dom);
		whole = read_cpu(cpu, dom);
	}
	return xml_done(doc) && whole ? rc : err_set(err, ERR_NOMEM, "out of memory");
}

uint32_t domneeds_flags(const char *xml, const char *mounts)
{
	struct move_needs n;
	struct dom_cpu *cpu = malloc(sizeof *cpu);
	struct err err = ERR_INIT;
	uint32_t flags = 0;
	if (cpu && domneeds_read(&n, cpu, xml, mounts, &err) == 0)
		flags = (n.disks == DISKS_LOCAL            ? VM_FLAG_LOCAL_DISK
				: n.disks == DISKS_UNKNOWN ? VM_FLAG_NAMED_DISK
							   : 0) |
			(cpuset_empty(&n.pins) ? 0 : VM_FLAG_TAKES_PINS);
	free(cpu);
	return flags;
}
