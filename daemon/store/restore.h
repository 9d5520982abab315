/* SPDX-License-Identifier: MIT */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "kinds.h"

/* For the files of the store alone: coming back, one kind a function. */

typedef struct Restore {
	Broker *broker;
	Process *
		*processes; /* that live: held to the end, for a host lets go whom nobody watches */
	size_t process_count;
	SharedObject **objects; /* that came back; those that nobody shares or holds are to go */
	size_t object_count;
} Restore;

/*
 * Each makes the thing again that the record speaks of, and may take what the record owns. NULL, or
 * why it does not fit, in which case nothing was made: a clause for people.
 */
const char *restore_adapter(Restore *restore, void *record);
const char *restore_client_adapter(Restore *restore, void *record);
const char *restore_vm(Restore *restore, void *record);
const char *restore_virtual_gpu(Restore *restore, void *record);
const char *restore_registration(Restore *restore, void *record);

const char *restore_gpu_process(Restore *restore, void *record);
const char *restore_page_table_entry(Restore *restore, void *record);
const char *restore_reservation(Restore *restore, void *record);
const char *restore_mapping(Restore *restore, void *record);
const char *restore_context(Restore *restore, void *record);

const char *restore_object(Restore *restore, void *record);
const char *restore_sharing(Restore *restore, void *record);
const char *restore_holder(Restore *restore, void *record);

/* --- what several of them need --------------------------------------------------------------- */

/* The process as a caller who pays with that account, if it lives; it stays watched meanwhile. */
const char *restore_caller(Restore *restore, const RecordedProcess *process, uid_t account,
			   Caller *ret);

/* NULL, or why an operation did not succeed. */
const char *restore_reason(NTSTATUS status);

Adapter *restore_find_adapter(Restore *restore, uint64_t serial);
VirtualMachine *restore_find_vm(Restore *restore, uint64_t serial);

/* The GPU process is the one that had the serial and the handle. */
void restore_identity(Restore *restore, GpuProcess *gpu_process, uint64_t serial,
		      const Handle *handle);

#define RESTORE_HANDLE_IS_TAKEN "another thing has its handle"
#define RESTORE_SERIAL_IS_TAKEN "another thing has its serial"
#define RESTORE_VM_IS_GONE      "its VM is gone"

#endif
