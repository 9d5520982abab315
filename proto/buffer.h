/* SPDX-License-Identifier: MIT */
#ifndef PROTO_BUFFER_H
#define PROTO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes on their way: appended at the end, taken from the start. Between calls
 * start <= end <= capacity, and an empty buffer has start == end == 0.
 */
typedef struct Buffer {
	char *data;
	size_t start;
	size_t end;
	size_t capacity;
} Buffer;

#define BUFFER_INIT ((Buffer){ 0 })

void buffer_deinit(Buffer *buffer);

static inline size_t buffer_size(const Buffer *buffer)
{
	return buffer->end - buffer->start;
}

static inline const char *buffer_head(const Buffer *buffer)
{
	return buffer->data + buffer->start;
}

/*
 * Makes room for size more bytes behind the end, growing in powers of two. Returns false, with the
 * contents untouched, when there is no memory.
 */
bool buffer_reserve(Buffer *buffer, size_t size);

/* Where appended bytes go; at least as many as were reserved fit. */
static inline char *buffer_tail(Buffer *buffer)
{
	return buffer->data + buffer->end;
}

bool buffer_append(Buffer *buffer, const void *data, size_t size);

/* Takes size bytes from the start. */
void buffer_consume(Buffer *buffer, size_t size);

/* Forgets what was appended since buffer_size() was size. */
void buffer_truncate(Buffer *buffer, size_t size);

/* Gives memory back: all of it from an empty buffer, what is beyond twice the need from others. */
void buffer_shrink(Buffer *buffer);

#endif
