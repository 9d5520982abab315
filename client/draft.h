/* SPDX-License-Identifier: MIT */
#ifndef DRAFT_H
#define DRAFT_H

#include <stdio.h>

/* A file on its way to another name: who reads that never sees half of it. */
typedef struct Draft {
	char *path;
	FILE *out; /* NULL: there is no file */
} Draft;

/* Makes a file beside the path. Returns 0 or a negative errno; draft_deinit() is for either. */
int draft_init(Draft *draft, const char *path);

/* Gives it its name, in place of whatever had that. Returns 0 or a negative errno. */
int draft_finish(Draft *draft, const char *path);

/* Removes what was not finished. */
void draft_deinit(Draft *draft);

#endif
