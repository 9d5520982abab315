/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_AGENT_ARGUMENTS_H
#define CLIENT_VAIL_LIBVIRT_AGENT_ARGUMENTS_H

#include "client/vail-libvirt/domain.h"

/*
 * Returns the arguments of a guest's vail-qemu, which end with NULL. The caller frees them. Returns
 * NULL if out of memory.
 *
 * label: for its messages, which are among those of this process.
 * socket: of vaild; NULL for the default.
 * bus: address of the bus of the guest's display, whose VM is registered; NULL if the display is
 *      the socket AGENT_DISPLAY_FD.
 * clients: users who may register, if the VM is not registered.
 */
char **agent_arguments_new(const char *label, const char *socket, const char *bus,
			   const Domain *clients);
void agent_arguments_free(char ***arguments);

#endif
