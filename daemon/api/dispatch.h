/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_DISPATCH_H
#define DAEMON_API_DISPATCH_H

#include "daemon/api/caller-roles.h"
#include "daemon/api/methods.h"

/*
 * Runs one request in a fixed order. Checks the shape of the parameters, finds the subject and
 * authorises the caller; for methods of operators, authorises before the subject is looked up. The
 * handler then checks state, values, limits and room, prepares, persists and commits. It writes the
 * reply's members to request->reply on the way.
 *
 * Returns the status. Unless it is STATUS_SUCCESS, the caller discards what was written, and
 * replies with request->failure.
 */
NTSTATUS dispatch(Request *request, const JsonValue *parameters);

/* Writes an audit record of a request refused before dispatch, if such refusals are recorded. */
void dispatch_audit_refusal(Service *service, const Caller *caller, const Method *method,
			    const Failure *failure);

/* Returns STATUS_NOT_FOUND, because no running VM has the GUID. */
NTSTATUS machine_not_found(Failure *failure);

/*
 * Call before an operation that may watch another process, or store fds. Returns STATUS_SUCCESS if
 * the host is ready for it, else STATUS_PENDING.
 */
NTSTATUS request_await_fdstore(const Request *request);

/*
 * Lets a request that a limit refuses wait until everything has ended that was ending when it was
 * refused first, because that is still charged (daemon/core/ending.h). Returns STATUS_PENDING then,
 * else refused. dispatch() calls it for the result of every request; a handler does so before it
 * acts upon the refusal.
 */
NTSTATUS request_await_ends(Request *request, NTSTATUS refused);

/*
 * Checks that the subject's VM has a virtual GPU. If all that it may have are found ones, waits for
 * a look that begins after the first call. Returns STATUS_SUCCESS, STATUS_PENDING,
 * STATUS_GRAPHICS_VAIL_STATE_CHANGED without a virtual GPU, or STATUS_INSUFFICIENT_RESOURCES if
 * that cannot be seen now.
 */
NTSTATUS request_await_look(Request *request);

/* Converts a failed lookup of the calling process into a status. */
NTSTATUS caller_lookup_failure(Lookup lookup, Failure *failure);

#endif
