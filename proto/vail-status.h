/* SPDX-License-Identifier: MIT */
#ifndef VAIL_STATUS_H
#define VAIL_STATUS_H

/*
 * The NTSTATUS values of vaild's replies. This header is part of the protocol. It is installed
 * beside vail.h and includes no header of vaild.
 */

#include <stdint.h>

typedef int32_t NTSTATUS;

#define STATUS_SUCCESS                     ((NTSTATUS)0x00000000)
#define STATUS_INVALID_HANDLE              ((NTSTATUS)0xC0000008)
#define STATUS_INVALID_PARAMETER           ((NTSTATUS)0xC000000D)
#define STATUS_NO_MEMORY                   ((NTSTATUS)0xC0000017)
#define STATUS_CONFLICTING_ADDRESSES       ((NTSTATUS)0xC0000018)
#define STATUS_ACCESS_DENIED               ((NTSTATUS)0xC0000022)
#define STATUS_OBJECT_TYPE_MISMATCH        ((NTSTATUS)0xC0000024)
#define STATUS_INVALID_DISPOSITION         ((NTSTATUS)0xC0000026)
#define STATUS_OBJECT_NAME_COLLISION       ((NTSTATUS)0xC0000035)
#define STATUS_QUOTA_EXCEEDED              ((NTSTATUS)0xC0000044)
#define STATUS_INSUFFICIENT_RESOURCES      ((NTSTATUS)0xC000009A)
#define STATUS_NOT_SUPPORTED               ((NTSTATUS)0xC00000BB)
#define STATUS_PROCESS_IS_TERMINATING      ((NTSTATUS)0xC000010A)
#define STATUS_INVALID_DEVICE_STATE        ((NTSTATUS)0xC0000184)
#define STATUS_NOT_FOUND                   ((NTSTATUS)0xC0000225)
#define STATUS_GRAPHICS_VAIL_STATE_CHANGED ((NTSTATUS)0xC01E0011)

/*
 * Never sent by the daemon. The client library returns these if the daemon cannot be reached, or if
 * its reply cannot be understood.
 */
#define STATUS_IO_TIMEOUT               ((NTSTATUS)0xC00000B5)
#define STATUS_INVALID_NETWORK_RESPONSE ((NTSTATUS)0xC00000C3)
#define STATUS_CONNECTION_DISCONNECTED  ((NTSTATUS)0xC000020C)
#define STATUS_CONNECTION_REFUSED       ((NTSTATUS)0xC0000236)

#endif
