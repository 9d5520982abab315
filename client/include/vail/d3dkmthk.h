/* SPDX-License-Identifier: MIT */
#ifndef VAIL_D3DKMTHK_H
#define VAIL_D3DKMTHK_H

/*
 * Declares D3DKMTRegisterVailProcess() with the signature documented for Windows, so that ported
 * code compiles without changes. Link with -lvail.
 */

#include <stdint.h>

#include <vail-status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wine, DXVK and DirectX-Headers define GUID_DEFINED when they define GUID. */
#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
	uint32_t Data1;
	uint16_t Data2;
	uint16_t Data3;
	uint8_t Data4[8];
} GUID;
#endif

/**
 * D3DKMTRegisterVailProcess() - Registers the calling process as one that can share GPU allocations
 *   between a guest VM and the host
 * @VirtualMachineGuid: the GUID of a running VM that has at least one vGPU assigned; borrowed
 * during the call.
 *
 * Connects to vaild on the socket that vail_open(NULL) of vail.h uses, waits at most 30 s for the
 * reply, and closes the connection. The registration lasts until the process exits, is unregistered
 * or revoked, or the VM ends. Any number of threads may call the function at once.
 *
 * Return:
 *   STATUS_SUCCESS                      the process is registered
 *   STATUS_ACCESS_DENIED                the process lacks the privileges of a display client
 *   STATUS_INVALID_PARAMETER            VirtualMachineGuid is NULL, or the nil GUID
 *   STATUS_GRAPHICS_VAIL_STATE_CHANGED  the VM has no vGPU assigned
 *   STATUS_INVALID_DISPOSITION          the process has no graphics context
 *   STATUS_NOT_FOUND                    no running VM has this GUID
 * and the other statuses of vail_register_process() in vail.h, for example
 * STATUS_CONNECTION_REFUSED if vaild is not running. vail_error_message(NULL) of vail.h says why.
 *
 * Source: Microsoft's page D3DKMTRegisterVailProcess; io.vaild(7), method
 * io.vaild.RegisterVailProcess.
 */
__attribute__((visibility("default"))) NTSTATUS D3DKMTRegisterVailProcess(GUID *VirtualMachineGuid);

#ifdef __cplusplus
}
#endif

#endif
