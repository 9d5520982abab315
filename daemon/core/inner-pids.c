/* SPDX-License-Identifier: MIT */
#include "daemon/core/inner-pids.h"

#include <assert.h>
#include <stdlib.h>

InnerPids *inner_pids_ref(InnerPids *pids)
{
	if (pids)
		pids->references++;
	return pids;
}

void inner_pids_unref(InnerPids *pids)
{
	if (!pids)
		return;
	assert(pids->references > 0);
	if (--pids->references == 0)
		free(pids);
}

pid_t inner_pids_translate(const InnerPids *pids, pid_t pid, PidNamespace namespace)
{
	if (namespace == PID_NAMESPACE_OWN)
		return pid;
	for (size_t i = 0; pids && i < pids->count; i++)
		if (pids->items[i].namespace == namespace)
			return pids->items[i].pid;
	return 0;
}
