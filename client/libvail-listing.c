/* SPDX-License-Identifier: MIT */
#include "libvail-listing.h"

#include <string.h>

#include "libvail-internal.h"

/* How often a list is begun, when vaild has gone before it was whole. */
#define TRIES_MAX 5

/* A list while its replies come in. */
typedef struct Listing {
	Buffer replies; /* their parameters, as JSON text, a NUL behind each */
	bool failed;    /* no memory */
} Listing;

static bool keep_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	Listing *listing = context;

	(void)vail;
	(void)continues;
	if (status == STATUS_SUCCESS && parameters)
		listing->failed |=
			!buffer_append(&listing->replies, parameters, strlen(parameters) + 1);
	return true;
}

/* Asks until the list is whole: what a vaild that has gone has told of it does not count. */
static NTSTATUS fetch(struct vail *vail, const char *method, const char *text, Listing *listing)
{
	NTSTATUS status;
	int tries = 0;

	do {
		buffer_deinit(&listing->replies);
		status = vail_call_more(vail, method, text, keep_reply, listing);
	} while (status == STATUS_CONNECTION_DISCONNECTED && vail->resumes && ++tries < TRIES_MAX);
	return status == STATUS_SUCCESS && listing->failed ? vail_error_no_memory(vail) : status;
}

/* Tells the items of one reply. Returns whether more are wanted; *ret_failed when there is no
 * memory. */
static bool tell_items(struct vail *vail, const char *reply, const char *key, ItemTeller tell,
		       void *context, bool *ret_failed)
{
	const char *error;
	JsonValue *value = json_parse(vail->parser, reply, strlen(reply), &error);
	const JsonValue *items = json_member(value, key);
	bool goes_on = value != NULL;

	*ret_failed = !value;
	for (size_t i = 0; i < json_array_size(items) && goes_on; i++)
		goes_on = tell(vail, json_array_at(items, i), context);
	json_free(value);
	return goes_on;
}

NTSTATUS parameters_call_listing(struct vail *vail, const char *method, Parameters *parameters,
				 const char *key, ItemTeller tell, void *context)
{
	Listing listing = { 0 };
	const char *text = NULL;
	bool failed = false;
	NTSTATUS status = parameters_end(vail, parameters, &text);

	if (status == STATUS_SUCCESS)
		status = fetch(vail, method, text, &listing);
	Buffer *replies = &listing.replies;
	bool goes_on = status == STATUS_SUCCESS;
	while (goes_on && buffer_size(replies) > 0) {
		goes_on = tell_items(vail, buffer_head(replies), key, tell, context, &failed);
		buffer_consume(replies, strlen(buffer_head(replies)) + 1);
	}
	buffer_deinit(replies);
	return failed ? vail_error_no_memory(vail) : status;
}
