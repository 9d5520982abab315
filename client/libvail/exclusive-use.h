/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_EXCLUSIVE_USE_H
#define CLIENT_LIBVAIL_EXCLUSIVE_USE_H

/*
 * Lets one thread at a time use a handle or an open object. A second thread is refused at once,
 * because waiting could deadlock with a callback of the first one. The uses of one thread nest: a
 * callback runs inside the use that called it.
 */

#include <pthread.h>
#include <stdbool.h>

#include "proto/macros.h"
#include <vail.h>

/* Embedded in the handle or object as its member "use". All zeroes initially. */
typedef struct ExclusiveUse {
	_Atomic(pthread_t) thread; /* the thread that uses the entity; 0 for none */
	unsigned int depth;        /* nested uses of that thread, which alone reads it */
} ExclusiveUse;

/*
 * Begins a use. The getters pass a pointer to const, because a use changes nothing that a caller
 * can see. Returns the use, or NULL if another thread uses the entity.
 */
ExclusiveUse *exclusive_use_begin(const ExclusiveUse *use);

/* Ends a use; for _cleanup_(). Does nothing if *use is NULL. */
void exclusive_use_end(ExclusiveUse **use);

/*
 * Tests whether the last use that the calling thread tried to begin was of this entity, and was
 * refused. Reads nothing that another thread writes.
 */
bool exclusive_use_was_refused(const ExclusiveUse *use);

/* Makes the calling thread forget a refusal by an earlier entity at the same address. */
void exclusive_use_forget(const ExclusiveUse *use);

/*
 * Begins a use that lasts until the end of the function, or returns the third argument from it.
 * Must be its first line, before any variable with _cleanup_(). Ignores NULL.
 */
#define use_or_return(entity, ...)                                     \
	_cleanup_(exclusive_use_end) ExclusiveUse *_use =              \
		(entity) ? exclusive_use_begin(&(entity)->use) : NULL; \
	if ((entity) && !_use)                                         \
	return __VA_ARGS__

#define use_or_refuse(entity) use_or_return(entity, STATUS_INVALID_DEVICE_STATE)

#endif
