/* SPDX-License-Identifier: MIT */
/* Capabilities XML: what is read has sane numbers, sorted by pCPU. */
#include "../../src/backend/host/topology.h"
#include "fuzz.h"
#include "vmtop/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct topology t = {0};
	struct sample s;
	char *text = fuzz_text(data, size);
	sample_init(&s);
	for (int id = 0; id < 8; id++)
		FUZZ_HOLDS(sample_add_pcpu(&s, id));
	if (topology_parse(&t, text, &e) == 0) {
		FUZZ_HOLDS(t.n_nodes <= MAX_NODES && t.n_cpus <= CPUSET_CPUS);
		for (size_t i = 0; i < t.n_cpus; i++) {
			FUZZ_HOLDS(t.cpus[i].id >= 0 && t.cpus[i].id < CPUSET_CPUS);
			FUZZ_HOLDS(i == 0 || t.cpus[i - 1].id < t.cpus[i].id);
			FUZZ_HOLDS(t.cpus[i].core >= -1 && t.cpus[i].llc >= -1);
		}
		topology_apply(&t, &s);
		FUZZ_HOLDS(s.host.n_nodes <= MAX_NODES);
	} else {
		FUZZ_HOLDS(e.msg[0] && !t.n_cpus);
	}
	topology_done(&t);
	sample_done(&s);
	free(text);
	return 0;
}
