/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_DROP_IN_H
#define DAEMON_CORE_DROP_IN_H

#include "daemon/core/vm.h"

/*
 * Settings of the administrator for VMs, chosen before the VMs run. A request comes first: a
 * drop-in never replaces what a request has set. But it replaces display clients that a request has
 * set for libvirt's metadata, and these do not return when the drop-in goes: the metadata may have
 * changed meanwhile. Nobody is the display client then.
 *
 * Users choose the names and GUIDs of their own VMs freely. So a drop-in applies only to VMs that
 * an operator has registered, or to those of the user that it names as registrar.
 */

typedef struct DropInUser {
	char *name;
	uid_t uid;
	bool is_unknown;     /* has no uid any more, so no process matches */
	unsigned int rights; /* of a display client, as DISPLAY_RIGHT_BIT() */
} DropInUser;

typedef enum DropInSubject {
	DROP_IN_GUID,
	DROP_IN_NAME,
	DROP_IN_NAME_PATTERN, /* as fnmatch(3) */
	DROP_IN_SUBJECT_MAX,
} DropInSubject;

typedef struct DropIn {
	char *path;
	char *text; /* of the file */
	DropInSubject subject;
	Guid guid;
	char *name; /* or the pattern; NULL for DROP_IN_GUID */
	bool has_registrar;
	DropInUser registrar; /* of the VMs */
	DropInUser *clients;
	size_t client_count; /* 0 if the drop-in names none */
	bool has_agent;
	DropInUser agent;
	bool requires_sealed_memory;
} DropIn;

/* All drop-ins, in the order of their paths. */
typedef struct DropIns {
	DropIn *items;
	size_t count;
} DropIns;

#define DROP_INS_INIT ((DropIns){ 0 })

void drop_in_deinit(DropIn *drop_in);
void drop_ins_deinit(DropIns *drop_ins);

/* Moves the drop-in to the end of the list. Returns false, with nothing changed, if out of memory.
 */
bool drop_ins_add(DropIns *drop_ins, DropIn *drop_in);

/* The facts about a VM that decide which drop-ins apply to it. */
typedef struct VmIdentity {
	const Guid *guid;
	const char *name; /* NULL if unnamed */
	bool by_operator;
	uid_t registered_by;
} VmIdentity;

/* Returns the identity that the VM has with this name. */
VmIdentity vm_identity(const VirtualMachine *vm, const char *name);

/*
 * The drop-ins that apply to a VM, by setting. One for its GUID comes before one for its name, and
 * that before one for a pattern; otherwise the first one. Sealed memory is required if any of them
 * requires it.
 */
typedef struct DropInChoice {
	const DropIn *clients; /* NULL if none names display clients */
	const DropIn *agent;   /* NULL if none names an agent */
	bool requires_sealed_memory;
} DropInChoice;

/* Returns the drop-ins that apply to the VM. drop_ins: NULL for none. */
DropInChoice drop_ins_choose(const DropIns *drop_ins, const VmIdentity *identity);

/*
 * Makes the display clients that the drop-in names. A user that does not exist now matches no
 * process. Returns false if out of resources. In any case the caller deinitialises *ret.
 */
bool drop_in_make_clients(const DropIn *drop_in, const Host *host, DisplayClients *ret);

/*
 * Sets the agent that the drop-in names. Returns false if out of memory. In any case the caller
 * deinitialises the settings.
 */
bool drop_in_take_agent(const DropIn *drop_in, VmSettings *settings);

/*
 * Makes the VMM the only display client, for a VM without a named one. No process matches if the
 * VMM's user does not log in, or if its credentials cannot be read. Returns false if out of
 * resources. In any case the caller deinitialises *ret.
 */
bool display_clients_make_default(const Host *host, const Process *vmm, DisplayClients *ret);

/*
 * Fills in those settings of the VM that its drop-ins change, unless ret has them already. name:
 * the name that the VM has then. Returns false if out of resources.
 */
bool drop_ins_resolve(Broker *broker, const VirtualMachine *vm, const char *name, VmSettings *ret);

#endif
