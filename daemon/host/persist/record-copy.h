/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_COPY_H
#define DAEMON_HOST_PERSIST_RECORD_COPY_H

#include "daemon/host/persist/record-file-read.h"
#include "daemon/host/persist/record-file-write.h"
#include "daemon/host/persist/record-index.h"
#include "proto/buffer.h"

/*
 * Rewrites the record file in steps: copies the current lines of all records to DIRECTORY/
 * records.new, and renames that over the old file at the end. Between two steps the old file stays
 * in use. Each line appended to it goes into the new file, too, so both are complete at the end.
 * Until the rename, a crash leaves the old file, and the next start removes the new one.
 */
typedef struct RecordCopy {
	int file;          /* -1 if no copy is under way */
	uint32_t number;   /* LiveRecord.copy of the records that the new file has */
	off_t size;        /* of the new file */
	off_t allocated;   /* end of the new file's preallocated space */
	size_t count;      /* of records that the new file has */
	Buffer unwritten;  /* the new file's lines after size */
	FilePiece piece;   /* of the old file */
	LiveRecord cursor; /* only kind and number: where the copy continues */
	bool all_copied;
	bool is_broken; /* a line could not be added, so the copy is useless */
} RecordCopy;

#define RECORD_COPY_INIT ((RecordCopy){ .file = -1 })

/* Creates the new file. No copy may be under way. Returns 0 or a negative errno. */
int record_copy_begin(RecordCopy *copy, const LineFile *file, const RecordHeader *header);

/*
 * Reads and writes about size bytes, or a little more. Returns 1 if there is more to do, 0 if only
 * record_copy_finish() is left, or a negative errno; then abort the copy.
 */
int record_copy_step(RecordCopy *copy, const LineFile *file, RecordIndex *index, size_t size);

/*
 * Renames the new file over the old one, and updates *file and the index. *ret_old is the fd of the
 * old file, which the caller closes. Returns 0, or a negative errno with nothing changed; then
 * abort the copy.
 */
int record_copy_finish(RecordCopy *copy, LineFile *file, RecordIndex *index, int *ret_old);

/* Removes the new file and frees the memory. Does nothing if no copy is under way. */
void record_copy_abort(RecordCopy *copy, const LineFile *file);

/*
 * Adds lines that were appended to the old file. live is the record that the line describes, or
 * NULL if they are removals. Does nothing if no copy is under way.
 */
void record_copy_add(RecordCopy *copy, RecordIndex *index, LiveRecord *live, const Buffer *lines);

/* Makes the copy fail at its next step. */
void record_copy_break(RecordCopy *copy);

#endif
