/* SPDX-License-Identifier: MIT */
/* Facts of one domain from its XML. Invariant: what cannot be understood is treated as absent, never guessed,
 * except that a rule which cannot be read allows nothing: it was meant to restrict.
 * Must not know: connections, samples of other VMs. */
#include "domxml.h"

#include <stdlib.h>
#include <string.h>

#include "vmtop/err.h"
#include "xml.h"

enum { VCPU_ID_MOST = 65535, CPULIST_BYTES = 8192 };

void dom_facts_init(struct dom_facts *f)
{
	memset(f, 0, sizeof *f);
	f->balloon_device = true;
}

void dom_facts_done(struct dom_facts *f)
{
	free(f->rules);
	memset(f, 0, sizeof *f);
}

/* True when the attribute is there; a list that cannot be read becomes the empty set. */
static bool read_cpus(xmlNodePtr node, const char *attr, struct cpuset *s)
{
	static char const *const none = "";
	char *list = malloc(CPULIST_BYTES);
	bool there = node && xmlHasProp(node, (const xmlChar *)attr);
	const char *text = list && xml_attr(node, attr, list, CPULIST_BYTES) ? list : none;
	if (cpuset_parse(s, text, NULL) < 0)
		cpuset_clear(s);
	free(list);
	return there;
}

