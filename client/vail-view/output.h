/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_OUTPUT_H
#define CLIENT_VAIL_VIEW_OUTPUT_H

#include <stdbool.h>

#include "client/vail-view/bitmap.h"
#include "client/vail-view/framebuffer.h"

/* The destination of frames: a PNG file that each frame replaces, or an fd that gets BMP files. */
typedef struct Output {
	const char *path; /* of the PNG file; NULL for BMP output */
	int fd;           /* fd of a pipe, socket or file; -1 for PNG output */
	bool is_writing;  /* a frame is partly written */
	size_t position;  /* number of its bytes that are written */
	uint8_t header[BITMAP_HEADER_SIZE];
} Output;

/* Buffer size for the messages below. */
#define OUTPUT_MESSAGE_SIZE 256

/* Writes a frame as a PNG file. Returns false on failure, with the reason in ret_message. */
bool output_write_png(const char *path, const Framebuffer *framebuffer,
		      char ret_message[OUTPUT_MESSAGE_SIZE]);

/*
 * Writes a frame as PNG, or starts to write it as BMP. A BMP frame must not change until
 * output_continue() has written the rest and is_writing is false. Returns false on failure, with
 * the reason in ret_message.
 */
bool output_begin(Output *output, const Framebuffer *framebuffer,
		  char ret_message[OUTPUT_MESSAGE_SIZE]);

/*
 * Writes as much of the current BMP frame as possible without blocking. Returns 0, or a negative
 * errno; -EPIPE if the reader has closed its end.
 */
int output_continue(Output *output, const Framebuffer *framebuffer);

/*
 * Returns the poll() events to wait for. POLLERR and POLLHUP report that the reader has closed its
 * end.
 */
short output_events(const Output *output);

#endif
