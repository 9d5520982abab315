/* SPDX-License-Identifier: MIT */
#ifndef VAIL_D3DKMTHK_H
#define VAIL_D3DKMTHK_H

/*
 * The documented Windows signature, so that ported code compiles as it is. Link with -lvail.
 */

#include <stdint.h>

#include "vail-status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whoever defines GUID on Linux (Wine, DXVK, DirectX-Headers) says so by this name. */
#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
	uint32_t Data1;
	uint16_t Data2;
	uint16_t Data3;
	uint8_t Data4[8];
} GUID;
#endif

/*
 * Registers the calling process as one that can share GPU allocations between a guest VM and the
 * host. It connects to vaild where vail_open(NULL) of vail.h does, waits at most 30 s for its
 * answer, and leaves no connection behind. The registration lasts until the process exits, is
 * unregistered or revoked, or the VM ends.
 *
 * VirtualMachineGuid: the GUID of a running VM that has at least one vGPU assigned.
 *
 * Returns
 *   STATUS_SUCCESS                      the process is registered
 *   STATUS_ACCESS_DENIED                it does not have the privileges of the VM's display client
 *   STATUS_INVALID_PARAMETER            VirtualMachineGuid is NULL, or the nil GUID
 *   STATUS_GRAPHICS_VAIL_STATE_CHANGED  the VM has no vGPU assigned
 *   STATUS_INVALID_DISPOSITION          the process has no graphics context
 *   STATUS_NOT_FOUND                    no running VM has this GUID
 * and what vail_register_process() of vail.h can return besides, like STATUS_CONNECTION_REFUSED
 * when vaild does not run.
 */
__attribute__((visibility("default"))) NTSTATUS D3DKMTRegisterVailProcess(GUID *VirtualMachineGuid);

#ifdef __cplusplus
}
#endif

#endif
