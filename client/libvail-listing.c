/* SPDX-License-Identifier: MIT */
#include "libvail-listing.h"

#include <string.h>

#include "libvail-internal.h"

/* A list while its replies come in. */
typedef struct Listing {
	const char *key; /* of the items in a reply */
	ItemTeller tell;
	void *context;
	bool is_done; /* no more is wanted */
	bool failed;  /* no memory */
} Listing;

static bool take_items(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	Listing *listing = context;
	const char *error;

	(void)continues;
	if (status != STATUS_SUCCESS || !parameters || listing->is_done || listing->failed)
		return true;
	JsonValue *reply = json_parse(vail->parser, parameters, strlen(parameters), &error);
	const JsonValue *items = json_member(reply, listing->key);
	listing->failed = !reply;
	for (size_t i = 0; i < json_array_size(items) && !listing->is_done; i++)
		listing->is_done = !listing->tell(vail, json_array_at(items, i), listing->context);
	json_free(reply);
	return true;
}

NTSTATUS parameters_call_listing(struct vail *vail, const char *method, Parameters *parameters,
				 const char *key, ItemTeller tell, void *context)
{
	Listing listing = { .key = key, .tell = tell, .context = context };
	const char *text = NULL;
	NTSTATUS status = parameters_end(vail, parameters, &text);

	if (status == STATUS_SUCCESS)
		status = vail_call_more(vail, method, text, take_items, &listing);
	if (status == STATUS_SUCCESS && listing.failed)
		status = vail_error_no_memory(vail);
	return status;
}
