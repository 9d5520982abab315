/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_SELF_REGISTER_H
#define CLIENT_COMMON_SELF_REGISTER_H

#include <stdbool.h>

#include <vail.h>

/*
 * Registers the calling process for the VM. Creates a graphics context first if context_first is
 * set, or if vaild reports that the process has none (STATUS_INVALID_DISPOSITION). Returns as
 * vail_register_process() or vail_create_context().
 */
NTSTATUS self_register(struct vail *vail, const char *guid, bool context_first);

#endif
