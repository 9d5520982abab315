/* SPDX-License-Identifier: MIT */
/* Tells the program what a blocking call waits for. */
#include <stdio.h>

#include "client/libvail/internal.h"

static const char *const predicates[WAIT_REASON_MAX] = {
	[WAIT_CONNECT] = "has not accepted the connection yet",
	[WAIT_REPLY] = "has not answered yet",
	[WAIT_RETURN] = "has stopped and is not back yet",
};

void waiting_report(struct vail *vail, WaitReason reason)
{
	bool nested = vail->in_callback;
	char text[256];

	if (!vail->waiting || reason == WAIT_NOTHING)
		return;
	snprintf(text, sizeof(text), "vaild at %s %s", vail->path, predicates[reason]);
	vail->in_callback = true;
	vail->waiting(vail, text, vail->waiting_context);
	vail->in_callback = nested;
}

void vail_set_waiting(struct vail *vail, int milliseconds, VailWaiting waiting, void *context)
{
	use_or_return(vail);
	if (!vail)
		return;
	vail->waiting = waiting;
	vail->waiting_delay = milliseconds > 0 ? milliseconds : 0;
	vail->waiting_context = context;
}
