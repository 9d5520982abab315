/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_CLIPBOARD_TEXT_H
#define CLIENT_COMMON_CLIPBOARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

/* The only type of contents that QEMU's clipboard has. */
#define CLIPBOARD_MIME "text/plain;charset=utf-8"

/* The most bytes of a text. The largest message that vail-qemu takes is 1 KiB longer. */
#define CLIPBOARD_TEXT_MAX 64512

/* The text of a clipboard. */
typedef struct ClipboardText {
	char *bytes; /* terminated with NUL; NULL if there is no text */
	size_t size; /* without the NUL */
} ClipboardText;

void clipboard_text_deinit(ClipboardText *text);

/*
 * Copies the bytes, which must be valid, in place of the text. Returns false, and leaves no text,
 * if out of memory.
 */
bool clipboard_text_set(ClipboardText *text, const void *bytes, size_t size);

/*
 * Tests whether the bytes are a text that may be passed on: UTF-8 without NUL, not empty, and at
 * most CLIPBOARD_TEXT_MAX bytes.
 */
bool clipboard_text_is_valid(const void *bytes, size_t size);

/*
 * Reads a reply to Clipboard.Request into text, which it replaces. Returns false, and leaves no
 * text, if the reply is an error, has no valid text, or if out of memory.
 */
bool clipboard_text_read(ClipboardText *text, sd_bus_message *reply);

/* Replies to Clipboard.Request with the text. Returns as sd_bus_send(). */
int clipboard_text_reply(const ClipboardText *text, sd_bus_message *request);

/*
 * Reads an array of MIME types from a message. Sets *ret_has_text if CLIPBOARD_MIME is one of them.
 * Returns a negative errno if the message has something else.
 */
int clipboard_mimes_read(sd_bus_message *message, bool *ret_has_text);

#endif
