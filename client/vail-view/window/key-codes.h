/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_KEY_CODES_H
#define CLIENT_VAIL_VIEW_WINDOW_KEY_CODES_H

#include <stdint.h>

/*
 * Returns QEMU's number of the key at this place of the keyboard, or 0 if it has none. The keyboard
 * layout of the desktop does not matter.
 *
 * scan_code: an SDL_Scancode.
 */
uint8_t key_code(int scan_code);

#endif
