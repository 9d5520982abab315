/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_FD_CALL_H
#define CLIENT_COMMON_FD_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of a D-Bus message that has its size. */
#define FD_CALL_BEGINNING 16

/*
 * Tests whether a D-Bus message is a method call whose only argument is one descriptor, and is so
 * well formed that sd-bus is sure to accept it. sd-bus leaks the descriptors of other messages.
 *
 * size: that of the whole message, as its beginning says.
 */
bool fd_call_is_sound(const uint8_t *message, size_t size);

#endif
