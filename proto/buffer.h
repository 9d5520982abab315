/* SPDX-License-Identifier: MIT */
#ifndef PROTO_BUFFER_H
#define PROTO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A queue of bytes: appended at the end, consumed from the start. Between calls
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

/* Returns the contents. The pointer is valid, though to no bytes, if the buffer is empty. */
static inline const char *buffer_head(const Buffer *buffer)
{
	return buffer->data ? buffer->data + buffer->start : "";
}

/* The part of buffer_reserve() that makes room. */
bool buffer_make_room(Buffer *buffer, size_t size);

/*
 * Reserves room for size more bytes after the end. The capacity grows in powers of two. Returns
 * false, with the contents unchanged, if out of memory.
 */
static inline bool buffer_reserve(Buffer *buffer, size_t size)
{
	if (buffer->capacity - buffer->end >= size && buffer->data)
		return true;
	return buffer_make_room(buffer, size);
}

/* Returns the end of the contents, after which the reserved bytes lie. */
static inline char *buffer_tail(Buffer *buffer)
{
	return buffer->data + buffer->end;
}

/* Appends a copy of the data. Returns false, with the contents unchanged, if out of memory. */
bool buffer_append(Buffer *buffer, const void *data, size_t size);

/* Removes size bytes from the start. */
void buffer_consume(Buffer *buffer, size_t size);

/* Removes bytes from the end until size bytes are left. */
void buffer_truncate(Buffer *buffer, size_t size);

/* Frees unused memory: all of an empty buffer, and capacity beyond twice the need of others. */
void buffer_shrink(Buffer *buffer);

#endif
