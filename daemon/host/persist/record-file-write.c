/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file-write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/persist/record-file-read.h"
#include "proto/fd-util.h"

/* Returns the space needed to append a removal line for each persisted record. */
static off_t room_for_removals(size_t record_count)
{
	return (off_t)record_count * REMOVAL_LINE_SIZE_MAX;
}

/* Cuts off everything behind the last line, including preallocated space. */
static void cut_off(LineFile *file)
{
	/* Shrinking a file needs no resources. */
	if (ftruncate(file->file, file->size) < 0)
		log_error("cannot truncate the record file: %s", strerror(errno));
	file->allocated = file->size;
}

void line_file_preallocate(LineFile *file, size_t record_count)
{
	file_allocate(file->file, &file->allocated, file->size + room_for_removals(record_count));
}

bool line_file_append(LineFile *file, const Buffer *lines, size_t record_count)
{
	off_t end = file->size + (off_t)buffer_size(lines);

	if (!file_allocate(file->file, &file->allocated, end + room_for_removals(record_count)))
		return false;
	if (file_write_at(file->file, buffer_head(lines), buffer_size(lines), file->size)) {
		file->size = end;
		return true;
	}
	int error = errno;
	cut_off(file);
	line_file_preallocate(file, record_count);
	errno = error;
	return false;
}

bool line_file_invalidate(LineFile *file, const LiveRecord *live)
{
	char checksum[LINE_CHECKSUM_SIZE];

	if (!file_read_at(file->file, checksum, sizeof(checksum), live->offset))
		return false;
	if (!line_checksum_invert(checksum)) {
		errno = EBADMSG;
		return false;
	}
	return file_write_at(file->file, checksum, sizeof(checksum), live->offset);
}

/* --- rewriting ------------------------------------------------------------------------------- */

#define WRITE_SIZE (64 << 10)

/* Writes the header and all records to an empty file. Returns its size or a negative errno. */
static off_t copy_all(const LineFile *file, const RecordHeader *header, const RecordIndex *index,
		      int to)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_(file_piece_deinit) FilePiece piece = FILE_PIECE_INIT(file->file, file->size);
	LiveRecord *live;
	off_t written = 0;

	if (!record_header_append(&text, header))
		return -ENOMEM;
	for (live = record_index_first(index); live; live = record_index_next(live)) {
		const char *line = file_piece_line(&piece, live);

		if (!line)
			return -errno;
		if (!buffer_append(&text, line, live->size))
			return -ENOMEM;
		if (buffer_size(&text) < WRITE_SIZE)
			continue;
		if (!file_write_at(to, buffer_head(&text), buffer_size(&text), written))
			return -errno;
		written += (off_t)buffer_size(&text);
		buffer_truncate(&text, 0);
	}
	if (!file_write_at(to, buffer_head(&text), buffer_size(&text), written))
		return -errno;
	return written + (off_t)buffer_size(&text);
}

/* Updates the offsets after a rewrite, which puts the lines behind the header in index order. */
static void update_offsets(RecordIndex *index, off_t file_size)
{
	off_t offset = file_size - (off_t)index->size;
	LiveRecord *live;

	for (live = record_index_first(index); live; live = record_index_next(live)) {
		live->offset = offset;
		offset += (off_t)live->size;
	}
}

int line_file_rewrite(LineFile *file, const RecordHeader *header, RecordIndex *index)
{
	_cleanup_close_ int new_file =
		openat(file->directory, RECORDS_NEW,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	off_t allocated = 0;

	if (new_file < 0)
		return -errno;
	off_t size = copy_all(file, header, index, new_file);
	int error = size < 0 ? (int)size : 0;
	if (error == 0 &&
	    !file_allocate(new_file, &allocated, size + room_for_removals(index->count)))
		error = -errno;
	if (error == 0 && renameat(file->directory, RECORDS_NEW, file->directory, RECORDS) < 0)
		error = -errno;
	if (error < 0) {
		unlinkat(file->directory, RECORDS_NEW, 0);
		return error;
	}
	fd_close(&file->file);
	file->file = TAKE_FD(new_file);
	file->size = size;
	file->allocated = allocated;
	update_offsets(index, size);
	return 0;
}

int line_file_compact(LineFile *file, const RecordHeader *header, RecordIndex *index)
{
	int error = line_file_rewrite(file, header, index);

	if (error != -ENOSPC && error != -EDQUOT)
		return error;
	/* The preallocated space may be the last free space in the file system. */
	cut_off(file);
	error = line_file_rewrite(file, header, index);
	if (error < 0)
		line_file_preallocate(file, index->count);
	return error;
}
