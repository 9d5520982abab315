/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-index.h"

#include <stdlib.h>

static int compare_records(const LiveRecord *a, const LiveRecord *b)
{
	int order = compare_numbers(a->kind, b->kind);

	return order != 0 ? order : compare_numbers(a->number, b->number);
}

TREE_GENERATE(LiveRecordTree, LiveRecord, by_number, compare_records)

void record_index_init(RecordIndex *index)
{
	*index = RECORD_INDEX_INIT;
	TAILQ_INIT(&index->ended);
}

LiveRecord *record_index_first(const RecordIndex *index)
{
	return RB_MIN(LiveRecordTree, (LiveRecordTree *)&index->tree);
}

LiveRecord *record_index_next(LiveRecord *live)
{
	return RB_NEXT(LiveRecordTree, NULL, live);
}

LiveRecord *record_index_find(const RecordIndex *index, PersistedKind kind, uint64_t number)
{
	LiveRecord wanted = { .kind = kind, .number = number };

	return RB_FIND(LiveRecordTree, (LiveRecordTree *)&index->tree, &wanted);
}

LiveRecord *record_index_find_from(const RecordIndex *index, PersistedKind kind, uint64_t number)
{
	LiveRecord wanted = { .kind = kind, .number = number };
	LiveRecord *live = RB_NFIND(LiveRecordTree, (LiveRecordTree *)&index->tree, &wanted);

	return live && live->kind == kind ? live : NULL;
}

LiveRecord *record_index_at_or_after(const RecordIndex *index, PersistedKind kind, uint64_t number)
{
	LiveRecord wanted = { .kind = kind, .number = number };

	return RB_NFIND(LiveRecordTree, (LiveRecordTree *)&index->tree, &wanted);
}

LiveRecord *record_index_get(RecordIndex *index, PersistedKind kind, uint64_t number)
{
	LiveRecord *live = record_index_find(index, kind, number);

	if (live)
		return live;
	live = calloc(1, sizeof(*live));
	if (!live)
		return NULL;
	live->kind = kind;
	live->number = number;
	RB_INSERT(LiveRecordTree, &index->tree, live);
	index->count++;
	return live;
}

void record_index_move(RecordIndex *index, LiveRecord *live, off_t offset, size_t size)
{
	index->size += size - live->size;
	live->offsets[index->current] = offset;
	live->size = size;
}

void record_index_end(RecordIndex *index, LiveRecord *live)
{
	if (live->has_ended)
		return;
	live->has_ended = true;
	TAILQ_INSERT_TAIL(&index->ended, live, of_ended);
	index->ended_count++;
}

void record_index_keep(RecordIndex *index, LiveRecord *live)
{
	if (!live->has_ended)
		return;
	live->has_ended = false;
	TAILQ_REMOVE(&index->ended, live, of_ended);
	index->ended_count--;
}

void record_index_remove(RecordIndex *index, LiveRecord *live)
{
	record_index_keep(index, live);
	RB_REMOVE(LiveRecordTree, &index->tree, live);
	index->count--;
	index->size -= live->size;
	free(live);
}

void record_index_clear(RecordIndex *index)
{
	LiveRecord *live, *next;

	RB_FOREACH_SAFE (live, LiveRecordTree, &index->tree, next)
		record_index_remove(index, live);
}
