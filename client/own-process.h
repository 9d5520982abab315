/* SPDX-License-Identifier: MIT */
#ifndef OWN_PROCESS_H
#define OWN_PROCESS_H

#include <stdbool.h>

#include "vail.h"

/* Registers the calling process for the VM. A graphics context is made where vaild says that one is
 * missing, or with context_first in any case. Returns as vail_register_process(). */
NTSTATUS own_process_register(struct vail *vail, const char *guid, bool context_first);

#endif
