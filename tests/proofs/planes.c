/* SPDX-License-Identifier: MIT */
/*
 * The bounds of an object's planes, daemon/api/object-settings.c.
 *
 * Proved: check_plane_fits() accepts a plane only if each row that holders compute from the
 * description lies inside the memory, with all its bytes. No sum or product overflows on the way,
 * whatever offset and stride the sharer sends. No plane has more rows than the object's height, and
 * each has one at least.
 *
 * Assumed: width and height are 1 to 65536, which read_resource() has checked.
 *
 * Bound: for the sizes, the first plane with the smallest and the largest height.
 * The height only multiplies the stride, by a builtin that reports each overflow, and CBMC can
 * multiply fast only by a constant. The other planes differ only in their number of rows.
 */
/* The functions are static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "daemon/api/object-settings.c"
#include "tests/proofs/proof.h"

ObjectDescription nondet_description(void);
FdInfo nondet_fd_info(void);

static Request request;

PROOF(plane_rows)
{
	ObjectDescription description = nondet_description();
	size_t index = nondet_size();

	assume(index < OBJECT_PLANES_MAX);
	assume(description.height >= 1 && description.height <= SIDE_MAX);
	description.format[4] = '\0';
	uint64_t rows = rows_of_plane(&description, index);

	assert(rows >= 1 && rows <= description.height);
}

static void check_height(uint64_t height)
{
	ObjectDescription description = nondet_description();
	const ObjectPlane *plane = &description.planes[0];
	FdInfo facts = nondet_fd_info();

	description.height = height;
	if (check_plane_fits(&request, &description, 0, &facts) != STATUS_SUCCESS)
		return;
	assert(plane->stride > 0);
	assert(plane->offset + (unsigned __int128)plane->stride * height <= facts.size);
}

PROOF(plane_fits)
{
	check_height(1);
	check_height(SIDE_MAX);
}
