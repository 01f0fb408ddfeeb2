/* SPDX-License-Identifier: MIT */
/* Journals: whatever the lines say, the ledger keeps its invariants, and what it then writes reads back as
 * the same. */
#include "../../src/changes/journal.h"
#include "fuzz.h"

static void read_back(const struct vm_record *r)
{
	struct ledger again = {0};
	size_t len;
	for (size_t i = 0; i < r->n_vcpus; i++) {
		const struct vcpu_record *v = &r->vcpus[i];
		char *line = journal_line(JOURNAL_FOUND, r, v->id, &len);
		FUZZ_HOLDS(line);
		journal_take_line(&again, line, len);
		free(line);
		line = journal_line(JOURNAL_WROTE, r, v->id, &len);
		FUZZ_HOLDS(line);
		journal_take_line(&again, line, len);
		free(line);
		const struct vm_record *k = ledger_find(&again, r->uuid);
		const struct vcpu_record *w = k ? record_vcpu(k, v->id) : NULL;
		FUZZ_HOLDS(w && cpuset_equal(&w->found, &v->found) && cpuset_equal(&w->wrote, &v->wrote));
		FUZZ_HOLDS(w->found_pinned == v->found_pinned && k->life == r->life);
	}
	ledger_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger l = {0};
	char *text = fuzz_text(data, size);
	for (char *line = text; line < text + size;) {
		char *end = memchr(line, '\n', (size_t)(text + size - line));
		size_t len = end ? (size_t)(end - line) + 1 : (size_t)(text + size - line);
		journal_take_line(&l, line, len);
		line += len;
	}
	for (size_t i = 0; i < l.n; i++) {
		const struct vm_record *r = &l.vms[i];
		FUZZ_HOLDS(i == 0 || uuid_compare(l.vms[i - 1].uuid, r->uuid) < 0);
		FUZZ_HOLDS(r->wrote_kib < 0 || (r->found_kib > 0 && r->low_kib <= r->high_kib));
		FUZZ_HOLDS(r->period.wrote < 0 || (r->period.found >= 0 && r->period.before >= 0));
		FUZZ_HOLDS(r->shares.wrote < 0 || (r->shares.found > 0 && r->shares.before > 0));
		for (size_t k = 0; k < r->n_vcpus; k++)
			FUZZ_HOLDS(!cpuset_empty(&r->vcpus[k].found) && !cpuset_empty(&r->vcpus[k].wrote));
		read_back(r);
	}
	ledger_forget(&l);
	ledger_done(&l);
	free(text);
	return 0;
}
