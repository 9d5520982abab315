/* SPDX-License-Identifier: MIT */
/*
 * Lists. They are asked for with "more", one item a reply, since a list in one reply may pass the
 * bound that vaild puts on replies.
 */
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "vailctl.h"

/* How often a list is begun, when vaild has gone before it was whole. */
#define TRIES_MAX 5

/* A listing while its replies come in. */
typedef struct Fetch {
	Tool *tool;
	Listing *listing;
	bool failed; /* no memory */
} Fetch;

static bool append(JsonValue ***values, size_t *count, JsonValue *value)
{
	/* Grows when the count is a power of two; 0 is one here. */
	if ((*count & (*count - 1)) == 0) {
		size_t capacity = *count > 0 ? *count * 2 : 1;
		JsonValue **grown = reallocarray(*values, capacity, sizeof(JsonValue *));

		if (!grown)
			return false;
		*values = grown;
	}
	(*values)[(*count)++] = value;
	return true;
}

static bool listing_add(Listing *listing, JsonValue *reply)
{
	JsonValue *array = json_member(reply, listing->key);

	if (!append(&listing->replies, &listing->reply_count, reply)) {
		json_free(reply);
		return false;
	}
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!append(&listing->items, &listing->item_count, json_array_at(array, i)))
			return false;
	return true;
}

static bool take_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	Fetch *fetch = context;
	const char *error;

	(void)vail;
	(void)continues;
	if (status != STATUS_SUCCESS || !parameters)
		return true; /* listing_fetch() is told as well */
	JsonValue *reply = json_parse(fetch->tool->parser, parameters, strlen(parameters), &error);
	fetch->failed = !reply || !listing_add(fetch->listing, reply);
	return !fetch->failed;
}

NTSTATUS listing_fetch(Tool *tool, const char *method, const char *parameters, const char *key,
		       Listing *ret_listing)
{
	Fetch fetch = { .tool = tool, .listing = ret_listing };

	NTSTATUS status;
	int tries = 0;

	*ret_listing = (Listing){ 0 };
	do {
		listing_deinit(ret_listing);
		ret_listing->key = key;
		status = vail_call_more(tool->vail, method, parameters, take_reply, &fetch);
	} while (status == STATUS_CONNECTION_DISCONNECTED && ++tries < TRIES_MAX);
	return fetch.failed ? STATUS_NO_MEMORY : status;
}

void listing_deinit(Listing *listing)
{
	for (size_t i = 0; i < listing->reply_count; i++)
		json_free(listing->replies[i]);
	free(listing->replies);
	free(listing->items);
	*listing = (Listing){ 0 };
}

const JsonValue *listing_find(const Listing *listing, const char *name, const char *value)
{
	for (size_t i = 0; value && i < listing->item_count; i++) {
		const char *text = member_text(listing->items[i], name);

		if (text && strcmp(text, value) == 0)
			return listing->items[i];
	}
	return NULL;
}

void listing_write(Writer *writer, const Listing *listing)
{
	char key[64];
	int length = snprintf(key, sizeof(key), "\"%s\":", listing->key);

	writer_key_quoted(writer, key, (size_t)length);
	writer_array_begin(writer);
	for (size_t i = 0; i < listing->item_count; i++)
		writer_value_of(writer, listing->items[i]);
	writer_array_end(writer);
}
