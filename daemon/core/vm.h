/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_VM_H
#define DAEMON_CORE_VM_H

#include <stddef.h>

#include "daemon/core/account.h"
#include "daemon/core/adapter.h"
#include "daemon/core/agent.h"
#include "daemon/core/caller.h"
#include "daemon/core/display-right.h"
#include "daemon/core/ending.h"
#include "daemon/core/entity.h"
#include "daemon/core/event.h"
#include "daemon/core/process.h"
#include "daemon/core/told-guest.h"

/*
 * Virtual machines and their virtual GPUs. A VM runs while its VMM process is alive. Its
 * registrations, vGPUs and shared objects end with it.
 */

/* A user or process whose privileges a process must have to register for a VM. */
typedef struct DisplayClient {
	char *user;            /* the name in the request; NULL for a process */
	uid_t uid;             /* the user's uid */
	pid_t pid;             /* the process's pid in the daemon's pid namespace; 0 for a user */
	InnerPids *inner_pids; /* the process's pids in the namespaces below, or NULL */
	/*
	 * The credentials to compare with. Those of a process are read once, when the VM is
	 * registered or updated. Those of a user are read again for every comparison.
	 */
	Credentials credentials;
	bool unreadable;     /* the user could not be looked up, so no process matches */
	unsigned int rights; /* as DISPLAY_RIGHT_BIT(), in addition to view */
} DisplayClient;

typedef struct DisplayClients {
	DisplayClient *items;
	size_t count;
	bool are_explicit;     /* false if nobody named any, so that the only client is the VMM */
	bool are_from_drop_in; /* named by a drop-in and not by a request */
	bool are_from_libvirt; /* named by a request for libvirt's metadata; drop-ins come first */
	bool libvirt_agrees;   /* named by another request, and by libvirt's metadata as well */
} DisplayClients;

#define DISPLAY_CLIENTS_INIT ((DisplayClients){ 0 })

/*
 * Tests whether no process can match: nobody has named a display client, and the VMM is none. The
 * list then has one client that cannot be read.
 */
static inline bool display_clients_are_nobody(const DisplayClients *clients)
{
	return !clients->are_explicit && clients->count == 1 && clients->items[0].unreadable;
}

/*
 * Tests whether a request names them on behalf of its caller. Then no drop-in replaces them, and
 * libvirt's metadata only if they have named the same ones.
 */
static inline bool display_clients_are_requested(const DisplayClients *clients)
{
	return clients->are_explicit && !clients->are_from_drop_in && !clients->are_from_libvirt;
}

void display_clients_deinit(DisplayClients *clients);

/*
 * Reads the credentials of the user uid again, if that user is among the clients. Call before every
 * comparison. Credentials of processes are never read again. Returns false if out of resources; the
 * clients must not be compared then.
 */
bool display_clients_refresh(DisplayClients *clients, const Host *host, uid_t uid);

/*
 * Tests whether both lists name the same users, and processes with the same credentials, all with
 * the same rights, in any order.
 */
bool display_clients_match(const DisplayClients *a, const DisplayClients *b);

/* Tests whether both lists match, have the same order, and come from the same source. */
bool display_clients_are_same(const DisplayClients *a, const DisplayClients *b);

/* Tests whether an update for libvirt's metadata may replace them, or withdraw the VM. */
bool display_clients_yield_to_libvirt(const DisplayClients *clients);

/* Tests whether the user uid is among the clients. */
bool display_clients_contain_user(const DisplayClients *clients, uid_t uid);

/*
 * Replaces the credentials of the user uid with a copy of found, or marks the user as unreadable if
 * found is NULL. Returns false if out of memory; the clients must not be compared then.
 */
bool display_clients_set_user(DisplayClients *clients, uid_t uid, const Credentials *found);

/* The privileges of a process: those of its connection and those in /proc. */
typedef struct Privileges {
	const ConnectionCredentials *connection;
	const Credentials *process;
} Privileges;

/*
 * Return DIFFERENCE_NONE if the privileges, or those of the connection alone, are those of one of
 * the clients, else the difference from the most similar client.
 */
Difference display_clients_compare_connection(const DisplayClients *clients, const Caller *caller);
Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges);

/* Returns the rights of all clients that the privileges match, or 0 if they match none. */
unsigned int display_clients_rights(const DisplayClients *clients, const Privileges *privileges);

/*
 * Tests whether the credentials of the caller's connection match a client. This reads nothing and
 * is sufficient to see the VM, but not to register for it.
 */
bool display_clients_match_connection(const DisplayClients *clients, const Caller *caller);

/* The source of the knowledge that the VM runs. */
typedef enum VmSource {
	VM_SOURCE_API,      /* a request */
	VM_SOURCE_MACHINED, /* systemd-machined; see found-vm.h */
	VM_SOURCE_MAX,
} VmSource;

typedef struct IncomingVmm IncomingVmm;
typedef struct VmTakeOver VmTakeOver;
typedef struct DisplayServer DisplayServer;
typedef struct Registration Registration;

