/* SPDX-License-Identifier: MIT */
#include "client/libvail/list.h"

#include <string.h>

#include "client/libvail/internal.h"

/* The number of attempts at a list if the connection is lost before it is complete. */
#define TRIES_MAX 5

/* The replies of a list. */
typedef struct ListReplies {
	Buffer replies; /* their parameters as JSON text, each with a NUL */
	bool failed;    /* out of memory */
} ListReplies;

static bool append_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			 void *context)
{
	ListReplies *list = context;

	(void)vail;
	(void)continues;
	if (status == STATUS_SUCCESS && parameters)
		list->failed |= !buffer_append(&list->replies, parameters, strlen(parameters) + 1);
	return true;
}

/* Requests the list until it is complete. Discards a part received on a lost connection. */
static NTSTATUS fetch(struct vail *vail, const char *method, const char *text, ListReplies *list)
{
	NTSTATUS status;
	int tries = 0;

	do {
		buffer_deinit(&list->replies);
		status = vail_call_more(vail, method, text, append_reply, list);
	} while (status == STATUS_CONNECTION_DISCONNECTED && vail->resumes && ++tries < TRIES_MAX);
	return status == STATUS_SUCCESS && list->failed ? error_set_no_memory(vail) : status;
}

/*
 * Reports the items of one reply. Returns false if the user wants no more or if out of memory. Sets
 * *ret_failed in the latter case.
 */
static bool report_items(struct vail *vail, const char *reply, const char *key, ItemCallback report,
			 void *context, bool *ret_failed)
{
	const char *error;
	JsonValue *value = json_parse(vail->parser, reply, strlen(reply), &error);
	const JsonValue *items = json_member(value, key);
	bool goes_on = value != NULL;

	*ret_failed = !value;
	for (size_t i = 0; i < json_array_size(items) && goes_on; i++)
		goes_on = report(vail, json_array_at(items, i), context);
	json_free(value);
	return goes_on;
}

NTSTATUS parameters_call_list(struct vail *vail, const char *method, Parameters *parameters,
			      const char *key, ItemCallback report, void *context)
{
	ListReplies list = { 0 };
	const char *text = NULL;
	bool failed = false;
	NTSTATUS status = parameters_end(vail, parameters, &text);

	if (status == STATUS_SUCCESS)
		status = fetch(vail, method, text, &list);
	Buffer *replies = &list.replies;
	bool goes_on = status == STATUS_SUCCESS;
	while (goes_on && buffer_size(replies) > 0) {
		goes_on = report_items(vail, buffer_head(replies), key, report, context, &failed);
		buffer_consume(replies, strlen(buffer_head(replies)) + 1);
	}
	buffer_deinit(replies);
	return failed ? error_set_no_memory(vail) : status;
}
