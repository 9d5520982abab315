/* SPDX-License-Identifier: MIT */
#include "client/vailctl/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/vailctl/output.h"

/* Number of attempts to fetch a list whose connection is lost before it is complete. */
#define ATTEMPTS_MAX 5

/* A list that is being received. */
typedef struct ListingFetch {
	Tool *tool;
	Listing *listing;
	bool failed; /* out of memory */
} ListingFetch;

static bool append(JsonValue ***values, size_t *count, JsonValue *value)
{
	/* The array is full if its count is 0 or a power of two. */
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

/* A VailReply. */
static bool add_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	ListingFetch *fetch = context;
	const char *error;

	(void)vail;
	(void)continues;
	if (status != STATUS_SUCCESS || !parameters)
		return true; /* vail_call_more() returns the status as well */
	JsonValue *reply = json_parse(fetch->tool->parser, parameters, strlen(parameters), &error);
	fetch->failed = !reply || !listing_add(fetch->listing, reply);
	return !fetch->failed;
}

NTSTATUS listing_fetch(Tool *tool, const char *method, const char *parameters, const char *key,
		       Listing *ret_listing)
{
	ListingFetch fetch = { .tool = tool, .listing = ret_listing };
	NTSTATUS status;
	int attempts = 0;

	*ret_listing = (Listing){ 0 };
	do {
		listing_deinit(ret_listing);
		ret_listing->key = key;
		status = vail_call_more(tool->vail, method, parameters, add_reply, &fetch);
	} while (status == STATUS_CONNECTION_DISCONNECTED && ++attempts < ATTEMPTS_MAX);
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

NTSTATUS listing_fetch_of_machine(Tool *tool, const char *method, const char *guid, const char *key,
				  Listing *ret_listing)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	if (guid) {
		writer_key(&writer, "virtualMachineGuid");
		writer_string(&writer, guid);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed)
		return STATUS_NO_MEMORY;
	return listing_fetch(tool, method, buffer_head(&text), key, ret_listing);
}
