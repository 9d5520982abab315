/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECORD_FILE_H
#define HOST_RECORD_FILE_H

#include <sys/types.h>

#include "record-line.h"
#include "statistics.h"
#include "tree.h"

/*
 * What lasts over a restart of the daemon, and no reboot: one file, DIR/records, to which a line is
 * added for each change (record-line.h). To read all lines in order gives what is so.
 *
 * A line is in the file whole or not at all: a write that fails is taken back. Room for saying of
 * each thing that it is gone is set aside in the file system before the thing is recorded, so that
 * this cannot fail for want of room; where it fails nevertheless, what was recorded is crossed out
 * where it stands. When more than half of the file says nothing any more it is
 * written anew beside, and takes the other's place by a rename.
 *
 * It lasts as long as the kernel runs, and nothing is synced: after a reboot it is not believed.
 */
typedef struct LiveRecord {
	KeptKind kind;
	uint64_t number;
	off_t offset; /* of its line */
	size_t size;  /* of its line, with the end */
	RB_ENTRY(LiveRecord) by_number;
} LiveRecord;

typedef RB_HEAD(LiveRecordTree, LiveRecord) LiveRecordTree;

typedef struct RecordFile {
	int directory; /* -1: not opened; nothing is kept then */
	int file;
	off_t size;      /* of the lines */
	off_t allocated; /* so much of the file system is the file's already */
	LiveRecordTree live;
	size_t live_count;
	size_t live_size;
	off_t compact_above;  /* the last try failed: not before the file is so large, */
	size_t compact_below; /* or so little of it is so */
	RecordHeader header;  /* its last[] is always right, the file's with the next compaction */
	Buffer line;
} RecordFile;

typedef struct RecordFileOptions {
	const char *directory;
	const char *boot_id; /* of this boot; what was recorded in another is dropped */
	JsonParser *parser;
	Statistics *statistics; /* gets remarks on what was not sound */
} RecordFileOptions;

/*
 * Opens the file, or makes it, and reads it. What is damaged in it is left out; the file as it was
 * is then found beside as records.damaged, records.damaged.2 and so on, of which the last is that
 * of the last time. A line whose end is missing is no damage: its writer was killed before it could
 * answer anybody. Where there is no room the file is used as it is. Returns 0, or a negative
 * errno after logging what to do; -EPROTO for a file of a newer version, which is left as it is.
 */
int record_file_open(RecordFile *file, const RecordFileOptions *options);

/* Leaves the file as it is. Keeps nothing and drops nothing from then on. */
void record_file_close(RecordFile *file);

/* Records what is so of the thing from now on; record->text is one line. False: nothing has
 * changed. */
bool record_file_keep(RecordFile *file, const KeptRecord *record);

/* The thing is gone. What is not recorded is nothing. */
void record_file_drop(RecordFile *file, KeptKind kind, uint64_t number);

/* The same of many, with one write: of those that come first the next start knows first. */
void record_file_drop_all(RecordFile *file, KeptKind kind, const uint64_t *numbers, size_t count);

/* Its text, with a NUL behind it, which the caller deinits. Returns 0 or a negative errno. */
int record_file_read(const RecordFile *file, KeptKind kind, uint64_t number, Buffer *ret);

/* Moves *number to the next one above of which something is recorded. False: there is none. */
bool record_file_next(const RecordFile *file, KeptKind kind, uint64_t *number);

/* The highest number of the kind that was ever recorded in this boot; 0: none. */
uint64_t record_file_last(const RecordFile *file, KeptKind kind);

/* All that is so of one kind, by number. Texts end with a NUL. */
typedef struct KeptRecords {
	KeptRecord *items;
	size_t count;
	Buffer text;
} KeptRecords;

/* Returns 0 or a negative errno; the caller deinits *ret in each case. */
int record_file_load(const RecordFile *file, KeptKind kind, KeptRecords *ret);
void kept_records_deinit(KeptRecords *records);

#endif
