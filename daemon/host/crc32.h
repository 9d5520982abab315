/* SPDX-License-Identifier: MIT */
#ifndef HOST_CRC32_H
#define HOST_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of zlib, PNG and Ethernet: finds what was cut, changed or mixed by accident. */
uint32_t crc32_of(const char *data, size_t size);

#endif
