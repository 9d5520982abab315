/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_MACHINE_SETTINGS_H
#define DAEMON_API_MACHINE_SETTINGS_H

#include "daemon/api/methods.h"

/*
 * Resolves a message's settings of a VM for core: pids to process keys, user names to uids, both to
 * their current credentials. A caller that is not an operator may name only its own user and
 * processes.
 *
 * All functions return STATUS_SUCCESS, STATUS_INVALID_PARAMETER with the path, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */

/*
 * Finds the VMM: the process with the parameter vmmPid, or the caller if that is absent. In any
 * case the caller deinitialises *ret's credentials.
 */
NTSTATUS machine_resolve_vmm(Request *request, ResolvedProcess *ret);

/* Tests whether the message has the settings of libvirt's metadata. */
bool machine_is_for_libvirt(const Request *request);

/*
 * Resolves name, display clients and agent. Settings that the message lacks come from the drop-ins
 * of choice. If those name no display client either, vmm is the display client; with
 * must_log_in its user must then be a login user. For a VM with metadata of libvirt, nobody is: the
 * caller sets ret->has_metadata for an existing one. Pass NULL as vmm to leave the display clients
 * unset. In any case the caller deinitialises *ret.
 */
NTSTATUS machine_resolve_settings(Request *request, const ResolvedProcess *vmm, bool must_log_in,
				  const DropInChoice *choice, VmSettings *ret);

/*
 * Decides whether the display clients of the settings, which the message names for an existing VM,
 * replace the present ones. Those of libvirt's metadata do not replace others that a request has
 * named: then the settings have none any more. If both name the same ones, the request's stay until
 * the metadata name others.
 *
 * drop_in: comes before libvirt's metadata; NULL for none.
 */
NTSTATUS machine_weigh_sources(Request *request, const DisplayClients *present,
			       const DropIn *drop_in, VmSettings *settings);

/*
 * Reads the current credentials of an existing VM's VMM, or of the process with the parameter
 * vmmPid, which must be its VMM or its incoming VMM. Also returns STATUS_NOT_FOUND, if the VMM
 * has just ended. In any case the caller deinitialises *ret's credentials.
 */
NTSTATUS machine_read_vmm(Request *request, const VirtualMachine *vm, ResolvedProcess *ret);

#endif
