/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_REGISTRATION_H
#define CLIENT_VAIL_LIBVIRT_REGISTRATION_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/vail-libvirt/domain.h"

/*
 * Brings the VM of a guest into vaild, with QEMU's user as its agent. A vail-qemu that runs as that
 * user cannot do that itself, because the user is no operator. Settings that the VM has in vaild
 * already are kept. Logs each failure.
 *
 * socket: of vaild; NULL for the default.
 * name: of the guest.
 * qemu: the VMM.
 * consent: its display clients.
 *
 * Returns false if that has to be tried again.
 */
bool registration_add(const char *socket, const char *guid, const char *name, pid_t qemu,
		      uid_t agent, const Domain *consent);

#endif
