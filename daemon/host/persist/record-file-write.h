/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_FILE_WRITE_H
#define DAEMON_HOST_PERSIST_RECORD_FILE_WRITE_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/host/persist/record-line.h"
#include "proto/buffer.h"

#define RECORDS     "records"
#define RECORDS_NEW "records.new"

/*
 * The record file on disk: lines followed by preallocated space. There is always enough space
 * preallocated to append one removal line per record, unless the file system was full.
 */
typedef struct LineFile {
	int directory; /* -1 if not open */
	int file;      /* -1 if not open */
	off_t size;    /* end of the last line */
	off_t allocated;
} LineFile;

#define LINE_FILE_INIT ((LineFile){ .directory = -1, .file = -1 })

/* Returns the space needed to append a removal line for each persisted record. */
static inline off_t room_for_removals(size_t record_count)
{
	return (off_t)record_count * REMOVAL_LINE_SIZE_MAX;
}

/*
 * Appends the lines and preallocates space for the removal of record_count records. Returns false,
 * with errno set and the file unchanged, if either fails.
 */
bool line_file_append(LineFile *file, const Buffer *lines, size_t record_count);

/*
 * Preallocates space for the removal of record_count records. On failure no line can be appended
 * until there is space, and records are removed by invalidating their lines.
 */
void line_file_preallocate(LineFile *file, size_t record_count);

/* Cuts off everything behind the last line, including preallocated space. Needs no resources. */
void line_file_cut_off(LineFile *file);

/* Invalidates the line in place, which needs no space. Returns false with errno set. */
bool line_file_invalidate(LineFile *file, off_t offset);

#endif
