/* SPDX-License-Identifier: MIT */
#ifndef PROTO_GUID_H
#define PROTO_GUID_H

#include <stdbool.h>
#include <stdint.h>

/* GUID of a VM, with its bytes in the order of the text. */
typedef struct Guid {
	uint8_t bytes[16];
} Guid;

#define GUID_TEXT_LENGTH 36

/*
 * Parses 8-4-4-4-12 hex digits of either case, with or without {}. Returns false, with *ret_guid
 * unchanged, for any other form and for the nil GUID.
 */
bool guid_parse(const char *text, Guid *ret_guid);

/* Formats the GUID in lower case, without braces, with a NUL at the end. Returns text. */
char *guid_format(const Guid *guid, char text[static GUID_TEXT_LENGTH + 1]);

/* Tests for the nil GUID, which is all zero and stands for no GUID. */
bool guid_is_nil(const Guid *guid);

/* Compares as memcmp() does. */
int guid_compare(const Guid *a, const Guid *b);

/* 128 random bits that identify an adapter, a GPU process, a context, a vGPU or an object. */
typedef struct Handle {
	uint8_t bytes[16];
} Handle;

#define HANDLE_TEXT_LENGTH 32

/* Parses 32 lower-case hex digits. Returns false, with *ret_handle unchanged, for other text. */
bool handle_parse(const char *text, Handle *ret_handle);

/* Formats the handle with a NUL at the end. Returns text. */
char *handle_format(const Handle *handle, char text[static HANDLE_TEXT_LENGTH + 1]);

/* Compares as memcmp() does. */
int handle_compare(const Handle *a, const Handle *b);

#endif
