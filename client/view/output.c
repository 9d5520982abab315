/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "draft.h"
#include "macros.h"
#include "picture.h"

static bool write_picture(const char *path, const Framebuffer *framebuffer,
			  char ret_message[OUTPUT_MESSAGE_SIZE])
{
	_cleanup_(draft_deinit) Draft draft = { 0 };
	Picture picture = { framebuffer->width, framebuffer->height, framebuffer->format,
			    framebuffer->stride, framebuffer->pixels };
	int error = draft_init(&draft, path);

	if (error == 0 && !picture_write(&picture, draft.out, ret_message, OUTPUT_MESSAGE_SIZE))
		return false;
	if (error == 0)
		error = draft_finish(&draft, path);
	if (error < 0)
		snprintf(ret_message, OUTPUT_MESSAGE_SIZE, "%s", strerror(-error));
	return error == 0;
}

bool output_begin(Output *output, const Framebuffer *framebuffer,
		  char ret_message[OUTPUT_MESSAGE_SIZE])
{
	if (output->path)
		return write_picture(output->path, framebuffer, ret_message);
	bitmap_header(framebuffer, output->header);
	output->position = 0;
	output->is_under_way = true;
	return true;
}

/* Whether the descriptor can be written to, or has failed, right now. */
static bool is_writable(int descriptor)
{
	struct pollfd watch = { .fd = descriptor, .events = POLLOUT };

	return poll(&watch, 1, 0) > 0;
}

int output_continue(Output *output, const Framebuffer *framebuffer)
{
	size_t size = bitmap_size(framebuffer);
	const uint8_t *bytes;

	while (output->is_under_way && is_writable(output->descriptor)) {
		size_t count = bitmap_bytes(framebuffer, output->header, output->position, &bytes);
		/* A pipe that can be written to takes so many at once, though it is not set to
		 * return rather than wait: that would be so for whoever else has it open, too. */
		ssize_t written =
			write(output->descriptor, bytes, count < PIPE_BUF ? count : PIPE_BUF);

		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		output->position += written > 0 ? (size_t)written : 0;
		output->is_under_way = output->position < size;
	}
	return 0;
}

short output_events(const Output *output)
{
	return output->is_under_way ? POLLOUT : 0;
}
