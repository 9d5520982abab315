/* SPDX-License-Identifier: MIT */
/* The queue of pending calls, and how calls fail. */
#include <stdlib.h>

#include "client/libvail/internal.h"

void call_free(PendingCall *call)
{
	if (!call)
		return;
	buffer_deinit(&call->message);
	free(call);
}

void queue_append(struct vail *vail, PendingCall *call)
{
	call->next = NULL;
	*vail->last_link = call;
	vail->last_link = &call->next;
	vail->queued_bytes += buffer_size(&call->message);
}

PendingCall *queue_take_all(struct vail *vail)
{
	PendingCall *calls = vail->first_call;

	vail->first_call = NULL;
	vail->last_link = &vail->first_call;
	vail->queued_bytes = 0;
	return calls;
}

PendingCall *queue_take_first(struct vail *vail)
{
	PendingCall *call = vail->first_call;

	vail->first_call = call->next;
	vail->queued_bytes -= buffer_size(&call->message);
	if (!vail->first_call)
		vail->last_link = &vail->first_call;
	return call;
}

bool call_write(struct vail *vail, PendingCall *call)
{
	const Buffer *message = &call->message;

	if (!buffer_append(&vail->output, buffer_head(message), buffer_size(message)))
		return false;
	call->output_end = vail->output_position + buffer_size(&vail->output);
	return true;
}

bool call_deliver(struct vail *vail, const PendingCall *call, Reply *reply)
{
	bool nested = vail->in_callback;

	vail->in_callback = true;
	bool go_on = call->handler(vail, call, reply);
	vail->in_callback = nested;
	return go_on;
}

void call_fail(struct vail *vail, PendingCall *call, NTSTATUS status)
{
	Reply reply = { .status = status };

	call_deliver(vail, call, &reply);
	call_free(call);
}

void calls_fail_all(struct vail *vail, NTSTATUS status)
{
	PendingCall *call = queue_take_all(vail);

	connection_close(vail);
	vail->is_reconnecting = false;
	reconnect_end(&vail->reconnect);
	while (call) {
		PendingCall *next = call->next;

		call_fail(vail, call, status);
		call = next;
	}
}
