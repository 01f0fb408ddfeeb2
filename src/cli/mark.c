/* SPDX-License-Identifier: MIT */
/* vmtop mark: one line to every running vmtop. Knows nothing of sockets. */
#include <stdio.h>
#include <string.h>

#include "../talk/mark_socket.h"
#include "vmtop/subcommand.h"
#include "vmtop/text.h"

int mark_run(const struct sub_line *line, struct err *err)
{
	char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < line->n_words && used < sizeof text; i++)
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s", text_if(i, " "), line->words[i]);
	int heard = mark_send(text, err);
	if (heard < 0)
		return -1;
	printf("marked in %d running vmtop\n", heard);
	return 0;
}
