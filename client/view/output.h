/* SPDX-License-Identifier: MIT */
#ifndef VIEW_OUTPUT_H
#define VIEW_OUTPUT_H

#include <stdbool.h>

#include "bitmap.h"
#include "framebuffer.h"

/* Where frames go: a PNG that each replaces, or a descriptor that gets them as bitmaps. */
typedef struct Output {
	const char *path;  /* of the PNG; NULL: there is none */
	int descriptor;    /* of a pipe, a socket or a file; -1: there is none */
	bool is_under_way; /* a frame is half out */
	size_t position;   /* how far it is */
	uint8_t header[BITMAP_HEADER_SIZE];
} Output;

/* Room for the sentence of what cannot be written. */
#define OUTPUT_MESSAGE_SIZE 256

/*
 * Begins to write a frame. As a bitmap it is under way until output_continue() has brought it to
 * its end, and is not to be changed meanwhile. Returns false with a sentence.
 */
bool output_begin(Output *output, const Framebuffer *framebuffer,
		  char ret_message[OUTPUT_MESSAGE_SIZE]);

/* Writes what the descriptor takes without making this process wait. Returns 0 or a negative errno:
 * -EPIPE when nobody reads any more. */
int output_continue(Output *output, const Framebuffer *framebuffer);

/* What to wait for on the descriptor. That nobody reads any more is told in any case. */
short output_events(const Output *output);

#endif
