/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_FILE_H
#define DAEMON_HOST_PERSIST_RECORD_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/api/statistics.h"
#include "daemon/host/persist/record-copy.h"
#include "daemon/host/persist/record-file-write.h"
#include "daemon/host/persist/record-index.h"
#include "daemon/host/persist/record-line.h"
#include "daemon/store/persisted-record.h"

/* A record file that a compaction has replaced, and whose memory is freed in steps. */
typedef struct ReplacedFile {
	int file;   /* its fd, or -1 */
	off_t size; /* bytes left, including preallocated space */
} ReplacedFile;

/*
 * Keeps persisted records across restarts of the daemon, but not across reboots, in one file:
 * DIRECTORY/records. Each change appends a line (record-line.h); the last valid line of a record is
 * its current state.
 *
 * Appending is atomic: a partial write is cut off. Removing a record always succeeds, because
 * space for its removal line is preallocated before the record is saved. If the append still
 * fails, the record's line is invalidated in place.
 *
 * Records that have ended may wait for their removal (record_file_remove_later()), so that the
 * owner can write many removals in slices. They do not exist for callers any more, but a restart
 * finds those whose removal is not written yet.
 *
 * When more than half of the file is obsolete, the file is compacted: rewritten, and renamed over
 * the old one. The owner does that in steps (record_file_compact_step()), so that requests are
 * served in between. Records can be saved and removed meanwhile, and at every instant DIRECTORY/
 * records has all of them.
 *
 * Nothing is synced, because the kernel outlives the daemon. After a reboot the file is ignored.
 */
typedef struct RecordFile {
	LineFile lines;
	RecordIndex index;
	RecordHeader
		header;  /* its last[] is current; the one on disk is that of the last rewrite */
	Buffer line;     /* scratch space for appended lines */
	RecordCopy copy; /* the new file of a compaction */
	ReplacedFile replaced; /* the old file after a compaction */
	bool gave_up_room;     /* the file has no preallocated space while it is compacted */
	bool was_damaged;      /* when it was opened: lines were damaged, or the last one cut off */
	void (*work_due)(void *context);
	void *work_context;

	/* After a failed compaction: retry once the file is larger, or the records are smaller. */
	off_t compact_above;
	size_t compact_below;
} RecordFile;

#define RECORD_FILE_INIT                    \
	((RecordFile){                      \
		.lines = LINE_FILE_INIT,    \
		.index = RECORD_INDEX_INIT, \
		.copy = RECORD_COPY_INIT,   \
		.replaced = { .file = -1 }, \
	})

typedef struct RecordFileOptions {
	const char *directory;
	const char *boot_id; /* records of another boot are discarded */
	JsonParser *parser;
	Statistics *statistics; /* receives a remark for each problem with the file */
	/*
	 * Called after each change while record_file_has_ended() or record_file_compacts(). The
	 * owner then calls record_file_remove_ended() and record_file_compact_step() soon, but not
	 * from within this function. May be NULL.
	 */
	void (*work_due)(void *context);
	void *work_context;
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

/* Tests whether the file is being compacted, or should be. */
bool record_file_compacts(const RecordFile *file);

/*
 * Does a part of a compaction, which reads or writes about size bytes. Returns whether more is
 * left, as record_file_compacts(). If the compaction fails, the file stays valid, and is compacted
 * once it is twice as long or its records are half as large.
 */
bool record_file_compact_step(RecordFile *file, size_t size);

/*
 * Closes the file, and drops a compaction that is under way. Saving fails from now on, and removing
 * has no effect.
 */
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
 * Ends records without writing anything. Their removals are written later, in the order in which
 * the records have ended. Needs no memory. Saving a record again keeps it.
 */
void record_file_remove_later(RecordFile *file, PersistedKind kind, const uint64_t *numbers,
			      size_t count);

/* Keeps a record that had ended, if its removal is not written yet. */
void record_file_keep(RecordFile *file, PersistedKind kind, uint64_t number);

/* Tests whether records have ended whose removal is not written yet. */
bool record_file_has_ended(const RecordFile *file);

/*
 * Writes the removals of the first max records that have ended, with one write. Returns
 * record_file_has_ended().
 */
bool record_file_remove_ended(RecordFile *file, size_t max);

/*
 * Reads the text of a record, followed by a NUL. Returns 0, -ENOENT if it does not exist, or
 * another negative errno. The caller deinitialises *ret.
 */
int record_file_read(const RecordFile *file, PersistedKind kind, uint64_t number, Buffer *ret);

/* Tests whether the file has the record, even if it has ended. */
bool record_file_contains(const RecordFile *file, PersistedKind kind, uint64_t number);

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
