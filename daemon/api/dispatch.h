/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_DISPATCH_H
#define DAEMON_API_DISPATCH_H

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

/* Tests whether the caller may see the VM. Reads no credentials from the host. */
bool caller_sees_vm(Service *service, const Caller *caller, VirtualMachine *vm);

/* Tests whether the caller is an operator, registered the VM, or may share objects for it. */
bool caller_uses_vm(const Caller *caller, const VirtualMachine *vm);
/* Tests whether the caller is an operator or the user who registered the VM. */
bool caller_administers_vm(const Caller *caller, const VirtualMachine *vm);

/* Tests whether the caller is the agent's process, or a process of the agent's user. */
bool caller_matches_agent(const Caller *caller, const Agent *agent);

/* Tests whether the caller may share objects on behalf of the VM's VMM. */
bool caller_is_agent(const Caller *caller, const VirtualMachine *vm);

/* Tests whether the caller may share objects, as the VMM or an agent of any VM. */
bool caller_may_share(Service *service, const Caller *caller);

/* Tests whether the event ends the caller's role as VMM, incoming VMM or agent of the VM. */
bool event_ends_role(const Event *event, const Caller *caller);

/* Tests whether an event that changes sharers may change the result of caller_may_share(). */
bool event_may_change_sharing(const Event *event, const Caller *caller);

/* Tests whether the calling connection is the GPU process's driver. */
bool caller_is_driver(const Caller *caller, const GpuProcess *gpu_process);

/* Tests whether the caller may see the GPU process. */
bool caller_sees_gpu_process(const Caller *caller, const GpuProcess *gpu_process);

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

/* Converts a failed lookup of the calling process into a status. */
NTSTATUS caller_lookup_failure(Lookup lookup, Failure *failure);

#endif
