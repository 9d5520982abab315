/* SPDX-License-Identifier: MIT */
#include "proto/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_SMALLEST 256

void buffer_deinit(Buffer *buffer)
{
	free(buffer->data);
	*buffer = BUFFER_INIT;
}

/* Returns the smallest power of two of at least size bytes, or 0 if size_t cannot hold it. */
static size_t capacity_for(size_t size)
{
	size_t capacity = BUFFER_SMALLEST;

	while (capacity < size) {
		if (capacity > SIZE_MAX / 2)
			return 0;
		capacity *= 2;
	}
	return capacity;
}

static bool buffer_move_to(Buffer *buffer, size_t capacity)
{
	size_t size = buffer_size(buffer);
	char *data = malloc(capacity);

	if (!data)
		return false;
	if (size > 0)
		memcpy(data, buffer_head(buffer), size);
	free(buffer->data);
	*buffer = (Buffer){ .data = data, .end = size, .capacity = capacity };
	return true;
}

bool buffer_make_room(Buffer *buffer, size_t size)
{
	size_t held = buffer_size(buffer);

	if (size > SIZE_MAX - held)
		return false;
	/* Move the bytes down only if that frees at least as much as it copies. */
	if (buffer->capacity - held >= size && buffer->start >= held && buffer->data) {
		memmove(buffer->data, buffer_head(buffer), held);
		buffer->start = 0;
		buffer->end = held;
		return true;
	}
	size_t capacity = capacity_for(held + size);
	return capacity > 0 && buffer_move_to(buffer, capacity);
}

bool buffer_append(Buffer *buffer, const void *data, size_t size)
{
	if (size == 0)
		return true;
	if (!buffer_reserve(buffer, size))
		return false;
	memcpy(buffer_tail(buffer), data, size);
	buffer->end += size;
	return true;
}

void buffer_consume(Buffer *buffer, size_t size)
{
	assert(size <= buffer_size(buffer));

	buffer->start += size;
	if (buffer->start == buffer->end)
		buffer->start = buffer->end = 0;
}

void buffer_truncate(Buffer *buffer, size_t size)
{
	assert(size <= buffer_size(buffer));

	buffer->end = buffer->start + size;
	if (size == 0)
		buffer->start = buffer->end = 0;
}

void buffer_shrink(Buffer *buffer)
{
	size_t size = buffer_size(buffer);

	if (size == 0) {
		buffer_deinit(buffer);
		return;
	}
	size_t capacity = capacity_for(size);
	if (buffer->capacity / 2 > capacity)
		buffer_move_to(buffer, capacity); /* if this fails, the buffer stays large */
}
