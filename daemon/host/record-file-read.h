/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECORD_FILE_READ_H
#define HOST_RECORD_FILE_READ_H

#include "buffer.h"
#include "record-file.h"

/* A piece of the file, so that lines that stand together are read at once. */
typedef struct FilePiece {
	Buffer text;
	off_t offset;
} FilePiece;

#define FILE_PIECE_INIT ((FilePiece){ .text = BUFFER_INIT })

void file_piece_deinit(FilePiece *piece);

/* The line as it stands in the file, with its end, until the next is asked for; NULL with errno. */
const char *file_piece_line(FilePiece *piece, const RecordFile *file, const LiveRecord *live);

#endif
