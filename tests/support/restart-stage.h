/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_RESTART_STAGE_H
#define TESTS_SUPPORT_RESTART_STAGE_H

#include <criterion/criterion.h>

#include "tests/support/fake-gpu.h"
#include "tests/support/fake-share.h"

/*
 * The fixture with at least one of everything that survives a restart: GUID_A with registrations
 * and objects, one of them no longer shared but held; GUID_B with a process as its agent; contexts;
 * and an address space with a driver reservation, a user reservation, and mappings inside and
 * outside of them.
 */
typedef struct Stage {
	HostFixture fixture;
	FakeHost *fake_host;
	FakeProcess *helper, *other_vmm;
	Caller *helping, *other_machine;
	char context[64], gpu_process[64];
	char image[64], fence[64], taken_back[64];
	char virtual_gpu[64];
} Stage;

#define SUCCESS       "STATUS_SUCCESS"
#define NOT_PERSISTED "STATUS_INSUFFICIENT_RESOURCES"

/* Addresses of the driver reservation, of the user reservation, and of a separate mapping. */
#define STAGE_DRIVER  "0x10000000000"
#define STAGE_OWN     "0x20000000000"
#define STAGE_MAPPING "0x30000000000"

Stage stage_new(void);
void stage_free(Stage *stage);

/* Restarts, and asserts that no client can see a difference and no persisted record was dropped. */
void stage_restart_unchanged(Stage *stage);

/* Returns how many persisted records of the kind the last start has dropped for that reason. */
size_t stage_dropped(const Stage *stage, StoreKind kind, const char *reason);

#endif
