/* SPDX-License-Identifier: MIT */
/* Facts of one domain from its XML. Invariant: what cannot be understood is treated as absent, never guessed,
 * except that a rule which cannot be read allows nothing: it was meant to restrict.
 * Must not know: connections, samples of other VMs. */
#include "domxml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../xml.h"
#include "owner.h"
#include "vmtop/err.h"
#include "vmtop/minmax.h"

enum { VCPU_ID_MOST = 65535 };

void dom_facts_init(struct dom_facts *facts)
{
	memset(facts, 0, sizeof *facts);
	facts->balloon_device = true;
}

void dom_facts_done(struct dom_facts *facts)
{
	free(facts->rules);
	free(facts->pins);
	memset(facts, 0, sizeof *facts);
}

static int by_vcpu(const void *a, const void *b)
{
	const struct dom_rule *x = a, *y = b;
	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

/* Sorted, one for each vCPU: of one that is named twice, which libvirt refuses, only what both allow. */
static size_t one_each(struct dom_rule *pins, size_t n)
{
	size_t kept = 0;
	qsort(pins, n, sizeof *pins, by_vcpu);
	for (size_t i = 0; i < n; i++) {
		if (kept && pins[kept - 1].vcpu == pins[i].vcpu)
			cpuset_and(&pins[kept - 1].cpus, &pins[i].cpus);
		else
			pins[kept++] = pins[i];
	}
	return kept;
}

static int read_pins(xmlNodePtr dom, struct dom_rule **pins, size_t *n, struct err *err)
{
	xmlNodePtr tune = xml_child(dom, "cputune");
	size_t most = 0;
	XML_EACH(pin, tune, "vcpupin")
	most++;
	if (!most)
		return 0;
	*pins = calloc(most, sizeof **pins);
	if (!*pins)
		return err_set(err, ERR_NOMEM, "out of memory for pin rules");
	XML_EACH(pin, tune, "vcpupin")
	{
		int64_t id;
		struct dom_rule *rule = *pins + *n;
		if (xml_attr_num(pin, "vcpu", VCPU_ID_MOST, &id) && xml_cpus(pin, "cpuset", &rule->cpus)) {
			rule->vcpu = (int)id;
			++*n;
		}
	}
	*n = one_each(*pins, *n);
	return 0;
}

static struct dom_rule *find_pin(struct dom_rule *pins, size_t n, int vcpu)
{
	struct dom_rule key = {.vcpu = vcpu};
	return n ? bsearch(&key, pins, n, sizeof *pins, by_vcpu) : NULL;
}

void dom_allowed(const struct dom_facts *facts, int vcpu, struct cpuset *allowed)
{
	const struct dom_rule *live = find_pin(facts->pins, facts->n_pins, vcpu),
			      *rule = live ? find_pin(facts->rules, facts->n_rules, vcpu) : NULL;
	if (rule)
		*allowed = rule->cpus;
	else if (facts->has_cpuset)
		*allowed = facts->cpuset;
	else
		cpuset_fill(allowed, CPUSET_CPUS);
	if (live)
		cpuset_or(allowed, &live->cpus);
}

void dom_facts_renew(struct dom_facts *facts, struct dom_facts *newer)
{
	for (size_t i = 0; i < newer->n_pins; i++) {
		const struct dom_rule *was = find_pin(facts->pins, facts->n_pins, newer->pins[i].vcpu);
		if (was && cpuset_subset(&newer->pins[i].cpus, &was->cpus))
			newer->pins[i].cpus = was->cpus;
	}
	dom_facts_done(facts);
	*facts = *newer;
	dom_facts_init(newer);
}

/* 1:1 by rule: each vCPU has a pCPU of its own. */
static bool is_dedicated(const struct dom_facts *facts, xmlNodePtr dom)
{
	struct cpuset taken;
	int64_t vcpus = 0;
	cpuset_clear(&taken);
	xmlNodePtr vcpu = xml_child(dom, "vcpu");
	if (!xml_attr_num(vcpu, "current", VCPU_ID_MOST, &vcpus))
		xml_text_num(vcpu, VCPU_ID_MOST, &vcpus);
	if (!facts->n_rules || (int64_t)facts->n_rules < vcpus)
		return false;
	for (size_t i = 0; i < facts->n_rules; i++) {
		if (cpuset_count(&facts->rules[i].cpus) != 1 ||
			cpuset_intersects(&taken, &facts->rules[i].cpus))
			return false;
		cpuset_or(&taken, &facts->rules[i].cpus);
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

/* What keeps the pages of a guest where they are, whatever its balloon says: all that makes libvirt raise the
 * limit of locked memory (qemuDomainGetMemLockLimitBytes() of libvirt 9 to 11), and the same behind its back,
 * as arguments for QEMU. Not here: RDMA, which pins while a migration job runs, and PPC64, whose limit is
 * raised for tables of the kernel's. */
static const struct pinning {
	const char *path, *attr, *value; /* no attribute: the element alone says it */
	uint32_t flag;
} pinnings[] = {
	{"devices/hostdev", "type", "pci", VM_FLAG_VFIO},
	{"devices/hostdev", "type", "mdev", VM_FLAG_VFIO},
	{"devices/interface", "type", "hostdev", VM_FLAG_VFIO},
	{"devices/interface", "type", "vdpa", VM_FLAG_VFIO},
	{"devices/disk", "type", "nvme", VM_FLAG_VFIO},
	{"devices/disk", "type", "vhostvdpa", VM_FLAG_VFIO},
	{"launchSecurity", NULL, NULL, VM_FLAG_SEV},
	{"memoryBacking/locked", NULL, NULL, VM_FLAG_LOCKED},
	{"memoryBacking/hugepages", NULL, NULL, VM_FLAG_HUGEPAGES},
	{"commandline/arg", "value", "vfio-", VM_FLAG_VFIO},
	{"commandline/arg", "value", "vhost-vdpa", VM_FLAG_VFIO},
	{"commandline/arg", "value", "nvme://", VM_FLAG_VFIO},
	{"commandline/arg", "value", "driver=nvme,", VM_FLAG_VFIO},
	{"commandline/arg", "value", "mem-lock=on", VM_FLAG_LOCKED},
	{"commandline/arg", "value", "mlock=on", VM_FLAG_LOCKED},
	{"commandline/arg", "value", "sev-guest", VM_FLAG_SEV},
	{"commandline/arg", "value", "sev-snp-guest", VM_FLAG_SEV},
	{"commandline/arg", "value", "tdx-guest", VM_FLAG_SEV},
};

/* QEMU's arguments are lists of options, some in JSON: the word may begin anywhere but inside another or a
 * path. */
static bool has_word(const char *text, const char *word)
{
	for (const char *p = text; (p = strstr(p, word)); p++)
		if (p == text || (!isalnum((unsigned char)p[-1]) && !strchr("/_.-", p[-1])))
			return true;
	return false;
}

static bool says(xmlNodePtr node, const struct pinning *row)
{
	if (!row->attr)
		return true;
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)row->attr);
	bool is = value && (strcmp(row->attr, "type") == 0 ? strcmp((const char *)value, row->value) == 0
							   : has_word((const char *)value, row->value));
	xmlFree(value);
	return is;
}

/* The images that a disk is made of: each may lie on another kind of device. */
static bool chain_says(xmlNodePtr disk, const struct pinning *row)
{
	static const char *const names[] = {"backingStore", "mirror", "source", "dataStore"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		XML_EACH(part, disk, names[i])
	if ((strcmp(names[i], "source") != 0 && says(part, row)) || chain_says(part, row))
		return true;
	return false;
}

static bool path_says(xmlNodePtr at, const char *path, const struct pinning *row)
{
	char name[32];
	size_t n = strcspn(path, "/");
	snprintf(name, sizeof name, "%.*s", (int)n, path);
	XML_EACH(node, at, name)
	if (path[n] ? path_says(node, path + n + 1, row) : says(node, row) || chain_says(node, row))
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

/* What nova notes down of its guest; NULL: it did not make it. */
static xmlNodePtr nova_instance(xmlNodePtr dom)
{
	static const char uri[] = OWNER_OPENSTACK "xmlns/libvirt/nova/";
	XML_EACH(s, xml_child(dom, "metadata"), "instance")
	{
		if (s->ns && s->ns->href && strncmp((const char *)s->ns->href, uri, sizeof uri - 1) == 0)
			return s;
	}
	return NULL;
}

/* Libvirt's name is nova's number for it, or a tenant's word; people know it by another. */
static void read_title(struct dom_facts *facts, xmlNodePtr dom)
{
	enum { TITLE_MOST = 4096 };
	char text[TITLE_MOST] = "";
	xmlNodePtr nova = nova_instance(dom);
	if (!(nova && xml_text(xml_child(nova, "name"), text, sizeof text)) &&
		!xml_text(xml_child(dom, "title"), text, sizeof text))
		return;
	size_t n = strlen(text) < sizeof facts->title ? strlen(text) : sizeof facts->title - 1;
	while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* a character is kept whole */
	memcpy(facts->title, text, n);
	facts->title[n] = '\0';
}

static uint32_t read_flags(xmlNodePtr dom)
{
	uint32_t flags = 0;
	for (size_t i = 0; i < sizeof pinnings / sizeof *pinnings; i++)
		if (path_says(dom, pinnings[i].path, &pinnings[i]))
			flags |= pinnings[i].flag;
	if (has_rt(dom))
		flags |= VM_FLAG_RT;
	if (is_forbidden(dom))
		flags |= VM_FLAG_NO_STEER;
	if (nova_instance(dom))
		flags |= VM_FLAG_OPENSTACK;
	if (xml_path(dom, "cputune/emulatorpin"))
		flags |= VM_FLAG_EMULATOR_PIN;
	return flags;
}

/* libvirt's quotas, per vCPU and for the whole VM, are in microseconds per period; 0 and negative (which is
 * no number here): none. */
static struct vf64 read_quota(xmlNodePtr dom, const char *quota_path, const char *period_path)
{
	int64_t quota = 0, period = 100000;
	xml_text_num(xml_path(dom, period_path), INT64_C(1000000000), &period);
	if (!xml_text_num(xml_path(dom, quota_path), INT64_MAX / 128, &quota) || !quota || !period)
		return vf64_absent(AVAIL_NONE);
	return vf64_ok(100.0 * (double)quota / (double)period);
}

/* libvirt counts all memory devices into <memory>, and what virtio-mem has plugged into <currentMemory>;
 * QEMU's balloon knows of DIMMs alone. Returns the size of the others. */
static int64_t read_memory_devices(struct dom_facts *facts, xmlNodePtr dom)
{
	int64_t sum = 0, kib;
	XML_EACH(m, xml_child(dom, "devices"), "memory")
	{
		if (xml_attr_is(m, "model", "dimm"))
			continue;
		facts->apart = true;
		if (xml_kib(xml_path(m, "target/size"), &kib) && kib < SAMPLE_KIB_MOST)
			sum = min_of(sum + kib, SAMPLE_KIB_MOST);
		if (!xml_attr_is(m, "model", "virtio-mem"))
			continue;
		facts->virtio_mem = true;
		if (xml_kib(xml_path(m, "target/current"), &kib) &&
			kib < SAMPLE_KIB_MOST - facts->plugged_kib)
			facts->plugged_kib += kib;
	}
	return sum;
}

static struct vi64 less(struct vi64 v, int64_t kib)
{
	return vi64_has(v) && v.v > kib ? vi64_ok(v.v - kib) : vi64_absent(AVAIL_ABSURD);
}

static void memory_of_balloon(struct dom_facts *facts, xmlNodePtr dom)
{
	int64_t apart = read_memory_devices(facts, dom);
	if (!facts->apart)
		return;
	facts->max_kib = less(facts->max_kib, apart);
	facts->current_kib = less(facts->current_kib, facts->plugged_kib);
	/* After a reset libvirt's own sum is wrong for a while. */
	if (vi64_has(facts->current_kib) &&
		(!vi64_has(facts->max_kib) || facts->current_kib.v > facts->max_kib.v))
		facts->current_kib = vi64_absent(AVAIL_ABSURD);
}

static void read_memory(struct dom_facts *facts, xmlNodePtr dom)
{
	int64_t kib;
	xmlNodePtr balloon = xml_path(dom, "devices/memballoon");
	facts->balloon_device = !xml_attr_is(balloon, "model", "none");
	xml_attr_num(xml_child(balloon, "stats"), "period", INT32_MAX, &facts->period_s);
	if (xml_kib(xml_child(dom, "memory"), &kib))
		facts->max_kib = facts->current_kib = vi64_ok(kib);
	if (xml_kib(xml_child(dom, "currentMemory"), &kib))
		facts->current_kib = vi64_ok(kib);
	memory_of_balloon(facts, dom);
	if (xml_kib(xml_path(dom, "memtune/min_guarantee"), &kib))
		facts->min_guarantee_kib = vi64_ok(kib);
	/* "No limit" is a number too, a very large one. */
	if (xml_kib(xml_path(dom, "memtune/hard_limit"), &kib) && kib > 0 && kib < SAMPLE_KIB_MOST)
		facts->hard_limit_kib = vi64_ok(kib);
}

/* ---- where it may be ---- */

static bool is_strict(xmlNodePtr binding)
{
	return !xml_attr_is(binding, "mode", "preferred") && !xml_attr_is(binding, "mode", "interleave");
}

static void read_cells(struct dom_facts *facts, xmlNodePtr dom)
{
	xmlNodePtr tune = xml_child(dom, "numatune"), numa = xml_path(dom, "cpu/numa");
	size_t cells = 0, bound = 0;
	struct cpuset nodes; /* a node list has the same form */
	XML_EACH(cell, numa, "cell")
	cells++;
	facts->cells_strict = true;
	XML_EACH(own, tune, "memnode")
	{
		if (!xml_cpus(own, "nodeset", &nodes))
			continue;
		bound++;
		facts->cell_nodes |= nodes.w[0];
		facts->cells_strict = facts->cells_strict && is_strict(own);
	}
	facts->cells_bound = bound && bound >= cells;
}

void dom_bind(struct dom_facts *facts, uint64_t nodes, bool strict)
{
	bool rest = !facts->cells_bound;
	facts->mem_nodes = facts->cell_nodes | (rest ? nodes : 0);
	facts->mem_nodes_strict = facts->mem_nodes && (!facts->cell_nodes || facts->cells_strict) &&
				  (!rest || (nodes && strict));
}

void dom_place(struct dom_facts *facts, const struct cpuset *cpus)
{
	facts->has_cpuset = true;
	facts->cpuset = *cpus;
}

static void read_places(struct dom_facts *facts, xmlNodePtr dom)
{
	xmlNodePtr vcpu = xml_child(dom, "vcpu"), memory = xml_path(dom, "numatune/memory");
	struct cpuset cpus, nodes;
	bool placed = xml_attr_is(vcpu, "placement", "auto");
	if (!placed && xml_cpus(vcpu, "cpuset", &cpus))
		dom_place(facts, &cpus);
	/* With pins of its own the emulator tells nothing of numad's. */
	facts->asks_cpus = placed && !(facts->flags & VM_FLAG_EMULATOR_PIN);
	facts->asks_nodes = placed || memory;
	if (xml_attr_is(memory, "placement", "auto"))
		return; /* numad's word is for all cells, and not known yet */
	read_cells(facts, dom);
	xml_cpus(memory, "nodeset", &nodes);
	dom_bind(facts, nodes.w[0], is_strict(memory));
}

static int read_live(struct dom_facts *facts, const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "domain", err);
	if (!doc)
		return -1;
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	read_title(facts, dom);
	facts->flags = read_flags(dom);
	facts->quota_pct = read_quota(dom, "cputune/quota", "cputune/period");
	facts->global_quota_pct = read_quota(dom, "cputune/global_quota", "cputune/global_period");
	read_memory(facts, dom);
	read_places(facts, dom);
	int rc = read_pins(dom, &facts->pins, &facts->n_pins, err);
	return xml_done(doc) ? rc : err_set(err, ERR_NOMEM, "out of memory for XML");
}

static int read_inactive(struct dom_facts *facts, const char *text, struct err *err)
{
	xmlDocPtr doc = xml_read(text, "domain", err);
	if (!doc)
		return -1;
	xmlNodePtr dom = xmlDocGetRootElement(doc);
	int rc = read_pins(dom, &facts->rules, &facts->n_rules, err);
	if (rc == 0 && is_dedicated(facts, dom))
		facts->flags |= VM_FLAG_DEDICATED;
	return xml_done(doc) ? rc : err_set(err, ERR_NOMEM, "out of memory for XML");
}

int domxml_parse(struct dom_facts *facts, const char *live, const char *inactive, struct err *err)
{
	struct dom_facts fresh;
	dom_facts_init(&fresh);
	if (read_live(&fresh, live, err) < 0 || (inactive && read_inactive(&fresh, inactive, err) < 0)) {
		dom_facts_done(&fresh);
		return -1;
	}
	dom_facts_done(facts);
	*facts = fresh;
	return 0;
}
