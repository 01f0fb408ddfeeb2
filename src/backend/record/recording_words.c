/* SPDX-License-Identifier: MIT */
/* Words of a recording's tables that stand for enums, both ways. Invariant: what another version may number
 * otherwise goes by name, and an unknown name becomes the harmless value. */
#include <string.h>

#include "recording.h"
#include "vmtop/record.h"

const char *rec_log_kind(int kind)
{
	return log_kind_name((enum log_kind)kind);
}

const char *rec_memory_state(int state)
{
	return memory_state_name((enum host_mem_state)state);
}

enum reason rec_reason(const char *key)
{
	for (enum reason i = REASON_NONE; i < REASON_COUNT; i++)
		if (strcmp(reason_key(i), key) == 0)
			return i;
	return REASON_NONE;
}

enum outcome rec_outcome(const char *text)
{
	for (enum outcome outcome = OUTCOME_PLANNED; outcome <= OUTCOME_UNKNOWN; outcome++)
		if (strcmp(outcome_text(outcome), text) == 0)
			return outcome;
	return OUTCOME_SKIPPED;
}

int rec_word(const char *(*names)(int), int last, const char *word, int none)
{
	for (int i = 0; i <= last; i++) {
		const char *name = names(i);
		if (name && strcmp(name, word) == 0)
			return i;
	}
	return none;
}
