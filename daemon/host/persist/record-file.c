/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/persist/record-file-compact.h"
#include "daemon/host/persist/record-file-read.h"
#include "daemon/host/persist/record-file-write.h"
#include "proto/fd-util.h"

static void notify_if_due(RecordFile *file)
{
	if (file->work_due && (record_file_has_ended(file) || record_file_compacts(file)))
		file->work_due(file->work_context);
}

/* Returns a record that has not ended, or NULL. */
static LiveRecord *find_current(const RecordFile *file, PersistedKind kind, uint64_t number)
{
	LiveRecord *live = record_index_find(&file->index, kind, number);

	return live && !live->has_ended ? live : NULL;
}

/*
 * Rewrites the file if it was unlinked, because a record in an unlinked file would be lost. Returns
 * false if that fails.
 */
static bool ensure_linked(RecordFile *file)
{
	struct stat status;

	if (fstat(file->lines.file, &status) == 0 && status.st_nlink > 0)
		return true;
	log_warning("somebody removed the record file; writing it again");
	int error = record_file_rewrite(file);
	if (error < 0)
		log_error("cannot write the record file again: %s; nothing is persisted any more; "
			  "restart vaild",
			  strerror(-error));
	return error == 0;
}

bool record_file_save(RecordFile *file, PersistedKind kind, const PersistedRecord *record)
{
	RecordIndex *index = &file->index;
	LineFile *lines = &file->lines;

	assert(record->text);
	bool is_new = !record_index_find(index, kind, record->number);
	if (lines->file < 0 || !ensure_linked(file))
		return false;
	LiveRecord *live = record_index_get(index, kind, record->number);
	if (!live)
		return false;
	buffer_truncate(&file->line, 0);
	if (!record_line_append(&file->line, kind, record) ||
	    !line_file_append(lines, &file->line, index->count)) {
		log_error("cannot persist a record: %s", strerror(errno));
		if (is_new)
			record_index_remove(index, live);
		return false;
	}
	size_t size = buffer_size(&file->line);
	record_index_keep(index, live);
	record_index_move(index, live, lines->size - (off_t)size, size);
	record_copy_add(&file->copy, index, live, &file->line);
	record_header_note(&file->header, kind, record->number);
	notify_if_due(file);
	return true;
}

/*
 * Writes a removal line into file->line for each record that exists, and sets *ret_count to their
 * number. Returns false if out of memory.
 */
static bool write_removals(RecordFile *file, PersistedKind kind, const uint64_t *numbers,
			   size_t count, size_t *ret_count)
{
	bool is_written = true;

	*ret_count = 0;
	buffer_truncate(&file->line, 0);
	for (size_t i = 0; i < count; i++) {
		PersistedRecord removed = { .number = numbers[i] };

		if (!record_index_find(&file->index, kind, numbers[i]))
			continue;
		is_written = is_written && record_line_append(&file->line, kind, &removed);
		++*ret_count;
	}
	return is_written;
}

static void invalidate(RecordFile *file, const LiveRecord *live)
{
	/* Until the next compaction, a start restores the record and finds that it is stale. */
	if (!line_file_invalidate(&file->lines, record_offset(&file->index, live)))
		log_error("cannot remove a record: %s", strerror(errno));
}

/*
 * Appends the removal lines in file->line, also to the copy of a compaction. is_written is false if
 * they are incomplete. Returns false if the records must be removed by invalidating their lines.
 */
static bool append_removals(RecordFile *file, bool is_written, size_t removals)
{
	if (is_written)
		record_copy_add(&file->copy, &file->index, NULL, &file->line);
	else
		record_copy_break(&file->copy);
	return is_written &&
	       line_file_append(&file->lines, &file->line, file->index.count - removals);
}

/* Takes a record out of the index after its removal line was appended or not. */
static void drop_record(RecordFile *file, LiveRecord *live, bool is_appended)
{
	if (!is_appended)
		invalidate(file, live);
	record_index_remove(&file->index, live);
}

void record_file_remove_all(RecordFile *file, PersistedKind kind, const uint64_t *numbers,
			    size_t count)
{
	size_t removals;

	if (file->lines.file < 0)
		return;
	bool is_written = write_removals(file, kind, numbers, count, &removals);
	if (removals == 0)
		return;
	bool is_appended = append_removals(file, is_written, removals);
	for (size_t i = 0; i < count; i++) {
		LiveRecord *live = record_index_find(&file->index, kind, numbers[i]);

		if (live)
			drop_record(file, live, is_appended);
	}
	notify_if_due(file);
}

void record_file_remove_later(RecordFile *file, PersistedKind kind, const uint64_t *numbers,
			      size_t count)
{
	if (file->lines.file < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		LiveRecord *live = record_index_find(&file->index, kind, numbers[i]);

		if (live)
			record_index_end(&file->index, live);
	}
	notify_if_due(file);
}

