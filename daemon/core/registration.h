/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_REGISTRATION_H
#define DAEMON_CORE_REGISTRATION_H

#include "daemon/core/vm.h"

/*
 * The registration of one process for one VM. It belongs to the process, not to the connection that
 * requested it. It stores the privileges that the process had then, because they are compared again
 * when the VM's display clients change.
 */
typedef struct Registration {
	Entity entity;
	Process *process;
	VirtualMachine *vm;
	GraphicsContextKind graphics_context;
	uint64_t since;             /* microseconds (CLOCK_BOOTTIME) */
	uint64_t open_object_count; /* of the VM's objects that the process holds */
	ConnectionCredentials connection_credentials;
	Credentials process_credentials;
	LIST_HEAD(, DisplayChannel) display_channels;
	Charge charge;
	LIST_ENTRY(Registration) of_process;
	LIST_ENTRY(Registration) of_vm;
	RB_ENTRY(Registration) by_parties;
} Registration;

typedef RB_HEAD(RegistrationPartiesTree, Registration) RegistrationPartiesTree;

/* Returns the process's registration for the VM, or NULL if the process is not registered. */
Registration *registration_find(Broker *broker, ProcessKey process, const VirtualMachine *vm);

/* Returns the VM's registration of the process with this pid in the namespace, or NULL. */
Registration *registration_find_by_pid(const VirtualMachine *vm, pid_t pid, PidNamespace namespace);

/* Returns the first registration whose serial is above the cursor, or NULL at the end. */
Registration *registration_after(Broker *broker, uint64_t serial);

/*
 * Prepares a registration of the caller for the VM (seed D3DKMTRegisterVailProcess). The caller's
 * privileges, its graphics context and the VM's vGPU have been checked before. Copies
 * process_credentials. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS registration_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const Credentials *process_credentials,
			      GraphicsContextKind graphics_context, Registration **ret_registration,
			      Failure *failure);
void registration_commit(Broker *broker, Registration *registration);
void registration_discard(Broker *broker, Registration *registration);

/* Returns the privileges of the process at registration. They belong to the registration. */
Privileges registration_privileges(const Registration *registration);

void registration_end(Broker *broker, Registration *registration, EndReason reason);

/* Asserts the invariants of all registrations. */
void registrations_check(Broker *broker);

#endif
