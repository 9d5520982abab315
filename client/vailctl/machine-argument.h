/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_MACHINE_ARGUMENT_H
#define CLIENT_VAILCTL_MACHINE_ARGUMENT_H

#include "client/common/machine-search.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/vailctl.h"

/* VMs that the user names by a GUID, the beginning of one, or a name. */

/*
 * Finds the VM that the text names. Returns EXIT_DONE, or another exit status after it has reported
 * why none was found. ret_guid: see machine_find().
 */
int tool_find_machine(Tool *tool, const char *text, MachineScope scope,
		      char ret_guid[static MACHINE_GUID_SIZE]);

/* Replaces the argument that names a VM by the VM's GUID. Returns the exit status. */
int tool_resolve_machine(const Command *command, Tool *tool);

#endif
