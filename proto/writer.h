/* SPDX-License-Identifier: MIT */
#ifndef PROTO_WRITER_H
#define PROTO_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "guid.h"

/*
 * Writes JSON straight into a buffer, without a tree in between. The caller keeps the order (begin
 * and end in pairs, a key before each member of an object); commas are the writer's. When memory
 * runs out the writer fails for good, and its owner truncates the buffer.
 */
typedef struct Writer {
	Buffer *out;
	bool comma; /* a value stands before: the next begins with a comma */
	bool failed;
} Writer;

#define WRITER_INIT(buffer) ((Writer){ .out = (buffer) })

void writer_object_begin(Writer *writer);
void writer_object_end(Writer *writer);
void writer_array_begin(Writer *writer);
void writer_array_end(Writer *writer);

/* The name is written as it stands: a literal that needs no escapes. */
#define writer_key(writer, name) \
	writer_key_quoted((writer), "\"" name "\":", sizeof("\"" name "\":") - 1)
void writer_key_quoted(Writer *writer, const char *quoted, size_t length);

void writer_string(Writer *writer, const char *text); /* escaped as JSON asks; UTF-8 */
void writer_unsigned(Writer *writer, uint64_t number);
void writer_address(Writer *writer, uint64_t address); /* as a string, "0x1000" */
void writer_boolean(Writer *writer, bool value);
void writer_seconds(Writer *writer, uint64_t microseconds); /* as seconds with six places */
void writer_guid(Writer *writer, const Guid *guid);
void writer_handle(Writer *writer, const Handle *handle);

/* A whole JSON value that somebody else wrote. */
void writer_json(Writer *writer, const char *json, size_t length);

/* One byte behind everything: the message's terminator. */
void writer_terminator(Writer *writer, char terminator);

#endif
