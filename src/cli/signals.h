/* SPDX-License-Identifier: MIT */
/* Signals of batch mode, as commands in a pipe that engine_wait() reads. */
#ifndef VMTOP_CLI_SIGNALS_H
#define VMTOP_CLI_SIGNALS_H

#include <stdbool.h>

/* The readable end, or -1 with errno. Until signals_close() signals are ours: SIGINT and SIGTERM end
 * (the second one leaves what is still to be put back, a third kills), SIGUSR1
 * rebalances, SIGHUP ends what has a terminal and else asks for the config to be read again (unless it is
 * ignored already, as under nohup). */
int signals_open(void);
void signals_close(int fd);
bool signals_quit(void);   /* the end was asked for */
bool signals_hangup(void); /* since the last call: read the config again */

#endif
