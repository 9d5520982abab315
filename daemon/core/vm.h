/* SPDX-License-Identifier: MIT */
#ifndef CORE_VM_H
#define CORE_VM_H

#include <stddef.h>

#include "account.h"
#include "adapter.h"
#include "caller.h"
#include "event.h"
#include "process.h"
#include "thing.h"

/*
 * Virtual machines and their virtual GPUs. A VM runs while its VMM's process lives; with it go its
 * registrations and vGPUs.
 */

/* Whose privileges a process must have to be registered for a VM. */
typedef struct DisplayClient {
	char *user; /* as it was named; NULL for a process */
	uid_t uid;  /* of that user */
	pid_t pid;  /* of the process, as it was named; 0 for a user */
	/* What to compare with: snapshotted when the VM is registered or updated; a user's are
	 * looked up anew at each question. */
	Credentials credentials;
	bool unreadable; /* the user could not be looked up: nobody is equal to it */
} DisplayClient;

typedef struct DisplayClients {
	DisplayClient *items;
	size_t count;
	bool named; /* false: nobody was named, and the one item is the VMM */
} DisplayClients;

#define DISPLAY_CLIENTS_INIT ((DisplayClients){ 0 })

void display_clients_deinit(DisplayClients *clients);

/* Looks the user of that uid up anew, as is done at each question; processes' credentials are never
 * read again. False: there are no resources for that, and what was known before is no answer. */
bool display_clients_refresh(DisplayClients *clients, const Host *host, uid_t uid);

/* The two halves of that: whether that user is among the clients, and what was found of the user;
 * NULL: nothing. False: there is no memory, as above. */
bool display_clients_name_user(const DisplayClients *clients, uid_t uid);
bool display_clients_set_user(DisplayClients *clients, uid_t uid, const Credentials *found);

/* What a process's privileges look like from both sides, to be compared with a display client. */
typedef struct Privileges {
	const ConnectionCredentials *connection;
	const Credentials *process;
} Privileges;

/* DIFFERENCE_NONE when the process has the privileges of one of the clients, else how it differs
 * from the nearest. */
Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges);

/* The same for the connection alone, which costs nothing: enough to see a VM, not to enter it. */
bool display_clients_resemble(const DisplayClients *clients, const Caller *caller);

/* Who may share objects beside the VMM. */
struct Agent {
	char *user; /* as it was named; NULL for a process */
	uid_t uid;
	Process *process; /* watched; NULL for a user */
};

typedef enum VmSource { VM_SOURCE_API } VmSource;

typedef struct VirtualMachine VirtualMachine;

typedef enum VirtualGpuSource { VIRTUAL_GPU_SOURCE_API } VirtualGpuSource;

typedef struct VirtualGpu {
	Named named;
	Thing thing;
	VirtualMachine *vm;
	Adapter *adapter;
	char *profile; /* or NULL */
	VirtualGpuSource source;
	Charge charge;
	TAILQ_ENTRY(VirtualGpu) link;
} VirtualGpu;

typedef TAILQ_HEAD(VirtualGpuList, VirtualGpu) VirtualGpuList;

struct VirtualMachine {
	Guid guid;
	Thing thing;
	char *name; /* or NULL */
	Process *vmm;
	VmSource source;
	uid_t registered_by;
	bool by_operator;
	DisplayClients display_clients;
	Agent agent;
	bool has_agent;
	VirtualGpuList virtual_gpus;
	size_t virtual_gpu_count;
	LIST_HEAD(, Registration) registrations;
	size_t registration_count;
	LIST_HEAD(, GpuProcess) gpu_processes; /* that are for it */
	LIST_HEAD(, SharedObject) objects;     /* that are shared for it */
	uint64_t object_count;
	uint64_t object_mebibytes;
	uint64_t since; /* microseconds on CLOCK_BOOTTIME */
	Charge charge;
	RB_ENTRY(VirtualMachine) by_guid;
	LIST_ENTRY(VirtualMachine) of_vmm;
	LIST_ENTRY(VirtualMachine) of_agent;
};

typedef RB_HEAD(VmGuidTree, VirtualMachine) VmGuidTree;

/* A process that a message named, looked at. The credentials are owned. */
typedef struct NamedProcess {
	ProcessKey key;
	pid_t pid;
	Credentials credentials;
} NamedProcess;

/* What is said of a VM, resolved: owned until vm_prepare() or vm_update_prepare() takes it. */
typedef struct VmSettings {
	char *name;
	bool has_display_clients;
	DisplayClients display_clients;
	bool has_agent;
	char *agent_user; /* NULL: a process */
	uid_t agent_uid;
	NamedProcess agent_process;
} VmSettings;

#define VM_SETTINGS_INIT ((VmSettings){ 0 })

void vm_settings_deinit(VmSettings *settings);

/*
 * Makes a VM of that GUID, run by the VMM, for the caller. Takes from settings what it keeps.
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES. That no VM has the GUID is the caller's to see to, by commit.
 */
NTSTATUS vm_prepare(Broker *broker, const Caller *caller, const Guid *guid, const NamedProcess *vmm,
		    VmSettings *settings, VirtualMachine **ret_vm, Failure *failure);
void vm_commit(Broker *broker, VirtualMachine *vm);
void vm_discard(Broker *broker, VirtualMachine *vm);

/* An update in two halves, like everything else. The agent's process is attached by prepare. */
typedef struct VmUpdate {
	VirtualMachine *vm;
	VmSettings *settings;
	Process *agent_process;
} VmUpdate;

NTSTATUS vm_update_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			   VmSettings *settings, VmUpdate *ret_update, Failure *failure);
void vm_update_commit(Broker *broker, VmUpdate *update);
void vm_update_discard(Broker *broker, VmUpdate *update);

VirtualMachine *vm_find(Broker *broker, const Guid *guid);

/* The first VM whose serial is above the cursor. */
VirtualMachine *vm_after(Broker *broker, uint64_t serial);

/* Ends the VM with everything that hangs on it. */
void vm_end(Broker *broker, VirtualMachine *vm, EndReason reason);

/* The VM's agent, a process, is gone: the VM goes on without one. */
void vm_agent_exited(Broker *broker, VirtualMachine *vm);

/* Ends the sharing of all of its objects. */
void vm_end_objects(Broker *broker, VirtualMachine *vm, EndReason reason);

/* Ends all of the VM's registrations. */
void vm_end_registrations(Broker *broker, VirtualMachine *vm, EndReason reason);

/*
 * Assigns a vGPU on the adapter. Takes profile. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or
 * STATUS_NO_MEMORY.
 */
NTSTATUS virtual_gpu_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			     Adapter *adapter, char **profile, VirtualGpu **ret_virtual_gpu,
			     Failure *failure);
void virtual_gpu_commit(Broker *broker, VirtualGpu *virtual_gpu);
void virtual_gpu_discard(Broker *broker, VirtualGpu *virtual_gpu);
VirtualGpu *virtual_gpu_find(Broker *broker, const Handle *handle);

/* With the last vGPU the VM's registrations end. */
void virtual_gpu_end(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason);

void vm_check(Broker *broker, const VirtualMachine *vm);

#endif