static int by_vcpu(const void *a, const void *b)
{
	const struct dom_rule *x = a, *y = b;
	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

static int read_rules(struct dom_facts *f, xmlNodePtr dom, struct err *e)
{
	xmlNodePtr tune = xml_child(dom, "cputune");
	size_t n = 0;
	XML_EACH(pin, tune, "vcpupin")
	n++;
	if (!n)
		return 0;
	f->rules = calloc(n, sizeof *f->rules);
	if (!f->rules)
		return err_set(e, ERR_NOMEM, "out of memory for pin rules");
	XML_EACH(pin, tune, "vcpupin")
	{
		int64_t id;
		struct dom_rule *r = &f->rules[f->n_rules];
		if (xml_attr_num(pin, "vcpu", VCPU_ID_MOST, &id) && read_cpus(pin, "cpuset", &r->cpus)) {
			r->vcpu = (int)id;
			f->n_rules++;
		}
	}
	qsort(f->rules, f->n_rules, sizeof *f->rules, by_vcpu);
	return 0;
}

void dom_allowed(const struct dom_facts *f, int vcpu, struct cpuset *allowed)
{
	cpuset_fill(allowed, CPUSET_CPUS);
	if (f->has_cpuset)
		cpuset_and(allowed, &f->cpuset);
	for (size_t i = 0; i < f->n_rules; i++)
		if (f->rules[i].vcpu == vcpu)
			cpuset_and(allowed, &f->rules[i].cpus);
}

/* 1:1 by rule: each vCPU has a pCPU of its own. */
static bool is_dedicated(const struct dom_facts *f, xmlNodePtr dom)
{
	struct cpuset taken;
	int64_t vcpus = 0;
	cpuset_clear(&taken);
	xmlNodePtr vcpu = xml_child(dom, "vcpu");
	if (!xml_attr_num(vcpu, "current", VCPU_ID_MOST, &vcpus))
		xml_text_num(vcpu, VCPU_ID_MOST, &vcpus);
	if (!f->n_rules || (int64_t)f->n_rules < vcpus)
		return false;
	for (size_t i = 0; i < f->n_rules; i++) {
		if (cpuset_count(&f->rules[i].cpus) != 1 || cpuset_intersects(&taken, &f->rules[i].cpus))
			return false;
		cpuset_or(&taken, &f->rules[i].cpus);
	}
	return true;
}

static bool has_rt(xmlNodePtr dom)
{
	xmlNodePtr tune = xml_child(dom, "cputune");
	XML_EACH(s, tune, "vcpusched")
	if (xml_attr_is(s, "scheduler", "fifo") || xml_attr_is(s, "scheduler", "rr"))
		return true;
	return false;
}

/* Devices whose DMA pins the guest's memory. */
static bool has_vfio(xmlNodePtr dom)
{
	xmlNodePtr devices = xml_child(dom, "devices");
	XML_EACH(h, devices, "hostdev")
	if (xml_attr_is(h, "type", "pci") || xml_attr_is(h, "type", "mdev"))
		return true;
	XML_EACH(i, devices, "interface")
	if (xml_attr_is(i, "type", "hostdev") || xml_attr_is(i, "type", "vdpa"))
		return true;
	return false;
}

static bool is_forbidden(xmlNodePtr dom)
{
	xmlNodePtr meta = xml_child(dom, "metadata");
	XML_EACH(s, meta, "steer")
	{
		char text[16];
		bool ours =
			s->ns && s->ns->href && strcmp((const char *)s->ns->href, DOMXML_METADATA_URI) == 0;
		if (ours && xml_text(s, text, sizeof text) && strcmp(text, "no") == 0)
			return true;
	}
	return false;
}

static bool is_nova(xmlNodePtr dom)
{
	static const char uri[] = "http://openstack.org/xmlns/libvirt/nova/";
	XML_EACH(s, xml_child(dom, "metadata"), "instance")
	{
		if (s->ns && s->ns->href && strncmp((const char *)s->ns->href, uri, sizeof uri - 1) == 0)
			return true;
	}
	return false;
}

static uint32_t read_flags(xmlNodePtr dom)
{
	uint32_t flags = 0;
	if (has_vfio(dom))
		flags |= VM_FLAG_VFIO;
	if (xml_child(dom, "launchSecurity"))
		flags |= VM_FLAG_SEV;
	if (xml_path(dom, "memoryBacking/locked"))
		flags |= VM_FLAG_LOCKED;
	if (xml_path(dom, "memoryBacking/hugepages"))
		flags |= VM_FLAG_HUGEPAGES;
	if (has_rt(dom))
		flags |= VM_FLAG_RT;
	if (is_forbidden(dom))
		flags |= VM_FLAG_NO_STEER;
	if (is_nova(dom))
		flags |= VM_FLAG_OPENSTACK;
	if (xml_path(dom, "cputune/emulatorpin"))
		flags |= VM_FLAG_EMULATOR_PIN;
	return flags;
}

/* libvirt's quota is per vCPU, in microseconds per period; 0 and negative (which is no number here): none. */
static struct vf64 read_quota(xmlNodePtr dom)
{
	int64_t quota = 0, period = 100000;
	xml_text_num(xml_path(dom, "cputune/period"), INT64_C(1000000000), &period);
	if (!xml_text_num(xml_path(dom, "cputune/quota"), INT64_MAX / 128, &quota) || !quota || !period)
		return vf64_absent(AVAIL_NONE);
	return vf64_ok(100.0 * (double)quota / (double)period);
}

static void read_memory(struct dom_facts *f, xmlNodePtr dom)
{
	int64_t kib;
	xmlNodePtr balloon = xml_path(dom, "devices/memballoon"), numa = xml_path(dom, "numatune/memory");
	f->balloon_device = !xml_attr_is(balloon, "model", "none");
	xml_attr_num(xml_child(balloon, "stats"), "period", INT32_MAX, &f->period_s);
	if (xml_kib(xml_child(dom, "memory"), &kib))
		f->max_kib = f->current_kib = vi64_ok(kib);
	if (xml_kib(xml_child(dom, "currentMemory"), &kib))
		f->current_kib = vi64_ok(kib);
	if (xml_kib(xml_path(dom, "memtune/min_guarantee"), &kib))
		f->min_guarantee_kib = vi64_ok(kib);
	struct cpuset nodes; /* a node list has the same form */
	if (!read_cpus(numa, "nodeset", &nodes))
		return;
	f->mem_nodes = nodes.w[0];
	f->mem_nodes_strict =
		!xml_attr_is(numa, "mode", "preferred") && !xml_attr_is(numa, "mode", "interleave");
}

static int read_live(struct dom_facts *f, const char *text, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "domain", e);
	if (!doc)
		return -1;
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	f->flags = read_flags(dom);
	f->has_cpuset = read_cpus(xml_child(dom, "vcpu"), "cpuset", &f->cpuset);
	f->quota_pct = read_quota(dom);
	read_memory(f, dom);
	xmlFreeDoc(doc);
	return 0;
}

static int read_inactive(struct dom_facts *f, const char *text, struct err *e)
{
	xmlDocPtr doc = xml_read(text, "domain", e);
	if (!doc)
		return -1;
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	int rc = read_rules(f, dom, e);
	if (rc == 0 && is_dedicated(f, dom))
		f->flags |= VM_FLAG_DEDICATED;
	xmlFreeDoc(doc);
	return rc;
}

int domxml_parse(struct dom_facts *f, const char *live, const char *inactive, struct err *e)
{
	struct dom_facts fresh;
	dom_facts_init(&fresh);
	if (read_live(&fresh, live, e) < 0 || (inactive && read_inactive(&fresh, inactive, e) < 0)) {
		dom_facts_done(&fresh);
		return -1;
	}
	dom_facts_done(f);
	*f = fresh;
	return 0;
}
