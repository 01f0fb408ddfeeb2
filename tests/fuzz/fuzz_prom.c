/* SPDX-License-Identifier: MIT */
/* An answer of a Prometheus: whatever it holds, rows come out whole, or an error. */
#include "fuzz.h"
#include "vmtop/prom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char *text = malloc(size ? size : 1); /* exactly as long: a read past its end is seen */
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	/* Metrics as text begin with anything but a brace. */
	bool metrics = !size || *data != '{';
	const struct prom_text answers[] = {{text, size, metrics}, {text, size, metrics}};
	struct fleet *f = prom_fold(answers, 2, 60, INT64_C(1000000000000), INT64_C(1700000000000000000), &e);
	FUZZ_HOLDS(!f == (e.code != ERR_NONE));
	size_t vms = 0;
	for (size_t i = 0; f && i < f->n_hosts; i++) {
		const struct fleet_host *h = &f->hosts[i];
		FUZZ_HOLDS(h->first_vm == vms);
		vms += h->n_vms;
		FUZZ_HOLDS(
			strnlen(h->name, FLEET_NAME) < FLEET_NAME && strnlen(h->uri, FLEET_URI) < FLEET_URI);
		FUZZ_HOLDS(!strchr(h->uri, '?') && !strchr(h->uri, ' '));
		FUZZ_HOLDS(h->seen_ns <= INT64_C(1000000000000));
		for (size_t k = h->first_vm; k < vms; k++)
			FUZZ_HOLDS(f->vms[k].host == i);
	}
	FUZZ_HOLDS(!f || vms == f->n_vms);
	fleet_free(f);
	free(text);
	return 0;
}
