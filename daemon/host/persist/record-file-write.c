/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file-write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/persist/record-line.h"

void line_file_cut_off(LineFile *file)
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
	line_file_cut_off(file);
	line_file_preallocate(file, record_count);
	errno = error;
	return false;
}

bool line_file_invalidate(LineFile *file, off_t offset)
{
	char checksum[LINE_CHECKSUM_SIZE];

	if (!file_read_at(file->file, checksum, sizeof(checksum), offset))
		return false;
	if (!line_checksum_invert(checksum)) {
		errno = EBADMSG;
		return false;
	}
	return file_write_at(file->file, checksum, sizeof(checksum), offset);
}
