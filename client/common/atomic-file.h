/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_ATOMIC_FILE_H
#define CLIENT_COMMON_ATOMIC_FILE_H

#include <stdio.h>

/*
 * Replaces a file atomically: the new content is written to a temporary file in the same folder,
 * which is then renamed. Readers never see a partial file.
 */
typedef struct AtomicFile {
	char *path; /* of the temporary file */
	FILE *out;  /* NULL if there is no temporary file */
} AtomicFile;

/*
 * Creates the temporary file next to path. Returns 0 or a negative errno. The caller calls
 * atomic_file_deinit() in either case.
 */
int atomic_file_create(AtomicFile *file, const char *path);

/* Syncs the file and renames it to path. Returns 0 or a negative errno. */
int atomic_file_commit(AtomicFile *file, const char *path);

/* Removes the temporary file if it was not committed. */
void atomic_file_deinit(AtomicFile *file);

#endif
