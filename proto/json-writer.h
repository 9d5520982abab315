/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_WRITER_H
#define PROTO_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/guid.h"

/*
 * Writes JSON directly into a buffer, without building a tree. The caller pairs begin and end, and
 * writes a key before each member of an object; the writer inserts commas. If memory runs out, all
 * later calls do nothing, and the owner of the buffer truncates it.
 */
typedef struct Writer {
	Buffer *out;
	bool comma; /* the next value needs a comma before it */
	bool failed;
} Writer;

#define WRITER_INIT(buffer) ((Writer){ .out = (buffer) })

void writer_object_begin(Writer *writer);
void writer_object_end(Writer *writer);
void writer_array_begin(Writer *writer);
void writer_array_end(Writer *writer);

/* Writes a key. The name is a string literal without characters that need escapes. */
#define writer_key(writer, name) \
	writer_key_quoted((writer), "\"" name "\":", sizeof("\"" name "\":") - 1)

/* The same for a key that already has its quotes and colon. */
void writer_key_quoted(Writer *writer, const char *quoted, size_t length);

void writer_string(Writer *writer, const char *text); /* UTF-8, to be escaped */
void writer_unsigned(Writer *writer, uint64_t number);
void writer_address(Writer *writer, uint64_t address); /* as a string, like "0x1000" */
void writer_boolean(Writer *writer, bool value);
void writer_seconds(Writer *writer, uint64_t microseconds); /* in seconds, with six decimals */
void writer_guid(Writer *writer, const Guid *guid);
void writer_handle(Writer *writer, const Handle *handle);

/* Writes one complete JSON value that is already formatted. */
void writer_json(Writer *writer, const char *json, size_t length);

/* Ends the message with its terminator, one byte. */
void writer_terminator(Writer *writer, char terminator);

#endif
