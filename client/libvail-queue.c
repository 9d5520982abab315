/* SPDX-License-Identifier: MIT */
/* Calls under way, and how they are lost. */
#include <stdlib.h>

#include "libvail-internal.h"

void call_free(Call *call)
{
	if (!call)
		return;
	buffer_deinit(&call->message);
	free(call);
}

void queue_append(struct vail *vail, Call *call)
{
	call->next = NULL;
	*vail->end = call;
	vail->end = &call->next;
	vail->queued += buffer_size(&call->message);
}

Call *queue_take_all(struct vail *vail)
{
	Call *calls = vail->first;

	vail->first = NULL;
	vail->end = &vail->first;
	vail->queued = 0;
	return calls;
}

Call *queue_take_first(struct vail *vail)
{
	Call *call = vail->first;

	vail->first = call->next;
	vail->queued -= buffer_size(&call->message);
	if (!vail->first)
		vail->end = &vail->first;
	return call;
}

bool call_handle(struct vail *vail, const Call *call, Reply *reply)
{
	bool nested = vail->in_reply;

	vail->in_reply = true;
	bool go_on = call->handler(vail, call, reply);
	vail->in_reply = nested;
	return go_on;
}

void call_lose(struct vail *vail, Call *call, NTSTATUS status)
{
	Reply reply = { .status = status };

	call_handle(vail, call, &reply);
	call_free(call);
}

void calls_lose(struct vail *vail, NTSTATUS status)
{
	Call *call = queue_take_all(vail);

	connection_close(vail);
	vail->is_waiting = false;
	absence_end(&vail->absence);
	while (call) {
		Call *next = call->next;

		call_lose(vail, call, status);
		call = next;
	}
}
