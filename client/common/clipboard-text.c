/* SPDX-License-Identifier: MIT */
#include "client/common/clipboard-text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

void clipboard_text_deinit(ClipboardText *text)
{
	free(text->bytes);
	*text = (ClipboardText){ 0 };
}

bool clipboard_text_set(ClipboardText *text, const void *bytes, size_t size)
{
	char *copy = malloc(size + 1);

	clipboard_text_deinit(text);
	if (!copy)
		return false;
	memcpy(copy, bytes, size);
	copy[size] = '\0';
	*text = (ClipboardText){ .bytes = copy, .size = size };
	return true;
}

/* ---- UTF-8 ---- */

/*
 * Returns the length of the character at the beginning of the bytes, or 0 if that is not valid
 * UTF-8 (RFC 3629). NUL counts as invalid.
 */
static size_t character_length(const uint8_t *bytes, size_t size)
{
	uint8_t first = bytes[0];
	size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint8_t lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;  /* not overlong */
	uint8_t highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf; /* no surrogates */

	if (first < 0x80)
		return first == 0 ? 0 : 1;
	if (first < 0xc2 || first > 0xf4 || length > size || bytes[1] < lowest ||
	    bytes[1] > highest)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	return length;
}

bool clipboard_text_is_valid(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	size_t left = size, length = 1;

	if (size == 0 || size > CLIPBOARD_TEXT_MAX)
		return false;
	for (; left > 0 && length > 0; at += length, left -= length)
		length = character_length(at, left);
	return length > 0;
}

/* ---- Messages ---- */

bool clipboard_text_read(ClipboardText *text, sd_bus_message *reply)
{
	const char *mime;
	const void *bytes;
	size_t size;

	clipboard_text_deinit(text);
	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_read(reply, "s", &mime) < 0 || strcmp(mime, CLIPBOARD_MIME) != 0 ||
	    sd_bus_message_read_array(reply, 'y', &bytes, &size) < 0 ||
	    !clipboard_text_is_valid(bytes, size))
		return false;
	return clipboard_text_set(text, bytes, size);
}

int clipboard_text_reply(const ClipboardText *text, sd_bus_message *request)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int result = sd_bus_message_new_method_return(request, &reply);

	if (result >= 0)
		result = sd_bus_message_append(reply, "s", CLIPBOARD_MIME);
	if (result >= 0)
		result = sd_bus_message_append_array(reply, 'y', text->bytes, text->size);
	return result < 0 ? result : sd_bus_message_send(reply);
}

int clipboard_mimes_read(sd_bus_message *message, bool *ret_has_text)
{
	const char *mime;
	int result = sd_bus_message_enter_container(message, 'a', "s");

	*ret_has_text = false;
	while (result > 0 && (result = sd_bus_message_read(message, "s", &mime)) > 0)
		*ret_has_text = *ret_has_text || strcmp(mime, CLIPBOARD_MIME) == 0;
	return result < 0 ? result : sd_bus_message_exit_container(message);
}
