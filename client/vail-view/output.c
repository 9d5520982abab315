/* SPDX-License-Identifier: MIT */
#include "client/vail-view/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "client/common/picture-file.h"

bool output_write_png(const char *path, const Framebuffer *framebuffer,
		      char ret_message[OUTPUT_MESSAGE_SIZE])
{
	ptrdiff_t stride = (ptrdiff_t)framebuffer->stride;
	Picture picture = { framebuffer->width, framebuffer->height, framebuffer->format,
			    framebuffer->is_bottom_up ? -stride : stride,
			    framebuffer_row(framebuffer, 0) };

	return picture_write_file(&picture, path, ret_message, OUTPUT_MESSAGE_SIZE);
}

bool output_begin(Output *output, const Framebuffer *framebuffer,
		  char ret_message[OUTPUT_MESSAGE_SIZE])
{
	if (output->path)
		return output_write_png(output->path, framebuffer, ret_message);
	bitmap_header(framebuffer, output->header);
	output->position = 0;
	output->is_writing = true;
	return true;
}

/* Tests whether write() would not block: the fd accepts data, or has failed. */
static bool is_writable(int fd)
{
	struct pollfd watch = { .fd = fd, .events = POLLOUT };

	return poll(&watch, 1, 0) > 0;
}

int output_continue(Output *output, const Framebuffer *framebuffer)
{
	size_t size = bitmap_size(framebuffer);
	const uint8_t *bytes;

	while (output->is_writing && is_writable(output->fd)) {
		size_t count = bitmap_bytes(framebuffer, output->header, output->position, &bytes);
		/*
		 * A writable pipe accepts PIPE_BUF bytes without blocking. O_NONBLOCK would avoid
		 * the limit, but it would affect every process that shares the pipe.
		 */
		ssize_t written = write(output->fd, bytes, count < PIPE_BUF ? count : PIPE_BUF);

		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		output->position += written > 0 ? (size_t)written : 0;
		output->is_writing = output->position < size;
	}
	return 0;
}

short output_events(const Output *output)
{
	return output->is_writing ? POLLOUT : 0;
}
