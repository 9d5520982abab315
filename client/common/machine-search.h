/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_MACHINE_SEARCH_H
#define CLIENT_COMMON_MACHINE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/guid.h"
#include <vail.h>

/*
 * Finds the VM that a user has named on the command line. The text is
 *
 * - a whole GUID, which is never looked up;
 * - or the exact name of one VM;
 * - or the beginning of the GUID of one VM, in either case, with or without "{".
 *
 * Neither of the last two has priority: whoever adds a VM chooses its name, and it must not replace
 * the VM that the user means.
 */

/* Least number of characters of the beginning of a GUID, because a typo must not name a VM. */
#define GUID_BEGINNING_MIN 4

/* Number of VMs that a message shows if several fit. */
#define MACHINES_SHOWN_MAX 8

/* Buffer size for a GUID as a user may write it: with braces. */
#define MACHINE_GUID_SIZE (GUID_TEXT_LENGTH + sizeof("{}"))

/* The GUIDs that a search looks at. */
typedef enum MachineScope {
	MACHINES_RUNNING,         /* of the VMs that the caller may see */
	MACHINES_AND_QUARANTINES, /* also the GUIDs in quarantine, if the caller may see them */
	FLEET_MACHINES,           /* of the VMs of all hosts; the handle must be of vaild-fleet */
	FLEET_MACHINES_AND_QUARANTINES,
} MachineScope;

/* A VM that fits. */
typedef struct MachineFit {
	char guid[GUID_TEXT_LENGTH + 1];
	char *name; /* NULL without one, or if it is not known */
} MachineFit;

typedef struct MachineSearch {
	const char *text;   /* as typed; not owned */
	MachineScope scope; /* of the message; MACHINES_RUNNING unless set */
	MachineFit *fits;
	size_t fit_count;
	bool failed; /* out of memory */
} MachineSearch;

/*
 * Tests whether the text may be the beginning of a GUID, and is not a whole one. It may be a name
 * as well.
 */
bool machine_may_begin_guid(const char *text);

/* text: must outlive the search. */
void machine_search_init(MachineSearch *search, const char *text);
void machine_search_deinit(MachineSearch *search);

/* Adds the VM if it fits and was not added before. name: NULL without one. */
void machine_search_add(MachineSearch *search, const char *guid, const char *name);

/*
 * Returns STATUS_SUCCESS if exactly one VM fits, STATUS_NOT_FOUND if none does,
 * STATUS_OBJECT_NAME_COLLISION if several do, STATUS_INVALID_PARAMETER if the text is empty, or
 * STATUS_NO_MEMORY.
 */
NTSTATUS machine_search_status(const MachineSearch *search);

/*
 * Describes why the search has no result, in a sentence that quotes the text, safe for a terminal.
 * The caller frees it. Returns NULL if out of memory.
 */
char *machine_search_message(const MachineSearch *search);

/*
 * Finds the VM that the text names. Copies a whole GUID as it is, without a call.
 *
 * ret_message: see machine_search_message(); set only if this function returns a status of
 *              machine_search_status() other than STATUS_SUCCESS, and otherwise NULL. May stay NULL
 *              if out of memory. The caller frees it.
 *
 * Returns as machine_search_status(), or as vail_call_more() with the details on the handle.
 */
NTSTATUS machine_find(struct vail *vail, const char *text, MachineScope scope,
		      char ret_guid[static MACHINE_GUID_SIZE], char **ret_message);

/*
 * Returns the name of the VM with this GUID, or NULL if it has none or that cannot be found out.
 * The caller frees it.
 */
char *machine_name(struct vail *vail, const char *guid);

#endif
