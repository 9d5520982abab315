/* SPDX-License-Identifier: MIT */
/*
 * The bounds of an object's planes, daemon/api/object-settings.c.
 *
 * Proved: check_plane_fits() accepts a plane only if each row that holders compute from the
 * description lies inside the memory, up to the last byte of the last row. No sum or product
 * overflows on the way, whatever offset and stride the sharer sends.
 *
 * Assumed: a plane has 1 to 65536 rows, of which plane_rows proves the number. Its rows have any
 * number of bytes, or an unknown one.
 *
 * Bound: 1, 2 and 65537 rows. Their number less one only multiplies the stride, by a builtin that
 * reports each overflow, and CBMC can multiply fast only by a power of two.
 */
/* The functions are static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "daemon/api/object-settings.c"
#include "tests/proofs/proof.h"

ObjectDescription nondet_description(void);
FdInfo nondet_fd_info(void);

static Request request;

/* Replaces the table of formats by any layout with this number of rows. */
static PlaneRows any_rows;

PlaneRows pixel_format_rows(const char *format, size_t plane, uint64_t width, uint64_t height)
{
	(void)format, (void)plane, (void)width, (void)height;
	return any_rows;
}

static void check_rows(uint64_t count)
{
	ObjectDescription description = nondet_description();
	const ObjectPlane *plane = &description.planes[0];
	FdInfo facts = nondet_fd_info();

	any_rows = (PlaneRows){ .count = count, .size = nondet_size() };
	if (check_plane_fits(&request, &description, 0, &facts) != STATUS_SUCCESS)
		return;
	uint64_t last_row = any_rows.size > 0 ? any_rows.size : plane->stride;
	assert(plane->stride > 0);
	assert(plane->offset + (unsigned __int128)plane->stride * (count - 1) + last_row <=
	       facts.size);
}

PROOF(plane_fits)
{
	check_rows(1);
	check_rows(2);
	check_rows(SIDE_MAX + 1);
}
