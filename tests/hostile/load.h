/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_LOAD_H
#define TESTS_HOSTILE_LOAD_H

#include "tests/hostile/hostile.h"

typedef struct LoadOptions {
	const char *socket;
	const char *guid;         /* of a VM that has both honest users as display clients */
	const char *handle;       /* of an object of this VM */
	unsigned int connections; /* of each honest user, at most 50 */
} LoadOptions;

/* Starts the process of a load. The load is ready when it counts in board->loads_ready. */
pid_t load_start(Board *board, LoadKind kind, const LoadOptions *options);

#endif
