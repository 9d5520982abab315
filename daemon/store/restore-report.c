/* SPDX-License-Identifier: MIT */
/* Why a record is not restored, and how that is told. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "macros.h"
#include "restore.h"

static const char *const exhaustions[] = {
	RESTORE_NO_MEMORY,
	RESTORE_NO_WATCH,
	RESTORE_NO_EVIDENCE,
	NULL,
};

/* Of these there are many at a time, and all of them say the same. */
static const char *const ends[] = {
	RESTORE_PROCESS_IS_GONE, RESTORE_VM_IS_GONE, RESTORE_GPU_PROCESS_IS_GONE,
	RESTORE_OBJECT_IS_GONE,  RESTORE_IS_UNUSED,  NULL,
};

static bool is_among(const char *reason, const char *const *reasons)
{
	while (*reasons && strcmp(*reasons, reason) != 0)
		reasons++;
	return *reasons != NULL;
}

bool restore_reason_is_exhaustion(const char *reason)
{
	return is_among(reason, exhaustions);
}

void restore_refuse(StoreReport *report, StoreKind kind, uint64_t serial, const char *reason)
{
	report->refusal = (StoreDrop){ .kind = kind, .serial = serial, .count = 1 };
	snprintf(report->refusal.reason, sizeof(report->refusal.reason), "%s", reason);
}

/* Of the same kind, told already for the same reason. */
static StoreDrop *find_same(StoreReport *report, StoreKind kind, const char *reason)
{
	for (size_t i = 0; i < report->told_count; i++)
		if (report->drops[i].kind == kind && strcmp(report->drops[i].reason, reason) == 0)
			return &report->drops[i];
	return NULL;
}

void restore_report_drop(StoreReport *report, StoreKind kind, uint64_t serial, const char *format,
			 ...)
{
	StoreDrop drop = { .kind = kind, .serial = serial, .count = 1 };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(drop.reason, sizeof(drop.reason), format, arguments);
	va_end(arguments);
	report->dropped[kind]++;
	report->drop_count++;
	StoreDrop *same = is_among(drop.reason, ends) ? find_same(report, kind, drop.reason) : NULL;
	if (same)
		same->count++;
	else if (report->told_count < STORE_DROPS_MAX)
		report->drops[report->told_count++] = drop;
}
