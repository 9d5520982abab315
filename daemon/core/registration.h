/* SPDX-License-Identifier: MIT */
#ifndef CORE_REGISTRATION_H
#define CORE_REGISTRATION_H

#include "vm.h"

/*
 * One process registered for one VM. It belongs to the process, not to the connection that asked
 * for it, and keeps the privileges that were found, so that a change of the VM's display clients
 * can be held against them.
 */
typedef struct Registration {
	Thing thing;
	Process *process;
	VirtualMachine *vm;
	GraphicsContextKind graphics_context;
	uint64_t since; /* microseconds on CLOCK_BOOTTIME */
	ConnectionCredentials connection_credentials;
	Credentials process_credentials;
	Charge charge;
	LIST_ENTRY(Registration) of_process;
	LIST_ENTRY(Registration) of_vm;
	RB_ENTRY(Registration) by_parties;
} Registration;

typedef RB_HEAD(RegistrationPartiesTree, Registration) RegistrationPartiesTree;

/* The registration of that process for the VM, or NULL. */
Registration *registration_find(Broker *broker, ProcessKey process, const VirtualMachine *vm);

/* That of the process with this pid, or NULL. */
Registration *registration_find_by_pid(const VirtualMachine *vm, pid_t pid);

/* The first registration whose serial is above the cursor. */
Registration *registration_after(Broker *broker, uint64_t serial);

/*
 * Registers the caller for the VM, seed D3DKMTRegisterVailProcess: what is asked of it before (a
 * vGPU, a context, the privileges) has been asked. process_credentials is copied. Returns
 * STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS registration_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const Credentials *process_credentials,
			      GraphicsContextKind graphics_context, Registration **ret_registration,
			      Failure *failure);
void registration_commit(Broker *broker, Registration *registration);
void registration_discard(Broker *broker, Registration *registration);

/* What the process looked like when it was registered. Borrowed from the registration. */
Privileges registration_privileges(const Registration *registration);

void registration_end(Broker *broker, Registration *registration, EndReason reason);

void registrations_check(Broker *broker);

#endif
