/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_AUDIT_RECORD_H
#define DAEMON_CORE_AUDIT_RECORD_H

#include "daemon/core/caller.h"
#include "daemon/core/failure.h"

#define AUDIT_DETAIL_SIZE ((size_t)264)
#define AUDIT_DETAILS_MAX 5

/* A part of what a request asks for, such as quarantined=true. */
typedef struct AuditDetail {
	const char *name;             /* "quarantined"; a constant */
	char text[AUDIT_DETAIL_SIZE]; /* "true"; not escaped */
} AuditDetail;

typedef struct AuditDetails {
	size_t count;
	AuditDetail items[AUDIT_DETAILS_MAX];
} AuditDetails;

/*
 * The audit record of one request, for the journal. A request is recorded if it changed state or
 * was refused with STATUS_ACCESS_DENIED. A refused registration or open of an object is recorded
 * whatever its status, and a VM whose GUID is another's. Pointers are valid only during the call.
 */
struct AuditRecord {
	const Caller *caller;
	const char *method;          /* "io.vaild.RegisterVailProcess" */
	const Guid *virtual_machine; /* NULL if the request names no VM */
	const Handle *object;        /* NULL if the request names no shared object */
	const Handle *display;       /* NULL if the request names no display channel */
	unsigned int rights;         /* of the display, as DISPLAY_RIGHT_BIT(); 0 for none */
	const AuditDetails *details; /* NULL for none */
	NTSTATUS status;             /* STATUS_SUCCESS if the request was allowed */
	const char *reason;          /* one word; NULL if the request was allowed */
	const char *message;         /* the sentence of the refusal; NULL if it was allowed */
};

#endif
