/* SPDX-License-Identifier: MIT */
#ifndef API_MACHINE_SETTINGS_H
#define API_MACHINE_SETTINGS_H

#include "methods.h"

/*
 * From what a message says of a VM (pids, names of users) to what the core keeps: processes by
 * identity, credentials as they are now. Who is no operator may name only itself.
 */

/* The VMM: the process of that pid, the caller where it is absent. Deinit *ret's credentials. */
NTSTATUS machine_resolve_vmm(Request *request, NamedProcess *ret);

/*
 * All the rest. vmm is whose credentials count where no display client is named; an update that
 * does not speak of display clients leaves it alone, and may pass NULL. must_log_in: where it does
 * count, the VMM has to be a login user's.
 */
NTSTATUS machine_resolve_settings(Request *request, const NamedProcess *vmm, bool must_log_in,
				  VmSettings *ret);

/* The VMM of a VM that is there already, with its credentials now. */
NTSTATUS machine_read_vmm(Request *request, const VirtualMachine *vm, NamedProcess *ret);

#endif
