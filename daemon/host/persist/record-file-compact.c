/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file-compact.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/fd-util.h"

/* Smaller files are not worth a compaction. */
#define COMPACT_ABOVE (64 << 10)

static bool compaction_is_worthwhile(const RecordFile *file)
{
	off_t size = file->lines.size;
	size_t live_size = file->index.size;

	if (size <= COMPACT_ABOVE || size <= 2 * (off_t)live_size)
		return false;
	return size > file->compact_above || live_size <= file->compact_below;
}

bool record_file_compacts(const RecordFile *file)
{
	return file->lines.file >= 0 && (file->copy.file >= 0 || file->replaced.file >= 0 ||
					 file->gave_up_room || compaction_is_worthwhile(file));
}

/* Bytes by which one step shrinks a replaced file. */
#define SHRINK_STEP (256 << 10)

/*
 * Shortens the replaced file, to free its memory in steps. Closing a file of 50 MB in one go would
 * take milliseconds. Begins at the end of the preallocated space, so the first calls lengthen the
 * file. A file with another link belongs to somebody, too, and is not changed.
 */
static void free_replaced(RecordFile *file)
{
	ReplacedFile *replaced = &file->replaced;
	struct stat status;

	replaced->size = replaced->size > SHRINK_STEP ? replaced->size - SHRINK_STEP : 0;
	if (replaced->size == 0 || fstat(replaced->file, &status) < 0 || status.st_nlink > 0 ||
	    ftruncate(replaced->file, replaced->size) < 0)
		fd_close(&replaced->file);
}

/* Preallocates the space again that was given up for the compaction. */
static void take_room_back(RecordFile *file)
{
	file->gave_up_room = false;
	line_file_preallocate(&file->lines, file->index.count);
}

/*
 * Handles the failure of a compaction. The preallocated space may be the last free space in the
 * file system, so the first retry goes without. Otherwise the file stays valid but long.
 */
static void compaction_failed(RecordFile *file, int error)
{
	bool is_full = error == -ENOSPC || error == -EDQUOT;

	record_copy_abort(&file->copy, &file->lines);
	if (is_full && !file->gave_up_room) {
		line_file_cut_off(&file->lines);
		file->gave_up_room = true;
		return;
	}
	if (file->gave_up_room)
		take_room_back(file);
	file->compact_above = 2 * file->lines.size;
	file->compact_below = file->index.size / 2;
}

/* Replaces the file by the complete copy. */
static int replace_file(RecordFile *file)
{
	ReplacedFile replaced = { .size = file->lines.allocated };
	int error = record_copy_finish(&file->copy, &file->lines, &file->index, &replaced.file);

	if (error < 0)
		return error;
	file->replaced = replaced;
	file->gave_up_room = false;
	file->compact_above = 0;
	file->compact_below = 0;
	return 0;
}

/* Continues or begins a copy of the file. Returns 0 or a negative errno. */
static int advance_copy(RecordFile *file, size_t size)
{
	if (file->copy.file < 0)
		return record_copy_begin(&file->copy, &file->lines, &file->header);
	int result = record_copy_step(&file->copy, &file->lines, &file->index, size);
	return result == 0 ? replace_file(file) : result < 0 ? result : 0;
}

bool record_file_compact_step(RecordFile *file, size_t size)
{
	int error = 0;

	if (!record_file_compacts(file))
		return false;
	if (file->replaced.file >= 0)
		free_replaced(file);
	else if (file->copy.file >= 0 || compaction_is_worthwhile(file))
		error = advance_copy(file, size);
	else
		take_room_back(file); /* meanwhile the file is not worth a compaction any more */
	if (error < 0)
		compaction_failed(file, error);
	return record_file_compacts(file);
}

/* Bytes in memory while the file is rewritten in one go. */
#define REWRITE_STEP (256 << 10)

int record_file_rewrite(RecordFile *file)
{
	record_copy_abort(&file->copy, &file->lines);
	fd_close(&file->replaced.file);
	int error = record_copy_begin(&file->copy, &file->lines, &file->header);
	int result = 1;
	while (error == 0 && result > 0) {
		result = record_copy_step(&file->copy, &file->lines, &file->index, REWRITE_STEP);
		error = result < 0 ? result : 0;
	}
	if (error == 0)
		error = replace_file(file);
	if (error < 0)
		record_copy_abort(&file->copy, &file->lines);
	fd_close(&file->replaced.file);
	return error;
}
