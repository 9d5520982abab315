/* SPDX-License-Identifier: MIT */
#ifndef PROTO_GUID_H
#define PROTO_GUID_H

#include <stdbool.h>
#include <stdint.h>

/* A VM's GUID as it is written: the bytes stand in the order of the text. */
typedef struct Guid {
	uint8_t bytes[16];
} Guid;

#define GUID_TEXT_LENGTH 36

/*
 * Reads 8-4-4-4-12 hex digits, either case, with or without {}, and nothing else. Returns false,
 * and leaves *ret_guid, for any other form and for the nil GUID.
 */
bool guid_parse(const char *text, Guid *ret_guid);

/* Writes the GUID in lower case without braces, and a NUL. Returns text. */
char *guid_format(const Guid *guid, char text[static GUID_TEXT_LENGTH + 1]);

/* Whether it is all zero, and so the GUID of nothing. */
bool guid_is_nil(const Guid *guid);

int guid_compare(const Guid *a, const Guid *b);

/* A handle: 128 random bits that name an adapter, a process, a context, a vGPU or an object. */
typedef struct Handle {
	uint8_t bytes[16];
} Handle;

#define HANDLE_TEXT_LENGTH 32

/* Reads exactly 32 lower-case hex digits. Returns false, and leaves *ret_handle, otherwise. */
bool handle_parse(const char *text, Handle *ret_handle);

char *handle_format(const Handle *handle, char text[static HANDLE_TEXT_LENGTH + 1]);

int handle_compare(const Handle *a, const Handle *b);

#endif
