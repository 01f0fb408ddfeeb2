/* SPDX-License-Identifier: MIT */
/* What the rows of the command table say. Invariant: a row says all of it; there is no list of commands
 * elsewhere. */
#include "vmtop/command.h"

#include "vmtop/snapshot.h"

enum late { HARMLESS, WHEN_ON, STEERS };

static const char *name_of_cpu_policy(int number)
{
	return cpu_policy_name((enum cpu_policy_id)number);
}

static const char *name_of_mem_policy(int number)
{
	return mem_policy_name((enum mem_policy_id)number);
}

static const char *name_of_granularity(int number)
{
	return granularity_name((enum granularity)number);
}

struct command_row {
	const char *word;
	enum late late;
	const char *(*choice)(int number);
};

#define NOT_RECORDED                        NULL
#define ROW(kind, obey, word, late, choice) [kind] = {word, late, choice},
static const struct command_row rows[COMMAND_COUNT] = {COMMAND_TABLE(ROW)};
#undef ROW

static const struct command_row *row_of(int kind)
{
	return &rows[kind >= 0 && kind < COMMAND_COUNT ? kind : CMD_NONE];
}

bool command_ages(const struct command *cmd)
{
	enum late late = row_of((int)cmd->kind)->late;
	return late == STEERS || (late == WHEN_ON && cmd->on);
}

const char *command_word(int kind)
{
	return row_of(kind)->word;
}

const char *command_choice(int kind, int number)
{
	const struct command_row *row = row_of(kind);
	return row->choice ? row->choice(number) : NULL;
}
