/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_DISPLAY_INFO_H
#define CLIENT_LIBVAIL_DISPLAY_INFO_H

/* Reads and writes vaild's descriptions of display channels. */

#include "client/libvail/parameters.h"

/* Decodes a channel. Its strings are borrowed from value. */
VailDisplay display_read(const JsonValue *value);

/* Writes the array of the names of rights. Marks the call as invalid if a right is unknown. */
void put_rights(Parameters *parameters, unsigned int rights);

#endif
