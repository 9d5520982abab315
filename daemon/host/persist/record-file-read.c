/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file-read.h"

#include <errno.h>

#include "daemon/host/persist/file-io.h"

#define WINDOW_SIZE (64u << 10)

void file_piece_deinit(FilePiece *piece)
{
	buffer_deinit(&piece->text);
}

const char *file_piece_line(FilePiece *piece, const LiveRecord *live)
{
	off_t end = piece->offset + (off_t)buffer_size(&piece->text);
	size_t size = (size_t)(piece->file_size - live->offset);

	if (live->offset >= piece->offset && live->offset + (off_t)live->size <= end)
		return buffer_head(&piece->text) + (live->offset - piece->offset);
	if (size > WINDOW_SIZE)
		size = live->size > WINDOW_SIZE ? live->size : WINDOW_SIZE;
	buffer_truncate(&piece->text, 0);
	if (!buffer_reserve(&piece->text, size)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!file_read_at(piece->file, buffer_tail(&piece->text), size, live->offset))
		return NULL;
	piece->text.end += size;
	piece->offset = live->offset;
	return buffer_head(&piece->text);
}
