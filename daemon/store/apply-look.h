/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_APPLY_LOOK_H
#define DAEMON_STORE_APPLY_LOOK_H

#include "daemon/store/store.h"

/*
 * Makes the found vGPUs of the VM those that the look has seen. Adds first and ends then, so that a
 * VM which has got another function keeps its registrations. A function that another VM had before
 * is taken away from it. If resources are exhausted, the look was not certain.
 */
void store_apply_look(Store *store, VirtualMachine *vm, GpuLook *look);

#endif
