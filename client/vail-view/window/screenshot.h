/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_SCREENSHOT_H
#define CLIENT_VAIL_VIEW_WINDOW_SCREENSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/vail-view/framebuffer.h"

/*
 * Saves the picture as a PNG file in the current folder, named after the time. Writes to ret_note,
 * which has size bytes, where it is, or why it could not be saved. Returns whether it was.
 */
bool screenshot_save(const Framebuffer *framebuffer, char *ret_note, size_t size);

#endif
