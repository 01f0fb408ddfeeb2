/* SPDX-License-Identifier: MIT */
/* Domain XML, live and inactive (the parts before and after a zero byte): facts within their bounds. */
#include "../../src/backend/libvirt/domxml.h"
#include "fuzz.h"
#include "vmtop/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct dom_facts f, newer;
	struct cpuset allowed, before[3];
	char *text = fuzz_text(data, size);
	size_t live = strlen(text);
	dom_facts_init(&f);
	if (domxml_parse(&f, text, live < size ? text + live + 1 : NULL, &e) == 0) {
		for (size_t i = 1; i < f.n_rules; i++)
			FUZZ_HOLDS(f.rules[i - 1].vcpu < f.rules[i].vcpu);
		FUZZ_HOLDS(f.period_s >= 0);
		FUZZ_HOLDS(!vf64_has(f.quota_pct) || f.quota_pct.v >= 0);
		FUZZ_HOLDS(!vi64_has(f.min_guarantee_kib) || f.min_guarantee_kib.v >= 0);
		for (size_t i = 0; i < f.n_pins; i++) {
			dom_allowed(&f, f.pins[i].vcpu, &allowed);
			FUZZ_HOLDS(cpuset_subset(&f.pins[i].cpus, &allowed));
		}
		FUZZ_HOLDS(f.mem_nodes || !f.mem_nodes_strict);
		/* The same facts once more change nothing. */
		for (int vcpu = 0; vcpu < 3; vcpu++)
			dom_allowed(&f, vcpu, &before[vcpu]);
		dom_facts_init(&newer);
		FUZZ_HOLDS(domxml_parse(&newer, text, live < size ? text + live + 1 : NULL, &e) == 0);
		dom_facts_renew(&f, &newer);
		dom_facts_done(&newer);
		for (int vcpu = 0; vcpu < 3; vcpu++) {
			dom_allowed(&f, vcpu, &allowed);
			FUZZ_HOLDS(cpuset_equal(&allowed, &before[vcpu]));
		}
	} else {
		FUZZ_HOLDS(e.msg[0]);
	}
	dom_facts_done(&f);
	free(text);
	return 0;
}
