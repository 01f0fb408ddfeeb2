/* SPDX-License-Identifier: MIT */
/* Domain XML, live and inactive (the parts before and after a zero byte): facts within their bounds. */
#include "../../src/backend/domxml.h"
#include "fuzz.h"
#include "vmtop/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct dom_facts f;
	struct cpuset allowed;
	char *text = fuzz_text(data, size);
	size_t live = strlen(text);
	dom_facts_init(&f);
	if (domxml_parse(&f, text, live < size ? text + live + 1 : NULL, &e) == 0) {
		for (size_t i = 1; i < f.n_rules; i++)
			FUZZ_HOLDS(f.rules[i - 1].vcpu <= f.rules[i].vcpu);
		FUZZ_HOLDS(f.period_s >= 0);
		FUZZ_HOLDS(!vf64_has(f.quota_pct) || f.quota_pct.v >= 0);
		FUZZ_HOLDS(!vi64_has(f.min_guarantee_kib) || f.min_guarantee_kib.v >= 0);
		for (int vcpu = 0; vcpu < 3; vcpu++)
			dom_allowed(&f, vcpu, &allowed);
	} else {
		FUZZ_HOLDS(e.msg[0]);
	}
	dom_facts_done(&f);
	free(text);
	return 0;
}
