/* SPDX-License-Identifier: MIT */
/* The reasons why persisted records are not restored, and the report about them. */
#include <stdio.h>

#include "daemon/store/restore.h"
#include "proto/macros.h"

static const char *const texts[] = {
	[RESTORE_OK] = "",
	[RESTORE_HAS_ENDED] = "it had ended before",
	[RESTORE_NO_MEMORY] = "out of memory",
	[RESTORE_NO_WATCH] = "its process cannot be watched",
	[RESTORE_NO_RESOURCES] = "out of file descriptors or memory",
	[RESTORE_PROCESS_IS_GONE] = "its process is gone",
	[RESTORE_VM_IS_GONE] = "its VM is gone",
	[RESTORE_GPU_PROCESS_IS_GONE] = "its GPU process is gone",
	[RESTORE_OBJECT_IS_GONE] = "its object is gone",
	[RESTORE_REGISTRATION_IS_GONE] = "its registration is gone",
	[RESTORE_IS_UNUSED] = "it is no longer shared or held",
	[RESTORE_ADAPTER_IS_GONE] = "its adapter is gone",
	[RESTORE_UNKNOWN_KIND] = "this version of vaild does not know its kind",
	[RESTORE_WRONG_SERIAL] = "it contains a different serial than its own",
	[RESTORE_INVALID_FIELD] = "is invalid",
	[RESTORE_SERIAL_IS_TAKEN] = "another entity has its serial",
	[RESTORE_HANDLE_IS_TAKEN] = "another entity has its handle",
	[RESTORE_NAME_IS_TAKEN] = "another adapter has its name",
	[RESTORE_GUID_IS_TAKEN] = "another VM has its GUID",
	[RESTORE_REFUSED] = "it contradicts the restored state",
	[RESTORE_NOT_SOFTWARE_ADAPTER] = "it is not the software adapter",
	[RESTORE_ADAPTER_NOT_SAVED] = "it cannot be saved; the next restart loses what is on it",
	[RESTORE_NOT_SYSTEM_PROCESS] = "it is not its adapter's system process",
	[RESTORE_SECOND_GPU_PROCESS] = "its process already has a GPU process on the adapter",
	[RESTORE_NO_OWNER_PROCESS] = "its GPU process belongs to no process",
	[RESTORE_INVALID_RANGE] = "its range is outside the address space",
	[RESTORE_OTHER_SURROUNDINGS] = "the reservation around it has changed",
	[RESTORE_NO_DISPLAY_CLIENT] = "it has no display client",
	[RESTORE_NO_VIRTUAL_GPU] = "its VM no longer has a vGPU",
	[RESTORE_REGISTERED_ALREADY] = "its process is already registered for the VM",
	[RESTORE_LOST_PRIVILEGES] = "its process no longer has the privileges of a display client",
	[RESTORE_FDS_DO_NOT_MATCH] = "its file descriptors do not match its description",
	[RESTORE_FD_NOT_STORED] = "one of its file descriptors was not stored",
	[RESTORE_FD_HAS_CHANGED] = "one of its file descriptors has changed",
	[RESTORE_HELD_ALREADY] = "its process already holds the object",
};
_Static_assert(ARRAY_SIZE(texts) == RESTORE_REASON_MAX, "each reason has a text");

bool restore_reason_is_exhaustion(RestoreReason reason)
{
	return reason >= RESTORE_NO_MEMORY && reason <= RESTORE_NO_RESOURCES;
}

/* Tests for a reason that many records can share, so that they are reported together. */
static bool is_common(RestoreReason reason)
{
	return reason >= RESTORE_PROCESS_IS_GONE && reason <= RESTORE_IS_UNUSED;
}

static StoreDrop make_drop(StoreKind kind, uint64_t serial, RestoreReason reason,
			   const char *detail)
{
	StoreDrop drop = { .kind = kind, .serial = serial, .count = 1, .code = reason };
	const char *text = texts[reason];
	size_t size = sizeof(drop.reason);

	if (!detail)
		snprintf(drop.reason, size, "%s", text);
	else if (reason == RESTORE_INVALID_FIELD)
		snprintf(drop.reason, size, "%s %s", detail, text);
	else
		snprintf(drop.reason, size, "%s (%s)", text, detail);
	return drop;
}

void restore_refuse(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason)
{
	report->refusal = make_drop(kind, serial, reason, NULL);
}

static StoreDrop *find_same(StoreReport *report, StoreKind kind, RestoreReason reason)
{
	for (size_t i = 0; i < report->told_count; i++)
		if (report->drops[i].kind == kind && report->drops[i].code == reason)
			return &report->drops[i];
	return NULL;
}

void restore_report_drop(StoreReport *report, StoreKind kind, uint64_t serial, RestoreReason reason,
			 const char *detail)
{
	StoreDrop *same = is_common(reason) ? find_same(report, kind, reason) : NULL;

	report->dropped[kind]++;
	report->drop_count++;
	if (same)
		same->count++;
	else if (report->told_count < STORE_DROPS_MAX)
		report->drops[report->told_count++] = make_drop(kind, serial, reason, detail);
}
