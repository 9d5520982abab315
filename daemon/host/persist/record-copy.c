/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/persist/file-io.h"
#include "proto/fd-util.h"

/* Lines wait in memory until they fill a write of this size. */
#define WRITE_SIZE (64u << 10)

int record_copy_begin(RecordCopy *copy, const LineFile *file, const RecordHeader *header)
{
	uint32_t number = copy->number + 1;

	*copy = (RecordCopy){
		.number = number > 0 ? number : 1, /* 0 means: in no copy */
		.piece = FILE_PIECE_INIT(file->file, file->size),
	};
	copy->file = openat(file->directory, RECORDS_NEW,
			    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (copy->file < 0)
		return -errno;
	return record_header_append(&copy->unwritten, header) ? 0 : -ENOMEM;
}

/* Frees the memory and closes the file, which must have been removed or taken. */
static void record_copy_deinit(RecordCopy *copy)
{
	fd_close(&copy->file);
	buffer_deinit(&copy->unwritten);
	file_piece_deinit(&copy->piece);
}

void record_copy_abort(RecordCopy *copy, const LineFile *file)
{
	if (copy->file < 0)
		return;
	unlinkat(file->directory, RECORDS_NEW, 0);
	record_copy_deinit(copy);
}

void record_copy_break(RecordCopy *copy)
{
	copy->is_broken = true;
}

/* Notes that the new file has the record, as its last line. */
static void record_copy_note(RecordCopy *copy, RecordIndex *index, LiveRecord *live)
{
	off_t end = copy->size + (off_t)buffer_size(&copy->unwritten);

	copy->count += live->copy != copy->number;
	live->copy = copy->number;
	live->offsets[!index->current] = end - (off_t)live->size;
}

void record_copy_add(RecordCopy *copy, RecordIndex *index, LiveRecord *live, const Buffer *lines)
{
	if (copy->file < 0 || copy->is_broken)
		return;
	if (!buffer_append(&copy->unwritten, buffer_head(lines), buffer_size(lines)))
		copy->is_broken = true;
	else if (live)
		record_copy_note(copy, index, live);
}

/* Writes at most size bytes of the waiting lines, and preallocates space for their removals. */
static int write_some(RecordCopy *copy, size_t size)
{
	size_t waiting = buffer_size(&copy->unwritten);

	if (size > waiting)
		size = waiting;
	off_t end = copy->size + (off_t)size;
	if (!file_allocate(copy->file, &copy->allocated, end + room_for_removals(copy->count)) ||
	    !file_write_at(copy->file, buffer_head(&copy->unwritten), size, copy->size))
		return -errno;
	buffer_consume(&copy->unwritten, size);
	copy->size = end;
	return 0;
}

/*
 * Adds the lines of the next records, until about size bytes have been read and added. Returns 0 or
 * a negative errno.
 */
static int copy_some(RecordCopy *copy, RecordIndex *index, size_t size)
{
	FilePiece *piece = &copy->piece;
	LiveRecord *live = record_index_at_or_after(index, copy->cursor.kind, copy->cursor.number);
	size_t begin = piece->bytes_read, added = 0;

	for (; live && piece->bytes_read - begin + added < size; live = record_index_next(live)) {
		copy->cursor.kind = live->kind;
		copy->cursor.number = live->number + 1;
		added += sizeof(*live); /* the walk takes time, too */
		if (live->copy == copy->number)
			continue;
		const char *line = file_piece_line(piece, record_offset(index, live), live->size);
		if (!line)
			return -errno;
		if (!buffer_append(&copy->unwritten, line, live->size))
			return -ENOMEM;
		record_copy_note(copy, index, live);
		added += live->size;
	}
	copy->all_copied = !live;
	return 0;
}

int record_copy_step(RecordCopy *copy, const LineFile *file, RecordIndex *index, size_t size)
{
	int error = copy->is_broken ? -ENOMEM : 0;

	copy->piece.file_size = file->size;
	if (error == 0 && !copy->all_copied && buffer_size(&copy->unwritten) < WRITE_SIZE)
		error = copy_some(copy, index, size);
	else if (error == 0)
		error = write_some(copy, size);
	if (error < 0)
		return error;
	return !copy->all_copied || buffer_size(&copy->unwritten) > 0;
}

int record_copy_finish(RecordCopy *copy, LineFile *file, RecordIndex *index, int *ret_old)
{
	off_t end = copy->size + room_for_removals(index->count);
	struct stat status;

	if (!file_allocate(copy->file, &copy->allocated, end) || fstat(copy->file, &status) < 0)
		return -errno;
	if (status.st_nlink == 0) /* removed by somebody else */
		return -ENOENT;
	if (renameat(file->directory, RECORDS_NEW, file->directory, RECORDS) < 0)
		return -errno;
	*ret_old = file->file;
	file->file = TAKE_FD(copy->file);
	file->size = copy->size;
	file->allocated = copy->allocated;
	index->current = !index->current;
	record_copy_deinit(copy);
	return 0;
}
