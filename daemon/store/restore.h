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
RestoreReason restore_adapter(Restore *restore, void *record);
RestoreReason restore_client_adapter(Restore *restore, void *record);
RestoreReason restore_vm(Restore *restore, void *record);
RestoreReason restore_virtual_gpu(Restore *restore, void *record);
RestoreReason restore_registration(Restore *restore, void *record);

RestoreReason restore_gpu_process(Restore *restore, void *record);
RestoreReason restore_page_table_entry(Restore *restore, void *record);
RestoreReason restore_reservation(Restore *restore, void *record);
RestoreReason restore_mapping(Restore *restore, void *record);
RestoreReason restore_context(Restore *restore, void *record);

RestoreReason restore_object(Restore *restore, void *record);
RestoreReason restore_sharing(Restore *restore, void *record);
RestoreReason restore_holder(Restore *restore, void *record);

/* --- what several of them need --------------------------------------------------------------- */

/* The process as a caller who pays with that account, if it lives; it stays watched meanwhile. */
RestoreReason restore_caller(Restore *restore, const RecordedProcess *process, uid_t account,
			     Caller *ret);

/* NULL, or why an operation did not succeed. */
RestoreReason restore_reason(NTSTATUS status);

Adapter *restore_find_adapter(Restore *restore, uint64_t serial);
VirtualMachine *restore_find_vm(Restore *restore, uint64_t serial);

/* The GPU process is the one that had the serial and the handle. */
void restore_identity(Restore *restore, GpuProcess *gpu_process, uint64_t serial,
		      const Handle *handle);

bool restore_reason_is_exhaustion(RestoreReason reason);

/* --- what becomes of a record that is not restored -------------------------------------------- */

/* All is kept as it is, for there is no room to look at this one. */
void restore_refuse(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason);

void restore_report_drop(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason,
			 const char *detail);

/* --- privileges ------------------------------------------------------------------------------- */

/* Looks at all registrations that came back. False: something is exhausted, report->refusal says
 * what. */
bool restore_look_again(Restore *restore);

/* Those whose privileges are not what they were end. */
void restore_end_unmatched(Restore *restore);

#endif
