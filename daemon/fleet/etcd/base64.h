/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_BASE64_H
#define DAEMON_FLEET_ETCD_BASE64_H

#include "proto/buffer.h"

/* Base64 with padding and without line breaks (RFC 4648, section 4). */

/* Appends the encoded data. Returns false, with the contents unchanged, if out of memory. */
bool base64_encode(Buffer *out, const void *data, size_t size);

typedef enum Base64Result {
	BASE64_DECODED,
	BASE64_MALFORMED,
	BASE64_NO_MEMORY,
} Base64Result;

/* Appends the decoded text, which ends with a NUL. The contents are unchanged on failure. */
Base64Result base64_decode(Buffer *out, const char *text);

#endif
