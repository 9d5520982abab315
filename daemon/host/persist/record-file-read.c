/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-file-read.h"

#include <errno.h>

#include "daemon/host/persist/file-io.h"

/* Lines of records that change often are scattered; larger windows would read too much for each. */
#define WINDOW_SIZE (16u << 10)

void file_piece_deinit(FilePiece *piece)
{
	buffer_deinit(&piece->text);
}

const char *file_piece_line(FilePiece *piece, off_t offset, size_t size)
{
	off_t end = piece->offset + (off_t)buffer_size(&piece->text);
	size_t wanted = (size_t)(piece->file_size - offset);

	if (offset >= piece->offset && offset + (off_t)size <= end)
		return buffer_head(&piece->text) + (offset - piece->offset);
	if (wanted > WINDOW_SIZE)
		wanted = size > WINDOW_SIZE ? size : WINDOW_SIZE;
	buffer_truncate(&piece->text, 0);
	if (!buffer_reserve(&piece->text, wanted)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!file_read_at(piece->file, buffer_tail(&piece->text), wanted, offset))
		return NULL;
	piece->text.end += wanted;
	piece->offset = offset;
	piece->bytes_read += wanted;
	return buffer_head(&piece->text);
}
