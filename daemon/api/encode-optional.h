/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_ENCODE_OPTIONAL_H
#define DAEMON_API_ENCODE_OPTIONAL_H

#include "proto/json-writer.h"

/* Writes a string member, or nothing if value is NULL. */
#define OPTIONAL_STRING(writer, name, value) \
	write_optional_string((writer), "\"" name "\":", sizeof("\"" name "\":") - 1, (value))

static inline void write_optional_string(Writer *writer, const char *quoted_key, size_t length,
					 const char *value)
{
	if (!value)
		return;
	writer_key_quoted(writer, quoted_key, length);
	writer_string(writer, value);
}

#endif