/*
 * A virtual GPU of a VM. A request has assigned it on an adapter, or it was found: the VMM has a
 * function of a GPU open, see daemon/core/found-gpu.h.
 */
typedef struct VirtualGpu {
	HandleEntry handle_entry;
	Entity entity;
	VirtualMachine *vm;
	Adapter *adapter; /* of a found one, NULL if its device is not listed */
	char *profile;    /* NULL if none was requested or is known */
	HeldGpu *held;    /* the function that was found; NULL if a request has assigned it */
	uint64_t seen;    /* number of the last look that has seen it; 0 for none */
	Charge charge;    /* of none if it was found */
	TAILQ_ENTRY(VirtualGpu) link;
} VirtualGpu;

typedef TAILQ_HEAD(VirtualGpuList, VirtualGpu) VirtualGpuList;

/* The last look at what the VM's processes have open, see daemon/core/found-gpu.h. */
typedef struct VmLooks {
	uint64_t done;   /* its number; 0 before the first one */
	bool is_certain; /* it has seen everything */
} VmLooks;

struct VirtualMachine {
	Guid guid;
	Entity entity;
	char *name; /* NULL if unnamed */
	Process *vmm;
	VmSource source;
	uid_t registered_by; /* the uid that registered the VM; root if it was found */
	bool by_operator;    /* registered by an operator, or found */
	DisplayClients display_clients;
	bool has_metadata;     /* a request for libvirt's metadata has named display clients */
	Agent agent;           /* empty if there is none */
	ToldGuest told_guest;  /* of the VMM */
	IncomingVmm *incoming; /* NULL unless a hand-over is under way */
	VirtualGpuList virtual_gpus;
	size_t virtual_gpu_count;
	size_t found_gpu_count; /* of these */
	VmLooks looks;
	LIST_HEAD(, Registration) registrations;
	size_t registration_count;
	LIST_HEAD(, GpuProcess) gpu_processes;
	LIST_HEAD(, DisplayServer) display_servers;
	uint64_t display_count;            /* of channels */
	LIST_HEAD(, SharedObject) objects; /* shared ones, not those that are only held */
	uint64_t object_count;
	uint64_t object_mebibytes;   /* total size of the objects, each rounded up */
	uint64_t object_bytes;       /* total size of the objects */
	uint64_t since;              /* microseconds (CLOCK_BOOTTIME) */
	bool requires_sealed_memory; /* by a drop-in */
	Charge charge;
	Ending ending;
	EndReason end_reason; /* if the end has begun */
	Ending pruning;       /* the end of some or all registrations; see vm_prune() */
	EndReason prune_reason;
	Registration *prune_next; /* the next registration to look at, or NULL */
	RB_ENTRY(VirtualMachine) by_guid;
	LIST_ENTRY(VirtualMachine) of_vmm;
};

typedef RB_HEAD(VmGuidTree, VirtualMachine) VmGuidTree;

/* A process named in a request, with its credentials, which belong to this structure. */
typedef struct ResolvedProcess {
	ProcessKey key;
	pid_t pid;
	Credentials credentials;
} ResolvedProcess;

/*
 * The settings of a VM from a request, with all names resolved. They own their strings and
 * credentials. vm_prepare() and vm_update_commit() take over the parts that they use.
 */
typedef struct VmSettings {
	char *name;
	bool has_display_clients;
	bool has_metadata; /* as in VirtualMachine; never reset */
	DisplayClients display_clients;
	bool has_agent;
	bool for_incoming;      /* the agent and the guest's state are those of the incoming VMM */
	GuestState guest_state; /* GUEST_STATE_UNKNOWN to leave it unchanged */
	const Caller *teller;   /* of that state; NULL for a restored one */
	bool agent_is_from_drop_in;
	char *agent_user; /* NULL if the agent is a process, or if the VM shall have none */
	uid_t agent_uid;
	ResolvedProcess agent_process; /* without a key if the agent is a user, or none */
} VmSettings;

#define VM_SETTINGS_INIT ((VmSettings){ 0 })

void vm_settings_deinit(VmSettings *settings);

/*
 * Prepares a VM that the caller registers. Takes over the used parts of settings; release the rest
 * with vm_settings_deinit(). By the time of vm_commit(), no other VM may have the GUID. Returns
 * STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS vm_prepare(Broker *broker, const Caller *caller, const Guid *guid,
		    const ResolvedProcess *vmm, VmSettings *settings, VirtualMachine **ret_vm,
		    Failure *failure);
void vm_commit(Broker *broker, VirtualMachine *vm);
void vm_discard(Broker *broker, VirtualMachine *vm);

/* A prepared update of a VM. */
typedef struct VmUpdate {
	VirtualMachine *vm;
	VmSettings *settings;        /* borrowed until the commit; NULL for none */
	Process *agent_process;      /* attached by prepare; NULL if the update names no process */
	IncomingVmm *incoming;       /* a new incoming VMM; NULL for none */
	const VmTakeOver *take_over; /* if an operator takes a found VM over, else NULL */
} VmUpdate;

