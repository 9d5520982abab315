/* SPDX-License-Identifier: MIT */
#ifndef UNIT_CHILD_H
#define UNIT_CHILD_H

#include <sys/types.h>

/* A process that does nothing, until it is ended; it ends with the test, too. */
pid_t start_child(void);
void end_child(pid_t child);

#endif
