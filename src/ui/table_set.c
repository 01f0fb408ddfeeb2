/* SPDX-License-Identifier: MIT */
/* Which columns a table has, by default and as chosen. */
#include <string.h>

#include "view_private.h"

/* The memory view has a set and ranks of its own: why a guest is as it is matters more there. */
static const char memory_set[] =
	"name,state,balloon,target,max,used,usable,low,high,floor,age,rss,swapin,memwhy";
static const uint8_t memory_rank[] = {1, 10, 2, 5, 7, 3, 6, 8, 9, 13, 11, 12, 14, 4};

/* Of each column, 0: not in the default set. Returns how many that set has, in its order in cols[]. */
static int default_set(bool memory, uint8_t cols[64], uint8_t rank[64])
{
	int n = 0;
	memset(rank, 0, 64);
	if (memory)
		n = column_parse(memory_set, cols, 64, NULL);
	for (size_t i = 0; !memory && i < column_count(); i++)
		if (column_at(i)->rank)
			cols[n++] = (uint8_t)i;
	for (int i = 0; i < n; i++)
		rank[cols[i]] = memory ? memory_rank[i] : column_at(cols[i])->rank;
	return n;
}

void table_defaults(struct table *table, bool memory)
{
	table->n_cols = default_set(memory, table->cols, table->rank);
	table->left = 0;
	table->chosen = table->ordered = false;
}

/* Some hidden and some added: the best of them that fit are shown, as before. In another order: as they
 * stand.
 */
void table_chosen(struct table *table, bool memory)
{
	uint8_t set[64];
	int n = default_set(memory, set, table->rank), at = 0;
	table->chosen = true;
	table->ordered = false;
	for (int i = 0; i < table->n_cols; i++) {
		if (!table->rank[table->cols[i]]) {
			table->rank[table->cols[i]] = 1;
			continue;
		}
		while (at < n && set[at] != table->cols[i])
			at++;
		table->ordered = table->ordered || at == n;
	}
}

void table_columns(struct table *table, bool memory, const char *list)
{
	int n = list[0] ? column_parse(list, table->cols, sizeof table->cols, NULL) : 0;
	if (n > 0)
		table->n_cols = n;
	if (n > 0)
		table_chosen(table, memory);
}
