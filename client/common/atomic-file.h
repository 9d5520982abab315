/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_ATOMIC_FILE_H
#define CLIENT_COMMON_ATOMIC_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Writes a file that a user has named, in the way of a shell's ">":
 *
 * - A regular file is replaced atomically: the content is written to a temporary file in the same
 *   folder, which is then renamed. Readers never see a partial file. An existing file keeps its
 *   owner and mode, and a new one gets those of other new files. Links are followed and stay.
 * - An existing file is overwritten in place if it cannot be replaced by one like it. Its folder
 *   may be protected, or the file may be mounted, or have an ACL, several names or another owner.
 *   The old content stays if the new one does not fit on the disk.
 * - A device, a FIFO, and a file that this process has open as fd 1 to 9 are written through. So is
 *   "-", which means stdout.
 */
typedef struct AtomicFile {
	FILE *out;      /* for the new content */
	char *path;     /* of the file, without links; NULL if it is not replaced */
	char *new_path; /* of the temporary file; NULL without one */
	int existing;   /* fd of the existing file; -1 without one, and if out has it */
	bool created;   /* the existing file is an empty one that atomic_file_create() has made */
} AtomicFile;

#define ATOMIC_FILE_INIT ((AtomicFile){ .existing = -1 })

/* Time in which a reader must open a FIFO, in milliseconds. */
#define ATOMIC_FILE_READER_TIMEOUT 5000

/*
 * Opens file->out for the content of the file at path. Returns 0 or a negative errno: -EACCES if
 * this process may not write the existing file, and -ENXIO if a FIFO has no reader. The caller
 * calls atomic_file_deinit() in either case.
 */
int atomic_file_create(AtomicFile *file, const char *path);

/* Finishes the file: syncs and renames it, or overwrites it. Returns 0 or a negative errno. */
int atomic_file_commit(AtomicFile *file);

/* Closes everything. If the file was not committed, removes what was created. */
void atomic_file_deinit(AtomicFile *file);

#endif
