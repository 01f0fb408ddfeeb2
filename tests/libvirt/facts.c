/* SPDX-License-Identifier: MIT */
/* facts dom|topology|host: what vmtop reads of each file (host: of each folder that holds a /proc and a /sys)
 * that is named on stdin, one a line, as a line of JSON each. For truth.py, which reads the same in its own
 * way. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/backend/host/localhost.h"
#include "../../src/backend/host/topology.h"
#include "../../src/backend/libvirt/domxml.h"
#include "vmtop/err.h"

enum { FILE_MOST = 32 << 20, VCPUS = 16 };

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = f ? malloc(FILE_MOST + 1) : NULL;
	size_t n = text ? fread(text, 1, FILE_MOST, f) : 0;
	if (f)
		fclose(f);
	if (text)
		text[n] = '\0';
	return text;
}

static json_t *list(const struct cpuset *s)
{
	char text[CPUSET_CPUS * 5];
	cpuset_format(s, text, sizeof text);
	return json_string(text);
}

static json_t *kib(struct vi64 v)
{
	return vi64_has(v) ? json_integer(v.v) : json_null();
}

/* Live and inactive are the same text, as of a guest that runs under its definition. */
static json_t *dom(const char *path, json_t *o, struct err *e)
{
	struct dom_facts f;
	struct cpuset allowed;
	char *text = slurp(path);
	dom_facts_init(&f);
	if (!text || domxml_parse(&f, text, text, e) < 0) {
		free(text);
		return NULL;
	}
	json_object_set_new(o, "flags", json_integer(f.flags));
	json_object_set_new(o, "cpuset", f.has_cpuset ? list(&f.cpuset) : json_null());
	json_object_set_new(o, "balloon", json_boolean(f.balloon_device));
	json_object_set_new(o, "period", json_integer(f.period_s));
	json_object_set_new(o, "nodes", json_integer((json_int_t)f.mem_nodes));
	json_object_set_new(o, "strict", json_boolean(f.mem_nodes_strict));
	json_object_set_new(o, "asks_cpus", json_boolean(f.asks_cpus));
	json_object_set_new(o, "asks_nodes", json_boolean(f.asks_nodes));
	json_object_set_new(o, "max", kib(f.max_kib));
	json_object_set_new(o, "current", kib(f.current_kib));
	json_object_set_new(o, "min", kib(f.min_guarantee_kib));
	json_object_set_new(o, "quota", vf64_has(f.quota_pct) ? json_real(f.quota_pct.v) : json_null());
	json_t *all = json_array();
	for (int id = 0; id < VCPUS; id++) {
		dom_allowed(&f, id, &allowed);
		json_array_append_new(all, list(&allowed));
	}
	json_object_set_new(o, "allowed", all);
	dom_facts_done(&f);
	free(text);
	return o;
}

static json_t *topology(const char *path, json_t *o, struct err *e)
{
	struct topology t = {0};
	char *text = slurp(path);
	int rc = text ? topology_parse(&t, text, e) : -1;
	free(text);
	if (rc < 0)
		return NULL;
	json_t *nodes = json_array(), *cpus = json_array();
	for (size_t i = 0; i < t.n_nodes; i++)
		json_array_append_new(nodes, json_pack("[i, o]", t.nodes[i].id, kib(t.nodes[i].total_kib)));
	for (size_t i = 0; i < t.n_cpus; i++)
		json_array_append_new(cpus, json_pack("[i, i, i, i, i]", t.cpus[i].id, t.cpus[i].node,
						    t.cpus[i].socket, t.cpus[i].core, t.cpus[i].llc));
	json_object_set_new(o, "nodes", nodes);
	json_object_set_new(o, "cpus", cpus);
	json_object_set_new(o, "has_llc", json_boolean(t.has_llc));
	topology_done(&t);
	return o;
}

static json_t *host(const char *root, json_t *o, struct err *e)
{
	struct sample s;
	sample_init(&s);
	int rc = localhost_host(root, &s);
	json_t *cpus = json_array(), *nodes = json_array();
	for (size_t i = 0; i < s.host.n_pcpus; i++)
		json_array_append_new(cpus, json_pack("[i, b, i]", s.host.pcpus[i].id, s.host.pcpus[i].online,
						    s.host.pcpus[i].node));
	for (size_t i = 0; i < s.host.n_nodes; i++)
		json_array_append_new(nodes, json_integer(s.host.nodes[i].id));
	json_object_set_new(o, "cpus", cpus);
	json_object_set_new(o, "nodes", nodes);
	sample_done(&s);
	return rc < 0 ? err_set(e, ERR_RUNTIME, "no host in that folder"), NULL : o;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		json_t *(*read)(const char *path, json_t *o, struct err *e);
	} kinds[] = {{"dom", dom}, {"topology", topology}, {"host", host}};
	char path[4096];
	size_t k = 0;
	while (k < sizeof kinds / sizeof *kinds && (argc != 2 || strcmp(argv[1], kinds[k].name) != 0))
		k++;
	if (k == sizeof kinds / sizeof *kinds) {
		fputs("usage: facts dom|topology|host <LIST\n", stderr);
		return 2;
	}
	while (fgets(path, sizeof path, stdin)) {
		struct err e = ERR_INIT;
		path[strcspn(path, "\n")] = '\0';
		json_t *o = json_pack("{s: s}", "file", path);
		if (!kinds[k].read(path, o, &e))
			json_object_set_new(o, "error", json_string(e.msg[0] ? e.msg : "cannot be read"));
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	}
	return 0;
}
