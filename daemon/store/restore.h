/* SPDX-License-Identifier: MIT */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "kinds.h"

/* For the files of the store alone: coming back, one kind a function. */

/* A registration whose privileges were looked at again. */
typedef struct LookedAt {
	Registration *registration;
	Evidence process; /* that it is of: EVIDENCE_FOUND or EVIDENCE_GONE */
	Difference difference;
} LookedAt;

typedef struct Restore {
	Broker *broker;
	StoreReport *report;
	Process *
		*processes; /* that live: held to the end, for a host lets go whom nobody watches */
	size_t process_count;
	SharedObject **objects; /* that came back; those that nobody shares or holds are to go */
	size_t object_count;
	LookedAt *registrations; /* that came back */
	size_t registration_count;
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

/* What ends with a process that ended meanwhile. */
#define RESTORE_PROCESS_IS_GONE     "its process is gone"
#define RESTORE_VM_IS_GONE          "its VM is gone"
#define RESTORE_GPU_PROCESS_IS_GONE "its GPU process is gone"
#define RESTORE_OBJECT_IS_GONE      "its object is gone"
#define RESTORE_IS_UNUSED           "it is neither shared nor held any more"

/* What is no reason to drop a record, but ends the restore: there is no room now to look at it. */
#define RESTORE_NO_MEMORY   "there is no memory for it"
#define RESTORE_NO_WATCH    "its process cannot be watched"
#define RESTORE_NO_EVIDENCE "there are no resources left to look at what it is of"

bool restore_reason_is_exhaustion(const char *reason);

/* --- what becomes of a record that is not restored -------------------------------------------- */

/* All is kept as it is, for there is no room to look at this one. */
void restore_refuse(StoreReport *report, StoreKind kind, uint64_t serial, const char *reason);

void restore_report_drop(StoreReport *report, StoreKind kind, uint64_t serial, const char *format,
			 ...) _printf_(4, 5);

/* --- privileges ------------------------------------------------------------------------------- */

/* Looks at all registrations that came back. False: something is exhausted, report->refusal says
 * what. */
bool restore_look_again(Restore *restore);

/* Those whose privileges are not what they were end. */
void restore_end_unmatched(Restore *restore);

#endif
