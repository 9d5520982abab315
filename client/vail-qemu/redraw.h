/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_REDRAW_H
#define CLIENT_VAIL_QEMU_REDRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/vail-qemu/damage.h"
#include <vail.h>

/*
 * Finds what a redraw has changed, because QEMU and guests redraw much that has not changed. QEMU
 * only names the rectangle, so a copy of the picture is kept to compare with. The copy is what
 * watchers have read or will read after the updates that were sent.
 */

/*
 * Comparing may use an eighth of a CPU, and 100 ms at once. Beyond that, redraws count as changes.
 * All times are in nanoseconds.
 */
#define CPU_BUDGET_PART 8
#define CPU_BUDGET_MAX  100000000

typedef struct CpuBudget {
	int64_t left;
	int64_t filled_at; /* time of the last refill */
} CpuBudget;

/* Adds the part of the time that has passed. Returns whether anything is left. */
bool cpu_budget_refill(CpuBudget *budget, int64_t at);

typedef struct Redraw {
	CpuBudget budget;
	uint8_t *picture; /* a copy of the rows, in the order of the memory and without gaps */
	size_t row_size;
	uint32_t rows;
	bool is_known;    /* the picture is what watchers have read */
	bool was_redrawn; /* since it is not known */
	uint8_t *chunk;   /* rows of the memory while they are compared */
	size_t chunk_size;
} Redraw;

void redraw_init(Redraw *redraw);
void redraw_deinit(Redraw *redraw);

/*
 * Copies the picture of a new object. Call before the object is shared. Objects that the CPU cannot
 * read row by row are left alone: all their redraws count as changes.
 */
void redraw_begin(Redraw *redraw, const VailObject *object);

/* Forgets the picture. Call when another object becomes the current one. */
void redraw_forget(Redraw *redraw);

/*
 * Adds to the damage what the redraw of this rectangle of the picture has changed. The object must
 * be the one of the last redraw_begin(), or shown after the last redraw_forget().
 */
void redraw_compare(Redraw *redraw, const VailObject *object, const VailRectangle *rectangle,
		    Damage *damage);

/*
 * Copies rows of pixels from QEMU to the image, at the rectangle's place in the picture, whose top
 * row comes first in memory. Adds to the damage what differs.
 *
 * image: of the object.
 * from: the rectangle's pixels; stride is that of its rows, in bytes.
 */
void redraw_copy(const VailObject *object, uint8_t *image, const VailRectangle *rectangle,
		 const uint8_t *from, size_t stride, Damage *damage);

#endif
