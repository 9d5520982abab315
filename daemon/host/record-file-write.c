/* SPDX-License-Identifier: MIT */
/* What is written of the record file: lines behind its lines, and all of it anew. */
#include "record-file-write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fd-util.h"
#include "file-bytes.h"
#include "log.h"
#include "record-file-read.h"

/* Room that has to be left behind the lines for saying that so many things are gone. */
static off_t room_for_ends(size_t count)
{
	return (off_t)count * GONE_LINE_SIZE_MAX;
}

/* Nothing that stands behind the lines is one, and what was set aside there is given back. */
static void cut_off(RecordFile *file)
{
	/* That cannot fail for want of anything. */
	if (ftruncate(file->file, file->size) < 0)
		log_error("the record file cannot be cut: %s", strerror(errno));
	file->allocated = file->size;
}

void record_file_make_room(RecordFile *file)
{
	file_allocate(file->file, &file->allocated, file->size + room_for_ends(file->live_count));
}

bool record_file_append(RecordFile *file, size_t live_count)
{
	off_t end = file->size + (off_t)buffer_size(&file->line);

	if (!file_allocate(file->file, &file->allocated, end + room_for_ends(live_count)))
		return false;
	if (file_write_at(file->file, buffer_head(&file->line), buffer_size(&file->line),
			  file->size)) {
		file->size = end;
		return true;
	}
	int error = errno;
	cut_off(file);
	record_file_make_room(file);
	errno = error;
	return false;
}

bool record_file_cross_out(RecordFile *file, const LiveRecord *live)
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

/* --- anew ------------------------------------------------------------------------------------ */

#define COPIED_AT_ONCE (64 << 10)

/* The header and all that is so, into a file that is empty. Returns its size or a negative errno.
 */
static off_t copy_all(RecordFile *file, int to)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_(file_piece_deinit) FilePiece piece = FILE_PIECE_INIT;
	LiveRecord *live;
	off_t written = 0;

	if (!record_header_append(&text, &file->header))
		return -ENOMEM;
	for (live = live_record_first(file); live; live = live_record_next(live)) {
		const char *line = file_piece_line(&piece, file, live);

		if (!line)
			return -errno;
		if (!buffer_append(&text, line, live->size))
			return -ENOMEM;
		if (buffer_size(&text) < COPIED_AT_ONCE)
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

/* The lines stand behind the header, in the tree's order. */
static void live_have_moved(RecordFile *file)
{
	off_t offset = file->size - (off_t)file->live_size;
	LiveRecord *live;

	for (live = live_record_first(file); live; live = live_record_next(live)) {
		live->offset = offset;
		offset += (off_t)live->size;
	}
}

int record_file_write_anew(RecordFile *file)
{
	_cleanup_close_ int anew =
		openat(file->directory, RECORDS_NEW,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	off_t allocated = 0;

	if (anew < 0)
		return -errno;
	off_t size = copy_all(file, anew);
	int error = size < 0 ? (int)size : 0;
	if (error == 0 && !file_allocate(anew, &allocated, size + room_for_ends(file->live_count)))
		error = -errno;
	if (error == 0 && renameat(file->directory, RECORDS_NEW, file->directory, RECORDS) < 0)
		error = -errno;
	if (error < 0) {
		unlinkat(file->directory, RECORDS_NEW, 0);
		return error;
	}
	fd_close(&file->file);
	file->file = TAKE_DESCRIPTOR(anew);
	file->size = size;
	file->allocated = allocated;
	live_have_moved(file);
	return 0;
}

int record_file_compact(RecordFile *file)
{
	int error = record_file_write_anew(file);

	if (error != -ENOSPC && error != -EDQUOT)
		return error;
	/* What is set aside for ends may be all the room that there is. */
	cut_off(file);
	error = record_file_write_anew(file);
	if (error < 0)
		record_file_make_room(file);
	return error;
}
