/* SPDX-License-Identifier: MIT */
/*
 * The rows of a plane, proto/pixel-format.c.
 *
 * Proved: for every layout in the table, a plane has at least one row, and no more than the image.
 * A row has at least one byte, and at most 16 for each pixel. No sum or product overflows.
 *
 * Assumed: width and height are 1 to 65536, as the daemon requires.
 */
/* The table is static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "proto/pixel-format.c"
#include "tests/proofs/proof.h"

#define SIDE_MAX 65536

/* The largest pixel has four channels of 32 bits. */
#define PIXEL_SIZE_MAX 16

PROOF(plane_rows)
{
	size_t format = nondet_size(), plane = nondet_size(), width = nondet_size(),
	       height = nondet_size();

	assume(format < ARRAY_SIZE(formats) && plane < PLANES_MAX);
	assume(width >= 1 && width <= SIDE_MAX && height >= 1 && height <= SIDE_MAX);
	const PlaneLayout *layout = &formats[format].planes[plane];
	if (layout->block_size == 0)
		return;
	PlaneRows rows = rows_in(layout, width, height);

	assert(rows.count >= 1 && rows.count <= height);
	assert(rows.size >= 1 && rows.size <= width * PIXEL_SIZE_MAX);
}
