/* SPDX-License-Identifier: MIT */
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include "methods.h"

/*
 * Runs one request through the one order: shape, subject, authorise (for operators' methods before
 * the subject), then the handler: state, values, limits, room, prepare, make lasting, commit. The
 * reply's fields are written to request->reply on the way. Returns the status; when it is not
 * STATUS_SUCCESS the reply is the failure's, and what was written is to be taken back.
 */
NTSTATUS dispatch(Request *request, const JsonValue *parameters);

/* Tells the journal of a request that was refused before it was dispatched, if it is one to tell
 * of. */
void dispatch_record_refusal(Service *service, const Caller *caller, const Method *method,
			     const Failure *failure);

/* What the handlers and lists share: whether the caller may see the VM, without reading anything.
 */
bool caller_sees_vm(Service *service, const Caller *caller, VirtualMachine *vm);

/* Whether the caller is the process that the agent is, or one of the user. */
bool caller_matches_agent(const Caller *caller, const Agent *agent);

/* Whether the caller may share on the behalf of the VM's VMM. */
bool caller_is_agent(const Caller *caller, const VirtualMachine *vm);

/* Whether the caller is the VMM or an agent of any VM, and so may share objects. */
bool caller_may_share(Service *service, const Caller *caller);

/* Whether the calling connection is that of the GPU process's driver. */
bool caller_is_driver(const Caller *caller, const GpuProcess *gpu_process);

/* Whether the GPU process is shown to the caller. */
bool caller_sees_gpu_process(const Caller *caller, const GpuProcess *gpu_process);

/* STATUS_NOT_FOUND: no running VM has the GUID. */
NTSTATUS machine_not_found(Failure *failure);

/* Turns what was found of the calling process itself into a status. */
NTSTATUS caller_evidence_failure(Evidence evidence, Failure *failure);

#endif