void record_file_keep(RecordFile *file, PersistedKind kind, uint64_t number)
{
	LiveRecord *live = record_index_find(&file->index, kind, number);

	if (live)
		record_index_keep(&file->index, live);
}

bool record_file_has_ended(const RecordFile *file)
{
	return file->index.ended_count > 0;
}

bool record_file_remove_ended(RecordFile *file, size_t max)
{
	RecordIndex *index = &file->index;
	size_t count = index->ended_count < max ? index->ended_count : max, written = 0;
	bool is_written = true;
	LiveRecord *live;

	if (count == 0)
		return record_file_has_ended(file);
	buffer_truncate(&file->line, 0);
	TAILQ_FOREACH (live, &index->ended, of_ended) {
		PersistedRecord removed = { .number = live->number };

		if (written++ == count)
			break;
		is_written = is_written && record_line_append(&file->line, live->kind, &removed);
	}
	bool is_appended = append_removals(file, is_written, count);
	while (count-- > 0)
		drop_record(file, TAILQ_FIRST(&index->ended), is_appended);
	return record_file_has_ended(file);
}

void record_file_remove(RecordFile *file, PersistedKind kind, uint64_t number)
{
	record_file_remove_all(file, kind, &number, 1);
}

bool record_file_next(const RecordFile *file, PersistedKind kind, uint64_t *number)
{
	const LiveRecord *live;

	do {
		live = record_index_find_from(&file->index, kind, *number + 1);
		if (!live)
			return false;
		*number = live->number;
	} while (live->has_ended);
	return true;
}

bool record_file_contains(const RecordFile *file, PersistedKind kind, uint64_t number)
{
	return record_index_find(&file->index, kind, number) != NULL;
}

uint64_t record_file_last(const RecordFile *file, PersistedKind kind)
{
	return file->header.last[kind];
}

void record_file_close(RecordFile *file)
{
	record_copy_abort(&file->copy, &file->lines);
	fd_close(&file->replaced.file);
	record_index_clear(&file->index);
	fd_close(&file->lines.file);
	fd_close(&file->lines.directory);
	buffer_deinit(&file->line);
}

/* Concatenates the lines of a kind. Returns their number or a negative errno. */
static ssize_t load_lines(const RecordFile *file, PersistedKind kind, Buffer *ret)
{
	_cleanup_(file_piece_deinit) FilePiece piece =
		FILE_PIECE_INIT(file->lines.file, file->lines.size);
	LiveRecord *live;
	ssize_t count = 0;

	for (live = record_index_find_from(&file->index, kind, 0); live && live->kind == kind;
	     live = record_index_next(live)) {
		if (live->has_ended)
			continue;
		const char *line =
			file_piece_line(&piece, record_offset(&file->index, live), live->size);
		if (!line)
			return -errno;
		if (!buffer_append(ret, line, live->size))
			return -ENOMEM;
		count++;
	}
	return count;
}

int record_file_load(const RecordFile *file, PersistedKind kind, PersistedRecords *ret)
{
	*ret = (PersistedRecords){
		.last_number = file->header.last[kind],
		.is_incomplete = file->was_damaged,
		.text = BUFFER_INIT,
	};
	ssize_t count = load_lines(file, kind, &ret->text);
	if (count < 0)
		return (int)count;
	ret->items = calloc((size_t)count + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	char *line = ret->text.data;
	for (ssize_t i = 0; i < count; i++) {
		char *end = memchr(line, '\n', (size_t)(ret->text.data + ret->text.end - line));
		PersistedRecord *record = &ret->items[ret->count++];
		PersistedKind parsed_kind;

		if (!end || !record_line_parse(line, (size_t)(end - line), &parsed_kind, record))
			return -EIO; /* was valid when it was written or read */
		end[-1] = '\0';      /* replaces the line's last brace */
		line = end + 1;
	}
	return 0;
}

int record_file_read(const RecordFile *file, PersistedKind kind, uint64_t number, Buffer *ret)
{
	const LiveRecord *live = find_current(file, kind, number);
	PersistedRecord record = { 0 };
	PersistedKind parsed_kind;

	*ret = BUFFER_INIT;
	if (!live)
		return -ENOENT;
	if (!buffer_reserve(ret, live->size))
		return -ENOMEM;
	if (!file_read_at(file->lines.file, ret->data, live->size,
			  record_offset(&file->index, live)) ||
	    !record_line_parse(ret->data, live->size - 1, &parsed_kind, &record) || !record.text) {
		buffer_deinit(ret);
		return -EIO;
	}
	ret->start = (size_t)(record.text - ret->data);
	ret->end = ret->start + record.size;
	ret->data[ret->end] = '\0'; /* replaces the line's last brace */
	return 0;
}

void persisted_records_deinit(PersistedRecords *records)
{
	free(records->items);
	buffer_deinit(&records->text);
	records->items = NULL;
	records->count = 0;
}
