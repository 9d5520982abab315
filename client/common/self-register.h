/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_SELF_REGISTER_H
#define CLIENT_COMMON_SELF_REGISTER_H

#include <stdbool.h>

#include <vail.h>

/*
 * Registers the calling process for the VM. Creates a graphics context first, unless the process
 * has one: vaild logs a registration without a context as a denial.
 *
 * context: handle of the context from an earlier call, or "". Set if a context is created.
 * always: create a context also if the process has a GPU device open.
 *
 * Returns as vail_register_process() or vail_create_context().
 */
NTSTATUS self_register(struct vail *vail, const char *guid, char context[static VAIL_HANDLE_SIZE],
		       bool always);

#endif
