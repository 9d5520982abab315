/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_VMM_PROCESS_H
#define CLIENT_VAILCTL_VMM_PROCESS_H

#include "client/vailctl/vailctl.h"
#include <vail.h>

/*
 * Runs tool->options.run as the VMM of the VM tool->arguments[0]: a child process registers itself
 * as the VMM and executes the command. vailctl waits for it, passes signals on to it, and ends as
 * it has ended.
 *
 * A command that ends with success although it cannot have been a VMM is reported: it has left
 * processes in the background, as QEMU does with -daemonize, or it ended at once. Returns the exit
 * status, EXIT_FAILED in these cases.
 */
int vmm_process_run(Tool *tool, const VailMachine *machine);

#endif
