/* SPDX-License-Identifier: MIT */
#include "client/libvail/exclusive-use.h"

#include <stdatomic.h>

/* The entity that refused the last use which this thread tried to begin; NULL for none. */
static _Thread_local const ExclusiveUse *refused_use;

ExclusiveUse *exclusive_use_begin(const ExclusiveUse *use)
{
	ExclusiveUse *own = (ExclusiveUse *)use;
	pthread_t none = 0, self = pthread_self();

	if (atomic_compare_exchange_strong(&own->thread, &none, self) || none == self) {
		own->depth++;
		exclusive_use_forget(use);
		return own;
	}
	refused_use = use;
	return NULL;
}

void exclusive_use_end(ExclusiveUse **use)
{
	if (*use && --(*use)->depth == 0)
		atomic_store(&(*use)->thread, 0);
}

bool exclusive_use_was_refused(const ExclusiveUse *use)
{
	return refused_use == use;
}

void exclusive_use_forget(const ExclusiveUse *use)
{
	if (refused_use == use)
		refused_use = NULL;
}