/*
 * Prepares changes of the VM. The settings must stay valid until the update is committed or
 * discarded. The commit takes over their used parts, and ends registrations that no longer match a
 * display client. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS vm_update_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			   VmSettings *settings, VmUpdate *ret_update, Failure *failure);
void vm_update_commit(Broker *broker, VmUpdate *update);
void vm_update_discard(Broker *broker, VmUpdate *update);

/* Sets whether the drop-ins require sealed memory of the VM. Call whenever its name changes. */
void vm_follow_drop_ins(const Broker *broker, VirtualMachine *vm);

/*
 * Return NULL if no VM has the GUID. To requests, a VM that is ending does not exist any more; the
 * second function finds it as well.
 */
VirtualMachine *vm_find(Broker *broker, const Guid *guid);
VirtualMachine *vm_find_also_ending(Broker *broker, const Guid *guid);

/* Tests whether the end of the VM has begun. False for NULL, which stands for no VM. */
static inline bool vm_is_ending(const VirtualMachine *vm)
{
	return vm && ending_has_begun(&vm->ending);
}

/*
 * Tests whether the VM is listed. A VM whose end is being announced is not listed any more, but
 * still belongs to its processes.
 */
bool vm_is_listed(Broker *broker, const VirtualMachine *vm);

/* Returns the running VM that an entity belongs to, or NULL if it belongs to none. */
const VirtualMachine *entity_machine(const Entity *entity);

/* Returns the first VM whose serial is above the cursor, or NULL at the end. */
VirtualMachine *vm_after(Broker *broker, uint64_t serial);

/*
 * Begins to end the VM with its registrations, objects, GPU processes and vGPUs. From now on no
 * request finds any of them. Does nothing if the end has begun. broker_end_some() does the work;
 * the second function completes it.
 */
void vm_end(Broker *broker, VirtualMachine *vm, EndReason reason);
void vm_end_at_once(Broker *broker, VirtualMachine *vm, EndReason reason);

/* Tests whether the process is the VM's VMM or its incoming VMM. */
bool vm_is_run_by(const VirtualMachine *vm, ProcessKey key);

/* Removes an agent that has exited. Its VMM continues without an agent. */
void vm_agent_exited(Broker *broker, Agent *agent);

/* Unshares all of the VM's objects. */
void vm_end_objects(Broker *broker, VirtualMachine *vm, EndReason reason);

/* Ends all of the VM's registrations, however long that takes. */
void vm_end_registrations(Broker *broker, VirtualMachine *vm, EndReason reason);

/*
 * Begins to end registrations of the VM: those that match no display client if the reason is
 * END_PRIVILEGES_CHANGED, otherwise all. broker_end_some() does the work; the second function does
 * some of it, for at most that time, and ends nothing else.
 */
void vm_prune(Broker *broker, VirtualMachine *vm, EndReason reason);
void vm_prune_some(Broker *broker, VirtualMachine *vm, uint64_t microseconds);
void vm_stop_pruning(Broker *broker, VirtualMachine *vm);

/*
 * Tests whether registrations of the VM are ending. Requests that name the VM wait meanwhile. False
 * for NULL.
 */
bool vm_is_pruned(const VirtualMachine *vm);

/* Tests whether the registration is going to end. Requests treat it as if it had ended. */
bool vm_prunes(const Registration *registration);

/*
 * Prepares the assignment of a vGPU on the adapter to the VM. Takes ownership of *profile on
 * success. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED or STATUS_NO_MEMORY.
 */
NTSTATUS virtual_gpu_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			     Adapter *adapter, char **profile, VirtualGpu **ret_virtual_gpu,
			     Failure *failure);
void virtual_gpu_commit(Broker *broker, VirtualGpu *virtual_gpu);
void virtual_gpu_discard(Broker *broker, VirtualGpu *virtual_gpu);

/* Returns NULL if no vGPU has the handle. */
VirtualGpu *virtual_gpu_find(Broker *broker, const Handle *handle);

/*
 * Remove the vGPU. If it was the VM's last one, the VM's registrations end. The second function
 * leaves that to vm_prune().
 */
void virtual_gpu_end(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason);
void virtual_gpu_remove(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason);

/* --- for incoming-vmm.c ---------------------------------------------------------------------- */

/* Returns the origin for an entity of the process. */
ProcessOrigin resolved_process_origin(const ResolvedProcess *process, const Payer *payer);

/*
 * Attaches to the process that the settings name as agent. *ret_process is NULL without one.
 * Returns the statuses of process_attach().
 */
NTSTATUS vm_settings_attach_agent(Broker *broker, const Payer *payer, const VmSettings *settings,
				  Process **ret_process, Failure *failure);

/* Takes the agent out of the settings. process is the attached process, NULL for a user. */
Agent vm_settings_take_agent(VmSettings *settings, VirtualMachine *vm, Process *process);

/*
 * Reports that the VM has changed. Of change, only changes_sharers, former_agent, former_vmm and
 * hand_over are used.
 */
void vm_changed(Broker *broker, const VirtualMachine *vm, Event change);

/* Asserts the invariants of the VM. */
void vm_check(Broker *broker, const VirtualMachine *vm);

#endif
