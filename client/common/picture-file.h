/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_PICTURE_FILE_H
#define CLIENT_COMMON_PICTURE_FILE_H

#include <stdbool.h>

#include "client/common/png.h"

/*
 * Writes the picture as a PNG file to the path that a user has named, see atomic-file.h. Returns
 * false on failure, with the reason in ret_message, which has size bytes.
 */
bool picture_write_file(const Picture *picture, const char *path, char *ret_message, size_t size);

#endif
