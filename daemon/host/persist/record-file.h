/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_FILE_H
#define DAEMON_HOST_PERSIST_RECORD_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/api/statistics.h"
#include "daemon/host/persist/record-file-write.h"
#include "daemon/host/persist/record-index.h"
#include "daemon/host/persist/record-line.h"
#include "daemon/store/persisted-record.h"

/*
 * Keeps persisted records across restarts of the daemon, but not across reboots, in one file:
 * DIRECTORY/records. Each change appends a line (record-line.h); the last valid line of a record is
 * its current state.
 *
 * Appending is atomic: a partial write is cut off. Removing a record always succeeds, because
 * space for its removal line is preallocated before the record is saved. If the append still
 * fails, the record's line is invalidated in place. The file is rewritten, and renamed over the
 * old one, when more than half of it is obsolete.
 *
 * Nothing is synced, because the kernel outlives the daemon. After a reboot the file is ignored.
 */
typedef struct RecordFile {
	LineFile lines;
	RecordIndex index;
	RecordHeader
		header; /* its last[] is current; the one on disk is that of the last rewrite */
	Buffer line;    /* scratch space for appended lines */

	/* After a failed compaction: retry once the file is larger, or the records are smaller. */
	off_t compact_above;
	size_t compact_below;
} RecordFile;

#define RECORD_FILE_INIT ((RecordFile){ .lines = LINE_FILE_INIT, .index = RECORD_INDEX_INIT })

typedef struct RecordFileOptions {
	const char *directory;
	const char *boot_id; /* records of another boot are discarded */
	JsonParser *parser;
	Statistics *statistics; /* receives a remark for each problem with the file */
} RecordFileOptions;

/*
 * Opens and reads the file, or creates it. Skips damaged lines, and saves the damaged file as
 * records.damaged, records.damaged.2 and so on; the last of at most 8 such files is replaced. A
 * partial last line is not damage: the daemon was killed before it answered that request. If the
 * file cannot be rewritten, it is used as it is.
 *
 * Returns 0, or a negative errno after logging what to do; -EPROTO if a newer version wrote the
 * file, which is left unchanged.
 */
int record_file_open(RecordFile *file, const RecordFileOptions *options);

/* Closes the file. Saving fails from now on, and removing has no effect. */
void record_file_close(RecordFile *file);

/*
 * Saves a record, replacing its earlier state. The text must be a single line. Returns false, with
 * the earlier state intact, if it cannot be written.
 */
bool record_file_save(RecordFile *file, PersistedKind kind, const PersistedRecord *record);

/* Removes a record. Does nothing if it does not exist. */
void record_file_remove(RecordFile *file, PersistedKind kind, uint64_t number);

/* Removes records with one write. After a crash, a prefix of them has been removed. */
void record_file_remove_all(RecordFile *file, PersistedKind kind, const uint64_t *numbers,
			    size_t count);

/*
 * Reads the text of a record, followed by a NUL. Returns 0, -ENOENT if it does not exist, or
 * another negative errno. The caller deinitialises *ret.
 */
int record_file_read(const RecordFile *file, PersistedKind kind, uint64_t number, Buffer *ret);

/* Advances *number to the next record of the kind. Returns false if *number was the last one. */
bool record_file_next(const RecordFile *file, PersistedKind kind, uint64_t *number);

/* Returns the highest number of the kind ever saved since boot; 0 if none. */
uint64_t record_file_last(const RecordFile *file, PersistedKind kind);

/*
 * Loads all records of a kind. A file that is not open has none. Returns 0 or a negative errno;
 * the caller deinitialises *ret in either case.
 */
int record_file_load(const RecordFile *file, PersistedKind kind, PersistedRecords *ret);
void persisted_records_deinit(PersistedRecords *records);

#endif
