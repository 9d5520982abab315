/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_GUEST_SIZE_H
#define CLIENT_VAIL_VIEW_GUEST_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/vail-view/placement.h"

/*
 * Decides when the guest is asked for a screen of the window's size: once, when the window has not
 * been resized for some time. Times are in milliseconds. This module does no I/O.
 */

/* Time for which a window that is being resized keeps its size, in milliseconds. */
#define GUEST_SIZE_SETTLED 250

/* No time for due_at. */
#define GUEST_SIZE_NEVER INT64_MAX

typedef struct GuestSize {
	Size asked;     /* that the guest was asked for last; all zero at first */
	int64_t due_at; /* when to look at the window's size, or GUEST_SIZE_NEVER */
} GuestSize;

#define GUEST_SIZE_INIT ((GuestSize){ .due_at = GUEST_SIZE_NEVER })

/* Notes that the size of the window has changed. */
void guest_size_note(GuestSize *size, int64_t now);

/*
 * Tests whether the guest has to be asked for this size now.
 *
 * size: of the window; its settled size if the time is due.
 */
bool guest_size_is_due(GuestSize *guest_size, Size size, int64_t now);

#endif
