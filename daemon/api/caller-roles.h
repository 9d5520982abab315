/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_CALLER_ROLES_H
#define DAEMON_API_CALLER_ROLES_H

#include "daemon/api/methods.h"
#include "daemon/api/policy.h"

/* Tells what a caller is to a VM, an object or a GPU process, without questions to the host. */

/* Collects the facts by which the policy decides, except those that need the host. */
PolicyFacts caller_facts(Service *service, const Caller *caller, const Subject *subject);

/* Tests whether the caller may see the VM. */
bool caller_sees_vm(Service *service, const Caller *caller, VirtualMachine *vm);

/* Tests whether the caller sees everything, registered the VM, or may share objects for it. */
bool caller_monitors_vm(const Caller *caller, const VirtualMachine *vm);
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

#endif
