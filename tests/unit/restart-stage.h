/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RESTART_STAGE_H
#define TESTS_RESTART_STAGE_H

#include <criterion/criterion.h>

#include "fake-gpu.h"
#include "fake-share.h"

/*
 * The cast with one of everything that outlives a restart: GUID_A with registrations and shared
 * objects, held and taken back; GUID_B with an agent that is a process; contexts, and an address
 * space with a driver's reservation, the process's own, and mappings in and outside of them.
 */
typedef struct Stage {
	Cast cast;
	World *world;
	FakeProcess *helper, *other_vmm;
	Caller *helping, *other_machine;
	char context[64], gpu_process[64];
	char image[64], fence[64], taken_back[64];
	char virtual_gpu[64];
} Stage;

#define SUCCESS  "STATUS_SUCCESS"
#define NOT_KEPT "STATUS_INSUFFICIENT_RESOURCES"

/* Of the address space: the driver's range, the process's own, and a mapping by itself. */
#define STAGE_DRIVER  "0x10000000000"
#define STAGE_OWN     "0x20000000000"
#define STAGE_MAPPING "0x30000000000"

Stage stage_new(void);
void stage_free(Stage *stage);

/* Nobody can tell that there was a restart. */
void stage_restart_unseen(Stage *stage);

/* How many records of the kind were dropped at the last start, for that reason. */
size_t stage_dropped(const Stage *stage, StoreKind kind, const char *reason);

#endif
