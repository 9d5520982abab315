/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_BUS_H
#define CLIENT_VAIL_LIBVIRT_BUS_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/vail-libvirt/agent-process.h"
#include "client/vail-libvirt/domain.h"

/*
 * The message bus that libvirt runs for a domain with <graphics type='dbus'/>. Only QEMU's user may
 * join it, so everything on the bus is done by processes of that user.
 */

/*
 * Reads the user and the group of a security label, such as "+64055:+64055" or "qemu:qemu".
 * Without a label, they are those of this process. Looks up names, which may block.
 *
 * label: NULL for none.
 *
 * Returns false if the label has another form or an unknown name.
 */
bool bus_user_read(const char *label, ProcessUser *ret);

/*
 * Returns why this process can start nothing on the bus of the running domain, as a sentence for
 * people. Returns NULL if it can.
 */
const char *bus_obstacle(const Domain *domain);

/*
 * Starts a process of the user that asks the bus which process is QEMU there. The bus says what the
 * kernel told it when QEMU connected. The process logs why it fails. When it exits, call
 * bus_search_result().
 *
 * guest: name for messages.
 * ret_result: a pipe, which the caller closes; unchanged on failure.
 *
 * Returns 0 or a positive errno.
 */
int bus_search_start(AgentProcess *process, const char *address, const ProcessUser *user,
		     const char *guest, AgentExited *exited, void *context, int *ret_result);

/*
 * Reads the pid of QEMU from the pipe. Returns 0 if it was not found, or if the process is not one
 * of the user.
 */
pid_t bus_search_result(int result, const ProcessUser *user);

#endif
