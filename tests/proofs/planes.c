/* SPDX-License-Identifier: MIT */
/*
 * The bounds of an object's planes, daemon/api/object-settings.c and proto/pixel-format.c.
 *
 * Proved: check_plane_fits() accepts a plane only if each row that holders compute from the
 * description lies inside the memory, up to the last byte of the last row. No sum or product
 * overflows on the way, whatever offset and stride the sharer sends. No plane has more rows than
 * the object's height, and each has one at least. No row has more than 16 bytes for each pixel.
 *
 * Assumed: width and height are 1 to 65536, which read_resource() has checked.
 *
 * Bound: for the sizes, the smallest and the largest image of a format with one plane, of a format
 * with another number of rows in its second plane, and of an unknown format. The number of rows
 * only multiplies the stride, by a builtin that reports each overflow, and CBMC can multiply fast
 * only by a constant. Other formats differ only in the numbers that plane_rows bounds.
 */
/* The functions are static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "daemon/api/object-settings.c"
#include "tests/proofs/proof.h"

/* The largest pixel has four channels of 32 bits. */
#define PIXEL_SIZE_MAX 16

ObjectDescription nondet_description(void);
FdInfo nondet_fd_info(void);

static Request request;

PROOF(plane_rows)
{
	ObjectDescription description = nondet_description();
	size_t index = nondet_size();

	assume(index < OBJECT_PLANES_MAX);
	assume(description.width >= 1 && description.width <= SIDE_MAX);
	assume(description.height >= 1 && description.height <= SIDE_MAX);
	description.format[4] = '\0';
	PlaneRows rows = rows_of_plane(&description, index);

	assert(rows.count >= 1 && rows.count <= description.height);
	assert(rows.size <= description.width * PIXEL_SIZE_MAX);
}

static void check_size(const char *format, size_t index, uint64_t side)
{
	ObjectDescription description = nondet_description();
	const ObjectPlane *plane = &description.planes[index];
	FdInfo facts = nondet_fd_info();

	description.width = description.height = side;
	description.modifier = 0;
	memcpy(description.format, format, sizeof(description.format));
	if (check_plane_fits(&request, &description, index, &facts) != STATUS_SUCCESS)
		return;
	PlaneRows rows = rows_of_plane(&description, index);
	uint64_t last_row = rows.size > 0 ? rows.size : plane->stride;
	assert(plane->stride > 0);
	assert(plane->offset + (unsigned __int128)plane->stride * (rows.count - 1) + last_row <=
	       facts.size);
}

PROOF(plane_fits)
{
	check_size("XR24", 0, 1);
	check_size("XR24", 0, SIDE_MAX);
	check_size("NV12", 1, 1);
	check_size("NV12", 1, SIDE_MAX);
	check_size("ABCD", 0, 1);
	check_size("ABCD", 0, SIDE_MAX);
}
