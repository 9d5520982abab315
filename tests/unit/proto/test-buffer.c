/* SPDX-License-Identifier: MIT */
/* A buffer returns the appended bytes in order, however appends, consumes and growth mix. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buffer.h"

TestSuite(buffer);

static void check(const Buffer *buffer)
{
	cr_assert_leq(buffer->start, buffer->end);
	cr_assert_leq(buffer->end, buffer->capacity);
	if (buffer->start == buffer->end)
		cr_assert_eq(buffer->start, 0u, "an empty buffer starts at offset 0");
}

/* Arithmetic on NULL, and memcpy() or memchr() with it, are undefined even for 0 bytes. */
Test(buffer, an_empty_buffer_has_contents_that_can_be_copied)
{
	Buffer buffer = BUFFER_INIT;

	cr_assert_not_null(buffer_head(&buffer));
	cr_assert(buffer_append(&buffer, "x", 1));
	cr_assert_eq(*buffer_head(&buffer), 'x');
	buffer_deinit(&buffer);
	cr_assert_not_null(buffer_head(&buffer));
}

/* Random appends and consumes: each byte comes out once, in order. */
Test(buffer, bytes_come_out_in_order)
{
	Buffer buffer = BUFFER_INIT;
	unsigned int in = 0, out = 0;
	uint64_t dice = 7;

	for (int step = 0; step < 20000; step++) {
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		size_t size = (size_t)(dice >> 33) % 700;
		uint8_t bytes[700];

		if (dice >> 63) {
			for (size_t i = 0; i < size; i++)
				bytes[i] = (uint8_t)in++;
			cr_assert(buffer_append(&buffer, bytes, size));
		} else {
			size_t take = size < buffer_size(&buffer) ? size : buffer_size(&buffer);
			for (size_t i = 0; i < take; i++)
				cr_assert_eq((uint8_t)buffer_head(&buffer)[i], (uint8_t)out++);
			buffer_consume(&buffer, take);
		}
		if (step % 97 == 0)
			buffer_shrink(&buffer);
		check(&buffer);
		cr_assert_eq(buffer_size(&buffer), in - out);
	}
	buffer_deinit(&buffer);
}

Test(buffer, reserved_room_is_usable)
{
	Buffer buffer = BUFFER_INIT;

	for (size_t size = 1; size < 100000; size = size * 3 + 1) {
		cr_assert(buffer_reserve(&buffer, size));
		memset(buffer_tail(&buffer), 'x', size); /* ASan fails the test if it is not */
		buffer.end += size;
		buffer_consume(&buffer, size / 2);
		check(&buffer);
	}
	buffer_deinit(&buffer);
}

Test(buffer, impossible_sizes_are_refused_without_loss)
{
	Buffer buffer = BUFFER_INIT;

	cr_assert(buffer_append(&buffer, "abc", 3));
	cr_assert_not(buffer_reserve(&buffer, SIZE_MAX));
	cr_assert_not(buffer_reserve(&buffer, SIZE_MAX - 2));
	cr_assert_not(buffer_reserve(&buffer, SIZE_MAX / 2 + 1));
	cr_assert_eq(buffer_size(&buffer), 3u);
	cr_assert_eq(memcmp(buffer_head(&buffer), "abc", 3), 0);
	buffer_deinit(&buffer);
}

Test(buffer, truncate_and_shrink)
{
	Buffer buffer = BUFFER_INIT;
	char large[5000] = { 0 };

	cr_assert(buffer_append(&buffer, large, sizeof(large)));
	buffer_truncate(&buffer, 10);
	check(&buffer);
	cr_assert_eq(buffer_size(&buffer), 10u);
	size_t before = buffer.capacity;
	buffer_shrink(&buffer);
	cr_assert_lt(buffer.capacity, before);
	cr_assert_eq(buffer_size(&buffer), 10u);
	buffer_truncate(&buffer, 0);
	check(&buffer);
	buffer_shrink(&buffer);
	cr_assert_null(buffer.data);
	cr_assert(buffer_append(&buffer, "", 0));
	cr_assert_null(buffer.data, "appending 0 bytes allocates nothing");
}
