/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_RESTORE_H
#define DAEMON_STORE_RESTORE_H

#include "daemon/store/record-schema.h"

/*
 * Internal header of the restore, shared by the files that restore the kinds of persisted records.
 */

/* A restored registration and the result of checking its privileges again. */
typedef struct PendingRegistration {
	Registration *registration;
	Lookup process; /* LOOKUP_FOUND or LOOKUP_GONE */
	Difference difference;
	unsigned int rights; /* of its display clients, if there is no difference */
} PendingRegistration;

/* A record in restore order. */
typedef struct RestoreEntry {
	StoreKind kind;
	const PersistedRecord *record;
	bool is_dropped;
	bool had_ended; /* before the restart: RESTORE_HAS_ENDED */
} RestoreEntry;

typedef struct Restore {
	Broker *broker;
	StoreReport *report;
	const PersistedRecords *records;
	const RestoreEntry *entries; /* of all records, sorted by kind and serial */
	Process **processes; /* referenced until the end, because a host forgets unwatched ones */
	size_t process_count;
	SharedObject **objects; /* restored objects; those not shared or held will end */
	size_t object_count;
	PendingRegistration *registrations;
	size_t registration_count;
	VirtualMachine **handed_over; /* VMs whose VMM exited while the daemon was not running */
	size_t handed_over_count;
	bool has_lost_reservation; /* perhaps, by damage; mappings inside are reported, too */
} Restore;

/*
 * Each function restores an entity from the structure of its record, and may take ownership of
 * parts of it. Returns RESTORE_OK, or the reason why it has restored nothing.
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

RestoreReason restore_display(Restore *restore, void *record);

/* --- helpers --------------------------------------------------------------------------------- */

/* Finds a live process, watches it, and sets *ret to a caller that the payer pays for. */
RestoreReason restore_caller(Restore *restore, const RecordedProcess *process, const Payer *payer,
			     Caller *ret);

/* Converts the status of an operation of the core. */
RestoreReason restore_reason(NTSTATUS status);

/* Return NULL if the entity has not been restored. */
Adapter *restore_find_adapter(Restore *restore, uint64_t serial);
VirtualMachine *restore_find_vm(Restore *restore, uint64_t serial);

/*
 * Takes the fd with this id from the fd store. fd->facts: what the fd must be. On failure, the
 * caller must release fd->fd unless that is FD_NONE.
 */
RestoreReason restore_find_fd(Restore *restore, uint64_t id, ObjectFd *fd);

/*
 * Return the reason why a record whose VM, GPU process or registration has not been restored is
 * dropped. It is
 * RESTORE_HAS_ENDED if that had ended before the restart, and the record only waited for its
 * removal.
 */
RestoreReason restore_without_vm(const Restore *restore, uint64_t vm);
RestoreReason restore_without_gpu_process(const Restore *restore, uint64_t gpu_process);
RestoreReason restore_without_registration(const Restore *restore, uint64_t registration);

/* Gives a GPU process its recorded serial and handle. */
void restore_identity(Restore *restore, GpuProcess *gpu_process, uint64_t serial,
		      const Handle *handle);

/* Tests whether a later attempt to restore may succeed. */
bool restore_reason_is_exhaustion(RestoreReason reason);

/* --- the report ------------------------------------------------------------------------------ */

/* Reports that the whole restore fails because of this record. */
void restore_refuse(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason);

/*
 * Reports a record that was not restored. The detail is the name of the field for
 * RESTORE_INVALID_FIELD; otherwise it is added in parentheses. It may be NULL.
 */
void restore_report_drop(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason,
			 const char *detail);

/* --- privileges ------------------------------------------------------------------------------ */

/*
 * Checks the privileges of all restored registrations. Returns false if a resource is exhausted;
 * report->refusal says which registration was affected.
 */
bool restore_check_privileges(Restore *restore);

/*
 * Ends the registrations whose privileges have changed or whose processes are gone, and display
 * channels with a right that was withdrawn.
 */
void restore_end_changed(Restore *restore);

#endif
