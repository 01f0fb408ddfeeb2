/* SPDX-License-Identifier: MIT */
/* What came of rules whose outcome is not in the XML: the nodes and pCPUs that numad chose, and <numatune> as
 * it is in force. Invariant: asks libvirt's own books only, never a monitor. Must not know: samples, links.
 */
#include "libvirt_placed.h"

#include <stdlib.h>
#include <string.h>

#include "vmtop/minmax.h"

#include "connect.h"

enum { MAP_BYTES = CPUSET_CPUS / 8, PARAMS_MOST = 16 };

/* 1: told, 0: not, -1: it cannot be known now. */
static int told(int rc)
{
	if (rc >= 0)
		return 1;
	return connect_unsupported() ? 0 : -1;
}

static void take_nodes(struct dom_facts *facts, virTypedParameterPtr params, int n)
{
	const char *list = NULL;
	int mode = VIR_DOMAIN_NUMATUNE_MEM_STRICT;
	struct cpuset nodes; /* a node list has the same form */
	virTypedParamsGetInt(params, n, VIR_DOMAIN_NUMA_MODE, &mode);
	if (virTypedParamsGetString(params, n, VIR_DOMAIN_NUMA_NODESET, &list) == 1 && list &&
		cpuset_parse_clipped(&nodes, list) == 0 && !cpuset_empty(&nodes))
		dom_bind(facts, nodes.w[0],
			mode != VIR_DOMAIN_NUMATUNE_MEM_PREFERRED &&
				mode != VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE);
}

static int ask_nodes(struct dom_facts *facts, virDomainPtr dom)
{
	virTypedParameter params[PARAMS_MOST];
	int n = 0;
	memset(params, 0, sizeof params);
	int rc = told(virDomainGetNumaParameters(dom, NULL, &n, VIR_DOMAIN_AFFECT_LIVE));
	if (rc <= 0 || n <= 0)
		return rc;
	n = min_of(n, PARAMS_MOST);
	rc = told(virDomainGetNumaParameters(dom, params, &n, VIR_DOMAIN_AFFECT_LIVE));
	if (rc <= 0)
		return rc;
	take_nodes(facts, params, n);
	virTypedParamsClear(params, n);
	return rc;
}

/* The emulator is where numad said, unless it has pins of its own; vCPUs may have been pinned since. */
static int ask_cpus(struct dom_facts *facts, virDomainPtr dom)
{
	unsigned char map[MAP_BYTES] = {0};
	struct cpuset cpus;
	int rc = told(virDomainGetEmulatorPinInfo(dom, map, MAP_BYTES, VIR_DOMAIN_AFFECT_LIVE));
	cpuset_from_map(&cpus, map, MAP_BYTES);
	if (rc > 0 && !cpuset_empty(&cpus))
		dom_place(facts, &cpus);
	return rc;
}

int placed_ask(struct dom_facts *facts, virDomainPtr dom, int *calls)
{
	int rc = 0;
	if (facts->asks_nodes) {
		rc = ask_nodes(facts, dom);
		*calls += 2;
	}
	if (rc >= 0 && facts->asks_cpus) {
		rc = ask_cpus(facts, dom);
		++*calls;
	}
	return rc < 0 ? -1 : 0;
}
