/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_INDEX_H
#define DAEMON_HOST_PERSIST_RECORD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/core/tree.h"
#include "daemon/host/persist/record-line.h"

/* The position of a record's current line in the record file. */
typedef struct LiveRecord {
	PersistedKind kind;
	uint32_t copy; /* number of the last compaction that has copied the line, or 0 */
	uint64_t number;
	off_t offsets[2]; /* of the line; see RecordIndex.current */
	size_t size;      /* of the line, including its newline */
	bool has_ended;   /* the record is to be removed, but its removal is not written yet */
	RB_ENTRY(LiveRecord) by_number;
	TAILQ_ENTRY(LiveRecord) of_ended;
} LiveRecord;

typedef RB_HEAD(LiveRecordTree, LiveRecord) LiveRecordTree;
typedef TAILQ_HEAD(EndedRecords, LiveRecord) EndedRecords;

/* The records that the record file has, sorted by kind and number. */
typedef struct RecordIndex {
	LiveRecordTree tree;
	size_t count;
	EndedRecords ended; /* in the order in which they have ended */
	size_t ended_count;
	size_t size; /* of all lines together */
	/*
	 * Index in LiveRecord.offsets of the offset in the record file. The other one is the offset
	 * in the new file of a compaction.
	 */
	unsigned int current;
} RecordIndex;

/* Also call record_index_init(), because the list of ended records cannot be copied. */
#define RECORD_INDEX_INIT ((RecordIndex){ .tree = { NULL } })

void record_index_init(RecordIndex *index);

/* Iterate over the index in order. Return NULL at the end. */
LiveRecord *record_index_first(const RecordIndex *index);
LiveRecord *record_index_next(LiveRecord *live);

/* Returns NULL if the record does not exist. */
LiveRecord *record_index_find(const RecordIndex *index, PersistedKind kind, uint64_t number);

/* Finds the record of the kind with the lowest number >= number. Returns NULL if none exists. */
LiveRecord *record_index_find_from(const RecordIndex *index, PersistedKind kind, uint64_t number);

/* Returns the first record at or after the kind and number, or NULL at the end. */
LiveRecord *record_index_at_or_after(const RecordIndex *index, PersistedKind kind, uint64_t number);

/* Returns the offset of the record's line in the record file. */
static inline off_t record_offset(const RecordIndex *index, const LiveRecord *live)
{
	return live->offsets[index->current];
}

/* Finds or adds the record. A new one has size 0. Returns NULL if out of memory. */
LiveRecord *record_index_get(RecordIndex *index, PersistedKind kind, uint64_t number);

/* Sets the position of the record's line. */
void record_index_move(RecordIndex *index, LiveRecord *live, off_t offset, size_t size);

/* Add the record to the list of ended records, or take it out. Both are idempotent. */
void record_index_end(RecordIndex *index, LiveRecord *live);
void record_index_keep(RecordIndex *index, LiveRecord *live);

void record_index_remove(RecordIndex *index, LiveRecord *live);

/* Removes all records. */
void record_index_clear(RecordIndex *index);

#endif
