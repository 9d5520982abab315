/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_FILE_READ_H
#define DAEMON_HOST_PERSIST_RECORD_FILE_READ_H

#include <sys/types.h>

#include "proto/buffer.h"

/* A window onto the record file, so that one read serves many adjacent lines. */
typedef struct FilePiece {
	int file;        /* not owned */
	off_t file_size; /* the end of the last line */
	Buffer text;
	off_t offset;      /* of the text in the file */
	size_t bytes_read; /* from the file, in total */
} FilePiece;

#define FILE_PIECE_INIT(fd, size) \
	((FilePiece){ .file = (fd), .file_size = (size), .text = BUFFER_INIT })

void file_piece_deinit(FilePiece *piece);

/*
 * Returns the size bytes of a line at the offset, including its newline. The pointer is valid until
 * the next call. Returns NULL, with errno set, if the file cannot be read or memory is exhausted.
 */
const char *file_piece_line(FilePiece *piece, off_t offset, size_t size);

#endif
